// SPDX-License-Identifier: MIT
//
// ActiveSupport's MessageVerifier and MessageEncryptor, the cookies that Rails makes with them, and
// Rack 2's session, which looks like the former. From message_verifier.rb and message_encryptor.rb
// of 6.1 and 7.1, action_dispatch/middleware/cookies.rb, rack/session/cookie.rb:
//
//     verified  = base64(message) "--" hex(HMAC(secret, base64(message)))
//     encrypted = base64(AES-256-GCM(key, iv, message)) "--" base64(iv) "--" base64(tag)
#include <funcptr/cookie_dialects.h>

#include <stdexcept>

#include "detail/aead.h"
#include "detail/dialect_rails.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

constexpr std::string_view dashes = "--";
constexpr base64_form standard{.url = false, .padded = true};
constexpr base64_form url_form{.reader = base64_reader::ruby_url};
constexpr base64_form rack_form{.url = false, .padded = true, .reader = base64_reader::ruby_loose};

rails_rules rules_of(const rails_format& format)
{
    return {format.purpose, false, format.unsafe_marshal, format.wrap};
}

// --- signed -------------------------------------------------------------------------------------

struct verifier_format {
    base64_form form = standard;
    bool enveloped = true;
    bool trailing_junk = false;
    rails_rules rules = {};
};

class verifier_codec final : public dialect_codec {
public:
    verifier_codec(const dialect_traits& traits, dialect_options options, bool short_secret,
                   verifier_format format, mac_keys keys)
        : dialect_codec(traits, std::move(options), short_secret)
        , format_(std::move(format))
        , keys_(std::move(keys))
    {
        format_.rules.purpose_optional = format_.rules.purpose_optional && lenient();
    }

private:
    /// From the right, by the MAC's size: base64url may hold dashes, too.
    bool split(std::string_view value, std::string_view& body, std::string_view& hex) const noexcept
    {
        const auto size = 2 * keys_.size();
        if (format_.trailing_junk && lenient()) {
            const auto first = value.find(dashes);
            const auto second =
                first == value.npos ? first : value.find(dashes, first + dashes.size());
            value = value.substr(0, second);
        }
        if (value.size() <= size + dashes.size())
            return false;
        const auto at = value.size() - size - dashes.size();
        body = value.substr(0, at);
        hex = value.substr(at + dashes.size());
        return value.substr(at, dashes.size()) == dashes;
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        std::string_view body, hex;
        std::array<std::byte, longest_mac> room{};
        const auto mac = std::span(room).first(keys_.size());
        if (!split(value, body, hex))
            return;
        out.status = to_status(decode_hex(hex, mac));
        if (!out)
            return;
        if (!keys_.verify(body, mac, out.key_index)) {
            out.status = cookie_status::bad_signature;
            return;
        }
        std::string message;
        out.status = to_status(decode_base64(body, message, format_.form, lenient()));
        if (!out)
            return;
        if (format_.enveloped)
            unwrap_rails(message, format_.rules, now(), out);
        else if (is_marshal(message) && !format_.rules.unsafe_marshal)
            out.status = cookie_status::malformed;
        else
            out.data = std::move(message);
    }

    std::string make(std::string_view data, const issue_facts& facts) const override
    {
        std::string text, message(data);
        if (format_.enveloped) {
            std::optional<time_point> expires;
            if (facts.lifetime)
                expires = end_of(*facts.lifetime);
            message = wrap_rails(data, format_.rules, expires);
        } else if (is_marshal(data) && !format_.rules.unsafe_marshal) {
            throw std::invalid_argument("dialects::" + dialect()
                                        + ": the data begin as Ruby's Marshal's do, which is "
                                          "unsafe_marshal's");
        }
        append_base64(text, bytes_of(message), format_.form);
        if (text.empty())
            throw std::invalid_argument("dialects::" + dialect() + ": there are no data");
        std::array<std::byte, longest_mac> room{};
        const auto mac = keys_.make(text, room);
        append_hex(text.append(dashes), mac);
        return text;
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        std::string_view body, hex;
        std::string message;
        std::array<std::byte, longest_mac> room{};
        if (!split(value, body, hex)
            || decode_hex(hex, std::span(room).first(keys_.size())) != decoded::ok
            || decode_base64(body, message, format_.form, true) != decoded::ok)
            return;
        if (format_.enveloped)
            lay_open_rails(message, out);
        else
            out.add("data", message);
        out.add("mac", hex);
    }

