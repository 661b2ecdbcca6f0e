// SPDX-License-Identifier: MIT
//
// socket.h: an owned descriptor; an accepted peer.
//
// unique_fd closes what it owns, once. It does not read, write or set options.
//
// Threads: one at a time. Lifetime: moved, never copied; a loop's watcher on the descriptor must be
// stopped before it is closed.
//
//     funcptr::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
//     if (!fd)
//         return funcptr::errno_code(errno);
//     keep(std::move(fd));
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

#include "address.h"

namespace funcptr {

class unique_fd {
public:
    unique_fd() noexcept = default;
    /// Takes ownership; a negative number owns nothing.
    explicit unique_fd(int fd) noexcept
        : fd_(fd)
    {
    }
    unique_fd(unique_fd&& other) noexcept
        : fd_(other.release())
    {
    }
    unique_fd& operator=(unique_fd&& other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    ~unique_fd() { reset(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives the descriptor up without closing it.
    int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes what it owns, and owns fd from now on. EINTR is not retried: on Linux the descriptor
    /// is gone all the same (close(2)).
    void reset(int fd = -1) noexcept
    {
        const int old = std::exchange(fd_, fd);
        if (old >= 0)
            ::close(old);
    }

private:
    int fd_ = -1;
};

/// Counts the connections of a listener; see accepted_place.
class place_keeper {
public:
    /// One place is free again. Called once for each; the listener may accept again because of it,
    /// and this may be gone afterwards.
    virtual void leave() noexcept = 0;

protected:
    ~place_keeper() = default;
};
struct leave_place {
    void operator()(place_keeper* of) const noexcept { of->leave(); }
};
/// One connection's place under its listener's limit, given back when this is destroyed. It may
/// outlive the listener.
using accepted_place = std::unique_ptr<place_keeper, leave_place>;

/// What a listener hands out: a connected, non-blocking, close-on-exec stream socket, and who is at
/// the other end as accept(2) told it. getpeername(2) is never asked later: a peer that has reset
/// the connection by then has no name any more (ENOTCONN).
struct accepted {
    unique_fd socket;
    address peer;
    address local; ///< the listening address it came in by
    /// Counts against the listener's limit for as long as it lives: keep it beside the socket, in
    /// the loop's thread. Null for a socket that no listener accepted.
    accepted_place place;
    /// The proxy that passed the connection on, when it said whose it is (PROXY protocol); else no
    /// address.
    address via{};
};

} // namespace funcptr
