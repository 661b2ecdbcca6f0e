// SPDX-License-Identifier: MIT
//
// hmac.h: HMAC-SHA256 (RFC 2104) from two prepared digests, which is the fastest way that OpenSSL 3
// has without deprecated calls: the key's two blocks and a prefix are hashed once, and each MAC
// starts from a copy of that state.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include <openssl/types.h>

namespace funcptr::detail {

using mac_sha256 = std::array<std::byte, 32>;

/// One key with one prefix. compute() is const and may be called from several threads at once: a
/// prepared digest is only copied from, into a work digest that each thread has for itself.
class prepared_hmac {
public:
    /// The MAC will be over prefix + text. Throws std::bad_alloc.
    prepared_hmac(std::span<const std::byte> key, std::string_view prefix);

    /// False when OpenSSL has no memory left: the caller must then fail closed.
    [[nodiscard]] bool compute(std::string_view text, mac_sha256& mac) const noexcept;

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

/// In a time that does not depend on where they differ.
bool equal_in_constant_time(const mac_sha256& a, const mac_sha256& b) noexcept;

/// Overwrites them, in a way that the compiler does not leave out.
void wipe(std::span<std::byte> bytes) noexcept;

} // namespace funcptr::detail
