// SPDX-License-Identifier: MIT
//
// zmq_audit.h: the mode that finds lost wake-ups and calls from the wrong thread.
//
// Whoever uses a socket's handle() and forgets touch() may take the signal that a message came, and
// nobody will be woken for it: the theory of operation in zmq_hub.h says why. With the audit on,
// each time the loop is about to sleep, every socket of it is asked whether something wanted has
// happened for which its descriptor will not wake the loop. If so, that is logged with the place
// that last used the socket, counted (zmq_counters::lost_wakes), and the socket is served: the mode
// heals what it finds. Calls from a thread other than the one that runs the loop are refused with
// errc::wrong_thread.
//
// It costs six system calls, some 3 µs, for each socket that wants something, each time the loop is
// about to sleep: O(all), where everything else is O(active). It is for tests and for debugging. It
// does not find a message that was received behind the hub's back: that one was not lost.
//
// Threads: set_audit() in the loop's thread, before others know of its sockets.
//
//     funcptr::set_audit(loop, true);      // of zmq_hub.h
//     // zmq_event: a PULL socket had something to do and would not have been woken; it was last
//     // used at worker.cc:42, and not touched since
#pragma once

#include <poll.h>

#ifdef __linux__
#    include <sys/epoll.h>
#    include <unistd.h>
#endif

#include "export.h"

namespace funcptr {

/// Where in the user's code a call stands; the default argument of the calls that note it.
struct zmq_place {
    const char* file = nullptr; ///< null: nowhere yet
    int line = 0;

    /// The caller's place. (clang 14 with libstdc++ 12 has no std::source_location.)
    static constexpr zmq_place here(const char* file = __builtin_FILE(),
                                    int line = __builtin_LINE()) noexcept
    {
        return {file, line};
    }
};

namespace detail {

/// Tells whether a look at a socket found something of which its descriptor does not tell.
///
/// A readable descriptor before the look means that the loop will be woken. But a peer may signal
/// between that question and the look, and then the look takes the signal, and nothing was lost.
/// The kernel knows: an edge-triggered watch of the descriptor gets an event for each signal, also
/// for one that has been taken since (EPOLLOUT keeps the event valid: an eventfd can always be
/// written to; epoll(7), eventfd(2)).
class FUNCPTR_API zmq_signal_probe {
public:
    zmq_signal_probe() = default;
    zmq_signal_probe(const zmq_signal_probe&) = delete;
    zmq_signal_probe& operator=(const zmq_signal_probe&) = delete;

#ifdef __linux__
    ~zmq_signal_probe()
    {
        if (epoll_ >= 0)
            ::close(epoll_);
    }

    /// Calls look(), unless the descriptor is readable; true when that was silent: look() said
    /// true, and no signal came meanwhile.
    template <class Look>
    bool found_in_silence(int descriptor, Look&& look) noexcept
    {
        if (epoll_ < 0)
            epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0)
            return false; // no descriptors left: say nothing rather than something wrong
        signalled();      // the event that each new watch begins with
        const bool found = !readable(descriptor) && look() && !signalled();
        ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, &event);
        return found;
    }

private:
    bool signalled() const noexcept
    {
        epoll_event event{};
        return ::epoll_wait(epoll_, &event, 1, 0) == 1;
    }
    int epoll_ = -1;
#else
    /// Without epoll a signal that comes in the same microsecond is taken for a lost one.
    template <class Look>
    bool found_in_silence(int descriptor, Look&& look) noexcept
    {
        return !readable(descriptor) && look();
    }

private:
#endif
    static bool readable(int descriptor) noexcept
    {
        pollfd one{descriptor, POLLIN, 0};
        return ::poll(&one, 1, 0) == 1;
    }
};

} // namespace detail

} // namespace funcptr
