// SPDX-License-Identifier: MIT
//
// bind_listeners(): one port on both families, and what a spec or a report says.
#include <funcptr/listener.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "support/bind_failure.h"
#include "support/listening.h"
#include "support/sockets.h"

namespace {

using funcptr::address;
using funcptr::bind_listeners;
using funcptr::unique_fd;
using funcptr::testing::bind_failure;
using funcptr::testing::has_ipv4;
using funcptr::testing::has_ipv6;

TEST(BindListeners, GivesBothFamiliesOnePort)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    for (int i = 0; i < 20; ++i) {
        const auto bound = bind_listeners("*:0");
        ASSERT_EQ(bound.sockets.size(), 2u);
        EXPECT_NE(bound.addresses[0].port(), 0);
        EXPECT_EQ(bound.addresses[0].port(), bound.addresses[1].port());
        EXPECT_NE(bound.addresses[0].family(), bound.addresses[1].family());
    }
}

TEST(BindListeners, GivesLoopbackOfBothFamiliesOnePort)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    const auto bound = bind_listeners("127.0.0.1:0,[::1]:0");
    ASSERT_EQ(bound.sockets.size(), 2u);
    EXPECT_EQ(bound.addresses[0].port(), bound.addresses[1].port());
}

TEST(BindListeners, FindsThePortThatIsFreeOnBothWhenMostAreTakenOnOne)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    // IPv4 alone is taken on many ports: binding IPv6 first and trying IPv4 then would often fail.
    std::vector<unique_fd> taken;
    for (int i = 0; i < 500; ++i) {
        unique_fd fd(::socket(AF_INET, SOCK_STREAM, 0));
        const auto any = address::any_ipv4(0);
        ASSERT_EQ(::bind(fd.get(), any.data(), any.size()), 0);
        ::listen(fd.get(), 1);
        taken.push_back(std::move(fd));
    }
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(bind_listeners("*:0").sockets.size(), 2u);
}

TEST(BindListeners, SetsV6OnlyNonBlockingAndCloseOnExec)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    const auto bound = bind_listeners("[::]:0");
    int only = 0;
    socklen_t size = sizeof only;
    ::getsockopt(bound.sockets[0].get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, &size);
    EXPECT_EQ(only, 1);
    EXPECT_TRUE(::fcntl(bound.sockets[0].get(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(::fcntl(bound.sockets[0].get(), F_GETFD) & FD_CLOEXEC);
}

TEST(BindListeners, LeavesIpv4ToOthersWhenAskedForIpv6Alone)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    // Some other program may have taken that port on IPv4; not ten times in a row.
    std::error_code code;
    for (int attempt = 0; attempt < 10; ++attempt) {
        const auto bound = bind_listeners("[::]:0");
        code = bind_failure("0.0.0.0:" + std::to_string(bound.addresses[0].port()));
        if (!code)
            break;
    }
    EXPECT_EQ(code, std::error_code());
}

TEST(BindListeners, NeverSharesAPortUnlessAsked)
{
    const auto first = bind_listeners("127.0.0.1:0");
    const auto spec = first.addresses[0].to_string();
    std::string sentence;
    EXPECT_EQ(bind_failure(spec, {}, &sentence), std::errc::address_in_use);
    EXPECT_NE(sentence.find(spec), std::string::npos) << sentence;
    EXPECT_NE(sentence.find("(pid " + std::to_string(::getpid()) + ")"), std::string::npos)
        << "it does not name the holder: " << sentence;
    EXPECT_EQ(bind_failure(spec, {.reuse_port = true}), std::errc::address_in_use)
        << "shared with one that did not ask for it";
}

TEST(BindListeners, TakesAllAddressesOfAName)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* list = nullptr;
    ASSERT_EQ(::getaddrinfo("localhost", "0", &hints, &list), 0);
    std::vector<address> expected; // 127.0.0.1 alone on some machines
    for (auto* each = list; each != nullptr; each = each->ai_next)
        if (const auto a = address::from(each->ai_addr, each->ai_addrlen);
            std::find(expected.begin(), expected.end(), a) == expected.end())
            expected.push_back(a);
    ::freeaddrinfo(list);
    const auto bound = bind_listeners("localhost:0");
    EXPECT_EQ(bound.report.entries.size(), expected.size());
    EXPECT_GE(bound.sockets.size(), 1u);
}

