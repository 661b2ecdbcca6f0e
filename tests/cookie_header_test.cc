// SPDX-License-Identifier: MIT

#include "funcptr/cookie_header.h"

#include "support/process.h"
#include "support/source_tree.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <iomanip>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#if __has_include(<nlohmann/json.hpp>)
#    include <nlohmann/json.hpp>
#    define HAVE_JSON 1
#endif

namespace funcptr { // where GoogleTest looks for them

bool operator==(const cookie_pair& a, const cookie_pair& b)
{
    return a.name == b.name && a.value == b.value;
}
std::ostream& operator<<(std::ostream& out, const cookie_pair& pair)
{
    return out << '<' << pair.name << "=" << pair.value << '>';
}

} // namespace funcptr

namespace {

using namespace std::chrono_literals;
using funcptr::cookie_pair;
using funcptr::cookie_status;
using funcptr::make_set_cookie;
using funcptr::parse_cookie_header;
using funcptr::same_site;
using std::chrono::system_clock;

using pairs = std::vector<cookie_pair>;

// --- parsing -----------------------------------------------------------------------------------

TEST(ParseCookieHeader, SplitsAtSemicolonsAndTheFirstEqualsSign)
{
    EXPECT_EQ(parse_cookie_header("a=1; b=2").pairs, (pairs{{"a", "1"}, {"b", "2"}}));
    EXPECT_EQ(parse_cookie_header("a=1;b=2;").pairs, (pairs{{"a", "1"}, {"b", "2"}}));
    EXPECT_EQ(parse_cookie_header("a=b=c==").pairs, (pairs{{"a", "b=c=="}}));
    EXPECT_EQ(parse_cookie_header("a=").pairs, (pairs{{"a", ""}}));
    EXPECT_EQ(parse_cookie_header("").pairs, pairs{});
    EXPECT_EQ(parse_cookie_header(";; ; ;").pairs, pairs{});
}

TEST(ParseCookieHeader, TrimsSpacesAndTabsAndNothingElse)
{
    EXPECT_EQ(parse_cookie_header(" \ta \t= \t1 2\t ;b=2").pairs,
              (pairs{{"a", "1 2"}, {"b", "2"}}));
    EXPECT_EQ(parse_cookie_header("a=\r1\n; b=\v2\f").pairs,
              (pairs{{"a", "\r1\n"}, {"b", "\v2\f"}}));
    EXPECT_EQ(parse_cookie_header("a=\xc2\xa0x\xc2\xa0").pairs,
              (pairs{{"a", "\xc2\xa0x\xc2\xa0"}}));
}

TEST(ParseCookieHeader, DecodesAndUnquotesNothing)
{
    EXPECT_EQ(parse_cookie_header("a=\"1\"; b=%41; c=\"x;d=y\"").pairs,
              (pairs{{"a", "\"1\""}, {"b", "%41"}, {"c", "\"x"}, {"d", "y\""}}));
    EXPECT_EQ(parse_cookie_header("a=1, b=2").pairs, (pairs{{"a", "1, b=2"}}));
    EXPECT_EQ(parse_cookie_header("$Version=1; a=1; $Path=/").pairs,
              (pairs{{"$Version", "1"}, {"a", "1"}, {"$Path", "/"}}));
}

TEST(ParseCookieHeader, KeepsEveryDuplicateInItsOrder)
{
    const auto parsed = parse_cookie_header("a=1; b=2; a=3; A=4; a=1");
    EXPECT_EQ(parsed.pairs, (pairs{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"A", "4"}, {"a", "1"}}));
    EXPECT_EQ(parsed.find("a"), "1");
    EXPECT_EQ(parsed.find("A"), "4");
    EXPECT_EQ(parsed.find("c"), std::nullopt);
}

