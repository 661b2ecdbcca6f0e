// SPDX-License-Identifier: MIT
//
// A listener behind proxies: whose word counts, and nobody waits for a silent one.
#include <funcptr/connection.h>
#include <funcptr/listener.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/listening.h"

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using funcptr::accepted;
using funcptr::address;
using funcptr::cidr;
using funcptr::listener;
using funcptr::listener_options;
using funcptr::unique_fd;
using funcptr::testing::connect_to;
using funcptr::testing::peer_ended;
using funcptr::testing::receive_now;
using funcptr::testing::send_all;

const std::string header = "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n";

listener_options behind_proxies(std::chrono::milliseconds deadline = 30s)
{
    listener_options options;
    options.proxy_from = {*cidr::parse("127.0.0.0/8").value};
    options.proxy_deadline = deadline;
    return options;
}

class ProxiedListener : public funcptr::testing::listening {
protected:
    unique_fd client_of(const listener& of) { return connect_to(of.addresses()[0]); }
};

TEST_F(ProxiedListener, TakesThePeersAddressFromTheHeaderAndLeavesWhatFollows)
{
    listener one(loop, "127.0.0.1:0", keep(), behind_proxies());
    const auto client = client_of(one);
    send_all(client.get(), header + "\x16\x03 and more");
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(peers[0].peer.to_string(), "192.0.2.1:4660");
    EXPECT_EQ(peers[0].local.to_string(), "198.51.100.2:443");
    EXPECT_TRUE(peers[0].via.is_loopback());
    EXPECT_EQ(receive_now(peers[0].socket.get()), "\x16\x03 and more");
}

TEST_F(ProxiedListener, ReadsAHeaderThatComesByteByByte)
{
    listener one(loop, "127.0.0.1:0", keep(), behind_proxies());
    const auto client = client_of(one);
    for (std::size_t i = 0; i < header.size(); ++i) {
        EXPECT_TRUE(peers.empty()) << i;
        send_all(client.get(), header.substr(i, 1));
        turn(2);
    }
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(peers[0].peer.to_string(), "192.0.2.1:4660");
}

