// SPDX-License-Identifier: MIT
//
// heap.h: what one idle TLS 1.3 server connection keeps on the heap after a burst of 16 KiB each
// way, and how often an end that reads a 16 KiB record and answers with one asks for memory (all of
// it is OpenSSL's: four WPACKET of 40 bytes for each record written).
//
// The idle rows fork: the clients live in the child, so that all that the heap of this process has
// grown by (mallinfo2(3): every arena, mapped blocks too) is the servers', OpenSSL's share, the
// connection objects and their share of the loop together, divided by the number of connections.
// The SSL_CTX stood before and is not counted. Ours frees by the connection's own idle timer.
//
// Threads: none but the caller's. Lifetime: the child ends with the row.
//
//     if (!bench::count_openssl())
//         return 1; // OpenSSL has allocated already
//     bench::add_heap(suite);
#pragma once

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "../support/allocation_count.h"
#include "../support/bench.h"
#include "engines.h"
#include "loopback.h"
#include "material.h"
#include "servers.h"

namespace bench {

inline constexpr std::size_t burst = 16 * 1024;
inline constexpr int idle_connections = 1000;

/// Makes OpenSSL's allocations count, too. False when it has made some already.
inline bool count_openssl()
{
    return CRYPTO_set_mem_functions(
               [](std::size_t size, const char*, int) {
                   detail::count_allocation();
                   return std::malloc(size);
               },
               [](void* memory, std::size_t size, const char*, int) {
                   detail::count_allocation();
                   return std::realloc(memory, size);
               },
               [](void* memory, const char*, int) { std::free(memory); })
           == 1;
}

// --- idle ---------------------------------------------------------------------------------------

inline double heap_in_use()
{
    const struct mallinfo2 all = ::mallinfo2();
    return static_cast<double>(all.uordblks + all.hblkhd);
}

/// A process with clients that have had their burst and stay. It leaves with this object.
class idle_clients {
public:
    idle_clients(std::uint16_t port, int connections)
    {
        tls::client_ctx();
        if (::pipe(until_.data()) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe");
        child_ = ::fork();
        if (child_ < 0)
            throw std::system_error(errno, std::generic_category(), "fork");
        if (child_ == 0)
            ::_exit(live(port, connections));
        ::close(until_[0]);
    }
    idle_clients(const idle_clients&) = delete;
    idle_clients& operator=(const idle_clients&) = delete;
    ~idle_clients()
    {
        ::close(until_[1]);
        while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

private:
    int live(std::uint16_t port, int connections) const
    {
        ::close(until_[1]);
        std::vector<tls::owned<SSL>> all;
        for (int i = 0; i < connections; ++i) {
            all.push_back(connected(port, i));
            if (!exchange(all.back().get()))
                return 1;
        }
        char end = 0;
        return ::read(until_[0], &end, 1) == 0 ? 0 : 1;
    }
    static tls::owned<SSL> connected(std::uint16_t port, int number)
    {
        tls::owned<SSL> ssl(SSL_new(tls::client_ctx()));
        SSL_set_fd(ssl.get(), connect_loopback(port, number));
        SSL_connect(ssl.get());
        return ssl;
    }
    static bool exchange(SSL* ssl)
    {
        if (SSL_write(ssl, block().data(), static_cast<int>(burst)) != static_cast<int>(burst))
            return false;
        std::array<char, burst> in;
        for (std::size_t left = burst; left != 0;) {
            const int got = SSL_read(ssl, in.data(), static_cast<int>(in.size()));
            if (got <= 0)
                return false;
            left -= static_cast<std::size_t>(got);
        }
        return true;
    }

    std::array<int, 2> until_{};
    pid_t child_ = -1;
};

template <class Server>
double idle_heap()
{
    Server server({.what = task::burst, .bytes = burst, .connections = idle_connections});
    const idle_clients clients(server.port(), idle_connections);
    const double before = heap_in_use();
    server.run();
    server.rest(std::chrono::seconds(3)); // longer than connection_options::trim_after
    return (heap_in_use() - before) / idle_connections;
}

// --- records ------------------------------------------------------------------------------------

inline double allocations_of_a_round_trip()
{
    check_allocation_count();
    our_engine engine;
    const std::string text(burst, 'x');
    const auto once = [&] {
        engine.transfer(text);
        engine.transfer_back(text);
    };
    for (int i = 0; i < 100; ++i)
        once();
    const int trips = 10'000;
    const allocation_count count;
    for (int i = 0; i < trips; ++i)
        once();
    return static_cast<double>(count.so_far()) / trips / 2; // both ends are in this thread
}

inline void add_heap(suite& suite)
{
    suite.measure("idle_heap/connection", "bytes", "<= 16384", idle_heap<our_server>);
#ifdef FUNCPTR_BENCH_ASIO
    suite.measure("idle_heap/asio", "bytes", "", [] {
        return idle_heap<asio_server>() - static_cast<double>(asio_server::application_buffer);
    });
#endif
#ifdef FUNCPTR_BENCH_LIBEVENT
    suite.measure("idle_heap/libevent", "bytes", "", idle_heap<libevent_server>);
#endif
    suite.measure("allocations/round_trip_16k", "1/round trip", "<= 4",
                  allocations_of_a_round_trip);
}

} // namespace bench
