// SPDX-License-Identifier: MIT
//
// Sockets that somebody else has bound: by number, and as systemd passes them.
#include <funcptr/listener.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/listening.h"
#include "support/process.h"

namespace {

using funcptr::address;
using funcptr::bind_listeners;
using funcptr::listener;
using funcptr::unique_fd;
using funcptr::testing::connect_to;

unique_fd listening_socket()
{
    return std::move(bind_listeners("127.0.0.1:0").sockets[0]);
}
address address_of(const unique_fd& socket)
{
    sockaddr_storage raw{};
    socklen_t size = sizeof raw;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&raw), &size);
    return address::from(reinterpret_cast<const sockaddr*>(&raw), size);
}
std::string spec_of(int fd)
{
    return "fd:" + std::to_string(fd);
}
bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) >= 0;
}
std::string failure(const std::string& spec)
{
    try {
        (void)bind_listeners(spec);
    } catch (const funcptr::error& failed) {
        return failed.what();
    }
    return "none";
}

class Inherited : public funcptr::testing::listening {};

TEST_F(Inherited, ADescriptorIsOwnedAndMadeFitForTheLoop)
{
    auto socket = listening_socket();
    const auto where = address_of(socket);
    const int fd = socket.release();
    ::fcntl(fd, F_SETFL, 0);
    ::fcntl(fd, F_SETFD, 0);
    {
        listener one(loop, spec_of(fd), keep());
        EXPECT_EQ(one.addresses().at(0), where);
        EXPECT_EQ(one.report().to_string(), "listening on " + where.to_string());
        EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
        EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
        const auto client = connect_to(where);
        until([&] { return peers.size() == 1; });
    }
    EXPECT_FALSE(is_open(fd));
}

TEST_F(Inherited, StandsBesideAddressesOfOnesOwn)
{
    auto socket = listening_socket();
    const auto where = address_of(socket);
    const auto bound = bind_listeners("127.0.0.1:0," + spec_of(socket.release()));
    ASSERT_EQ(bound.addresses.size(), 2u);
    EXPECT_EQ(bound.addresses[1], where);
}

