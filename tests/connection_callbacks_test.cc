// SPDX-License-Identifier: MIT
//
// connection: what its callbacks may do: destroy it, throw, run the loop.
#include <funcptr/connection.h>
#include <funcptr/loop.h>

#include <gtest/gtest.h>

#include <string>

#include "support/connection_ends.h"

namespace {

using funcptr::buffer;
using funcptr::close_reason;
using funcptr::connection;
using funcptr::testing::receive_now;
using funcptr::testing::take;
using Connection = funcptr::testing::connection_ends;

TEST_F(Connection, MayBeDestroyedInAnyOfItsCallbacks)
{
    for (const std::string which : {"open", "data", "drain", "end", "close"}) {
        open({.high_water = 10, .low_water = 5});
        const auto destroy = [&](connection&) {
            near.reset();
            seen = which;
        };
        if (which == "open")
            near->on_open(destroy);
        if (which == "data")
            near->on_data([&](connection& c, buffer&) { destroy(c); });
        if (which == "drain") {
            near->on_drain(destroy);
            near->write(std::string(3000000, 'x'));
        }
        if (which == "end")
            near->on_end(destroy);
        if (which == "close")
            near->on_close([&](connection& c, const close_reason&) { destroy(c); });
        if (which != "drain")
            say("x");
        if (which == "end" || which == "close")
            far.reset();
        until([&] {
            if (far)
                receive_now(far.get());
            return !near;
        });
        EXPECT_EQ(seen, which);
        turns(3);
    }
}

TEST_F(Connection, MayBeDestroyedByACallbackThatThenThrows)
{
    open();
    near->on_data([&](connection&, buffer&) {
        near.reset();
        throw 1;
    });
    say("x");
    EXPECT_THROW(while (near) funcptr::run(loop, ev::ONCE), int);
    EXPECT_FALSE(near);
}

TEST_F(Connection, ACallbackThatThrowsBreaksTheLoopAndTheConnectionGoesOn)
{
    open();
    near->on_data([&](connection&, buffer& in) {
        if (take(in) == "bad")
            throw std::runtime_error("bad");
        seen = "good";
        loop.break_loop();
    });
    say("bad");
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    say("fine");
    funcptr::run(loop);
    EXPECT_EQ(seen, "good");
}

TEST_F(Connection, MayReplaceItsHandlerInTheHandler)
{
    open();
    near->on_data([&](connection& c, buffer& in) {
        seen += "1" + take(in);
        c.on_data([&](connection&, buffer& more) { seen += "2" + take(more); });
    });
    say("a");
    until([&] { return seen == "1a"; });
    say("b");
    until([&] { return seen == "1a2b"; });
}

TEST_F(Connection, ANestedRunInAHandlerNeitherSpinsNorCallsItAgain)
{
    open();
    int depth = 0, calls = 0;
    ev::prepare prepare(loop);
    int turns_inside = 0;
    near->on_data([&](connection&, buffer& in) {
        EXPECT_EQ(depth, 0);
        ++depth;
        seen += take(in);
        if (++calls == 1) {
            say("second");
            ev_timer end;
            ev_timer_init(
                &end, [](struct ev_loop* l, ev_timer*, int) { ev_break(l, EVBREAK_ONE); }, 0.2, 0.);
            ev_timer_start(loop, &end);
            const auto before = ev_iteration(loop);
            loop.run();
            turns_inside = static_cast<int>(ev_iteration(loop) - before);
        }
        --depth;
    });
    say("first");
    until([&] { return calls == 2; });
    EXPECT_EQ(seen, "firstsecond");
    EXPECT_LT(turns_inside, 100);
}

TEST_F(Connection, TwoEndsThatBothFloodDoNotStarveEachOther)
{
    open({.read_while_high = true});
    near->write(std::string(3000000, 'x')); // more than high_water, and the peer talks first
    say("hello");
    until([&] { return seen == "hello"; });
}

} // namespace
