// SPDX-License-Identifier: MIT

#include "funcptr/signed_cookie.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using funcptr::cookie_status;
using funcptr::keyring;
using funcptr::signed_cookie;
using std::chrono::system_clock;

/// Keys that count: size bytes from `first` on.
std::vector<std::byte> counted(std::size_t size, int first)
{
    std::vector<std::byte> key;
    for (std::size_t i = 0; i < size; ++i)
        key.push_back(static_cast<std::byte>(first + static_cast<int>(i)));
    return key;
}
const auto key_a = counted(32, 0), key_b = counted(64, 32), key_c = counted(100, 96);

const auto start = system_clock::time_point(1'700'000'000s);

/// A clock that stands until it is moved.
struct clock_hand {
    std::shared_ptr<system_clock::time_point> now =
        std::make_shared<system_clock::time_point>(start);
    std::function<system_clock::time_point()> reader() const
    {
        return [now = now] { return *now; };
    }
    void advance(std::chrono::seconds by) const { *now += by; }
};

signed_cookie make(const std::string& name, const std::vector<std::span<const std::byte>>& keys,
                   const clock_hand& clock = {}, funcptr::cookie_options options = {})
{
    options.clock = clock.reader();
    return signed_cookie(name, keyring::from_bytes(keys), std::move(options));
}

std::string every_octet()
{
    std::string all;
    for (int i = 0; i < 256; ++i)
        all += static_cast<char>(i);
    return all;
}

// --- known answers: made by another program (Python's hmac, hashlib and base64) ----------------

const std::string answer = "f1.oPU6FDJr.Pzrx.AGVT8QAAAAAAADQy.HhMGhWQVC8EQy41sUQqsST5BDW4raeHT-"
                           "ix0emcLNmw"; // key_a, "session", "42", no expiry

TEST(SignedCookie, GivesTheKnownAnswers)
{
    EXPECT_EQ(make("session", {key_a}).sign("42"), answer);
    EXPECT_EQ(make("session", {key_a}).sign(""),
              "f1.oPU6FDJr.Pzrx.AGVT8QAAAAAAAA.CvIwU9OCG0CrCqPk05sM-udhiKVyERVPyn67BPRkKxU");
    EXPECT_EQ(make("__Host-session", {key_b}).sign(every_octet(), 1h),
              "f1.RFfUUsgh.2LOh.AGVT8QAAZVP_"
              "EAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9"
              "Pj9AQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX2BhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ent8"
              "fX5_gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp-goaKjpKWmp6ipqqusra6vsLGys7S1tre4ubq7"
              "vL2-v8DBwsPExcbHyMnKy8zNzs_Q0dLT1NXW19jZ2tvc3d7f4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6"
              "-_z9_v8.JkLu5O83W0OUtngGJCHlqGlhXYff-uHcAArMQL9rlns");
    EXPECT_EQ(make("a", {key_c}).sign("\u65e5\u672c \U0001F36A", 60s),
              "f1.3RnyFEPj.ypeB.AGVT8QAAZVPxPOaXpeacrCDwn42q.xovvtjtKDtU8ETWE-"
              "7ddMtEVTj5ecuf8D1qMMQJZeck");
}

TEST(SignedCookie, ReadsTheKnownAnswer)
{
    const auto verdict = make("session", {key_a}).verify(answer);
    EXPECT_TRUE(verdict);
    EXPECT_TRUE(verdict.authentic());
    EXPECT_EQ(verdict.data, "42");
    EXPECT_EQ(verdict.size, 2U);
    EXPECT_EQ(verdict.reason, "ok");
    EXPECT_EQ(verdict.issued, start);
    EXPECT_EQ(verdict.expires, std::nullopt);
    EXPECT_EQ(verdict.key_index, 0U);
    EXPECT_FALSE(verdict.reissue);
    EXPECT_EQ(verdict.advice, "");
}

TEST(SignedCookie, IsMadeOfCookieSafeCharacters)
{
    const auto value = make("session", {key_a}).sign(every_octet());
    EXPECT_EQ(value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_."),
              std::string::npos);
}

TEST(SignedCookie, RoundTripsDataOfEveryLength)
{
    const auto codec = make("session", {key_a});
    std::mt19937 random(7);
    std::vector<char> out(codec.max_data());
    for (std::size_t size = 0; size <= codec.max_data(); size += size < 40 ? 1 : 97) {
        std::string data(size, '\0');
        for (auto& c : data)
            c = static_cast<char>(random());
        const auto value = codec.sign(data);
        ASSERT_EQ(codec.verify(value).data, data);
        const auto facts = codec.verify(value, out);
        ASSERT_TRUE(facts);
        ASSERT_EQ(std::string_view(out.data(), facts.size), data);
    }
}

// --- forgeries ---------------------------------------------------------------------------------

TEST(SignedCookie, RefusesEveryChangeOfOneCharacter)
{
    const auto codec = make("session", {key_a});
    const std::string_view others = "Aa0-_.=+ /\"\\;%\n\x7f\xc3";
    for (std::size_t i = 0; i < answer.size(); ++i)
        for (const char c : others) {
            auto changed = answer;
            if (changed[i] == c)
                continue;
            changed[i] = c;
            const auto verdict = codec.verify(changed);
            ASSERT_FALSE(verdict.authentic()) << changed;
            ASSERT_EQ(verdict.data, "");
            ASSERT_FALSE(verdict.reissue);
        }
}

TEST(SignedCookie, RefusesEveryTruncationAndEveryAddition)
{
    const auto codec = make("session", {key_a});
    for (std::size_t i = 0; i < answer.size(); ++i) {
        EXPECT_FALSE(codec.verify(answer.substr(0, i)).authentic()) << i;
        EXPECT_FALSE(codec.verify(answer.substr(i + 1)).authentic()) << i;
        EXPECT_FALSE(codec.verify(answer.substr(0, i) + answer.substr(i + 1)).authentic()) << i;
        EXPECT_FALSE(codec.verify(answer.substr(0, i) + "A" + answer.substr(i)).authentic()) << i;
    }
    for (const auto* more : {"=", " ", ".", "A", ".x", "\n"})
        EXPECT_FALSE(codec.verify(answer + more).authentic());
    EXPECT_FALSE(codec.verify(answer + answer).authentic());
}

TEST(SignedCookie, RefusesASecondTextForTheSameSignature)
{
    // 43 characters hold 258 bits: the last two are unused, and three more texts decode alike.
    const auto codec = make("session", {key_a});
    ASSERT_EQ(answer.back(), 'w');
    for (const char c : {'x', 'y', 'z'}) {
        const auto verdict = codec.verify(answer.substr(0, answer.size() - 1) + c);
        EXPECT_EQ(verdict.status, cookie_status::non_canonical);
        EXPECT_EQ(verdict.reason, "non-canonical");
    }
}

TEST(SignedCookie, SaysMalformedForWhatIsNotOfTheFormat)
{
    const auto codec = make("session", {key_a});
    for (const auto& text :
         {std::string(), std::string("42"), std::string(100, 'A'), "f2" + answer.substr(2),
          "\"" + answer + "\"", std::string(answer.size(), '.'), "f1.oPU6 DJr" + answer.substr(11),
          "f1.oPU6FDJr.Pz+x" + answer.substr(16)}) {
        const auto verdict = codec.verify(text);
        EXPECT_EQ(verdict.status, cookie_status::malformed) << text;
        EXPECT_EQ(verdict.reason, "malformed");
    }
}

TEST(SignedCookie, RefusesAChangedBody)
{
    auto changed = answer;
    changed[answer.find("DQy.")] = 'E'; // "42" becomes "B2"
    const auto verdict = make("session", {key_a}).verify(changed);
    EXPECT_EQ(verdict.status, cookie_status::bad_signature);
    EXPECT_EQ(verdict.reason, "bad signature");
    EXPECT_EQ(verdict.data, "");
    EXPECT_EQ(verdict.size, 0U);
}

TEST(SignedCookie, RefusesOneMadeForAnotherName)
{
    const auto value = make("admin", {key_a}).sign("42");
    const auto verdict = make("session", {key_a}).verify(value);
    EXPECT_EQ(verdict.status, cookie_status::wrong_name);
    EXPECT_EQ(verdict.reason, "wrong name");
}

TEST(SignedCookie, BindsTheWholeNameAndNotOnlyItsTag)
{
    // The tag of the other name put in by hand: the signature is still over the name.
    auto value = make("admin", {key_a}).sign("42");
    value.replace(12, 4, answer.substr(12, 4));
    EXPECT_EQ(make("session", {key_a}).verify(value).status, cookie_status::bad_signature);
    // Two names with one tag, found by search: without the whole name they could be swapped.
    const auto first = make("n1773", {key_a}).sign("42"),
               second = make("n4030", {key_a}).sign("42");
    ASSERT_EQ(first.substr(12, 4), second.substr(12, 4));
    EXPECT_EQ(make("n4030", {key_a}).verify(first).status, cookie_status::bad_signature);
    EXPECT_EQ(make("n1773", {key_a}).verify(second).status, cookie_status::bad_signature);
}

TEST(SignedCookie, TakesNoOtherUseOfTheKeyForASignature)
{
    // The key id is a MAC with the same key; no text of a cookie gives that MAC.
    const auto codec = make("session", {key_a});
    const auto id = std::string(keyring::from_bytes({key_a}).id(0));
    EXPECT_FALSE(codec.verify(answer.substr(0, answer.size() - 8) + id).authentic());
}

// --- keys --------------------------------------------------------------------------------------

TEST(SignedCookie, AcceptsCookieSignedWithRetiredKeyAndAdvisesAFreshOne)
{
    const auto verdict = make("session", {key_c, key_b, key_a}).verify(answer);
    EXPECT_TRUE(verdict);
    EXPECT_EQ(verdict.key_index, 2U);
    EXPECT_TRUE(verdict.reissue);
    EXPECT_EQ(verdict.advice, "signed by a retired key: send a fresh one");
}

TEST(SignedCookie, SignsWithTheCurrentKeyAlone)
{
    const auto value = make("session", {key_b, key_a}).sign("42");
    EXPECT_TRUE(make("session", {key_b}).verify(value));
    EXPECT_EQ(make("session", {key_a}).verify(value).status, cookie_status::unknown_key);
}

TEST(SignedCookie, RefusesCookieSignedWithAKeyThatIsNoLongerThere)
{
    const auto verdict = make("session", {key_b, key_c}).verify(answer);
    EXPECT_EQ(verdict.status, cookie_status::unknown_key);
    EXPECT_EQ(verdict.reason, "unknown key");
}

TEST(SignedCookie, RefusesTheIdOfAnotherKey)
{
    const auto codec = make("session", {key_a, key_b});
    auto value = answer;
    value.replace(3, 8, keyring::from_bytes({key_b}).id(0));
    EXPECT_EQ(codec.verify(value).status, cookie_status::bad_signature);
}

// --- time --------------------------------------------------------------------------------------

TEST(SignedCookie, ExpiresAfterMaxAgeAndSkew)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h, .skew = 10s});
    const auto value = codec.sign("42");
    clock.advance(1h + 10s);
    EXPECT_TRUE(codec.verify(value));
    clock.advance(1s);
    const auto verdict = codec.verify(value);
    EXPECT_EQ(verdict.status, cookie_status::expired);
    EXPECT_TRUE(verdict.authentic());
    EXPECT_EQ(verdict.issued, start);
    EXPECT_EQ(verdict.data, "");
    EXPECT_FALSE(verdict.reissue);
}

