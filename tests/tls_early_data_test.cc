// SPDX-License-Identifier: MIT
//
// 0-RTT: not unless both ends ask for it, never twice, and lost for nobody.

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <span>
#include <string>
#include <string_view>

#include "funcptr/error.h"
#include "funcptr/ssl_filter.h"
#include "support/tls_pair.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

tls_config early_client()
{
    tls_config config = client_config();
    config.early_data = 1;
    return config;
}
tls_config early_server(std::uint32_t most = 4096)
{
    tls_config config = server_config();
    config.early_data = most;
    return config;
}

tls_session visit(const tls_context& client, const tls_context& server)
{
    tls_pair pair(client, server);
    EXPECT_TRUE(pair.connect()) << pair.client.cause().text << pair.server.cause().text;
    EXPECT_EQ(pair.server.early_bytes(), 0U);
    return pair.client.session();
}

bool say_early(SSLFilter& client, std::string_view text)
{
    return client.send_early(std::as_bytes(std::span(text)));
}

TEST(EarlyData, IsReadBeforeTheHandshakeIsDone)
{
    const tls_context client(early_client());
    const tls_context server(early_server());
    const tls_session session = visit(client, server);

    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    ASSERT_TRUE(say_early(again.client, "GET / "));
    again.client.awrite().append("and more");
    again.network.hold(side::right); // the client hears nothing
    again.network.run();
    EXPECT_EQ(again.server.state(), filter_state::handshaking);
    EXPECT_EQ(again.server.aread().view(), "GET / ");
    EXPECT_EQ(again.server.early_bytes(), 6U);

    again.network.hold(side::right, false);
    ASSERT_TRUE(again.connect()) << again.server.cause().text;
    EXPECT_EQ(again.server.aread().view(), "GET / and more");
    EXPECT_EQ(again.server.early_bytes(), 6U);
    EXPECT_EQ(again.client.early_bytes(), 6U);
    EXPECT_TRUE(again.server.peer().resumed);
    again.server.awrite().append("answer");
    again.network.run();
    EXPECT_EQ(again.client.aread().view(), "answer");
}

TEST(EarlyData, IsRefusedByAServerThatDidNotAskForIt)
{
    const tls_context client(early_client());
    const tls_context server{server_config()};
    const tls_session session = visit(client, server);
    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    EXPECT_FALSE(say_early(again.client, "x"));

    // And by one that gave the permission, and is asked no more.
    const tls_context willing(early_server());
    const tls_session permitted = visit(client, willing);
    tls_pair other(client, server);
    ASSERT_TRUE(other.client.resume(permitted));
    ASSERT_TRUE(say_early(other.client, "first "));
    other.client.awrite().append("second");
    ASSERT_TRUE(other.connect()) << other.server.cause().text;
    EXPECT_EQ(other.server.early_bytes(), 0U);
    EXPECT_EQ(other.client.early_bytes(), 0U);
    EXPECT_EQ(other.server.aread().view(), "first second"); // as ordinary data, in order
}

TEST(EarlyData, IsNotSentByAClientThatDidNotAskForIt)
{
    const tls_context client(client_config());
    const tls_context server(early_server());
    const tls_session session = visit(client, server);
    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    EXPECT_FALSE(say_early(again.client, "x"));
    EXPECT_TRUE(again.connect());
}

TEST(EarlyData, NeedsASessionThatAllowsAsMuchAndIsSaidOnceBeforeTheFirstUpdate)
{
    const tls_context client(early_client());
    const tls_context server(early_server(10));
    const tls_session session = visit(client, server);
    tls_pair fresh(client, server);
    EXPECT_FALSE(say_early(fresh.client, "x")); // no session

    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    EXPECT_FALSE(say_early(again.client, ""));
    EXPECT_FALSE(say_early(again.client, "eleven bytes"));
    EXPECT_TRUE(say_early(again.client, "ten bytes!"));
    EXPECT_FALSE(say_early(again.client, "x"));
    EXPECT_FALSE(say_early(again.server, "x"));
    ASSERT_TRUE(again.connect());
    EXPECT_EQ(again.server.aread().view(), "ten bytes!");
    EXPECT_FALSE(say_early(again.client, "x"));
}

