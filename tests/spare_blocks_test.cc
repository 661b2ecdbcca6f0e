// SPDX-License-Identifier: MIT
#include <funcptr/connection.h>
#include <funcptr/loop.h>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../src/detail/spare_blocks.h"
#include "support/sockets.h"
#include "support/watchdog.h"

namespace {

using funcptr::buffer;
using funcptr::connection;
using funcptr::connection_options;
using funcptr::plain_filter;
using funcptr::unique_fd;
using funcptr::detail::spare_blocks;
using funcptr::testing::send_all;
using funcptr::testing::watchdog;

constexpr std::size_t block = 16 * 1024;

/// A filter one of whose buffers has a block of that size, and is empty.
plain_filter with_a_block(std::size_t capacity)
{
    plain_filter one;
    (void)one.nread().prepare(capacity);
    return one;
}

TEST(SpareBlocks, AnEmptyBuffersBlockIsTheNextOnes)
{
    spare_blocks spare;
    auto first = with_a_block(block);
    const auto* const where = first.nread().prepare(1).data();
    spare.take_back(first);
    EXPECT_EQ(first.memory(), 0u);

    plain_filter second;
    spare.lend(second);
    EXPECT_EQ(second.nread().capacity(), block);
    EXPECT_EQ(second.nread().prepare(1).data(), where);
    EXPECT_EQ(second.nwrite().capacity(), 0u); // there was only one

    plain_filter third;
    spare.lend(third);
    EXPECT_EQ(third.memory(), 0u);
}

TEST(SpareBlocks, WhatIsHeldStaysWhereItIs)
{
    spare_blocks spare;
    auto one = with_a_block(block);
    one.nread().append("kept");
    spare.take_back(one);
    EXPECT_EQ(one.nread().view(), "kept");
    EXPECT_EQ(one.nread().capacity(), block);
}

TEST(SpareBlocks, ABufferWithABlockOfItsOwnGetsNone)
{
    spare_blocks spare;
    auto first = with_a_block(block);
    spare.take_back(first);
    auto second = with_a_block(block);
    second.nwrite().append("x");
    const auto before = second.memory();
    spare.lend(second);
    EXPECT_EQ(second.memory(), before);
}

TEST(SpareBlocks, ABufferIsNotLentMoreThanItMayHold)
{
    spare_blocks spare;
    auto first = with_a_block(block);
    spare.take_back(first);
    plain_filter small({.read = block - 1, .write = block});
    spare.lend(small);
    EXPECT_EQ(small.nread().capacity(), 0u);
    EXPECT_EQ(small.nwrite().capacity(), block);
}

TEST(SpareBlocks, LargeOnesAreNotTaken)
{
    spare_blocks spare;
    auto large = with_a_block(64 * 1024 + 1);
    spare.take_back(large);
    EXPECT_EQ(large.memory(), 64 * 1024 + 1u);
    auto largest = with_a_block(64 * 1024);
    spare.take_back(largest);
    EXPECT_EQ(largest.memory(), 0u);
}

TEST(SpareBlocks, KeepsEightAndFreesTheRest)
{
    spare_blocks spare;
    for (int i = 0; i < 10; ++i) {
        auto one = with_a_block(block);
        spare.take_back(one);
        EXPECT_EQ(one.memory(), 0u);
    }
    std::vector<plain_filter> lent(6);
    std::size_t bytes = 0;
    for (auto& each : lent) {
        spare.lend(each);
        bytes += each.memory();
    }
    EXPECT_EQ(bytes, 8 * block);
}

TEST(SpareBlocks, TrimFreesThem)
{
    spare_blocks spare;
    for (int i = 0; i < 3; ++i) {
        auto one = with_a_block(block);
        spare.take_back(one);
    }
    spare.trim();
    plain_filter next;
    spare.lend(next);
    EXPECT_EQ(next.memory(), 0u);
    auto one = with_a_block(block);
    spare.take_back(one);
    spare.lend(next);
    EXPECT_EQ(next.memory(), block);
}

/// Connections of one loop, and the peers they have.
class SpareBlocksOfALoop : public ::testing::Test {
protected:
    ev::dynamic_loop loop;
    watchdog dog{loop};
    std::vector<unique_fd> far;
    std::vector<std::unique_ptr<connection>> near;

