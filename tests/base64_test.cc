// SPDX-License-Identifier: MIT

#include "../src/detail/base64.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace {

using funcptr::detail::decoded;

std::string encode(std::string_view text)
{
    std::string out;
    funcptr::detail::append_base64url(out, std::as_bytes(std::span(text)));
    return out;
}

decoded decode(std::string_view text, std::string& out)
{
    out.assign(funcptr::detail::base64url_bytes(text.size()), '\0');
    return funcptr::detail::decode_base64url(text, std::as_writable_bytes(std::span(out)));
}
decoded decode(std::string_view text)
{
    std::string out;
    return decode(text, out);
}

TEST(Base64url, GivesTheKnownAnswersOfRFC4648)
{
    const std::pair<const char*, const char*> answers[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
    };
    for (const auto& [plain, text] : answers) {
        EXPECT_EQ(encode(plain), text);
        std::string back;
        EXPECT_EQ(decode(text, back), decoded::ok) << text;
        EXPECT_EQ(back, plain);
    }
}

TEST(Base64url, AppendsBehindWhatIsThere)
{
    std::string out = "f1.";
    funcptr::detail::append_base64url(out, std::as_bytes(std::span(std::string_view("foo"))));
    EXPECT_EQ(out, "f1.Zm9v");
}

TEST(Base64url, RoundTripsEveryLength)
{
    std::mt19937 random(1);
    for (std::size_t size = 0; size < 200; ++size) {
        std::string plain(size, '\0');
        for (auto& c : plain)
            c = static_cast<char>(random());
        const auto text = encode(plain);
        EXPECT_EQ(text.size(), funcptr::detail::base64url_size(size));
        EXPECT_EQ(funcptr::detail::base64url_bytes(text.size()), size);
        std::string back;
        ASSERT_EQ(decode(text, back), decoded::ok);
        ASSERT_EQ(back, plain);
    }
}

TEST(Base64url, HasOneTextForEachValue)
{
    // Of all texts of two and of three characters exactly those decode that encoding gives.
    const auto letters = funcptr::detail::base64url_alphabet;
    std::size_t two = 0, three = 0;
    for (const char a : letters)
        for (const char b : letters) {
            std::string back;
            if (decode(std::string{a, b}, back) == decoded::ok) {
                EXPECT_EQ(encode(back), (std::string{a, b}));
                ++two;
            }
            for (const char c : letters)
                three += decode(std::string{a, b, c}) == decoded::ok;
        }
    EXPECT_EQ(two, 256U);
    EXPECT_EQ(three, 65536U);
    EXPECT_EQ(decode("Zh"), decoded::non_canonical);
    EXPECT_EQ(decode("Zm9"), decoded::non_canonical);
}

TEST(Base64url, HasTheSameTextForEachGroupOfThreeByAllWays)
{
    // Four values after one another at each place of a long text, against the alphabet itself.
    const auto letters = funcptr::detail::base64url_alphabet;
    for (std::size_t value = 0; value < 64; ++value)
        for (std::size_t place = 0; place < 60; ++place) {
            std::string text(60, 'A'), back;
            text[place] = letters[value];
            ASSERT_EQ(decode(text, back), decoded::ok);
            // A value may reach over two bytes, and several bits into one.
            std::string summed(45, '\0');
            for (std::size_t bit = 0; bit < 6; ++bit) {
                const auto at = place * 6 + bit;
                if ((value >> (5 - bit) & 1) != 0)
                    summed[at / 8] = static_cast<char>(summed[at / 8] | 1 << (7 - at % 8));
            }
            ASSERT_EQ(back, summed) << letters[value] << " at " << place;
            ASSERT_EQ(encode(back), text);
        }
}

TEST(Base64url, WritesNoByteBeyondItsEnd)
{
    for (std::size_t size = 0; size < 100; ++size) {
        const auto text = encode(std::string(size, '\x5a'));
        std::string room(size + 32, '#');
        const auto out = std::as_writable_bytes(std::span(room)).first(size);
        ASSERT_EQ(funcptr::detail::decode_base64url(text, out), decoded::ok);
        EXPECT_EQ(room, std::string(size, '\x5a') + std::string(32, '#'));
        std::string letters(text.size() + 32, '#');
        funcptr::detail::encode_base64url(out, letters.data());
        EXPECT_EQ(letters, text + std::string(32, '#'));
    }
}

TEST(Base64url, TellsOtherAlphabetsAndPaddingFromGarbage)
{
    EXPECT_EQ(decode("Zg=="), decoded::non_canonical);
    EXPECT_EQ(decode("Zm8="), decoded::non_canonical);
    EXPECT_EQ(decode("+/+/"), decoded::non_canonical);
    for (const auto* text : {"Z", "Zm9vY", "Zm9v\n", "Zm 9", "Zm9v ", "Zm9.", "Z\xc3\xa9g", "$m9v"})
        EXPECT_EQ(decode(text), decoded::malformed) << text;
    EXPECT_EQ(decode(std::string_view("Zm\0v", 4)), decoded::malformed);
}

TEST(Base64url, RefusesEveryOtherOctetAtEveryPlace)
{
    for (int octet = 0; octet < 256; ++octet) {
        const char c = static_cast<char>(octet);
        if (funcptr::detail::base64url_alphabet.find(c) != std::string_view::npos)
            continue;
        // Longer than what is done by sixteen at once, and shorter.
        const std::string forty(40, 'A');
        for (const std::string_view good : {"AAAA", "AAA", "AA", "AAAAAA", forty.c_str()})
            for (std::size_t i = 0; i < good.size(); ++i) {
                std::string text(good);
                text[i] = c;
                EXPECT_NE(decode(text), decoded::ok) << octet << " at " << i;
            }
    }
}

} // namespace
