// SPDX-License-Identifier: MIT
//
// The small texts that dialects are made of: hex, escapes, numbers, times, fields.
#include "detail/dialect_codec.h"

#include <ctime>

namespace funcptr::detail {

namespace {

constexpr std::string_view small_digits = "0123456789abcdef";
constexpr std::string_view large_digits = "0123456789ABCDEF";

constexpr bool is_alphanumeric(char c) noexcept
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// What escape() leaves as it is.
constexpr bool is_plain(char c, escaping how) noexcept
{
    const std::string_view others = how == escaping::form ? "*-._" : "-_.!~*'()";
    return is_alphanumeric(c) || others.find(c) != others.npos;
}

/// 16: not a digit.
constexpr unsigned hex_value(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return static_cast<unsigned>(c - 'A' + 10);
    return 16;
}

void append_escape(std::string& out, char c, std::string_view start, std::string_view digits)
{
    const auto value = static_cast<unsigned char>(c);
    out.append(start) += digits[value >> 4];
    out += digits[value & 15];
}

} // namespace

// --- hex ----------------------------------------------------------------------------------------

void append_hex(std::string& out, byte_span bytes)
{
    for (const auto byte : bytes)
        append_escape(out, static_cast<char>(byte), {}, small_digits);
}

decoded decode_hex(std::string_view hex, std::span<std::byte> out) noexcept
{
    unsigned strange = 0, large = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const char a = hex[2 * i], b = hex[2 * i + 1];
        const auto high = hex_value(a), low = hex_value(b);
        strange |= high | low;
        large |= (a >= 'A' && a <= 'F') || (b >= 'A' && b <= 'F');
        out[i] = static_cast<std::byte>((high << 4 | low) & 255);
    }
    if ((strange & 16) != 0)
        return decoded::malformed;
    return large != 0 ? decoded::non_canonical : decoded::ok;
}

// --- escapes ------------------------------------------------------------------------------------

std::string escape(std::string_view text, escaping how)
{
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    for (const char c : text) {
        if (is_plain(c, how))
            out += c;
        else if (c == ' ' && how == escaping::form)
            out += '+';
        else
            append_escape(out, c, "%", large_digits);
    }
    return out;
}

decoded unescape(std::string_view text, std::span<std::byte> out, std::size_t& size,
                 escaping how) noexcept
{
    auto shape = decoded::ok;
    size = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (text.size() - i < 3)
                return decoded::malformed;
            const auto high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if ((high | low) > 15)
                return decoded::malformed;
            c = static_cast<char>(high << 4 | low);
            const bool small = text[i + 1] >= 'a' || text[i + 2] >= 'a';
            if (small || is_plain(c, how) || (c == ' ' && how == escaping::form))
                shape = decoded::non_canonical;
            i += 2;
        } else if (c == '+' && how == escaping::form) {
            c = ' ';
        } else if (!is_plain(c, how)) {
            shape = decoded::non_canonical;
        }
        out[size++] = static_cast<std::byte>(c);
    }
    return shape;
}

// --- numbers and times --------------------------------------------------------------------------

std::optional<std::int64_t> parse_decimal(std::string_view text) noexcept
{
    if (text.empty() || text.size() > 18 || (text.size() > 1 && text.front() == '0'))
        return std::nullopt;
    std::int64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

time_point from_seconds(std::int64_t seconds) noexcept
{
    return time_point(std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, last_second)));
}

// --- fields -------------------------------------------------------------------------------------

void cookie_fields::add(const char* name, std::string_view text)
{
    std::string printable;
    for (const char c : text) {
        if (c >= ' ' && c <= '~')
            printable += c;
        else
            append_escape(printable, c, "\\x", small_digits);
    }
    all.push_back({name, std::move(printable)});
}

void cookie_fields::add_bytes(const char* name, byte_span bytes)
{
    std::string hex;
    append_hex(hex, bytes);
    all.push_back({name, std::move(hex)});
}

void cookie_fields::add_time(const char* name, std::int64_t seconds)
{
    auto text = std::to_string(seconds);
    const std::time_t time = seconds;
    std::tm parts{};
    char date[64];
    if (seconds >= 0 && seconds <= last_second && ::gmtime_r(&time, &parts) != nullptr
        && std::strftime(date, sizeof date, " (%Y-%m-%d %H:%M:%S UTC)", &parts) != 0)
        text += date;
    all.push_back({name, std::move(text)});
}

} // namespace funcptr::detail
