// SPDX-License-Identifier: MIT

#include "funcptr/sealed_cookie.h"

#include "funcptr/cookie_header.h"

#include <gtest/gtest.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using funcptr::cookie_status;
using funcptr::keyring;
using funcptr::sealed_cipher;
using funcptr::sealed_cookie;
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

sealed_cookie make(const std::string& name, const std::vector<std::span<const std::byte>>& keys,
                   const clock_hand& clock = {}, funcptr::sealed_options options = {})
{
    options.clock = clock.reader();
    return sealed_cookie(name, keyring::from_bytes(keys), std::move(options));
}

std::string every_octet()
{
    std::string all;
    for (int i = 0; i < 256; ++i)
        all += static_cast<char>(i);
    return all;
}

// --- known answers: made by another program (Python's cryptography) ----------------------------

/// key_a, "session", "42", no expiry; AES-256-GCM, filled up to 32.
const std::string answer =
    "e1.oPU6FDJr.Pzrx.oKGio6SlpqeoqaqrsLGys7S1tre4ubq70GZWbaF2caKUgwAEq9GFi3wyTmecoT99IRypD7AgBGHQ"
    "pJro2m1w3EIkX-PSmrd9";
/// key_a, "session", nothing, no expiry; ChaCha20-Poly1305, not filled up.
const std::string chacha_answer = "e2.oPU6FDJr.Pzrx.oKGio6SlpqeoqaqrsLGys7S1tre4ubq7xrHA8hf_"
                                  "iYRk3pViHQh4xD4pcWgPM22zuUWeXA";
/// key_b, "__Host-session", every octet, an hour; ChaCha20-Poly1305, filled up to 32.
const std::string long_answer =
    "e2.RFfUUsgh.2LOh.oKGio6SlpqeoqaqrsLGys7S1tre4ubq7U5Dd8y1Q2d5nOqx6txbmxlcFDm7NEGBc8NEqd1z469cX"
    "G7yKGUjzm8Vvec_DzTUo8RyhEIsym5yGOhsdN8TV8bGw2xS1e639mgyMkHi0KSLBaiWnIy9p0DOp7UUROKhZTGTR0qe6WB"
    "5C9vPw7_xhRvxJ88tBsa0rfnyUswM0R6G7vk9MMIKsr0av2sfyFN6eqZLI9-y2SIQ6C1Y6QpKFbTyGKJtcnOiDocM6Q-Si"
    "icotwSkI6aSW01twHyBS4liJmntfSlYCRerg27YkOaUjL6IuOKiBDWtKos3JCAVn8ad5bRfj5T_vdkiYDDVQnqC7naSzi3"
    "xMbq7JPido8MDGc9og27qDlHHpB_q9jcuNfMFdDGcPZ99AG9PuXM1aBUBHbyiMkV8ZCUN05R6ZEaOdSg";
/// key_c, "a", a minute; AES-256-GCM, not filled up.
const std::string short_answer = "e1.3RnyFEPj.ypeB.oKGio6SlpqeoqaqrsLGys7S1tre4ubq75G4BmswMLp0y6N"
                                 "pYgTLZXRhFmhzzECU_vstCVhHwlk9XYzc-FfcT";

TEST(SealedCookie, OpensTheKnownAnswers)
{
    const auto verdict = make("session", {key_a}).open(answer);
    EXPECT_TRUE(verdict) << verdict.reason;
    EXPECT_EQ(verdict.data, "42");
    EXPECT_EQ(verdict.size, 2U);
    EXPECT_EQ(verdict.reason, "ok");
    EXPECT_EQ(verdict.issued, start);
    EXPECT_EQ(verdict.expires, std::nullopt);
    EXPECT_EQ(verdict.key_index, 0U);
    EXPECT_FALSE(verdict.reissue);
    EXPECT_EQ(verdict.advice, "");

    const auto empty = make("session", {key_a}).open(chacha_answer);
    EXPECT_TRUE(empty) << empty.reason;
    EXPECT_EQ(empty.data, "");
    const auto lasting = make("__Host-session", {key_b}).open(long_answer);
    EXPECT_EQ(lasting.data, every_octet()) << lasting.reason;
    EXPECT_EQ(lasting.expires, start + 1h);
    const auto brief = make("a", {key_c}).open(short_answer);
    EXPECT_EQ(brief.data, "\u65e5\u672c \U0001F36A") << brief.reason;
    EXPECT_EQ(brief.expires, start + 60s);
}

