// SPDX-License-Identifier: MIT
//
// echo.h: a request and its answer, over one connection, a hundred and five thousand. The client is
// often the limit: what tells is the server's CPU time for a request.
//
// Threads: the server runs in the thread of the round. Lifetime: of one round.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "../support/bench.h"
#include "../support/processors.h"
#include "echo_client.h"
#include "echo_servers.h"

namespace bench {

/// "64" and "16k", as they stand in the names of rows and metrics.
inline std::string short_size(std::size_t bytes)
{
    return bytes < 1024 ? std::to_string(bytes) : std::to_string(bytes / 1024) + "k";
}

template <class Server>
comparison::body echo(const echo_job& what)
{
    return [what](round& round) {
        const first_processor here;
        (void)tls::server_ctx(); // made here, and not in each round's time
        Server server(what.tls);
        const forked_client client = echo_process(what, server.port());
        server.run_until(client.ready());
        (void)client.figure();
        if constexpr (std::is_same_v<Server, our_echo>)
            server.rest(what.rest);
        for (const auto& phase : what.phases) {
            const auto requests = static_cast<double>(phase.requests);
            const auto size = short_size(phase.size);
            const double cpu = thread_cpu_seconds();
            const auto start = std::chrono::steady_clock::now();
            round.time([&] {
                client.go();
                server.run_until(client.ready());
            });
            const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
            round.record("cpu_" + size, (thread_cpu_seconds() - cpu) / requests);
            round.record("wall_" + size, wall.count() / requests);
            round.record("p99_" + size, client.figure());
        }
    };
}

/// connections: for the rows' names, e.g. "plain_64_100".
inline void add_echo_rows(comparison& each, const std::string& kind, std::size_t bytes,
                          int connections)
{
    const auto size = short_size(bytes);
    const auto name = kind + "_" + size + "_" + std::to_string(connections);
    const std::vector<std::string> peers{"asio", "libevent"};
    each.speed("echo_vs_best/" + name, ">= 0.95", "connection", peers, "wall_" + size);
    each.cost("echo_p99_vs_best/" + name, "<= 1.05", "connection", peers, "p99_" + size);
    each.cost("echo_cpu_vs_best/" + name, "<= 1", "connection", peers, "cpu_" + size);
    for (const auto& metric : {"cpu", "p99"})
        each.figure(
            "echo_" + std::string(metric) + "/" + name, "us", "", "connection",
            [of = metric + ("_" + size)](const sample& one) { return 1e6 * one.figure(of); });
}

inline void add_echo(suite& suite, const echo_job& what)
{
    const std::string kind = what.tls ? "tls" : "plain";
    auto& each =
        suite.compare("echo, " + kind + ", " + std::to_string(what.connections) + " connections",
                      {.warm_up = 0, .least = 6, .most = what.connections < 5000 ? 12U : 6U});
    each.contender("connection", echo<our_echo>(what));
#ifdef FUNCPTR_BENCH_ASIO
    each.contender("asio", echo<asio_echo>(what));
#else
    each.missing("asio", "Asio is not installed");
#endif
#ifdef FUNCPTR_BENCH_LIBEVENT
    each.contender("libevent", echo<libevent_echo>(what));
#else
    each.missing("libevent", "libevent is not installed, or was not at ./waf configure");
#endif
    for (const auto& phase : what.phases)
        add_echo_rows(each, kind, phase.size, what.connections);
}

inline void add_echo(suite& suite)
{
    constexpr std::size_t small = 64, large = 16 * 1024;
    for (const bool tls : {false, true}) {
        add_echo(suite,
                 {.tls = tls, .connections = 1, .phases = {{small, 20'000}, {large, 10'000}}});
        add_echo(suite,
                 {.tls = tls, .connections = 100, .phases = {{small, 60'000}, {large, 20'000}}});
        add_echo(suite,
                 {.tls = tls, .connections = 5000, .phases = {{small, 100'000}, {large, 40'000}}});
    }
}

/// One active connection among ten thousand that are open and silent, and alone. Silent for longer
/// than connection_options::trim_after: what it costs to become idle is not what it costs to be so.
inline void add_idle(suite& suite)
{
    auto& each = suite.compare("one connection among 10,000 idle ones",
                               {.warm_up = 1, .least = 6, .most = 12});
    const echo_job alone{.rest = std::chrono::seconds(3), .phases = {{64, 20'000}}};
    echo_job crowded = alone;
    crowded.idle = 10'000;
    each.contender("alone", echo<our_echo>(alone));
    each.contender("crowded", echo<our_echo>(crowded));
    each.speed("echo_among_idle", ">= 0.95", "crowded", {"alone"}, "wall_64");
    each.cost("echo_cpu_among_idle", "<= 1.05", "crowded", {"alone"}, "cpu_64");
}

} // namespace bench
