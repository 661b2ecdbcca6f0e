// SPDX-License-Identifier: MIT
//
// hmac.h: HMAC (RFC 2104) from two prepared digests, which is the fastest way that OpenSSL 3
// has without deprecated calls: the key's two blocks and a prefix are hashed once, and each MAC
// starts from a copy of that state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <openssl/types.h>

namespace funcptr::detail {

using mac_sha256 = std::array<std::byte, 32>;

/// Ours is SHA-256; the others are the dialects'.
enum class mac_hash : std::uint8_t { sha1, sha256, sha384, sha512 };

constexpr std::size_t mac_size(mac_hash hash) noexcept
{
    constexpr std::array<std::size_t, 4> sizes{20, 32, 48, 64};
    return sizes[static_cast<std::size_t>(hash)];
}
inline constexpr std::size_t longest_mac = 64;
const EVP_MD* digest_of(mac_hash hash) noexcept;

/// One key with one prefix. compute() is const and may be called from several threads at once: a
/// prepared digest is only copied from, into a work digest that each thread has for itself.
class prepared_hmac {
public:
    /// The MAC will be over prefix + text. Throws std::bad_alloc.
    prepared_hmac(std::span<const std::byte> key, std::string_view prefix,
                  mac_hash hash = mac_hash::sha256);

    /// False when OpenSSL has no memory left: the caller must then fail closed.
    /// REQUIRES: mac.size() == mac_size(hash).
    [[nodiscard]] bool compute(std::string_view text, std::span<std::byte> mac) const noexcept;

private:
    struct free_digest {
        void operator()(EVP_MD_CTX* digest) const noexcept;
    };
    using digest = std::unique_ptr<EVP_MD_CTX, free_digest>;
    digest inner_; // OpenSSL wipes its state when it is freed
    digest outer_;
};

/// One MAC, for keys that are used once. Throws std::bad_alloc.
mac_sha256 hmac(std::span<const std::byte> key, std::string_view text);

/// HKDF-SHA256 (RFC 5869) for keys of 32 bytes: one block of output, which is one MAC. The secret
/// is extracted and the label hashed once, so that a key for each message costs no more than that
/// MAC.
class hkdf_sha256 {
public:
    /// salt: may be empty. label: what each info begins with. Throws std::bad_alloc.
    hkdf_sha256(std::span<const std::byte> secret, std::span<const std::byte> salt,
                std::string_view label);

    /// HKDF-Expand(PRK, label + info, 32). False when OpenSSL has no memory left.
    /// REQUIRES: info.size() <= longest_info.
    [[nodiscard]] bool expand(std::span<const std::byte> info, mac_sha256& key) const noexcept;

    static constexpr std::size_t longest_info = 63;

private:
    prepared_hmac prepared_;
};

/// In a time that does not depend on where they differ. False for sizes that do.
bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) noexcept;

/// Overwrites them, in a way that the compiler does not leave out.
void wipe(std::span<std::byte> bytes) noexcept;

} // namespace funcptr::detail
