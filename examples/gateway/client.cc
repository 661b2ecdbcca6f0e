// SPDX-License-Identifier: MIT
#include "client.h"

#include <funcptr/ssl_filter.h>

namespace gateway {

namespace {

constexpr std::size_t short_backlog = 256 * 1024;
constexpr std::size_t http1_header_limit = 8 * 1024;

std::string http1_answer()
{
    const std::string sentence = "This server speaks HTTP/2 only; please use a client that offers "
                                 "h2 in its TLS handshake (curl --http2).\n";
    return "HTTP/1.1 505 HTTP Version Not Supported\r\n"
           "Content-Type: text/plain; charset=utf-8\r\n"
           "Content-Length: "
           + std::to_string(sentence.size()) + "\r\nConnection: close\r\n\r\n" + sentence;
}

} // namespace

funcptr::connection_options client_options()
{
    funcptr::connection_options options;
    options.high_water = short_backlog;
    options.low_water = short_backlog / 4;
    return options;
}

client::client(funcptr::connection& through, http2_session::handler on_request)
    : connection_(through)
    , on_request_(std::move(on_request))
{
    connection_.on_open([this](auto&) { opened(); });
    connection_.on_data([this](auto&, funcptr::buffer& in) { received(in); });
    connection_.on_drain([this](auto&) { flush(); });
}

void client::opened()
{
    const auto& tls = static_cast<funcptr::SSLFilter&>(connection_.through());
    if (tls.peer().alpn != "h2")
        return;
    http2_ = std::make_unique<http2_session>(on_request_);
    http2_->on_output = [this] { flush(); };
    if (leaving_)
        http2_->go_away();
    flush();
}

void client::received(funcptr::buffer& in)
{
    if (!http2_)
        return refuse_http1(in);
    receiving_ = true;
    const bool understood = http2_->receive(in);
    receiving_ = false;
    flush();
    if (!understood)
        connection_.close();
}

void client::flush()
{
    if (receiving_ || !http2_)
        return;
    while (!connection_.closed() && connection_.backlog() <= short_backlog) {
        const auto bytes = http2_->next();
        if (bytes.empty())
            break;
        connection_.write(bytes);
    }
    if (http2_->done())
        connection_.close();
}

void client::refuse_http1(funcptr::buffer& in)
{
    if (in.view().find("\r\n\r\n") == std::string_view::npos && in.size() < http1_header_limit)
        return; // the rest of the request is still to come
    in.clear();
    connection_.write(http1_answer());
    connection_.close();
}

void client::go_away()
{
    leaving_ = true;
    if (http2_)
        http2_->go_away();
    else
        connection_.close();
}

} // namespace gateway
