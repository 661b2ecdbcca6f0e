// SPDX-License-Identifier: MIT
//
// What holds for all dialects, and the faults of the peers that ours must not have. What each peer
// issues is in cookie_vectors_test.cc.

#include "funcptr/cookie_dialects.h"

#include "support/every_dialect.h"

#include <gtest/gtest.h>

#include <openssl/evp.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>

namespace {

using namespace std::chrono_literals;
namespace dialects = funcptr::dialects;
using funcptr::cookie_dialect;
using funcptr::cookie_status;
using funcptr::dialect_options;
using funcptr::dialect_secret;
using funcptr::dialect_secrets;
using std::chrono::system_clock;
using test::every_dialect;
using test::issue;
using test::some_dialect;
using test::verify;

const auto start = test::dialects_start;
const dialect_secret secret("a-32-byte-or-longer-secret-key-0123456789");
const dialect_secret retired("the-secret-of-last-year-0123456789-abcdef");
const dialect_secret long_secret(std::string(70, 'k'));
const dialect_secret key_32(std::string(32, 'k'));
const dialect_secret fernet_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
const std::string json = R"({"user":42})";

/// At start + offset.
dialect_options at(std::chrono::milliseconds offset, std::string name = {})
{
    dialect_options options;
    options.name = std::move(name);
    options.clock = [offset] { return start + offset; };
    return options;
}
dialect_options named(std::string name)
{
    return at(0ms, std::move(name));
}

std::string label(const some_dialect& one)
{
    return one.codec.dialect() + " " + issue(one).value;
}

// --- all ----------------------------------------------------------------------------------------

TEST(CookieDialects, WhatIsIssuedVerifiesAndCarriesTheData)
{
    for (const auto& one : every_dialect()) {
        const auto verdict = verify(one.codec, issue(one));
        EXPECT_EQ(verdict.status, cookie_status::ok) << label(one) << ": " << verdict.reason;
        EXPECT_EQ(verdict.data, one.data) << label(one);
        EXPECT_EQ(verdict.size, one.data.size());
        EXPECT_EQ(verdict.key_index, 0U);
        EXPECT_EQ(verdict.reason, "ok");
    }
}

/// Whether nothing but the cookie itself verifies.
void expect_refused(const some_dialect& one, test::issued_cookie altered, const char* how)
{
    const auto verdict = verify(one.codec, altered);
    EXPECT_FALSE(verdict) << how << ": " << label(one) << " as " << altered.value << " "
                          << altered.signature;
    EXPECT_TRUE(verdict.data.empty());
    EXPECT_FALSE(verdict.reason.empty());
}

TEST(CookieDialects, NoCharacterCanBeChanged) // itsdangerous#28 and #368
{
    constexpr std::string_view others = "ABQgw9-_+/=. \"\n";
    for (const auto& one : every_dialect()) {
        const auto genuine = issue(one);
        for (std::size_t i = 0; i < genuine.value.size(); ++i)
            for (const char c : others) {
                auto altered = genuine;
                altered.value[i] = c;
                if (altered.value != genuine.value)
                    expect_refused(one, altered, "changed");
            }
        for (std::size_t i = 0; i < genuine.signature.size(); ++i)
            for (const char c : others) {
                auto altered = genuine;
                altered.signature[i] = c;
                if (altered.signature != genuine.signature)
                    expect_refused(one, altered, "changed");
            }
    }
}

TEST(CookieDialects, NothingCanBeCutOffOrAdded) // GHSA-63x4-8g8c-vhww
{
    const std::string additions[] = {"A",      "=",  "==",  "--", "--AAAA",
                                     "--junk", "~2", ".",   "|",  ":",
                                     " ",      "\n", "%3D", "\"", std::string(1, '\0')};
    for (const auto& one : every_dialect()) {
        const auto genuine = issue(one);
        for (std::size_t size = 0; size < genuine.value.size(); ++size)
            expect_refused(one, {genuine.value.substr(0, size), genuine.signature}, "cut");
        for (const auto& more : additions) {
            expect_refused(one, {genuine.value + more, genuine.signature}, "added");
            expect_refused(one, {more + genuine.value, genuine.signature}, "added in front");
            if (!genuine.signature.empty())
                expect_refused(one, {genuine.value, genuine.signature + more}, "added");
        }
    }
}

TEST(CookieDialects, NoneTakesTheCookieOfAnother)
{
    const auto all = every_dialect();
    for (const auto& one : all)
        for (const auto& other : all) {
            if (one.codec.dialect() == other.codec.dialect() && one.data == other.data)
                continue; // two forms of one dialect may agree
            if (!one.codec.signature_name().empty() && !other.codec.signature_name().empty())
                continue; // cookie-session is keygrip
            const auto cookie = issue(other);
            // Without a time and with one Signer cannot know which it is: what looks like a time is
            // a part of its value. Salts tell such formats apart in earnest.
            const auto verdict = verify(one.codec, cookie);
            EXPECT_TRUE(!verdict || one.codec.dialect() == other.codec.dialect())
                << label(one) << label(other);
        }
}

TEST(CookieDialects, RefusesWhatIsTooLongAndSaysSo)
{
    for (const auto& one : every_dialect()) {
        const auto verdict = verify(one.codec, {std::string(4097, 'A'), issue(one).signature});
        EXPECT_EQ(verdict.status, cookie_status::too_long) << one.codec.dialect();
    }
}

TEST(CookieDialects, IssuesNothingThatABrowserWouldDrop) // cookie-session#35
{
    std::string noise; // that cannot be compressed
    for (unsigned i = 0, x = 1; i < 8192; ++i, x = x * 1103515245 + 12345)
        noise += "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[x >> 16 & 31];
    for (const auto& one : every_dialect()) {
        if (!one.codec.issues())
            continue;
        try {
            one.codec.sign('"' + noise + '"');
            ADD_FAILURE() << one.codec.dialect() << " issued a cookie of over 4,096 bytes";
        } catch (const funcptr::error& refused) {
            EXPECT_EQ(refused.code(), funcptr::make_error_code(funcptr::errc::limit));
        } catch (const std::invalid_argument&) { // they cannot hold a quote
            EXPECT_TRUE(one.codec.dialect() == "beaker_legacy_sha1"
                        || one.codec.dialect() == "keygrip");
        }
    }
}

TEST(CookieDialects, VerifyAndSignFromSeveralThreads)
{
    const auto all = every_dialect();
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round)
                for (const auto& one : all) {
                    const auto cookie = issue(one);
                    auto forged = cookie;
                    forged.value[0] = forged.value[0] == 'x' ? 'y' : 'x';
                    failures += verify(one.codec, cookie).data != one.data;
                    failures += static_cast<bool>(verify(one.codec, forged));
                }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(failures, 0);
}

