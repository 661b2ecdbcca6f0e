// SPDX-License-Identifier: MIT
//
// Connections and listeners when memory is used up: nothing is thrown through libev, nothing is
// left half done, and all goes on when there is memory again.
#include <funcptr/connection.h>
#include <funcptr/listener.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "../src/detail/handshake_turns.h"
#include "support/count_allocations.h"
#include "support/listening.h"

namespace {

using namespace std::chrono_literals;
using funcptr::accepted;
using funcptr::buffer;
using funcptr::close_reason;
using funcptr::connection;
using funcptr::connection_set;
using funcptr::listener;
using funcptr::plain_filter;
using funcptr::unique_fd;
using funcptr::testing::no_memory;

class NetMemory : public funcptr::testing::listening {
protected:
    unique_fd far;
    std::optional<close_reason> closed;
    int told = 0;

    void SetUp() override
    {
        if (!funcptr::testing::counts_allocations)
            GTEST_SKIP() << "the sanitizer has an operator new of its own";
        listening::SetUp();
    }
    accepted near_end()
    {
        auto ends = funcptr::testing::socket_pair();
        far = std::move(ends[1]);
        accepted peer;
        peer.socket = std::move(ends[0]);
        return peer;
    }
    void expect_closed_for_memory()
    {
        ASSERT_TRUE(closed);
        EXPECT_EQ(closed->error, std::errc::not_enough_memory);
        EXPECT_NE(closed->text.find(closed->error.message()), std::string::npos) << closed->text;
    }
};

TEST_F(NetMemory, AConnectionThatCannotReadIsClosedAndSaysWhy)
{
    connection one(loop, near_end(), plain_filter());
    one.on_close([this](connection&, const close_reason& why) { closed = why; });
    turn();
    funcptr::testing::send_all(far.get(), "hello");
    {
        const no_memory for_a_block(16000);
        turn();
    }
    expect_closed_for_memory();
    EXPECT_EQ(funcptr::testing::peer_ended(far.get()), -1); // its bytes were not read
}

TEST_F(NetMemory, AWriteThatCannotBeKeptClosesTheConnectionAndNoHalfOfItIsFollowed)
{
    connection one(loop, near_end(), plain_filter());
    one.on_close([this](connection&, const close_reason& why) { closed = why; });
    turn();
    const std::string large(4'000'000, 'x'); // a part of it is sent at once
    {
        const no_memory now;
        EXPECT_FALSE(one.write(large));
    }
    EXPECT_GT(one.bytes_out(), 0u);
    EXPECT_FALSE(one.write("more"));
    turn();
    expect_closed_for_memory();
}

TEST_F(NetMemory, OnCloseIsCalledWithoutAnyAndOnce)
{
    connection one(loop, near_end(), plain_filter());
    one.on_close([this](connection&, const close_reason&) { ++told; });
    turn();
    far.reset();
    {
        const no_memory now;
        turn();
    }
    EXPECT_EQ(told, 1);
    turn();
    EXPECT_EQ(told, 1);
}

TEST_F(NetMemory, ASetErasesWhoHasClosedOnceThereIsSome)
{
    connection_set all(loop);
    all.add(near_end(), plain_filter()).on_close([this](connection&, const close_reason&) {
        ++told;
    });
    turn();
    far.reset();
    {
        const no_memory now;
        turn();
        EXPECT_EQ(told, 1);
        EXPECT_EQ(all.size(), 1u);
    }
    until([&] { return all.size() == 0; });
    EXPECT_EQ(told, 1);
}

TEST_F(NetMemory, AListenerBacksOffAndRecovers)
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

TEST_F(NetMemory, WhoCannotWaitForItsHandshakeNeedNot)
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
