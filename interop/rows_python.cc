// SPDX-License-Identifier: MIT
#include <map>

#include "row.h"

namespace interop {
namespace {

namespace dialects = funcptr::dialects;
using funcptr::dialect_options;

row itsdangerous(const std::string& form, row::content holds)
{
    using format = dialects::itsdangerous_format;
    static const std::map<std::string, format::form> forms{
        {"signer", format::form::signer},
        {"timestamp", format::form::timestamp},
        {"url_safe", format::form::url_safe},
        {"url_safe_timed", format::form::url_safe_timed}};
    static const std::map<std::string, format::derivation> derivations{
        {"django_concat", format::derivation::django_concat},
        {"concat", format::derivation::concat},
        {"hmac", format::derivation::hmac},
        {"none", format::derivation::none}};
    const bool timed = form == "timestamp" || form == "url_safe_timed";
    return {
        .dialect = "itsdangerous",
        .variant = "itsdangerous_" + form,
        .holds = holds,
        .compresses = holds == row::content::any,
        .limit = timed ? row::time::age : row::time::none,
        .may_last = true,
        .draw_more =
            [form](draw& random, json& question) {
                question["form"] = form;
                question["derivation"] = random.one_of({"django_concat", "concat", "hmac", "none"});
                question["hash"] = random.one_of({"sha1", "sha256", "sha384", "sha512"});
                question["salt"] = random.text(random.size(1, 20));
                question["separator"] = random.one_of({".", ":", "!", "~", "||"});
            },
        .ours =
            [](const json& question, dialect_options options) {
                return dialects::itsdangerous(secrets_of(question),
                                              {.how = forms.at(question["form"]),
                                               .salt = question["salt"],
                                               .key = derivations.at(question["derivation"]),
                                               .hash = hash_of(question),
                                               .separator = question["separator"]},
                                              std::move(options));
            }};
}

std::vector<row> pallets()
{
    return {
        itsdangerous("signer", row::content::text),
        itsdangerous("timestamp", row::content::text),
        itsdangerous("url_safe", row::content::any),
        itsdangerous("url_safe_timed", row::content::any),
        {.dialect = "flask",
         .holds = row::content::object,
         .most_secrets = 1,
         .compresses = true,
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::flask(secrets_of(question), std::move(options));
             }},
        {.dialect = "starlette",
         .holds = row::content::object,
         .keys = row::secret::text,
         .most_secrets = 1,
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::starlette(secrets_of(question), std::move(options));
             }},
    };
}

std::vector<row> pylons()
{
    return {
        {.dialect = "webob",
         .holds = row::content::any,
         .keys = row::secret::ascii, // it takes another encoding for others
         .most_secrets = 1,
         .limit = row::time::none,
         .draw_more =
             [](draw& random, json& question) {
                 question["salt"] = random.ascii(random.size(0, 20));
                 question["hash"] = random.one_of({"sha512", "sha256", "sha1"});
             },
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::webob(secrets_of(question), question["salt"], std::move(options),
                                        hash_of(question));
             }},
        {.dialect = "pyramid",
         .holds = row::content::object,
         .keys = row::secret::ascii,
         .most_secrets = 1,
         .draw_more =
             [](draw& random, json& question) {
                 question["salt"] =
                     random.once_in(2) ? "pyramid.session." : random.ascii(random.size(1, 20));
                 question["hash"] = random.one_of({"sha512", "sha256"});
                 // Halves and so on down, which every floating point holds exactly.
                 const double age = static_cast<double>(random.number(0, 1 << 20)) / 64;
                 question["created"] = question["now"].get<double>() - age;
             },
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::pyramid(secrets_of(question), std::move(options),
                                          question["salt"], hash_of(question));
             }},
        {.dialect = "beaker_legacy_sha1",
         .holds = row::content::octets,
         .keys = row::secret::text,
         .most_secrets = 1,
         .limit = row::time::none,
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::beaker_legacy_sha1(secrets_of(question), std::move(options));
             }},
    };
}

