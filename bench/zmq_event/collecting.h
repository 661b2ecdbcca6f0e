// SPDX-License-Identifier: MIT
//
// collecting.h: what libev's set_io_collect_interval does for messages that come a few at a time.
//
// libzmq's io thread reads 8 KiB from a peer, hands the messages in it over and wakes the receiver:
// eight of 1 KiB. Each wake-up is eight system calls or so, whoever receives. A loop that does not
// look again before 200 us are over since its last turn takes some hundred messages at once. A
// timer is not late by it (libev sleeps no longer than until the next); an answer within that time
// is.
//
//     bench::add_collecting(suite);
#pragma once

#include <cstdint>
#include <stdexcept>

#include "../support/bench.h"
#include "counted_calls.h"
#include "flood.h"
#include "receivers.h"
#include "throughput.h"
#include "wire.h"

namespace bench {

inline constexpr double collect_interval = 200e-6; // seconds

template <class Receiver>
comparison::body live_counted(const wire& what, double collect = 0)
{
    return [what, collect](round& round) {
        Receiver receiver({.over = what.over, .collect = collect});
        const flooder flood(receiver, what);
        receiver.take(taken_before);
        const counted_calls calls;
        std::uint64_t taken = 0;
        round.time([&] { taken = receiver.take(taken_live<Receiver> / 2); });
        if (calls.so_far() == 0)
            throw std::runtime_error("no system call was counted: invalid");
        round.work(static_cast<double>(taken));
        round.record("calls", static_cast<double>(calls.so_far()) / static_cast<double>(taken));
    };
}

inline void add_collecting(suite& suite)
{
    constexpr wire what{transport::tcp, 1024};
    const auto calls = [](const sample& one) { return one.figure("calls"); };
    auto& each = suite.compare("collecting/tcp_1k", near_ones);
    each.contender("collecting", live_counted<adapter>(what, collect_interval));
    each.contender("zmq_event", live_counted<adapter>(what));
    each.contender("raw", live_counted<raw>(what));
    each.figure("collecting_calls/tcp_1k", "1/message", "<= 0.1", "collecting", calls);
    each.figure("collecting_calls_of_default/tcp_1k", "1/message", "", "zmq_event", calls);
    each.figure("collecting_calls_of_raw/tcp_1k", "1/message", "", "raw", calls);
    each.speed("collecting_vs_raw/tcp_1k", ">= 0.95", "collecting", {"raw"});
    each.cost("collecting_cpu_vs_default/tcp_1k", "<= 1", "collecting", {"zmq_event"}, "cpu");
    each.cost("collecting_cpu_vs_raw/tcp_1k", "<= 1.15", "collecting", {"raw"}, "cpu");
}

} // namespace bench
