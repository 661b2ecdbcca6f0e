// SPDX-License-Identifier: MIT
#include <funcptr/address.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_set>

namespace {

using funcptr::address;
using funcptr::address_family;

address parsed(std::string_view text)
{
    const auto result = address::parse(text);
    EXPECT_TRUE(result) << result.error;
    return result.value.value_or(address());
}

TEST(Address, RoundTripsEveryForm)
{
    for (const char* text : {"192.0.2.1:80", "0.0.0.0:0", "[::]:7020", "[2001:db8::1]:65535",
                             "[fe80::1%lo]:1", "unix:/run/x.sock", "unix:@abstract"})
        EXPECT_EQ(parsed(text).to_string(), text);
}

TEST(Address, WithoutAPortHasPortZero)
{
    EXPECT_EQ(parsed("192.0.2.1").to_string(), "192.0.2.1:0");
    EXPECT_EQ(parsed("2001:db8::1").to_string(), "[2001:db8::1]:0");
    EXPECT_EQ(parsed("[::1]").port(), 0);
}

TEST(Address, OfAMappedIpv4PeerIsTheIpv4Address)
{
    EXPECT_EQ(parsed("[::ffff:192.0.2.1]:80"), parsed("192.0.2.1:80"));
    EXPECT_EQ(parsed("[::ffff:c000:201]:80").family(), address_family::ipv4);
}

TEST(Address, SaysWhereTheTextIsWrong)
{
    const auto wrong_at = [](std::string_view text) {
        const auto result = address::parse(text);
        EXPECT_FALSE(result) << text;
        EXPECT_TRUE(result.error.starts_with(std::string(text.substr(0, text.find('\0')))))
            << result.error;
        return result.at;
    };
    EXPECT_EQ(wrong_at("192.0.2.1:65536"), 10u);
    EXPECT_EQ(wrong_at("192.0.2.1:"), 10u);
    EXPECT_EQ(wrong_at("192.0.2.1:+5"), 10u);
    EXPECT_EQ(wrong_at("[::1"), 0u);
    EXPECT_EQ(wrong_at("[::1]80"), 5u);
    EXPECT_EQ(wrong_at("[192.0.2.1]:80"), 1u);
    EXPECT_EQ(wrong_at("[fe80::1%nosuch0]:80"), 9u);
    EXPECT_EQ(wrong_at("localhost:80"), 0u);
    EXPECT_EQ(wrong_at("192.0.2:80"), 0u);
    EXPECT_EQ(wrong_at("192.0.2.01:80"), 0u); // octal to some, decimal to others
    EXPECT_EQ(wrong_at(""), 0u);
    EXPECT_EQ(wrong_at("unix:"), 5u);
    EXPECT_EQ(wrong_at("unix:/" + std::string(200, 'x')), 113u);
    EXPECT_EQ(wrong_at("unix:@" + std::string(200, 'x')), 113u);
    EXPECT_EQ(wrong_at("unix:/a\\x00b"), 7u);
    EXPECT_EQ(wrong_at("[fe80::1%]:80"), 9u);
    EXPECT_EQ(wrong_at("[fe80::1%4294967296]:80"), 9u);
    EXPECT_EQ(wrong_at(std::string_view("1.2.3.4\0:80", 11)), 7u);
}

TEST(Address, KnowsLoopbackAndAny)
{
    EXPECT_TRUE(parsed("127.9.9.9").is_loopback());
    EXPECT_TRUE(parsed("::1").is_loopback());
    EXPECT_TRUE(parsed("unix:/x").is_loopback());
    EXPECT_FALSE(parsed("192.0.2.1").is_loopback());
    EXPECT_TRUE(parsed("0.0.0.0").is_any());
    EXPECT_TRUE(parsed("::").is_any());
    EXPECT_FALSE(parsed("::1").is_any());
}

TEST(Address, ComparesByFamilyHostScopeAndPort)
{
    EXPECT_LT(parsed("9.0.0.0:1"), parsed("10.0.0.0:0"));
    EXPECT_LT(parsed("10.0.0.1:79"), parsed("10.0.0.1:80"));
    EXPECT_LT(parsed("255.255.255.255"), parsed("::"));
    EXPECT_NE(parsed("[fe80::1%lo]:1"), parsed("[fe80::1]:1"));
    EXPECT_EQ(address(), address());
    EXPECT_FALSE(address());
    EXPECT_EQ(address().to_string(), "-");
}

TEST(Address, EqualOnesHashAlike)
{
    std::unordered_set<address> seen{parsed("192.0.2.1:80"), parsed("unix:@a")};
    EXPECT_EQ(seen.count(parsed("[::ffff:192.0.2.1]:80")), 1u);
    EXPECT_EQ(seen.count(parsed("192.0.2.1:81")), 0u);
    EXPECT_EQ(seen.count(parsed("unix:@a")), 1u);
}

TEST(Address, DropsTheFlowLabelAndKeepsTheScope)
{
    sockaddr_in6 raw{};
    raw.sin6_family = AF_INET6;
    raw.sin6_addr.s6_addr[0] = 0xfe;
    raw.sin6_addr.s6_addr[1] = 0x80;
    raw.sin6_addr.s6_addr[15] = 1;
    raw.sin6_scope_id = 1;
    const auto plain = address::from(reinterpret_cast<sockaddr*>(&raw), sizeof raw);
    raw.sin6_flowinfo = 0x1234;
    EXPECT_EQ(address::from(reinterpret_cast<sockaddr*>(&raw), sizeof raw), plain);
    raw.sin6_scope_id = 2;
    EXPECT_NE(address::from(reinterpret_cast<sockaddr*>(&raw), sizeof raw), plain);
}

TEST(Address, OfNonsenseIsNone)
{
    sockaddr raw{};
    raw.sa_family = AF_PACKET;
    EXPECT_FALSE(address::from(&raw, sizeof raw));
    EXPECT_FALSE(address::from(nullptr, 0));
    raw.sa_family = AF_INET6;
    EXPECT_FALSE(address::from(&raw, sizeof raw)) << "shorter than its family needs";
}

TEST(Address, OfAnUnnamedUnixPeer)
{
    sockaddr_un raw{};
    raw.sun_family = AF_UNIX;
    const auto made = address::from(reinterpret_cast<sockaddr*>(&raw), sizeof raw.sun_family);
    EXPECT_EQ(made.family(), address_family::local);
    EXPECT_EQ(made.to_string(), "unix:");
}

address unix_of(std::string_view name)
{
    sockaddr_un raw{};
    raw.sun_family = AF_UNIX;
    std::copy(name.begin(), name.end(), raw.sun_path);
    return address::from(reinterpret_cast<const sockaddr*>(&raw),
                         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
}

TEST(Address, OfAUnixNameIsSharedAndOutlivesTheOneItWasCopiedFrom)
{
    static_assert(sizeof(address) <= 48); // a listener moves three of them for each connection
    std::optional<address> first =
        address::parse("unix:/run/a-name-longer-than-an-ipv6-address").value;
    const address copy = *first;
    EXPECT_EQ(copy.data(), first->data());
    const address taken = std::move(*first);
    EXPECT_EQ(taken, copy);
    EXPECT_EQ(first->host(), ""); // what is left is an unnamed one
    EXPECT_EQ(first->size(), sizeof(sa_family_t));
    EXPECT_EQ(first->data()->sa_family, AF_UNIX);
    first.reset();
    EXPECT_EQ(copy.to_string(), "unix:/run/a-name-longer-than-an-ipv6-address");
}

TEST(Address, OfAHostileUnixPeerIsOneLineAndStillParsesToItself)
{
    using std::string;
    const auto long_path = "/" + string(107, 'p'); // fills sun_path: no zero at its end
    const auto long_name = string(1, '\0') + string(107, 'n');
    for (const auto& name : {string("/a\nb\x7f"), string("\0ab\0c\r\n", 8), string("@path"),
                             string("back\\slash"), string("/a\\x41"), string("\0", 1),
                             string("\0@", 2), string("/\xc3\xbc"), long_path, long_name}) {
        const auto made = unix_of(name);
        ASSERT_EQ(made.family(), address_family::local);
        const auto text = made.to_string();
        EXPECT_EQ(std::count_if(text.begin(), text.end(),
                                [](unsigned char c) { return c < 0x20 || c == 0x7f; }),
                  0)
            << text;
        EXPECT_EQ(parsed(text), made) << text;
    }
    EXPECT_EQ(unix_of("/a\nb").to_string(), "unix:/a\\x0ab");
    EXPECT_NE(unix_of("@x"), unix_of(string("\0x", 2)));
    EXPECT_EQ(unix_of("@x").to_string(), "unix:\\x40x");
    EXPECT_EQ(parsed("unix:/a\\x2Cb").host(), "/a,b");
}

TEST(Address, KeepsAScopeThatHasNoInterface)
{
    sockaddr_in6 raw{};
    raw.sin6_family = AF_INET6;
    raw.sin6_addr.s6_addr[0] = 0xfe;
    raw.sin6_addr.s6_addr[1] = 0x80;
    for (const auto scope : {70000U, 4294967295U}) {
        raw.sin6_scope_id = scope;
        const auto made = address::from(reinterpret_cast<sockaddr*>(&raw), sizeof raw);
        EXPECT_EQ(made.to_string(), "[fe80::%" + std::to_string(scope) + "]:0");
        EXPECT_EQ(parsed(made.to_string()), made);
    }
}

TEST(Address, WithPortChangesNothingElse)
{
    EXPECT_EQ(parsed("[fe80::1%lo]:1").with_port(99), parsed("[fe80::1%lo]:99"));
    EXPECT_EQ(parsed("unix:/x").with_port(99), parsed("unix:/x"));
}

} // namespace
