// SPDX-License-Identifier: MIT
//
// forked_client.h: a process for the clients of a round, and two pipes to it: one on which it says
// that it is ready, with a figure, and one on which it is told to go on.
//
// Threads: none; fork before there are any. Lifetime: the process ends before the object does.
//
//     const forked_client clients([&](int ready, int go) { return tell_figure(ready, 1.) ? 0 : 1;
//     }); server.run_until(clients.ready()); round.record("p99", clients.figure());
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "own_pages.h"

namespace bench {

/// The byte that run_until() waits for and takes, and the figure behind it: in one piece, so that
/// who has seen the one need not wait for the other.
inline bool tell_figure(int ready, double figure)
{
    std::array<char, 1 + sizeof figure> message{};
    std::memcpy(&message[1], &figure, sizeof figure);
    return ::write(ready, message.data(), message.size()) == ssize_t{message.size()};
}

class forked_client {
public:
    /// run(ready, go) is called in the process and gives its exit status. When it fails, ready()
    /// comes to its end.
    template <class Run>
    explicit forked_client(const Run& run)
    {
        for (auto* each : {&ready_, &go_})
            if (::pipe(each->data()) != 0)
                throw std::runtime_error("pipe");
        child_ = ::fork();
        if (child_ < 0)
            throw std::runtime_error("fork");
        if (child_ == 0)
            ::_exit(inside(run));
        own_pages();        // or the server would copy its heap while it is measured
        ::close(ready_[1]); // so that its end is seen
        ::close(go_[0]);
    }
    forked_client(const forked_client&) = delete;
    forked_client& operator=(const forked_client&) = delete;
    ~forked_client()
    {
        ::close(go_[1]);
        ::close(ready_[0]);
        int status = 0;
        ::waitpid(child_, &status, 0);
        if (status != 0)
            std::fprintf(stderr, "a client: status %d, signal %d\n", WEXITSTATUS(status),
                         WTERMSIG(status));
    }

    int ready() const { return ready_[0]; }
    /// What ready() has told, once its byte is taken.
    double figure() const
    {
        double value = 0.;
        if (::read(ready_[0], &value, sizeof value) != sizeof value)
            throw std::runtime_error("the client has failed");
        return value;
    }
    void go() const
    {
        if (::write(go_[1], "g", 1) != 1)
            throw std::runtime_error("the client is gone");
    }

private:
    template <class Run>
    int inside(const Run& run) const
    {
        ::close(go_[1]);
        ::close(ready_[0]);
        try {
            return run(ready_[1], go_[0]);
        } catch (const std::exception& failed) {
            std::fprintf(stderr, "a client: %s\n", failed.what());
            return 1;
        }
    }

    std::array<int, 2> ready_{};
    std::array<int, 2> go_{};
    pid_t child_ = -1;
};

} // namespace bench
