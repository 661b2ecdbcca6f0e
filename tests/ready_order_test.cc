// SPDX-License-Identifier: MIT
#include <funcptr/connection.h>
#include <funcptr/loop.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/sockets.h"
#include "support/watchdog.h"

namespace {

using funcptr::buffer;
using funcptr::connection;
using funcptr::plain_filter;
using funcptr::unique_fd;
using funcptr::testing::send_all;
using funcptr::testing::watchdog;

/// Some connections of one loop, and who was served in which order.
class ReadyOrder : public ::testing::Test {
public:
    void on_other(ev::io& watcher, int)
    {
        watcher.stop();
        served.push_back(-1);
    }

protected:
    ev::dynamic_loop loop;
    watchdog dog{loop};
    std::vector<unique_fd> far;
    std::vector<std::unique_ptr<connection>> near;
    std::vector<int> served;
    std::function<void(int)> then = [](int) {};

    void open(int many)
    {
        for (int i = 0; i < many; ++i) {
            auto ends = funcptr::testing::socket_pair();
            far.push_back(std::move(ends[1]));
            funcptr::accepted peer;
            peer.socket = std::move(ends[0]);
            near.push_back(std::make_unique<connection>(loop, std::move(peer), plain_filter()));
            near.back()->on_data([this, i](connection&, buffer& in) {
                in.clear();
                served.push_back(i);
                then(i);
            });
        }
        for (int i = 0; i < 3; ++i) // past their first turns
            loop.run(ev::NOWAIT);
    }
    /// They become ready in this order, all before the loop looks.
    void say(const std::vector<int>& order)
    {
        for (const int each : order)
            ASSERT_TRUE(send_all(far[static_cast<std::size_t>(each)].get(), "x"));
    }
    void gone(int which) { near[static_cast<std::size_t>(which)].reset(); }
    /// Until so many calls have been made.
    void until(std::size_t calls)
    {
        while (served.size() < calls && !HasFailure())
            loop.run(ev::ONCE);
    }
};

TEST_F(ReadyOrder, WhoWasServedLongestAgoIsServedFirst)
{
    open(5);
    say({3, 1});
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{1, 3})); // opened in this order
    served.clear();
    // epoll, level-triggered, still has these two in its list and names them first.
    say({1, 4, 3, 0});
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{0, 4, 1, 3}));
}

TEST_F(ReadyOrder, HoldsForAllThatAreReadyTogetherInAnyOrder)
{
    constexpr int many = 12;
    open(many);
    std::mt19937 random(20'260'307);
    std::vector<int> oldest_first(many);
    std::iota(oldest_first.begin(), oldest_first.end(), 0);
    for (int round = 0; round < 200; ++round) {
        std::vector<int> asking(many);
        std::iota(asking.begin(), asking.end(), 0);
        std::shuffle(asking.begin(), asking.end(), random);
        asking.resize(1 + random() % many);
        const auto asks = [&](int which) {
            return std::find(asking.begin(), asking.end(), which) != asking.end();
        };
        // Who asks goes to the end, in the order in which it stood.
        const auto first =
            std::stable_partition(oldest_first.begin(), oldest_first.end(), std::not_fn(asks));
        served.clear();
        say(asking);
        loop.run(ev::NOWAIT);
        ASSERT_EQ(served, std::vector(first, oldest_first.end())) << "round " << round;
    }
}

TEST_F(ReadyOrder, EachIsServedOnceATurnHoweverOftenItIsReady)
{
    open(3);
    then = [&](int which) {
        if (served.size() < 6)
            say({which}); // ready again at once, but at the next turn
    };
    say({2, 1, 0});
    until(6);
    EXPECT_EQ(served, (std::vector{0, 1, 2, 0, 1, 2}));
}

TEST_F(ReadyOrder, AfterTheWatchersOfDefaultPriorityOfTheSameTurn)
{
    open(2);
    auto ends = funcptr::testing::socket_pair();
    ev::io other(loop);
    other.set<ReadyOrder, &ReadyOrder::on_other>(this);
    other.start(ends[0].get(), ev::READ);
    say({1, 0});
    ASSERT_TRUE(send_all(ends[1].get(), "x"));
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{-1, 0, 1}));
}

TEST_F(ReadyOrder, ACallbackDestroysOthersThatWaitAndItself)
{
    open(5);
    then = [&](int which) {
        if (which == 0) {
            gone(1); // the next one
            gone(4); // the last one
            gone(0);
        }
    };
    say({0, 1, 2, 3, 4});
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{0, 2, 3}));
}

TEST_F(ReadyOrder, ACallbackDestroysAllOfThem)
{
    open(4);
    then = [&](int) { near.clear(); };
    say({2, 0, 1, 3});
    loop.run(ev::NOWAIT);
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{0}));
}

TEST_F(ReadyOrder, WhoIsPausedMeanwhileIsNotRead)
{
    open(3);
    then = [&](int which) {
        if (which == 0)
            near[1]->pause_reading();
    };
    say({0, 1, 2});
    loop.run(ev::NOWAIT);
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{0, 2}));
    near[1]->resume_reading();
    until(3);
    EXPECT_EQ(served.back(), 1);
}

TEST_F(ReadyOrder, ANestedRunServesThoseThatStillWait)
{
    open(3);
    then = [&](int which) {
        if (which != 0)
            return;
        while (served.size() < 3 && !HasFailure())
            loop.run(ev::ONCE); // would wait for ever, were they kept for the outer run
    };
    say({0, 1, 2});
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{0, 1, 2}));
}

TEST_F(ReadyOrder, ANestedRunServesWhatComesOnlyThen)
{
    open(3);
    then = [&](int which) {
        if (which != 0)
            return;
        say({2, 1});
        while (served.size() < 3 && !HasFailure())
            loop.run(ev::ONCE);
    };
    say({0});
    loop.run(ev::NOWAIT);
    EXPECT_EQ(served, (std::vector{0, 1, 2}));
}

TEST_F(ReadyOrder, WhatOneThrowsHoldsUpNobody)
{
    open(3);
    then = [](int which) {
        if (which == 0)
            throw std::runtime_error("the first one");
    };
    say({0, 1, 2});
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    while (served.size() < 3 && !HasFailure())
        funcptr::run(loop, ev::ONCE);
    EXPECT_EQ(served, (std::vector{0, 1, 2}));
}

} // namespace
