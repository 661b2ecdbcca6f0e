// SPDX-License-Identifier: MIT
#include "detail/dialect_json.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace funcptr::detail {

namespace {

constexpr bool is_space(char c) noexcept
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Of what is neither a string nor a container: numbers, true, false, null.
constexpr bool is_plain(char c) noexcept
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'
           || c == '+' || c == '.';
}

void append_utf8(std::string& out, std::uint32_t point)
{
    const auto put = [&](std::uint32_t value) { out += static_cast<char>(value); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xc0 | point >> 6);
        put(0x80 | (point & 63));
    } else if (point < 0x10000) {
        put(0xe0 | point >> 12);
        put(0x80 | (point >> 6 & 63));
        put(0x80 | (point & 63));
    } else {
        put(0xf0 | point >> 18);
        put(0x80 | (point >> 12 & 63));
        put(0x80 | (point >> 6 & 63));
        put(0x80 | (point & 63));
    }
}

/// Four hex digits at the front, which are taken.
std::optional<std::uint32_t> take_unit(std::string_view& text) noexcept
{
    if (text.size() < 4)
        return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : text.substr(0, 4)) {
        const auto digit = std::string_view("0123456789abcdefABCDEF").find(c);
        if (digit == std::string_view::npos)
            return std::nullopt;
        value = value << 4 | static_cast<std::uint32_t>(digit < 16 ? digit : digit - 6);
    }
    text.remove_prefix(4);
    return value;
}

/// What stands behind \u, with the second half of a pair.
bool take_escaped_point(std::string_view& text, std::string& out)
{
    const auto first = take_unit(text);
    if (!first)
        return false;
    if (*first < 0xd800 || *first > 0xdbff || !text.starts_with("\\u")) {
        append_utf8(out, *first);
        return true;
    }
    text.remove_prefix(2);
    const auto second = take_unit(text);
    if (!second || *second < 0xdc00 || *second > 0xdfff)
        return false;
    append_utf8(out, 0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00));
    return true;
}

} // namespace

void json_reader::skip_space() noexcept
{
    while (!rest_.empty() && is_space(rest_.front()))
        rest_.remove_prefix(1);
}

bool json_reader::take(char c) noexcept
{
    skip_space();
    if (!rest_.starts_with(c))
        return false;
    rest_.remove_prefix(1);
    return true;
}

bool json_reader::done() noexcept
{
    skip_space();
    return rest_.empty();
}

std::optional<std::string_view> json_reader::raw_string() noexcept
{
    if (!rest_.starts_with('"'))
        return std::nullopt;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
        if (rest_[i] == '\\')
            ++i;
        else if (rest_[i] == '"') {
            const auto whole = rest_.substr(0, i + 1);
            rest_.remove_prefix(i + 1);
            return whole;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> json_reader::value() noexcept
{
    skip_space();
    const auto start = rest_;
    std::size_t depth = 0;
    do {
        skip_space();
        if (rest_.empty())
            return std::nullopt;
        const char c = rest_.front();
        if (c == '"') {
            if (!raw_string())
                return std::nullopt;
        } else if (c == '{' || c == '[') {
            ++depth;
            rest_.remove_prefix(1);
        } else if (depth != 0 && (c == '}' || c == ']')) {
            --depth;
            rest_.remove_prefix(1);
        } else if (depth != 0 && (c == ',' || c == ':')) {
            rest_.remove_prefix(1);
        } else if (is_plain(c)) {
            const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_plain);
            rest_.remove_prefix(static_cast<std::size_t>(end - rest_.begin()));
        } else {
            return std::nullopt;
        }
    } while (depth != 0);
    return start.substr(0, start.size() - rest_.size());
}

std::optional<std::string> json_reader::string()
{
    skip_space();
    const auto raw = raw_string();
    return raw ? json_unquote(*raw) : std::nullopt;
}

bool is_json_value(std::string_view text) noexcept
{
    json_reader json(text);
    return json.value() == text && json.done();
}

std::optional<std::string> json_unquote(std::string_view literal)
{
    if (literal.size() < 2 || literal.front() != '"' || literal.back() != '"')
        return std::nullopt;
    auto rest = literal.substr(1, literal.size() - 2);
    std::string out;
    while (!rest.empty()) {
        const char c = rest.front();
        rest.remove_prefix(1);
        if (c != '\\') {
            out += c;
            continue;
        }
        if (rest.empty())
            return std::nullopt;
        const char escaped = rest.front();
        rest.remove_prefix(1);
        constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
        if (const auto at = names.find(escaped); at != names.npos)
            out += values[at];
        else if (escaped != 'u' || !take_escaped_point(rest, out))
            return std::nullopt;
    }
    return out;
}

void append_json_string(std::string& out, std::string_view text)
{
    constexpr std::string_view named = "\"\\\b\f\n\r\t", names = "\"\\bfnrt";
    out += '"';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto separator = text.substr(i, 3);
        char unit[8];
        if (const auto at = named.find(c); at != named.npos) {
            out += '\\';
            out += names[at];
        } else if ((c >= 0 && c < ' ') || c == '<' || c == '>' || c == '&') {
            std::snprintf(unit, sizeof unit, "\\u%04x", static_cast<unsigned>(c));
            out += unit;
        } else if (separator == "\u2028" || separator == "\u2029") {
            out += separator == "\u2028" ? "\\u2028" : "\\u2029";
            i += 2;
        } else {
            out += c;
        }
    }
    out += '"';
}

