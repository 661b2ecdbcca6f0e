// SPDX-License-Identifier: MIT
//
// listener: whom it accepts, and with what.
#include <funcptr/listener.h>
#include <funcptr/loop.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <memory>
#include <vector>

#include "../src/detail/net_syscalls.h"
#include "support/listening.h"
#include "support/sockets.h"

namespace {

using namespace std::chrono_literals;
using funcptr::accepted;
using funcptr::address;
using funcptr::address_family;
using funcptr::bind_listeners;
using funcptr::listener;
using funcptr::unique_fd;
using funcptr::testing::connect_to;
using funcptr::testing::has_ipv6;

class Listener : public funcptr::testing::listening {
protected:
    void TearDown() override { funcptr::detail::accept_call = ::accept4; }
};

TEST_F(Listener, HandsOutPeersOfBothFamiliesWithTheirAddress)
{
    listener both(loop, "*:0", keep());
    std::vector<unique_fd> clients;
    for (const auto& where : both.addresses()) {
        const auto to = where.family() == address_family::ipv4
                            ? address::parse("127.0.0.1").value->with_port(both.port())
                            : address::parse("::1").value->with_port(both.port());
        if (auto client = connect_to(to))
            clients.push_back(std::move(client));
    }
    EXPECT_EQ(clients.size(), has_ipv6() ? 2u : 1u);
    until([&] { return peers.size() == clients.size(); });
    for (const auto& peer : peers) {
        EXPECT_TRUE(peer.peer.is_loopback()) << peer.peer;
        EXPECT_NE(peer.peer.port(), 0);
        EXPECT_TRUE(::fcntl(peer.socket.get(), F_GETFL) & O_NONBLOCK);
        EXPECT_TRUE(::fcntl(peer.socket.get(), F_GETFD) & FD_CLOEXEC);
    }
    EXPECT_EQ(both.counters().accepted, clients.size());
    EXPECT_EQ(both.counters().connections, clients.size());
}

/// getpeername() knows nobody any more; accept() said who it was.
TEST_F(Listener, KnowsAPeerThatHasResetBeforeItWasAccepted)
{
    listener late(loop, "127.0.0.1:0", keep());
    auto client = connect_to(late.addresses()[0]);
    sockaddr_storage raw{};
    socklen_t size = sizeof raw;
    ASSERT_EQ(::getsockname(client.get(), reinterpret_cast<sockaddr*>(&raw), &size), 0);
    const auto its_own = address::from(reinterpret_cast<sockaddr*>(&raw), size);
    const linger reset{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client.reset();
    until([&] { return peers.size() + late.counters().skipped == 1; });
    if (peers.empty())
        GTEST_SKIP() << "this kernel gives it to nobody";
    EXPECT_EQ(peers[0].peer, its_own);
    size = sizeof raw;
    EXPECT_EQ(::getpeername(peers[0].socket.get(), reinterpret_cast<sockaddr*>(&raw), &size), -1);
    EXPECT_EQ(errno, ENOTCONN);
}

TEST_F(Listener, KeepsToItsLimitAndGoesOnWhenAPlaceIsGivenBack)
{
    listener small(loop, "127.0.0.1:0", keep(), {.connections = 2});
    std::vector<unique_fd> clients;
    for (int i = 0; i < 4; ++i)
        clients.push_back(connect_to(small.addresses()[0]));
    until([&] { return peers.size() == 2; });
    for (int i = 0; i < 5; ++i)
        loop.run(ev::NOWAIT);
    EXPECT_EQ(peers.size(), 2u);
    peers.erase(peers.begin());
    until([&] { return peers.size() == 2; });
    peers.clear();
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(small.counters().accepted, 4u);
}

TEST_F(Listener, TellsHowManyWaitInTheKernel)
{
    listener one(loop, "127.0.0.1:0", keep(), {.bind = {.backlog = 7}});
    EXPECT_EQ(one.queue().waiting, 0u);
    EXPECT_EQ(one.queue().most, 7u);
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(connect_to(one.addresses()[0]));
    EXPECT_EQ(one.queue().waiting, 3u);
    until([&] { return peers.size() == 3; });
    EXPECT_EQ(one.queue().waiting, 0u);
    one.stop();
    EXPECT_EQ(one.queue().most, 0u);
}

TEST_F(Listener, SetsTheOptionsOfWhatItAccepts)
{
    const auto option = [&](int level, int name) {
        unsigned value = 0;
        socklen_t size = sizeof value;
        EXPECT_EQ(::getsockopt(peers.back().socket.get(), level, name, &value, &size), 0);
        return value;
    };
    for (const bool on : {true, false}) {
        listener one(loop, "127.0.0.1:0", keep(),
                     {.bind = {.fast_open = on ? 5 : 0},
                      .no_delay = on,
                      .keepalive = on,
                      .user_timeout = on ? 1234ms : 0ms});
        const auto client = connect_to(one.addresses()[0]);
        peers.clear();
        until([&] { return peers.size() == 1; });
        EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY) != 0, on);
        EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE) != 0, on);
        EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), on ? 1234u : 0u);
    }
    const auto fast = bind_listeners("127.0.0.1:0", {.fast_open = 5});
    int queue = 0;
    socklen_t size = sizeof queue;
    ASSERT_EQ(::getsockopt(fast.sockets[0].get(), IPPROTO_TCP, TCP_FASTOPEN, &queue, &size), 0);
    EXPECT_EQ(queue, 5);
}

