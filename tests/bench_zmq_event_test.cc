// SPDX-License-Identifier: MIT
//
// What the rows of zmq_event_bench rest on: that a prefilled pipe is full, that system calls are
// counted in the right thread and window, and the formulas. (Receivers block or run loops of their
// own and senders have a std::thread; against a hang there is the runner's timeout.)
#include "bench/zmq_event/fairness.h"
#include "bench/zmq_event/flood.h"
#include "bench/zmq_event/lateness.h"
#include "bench/zmq_event/quiet.h"
#include "bench/zmq_event/receivers.h"
#include "bench/zmq_event/system_calls.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

template <class Receiver>
std::uint64_t received_without_waiting(Receiver& receiver)
{
    zmq::message_t message;
    std::uint64_t count = 0;
    while (zmq_msg_recv(message.handle(), receiver.socket(), ZMQ_DONTWAIT) >= 0)
        ++count;
    return count;
}

TEST(Prefill, LeavesEveryMessageInTheReceiversPipe)
{
    for (const auto& what : bench::all_wires) {
        bench::raw receiver({.over = what.over, .high_water = 0});
        const bench::prefill full(receiver, what, 20'000);
        EXPECT_EQ(received_without_waiting(receiver), 20'000U) << bench::name_of(what);
    }
}

template <class Receiver>
class Receivers : public testing::Test {
};
using AllReceivers = testing::Types<bench::raw, bench::poll, bench::adapter, bench::adapter_own,
                                    bench::article_receiver>;
TYPED_TEST_SUITE(Receivers, AllReceivers);

TYPED_TEST(Receivers, TakeAllOfAPrefilledPipeAndLiveFromAFlood)
{
    for (const auto& what : bench::all_wires) {
        {
            TypeParam receiver({.over = what.over, .high_water = 0});
            const bench::prefill full(receiver, what, 2'000);
            EXPECT_EQ(receiver.take(2'000), 2'000U) << bench::name_of(what);
            EXPECT_EQ(received_without_waiting(receiver), 0U) << bench::name_of(what);
        }
        TypeParam receiver({.over = what.over});
        const bench::flooder flood(receiver, what);
        EXPECT_GE(receiver.take(2'000), 2'000U) << bench::name_of(what);
        EXPECT_GE(receiver.take(2'000), 2'000U) << bench::name_of(what);
    }
}

TEST(Adapter, HasItsIdleSocketsSettledBeforeItIsMeasured)
{
    bench::adapter receiver({.high_water = 0, .idle_sockets = 50});
    const bench::prefill full(receiver, {}, 1'000);
    EXPECT_EQ(receiver.take(1'000), 1'000U);
}

// --- fairness -----------------------------------------------------------------------------------

TEST(Fairness, OfEqualSharesIsOneAndOfOneTakerTheReciprocal)
{
    EXPECT_DOUBLE_EQ(bench::jains_index({5, 5, 5, 5}), 1);
    EXPECT_DOUBLE_EQ(bench::jains_index({8, 0, 0, 0}), 0.25);
}

TEST(Fairness, OfWeightsIsTheWorstDistanceFromTheShareDue)
{
    EXPECT_DOUBLE_EQ(bench::worst_share({10, 20, 40}, {1, 2, 4}), 0);
    EXPECT_DOUBLE_EQ(bench::worst_share({5, 25, 40}, {1, 2, 4}), 0.5);
}

TEST(Fairness, IsInvalidWhenAQueueIsEmptyAtTheEnd)
{
    bench::crowd all({}, {1, 1}, 1'000);
    EXPECT_THROW(all.take(2'000), std::runtime_error);
}

// --- turns --------------------------------------------------------------------------------------

TEST(TurnCounter, CountsWhatATimerWakes)
{
    ev::dynamic_loop loop;
    ev::timer ticking(loop);
    struct nothing {
        void on_time() {}
    } user;
    ticking.set<nothing, &nothing::on_time>(&user);
    ticking.start(0.05, 0.05);
    const double turns = bench::turns_in_a_second(loop, [] { return std::uint64_t{0}; });
    EXPECT_GT(turns, 0); // about 20, but a stalled machine has fewer
    EXPECT_LE(turns, 25);
}

TEST(TurnCounter, BeginsAnewWhenSomethingMovedInItsSecond)
{
    ev::dynamic_loop loop;
    std::uint64_t calls = 0;
    // Still until the second begins: asked at the start, after half a second, and at the end.
    const double turns = bench::turns_in_a_second(loop, [&] { return ++calls > 2 ? 1U : 0U; });
    EXPECT_EQ(turns, 0);
    EXPECT_GE(calls, 5U);
}

TEST(TurnCounter, RefusesWhatNeverComesToRest)
{
    ev::dynamic_loop loop;
    std::uint64_t calls = 0;
    EXPECT_THROW(bench::turns_in_a_second(
                     loop, [&] { return ++calls; }, 2),
                 std::runtime_error);
}

// --- system calls -------------------------------------------------------------------------------

std::uint64_t calls_in(const std::string& trace)
{
    std::istringstream lines(trace);
    return bench::calls_between_marks(lines, "7");
}

TEST(SystemCalls, AreThoseOfTheThreadBetweenTheMarks)
{
    EXPECT_EQ(calls_in("7 read(3, \"\", 8) = 0\n"
                       "7 getppid() = 1\n"
                       "7 epoll_wait(3, [], 64, 0) = 0\n"
                       "77 read(3, \"\", 8) = 0\n"
                       "8 sendto(9, \"x\"..., 1, 0, NULL, 0) = 1\n"
                       "7 poll([{fd=4}], 1, 0 <unfinished ...>\n"
                       "8 getppid() = 1\n"
                       "7 <... poll resumed>) = 0\n"
                       "7 --- SIGCHLD {} ---\n"
                       "7 getppid() = 1\n"
                       "7 close(3) = 0\n"),
              2U);
}

TEST(SystemCalls, OfAThreadWithoutItsMarksAreRefused)
{
    EXPECT_THROW(calls_in("7 getppid() = 1\n7 read(3) = 0\n"), std::runtime_error);
    EXPECT_THROW(calls_in(""), std::runtime_error);
}

} // namespace
