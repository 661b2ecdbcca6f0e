// SPDX-License-Identifier: MIT
#include "dialects.h"

#include <stdexcept>

namespace {

namespace dialects = funcptr::dialects;
using funcptr::cookie_dialect;
using funcptr::cookie_hash;
using funcptr::dialect_options;
using funcptr::dialect_secret;
using funcptr::dialect_secrets;

/// Without keys a stranger's, since a codec must have one to explain a cookie.
std::vector<dialect_secret> secrets_of(const key_source* keys,
                                       const std::string& otherwise = std::string(64, '?'))
{
    return keys != nullptr ? keys->secrets() : std::vector{dialect_secret(otherwise)};
}

cookie_hash take_hash(arguments& given, cookie_hash otherwise, const std::string& option = "--hash")
{
    return given.take_one_of<cookie_hash>(option,
                                          {{"sha1", cookie_hash::sha1},
                                           {"sha256", cookie_hash::sha256},
                                           {"sha384", cookie_hash::sha384},
                                           {"sha512", cookie_hash::sha512}},
                                          otherwise);
}

/// For formats that sign the name, which needs none to be explained.
dialect_options named(dialect_options options, const key_source* keys)
{
    if (options.name.empty() && keys != nullptr)
        throw std::invalid_argument("--name is needed: it is bound into the signature");
    if (options.name.empty())
        options.name = "unknown";
    return options;
}

// --- one function for each format ----------------------------------------------------------------

/// The options of signed_cookie and of sealed_cookie.
template <typename Options>
Options own_options(const dialect_options& options)
{
    Options own;
    own.max_age = options.max_age.value_or(own.max_age);
    own.skew = options.skew;
    own.max_size = options.max_size;
    own.clock = options.clock;
    return own;
}

funcptr::keyring ring_of(const key_source* keys)
{
    return keys != nullptr ? keys->ring() : funcptr::keyring::generate();
}

cookie_dialect native(const key_source* keys, arguments&, dialect_options options)
{
    const auto own = own_options<funcptr::cookie_options>(options);
    const std::string name = named(std::move(options), keys).name;
    return dialects::native(funcptr::signed_cookie(name, ring_of(keys), own));
}

cookie_dialect sealed(const key_source* keys, arguments& given, dialect_options options)
{
    using funcptr::sealed_cipher;
    auto own = own_options<funcptr::sealed_options>(options);
    own.cipher =
        given.take_one_of<sealed_cipher>("--cipher",
                                         {{"aes-256-gcm", sealed_cipher::aes_256_gcm},
                                          {"chacha20-poly1305", sealed_cipher::chacha20_poly1305}},
                                         own.cipher);
    const std::string name = named(std::move(options), keys).name;
    return dialects::sealed(funcptr::sealed_cookie(name, ring_of(keys), own));
}

/// Those without options of their own.
template <cookie_dialect (*Make)(const dialect_secrets&, dialect_options)>
cookie_dialect plain(const key_source* keys, arguments&, dialect_options options)
{
    return Make(secrets_of(keys), std::move(options));
}

cookie_dialect itsdangerous(const key_source* keys, arguments& given, dialect_options options)
{
    using format = dialects::itsdangerous_format;
    format made;
    made.how = given.take_one_of<format::form>("--form",
                                               {{"signer", format::form::signer},
                                                {"timestamp", format::form::timestamp},
                                                {"url-safe", format::form::url_safe},
                                                {"url-safe-timed", format::form::url_safe_timed}},
                                               made.how);
    made.key =
        given.take_one_of<format::derivation>("--derivation",
                                              {{"django-concat", format::derivation::django_concat},
                                               {"concat", format::derivation::concat},
                                               {"hmac", format::derivation::hmac},
                                               {"none", format::derivation::none}},
                                              made.key);
    made.salt = given.take("--salt", made.salt);
    made.hash = take_hash(given, made.hash);
    made.separator = given.take("--separator", made.separator);
    return dialects::itsdangerous(secrets_of(keys), made, std::move(options));
}

cookie_dialect webob(const key_source* keys, arguments& given, dialect_options options)
{
    return dialects::webob(secrets_of(keys), given.take("--salt", ""), std::move(options),
                           take_hash(given, cookie_hash::sha512));
}

cookie_dialect pyramid(const key_source* keys, arguments& given, dialect_options options)
{
    return dialects::pyramid(secrets_of(keys), std::move(options),
                             given.take("--salt", "pyramid.session."),
                             take_hash(given, cookie_hash::sha512));
}

cookie_dialect django(const key_source* keys, arguments& given, dialect_options options)
{
    using format = dialects::django_format;
    format made;
    made.how = given.take_one_of<format::form>("--form",
                                               {{"signer", format::form::signer},
                                                {"timestamp", format::form::timestamp},
                                                {"dumps", format::form::dumps},
                                                {"compressed", format::form::compressed}},
                                               made.how);
    // Each of them has its own in the package.
    const char* const salt = made.how == format::form::signer ? "django.core.signing.Signer"
                             : made.how == format::form::timestamp
                                 ? "django.core.signing.TimestampSigner"
                                 : "django.core.signing";
    made.salt = given.take("--salt", salt);
    made.legacy_sha1 = given.take_flag("--legacy-sha1");
    return dialects::django(secrets_of(keys), made, std::move(options));
}

cookie_dialect django_session(const key_source* keys, arguments& given, dialect_options options)
{
    return dialects::django_session(secrets_of(keys), std::move(options),
                                    given.take_flag("--legacy-sha1"));
}

cookie_dialect django_signed_cookie(const key_source* keys, arguments& given,
                                    dialect_options options)
{
    return dialects::django_signed_cookie(secrets_of(keys), named(std::move(options), keys),
                                          given.take("--salt", ""),
                                          given.take_flag("--legacy-sha1"));
}

/// One for each secret, or none at all.
std::vector<std::string> take_ids(arguments& given, const key_source* keys, std::size_t secrets)
{
    auto ids = given.take_list("--key-ids");
    if (keys == nullptr)
        return {};
    if (!ids.empty() && ids.size() != secrets)
        throw std::invalid_argument("--key-ids: " + std::to_string(ids.size()) + " of them for "
                                    + std::to_string(secrets) + " secrets");
    return ids;
}

cookie_dialect tornado(const key_source* keys, arguments& given, dialect_options options)
{
    const auto secrets = secrets_of(keys);
    const auto ids = take_ids(given, keys, secrets.size());
    if (ids.empty() && secrets.size() > 1)
        throw std::invalid_argument("--key-ids is needed: the key's version is in the cookie");
    std::vector<dialects::tornado_key> all;
    for (const auto& secret : secrets) {
        const auto id = ids.empty() ? "0" : ids[all.size()];
        if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos)
            throw std::invalid_argument("--key-ids: '" + id + "' is not a number");
        all.push_back({.secret = secret, .version = static_cast<std::uint32_t>(std::stoul(id))});
    }
    return dialects::tornado(std::move(all), named(std::move(options), keys));
}

