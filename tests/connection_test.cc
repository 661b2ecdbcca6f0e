// SPDX-License-Identifier: MIT
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>
#include <funcptr/ssl_filter.h>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/certificates.h"
#include "support/connection_ends.h"
#include "support/sockets.h"
#include "support/watchdog.h"

namespace {

using namespace std::chrono_literals;
using funcptr::buffer;
using funcptr::close_by;
using funcptr::close_kind;
using funcptr::close_reason;
using funcptr::connection;
using funcptr::connection_options;
using funcptr::connection_set;
using funcptr::filter;
using funcptr::plain_filter;
using funcptr::SSLFilter;
using funcptr::unique_fd;
using funcptr::testing::can_reach;
using funcptr::testing::peer_ended;
using funcptr::testing::receive_now;
using funcptr::testing::take;
using funcptr::testing::watchdog;
using Connection = funcptr::testing::connection_ends;

// --- bytes ------------------------------------------------------------------------------------

TEST_F(Connection, EchoesWhatItIsTold)
{
    open();
    near->on_data([](connection& c, buffer& in) { c.write(in); });
    say("hello");
    EXPECT_EQ(hear(5), "hello");
    EXPECT_EQ(near->bytes_in(), 5u);
    EXPECT_EQ(near->bytes_out(), 5u);
}

TEST_F(Connection, OpensByItselfAndTellsSo)
{
    open();
    int opened = 0;
    near->on_open([&](connection& c) {
        ++opened;
        c.write("welcome");
    });
    EXPECT_EQ(hear(7), "welcome");
    turns(5);
    EXPECT_EQ(opened, 1);
    EXPECT_TRUE(near->is_open());
}

TEST_F(Connection, ShowsWhatWasLeftTogetherWithWhatComesNext)
{
    open();
    std::vector<std::string> shown;
    near->on_data([&](connection&, buffer& in) {
        shown.emplace_back(in.view());
        if (in.size() >= 6)
            in.clear();
    });
    say("abc");
    until([&] { return shown.size() == 1; });
    turns(5);
    EXPECT_EQ(shown.size(), 1u) << "shown again though nothing had come";
    say("def");
    until([&] { return shown.size() == 2; });
    EXPECT_EQ(shown[1], "abcdef");
}

TEST_F(Connection, GoesOnWithinOneTurnWhenAHandlerTakesALineAtATime)
{
    open();
    near->on_data([&](connection&, buffer& in) {
        const auto end = in.view().find('\n');
        if (end == std::string_view::npos)
            return;
        seen += in.view().substr(0, end);
        in.consume(end + 1);
    });
    say("a\nb\nc\n");
    until([&] { return seen.size() == 3; });
    EXPECT_EQ(seen, "abc");
}

// A large piece is sent from where it lies, a small one is copied first: neither may overtake.
TEST_F(Connection, KeepsTheOrderOfSmallAndLargeWrites)
{
    open();
    const std::string large(20'000, 'L'), larger(40'000, 'M');
    const std::string expected = "a" + large + "b" + larger + larger + "c";
    const auto write_all = [&](connection& c) {
        for (const std::string_view each :
             {std::string_view("a"), std::string_view(large), std::string_view("b"),
              std::string_view(larger), std::string_view(larger), std::string_view("c")})
            EXPECT_TRUE(c.write(each));
    };
    near->on_data([&](connection& c, buffer& in) {
        in.clear();
        c.write(larger); // before anything waits
        write_all(c);
    });
    say("go");
    EXPECT_EQ(hear(larger.size() + expected.size()), larger + expected);
    write_all(*near);
    EXPECT_EQ(hear(expected.size()), expected);
    EXPECT_EQ(near->bytes_out(), larger.size() + 2 * expected.size());
    EXPECT_EQ(near->backlog(), 0u);
}

TEST_F(Connection, SendsALargeWriteWithoutACopyWhenThePeerHasRoom)
{
    open();
    turns(2);
    const auto before = near->memory();
    EXPECT_TRUE(near->write(std::string(32'000, 'x')));
    EXPECT_EQ(near->backlog(), 0u);
    EXPECT_EQ(near->memory(), before);
    EXPECT_EQ(hear(32'000).size(), 32'000u);
}

TEST_F(Connection, KeepsWhatThePeerHasNoRoomForOfALargeWrite)
{
    open();
    turns(2);
    const std::string large(10'000'000, 'x');
    EXPECT_TRUE(near->write(large));
    EXPECT_GT(near->bytes_out(), 0u);
    EXPECT_EQ(near->backlog() + near->bytes_out(), large.size());
    EXPECT_EQ(hear(large.size()), large);
}

TEST_F(Connection, EachKeepsItsOwnOptions)
{
    const connection_options tight{.backlog_limit = 10};
    open(tight);
    const auto first = std::move(near);
    const auto first_far = std::move(far);
    open();
    EXPECT_TRUE(near->write(std::string(11, 'x')));
    EXPECT_FALSE(first->write(std::string(11, 'x')));
    open(tight);
    EXPECT_FALSE(near->write(std::string(11, 'x')));
}

TEST_F(Connection, CarriesMegabytesBothWaysUnderItsWatermarks)
{
    open({.high_water = 64 * 1024, .low_water = 16 * 1024});
    near->on_data([](connection& c, buffer& in) { c.write(in); });
    funcptr::testing::make_nonblocking(far.get());
    const std::string block(10000, 'x');
    std::size_t sent = 0, got = 0, most = 0;
    constexpr std::size_t total = 5000000;
    until([&] {
        if (sent < total)
            if (const auto n = ::send(far.get(), block.data(), block.size(), MSG_NOSIGNAL); n > 0)
                sent += static_cast<std::size_t>(n);
        if (sent % 30000 == 0 || sent >= total)
            got += receive_now(far.get()).size();
        most = std::max(most, near->backlog());
        return got >= total;
    });
    EXPECT_GE(got, total);
    EXPECT_LE(most, 64u * 1024 + 256 * 1024) << "the watermark did not stop the reading";
}

TEST_F(Connection, TellsWhenTheBacklogHasDrained)
{
    open({.high_water = 100000, .low_water = 1000});
    int drained = 0;
    near->on_drain([&](connection& c) {
        ++drained;
        EXPECT_LE(c.backlog(), 1000u);
    });
    EXPECT_TRUE(near->write(std::string(3000000, 'x')));
    EXPECT_GT(near->backlog(), 100000u);
    turns(3);
    EXPECT_EQ(drained, 0);
    EXPECT_EQ(hear(3000000).size(), 3000000u);
    until([&] { return drained == 1; });
}

TEST_F(Connection, DrainsAgainAndAgainWhereTheHandlerWritesUntilItIsHigh)
{
    // All that a handler writes is sent at once: nothing waits for the socket afterwards.
    open({.trim_after = 0ms, .high_water = 8192, .low_water = 2048});
    std::size_t wrote = 0, drained = 0;
    const auto write_until_high = [&](connection& c) {
        while (c.backlog() <= 8192 && wrote < 1'000'000) {
            ASSERT_TRUE(c.write(std::string(1024, 'x')));
            wrote += 1024;
        }
    };
    near->on_drain([&](connection& c) {
        ++drained;
        write_until_high(c);
    });
    near->on_data([&](connection& c, buffer& in) {
        in.clear();
        write_until_high(c);
    });
    say("go");
    std::size_t heard = 0;
    until([&] {
        heard += receive_now(far.get()).size();
        return heard >= 1'000'000;
    });
    EXPECT_GE(drained, 100u);
}

TEST_F(Connection, ReadsNothingWhilePausedAndAllOfItAfterwards)
{
    open();
    near->pause_reading();
    say("waiting");
    turns(10);
    EXPECT_EQ(seen, "");
    near->resume_reading();
    until([&] { return seen == "waiting"; });
}

TEST_F(Connection, PausedInItsHandlerKeepsWhatIsLeft)
{
    open();
    near->on_data([&](connection& c, buffer& in) {
        seen += in.view().substr(0, 1);
        in.consume(1);
        c.pause_reading();
    });
    say("abc");
    until([&] { return seen == "a"; });
    turns(5);
    EXPECT_EQ(seen, "a");
    near->resume_reading();
    until([&] { return seen == "ab"; });
}

TEST_F(Connection, AFullBufferThatIsNotTakenStopsTheReading)
{
    near = std::make_unique<connection>(loop, near_end(), plain_filter({.read = 1000}));
    bool take_it = false;
    near->on_data([&](connection&, buffer& in) {
        if (take_it)
            seen += take(in);
    });
    say(std::string(5000, 'x'));
    turns(20);
    EXPECT_EQ(near->bytes_in(), 1000u);
    take_it = true;
    near->resume_reading();
    until([&] { return seen.size() == 5000; });
}

TEST_F(Connection, TellsOfADrainAlsoWhenTheEndOfTheHandlerSendsAll)
{
    open({.high_water = 1000, .low_water = 100});
    int drained = 0;
    near->on_drain([&](connection& c) {
        ++drained;
        EXPECT_EQ(c.backlog(), 0u);
    });
    near->on_data([&](connection& c, buffer& in) {
        in.clear();
        c.write(std::string(3000, 'x')); // a large piece would be sent at once
        EXPECT_GT(c.backlog(), 1000u) << "sent one by one, not at the end of the handler";
    });
    say("go");
    EXPECT_EQ(hear(3000).size(), 3000u);
    until([&] { return drained == 1; });
    turns(5);
    EXPECT_EQ(drained, 1);
}

TEST_F(Connection, ReadsAgainAtLowWaterAndNotBefore)
{
    open({.high_water = 200000, .low_water = 1000});
    turns(2);
    near->write(std::string(1000000, 'x'));
    say("question");
    turns(3);
    while (near->backlog() > 150000) {
        ASSERT_NE(receive_now(far.get(), 20000), "");
        turns(1);
    }
    turns(3);
    EXPECT_EQ(seen, "");
    EXPECT_GT(near->backlog(), 1000u);
    until([&] {
        receive_now(far.get());
        return seen == "question";
    });
    EXPECT_LE(near->backlog(), 1000u);
}

TEST_F(Connection, GoesOnWithTheNextLineAfterALargeAnswer)
{
    open({.trim_after = 0ms, .high_water = 1000, .low_water = 100}); // no timer that would help
    near->on_data([&](connection& c, buffer& in) {
        const auto end = in.view().find('\n');
        if (end == std::string_view::npos)
            return;
        seen += in.view().substr(0, end);
        in.consume(end + 1);
        c.write(std::string(5000, 'x'));
    });
    say("a\nb\nc\n");
    turns(20);
    EXPECT_EQ(seen, "abc");
    EXPECT_EQ(hear(15000).size(), 15000u);
}

TEST_F(Connection, LowWaterIsAtMostHighWater)
{
    open({.high_water = 1000}); // the default low_water is above
    int drained = 0;
    near->on_drain([&](connection& c) {
        ++drained;
        EXPECT_LE(c.backlog(), 1000u);
    });
    near->write(std::string(2000000, 'x'));
    hear(2000000);
    until([&] { return drained == 1; });
}

TEST_F(Connection, RefusesWhatCannotWork)
{
    const auto refuses = [&](funcptr::accepted peer, std::unique_ptr<filter> through,
                             const connection_options& options) {
        EXPECT_THROW(connection(loop, std::move(peer), std::move(through), options),
                     std::invalid_argument);
    };
    refuses(near_end(), std::make_unique<plain_filter>(), {.read_per_turn = 0});
    refuses(near_end(), std::make_unique<plain_filter>(), {.read_chunk = 0});
    refuses(near_end(), nullptr, {});
    refuses({}, std::make_unique<plain_filter>(), {});
}

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

// --- hostile callbacks ------------------------------------------------------------------------

TEST_F(Connection, MayBeDestroyedInAnyOfItsCallbacks)
{
    for (const std::string which : {"open", "data", "drain", "end", "close"}) {
        open({.high_water = 10, .low_water = 5});
        const auto destroy = [&](connection&) {
            near.reset();
            seen = which;
        };
        if (which == "open")
            near->on_open(destroy);
        if (which == "data")
            near->on_data([&](connection& c, buffer&) { destroy(c); });
        if (which == "drain") {
            near->on_drain(destroy);
            near->write(std::string(3000000, 'x'));
        }
        if (which == "end")
            near->on_end(destroy);
        if (which == "close")
            near->on_close([&](connection& c, const close_reason&) { destroy(c); });
        if (which != "drain")
            say("x");
        if (which == "end" || which == "close")
            far.reset();
        until([&] {
            if (far)
                receive_now(far.get());
            return !near;
        });
        EXPECT_EQ(seen, which);
        turns(3);
    }
}

TEST_F(Connection, MayBeDestroyedByACallbackThatThenThrows)
{
    open();
    near->on_data([&](connection&, buffer&) {
        near.reset();
        throw 1;
    });
    say("x");
    EXPECT_THROW(while (near) funcptr::run(loop, ev::ONCE), int);
    EXPECT_FALSE(near);
}

TEST_F(Connection, ACallbackThatThrowsBreaksTheLoopAndTheConnectionGoesOn)
{
    open();
    near->on_data([&](connection&, buffer& in) {
        if (take(in) == "bad")
            throw std::runtime_error("bad");
        seen = "good";
        loop.break_loop();
    });
    say("bad");
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    say("fine");
    funcptr::run(loop);
    EXPECT_EQ(seen, "good");
}

TEST_F(Connection, MayReplaceItsHandlerInTheHandler)
{
    open();
    near->on_data([&](connection& c, buffer& in) {
        seen += "1" + take(in);
        c.on_data([&](connection&, buffer& more) { seen += "2" + take(more); });
    });
    say("a");
    until([&] { return seen == "1a"; });
    say("b");
    until([&] { return seen == "1a2b"; });
}

TEST_F(Connection, ANestedRunInAHandlerNeitherSpinsNorCallsItAgain)
{
    open();
    int depth = 0, calls = 0;
    ev::prepare prepare(loop);
    int turns_inside = 0;
    near->on_data([&](connection&, buffer& in) {
        EXPECT_EQ(depth, 0);
        ++depth;
        seen += take(in);
        if (++calls == 1) {
            say("second");
            ev_timer end;
            ev_timer_init(
                &end, [](struct ev_loop* l, ev_timer*, int) { ev_break(l, EVBREAK_ONE); }, 0.2, 0.);
            ev_timer_start(loop, &end);
            const auto before = ev_iteration(loop);
            loop.run();
            turns_inside = static_cast<int>(ev_iteration(loop) - before);
        }
        --depth;
    });
    say("first");
    until([&] { return calls == 2; });
    EXPECT_EQ(seen, "firstsecond");
    EXPECT_LT(turns_inside, 100);
}

TEST_F(Connection, TwoEndsThatBothFloodDoNotStarveEachOther)
{
    open({.read_while_high = true});
    near->write(std::string(3000000, 'x')); // more than high_water, and the peer talks first
    say("hello");
    until([&] { return seen == "hello"; });
}

// --- TLS --------------------------------------------------------------------------------------

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
