// SPDX-License-Identifier: MIT
#include "detail/aead.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <array>
#include <limits>

namespace funcptr::detail {

namespace {

constexpr std::array<const char*, 4> names{"AES-128-GCM", "AES-192-GCM", "AES-256-GCM",
                                           "ChaCha20-Poly1305"};

/// OpenSSL looks a cipher up in a table under a lock, which costs as much as a short message; so
/// that is done once. Kept until the process ends. Null: there is none.
EVP_CIPHER* find(aead_cipher cipher) noexcept
{
    static const auto all = [] {
        std::array<EVP_CIPHER*, names.size()> found{};
        ERR_set_mark();
        for (std::size_t i = 0; i < names.size(); ++i)
            found[i] = EVP_CIPHER_fetch(nullptr, names[i], nullptr);
        ERR_pop_to_mark(); // one that is missing is nobody's error but aead_has()'s
        return found;
    }();
    return all[static_cast<std::size_t>(cipher)];
}

const unsigned char* octets(std::span<const std::byte> bytes) noexcept
{
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(std::span<std::byte> bytes) noexcept
{
    return reinterpret_cast<unsigned char*>(bytes.data());
}

enum class way : int { open = 0, seal = 1 };

bool start(EVP_CIPHER_CTX* context, way how, aead_cipher cipher, std::span<const std::byte> key,
           std::span<const std::byte> nonce, std::span<const std::byte> aad) noexcept
{
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<int>::max());
    EVP_CIPHER* const found = find(cipher);
    int written = 0;
    return context != nullptr && found != nullptr && key.size() == aead_key_size(cipher)
           && nonce.size() == aead_nonce_size && aad.size() <= most
           && EVP_CipherInit_ex2(context, found, octets(key), octets(nonce), static_cast<int>(how),
                                 nullptr)
                  == 1
           && (aad.empty()
               || EVP_CipherUpdate(context, nullptr, &written, octets(aad),
                                   static_cast<int>(aad.size()))
                      == 1);
}

/// Both are stream ciphers: what goes in comes out at once.
bool turn(EVP_CIPHER_CTX* context, std::span<const std::byte> in, std::span<std::byte> out) noexcept
{
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<int>::max());
    int written = 0;
    if (in.size() != out.size() || in.size() > most)
        return false;
    return in.empty()
           || (EVP_CipherUpdate(context, octets(out), &written, octets(in),
                                static_cast<int>(in.size()))
                   == 1
               && static_cast<std::size_t>(written) == in.size());
}

bool end(EVP_CIPHER_CTX* context) noexcept
{
    std::array<unsigned char, 16> nothing{};
    int written = 0;
    return EVP_CipherFinal_ex(context, nothing.data(), &written) == 1 && written == 0;
}

void wipe_all(std::span<std::byte> bytes) noexcept
{
    if (!bytes.empty())
        OPENSSL_cleanse(bytes.data(), bytes.size());
}

} // namespace

bool aead_has(aead_cipher cipher) noexcept
{
    return find(cipher) != nullptr;
}

// --- one message --------------------------------------------------------------------------------

bool aead_seal(aead_cipher cipher, std::span<const std::byte> key, std::span<const std::byte> nonce,
               std::span<const std::byte> aad, std::span<const std::byte> plain,
               std::span<std::byte> sealed, std::span<std::byte, aead_tag_size> tag) noexcept
{
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    const bool good = start(context, way::seal, cipher, key, nonce, aad)
                      && turn(context, plain, sealed) && end(context)
                      && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG,
                                             static_cast<int>(tag.size()), tag.data())
                             == 1;
    EVP_CIPHER_CTX_free(context);
    if (!good)
        wipe_all(sealed);
    return good;
}

bool aead_open(aead_cipher cipher, std::span<const std::byte> key, std::span<const std::byte> nonce,
               std::span<const std::byte> aad, std::span<const std::byte> sealed, aead_tag tag,
               std::span<std::byte> plain) noexcept
{
    aead_opening opening(cipher, key, nonce, aad, tag);
    opening.update(sealed, plain);
    if (opening.finish())
        return true;
    wipe_all(plain);
    return false;
}

// --- piece by piece -----------------------------------------------------------------------------

void aead_opening::free_context::operator()(EVP_CIPHER_CTX* context) const noexcept
{
    EVP_CIPHER_CTX_free(context); // wipes what it knew of the key
}

aead_opening::aead_opening(aead_cipher cipher, std::span<const std::byte> key,
                           std::span<const std::byte> nonce, std::span<const std::byte> aad,
                           aead_tag tag) noexcept
    : context_(EVP_CIPHER_CTX_new())
{
    good_ = start(context_.get(), way::open, cipher, key, nonce, aad)
            // OpenSSL only copies it, whatever its type says.
            && EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG,
                                   static_cast<int>(tag.size()), const_cast<std::byte*>(tag.data()))
                   == 1;
}

void aead_opening::update(std::span<const std::byte> sealed, std::span<std::byte> plain) noexcept
{
    good_ = good_ && turn(context_.get(), sealed, plain);
}

bool aead_opening::finish() noexcept
{
    const bool held = good_ && end(context_.get());
    good_ = false; // a second finish() is not about this message
    return held;
}

} // namespace funcptr::detail
