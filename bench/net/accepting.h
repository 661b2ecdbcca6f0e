// SPDX-License-Identifier: MIT
//
// accepting.h: what it costs to take connections off a full queue. A client connects 4,000
// times before anybody accepts; what is timed is the loop that accepts and closes them all. So
// neither the client nor the handshakes of TCP are in the figure.
//
// Threads: the caller's. Lifetime: of one round.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev++.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "../support/bench.h"
#include "../support/peers.h"

namespace bench {

inline constexpr int queued = 4000;
inline constexpr int backlog = 4096;

/// Connections that nobody has accepted yet. They are reset at the end, so that no port is left in
/// TIME_WAIT.
class queue_of_clients {
public:
    explicit queue_of_clients(std::uint16_t port)
    {
        for (int i = 0; i < queued; ++i)
            all_.push_back(connect_loopback(port, i));
    }
    queue_of_clients(const queue_of_clients&) = delete;
    queue_of_clients& operator=(const queue_of_clients&) = delete;
    ~queue_of_clients()
    {
        const linger reset{1, 0};
        for (const int each : all_) {
            ::setsockopt(each, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            ::close(each);
        }
    }

private:
    std::vector<int> all_;
};

inline int listening_socket()
{
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const sockaddr_in where = loopback(0);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0
        || ::listen(fd, backlog) != 0)
        throw std::runtime_error("cannot listen");
    return fd;
}

class our_acceptor {
public:
    our_acceptor()
        : listener_(loop_, "127.0.0.1:0", [this](funcptr::accepted&&) { // closed as it returns
            if (++taken_ == queued)
                loop_.break_loop(ev::ALL);
        })
    {
    }
    std::uint16_t port() const { return listener_.port(); }
    void run() { funcptr::run(loop_); }

private:
    int taken_ = 0;
    ev::dynamic_loop loop_;
    funcptr::listener listener_;
};

/// The least that a loop can do: epoll, and accept4 until it says EAGAIN.
class bare_acceptor {
public:
    bare_acceptor()
        : socket_(listening_socket())
        , epoll_(::epoll_create1(EPOLL_CLOEXEC))
    {
        epoll_event wanted{};
        wanted.events = EPOLLIN;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &wanted);
    }
    bare_acceptor(const bare_acceptor&) = delete;
    bare_acceptor& operator=(const bare_acceptor&) = delete;
    ~bare_acceptor()
    {
        ::close(epoll_);
        ::close(socket_);
    }
    std::uint16_t port() const { return port_of(socket_); }
    void run()
    {
        for (int taken = 0; taken < queued;) {
            epoll_event got{};
            ::epoll_wait(epoll_, &got, 1, -1);
            for (;;) {
                sockaddr_storage peer;
                socklen_t size = sizeof peer;
                const int fd = ::accept4(socket_, reinterpret_cast<sockaddr*>(&peer), &size,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                    break;
                ++taken;
                ::close(fd);
            }
        }
    }

private:
    int socket_;
    int epoll_;
};

#ifdef FUNCPTR_BENCH_ASIO
class asio_acceptor {
public:
    asio_acceptor()
        : acceptor_(io_, {asio::ip::address_v4::loopback(), 0}, true)
    {
        acceptor_.listen(backlog);
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void run()
    {
        accept();
        io_.run();
    }

private:
    void accept()
    {
        acceptor_.async_accept([this](const asio::error_code&, asio::ip::tcp::socket socket) {
            socket.close();
            if (++taken_ != queued)
                accept();
        });
    }

    int taken_ = 0;
    asio::io_context io_{1};
    asio::ip::tcp::acceptor acceptor_;
};
#endif

#ifdef FUNCPTR_BENCH_LIBEVENT
class libevent_acceptor {
public:
    libevent_acceptor()
        : base_(event_base_new())
        , listener_(listen_on_loopback(base_, accepted, this))
    {
    }
    libevent_acceptor(const libevent_acceptor&) = delete;
    libevent_acceptor& operator=(const libevent_acceptor&) = delete;
    ~libevent_acceptor()
    {
        evconnlistener_free(listener_);
        event_base_free(base_);
    }
    std::uint16_t port() const { return port_of(evconnlistener_get_fd(listener_)); }
    void run() { event_base_dispatch(base_); }

private:
    static void accepted(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* context)
    {
        auto* const self = static_cast<libevent_acceptor*>(context);
        ::close(fd);
        if (++self->taken_ == queued)
            event_base_loopbreak(self->base_);
    }

    int taken_ = 0;
    event_base* base_;
    evconnlistener* listener_;
};
#endif

template <class Acceptor>
void accept_all(round& round)
{
    Acceptor acceptor;
    const queue_of_clients clients(acceptor.port());
    round.time([&] { acceptor.run(); });
    round.work(queued);
}

inline void add_accepting(suite& suite)
{
    auto& each = suite.compare("accept");
    each.contender("listener", accept_all<our_acceptor>);
    each.contender("bare", accept_all<bare_acceptor>);
#ifdef FUNCPTR_BENCH_ASIO
    each.contender("asio", accept_all<asio_acceptor>);
#else
    each.missing("asio", "Asio is not installed");
#endif
#ifdef FUNCPTR_BENCH_LIBEVENT
    each.contender("libevent", accept_all<libevent_acceptor>);
#else
    each.missing("libevent", "libevent is not installed, or was not at ./waf configure");
#endif
    each.speed("accept_vs_bare", ">= 0.95", "listener", {"bare"});
    each.cost("accept_cpu_vs_bare", "<= 1.1", "listener", {"bare"}, "cpu");
    each.speed("accept_vs_best", ">= 1", "listener", {"asio", "libevent"});
    each.figure("accept_cpu", "us", "", "listener",
                [](const sample& one) { return 1e6 * one.figure("cpu"); });
}

} // namespace bench