cookie_dialect tornado_v1(const key_source* keys, arguments&, dialect_options options)
{
    return dialects::tornado_v1_unsafe(secrets_of(keys), named(std::move(options), keys));
}

cookie_dialect fernet(const key_source* keys, arguments&, dialect_options options)
{
    const std::string nobodys(42, 'A');
    return dialects::fernet(secrets_of(keys, nobodys + "A="), std::move(options));
}

cookie_dialect keygrip(const key_source* keys, arguments& given, dialect_options options)
{
    return dialects::keygrip(secrets_of(keys), std::move(options),
                             take_hash(given, cookie_hash::sha1), given.take_flag("--hex"));
}

cookie_dialect cookie_session(const key_source* keys, arguments& given, dialect_options options)
{
    return dialects::cookie_session(secrets_of(keys), std::move(options),
                                    take_hash(given, cookie_hash::sha1));
}

cookie_dialect iron_session(const key_source* keys, arguments& given, dialect_options options)
{
    const auto secrets = secrets_of(keys);
    const auto ids = take_ids(given, keys, secrets.size());
    std::vector<dialects::iron_password> all;
    for (const auto& secret : secrets) // the package numbers them upwards, the newest last
        all.push_back(
            {.secret = secret,
             .id = ids.empty() ? std::to_string(secrets.size() - all.size()) : ids[all.size()]});
    return dialects::iron_session(std::move(all), std::move(options));
}

