// SPDX-License-Identifier: MIT
//
// watchdog.h: for tests that run a loop: breaks it after a minute, so that a test that would wait
// for ever fails instead of hanging.
#pragma once

#include <ev++.h>
#include <gtest/gtest.h>

namespace funcptr::testing {

class watchdog {
public:
    /// With `counts`, it keeps the loop running until somebody breaks it.
    explicit watchdog(ev::loop_ref loop, bool counts = false)
        : counts_(counts)
        , timer_(loop)
    {
        timer_.set<watchdog, &watchdog::bark>(this);
        timer_.start(60., 60.); // repeating, so that it stays active and the count below right
        if (!counts_)
            ev_unref(loop); // a loop with nothing else to do may end
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog()
    {
        if (!counts_)
            ev_ref(timer_.loop);
    }

private:
    void bark(ev::timer& timer, int)
    {
        ADD_FAILURE() << "the loop ran for a minute";
        timer.loop.break_loop(ev::ALL);
    }
    bool counts_;
    ev::timer timer_;
};

} // namespace funcptr::testing