TEST(ParseCookieHeader, NamelessCookieCannotShadowAPrefixedOne)
{
    for (const auto* header : {"=__Host-session=evil", " = __Host-session=evil", "\t=x", "=",
                               "__Host-session", "; __Host-session ;"}) {
        const auto parsed = parse_cookie_header(header);
        EXPECT_EQ(parsed.pairs, pairs{}) << header;
        EXPECT_EQ(parsed.find("__Host-session"), std::nullopt);
    }
}

TEST(ParseCookieHeader, StopsAtItsBoundsAndSaysSo)
{
    const auto few = parse_cookie_header("a=1; b=2; =x; c=3", {.pairs = 2});
    EXPECT_EQ(few.pairs, (pairs{{"a", "1"}, {"b", "2"}}));
    EXPECT_TRUE(few.truncated);
    EXPECT_FALSE(parse_cookie_header("a=1; b=2; =x; y", {.pairs = 2}).truncated);
    EXPECT_FALSE(parse_cookie_header("a=1", {.bytes = 3}).truncated);
    const auto large = parse_cookie_header("a=12", {.bytes = 3});
    EXPECT_TRUE(large.truncated);
    EXPECT_EQ(large.pairs, pairs{});
}

template <class Text>
concept parses = requires(Text&& text)
{
    parse_cookie_header(std::forward<Text>(text));
};

TEST(ParseCookieHeader, PointsIntoTheHeader)
{
    static_assert(
        parses<
            const char*> && parses<std::string_view> && parses<std::string&> && parses<const std::string&> && !parses<std::string>);
    const std::string header = "first=value";
    const auto parsed = parse_cookie_header(header);
    EXPECT_EQ(parsed.pairs.at(0).name.data(), header.data());
    EXPECT_EQ(parsed.pairs.at(0).value.data(), header.data() + 6);
    const std::string empty = "a=  ;b=";
    EXPECT_EQ(parse_cookie_header(empty).pairs.at(0).value.data(), empty.data() + 4);
    EXPECT_EQ(parse_cookie_header(empty).pairs.at(1).value.data(), empty.data() + 7);
}

TEST(ParseCookieHeader, TakesLinearTimeForAMebibyteOfHostileHeader)
{
    for (const std::string_view piece :
         {";", "=", " ", "\t \t", "a=", "\"", "\\\"", "a=\"\\073", "; ", "=;", " =", "x"}) {
        std::string header;
        while (header.size() < 1 << 20)
            header += piece;
        const auto before = std::chrono::steady_clock::now();
        parse_cookie_header(header, {.bytes = header.size(), .pairs = header.size()});
        // It takes milliseconds; 2^39 steps of quadratic time would take many seconds.
        EXPECT_LT(std::chrono::steady_clock::now() - before, 2s) << piece;
    }
}

// --- verify_any --------------------------------------------------------------------------------

