// SPDX-License-Identifier: MIT
#include <funcptr/proxy_protocol.h>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using funcptr::address;
using funcptr::proxy_parser;
using funcptr::proxy_state;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

/// version_command, family_protocol, then the rest with its length in front.
std::string block(char command, char family, const std::string& rest)
{
    return signature + command + family + static_cast<char>(rest.size() >> 8)
           + static_cast<char>(rest.size() & 255) + rest;
}

const std::string four = "\xC0\0\2\1\xC6\x33\x64\2\x12\x34\x01\xBB"s; // ports 4660 and 443
const std::string six = "\x20\1\x0D\xB8"s + std::string(11, '\0') + "\1"s + std::string(15, '\0')
                        + "\1"s + "\x12\x34\0\x50"s;
std::string local_pair(std::string source, std::string destination)
{
    source.resize(108);
    destination.resize(108);
    return source + destination;
}

struct good {
    std::string header;
    bool local;
    std::string source;
    std::string destination;
    std::string extra;
};

const std::vector<good>& goods()
{
    static const std::vector<good> all{
        {"PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", false, "192.0.2.1:4660",
         "198.51.100.2:443", ""},
        {"PROXY TCP6 2001:db8::1 ::1 4660 0\r\n", false, "[2001:db8::1]:4660", "[::1]:0", ""},
        {"PROXY TCP6 ffff:f:f:f:f:f:f:f ffff:f:f:f:f:f:f:f 65535 65535\r\n", false,
         "[ffff:f:f:f:f:f:f:f]:65535", "[ffff:f:f:f:f:f:f:f]:65535", ""},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", false, "192.0.2.1:1", "[::1]:2", ""},
        {"PROXY UNKNOWN\r\n", true, "-", "-", ""},
        {"PROXY UNKNOWN whatever it is 1 2 3\r\n", true, "-", "-", ""},
        {block('\x21', '\x11', four), false, "192.0.2.1:4660", "198.51.100.2:443", ""},
        {block('\x21', '\x21', six), false, "[2001:db8::1]:4660", "[::1]:80", ""},
        {block('\x21', '\x31', local_pair("/run/client", "\0abstract"s)), false, "unix:/run/client",
         "unix:@abstract", ""},
        {block('\x21', '\x11', four + "\4\0\1x"s), false, "192.0.2.1:4660", "198.51.100.2:443",
         "\4\0\1x"s},
        {block('\x21', '\0', ""), true, "-", "-", ""},
        {block('\x20', '\0', ""), true, "-", "-", ""},
        {block('\x20', '\x11', four), true, "-", "-", ""}, // a health check with addresses
    };
    return all;
}

void expect_header(const proxy_parser& parser, const good& expected)
{
    ASSERT_EQ(parser.state(), proxy_state::done) << parser.error();
    EXPECT_EQ(parser.header().local, expected.local);
    EXPECT_EQ(parser.header().source.to_string(), expected.source);
    EXPECT_EQ(parser.header().destination.to_string(), expected.destination);
    EXPECT_EQ(parser.header().extra, expected.extra);
}

TEST(ProxyProtocol, ReadsBothVersionsAndTakesNotAByteMore)
{
    for (const auto& each : goods()) {
        proxy_parser parser;
        EXPECT_EQ(parser.take(each.header + "PROXY and what follows\r\n"), each.header.size());
        expect_header(parser, each);
        EXPECT_EQ(parser.take("more"), 0U); // it is done
    }
}

TEST(ProxyProtocol, IsReadHoweverItIsCut)
{
    for (const auto& each : goods())
        for (std::size_t first = 0; first <= each.header.size(); ++first)
            for (const std::size_t step : {1U, 2U, 7U, 500U}) {
                proxy_parser parser;
                std::size_t taken = parser.take(std::string_view(each.header).substr(0, first));
                ASSERT_EQ(taken, first);
                ASSERT_EQ(parser.state() == proxy_state::done, first == each.header.size());
                const std::string all = each.header + "behind";
                while (parser.state() == proxy_state::more)
                    taken += parser.take(std::string_view(all).substr(taken, step));
                ASSERT_EQ(taken, each.header.size());
                expect_header(parser, each);
            }
}

TEST(ProxyProtocol, RefusesWhatIsNotQuiteOne)
{
    const std::pair<std::string, const char*> cases[] = {
        {"GET / HTTP/1.1\r\n", "neither version 1 nor 2: begins with 47"},
        {"\x16\3\1", "neither version 1 nor 2: begins with 16"},
        {"POST / HTTP/1.1\r\n", "neither version 1 nor 2: begins with 50 4f 53 54"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\n", "does not end in CR LF"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 4660\r\n", "two addresses and two ports"},
        {"PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n", "two addresses and two ports"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n", "two addresses and two ports"},
        {"PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n", "not \"TCP4\" or \"TCP6\""},
        {"PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n", "not \"TCP4\" or \"TCP6\""},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n", "an address or a port is wrong"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", "an address or a port is wrong"},
        {"PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n", "an address or a port is wrong"},
        {"PROXY TCP4 ::1 ::1 1 2\r\n", "an address or a port is wrong"},
        {"PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n", "an address or a port is wrong"},
        {"PROXY TCP6 [::1] ::1 1 2\r\n", "an address or a port is wrong"},
        {"PROXY TCP6 fe80::1%1 ::1 1 2\r\n", "an address or a port is wrong"},
        {"PROXY TCP4 \x1b[2J 198.51.100.2 1 2\r\n", "\\x1b"}, // and no terminal suffers
        {"PROXY " + std::string(101, 'x'), "longer than 107 bytes"},
        {signature + "\x11\x11\0\x0C"s + four, "version 1 is not known"},
        {signature + "\x22\x11\0\x0C"s + four, "command 2 is not known"},
        {block('\x21', '\x12', four), "not those of a stream"}, // UDP
        {block('\x21', '\x41', four), "not those of a stream"},
        {block('\x21', '\x11', four.substr(1)), "the addresses are cut off"},
        {signature + "\x21\x11\xFF\xFF"s, "65535 bytes follow, more than 4096"},
    };
    for (const auto& [header, error] : cases) {
        proxy_parser parser;
        const auto taken = parser.take(header);
        EXPECT_EQ(parser.state(), proxy_state::bad) << header;
        EXPECT_LE(taken, header.size());
        EXPECT_NE(parser.error().find(error), std::string::npos) << parser.error();
        proxy_parser slow;
        for (const char each : header)
            slow.take({&each, 1});
        EXPECT_EQ(slow.state(), proxy_state::bad) << header;
    }
}

TEST(ProxyProtocol, HoldsToItsLimit)
{
    const auto header = block('\x21', '\x11', four + std::string(88, 'x'));
    proxy_parser just(100);
    EXPECT_EQ(just.take(header), header.size());
    EXPECT_EQ(just.state(), proxy_state::done) << just.error();
    EXPECT_EQ(just.header().extra.size(), 88U);
    proxy_parser less(99);
    less.take(header);
    EXPECT_EQ(less.state(), proxy_state::bad);
}

} // namespace
