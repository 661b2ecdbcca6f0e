// SPDX-License-Identifier: MIT
//
// connection_ends.h: what tests of connections share: one under test, its peer, and what was heard.
#pragma once

#include <funcptr/connection.h>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sockets.h"
#include "watchdog.h"

namespace funcptr::testing {

inline std::string take(buffer& in)
{
    std::string text(in.view());
    in.clear();
    return text;
}

class connection_ends : public ::testing::Test {
protected:
    ev::dynamic_loop loop;
    watchdog dog{loop, true};
    unique_fd far; // the test's end, blocking
    std::unique_ptr<connection> near;
    std::string seen;
    std::optional<close_reason> closed;

    accepted near_end()
    {
        auto ends = socket_pair();
        far = std::move(ends[1]);
        accepted peer;
        peer.socket = std::move(ends[0]);
        peer.peer = *address::parse("192.0.2.7:4711").value;
        return peer;
    }
    void open(const connection_options& options = {})
    {
        near = std::make_unique<connection>(loop, near_end(), plain_filter(), options);
        watch();
    }
    void watch()
    {
        near->on_data([this](connection&, buffer& in) { seen += take(in); });
        near->on_close([this](connection&, const close_reason& why) { closed = why; });
    }
    void until(const std::function<bool()>& done)
    {
        while (!done() && !HasFailure())
            loop.run(ev::ONCE);
    }
    void turns(int count)
    {
        while (count-- > 0)
            loop.run(ev::NOWAIT);
    }
    void say(std::string_view text) { ASSERT_TRUE(send_all(far.get(), text)); }
    std::string hear(std::size_t size)
    {
        std::string text;
        until([&] {
            text += receive_now(far.get());
            return text.size() >= size;
        });
        return text;
    }
};

} // namespace funcptr::testing