// --- the format, taken apart by OpenSSL's own one-shot functions -------------------------------

std::string unbase64url(std::string text)
{
    for (auto& c : text)
        c = c == '-' ? '+' : c == '_' ? '/' : c;
    const auto size = text.size() / 4 * 3 + (text.size() % 4 == 0 ? 0 : text.size() % 4 - 1);
    text.append((4 - text.size() % 4) % 4, '=');
    std::string out(text.size() / 4 * 3, '\0');
    EXPECT_GE(EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                              reinterpret_cast<const unsigned char*>(text.data()),
                              static_cast<int>(text.size())),
              0);
    return out.substr(0, size);
}

std::string hmac(const std::string& key, const std::string& text)
{
    std::string mac(32, '\0');
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(mac.data()), nullptr);
    return mac;
}

/// What is encrypted in a text; empty when the tag does not hold.
std::string plain_of(const std::string& value, const std::vector<std::byte>& key,
                     const std::string& name)
{
    const auto body = unbase64url(value.substr(17));
    const std::string secret(reinterpret_cast<const char*>(key.data()), key.size());
    const auto derived =
        hmac(hmac(std::string(32, '\0'), secret),
             "funcptr sealed cookie " + value.substr(0, 3) + body.substr(0, 12) + '\x01');
    const auto sealed = body.substr(40);
    auto tag = body.substr(24, 16);
    std::string plain(sealed.size(), '\0');
    const auto octets = [](const std::string& text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    int size = 0;
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    const auto* const cipher = value[1] == '1' ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
    EVP_DecryptInit_ex(context, cipher, nullptr, octets(derived), octets(body) + 12);
    EVP_DecryptUpdate(context, nullptr, &size, octets(name), static_cast<int>(name.size()));
    EVP_DecryptUpdate(context, reinterpret_cast<unsigned char*>(plain.data()), &size,
                      octets(sealed), static_cast<int>(sealed.size()));
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, tag.data());
    const bool held = EVP_DecryptFinal_ex(context, nullptr, &size) == 1;
    EVP_CIPHER_CTX_free(context);
    return held ? plain : "";
}

TEST(SealedCookie, SealsAsTheFormatSays)
{
    const auto known = plain_of(answer, key_a, "session");
    EXPECT_EQ(known.substr(0, 14), std::string("\0\x65\x53\xf1\0\0\0\0\0\0\0\x02"
                                               "42",
                                               14));
    for (const auto cipher : {sealed_cipher::aes_256_gcm, sealed_cipher::chacha20_poly1305})
        for (const auto& key : {key_a, key_b, key_c}) {
            const auto codec = make("session", {key}, {}, {.cipher = cipher});
            EXPECT_EQ(plain_of(codec.seal("42"), key, "session"), known);
            EXPECT_EQ(plain_of(codec.seal("42", 1h), key, "session").substr(5, 5),
                      std::string("\0\x65\x53\xff\x10", 5));
            EXPECT_EQ(plain_of(codec.seal("42"), key, "sessiom"), "");
        }
}

TEST(SealedCookie, IsMadeOfCookieSafeCharacters)
{
    const auto value = make("session", {key_a}).seal(every_octet());
    EXPECT_EQ(value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_."),
              std::string::npos);
}

TEST(SealedCookie, RoundTripsDataOfEveryLength)
{
    std::mt19937 random(7);
    for (const std::size_t max_size : {4096U, 20000U})
        for (const auto cipher : {sealed_cipher::aes_256_gcm, sealed_cipher::chacha20_poly1305}) {
            const auto codec =
                make("session", {key_a}, {}, {.max_size = max_size, .cipher = cipher});
            std::vector<char> out(codec.max_data());
            for (std::size_t size = 0; size <= codec.max_data(); size += size < 80 ? 1 : 397) {
                std::string data(size, '\0');
                for (auto& c : data)
                    c = static_cast<char>(random());
                const auto value = codec.seal(data);
                const auto verdict = codec.open(value);
                ASSERT_EQ(verdict.data, data) << verdict.reason;
                ASSERT_EQ(verdict.reason, "ok");
                const auto facts = codec.open(value, out);
                ASSERT_TRUE(facts);
                ASSERT_EQ(std::string_view(out.data(), facts.size), data);
            }
        }
}

