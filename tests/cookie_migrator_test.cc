// SPDX-License-Identifier: MIT

#include "funcptr/cookie_migrator.h"

#include "funcptr/cookie_dialects.h"

#include "support/every_dialect.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace {

using namespace std::chrono_literals;
namespace dialects = funcptr::dialects;
using funcptr::cookie_migrator;
using funcptr::cookie_status;
using funcptr::dialect_options;
using funcptr::dialect_secret;

const dialect_secret secret("a-32-byte-or-longer-secret-key-0123456789");
const std::string json = R"({"user":42})";

dialect_options at(std::chrono::seconds offset, std::string name = {})
{
    dialect_options options;
    options.name = std::move(name);
    options.clock = [offset] { return test::dialects_start + offset; };
    return options;
}

funcptr::signed_cookie ours()
{
    return funcptr::signed_cookie("sid", funcptr::keyring::generate(),
                                  {.clock = [] { return test::dialects_start; }});
}

TEST(CookieMigrator, ReadsAllAndIssuesTheFirst)
{
    const auto native = ours();
    const auto flask = dialects::flask(secret, at(0s));
    const auto keygrip = dialects::cookie_session(secret, at(0s, "koa"));
    const cookie_migrator all({dialects::native(native), flask, keygrip});

    const auto first = all.verify("sid=" + native.sign(json));
    EXPECT_EQ(first.data, json);
    EXPECT_EQ(first.index, 0U);
    EXPECT_FALSE(first.reissue);

    const auto second = all.verify("a=b; session=" + flask.sign(json));
    EXPECT_EQ(second.data, json);
    EXPECT_EQ(second.index, 1U);
    EXPECT_TRUE(second.reissue);
    EXPECT_EQ(second.advice, "of another format: send a fresh one");

    const auto value = keygrip.sign(json);
    const auto third = all.verify("koa=" + value + "; koa.sig=" + keygrip.signature_of(value));
    EXPECT_EQ(third.data, json);
    EXPECT_EQ(third.index, 2U);

    EXPECT_TRUE(native.verify(all.sign(json)));
    EXPECT_TRUE(native.verify(all.sign(json, {.lifetime = 1h})));
}

TEST(CookieMigrator, MovesWhatWasReadableToASealedCookie)
{
    const auto keys = funcptr::keyring::generate();
    const funcptr::signed_cookie readable("sid", keys,
                                          {.clock = [] { return test::dialects_start; }});
    const funcptr::sealed_cookie sealed("sid", keys,
                                        {.clock = [] { return test::dialects_start; }});
    const cookie_migrator both({dialects::sealed(sealed), dialects::native(readable)});

    const auto old = both.verify("sid=" + readable.sign(json));
    EXPECT_EQ(old.data, json);
    EXPECT_TRUE(old.reissue);
    const auto fresh = both.sign(json, {.lifetime = 1h});
    EXPECT_EQ(sealed.open(fresh).data, json);
    const auto verdict = both.verify("sid=" + fresh);
    EXPECT_EQ(verdict.data, json);
    EXPECT_EQ(verdict.index, 0U);
    EXPECT_EQ(verdict.expires, test::dialects_start + 1h);

    const auto open = both.all().front().explain(fresh);
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.front().name, "format");
    for (const auto& field : open)
        EXPECT_EQ(field.value.find("user"), std::string::npos) << field.name;
    EXPECT_TRUE(both.all().front().explain(readable.sign(json)).empty());
}

TEST(CookieMigrator, LaysASealedCookieOpenAsFarAsItCanBeSeen)
{
    const auto codec =
        dialects::sealed(funcptr::sealed_cookie("sid", funcptr::keyring::generate()));
    const auto value = codec.sign(json);
    const auto fields = codec.explain(value);
    ASSERT_EQ(fields.size(), 8U);
    EXPECT_EQ(fields[1].value, "AES-256-GCM");
    EXPECT_EQ(fields[2].value, value.substr(3, 8));
    EXPECT_EQ(fields[4].value.size(), 24U); // the salt, as hex
    EXPECT_EQ(codec.explain("e1." + json).size(), 0U);
    EXPECT_EQ(codec.explain(value.substr(0, 40)).size(), 0U);
    EXPECT_EQ(codec.explain(ours().sign(json)).size(), 0U);
}

TEST(CookieMigrator, PrefersTheFirstWhenSeveralVerify)
{
    const auto native = ours();
    const auto flask = dialects::flask(secret, at(0s));
    const cookie_migrator both({dialects::native(native), flask});
    const auto verdict =
        both.verify("session=" + flask.sign("old") + "; sid=" + native.sign("new"));
    EXPECT_EQ(verdict.data, "new");
    EXPECT_EQ(verdict.index, 0U);
}

TEST(CookieMigrator, MovesFromOneSaltAndNameToAnother)
{
    const auto format = [](const char* salt) {
        return dialects::itsdangerous_format{.salt = salt};
    };
    const auto older = dialects::itsdangerous(secret, format("v1"), at(0s, "old"));
    const auto newer = dialects::itsdangerous(secret, format("v2"), at(0s, "new"));
    const cookie_migrator both({newer, older});
    EXPECT_EQ(both.verify("old=" + older.sign(json)).index, 1U);
    EXPECT_FALSE(both.verify("new=" + older.sign(json)));
    EXPECT_TRUE(newer.verify(both.sign(json)));
}

TEST(CookieMigrator, TellsTheMostThatIsKnown)
{
    const auto native = ours();
    const cookie_migrator both({dialects::native(native), dialects::flask(secret, at(24h * 40))});
    EXPECT_EQ(both.verify("a=b").status, cookie_status::missing);
    EXPECT_EQ(both.verify("session=x").status, cookie_status::malformed);
    EXPECT_EQ(both.verify("sid=x").status, cookie_status::malformed);
    const auto expired = dialects::flask(secret, at(0s)).sign(json);
    const auto verdict = both.verify("sid=x; session=" + expired);
    EXPECT_EQ(verdict.status, cookie_status::expired);
    EXPECT_EQ(verdict.index, 1U);
    EXPECT_TRUE(verdict.data.empty());
    EXPECT_EQ(both.verify("session=" + expired, {.bytes = 8}).status, cookie_status::too_long);
}

TEST(CookieMigrator, RefusesNoneTooManyAndAnIssuerThatDoesNotIssue)
{
    const auto flask = dialects::flask(secret);
    const auto old = dialects::tornado_v1_unsafe(secret, at(0s, "user"));
    EXPECT_THROW(cookie_migrator({}), std::invalid_argument);
    EXPECT_THROW(cookie_migrator(std::vector<funcptr::cookie_dialect>(17, flask)),
                 std::invalid_argument);
    EXPECT_THROW(cookie_migrator({old, flask}), std::invalid_argument);
    EXPECT_EQ(cookie_migrator({flask, old}).all().size(), 2U);
}

} // namespace
