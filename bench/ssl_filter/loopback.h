// SPDX-License-Identifier: MIT
//
// loopback.h: the rows over TCP on 127.0.0.1. The servers are measured, in the thread that runs the
// round; the client is the same for all, blocking OpenSSL in another thread on another core.
#pragma once

#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "../support/bench.h"
#include "../support/peers.h"
#include "../support/processors.h"
#include "servers.h"

namespace bench {

class blocking_client {
public:
    /// Whether handshakes after the first one resume its session.
    blocking_client(std::uint16_t port, const job& what, bool resume)
        : port_(port)
        , job_(what)
        , resume_(resume)
        , thread_([this] {
            use_processor(1);
            try {
                run();
            } catch (...) {
                failure_ = std::current_exception();
            }
        })
    {
    }
    blocking_client(const blocking_client&) = delete;
    blocking_client& operator=(const blocking_client&) = delete;
    ~blocking_client()
    {
        if (thread_.joinable())
            thread_.join();
    }
    void join()
    {
        thread_.join();
        if (failure_)
            std::rethrow_exception(failure_);
    }

private:
    void run()
    {
        for (int i = 0; i < job_.connections; ++i)
            converse(i);
    }

    void converse(int number)
    {
        const int fd = connect_loopback(port_, number);
        const tls::owned<SSL> ssl(SSL_new(tls::client_ctx()));
        SSL_set_fd(ssl.get(), fd);
        if (resume_ && session_)
            SSL_set_session(ssl.get(), session_.get());
        tls::require(SSL_connect(ssl.get()) == 1, "SSL_connect");
        if (resume_ && session_ && SSL_session_reused(ssl.get()) != 1)
            throw std::runtime_error("the session was not resumed");
        for (std::size_t left = job_.what == task::receive ? job_.bytes : 0; left != 0;) {
            const std::size_t some = std::min(left, block().size());
            tls::require(SSL_write(ssl.get(), block().data(), static_cast<int>(some)) > 0,
                         "the client's SSL_write");
            left -= some;
        }
        std::vector<char> in(64 * 1024);
        for (std::size_t left = job_.what == task::send ? job_.bytes : 1; left != 0;) {
            const int got = SSL_read(ssl.get(), in.data(), static_cast<int>(in.size()));
            tls::require(got > 0, "the client's SSL_read");
            left -= static_cast<std::size_t>(got);
        }
        if (resume_ && !session_)
            session_.reset(SSL_get1_session(ssl.get()));
        SSL_shutdown(ssl.get());
        ::close(fd);
    }

    std::uint16_t port_;
    job job_;
    bool resume_;
    tls::owned<SSL_SESSION> session_;
    std::exception_ptr failure_;
    std::thread thread_; // last: it starts when the rest is there
};

/// Work is counted in bytes, or in connections when there are none.
template <class Server>
comparison::body served(const job& what, bool resume = false)
{
    return [what, resume](round& round) {
        const first_processor here;
        Server server(what);
        blocking_client client(server.port(), what, resume);
        round.time([&] { server.run(); });
        client.join();
        round.work(what.bytes != 0 ? static_cast<double>(what.bytes) : what.connections);
    };
}

inline void add_servers(comparison& each, const job& what, bool resume = false)
{
    each.contender("connection", served<our_server>(what, resume));
#ifdef FUNCPTR_BENCH_ASIO
    each.contender("asio", served<asio_server>(what, resume));
#else
    each.missing("asio", "Asio is not installed");
#endif
#ifdef FUNCPTR_BENCH_LIBEVENT
    each.contender("libevent", served<libevent_server>(what, resume));
#else
    each.missing("libevent", "libevent_openssl is not installed, or was not at ./waf configure");
#endif
    each.contender("blocking", served<blocking_server>(what, resume));
}

inline void add_bulk(suite& suite, const std::string& name, task what)
{
    auto& each = suite.compare("loopback, " + name + " 64 MiB");
    add_servers(each, {.what = what, .bytes = 64 << 20});
    each.speed(name + "_vs_best", ">= 1", "connection", {"asio", "libevent"});
    each.cost(name + "_cpu_vs_best", "<= 1.05", "connection", {"asio", "libevent"}, "cpu");
    each.speed(name + "_vs_blocking", ">= 0.95", "connection", {"blocking"});
    each.figure(name + "_rate", "MB/s", "", "connection",
                [](const sample& one) { return 1e-6 / one.figure("wall"); });
    each.figure(name + "_cpu", "ms/MB", "", "connection",
                [](const sample& one) { return 1e9 * one.figure("cpu"); });
}

inline void add_handshakes(suite& suite, const std::string& name, bool resume)
{
    auto& each = suite.compare("loopback, " + name + " handshakes");
    add_servers(each, {.what = task::say, .connections = 300}, resume);
    each.speed(name + "_handshakes_vs_best", ">= 0.95", "connection", {"asio", "libevent"});
    each.cost(name + "_handshake_cpu_vs_best", "<= 1.05", "connection", {"asio", "libevent"},
              "cpu");
    each.speed(name + "_handshakes_vs_blocking", "", "connection", {"blocking"});
    each.figure(name + "_handshake_rate", "1/s", "", "connection",
                [](const sample& one) { return 1 / one.figure("wall"); });
    each.figure(name + "_handshake_cpu", "us", "", "connection",
                [](const sample& one) { return 1e6 * one.figure("cpu"); });
}

inline void add_loopback(suite& suite)
{
    add_bulk(suite, "send", task::send);
    add_bulk(suite, "receive", task::receive);
    add_handshakes(suite, "full", false);
    add_handshakes(suite, "resumed", true);
}

} // namespace bench