TEST(CookieDialects, ExplainTheirOwnCookiesAndNothingElse)
{
    for (const auto& one : every_dialect()) {
        EXPECT_FALSE(one.codec.explain(issue(one).value).empty()) << label(one);
        const bool two = !one.codec.signature_name().empty(); // then any text is one
        EXPECT_TRUE(two || one.codec.explain("\x01?").empty()) << label(one);
    }
}

TEST(CookieDialects, ExplainTellsWhatIsInside)
{
    const auto codec = dialects::flask(secret, named("session"));
    std::string told;
    for (const auto& field : codec.explain(codec.sign(json)))
        told += field.name + "=" + field.value + "\n";
    EXPECT_TRUE(told.starts_with("compressed=no\ndata={\"user\":42}\n"
                                 "issued=1700000000 (2023-11-14 22:13:20 UTC)\nmac="))
        << told;
}

TEST(CookieDialects, ExplainHidesNothingUnprintable)
{
    const auto codec = dialects::cookie_signature(secret);
    const auto fields = codec.explain("a\x1b[31m\n\xff.xyz");
    ASSERT_FALSE(fields.empty());
    EXPECT_EQ(fields[0].value, "a\\x1b[31m\\x0a\\xff");
}

// --- keys ---------------------------------------------------------------------------------------

TEST(CookieDialects, SignWithTheCurrentSecretAlone) // GHSA-4grg-w6v8-c28g
{
    const dialect_secrets both{secret, retired};
    const auto check = [](const cookie_dialect& rotated, const cookie_dialect& current,
                          const cookie_dialect& old) {
        EXPECT_TRUE(current.verify(rotated.sign(json))) << rotated.dialect();
        const auto verdict = rotated.verify(old.sign(json));
        EXPECT_TRUE(verdict) << rotated.dialect();
        EXPECT_EQ(verdict.key_index, 1U);
        EXPECT_TRUE(verdict.reissue);
        EXPECT_FALSE(current.verify(old.sign(json)));
    };
    check(dialects::flask(both), dialects::flask(secret), dialects::flask(retired));
    check(dialects::starlette(both), dialects::starlette(secret), dialects::starlette(retired));
    check(dialects::django_session(both), dialects::django_session(secret),
          dialects::django_session(retired));
    check(dialects::pyramid(both), dialects::pyramid(secret), dialects::pyramid(retired));
    check(dialects::express(both), dialects::express(secret), dialects::express(retired));
    check(dialects::rails_verifier(both), dialects::rails_verifier(secret),
          dialects::rails_verifier(retired));
    check(dialects::rails_encrypted_cookie(both, named("a")),
          dialects::rails_encrypted_cookie(secret, named("a")),
          dialects::rails_encrypted_cookie(retired, named("a")));
    check(dialects::tornado({{secret, 2}, {retired, 1}}, named("a")),
          dialects::tornado({{secret, 2}}, named("a")),
          dialects::tornado({{retired, 1}}, named("a")));
    check(dialects::gorilla({{secret, key_32}, {retired}}, named("a")),
          dialects::gorilla({{secret, key_32}}, named("a")),
          dialects::gorilla({{retired}}, named("a")));
    const dialect_secret other_long(std::string(64, 'o'));
    check(dialects::rack_session(dialect_secrets{long_secret, other_long}),
          dialects::rack_session(long_secret), dialects::rack_session(other_long));
    const dialects::iron_password one{secret, "2"}, two{retired, "1"};
    check(dialects::iron_session({one, two}), dialects::iron_session({one}),
          dialects::iron_session({two}));
}

