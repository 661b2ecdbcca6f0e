// SPDX-License-Identifier: MIT
//
// All strict decoding and all encoding is base64.h's: the other alphabet is that one with two
// characters exchanged.
#include "detail/dialect_base64.h"

#include <algorithm>
#include <array>

namespace funcptr::detail {

namespace {

constexpr std::uint8_t none = 64;

constexpr char exchange(char c) noexcept
{
    switch (c) {
    case '+':
        return '-';
    case '/':
        return '_';
    case '-':
        return '+';
    case '_':
        return '/';
    default:
        return c;
    }
}

/// The same by a table: a MAC's text is exchanged for each cookie.
constexpr std::array<char, 256> make_exchanged() noexcept
{
    std::array<char, 256> all{};
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = exchange(static_cast<char>(i));
    return all;
}
constexpr auto exchanged = make_exchanged();

std::uint8_t value_of(char c, bool url, bool both) noexcept
{
    if (both ? c == '+' || c == '/' : !url)
        c = exchange(c);
    const auto at = is_base64url(c) ? base64url_alphabet.find(c) : base64url_alphabet.npos;
    return at == base64url_alphabet.npos ? none : static_cast<std::uint8_t>(at);
}

// --- strict -------------------------------------------------------------------------------------

/// Without padding.
decoded decode_whole(std::string_view text, std::span<std::byte> out, bool url) noexcept
{
    if (url)
        return decode_base64url(text, out.first(base64url_bytes(text.size())));
    std::array<char, 512> piece; // zeros would cost their time
    while (!text.empty()) {
        const auto size = std::min(text.size(), piece.size());
        for (std::size_t i = 0; i < size; ++i)
            piece[i] = exchanged[static_cast<unsigned char>(text[i])];
        const auto bytes = base64url_bytes(size);
        if (const auto how = decode_base64url({piece.data(), size}, out.first(bytes));
            how != decoded::ok)
            return how;
        text.remove_prefix(size);
        out = out.subspan(bytes);
    }
    return decoded::ok;
}

decoded decode_strictly(std::string_view text, std::span<std::byte> out, std::size_t& size,
                        const base64_form& form) noexcept
{
    auto shape = decoded::ok;
    if (form.padded) {
        if (text.size() % 4 != 0)
            shape = decoded::non_canonical; // if it is base64 at all
        else
            for (int i = 0; i < 2 && text.ends_with('='); ++i)
                text.remove_suffix(1);
    }
    if (text.size() % 4 == 1)
        return decoded::malformed;
    size = base64url_bytes(text.size());
    const auto how = decode_whole(text, out, form.url);
    return how == decoded::ok ? shape : how;
}

// --- lenient ------------------------------------------------------------------------------------

/// Puts six bits after six bits.
class sextets {
public:
    explicit sextets(std::span<std::byte> out) noexcept
        : out_(out)
    {
    }
    void put(std::uint8_t value) noexcept
    {
        bits_ = bits_ << 6 | value;
        if (++count_ % 4 == 1)
            return;
        const auto spare = 6 - 2 * ((count_ + 3) % 4); // 4, 2, 0 bits are left
        out_[size_++] = static_cast<std::byte>(bits_ >> spare);
        bits_ &= (1U << spare) - 1;
    }
    std::size_t beyond() const noexcept { return count_ % 4; } ///< characters of the last group
    std::uint32_t unused() const noexcept { return beyond() == 0 ? 0 : bits_; }
    std::size_t size() const noexcept { return size_; }

private:
    std::span<std::byte> out_;
    std::size_t size_ = 0, count_ = 0;
    std::uint32_t bits_ = 0;
};

/// binascii.a2b_base64() of CPython 3.11, not strict. Where the format has no padding its reader
/// appends what the text's length seems to lack.
decoded decode_as_python(std::string_view text, std::span<std::byte> out, std::size_t& size,
                         const base64_form& form) noexcept
{
    sextets bytes(out);
    std::size_t pads = 0;
    const auto appended = form.padded ? 0 : (4 - text.size() % 4) % 4;
    for (std::size_t i = 0; i < text.size() + appended; ++i) {
        const char c = i < text.size() ? text[i] : '=';
        if (c == '=') {
            if (bytes.beyond() >= 2 && bytes.beyond() + ++pads >= 4) {
                size = bytes.size();
                return decoded::ok;
            }
            continue;
        }
        const auto value = value_of(c, form.url, form.url); // "url safe" takes both alphabets
        if (value == none)
            continue;
        pads = 0;
        bytes.put(value);
    }
    size = bytes.size();
    return bytes.beyond() == 0 ? decoded::ok : decoded::malformed;
}

struct laxity {
    bool both_alphabets, passes_over_all, passes_over_line_ends, padding_optional, unused_bits;
};

constexpr laxity laxity_of(base64_reader reader) noexcept
{
    switch (reader) {
    case base64_reader::go:
        return {false, false, true, false, true};
    case base64_reader::node:
        return {true, true, true, true, true};
    case base64_reader::ruby_url:
        return {true, false, false, true, false};
    case base64_reader::ruby_loose:
        return {false, true, true, true, true};
    case base64_reader::exact:
    case base64_reader::python:
        break;
    }
    return {false, false, false, false, false};
}

decoded decode_loosely(std::string_view text, std::span<std::byte> out, std::size_t& size,
                       const base64_form& form) noexcept
{
    const auto lax = laxity_of(form.reader);
    sextets bytes(out);
    std::size_t pads = 0;
    for (const char c : text) {
        const auto value = value_of(c, form.url, lax.both_alphabets);
        const bool passed_over =
            lax.passes_over_all || (lax.passes_over_line_ends && (c == '\r' || c == '\n'));
        if (c == '=')
            ++pads;
        else if (value == none && !passed_over)
            return decoded::malformed;
        else if (value != none && pads != 0 && !lax.passes_over_all)
            return decoded::malformed;
        else if (value != none && pads == 0)
            bytes.put(value);
    }
    size = bytes.size();
    const auto lacking = (4 - bytes.beyond()) % 4;
    if (bytes.beyond() == 1 && !lax.passes_over_all)
        return decoded::malformed;
    if (!lax.padding_optional && pads != lacking)
        return decoded::malformed;
    if (!lax.passes_over_all && pads != 0 && pads != lacking)
        return decoded::malformed;
    return bytes.unused() == 0 || lax.unused_bits ? decoded::ok : decoded::non_canonical;
}

} // namespace

std::size_t base64_size(std::size_t bytes, const base64_form& form) noexcept
{
    return form.padded ? (bytes + 2) / 3 * 4 : base64url_size(bytes);
}

void append_base64(std::string& out, std::span<const std::byte> bytes, const base64_form& form)
{
    const auto start = out.size();
    append_base64url(out, bytes);
    if (!form.url)
        std::transform(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
                       out.begin() + static_cast<std::ptrdiff_t>(start), exchange);
    out.resize(start + base64_size(bytes.size(), form), '=');
}

decoded decode_base64(std::string_view text, std::span<std::byte> out, std::size_t& size,
                      const base64_form& form, bool lenient) noexcept
{
    const auto strictly = decode_strictly(text, out, size, form);
    if (strictly == decoded::ok || !lenient || form.reader == base64_reader::exact)
        return strictly;
    return form.reader == base64_reader::python ? decode_as_python(text, out, size, form)
                                                : decode_loosely(text, out, size, form);
}

decoded decode_base64(std::string_view text, std::string& out, const base64_form& form,
                      bool lenient)
{
    out.resize(base64_room(text.size()));
    std::size_t size = 0;
    const auto how =
        decode_base64(text, std::as_writable_bytes(std::span(out)), size, form, lenient);
    out.resize(how == decoded::ok ? size : 0);
    return how;
}

} // namespace funcptr::detail
