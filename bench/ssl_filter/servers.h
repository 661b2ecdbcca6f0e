// SPDX-License-Identifier: MIT
//
// servers.h: one TLS server, written four times: with funcptr's listener, connection and SSLFilter;
// with Asio's acceptor and ssl::stream; with libevent's evconnlistener and bufferevent_openssl; and
// with SSL_set_fd on blocking sockets. Each does the same job for each connection, in the way its
// library's examples show.
//
//     say      one byte when the handshake is done, then waits for the client to leave
//     send     so many bytes, then waits for the client to leave
//     receive  reads so many bytes, says one, then waits for the client to leave
//     burst    reads so many bytes and sends as many; the client stays
//
// Threads: run() serves in the thread that calls it, until so many connections have ended, or have
// had their burst; rest() goes on for so long. Lifetime: of one round.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev++.h>
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>
#include <funcptr/ssl_filter.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/peers.h"
#include "material.h"

namespace bench {

enum class task { say, send, receive, burst };

struct job {
    task what = task::say;
    std::size_t bytes = 0;
    int connections = 1;
};

/// What is handed to the libraries at once while sending.
inline const std::string& block()
{
    static const std::string bytes(256 * 1024, 'b');
    return bytes;
}

class our_server {
public:
    explicit our_server(const job& what)
        : job_(what)
        , tls_(tls::our_server())
        , connections_(loop_)
        , listener_(loop_, "127.0.0.1:0",
                    [this](funcptr::accepted peer) { serve(std::move(peer)); })
    {
    }

    std::uint16_t port() const { return listener_.port(); }
    void run() { funcptr::run(loop_); }
    void rest(std::chrono::milliseconds time)
    {
        const auto stop = [](struct ev_loop* loop, ev_timer*, int) { ev_break(loop, EVBREAK_ALL); };
        ev_timer timer;
        ev_timer_init(&timer, stop, std::chrono::duration<double>(time).count(), 0.);
        ev_timer_start(loop_, &timer);
        run();
    }

private:
    void serve(funcptr::accepted peer)
    {
        auto& one = connections_.add(std::move(peer), funcptr::SSLFilter(tls_));
        auto left = std::make_shared<std::size_t>(job_.bytes);
        one.on_open([this, left](funcptr::connection& c) {
            if (job_.what == task::say)
                c.write("k");
            if (job_.what == task::send)
                feed(c, *left);
        });
        one.on_drain([left](funcptr::connection& c) { feed(c, *left); });
        one.on_data([this, left](funcptr::connection& c, funcptr::buffer& in) {
            if (job_.what == task::receive && *left != 0 && (*left -= in.size()) == 0)
                c.write("k");
            if (job_.what == task::burst && *left != 0 && (*left -= in.size()) == 0) {
                c.write(std::string_view(block()).substr(0, job_.bytes));
                done();
            }
            in.clear();
        });
        one.on_close([this](funcptr::connection&, const funcptr::close_reason&) { done(); });
    }
    void done()
    {
        if (++ended_ == job_.connections)
            loop_.break_loop(ev::ALL);
    }
    /// Until the connection asks to wait.
    static void feed(funcptr::connection& c, std::size_t& left)
    {
        const funcptr::connection_options defaults;
        while (left != 0 && c.backlog() <= defaults.high_water) {
            const std::size_t some = std::min(left, block().size());
            left -= some;
            if (!c.write(std::string_view(block()).substr(0, some)))
                return;
        }
    }

    job job_;
    int ended_ = 0;
    funcptr::tls_context tls_;
    ev::dynamic_loop loop_;
    funcptr::connection_set connections_;
    funcptr::listener listener_;
};

#ifdef FUNCPTR_BENCH_ASIO
class asio_server {
public:
    /// What each session has beside Asio: its application reads into it.
    static constexpr std::size_t application_buffer = 64 * 1024;

