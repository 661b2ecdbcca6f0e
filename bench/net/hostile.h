// SPDX-License-Identifier: MIT
//
// hostile.h: how long a well-behaved client waits for a TLS connection and one answer, beside
// hostile ones and alone. The hostile ones come in waves of 250: silent, half a hello, half open,
// garbage short and long, byte by byte; closed or reset (tests/support/hostile_clients.h).
// All of a wave leave at one moment.
//
// Ten come every 2 ms, some 4,500 a second, which is a quarter of what the server's processor can
// take. The rows without a goal have them as fast as the other processor makes them (17,000 a
// second): that is more than the server can do, and what waits then is the queue of all.
//
// Clients are other machines in earnest, and their work is not the server's: here the server has
// one processor, and on the other the hostile client runs only when the well-behaved one does not.
//
// All rounds together have 30,000 hostile connections, or 100,000 with FUNCPTR_FULL=1.
//
// Threads: the server runs in the thread of the round. Lifetime: of one round.
#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../support/bench.h"
#include "../support/processors.h"
#include "echo_client.h"
#include "echo_servers.h"
#include "own_pages.h"
#include "tests/support/hostile_clients.h"

namespace bench {

inline constexpr unsigned wave_size = 250;
inline constexpr unsigned hostile_rounds = 6;

inline unsigned hostile_connections()
{
    const char* const full = std::getenv("FUNCPTR_FULL");
    const unsigned all = full != nullptr && std::string_view(full) == "1" ? 100'000 : 30'000;
    return (all + hostile_rounds - 1) / hostile_rounds;
}

/// Asks until done() and at least so often; the 99th percentile. NaN when one was not answered.
template <class Done>
double p99_of_good_client(const funcptr::address& where, unsigned least, const Done& done)
{
    funcptr::testing::good_client good(where);
    std::vector<double> took;
    while (took.size() < least || !done()) {
        const auto start = std::chrono::steady_clock::now();
        if (!good.ask(static_cast<unsigned>(took.size())))
            return nan;
        took.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        // Who asks without a pause is an attacker, too.
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::sort(took.begin(), took.end());
    return took[took.size() * 99 / 100];
}

/// The hostile client's process: 0, or how many of its connections did not come about.
inline int attack(const funcptr::address& where, unsigned connections,
                  std::chrono::microseconds pause)
{
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
    funcptr::testing::hostile_client hostile(where);
    unsigned refused = 0;
    for (unsigned done = 0; done < connections; done += wave_size)
        refused += wave_size - hostile.wave(wave_size, pause);
    return static_cast<int>(refused);
}

/// The clients' process. Its last words are a byte and the 99th percentile, for echo_process.
inline int besiege(std::uint16_t port, unsigned hostile_connections,
                   std::chrono::microseconds pause, int ready)
{
    use_processor(1);
    const auto where = *funcptr::address::parse("127.0.0.1:" + std::to_string(port)).value;
    (void)p99_of_good_client(where, 50, [] { return true; }); // warm
    double p99 = nan;
    if (hostile_connections == 0) {
        p99 = p99_of_good_client(where, 500, [] { return true; });
    } else {
        funcptr::testing::client_process hostile(
            [&] { return attack(where, hostile_connections, pause); });
        own_pages();
        p99 = p99_of_good_client(where, 0, [&] { return !hostile.running(); });
        if (hostile.wait() != 0)
            p99 = nan; // not all of them: the figure would be of something else
    }
    return tell_figure(ready, p99) ? 0 : 1;
}

inline comparison::body good_clients_beside(unsigned hostile_connections,
                                            std::chrono::microseconds pause = {})
{
    return [=](round& round) {
        const first_processor here;
        our_echo server(true);
        const auto port = server.port();
        const forked_client clients(
            [=](int ready, int) { return besiege(port, hostile_connections, pause, ready); });
        round.time([&] { server.run_until(clients.ready()); });
        round.record("p99", clients.figure());
    };
}

inline void add_hostile(suite& suite)
{
    auto& each = suite.compare("a client beside hostile ones",
                               {.warm_up = 0, .least = hostile_rounds, .most = hostile_rounds});
    each.contender("quiet", good_clients_beside(0));
    each.contender("besieged",
                   good_clients_beside(hostile_connections(), std::chrono::milliseconds(2)));
    each.contender("flooded", good_clients_beside(hostile_connections()));
    each.cost("hostile_p99_vs_quiet", "<= 2", "besieged", {"quiet"}, "p99");
    for (const std::string name : {"quiet", "besieged", "flooded"})
        each.figure("hostile_p99/" + name, "us", "", name,
                    [](const sample& one) { return 1e6 * one.figure("p99"); });
}

} // namespace bench