TEST(CookieDialects, TakeNoTextForAListOfSecrets) // flask#6089
{
    static_assert(!std::is_convertible_v<std::string, dialect_secrets>);
    static_assert(!std::is_convertible_v<const char*, dialect_secrets>);
    static_assert(!std::is_constructible_v<dialect_secrets, std::string>);
    static_assert(!std::is_constructible_v<dialect_secrets, const char*>);
    EXPECT_THROW(dialect_secrets(std::vector<dialect_secret>()), funcptr::error);
    EXPECT_THROW(dialect_secrets(std::vector<dialect_secret>(65, secret)), funcptr::error);
}

TEST(CookieDialects, SayWhenASecretIsShort)
{
    const auto codec = dialects::flask(dialect_secret("dev"));
    const auto verdict = codec.verify(codec.sign(json));
    EXPECT_TRUE(verdict);
    EXPECT_FALSE(verdict.reissue);
    EXPECT_EQ(verdict.advice, "the secret is shorter than 32 bytes and may be guessed");
    const auto strong = dialects::flask(secret);
    EXPECT_EQ(strong.verify(strong.sign(json)).advice, "");
}

TEST(CookieDialects, RefuseKeysThatTheirPeersRefuse)
{
    EXPECT_THROW(dialects::fernet(secret), funcptr::error);
    EXPECT_THROW(dialects::fernet(dialect_secret("AAECAwQFBgcICQoLDA0ODw==")), funcptr::error);
    EXPECT_THROW(dialects::iron_session({{dialect_secret(std::string(31, 'x'))}}), funcptr::error);
    EXPECT_THROW(dialects::iron_session({{secret, "a*b"}}), funcptr::error);
    EXPECT_THROW(dialects::iron_session({{secret}, {secret}}), funcptr::error);
    EXPECT_THROW(dialects::iron_session({}), funcptr::error);
    EXPECT_THROW(dialects::rack_session(dialect_secret(std::string(63, 'x'))), funcptr::error);
    EXPECT_THROW(dialects::rails_encryptor(secret), funcptr::error);
    EXPECT_THROW(dialects::gorilla({{secret, secret}}, named("a")), funcptr::error);
    EXPECT_THROW(dialects::gorilla({}, named("a")), funcptr::error);
    EXPECT_THROW(dialects::tornado({}, named("a")), funcptr::error);
    EXPECT_THROW(dialects::tornado({{secret}, {retired}}, named("a")), funcptr::error);
}

TEST(CookieDialects, RefuseOptionsOutOfTheirBounds)
{
    const auto refused = [](auto change) {
        dialect_options options;
        change(options);
        EXPECT_THROW(dialects::flask(secret, options), std::invalid_argument);
    };
    refused([](auto& o) { o.name = "a b"; });
    refused([](auto& o) { o.max_size = 255; });
    refused([](auto& o) { o.max_size = 8193; });
    refused([](auto& o) { o.name = std::string(2049, 'n'); });
    refused([](auto& o) { o.max_age = -1s; });
    refused([](auto& o) { o.skew = -1s; });
    refused([](auto& o) { o.skew = 25h; });
    refused([](auto& o) { o.max_inflated = 0; });
    refused([](auto& o) { o.clock = nullptr; });
    EXPECT_THROW(dialects::tornado({{secret}}, {}), std::invalid_argument); // the name is signed
    EXPECT_THROW(dialects::itsdangerous(secret, {.separator = "-"}), std::invalid_argument);
    EXPECT_THROW(dialects::itsdangerous(secret, {.separator = ""}), std::invalid_argument);
    EXPECT_THROW(dialects::rack_session(long_secret, {.pad_size = 1}), std::invalid_argument);
}

// --- names --------------------------------------------------------------------------------------

