// SPDX-License-Identifier: MIT
//
// connection: with TLS in between.
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>
#include <funcptr/ssl_filter.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "support/certificates.h"
#include "support/connection_ends.h"
#include "support/sockets.h"

namespace {

using namespace std::chrono_literals;
using funcptr::buffer;
using funcptr::close_by;
using funcptr::close_kind;
using funcptr::close_reason;
using funcptr::connection;
using funcptr::connection_options;
using funcptr::SSLFilter;
using funcptr::testing::peer_ended;
using funcptr::testing::receive_now;
using funcptr::testing::take;
using Connection = funcptr::testing::connection_ends;

class TlsConnection : public Connection {
protected:
    const funcptr::testing::certificate_set& all = funcptr::testing::certificates();
    funcptr::tls_context server{{.role = funcptr::tls_role::server,
                                 .certificate_pem = all.server.certificate_pem,
                                 .key_pem = all.server.key_pem}};
    funcptr::tls_context client{
        {.trust_pem = all.authority.certificate_pem, .server_name = "localhost"}};
    std::unique_ptr<connection> other;
    std::string other_seen;
    std::optional<close_reason> other_closed;

    /// near is the server, other the client.
    void open_pair(connection_options options = {})
    {
        near = std::make_unique<connection>(loop, near_end(), SSLFilter(server), options);
        funcptr::accepted end;
        options.read_while_high = true; // the client's
        funcptr::testing::make_nonblocking(far.get());
        end.socket = std::move(far);
        other = std::make_unique<connection>(loop, std::move(end), SSLFilter(client), options);
        watch();
        other->on_data([this](connection&, buffer& in) { other_seen += take(in); });
        other->on_close([this](connection&, const close_reason& why) { other_closed = why; });
    }
};

TEST_F(TlsConnection, EchoesMegabytesBothWays)
{
    open_pair();
    near->on_data([](connection& c, buffer& in) { c.write(in); });
    std::string text;
    for (int i = 0; text.size() < 3000000; ++i)
        text += std::to_string(i) + ",";
    other->write(text); // before the handshake
    until([&] { return other_seen.size() >= text.size(); });
    EXPECT_TRUE(other_seen == text);
}

TEST_F(TlsConnection, WrittenAndClosedBeforeTheHandshakeStillDelivers)
{
    open_pair();
    other->write("hello and goodbye");
    other->close();
    until([&] { return closed && other_closed; });
    EXPECT_EQ(seen, "hello and goodbye");
    EXPECT_EQ(closed->cause.kind, close_kind::clean);
    EXPECT_EQ(other_closed->by, close_by::user);
}

TEST_F(TlsConnection, APeerThatHangsUpWithoutGoodbyeIsTruncation)
{
    open_pair();
    until([&] { return near->is_open() && other->is_open(); });
    turns(5);
    other.reset();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::filter);
    EXPECT_EQ(closed->cause.kind, close_kind::truncated);
}

TEST_F(TlsConnection, AClientThatSpeaksPlainHttpIsToldApart)
{
    near = std::make_unique<connection>(loop, near_end(), SSLFilter(server));
    watch();
    say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until([&] {
        receive_now(far.get());
        if (peer_ended(far.get()) == 1)
            far.reset();
        return closed.has_value();
    });
    EXPECT_EQ(closed->by, close_by::filter);
    EXPECT_NE(closed->text.find("plain HTTP"), std::string::npos) << closed->text;
}

TEST_F(TlsConnection, ABadCertificateIsToldOnBothSides)
{
    const funcptr::tls_context picky(
        {.trust_pem = all.stranger.certificate_pem, .server_name = "localhost"});
    client = picky;
    open_pair();
    until([&] { return closed && other_closed; });
    EXPECT_EQ(other_closed->cause.kind, close_kind::verify);
    EXPECT_EQ(closed->cause.kind, close_kind::peer_alert);
}

TEST_F(TlsConnection, GivesItsIdleMemoryBack)
{
    open_pair({.trim_after = 10ms});
    near->on_data([](connection& c, buffer& in) { c.write(in); });
    const std::string burst(100000, 'x');
    other->write(burst);
    until([&] { return other_seen.size() == burst.size(); });
    until([&] { return near->memory() < 4096; });
    other->write("again");
    until([&] { return other_seen.size() == burst.size() + 5; });
}

TEST_F(TlsConnection, ADeadlineDoesNotHideWhatTheHandshakeFailedOf)
{
    near = std::make_unique<connection>(loop, near_end(), SSLFilter(server),
                                        connection_options{.handshake = 50ms, .linger = 100ms});
    watch();
    say("GET / HTTP/1.1\r\nHost: x\r\n\r\n"); // and stays
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::filter);
    EXPECT_NE(closed->text.find("plain HTTP"), std::string::npos) << closed->text;
}

} // namespace
