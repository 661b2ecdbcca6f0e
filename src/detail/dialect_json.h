// SPDX-License-Identifier: MIT
//
// dialect_json.h: as much JSON (RFC 8259) as an envelope needs: where a value begins and ends, and
// what a string says. It walks over values without recursion and keeps nothing of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace funcptr::detail {

class json_reader {
public:
    explicit json_reader(std::string_view text) noexcept
        : rest_(text)
    {
    }
    /// The next character that is not white space, if it is c, and takes it.
    bool take(char c) noexcept;
    /// A whole value as it stands, without the white space around it. Its insides are only looked
    /// at as far as its end needs.
    std::optional<std::string_view> value() noexcept;
    /// A string's content. Throws std::bad_alloc.
    std::optional<std::string> string();
    /// Nothing but white space is left.
    bool done() noexcept;

private:
    void skip_space() noexcept;
    std::optional<std::string_view> raw_string() noexcept;
    std::string_view rest_;
};

/// Whether it is one value, and nothing else, as far as json_reader looks.
bool is_json_value(std::string_view text) noexcept;
/// What a string literal stands for; nothing when it is not one.
std::optional<std::string> json_unquote(std::string_view literal);
/// As ActiveSupport writes it: <, >, &, U+2028 and U+2029 as \uXXXX, too.
void append_json_string(std::string& out, std::string_view text);

/// "2023-11-14T23:13:20.000Z", with any fraction or none, and offsets, in milliseconds.
std::optional<std::int64_t> parse_iso8601_ms(std::string_view text) noexcept;
std::string iso8601_ms(std::int64_t milliseconds);

} // namespace funcptr::detail