TEST(BindListeners, ToleratesAnAddressThatIsNotHereOnlyWhenOneIsLeft)
{
    if (!has_ipv4()) // Linux then has no table of its addresses, and binds any
        GTEST_SKIP() << "the loopback interface is down";
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    const auto bound = bind_listeners("127.0.0.1:0,192.0.2.1:0");
    EXPECT_EQ(bound.sockets.size(), 1u);
    ASSERT_EQ(bound.report.entries.size(), 2u);
    EXPECT_EQ(bound.report.entries[1].step, funcptr::bind_step::bind);
    EXPECT_EQ(bound.report.entries[1].error, std::errc::address_not_available);
    EXPECT_NE(bound.report.to_string().find("; not on 192.0.2.1"), std::string::npos);
    EXPECT_EQ(
        bind_failure("127.0.0.1:0,192.0.2.1:0", {.policy = funcptr::bind_policy::require_all}),
        std::errc::address_not_available);
    EXPECT_EQ(bind_failure("192.0.2.1:0"), std::errc::address_not_available);
}

TEST(BindListeners, ShowsWhereASpecIsWrong)
{
    const auto at = [](std::string_view spec) {
        std::string sentence;
        EXPECT_EQ(bind_failure(spec, {}, &sentence), funcptr::errc::bad_spec) << spec << sentence;
        const auto mark = sentence.rfind("(at character ");
        EXPECT_NE(mark, std::string::npos) << sentence;
        return std::stoi(sentence.substr(mark + 14));
    };
    EXPECT_EQ(at(""), 1);
    EXPECT_EQ(at("*"), 2);
    EXPECT_EQ(at("*:"), 3);
    EXPECT_EQ(at(":80"), 1);
    EXPECT_EQ(at("*:70000"), 3);
    EXPECT_EQ(at("127.0.0.1:0,*:70000"), 15);
    EXPECT_EQ(at("127.0.0.1:0,"), 13);
    EXPECT_EQ(at("::1:80"), 1);
    EXPECT_EQ(at("[::1]"), 6);
    EXPECT_EQ(at("[::1:80"), 1);
    EXPECT_EQ(at("[::1%nosuch0]:80"), 6);
    EXPECT_EQ(at("[::1]80"), 6);
    EXPECT_EQ(at("[::1]:80:90"), 7);
    EXPECT_EQ(at("127.0.0.1:0, *:70000"), 16);
    EXPECT_EQ(at("unix:"), 6);
    EXPECT_EQ(at(std::string_view("127.0.0.1\0x:80", 14)), 10);
    EXPECT_EQ(at("local host:80"), 6);
    EXPECT_EQ(at("fd:x"), 4) << "taken for a host";
    EXPECT_EQ(at("*:80,fd:-1"), 9);
    EXPECT_EQ(at("fd:2147483648"), 4);
    EXPECT_EQ(at("systemd:"), 9);
    EXPECT_EQ(bind_failure("no.such.host.invalid:80"), funcptr::errc::resolve);
    EXPECT_EQ(bind_failure("127.0.0.1:nosuchservice"), funcptr::errc::resolve);
}

TEST(BindListeners, TakesNothingForAPortOrAHostThatOnlyGetaddrinfoTakesForOne)
{
    for (const char* spec :
         {"127.0.0.1:-1", "127.0.0.1: 0", "127.0.0.1:+0", "127.1:0", "1:0", "0x7f.1:0",
          "2130706433:0", "0177.0.0.1:0", "127.0.0.01:0", "127.0.0.1.:0"})
        EXPECT_EQ(bind_failure(spec), funcptr::errc::bad_spec) << spec;
}

