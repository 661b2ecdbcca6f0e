// SPDX-License-Identifier: MIT
//
// app.h: what the gateway answers to which request.
//
// It decides, and holds no socket of a browser: requests come in as http2_stream, and leave
// answered.
#pragma once

#include <funcptr/signed_cookie.h>
#include <funcptr/zmq_event.h>

#include <chrono>
#include <functional>
#include <string>

#include "feed.h"
#include "http2.h"

namespace gateway {

/// Where published messages go: a PUSH or PUB socket.
class outlet final : public funcptr::zmq_event {
public:
    outlet(ev::loop_ref loop, zmq::context_t& context, const std::string& endpoint, bool pub)
        : zmq_event(loop, context, pub ? zmq::socket_type::pub : zmq::socket_type::push)
    {
        connect(endpoint);
    }

private:
    void read() override {} // neither type reads
};

class app {
public:
    struct counts {
        std::size_t connections = 0;
        std::uint64_t accepted = 0;
    };

    app(feed& from, outlet& to, const funcptr::keyring& cookie_keys,
        std::function<counts()> connection_counts);

    /// Answers the request, now or piece by piece.
    void handle(http2_stream& stream);

private:
    void show_feed(http2_stream& stream);
    void log_in(http2_stream& stream);
    void log_out(http2_stream& stream);
    void publish(http2_stream& stream);
    void show_status(http2_stream& stream);
    std::string user_of(const http_request& request) const;

    feed& feed_;
    outlet& outlet_;
    funcptr::signed_cookie session_;
    std::function<counts()> counts_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    std::uint64_t requests_ = 0;
    std::uint64_t published_ = 0;
};

} // namespace gateway
