// SPDX-License-Identifier: MIT
//
// listening.h: what tests of listeners share: a loop with a watchdog and its log, and the peers
// that were accepted.
#pragma once

#include <funcptr/listener.h>
#include <funcptr/loop.h>

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "sockets.h"
#include "watchdog.h"

namespace funcptr::testing {

class listening : public ::testing::Test {
protected:
    ev::dynamic_loop loop;
    watchdog dog{loop};
    std::vector<accepted> peers;
    std::vector<std::string> lines; // of the log

    void SetUp() override
    {
        if (!can_reach("127.0.0.1:0"))
            GTEST_SKIP() << "the loopback interface is down";
        set_log_sink(loop, [this](log_level, std::string_view line) { lines.emplace_back(line); });
    }

    listener::accept_handler keep()
    {
        return [this](accepted peer) { peers.push_back(std::move(peer)); };
    }
    void until(const std::function<bool()>& done)
    {
        while (!done() && !::testing::Test::HasFailure())
            loop.run(ev::ONCE);
    }
    /// Some turns, in which what is ready is served.
    void turn(int times = 5)
    {
        for (int i = 0; i < times; ++i)
            loop.run(ev::NOWAIT);
    }
};

} // namespace funcptr::testing