TEST_F(Listener, AcceptsAtMostABatchATurn)
{
    listener batch(loop, "127.0.0.1:0", keep(), {.batch = 3});
    std::vector<unique_fd> clients;
    for (int i = 0; i < 8; ++i)
        clients.push_back(connect_to(batch.addresses()[0]));
    std::vector<std::size_t> after;
    while (peers.size() < 8 && after.size() < 100) {
        loop.run(ev::ONCE);
        after.push_back(peers.size());
    }
    EXPECT_EQ(after, (std::vector<std::size_t>{3, 6, 8}));
}

TEST_F(Listener, PausesAndResumes)
{
    listener paused(loop, "127.0.0.1:0", keep());
    paused.pause();
    const auto client = connect_to(paused.addresses()[0]);
    for (int i = 0; i < 5; ++i)
        loop.run(ev::NOWAIT);
    EXPECT_TRUE(peers.empty());
    paused.resume();
    until([&] { return peers.size() == 1; });
}

TEST_F(Listener, MayBeDestroyedInItsCallback)
{
    std::unique_ptr<listener> doomed;
    int calls = 0;
    doomed = std::make_unique<listener>(loop, "127.0.0.1:0", [&](accepted) {
        ++calls;
        doomed.reset();
    });
    const auto where = doomed->addresses()[0];
    const auto first = connect_to(where), second = connect_to(where);
    until([&] { return calls != 0; });
    loop.run(ev::NOWAIT);
    EXPECT_EQ(calls, 1);
}

TEST_F(Listener, ACallbackThatThrowsBreaksTheLoopAndItGoesOn)
{
    int calls = 0;
    listener throwing(loop, "127.0.0.1:0", [&](accepted) {
        if (++calls == 1)
            throw std::runtime_error("refused");
        loop.break_loop();
    });
    const auto first = connect_to(throwing.addresses()[0]);
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    const auto second = connect_to(throwing.addresses()[0]);
    funcptr::run(loop);
    EXPECT_EQ(calls, 2);
}

TEST_F(Listener, OutlivedByItsConnectionsPlaces)
{
    auto brief = std::make_unique<listener>(loop, "127.0.0.1:0", keep());
    const auto client = connect_to(brief->addresses()[0]);
    until([&] { return peers.size() == 1; });
    brief.reset();
    peers.clear(); // gives its place back to nobody
}

TEST_F(Listener, StopAcceptsWhatTheKernelHadLetInAndResetsNobody)
{
    listener stopping(loop, "127.0.0.1:0", keep());
    std::vector<unique_fd> clients;
    for (int i = 0; i < 5; ++i)
        clients.push_back(connect_to(stopping.addresses()[0]));
    stopping.stop();
    EXPECT_EQ(peers.size(), 5u);
    for (const auto& client : clients)
        EXPECT_EQ(funcptr::testing::peer_ended(client.get()), 0);
    EXPECT_FALSE(connect_to(stopping.addresses()[0]));
    stopping.stop();
}

TEST_F(Listener, StoppedInItsCallbackHandsOutTheRestOnceThatHasReturned)
{
    int depth = 0;
    std::unique_ptr<listener> stopping;
    stopping = std::make_unique<listener>(loop, "127.0.0.1:0", [&](accepted peer) {
        EXPECT_EQ(++depth, 1);
        peers.push_back(std::move(peer));
        stopping->stop();
        --depth;
    });
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(connect_to(stopping->addresses()[0]));
    until([&] { return peers.size() == 3; });
    for (const auto& client : clients)
        EXPECT_EQ(funcptr::testing::peer_ended(client.get()), 0);
    EXPECT_FALSE(connect_to(stopping->addresses()[0]));
}

TEST_F(Listener, DestroyedWhileItIsStoppingLeavesTheRest)
{
    int calls = 0;
    std::unique_ptr<listener> doomed;
    doomed = std::make_unique<listener>(loop, "127.0.0.1:0", [&](accepted) {
        if (++calls == 2)
            doomed.reset();
    });
    const auto where = doomed->addresses()[0];
    const auto first = connect_to(where), second = connect_to(where), third = connect_to(where);
    doomed->stop();
    EXPECT_EQ(calls, 2);
}

TEST_F(Listener, ACallbackThatRunsTheLoopLosesNobody)
{
    int depth = 0;
    listener nested(loop, "127.0.0.1:0", [&](accepted peer) {
        EXPECT_EQ(++depth, 1);
        peers.push_back(std::move(peer));
        for (int i = 0; i < 3; ++i)
            loop.run(ev::NOWAIT);
        --depth;
    });
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(connect_to(nested.addresses()[0]));
    until([&] { return peers.size() == 3; });
}

TEST_F(Listener, RemovesItsUnixPathWhenItStops)
{
    const std::string path =
        ::testing::TempDir() + "funcptr_listener_stop_" + std::to_string(::getpid()) + ".sock";
    listener local(loop, "unix:" + path, keep());
    const auto client = connect_to(local.addresses()[0]);
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(peers[0].peer.to_string(), "unix:");
    EXPECT_EQ(peers[0].local.to_string(), "unix:" + path);
    local.stop();
    EXPECT_NE(::access(path.c_str(), F_OK), 0);
    ::unlink((path + ".lock").c_str());
}

TEST_F(Listener, RefusesOptionsThatMakeNoSense)
{
    const auto refuses = [&](const funcptr::listener_options& options) {
        EXPECT_THROW(listener(loop, "127.0.0.1:0", keep(), options), std::invalid_argument);
    };
    refuses({.connections = 0});
    refuses({.batch = 0});
    refuses({.backoff = 0ms});
    refuses({.backoff = 2ms, .backoff_limit = 1ms});
    refuses({.bind = {.backlog = 0}});
    EXPECT_THROW(listener(loop, "127.0.0.1:0", nullptr), std::invalid_argument);
}

} // namespace
