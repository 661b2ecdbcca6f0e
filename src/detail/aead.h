// SPDX-License-Identifier: MIT
//
// aead.h: encryption that authenticates: AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305
// (RFC 8439), by OpenSSL. It has no way to encrypt without a tag, and chooses no nonce: that one
// key never meets a nonce twice is the caller's to see to.
//
// Nothing here allocates by operator new. No key is left behind: OpenSSL's context is made for each
// message, and wiped with it. Everything fails closed: what could not be checked is refused, and
// what was decrypted for it is overwritten.
//
// Threads: all may be called from several at once.
//
//     std::array<std::byte, aead_tag_size> tag;
//     if (!aead_seal(aead_cipher::aes_256_gcm, key, nonce, name, plain, sealed, tag)) …
//     if (!aead_open(aead_cipher::aes_256_gcm, key, nonce, name, sealed, tag, plain)) … // forged
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <openssl/types.h>

namespace funcptr::detail {

enum class aead_cipher : std::uint8_t { aes_128_gcm, aes_192_gcm, aes_256_gcm, chacha20_poly1305 };

inline constexpr std::size_t aead_nonce_size = 12;
inline constexpr std::size_t aead_tag_size = 16;

constexpr std::size_t aead_key_size(aead_cipher cipher) noexcept
{
    switch (cipher) {
    case aead_cipher::aes_128_gcm:
        return 16;
    case aead_cipher::aes_192_gcm:
        return 24;
    case aead_cipher::aes_256_gcm:
    case aead_cipher::chacha20_poly1305:
        break;
    }
    return 32;
}

/// Whether this OpenSSL has it: FIPS providers have no ChaCha20.
bool aead_has(aead_cipher cipher) noexcept;

using aead_tag = std::span<const std::byte, aead_tag_size>;

/// Encrypts `plain` into `sealed`, which may be the same memory, and writes the tag over both it
/// and `aad`. False for sizes that do not fit and when OpenSSL fails: `sealed` is then zeros.
/// REQUIRES: key.size() == aead_key_size(cipher); nonce.size() == aead_nonce_size;
/// sealed.size() == plain.size().
[[nodiscard]] bool aead_seal(aead_cipher cipher, std::span<const std::byte> key,
                             std::span<const std::byte> nonce, std::span<const std::byte> aad,
                             std::span<const std::byte> plain, std::span<std::byte> sealed,
                             std::span<std::byte, aead_tag_size> tag) noexcept;

/// The other way round. False for a tag that does not hold, sizes that do not fit, and when OpenSSL
/// fails: `plain` is then zeros. REQUIRES: as aead_seal().
[[nodiscard]] bool aead_open(aead_cipher cipher, std::span<const std::byte> key,
                             std::span<const std::byte> nonce, std::span<const std::byte> aad,
                             std::span<const std::byte> sealed, aead_tag tag,
                             std::span<std::byte> plain) noexcept;

/// Opens one message piece by piece, for who has no room for the whole. What update() gives is not
/// authenticated before finish() has said true: it must not be acted upon, and is to be overwritten
/// when finish() says false.
class aead_opening {
public:
    /// REQUIRES: sizes as for aead_seal(); a wrong one lets update() and finish() fail.
    aead_opening(aead_cipher cipher, std::span<const std::byte> key,
                 std::span<const std::byte> nonce, std::span<const std::byte> aad,
                 aead_tag tag) noexcept;

    /// The next piece; may be decrypted in place. REQUIRES: plain.size() == sealed.size().
    void update(std::span<const std::byte> sealed, std::span<std::byte> plain) noexcept;
    /// Whether all of it holds.
    [[nodiscard]] bool finish() noexcept;

private:
    struct free_context {
        void operator()(EVP_CIPHER_CTX* context) const noexcept;
    };
    std::unique_ptr<EVP_CIPHER_CTX, free_context> context_;
    bool good_ = false;
};

} // namespace funcptr::detail
