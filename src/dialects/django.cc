// SPDX-License-Identifier: MIT
//
// django.core.signing, the sessions of signed_cookies, and set_signed_cookie(). From
// core/signing.py, contrib/sessions/backends/signed_cookies.py and http/response.py of Django 3.2
// and 4.
#include <funcptr/cookie_dialects.h>

#include "detail/dialect_token.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;
using form = django_format::form;

/// prefix: stands before each secret.
mac_keys derive_all(const dialect_secrets& secrets, mac_hash hash, std::string_view prefix,
                    std::string_view salt)
{
    mac_keys keys(hash);
    for (const auto& secret : secrets.all())
        keys.add(
            digest(hash, {bytes_of(salt), bytes_of("signer"), bytes_of(prefix), secret.bytes()}));
    return keys;
}

struct signer {
    std::string_view prefix, salt;
    bool legacy_sha1;
};

cookie_dialect make(const dialect_traits& traits, const dialect_secrets& secrets,
                    const signer& with, form how, dialect_options options)
{
    token_format token;
    token.separator = ":";
    if (how != form::signer)
        token.time = token_format::stamp::base62;
    if (how == form::dumps || how == form::compressed)
        token.carries = token_format::body::base64_zlib;
    token.compresses = how == form::compressed;
    token.body_form.reader = base64_reader::python;
    mac_keys legacy(mac_hash::sha1);
    if (with.legacy_sha1)
        legacy = derive_all(secrets, mac_hash::sha1, with.prefix, with.salt);
    return make_dialect<token_codec>(traits, std::move(options), secrets.any_short(), token,
                                     derive_all(secrets, mac_hash::sha256, with.prefix, with.salt),
                                     std::move(legacy));
}

} // namespace

cookie_dialect django(const dialect_secrets& secrets, django_format format, dialect_options options)
{
    return make({.dialect = "django", .default_name = "session"}, secrets,
                {{}, format.salt, format.legacy_sha1}, format.how, std::move(options));
}

cookie_dialect django_session(const dialect_secrets& secrets, dialect_options options,
                              bool legacy_sha1)
{
    return make({.dialect = "django_session",
                 .default_name = "sessionid",
                 .max_age = std::chrono::hours(24 * 14)},
                secrets, {{}, "django.contrib.sessions.backends.signed_cookies", legacy_sha1},
                form::compressed, std::move(options));
}

cookie_dialect django_signed_cookie(const dialect_secrets& secrets, dialect_options options,
                                    const std::string& salt, bool legacy_sha1)
{
    const auto whole_salt = options.name + salt;
    return make({.dialect = "django_signed_cookie", .default_name = nullptr}, secrets,
                {"django.http.cookies", whole_salt, legacy_sha1}, form::timestamp,
                std::move(options));
}

} // namespace funcptr::dialects
