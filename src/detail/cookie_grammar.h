// SPDX-License-Identifier: MIT
//
// cookie_grammar.h: which octets may stand where in a cookie (RFC 6265bis, 4.1.1), and what begins
// how.
#pragma once

#include <algorithm>
#include <string_view>

namespace funcptr::detail {

/// RFC 9110, 5.6.2.
constexpr bool is_token_octet(char c) noexcept
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
constexpr bool is_token(std::string_view text) noexcept
{
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_octet);
}

/// 21, 23-2B, 2D-3A, 3C-5B, 5D-7E: no space, quote, comma, semicolon, backslash.
constexpr bool is_cookie_octet(char c) noexcept
{
    return c >= 0x21 && c <= 0x7e && c != '"' && c != ',' && c != ';' && c != '\\';
}

/// 20-3A, 3C-7E.
constexpr bool is_attribute_octet(char c) noexcept
{
    return c >= 0x20 && c <= 0x7e && c != ';';
}

/// A host name's: letters, digits, hyphen, dot, and the underscore that people use.
constexpr bool is_host_octet(char c) noexcept
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'
           || c == '.' || c == '_';
}

constexpr char ascii_lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr bool starts_with_any_case(std::string_view text, std::string_view prefix) noexcept
{
    return text.size() >= prefix.size()
           && std::equal(prefix.begin(), prefix.end(), text.begin(),
                         [](char a, char b) { return ascii_lower(a) == ascii_lower(b); });
}

} // namespace funcptr::detail
