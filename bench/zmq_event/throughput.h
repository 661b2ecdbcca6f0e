// SPDX-License-Identifier: MIT
//
// throughput.h: the rows of messages a second: drain, live flood, a budget of one message, and idle
// sockets beside the busy one.
//
// drain: so many messages lie in the receiver's pipe and the sender has stopped; the time to take
// them all. It is what discriminates: nothing is waited for, so that each instruction counts.
// live: a thread floods the receiver meanwhile. Who is slower then decides the throughput, and
// live_busy says who: the share of the time in which the receiver's thread computed; at 1 the
// receiver limits, below it the sender or libzmq's io threads do. What the receiver costs is then
// in the CPU time of its thread for each message.
//
//     bench::add_throughput(suite);
#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "../support/bench.h"
#include "flood.h"
#include "receivers.h"
#include "wire.h"
#include "zloop.h"

namespace bench {

/// Of the drain; a million of 1 KiB is 1.1 GB.
inline constexpr std::uint64_t drained = 1'000'000;
/// More than that lies in the pipe, by more than a turn takes at the default budget, so that nobody
/// reaches its end: there libzmq gives the pipe's memory back (madvise of 60 MB after 300,000
/// messages over tcp, a third of the drain), which one who stops at the last message never pays.
inline constexpr std::uint64_t beyond = 60'000;
/// Of a live flood, in about half a second: the fast take millions a second, the slow half of one.
template <class Receiver>
inline constexpr std::uint64_t taken_live = 300'000;
template <>
inline constexpr std::uint64_t taken_live<raw> = 2'000'000;
template <taking How>
inline constexpr std::uint64_t taken_live<basic_adapter<How>> = 2'000'000;
/// Before the clock starts, so that connecting and the first page faults are over.
inline constexpr std::uint64_t taken_before = 50'000;

/// For ratios that must be three, not 0.95: six rounds bound an interval, and slow peers are slow.
inline constexpr limits slow_peers{.warm_up = 0, .least = 6, .most = 8, .within = 0.1};
/// A round takes a second or two.
inline constexpr limits near_ones{.warm_up = 1, .least = 8, .most = 24, .within = 0.02};

template <class Receiver>
comparison::body drain(const wire& what, receiver_setup setup = {})
{
    setup.over = what.over;
    setup.high_water = 0;
    return [what, setup](round& round) {
        // The heap as it was: else the messages lie where the round before left room for them, and
        // a drain of 1 KiB ones takes once and a half the time, or not, by who came before.
        malloc_trim(0);
        Receiver receiver(setup);
        const prefill full(receiver, what, drained + beyond);
        std::uint64_t taken = 0;
        round.time([&] { taken = receiver.take(drained); });
        round.work(static_cast<double>(taken));
    };
}

template <class Receiver>
comparison::body live(const wire& what, receiver_setup setup = {})
{
    setup.over = what.over;
    return [what, setup](round& round) {
        Receiver receiver(setup);
        const flooder flood(receiver, what);
        receiver.take(taken_before);
        std::uint64_t taken = 0;
        round.time([&] { taken = receiver.take(taken_live<Receiver>); });
        round.work(static_cast<double>(taken));
    };
}

/// make: from std::type_identity<Receiver> to that receiver's body.
template <class Make>
void add_slow_receivers(comparison& each, Make make)
{
    each.contender("poll", make(std::type_identity<poll>()));
    each.contender("article", make(std::type_identity<article_receiver>()));
#ifdef FUNCPTR_BENCH_ZLOOP
    each.contender("zloop", make(std::type_identity<zloop_receiver>()));
#else
    each.missing("zloop", "czmq is not installed, or was not when ./waf configure ran");
#endif
}

inline double million_a_second(const sample& one)
{
    return 1e-6 / one.figure("wall");
}

inline void add_near(suite& suite, const std::string& kind, const wire& what, auto make)
{
    const std::string at = "/" + name_of(what);
    auto& each = suite.compare(kind + at, near_ones);
    each.contender("zmq_event", make(std::type_identity<adapter>()));
    if (kind == "drain") // alive, it is the sender that limits
        each.contender("raw_whole", make(std::type_identity<raw_whole>()));
    if (what.size == 64) // where a copy of the frame's header shows most
        each.contender("own", make(std::type_identity<adapter_own>()));
    each.contender("raw", make(std::type_identity<raw>()));
    each.speed(kind + "_vs_raw" + at, ">= 0.95", "zmq_event", {"raw"});
    if (kind == "drain")
        each.speed("drain_vs_raw_whole" + at, ">= 0.95", "zmq_event", {"raw_whole"});
    if (kind == "live") {
        each.cost("live_cpu_vs_raw" + at, "<= 1.15", "zmq_event", {"raw"}, "cpu");
        each.figure("live_busy" + at, "CPU s/s", "", "zmq_event",
                    [](const sample& one) { return one.figure("cpu") / one.figure("wall"); });
    }
    if (what.size == 64)
        each.speed(kind + "_recv_into_own_vs_raw" + at, "", "own", {"raw"});
    each.figure(kind + "_rate" + at, "M/s", "", "zmq_event", million_a_second);
    each.figure(kind + "_raw_rate" + at, "M/s", "", "raw", million_a_second);
}

/// goal: against zloop and the article's design; the ratios of the peers to raw ask nothing.
inline void add_far(suite& suite, const std::string& kind, const wire& what,
                    const std::string& goal, auto make)
{
    const std::string at = "/" + name_of(what);
    auto& each = suite.compare(kind + at + " against the slow ones", slow_peers);
    each.contender("zmq_event", make(std::type_identity<adapter>()));
    each.contender("raw", make(std::type_identity<raw>()));
    add_slow_receivers(each, make);
    each.speed(kind + "_vs_zloop" + at, goal, "zmq_event", {"zloop"});
    each.speed(kind + "_vs_article" + at, goal, "zmq_event", {"article"});
    for (const std::string peer : {"poll", "zloop", "article"})
        each.speed(kind + "_" + peer + "_vs_raw" + at, "", peer, {"raw"});
}

inline void add_drain(suite& suite, const wire& what)
{
    const auto make = [&]<class Receiver>(std::type_identity<Receiver>) {
        return drain<Receiver>(what);
    };
    add_near(suite, "drain", what, make);
    add_far(suite, "drain", what, ">= 3", make);
}

inline void add_live(suite& suite, const wire& what)
{
    const auto make = [&]<class Receiver>(std::type_identity<Receiver>) {
        return live<Receiver>(what);
    };
    add_near(suite, "live", what, make);
    add_far(suite, "live", what, what.over == transport::tcp ? ">= 3" : "", make);
}

/// One message in a turn, which is what the article's design always does.
inline void add_budget_of_one(suite& suite, const wire& what)
{
    receiver_setup one;
    one.budget.messages = 1;
    const std::string at = "/" + name_of(what);
    auto& each = suite.compare("budget of one" + at, slow_peers);
    each.contender("one", drain<adapter>(what, one));
    each.contender("article", drain<article_receiver>(what));
    each.speed("budget_of_one_vs_article" + at, ">= 1.5", "one", {"article"});
}

/// kind: drain or live. The sockets are there before the clock starts.
inline void add_idle_sockets(suite& suite, const std::string& kind, const wire& what)
{
    const auto body = [&](int sockets) {
        receiver_setup setup;
        setup.idle_sockets = sockets;
        setup.max_sockets = 8192; // for all alike
        return kind == "drain" ? drain<adapter>(what, setup) : live<adapter>(what, setup);
    };
    const std::string at = "/" + kind + "_" + name_of(what);
    auto& each = suite.compare("idle sockets" + at, near_ones);
    each.contender("0", body(0));
    for (const int sockets : {100, 480, 4000}) {
        const auto beside = std::to_string(sockets);
        each.contender(beside, body(sockets));
        each.speed("idle_sockets_" + beside + "_vs_0" + at, ">= 0.95", beside, {"0"});
    }
}

inline void add_throughput(suite& suite)
{
    for (const auto& each : all_wires)
        add_drain(suite, each);
    for (const auto& each : all_wires)
        add_live(suite, each);
    for (const auto over : {transport::inproc, transport::tcp}) {
        add_budget_of_one(suite, {over, 64});
        add_idle_sockets(suite, "drain", {over, 64});
        add_idle_sockets(suite, "live", {over, 64});
    }
}

} // namespace bench
