// SPDX-License-Identifier: MIT
//
// connection: how it ends, by whom, and its deadlines.
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>
#include <funcptr/ssl_filter.h>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "support/certificates.h"
#include "support/connection_ends.h"
#include "support/sockets.h"

namespace {

using namespace std::chrono_literals;
using funcptr::buffer;
using funcptr::close_by;
using funcptr::close_kind;
using funcptr::connection;
using funcptr::connection_options;
using funcptr::plain_filter;
using funcptr::SSLFilter;
using funcptr::testing::can_reach;
using funcptr::testing::peer_ended;
using funcptr::testing::receive_now;
using Connection = funcptr::testing::connection_ends;

// --- ends -------------------------------------------------------------------------------------

TEST_F(Connection, OfAPeerThatSaysGoodbyeEndsClean)
{
    open();
    say("last words");
    far.reset();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(seen, "last words");
    EXPECT_EQ(closed->by, close_by::peer);
    EXPECT_EQ(closed->cause.kind, close_kind::clean);
    EXPECT_EQ(closed->text, "192.0.2.7:4711: closed by the peer; 10 bytes in, 0 out");
    EXPECT_TRUE(near->closed());
    EXPECT_EQ(near->descriptor(), -1);
    EXPECT_FALSE(near->write("too late"));
}

TEST_F(Connection, AnswersAPeerThatHasEndedItsSide)
{
    open();
    near->on_end([&](connection& c) { c.write("answer to " + seen); });
    say("question");
    ::shutdown(far.get(), SHUT_WR);
    EXPECT_EQ(hear(18), "answer to question");
    until([&] { return closed.has_value(); });
    EXPECT_EQ(peer_ended(far.get()), 1);
}

TEST_F(Connection, TellsTheEndAlsoWhenTheHandlerHasLeftALineThatIsNotWhole)
{
    open();
    std::string left;
    near->on_data([](connection&, buffer&) {}); // waits for a newline
    near->on_end([&](connection& c) { left = c.through().aread().view(); });
    say("half a li");
    ::shutdown(far.get(), SHUT_WR);
    until([&] { return closed.has_value(); });
    EXPECT_EQ(left, "half a li");
    EXPECT_EQ(closed->by, close_by::peer);
}

TEST_F(Connection, DoesNotTellTheEndBeforeWhatAPausedHandlerHasLeft)
{
    open();
    std::string order;
    near->on_data([&](connection& c, buffer& in) {
        order += in.view().substr(0, 1);
        in.consume(1);
        c.pause_reading();
    });
    near->on_end([&](connection&) { order += "."; });
    say("ab");
    ::shutdown(far.get(), SHUT_WR);
    until([&] { return order == "a"; });
    near->through().input_eof(); // as when it came in the same segment
    near->through().update();
    turns(5);
    EXPECT_EQ(order, "a");
    near->resume_reading();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(order, "ab.");
}

TEST_F(Connection, StaysHalfOpenWhenAsked)
{
    open({.close_with_peer = false});
    ::shutdown(far.get(), SHUT_WR);
    turns(10);
    EXPECT_FALSE(closed);
    EXPECT_TRUE(near->write("still here"));
    EXPECT_EQ(hear(10), "still here");
    near->end();
    until([&] { return closed.has_value(); });
}

TEST_F(Connection, EndsItsOwnSideAndGoesOnReading)
{
    open();
    near->write("all I had");
    near->end();
    EXPECT_FALSE(near->write("more"));
    EXPECT_EQ(hear(9), "all I had");
    until([&] { return peer_ended(far.get()) == 1; });
    say("and yours");
    until([&] { return seen == "and yours"; });
    far.reset();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::peer);
}

TEST_F(Connection, CloseSendsAllFirst)
{
    open();
    near->write(std::string(3000000, 'x'));
    near->close();
    EXPECT_FALSE(near->write("more"));
    EXPECT_EQ(hear(3000000).size(), 3000000u);
    until([&] { return peer_ended(far.get()) == 1; });
    far.reset();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::user);
}

TEST_F(Connection, CloseDoesNotResetAPeerThatIsStillTalking)
{
    open();
    near->on_data([](connection& c, buffer& in) {
        in.consume(1);
        c.write("enough");
        c.close();
    });
    say(std::string(100000, 'x'));
    EXPECT_EQ(hear(6), "enough");
    say(std::string(100000, 'x')); // would be a broken pipe after a reset
    far.reset();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::user);
}

TEST_F(Connection, AbortIsTold)
{
    open();
    near->write("lost");
    near->abort();
    EXPECT_TRUE(near->closed());
    EXPECT_FALSE(closed) << "told from within abort()";
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::user);
}