cookie_dialect gorilla(const key_source* keys, arguments& given, dialect_options options)
{
    std::vector<dialects::gorilla_keys> all;
    for (const auto& secret : secrets_of(keys)) {
        const dialects::gorilla_keys one{secret, std::nullopt};
        all.push_back(one);
    }
    const auto encoding = take_encoding(given, "--block-encoding", "hex");
    const auto file = given.take("--block-keys");
    if (file && keys != nullptr) {
        const auto blocks = secrets_of_file(*file, encoding);
        if (blocks.size() != all.size())
            throw std::invalid_argument("--block-keys: as many are needed as there are secrets");
        for (std::size_t i = 0; i < all.size(); ++i)
            all[i].block_key = dialect_secret(blocks[i]);
    }
    dialects::gorilla_format format;
    format.hash = take_hash(given, format.hash);
    format.min_age = given.take_seconds("--min-age").value_or(format.min_age);
    return dialects::gorilla(std::move(all), named(std::move(options), keys), format);
}

dialects::rails_format take_rails(arguments& given)
{
    using envelope = dialects::rails_format::envelope;
    dialects::rails_format made;
    made.hash = take_hash(given, made.hash);
    made.purpose = given.take("--purpose");
    made.wrap = given.take_one_of<envelope>(
        "--envelope", {{"message", envelope::message}, {"data", envelope::data}}, made.wrap);
    made.url_safe = given.take_flag("--url-safe");
    made.unsafe_marshal = given.take_flag("--unsafe-marshal");
    made.trailing_junk = given.take_flag("--trailing-junk");
    return made;
}

cookie_dialect rails_verifier(const key_source* keys, arguments& given, dialect_options options)
{
    return dialects::rails_verifier(secrets_of(keys), take_rails(given), std::move(options));
}

cookie_dialect rails_encryptor(const key_source* keys, arguments& given, dialect_options options)
{
    return dialects::rails_encryptor(secrets_of(keys, std::string(32, '?')), take_rails(given),
                                     std::move(options));
}

template <cookie_dialect (*Make)(const dialect_secrets&, dialect_options,
                                 dialects::rails_cookie_format)>
cookie_dialect rails_cookie(const key_source* keys, arguments& given, dialect_options options)
{
    dialects::rails_cookie_format format;
    format.hash = take_hash(given, format.hash);
    format.key_hash = take_hash(given, format.key_hash, "--key-hash");
    format.unsafe_marshal = given.take_flag("--unsafe-marshal");
    return Make(secrets_of(keys), named(std::move(options), keys), format);
}

cookie_dialect rack_session(const key_source* keys, arguments& given, dialect_options options)
{
    dialects::rack_format format;
    format.purpose = given.take("--purpose", "");
    format.pad_size = static_cast<std::size_t>(
        given.take_number("--pad-size").value_or(static_cast<long long>(format.pad_size)));
    format.unsafe_marshal = given.take_flag("--unsafe-marshal");
    format.escaped = !given.take_flag("--unescaped");
    return dialects::rack_session(secrets_of(keys), format, std::move(options));
}

