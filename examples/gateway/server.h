// SPDX-License-Identifier: MIT
//
// server.h: listens, makes a client of whoever comes, and ends in good order.
#pragma once

#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/ssl_filter.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "client.h"

namespace gateway {

class server {
public:
    /// Throws funcptr::error when it cannot listen.
    server(ev::loop_ref loop, const std::string& spec, const funcptr::tls_context& tls,
           http2_session::handler on_request);

    const funcptr::bind_report& report() const noexcept { return listener_.report(); }
    std::uint16_t port() const noexcept { return listener_.port(); }
    std::size_t connections() const noexcept { return connections_.size(); }
    std::uint64_t accepted() const noexcept { return listener_.counters().accepted; }

    /// Accepts no more, lets each client finish what is under way for half of the time, closes
    /// those that are left, and calls `done` once all are gone, or were aborted at the deadline.
    void drain(std::chrono::milliseconds deadline, std::function<void(std::size_t aborted)> done);

private:
    void add(funcptr::accepted peer);
    void close_the_rest(ev::timer& timer, int);

    ev::loop_ref loop_;
    funcptr::tls_context tls_;
    http2_session::handler on_request_;
    funcptr::connection_set connections_;
    std::unordered_map<funcptr::connection*, std::unique_ptr<client>> clients_;
    std::chrono::milliseconds half_{};
    std::function<void(std::size_t)> on_drained_;
    ev::timer grace_;
    funcptr::listener listener_;
};

} // namespace gateway