TEST_F(Inherited, APeerOfADualSocketIsToldByItsIpv4Address)
{
    unique_fd dual(::socket(AF_INET6, SOCK_STREAM, 0));
    const int off = 0;
    const auto any = address::any_ipv6(0);
    if (::setsockopt(dual.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0
        || ::bind(dual.get(), any.data(), any.size()) != 0 || ::listen(dual.get(), 5) != 0)
        GTEST_SKIP() << "no IPv6 on this machine";
    const auto port = address_of(dual).port();
    listener one(loop, spec_of(dual.release()), keep());
    const auto client = connect_to(address::parse("127.0.0.1").value->with_port(port));
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(peers[0].peer.host(), "127.0.0.1");
}

TEST_F(Inherited, WhatCannotServeIsRefusedByNameAndStaysOpen)
{
    const unique_fd datagram(::socket(AF_INET, SOCK_DGRAM, 0));
    const unique_fd idle(::socket(AF_INET, SOCK_STREAM, 0));
    const unique_fd file(::open("/dev/null", O_RDONLY));
    const std::pair<int, const char*> cases[] = {
        {datagram.get(), "the socket is not a stream"},
        {idle.get(), "the socket does not listen"},
        {file.get(), "the descriptor is no socket"},
        {19'999, "the descriptor is not open"},
    };
    for (const auto& [fd, why] : cases) {
        const auto text = failure(spec_of(fd));
        EXPECT_NE(text.find(why), std::string::npos) << text;
        EXPECT_NE(text.find("fd " + std::to_string(fd)), std::string::npos) << text;
    }
    EXPECT_TRUE(is_open(datagram.get()));
    EXPECT_TRUE(is_open(idle.get()));
}

TEST_F(Inherited, AGoodOneStaysOpenWhenTheRestOfTheSpecFails)
{
    const auto socket = listening_socket();
    const auto taken = bind_listeners("127.0.0.1:0");
    EXPECT_NE(failure(spec_of(socket.get()) + "," + taken.addresses[0].to_string()), "none");
    EXPECT_TRUE(is_open(socket.get()));
    EXPECT_TRUE(connect_to(address_of(socket)));
}

/// Sets what systemd sets, for this process.
struct systemd_environment {
    explicit systemd_environment(const std::string& pid, const char* fds = "1",
                                 const char* names = nullptr)
    {
        ::setenv("LISTEN_PID", pid.c_str(), 1);
        ::setenv("LISTEN_FDS", fds, 1);
        if (names != nullptr)
            ::setenv("LISTEN_FDNAMES", names, 1);
    }
    ~systemd_environment()
    {
        for (const char* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
            ::unsetenv(each);
    }
};

TEST_F(Inherited, FromSystemdAreRefusedWhenTheyAreNotForUs)
{
    EXPECT_NE(failure("systemd").find("LISTEN_PID and LISTEN_FDS are not set"), std::string::npos);
    {
        const systemd_environment other("1");
        EXPECT_NE(failure("systemd").find("are for process 1 (LISTEN_PID), this is "
                                          + std::to_string(::getpid())),
                  std::string::npos);
    }
    for (const char* number : {"0", "-1", "x", "4097", "99999999999"}) {
        const systemd_environment wrong(std::to_string(::getpid()), number);
        EXPECT_NE(failure("systemd").find("not a number from 1 to 4096"), std::string::npos);
    }
    const systemd_environment named(std::to_string(::getpid()), "2", "web:metrics");
    EXPECT_NE(failure("systemd:mail")
                  .find("no socket is named \"mail\" (LISTEN_FDNAMES is "
                        "\"web:metrics\")"),
              std::string::npos)
        << failure("systemd:mail");
}

/// Runs the example with those sockets as 3, 4 … as systemd would; what it prints, as it comes.
class activated {
public:
    activated(const std::vector<int>& sockets, const char* names, const char* spec)
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe(ends.data()), 0);
        output_.reset(ends[0]);
        const auto program =
            test::variable("FUNCPTR_BUILD", "build/debug") + "/examples/dual_stack";
        child_ = ::fork();
        if (child_ == 0)
            become(program, sockets, names, spec, ends[1]);
        ::close(ends[1]);
    }
    ~activated()
    {
        ::kill(child_, SIGINT);
        ::waitpid(child_, nullptr, 0);
    }
    /// Blocks until there is one; "" at its end.
    std::string line()
    {
        std::string text;
        for (char c = 0; ::read(output_.get(), &c, 1) == 1 && c != '\n';)
            text += c;
        return text;
    }

private:
    [[noreturn]] static void become(const std::string& program, const std::vector<int>& sockets,
                                    const char* names, const char* spec, int output)
    {
        // Out of the way first: a source may be another one's target.
        const int kept = ::fcntl(output, F_DUPFD, 100);
        std::vector<int> high;
        for (const int each : sockets)
            high.push_back(::fcntl(each, F_DUPFD, 100));
        ::dup2(kept, 1);
        ::dup2(kept, 2);
        for (std::size_t i = 0; i < high.size(); ++i)
            ::dup2(high[i], 3 + static_cast<int>(i));
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        ::setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
        ::setenv("LISTEN_FDNAMES", names, 1);
        ::execl(program.c_str(), program.c_str(), spec, nullptr);
        ::_exit(127);
    }

    unique_fd output_;
    pid_t child_ = -1;
};

/// What the example says to whoever comes.
std::string greeting(const address& where)
{
    const auto client = connect_to(where);
    std::string text(200, '\0');
    const auto got = client ? ::recv(client.get(), text.data(), text.size(), MSG_WAITALL) : 0;
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

TEST_F(Inherited, AProgramStartedBySystemdServesAllItsSockets)
{
    const auto web = listening_socket();
    const auto metrics = listening_socket();
    activated program({web.get(), metrics.get()}, "web:metrics", "systemd");
    EXPECT_EQ(program.line(), "listening on " + address_of(web).to_string() + " and "
                                  + address_of(metrics).to_string());
    EXPECT_NE(greeting(address_of(web)).find("you are 127.0.0.1:"), std::string::npos);
    EXPECT_NE(greeting(address_of(metrics)).find("you are 127.0.0.1:"), std::string::npos);
}

TEST_F(Inherited, AProgramStartedBySystemdMayAskForASocketByItsName)
{
    const auto web = listening_socket();
    const auto metrics = listening_socket();
    activated program({web.get(), metrics.get()}, "web:metrics", "systemd:metrics");
    EXPECT_EQ(program.line(), "listening on " + address_of(metrics).to_string());
    EXPECT_NE(greeting(address_of(metrics)).find("you are 127.0.0.1:"), std::string::npos);
}

TEST_F(Inherited, TheSameSocketOfSystemdIsNotGivenTwice)
{
    const auto web = listening_socket();
    activated program({web.get()}, "web", "systemd,systemd:web");
    EXPECT_EQ(program.line(), "listening on " + address_of(web).to_string()); // once, that is
}

} // namespace
