// SPDX-License-Identifier: MIT

#include "../src/detail/hmac.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace {

using funcptr::detail::mac_sha256;
using funcptr::detail::prepared_hmac;

std::span<const std::byte> bytes(std::string_view text)
{
    return std::as_bytes(std::span(text));
}

std::string hex(const mac_sha256& mac)
{
    std::string text;
    for (const auto byte : mac) {
        text += "0123456789abcdef"[std::to_integer<std::size_t>(byte >> 4)];
        text += "0123456789abcdef"[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return text;
}

TEST(Hmac, GivesTheKnownAnswersOfRFC4231)
{
    EXPECT_EQ(hex(funcptr::detail::hmac(bytes(std::string(20, '\x0b')), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex(funcptr::detail::hmac(bytes("Jefe"), "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(funcptr::detail::hmac(bytes(std::string(20, '\xaa')), std::string(50, '\xdd'))),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    const std::string longer_than_a_block(131, '\xaa');
    EXPECT_EQ(hex(funcptr::detail::hmac(bytes(longer_than_a_block),
                                        "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, APrefixIsAsIfItStoodInTheText)
{
    const std::string text = "a prefix and then a text that is longer than one block of the digest";
    const auto whole = funcptr::detail::hmac(bytes("key"), text);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        mac_sha256 mac{};
        ASSERT_TRUE(
            prepared_hmac(bytes("key"), text.substr(0, cut)).compute(text.substr(cut), mac));
        EXPECT_EQ(mac, whole) << cut;
    }
}

std::vector<std::byte> counted(std::size_t size, int first)
{
    std::vector<std::byte> out;
    for (std::size_t i = 0; i < size; ++i)
        out.push_back(static_cast<std::byte>(first + static_cast<int>(i)));
    return out;
}

TEST(Hkdf, GivesTheKnownAnswersOfRFC5869)
{
    using funcptr::detail::hkdf_sha256;
    mac_sha256 key{};
    const std::vector<std::byte> secret(22, std::byte{0x0b});
    EXPECT_TRUE(hkdf_sha256(secret, counted(13, 0), {}).expand(counted(10, 0xf0), key));
    EXPECT_EQ(hex(key), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    EXPECT_TRUE(hkdf_sha256(secret, {}, {}).expand({}, key));
    EXPECT_EQ(hex(key), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");

    // The second case, its info cut in label and info at each place that there is room for.
    const auto info = counted(80, 0xb0);
    for (std::size_t cut = info.size() - hkdf_sha256::longest_info; cut <= info.size(); ++cut) {
        const std::string label(reinterpret_cast<const char*>(info.data()), cut);
        const hkdf_sha256 prepared(counted(80, 0), counted(80, 0x60), label);
        EXPECT_TRUE(prepared.expand(std::span(info).subspan(cut), key));
        EXPECT_EQ(hex(key), "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c");
    }
}

TEST(Hkdf, RefusesAnInfoThatIsLongerThanItsRoom)
{
    mac_sha256 key{};
    const funcptr::detail::hkdf_sha256 prepared(bytes("secret"), {}, "label");
    EXPECT_TRUE(prepared.expand(counted(63, 0), key));
    EXPECT_FALSE(prepared.expand(counted(64, 0), key));
}

TEST(Hmac, OnePreparedKeyServesSeveralThreads)
{
    const prepared_hmac shared(bytes("Jefe"), {});
    const auto expected = funcptr::detail::hmac(bytes("Jefe"), "text");
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (auto& mine : wrong)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                mac_sha256 mac{};
                mine += !shared.compute("text", mac) || mac != expected;
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Hmac, EqualMeansEveryBit)
{
    const auto mac = funcptr::detail::hmac(bytes("key"), "text");
    EXPECT_TRUE(funcptr::detail::equal_in_constant_time(mac, mac));
    for (std::size_t bit = 0; bit < 256; ++bit) {
        auto other = mac;
        other[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
        EXPECT_FALSE(funcptr::detail::equal_in_constant_time(mac, other)) << bit;
    }
}

TEST(Wipe, LeavesZeros)
{
    std::vector<std::byte> secret(100, std::byte{7});
    funcptr::detail::wipe(secret);
    EXPECT_EQ(secret, std::vector<std::byte>(100));
    funcptr::detail::wipe({});
}

} // namespace