cookie_dialect rack_legacy(const key_source* keys, arguments& given, dialect_options options)
{
    dialects::rack_legacy_format format;
    format.hash = take_hash(given, format.hash);
    format.unsafe_marshal = given.take_flag("--unsafe-marshal");
    format.escaped = !given.take_flag("--unescaped");
    return dialects::rack_legacy_sha1(secrets_of(keys), std::move(options), format);
}

} // namespace

const std::vector<named_dialect>& all_dialects()
{
    static const std::vector<named_dialect> all{
        {"native", "signed_cookie of this library (the default)", native},
        {"sealed", "sealed_cookie of this library: --cipher", sealed},
        {"article", "hex MAC, space, data", plain<dialects::article>},
        {"itsdangerous", "itsdangerous: --form --salt --derivation --hash --separator",
         itsdangerous},
        {"flask", "Flask's session", plain<dialects::flask>},
        {"starlette", "Starlette's and FastAPI's session", plain<dialects::starlette>},
        {"webob", "WebOb's SignedSerializer: --salt --hash", webob},
        {"pyramid", "Pyramid's session: --salt --hash", pyramid},
        {"django", "django.core.signing: --form --salt --legacy-sha1", django},
        {"django_session", "Django's signed_cookies session: --legacy-sha1", django_session},
        {"django_signed_cookie", "Django's set_signed_cookie: --salt --legacy-sha1",
         django_signed_cookie},
        {"tornado", "Tornado's secure cookie, version 2: --key-ids", tornado},
        {"tornado_v1_unsafe", "its version 1, read only", tornado_v1},
        {"beaker_legacy_sha1", "Beaker's SignedCookie", plain<dialects::beaker_legacy_sha1>},
        {"fernet", "Fernet, aiohttp_session", fernet},
        {"cookie_signature", "Node's cookie-signature", plain<dialects::cookie_signature>},
        {"express", "Express and express-session", plain<dialects::express>},
        {"keygrip", "Node's cookies, signed by keygrip: --hash --hex", keygrip},
        {"cookie_session", "Node's cookie-session: --hash", cookie_session},
        {"iron_session", "iron-session: --key-ids", iron_session},
        {"gorilla", "gorilla/securecookie: --hash --min-age --block-keys --block-encoding",
         gorilla},
        {"rails_verifier",
         "ActiveSupport::MessageVerifier: --hash --purpose --envelope --url-safe "
         "--unsafe-marshal --trailing-junk",
         rails_verifier},
        {"rails_encryptor", "ActiveSupport::MessageEncryptor: the same", rails_encryptor},
        {"rails_signed_cookie", "Rails' cookies.signed: --hash --key-hash --unsafe-marshal",
         rails_cookie<dialects::rails_signed_cookie>},
        {"rails_encrypted_cookie", "Rails' cookies.encrypted and session: the same",
         rails_cookie<dialects::rails_encrypted_cookie>},
        {"rack_session", "rack-session 2: --purpose --pad-size --unsafe-marshal --unescaped",
         rack_session},
        {"rack_legacy_sha1", "Rack 2's session: --hash --unsafe-marshal --unescaped", rack_legacy},
    };
    return all;
}

const named_dialect& dialect_named(const std::string& name)
{
    for (const auto& each : all_dialects()) {
        if (name == each.name)
            return each;
    }
    throw std::invalid_argument("there is no dialect '" + name + "'; --list-dialects tells them");
}

dialect_options common_options(arguments& given)
{
    dialect_options made;
    made.name = given.take("--name", "");
    made.max_age = given.take_seconds("--max-age");
    made.skew = given.take_seconds("--skew").value_or(made.skew);
    made.lenient = given.take_flag("--lenient");
    if (const auto size = given.take_number("--max-size"))
        made.max_size = static_cast<std::size_t>(*size);
    if (const auto at = given.take_seconds("--at"))
        made.clock = [at] { return std::chrono::system_clock::time_point(*at); };
    return made;
}
