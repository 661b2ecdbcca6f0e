// SPDX-License-Identifier: MIT
//
// cookie-signature, Express around it, and the package cookies with keygrip. From their index.js.
// They compare texts: nothing of a signature is ever lenient.
#include <funcptr/cookie_dialects.h>

#include <stdexcept>

#include "detail/cookie_grammar.h"
#include "detail/dialect_token.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

cookie_dialect cookie_signature_with(const dialect_traits& traits, const dialect_secrets& secrets,
                                     dialect_options options, const char* prefix)
{
    token_format token;
    token.prefix = prefix;
    token.mac_form = {.url = false};
    mac_keys keys(mac_hash::sha256);
    for (const auto& secret : secrets.all())
        keys.add(secret.bytes());
    return make_dialect<token_codec>(traits, std::move(options), secrets.any_short(),
                                     std::move(token), std::move(keys), mac_keys(mac_hash::sha1));
}

// --- two cookies --------------------------------------------------------------------------------

/// signature = HMAC(key, name "=" value)
class keygrip_codec final : public dialect_codec {
public:
    enum class body { raw, base64 };

    keygrip_codec(const char* dialect, const dialect_secrets& secrets, dialect_options options,
                  cookie_hash hash, bool hex, body carries)
        : dialect_codec({.dialect = dialect, .default_name = "session", .two_cookies = true},
                        std::move(options), secrets.any_short())
        , hex_(hex)
        , carries_(carries)
        , keys_(to_mac_hash(hash))
    {
        for (const auto& secret : secrets.all())
            keys_.add(secret.bytes(), name() + "=");
    }

    std::string signature_of(std::string_view value) const override
    {
        std::array<std::byte, longest_mac> room{};
        std::string text;
        const auto mac = keys_.make(value, room);
        if (hex_)
            append_hex(text, mac);
        else
            append_base64(text, mac, {});
        return text;
    }

private:
    static constexpr base64_form form{.url = false, .padded = true, .reader = base64_reader::node};

    cookie_status read_mac(std::string_view text, std::span<std::byte> mac) const noexcept
    {
        const auto expected = hex_ ? 2 * mac.size() : base64url_size(mac.size());
        if (text.size() != expected)
            return cookie_status::malformed;
        if (hex_)
            return to_status(decode_hex(text, mac));
        return to_status(decode_base64url(text, mac));
    }

    void open(std::string_view value, std::string_view signature,
              dialect_verdict& out) const override
    {
        std::array<std::byte, longest_mac> room{};
        const auto mac = std::span(room).first(keys_.size());
        out.status = read_mac(signature, mac);
        if (!out)
            return;
        if (!keys_.verify(value, mac, out.key_index))
            out.status = cookie_status::bad_signature;
        else if (carries_ == body::base64)
            out.status = to_status(decode_base64(value, out.data, form, lenient()));
        else
            out.data = value;
    }

    std::string make(std::string_view data, const issue_facts&) const override
    {
        std::string value;
        if (carries_ == body::base64) {
            append_base64(value, bytes_of(data), form);
            return value;
        }
        if (!std::all_of(data.begin(), data.end(), is_cookie_octet))
            throw std::invalid_argument("dialects::keygrip: the data are the cookie's value as "
                                        "they stand, and hold what may not stand in one");
        return value.append(data);
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        std::string data(value);
        if (carries_ == body::base64 && decode_base64(value, data, form, true) != decoded::ok)
            return;
        out.add("data", data);
        out.add("signed with", name() + "=");
    }

    bool hex_;
    body carries_;
    mac_keys keys_;
};

} // namespace

cookie_dialect cookie_signature(const dialect_secrets& secrets, dialect_options options)
{
    return cookie_signature_with({.dialect = "cookie_signature", .default_name = "session"},
                                 secrets, std::move(options), "");
}

cookie_dialect express(const dialect_secrets& secrets, dialect_options options)
{
    return cookie_signature_with(
        {.dialect = "express", .default_name = "connect.sid", .escape = escaping::uri_component},
        secrets, std::move(options), "s:");
}

cookie_dialect keygrip(const dialect_secrets& secrets, dialect_options options, cookie_hash hash,
                       bool hex)
{
    return make_dialect<keygrip_codec>("keygrip", secrets, std::move(options), hash, hex,
                                       keygrip_codec::body::raw);
}

cookie_dialect cookie_session(const dialect_secrets& secrets, dialect_options options,
                              cookie_hash hash)
{
    return make_dialect<keygrip_codec>("cookie_session", secrets, std::move(options), hash, false,
                                       keygrip_codec::body::base64);
}

} // namespace funcptr::dialects