TEST(SealedCookie, HidesTheData)
{
    const std::string data = "role=administrator";
    for (int i = 0; i < 100; ++i) {
        const auto value = make("session", {key_a}).seal(data);
        EXPECT_EQ(unbase64url(value.substr(17)).find("admin"), std::string::npos);
    }
}

TEST(SealedCookie, HidesTheLengthWithinAStep)
{
    std::set<std::size_t> lengths, exact, most;
    const auto padded = make("session", {key_a}),
               bare = make("session", {key_a}, {}, {.pad_to = 1}),
               huge = make("session", {key_a}, {}, {.pad_to = 4096});
    for (std::size_t size = 0; size <= 20; ++size) {
        lengths.insert(padded.seal(std::string(size, 'x')).size());
        exact.insert(bare.seal(std::string(size, 'x')).size());
        most.insert(huge.seal(std::string(size, 'x')).size());
    }
    EXPECT_EQ(lengths.size(), 1U);
    EXPECT_EQ(exact.size(), 21U);
    EXPECT_EQ(most.size(), 1U);
    EXPECT_LE(*most.begin() + 7, 4096U); // filled up to the largest, and no further
    EXPECT_GT(padded.seal(std::string(21, 'x')).size(), *lengths.begin());
}

// --- forgeries ---------------------------------------------------------------------------------

TEST(SealedCookie, RefusesEveryChangedBit)
{
    const auto codec = make("session", {key_a});
    const auto good = codec.seal("role=user");
    std::vector<char> out(codec.max_data());
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto changed = good;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
        const auto verdict = codec.open(changed);
        ASSERT_FALSE(verdict.authentic()) << bit;
        ASSERT_EQ(verdict.data, "");
        ASSERT_EQ(verdict.size, 0U);
        ASSERT_FALSE(verdict.reissue);
        out.assign(out.size(), '\0');
        ASSERT_FALSE(codec.open(changed, out));
        ASSERT_EQ(std::string_view(out.data(), out.size()).find("role"), std::string::npos);
    }
}

TEST(SealedCookie, RefusesEveryChangedBitOfWhatIsUnderTheText)
{
    // Of salt, nonce, tag and ciphertext, written as a canonical text again.
    const auto codec = make("session", {key_a});
    for (const auto& good : {answer, chacha_answer}) {
        const auto bytes = unbase64url(good.substr(17));
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            // A bit of the bytes is a bit of one character's value.
            const std::string letters =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            auto changed = good;
            auto& c = changed[17 + bit / 6];
            c = letters[letters.find(c) ^ (std::size_t{32} >> bit % 6)];
            ASSERT_EQ(codec.open(changed).status, cookie_status::bad_signature) << bit;
        }
    }
}

TEST(SealedCookie, RefusesEveryTruncationAndEveryAddition)
{
    const auto codec = make("session", {key_a});
    for (std::size_t i = 0; i < answer.size(); ++i) {
        EXPECT_FALSE(codec.open(answer.substr(0, i)).authentic()) << i;
        EXPECT_FALSE(codec.open(answer.substr(i + 1)).authentic()) << i;
        EXPECT_FALSE(codec.open(answer.substr(0, i) + answer.substr(i + 1)).authentic()) << i;
        EXPECT_FALSE(codec.open(answer.substr(0, i) + "A" + answer.substr(i)).authentic()) << i;
    }
    for (const auto* more : {"=", " ", ".", "A", "AA", "AAA", "AAAA", ".x", "\n"})
        EXPECT_FALSE(codec.open(answer + more).authentic());
    EXPECT_FALSE(codec.open(answer + answer).authentic());
}

