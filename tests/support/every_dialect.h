// SPDX-License-Identifier: MIT
//
// every_dialect.h: one codec of each dialect, at a clock that stands, for tests that hold for all.
#pragma once

#include "funcptr/cookie_dialects.h"

#include <string>
#include <vector>

namespace test {

inline const auto dialects_start =
    std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));

inline funcptr::dialect_options dialect_options_at_start(std::string name = {})
{
    funcptr::dialect_options options;
    options.name = std::move(name);
    options.clock = [] { return dialects_start; };
    return options;
}

struct some_dialect {
    funcptr::cookie_dialect codec;
    std::string data; ///< that it can hold
};

/// tweak(options): what all of them are to have besides. more: makes other secrets.
template <class Tweak>
std::vector<some_dialect> every_dialect(Tweak tweak, char more = 'k')
{
    namespace dialects = funcptr::dialects;
    using funcptr::dialect_secret;
    using funcptr::dialect_secrets;
    const std::string known = "a-32-byte-or-longer-secret-key-0123456789"; // the vectors'
    const dialect_secret secret(more == 'k' ? known : known + more);
    const dialect_secret long_secret(std::string(64, more) + "0123456789");
    const dialect_secret key_32(std::string(32, more));
    const dialect_secret fernet_key(more == 'k' ? "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
                                                : "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    const std::string json = R"({"user":42,"note":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})";
    const auto with = [&](const char* name = "") {
        auto options = dialect_options_at_start(name);
        tweak(options);
        return options;
    };
    using form = dialects::itsdangerous_format::form;
    using django_form = dialects::django_format::form;
    const auto as = [](form how) { return dialects::itsdangerous_format{.how = how}; };
    const auto dj = [](django_form how) { return dialects::django_format{.how = how}; };
    const funcptr::signed_cookie native("session", funcptr::keyring::from_bytes({key_32.bytes()}),
                                        {.clock = [] { return dialects_start; }});
    return {
        {dialects::native(native), json},
        {dialects::article(secret, with()), "user=42"},
        {dialects::itsdangerous(secret, as(form::signer), with()), "user"},
        {dialects::itsdangerous(secret, as(form::timestamp), with()), "user"},
        {dialects::itsdangerous(secret, as(form::url_safe), with()), json},
        {dialects::itsdangerous(secret, as(form::url_safe_timed), with()), json},
        {dialects::flask(secret, with()), json},
        {dialects::starlette(secret, with()), json},
        {dialects::webob(secret, "salt", with()), json},
        {dialects::pyramid(secret, with()), json},
        {dialects::django(secret, dj(django_form::signer), with()), "user"},
        {dialects::django(secret, dj(django_form::timestamp), with()), "user"},
        {dialects::django(secret, dj(django_form::dumps), with()), json},
        {dialects::django(secret, dj(django_form::compressed), with()), json},
        {dialects::django_session(secret, with()), json},
        {dialects::django_signed_cookie(secret, with("user")), "42"},
        {dialects::tornado({{secret}}, with("user")), json},
        {dialects::beaker_legacy_sha1(secret, with()), "8f14e45fceea"},
        {dialects::fernet(fernet_key, with()), json},
        {dialects::cookie_signature(secret, with()), "42"},
        {dialects::express(secret, with()), "j:" + json},
        {dialects::keygrip(secret, with()), "42"},
        {dialects::keygrip(secret, with(), funcptr::cookie_hash::sha256, true), "42"},
        {dialects::cookie_session(secret, with()), json},
        {dialects::iron_session({{secret}}, with()), json},
        {dialects::gorilla({{secret}}, with("session")), json},
        {dialects::gorilla({{secret, key_32}}, with("session")), json},
        {dialects::rails_verifier(secret, {}, with()), json},
        {dialects::rails_verifier(secret, {.purpose = "login", .url_safe = true}, with()), json},
        {dialects::rails_encryptor(key_32, {}, with()), json},
        {dialects::rails_signed_cookie(secret, with("user")), json},
        {dialects::rails_encrypted_cookie(secret, with("user")), json},
        {dialects::rack_session(long_secret, {}, with()), json},
        {dialects::rack_legacy_sha1(secret, with()), json},
        // Read only:
        {dialects::tornado_v1_unsafe(secret, with("user")), "alice"},
    };
}

inline std::vector<some_dialect> every_dialect()
{
    return every_dialect([](funcptr::dialect_options&) {});
}

/// A cookie and, where the format has one, its signature.
struct issued_cookie {
    std::string value, signature;
};
inline issued_cookie issue(const some_dialect& one)
{
    if (!one.codec.issues()) // of Tornado 6.2: create_signed_value(version=1) with this secret
        return {"YWxpY2U=|1700000000|3fd6b455bffc9e5e496c6e19797623700ad19004", {}};
    const auto value = one.codec.sign(one.data);
    const bool two = !one.codec.signature_name().empty();
    return {value, two ? one.codec.signature_of(value) : std::string()};
}
inline funcptr::dialect_verdict verify(const funcptr::cookie_dialect& codec,
                                       const issued_cookie& cookie)
{
    return codec.signature_name().empty() ? codec.verify(cookie.value)
                                          : codec.verify(cookie.value, cookie.signature);
}

} // namespace test
