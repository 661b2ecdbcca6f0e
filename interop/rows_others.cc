// SPDX-License-Identifier: MIT
#include <algorithm>

#include "row.h"

namespace interop {
namespace {

namespace dialects = funcptr::dialects;
using funcptr::dialect_options;

// --- Node ----------------------------------------------------------------------------------------

row cookie_signature()
{
    return {.dialect = "cookie_signature",
            .peer = language::node,
            .holds = row::content::text,
            .keys = row::secret::text,
            .most_secrets = 1,
            .limit = row::time::none,
            .ours = [](const json& question, dialect_options options) {
                return dialects::cookie_signature(secrets_of(question), std::move(options));
            }};
}

row express()
{
    return {.dialect = "express",
            .peer = language::node,
            .holds = row::content::decided,
            .keys = row::secret::text,
            .limit = row::time::none,
            .draw_more =
                [](draw& random, json& question) {
                    // Escaped for URLs, a character may become twelve.
                    if (random.once_in(2))
                        question["value"] = random.object(2, random.size(1, 5));
                    else
                        question["data"] = to_hex(random.text(random.size(0, 300)));
                },
            .ours =
                [](const json& question, dialect_options options) {
                    return dialects::express(secrets_of(question), std::move(options));
                },
            .serialized =
                [](draw&, const json& question) {
                    return question.contains("value")
                               ? "j:" + question["value"].dump()
                               : from_hex(question["data"].get<std::string>());
                }};
}

std::vector<row> keygrip_rows()
{
    const auto any_hash = [](draw& random, json& question) {
        question["hash"] = random.one_of({"sha1", "sha256", "sha512"});
        question["hex"] = random.once_in(3);
    };
    return {
        {.dialect = "keygrip",
         .peer = language::node,
         .holds = row::content::octets,
         .keys = row::secret::text,
         .limit = row::time::none,
         .binds_name = true,
         .draw_more = any_hash,
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::keygrip(secrets_of(question), std::move(options),
                                          hash_of(question), question["hex"]);
             }},
        {.dialect = "cookie_session",
         .peer = language::node,
         .holds = row::content::object,
         .keys = row::secret::text,
         .limit = row::time::none,
         .binds_name = true,
         .draw_more = any_hash,
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::cookie_session(secrets_of(question), std::move(options),
                                                 hash_of(question));
             }},
    };
}

row iron_session()
{
    return {.dialect = "iron_session",
            .peer = language::node,
            .holds = row::content::object,
            .keys = row::secret::ascii,
            .shortest_secret = 32,
            .limit = row::time::lifetime,
            .grace = 59, // it holds until 60 s after its expiry, and at that second no more
            .deterministic = false,
            .draw_more =
                [](draw& random, json& question) {
                    // The package signs with the highest number, and JavaScript sorts numbers.
                    const auto secrets = static_cast<std::int64_t>(question["secrets"].size());
                    const auto base = random.number(1, 100);
                    for (std::int64_t i = 0; i < secrets; ++i)
                        question["password_ids"].push_back(std::to_string(base + secrets - i));
                },
            .ours =
                [](const json& question, dialect_options options) {
                    std::vector<dialects::iron_password> passwords;
                    for (const auto& secret : all_secrets(question))
                        passwords.push_back(
                            {.secret = secret, .id = question["password_ids"][passwords.size()]});
                    return dialects::iron_session(std::move(passwords), std::move(options));
                }};
}

// --- Go ------------------------------------------------------------------------------------------

row gorilla(bool encrypted)
{
    return {.dialect = "gorilla",
            .peer = language::go,
            .variant = encrypted ? "gorilla_encrypted" : "gorilla",
            .holds = row::content::decided,
            .binds_name = true,
            .deterministic = !encrypted,
            .draw_more =
                // Encrypted, nothing at all is no value to it.
            [encrypted, least = std::size_t{encrypted}](draw& random, json& question) {
                question["hash"] = random.one_of({"sha256", "sha1", "sha384", "sha512"});
                for (std::size_t i = 0; i < question["secrets"].size(); ++i)
                    question["block_keys"].push_back(
                        encrypted ? to_hex(random.bytes(random.one_of<std::size_t>({16, 24, 32})))
                                  : "");
                question["as_json"] = random.once_in(2);
                if (question["as_json"])
                    question["value"] = random.object(3, random.size(0, 6));
                else
                    question["data"] = to_hex(random.bytes(random.size(least, 1500)));
            },
            .ours =
                [](const json& question, dialect_options options) {
                    std::vector<dialects::gorilla_keys> keys;
                    for (const auto& secret : all_secrets(question)) {
                        const auto block =
                            from_hex(question["block_keys"][keys.size()].get<std::string>());
                        keys.push_back({.hash_key = secret});
                        if (!block.empty())
                            keys.back().block_key = funcptr::dialect_secret(block);
                    }
                    return dialects::gorilla(std::move(keys), std::move(options),
                                             {.hash = hash_of(question)});
                },
            .serialized =
                [](draw&, const json& question) {
                    return question["as_json"] ? question["value"].dump() + '\n'
                                               : from_hex(question["data"].get<std::string>());
                }};
}

