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
        for (const std::string_view good : {"AAAA", "AAA", "AA", "AAAAAA"})
            for (std::size_t i = 0; i < good.size(); ++i) {
                std::string text(good);
                text[i] = c;
                EXPECT_NE(decode(text), decoded::ok) << octet << " at " << i;
            }
    }
}

} // namespace