TEST(EarlyData, OfARecordedFlightIsNotTakenASecondTime)
{
    const tls_context client(early_client());
    const tls_context server(early_server());
    const tls_session session = visit(client, server);
    SSLFilter sender(client);
    ASSERT_TRUE(sender.resume(session));
    ASSERT_TRUE(say_early(sender, "pay 100"));
    sender.update();
    const std::string recorded(sender.nwrite().view());

    SSLFilter first(server);
    first.nread().append(recorded);
    first.update();
    EXPECT_EQ(first.aread().view(), "pay 100");

    SSLFilter second(server);
    second.nread().append(recorded);
    second.update();
    EXPECT_TRUE(second.aread().empty());
    EXPECT_EQ(second.early_bytes(), 0U);
    EXPECT_FALSE(second.closed()) << second.cause().text; // it waits for the client's Finished
}

TEST(EarlyData, OfASessionUsedTwiceComesAsOrdinaryDataTheSecondTime)
{
    const tls_context client(early_client());
    const tls_context server(early_server());
    const tls_session session = visit(client, server);
    for (const std::size_t early : {7U, 0U}) {
        tls_pair again(client, server);
        ASSERT_TRUE(again.client.resume(session));
        ASSERT_TRUE(say_early(again.client, "pay 100"));
        ASSERT_TRUE(again.connect());
        EXPECT_EQ(again.server.aread().view(), "pay 100");
        EXPECT_EQ(again.server.early_bytes(), early);
        EXPECT_EQ(again.client.early_bytes(), early);
    }
}

TEST(EarlyData, AfterAReloadComesAsOrdinaryData)
{
    const tls_context client(early_client());
    tls_context server(early_server());
    const tls_session session = visit(client, server);
    server.reload(early_server());
    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    ASSERT_TRUE(say_early(again.client, "once"));
    ASSERT_TRUE(again.connect());
    EXPECT_EQ(again.server.aread().view(), "once");
    EXPECT_EQ(again.server.early_bytes(), 0U);
}

TEST(EarlyData, BeyondTheBoundEndsTheConnection)
{
    const tls_context client(early_client());
    const tls_context server(early_server(100));
    const tls_session session = visit(client, server);
    tls_pair hostile(client, server);
    ASSERT_TRUE(hostile.client.resume(session));
    SSL_SESSION_set_max_early_data(SSL_get_session(hostile.client.native_handle()), 100'000);
    ASSERT_TRUE(say_early(hostile.client, std::string(50'000, 'x')));
    hostile.network.run();
    EXPECT_EQ(hostile.server.cause().kind, close_kind::local_alert) << hostile.server.cause().text;
    EXPECT_LE(hostile.server.aread().size(), 100U);
}

TEST(EarlyData, ComesThroughHoweverItIsCutAndHoweverSmallTheBuffers)
{
    const std::string text(3000, 'e');
    tls_config small = early_server();
    small.limits.aread = 64;
    for (const auto& cut : {fragmentation::whole(), fragmentation::bytes(1),
                            fragmentation::random(7), fragmentation::random(8)}) {
        const tls_context client(early_client());
        const tls_context server(small);
        const tls_session session = visit(client, server);
        tls_pair again(client, server, cut);
        ASSERT_TRUE(again.client.resume(session));
        ASSERT_TRUE(say_early(again.client, text));
        again.client.awrite().append("!");
        std::string got;
        do {
            again.network.run();
            ASSERT_LE(again.server.aread().size(), 64U);
            got += again.server.aread().view();
            again.server.aread().clear();
        } while (got.size() <= text.size() && !again.server.closed());
        EXPECT_EQ(got, text + "!") << again.server.cause().text;
        EXPECT_EQ(again.server.early_bytes(), text.size());
    }
}

TEST(EarlyData, IsNotConfiguredWhereItCannotBeSafe)
{
    const auto refusal = [](auto change) {
        tls_config config = early_server();
        change(config);
        try {
            const tls_context context(config);
        } catch (const error& refused) {
            return std::string(refused.what());
        }
        return std::string("accepted");
    };
    const auto says = [](const std::string& text, const char* part) {
        return text.find(part) != text.npos ? ::testing::AssertionSuccess()
                                            : ::testing::AssertionFailure() << text;
    };
    EXPECT_TRUE(says(refusal([](auto& c) { c.max_version = tls_version::tls1_2; }), "TLS 1.3"));
    EXPECT_TRUE(says(refusal([](auto& c) { c.session_tickets = false; }), "session_tickets"));
    EXPECT_TRUE(says(refusal([](auto& c) { c.ticket_secrets = {std::string(32, 's')}; }),
                     "ticket_secrets"));
    EXPECT_TRUE(says(refusal([](auto& c) { c.limits.handshake = 8000; }), "limits.handshake"));
}

} // namespace
