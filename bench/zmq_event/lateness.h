// SPDX-License-Identifier: MIT
//
// lateness.h: how late a timer of one millisecond is on a loop that is flooded.
//
// The bound is what the hub promises: the time that it may take for a whole turn
// (zmq_budget::time), and on top of that twice what the machine does by itself: the same loop and
// timer, with nothing else on that loop, while the same flood goes into a thread that blocks. The
// row is the 99th percentile over the bound.
//
// Each timer is set when the last one was served, to the clock and not to the loop's idea of now,
// so that one late timer does not make the next one early.
//
// Threads: the loop's is the caller's. Lifetime: all is made anew in each round.
//
//     bench::add_lateness(suite);
#pragma once

#include <ev++.h>
#include <funcptr/loop.h>
#include <zmq.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "../support/bench.h"
#include "flood.h"
#include "receivers.h"
#include "wire.h"

namespace bench {

/// Fires every millisecond, so many times, and breaks the loop.
class late_timer {
public:
    late_timer(ev::loop_ref loop, std::size_t count)
        : loop_(loop)
        , timer_(loop)
        , count_(count)
    {
        late_.reserve(count);
        timer_.set<late_timer, &late_timer::on_time>(this);
        arm();
    }

    /// In seconds. REQUIRES: it has fired.
    double percentile_99()
    {
        const auto place =
            late_.begin() + static_cast<std::ptrdiff_t>((late_.size() * 99 + 99) / 100 - 1);
        std::nth_element(late_.begin(), place, late_.end());
        return *place;
    }

private:
    using clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds interval{1};

    void arm()
    {
        ev_now_update(loop_);
        due_ = clock::now() + interval;
        timer_.start(std::chrono::duration<double>(interval).count());
    }
    void on_time()
    {
        late_.push_back(std::chrono::duration<double>(clock::now() - due_).count());
        if (late_.size() == count_)
            loop_.break_loop(ev::ALL);
        else
            arm();
    }

    ev::loop_ref loop_;
    ev::timer timer_;
    std::size_t count_;
    clock::time_point due_{};
    std::vector<double> late_;
};

inline constexpr std::size_t timers_fired = 1000;

/// The timer and the flooded socket on one loop.
inline double lateness_beside_flood(const wire& what)
{
    adapter receiver({.over = what.over});
    const flooder flood(receiver, what);
    receiver.take(timers_fired);
    late_timer timer(receiver.loop(), timers_fired);
    funcptr::run(receiver.loop());
    return timer.percentile_99();
}

/// The timer alone on its loop; the flood goes into a thread that blocks.
inline double lateness_alone(const wire& what)
{
    raw receiver({.over = what.over});
    const flooder flood(receiver, what);
    std::atomic<bool> stop{false};
    std::thread receiving([&] {
        while (!stop)
            receiver.take(100);
    });
    ev::dynamic_loop loop;
    late_timer timer(loop, timers_fired);
    loop.run();
    stop = true;
    receiving.join();
    return timer.percentile_99();
}

inline void add_lateness(suite& suite)
{
    const double budget = std::chrono::duration<double>(funcptr::zmq_budget().time).count();
    const auto microseconds = [](const sample& one) { return one.figure("p99") * 1e6; };
    for (const auto over : {transport::inproc, transport::tcp}) {
        const wire what{over, 64};
        const std::string at = "/" + name_of(what);
        auto& each =
            suite.compare("timers" + at, {.warm_up = 0, .least = 8, .most = 16, .within = 0.1});
        each.contender("flooded", [=](round& round) {
            const double late = lateness_beside_flood(what);
            round.record("p99", late);
            round.record("allowed", late);
        });
        each.contender("alone", [=](round& round) {
            const double late = lateness_alone(what);
            round.record("p99", late);
            round.record("allowed", budget + 2 * late);
        });
        each.cost("timer_p99_vs_bound" + at, "<= 1", "flooded", {"alone"}, "allowed");
        each.figure("timer_p99_flooded" + at, "us", "", "flooded", microseconds);
        each.figure("timer_p99_alone" + at, "us", "", "alone", microseconds);
    }
}

} // namespace bench
