// SPDX-License-Identifier: MIT
//
// echo_servers.h: one server, written three times: with funcptr's listener and connection, with
// libevent's evconnlistener and bufferevent, and with Asio. Each gives back what it gets, in the
// way its library's examples show; each with TLS and without.
//
// Threads: run_until() serves in the thread that calls it, until the descriptor is readable; it
// takes one byte from it. Lifetime: of one round.
#pragma once

#include <unistd.h>

#include <ev++.h>
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>
#include <funcptr/ssl_filter.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "../ssl_filter/material.h"
#include "../support/peers.h"

namespace bench {

inline void take_byte(int fd)
{
    char byte = 0;
    if (::read(fd, &byte, 1) != 1)
        throw std::runtime_error("the client has failed");
}

class our_echo {
public:
    explicit our_echo(bool with_tls)
        : tls_(with_tls ? std::make_unique<funcptr::tls_context>(tls::our_server()) : nullptr)
        , connections_(loop_)
        , listener_(loop_, "127.0.0.1:0",
                    [this](funcptr::accepted peer) { serve(std::move(peer)); },
                    {.connections = 12'000})
    {
    }
    std::uint16_t port() const { return listener_.port(); }
    void run_until(int fd)
    {
        ev_io end;
        ev_io_init(
            &end, [](struct ev_loop* loop, ev_io*, int) { ev_break(loop, EVBREAK_ALL); }, fd,
            ev::READ); // not EV_READ, which is libevent's here
        ev_io_start(loop_, &end);
        funcptr::run(loop_);
        ev_io_stop(loop_, &end);
        take_byte(fd);
    }
    /// Goes on for so long, whatever happens.
    void rest(std::chrono::milliseconds time)
    {
        ev_timer end;
        ev_timer_init(
            &end, [](struct ev_loop* loop, ev_timer*, int) { ev_break(loop, EVBREAK_ALL); },
            std::chrono::duration<double>(time).count(), 0.);
        ev_timer_start(loop_, &end);
        funcptr::run(loop_);
    }

private:
    void serve(funcptr::accepted peer)
    {
        auto& one = tls_ ? connections_.add(std::move(peer), funcptr::SSLFilter(*tls_))
                         : connections_.add(std::move(peer), funcptr::plain_filter());
        one.on_data([](funcptr::connection& c, funcptr::buffer& in) { c.write(in); });
    }

    std::unique_ptr<funcptr::tls_context> tls_;
    ev::dynamic_loop loop_;
    funcptr::connection_set connections_;
    funcptr::listener listener_;
};

#ifdef FUNCPTR_BENCH_LIBEVENT
class libevent_echo {
public:
    explicit libevent_echo(bool with_tls)
        : with_tls_(with_tls)
        , base_(event_base_new())
        , listener_(listen_on_loopback(base_, accepted, this))
    {
    }
    libevent_echo(const libevent_echo&) = delete;
    libevent_echo& operator=(const libevent_echo&) = delete;
    ~libevent_echo()
    {
        for (auto* each : all_)
            bufferevent_free(each);
        evconnlistener_free(listener_);
        event_base_free(base_);
    }
    std::uint16_t port() const { return port_of(evconnlistener_get_fd(listener_)); }
    void run_until(int fd)
    {
        event* const end = event_new(
            base_, fd, EV_READ,
            [](evutil_socket_t, short, void* base) {
                event_base_loopbreak(static_cast<event_base*>(base));
            },
            base_);
        event_add(end, nullptr);
        event_base_dispatch(base_);
        event_free(end);
        take_byte(fd);
    }

private:
    static void accepted(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* context)
    {
        auto* const self = static_cast<libevent_echo*>(context);
        no_delay(fd);
        bufferevent* const stream =
            self->with_tls_
                ? bufferevent_openssl_socket_new(self->base_, fd, SSL_new(tls::server_ctx()),
                                                 BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE)
                : bufferevent_socket_new(self->base_, fd, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(stream, on_read, nullptr, on_event, self);
        bufferevent_enable(stream, EV_READ | EV_WRITE);
        self->all_.insert(stream);
    }
    static void on_read(bufferevent* stream, void*)
    {
        bufferevent_write_buffer(stream, bufferevent_get_input(stream));
    }
    static void on_event(bufferevent* stream, short events, void* context)
    {
        if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
            return;
        static_cast<libevent_echo*>(context)->all_.erase(stream);
        bufferevent_free(stream);
    }

    bool with_tls_;
    event_base* base_;
    evconnlistener* listener_;
    std::set<bufferevent*> all_;
};
#endif

#ifdef FUNCPTR_BENCH_ASIO
class asio_echo {
public:
    explicit asio_echo(bool with_tls)
        : with_tls_(with_tls)
        , context_(owned_ctx())
        , acceptor_(io_, {asio::ip::address_v4::loopback(), 0}, true)
    {
        acceptor_.listen(4096);
        accept();
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void run_until(int fd)
    {
        asio::posix::stream_descriptor end(io_, fd);
        end.async_wait(asio::posix::stream_descriptor::wait_read,
                       [this](const asio::error_code&) { io_.stop(); });
        io_.restart();
        io_.run();
        end.release();
        take_byte(fd);
    }

private:
    using plain = asio::ip::tcp::socket;
    using sealed = asio::ssl::stream<plain>;

    template <class Stream>
    struct session : std::enable_shared_from_this<session<Stream>> {
        explicit session(Stream of)
            : stream(std::move(of))
        {
        }
        void read()
        {
            stream.async_read_some(
                asio::buffer(in), [self = this->shared_from_this()](const asio::error_code& failure,
                                                                    std::size_t got) {
                    if (!failure)
                        self->write(got);
                });
        }
        void write(std::size_t size)
        {
            asio::async_write(
                stream, asio::buffer(in.data(), size),
                [self = this->shared_from_this()](const asio::error_code& failure, std::size_t) {
                    if (!failure)
                        self->read();
                });
        }
        Stream stream;
        std::array<char, 16 * 1024> in;
    };

    static SSL_CTX* owned_ctx()
    {
        SSL_CTX_up_ref(tls::server_ctx()); // the context takes it over
        return tls::server_ctx();
    }
    void accept()
    {
        acceptor_.async_accept([this](const asio::error_code& failure, plain socket) {
            if (failure)
                return;
            socket.set_option(asio::ip::tcp::no_delay(true));
            serve(std::move(socket));
            accept();
        });
    }
    void serve(plain socket)
    {
        if (!with_tls_)
            return std::make_shared<session<plain>>(std::move(socket))->read();
        auto one = std::make_shared<session<sealed>>(sealed(std::move(socket), context_));
        one->stream.async_handshake(sealed::server, [one](const asio::error_code& failure) {
            if (!failure)
                one->read();
        });
    }

    bool with_tls_;
    asio::io_context io_{1};
    asio::ssl::context context_;
    asio::ip::tcp::acceptor acceptor_;
};
#endif

} // namespace bench
