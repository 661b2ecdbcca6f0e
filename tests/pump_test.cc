// SPDX-License-Identifier: MIT

#include "funcptr/testing/pump.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace funcptr;
using namespace funcptr::testing;

std::vector<std::size_t> pieces(fragmentation cut, std::size_t waiting, int count)
{
    std::vector<std::size_t> all;
    for (int i = 0; i < count; ++i)
        all.push_back(cut.next(waiting));
    return all;
}

TEST(Fragmentation, CutsAsItsNameSays)
{
    EXPECT_EQ(pieces(fragmentation::whole(), 1000, 2), (std::vector<std::size_t>{1000, 1000}));
    EXPECT_EQ(pieces(fragmentation::bytes(3), 1000, 2), (std::vector<std::size_t>{3, 3}));
    EXPECT_EQ(pieces(fragmentation::bytes(3), 2, 1), (std::vector<std::size_t>{2}));
    EXPECT_EQ(fragmentation::whole().name(), "whole");
    EXPECT_EQ(fragmentation::bytes(3).name(), "pieces of 3");
    EXPECT_EQ(fragmentation::random(7).name(), "random pieces, seed 7");
}

TEST(Fragmentation, TheSameSeedCutsTheSameWayAndAnotherDoesNot)
{
    EXPECT_EQ(pieces(fragmentation::random(7), 5000, 100),
              pieces(fragmentation::random(7), 5000, 100));
    EXPECT_NE(pieces(fragmentation::random(7), 5000, 100),
              pieces(fragmentation::random(8), 5000, 100));
    // The numbers are the standard's, so a seed that found a fault finds it on every machine.
    EXPECT_EQ(pieces(fragmentation::random(1), 5000, 4),
              (std::vector<std::size_t>{3443, 5, 1758, 883}));
}

TEST(Fragmentation, RandomPiecesAreOftenShortSometimesNoneAndNeverTooLong)
{
    int none = 0;
    int tiny = 0;
    int large = 0;
    for (const std::size_t piece : pieces(fragmentation::random(3, 500), 1000, 1000)) {
        EXPECT_LE(piece, 500U);
        none += piece == 0 ? 1 : 0;
        tiny += piece <= 8 ? 1 : 0;
        large += piece > 250 ? 1 : 0;
    }
    EXPECT_GT(none, 20);
    EXPECT_GT(tiny, 400);
    EXPECT_GT(large, 150);
}

TEST(Pump, DeliversEveryByteInOrderHoweverItCuts)
{
    std::string text;
    for (int i = 0; i < 20'000; ++i)
        text += static_cast<char>(i * 7);
    for (const auto& cut : {fragmentation::whole(), fragmentation::bytes(1),
                            fragmentation::bytes(1000), fragmentation::random(5)}) {
        plain_filter left;
        plain_filter right;
        pump network(left, right, cut);
        left.awrite().append(text);
        right.awrite().append("back");
        EXPECT_TRUE(network.run());
        EXPECT_TRUE(right.aread().view() == text) << cut.name();
        EXPECT_EQ(left.aread().view(), "back");
        EXPECT_EQ(network.passed(side::left), text.size());
        EXPECT_EQ(network.passed(side::right), 4U);
    }
}

TEST(Pump, OneStepDeliversOnePieceEachWay)
{
    plain_filter left;
    plain_filter right;
    pump network(left, right, fragmentation::bytes(2));
    left.awrite().append("abc");
    right.awrite().append("d");
    EXPECT_TRUE(network.step());
    EXPECT_EQ(right.aread().view(), "ab");
    EXPECT_EQ(left.aread().view(), "d");
    EXPECT_TRUE(network.step());
    EXPECT_EQ(right.aread().view(), "abc");
    EXPECT_FALSE(network.step());
}

TEST(Pump, AHeldSideIsHeldUntilItIsLetGo)
{
    plain_filter left;
    plain_filter right;
    pump network(left, right);
    network.hold(side::left);
    left.awrite().append("later");
    EXPECT_TRUE(network.run());
    EXPECT_TRUE(right.aread().empty());
    EXPECT_EQ(left.nwrite().size(), 5U);
    network.hold(side::left, false);
    EXPECT_TRUE(network.run());
    EXPECT_EQ(right.aread().view(), "later");
}

TEST(Pump, ACutWireDeliversExactlyTheBytesBeforeTheCut)
{
    for (std::size_t at = 0; at <= 6; ++at) {
        plain_filter left;
        plain_filter right;
        pump network(left, right, fragmentation::bytes(2));
        network.cut_after(side::left, at);
        left.awrite().append("abcdef");
        EXPECT_TRUE(network.run());
        EXPECT_EQ(right.aread().view(), std::string("abcdef").substr(0, at));
        EXPECT_TRUE(right.read_closed());
        EXPECT_TRUE(network.ended(side::left));
        EXPECT_FALSE(network.ended(side::right));
        left.awrite().append("into the void");
        EXPECT_TRUE(network.run());
        EXPECT_TRUE(left.nwrite().empty());
        EXPECT_EQ(right.aread().size(), at);
    }
}

TEST(Pump, TheEndOfOneSidesOutputIsTheEndOfTheOthersInput)
{
    plain_filter left;
    plain_filter right;
    pump network(left, right, fragmentation::bytes(1));
    left.awrite().append("all");
    left.close_write();
    EXPECT_TRUE(network.run());
    EXPECT_EQ(right.aread().view(), "all");
    EXPECT_TRUE(right.read_closed());
    right.close_write();
    EXPECT_TRUE(network.run());
    EXPECT_TRUE(left.closed() && right.closed());
}

TEST(Pump, HangUpCanBeTurnedOff)
{
    plain_filter left;
    plain_filter right;
    pump network(left, right);
    network.hang_up(false);
    left.close_write();
    EXPECT_TRUE(network.run());
    EXPECT_FALSE(right.read_closed());
}

TEST(Pump, AFullReaderStopsTheWriterAndNothingIsLost)
{
    plain_filter left;
    plain_filter right({.read = 10, .write = 10});
    pump network(left, right);
    left.awrite().append("0123456789abcdef");
    EXPECT_TRUE(network.run());
    EXPECT_EQ(right.aread().view(), "0123456789");
    right.aread().clear();
    EXPECT_TRUE(network.run());
    EXPECT_EQ(right.aread().view(), "abcdef");
}

/// Says something whenever it is asked.
class chatterbox final : public filter {
public:
    chatterbox()
        : filter(in_, out_, in_, out_)
    {
    }
    void update() noexcept override { out_.append("x"); }
    void input_eof() noexcept override {}
    void close_write() noexcept override {}
    filter_state state() const noexcept override { return filter_state::open; }
    bool read_closed() const noexcept override { return false; }
    bool write_closed() const noexcept override { return false; }
    bool pending() const noexcept override { return false; }
    const close_cause& cause() const noexcept override { return cause_; }
    void trim() noexcept override {}
    std::size_t memory() const noexcept override { return 0; }

private:
    buffer in_;
    buffer out_;
    close_cause cause_;
};

TEST(Pump, RunGivesUpOnEndsThatChatForEver)
{
    chatterbox left;
    plain_filter right;
    pump network(left, right);
    EXPECT_FALSE(network.run(1000));
    EXPECT_GE(right.aread().size(), 1000U);
}

} // namespace
