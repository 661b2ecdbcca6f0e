// SPDX-License-Identifier: MIT
//
// publisher.h: a stand-in for the rest of a ZeroMQ system, so that the gateway shows something when
// it is started alone: on a thread of its own, with a loop of its own, it publishes a made-up
// measurement ten times a second over TCP, and publishes again what is pushed to it.
//
// Threads: made and destroyed in one thread; works in its own. Lifetime: the context outlives it.
#pragma once

#include <funcptr/loop.h>
#include <zmq.hpp>

#include <memory>
#include <string>
#include <thread>

namespace gateway {

class demo_publisher {
public:
    /// Returns once both endpoints are bound. Throws funcptr::error when they cannot be.
    explicit demo_publisher(zmq::context_t& context);
    ~demo_publisher();

    const std::string& feed_endpoint() const noexcept { return feed_; }
    const std::string& publish_endpoint() const noexcept { return publish_; }

private:
    struct works;
    ev::dynamic_loop loop_; // used by the thread alone, once it runs
    std::unique_ptr<works> works_;
    std::string feed_;
    std::string publish_;
    std::unique_ptr<funcptr::poster> to_thread_;
    std::thread thread_;
};

} // namespace gateway