TEST(CookieDialects, ThoseThatSignTheNameRefuseAnother) // rails#32937
{
    const auto check = [](const cookie_dialect& ours, const cookie_dialect& other,
                          cookie_status expected) {
        EXPECT_EQ(ours.verify(other.sign(json)).status, expected) << ours.dialect();
    };
    check(dialects::tornado({{secret}}, named("a")), dialects::tornado({{secret}}, named("b")),
          cookie_status::wrong_name);
    check(dialects::django_signed_cookie(secret, named("a")),
          dialects::django_signed_cookie(secret, named("b")), cookie_status::bad_signature);
    check(dialects::gorilla({{secret}}, named("a")), dialects::gorilla({{secret}}, named("b")),
          cookie_status::bad_signature);
    check(dialects::rails_signed_cookie(secret, named("a")),
          dialects::rails_signed_cookie(secret, named("b")), cookie_status::wrong_name);
    check(dialects::rails_encrypted_cookie(secret, named("a")),
          dialects::rails_encrypted_cookie(secret, named("b")), cookie_status::wrong_name);
    check(dialects::rails_verifier(secret, {.purpose = "login"}), dialects::rails_verifier(secret),
          cookie_status::wrong_name);
    check(dialects::rails_verifier(secret), dialects::rails_verifier(secret, {.purpose = "login"}),
          cookie_status::wrong_name);
    check(dialects::rack_session(long_secret, {.purpose = "a"}),
          dialects::rack_session(long_secret, {.purpose = "b"}), cookie_status::bad_signature);
    const auto a = dialects::keygrip(secret, named("a")), b = dialects::keygrip(secret, named("b"));
    EXPECT_EQ(a.verify("42", b.signature_of("42")).status, cookie_status::bad_signature);
}

// --- times --------------------------------------------------------------------------------------

TEST(CookieDialects, OneFromTheFutureLogsNobodyOutButForSkew) // itsdangerous#400
{
    const auto check = [](auto make) {
        const auto cookie = make(at(2s)).sign(json);
        EXPECT_TRUE(make(at(0s)).verify(cookie));
        EXPECT_EQ(make(at(-59s)).verify(cookie).status, cookie_status::not_yet_valid);
        EXPECT_EQ(make(at(-59s)).verify(cookie).reason, "issued 61 s in the future");
    };
    check([](const dialect_options& o) { return dialects::flask(secret, o); });
    check([](const dialect_options& o) { return dialects::starlette(secret, o); });
    check([](const dialect_options& o) { return dialects::django_session(secret, o); });
    check([](const dialect_options& o) { return dialects::pyramid(secret, o); });
    check([](const dialect_options& o) { return dialects::fernet(fernet_key, o); });
    check([](dialect_options o) {
        o.name = "a";
        return dialects::tornado({{secret}}, o);
    });
    check([](dialect_options o) {
        o.name = "a";
        return dialects::gorilla({{secret}}, o);
    });
    auto exact = at(0s);
    exact.skew = 0s;
    EXPECT_EQ(
        dialects::flask(secret, exact).verify(dialects::flask(secret, at(1s)).sign(json)).status,
        cookie_status::not_yet_valid);
}

TEST(CookieDialects, AnAgeIsExactAndExpiryTellsSinceWhen)
{
    const auto aged = [](std::chrono::milliseconds age) {
        auto options = at(age);
        options.max_age = 1h;
        return options;
    };
    const auto cookie = dialects::flask(secret, at(0s)).sign(json);
    EXPECT_TRUE(dialects::flask(secret, aged(1h)).verify(cookie));
    EXPECT_TRUE(
        dialects::flask(secret, aged(1h + 999ms)).verify(cookie)); // whole seconds, as there
    const auto late = dialects::flask(secret, aged(1h + 180s)).verify(cookie);
    EXPECT_EQ(late.status, cookie_status::expired);
    EXPECT_EQ(late.reason, "expired 3 min ago");
    EXPECT_EQ(late.issued, start);
    EXPECT_TRUE(late.data.empty());
    EXPECT_TRUE(dialects::flask(secret, aged(31min)).verify(cookie).reissue);
    EXPECT_FALSE(dialects::flask(secret, aged(29min)).verify(cookie).reissue);

    const auto other = dialects::django_session(secret, at(0s)).sign(json);
    EXPECT_TRUE(dialects::django_session(secret, aged(1h)).verify(other));
    EXPECT_FALSE(dialects::django_session(secret, aged(1h + 1ms)).verify(other));
}

TEST(CookieDialects, AnExpiryOfItsOwnIsCheckedWhereThereIsOne)
{
    const auto check = [](auto make, std::chrono::milliseconds last) {
        const auto cookie = make(at(0s)).sign(json, {.lifetime = 1min});
        const auto verdict = make(at(last)).verify(cookie);
        EXPECT_TRUE(verdict) << make(at(0s)).dialect();
        EXPECT_EQ(verdict.expires, start + 1min);
        EXPECT_EQ(make(at(last + 1ms)).verify(cookie).status, cookie_status::expired);
    };
    check([](const dialect_options& o) { return dialects::rails_verifier(secret, {}, o); },
          1min - 1ms);
    check([](const dialect_options& o) { return dialects::rails_encryptor(key_32, {}, o); },
          1min - 1ms);
    check([](const dialect_options& o) { return dialects::iron_session({{secret}}, o); },
          2min - 1ms); // 60 s of skew, as there
    EXPECT_THROW(dialects::flask(secret).sign(json, {.lifetime = 1min}), std::invalid_argument);
    EXPECT_THROW(dialects::rails_verifier(secret).sign(json, {.lifetime = 0s}),
                 std::invalid_argument);
}

