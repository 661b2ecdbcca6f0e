// SPDX-License-Identifier: MIT
//
// A TLS server between clients that mean ill and some that do not: nothing leaks, and every request
// of the latter is answered. And a server that hands over to its successor without losing anybody.
//
// 5,000 connections; 100,000 with FUNCPTR_FULL=1. The clients are processes of their own, so that
// the descriptors and the memory that are counted are the server's.
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/ssl_filter.h>

#include <gtest/gtest.h>
#include <malloc.h>

#include <filesystem>
#include <optional>
#include <string>

#include "support/certificates.h"
#include "support/hostile_clients.h"
#include "support/listening.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using funcptr::accepted;
using funcptr::connection;
using funcptr::connection_set;
using funcptr::listener;
using funcptr::testing::client_process;
using funcptr::testing::good_client;
using funcptr::testing::hostile_client;
using funcptr::testing::listening;

// --- servers ------------------------------------------------------------------------------------

std::size_t open_descriptors()
{
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t heap_in_use()
{
    const auto all = ::mallinfo2();
    return all.uordblks + all.hblkhd;
}

class HostileClients : public listening {
protected:
    const funcptr::tls_context tls{
        {.role = funcptr::tls_role::server,
         .certificate_pem = funcptr::testing::certificates().server.certificate_pem,
         .key_pem = funcptr::testing::certificates().server.key_pem}};
    connection_set connections{loop};

    void serve(accepted peer)
    {
        connections.add(std::move(peer), funcptr::SSLFilter(tls), {.handshake = 20s, .linger = 1s})
            .on_data([](connection& c, funcptr::buffer& in) { c.write(in); });
    }
    void until_gone(client_process& one)
    {
        ev_timer tick; // nothing else may happen once the clients are quiet
        ev_timer_init(
            &tick, [](struct ev_loop*, ev_timer*, int) {}, 0.01, 0.01);
        ev_timer_start(loop, &tick);
        until([&] { return !one.running(); });
        ev_timer_stop(loop, &tick);
    }
    void until_quiet()
    {
        until([&] { return connections.size() == 0; });
        turn(); // the set deletes at the next one who closed in this
    }
};

TEST_F(HostileClients, LeaveNothingBehindAndHoldUpNobody)
{
    const bool whole = test::variable("FUNCPTR_FULL", "0") == "1";
    const unsigned total = whole ? 100'000 : 5'000;
    constexpr unsigned size = 250;
    listener server(loop, "127.0.0.1:0", [this](accepted peer) { serve(std::move(peer)); });
    const auto where = server.addresses()[0];

    const auto attack = [&](unsigned waves) {
        client_process hostile([&] {
            hostile_client one(where);
            unsigned refused = 0;
            for (unsigned i = 0; i < waves; ++i)
                refused += size - one.wave(size);
            return static_cast<int>(refused);
        });
        client_process good([&] {
            good_client one(where);
            int unanswered = 0;
            for (unsigned i = 0; i < 5 * waves; ++i)
                unanswered += one.ask(i) ? 0 : 1;
            return unanswered;
        });
        until_gone(hostile);
        until_gone(good);
        EXPECT_EQ(hostile.wait(), 0) << "hostile connections that did not come about";
        EXPECT_EQ(good.wait(), 0) << "requests that were not answered";
        until_quiet();
    };

    attack(2); // everything has its size then
    const auto descriptors = open_descriptors();
    const auto heap = heap_in_use();
    attack(total / size);
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_EQ(server.counters().connections, 0u);
    EXPECT_GE(server.counters().accepted, total);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    // 20 bytes for each connection would be 2 MB in a whole run.
    EXPECT_LT(heap_in_use(), heap + 256 * 1024);
#else
    (void)heap; // its allocator keeps what is freed; leaks are its own affair
#endif
}

TEST_F(HostileClients, AServerHandsOverToItsSuccessorAndNobodyIsReset)
{
    // What a supervisor keeps and passes on.
    auto bound = funcptr::bind_listeners("127.0.0.1:0");
    const int inherited = ::fcntl(bound.sockets[0].get(), F_DUPFD_CLOEXEC, 0);
    listener old(loop, std::move(bound), [this](accepted peer) { serve(std::move(peer)); });
    client_process clients([&] {
        good_client one(old.addresses()[0]);
        int unanswered = 0;
        for (unsigned i = 0; i < 300; ++i)
            unanswered += one.ask(i) ? 0 : 1;
        return unanswered;
    });
    until([&] { return old.counters().accepted >= 100; });
    connection_set successors(loop);
    unsigned served_by_successor = 0;
    listener successor(loop, "fd:" + std::to_string(inherited), [&](accepted peer) {
        ++served_by_successor;
        successors.add(std::move(peer), funcptr::SSLFilter(tls))
            .on_data([](connection& c, funcptr::buffer& in) { c.write(in); });
    });
    old.stop();
    std::optional<std::size_t> aborted;
    connections.drain(
        30s, [&](std::size_t many) { aborted = many; }, funcptr::drain_how::wait);
    until([&] { return aborted.has_value(); });
    EXPECT_EQ(*aborted, 0u);
    until_gone(clients);
    EXPECT_EQ(clients.wait(), 0) << "requests that were not answered";
    EXPECT_GT(served_by_successor, 100u);
}

} // namespace
