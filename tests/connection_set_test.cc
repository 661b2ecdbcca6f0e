// SPDX-License-Identifier: MIT
#include <funcptr/connection.h>
#include <funcptr/listener.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/connection_ends.h"

namespace {

using namespace std::chrono_literals;
using funcptr::buffer;
using funcptr::close_reason;
using funcptr::connection;
using funcptr::connection_set;
using funcptr::plain_filter;
using funcptr::unique_fd;
using funcptr::testing::can_reach;
using funcptr::testing::peer_ended;
using ConnectionSet = funcptr::testing::connection_ends;

TEST_F(ConnectionSet, ErasesTheClosed)
{
    connection_set all(loop);
    auto& c = all.add(near_end(), plain_filter());
    bool told = false;
    c.on_close([&](connection&, const close_reason&) { told = true; });
    EXPECT_EQ(all.size(), 1u);
    far.reset();
    until([&] { return all.size() == 0; });
    EXPECT_TRUE(told);
}

TEST_F(ConnectionSet, DrainsAndAbortsThoseThatDoNotGo)
{
    connection_set all(loop);
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i) {
        auto& c = all.add(near_end(), plain_filter(), {.linger = 0ms});
        if (i != 0)
            c.write(std::string(10000000, 'x')); // nobody reads that
        clients.push_back(std::move(far));
    }
    clients[0].reset();
    std::optional<std::size_t> aborted;
    all.drain(500ms, [&](std::size_t count) { aborted = count; });
    until([&] { return aborted.has_value(); });
    EXPECT_EQ(*aborted, 2u);
    EXPECT_EQ(all.size(), 0u);
}

TEST_F(ConnectionSet, AbortsAlsoWhoComesAfterTheDeadline)
{
    connection_set all(loop);
    std::vector<unique_fd> clients;
    bool added = false;
    all.add(near_end(), plain_filter()).on_close([&](connection&, const close_reason&) {
        clients.push_back(std::move(far));
        all.add(near_end(), plain_filter());
        added = true;
    });
    std::optional<std::size_t> aborted;
    all.drain(
        1ms, [&](std::size_t count) { aborted = count; }, funcptr::drain_how::wait);
    until([&] { return aborted.has_value(); });
    EXPECT_TRUE(added);
    EXPECT_EQ(*aborted, 2u);
}

TEST_F(ConnectionSet, WithoutConnectionsDrainsAtOnceButFromTheLoop)
{
    connection_set none(loop);
    std::optional<std::size_t> aborted;
    none.drain(1min, [&](std::size_t count) { aborted = count; });
    EXPECT_FALSE(aborted);
    until([&] { return aborted.has_value(); });
    EXPECT_EQ(*aborted, 0u);
}

TEST_F(ConnectionSet, MayBeDestroyedInACallbackOfItsConnections)
{
    for (const bool in_close : {false, true}) {
        auto all = std::make_unique<connection_set>(loop);
        auto& c = all->add(near_end(), plain_filter());
        c.on_data([&](connection&, buffer& in) {
            in.clear();
            if (!in_close)
                all.reset();
        });
        c.on_close([&](connection&, const close_reason&) { all.reset(); });
        say("x");
        if (in_close)
            far.reset();
        until([&] { return !all; });
        turns(3);
    }
}

TEST_F(ConnectionSet, ServesBothFamiliesBehindAListenerAndGivesItsPlacesBack)
{
    connection_set all(loop);
    std::vector<std::string> ends;
    const auto serve = [&](funcptr::accepted peer) {
        auto& c = all.add(std::move(peer), plain_filter());
        c.on_data([](connection& echo, buffer& in) { echo.write(in); });
        c.on_close([&](connection&, const close_reason& why) { ends.push_back(why.text); });
    };
    if (!can_reach("127.0.0.1:0"))
        GTEST_SKIP() << "the loopback interface is down";
    const std::string spec = can_reach("[::1]:0") ? "127.0.0.1:0,[::1]:0" : "127.0.0.1:0";
    funcptr::listener listener(loop, spec, serve, {.connections = 1});
    for (const auto& where : listener.addresses()) {
        far = funcptr::testing::connect_to(where);
        say("hello");
        EXPECT_EQ(hear(5), "hello");
        EXPECT_EQ(listener.counters().connections, 1u);
        const auto before = ends.size();
        far.reset();
        until([&] { return ends.size() == before + 1; });
        EXPECT_EQ(listener.counters().connections, 0u) << "the next would never be accepted";
        const auto host = where.with_port(0).to_string();
        EXPECT_TRUE(ends.back().starts_with(host.substr(0, host.size() - 1))) << ends.back();
        EXPECT_NE(ends.back().find(": closed by the peer; 5 bytes in, 5 out"), std::string::npos)
            << ends.back();
    }
}

TEST_F(ConnectionSet, MayBeDestroyedWithConnectionsInIt)
{
    auto all = std::make_unique<connection_set>(loop);
    all->add(near_end(), plain_filter());
    turns(2);
    all.reset();
    EXPECT_EQ(peer_ended(far.get()), 1);
}

} // namespace
