// SPDX-License-Identifier: MIT
//
// base64.h: base64url without padding (RFC 4648, 5), strictly canonical: one text for each value.
//
// A lenient decoder takes several texts for the same bytes (padding, line breaks, unused bits that
// are set): then the last character of a signature can be changed and it still holds.
//
// Nothing here allocates but append_base64url(). The tables are read at places that depend on the
// data: it is for what a cookie shows anyway, and for reading keys once at the start. Where the
// processor has the instructions for it, all but the last group is done by sixteen characters at
// once (src/base64.cc).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace funcptr::detail {

constexpr std::string_view base64url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The length of the text for so many bytes.
constexpr std::size_t base64url_size(std::size_t bytes) noexcept
{
    return bytes / 3 * 4 + (bytes % 3 == 0 ? 0 : bytes % 3 + 1);
}
/// The bytes in a text of this length; no canonical text has a length of 4n + 1.
constexpr std::size_t base64url_bytes(std::size_t characters) noexcept
{
    return characters / 4 * 3 + (characters % 4 == 0 ? 0 : characters % 4 - 1);
}

/// What decoding says of a text: its own bytes, never from this alphabet, or the bytes of another
/// text (padding, the alphabet of plain base64, unused bits that are set).
enum class decoded : std::uint8_t { ok, malformed, non_canonical };

/// The value of each character; 0x80: none.
constexpr std::array<std::uint8_t, 256> make_base64url_values() noexcept
{
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values)
        value = 0x80;
    for (std::size_t i = 0; i < base64url_alphabet.size(); ++i)
        values[static_cast<std::uint8_t>(base64url_alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}
inline constexpr auto base64url_values = make_base64url_values();

constexpr bool is_base64url(char c) noexcept
{
    return base64url_values[static_cast<std::uint8_t>(c)] < 64;
}

/// Encodes from the front on as much as is fast, which may be nothing. Returns how many bytes that
/// were, whole groups of three. REQUIRES: out has room for base64url_size(bytes.size()) and does
/// not overlap the bytes.
std::size_t encode_base64url_blocks(std::span<const std::byte> bytes, char* out) noexcept;
/// The same for decoding: returns how many characters, whole groups of four. What is strange is
/// left. REQUIRES: out.size() >= base64url_bytes(text.size()), and does not overlap the text.
std::size_t decode_base64url_blocks(std::string_view text, std::span<std::byte> out) noexcept;

/// REQUIRES: out has room for base64url_size(bytes.size()) and does not overlap the bytes.
inline void encode_base64url(std::span<const std::byte> bytes, char* out) noexcept
{
    if (bytes.size() >= 24) {
        const auto done = encode_base64url_blocks(bytes, out);
        bytes = bytes.subspan(done);
        out += done / 3 * 4;
    }
    const char* const letters = base64url_alphabet.data();
    const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
    const std::size_t whole = bytes.size() - bytes.size() % 3;
    for (std::size_t i = 0; i < whole; i += 3, out += 4) {
        const std::uint32_t bits = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        out[0] = letters[bits >> 18];
        out[1] = letters[bits >> 12 & 63];
        out[2] = letters[bits >> 6 & 63];
        out[3] = letters[bits & 63];
    }
    if (bytes.size() == whole)
        return;
    const bool two = bytes.size() - whole == 2;
    const std::uint32_t bits = at(whole) << 16 | (two ? at(whole + 1) << 8 : 0);
    out[0] = letters[bits >> 18];
    out[1] = letters[bits >> 12 & 63];
    if (two)
        out[2] = letters[bits >> 6 & 63];
}

inline void append_base64url(std::string& out, std::span<const std::byte> bytes)
{
    const auto start = out.size();
    out.resize(start + base64url_size(bytes.size()));
    encode_base64url(bytes, out.data() + start);
}

/// Fills out completely; what is in it after a failure means nothing.
/// REQUIRES: out.size() == base64url_bytes(text.size()), and it does not overlap the text.
inline decoded decode_base64url(std::string_view text, std::span<std::byte> out) noexcept
{
    if (text.size() % 4 == 1)
        return decoded::malformed;
    if (text.size() >= 32) {
        const auto done = decode_base64url_blocks(text, out);
        text.remove_prefix(done);
        out = out.subspan(done / 4 * 3);
    }
    const auto at = [&](std::size_t i) -> std::uint32_t {
        return base64url_values[static_cast<std::uint8_t>(text[i])];
    };
    std::uint32_t strange = 0; // has bit 7 when a character was not of the alphabet
    std::byte* to = out.data();
    const std::size_t whole = text.size() - text.size() % 4;
    for (std::size_t i = 0; i < whole; i += 4, to += 3) {
        const std::uint32_t a = at(i), b = at(i + 1), c = at(i + 2), d = at(i + 3);
        strange |= a | b | c | d;
        const std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
        to[0] = static_cast<std::byte>(bits >> 16);
        to[1] = static_cast<std::byte>(bits >> 8);
        to[2] = static_cast<std::byte>(bits);
    }
    std::uint32_t unused = 0; // the bits of the last character that stand for nothing
    if (text.size() != whole) {
        const bool three = text.size() - whole == 3;
        const std::uint32_t a = at(whole), b = at(whole + 1), c = three ? at(whole + 2) : 0;
        strange |= a | b | c;
        const std::uint32_t bits = a << 18 | b << 12 | c << 6;
        to[0] = static_cast<std::byte>(bits >> 16);
        if (three)
            to[1] = static_cast<std::byte>(bits >> 8);
        unused = three ? bits >> 6 & 3 : bits >> 12 & 15;
    }
    if ((strange & 0x80) == 0)
        return unused == 0 ? decoded::ok : decoded::non_canonical;
    for (const char c : text)
        if (!is_base64url(c) && c != '=' && c != '+' && c != '/')
            return decoded::malformed;
    return decoded::non_canonical;
}

} // namespace funcptr::detail
