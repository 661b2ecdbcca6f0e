// SPDX-License-Identifier: MIT
#include <funcptr/cidr.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using funcptr::address;
using funcptr::cidr;

address at(const char* text)
{
    return *address::parse(text).value;
}
cidr block(const char* text)
{
    const auto parsed = cidr::parse(text);
    EXPECT_TRUE(parsed) << parsed.error;
    return *parsed.value;
}

TEST(Cidr, HoldsWhatSharesItsPrefixToTheBit)
{
    struct {
        const char* network;
        const char* inside;
        const char* outside;
    } const cases[] = {
        {"10.0.0.0/8", "10.255.255.255:80", "11.0.0.0"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
        {"192.0.2.4/31", "192.0.2.5", "192.0.2.6"},
        {"192.0.2.4", "192.0.2.4:1", "192.0.2.5"},
        {"0.0.0.0/0", "255.1.2.3", "::1"},
        {"2001:db8::/32", "[2001:db8:ffff::1]:443", "2001:db9::"},
        {"2001:db8::8000/113", "2001:db8::ffff", "2001:db8::7fff"},
        {"::1/128", "::1", "::"},
        {"::/0", "fe80::1", "127.0.0.1"},
        {"fe80::/10", "[fe80::1%1]:7", "fec0::1"},
    };
    for (const auto& each : cases) {
        EXPECT_TRUE(block(each.network).contains(at(each.inside))) << each.network;
        EXPECT_FALSE(block(each.network).contains(at(each.outside))) << each.network;
    }
}

TEST(Cidr, AnIpv4PeerOfAnIpv6SocketIsFoundInItsBlock)
{
    EXPECT_TRUE(block("10.0.0.0/8").contains(at("::ffff:10.1.2.3")));
    EXPECT_EQ(block("::ffff:10.0.0.0/104"), block("10.0.0.0/8"));
    EXPECT_FALSE(block("::/0").contains(at("::ffff:10.1.2.3"))); // it is no IPv6 address
}

TEST(Cidr, HoldsNeitherUnixSocketsNorNobody)
{
    EXPECT_FALSE(block("0.0.0.0/0").contains(at("unix:/run/x")));
    EXPECT_FALSE(block("0.0.0.0/0").contains(address()));
}

TEST(Cidr, PrintsWhatItParses)
{
    for (const auto* text : {"10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/33", "192.0.2.1/32"})
        EXPECT_EQ(block(text).to_string(), text);
    EXPECT_EQ(block("::1").to_string(), "::1/128");
}

TEST(Cidr, SaysWhatIsWrong)
{
    const std::pair<const char*, const char*> cases[] = {
        {"10.0.0.1/8", "10.0.0.1/8: the block begins at 10.0.0.0"},
        {"2001:db8::1/64", "2001:db8::1/64: the block begins at 2001:db8::"},
        {"10.0.0.0/33", "10.0.0.0/33: the prefix is not a number from 0 to 32"},
        {"10.0.0.0/", "10.0.0.0/: the prefix is not a number from 0 to 32"},
        {"10.0.0.0/-1", "10.0.0.0/-1: the prefix is not a number from 0 to 32"},
        {"::/129", "::/129: the prefix is not a number from 0 to 128"},
        {"::ffff:0.0.0.0/95", "::ffff:0.0.0.0/95: a block of IPv4-mapped addresses has a prefix "
                              "of at least 96"},
    };
    for (const auto& [text, error] : cases) {
        const auto parsed = cidr::parse(text);
        EXPECT_FALSE(parsed);
        EXPECT_EQ(parsed.error, error);
    }
    for (const auto* text : {"", "/", "/8", "10/8", "10.0.0.0:80/8", "[::]/0", "fe80::%1/10",
                             "unix:/x", "example.org/8", "10.0.0.0/8 "})
        EXPECT_FALSE(cidr::parse(text)) << text;
    EXPECT_FALSE(cidr::parse(std::string_view("10.0.0.0\0/8", 11)));
}

TEST(Cidr, OfSeveralOneIsEnough)
{
    const std::vector<cidr> inside{block("10.0.0.0/8"), block("fd00::/8")};
    EXPECT_TRUE(contains(inside, at("fd12::1")));
    EXPECT_FALSE(contains(inside, at("192.0.2.1")));
    EXPECT_FALSE(funcptr::contains({}, at("192.0.2.1")));
}

} // namespace
