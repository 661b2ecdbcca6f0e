// SPDX-License-Identifier: MIT
//
// itsdangerous, and what Flask and Starlette make of it. From its encoding.py, signer.py, timed.py
// and url_safe.py, Flask's sessions.py and Starlette's middleware/sessions.py.
#include <funcptr/cookie_dialects.h>

#include <stdexcept>

#include "detail/dialect_token.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;
using form = itsdangerous_format::form;
using derivation = itsdangerous_format::derivation;

constexpr std::string_view separators_refused =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=";

constexpr base64_form url{.reader = base64_reader::python};

secret_bytes derive(byte_span secret, const itsdangerous_format& format)
{
    const auto hash = to_mac_hash(format.hash);
    const auto salt = bytes_of(format.salt);
    switch (format.key) {
    case derivation::django_concat:
        return digest(hash, {salt, bytes_of("signer"), secret});
    case derivation::concat:
        return digest(hash, {salt, secret});
    case derivation::hmac:
        return hmac_key(hash, secret, salt);
    case derivation::none:
        break;
    }
    return join({secret});
}

mac_keys derive_all(const dialect_secrets& secrets, const itsdangerous_format& format)
{
    mac_keys keys(to_mac_hash(format.hash));
    for (const auto& secret : secrets.all())
        keys.add(derive(secret.bytes(), format));
    return keys;
}

dialect_traits traits_of(const char* dialect, std::chrono::seconds max_age)
{
    return {.dialect = dialect,
            .default_name = "session",
            .max_age = max_age,
            .whole_seconds = true,
            .refuses_future = true};
}

cookie_dialect make(const dialect_traits& traits, const dialect_secrets& secrets,
                    const itsdangerous_format& format, token_format token, dialect_options options)
{
    token.separator = format.separator;
    token.body_form.reader = base64_reader::python;
    token.mac_form = url;
    return make_dialect<token_codec>(traits, std::move(options), secrets.any_short(),
                                     std::move(token), derive_all(secrets, format),
                                     mac_keys(mac_hash::sha1));
}

} // namespace

cookie_dialect itsdangerous(const dialect_secrets& secrets, itsdangerous_format format,
                            dialect_options options)
{
    if (format.separator.empty()
        || separators_refused.find(format.separator) != separators_refused.npos)
        throw std::invalid_argument(
            "dialects::itsdangerous: the separator is empty or of the alphabet of base64");
    const bool timed = format.how == form::timestamp || format.how == form::url_safe_timed;
    const bool url_safe = format.how == form::url_safe || format.how == form::url_safe_timed;
    token_format token;
    token.time = timed ? token_format::stamp::base64 : token_format::stamp::none;
    token.carries = url_safe ? token_format::body::base64_zlib : token_format::body::raw;
    token.compresses = url_safe;
    return make(traits_of("itsdangerous", {}), secrets, format, token, std::move(options));
}

cookie_dialect flask(const dialect_secrets& secrets, dialect_options options)
{
    const itsdangerous_format format{.salt = "cookie-session", .key = derivation::hmac};
    token_format token;
    token.time = token_format::stamp::base64;
    token.carries = token_format::body::base64_zlib;
    token.compresses = true;
    return make(traits_of("flask", std::chrono::hours(24 * 31)), secrets, format, token,
                std::move(options));
}

cookie_dialect starlette(const dialect_secrets& secrets, dialect_options options)
{
    const itsdangerous_format format{.salt = "itsdangerous.Signer"};
    token_format token;
    token.time = token_format::stamp::base64;
    token.carries = token_format::body::base64;
    token.body_form = {.url = false, .padded = true};
    return make(traits_of("starlette", std::chrono::hours(24 * 14)), secrets, format, token,
                std::move(options));
}

} // namespace funcptr::dialects