TEST(SignedCookie, TellsHowLongAgoItExpired)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h, .skew = 0s});
    const auto value = codec.sign("42");
    const std::pair<std::chrono::seconds, const char*> cases[] = {
        {1s, "expired 1 s ago"}, {119s, "expired 119 s ago"}, {3min, "expired 3 min ago"},
        {2h, "expired 2 h ago"}, {47h, "expired 47 h ago"},   {72h, "expired 3 days ago"},
    };
    for (const auto& [late, reason] : cases) {
        *clock.now = start + 1h + late;
        EXPECT_EQ(codec.verify(value).reason, reason);
    }
}

TEST(SignedCookie, ExpiresAtItsOwnExpiryToo)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h, .skew = 0s});
    const auto brief = codec.sign("42", 5min), lasting = codec.sign("42", 2h);
    EXPECT_EQ(codec.verify(brief).expires, start + 5min);
    clock.advance(5min);
    EXPECT_TRUE(codec.verify(brief));
    clock.advance(1s);
    EXPECT_EQ(codec.verify(brief).reason, "expired 1 s ago");
    EXPECT_EQ(codec.verify(brief).expires, start + 5min);
    EXPECT_TRUE(codec.verify(lasting));
    *clock.now = start + 1h + 1s;
    EXPECT_EQ(codec.verify(lasting).reason, "expired 1 s ago"); // max_age comes first
}