TEST_F(ProxiedListener, KeepsTheConnectionsOwnAddressWhenTheProxySpeaksForItself)
{
    listener one(loop, "127.0.0.1:0", keep(), behind_proxies());
    const auto client = client_of(one);
    send_all(client.get(), "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s);
    until([&] { return peers.size() == 1; });
    EXPECT_TRUE(peers[0].peer.is_loopback());
    EXPECT_EQ(peers[0].local, one.addresses()[0]);
    EXPECT_FALSE(peers[0].via);
}

TEST_F(ProxiedListener, TakesNobodyElsesWord)
{
    listener_options options;
    options.proxy_from = {*cidr::parse("192.0.2.0/24").value};
    for (const auto& each : {options, listener_options()}) {
        listener one(loop, "127.0.0.1:0", keep(), each);
        const auto client = client_of(one);
        send_all(client.get(), header);
        peers.clear();
        until([&] { return peers.size() == 1; });
        EXPECT_TRUE(peers[0].peer.is_loopback());
        EXPECT_FALSE(peers[0].via);
        EXPECT_EQ(receive_now(peers[0].socket.get()), header); // it is the peer's own text
    }
}

TEST_F(ProxiedListener, RefusesAProxyWithoutAHeaderAndSaysWhy)
{
    listener one(loop, "127.0.0.1:0", keep(), behind_proxies());
    const auto speaks = client_of(one);
    send_all(speaks.get(), "GET / HTTP/1.1\r\n\r\n");
    const auto leaves = client_of(one);
    send_all(leaves.get(), "PROXY TC");
    ::shutdown(leaves.get(), SHUT_WR);
    until([&] { return one.counters().proxies_refused == 2; });
    EXPECT_TRUE(peers.empty());
    EXPECT_NE(peer_ended(speaks.get()), 0);
    EXPECT_EQ(peer_ended(leaves.get()), 1);
    EXPECT_EQ(one.counters().connections, 0u);
    ASSERT_EQ(lines.size(), 2u);
    std::sort(lines.begin(), lines.end(), [](auto& a, auto& b) { return a.size() > b.size(); });
    EXPECT_NE(lines[0].find("neither version 1 nor 2: begins with 47"), std::string::npos)
        << lines[0];
    EXPECT_NE(lines[1].find("the proxy hung up"), std::string::npos) << lines[1];
}

TEST_F(ProxiedListener, ASilentProxyHoldsUpNobodyAndMeetsItsDeadline)
{
    listener one(loop, "127.0.0.1:0", keep(), behind_proxies(50ms));
    std::vector<unique_fd> silent;
    for (int i = 0; i < 20; ++i)
        silent.push_back(client_of(one));
    until([&] { return one.counters().connections == 20; });
    const auto client = client_of(one);
    send_all(client.get(), header);
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(peers[0].peer.to_string(), "192.0.2.1:4660");
    until([&] { return one.counters().proxies_refused == 20; });
    for (const auto& each : silent)
        EXPECT_EQ(peer_ended(each.get()), 1);
    EXPECT_EQ(one.counters().connections, 1u);
    EXPECT_NE(lines.at(0).find("its deadline passed"), std::string::npos) << lines[0];
}

TEST_F(ProxiedListener, WhoWaitsForItsHeaderCountsAsAConnection)
{
    auto options = behind_proxies();
    options.connections = 1;
    listener one(loop, "127.0.0.1:0", keep(), options);
    const auto first = client_of(one);
    const auto second = client_of(one);
    until([&] { return one.counters().connections == 1; });
    turn();
    EXPECT_EQ(one.counters().accepted, 1u);
    send_all(first.get(), header);
    send_all(second.get(), header);
    until([&] { return peers.size() == 1; });
    peers.clear();
    until([&] { return peers.size() == 1; });
}

TEST_F(ProxiedListener, OfAUnixSocketAsksOnlyWhenTold)
{
    const std::string spec = "unix:@funcptr_proxied_" + std::to_string(::getpid());
    for (const bool asks : {true, false}) {
        listener one(loop, spec, keep(), {.proxy_from_unix = asks});
        const auto client = client_of(one);
        send_all(client.get(), header + "x");
        peers.clear();
        until([&] { return peers.size() == 1; });
        EXPECT_EQ(peers[0].peer.family() == funcptr::address_family::ipv4, asks);
        EXPECT_EQ(receive_now(peers[0].socket.get()), asks ? "x" : header + "x");
    }
}

TEST_F(ProxiedListener, HandsNobodyOutWithinAHandlerThatRunsTheLoop)
{
    int depth = 0, deepest = 0;
    bool nested = false;
    std::optional<listener> one;
    std::vector<unique_fd> clients;
    one.emplace(
        loop, "127.0.0.1:0",
        [&](accepted peer) {
            deepest = std::max(deepest, ++depth);
            peers.push_back(std::move(peer));
            if (!std::exchange(nested, true)) {
                send_all(clients[1].get(), header);
                turn();
            }
            --depth;
        },
        behind_proxies());
    clients.push_back(client_of(*one));
    clients.push_back(client_of(*one));
    until([&] { return one->counters().connections == 2; });
    send_all(clients[0].get(), header);
    until([&] { return peers.size() == 2; });
    EXPECT_EQ(deepest, 1);
}

TEST_F(ProxiedListener, MayBeDestroyedInItsCallbackWithOthersWaiting)
{
    auto one = std::make_unique<std::optional<listener>>();
    one->emplace(
        loop, "127.0.0.1:0", [&](accepted) { one.reset(); }, behind_proxies());
    const auto waits = client_of(**one);
    const auto comes = client_of(**one);
    until([&] { return (*one)->counters().connections == 2; });
    send_all(comes.get(), header);
    until([&] { return one == nullptr; });
    EXPECT_NE(peer_ended(waits.get()), 0);
}

TEST_F(ProxiedListener, StoppedStillHandsOutThoseWhoseHeaderComes)
{
    listener one(loop, "127.0.0.1:0", keep(), behind_proxies());
    const auto waits = client_of(one);
    until([&] { return one.counters().connections == 1; });
    const auto queued = client_of(one);
    one.stop();
    send_all(waits.get(), header);
    send_all(queued.get(), header);
    until([&] { return peers.size() == 2; });
    EXPECT_FALSE(client_of(one));
}

} // namespace
