// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "../src/detail/net_deadlines.h"

namespace {

using namespace std::chrono_literals;
using funcptr::connection_options;
using deadline_kind = funcptr::detail::deadlines::kind;

class Deadlines : public ::testing::Test {
protected:
    const connection_options options{
        .handshake = 10s, .idle = 100s, .write_stall = 30s, .linger = 2s, .trim_after = 0s};
    funcptr::detail::deadlines at{options, 1000.};

    void expect_next(double when, deadline_kind what, bool waiting = false)
    {
        const auto next = at.earliest(waiting);
        EXPECT_DOUBLE_EQ(next.at, when);
        EXPECT_EQ(next.what, what);
    }
};

TEST_F(Deadlines, TheHandshakesCountsFromTheStartHoweverMuchMoves)
{
    at.moved(1009.);
    expect_next(1010., deadline_kind::handshake);
    at.opened();
    expect_next(1109., deadline_kind::idle);
}

TEST_F(Deadlines, IdleCountsFromTheLastByte)
{
    at.opened();
    expect_next(1100., deadline_kind::idle);
    at.moved(1050.);
    expect_next(1150., deadline_kind::idle);
}

TEST_F(Deadlines, AStallCountsFromTheLastProgressAndOnlyWhileSomethingWaits)
{
    at.opened();
    at.progress(1060.);
    expect_next(1090., deadline_kind::write_stall, true);
    expect_next(1100., deadline_kind::idle, false);
    at.moved(1080.); // a byte that came is no progress of what goes
    expect_next(1090., deadline_kind::write_stall, true);
}

TEST_F(Deadlines, LingerCountsFromItsFirstCallAndReplacesTheHandshakes)
{
    at.linger(1009.);
    at.linger(1010.5);
    expect_next(1011., deadline_kind::linger);
}

TEST_F(Deadlines, OfNoneAreNever)
{
    const connection_options none{
        .handshake = 0s, .idle = 0s, .write_stall = 0s, .linger = 0s, .trim_after = 0s};
    funcptr::detail::deadlines never{none, 1000.};
    never.linger(1001.);
    EXPECT_EQ(never.earliest(true).at, funcptr::detail::deadlines::never);
    EXPECT_EQ(never.earliest(true).what, deadline_kind::none);
}

TEST_F(Deadlines, TrimIsDueOnceForEachQuietTime)
{
    const connection_options quick{.handshake = 0s, .idle = 100s, .trim_after = 1s};
    funcptr::detail::deadlines quiet{quick, 1000.};
    EXPECT_DOUBLE_EQ(quiet.earliest(false).at, 1001.);
    quiet.trimmed();
    EXPECT_DOUBLE_EQ(quiet.earliest(false).at, 1100.);
    quiet.moved(1050.);
    EXPECT_DOUBLE_EQ(quiet.earliest(false).at, 1051.);
}

} // namespace