row django(const std::string& form, row::content holds)
{
    using format = dialects::django_format;
    static const std::map<std::string, format::form> forms{
        {"signer", format::form::signer},
        {"timestamp", format::form::timestamp},
        {"dumps", format::form::dumps},
        {"compressed", format::form::compressed}};
    return {.dialect = "django",
            .variant = "django_" + form,
            .holds = holds,
            .most_secrets = 1,
            .compresses = form == "compressed",
            .ascii_json = true,
            .limit = form == "signer" ? row::time::none : row::time::age,
            .may_last = true,
            .draw_more =
                [form](draw& random, json& question) {
                    question["form"] = form;
                    question["salt"] = random.text(random.size(1, 20));
                },
            .ours =
                [](const json& question, dialect_options options) {
                    return dialects::django(secrets_of(question),
                                            {.how = forms.at(question["form"]),
                                             .salt = question["salt"],
                                             .legacy_sha1 = question.value("legacy_sha1", false)},
                                            std::move(options));
                }};
}

/// What Django before 3.1 wrote, and 3.2 when it is told to: we read it and do not write it. Then
/// that one does not read what we write.
row django_legacy()
{
    row made = django("timestamp", row::content::text);
    made.variant = "django_legacy_sha1";
    made.deterministic = false;
    made.issues = false;
    made.draw_more = [more = made.draw_more](draw& random, json& question) {
        more(random, question);
        question["legacy_sha1"] = true;
    };
    return made;
}

std::vector<row> django_rows()
{
    return {
        django("signer", row::content::text),
        django("timestamp", row::content::text),
        django("dumps", row::content::any),
        django("compressed", row::content::any),
        django_legacy(),
        {.dialect = "django_session",
         .holds = row::content::object,
         .most_secrets = 1,
         .compresses = true,
         .ascii_json = true,
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::django_session(secrets_of(question), std::move(options));
             }},
        {.dialect = "django_signed_cookie",
         .holds = row::content::text,
         .most_secrets = 1,
         .may_last = true,
         .binds_name = true,
         .draw_more = [](draw& random,
                         json& question) { question["salt"] = random.text(random.size(0, 20)); },
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::django_signed_cookie(secrets_of(question), std::move(options),
                                                       question["salt"]);
             }},
    };
}

std::vector<row> tornado_rows()
{
    return {
        {.dialect = "tornado",
         .age_unit = 86400, // it counts in days
         .binds_name = true,
         .draw_more =
             [](draw& random, json& question) {
                 const auto secrets = question["secrets"].size();
                 if (secrets == 1 && random.once_in(2))
                     return;
                 std::int64_t version = 0;
                 for (std::size_t i = 0; i < secrets; ++i)
                     question["key_versions"].push_back(version += random.number(1, 1000));
             },
         .ours =
             [](const json& question, dialect_options options) {
                 std::vector<dialects::tornado_key> keys;
                 for (const auto& secret : all_secrets(question))
                     keys.push_back(
                         {.secret = secret,
                          .version =
                              question.contains("key_versions")
                                  ? question["key_versions"][keys.size()].get<std::uint32_t>()
                                  : 0});
                 return dialects::tornado(std::move(keys), std::move(options));
             }},
        {.dialect = "tornado_v1_unsafe",
         .most_secrets = 1,
         .age_unit = 86400,
         .binds_name = true,
         .issues = false,
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::tornado_v1_unsafe(secrets_of(question), std::move(options));
             }},
    };
}

row fernet()
{
    return {.dialect = "fernet",
            .shortest_secret = 32,
            .longest_secret = 32,
            .may_last = true,
            .deterministic = false,
            .draw_more =
                [](draw& random, json& question) {
                    // 32 random bytes in base64url; of the last character two bits are unused.
                    constexpr std::string_view alphabet =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                    for (auto& secret : question["secrets"])
                        secret = to_hex(random.of(alphabet, 42) + random.of("AEIMQUYcgkosw048", 1)
                                        + '=');
                },
            .ours =
                [](const json& question, dialect_options options) {
                    return dialects::fernet(secrets_of(question), std::move(options));
                }};
}

} // namespace

std::vector<row> python_rows()
{
    std::vector<row> all;
    for (const auto& rows : {pallets(), pylons(), django_rows(), tornado_rows()})
        all.insert(all.end(), rows.begin(), rows.end());
    all.push_back(fernet());
    return all;
}

} // namespace interop
