// SPDX-License-Identifier: MIT
//
// peers.h: which of the compared libraries are here, and the sockets that all of them need.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <ev++.h> // before libevent, which defines some of its names otherwise

#include <cstdint>
#include <stdexcept>

#if __has_include(<asio/ssl.hpp>)
#    define FUNCPTR_BENCH_ASIO
#    define ASIO_STANDALONE
#    include <asio.hpp>
#    include <asio/ssl.hpp>
#endif

#if defined(HAVE_LIBEVENT) && defined(HAVE_LIBEVENT_SSL) && __has_include(<event2/bufferevent_ssl.h>)
#    define FUNCPTR_BENCH_LIBEVENT
#    include <event2/buffer.h>
#    include <event2/bufferevent_ssl.h>
#    include <event2/event.h>
#    include <event2/listener.h>
#endif

namespace bench {

inline sockaddr_in loopback(std::uint16_t port)
{
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(port);
    return where;
}

inline std::uint16_t port_of(int fd)
{
    sockaddr_in where{};
    socklen_t size = sizeof where;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
    return ntohs(where.sin_port);
}

inline void no_delay(int fd)
{
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// A blocking socket, from another address each time, so that no two connections share their four
/// numbers while the kernel remembers the last ones (TIME_WAIT).
inline int connect_loopback(std::uint16_t port, int number)
{
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in here = loopback(0);
    here.sin_addr.s_addr = htonl(0x7f000002U + static_cast<std::uint32_t>(number % 200));
    const sockaddr_in there = loopback(port);
    no_delay(fd);
    const bool done =
        ::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0
        && ::connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0;
    if (!done)
        throw std::runtime_error("the client cannot connect");
    return fd;
}

#ifdef FUNCPTR_BENCH_LIBEVENT
inline evconnlistener* listen_on_loopback(event_base* base, evconnlistener_cb call, void* context)
{
    sockaddr_in where = loopback(0);
    evconnlistener* const made =
        evconnlistener_new_bind(base, call, context, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                4096, reinterpret_cast<sockaddr*>(&where), sizeof where);
    if (made == nullptr)
        throw std::runtime_error("evconnlistener_new_bind");
    return made;
}
#endif

} // namespace bench