TEST(CookieDialects, PyramidTellsWhenTheSessionBegan)
{
    const auto codec = dialects::pyramid(secret, at(250ms));
    const auto verdict = codec.verify(codec.sign(json, {.created = start - 1h}));
    EXPECT_EQ(verdict.created, start - 1h);
    EXPECT_EQ(verdict.issued, start);
    EXPECT_EQ(codec.verify(codec.sign(json)).created, start + 250ms);
    EXPECT_THROW(dialects::flask(secret).sign(json, {.created = start}), std::invalid_argument);
}

// --- what the peers take and we do not ----------------------------------------------------------

TEST(CookieDialects, ASecondTextForASignatureIsTakenByTheLenientAlone) // itsdangerous#28, #368
{
    auto lenient = at(0s);
    lenient.lenient = true;
    const auto strict_codec = dialects::flask(secret, at(0s));
    const auto lenient_codec = dialects::flask(secret, lenient);
    const auto cookie = strict_codec.sign(json);
    int others = 0;
    for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789-_")) {
        auto altered = cookie;
        altered.back() = c;
        if (c == cookie.back() || !lenient_codec.verify(altered))
            continue;
        EXPECT_EQ(strict_codec.verify(altered).status, cookie_status::non_canonical);
        ++others;
    }
    EXPECT_EQ(others, 3); // two bits stand for nothing
    EXPECT_TRUE(lenient_codec.verify(cookie + "="));
    EXPECT_EQ(strict_codec.verify(cookie + "=").status, cookie_status::non_canonical);
    // cookie-signature and Django compare texts: there is nothing to be lenient about.
    const auto django = dialects::django_session(secret, lenient);
    EXPECT_FALSE(django.verify(django.sign(json) + "="));
    const auto node = dialects::cookie_signature(secret, lenient);
    EXPECT_FALSE(node.verify(node.sign("42") + "="));
}

TEST(CookieDialects, TrailingJunkIsPassedOverByALenientOldRailsAlone) // GHSA-63x4-8g8c-vhww
{
    auto lenient = at(0s);
    lenient.lenient = true;
    const auto strict = dialects::rails_verifier(secret, {.trailing_junk = true}, at(0s));
    const auto cookie = strict.sign(json);
    EXPECT_FALSE(strict.verify(cookie + "--junk"));
    EXPECT_FALSE(dialects::rails_verifier(secret, {}, lenient).verify(cookie + "--junk"));
    EXPECT_TRUE(dialects::rails_verifier(secret, {.trailing_junk = true}, lenient)
                    .verify(cookie + "--junk"));
}

TEST(CookieDialects, ATagOfGcmHasSixteenBytes) // GHSA-63x4-8g8c-vhww, Rails' comment on auth_tag
{
    const auto codec = dialects::rails_encryptor(key_32, {}, at(0s));
    const auto cookie = codec.sign(json);
    const auto last = cookie.rfind("--") + 2;
    EXPECT_FALSE(codec.verify(cookie.substr(0, last)));
    EXPECT_FALSE(codec.verify(cookie.substr(0, last + 20)));
    EXPECT_FALSE(codec.verify(cookie.substr(0, last + 16)));
    EXPECT_FALSE(codec.verify(cookie.substr(0, last + 4)));
}

TEST(CookieDialects, RailsCookiesWithoutAPurposeAreTakenByTheLenientAlone)
{
    // cookies.signed of before Rails 6: the same key, and no envelope.
    std::array<unsigned char, 64> key{};
    const auto base = secret.bytes();
    ASSERT_EQ(PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(base.data()),
                                static_cast<int>(base.size()),
                                reinterpret_cast<const unsigned char*>("signed cookie"), 13, 1000,
                                EVP_sha256(), static_cast<int>(key.size()), key.data()),
              1);
    const auto verifier = dialects::rails_verifier(dialect_secret(std::as_bytes(std::span(key))),
                                                   {.hash = funcptr::cookie_hash::sha1});
    auto old = verifier.sign(json);
    old.replace(old.find('='), 1, "%3D");
    auto lenient = named("user");
    lenient.lenient = true;
    EXPECT_EQ(dialects::rails_signed_cookie(secret, named("user")).verify(old).status,
              cookie_status::wrong_name);
    EXPECT_EQ(dialects::rails_signed_cookie(secret, lenient).verify(old).data, json);
    const auto other = dialects::rails_signed_cookie(secret, named("other")).sign(json);
    EXPECT_FALSE(dialects::rails_signed_cookie(secret, lenient).verify(other));
}