// --- Ruby ----------------------------------------------------------------------------------------

void some_purpose(draw& random, json& question)
{
    question["purpose"] = random.once_in(2) ? json() : json(random.text(random.size(0, 12)));
}

dialects::rails_format rails_format_of(const json& question)
{
    dialects::rails_format made{.hash = hash_of(question)};
    if (!question["purpose"].is_null())
        made.purpose = question["purpose"].get<std::string>();
    return made;
}

std::vector<row> rails_messages()
{
    return {
        {.dialect = "rails_verifier",
         .peer = language::ruby,
         .holds = row::content::object, // false and nil are its refusals
         .limit = row::time::lifetime,
         .grace = -1, // at its expiry it is no longer valid
         .may_last = true,
         .draw_more =
             [](draw& random, json& question) {
                 question["hash"] = random.one_of({"sha1", "sha256", "sha512"});
                 some_purpose(random, question);
             },
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::rails_verifier(secrets_of(question), rails_format_of(question),
                                                 std::move(options));
             }},
        {.dialect = "rails_encryptor",
         .peer = language::ruby,
         .holds = row::content::object, // the same
         .shortest_secret = 32,
         .longest_secret = 32,
         .limit = row::time::lifetime,
         .grace = -1, // at its expiry it is no longer valid
         .may_last = true,
         .deterministic = false,
         .draw_more =
             [](draw& random, json& question) {
                 question["hash"] = "sha1";
                 some_purpose(random, question);
             },
         .ours =
             [](const json& question, dialect_options options) {
                 return dialects::rails_encryptor(secrets_of(question), rails_format_of(question),
                                                  std::move(options));
             }},
    };
}

row rails_cookie(bool encrypted)
{
    return {.dialect = encrypted ? "rails_encrypted_cookie" : "rails_signed_cookie",
            .peer = language::ruby,
            .holds = row::content::object,
            .most_content = 900,
            .limit = row::time::lifetime,
            .grace = -1,
            .may_last = true,
            .binds_name = true,
            .deterministic = !encrypted,
            .draw_more =
                [](draw& random, json& question) {
                    question["hash"] = random.one_of({"sha1", "sha256"});
                },
            .ours =
                [encrypted](const json& question, dialect_options options) {
                    const dialects::rails_cookie_format format{
                        .hash = hash_of(question), .key_hash = funcptr::cookie_hash::sha1};
                    const auto make = encrypted ? dialects::rails_encrypted_cookie
                                                : dialects::rails_signed_cookie;
                    return make(secrets_of(question), std::move(options), format);
                }};
}

row rack()
{
    return {.dialect = "rack_legacy_sha1",
            .peer = language::ruby,
            .holds = row::content::object,
            .most_secrets = 2,
            .limit = row::time::none,
            .added = "session_id",
            .drops_null = true,
            .draw_more =
                [](draw& random, json& question) {
                    question["hash"] = random.one_of({"sha1", "sha256", "sha512"});
                },
            .ours =
                [](const json& question, dialect_options options) {
                    return dialects::rack_legacy_sha1(secrets_of(question), std::move(options),
                                                      {.hash = hash_of(question)});
                },
            .serialized =
                [](draw& random, const json& question) {
                    // Without one it is no session to Rack.
                    json session = question["value"];
                    session["session_id"] = to_hex(random.bytes(32));
                    return session.dump();
                }};
}

} // namespace

std::vector<row> node_rows()
{
    std::vector<row> all{cookie_signature(), express(), iron_session()};
    const auto signed_apart = keygrip_rows();
    all.insert(all.end(), signed_apart.begin(), signed_apart.end());
    return all;
}

std::vector<row> go_rows()
{
    return {gorilla(false), gorilla(true)};
}

std::vector<row> ruby_rows()
{
    std::vector<row> all{rails_cookie(false), rails_cookie(true), rack()};
    const auto messages = rails_messages();
    all.insert(all.end(), messages.begin(), messages.end());
    return all;
}

// --- what the rows share -------------------------------------------------------------------------

std::vector<funcptr::dialect_secret> all_secrets(const json& question)
{
    std::vector<funcptr::dialect_secret> all;
    for (const auto& secret : question["secrets"])
        all.emplace_back(from_hex(secret.get<std::string>()));
    return all;
}

funcptr::dialect_secrets secrets_of(const json& question)
{
    return all_secrets(question);
}

funcptr::cookie_hash hash_of(const json& question)
{
    const std::string name = question["hash"];
    if (name == "sha1")
        return funcptr::cookie_hash::sha1;
    if (name == "sha256")
        return funcptr::cookie_hash::sha256;
    if (name == "sha384")
        return funcptr::cookie_hash::sha384;
    return funcptr::cookie_hash::sha512;
}

} // namespace interop
