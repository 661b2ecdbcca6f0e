// SPDX-License-Identifier: MIT
//
// Tornado's signed values. From its web.py:
//
//     version 2 = covered hex(HMAC-SHA256(secret, covered))
//     covered   = "2|" field(key version) field(time) field(name) field(base64(data))
//     field(x)  = length ":" x "|"
//     version 1 = base64(data) "|" time "|" hex(HMAC-SHA1(secret, name base64(data) time))
//
// Nothing tells version 1's parts from one another in what is signed: digits can be shifted from
// the end of the data to the front of the time, and from the name to the data.
#include <funcptr/cookie_dialects.h>

#include "detail/dialect_codec.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

constexpr base64_form form{.url = false, .padded = true, .reader = base64_reader::python};
constexpr std::string_view version_2 = "2|";
constexpr std::chrono::seconds month = std::chrono::hours(24 * 31);

bool any_short(const std::vector<tornado_key>& keys)
{
    return std::any_of(keys.begin(), keys.end(),
                       [](const auto& key) { return key.secret.is_short(); });
}

void append_field(std::string& out, std::string_view text)
{
    out.append(std::to_string(text.size())).append(":").append(text) += '|';
}

/// A field at the front, which is taken.
bool take_field(std::string_view& rest, std::string_view& field) noexcept
{
    const auto colon = rest.find(':');
    if (colon == rest.npos)
        return false;
    const auto size = parse_decimal(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
    if (!size || static_cast<std::size_t>(*size) >= rest.size()
        || rest[static_cast<std::size_t>(*size)] != '|')
        return false;
    field = rest.substr(0, static_cast<std::size_t>(*size));
    rest.remove_prefix(field.size() + 1);
    return true;
}

struct parts {
    std::string_view key, time, name, data, mac, covered;
};

bool split(std::string_view value, parts& out) noexcept
{
    if (!value.starts_with(version_2))
        return false;
    auto rest = value.substr(version_2.size());
    if (!take_field(rest, out.key) || !take_field(rest, out.time) || !take_field(rest, out.name)
        || !take_field(rest, out.data))
        return false;
    out.mac = rest;
    out.covered = value.substr(0, value.size() - rest.size());
    return true;
}

class tornado_codec final : public dialect_codec {
public:
    tornado_codec(std::vector<tornado_key> keys, dialect_options options)
        : dialect_codec({.dialect = "tornado", .default_name = nullptr, .max_age = month},
                        std::move(options), any_short(keys))
        , keys_(mac_hash::sha256)
    {
        if (keys.empty() || keys.size() > keyring::most)
            throw error(errc::bad_key, "dialects::tornado: there are no keys, or more than "
                                           + std::to_string(keyring::most));
        for (const auto& key : keys) {
            if (find(key.version) != versions_.size())
                throw error(errc::bad_key, "dialects::tornado: key version "
                                               + std::to_string(key.version) + " is there twice");
            versions_.push_back(key.version);
            keys_.add(key.secret.bytes());
        }
    }

private:
    std::size_t find(std::int64_t version) const noexcept
    {
        return static_cast<std::size_t>(std::find(versions_.begin(), versions_.end(), version)
                                        - versions_.begin());
    }

    cookie_status check_mac(const parts& cookie, std::size_t& key) const noexcept
    {
        const auto version = parse_decimal(cookie.key);
        std::array<std::byte, 32> mac{};
        if (!version || cookie.mac.size() != 2 * mac.size())
            return cookie_status::malformed;
        key = find(*version);
        // With one secret Tornado does not look at the version, with several it does.
        if (key == versions_.size() && versions_.size() == 1 && versions_[0] == 0 && lenient())
            key = 0;
        if (key == versions_.size())
            return cookie_status::unknown_key;
        if (cookie.name != name())
            return cookie_status::wrong_name;
        if (const auto how = decode_hex(cookie.mac, mac); how != decoded::ok)
            return to_status(how);
        return keys_.verify_by(key, cookie.covered, mac) ? cookie_status::ok
                                                         : cookie_status::bad_signature;
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        parts cookie;
        if (!split(value, cookie))
            return;
        out.status = check_mac(cookie, out.key_index);
        if (!out)
            return;
        const auto time = parse_decimal(cookie.time);
        if (!time) {
            out.status = cookie_status::malformed;
            return;
        }
        out.issued = from_seconds(*time);
        judge_age(out);
        if (out)
            out.status = to_status(decode_base64(cookie.data, out.data, form, lenient()));
    }

    std::string make(std::string_view data, const issue_facts&) const override
    {
        std::string text(version_2), encoded;
        append_field(text, std::to_string(versions_[0]));
        append_field(text, std::to_string(now_second()));
        append_field(text, name());
        append_base64(encoded, bytes_of(data), form);
        append_field(text, encoded);
        std::array<std::byte, longest_mac> room{};
        append_hex(text, keys_.make(text, room));
        return text;
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        parts cookie;
        std::string data;
        if (!split(value, cookie) || decode_base64(cookie.data, data, form, true) != decoded::ok)
            return;
        out.add("version", "2");
        out.add("key version", cookie.key);
        if (const auto time = parse_decimal(cookie.time))
            out.add_time("issued", *time);
        out.add("name", cookie.name);
        out.add("data", data);
        out.add("mac", cookie.mac);
    }

    std::vector<std::uint32_t> versions_;
    mac_keys keys_;
};

// --- version 1 ----------------------------------------------------------------------------------

class tornado_v1_codec final : public dialect_codec {
public:
    tornado_v1_codec(const dialect_secrets& secrets, dialect_options options)
        : dialect_codec({.dialect = "tornado_v1_unsafe",
                         .default_name = nullptr,
                         .max_age = month,
                         .issues = false},
                        std::move(options), secrets.any_short())
        , keys_(mac_hash::sha1)
    {
        for (const auto& secret : secrets.all())
            keys_.add(secret.bytes(), name());
    }

private:
    struct old_parts {
        std::string_view data, time, mac;
    };
    static bool split_old(std::string_view value, old_parts& out) noexcept
    {
        const auto first = value.find('|');
        const auto second = first == value.npos ? first : value.find('|', first + 1);
        if (second == value.npos || value.find('|', second + 1) != value.npos)
            return false;
        out = {value.substr(0, first), value.substr(first + 1, second - first - 1),
               value.substr(second + 1)};
        return true;
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        old_parts cookie;
        std::array<std::byte, 20> mac{};
        if (!split_old(value, cookie) || cookie.mac.size() != 2 * mac.size())
            return;
        out.status = to_status(decode_hex(cookie.mac, mac));
        if (!out)
            return;
        scratch room; // base64 and time, without what stands between them
        const auto end = std::copy(cookie.data.begin(), cookie.data.end(),
                                   reinterpret_cast<char*>(room.bytes.data()));
        std::copy(cookie.time.begin(), cookie.time.end(), end);
        const auto size = cookie.data.size() + cookie.time.size();
        if (keys_.verify(text_of(byte_span(room.bytes).first(size)), mac, out.key_index))
            read(cookie, out);
        else
            out.status = cookie_status::bad_signature;
    }

    /// Tornado's own guards against digits that were shifted: no leading zero, and nothing from
    /// further than 31 days ahead. That of ours is stricter, but for a skew of 0.
    void read(const old_parts& cookie, dialect_verdict& out) const
    {
        const auto time = parse_decimal(cookie.time);
        if (!time || cookie.time.starts_with('0')) {
            out.status = cookie_status::malformed;
            return;
        }
        out.issued = from_seconds(*time);
        judge_age(out);
        if (out && out.issued - now() > month)
            out.status = cookie_status::not_yet_valid;
        if (out)
            out.status = to_status(decode_base64(cookie.data, out.data, form, lenient()));
        if (out)
            out.advice = "digits may have been shifted from the time to the data";
    }

    std::string make(std::string_view, const issue_facts&) const override { return {}; }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        old_parts cookie;
        std::string data;
        if (!split_old(value, cookie)
            || decode_base64(cookie.data, data, form, true) != decoded::ok)
            return;
        const auto time = parse_decimal(cookie.time);
        if (!time)
            return;
        out.add("version", "1");
        out.add("data", data);
        out.add_time("issued", *time);
        out.add("mac", cookie.mac);
    }

    mac_keys keys_;
};

} // namespace

cookie_dialect tornado(std::vector<tornado_key> keys, dialect_options options)
{
    return make_dialect<tornado_codec>(std::move(keys), std::move(options));
}

cookie_dialect tornado_v1_unsafe(const dialect_secrets& secrets, dialect_options options)
{
    return make_dialect<tornado_v1_codec>(secrets, std::move(options));
}

} // namespace funcptr::dialects