TEST(CookieDialects, MarshalIsRefusedUnlessItIsNamed)
{
    const std::string marshal("\x04\x08i\x06"); // 1
    const auto check = [&](const cookie_dialect& safe, const cookie_dialect& unsafe) {
        EXPECT_THROW(safe.sign(marshal), std::invalid_argument) << safe.dialect();
        EXPECT_EQ(safe.verify(unsafe.sign(marshal)).status, cookie_status::malformed)
            << safe.dialect();
        EXPECT_EQ(unsafe.verify(unsafe.sign(marshal)).data, marshal);
    };
    check(dialects::rails_verifier(secret),
          dialects::rails_verifier(secret, {.unsafe_marshal = true}));
    check(dialects::rails_encryptor(key_32),
          dialects::rails_encryptor(key_32, {.unsafe_marshal = true}));
    check(dialects::rails_signed_cookie(secret, named("a")),
          dialects::rails_signed_cookie(secret, named("a"), {.unsafe_marshal = true}));
    check(dialects::rack_session(long_secret),
          dialects::rack_session(long_secret, {.unsafe_marshal = true}));
    check(dialects::rack_legacy_sha1(secret),
          dialects::rack_legacy_sha1(secret, {}, {.unsafe_marshal = true}));
}

TEST(CookieDialects, AnEncryptedFormatNeverFallsBackToAPlainOne) // CVE-2026-39324
{
    const auto check = [](const cookie_dialect& codec, const std::string& cookie) {
        EXPECT_FALSE(codec.verify(cookie)) << codec.dialect();
    };
    auto lenient = at(0s, "rack.session");
    lenient.lenient = true;
    for (const auto& options : {at(0s, "rack.session"), lenient}) {
        const auto rack = dialects::rack_session(long_secret, {}, options);
        check(rack, dialects::rack_legacy_sha1(long_secret, at(0s)).sign(json));
        check(rack, "eyJ1c2VyIjo0Mn0%3D");
        check(rack, "AeyJ1c2VyIjo0Mn0%3D");
        check(rack, json);
        const auto rails = dialects::rails_encrypted_cookie(secret, options);
        check(rails, dialects::rails_signed_cookie(secret, options).sign(json));
        check(rails, "eyJ1c2VyIjo0Mn0%3D");
    }
}

TEST(CookieDialects, TornadosFirstVersionIsRefusedUnlessItIsNamed)
{
    // create_signed_value(version=1) of Tornado 6.2.
    const std::string old = "YWxpY2U=|1700000000|3fd6b455bffc9e5e496c6e19797623700ad19004";
    EXPECT_FALSE(dialects::tornado({{secret}}, named("user")).verify(old));
    const auto unsafe = dialects::tornado_v1_unsafe(secret, named("user"));
    const auto verdict = unsafe.verify(old);
    EXPECT_EQ(verdict.data, "alice");
    EXPECT_EQ(verdict.issued, start);
    EXPECT_FALSE(verdict.advice.empty());
    EXPECT_FALSE(unsafe.issues());
    EXPECT_THROW(unsafe.sign("alice"), std::logic_error);
    // Digits shifted from the value to the time: the same MAC.
    auto options = named("user");
    options.max_age = 0s;
    options.skew = 0s;
    EXPECT_FALSE(dialects::tornado_v1_unsafe(secret, options)
                     .verify("YWxpY2|U=1700000000|3fd6b455bffc9e5e496c6e19797623700ad19004"));
    EXPECT_FALSE(dialects::tornado_v1_unsafe(secret, options)
                     .verify("YWxpY2U=17|00000000|3fd6b455bffc9e5e496c6e19797623700ad19004"));
}

TEST(CookieDialects, TornadoTellsAKeyThatIsGone)
{
    const auto old = dialects::tornado({{secret, 1}}, named("a"));
    EXPECT_EQ(dialects::tornado({{secret, 2}}, named("a")).verify(old.sign("x")).status,
              cookie_status::unknown_key);
}

TEST(CookieDialects, DjangosSha1IsRefusedUnlessItIsNamed)
{
    // Signer(salt="s", algorithm="sha1") of Django 3.2.
    const std::string old = "value:YzT6a_u1Rm-zrsMp878Mfeit-1k";
    const dialect_secret weak("secret");
    using format = dialects::django_format;
    EXPECT_FALSE(dialects::django(weak, {.how = format::form::signer, .salt = "s"}).verify(old));
    EXPECT_EQ(
        dialects::django(weak, {.how = format::form::signer, .salt = "s", .legacy_sha1 = true})
            .verify(old)
            .data,
        "value");
}