TEST(SealedCookie, RefusesASecondTextForTheSameBytes)
{
    const auto codec = make("session", {key_a});
    ASSERT_EQ(chacha_answer.size() % 4, (17U + 70U) % 4);
    ASSERT_EQ(chacha_answer.back(), 'A'); // four bits of it stand for nothing
    for (const char c : {'B', 'C', 'P'}) {
        const auto verdict = codec.open(chacha_answer.substr(0, chacha_answer.size() - 1) + c);
        EXPECT_EQ(verdict.status, cookie_status::non_canonical);
    }
    EXPECT_EQ(codec.open(answer.substr(0, answer.size() - 1) + "=").status,
              cookie_status::non_canonical);
}

TEST(SealedCookie, SaysMalformedForWhatIsNotOfTheFormat)
{
    const auto codec = make("session", {key_a});
    for (const auto& text :
         {std::string(), std::string("42"), std::string(120, 'A'), "e3" + answer.substr(2),
          "\"" + answer + "\"", std::string(answer.size(), '.'), "e1.oPU6 DJr" + answer.substr(11),
          "e1.oPU6FDJr.Pz+x" + answer.substr(16), answer.substr(0, 86)}) {
        const auto verdict = codec.open(text);
        EXPECT_EQ(verdict.status, cookie_status::malformed) << text;
        EXPECT_EQ(verdict.reason, "malformed");
    }
}

TEST(SealedCookie, DoesNotTakeOneCiphersTextForTheOthers)
{
    const auto codec = make("session", {key_a});
    EXPECT_EQ(codec.open("e2" + answer.substr(2)).status, cookie_status::bad_signature);
    EXPECT_EQ(codec.open("e1" + chacha_answer.substr(2)).status, cookie_status::bad_signature);
}

TEST(SealedCookie, RefusesOneMadeForAnotherName)
{
    const auto value = make("admin", {key_a}).seal("42");
    const auto verdict = make("session", {key_a}).open(value);
    EXPECT_EQ(verdict.status, cookie_status::wrong_name);
    EXPECT_EQ(verdict.reason, "wrong name");
}

TEST(SealedCookie, BindsTheWholeNameAndNotOnlyItsTag)
{
    auto value = make("admin", {key_a}).seal("42");
    value.replace(12, 4, answer.substr(12, 4));
    EXPECT_EQ(make("session", {key_a}).open(value).status, cookie_status::bad_signature);
    // Two names with one tag, found by search.
    const auto first = make("n1773", {key_a}).seal("42"),
               second = make("n4030", {key_a}).seal("42");
    ASSERT_EQ(first.substr(12, 4), second.substr(12, 4));
    EXPECT_EQ(make("n4030", {key_a}).open(first).status, cookie_status::bad_signature);
    EXPECT_EQ(make("n1773", {key_a}).open(second).status, cookie_status::bad_signature);
}

TEST(SealedCookie, WhatIsSignedNeverOpensAndWhatIsSealedNeverVerifies)
{
    const auto keys = keyring::from_bytes({key_a});
    const funcptr::signed_cookie codec("session", keys, {.clock = clock_hand().reader()});
    const auto sealed = make("session", {key_a});
    const auto signed_value = codec.sign(std::string(60, 'x'));
    EXPECT_TRUE(codec.verify(signed_value));
    EXPECT_EQ(sealed.open(signed_value).status, cookie_status::malformed);
    EXPECT_EQ(codec.verify(answer).status, cookie_status::malformed);
    // With the other's version in front the keys are still others.
    for (const auto* version : {"e1.", "e2."})
        EXPECT_FALSE(sealed.open(version + signed_value.substr(3)).authentic());
    EXPECT_FALSE(codec.verify("f1." + answer.substr(3)).authentic());
    auto dotted = "f1." + answer.substr(3);
    dotted[dotted.size() - 44] = '.';
    dotted.back() = 'A'; // canonical, whatever stood there
    EXPECT_EQ(codec.verify(dotted).status, cookie_status::bad_signature);
}