    verifier_format format_;
    mac_keys keys_;
};

// --- encrypted ----------------------------------------------------------------------------------

constexpr std::size_t gcm_key_size = 32;

class encryptor_codec final : public dialect_codec {
public:
    encryptor_codec(const dialect_traits& traits, dialect_options options, bool short_secret,
                    verifier_format format, std::vector<secret_bytes> keys)
        : dialect_codec(traits, std::move(options), short_secret)
        , format_(std::move(format))
        , keys_(std::move(keys))
    {
        format_.rules.purpose_optional = format_.rules.purpose_optional && lenient();
    }

private:
    struct parts {
        std::string_view sealed;
        std::array<std::byte, 12> iv;
        std::array<std::byte, 18> tag; // 16 of them, and room for the last group of base64
    };

    /// What stands behind the last dashes, which is of this many bytes, into out. It is cut off.
    decoded take_last(std::string_view& value, std::size_t bytes, std::span<std::byte> out) const
    {
        const auto size = base64_size(bytes, format_.form);
        if (value.size() < size + dashes.size())
            return decoded::malformed;
        const auto at = value.size() - size - dashes.size();
        if (value.substr(at, dashes.size()) != dashes)
            return decoded::malformed;
        std::size_t decoded_size = 0;
        const auto how =
            decode_base64(value.substr(at + dashes.size()), out, decoded_size, format_.form, false);
        value = value.substr(0, at);
        return how == decoded::ok && decoded_size != bytes ? decoded::malformed : how;
    }

    /// The value without what Rails before 7.1 passes over.
    std::string_view without_junk(std::string_view value) const noexcept
    {
        if (!format_.trailing_junk || !lenient())
            return value;
        std::size_t at = 0;
        for (int i = 0; i < 3; ++i) {
            at = value.find(dashes, at);
            if (at == value.npos)
                return value;
            at += dashes.size();
        }
        scratch junk;
        std::size_t size = 0;
        return decode_base64(value.substr(at), junk.bytes, size, format_.form, false) == decoded::ok
                   ? value.substr(0, at - dashes.size())
                   : value;
    }

    decoded split(std::string_view value, parts& out) const
    {
        value = without_junk(value);
        auto how = take_last(value, aead_tag_size, out.tag);
        if (how == decoded::ok)
            how = take_last(value, aead_nonce_size, out.iv);
        out.sealed = value;
        return how;
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        parts cookie;
        scratch sealed_room, plain_room;
        std::size_t size = 0;
        auto how = split(value, cookie);
        if (how == decoded::ok)
            how = decode_base64(cookie.sealed, sealed_room.bytes, size, format_.form, lenient());
        out.status = to_status(how);
        if (!out)
            return;
        const auto sealed = byte_span(sealed_room.bytes).first(size);
        const auto plain = std::span(plain_room.bytes).first(size);
        for (std::size_t i = 0; i < keys_.size(); ++i) {
            if (!aead_open(aead_cipher::aes_256_gcm, keys_[i], cookie.iv, {}, sealed,
                           byte_span(cookie.tag).first<aead_tag_size>(), plain))
                continue;
            out.key_index = i;
            unwrap_rails(text_of(plain), format_.rules, now(), out);
            return;
        }
        out.status = cookie_status::bad_signature;
    }

    std::string make(std::string_view data, const issue_facts& facts) const override
    {
        std::optional<time_point> expires;
        if (facts.lifetime)
            expires = end_of(*facts.lifetime);
        const auto message = wrap_rails(data, format_.rules, expires);
        std::string sealed(message.size(), '\0'), text;
        std::array<std::byte, aead_nonce_size> iv{};
        std::array<std::byte, aead_tag_size> tag{};
        fill_randomly(iv);
        if (!aead_seal(aead_cipher::aes_256_gcm, keys_.front(), iv, {}, bytes_of(message),
                       std::as_writable_bytes(std::span(sealed)), tag))
            throw std::bad_alloc();
        append_base64(text, bytes_of(sealed), format_.form);
        append_base64(text.append(dashes), iv, format_.form);
        append_base64(text.append(dashes), tag, format_.form);
        return text;
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        parts cookie;
        std::string sealed;
        if (split(value, cookie) != decoded::ok
            || decode_base64(cookie.sealed, sealed, format_.form, true) != decoded::ok)
            return;
        out.add_bytes("encrypted", bytes_of(sealed));
        out.add_bytes("iv", cookie.iv);
        out.add_bytes("tag", byte_span(cookie.tag).first(aead_tag_size));
    }

