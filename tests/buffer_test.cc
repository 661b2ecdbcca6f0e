// SPDX-License-Identifier: MIT

#include "funcptr/buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <utility>

namespace {

using funcptr::buffer;

TEST(Buffer, IsAQueueOfBytes)
{
    buffer queue;
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(queue.append("hello "));
    EXPECT_TRUE(queue.append("world"));
    queue.consume(6);
    EXPECT_EQ(queue.view(), "world");
    EXPECT_EQ(queue.data().size(), 5U);
    queue.consume(5);
    EXPECT_TRUE(queue.empty());
}

TEST(Buffer, AnEmptyOneHoldsNoHeap)
{
    buffer queue;
    EXPECT_EQ(queue.capacity(), 0U);
    EXPECT_EQ(queue.view(), "");
    EXPECT_TRUE(queue.append(""));
    queue.consume(0);
    queue.clear();
    queue.shrink();
    EXPECT_EQ(queue.capacity(), 0U);
    EXPECT_EQ(queue.prepare(0).size(), 0U);
}

TEST(Buffer, TakesAllOrNothingAtItsLimit)
{
    buffer queue(8);
    EXPECT_TRUE(queue.append("12345"));
    EXPECT_EQ(queue.room(), 3U);
    EXPECT_FALSE(queue.append("6789"));
    EXPECT_EQ(queue.view(), "12345");
    EXPECT_TRUE(queue.append("678"));
    EXPECT_EQ(queue.room(), 0U);
    EXPECT_TRUE(queue.append("")); // nothing always fits
    queue.consume(8);
    EXPECT_EQ(queue.room(), 8U);
}

TEST(Buffer, AnEmptyOneTakesOverTheBytesOfAnotherWithoutACopy)
{
    buffer from(100);
    buffer to(50);
    from.append("xhello");
    from.consume(1);
    const auto* const bytes = from.data().data();
    EXPECT_TRUE(to.append(std::move(from)));
    EXPECT_EQ(to.view(), "hello");
    EXPECT_EQ(to.data().data(), bytes);
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(from.limit(), 100U); // each keeps its own
    EXPECT_EQ(to.limit(), 50U);
    from.append("again");
    EXPECT_EQ(from.view(), "again");
    EXPECT_EQ(to.view(), "hello");
}

TEST(Buffer, OneThatHoldsSomethingAppendsTheBytesOfAnother)
{
    buffer from;
    buffer to(11);
    from.append(" world");
    to.append("hello");
    EXPECT_TRUE(to.append(std::move(from)));
    EXPECT_EQ(to.view(), "hello world");
    EXPECT_TRUE(from.empty());
}

TEST(Buffer, TakesAllOfAnotherOrNothing)
{
    buffer from;
    from.append("hello");
    buffer empty(4);
    EXPECT_FALSE(empty.append(std::move(from)));
    EXPECT_TRUE(empty.empty());
    buffer full(9);
    full.append("12345");
    EXPECT_FALSE(full.append(std::move(from)));
    EXPECT_EQ(full.view(), "12345");
    EXPECT_EQ(from.view(), "hello");
}

TEST(Buffer, ALoweredLimitLeavesWhatIsHeld)
{
    buffer queue(100);
    queue.append("0123456789");
    queue.limit(4);
    EXPECT_EQ(queue.view(), "0123456789");
    EXPECT_EQ(queue.room(), 0U);
    EXPECT_FALSE(queue.append("x"));
    EXPECT_EQ(queue.prepare(1).size(), 0U);
    queue.consume(7);
    EXPECT_EQ(queue.room(), 1U);
    EXPECT_EQ(queue.prepare(100).size(), 1U);
}

TEST(Buffer, PrepareGivesRoomUpToTheLimitAndCommitTakesIt)
{
    buffer queue(1000);
    queue.append("abc");
    auto room = queue.prepare(4096);
    ASSERT_EQ(room.size(), 997U);
    room[0] = std::byte{'d'};
    room[1] = std::byte{'e'};
    queue.commit(2);
    EXPECT_EQ(queue.view(), "abcde");
    queue.commit(0);
    EXPECT_GE(queue.prepare(10).size(), 10U);
    EXPECT_EQ(queue.view(), "abcde"); // what is not committed is not there
}

TEST(Buffer, ItsOwnBytesMayBeAppended)
{
    buffer queue;
    queue.append("ab");
    for (int i = 0; i < 14; ++i)
        ASSERT_TRUE(queue.append(queue.data())); // grows under its own feet
    EXPECT_EQ(queue.size(), 2U << 14U);
    for (std::size_t i = 0; i < queue.size(); ++i)
        ASSERT_EQ(queue.view()[i], i % 2 == 0 ? 'a' : 'b');
}

TEST(Buffer, ItsOwnBytesMayBeAppendedWhenThatCompactsIt)
{
    buffer queue;
    queue.append(std::string(500, 'x') + "tail");
    queue.consume(500);
    ASSERT_TRUE(queue.append(queue.data().subspan(1)));
    ASSERT_TRUE(queue.append(queue.data()));
    EXPECT_EQ(queue.view(), "tailailtailail");
}

TEST(Buffer, ShrinkGivesBackWhatIsNotNeeded)
{
    buffer queue;
    queue.append(std::string(100'000, 'x'));
    queue.consume(99'998);
    EXPECT_GE(queue.capacity(), 100'000U);
    queue.shrink();
    EXPECT_EQ(queue.capacity(), 2U);
    EXPECT_EQ(queue.view(), "xx");
    queue.clear();
    queue.shrink();
    EXPECT_EQ(queue.capacity(), 0U);
    EXPECT_TRUE(queue.append("again"));
}

TEST(Buffer, TwoEmptyOnesChangeBlocksAndKeepTheirLimits)
{
    buffer one(5000), other(100);
    const auto* const block = one.prepare(4096).data();
    one.swap_blocks(other);
    EXPECT_EQ(one.capacity(), 0U);
    EXPECT_EQ(one.limit(), 5000U);
    EXPECT_EQ(other.capacity(), 4096U);
    EXPECT_EQ(other.prepare(4096).data(), block);
    EXPECT_EQ(other.prepare(4096).size(), 100U);
    EXPECT_FALSE(other.append(std::string(101, 'x')));
    EXPECT_TRUE(other.append(std::string(100, 'x')));
}

TEST(Buffer, AMovedFromOneIsEmptyAndKeepsItsLimit)
{
    buffer from(10);
    from.append("abc");
    buffer to(std::move(from));
    EXPECT_EQ(to.view(), "abc");
    EXPECT_EQ(to.limit(), 10U);
    EXPECT_TRUE(from.empty()); // NOLINT(bugprone-use-after-move): the contract allows it
    EXPECT_EQ(from.limit(), 10U);
    EXPECT_TRUE(from.append("new"));
    to = std::move(from);
    EXPECT_EQ(to.view(), "new");
    buffer& self = to;
    to = std::move(self);
    EXPECT_EQ(to.view(), "new");
}

TEST(Buffer, DoesNotGrowPastItsLimitWhileItsHeadMoves)
{
    buffer queue(4096);
    for (int i = 0; i < 10'000; ++i) {
        if (queue.room() < 700)
            queue.consume(1900);
        ASSERT_TRUE(queue.append(std::string(700, static_cast<char>('a' + i % 26))));
        ASSERT_LE(queue.capacity(), 4096U);
    }
}

TEST(Buffer, ABacklogIsNotMovedForEveryConsumedByte)
{
    // With erase(0, n) this moves 4 MiB half a million times: minutes. Here the block may be moved
    // a few times in all, which its address tells.
    buffer queue;
    queue.append(std::string(4 << 20, 'x'));
    int moved = 0;
    const std::byte* last = queue.data().data();
    for (int i = 0; i < 500'000; ++i) {
        queue.consume(8);
        moved += queue.data().data() == last + 8 ? 0 : 1;
        queue.append("12345678");
        last = queue.data().data();
    }
    EXPECT_EQ(queue.size(), 4U << 20U);
    EXPECT_LE(moved, 10);
}

TEST(Buffer, BehavesLikeAStringWhateverIsDoneToIt)
{
    std::mt19937 engine(42);
    buffer queue(5000);
    std::string model;
    for (int i = 0; i < 200'000; ++i) {
        const auto size = static_cast<std::size_t>(engine() % 700);
        switch (engine() % 6) {
        case 0:
        case 1: {
            const std::string text(size, static_cast<char>('a' + engine() % 26));
            const bool fits = model.size() + size <= 5000;
            ASSERT_EQ(queue.append(text), fits);
            if (fits)
                model += text;
            break;
        }
        case 2: {
            auto room = queue.prepare(size);
            ASSERT_GE(room.size(), std::min(size, 5000 - model.size()));
            ASSERT_LE(room.size(), 5000 - model.size());
            const std::size_t used = std::min(size, room.size());
            std::fill_n(room.begin(), used, std::byte{'#'});
            queue.commit(used);
            model.append(used, '#');
            break;
        }
        case 3:
        case 4: {
            const std::size_t used = std::min(size, model.size());
            queue.consume(used);
            model.erase(0, used);
            break;
        }
        default:
            if (size < 20)
                queue.shrink();
            break;
        }
        ASSERT_TRUE(queue.view() == model) << i;
        ASSERT_LE(queue.capacity(), 5000U);
    }
}

/// smaps(5): the flags of the mapping that holds the address; empty when the kernel does not tell.
std::string mapping_flags(const void* address)
{
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream maps("/proc/self/smaps");
    bool here = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0, to = 0;
        char dash = 0;
        std::istringstream range(line);
        if (range >> std::hex >> from >> dash >> to && dash == '-')
            here = from <= at && at < to;
        if (here && line.starts_with("VmFlags:"))
            return line;
    }
    return {};
}

TEST(Buffer, AsksForHugePagesWhereItIsLarge)
{
    if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage/enabled"))
        GTEST_SKIP() << "the kernel has no transparent huge pages";
    buffer large;
    large.append(std::string(64 << 20, 'x'));
    const auto flags = mapping_flags(large.data().data() + large.size() / 2);
    if (flags.empty())
        GTEST_SKIP() << "/proc/self/smaps has no VmFlags";
    EXPECT_NE(flags.find(" hg"), std::string::npos) << flags;
}

} // namespace