TEST(BindListeners, TakesANamedPortForEveryKindOfHost)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (::getaddrinfo(nullptr, "http-alt", &hints, &list) != 0)
        GTEST_SKIP() << "no http-alt in /etc/services (Debian: netbase)";
    const auto port = address::from(list->ai_addr, list->ai_addrlen).port();
    ::freeaddrinfo(list);
    for (const char* spec : {"127.0.0.1:http-alt", "*:http-alt", "localhost:http-alt"}) {
        try {
            for (const auto& where : bind_listeners(spec).addresses)
                EXPECT_EQ(where.port(), port) << spec;
        } catch (const funcptr::error& failed) { // the port was named, be it taken
            EXPECT_EQ(failed.code(), std::errc::address_in_use) << failed.what();
            EXPECT_NE(std::string(failed.what()).find(":" + std::to_string(port)),
                      std::string::npos)
                << failed.what();
        }
    }
}

TEST(BindListeners, AllowsSpacesAroundItsParts)
{
    EXPECT_EQ(bind_listeners(" 127.0.0.1:0 , 127.0.0.2:0 ").sockets.size(), 2u);
}

TEST(BindListeners, RefusesABacklogThatIsNone)
{
    EXPECT_THROW((void)bind_listeners("127.0.0.1:0", {.backlog = 0}), std::invalid_argument);
    EXPECT_THROW((void)bind_listeners("127.0.0.1:0", {.backlog = -1}), std::invalid_argument);
}

TEST(BindListeners, NamesTheFamilyThatIsTakenAndWhoHoldsIt)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    for (const char* taken : {"127.0.0.1:0", "[::1]:0"}) {
        const auto holder = bind_listeners(taken);
        const auto port = std::to_string(holder.addresses[0].port());
        std::string sentence;
        EXPECT_EQ(bind_failure("127.0.0.1:" + port + ",[::1]:" + port, {}, &sentence),
                  std::errc::address_in_use);
        const auto who = holder.addresses[0].to_string() + ": Address already in use (held by ";
        EXPECT_NE(sentence.find(who), std::string::npos) << sentence;
    }
}

TEST(BindListeners, LeavesNoDescriptorBehindWhenItFails)
{
    const auto count = [] {
        int open = 0;
        for (int fd = 0; fd < 1024; ++fd)
            open += ::fcntl(fd, F_GETFD) != -1;
        return open;
    };
    const auto holder = bind_listeners("127.0.0.1:0");
    const auto before = count();
    for (int i = 0; i < 10; ++i)
        EXPECT_NE(bind_failure("*:" + std::to_string(holder.addresses[0].port())),
                  std::error_code());
    EXPECT_EQ(count(), before);
}

/// Before anybody listens both can be bound, since both have SO_REUSEADDR: it is the second
/// listen() that fails, and what the first one had goes with it.
TEST(BindListeners, TakesAnErrorOfListenForOneOfTheWholeTransaction)
{
    std::string sentence;
    EXPECT_EQ(bind_failure("0.0.0.0:0,127.0.0.1:0", {}, &sentence), std::errc::address_in_use);
    EXPECT_NE(sentence.find(": listen 127.0.0.1:"), std::string::npos) << sentence;
    const auto port = sentence.substr(sentence.find("listen 127.0.0.1:") + 17, 5);
    EXPECT_EQ(bind_failure("0.0.0.0:" + port.substr(0, port.find(':'))), std::error_code())
        << "something still holds the port of: " << sentence;
}

TEST(BindReport, ReadsLikeASentence)
{
    funcptr::bind_report report;
    for (const char* text : {"0.0.0.0:80", "[::]:80", "10.0.0.1:80"})
        report.entries.push_back({*address::parse(text).value, {}, {}, {}});
    std::ostringstream out;
    out << report;
    EXPECT_EQ(out.str(), "listening on 0.0.0.0:80, [::]:80 and 10.0.0.1:80");
}

} // namespace