TEST(CookieDialects, AZipBombEndsAtItsCap)
{
    auto generous = at(0s);
    generous.max_inflated = 4 * 1024 * 1024;
    const std::string large(1024 * 1024, '0'), fits(64 * 1024, '0');
    const auto check = [&](auto make) {
        EXPECT_EQ(make(at(0s)).verify(make(generous).sign(large)).status, cookie_status::too_long);
        EXPECT_EQ(make(generous).verify(make(generous).sign(large)).data, large);
        EXPECT_EQ(make(at(0s)).verify(make(at(0s)).sign(fits)).data, fits);
        EXPECT_EQ(make(at(0s)).verify(make(generous).sign(fits + '0')).status,
                  cookie_status::too_long);
        EXPECT_THROW(make(at(0s)).sign(large), funcptr::error);
    };
    check([](const dialect_options& o) { return dialects::flask(secret, o); });
    check([](const dialect_options& o) { return dialects::django_session(secret, o); });
}

TEST(CookieDialects, AWrongPaddingSaysWhatAWrongMacSays)
{
    // The same key for the MAC, another one for the cipher.
    const dialect_secret other("AAECAwQFBgcICQoLDA0OD_DxEhMUFRYXGBkaGxwdHh8=");
    const auto ours = dialects::fernet(fernet_key, at(0s));
    int refused = 0;
    for (int i = 0; i < 20; ++i) {
        const auto verdict = ours.verify(dialects::fernet(other, at(0s)).sign(json));
        if (verdict)
            continue; // one in 256 has a padding by chance
        EXPECT_EQ(verdict.status, cookie_status::bad_signature);
        EXPECT_EQ(verdict.reason, "bad signature");
        ++refused;
    }
    EXPECT_GE(refused, 15);
}

/// ActiveSupport 6.1 for generate({"user":42}, purpose: ""), and the same without one.
TEST(CookieDialects, AnEmptyPurposeOfRailsIsWrittenAndReadsAsNone)
{
    const dialect_secret key("a-32-byte-or-longer-secret-key-0123456789");
    const auto with = [&](std::optional<std::string> purpose) {
        return dialects::rails_verifier(
            key, {.hash = funcptr::cookie_hash::sha1, .purpose = std::move(purpose)});
    };
    const std::string empty =
        "eyJfcmFpbHMiOnsibWVzc2FnZSI6ImV5SjFjMlZ5SWpvME1uMD0iLCJleHAiOm51bGwsInB1ciI6IiJ9fQ=="
        "--76f01e0fb15700ae80822644c302ba83550c418f";
    const std::string none = "eyJ1c2VyIjo0Mn0=--f7c557e4b53a884cb86edd397b76bd371928f250";
    EXPECT_EQ(with("").sign(R"({"user":42})"), empty);
    EXPECT_EQ(with(std::nullopt).sign(R"({"user":42})"), none);
    for (const auto& cookie : {empty, none}) {
        EXPECT_EQ(with("").verify(cookie).data, R"({"user":42})");
        EXPECT_EQ(with(std::nullopt).verify(cookie).data, R"({"user":42})");
        EXPECT_EQ(with("login").verify(cookie).status, cookie_status::wrong_name);
    }
}

TEST(CookieDialects, AClockBeyondAllBoundsCountsAsTheNearestTimeWithinThem)
{
    for (const auto edge : {system_clock::time_point::min(), system_clock::time_point::max()}) {
        dialect_options options;
        options.name = "n";
        options.clock = [edge] { return edge; };
        for (const auto& codec :
             {dialects::flask(secret, options), dialects::django_session(secret, options),
              dialects::pyramid(secret, options), dialects::tornado({{secret}}, options),
              dialects::gorilla({{secret}}, options), dialects::fernet(fernet_key, options)}) {
            const auto verdict = codec.verify(codec.sign(json));
            EXPECT_TRUE(verdict) << codec.dialect() << ": " << verdict.reason;
        }
        const auto lasting = dialects::iron_session({{secret}}, options);
        const auto verdict =
            lasting.verify(lasting.sign(json, {.lifetime = std::chrono::hours(24 * 365 * 100)}));
        EXPECT_TRUE(verdict) << verdict.reason;
        EXPECT_GE(verdict.expires, system_clock::time_point());
    }
}

TEST(CookieDialects, DataThatTheFormatCannotHoldAreRefused)
{
    EXPECT_THROW(dialects::keygrip(secret).sign("a b"), std::invalid_argument);
    EXPECT_THROW(dialects::gorilla({{secret, key_32}}, named("a")).sign(""), std::invalid_argument);
    EXPECT_THROW(dialects::beaker_legacy_sha1(secret).sign("a\""), std::invalid_argument);
    EXPECT_THROW(dialects::rails_verifier(secret).sign(""), std::invalid_argument);
    EXPECT_THROW(dialects::pyramid(secret).sign("{}, {}"), std::invalid_argument);
    EXPECT_THROW(dialects::pyramid(secret).sign(" {}"), std::invalid_argument);
    EXPECT_THROW(dialects::rails_verifier(secret).sign(R"({"_rails":{"message":"eA=="}})"),
                 std::invalid_argument);
    // Each of these ActiveSupport takes for an envelope, whose purpose the data's author chose.
    for (const auto* const lax :
         {R"(/**/{"_rails":{"message":"eA=="}})", "//\n{\"_rails\":{\"message\":\"eA==\"}}",
          R"( {/**/"_rails":{"message":"eA=="}})", R"({"a":1/**/,"_rails":{"message":"eA=="}})",
          R"({"_rail\s":{"message":"eA=="}})", R"({"\u005frails":{"message":"eA=="}})"})
        EXPECT_THROW(dialects::rails_verifier(secret).sign(lax), std::invalid_argument) << lax;
    for (const auto* const bare : {R"({"a":{"_rails":1}})", R"("_rails")", "/path", "[{}]", "{}"})
        EXPECT_EQ(dialects::rails_verifier(secret)
                      .verify(dialects::rails_verifier(secret).sign(bare))
                      .data,
                  bare);
    using format = dialects::rails_format;
    EXPECT_THROW(dialects::rails_verifier(secret, {.purpose = "a", .wrap = format::envelope::data})
                     .sign("not JSON"),
                 std::invalid_argument);
}