TEST(SignedCookie, WithoutMaxAgeHoldsAsLongAsItsOwnExpiry)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 0s, .skew = 0s});
    const auto forever = codec.sign("42"), brief = codec.sign("42", 24h);
    clock.advance(24h * 365 * 50);
    EXPECT_TRUE(codec.verify(forever));
    EXPECT_FALSE(codec.verify(forever).reissue);
    EXPECT_EQ(codec.verify(brief).status, cookie_status::expired);
}

TEST(SignedCookie, RefusesOneFromTheFutureButForSkew)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.skew = 30s});
    const auto value = codec.sign("42");
    *clock.now = start - 30s;
    EXPECT_TRUE(codec.verify(value));
    *clock.now = start - 31s;
    const auto verdict = codec.verify(value);
    EXPECT_EQ(verdict.status, cookie_status::not_yet_valid);
    EXPECT_EQ(verdict.reason, "issued 31 s in the future");
    EXPECT_EQ(verdict.data, "");
}

TEST(SignedCookie, AdvisesAFreshOnePastHalfOfItsLife)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h});
    const auto value = codec.sign("42");
    clock.advance(30min);
    EXPECT_FALSE(codec.verify(value).reissue);
    clock.advance(1s);
    const auto verdict = codec.verify(value);
    EXPECT_TRUE(verdict.reissue);
    EXPECT_EQ(verdict.advice, "past half of its life: send a fresh one");
    EXPECT_FALSE(codec.verify(codec.sign(verdict.data)).reissue);
}

