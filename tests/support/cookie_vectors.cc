// SPDX-License-Identifier: MIT
#include "cookie_vectors.h"

#ifdef HAVE_JSON

#    include <map>
#    include <stdexcept>

namespace test {

namespace {

namespace dialects = funcptr::dialects;
using funcptr::cookie_dialect;
using funcptr::cookie_hash;
using funcptr::dialect_options;
using funcptr::dialect_secret;
using funcptr::dialect_secrets;
using nlohmann::json;
using std::chrono::system_clock;
using trials = std::vector<vector_trial>;

// --- fields -------------------------------------------------------------------------------------

std::string from_hex(const std::string& hex)
{
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
}

bool has(const json& vector, const std::string& name)
{
    return vector.contains(name) && !vector[name].is_null();
}

/// name, name_utf8 or name_hex.
std::optional<std::string> maybe(const json& vector, const std::string& name)
{
    if (has(vector, name + "_hex"))
        return from_hex(vector[name + "_hex"].get<std::string>());
    for (const auto& field : {name + "_utf8", name})
        if (has(vector, field))
            return vector[field].get<std::string>();
    return std::nullopt;
}

std::string text(const json& vector, const std::string& name)
{
    if (auto found = maybe(vector, name))
        return *found;
    throw std::runtime_error("no " + name);
}

/// What verifies, where that differs from what issued.
std::string verifying(const json& vector, const std::string& name)
{
    auto found = maybe(vector, "verify_" + name);
    return found ? *found : text(vector, name);
}

dialect_secrets secrets_of(const std::vector<std::string>& texts)
{
    std::vector<dialect_secret> all;
    for (const auto& one : texts)
        all.emplace_back(std::string_view(one));
    return dialect_secrets(all);
}
dialect_secrets secret_of(const std::string& one)
{
    return secrets_of({one});
}

/// The keys of a list of texts, or of hex texts.
std::vector<std::string> list(const json& vector, const std::string& name, bool hex)
{
    std::vector<std::string> all;
    for (const auto& one : vector[name])
        all.push_back(hex ? from_hex(one.get<std::string>()) : one.get<std::string>());
    return all;
}

cookie_hash hash_of(std::string name)
{
    for (auto& c : name)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::map<std::string, cookie_hash> known{{"sha1", cookie_hash::sha1},
                                                   {"sha256", cookie_hash::sha256},
                                                   {"sha384", cookie_hash::sha384},
                                                   {"sha512", cookie_hash::sha512}};
    return known.at(name);
}
cookie_hash hash_of(const json& vector, const std::string& field, const std::string& otherwise)
{
    return hash_of(has(vector, field) ? vector[field].get<std::string>() : otherwise);
}

/// Seconds and their fraction apart: a double cannot count so many nanoseconds.
system_clock::time_point since_epoch(double seconds)
{
    const auto whole = static_cast<std::int64_t>(seconds);
    const auto part = (seconds - static_cast<double>(whole)) * 1e9;
    return system_clock::time_point(std::chrono::seconds(whole)
                                    + std::chrono::nanoseconds(static_cast<std::int64_t>(part)));
}

system_clock::time_point time_of(const json& vector, const std::string& name)
{
    if (has(vector, name + "_ms"))
        return system_clock::time_point(
            std::chrono::milliseconds(vector[name + "_ms"].get<std::int64_t>()));
    if (has(vector, name) && vector[name].is_number_integer())
        return system_clock::time_point(std::chrono::seconds(vector[name].get<std::int64_t>()));
    return since_epoch(has(vector, name) ? vector[name].get<double>() : 1'700'000'000.0);
}

dialect_options at(system_clock::time_point now, std::string name = {})
{
    dialect_options options;
    options.name = std::move(name);
    options.clock = [now] { return now; };
    return options;
}

/// For verifying, as a stance wants it. max_age: of the field, unless it is empty.
dialect_options options_for(const json& vector, stance how, const std::string& max_age,
                            std::string name = {})
{
    auto options = at(time_of(vector, "verify_at"), std::move(name));
    options.lenient = how.as_peer;
    if (how.peers_bounds) {
        options.skew = std::chrono::seconds(0);
        options.max_size = 8192;
        options.max_inflated = 1024 * 1024;
    }
    if (!max_age.empty())
        options.max_age =
            std::chrono::seconds(has(vector, max_age) ? vector[max_age].get<std::int64_t>() : 0);
    return options;
}

dialect_options for_issuing(const json& vector, std::string name = {})
{
    auto options = at(time_of(vector, "issued_at"), std::move(name));
    options.max_size = 8192;
    return options;
}

// --- issuing ------------------------------------------------------------------------------------

/// Whether the cookie is what issuing gives: accepted, and by a strict codec too.
bool is_issued(const json& vector)
{
    const auto strict = vector.value("strict_verdict", vector.value("peer_verdict", "reject"));
    const auto kind = vector.value("kind", "");
    // A peer may accept what it would never write.
    for (const char* alteration : {"legacy", "tamper", "truncat", "trailing", "garbage", "junk",
                                   "canonical", "padding", "padded", "malleab"})
        if (kind.find(alteration) != kind.npos)
            return false;
    if (!vector.value("deterministic", true))
        return false;
    return strict == "accept" || kind == "expired";
}

vector_trial::issue issuing(cookie_dialect codec, std::string data, std::string expected,
                            funcptr::issue_facts facts = {})
{
    return {[codec = std::move(codec), data = std::move(data), facts] {
                return codec.sign(data, facts);
            },
            std::move(expected)};
}

/// The trial of a codec that `make` makes of a list of secrets and options.
template <class Make>
vector_trial plain(const json& vector, const std::vector<std::string>& verifiers,
                   const std::vector<std::string>& issuers, const std::string& data,
                   const std::string& max_age, Make make)
{
    vector_trial trial;
    trial.codec = [=](stance how) {
        return make(secrets_of(verifiers), options_for(vector, how, max_age));
    };
    trial.value = text(vector, "cookie");
    trial.data = data;
    if (is_issued(vector)) {
        trial.issues.emplace_back();
        for (const auto& issuer : issuers)
            trial.issues.back().push_back(issuing(make(secret_of(issuer), for_issuing(vector)),
                                                  data, text(vector, "cookie")));
    }
    return trial;
}

// --- Python -------------------------------------------------------------------------------------

std::vector<std::string> secrets_in(const json& vector)
{
    if (has(vector, "secrets_newest_first"))
        return list(vector, "secrets_newest_first", true);
    return {text(vector, "secret")};
}
std::vector<std::string> verifiers_in(const json& vector)
{
    if (has(vector, "verify_secrets_newest_first"))
        return list(vector, "verify_secrets_newest_first", true);
    if (has(vector, "secrets_newest_first"))
        return list(vector, "secrets_newest_first", true);
    return {verifying(vector, "secret")};
}

std::string payload_of(const json& vector)
{
    for (const char* name : {"payload", "json", "value", "data", "serialized"})
        if (auto found = maybe(vector, name))
            return *found;
    throw std::runtime_error("no payload");
}

trials itsdangerous(const json& vector)
{
    using format = dialects::itsdangerous_format;
    const std::map<std::string, format::form> forms{
        {"Signer", format::form::signer},
        {"TimestampSigner", format::form::timestamp},
        {"Serializer", format::form::signer},
        {"TimedSerializer", format::form::timestamp},
        {"URLSafeSerializer", format::form::url_safe},
        {"URLSafeTimedSerializer", format::form::url_safe_timed}};
    const std::map<std::string, format::derivation> derivations{
        {"django-concat", format::derivation::django_concat},
        {"concat", format::derivation::concat},
        {"hmac", format::derivation::hmac},
        {"none", format::derivation::none}};
    format how;
    how.how = forms.at(text(vector, "cls"));
    how.salt = text(vector, "salt");
    how.key = derivations.at(vector.value("key_derivation", "django-concat"));
    how.hash = hash_of(vector, "digest", "sha1");
    how.separator = vector.value("sep", ".");
    const auto make = [=](const dialect_secrets& secrets, dialect_options options) {
        return dialects::itsdangerous(secrets, how, std::move(options));
    };
    return {plain(vector, verifiers_in(vector), secrets_in(vector), payload_of(vector), "max_age",
                  make)};
}

trials flask(const json& vector)
{
    const auto make = [](const dialect_secrets& secrets, dialect_options options) {
        return dialects::flask(secrets, std::move(options));
    };
    return {plain(vector, verifiers_in(vector), secrets_in(vector), payload_of(vector), "max_age",
                  make)};
}

trials starlette(const json& vector)
{
    const auto make = [](const dialect_secrets& secrets, dialect_options options) {
        return dialects::starlette(secrets, std::move(options));
    };
    return {plain(vector, verifiers_in(vector), secrets_in(vector), payload_of(vector), "max_age",
                  make)};
}

/// WebOb's keys: both as Latin-1, or neither.
std::pair<std::string, std::string> webob_texts(const json& vector, const std::string& salt_name)
{
    const auto salt = maybe(vector, salt_name).value_or("");
    const auto secret = verifying(vector, "secret");
    const auto fits = [](const std::string& utf8) {
        for (const char c : utf8)
            if (static_cast<unsigned char>(c) > 0xc3)
                return false;
        return true;
    };
    if (!fits(salt) || !fits(secret))
        return {salt, secret};
    return {dialects::webob_bytes(salt), dialects::webob_bytes(secret)};
}

trials webob(const json& vector)
{
    const auto [salt, secret] = webob_texts(vector, "salt");
    const auto hash = hash_of(vector, "digest", "sha512");
    const auto make = [=, salt = salt](const dialect_secrets& secrets, dialect_options options) {
        return dialects::webob(secrets, salt, std::move(options), hash);
    };
    return {plain(vector, {secret}, {secret}, payload_of(vector), "", make)};
}

/// Of "[accessed, created, dictionary]": the last two.
std::pair<std::string, std::string> pyramid_parts(const std::string& content)
{
    const auto first = content.find(','), second = content.find(',', first + 1);
    const auto data = content.find_first_not_of(' ', second + 1);
    return {content.substr(first + 1, second - first - 1),
            content.substr(data, content.size() - data - 1)};
}

trials pyramid(const json& vector)
{
    const auto [salt, secret] = webob_texts(vector, "salt");
    const auto [created, data] = pyramid_parts(text(vector, "payload"));
    const auto hash = hash_of(vector, "digest", "sha512");
    const auto codec = [=, salt = salt, secret = secret](dialect_options options) {
        return dialects::pyramid(secret_of(secret), std::move(options), salt, hash);
    };
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = data;
    trial.codec = [=](stance how) { return codec(options_for(vector, how, "timeout")); };
    if (is_issued(vector)) {
        const auto began = since_epoch(std::stod(created));
        trial.issues.push_back({issuing(codec(for_issuing(vector)), data, text(vector, "cookie"),
                                        {.created = began})});
    }
    return {trial};
}

/// Of set_signed_cookie(), which signs with the cookie's name and the caller's salt behind it: the
/// latter, whichever of the two the vector gives.
std::string django_own_salt(const json& vector, const std::string& name, const std::string& salt)
{
    if (name.empty() || !salt.starts_with(name))
        return salt;
    const auto codec = dialects::django_signed_cookie(
        secret_of(text(vector, "secret")), at(time_of(vector, "issued_at"), name), salt, true);
    const auto status = codec.verify(text(vector, "cookie")).status;
    return status == funcptr::cookie_status::ok ? salt : salt.substr(name.size());
}

trials django(const json& vector)
{
    const auto mode = text(vector, "mode"), data = payload_of(vector);
    const auto salt = maybe(vector, "salt").value_or("");
    const auto name = maybe(vector, "cookie_name").value_or(maybe(vector, "name").value_or(""));
    const auto verify_name = maybe(vector, "verify_name").value_or(name);
    const bool legacy = text(vector, "cookie").size() - text(vector, "cookie").rfind(':') == 28;
    const auto own_salt = django_own_salt(vector, name, salt);
    const auto make = [=](const std::string& secret, const std::string& under,
                          dialect_options options, bool old) {
        using format = dialects::django_format;
        const auto secrets = secret_of(secret);
        options.name = under;
        if (mode == "session")
            return dialects::django_session(secrets, options, old);
        if (mode.find("cookie") != mode.npos)
            return dialects::django_signed_cookie(secrets, options, own_salt, old);
        format how{.salt = salt, .legacy_sha1 = old};
        if (mode == "Signer")
            how.how = format::form::signer;
        else if (mode == "TimestampSigner")
            how.how = format::form::timestamp;
        else if (mode == "dumps")
            how.how =
                vector.value("compressed", false) ? format::form::compressed : format::form::dumps;
        else
            throw std::runtime_error("unknown mode " + mode);
        return dialects::django(secrets, how, options);
    };
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = data;
    trial.codec = [=](stance how) {
        return make(verifying(vector, "secret"), verify_name, options_for(vector, how, "max_age"),
                    how.peers_bounds);
    };
    if (is_issued(vector) && !legacy)
        trial.issues.push_back(
            {issuing(make(text(vector, "secret"), name, for_issuing(vector), false), data,
                     text(vector, "cookie"))});
    return {trial};
}

/// The keys of an object of version and secret (hex, if the field's name says so).
std::vector<dialects::tornado_key> tornado_keys(const json& vector)
{
    std::vector<dialects::tornado_key> keys;
    for (const auto& [field, value] : vector.items())
        if (value.is_object())
            for (const auto& [version, secret] : value.items()) {
                const auto text = secret.get<std::string>();
                const auto bytes = field.ends_with("_hex") ? from_hex(text) : text;
                keys.push_back({dialect_secret(std::string_view(bytes)),
                                static_cast<std::uint32_t>(std::stoul(version))});
            }
    return keys;
}

trials tornado(const json& vector)
{
    const auto name = text(vector, "cookie_name"), verify_name = verifying(vector, "cookie_name");
    const auto under = maybe(vector, "verify_name").value_or(verify_name);
    const bool old = !text(vector, "cookie").starts_with("2|");
    const bool takes_old = vector.value("min_version", 1) < 2;
    const auto version = vector.value("key_version", 0);
    const auto key = [=](const std::string& secret) {
        return std::vector<dialects::tornado_key>{
            {dialect_secret(std::string_view(secret)), static_cast<std::uint32_t>(version)}};
    };
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = payload_of(vector);
    trial.codec = [=](stance how) {
        auto options = options_for(vector, how, "", under);
        const auto days = vector.value("max_age_days", 31.0);
        options.max_age = std::chrono::seconds(static_cast<std::int64_t>(days * 86400));
        if (old && takes_old && how.peers_bounds)
            return dialects::tornado_v1_unsafe(secret_of(verifying(vector, "secret")), options);
        const auto several = tornado_keys(vector);
        return dialects::tornado(several.empty() ? key(verifying(vector, "secret")) : several,
                                 options);
    };
    if (is_issued(vector) && !old && maybe(vector, "secret"))
        trial.issues.push_back(
            {issuing(dialects::tornado(key(text(vector, "secret")), for_issuing(vector, name)),
                     payload_of(vector), text(vector, "cookie"))});
    return {trial};
}

trials beaker(const json& vector)
{
    const auto make = [](const dialect_secrets& secrets, dialect_options options) {
        return dialects::beaker_legacy_sha1(secrets, std::move(options));
    };
    return {plain(vector, verifiers_in(vector), secrets_in(vector), payload_of(vector), "", make)};
}

trials article(const json& vector)
{
    const auto make = [](const dialect_secrets& secrets, dialect_options options) {
        return dialects::article(secrets, std::move(options));
    };
    return {plain(vector, verifiers_in(vector), secrets_in(vector), payload_of(vector), "", make)};
}

trials fernet(const json& vector)
{
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = payload_of(vector);
    trial.codec = [=](stance how) {
        std::vector<std::string> keys;
        for (const char* name : {"verify_keys_b64", "keys_b64"})
            if (has(vector, name) && keys.empty())
                keys = list(vector, name, false);
        if (keys.empty())
            keys.push_back(verifying(vector, "key_b64"));
        return dialects::fernet(secrets_of(keys), options_for(vector, how, "ttl"));
    };
    if (is_issued(vector)) {
        auto options = for_issuing(vector);
        options.random = [iv = text(vector, "iv")](std::span<std::byte> out) {
            std::copy_n(reinterpret_cast<const std::byte*>(iv.data()), out.size(), out.begin());
        };
        trial.issues.push_back(
            {issuing(dialects::fernet(secret_of(text(vector, "key_b64")), options),
                     payload_of(vector), text(vector, "cookie"))});
    }
    return {trial};
}

// --- Node ---------------------------------------------------------------------------------------

trials cookie_signature(const json& vector)
{
    vector_trial alone, escaped;
    const auto data = payload_of(vector), secret = text(vector, "secret");
    alone.value = text(vector, "signed");
    alone.data = escaped.data = data;
    alone.codec = [=](stance how) {
        return dialects::cookie_signature(secret_of(verifying(vector, "secret")),
                                          options_for(vector, how, ""));
    };
    if (is_issued(vector))
        alone.issues.push_back(
            {issuing(dialects::cookie_signature(secret_of(secret), for_issuing(vector)), data,
                     alone.value)});
    if (!has(vector, "express_cookie_value"))
        return {alone};
    escaped.value = text(vector, "express_cookie_value");
    escaped.codec = [=](stance how) {
        return dialects::express(secret_of(verifying(vector, "secret")),
                                 options_for(vector, how, ""));
    };
    if (is_issued(vector))
        escaped.issues.push_back({issuing(dialects::express(secret_of(secret), for_issuing(vector)),
                                          data, escaped.value)});
    return {alone, escaped};
}

trials keygrip(const json& vector)
{
    const auto whole = text(vector, "data"), digest = text(vector, "digest");
    const auto equals = whole.find('=');
    const auto name = whole.substr(0, equals), value = whole.substr(equals + 1);
    const auto keys = list(vector, "keys_newest_first", false);
    const auto make = [=](const std::vector<std::string>& secrets, dialect_options options) {
        options.name = name;
        return dialects::keygrip(secrets_of(secrets), std::move(options),
                                 hash_of(vector, "algorithm", "sha1"),
                                 vector.value("encoding", "base64") == "hex");
    };
    vector_trial trial;
    trial.value = value;
    trial.signature = digest;
    trial.data = value;
    trial.codec = [=](stance how) { return make(keys, options_for(vector, how, "")); };
    if (is_issued(vector)) {
        trial.issues.emplace_back();
        for (const auto& key : keys)
            trial.issues.back().push_back({[codec = make({key}, for_issuing(vector)), value] {
                                               return codec.signature_of(value);
                                           },
                                           digest});
    }
    return {trial};
}

/// The value of "name=value; path=/".
std::string set_value(const json& line)
{
    const auto whole = line.get<std::string>();
    const auto equals = whole.find('=');
    return whole.substr(equals + 1, whole.find(';') - equals - 1);
}

trials cookie_session(const json& vector)
{
    const auto name = text(vector, "cookie_name"), data = payload_of(vector);
    const auto keys = list(vector, "keys_newest_first", false);
    const auto make = [=](const std::vector<std::string>& secrets, dialect_options options) {
        options.name = name;
        return dialects::cookie_session(secrets_of(secrets), std::move(options));
    };
    vector_trial trial;
    trial.header = text(vector, "cookie_header");
    trial.data = data;
    trial.codec = [=](stance how) { return make(keys, options_for(vector, how, "")); };
    if (vector["set_cookie"].size() >= 2) {
        const auto value = set_value(vector["set_cookie"][0]);
        const auto signature = set_value(vector["set_cookie"][1]);
        trial.issues.push_back({issuing(make(keys, for_issuing(vector)), data, value)});
        // Of one that is refused, and was not altered, the key is not here.
        const auto kind = vector.value("kind", "");
        const bool ours = vector.value("peer_verdict", "reject") == "accept"
                          || kind.find("tamper") != kind.npos || kind.find("truncat") != kind.npos;
        if (ours)
            trial.issues.emplace_back();
        for (const auto& key : ours ? keys : std::vector<std::string>())
            trial.issues.back().push_back({[codec = make({key}, for_issuing(vector)), value] {
                                               return codec.signature_of(value);
                                           },
                                           signature});
        // What the peer signs again by itself is what the current key signs.
        for (const auto& again : vector.value("resigns", json::array()))
            if (!set_value(again).empty())
                trial.issues.push_back({{[codec = make(keys, for_issuing(vector)), value] {
                                             return codec.signature_of(value);
                                         },
                                         set_value(again)}});
    }
    return {trial};
}

trials iron_session(const json& vector)
{
    const auto cookie = text(vector, "cookie");
    const auto star = cookie.find('*');
    auto id =
        star == cookie.npos ? "1" : cookie.substr(star + 1, cookie.find('*', star + 1) - star - 1);
    if (id.empty())
        id = "1";
    vector_trial trial;
    trial.value = cookie;
    trial.data = payload_of(vector);
    trial.codec = [=](stance how) {
        std::vector<dialects::iron_password> passwords;
        for (const char* name : {"verify_passwords", "passwords"})
            if (has(vector, name) && passwords.empty())
                for (const auto& [key, secret] : vector[name].items())
                    passwords.push_back(
                        {dialect_secret(std::string_view(secret.get_ref<const std::string&>())),
                         key});
        if (passwords.empty())
            passwords.push_back(
                {dialect_secret(std::string_view(verifying(vector, "password"))), id});
        return dialects::iron_session(passwords, options_for(vector, how, ""));
    };
    return {trial};
}

// --- Go -----------------------------------------------------------------------------------------

trials gorilla(const json& vector)
{
    const auto make = [=](const std::string& hash_key, const std::string& block_key,
                          dialect_options options) {
        dialects::gorilla_keys keys{dialect_secret(std::string_view(hash_key))};
        if (!block_key.empty())
            keys.block_key = dialect_secret(std::string_view(block_key));
        return dialects::gorilla({keys}, std::move(options),
                                 {.hash = hash_of(vector, "digest", "sha256"),
                                  .min_age = std::chrono::seconds(vector.value("min_age", 0))});
    };
    const auto block_key = maybe(vector, "block_key").value_or("");
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = payload_of(vector);
    trial.codec = [=](stance how) {
        return make(
            verifying(vector, "hash_key"), maybe(vector, "verify_block_key").value_or(block_key),
            options_for(vector, how, "max_age",
                        maybe(vector, "verify_name").value_or(text(vector, "cookie_name"))));
    };
    if (is_issued(vector))
        trial.issues.push_back({issuing(make(text(vector, "hash_key"), block_key,
                                             for_issuing(vector, text(vector, "cookie_name"))),
                                        payload_of(vector), text(vector, "cookie"))});
    return {trial};
}

// --- Ruby ---------------------------------------------------------------------------------------

std::vector<std::string> ruby_verifiers(const json& vector)
{
    if (has(vector, "verify_secrets_newest_first"))
        return list(vector, "verify_secrets_newest_first", false);
    return {verifying(vector, "secret")};
}

dialects::rails_format rails_format_of(const json& vector, bool release_7_1, stance how)
{
    using format = dialects::rails_format;
    format made;
    made.hash = hash_of(vector, "digest", release_7_1 ? "sha256" : "sha1");
    made.purpose = maybe(vector, vector.contains("verify_purpose") ? "verify_purpose" : "purpose");
    made.url_safe = vector.value("url_safe", false);
    if (release_7_1 && !vector.value("legacy_envelope", false))
        made.wrap = format::envelope::data;
    made.unsafe_marshal = how.peers_bounds;
    made.trailing_junk = !release_7_1;
    return made;
}

funcptr::issue_facts rails_facts(const json& vector)
{
    funcptr::issue_facts facts;
    if (has(vector, "expires_at"))
        facts.lifetime = std::chrono::duration_cast<std::chrono::seconds>(
            time_of(vector, "expires_at") - time_of(vector, "issued_at"));
    return facts;
}

/// A cookie of Rails, of a secret_key_base. release_7_1: the defaults are SHA-256.
trials rails_cookie(const json& vector, bool encrypted, bool release_7_1)
{
    const auto name = text(vector, "cookie_name");
    const auto under = maybe(vector, "verify_name").value_or(name);
    std::string escaped; // as it stands in a header
    for (const char c : text(vector, "cookie"))
        escaped += c == '+' ? "%2B" : c == '/' ? "%2F" : c == '=' ? "%3D" : std::string(1, c);
    const std::string usual = release_7_1 ? "sha256" : "sha1";
    const dialects::rails_cookie_format format{
        .hash = hash_of(vector, "digest", usual),
        .key_hash =
            hash_of(vector, has(vector, "key_digest") ? "key_digest" : "kdf_digest", usual)};
    vector_trial trial;
    trial.value = escaped;
    trial.data = maybe(vector, "serialized");
    trial.codec = [=](stance how) {
        auto options = options_for(vector, how, "", under);
        auto marshal = format;
        marshal.unsafe_marshal = how.peers_bounds;
        const auto secrets = secret_of(verifying(vector, "secret_key_base"));
        return encrypted ? dialects::rails_encrypted_cookie(secrets, options, marshal)
                         : dialects::rails_signed_cookie(secrets, options, marshal);
    };
    return {trial};
}

trials rails_verifier(const json& vector, bool release_7_1)
{
    if (maybe(vector, "secret_key_base"))
        return rails_cookie(vector, false, release_7_1);
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = maybe(vector, "serialized");
    trial.codec = [=](stance how) {
        return dialects::rails_verifier(secrets_of(ruby_verifiers(vector)),
                                        rails_format_of(vector, release_7_1, how),
                                        options_for(vector, how, ""));
    };
    if (is_issued(vector) && trial.data) {
        auto format = rails_format_of(vector, release_7_1, {true, true});
        format.purpose = maybe(vector, "purpose");
        trial.issues.push_back({issuing(dialects::rails_verifier(secret_of(text(vector, "secret")),
                                                                 format, for_issuing(vector)),
                                        *trial.data, text(vector, "cookie"), rails_facts(vector))});
    }
    return {trial};
}

trials rails_encryptor(const json& vector)
{
    if (maybe(vector, "secret_key_base"))
        return rails_cookie(vector, true, false);
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = maybe(vector, "serialized");
    trial.codec = [=](stance how) {
        return dialects::rails_encryptor(secret_of(verifying(vector, "key")),
                                         rails_format_of(vector, false, how),
                                         options_for(vector, how, ""));
    };
    return {trial};
}

trials rack_legacy(const json& vector)
{
    trials made;
    for (const bool escaped : {false, true}) {
        const std::string field = escaped ? "cookie_escaped" : "cookie";
        if (!has(vector, field))
            continue;
        const auto make = [=](const std::vector<std::string>& secrets, dialect_options options,
                              bool marshal) {
            return dialects::rack_legacy_sha1(secrets_of(secrets), std::move(options),
                                              {.hash = hash_of(vector, "digest", "sha1"),
                                               .unsafe_marshal = marshal,
                                               .escaped = escaped});
        };
        vector_trial trial;
        trial.value = text(vector, field);
        trial.data = payload_of(vector);
        trial.codec = [=](stance how) {
            return make(ruby_verifiers(vector), options_for(vector, how, ""), how.peers_bounds);
        };
        if (is_issued(vector))
            trial.issues.push_back(
                {issuing(make({text(vector, "secret")}, for_issuing(vector), true),
                         payload_of(vector), text(vector, field))});
        made.push_back(trial);
    }
    return made;
}

trials rack_session(const json& vector)
{
    vector_trial trial;
    trial.value = text(vector, "cookie");
    trial.data = payload_of(vector);
    trial.codec = [=](stance how) {
        dialects::rack_format format;
        format.escaped = false;
        format.unsafe_marshal = how.peers_bounds;
        format.purpose = vector.contains("verify_purpose")
                             ? maybe(vector, "verify_purpose").value_or("")
                             : maybe(vector, "purpose").value_or("");
        return dialects::rack_session(secret_of(verifying(vector, "key")), format,
                                      options_for(vector, how, ""));
    };
    return {trial};
}

} // namespace

std::vector<vector_trial> trials_of(const std::string& peer, const json& vector)
{
    using maker = std::function<trials(const json&)>;
    const std::map<std::string, maker> makers{
        {"itsdangerous", itsdangerous},
        {"flask", flask},
        {"starlette", starlette},
        {"webob", webob},
        {"pyramid", pyramid},
        {"django", django},
        {"tornado", tornado},
        {"beaker", beaker},
        {"funcptr-article", article},
        {"fernet", fernet},
        {"cookie-signature", cookie_signature},
        {"keygrip", keygrip},
        {"cookie-session", cookie_session},
        {"iron-session", iron_session},
        {"gorilla-securecookie", gorilla},
        {"rails-message-verifier", [](const json& v) { return rails_verifier(v, false); }},
        {"rails71-message-verifier", [](const json& v) { return rails_verifier(v, true); }},
        {"rails-message-encryptor", rails_encryptor},
        {"rack-session-cookie", rack_legacy},
        {"rack-session", rack_session}};
    const auto found = makers.find(peer);
    if (found == makers.end())
        throw std::runtime_error("no dialect for " + peer);
    return found->second(vector);
}

} // namespace test

#endif