    explicit asio_server(const job& what)
        : job_(what)
        , context_(owned_ctx())
        , acceptor_(io_, {asio::ip::address_v4::loopback(), 0}, true)
    {
        accept();
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void run() { io_.run(); }
    void rest(std::chrono::milliseconds time)
    {
        io_.restart();
        io_.run_for(time);
    }

private:
    using stream = asio::ssl::stream<asio::ip::tcp::socket>;

    struct session : std::enable_shared_from_this<session> {
        session(asio::ip::tcp::socket socket, asio_server& owner)
            : stream_(std::move(socket), owner.context_)
            , owner_(owner)
            , left_(owner.job_.bytes)
        {
        }
        void start()
        {
            stream_.async_handshake(stream::server,
                                    [self = shared_from_this()](const asio::error_code& failure) {
                                        failure ? self->end() : self->opened();
                                    });
        }
        void opened()
        {
            if (owner_.job_.what == task::say)
                say();
            if (owner_.job_.what == task::send)
                send();
            read();
        }
        void say()
        {
            asio::async_write(stream_, asio::buffer("k", 1),
                              [self = shared_from_this()](const asio::error_code&, std::size_t) {});
        }
        void send()
        {
            const std::size_t some = std::min(left_, block().size());
            left_ -= some;
            asio::async_write(
                stream_, asio::buffer(block().data(), some),
                [self = shared_from_this()](const asio::error_code& failure, std::size_t) {
                    if (!failure && self->left_ != 0)
                        self->send();
                });
        }
        void read()
        {
            stream_.async_read_some(
                asio::buffer(in_),
                [self = shared_from_this()](const asio::error_code& failure, std::size_t got) {
                    if (failure)
                        return self->end();
                    if (self->owner_.job_.what == task::receive && self->left_ != 0
                        && (self->left_ -= got) == 0)
                        self->say();
                    if (self->owner_.job_.what == task::burst && self->left_ != 0
                        && (self->left_ -= got) == 0)
                        self->answer();
                    self->read();
                });
        }
        void answer()
        {
            asio::async_write(
                stream_, asio::buffer(block().data(), owner_.job_.bytes),
                [self = shared_from_this()](const asio::error_code&, std::size_t) { self->end(); });
        }
        void end()
        {
            if (++owner_.ended_ == owner_.job_.connections)
                owner_.io_.stop();
        }

        stream stream_;
        asio_server& owner_;
        std::size_t left_;
        std::array<char, application_buffer> in_;
    };

    static SSL_CTX* owned_ctx()
    {
        SSL_CTX_up_ref(tls::server_ctx()); // the context takes it over
        return tls::server_ctx();
    }
    void accept()
    {
        acceptor_.async_accept(
            [this](const asio::error_code& failure, asio::ip::tcp::socket socket) {
                if (failure)
                    return;
                socket.set_option(asio::ip::tcp::no_delay(true));
                std::make_shared<session>(std::move(socket), *this)->start();
                accept();
            });
    }

    job job_;
    int ended_ = 0;
    asio::io_context io_{1};
    asio::ssl::context context_;
    asio::ip::tcp::acceptor acceptor_;
};
#endif

#ifdef FUNCPTR_BENCH_LIBEVENT
class libevent_server {
public:
    explicit libevent_server(const job& what)
        : job_(what)
        , base_(event_base_new())
    {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listener_ = evconnlistener_new_bind(base_, accepted, this,
                                            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 1024,
                                            reinterpret_cast<sockaddr*>(&where), sizeof where);
        if (listener_ == nullptr)
            throw std::runtime_error("evconnlistener_new_bind");
    }
    libevent_server(const libevent_server&) = delete;
    libevent_server& operator=(const libevent_server&) = delete;
    ~libevent_server()
    {
        for (const auto& each : sessions_)
            bufferevent_free(each->stream);
        evconnlistener_free(listener_);
        event_base_free(base_);
    }

    std::uint16_t port() const
    {
        sockaddr_in where{};
        socklen_t size = sizeof where;
        ::getsockname(evconnlistener_get_fd(listener_), reinterpret_cast<sockaddr*>(&where), &size);
        return ntohs(where.sin_port);
    }
    void run() { event_base_dispatch(base_); }
    void rest(std::chrono::milliseconds time)
    {
        const timeval end{static_cast<time_t>(time.count() / 1000),
                          static_cast<suseconds_t>(time.count() % 1000 * 1000)};
        event_base_loopexit(base_, &end);
        run();
    }

private:
    struct session {
        libevent_server* owner;
        bufferevent* stream;
        std::size_t left;
    };