TEST(SealedCookie, GivesNothingForWhatOnlyAKeyHolderCouldHaveWrittenWrong)
{
    const auto codec = make("session", {key_a});
    // Something behind the data that is not 0; and a time after the last one.
    for (const auto* odd :
         {"e1.oPU6FDJr.Pzrx.oKGio6SlpqeoqaqrsLGys7S1tre4ubq7q7mltFk-dyM-B8vG-zXE93wyTmecoT99IRypD7"
          "AgBWHQpJro2m1w3EIkX-PSmrd9",
          "e1.oPU6FDJr.Pzrx.oKGio6SlpqeoqaqrsLGys7S1tre4ubq7jttM93e3EFOgkl5S8KxJWH5XHZacoT99IRypD7"
          "AgBGHQpJro2m1w3EIkX-PSmrd9"}) {
        EXPECT_NE(plain_of(odd, key_a, "session"), ""); // the tag holds
        const auto verdict = codec.open(odd);
        EXPECT_EQ(verdict.status, cookie_status::malformed);
        EXPECT_EQ(verdict.data, "");
    }
}

// --- nonces ------------------------------------------------------------------------------------

TEST(SealedCookie, NeverUsesASaltAndANonceTwice)
{
    std::set<std::string> seen, salts, nonces;
    std::vector<std::set<std::string>> each(4);
    const auto codec = make("session", {key_a});
    std::vector<std::thread> threads;
    for (auto& mine : each)
        threads.emplace_back([&] {
            for (int i = 0; i < 2500; ++i)
                mine.insert(codec.seal("42").substr(17, 32));
        });
    for (auto& thread : threads)
        thread.join();
    for (auto& mine : each)
        for (const auto& text : mine) {
            seen.insert(text);
            salts.insert(text.substr(0, 16));
            nonces.insert(text.substr(16));
        }
    EXPECT_EQ(seen.size(), 10000U);
    EXPECT_EQ(salts.size(), 10000U); // of 2^96: two alike would be no accident
    EXPECT_EQ(nonces.size(), 10000U);
}

// --- keys --------------------------------------------------------------------------------------

TEST(SealedCookie, OpensWhatARetiredKeySealedAndAdvisesAFreshOne)
{
    const auto verdict = make("session", {key_c, key_b, key_a}).open(answer);
    EXPECT_TRUE(verdict);
    EXPECT_EQ(verdict.key_index, 2U);
    EXPECT_TRUE(verdict.reissue);
    EXPECT_NE(verdict.advice.find("retired key"), std::string::npos);
}

TEST(SealedCookie, SealsWithTheCurrentKeyAlone)
{
    const auto value = make("session", {key_b, key_a}).seal("42");
    EXPECT_TRUE(make("session", {key_b}).open(value));
    EXPECT_EQ(make("session", {key_a}).open(value).status, cookie_status::unknown_key);
}

TEST(SealedCookie, RefusesTheIdOfAnotherKey)
{
    const auto codec = make("session", {key_a, key_b});
    auto value = answer;
    value.replace(3, 8, keyring::from_bytes({key_b}).id(0));
    EXPECT_EQ(codec.open(value).status, cookie_status::bad_signature);
    EXPECT_EQ(make("session", {key_c}).open(answer).status, cookie_status::unknown_key);
}

TEST(SealedCookie, MovesFromOneCipherToTheOther)
{
    const auto gcm = make("session", {key_a}),
               chacha = make("session", {key_a}, {}, {.cipher = sealed_cipher::chacha20_poly1305});
    EXPECT_TRUE(chacha.seal("42").starts_with("e2."));
    const auto verdict = chacha.open(gcm.seal("42"));
    EXPECT_EQ(verdict.data, "42");
    EXPECT_TRUE(verdict.reissue);
    EXPECT_EQ(verdict.advice, "sealed with the other cipher: send a fresh one");
    EXPECT_FALSE(gcm.open(gcm.seal("42")).reissue);
    EXPECT_FALSE(chacha.open(chacha.seal("42")).reissue);
}

// --- time --------------------------------------------------------------------------------------

