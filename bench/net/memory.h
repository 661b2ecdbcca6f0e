// SPDX-License-Identifier: MIT
//
// memory.h: what an idle connection keeps on the heap, and that what is written to a peer that does
// not read costs as much for each byte however much waits, and no more memory than its cap.
//
// Threads: none but the caller's. Lifetime: of one row.
#pragma once

#include <malloc.h>

#include <chrono>
#include <string>

#include "../support/bench.h"
#include "echo.h"

namespace bench {

inline double heap_now()
{
    const struct mallinfo2 all = ::mallinfo2();
    return static_cast<double>(all.uordblks + all.hblkhd);
}

/// All that this process' heap has grown by (mallinfo2(3): every allocation, OpenSSL's too, and
/// what malloc itself keeps beside each), for each of a thousand connections that have had a
/// request and are quiet: the connection, its filter, its place in set, listener and loop.
inline double idle_heap(bool tls)
{
    const echo_job what{.tls = tls, .connections = 1000};
    our_echo server(tls);
    const double before = heap_now();
    const forked_client client = echo_process(what, server.port());
    server.run_until(client.ready());
    server.rest(std::chrono::seconds(3)); // longer than connection_options::trim_after
    return (heap_now() - before) / what.connections;
}

/// So much is written, 64 KiB at a time, before the peer reads any of it.
inline comparison::body writes_to_a_slow_reader(std::size_t bytes)
{
    return [bytes](round& round) {
        const auto cap = static_cast<double>(funcptr::connection_options().backlog_limit);
        double waiting = 0.;
        ev::dynamic_loop loop;
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
            throw std::runtime_error("socketpair");
        funcptr::accepted one;
        one.socket.reset(ends[0]);
        const funcptr::unique_fd other(ends[1]);
        funcptr::connection writer(loop, std::move(one), funcptr::plain_filter());
        loop.run(ev::NOWAIT);
        const std::string block(64 * 1024, 'w');
        std::string in(1024 * 1024, '\0');
        double heap = -heap_now();
        round.time([&] {
            for (std::size_t left = bytes; left != 0; left -= block.size())
                if (!writer.write(block))
                    throw std::runtime_error("the writer was refused");
            waiting = static_cast<double>(writer.backlog());
            heap += heap_now();
            for (std::size_t left = bytes; left != 0;) {
                const auto got = ::recv(other.get(), in.data(), in.size(), 0);
                if (got > 0)
                    left -= static_cast<std::size_t>(got);
                else
                    loop.run(ev::NOWAIT);
            }
        });
        round.work(static_cast<double>(bytes));
        round.record("backlog", waiting / cap);
        round.record("heap", heap / cap);
    };
}

inline void add_memory(suite& suite)
{
    auto& each =
        suite.compare("64 MiB and 16 MiB to a slow reader", {.warm_up = 1, .least = 6, .most = 16});
    constexpr std::size_t limit = 64 * 1024 * 1024; // connection_options::backlog_limit
    each.contender("16m", writes_to_a_slow_reader(limit / 4));
    each.contender("64m", writes_to_a_slow_reader(limit));
    each.cost("slow_reader_byte_cost/64m_vs_16m", "<= 1.25", "64m", {"16m"});
    for (const std::string metric : {"backlog", "heap"}) // of the cap; 1 % is for all the rest
        each.figure("slow_reader_" + metric + "/64m", "of the cap", "<= 1.01", "64m",
                    [metric](const sample& one) { return one.figure(metric); });
    suite.measure("idle_heap/plain", "bytes", "<= 1024", [] { return idle_heap(false); });
    suite.measure("idle_heap/tls", "bytes", "<= 17408", [] { return idle_heap(true); });
}

} // namespace bench