    static void accepted(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* context)
    {
        auto* const self = static_cast<libevent_server*>(context);
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        bufferevent* const stream =
            bufferevent_openssl_socket_new(self->base_, fd, SSL_new(tls::server_ctx()),
                                           BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
        auto one = std::make_unique<session>(session{self, stream, self->job_.bytes});
        bufferevent_setcb(stream, on_read, on_write, on_event, one.get());
        bufferevent_enable(stream, EV_READ | EV_WRITE);
        self->sessions_.insert(std::move(one));
    }
    static void on_read(bufferevent* stream, void* context)
    {
        auto& one = *static_cast<session*>(context);
        evbuffer* const in = bufferevent_get_input(stream);
        const std::size_t got = evbuffer_get_length(in);
        if (one.owner->job_.what == task::receive && one.left != 0 && (one.left -= got) == 0)
            bufferevent_write(stream, "k", 1);
        if (one.owner->job_.what == task::burst && one.left != 0 && (one.left -= got) == 0) {
            bufferevent_write(stream, block().data(), one.owner->job_.bytes);
            one.owner->done();
        }
        evbuffer_drain(in, got);
    }
    static void on_write(bufferevent* stream, void* context)
    {
        auto& one = *static_cast<session*>(context);
        if (one.owner->job_.what == task::send && one.left != 0)
            feed(stream, one);
    }
    static void feed(bufferevent* stream, session& one)
    {
        const std::size_t some = std::min(one.left, block().size());
        one.left -= some;
        bufferevent_write(stream, block().data(), some);
    }
    static void on_event(bufferevent* stream, short events, void* context)
    {
        auto& one = *static_cast<session*>(context);
        libevent_server& self = *one.owner;
        if ((events & BEV_EVENT_CONNECTED) != 0) {
            if (self.job_.what == task::say)
                bufferevent_write(stream, "k", 1);
            if (self.job_.what == task::send)
                feed(stream, one);
            return;
        }
        if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
            return;
        bufferevent_free(stream);
        for (auto each = self.sessions_.begin(); each != self.sessions_.end(); ++each)
            if (each->get() == &one) {
                self.sessions_.erase(each);
                break;
            }
        self.done();
    }
    void done()
    {
        if (++ended_ == job_.connections)
            event_base_loopbreak(base_);
    }

    job job_;
    int ended_ = 0;
    event_base* base_;
    evconnlistener* listener_ = nullptr;
    std::set<std::unique_ptr<session>> sessions_;
};
#endif

/// One connection after the other.
class blocking_server {
public:
    explicit blocking_server(const job& what)
        : job_(what)
        , listener_(::socket(AF_INET, SOCK_STREAM, 0))
    {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0
            || ::listen(listener_, 1024) != 0)
            throw std::runtime_error("cannot listen");
    }
    blocking_server(const blocking_server&) = delete;
    blocking_server& operator=(const blocking_server&) = delete;
    ~blocking_server() { ::close(listener_); }

    std::uint16_t port() const
    {
        sockaddr_in where{};
        socklen_t size = sizeof where;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size);
        return ntohs(where.sin_port);
    }
    void run()
    {
        for (int i = 0; i < job_.connections; ++i) {
            const int fd = ::accept(listener_, nullptr, nullptr);
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            const tls::owned<SSL> ssl(SSL_new(tls::server_ctx()));
            SSL_set_fd(ssl.get(), fd);
            if (SSL_accept(ssl.get()) == 1)
                serve(ssl.get());
            ::close(fd);
        }
    }

private:
    void serve(SSL* ssl)
    {
        std::vector<char> in(64 * 1024);
        for (std::size_t left = job_.what == task::send ? job_.bytes : 0; left != 0;) {
            const std::size_t some = std::min(left, block().size());
            tls::require(SSL_write(ssl, block().data(), static_cast<int>(some)) > 0, "SSL_write");
            left -= some;
        }
        for (std::size_t left = job_.what == task::receive ? job_.bytes : 0; left != 0;) {
            const int got = SSL_read(ssl, in.data(), static_cast<int>(in.size()));
            tls::require(got > 0, "SSL_read");
            left -= static_cast<std::size_t>(got);
        }
        if (job_.what != task::send)
            SSL_write(ssl, "k", 1);
        while (SSL_read(ssl, in.data(), static_cast<int>(in.size())) > 0) {
        }
        SSL_shutdown(ssl);
        ERR_clear_error();
    }

    job job_;
    int listener_;
};

} // namespace bench