TEST(SealedCookie, ExpiresAfterMaxAgeAndSkew)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h, .skew = 10s});
    const auto value = codec.seal("secret");
    clock.advance(1h + 10s);
    EXPECT_TRUE(codec.open(value));
    clock.advance(1s);
    const auto verdict = codec.open(value);
    EXPECT_EQ(verdict.status, cookie_status::expired);
    EXPECT_EQ(verdict.reason, "expired 11 s ago");
    EXPECT_TRUE(verdict.authentic());
    EXPECT_EQ(verdict.issued, start);
    EXPECT_EQ(verdict.data, "");
    EXPECT_FALSE(verdict.reissue);
    char out[100] = {};
    EXPECT_EQ(codec.open(value, out).status, cookie_status::expired);
    EXPECT_EQ(std::string_view(out, 6), std::string_view("\0\0\0\0\0\0", 6));
}

TEST(SealedCookie, ExpiresAtItsOwnExpiryToo)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h, .skew = 0s});
    const auto brief = codec.seal("42", 5min), lasting = codec.seal("42", 2h);
    EXPECT_EQ(codec.open(brief).expires, start + 5min);
    clock.advance(5min + 1s);
    EXPECT_EQ(codec.open(brief).reason, "expired 1 s ago");
    EXPECT_TRUE(codec.open(lasting));
    *clock.now = start + 1h + 1s;
    EXPECT_EQ(codec.open(lasting).reason, "expired 1 s ago"); // max_age comes first
}

TEST(SealedCookie, RefusesOneFromTheFutureButForSkew)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.skew = 30s});
    const auto value = codec.seal("42");
    *clock.now = start - 30s;
    EXPECT_TRUE(codec.open(value));
    *clock.now = start - 31s;
    const auto verdict = codec.open(value);
    EXPECT_EQ(verdict.status, cookie_status::not_yet_valid);
    EXPECT_EQ(verdict.reason, "issued 31 s in the future");
    EXPECT_EQ(verdict.data, "");
}

TEST(SealedCookie, AdvisesAFreshOnePastHalfOfItsLife)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h});
    const auto value = codec.seal("42");
    clock.advance(30min);
    EXPECT_FALSE(codec.open(value).reissue);
    clock.advance(1s);
    EXPECT_TRUE(codec.open(value).reissue);
}

// --- bounds ------------------------------------------------------------------------------------

TEST(SealedCookie, FillsMaxSizeToTheLastByteAndNoFurther)
{
    for (const std::size_t size : {256U, 257U, 258U, 259U, 1000U, 4096U, 65536U})
        for (const std::size_t pad_to : {1U, 32U, 4096U}) {
            const auto codec = make("session", {key_a}, {}, {.max_size = size, .pad_to = pad_to});
            const std::string data(codec.max_data(), 'x');
            const auto largest = codec.seal(data);
            EXPECT_LE(largest.size() + 7, size);
            EXPECT_GT(largest.size() + 7 + 2, size);
            EXPECT_EQ(codec.open(largest).data, data);
            try {
                codec.seal(data + "x");
                FAIL() << size;
            } catch (const funcptr::error& failed) {
                EXPECT_EQ(failed.code(), funcptr::errc::limit);
            }
        }
}

TEST(SealedCookie, LooksAtNothingThatIsTooLong)
{
    const auto large = make("session", {key_a}, {}, {.max_size = 65536});
    const auto small = make("session", {key_a});
    EXPECT_EQ(small.open(large.seal(std::string(5000, 'x'))).status, cookie_status::too_long);
    EXPECT_EQ(small.open(std::string(4096 - 7, 'x')).status, cookie_status::malformed);
    EXPECT_EQ(small.open(std::string(4096 - 6, 'x')).status, cookie_status::too_long);
}

TEST(SealedCookie, WritesIntoACallersBufferOrSaysHowMuchIsNeeded)
{
    const auto codec = make("session", {key_a});
    const auto value = codec.seal("hello");
    char five[5], four[4] = {};
    EXPECT_TRUE(codec.open(value, five));
    EXPECT_EQ(std::string_view(five, 5), "hello");
    const auto facts = codec.open(value, four);
    EXPECT_EQ(facts.status, cookie_status::too_long);
    EXPECT_EQ(facts.size, 5U);
    EXPECT_EQ(std::string_view(four, 4), std::string_view("\0\0\0\0", 4));
    EXPECT_TRUE(codec.open(codec.seal(""), std::span<char>()));
    EXPECT_EQ(codec.open("e1", five).status, cookie_status::malformed);
}

