// SPDX-License-Identifier: MIT
//
// sockets.h: real sockets for tests: a pair that is connected, and a client of a listener.
#pragma once

#include <funcptr/socket.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <string>
#include <string_view>

namespace funcptr::testing {

inline void make_nonblocking(int fd)
{
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/// Two ends of one stream; the first non-blocking, the second blocking.
inline std::array<unique_fd, 2> socket_pair()
{
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    make_nonblocking(ends[0]);
    return {unique_fd(ends[0]), unique_fd(ends[1])};
}

/// A blocking client; empty when it is refused.
inline unique_fd connect_to(const address& where)
{
    unique_fd fd(::socket(where.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), where.data(), where.size()) != 0)
        return {};
    return fd;
}

/// Can this machine talk to itself at the address? With loopback down nobody can, and with IPv6
/// disabled [::] can be bound and ::1 cannot be reached. ("127.0.0.1:0" and the like.)
inline bool can_reach(std::string_view loopback)
{
    const auto where = *address::parse(loopback).value;
    const unique_fd server(::socket(where.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage got{};
    socklen_t size = sizeof got;
    auto* const raw = reinterpret_cast<sockaddr*>(&got);
    return server && ::bind(server.get(), where.data(), where.size()) == 0
           && ::listen(server.get(), 1) == 0 && ::getsockname(server.get(), raw, &size) == 0
           && connect_to(address::from(raw, size));
}

inline bool has_ipv4()
{
    return can_reach("127.0.0.1:0");
}
inline bool has_ipv6()
{
    return can_reach("[::1]:0");
}

inline bool send_all(int fd, std::string_view text)
{
    while (!text.empty()) {
        const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// What is there now, without waiting; "" when nothing is.
inline std::string receive_now(int fd, std::size_t most = 1 << 20)
{
    std::string text(most, '\0');
    const auto got = ::recv(fd, text.data(), most, MSG_DONTWAIT);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

/// Has the peer ended its stream (1), reset it (-1), or neither (0)? Takes nothing.
inline int peer_ended(int fd)
{
    char byte;
    const auto got = ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return got == 0 ? 1 : got < 0 && errno != EAGAIN ? -1 : 0;
}

} // namespace funcptr::testing