    /// Nothing is ever trimmed: what is given back is given back at the turn's end.
    connection& open()
    {
        auto ends = funcptr::testing::socket_pair();
        far.push_back(std::move(ends[1]));
        funcptr::accepted peer;
        peer.socket = std::move(ends[0]);
        near.push_back(std::make_unique<connection>(
            loop, std::move(peer), plain_filter(),
            connection_options{.trim_after = std::chrono::milliseconds(0)}));
        return *near.back();
    }
    std::string hear(std::size_t which, std::size_t bytes)
    {
        std::string text;
        while (text.size() < bytes && !HasFailure()) {
            const auto got = funcptr::testing::receive_now(far[which].get());
            if (got.empty())
                loop.run(ev::NOWAIT);
            text += got;
        }
        return text;
    }
    void settle()
    {
        for (int i = 0; i < 3; ++i)
            loop.run(ev::NOWAIT);
    }
};

TEST_F(SpareBlocksOfALoop, WhoHasAnsweredHoldsNoMemory)
{
    for (std::size_t i = 0; i < 50; ++i)
        open().on_data([](connection& c, buffer& in) { c.write(in); });
    for (int round = 0; round < 3; ++round)
        for (std::size_t i = 0; i < near.size(); ++i) {
            const auto text = "request " + std::to_string(i);
            ASSERT_TRUE(send_all(far[i].get(), text));
            EXPECT_EQ(hear(i, text.size()), text);
        }
    for (const auto& each : near)
        EXPECT_EQ(each->through().memory(), 0u);
}

TEST_F(SpareBlocksOfALoop, NorWhoWasReset)
{
    auto& one = open();
    bool reset = false;
    one.on_close([&](connection&, const funcptr::close_reason& why) {
        reset = why.by == funcptr::close_by::socket;
    });
    settle();
    ASSERT_TRUE(one.write("never read"));
    far[0].reset();
    settle();
    EXPECT_TRUE(reset);
    EXPECT_EQ(one.through().memory(), 0u);
}

TEST_F(SpareBlocksOfALoop, NorWhoHasWrittenFromOutside)
{
    auto& one = open();
    settle();
    ASSERT_TRUE(one.write("hello"));
    EXPECT_EQ(one.backlog(), 0u);
    EXPECT_EQ(one.through().memory(), 0u);
    EXPECT_EQ(hear(0, 5), "hello");
}

TEST_F(SpareBlocksOfALoop, HalfARequestIsNobodyElses)
{
    std::string whole;
    open().on_data([&](connection&, buffer& in) {
        if (in.view().ends_with('\n')) {
            whole += in.view();
            in.clear();
        }
    });
    open().on_data([](connection& c, buffer& in) { c.write(in); });
    ASSERT_TRUE(send_all(far[0].get(), "the first half, "));
    settle();
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(send_all(far[1].get(), "something else, and longer than the half"));
        EXPECT_EQ(hear(1, 40), "something else, and longer than the half");
    }
    ASSERT_TRUE(send_all(far[0].get(), "and the second\n"));
    settle();
    EXPECT_EQ(whole, "the first half, and the second\n");
    EXPECT_EQ(near[0]->through().memory(), 0u);
}

TEST_F(SpareBlocksOfALoop, ACallbackThatRunsTheLoopMayServeOthers)
{
    std::string outer;
    open().on_data([&](connection&, buffer& in) {
        ASSERT_TRUE(send_all(far[1].get(), "inner"));
        EXPECT_EQ(hear(1, 5), "inner"); // runs the loop, while our bytes lie in a lent block
        outer = in.view();
        in.clear();
    });
    open().on_data([](connection& c, buffer& in) { c.write(in); });
    settle();
    ASSERT_TRUE(send_all(far[0].get(), "outer"));
    settle();
    EXPECT_EQ(outer, "outer");
}

TEST_F(SpareBlocksOfALoop, WhoIsDestroyedInItsCallbackTakesItsBlockWithIt)
{
    open().on_data([&](connection&, buffer&) { near[0].reset(); });
    open().on_data([](connection& c, buffer& in) { c.write(in); });
    ASSERT_TRUE(send_all(far[0].get(), "goodbye"));
    settle();
    EXPECT_EQ(near[0], nullptr);
    ASSERT_TRUE(send_all(far[1].get(), "hello"));
    EXPECT_EQ(hear(1, 5), "hello");
}

} // namespace