    verifier_format format_;
    std::vector<secret_bytes> keys_;
};

// --- cookies ------------------------------------------------------------------------------------

constexpr int rounds = 1000;

dialect_traits cookie_traits(const char* dialect)
{
    return {.dialect = dialect,
            .default_name = nullptr,
            .escape = escaping::form,
            .has_lifetime = true};
}

/// Rails takes cookies of before it had purposes; so do we when lenient.
verifier_format cookie_format(const std::string& name, const rails_cookie_format& format)
{
    return {
        .rules = {"cookie." + name, true, format.unsafe_marshal, rails_format::envelope::message}};
}

} // namespace

cookie_dialect rails_verifier(const dialect_secrets& secrets, rails_format format,
                              dialect_options options)
{
    mac_keys keys(to_mac_hash(format.hash));
    for (const auto& secret : secrets.all())
        keys.add(secret.bytes());
    return make_dialect<verifier_codec>(
        dialect_traits{
            .dialect = "rails_verifier", .default_name = "session", .has_lifetime = true},
        std::move(options), secrets.any_short(),
        verifier_format{.form = format.url_safe ? url_form : standard,
                        .trailing_junk = format.trailing_junk,
                        .rules = rules_of(format)},
        std::move(keys));
}

cookie_dialect rails_encryptor(const dialect_secrets& keys, rails_format format,
                               dialect_options options)
{
    std::vector<secret_bytes> all;
    for (const auto& key : keys.all()) {
        if (key.bytes().size() != gcm_key_size)
            throw error(errc::bad_key, "dialects::rails_encryptor: a key has 32 bytes, and not "
                                           + std::to_string(key.bytes().size()));
        all.push_back(join({key.bytes()}));
    }
    return make_dialect<encryptor_codec>(
        dialect_traits{
            .dialect = "rails_encryptor", .default_name = "session", .has_lifetime = true},
        std::move(options), false,
        verifier_format{.form = format.url_safe ? url_form : standard,
                        .trailing_junk = format.trailing_junk,
                        .rules = rules_of(format)},
        std::move(all));
}

cookie_dialect rails_signed_cookie(const dialect_secrets& secret_key_bases, dialect_options options,
                                   rails_cookie_format format)
{
    mac_keys keys(to_mac_hash(format.hash));
    for (const auto& base : secret_key_bases.all())
        keys.add(pbkdf2(to_mac_hash(format.key_hash), base.bytes(), "signed cookie", rounds, 64));
    auto rules = cookie_format(options.name, format);
    return make_dialect<verifier_codec>(cookie_traits("rails_signed_cookie"), std::move(options),
                                        secret_key_bases.any_short(), std::move(rules),
                                        std::move(keys));
}

cookie_dialect rails_encrypted_cookie(const dialect_secrets& secret_key_bases,
                                      dialect_options options, rails_cookie_format format)
{
    std::vector<secret_bytes> keys;
    for (const auto& base : secret_key_bases.all())
        keys.push_back(pbkdf2(to_mac_hash(format.key_hash), base.bytes(),
                              "authenticated encrypted cookie", rounds, gcm_key_size));
    auto rules = cookie_format(options.name, format);
    return make_dialect<encryptor_codec>(cookie_traits("rails_encrypted_cookie"),
                                         std::move(options), secret_key_bases.any_short(),
                                         std::move(rules), std::move(keys));
}

cookie_dialect rack_legacy_sha1(const dialect_secrets& secrets, dialect_options options,
                                rack_legacy_format format)
{
    mac_keys keys(to_mac_hash(format.hash));
    for (const auto& secret : secrets.all())
        keys.add(secret.bytes());
    verifier_format how{.form = rack_form, .enveloped = false};
    how.rules.unsafe_marshal = format.unsafe_marshal;
    return make_dialect<verifier_codec>(
        dialect_traits{.dialect = "rack_legacy_sha1",
                       .default_name = "rack.session",
                       .escape = format.escaped ? escaping::form : escaping::none},
        std::move(options), secrets.any_short(), std::move(how), std::move(keys));
}

} // namespace funcptr::dialects