// --- dates --------------------------------------------------------------------------------------

namespace {

/// So many digits at the front, which are taken; -1 when there are not so many.
int take_digits(std::string_view& text, std::size_t count) noexcept
{
    int value = 0;
    if (text.size() < count)
        return -1;
    for (const char c : text.substr(0, count)) {
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take_char(std::string_view& text, char c) noexcept
{
    if (!text.starts_with(c))
        return false;
    text.remove_prefix(1);
    return true;
}

/// ".123", cut to milliseconds; 0 without one, -1 for a bad one.
int take_fraction(std::string_view& text) noexcept
{
    if (!take_char(text, '.'))
        return 0;
    int value = 0, digits = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits) {
        if (digits < 3)
            value = value * 10 + (text.front() - '0');
        text.remove_prefix(1);
    }
    for (int i = digits; i < 3; ++i)
        value *= 10;
    return digits == 0 ? -1 : value;
}

/// In seconds east; nothing else may follow.
std::optional<std::int64_t> take_zone(std::string_view text) noexcept
{
    if (text == "Z" || text == "z")
        return 0;
    const bool west = text.starts_with('-');
    if (!take_char(text, west ? '-' : '+'))
        return std::nullopt;
    const int hours = take_digits(text, 2);
    const bool colon = take_char(text, ':');
    const int minutes = take_digits(text, 2);
    if (!colon || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !text.empty())
        return std::nullopt;
    return (west ? -60 : 60) * (hours * 60 + minutes);
}

} // namespace

std::optional<std::int64_t> parse_iso8601_ms(std::string_view text) noexcept
{
    const int year = take_digits(text, 4);
    bool good = year >= 0 && take_char(text, '-');
    const int month = take_digits(text, 2);
    good = good && take_char(text, '-');
    const int day = take_digits(text, 2);
    good = good && (take_char(text, 'T') || take_char(text, 't'));
    const int hour = take_digits(text, 2);
    good = good && take_char(text, ':');
    const int minute = take_digits(text, 2);
    good = good && take_char(text, ':');
    const int second = take_digits(text, 2);
    const int fraction = take_fraction(text);
    const auto zone = take_zone(text);
    const std::chrono::year_month_day date(
        std::chrono::year(year), std::chrono::month(static_cast<unsigned>(std::max(month, 0))),
        std::chrono::day(static_cast<unsigned>(std::max(day, 0))));
    if (!good || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0
        || second > 60 || fraction < 0 || !zone)
        return std::nullopt;
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return (days * 86'400 + hour * 3600 + minute * 60 + second - *zone) * 1000 + fraction;
}

std::string iso8601_ms(std::int64_t milliseconds)
{
    const std::chrono::sys_time<std::chrono::milliseconds> time{
        std::chrono::milliseconds(milliseconds)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<std::chrono::milliseconds> clock(time - day);
    char text[64];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

} // namespace funcptr::detail