TEST_F(Connection, AResetIsTheSocketsError)
{
    if (!can_reach("127.0.0.1:0"))
        GTEST_SKIP() << "the loopback interface is down";
    funcptr::unique_fd server(::socket(AF_INET, SOCK_STREAM, 0));
    const auto loopback = *funcptr::address::parse("127.0.0.1:0").value;
    ASSERT_EQ(::bind(server.get(), loopback.data(), loopback.size()), 0);
    ASSERT_EQ(::listen(server.get(), 1), 0);
    sockaddr_in where{};
    socklen_t size = sizeof where;
    ::getsockname(server.get(), reinterpret_cast<sockaddr*>(&where), &size);
    far = funcptr::testing::connect_to(
        funcptr::address::from(reinterpret_cast<sockaddr*>(&where), size));
    funcptr::accepted peer;
    peer.socket.reset(::accept4(server.get(), nullptr, nullptr, SOCK_NONBLOCK));
    near = std::make_unique<connection>(loop, std::move(peer), plain_filter());
    watch();
    turns(3);
    const linger reset{1, 0};
    ::setsockopt(far.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    far.reset();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::socket);
    EXPECT_EQ(closed->error, std::errc::connection_reset);
    EXPECT_NE(closed->text.find("Connection reset by peer"), std::string::npos) << closed->text;
}

TEST_F(Connection, AWriteToAPeerThatIsGoneIsAValueAndNoSignal)
{
    open();
    turns(2);
    near->pause_reading();
    far.reset();
    near->write("into the void");
    EXPECT_FALSE(closed);
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::socket);
    EXPECT_EQ(closed->error, std::errc::broken_pipe);
}

TEST_F(Connection, ALargeWriteToAPeerThatIsGoneIsToldFromTheLoopToo)
{
    open();
    turns(2);
    near->pause_reading();
    far.reset();
    EXPECT_FALSE(near->write(std::string(100'000, 'x')));
    EXPECT_FALSE(closed) << "called from within write()";
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::socket);
    EXPECT_EQ(closed->error, std::errc::broken_pipe);
}

TEST_F(Connection, AWriterWhoIgnoresTheWatermarkMeetsTheLimit)
{
    open({.backlog_limit = 1000000});
    const std::string block(100000, 'x');
    int taken = 0;
    while (near->write(block) && taken < 1000)
        ++taken;
    EXPECT_LT(taken, 50);
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::limit);
}

// --- deadlines --------------------------------------------------------------------------------

/// Time in which the loop is not run: longer than a deadline, however fast the machine.
void keep_the_loop_busy(std::chrono::milliseconds deadline)
{
    const auto end = std::chrono::steady_clock::now() + 2 * deadline;
    while (std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
}

TEST_F(Connection, WhatWaitsInTheSocketIsReadBeforeADeadlineIsHeldAgainstThePeer)
{
    open({.idle = 20ms});
    turns(2);
    say("in time");
    keep_the_loop_busy(20ms);
    until([&] { return closed || !seen.empty(); });
    EXPECT_EQ(seen, "in time");
}

TEST_F(Connection, ItsDeadlinesDoNotCountFromTheLoopsLastTurn)
{
    turns(1);
    keep_the_loop_busy(200ms);
    const double before = ev_now(loop);
    open({.idle = 200ms});
    EXPECT_GE(ev_now(loop) - before, 0.3) << "the loop's time is still the old one";
}

TEST_F(Connection, ADeadlineDoesNotHideAnEarlierCause)
{
    near = std::make_unique<connection>(loop, near_end(), plain_filter(),
                                        connection_options{.idle = 20ms, .linger = 1min});
    watch();
    near->write("bye");
    near->close(); // sent, and then the peer stays
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::user);
    EXPECT_NE(closed->text.find("closed by us"), std::string::npos) << closed->text;
}

TEST_F(Connection, ASilentPeerMeetsTheIdleDeadline)
{
    open({.idle = 20ms});
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::deadline);
    EXPECT_NE(closed->text.find("idle deadline passed"), std::string::npos) << closed->text;
}

TEST_F(Connection, APeerThatDoesNotReadMeetsTheWriteStallDeadline)
{
    open({.write_stall = 20ms});
    near->write(std::string(10000000, 'x'));
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::deadline);
    EXPECT_NE(closed->text.find("write stall"), std::string::npos) << closed->text;
}

TEST_F(Connection, APeerThatDoesNotCloseMeetsTheLingerDeadlineSilently)
{
    open({.linger = 20ms});
    near->write("bye");
    near->close();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::user);
    EXPECT_EQ(receive_now(far.get()), "bye");
}

TEST_F(Connection, ASilentTlsClientMeetsTheHandshakeDeadline)
{
    const auto& all = funcptr::testing::certificates();
    const funcptr::tls_context tls({.role = funcptr::tls_role::server,
                                    .certificate_pem = all.server.certificate_pem,
                                    .key_pem = all.server.key_pem});
    near = std::make_unique<connection>(loop, near_end(), SSLFilter(tls),
                                        connection_options{.handshake = 20ms});
    watch();
    until([&] { return closed.has_value(); });
    EXPECT_EQ(closed->by, close_by::deadline);
    EXPECT_NE(closed->text.find("handshake"), std::string::npos) << closed->text;
}

} // namespace