TEST(SignedCookie, HoldsAtTheEndsOfTime)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 24h * 365 * 100, .skew = 24h});
    for (const auto now :
         {system_clock::time_point::min(), system_clock::time_point(),
          system_clock::time_point(8'589'934'591s), system_clock::time_point::max()}) {
        *clock.now = now;
        const auto value = codec.sign("42", std::chrono::seconds::max());
        const auto verdict = codec.verify(value);
        EXPECT_TRUE(verdict.authentic()) << verdict.reason;
        EXPECT_EQ(verdict.expires, system_clock::time_point(8'589'934'591s));
        EXPECT_NE(verdict.reason, "");
    }
}

// --- bounds ------------------------------------------------------------------------------------

TEST(SignedCookie, FillsMaxSizeToTheLastByteAndNoFurther)
{
    for (const std::size_t size : {256U, 257U, 258U, 259U, 1000U, 4096U, 65536U}) {
        const auto codec = make("session", {key_a}, {}, {.max_size = size});
        const auto largest = codec.sign(std::string(codec.max_data(), 'x'));
        EXPECT_LE(largest.size() + 7, size);
        EXPECT_GT(largest.size() + 7 + 2, size); // one byte more is one or two characters more
        EXPECT_TRUE(codec.verify(largest));
        try {
            codec.sign(std::string(codec.max_data() + 1, 'x'));
            FAIL() << size;
        } catch (const funcptr::error& failed) {
            EXPECT_EQ(failed.code(), funcptr::errc::limit);
        }
    }
}

TEST(SignedCookie, LooksAtNothingThatIsTooLong)
{
    const auto large = make("session", {key_a}, {}, {.max_size = 65536});
    const auto small = make("session", {key_a});
    const auto verdict = small.verify(large.sign(std::string(5000, 'x')));
    EXPECT_EQ(verdict.status, cookie_status::too_long);
    EXPECT_EQ(verdict.reason, "too long");
    EXPECT_EQ(small.verify(std::string(4096 - 7, 'x')).status, cookie_status::malformed);
    EXPECT_EQ(small.verify(std::string(4096 - 6, 'x')).status, cookie_status::too_long);
}

TEST(SignedCookie, WritesIntoACallersBufferOrSaysHowMuchIsNeeded)
{
    const auto codec = make("session", {key_a});
    const auto value = codec.sign("hello");
    char five[5], four[4];
    EXPECT_TRUE(codec.verify(value, five));
    EXPECT_EQ(std::string_view(five, 5), "hello");
    const auto facts = codec.verify(value, four);
    EXPECT_EQ(facts.status, cookie_status::too_long);
    EXPECT_EQ(facts.size, 5U);
    EXPECT_TRUE(codec.verify(codec.sign(""), std::span<char>()));
    EXPECT_EQ(codec.verify("f1", five).status, cookie_status::malformed);
}

TEST(SignedCookie, BothWaysToVerifySayTheSame)
{
    const clock_hand clock;
    const auto codec = make("session", {key_b, key_a}, clock, {.max_age = 1h});
    const std::vector<std::string> values = {codec.sign("42"),
                                             answer,
                                             make("x", {key_a}).sign("42"),
                                             answer + "A",
                                             make("session", {key_c}).sign("42"),
                                             std::string(5000, 'x')};
    char out[100];
    for (const auto by : {-2h, 0h, 1h, 2h})
        for (const auto& value : values) {
            *clock.now = start + by;
            const auto verdict = codec.verify(value);
            const auto facts = codec.verify(value, out);
            EXPECT_EQ(verdict.status, facts.status);
            EXPECT_EQ(verdict.issued, facts.issued);
            EXPECT_EQ(verdict.expires, facts.expires);
            EXPECT_EQ(verdict.key_index, facts.key_index);
            EXPECT_EQ(verdict.reissue, facts.reissue);
            EXPECT_EQ(verdict.size, facts.size);
            EXPECT_EQ(verdict.data, std::string_view(out, facts.size));
        }
}

TEST(SignedCookie, RefusesNamesThatAreNotTokens)
{
    const auto keys = keyring::from_bytes({key_a});
    for (const auto* name : {"", "a b", "a=b", "a;b", "a,b", "\"a\"", "a\n", "caf\xc3\xa9", "a/b"})
        EXPECT_THROW(signed_cookie(name, keys), std::invalid_argument) << name;
    EXPECT_THROW(signed_cookie(std::string("a\0b", 3), keys), std::invalid_argument);
    for (const auto* name : {"a", "__Host-session", "!#$%&'*+-.^_`|~9"})
        EXPECT_EQ(signed_cookie(name, keys).name(), name);
}

TEST(SignedCookie, RefusesOptionsOutOfBounds)
{
    const auto refused = [](funcptr::cookie_options options, std::string name = "session") {
        try {
            signed_cookie(name, keyring::from_bytes({key_a}), std::move(options));
            return std::string();
        } catch (const std::invalid_argument& failed) {
            return std::string(failed.what());
        }
    };
    EXPECT_EQ(refused({}), "");
    EXPECT_NE(refused({.max_age = -1s}).find("max_age"), std::string::npos);
    EXPECT_NE(refused({.max_age = std::chrono::seconds::max()}).find("max_age"), std::string::npos);
    EXPECT_NE(refused({.skew = -1s}).find("skew"), std::string::npos);
    EXPECT_NE(refused({.skew = 25h}).find("skew"), std::string::npos);
    EXPECT_NE(refused({.max_size = 255}).find("max_size"), std::string::npos);
    EXPECT_NE(refused({.max_size = 65537}).find("max_size"), std::string::npos);
    EXPECT_NE(refused({.clock = nullptr}).find("clock"), std::string::npos);
    EXPECT_NE(refused({}, std::string(2049, 'n')).find("name"), std::string::npos);
}

TEST(SignedCookie, RefusesALifetimeThatIsOverAtOnce)
{
    const auto codec = make("session", {key_a});
    EXPECT_THROW(codec.sign("42", 0s), std::invalid_argument);
    EXPECT_THROW(codec.sign("42", -1h), std::invalid_argument);
}

TEST(SignedCookie, HasANameForEveryStatus)
{
    EXPECT_STREQ(to_string(cookie_status::ok), "ok");
    EXPECT_STREQ(to_string(cookie_status::bad_signature), "bad_signature");
    EXPECT_STREQ(to_string(cookie_status::not_yet_valid), "not_yet_valid");
    EXPECT_STREQ(to_string(cookie_status::unknown_key), "unknown_key");
    EXPECT_STREQ(to_string(cookie_status::missing), "missing");
    EXPECT_STREQ(to_string(static_cast<cookie_status>(200)), "unknown");
}

// --- threads -----------------------------------------------------------------------------------

TEST(SignedCookie, SignsAndVerifiesInSeveralThreadsAtOnce)
{
    const auto codec = make("session", {key_b, key_a});
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < wrong.size(); ++i)
        threads.emplace_back([&, i] {
            const auto data = "user " + std::to_string(i);
            for (int round = 0; round < 300; ++round) {
                wrong[i] += codec.verify(codec.sign(data)).data != data;
                wrong[i] += codec.verify(answer).key_index != 1;
                wrong[i] += codec.verify(answer + "A").authentic();
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(SignedCookie, ACopyOutlivesItsOriginal)
{
    auto original = std::make_unique<signed_cookie>(make("session", {key_a}));
    const auto copy = *original;
    original.reset();
    EXPECT_EQ(copy.sign("42"), answer);
    EXPECT_EQ(copy.options().max_age, 12h);
}

// --- the article's format ----------------------------------------------------------------------

const std::string article = "e655f98cb9b3c02f45576f7906d64b0b7f8731f25a5319c42ca666917aca45a4 "
                            "Hello World";

TEST(ArticleCookie, GivesTheKnownAnswer)
{
    const funcptr::article_cookie codec(funcptr::dialect_secret("SEEKRIT"));
    EXPECT_EQ(codec.sign("Hello World"), article);
    const auto verdict = codec.verify(article);
    EXPECT_TRUE(verdict);
    EXPECT_EQ(verdict.data, "Hello World");
    EXPECT_EQ(verdict.reason, "ok");
}

TEST(ArticleCookie, GivesTheAnswersOfThePeer)
{
    const funcptr::article_cookie codec(
        funcptr::dialect_secret("a-32-byte-or-longer-secret-key-0123456789"));
    EXPECT_EQ(codec.sign("user=42"),
              "fffb1215da36365245126b881261b66818188123f3a2bd3ea3cdba652e8a9162 user=42");
    EXPECT_EQ(codec.sign("\u65e5\u672c \U0001F36A"),
              "dfa073d7d87134ea9a32ac0b0c99572f25377e2bc5cfdd469dac9144c89d9ad1 "
              "\u65e5\u672c \U0001F36A");
    const auto status = [&](const char* cookie) { return codec.verify(cookie).status; };
    EXPECT_EQ(status("fffb1215da36365245126b881261b66818188123f3a2bd3ea3cdba652e8a9162 user=43"),
              cookie_status::bad_signature);
    EXPECT_EQ(status("fffb1215da36365245126b881261b66818188123f3a2bd3ea3"),
              cookie_status::malformed);
    EXPECT_EQ(status("fffb1215da36365245126b881261b66818188123f3a2bd3ea3cdba652e8a9162 user=42"),
              cookie_status::ok);
}

TEST(ArticleCookie, SaysWhenTheSecretIsShort)
{
    const funcptr::article_cookie codec(funcptr::dialect_secret("SEEKRIT"));
    EXPECT_EQ(codec.verify(article).advice,
              "the secret is shorter than 32 bytes and may be guessed");
    const funcptr::article_cookie strong(funcptr::dialect_secret(std::string(32, 'x')));
    EXPECT_EQ(strong.verify(strong.sign("")).advice, "");
}

TEST(ArticleCookie, RefusesWhatIsNotItsOwn)
{
    const funcptr::article_cookie codec(funcptr::dialect_secret("SEEKRIT"));
    auto upper = article;
    upper[0] = 'E';
    EXPECT_EQ(codec.verify(upper).status, cookie_status::non_canonical);
    for (const auto& text : {std::string(), article.substr(0, 64), "x" + article.substr(1),
                             article.substr(1), " " + article, article.substr(0, 64) + "\tHello"})
        EXPECT_EQ(codec.verify(text).status, cookie_status::malformed) << text;
    for (std::size_t i = 0; i < article.size(); ++i) {
        auto changed = article;
        changed[i] = changed[i] == '0' ? '1' : '0';
        EXPECT_FALSE(codec.verify(changed)) << i;
        EXPECT_EQ(codec.verify(changed).data, "");
    }
    EXPECT_FALSE(codec.verify(article + " "));
    EXPECT_FALSE(funcptr::article_cookie(funcptr::dialect_secret("SEEKRIt")).verify(article));
}

TEST(ArticleCookie, HoldsToItsBound)
{
    const funcptr::article_cookie codec(funcptr::dialect_secret("SEEKRIT"), 75);
    EXPECT_TRUE(codec.verify(codec.sign("0123456789")));
    EXPECT_THROW(codec.sign("0123456789a"), funcptr::error);
    EXPECT_EQ(codec.verify(article).status, cookie_status::too_long);
    EXPECT_EQ(codec.verify(std::string(76, '0')).status, cookie_status::too_long);
}

} // namespace
