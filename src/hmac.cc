// SPDX-License-Identifier: MIT
#include "detail/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace funcptr::detail {

namespace {

constexpr std::size_t longest_block = 128; // SHA-512's

constexpr std::size_t block_size(mac_hash hash) noexcept
{
    return hash == mac_hash::sha384 || hash == mac_hash::sha512 ? 128 : 64;
}

/// This thread's work digest: making one for each MAC would cost as much as a short MAC.
EVP_MD_CTX* work_digest() noexcept
{
    struct owned {
        EVP_MD_CTX* digest = nullptr;
        ~owned() { EVP_MD_CTX_free(digest); }
    };
    static thread_local owned mine;
    if (mine.digest == nullptr) // the first time, or memory was short before
        mine.digest = EVP_MD_CTX_new();
    return mine.digest;
}

} // namespace

const EVP_MD* digest_of(mac_hash hash) noexcept
{
    switch (hash) {
    case mac_hash::sha1:
        return EVP_sha1();
    case mac_hash::sha256:
        return EVP_sha256();
    case mac_hash::sha384:
        return EVP_sha384();
    case mac_hash::sha512:
        break;
    }
    return EVP_sha512();
}

void prepared_hmac::free_digest::operator()(EVP_MD_CTX* digest) const noexcept
{
    EVP_MD_CTX_free(digest);
}

prepared_hmac::prepared_hmac(std::span<const std::byte> key, std::string_view prefix, mac_hash hash)
    : inner_(EVP_MD_CTX_new())
    , outer_(EVP_MD_CTX_new())
{
    std::array<std::byte, longest_block> room{};
    const auto block = std::span(room).first(block_size(hash));
    const EVP_MD* const kind = digest_of(hash);
    bool good = inner_ && outer_;
    if (key.size() <= block.size())
        std::copy(key.begin(), key.end(), block.begin());
    else
        good = good
               && EVP_Digest(key.data(), key.size(), reinterpret_cast<unsigned char*>(block.data()),
                             nullptr, kind, nullptr)
                      == 1;
    for (auto& byte : block)
        byte ^= std::byte{0x36};
    good = good && EVP_DigestInit_ex2(inner_.get(), kind, nullptr) == 1
           && EVP_DigestUpdate(inner_.get(), block.data(), block.size()) == 1
           && EVP_DigestUpdate(inner_.get(), prefix.data(), prefix.size()) == 1;
    for (auto& byte : block)
        byte ^= std::byte{0x36 ^ 0x5c};
    good = good && EVP_DigestInit_ex2(outer_.get(), kind, nullptr) == 1
           && EVP_DigestUpdate(outer_.get(), block.data(), block.size()) == 1;
    wipe(block);
    if (!good)
        throw std::bad_alloc();
}

bool prepared_hmac::compute(std::string_view text, std::span<std::byte> mac) const noexcept
{
    EVP_MD_CTX* const work = work_digest();
    auto* const out = reinterpret_cast<unsigned char*>(mac.data());
    return work != nullptr && EVP_MD_CTX_copy_ex(work, inner_.get()) == 1
           && EVP_DigestUpdate(work, text.data(), text.size()) == 1
           && EVP_DigestFinal_ex(work, out, nullptr) == 1
           && EVP_MD_CTX_copy_ex(work, outer_.get()) == 1
           && EVP_DigestUpdate(work, mac.data(), mac.size()) == 1
           && EVP_DigestFinal_ex(work, out, nullptr) == 1;
}

mac_sha256 hmac(std::span<const std::byte> key, std::string_view text)
{
    mac_sha256 mac{};
    if (!prepared_hmac(key, {}).compute(text, mac))
        throw std::bad_alloc();
    return mac;
}

namespace {

prepared_hmac extract(std::span<const std::byte> secret, std::span<const std::byte> salt,
                      std::string_view label)
{
    auto key = hmac(salt, {reinterpret_cast<const char*>(secret.data()), secret.size()});
    prepared_hmac made(key, label);
    wipe(key);
    return made;
}

} // namespace

hkdf_sha256::hkdf_sha256(std::span<const std::byte> secret, std::span<const std::byte> salt,
                         std::string_view label)
    : prepared_(extract(secret, salt, label))
{
}

bool hkdf_sha256::expand(std::span<const std::byte> info, mac_sha256& key) const noexcept
{
    std::array<char, longest_info + 1> text{};
    if (info.size() > longest_info)
        return false;
    std::copy_n(reinterpret_cast<const char*>(info.data()), info.size(), text.data());
    text[info.size()] = '\x01'; // the number of the block
    return prepared_.compute({text.data(), info.size() + 1}, key);
}

bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) noexcept
{
    // CRYPTO_memcmp goes byte by byte, which is a twentieth of a short cookie's whole price.
    using word = std::uint64_t;
    if (a.size() != b.size())
        return false;
    const auto whole = a.size() - a.size() % sizeof(word);
    word different = 0;
    for (std::size_t i = 0; i < whole; i += sizeof(word)) {
        word x = 0, y = 0;
        std::memcpy(&x, a.data() + i, sizeof x);
        std::memcpy(&y, b.data() + i, sizeof y);
        different |= x ^ y;
        asm volatile("" : "+r"(different)); // the compiler may not know that it could end here
    }
    for (std::size_t i = whole; i < a.size(); ++i) {
        different |= std::to_integer<word>(a[i] ^ b[i]);
        asm volatile("" : "+r"(different));
    }
    return different == 0;
}

void wipe(std::span<std::byte> bytes) noexcept
{
    OPENSSL_cleanse(bytes.data(), bytes.size());
}

} // namespace funcptr::detail
