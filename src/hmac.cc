// SPDX-License-Identifier: MIT
#include "detail/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <new>

namespace funcptr::detail {

namespace {

constexpr std::size_t block_size = 64; // SHA-256's

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

void prepared_hmac::free_digest::operator()(EVP_MD_CTX* digest) const noexcept
{
    EVP_MD_CTX_free(digest);
}

prepared_hmac::prepared_hmac(std::span<const std::byte> key, std::string_view prefix)
    : inner_(EVP_MD_CTX_new())
    , outer_(EVP_MD_CTX_new())
{
    std::array<std::byte, block_size> block{};
    bool good = inner_ && outer_;
    if (key.size() <= block_size)
        std::copy(key.begin(), key.end(), block.begin());
    else
        good = good
               && EVP_Digest(key.data(), key.size(), reinterpret_cast<unsigned char*>(block.data()),
                             nullptr, EVP_sha256(), nullptr)
                      == 1;
    for (auto& byte : block)
        byte ^= std::byte{0x36};
    good = good && EVP_DigestInit_ex2(inner_.get(), EVP_sha256(), nullptr) == 1
           && EVP_DigestUpdate(inner_.get(), block.data(), block.size()) == 1
           && EVP_DigestUpdate(inner_.get(), prefix.data(), prefix.size()) == 1;
    for (auto& byte : block)
        byte ^= std::byte{0x36 ^ 0x5c};
    good = good && EVP_DigestInit_ex2(outer_.get(), EVP_sha256(), nullptr) == 1
           && EVP_DigestUpdate(outer_.get(), block.data(), block.size()) == 1;
    wipe(block);
    if (!good)
        throw std::bad_alloc();
}

bool prepared_hmac::compute(std::string_view text, mac_sha256& mac) const noexcept
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

bool equal_in_constant_time(const mac_sha256& a, const mac_sha256& b) noexcept
{
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::span<std::byte> bytes) noexcept
{
    OPENSSL_cleanse(bytes.data(), bytes.size());
}

} // namespace funcptr::detail
