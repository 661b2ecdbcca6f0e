// SPDX-License-Identifier: MIT
//
// prepared_pair.h: what a MAC costs at least with OpenSSL 3 and without deprecated calls:
// HMAC-SHA256 from two prepared EVP_MD_CTX, the inner and the outer one, each copied into a third
// for a message. It makes the MAC of a text and nothing else: no clock, no base64, no comparison.
//
// Threads: one. Lifetime: keeps three contexts of its own.
//
//     bench::prepared_pair pair(key);
//     pair.mac(covered);
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>

namespace bench {

class prepared_pair {
public:
    /// REQUIRES: key.size() <= 64.
    explicit prepared_pair(std::span<const std::byte> key)
    {
        start(inner_.get(), key, std::byte{0x36});
        start(outer_.get(), key, std::byte{0x5c});
    }

    const std::array<unsigned char, 32>& mac(std::string_view text)
    {
        check(EVP_MD_CTX_copy_ex(work_.get(), inner_.get()));
        check(EVP_DigestUpdate(work_.get(), text.data(), text.size()));
        check(EVP_DigestFinal_ex(work_.get(), mac_.data(), nullptr));
        check(EVP_MD_CTX_copy_ex(work_.get(), outer_.get()));
        check(EVP_DigestUpdate(work_.get(), mac_.data(), mac_.size()));
        check(EVP_DigestFinal_ex(work_.get(), mac_.data(), nullptr));
        return mac_;
    }

private:
    struct free_it {
        void operator()(EVP_MD_CTX* each) const { EVP_MD_CTX_free(each); }
    };
    using context = std::unique_ptr<EVP_MD_CTX, free_it>;

    static void check(int status)
    {
        if (status != 1)
            throw std::bad_alloc();
    }
    static void start(EVP_MD_CTX* with, std::span<const std::byte> key, std::byte pad)
    {
        std::array<std::byte, 64> block{};
        std::copy(key.begin(), key.end(), block.begin());
        for (auto& each : block)
            each ^= pad;
        check(EVP_DigestInit_ex2(with, EVP_sha256(), nullptr));
        check(EVP_DigestUpdate(with, block.data(), block.size()));
    }

    context inner_{EVP_MD_CTX_new()}, outer_{EVP_MD_CTX_new()}, work_{EVP_MD_CTX_new()};
    std::array<unsigned char, 32> mac_{};
};

} // namespace bench
