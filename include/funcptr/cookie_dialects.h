// SPDX-License-Identifier: MIT
//
// cookie_dialects.h: the signed cookies of other frameworks, read and issued.
//
// A C++ process beside a Flask, Django, Pyramid, Rails, Express, Tornado or Go application reads
// that application's session cookie, and issues it: byte for byte where the format has nothing
// random in it. Each function of namespace dialects makes the codec of one peer; all codecs are
// used the same way. What a cookie carries is given as the bytes that its framework serialized
// (mostly JSON): to read those is the application's part.
//
// Strict by default: of two texts for the same bytes only the one that the peer itself would write
// is taken. dialect_options::lenient takes what else the peer would. Formats that are unsafe by
// themselves have "unsafe" or "legacy" in the name that one has to write.
//
// For cookies of your own take signed_cookie or sealed_cookie.
//
// Threads: all members are const and may be called from several at once. Lifetime: a value that
// shares its keys with its copies; one that was moved from may be assigned to or destroyed.
//
//     auto flask = funcptr::dialects::flask(funcptr::dialect_secret(secret_key));
//     auto verdict = funcptr::verify_any(flask, cookie_header);
//     if (verdict)
//         session = parse_json(verdict.data); // {"user_id":42}
//     send("set-cookie", make_set_cookie({.name = flask.name(), .value = flask.sign(json)}));
//
// The formulas, and where each was found, stand in docs/cookie-format.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cookie_dialect.h"
#include "sealed_cookie.h"

namespace funcptr {

namespace dialects {

// --- ours ----------------------------------------------------------------------------------------

/// signed_cookie as a dialect, for a migrator. Its own options hold, but max_size only to 8,192.
FUNCPTR_API cookie_dialect native(const signed_cookie& codec);
/// sealed_cookie as a dialect, the same.
FUNCPTR_API cookie_dialect sealed(const sealed_cookie& codec);
/// article_cookie as a dialect: no time, no name. Default name "s". Its space is not a cookie
/// octet: make_set_cookie() refuses it.
FUNCPTR_API cookie_dialect article(const dialect_secrets& secrets, dialect_options options = {});

// --- Python --------------------------------------------------------------------------------------

struct itsdangerous_format {
    enum class form : std::uint8_t {
        signer,         ///< value.sig: no time
        timestamp,      ///< value.time.sig
        url_safe,       ///< base64(JSON).sig, compressed when that is shorter: no time
        url_safe_timed, ///< base64(JSON).time.sig, the same
    };
    enum class derivation : std::uint8_t { django_concat, concat, hmac, none };

