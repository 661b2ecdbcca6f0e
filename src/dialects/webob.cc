// SPDX-License-Identifier: MIT
//
// WebOb's SignedSerializer, and Pyramid's sessions in it:
//
//     cookie  = base64url( HMAC(salt secret, content) content )
//     content = the data | "[" accessed ", " created ", " dictionary "]"
//
// From webob/cookies.py and pyramid/session.py.
#include <funcptr/cookie_dialects.h>

#include <charconv>
#include <cmath>
#include <stdexcept>

#include "detail/dialect_codec.h"
#include "detail/dialect_json.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

constexpr base64_form form{.reader = base64_reader::python};

class webob_codec : public dialect_codec {
public:
    webob_codec(const dialect_traits& traits, const dialect_secrets& secrets, std::string_view salt,
                dialect_options options, cookie_hash hash)
        : dialect_codec(traits, std::move(options), secrets.any_short())
        , keys_(to_mac_hash(hash))
    {
        for (const auto& secret : secrets.all())
            keys_.add(join({bytes_of(salt), secret.bytes()}));
    }

protected:
    /// The content, in room, of a cookie that is long enough.
    std::optional<std::string_view> take_apart(std::string_view value, scratch& room,
                                               dialect_verdict& out) const
    {
        std::size_t size = 0;
        out.status = to_status(decode_base64(value, room.bytes, size, form, lenient()));
        if (!out)
            return std::nullopt;
        if (size < keys_.size()) {
            out.status = cookie_status::malformed;
            return std::nullopt;
        }
        return text_of(byte_span(room.bytes).first(size).subspan(keys_.size()));
    }
    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        scratch room;
        const auto content = take_apart(value, room, out);
        if (!content)
            return;
        if (keys_.verify(*content, byte_span(room.bytes).first(keys_.size()), out.key_index))
            read(*content, out);
        else
            out.status = cookie_status::bad_signature;
    }
    std::string make(std::string_view data, const issue_facts& facts) const override
    {
        const auto content = write(data, facts);
        std::array<std::byte, longest_mac> room{};
        std::string bytes(text_of(keys_.make(content, room)));
        bytes += content;
        std::string text;
        append_base64(text, bytes_of(bytes), form);
        return text;
    }
    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        scratch room;
        dialect_verdict unused;
        const auto content = take_apart(value, room, unused);
        if (!content)
            return;
        lay_open_content(*content, out);
        if (!out.all.empty())
            out.add_bytes("mac", byte_span(room.bytes).first(keys_.size()));
    }

    /// The status and the data of a genuine content.
    virtual void read(std::string_view content, dialect_verdict& out) const { out.data = content; }
    virtual std::string write(std::string_view data, const issue_facts&) const
    {
        return std::string(data);
    }
    virtual void lay_open_content(std::string_view content, cookie_fields& out) const
    {
        out.add("data", content);
    }

private:
    mac_keys keys_;
};

// --- Pyramid ------------------------------------------------------------------------------------

struct pyramid_content {
    time_point accessed, created;
    std::string_view data;
};

std::optional<time_point> parse_time(std::string_view text) noexcept
{
    double seconds = 0;
    if (text.starts_with('"') && text.ends_with('"') && text.size() > 2)
        text = text.substr(1, text.size() - 2); // float("1700000000") is one, too
    const auto* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, seconds);
    if (parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(seconds))
        return std::nullopt;
    // Apart, since a double cannot count so many nanoseconds.
    const auto whole = std::floor(std::clamp(seconds, 0.0, static_cast<double>(last_second)));
    const auto part = std::clamp(seconds - whole, 0.0, 1.0);
    return from_seconds(static_cast<std::int64_t>(whole))
           + std::chrono::nanoseconds(static_cast<std::int64_t>(part * 1e9));
}

std::optional<pyramid_content> parse(std::string_view text) noexcept
{
    json_reader json(text);
    if (!json.take('['))
        return std::nullopt;
    const auto accessed = json.value();
    const bool second = json.take(',');
    const auto created = json.value();
    const bool third = json.take(',');
    const auto data = json.value();
    if (!accessed || !second || !created || !third || !data || !json.take(']') || !json.done())
        return std::nullopt;
    const auto at = parse_time(*accessed), since = parse_time(*created);
    if (!at || !since)
        return std::nullopt;
    return pyramid_content{*at, *since, *data};
}

/// As Python's repr(): the shortest that reads back as the same, and never like an integer.
std::string python_float(time_point time)
{
    time = std::max(time, time_point()); // nothing began before 1970
    const auto whole = to_seconds(time);
    const std::chrono::duration<double> part = time - from_seconds(whole);
    char text[64];
    const auto made =
        std::to_chars(text, text + sizeof text, static_cast<double>(whole) + part.count(),
                      std::chars_format::fixed);
    std::string out(text, made.ptr);
    return out.find('.') == out.npos ? out + ".0" : out;
}

class pyramid_codec final : public webob_codec {
public:
    using webob_codec::webob_codec;

private:
    void read(std::string_view content, dialect_verdict& out) const override
    {
        const auto parsed = parse(content);
        if (!parsed) {
            out.status = cookie_status::malformed;
            return;
        }
        out.issued = parsed->accessed;
        judge_age(out);
        out.created = parsed->created;
        if (out)
            out.data = parsed->data;
    }
    std::string write(std::string_view data, const issue_facts& facts) const override
    {
        if (!is_json_value(data))
            throw std::invalid_argument("dialects::pyramid: the data are not JSON");
        return "[" + std::to_string(now_second()) + ", "
               + python_float(facts.created.value_or(now())) + ", " + std::string(data) + "]";
    }
    void lay_open_content(std::string_view content, cookie_fields& out) const override
    {
        const auto parsed = parse(content);
        if (!parsed)
            return;
        out.add_time("accessed", to_seconds(parsed->accessed));
        out.add_time("created", to_seconds(parsed->created));
        out.add("data", parsed->data);
    }
};

} // namespace

std::string webob_bytes(std::string_view utf8)
{
    std::string latin1;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto c = static_cast<unsigned char>(utf8[i]);
        if (c < 0x80) {
            latin1 += utf8[i];
            continue;
        }
        const bool two = (c == 0xc2 || c == 0xc3) && i + 1 < utf8.size()
                         && (static_cast<unsigned char>(utf8[i + 1]) & 0xc0) == 0x80;
        if (!two)
            return std::string(utf8);
        ++i;
        latin1 += static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(utf8[i]) & 0x3f));
    }
    return latin1;
}

cookie_dialect webob(const dialect_secrets& secrets, const std::string& salt,
                     dialect_options options, cookie_hash hash)
{
    return make_dialect<webob_codec>(dialect_traits{.dialect = "webob", .default_name = "session"},
                                     secrets, salt, std::move(options), hash);
}

cookie_dialect pyramid(const dialect_secrets& secrets, dialect_options options,
                       const std::string& salt, cookie_hash hash)
{
    return make_dialect<pyramid_codec>(dialect_traits{.dialect = "pyramid",
                                                      .default_name = "session",
                                                      .max_age = std::chrono::seconds(1200),
                                                      .longest_value = 4064,
                                                      .has_created = true},
                                       secrets, salt, std::move(options), hash);
}

} // namespace funcptr::dialects