TEST(CookieDialects, RandomFormatsAreNeverTheSameTwice)
{
    const auto check = [](const cookie_dialect& codec) {
        EXPECT_NE(codec.sign(json), codec.sign(json)) << codec.dialect();
    };
    check(dialects::fernet(fernet_key, at(0s)));
    check(dialects::iron_session({{secret}}, at(0s)));
    check(dialects::gorilla({{secret, key_32}}, named("a")));
    check(dialects::rails_encryptor(key_32, {}, at(0s)));
    check(dialects::rack_session(long_secret, {}, at(0s)));
}

TEST(CookieDialects, RackPadsAsItsPeerDoesOrNotAtAll)
{
    for (const std::size_t pad : {0UL, 2UL, 32UL, 4096UL})
        for (std::size_t size = 0; size < 70; ++size) {
            if (pad == 4096 && size > 3)
                break; // too long for a cookie
            auto options = at(0s);
            options.max_size = 8192;
            const auto codec = dialects::rack_session(long_secret, {.pad_size = pad}, options);
            const std::string data(size, 'x');
            EXPECT_EQ(codec.verify(codec.sign(data)).data, data) << pad << " " << size;
        }
}

// --- verify_any ---------------------------------------------------------------------------------

TEST(VerifyAnyDialect, TakesTheOneThatVerifiesAmongAllOfTheName)
{
    const auto codec = dialects::flask(secret, at(0s));
    const auto cookie = codec.sign(json);
    const auto header = "session=x; a=b; session=" + cookie + "; session=y";
    EXPECT_EQ(funcptr::verify_any(codec, header).data, json);
    EXPECT_EQ(funcptr::verify_any(codec, "a=b").status, cookie_status::missing);
    EXPECT_EQ(funcptr::verify_any(codec, header, {.bytes = 10}).status, cookie_status::too_long);
    const auto late = dialects::flask(secret, at(24h * 40));
    EXPECT_EQ(funcptr::verify_any(late, header).status, cookie_status::expired);
}

TEST(VerifyAnyDialect, TakesOffTheQuotesThatPythonPutsAroundAnEqualsSign)
{
    const auto codec = dialects::tornado({{secret}}, named("user"));
    const auto cookie = codec.sign("alice");
    EXPECT_EQ(funcptr::verify_any(codec, "user=\"" + cookie + "\"").data, "alice");
    EXPECT_FALSE(funcptr::verify_any(codec, "user=\"" + cookie));
    EXPECT_FALSE(codec.verify("\"" + cookie + "\""));
}

TEST(VerifyAnyDialect, FindsTheSignatureInItsOwnCookie)
{
    const auto codec = dialects::cookie_session(secret, at(0s));
    const auto value = codec.sign(json), signature = codec.signature_of(value);
    EXPECT_EQ(codec.signature_name(), "session.sig");
    EXPECT_EQ(funcptr::verify_any(codec, "session.sig=" + signature + "; session=" + value).data,
              json);
    EXPECT_EQ(funcptr::verify_any(codec, "session=x; session=" + value
                                             + "; session.sig=y; "
                                               "session.sig="
                                             + signature)
                  .data,
              json);
    EXPECT_EQ(funcptr::verify_any(codec, "session=" + value).status, cookie_status::missing);
    EXPECT_FALSE(funcptr::verify_any(codec, "session=" + value + "; session.sig=" + value));
    EXPECT_FALSE(codec.verify(value));
    std::string many;
    for (int i = 0; i < 8; ++i)
        many += "session.sig=x; ";
    EXPECT_FALSE(
        funcptr::verify_any(codec, many + "session=" + value + "; session.sig=" + signature))
        << "more than eight signatures are tried";
}

TEST(VerifyAnyDialect, RefusesSignatureOfWhereThereIsNoSecondCookie)
{
    EXPECT_THROW(dialects::flask(secret).signature_of("x"), std::logic_error);
}

} // namespace
