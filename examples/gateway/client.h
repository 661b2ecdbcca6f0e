// SPDX-License-Identifier: MIT
//
// client.h: one browser's connection: what TLS decrypts goes to HTTP/2, what HTTP/2 says goes to
// TLS.
//
// A client that agreed on HTTP/2 (ALPN h2) gets a session; any other gets one answer, a 505 with a
// sentence. HTTP/2 is asked for more bytes only while the connection's backlog is short, so that a
// browser that does not read costs no more than that.
#pragma once

#include <funcptr/connection.h>

#include <memory>

#include "http2.h"

namespace gateway {

/// How much waits for a browser before nothing more is prepared for it.
funcptr::connection_options client_options();

class client {
public:
    /// REQUIRES: the connection's filter is an SSLFilter. It must outlive the client.
    client(funcptr::connection& through, http2_session::handler on_request);
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    /// Lets what is under way finish, and takes nothing new.
    void go_away();
    std::size_t open_streams() const noexcept { return http2_ ? http2_->open_streams() : 0; }

private:
    void opened();
    void received(funcptr::buffer& in);
    void flush();
    void refuse_http1(funcptr::buffer& in);

    funcptr::connection& connection_;
    http2_session::handler on_request_;
    std::unique_ptr<http2_session> http2_;
    bool receiving_ = false; // nghttp2 may not be asked to send while it receives
    bool leaving_ = false;
};

} // namespace gateway
