// SPDX-License-Identifier: MIT
#include "detail/dialect_token.h"

#include <cstring>

namespace funcptr::detail {

namespace {

constexpr std::string_view base62_digits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
// A lenient reader passes over what is strange; so much of that for a MAC is enough.
constexpr std::size_t longest_mac_text = 256;
constexpr std::size_t longest_time_text = 32;

std::optional<std::int64_t> read_base62(std::string_view text, bool lenient) noexcept
{
    if (text.empty() || text.size() > 10 || (!lenient && text.size() > 1 && text.front() == '0'))
        return std::nullopt;
    std::int64_t value = 0;
    for (const char c : text) {
        const auto digit = base62_digits.find(c);
        if (digit == base62_digits.npos)
            return std::nullopt;
        value = value * 62 + static_cast<std::int64_t>(digit);
    }
    return value;
}

std::string write_base62(std::int64_t value)
{
    std::string text;
    do
        text.insert(text.begin(), base62_digits[static_cast<std::size_t>(value % 62)]);
    while ((value /= 62) != 0);
    return text;
}

std::optional<std::int64_t> read_big_endian(std::string_view text, bool lenient) noexcept
{
    std::array<std::byte, base64_room(longest_time_text)> bytes{};
    std::size_t size = 0;
    const base64_form form{.reader = base64_reader::python};
    if (text.size() > longest_time_text
        || decode_base64(text, bytes, size, form, lenient) != decoded::ok || size > 8
        || (size != 0 && bytes[0] == std::byte{0} && !lenient))
        return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    if (value > 253'402'300'799) // Python has no date beyond the year 9999
        return std::nullopt;
    return static_cast<std::int64_t>(value);
}

std::string write_big_endian(std::int64_t value)
{
    std::array<std::byte, 8> bytes{};
    std::size_t first = bytes.size();
    for (; value != 0; value >>= 8)
        bytes[--first] = static_cast<std::byte>(value);
    std::string text;
    append_base64(text, std::span(bytes).subspan(first), {});
    return text;
}

} // namespace

token_codec::token_codec(const dialect_traits& traits, dialect_options options, bool short_secret,
                         token_format format, mac_keys keys, mac_keys legacy)
    : dialect_codec(traits, std::move(options), short_secret)
    , format_(std::move(format))
    , keys_(std::move(keys))
    , legacy_(std::move(legacy))
{
}

/// Where the last separator begins. Nearly all are one character, which is found much faster.
std::size_t token_codec::last_separator(std::string_view text) const noexcept
{
    if (format_.separator.size() != 1)
        return text.rfind(format_.separator);
#ifdef __GLIBC__
    const void* const found = ::memrchr(text.data(), format_.separator.front(), text.size());
    return found == nullptr
               ? text.npos
               : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
#else
    return text.rfind(format_.separator.front());
#endif
}

bool token_codec::split(std::string_view value, parts& out) const noexcept
{
    if (!value.starts_with(format_.prefix))
        return false;
    value.remove_prefix(format_.prefix.size());
    const auto before_mac = last_separator(value);
    if (before_mac == value.npos)
        return false;
    out.covered = out.body = value.substr(0, before_mac);
    out.mac = value.substr(before_mac + format_.separator.size());
    if (format_.time == token_format::stamp::none)
        return true;
    const auto before_time = last_separator(out.covered);
    if (before_time == value.npos)
        return false;
    out.body = out.covered.substr(0, before_time);
    out.time = out.covered.substr(before_time + format_.separator.size());
    return true;
}

// --- verify -------------------------------------------------------------------------------------

cookie_status token_codec::check_mac(const parts& cookie, std::size_t& key) const noexcept
{
    std::array<std::byte, base64_room(longest_mac_text)> bytes; // zeros would cost their time
    std::size_t size = 0;
    if (cookie.mac.size() > longest_mac_text)
        return cookie_status::malformed;
    const auto how = decode_base64(cookie.mac, bytes, size, format_.mac_form, lenient());
    if (how != decoded::ok)
        return to_status(how);
    const auto mac = byte_span(bytes).first(size);
    if (size == keys_.size())
        return keys_.verify(cookie.covered, mac, key) ? cookie_status::ok
                                                      : cookie_status::bad_signature;
    if (size == legacy_.size() && legacy_.count() != 0)
        return legacy_.verify(cookie.covered, mac, key) ? cookie_status::ok
                                                        : cookie_status::bad_signature;
    return cookie_status::malformed;
}

std::optional<std::int64_t> token_codec::read_time(std::string_view text) const noexcept
{
    return format_.time == token_format::stamp::base62 ? read_base62(text, lenient())
                                                       : read_big_endian(text, lenient());
}

cookie_status token_codec::read_body(std::string_view text, std::string& data) const
{
    if (format_.carries == token_format::body::raw) {
        data = text;
        return cookie_status::ok;
    }
    const bool compressed =
        format_.carries == token_format::body::base64_zlib && text.starts_with('.');
    if (!compressed)
        return to_status(decode_base64(text, data, format_.body_form, lenient()));
    std::string packed;
    const auto how = decode_base64(text.substr(1), packed, format_.body_form, lenient());
    return how == decoded::ok ? inflate(bytes_of(packed), data, options().max_inflated)
                              : to_status(how);
}

void token_codec::open(std::string_view value, std::string_view, dialect_verdict& out) const
{
    parts cookie;
    if (!split(value, cookie))
        return;
    out.status = check_mac(cookie, out.key_index);
    if (!out)
        return;
    if (format_.time != token_format::stamp::none) {
        const auto issued = read_time(cookie.time);
        if (!issued) {
            out.status = cookie_status::malformed;
            return;
        }
        out.issued = from_seconds(*issued);
        judge_age(out);
    }
    if (out)
        out.status = read_body(cookie.body, out.data);
}

// --- sign ---------------------------------------------------------------------------------------

std::string token_codec::write_time() const
{
    return format_.time == token_format::stamp::base62 ? write_base62(now_second())
                                                       : write_big_endian(now_second());
}

std::string token_codec::write_body(std::string_view data) const
{
    std::string body;
    if (format_.carries == token_format::body::raw)
        return body.append(data);
    std::string packed;
    if (format_.compresses)
        packed = deflate(data);
    if (format_.compresses && packed.size() + 1 < data.size()) {
        body = ".";
        data = packed;
    }
    append_base64(body, bytes_of(data), format_.body_form);
    return body;
}

std::string token_codec::make(std::string_view data, const issue_facts&) const
{
    auto text = write_body(data);
    if (format_.time != token_format::stamp::none)
        text.append(format_.separator).append(write_time());
    std::array<std::byte, longest_mac> room{};
    const auto mac = keys_.make(text, room);
    text.append(format_.separator);
    append_base64(text, mac, format_.mac_form);
    return format_.prefix + text;
}

void token_codec::lay_open(std::string_view value, cookie_fields& out) const
{
    parts cookie;
    if (!split(value, cookie))
        return;
    const auto time = format_.time == token_format::stamp::none ? std::optional<std::int64_t>()
                                                                : read_time(cookie.time);
    if (format_.time != token_format::stamp::none && !time)
        return;
    std::string data;
    if (read_body(cookie.body, data) != cookie_status::ok)
        return;
    if (!format_.prefix.empty())
        out.add("prefix", format_.prefix);
    if (format_.carries == token_format::body::base64_zlib)
        out.add("compressed", cookie.body.starts_with('.') ? "yes" : "no");
    out.add("data", data);
    if (time)
        out.add_time("issued", *time);
    out.add("mac", cookie.mac);
}

} // namespace funcptr::detail
