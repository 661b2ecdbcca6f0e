// SPDX-License-Identifier: MIT
//
// Connections and listeners when memory is used up: nothing is thrown through libev, nothing is
// left half done, and all goes on when there is memory again.
#include <funcptr/connection.h>
#include <funcptr/listener.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include "../src/detail/handshake_turns.h"
#include "support/connection_ends.h"
#include "support/count_allocations.h"
#include "support/listening.h"

namespace {

using namespace std::chrono_literals;
using funcptr::close_reason;
using funcptr::connection;
using funcptr::connection_set;
using funcptr::listener;
using funcptr::plain_filter;
using funcptr::unique_fd;
using funcptr::testing::no_memory;

class ConnectionMemory : public funcptr::testing::connection_ends {
protected:
    int told = 0;

    void expect_closed_for_memory()
    {
        ASSERT_TRUE(closed);
        EXPECT_EQ(closed->error, std::errc::not_enough_memory);
        EXPECT_NE(closed->text.find(closed->error.message()), std::string::npos) << closed->text;
    }
};
using ListenerMemory = funcptr::testing::listening;

TEST_F(ConnectionMemory, AConnectionThatCannotReadIsClosedAndSaysWhy)
{
    open();
    turns(5);
    say("hello");
    {
        const no_memory for_a_block(16000);
        turns(5);
    }
    expect_closed_for_memory();
    EXPECT_EQ(funcptr::testing::peer_ended(far.get()), -1); // its bytes were not read
}

TEST_F(ConnectionMemory, AWriteThatCannotBeKeptClosesTheConnectionAndNoHalfOfItIsFollowed)
{
    open();
    turns(5);
    const std::string large(4'000'000, 'x'); // a part of it is sent at once
    {
        const no_memory now;
        EXPECT_FALSE(near->write(large));
    }
    EXPECT_GT(near->bytes_out(), 0u);
    EXPECT_FALSE(near->write("more"));
    turns(5);
    expect_closed_for_memory();
}

TEST_F(ConnectionMemory, OnCloseIsCalledWithoutAnyAndOnce)
{
    open();
    near->on_close([this](connection&, const close_reason&) { ++told; });
    turns(5);
    far.reset();
    {
        const no_memory now;
        turns(5);
    }
    EXPECT_EQ(told, 1);
    turns(5);
    EXPECT_EQ(told, 1);
}

TEST_F(ConnectionMemory, ASetErasesWhoHasClosedOnceThereIsSome)
{
    connection_set all(loop);
    all.add(near_end(), plain_filter()).on_close([this](connection&, const close_reason&) {
        ++told;
    });
    turns(5);
    far.reset();
    {
        const no_memory now;
        turns(5);
        EXPECT_EQ(told, 1);
        EXPECT_EQ(all.size(), 1u);
    }
    until([&] { return all.size() == 0; });
    EXPECT_EQ(told, 1);
}

TEST_F(ListenerMemory, BacksOffAndRecovers)
{
    funcptr::listener_options behind_proxies;
    behind_proxies.proxy_from = {*funcptr::cidr::parse("127.0.0.0/8").value};
    behind_proxies.backoff = 1ms;
    behind_proxies.backoff_limit = 4ms;
    listener one(loop, "127.0.0.1:0", keep(), behind_proxies);
    std::vector<unique_fd> clients;
    for (int i = 0; i < 8; ++i)
        clients.push_back(funcptr::testing::connect_to(one.addresses()[0]));
    {
        const no_memory now;
        while (one.counters().starved < 3)
            loop.run(ev::ONCE);
    }
    EXPECT_EQ(one.counters().accepted, 0u);
    EXPECT_EQ(one.counters().connections, 0u); // a place is given back with who was lost
    until([&] { return one.counters().accepted == 5; });
    EXPECT_EQ(one.counters().starved, 3u);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "listener: accepting again"), 1);
}

TEST_F(ListenerMemory, WhoCannotWaitForItsHandshakeNeedNot)
{
    struct waiter final : funcptr::detail::handshake_turns::waiter {
        void go_on() override {}
    } first, second;
    funcptr::detail::handshake_turns turns(loop);
    EXPECT_TRUE(turns.admit(first, 1));
    const no_memory now;
    EXPECT_TRUE(turns.admit(second, 1));
    EXPECT_FALSE(second.waits());
}

} // namespace
