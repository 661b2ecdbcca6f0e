// SPDX-License-Identifier: MIT
//
// zmq_probe.h: for the tests of zmq_event: a socket whose callbacks are the test's, and the fixture
// that they share.
#pragma once

#include <ev++.h>
#include <funcptr/zmq_event.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "watchdog.h"

namespace funcptr::testing {

using namespace std::chrono_literals;
using zmq::socket_type;

/// A socket whose callbacks are the test's.
class probe : public funcptr::zmq_event {
public:
    using zmq_event::zmq_event;

    std::function<void(probe&)> on_read;
    std::function<void(probe&)> on_write;
    std::function<void(std::error_code)> when_closed;

private:
    void read() override
    {
        if (const auto call = on_read) // a copy: it may destroy this
            call(*this);
    }
    void write() override
    {
        if (const auto call = on_write)
            call(*this);
    }
    void on_error(std::error_code why) override
    {
        if (when_closed)
            when_closed(why);
    }
};

inline std::string take(probe& socket)
{
    zmq::message_t frame;
    EXPECT_TRUE(socket.recv(frame));
    return frame.to_string();
}

/// Counts the loop's turns.
class turn_counter {
public:
    explicit turn_counter(ev::loop_ref loop)
        : prepare_(loop)
    {
        prepare_.set<turn_counter, &turn_counter::count>(this);
        prepare_.start();
    }
    int turns = 0;

private:
    void count(ev::prepare&, int) { ++turns; }
    ev::prepare prepare_;
};

/// Calls a function after so many seconds, or at the next turn.
class timer {
public:
    timer(ev::loop_ref loop, double after, std::function<void()> work, double every = 0.)
        : work_(std::move(work))
        , timer_(loop)
    {
        timer_.set<timer, &timer::fire>(this);
        timer_.start(after, every);
    }

private:
    void fire(ev::timer&, int) { work_(); }
    std::function<void()> work_;
    ev::timer timer_;
};

class ZmqEvent : public ::testing::Test {
protected:
    zmq::context_t context;
    ev::dynamic_loop loop;
    watchdog dog{loop};

    std::vector<std::string> lines;
    void keep_lines()
    {
        funcptr::set_log_sink(
            loop, [this](funcptr::log_level, std::string_view line) { lines.emplace_back(line); });
    }
    zmq::socket_t peer(socket_type type, const std::string& endpoint)
    {
        zmq::socket_t socket(context, type);
        socket.set(zmq::sockopt::linger, 0);
        socket.connect(endpoint);
        return socket;
    }
    /// A turn or more without waiting.
    void turns(int count)
    {
        while (count-- > 0)
            loop.run(ev::NOWAIT);
    }
};

} // namespace funcptr::testing
