// SPDX-License-Identifier: MIT
//
// dialect_base64.h: base64 as the peers write it, and as each of them reads it.
//
// Strict: the one text that the peer writes for these bytes. Lenient: what its own decoder takes
// besides, rule for rule (the functions are named in dialect_base64.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base64.h"

namespace funcptr::detail {

enum class base64_reader : std::uint8_t {
    exact,      ///< nothing but what is written
    python,     ///< base64.b64decode: what is not of the alphabet is passed over
    go,         ///< encoding/base64: line ends, and unused bits
    node,       ///< Buffer.from(…, "base64"): nearly everything
    ruby_url,   ///< urlsafe_decode64: both alphabets, with padding or without
    ruby_loose, ///< unpack("m"): what is not of the alphabet is passed over
};

struct base64_form {
    bool url = true;     ///< - and _ instead of + and /
    bool padded = false; ///< with = to a multiple of four
    base64_reader reader = base64_reader::exact;
};

std::size_t base64_size(std::size_t bytes, const base64_form& form) noexcept;
void append_base64(std::string& out, std::span<const std::byte> bytes, const base64_form& form);

/// What out must have room for.
constexpr std::size_t base64_room(std::size_t characters) noexcept
{
    return (characters + 3) / 4 * 3;
}
/// Decodes into the beginning of out, of which `size` says how much. Allocates nothing.
/// REQUIRES: out.size() >= base64_room(text.size()).
decoded decode_base64(std::string_view text, std::span<std::byte> out, std::size_t& size,
                      const base64_form& form, bool lenient) noexcept;
/// Into a string.
decoded decode_base64(std::string_view text, std::string& out, const base64_form& form,
                      bool lenient);

} // namespace funcptr::detail
