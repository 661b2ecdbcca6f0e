// SPDX-License-Identifier: MIT
//
// counted_calls.h: the system calls of one thread, counted from within, so that nothing is slowed
// as it is under strace. It stands in for those functions of the C library with which libzmq and
// libev wait, read and write, and passes them on. What the C library calls by itself (futex,
// madvise) is not seen: under strace, a tenth to a fifth as many again.
//
// Threads: each counts its own. Include it in one file of a program.
//
//     const bench::counted_calls calls; // of this thread, from now on
//     receiver.take(1000);
//     round.record("calls", calls.so_far());
#pragma once

#include <dlfcn.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

namespace bench {

inline thread_local std::uint64_t calls_of_this_thread = 0;

class counted_calls {
public:
    std::uint64_t so_far() const noexcept { return calls_of_this_thread - before_; }

private:
    std::uint64_t before_ = calls_of_this_thread;
};

} // namespace bench

/// The linker takes a program's own function before a library's: dlsym(3), RTLD_NEXT.
#define BENCH_COUNTED(result, name, parameters, arguments)                                         \
    extern "C" result name parameters                                                              \
    {                                                                                              \
        static const auto next = reinterpret_cast<result(*) parameters>(dlsym(RTLD_NEXT, #name));  \
        ++bench::calls_of_this_thread;                                                             \
        return next arguments;                                                                     \
    }

BENCH_COUNTED(int, poll, (pollfd * items, nfds_t count, int timeout), (items, count, timeout))
BENCH_COUNTED(ssize_t, read, (int from, void* to, size_t size), (from, to, size))
BENCH_COUNTED(ssize_t, write, (int to, const void* from, size_t size), (to, from, size))
BENCH_COUNTED(pid_t, getpid, () noexcept, ())
BENCH_COUNTED(int, nanosleep, (const timespec* time, timespec* rest), (time, rest))
BENCH_COUNTED(int, epoll_wait, (int on, epoll_event* events, int room, int timeout),
              (on, events, room, timeout))
BENCH_COUNTED(int, epoll_ctl, (int on, int operation, int of, epoll_event* event) noexcept,
              (on, operation, of, event))
BENCH_COUNTED(int, select, (int below, fd_set* in, fd_set* out, fd_set* urgent, timeval* timeout),
              (below, in, out, urgent, timeout))

#undef BENCH_COUNTED