    form how = form::url_safe_timed;
    std::string salt = "itsdangerous"; ///< Signer's own default is "itsdangerous.Signer"
    derivation key = derivation::django_concat;
    cookie_hash hash = cookie_hash::sha1; ///< the package's default
    std::string separator = ".";          ///< not empty
};
/// itsdangerous 2. No max_age unless given; default name "session". Throws std::invalid_argument
/// for a separator of the base64 alphabet, as the package does.
FUNCPTR_API cookie_dialect itsdangerous(const dialect_secrets& secrets, itsdangerous_format format,
                                        dialect_options options = {});
/// Flask's session: tagged JSON. max_age 31 days, for sessions that are not permanent too; name
/// "session".
FUNCPTR_API cookie_dialect flask(const dialect_secrets& secrets, dialect_options options = {});
/// Starlette's SessionMiddleware (and FastAPI's): JSON. max_age 14 days; name "session".
FUNCPTR_API cookie_dialect starlette(const dialect_secrets& secrets, dialect_options options = {});

/// A secret or a salt as WebOb and Pyramid turn a text into bytes: as Latin-1, which differs from
/// UTF-8 where the text is not plain ASCII. As UTF-8 only when the text, or the other of the two,
/// does not fit into Latin-1: then give it as it stands instead.
FUNCPTR_API std::string webob_bytes(std::string_view utf8);
/// WebOb's SignedSerializer: any bytes. No time. Default name "session".
FUNCPTR_API cookie_dialect webob(const dialect_secrets& secrets, const std::string& salt,
                                 dialect_options options = {},
                                 cookie_hash hash = cookie_hash::sha512);
/// Pyramid's SignedCookieSessionFactory: the data is the session's dictionary as JSON; the times
/// around it are ours. max_age (its timeout) 1,200 s from the last access; name "session"; no
/// longer than 4,064 bytes, as there.
FUNCPTR_API cookie_dialect pyramid(const dialect_secrets& secrets, dialect_options options = {},
                                   const std::string& salt = "pyramid.session.",
                                   cookie_hash hash = cookie_hash::sha512);

struct django_format {
    enum class form : std::uint8_t {
        signer,     ///< Signer: value:sig, no time
        timestamp,  ///< TimestampSigner: value:time:sig
        dumps,      ///< signing.dumps(): base64(JSON):time:sig
        compressed, ///< the same with compress=True
    };
    form how = form::timestamp;
    std::string salt = "django.core.signing.TimestampSigner"; ///< of dumps: "django.core.signing"
    /// Also takes the signatures of Django before 3.1.
    bool legacy_sha1 = false;
};
/// django.core.signing, with SECRET_KEY. No max_age unless given. The name is not signed. JSON must
/// be ASCII, with all else escaped: Django reads it as Latin-1.
FUNCPTR_API cookie_dialect django(const dialect_secrets& secrets, django_format format,
                                  dialect_options options = {});
/// The session of the signed_cookies backend: JSON, as above. max_age 14 days; name "sessionid".
FUNCPTR_API cookie_dialect django_session(const dialect_secrets& secrets,
                                          dialect_options options = {}, bool legacy_sha1 = false);
/// HttpResponse.set_signed_cookie() and request.get_signed_cookie(): options.name is signed, and
/// has no default. No max_age unless given.
FUNCPTR_API cookie_dialect django_signed_cookie(const dialect_secrets& secrets,
                                                dialect_options options,
                                                const std::string& salt = {},
                                                bool legacy_sha1 = false);

struct tornado_key {
    dialect_secret secret;
    std::uint32_t version = 0;
};
/// Tornado's set_secure_cookie(), version 2. Name and key version are signed; the name has no
/// default. max_age 31 days. Keys: the current one first.
FUNCPTR_API cookie_dialect tornado(std::vector<tornado_key> keys, dialect_options options);
/// Its version 1, which is read only: without delimiters in what is signed, digits can be shifted
/// from the time to the value (tornado 4.0's release notes). HMAC-SHA1.
FUNCPTR_API cookie_dialect tornado_v1_unsafe(const dialect_secrets& secrets,
                                             dialect_options options);

/// Beaker's SignedCookie: HMAC-SHA1, no time, no name, no separator. Default name
/// "beaker.session.id".
FUNCPTR_API cookie_dialect beaker_legacy_sha1(const dialect_secrets& secrets,
                                              dialect_options options = {});

/// Fernet (cryptography; aiohttp_session's EncryptedCookieStorage): encrypted and signed. A secret
/// is the text of its 32 bytes in base64url. No max_age unless given; up to 60 s in the future, as
/// there. Default name "AIOHTTP_SESSION". Throws funcptr::error (errc::bad_key) for another secret.
FUNCPTR_API cookie_dialect fernet(const dialect_secrets& secrets, dialect_options options = {});

// --- Node ----------------------------------------------------------------------------------------

/// cookie-signature: value.sig. No name, no time. Default name "session".
FUNCPTR_API cookie_dialect cookie_signature(const dialect_secrets& secrets,
                                            dialect_options options = {});
/// res.cookie(…, {signed: true}) of Express and express-session: the same as "s:…", escaped for
/// URLs. An object's data begin with "j:". Default name "connect.sid".
FUNCPTR_API cookie_dialect express(const dialect_secrets& secrets, dialect_options options = {});
/// keygrip by way of the package cookies: any value, which must be cookie octets, and its signature
/// in a cookie of its own, name.sig. The name is signed. No time. Default name "session". hex: its
/// third argument, instead of base64.
FUNCPTR_API cookie_dialect keygrip(const dialect_secrets& secrets, dialect_options options = {},
                                   cookie_hash hash = cookie_hash::sha1, bool hex = false);
/// cookie-session: keygrip over base64(JSON). Default name "session".
FUNCPTR_API cookie_dialect cookie_session(const dialect_secrets& secrets,
                                          dialect_options options = {},
                                          cookie_hash hash = cookie_hash::sha1);
struct iron_password {
    dialect_secret secret; ///< 32 bytes or more, as there
    std::string id = "1";  ///< letters, digits and underscores
};
/// iron-session 8 (Fe26.2): encrypted and signed JSON. It has an expiry of its own, which holds 60
/// s longer, as there; it is issued with issue_facts::lifetime or else max_age, 14 days unless
/// given, 0: none. When it was issued it does not say. No name is signed;
/// default "iron-session". Throws funcptr::error (errc::bad_key) for a secret that is too short.
FUNCPTR_API cookie_dialect iron_session(std::vector<iron_password> passwords,
                                        dialect_options options = {});

// --- Go ------------------------------------------------------------------------------------------

struct gorilla_keys {
    dialect_secret hash_key;
    std::optional<dialect_secret> block_key = {}; ///< of 16, 24 or 32 bytes: AES-CTR
};
struct gorilla_format {
    cookie_hash hash = cookie_hash::sha256; ///< of the MAC
    /// How old a cookie must be at least (MinAge); 0: it does not matter.
    std::chrono::seconds min_age = std::chrono::seconds(0);
};
/// gorilla/securecookie and gorilla/sessions: the data is what its serializer made (gob, or JSON
/// and a line's end). The name is signed, and has no default. max_age 30 days; no value of more
/// than 4,096 bytes, as there.
FUNCPTR_API cookie_dialect gorilla(std::vector<gorilla_keys> keys, dialect_options options,
                                   gorilla_format format = {});

// --- Ruby ----------------------------------------------------------------------------------------

struct rails_format {
    enum class envelope : std::uint8_t {
        message, ///< {"_rails":{"message":base64,…}}: Rails to 7.0, and cookies of all versions
        data,    ///< {"_rails":{"data":…}}: 7.1 with use_message_serializer_for_metadata
    };
    cookie_hash hash = cookie_hash::sha256; ///< of the signature; to 6.1 the default was SHA-1
    /// What it must say; unset or empty: that it must say none. An empty one is issued as such, in
    /// an envelope, as Rails does.
    std::optional<std::string> purpose = {};
    envelope wrap = envelope::message; ///< how it is issued; both are read
    bool url_safe = false;             ///< base64url without padding (7.1)
    /// Also gives data that Ruby's Marshal made. Never load those from a cookie in Ruby: whoever
    /// has the key runs code there.
    bool unsafe_marshal = false;
    /// With dialect_options::lenient: also passes over what stands behind a second "--", as Rails
    /// did before 7.1.
    bool trailing_junk = false;
};
/// ActiveSupport::MessageVerifier: the data is what its serializer made (JSON). Default name
/// "session".
FUNCPTR_API cookie_dialect rails_verifier(const dialect_secrets& secrets, rails_format format = {},
                                          dialect_options options = {});
/// ActiveSupport::MessageEncryptor with AES-256-GCM: keys of 32 bytes; format.hash means nothing.
/// Default name "session". Throws funcptr::error (errc::bad_key) for another size.
FUNCPTR_API cookie_dialect rails_encryptor(const dialect_secrets& keys, rails_format format = {},
                                           dialect_options options = {});
struct rails_cookie_format {
    /// signed_cookie_digest; Rails' own default is SHA-1, since 7.0 new applications have SHA-256.
    cookie_hash hash = cookie_hash::sha1;
    /// hash_digest_class of the key generator: SHA-256 since 7.0, SHA-1 before.
    cookie_hash key_hash = cookie_hash::sha256;
    bool unsafe_marshal = false; ///< see rails_format
};
/// cookies.signed[name], of secret_key_base: the name is the purpose, and has no default. Escaped
/// for URLs, as Rack does.
FUNCPTR_API cookie_dialect rails_signed_cookie(const dialect_secrets& secret_key_bases,
                                               dialect_options options,
                                               rails_cookie_format format = {});
/// cookies.encrypted[name], and the session of CookieStore; the same otherwise.
FUNCPTR_API cookie_dialect rails_encrypted_cookie(const dialect_secrets& secret_key_bases,
                                                  dialect_options options,
                                                  rails_cookie_format format = {});

struct rack_format {
    std::string purpose = {};    ///< Rack::Session::Cookie's: the cookie's name
    std::size_t pad_size = 32;   ///< data are padded to a multiple of it, 2 to 4,096; 0: not
    bool unsafe_marshal = false; ///< see rails_format
    bool escaped = true;         ///< for URLs, as Rack does with every cookie
};
/// Rack::Session::Encryptor of rack-session 2, with its JSON coder: version 2 is issued, version 1
/// is read too. Secrets of 64 bytes or more: funcptr::error (errc::bad_key) for others, of which
/// version 2 uses the first 32. Default name "rack.session". No time.
FUNCPTR_API cookie_dialect rack_session(const dialect_secrets& secrets, rack_format format = {},
                                        dialect_options options = {});
struct rack_legacy_format {
    cookie_hash hash = cookie_hash::sha1; ///< its option hmac
    bool unsafe_marshal = false;          ///< see rails_format
    bool escaped = true;                  ///< for URLs, as Rack does with every cookie
};
/// Rack::Session::Cookie of Rack 2 with its JSON coder: HMAC-SHA1, no name, no time. Default name
/// "rack.session". Data without a member "session_id" (32 random bytes as hex) are no session to
/// Rack.
FUNCPTR_API cookie_dialect rack_legacy_sha1(const dialect_secrets& secrets,
                                            dialect_options options = {},
                                            rack_legacy_format format = {});

} // namespace dialects
} // namespace funcptr
