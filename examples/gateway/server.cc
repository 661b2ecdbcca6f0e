// SPDX-License-Identifier: MIT
#include "server.h"

#include <funcptr/loop.h>

#include <iostream>

namespace gateway {

server::server(ev::loop_ref loop, const std::string& spec, const funcptr::tls_context& tls,
               http2_session::handler on_request)
    : loop_(loop)
    , tls_(tls)
    , on_request_(std::move(on_request))
    , connections_(loop)
    , grace_(loop)
    , listener_(loop, spec, [this](funcptr::accepted peer) { add(std::move(peer)); })
{
}

void server::add(funcptr::accepted peer)
{
    auto& connection =
        connections_.add(std::move(peer), funcptr::SSLFilter(tls_), client_options());
    clients_.emplace(&connection, std::make_unique<client>(connection, on_request_));
    connection.on_close([this](funcptr::connection& closed, const funcptr::close_reason& why) {
        // Many clients leave without TLS's goodbye; HTTP/2 says itself where an answer ends.
        const bool usual = why.by == funcptr::close_by::peer || why.by == funcptr::close_by::user
                           || why.cause.kind == funcptr::close_kind::truncated;
        if (!usual)
            std::clog << why.text << std::endl;
        clients_.erase(&closed);
        if (clients_.empty() && grace_.is_active())
            grace_.start(0.); // nobody is left to wait for
    });
}

void server::drain(std::chrono::milliseconds deadline,
                   std::function<void(std::size_t aborted)> done)
{
    half_ = deadline / 2;
    on_drained_ = std::move(done);
    listener_.stop();
    for (auto& [connection, each] : clients_)
        each->go_away();
    grace_.set<server, &server::close_the_rest>(this);
    grace_.start(clients_.empty() ? 0. : std::chrono::duration<double>(half_).count());
}

void server::close_the_rest(ev::timer&, int)
{
    connections_.drain(half_, std::move(on_drained_));
}

} // namespace gateway