TEST(SealedCookie, WritesNoByteBeyondTheData)
{
    const auto codec = make("session", {key_a}, {}, {.max_size = 20000});
    for (const std::size_t size : {0U, 1U, 2U, 3U, 5U, 100U, 3060U, 3100U, 9000U}) {
        std::string room(size + 100, '#');
        const auto value = codec.seal(std::string(size, 'x'));
        ASSERT_TRUE(codec.open(value, std::span(room).first(size)));
        EXPECT_EQ(room, std::string(size, 'x') + std::string(100, '#'));
    }
}

TEST(SealedCookie, RefusesNamesAndOptionsOutOfBounds)
{
    const auto refused = [](funcptr::sealed_options options, std::string name = "session") {
        try {
            sealed_cookie(name, keyring::from_bytes({key_a}), std::move(options));
            return std::string();
        } catch (const std::invalid_argument& failed) {
            return std::string(failed.what());
        }
    };
    EXPECT_EQ(refused({}), "");
    EXPECT_NE(refused({}, "a b").find("token"), std::string::npos);
    EXPECT_NE(refused({}, "").find("sealed_cookie: "), std::string::npos);
    EXPECT_NE(refused({.max_age = -1s}).find("max_age"), std::string::npos);
    EXPECT_NE(refused({.skew = 25h}).find("skew"), std::string::npos);
    EXPECT_NE(refused({.max_size = 255}).find("max_size"), std::string::npos);
    EXPECT_NE(refused({.clock = nullptr}).find("clock"), std::string::npos);
    EXPECT_NE(refused({.cipher = static_cast<sealed_cipher>(2)}).find("cipher"), std::string::npos);
    EXPECT_NE(refused({.pad_to = 0}).find("pad_to"), std::string::npos);
    EXPECT_NE(refused({.pad_to = 4097}).find("pad_to"), std::string::npos);
    EXPECT_NE(refused({}, std::string(2049, 'n')).find("name"), std::string::npos);
    EXPECT_THROW(make("session", {key_a}).seal("42", 0s), std::invalid_argument);
}

// --- beside others -----------------------------------------------------------------------------

TEST(SealedCookie, VerifyAnyTakesTheDuplicateThatOpens)
{
    const clock_hand clock;
    const auto codec = make("session", {key_a}, clock, {.max_age = 1h});
    const auto good = codec.seal("42"), forged = good + "A";
    for (const auto& header :
         {"session=" + good, "session=" + forged + "; session=" + good,
          "a=1; session=; session=x; session=" + good + "; session=" + forged}) {
        const auto verdict = verify_any(codec, header);
        EXPECT_TRUE(verdict) << header << verdict.reason;
        EXPECT_EQ(verdict.data, "42");
    }
    EXPECT_EQ(verify_any(codec, "other=" + good).status, cookie_status::missing);
    EXPECT_EQ(verify_any(codec, "session=" + good, {.bytes = 10}).status, cookie_status::too_long);
    clock.advance(2h);
    EXPECT_EQ(verify_any(codec, "session=x; session=" + good + "; session=y").status,
              cookie_status::expired);
}

TEST(SealedCookie, SealsAndOpensInSeveralThreadsAtOnce)
{
    const auto codec = make("session", {key_b, key_a});
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < wrong.size(); ++i)
        threads.emplace_back([&, i] {
            const auto data = "user " + std::to_string(i);
            for (int round = 0; round < 300; ++round) {
                wrong[i] += codec.open(codec.seal(data)).data != data;
                wrong[i] += codec.open(answer).key_index != 1;
                wrong[i] += codec.open(answer + "A").authentic();
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(SealedCookie, ACopyOutlivesItsOriginal)
{
    auto original = std::make_unique<sealed_cookie>(make("session", {key_a}));
    const auto copy = *original;
    original.reset();
    EXPECT_EQ(copy.open(answer).data, "42");
    EXPECT_EQ(copy.options().max_age, 12h);
    EXPECT_EQ(copy.name(), "session");
}

} // namespace
