// SPDX-License-Identifier: MIT
//
// dialect_cipher.h: AES without authentication, for the formats that authenticate by a MAC of their
// own. REQUIRES of every caller: the MAC has held before anything is decrypted. What authenticates
// by itself is aead.h's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace funcptr::detail {

enum class block_mode : std::uint8_t {
    cbc, ///< padded as PKCS #7
    ctr,
};

/// key: of 16, 24 or 32 bytes. iv: of 16. Throws std::bad_alloc when OpenSSL fails.
std::string aes_encrypt(block_mode mode, std::span<const std::byte> key,
                        std::span<const std::byte> iv, std::span<const std::byte> plain);
/// False when it is not what aes_encrypt() made. Throws std::bad_alloc.
[[nodiscard]] bool aes_decrypt(block_mode mode, std::span<const std::byte> key,
                               std::span<const std::byte> iv, std::span<const std::byte> sealed,
                               std::string& plain);

} // namespace funcptr::detail