class VerifyAny : public testing::Test {
protected:
    funcptr::signed_cookie make(const std::string& name = "session")
    {
        return funcptr::signed_cookie(name, keys_,
                                      {.max_age = 1h, .clock = [this] { return now_; }});
    }
    system_clock::time_point now_ = system_clock::time_point(1'700'000'000s);
    funcptr::keyring keys_ = funcptr::keyring::generate();
    funcptr::signed_cookie codec_ = make();
};

TEST_F(VerifyAny, TakesTheDuplicateThatVerifies)
{
    const auto good = codec_.sign("42"), forged = good + "A";
    for (const auto& header :
         {"session=" + good, "session=" + forged + "; session=" + good,
          "a=1; session=; session=x; session=" + good + "; session=" + forged}) {
        const auto verdict = verify_any(codec_, header);
        EXPECT_TRUE(verdict) << header << verdict.reason;
        EXPECT_EQ(verdict.data, "42");
    }
}

TEST_F(VerifyAny, TakesTheFirstOfTwoThatVerify)
{
    EXPECT_EQ(
        verify_any(codec_, "session=" + codec_.sign("1") + "; session=" + codec_.sign("2")).data,
        "1");
}

TEST_F(VerifyAny, LooksAtNoOtherName)
{
    const auto good = codec_.sign("42");
    for (const auto& name : {"Session", "session2", "sessio", "__Host-session", ""}) {
        const auto verdict = verify_any(codec_, std::string(name) + "=" + good);
        EXPECT_EQ(verdict.status, cookie_status::missing);
        EXPECT_EQ(verdict.reason, "no such cookie");
    }
    EXPECT_EQ(verify_any(codec_, "").status, cookie_status::missing);
}

TEST_F(VerifyAny, TellsOfTheExpiredOneRatherThanOfForgedOnes)
{
    const auto old = codec_.sign("42");
    now_ += 2h;
    for (const auto& header : {"session=x; session=" + old + "; session=y", "session=" + old}) {
        const auto verdict = verify_any(codec_, header);
        EXPECT_EQ(verdict.status, cookie_status::expired);
        EXPECT_EQ(verdict.data, "");
    }
    auto forged = old;
    forged[20] = forged[20] == 'A' ? 'B' : 'A';
    EXPECT_EQ(verify_any(codec_, "session=x; session=" + forged).status,
              cookie_status::bad_signature);
    EXPECT_TRUE(verify_any(codec_, "session=" + old + "; session=" + codec_.sign("42")));
}

TEST_F(VerifyAny, HoldsToItsBounds)
{
    const auto good = "session=" + codec_.sign("42");
    EXPECT_EQ(verify_any(codec_, good, {.bytes = good.size() - 1}).status, cookie_status::too_long);
    EXPECT_TRUE(verify_any(codec_, good, {.bytes = good.size()}));
    EXPECT_EQ(verify_any(codec_, "a=1; " + good, {.pairs = 1}).status, cookie_status::missing);
    EXPECT_TRUE(verify_any(codec_, "a=1; " + good, {.pairs = 2}));
}

TEST_F(VerifyAny, ReadsBackWhatMakeSetCookieWrites)
{
    const auto codec = make("__Host-session");
    const auto header = make_set_cookie({.name = codec.name(), .value = codec.sign("42")});
    EXPECT_EQ(verify_any(codec, header.substr(0, header.find(';'))).data, "42");
}

// --- building ----------------------------------------------------------------------------------

/// What a refusal says; empty when there was none.
std::string refusal(const funcptr::set_cookie& cookie)
{
    try {
        make_set_cookie(cookie);
        return {};
    } catch (const std::invalid_argument& failed) {
        return failed.what();
    } catch (const funcptr::error& failed) {
        EXPECT_EQ(failed.code(), funcptr::errc::limit);
        return failed.what();
    }
}

TEST(MakeSetCookie, DefaultsToASession)
{
    EXPECT_EQ(make_set_cookie({.name = "a", .value = "1"}),
              "a=1; Path=/; Secure; HttpOnly; SameSite=Lax");
}

TEST(MakeSetCookie, WritesEachAttributeOnce)
{
    EXPECT_EQ(
        make_set_cookie({.name = "a",
                         .value = "1",
                         .path = "/x y",
                         .domain = "example.org",
                         .max_age = 12h,
                         .expires = system_clock::time_point(784'111'777s),
                         .site = same_site::none,
                         .partitioned = true}),
        "a=1; Path=/x y; Domain=example.org; Max-Age=43200; "
        "Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; HttpOnly; SameSite=None; Partitioned");
    EXPECT_EQ(make_set_cookie({.name = "a",
                               .value = "",
                               .path = "",
                               .max_age = -5s,
                               .secure = false,
                               .http_only = false,
                               .site = same_site::unset}),
              "a=; Max-Age=0");
    EXPECT_EQ(make_set_cookie({.name = "a", .path = "", .site = same_site::strict}),
              "a=; Secure; HttpOnly; SameSite=Strict");
}

TEST(MakeSetCookie, TakesExactlyTheOctetsThatMayStandInANameAndAValue)
{
    for (int octet = 0; octet < 256; ++octet) {
        const char c = static_cast<char>(octet);
        const bool token = (octet > 0x20 && octet < 0x7f)
                           && std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string::npos;
        const bool value = octet == 0x21 || (octet >= 0x23 && octet <= 0x2b)
                           || (octet >= 0x2d && octet <= 0x3a) || (octet >= 0x3c && octet <= 0x5b)
                           || (octet >= 0x5d && octet <= 0x7e);
        EXPECT_EQ(refusal({.name = std::string("a") + c, .value = "1"}).empty(), token) << octet;
        EXPECT_EQ(refusal({.name = "a", .value = std::string("1") + c}).empty(), value) << octet;
        const bool attribute = octet >= 0x20 && octet <= 0x7e && c != ';';
        EXPECT_EQ(refusal({.name = "a", .path = std::string("/") + c}).empty(), attribute) << octet;
    }
    EXPECT_EQ(refusal({.name = "", .value = "1"}), "Set-Cookie: the name is empty");
}

TEST(MakeSetCookie, LetsNobodyInjectAnAttributeOrAHeader)
{
    for (const auto* bad : {"x; Domain=evil.example", "x\r\nSet-Cookie: b=2", "x\n", "x;"}) {
        EXPECT_NE(refusal({.name = bad, .value = "1"}), "");
        EXPECT_NE(refusal({.name = "a", .value = bad}), "");
        EXPECT_NE(refusal({.name = "a", .path = std::string("/") + bad}), "");
        EXPECT_NE(refusal({.name = "a", .domain = bad}), "");
    }
    EXPECT_NE(refusal({.name = "a", .path = "x"}), "");
    for (const auto* bad :
         {"a..b", ".example.org", "example.org.", "a b", "a/b", "caf\xc3\xa9.fr", ".", "[::1]"})
        EXPECT_NE(refusal({.name = "a", .domain = bad}), "") << bad;
    for (const auto* good : {"example.org", "localhost", "127.0.0.1", "xn--caf-dma.fr", "a_b.org"})
        EXPECT_EQ(refusal({.name = "a", .domain = good}), "") << good;
}

TEST(MakeSetCookie, SaysWhatIsWrongAndNeverQuotesTheValue)
{
    EXPECT_EQ(refusal({.name = "a", .value = "secret secret"}),
              "Set-Cookie a: byte 6 of the value may not stand in a cookie");
    EXPECT_EQ(refusal({.name = "a\nb", .value = "1"}),
              "Set-Cookie: byte 1 of the name may not stand in a token");
}

TEST(MakeSetCookie, EnforcesThePrefixesInAnyCase)
{
    for (const auto* name : {"__Secure-a", "__SECURE-a", "__secure-a", "__Host-a", "__hOsT-a",
                             "__Http-a", "__HTTP-a", "__Host-Http-a", "__host-http-a"}) {
        EXPECT_EQ(refusal({.name = name, .value = "1"}), "") << name;
        EXPECT_NE(refusal({.name = name, .value = "1", .secure = false}), "") << name;
    }
    for (const auto* name : {"__Host-a", "__HOST-a", "__Host-Http-a", "__HOST-HTTP-a"}) {
        EXPECT_NE(refusal({.name = name, .path = "/x"}), "") << name;
        EXPECT_NE(refusal({.name = name, .path = ""}), "") << name;
        EXPECT_NE(refusal({.name = name, .domain = "example.org"}), "") << name;
    }
    for (const auto* name : {"__Http-a", "__http-a", "__Host-Http-a", "__host-HTTP-a"})
        EXPECT_NE(refusal({.name = name, .http_only = false}), "") << name;
    for (const auto* name : {"__Host-a", "__Secure-a"})
        EXPECT_EQ(refusal({.name = name, .http_only = false}), "") << name;
    for (const auto* name : {"_Host-a", "__Hos", "x__Host-a", "__Host"})
        EXPECT_EQ(refusal({.name = name, .path = "/x", .secure = false}), "") << name;
}

TEST(MakeSetCookie, NeedsSecureForSameSiteNoneAndPartitioned)
{
    EXPECT_EQ(refusal({.name = "a", .secure = false, .site = same_site::none}),
              "Set-Cookie a: SameSite=None needs Secure");
    EXPECT_EQ(refusal({.name = "a", .secure = false, .partitioned = true}),
              "Set-Cookie a: Partitioned needs Secure");
    EXPECT_EQ(refusal({.name = "a", .secure = false, .site = same_site::strict}), "");
}

TEST(MakeSetCookie, RefusesWhatABrowserWouldDropForItsSize)
{
    EXPECT_EQ(refusal({.name = "abcd", .value = std::string(4092, 'x')}), "");
    EXPECT_EQ(refusal({.name = "abcd", .value = std::string(4093, 'x')}),
              "Set-Cookie abcd: name and value have 4097 bytes; browsers drop what is over 4096");
    const std::string path = "/" + std::string(1023, 'x'), domain(1024, 'x');
    EXPECT_EQ(refusal({.name = "a", .path = path, .domain = domain}), "");
    EXPECT_NE(refusal({.name = "a", .path = path + "x"}), "");
    EXPECT_NE(refusal({.name = "a", .domain = domain + "x"}), "");
}

TEST(MakeSetCookie, WritesDatesAsHTTPDoes)
{
    const auto date = [](system_clock::time_point time) {
        const auto header = make_set_cookie({.name = "a", .path = "", .expires = time});
        return header.substr(12, header.find(';', 12) - 12);
    };
    EXPECT_EQ(date(system_clock::time_point()), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(date(system_clock::time_point(951'782'400s)), "Tue, 29 Feb 2000 00:00:00 GMT");
    EXPECT_EQ(date(system_clock::time_point(1'735'689'599s) + 999ms),
              "Tue, 31 Dec 2024 23:59:59 GMT");
    EXPECT_EQ(date(system_clock::time_point(-1ms)), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(MakeForgetCookie, EmptiesItAndEndsItNow)
{
    EXPECT_EQ(funcptr::make_forget_cookie({.name = "__Host-a", .value = "1", .max_age = 12h}),
              "__Host-a=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; "
              "HttpOnly; SameSite=Lax");
    EXPECT_THROW(funcptr::make_forget_cookie({.name = "__Host-a", .path = "/x"}),
                 std::invalid_argument);
}

// --- the IETF's http-state data, which are not copied into this repository ----------------------

#ifdef HAVE_JSON

class HttpState : public testing::Test {
protected:
    /// $FUNCPTR_VECTORS/http-state, or the folder beside the sources.
    void SetUp() override
    {
        const auto beside = (test::source_top() / "../shared/vectors").string();
        folder_ = std::filesystem::path(test::variable("FUNCPTR_VECTORS", beside)) / "http-state";
        if (!std::filesystem::exists(folder_))
            GTEST_SKIP() << "no http-state data; FUNCPTR_VECTORS says where they are";
    }
    nlohmann::json read(const char* file) const
    {
        return nlohmann::json::parse(test::read_file(folder_ / file));
    }

private:
    std::filesystem::path folder_;
};

TEST_F(HttpState, EveryCookieHeaderABrowserSendsIsTakenApart)
{
    std::size_t compared = 0;
    for (const auto& each : read("parser.json")) {
        std::string header;
        pairs expected;
        for (const auto& sent : each["sent"]) {
            expected.push_back({sent["name"].get_ref<const std::string&>(),
                                sent["value"].get_ref<const std::string&>()});
            header += (header.empty() ? "" : "; ") + std::string(expected.back().name) + "="
                      + std::string(expected.back().value);
        }
        EXPECT_EQ(parse_cookie_header(header).pairs, expected) << each["test"];
        ++compared;
    }
    EXPECT_GT(compared, 200U);
}

TEST_F(HttpState, WhatABrowserStoresWeWriteOnlyWhenItIsWithinTheGrammar)
{
    // A cookie of odd octets is stored by browsers, and refused here: servers may not write it.
    std::size_t written = 0, refused = 0;
    for (const auto& each : read("parser.json"))
        for (const auto& sent : each["sent"]) {
            const std::string name = sent["name"], value = sent["value"];
            const auto is_odd = [](unsigned char c) {
                return c <= 0x20 || c >= 0x7f
                       || std::string_view("\",;\\").find(static_cast<char>(c))
                              != std::string_view::npos;
            };
            const bool odd = std::any_of(value.begin(), value.end(), is_odd)
                             || std::any_of(name.begin(), name.end(), is_odd)
                             || name.find_first_of("()<>@:/[]?={}") != name.npos;
            EXPECT_EQ(!refusal({.name = name, .value = value}).empty(), odd) << each["test"];
            ++(odd ? refused : written);
        }
    EXPECT_GT(written, 100U);
    EXPECT_GT(refused, 10U);
}

TEST_F(HttpState, ItsDatesAreWrittenAsItExpectsThem)
{
    std::size_t compared = 0;
    const auto check = [&](const nlohmann::json& expected) {
        if (!expected.is_string())
            return; // not a date
        std::istringstream in(expected.get<std::string>());
        in.imbue(std::locale::classic());
        std::tm parts{};
        in >> std::get_time(&parts, "%a, %d %b %Y %H:%M:%S GMT");
        ASSERT_FALSE(in.fail()) << expected;
        const auto time = system_clock::time_point(std::chrono::seconds(::timegm(&parts)));
        const auto header = make_set_cookie({.name = "a", .expires = time});
        EXPECT_NE(header.find("Expires=" + expected.get<std::string>() + ";"), std::string::npos)
            << header;
        ++compared;
    };
    for (const auto& each : read("dates/examples.json"))
        check(each["expected"]);
    const auto more = read("dates/bsd-examples.clean.json");
    for (const auto& each : more["tests"])
        check(each["expected"]);
    EXPECT_GT(compared, 15U);
}

TEST_F(HttpState, TheSizesThatBrowsersStoreAreTheSizesThatAreWritten)
{
    const auto data = read("wpt-value-size.json");
    std::size_t compared = 0;
    for (const auto& each : data["size_name_value_accept"]) {
        const std::size_t name = each["name_len"], value = each["value_len"];
        if (name == 0)
            continue; // never written here
        const bool stored = each["stored"];
        EXPECT_EQ(
            refusal({.name = std::string(name, 't'), .value = std::string(value, 'x')}).empty(),
            stored)
            << name << " + " << value;
        ++compared;
    }
    EXPECT_GE(compared, 7U);
}

TEST_F(HttpState, TheValuesThatBrowsersSendAreReadAsTheyAre)
{
    const auto data = read("wpt-value-size.json");
    std::size_t whole = 0, nameless = 0, written = 0, refused = 0;
    for (const auto& each : data["value"]) {
        const std::string header = each["cookie_header"];
        const auto parsed = parse_cookie_header(header);
        const auto equals = header.find('=');
        if (equals == header.npos) {
            EXPECT_EQ(parsed.pairs, pairs{}) << header; // "test7": its name is empty
            ++nameless;
            continue;
        }
        if (header.find(';') != header.npos) { // three cookies
            EXPECT_EQ(parsed.pairs, (pairs{{"testA", "22"}, {"test22", ""}, {"testB", "22"}}));
            continue;
        }
        const auto name = header.substr(0, equals), value = header.substr(equals + 1);
        EXPECT_EQ(parsed.pairs, (pairs{{name, value}})) << header;
        ++whole;
        // And the other way: as a server it is written only where the grammar has it.
        const bool odd = value.find_first_of(" ,\";\\\t") != value.npos;
        EXPECT_EQ(!refusal({.name = name, .value = value}).empty(), odd) << header;
        ++(odd ? refused : written);
    }
    EXPECT_GE(whole, 18U);
    EXPECT_GE(nameless, 3U);
    EXPECT_GE(written, 6U);
    EXPECT_GE(refused, 9U);
}

#endif

} // namespace
