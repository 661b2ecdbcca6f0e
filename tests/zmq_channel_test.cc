// SPDX-License-Identifier: MIT
#include <funcptr/zmq_channel.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <poll.h>

#include "support/watchdog.h"

namespace {

using namespace std::chrono_literals;
using funcptr::zmq_channel;
using funcptr::zmq_channel_options;
using funcptr::zmq_multipart;
using funcptr::zmq_overflow;
using funcptr::testing::watchdog;
using outcome = funcptr::zmq_sent::outcome;
using zmq::socket_type;
using texts = std::vector<std::string>;

zmq_multipart message(const texts& frames)
{
    zmq_multipart whole;
    for (const auto& frame : frames)
        whole.emplace_back(frame.data(), frame.size());
    return whole;
}

std::string joined(const zmq_multipart& whole)
{
    std::string text;
    for (const auto& frame : whole)
        text += (&frame == whole.data() ? "" : "|") + frame.to_string();
    return text;
}

/// One whole message that is there already, joined; nothing when there is none.
std::optional<std::string> take(zmq::socket_t& socket)
{
    zmq_multipart whole;
    do {
        zmq::message_t frame;
        if (!socket.recv(frame, zmq::recv_flags::dontwait))
            return std::nullopt;
        whole.push_back(std::move(frame));
    } while (whole.back().more());
    return joined(whole);
}

texts take_all(zmq::socket_t& socket)
{
    texts all;
    while (auto one = take(socket))
        all.push_back(*one);
    return all;
}

class ZmqChannel : public ::testing::Test {
protected:
    zmq::context_t context;
    ev::dynamic_loop loop;
    watchdog dog{loop};

    zmq::socket_t peer(socket_type type, const std::string& endpoint, int hwm = 0)
    {
        zmq::socket_t socket(context, type);
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::rcvhwm, hwm);
        socket.set(zmq::sockopt::sndhwm, hwm);
        if (type == socket_type::sub)
            socket.set(zmq::sockopt::subscribe, "");
        socket.connect(endpoint);
        return socket;
    }
    /// A PUSH channel of which libzmq takes nothing, until somebody connects a PULL.
    std::unique_ptr<zmq_channel> lonely_push(const zmq_channel_options& options)
    {
        auto push = std::make_unique<zmq_channel>(loop, context, socket_type::push, options);
        push->bind("inproc://channel");
        return push;
    }
    void turns(int count = 5)
    {
        while (count-- > 0)
            loop.run(ev::NOWAIT);
    }
    /// Turns until the condition holds; the watchdog guards it.
    void until(const std::function<bool()>& holds)
    {
        while (!holds() && !HasFailure())
            loop.run(ev::ONCE);
    }
    /// Keeps the loop awake, so that until() looks again.
    struct ticker {
        ev::timer timer;
        explicit ticker(ev::loop_ref loop)
            : timer(loop)
        {
            timer.set<ticker, &ticker::tick>(this);
            timer.start(0., 0.001);
        }
        void tick(ev::timer&, int) {}
    };
};

// --- whole messages both ways -----------------------------------------------------------------

TEST_F(ZmqChannel, CarriesWholeMessagesBothWays)
{
    zmq_channel server(loop, context, socket_type::router);
    server.bind("inproc://channel");
    texts seen;
    server.on_message([&](zmq_multipart& request) {
        seen.push_back(request[1].to_string() + "|" + request[2].to_string());
        request[2] = zmq::message_t(std::string("answer"));
        EXPECT_TRUE(server.send(request)); // the identity stands in front
        EXPECT_TRUE(request.empty());
    });
    auto client = peer(socket_type::dealer, "inproc://channel");
    client.send(zmq::buffer(std::string("")), zmq::send_flags::sndmore);
    client.send(zmq::buffer(std::string("question")));
    turns();
    EXPECT_EQ(seen, texts{"|question"});
    EXPECT_EQ(take_all(client), texts{"|answer"});
}

TEST_F(ZmqChannel, MessagesWaitUntilSomebodyWantsThem)
{
    zmq_channel pull(loop, context, socket_type::pull);
    pull.bind("inproc://channel");
    auto push = peer(socket_type::push, "inproc://channel");
    push.send(zmq::buffer(std::string("early")));
    turns();
    texts seen;
    pull.on_message([&](zmq_multipart& each) { seen.push_back(joined(each)); });
    turns();
    EXPECT_EQ(seen, texts{"early"});

    pull.want_messages(false);
    push.send(zmq::buffer(std::string("later")));
    turns();
    EXPECT_EQ(seen.size(), 1u);
    pull.want_messages(true);
    turns();
    EXPECT_EQ(seen, (texts{"early", "later"}));
}

TEST_F(ZmqChannel, ACallbackMayTakeTheFramesAndTurnItselfOffAndOn)
{
    zmq_channel pull(loop, context, socket_type::pull);
    pull.bind("inproc://channel");
    auto push = peer(socket_type::push, "inproc://channel");
    std::vector<zmq_multipart> kept;
    pull.on_message([&](zmq_multipart& each) {
        kept.push_back(std::move(each));
        pull.want_messages(false);
        pull.want_messages(true); // it is set, though it runs just now
        if (kept.size() == 2)
            pull.on_message([&](zmq_multipart& last) { EXPECT_EQ(joined(last), "c"); });
    });
    for (const char* text : {"a", "b", "c"})
        push.send(zmq::buffer(std::string(text)));
    turns();
    ASSERT_EQ(kept.size(), 2u);
    EXPECT_EQ(joined(kept[0]), "a");
    EXPECT_EQ(pull.counters().messages_received, 3u);
}

// --- the queue --------------------------------------------------------------------------------

TEST_F(ZmqChannel, KeepsOrderAcrossDirectAndQueuedMessages)
{
    zmq_channel push(loop, context, socket_type::push);
    push.set(zmq::sockopt::sndhwm, 1);
    push.bind("inproc://channel");
    auto pull = peer(socket_type::pull, "inproc://channel", 1);
    texts sent;
    int direct = 0;
    for (int i = 0; i < 20; ++i) {
        sent.push_back(std::to_string(i) + "|x");
        const auto result = push.send(message({std::to_string(i), "x"}));
        EXPECT_TRUE(result);
        direct += result.what == outcome::sent;
    }
    EXPECT_GT(direct, 0);
    EXPECT_LT(direct, 20);
    EXPECT_EQ(push.queued(), static_cast<std::size_t>(20 - direct));
    texts received;
    while (received.size() < sent.size() && !HasFailure()) {
        turns(1);
        for (auto& one : take_all(pull))
            received.push_back(one);
    }
    EXPECT_EQ(received, sent);
    EXPECT_EQ(push.queued(), 0u);
    EXPECT_EQ(push.queued_bytes(), 0u);
    EXPECT_EQ(push.dropped(), 0u);
}

TEST_F(ZmqChannel, ByDefaultAFullQueueRefusesAndTheMessageStaysTheCallers)
{
    auto push = lonely_push({.queue_messages = 2});
    EXPECT_EQ(push->send("a").what, outcome::queued);
    EXPECT_EQ(push->send("b").what, outcome::queued);
    auto third = message({"c", "c"});
    EXPECT_EQ(push->send(third).what, outcome::full);
    EXPECT_EQ(joined(third), "c|c");
    auto pull = peer(socket_type::pull, "inproc://channel");
    turns();
    EXPECT_EQ(take_all(pull), (texts{"a", "b"}));
    EXPECT_EQ(push->dropped(), 0u);
}

TEST_F(ZmqChannel, DropOldestKeepsTheNewest)
{
    auto push = lonely_push({.queue_messages = 2, .overflow = zmq_overflow::drop_oldest});
    for (const char* text : {"a", "b", "c", "d"})
        EXPECT_EQ(push->send(text).what, outcome::queued);
    EXPECT_EQ(push->dropped(), 2u);
    auto pull = peer(socket_type::pull, "inproc://channel");
    turns();
    EXPECT_EQ(take_all(pull), (texts{"c", "d"}));
}

TEST_F(ZmqChannel, DropNewestKeepsTheOldest)
{
    auto push = lonely_push({.queue_messages = 2, .overflow = zmq_overflow::drop_newest});
    EXPECT_EQ(push->send("a").what, outcome::queued);
    EXPECT_EQ(push->send("b").what, outcome::queued);
    auto third = message({"c"});
    const auto dropped = push->send(third);
    EXPECT_EQ(dropped.what, outcome::dropped);
    EXPECT_TRUE(dropped) << "it was taken";
    EXPECT_TRUE(third.empty());
    EXPECT_EQ(push->dropped(), 1u);
    auto pull = peer(socket_type::pull, "inproc://channel");
    turns();
    EXPECT_EQ(take_all(pull), (texts{"a", "b"}));
}

TEST_F(ZmqChannel, TheBytesAreBoundedTooAndAMessageThatNeverFitsCostsNoOther)
{
    auto push = lonely_push({.queue_bytes = 10, .overflow = zmq_overflow::drop_oldest});
    EXPECT_EQ(push->send("aaaa").what, outcome::queued);
    EXPECT_EQ(push->send("bbbb").what, outcome::queued);
    EXPECT_EQ(push->send(std::string(11, 'x')).what, outcome::dropped);
    EXPECT_EQ(push->queued(), 2u);
    EXPECT_EQ(push->queued_bytes(), 8u);
    EXPECT_EQ(push->send("ccc").what, outcome::queued); // in the place of the a's
    EXPECT_EQ(push->queued_bytes(), 7u);
    auto pull = peer(socket_type::pull, "inproc://channel");
    turns();
    EXPECT_EQ(take_all(pull), (texts{"bbbb", "ccc"}));
}

TEST_F(ZmqChannel, WithoutAQueueWhatDoesNotGoOutIsRefused)
{
    for (const auto policy :
         {zmq_overflow::fail, zmq_overflow::drop_oldest, zmq_overflow::drop_newest}) {
        zmq_channel push(loop, context, socket_type::push,
                         {.queue_messages = 0, .overflow = policy});
        const bool fails = policy == zmq_overflow::fail;
        EXPECT_EQ(push.send("a").what, fails ? outcome::full : outcome::dropped);
        EXPECT_EQ(push.queued(), 0u);
    }
}

TEST_F(ZmqChannel, LowWaterIsToldOnceForEachTimeThatThereWasNoRoom)
{
    auto push = lonely_push({.queue_messages = 4, .low_water = 1});
    int told = 0;
    push->on_low_water([&] {
        ++told;
        EXPECT_EQ(push->queued(), 1u);
    });
    for (int i = 0; i < 4; ++i)
        EXPECT_TRUE(push->send("x"));
    auto pull = peer(socket_type::pull, "inproc://channel");
    turns();
    EXPECT_EQ(told, 0) << "every message has found room";
    EXPECT_EQ(take_all(pull).size(), 4u);

    pull.close();
    const ticker awake(loop);
    until([&] { return (push->get(zmq::sockopt::events) & ZMQ_POLLOUT) == 0; });
    for (int i = 0; i < 5; ++i)
        (void)push->send("x");
    pull = peer(socket_type::pull, "inproc://channel");
    turns();
    EXPECT_EQ(told, 1);
    EXPECT_EQ(take_all(pull).size(), 4u);
}

TEST_F(ZmqChannel, AMessageWithoutFramesIsRefusedByName)
{
    zmq_channel push(loop, context, socket_type::push);
    zmq_multipart none;
    const auto sent = push.send(none);
    EXPECT_EQ(sent.what, outcome::refused);
    EXPECT_EQ(sent.error, std::errc::invalid_argument);
}

TEST_F(ZmqChannel, WhatTheSocketWillNeverTakeIsRefusedAndStaysTheCallers)
{
    zmq_channel router(loop, context, socket_type::router);
    router.set(zmq::sockopt::router_mandatory, true);
    router.bind("inproc://channel");
    auto nobody = message({"nobody", "hello"});
    const auto sent = router.send(nobody);
    EXPECT_FALSE(sent);
    EXPECT_EQ(sent.what, outcome::refused);
    EXPECT_EQ(sent.error, std::errc::host_unreachable);
    EXPECT_EQ(joined(nobody), "nobody|hello");

    zmq_channel request(loop, context, socket_type::req);
    request.connect("inproc://channel");
    EXPECT_TRUE(request.send("one"));
    EXPECT_EQ(request.send("two, before an answer").what, outcome::refused);
}

TEST_F(ZmqChannel, AQueuedMessageWhosePeerIsGoneIsHandedBackAndTheNextGoOn)
{
    zmq_channel router(loop, context, socket_type::router);
    router.set(zmq::sockopt::router_mandatory, true);
    router.set(zmq::sockopt::sndhwm, 1);
    router.bind("inproc://channel");
    auto connected = [&](const std::string& name) {
        zmq::socket_t socket(context, socket_type::dealer);
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::rcvhwm, 1);
        socket.set(zmq::sockopt::routing_id, name);
        socket.connect("inproc://channel");
        return socket;
    };
    auto mortal = connected("mortal");
    auto other = connected("other");
    turns();
    int direct = 0;
    while (router.send(message({"mortal", "fill"})).what == outcome::sent && !HasFailure())
        ++direct;
    EXPECT_GT(direct, 0);
    EXPECT_EQ(router.queued(), 1u);
    EXPECT_EQ(router.send(message({"other", "behind"})).what, outcome::queued);
    texts refused;
    router.on_refused([&](zmq_multipart& each, std::error_code why) {
        refused.push_back(joined(each));
        EXPECT_EQ(why, std::errc::host_unreachable);
    });
    turns();
    EXPECT_EQ(router.queued(), 2u) << "the first holds up the second";
    mortal.close();
    const ticker awake(loop);
    until([&] { return router.queued() == 0; });
    EXPECT_EQ(refused, texts{"mortal|fill"});
    EXPECT_EQ(take_all(other), texts{"behind"});
    EXPECT_EQ(router.dropped(), 0u);
}

// --- peers that die, POLLOUT that lies --------------------------------------------------------

/// Waits until a peer's word has come in for the socket, and has it worked off.
void hear(zmq::socket_t& socket)
{
    pollfd one{socket.get(zmq::sockopt::fd), POLLIN, 0};
    ASSERT_EQ(::poll(&one, 1, 60'000), 1) << "nothing came for a minute";
    (void)socket.get(zmq::sockopt::events);
}

TEST_F(ZmqChannel, APeerThatDiesInTheMidstOfAMessageLeavesNoHalfOneToAnother)
{
    // The peer dies before the frame of that number. Whether libzmq then refuses the frame, or has
    // heard the rest of it already and swallows the message, is a race between its threads: so in
    // rounds, until both frames, one in the middle and the last, have been refused often enough.
    constexpr int enough = 3;
    int refused[] = {0, 0};
    for (int round = 0; round < 2000 && std::min(refused[0], refused[1]) < enough; ++round) {
        const int dying_at = 1 + round % 2;
        const auto endpoint = "inproc://dying" + std::to_string(round); // libzmq closes later
        zmq::socket_t push(context, socket_type::push);
        push.set(zmq::sockopt::linger, 0);
        push.bind(endpoint);
        auto mortal = peer(socket_type::pull, endpoint);
        auto survivor = peer(socket_type::pull, endpoint);
        int frames = 0;
        const auto send_frame = [&](zmq::message_t& frame, bool more) -> funcptr::zmq_result {
            if (frames++ == dying_at) {
                mortal.close();
                hear(push);
            }
            const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
            if (zmq_msg_send(frame.handle(), push.handle(), flags) >= 0)
                return {};
            return {funcptr::zmq_code(zmq_errno())};
        };
        auto whole = message({"one", "two", "three"}); // the first goes to mortal, it came first
        bool midway = false;
        const auto result = funcptr::detail::send_frames(whole, send_frame, midway);
        EXPECT_EQ(midway, !result);
        EXPECT_EQ(joined(whole), "one|two|three") << "it can be sent again";
        texts expected;
        if (midway) {
            ++refused[dying_at - 1];
            EXPECT_TRUE(result.would_block());
            EXPECT_TRUE(funcptr::detail::send_frames(whole, send_frame, midway));
            expected.emplace_back("one|two|three");
        }
        auto last = message({"the", "last"});
        EXPECT_TRUE(funcptr::detail::send_frames(last, send_frame, midway));
        expected.emplace_back("the|last");
        ASSERT_EQ(take_all(survivor), expected) << "round " << round;
    }
    EXPECT_GE(refused[0], enough);
    EXPECT_GE(refused[1], enough);
}

/// Turns of the loop until the channel was parked so often; busy turns show that it span.
class turn_counter {
public:
    explicit turn_counter(ev::loop_ref loop)
        : prepare_(loop)
    {
        prepare_.set<turn_counter, &turn_counter::count>(this);
        prepare_.start();
    }
    int turns = 0;

private:
    void count(ev::prepare&, int) { ++turns; }
    ev::prepare prepare_;
};

TEST_F(ZmqChannel, ParksWherePolloutLiesAndGoesOnWhenThereIsRoom)
{
    funcptr::set_budget(loop, {.park_interval = 20ms});
    zmq_channel pub(loop, context, socket_type::xpub);
    pub.set(zmq::sockopt::xpub_nodrop, true);
    pub.set(zmq::sockopt::sndhwm, 2);
    pub.bind("inproc://channel");
    auto sub = peer(socket_type::sub, "inproc://channel", 2);
    pub.on_message([](zmq_multipart&) {}); // the subscription
    turns();
    std::size_t sent = 0;
    while (pub.send(std::to_string(sent)).what == outcome::sent && !HasFailure())
        ++sent;
    EXPECT_EQ(pub.queued(), 1u);
    const turn_counter counter(loop);
    until([&] { return pub.counters().parks >= 5; });
    EXPECT_LE(counter.turns, 30) << "it spins";
    texts seen;
    until([&] {
        for (auto& one : take_all(sub))
            seen.push_back(one);
        return pub.queued() == 0;
    });
    for (auto& one : take_all(sub))
        seen.push_back(one);
    EXPECT_EQ(seen.size(), sent + 1);
    EXPECT_EQ(seen.back(), std::to_string(sent));
}

// --- drain ------------------------------------------------------------------------------------

TEST_F(ZmqChannel, DrainSendsWhatIsQueuedAndThenTellsThatNothingIsLeft)
{
    auto push = lonely_push({});
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(push->send(std::to_string(i)));
    std::optional<std::size_t> unsent;
    push->drain(1h, [&](std::size_t left) { unsent = left; });
    EXPECT_TRUE(push->draining());
    EXPECT_EQ(push->send("late").what, outcome::closed);
    turns();
    EXPECT_FALSE(unsent);
    auto pull = peer(socket_type::pull, "inproc://channel");
    turns();
    ASSERT_TRUE(unsent);
    EXPECT_EQ(*unsent, 0u);
    EXPECT_EQ(take_all(pull).size(), 10u);
}

TEST_F(ZmqChannel, DrainOfAnEmptyQueueTellsSoFromTheLoop)
{
    zmq_channel push(loop, context, socket_type::push);
    std::optional<std::size_t> unsent;
    push.drain(1h, [&](std::size_t left) { unsent = left; });
    EXPECT_FALSE(unsent) << "not from the call itself";
    turns();
    EXPECT_EQ(unsent, 0u);
}

TEST_F(ZmqChannel, DrainEndsAtItsDeadlineWithTheNumberOfTheLost)
{
    auto push = lonely_push({});
    EXPECT_TRUE(push->send("a"));
    EXPECT_TRUE(push->send("b"));
    std::optional<std::size_t> unsent;
    push->drain(1ms, [&](std::size_t left) {
        unsent = left;
        loop.break_loop();
    });
    loop.run();
    EXPECT_EQ(unsent, 2u);
    EXPECT_EQ(push->dropped(), 2u);
    EXPECT_EQ(push->queued(), 0u);
}

TEST_F(ZmqChannel, ASecondDrainReplacesTheFirst)
{
    auto push = lonely_push({});
    EXPECT_TRUE(push->send("a"));
    push->drain(1ms, [](std::size_t) { FAIL() << "it was replaced"; });
    std::optional<std::size_t> unsent;
    push->drain(-5ms, [&](std::size_t left) { unsent = left; });
    turns();
    EXPECT_EQ(unsent, 1u);
}

TEST_F(ZmqChannel, DrainEndsWithTheContext)
{
    auto push = lonely_push({});
    EXPECT_TRUE(push->send("a"));
    texts told;
    push->drain(1h, [&](std::size_t left) { told.push_back(std::to_string(left)); });
    push->on_closed([&](std::error_code why) {
        EXPECT_EQ(why, funcptr::errc::context_terminated);
        told.emplace_back("closed");
    });
    context.shutdown();
    const ticker awake(loop);
    until([&] { return told.size() == 2; });
    EXPECT_EQ(told, (texts{"1", "closed"}));
    EXPECT_TRUE(push->closed());
    EXPECT_EQ(push->send("x").what, outcome::closed);
    push->drain(1h, [&](std::size_t left) { told.push_back("again " + std::to_string(left)); });
    EXPECT_EQ(told.back(), "again 0");
}

TEST_F(ZmqChannel, CloseDropsTheQueueAndCallsNobody)
{
    auto push = lonely_push({});
    EXPECT_TRUE(push->send("a"));
    push->drain(1ms, [](std::size_t) { FAIL(); });
    push->on_closed([](std::error_code) { FAIL(); });
    push->close();
    EXPECT_EQ(push->dropped(), 1u);
    turns();
    loop.run(); // nothing is left that could keep it
}

// --- lifetime and exceptions ------------------------------------------------------------------

TEST_F(ZmqChannel, MayBeDestroyedInAnyOfItsCallbacks)
{
    for (int which = 0; which < 5; ++which) {
        SCOPED_TRACE(which);
        auto context_of_this = std::make_unique<zmq::context_t>();
        zmq_channel_options options{.queue_messages = 2, .low_water = 1};
        auto it =
            std::make_unique<zmq_channel>(loop, *context_of_this, socket_type::router, options);
        const zmq_channel bystander(loop, *context_of_this, socket_type::pull);
        it->set(zmq::sockopt::router_mandatory, true);
        it->set(zmq::sockopt::sndhwm, 1);
        it->bind("inproc://destroyed");
        zmq::socket_t mortal(*context_of_this, socket_type::dealer);
        mortal.set(zmq::sockopt::linger, 0);
        mortal.set(zmq::sockopt::rcvhwm, 1);
        mortal.set(zmq::sockopt::routing_id, "m");
        mortal.connect("inproc://destroyed");
        zmq::socket_t other(*context_of_this, socket_type::dealer); // or POLLOUT says no, for ever
        other.set(zmq::sockopt::linger, 0);
        other.connect("inproc://destroyed");
        turns();
        bool called = false;
        const auto destroy = [&] {
            called = true;
            it.reset();
        };
        const auto fill = [&] {
            while (it->send(message({"m", "x"})) && !HasFailure()) {
            }
        };
        if (which == 0) {
            it->on_message([&](zmq_multipart& each) {
                destroy();
                EXPECT_EQ(joined(each), "m|hello"); // still there
            });
            mortal.send(zmq::buffer(std::string("hello")));
        } else if (which == 1) {
            fill();
            it->on_low_water(destroy);
            take_all(mortal);
        } else if (which == 2) {
            fill();
            it->on_refused([&](zmq_multipart&, std::error_code) { destroy(); });
            mortal.close();
        } else if (which == 3) {
            it->drain(0ms, [&](std::size_t) { destroy(); });
        } else {
            it->on_closed([&](std::error_code) { destroy(); });
            context_of_this->shutdown();
        }
        const ticker awake(loop);
        until([&] {
            if (which == 1)
                take_all(mortal);
            return called;
        });
        turns();
        EXPECT_EQ(it, nullptr);
    }
}

TEST_F(ZmqChannel, WhatACallbackThrowsReachesRunAndTheChannelGoesOn)
{
    zmq_channel pull(loop, context, socket_type::pull);
    pull.bind("inproc://channel");
    auto push = peer(socket_type::push, "inproc://channel");
    texts seen;
    pull.on_message([&](zmq_multipart& each) {
        seen.push_back(joined(each));
        if (seen.size() == 1)
            throw std::runtime_error("the first one");
        loop.break_loop();
    });
    pull.drain(1h, {});
    push.send(zmq::buffer(std::string("a")));
    push.send(zmq::buffer(std::string("b")));
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    funcptr::run(loop);
    EXPECT_EQ(seen, (texts{"a", "b"}));

    zmq_channel other(loop, context, socket_type::push);
    other.drain(0ms, [](std::size_t) { throw std::logic_error("from the timer"); });
    EXPECT_THROW(funcptr::run(loop), std::logic_error);
}

TEST_F(ZmqChannel, OutlivesItsLoopWithADrainUnderWay)
{
    std::unique_ptr<zmq_channel> push;
    {
        ev::dynamic_loop mortal;
        push = std::make_unique<zmq_channel>(mortal, context, socket_type::push);
        push->bind("inproc://orphan");
        EXPECT_TRUE(push->send("x"));
        push->drain(1h, [](std::size_t) { FAIL(); });
    }
    push.reset();
}

TEST_F(ZmqChannel, AdoptsASocket)
{
    zmq::socket_t socket(context, socket_type::pull);
    socket.bind("inproc://channel");
    zmq_channel pull(loop, std::move(socket));
    auto push = peer(socket_type::push, "inproc://channel");
    texts seen;
    pull.on_message([&](zmq_multipart& each) { seen.push_back(joined(each)); });
    push.send(zmq::buffer(std::string("x")));
    turns();
    EXPECT_EQ(seen, texts{"x"});
}

TEST_F(ZmqChannel, AContextThatEndsInTheMidstOfAMessageLeavesNoHalfOne)
{
    funcptr::zmq_budget budget;
    budget.messages = 1;
    funcptr::set_budget(loop, budget);
    zmq_channel pull(loop, context, socket_type::pull);
    pull.bind("inproc://channel");
    auto push = peer(socket_type::push, "inproc://channel");
    std::vector<std::size_t> frames;
    pull.on_message([&](zmq_multipart& whole) { frames.push_back(whole.size()); });
    bool closed = false;
    pull.on_closed([&](std::error_code) { closed = true; });
    push.send(zmq::buffer(std::string("first")));
    for (int i = 0; i < 300; ++i) // libzmq asks at each 100th whether the context has ended
        push.send(zmq::buffer("x", 1), i < 299 ? zmq::send_flags::sndmore : zmq::send_flags::none);
    while (frames.empty())
        loop.run(ev::NOWAIT);
    context.shutdown();
    turns();
    EXPECT_TRUE(closed);
    EXPECT_EQ(frames, std::vector<std::size_t>{1});
}

TEST_F(ZmqChannel, ClosedInOneOfItsCallbacksItCallsNoOther)
{
    const auto never = [](const char* what) {
        return [what](auto&&...) { ADD_FAILURE() << what << " after close()"; };
    };
    zmq_channel_options options{.queue_messages = 2, .low_water = 1};
    { // in on_low_water, while a drain is at its end
        auto push = lonely_push(options);
        while (push->send("x")) {
        }
        auto pull = peer(socket_type::pull, "inproc://channel");
        bool called = false;
        push->on_low_water([&] {
            called = true;
            push->close();
        });
        push->drain(1h, never("done"));
        turns();
        EXPECT_TRUE(called);
    }
    { // in on_refused
        zmq_channel router(loop, context, socket_type::router, options);
        router.set(zmq::sockopt::router_mandatory, true);
        router.set(zmq::sockopt::sndhwm, 1);
        router.bind("inproc://router");
        zmq::socket_t mortal(context, socket_type::dealer);
        mortal.set(zmq::sockopt::linger, 0);
        mortal.set(zmq::sockopt::rcvhwm, 1);
        mortal.set(zmq::sockopt::routing_id, "m");
        mortal.connect("inproc://router");
        auto other = peer(socket_type::dealer, "inproc://router");
        turns();
        while (router.send(message({"m", "x"}))) {
        }
        bool called = false;
        router.on_refused([&](zmq_multipart&, std::error_code) {
            called = true;
            router.close();
        });
        router.on_low_water(never("on_low_water"));
        router.drain(1h, never("a router's done"));
        mortal.close();
        const ticker awake(loop);
        until([&] { return called; });
        turns();
    }
    { // in a drain's `done`, because the context ended
        zmq::context_t ending;
        zmq_channel push(loop, ending, socket_type::push);
        bool called = false;
        push.drain(1h, [&](std::size_t) {
            called = true;
            push.close();
        });
        ASSERT_EQ(push.send("x").what, outcome::closed);
        push.on_closed(never("on_closed"));
        ending.shutdown();
        turns();
        EXPECT_TRUE(called);
    }
}

TEST_F(ZmqChannel, ADrainBegunAtTheEndOfOneEndsToo)
{
    auto push = lonely_push({});
    std::vector<int> ends;
    push->drain(0ms, [&](std::size_t) {
        ends.push_back(1);
        push->drain(0ms, [&](std::size_t) { ends.push_back(2); });
    });
    turns();
    EXPECT_EQ(ends, (std::vector<int>{1, 2}));
}

TEST_F(ZmqChannel, ADrainWithoutALoopEndsAtOnce)
{
    std::unique_ptr<zmq_channel> push;
    {
        ev::dynamic_loop mortal;
        push = std::make_unique<zmq_channel>(mortal, context, socket_type::push);
        push->bind("inproc://orphan");
        EXPECT_EQ(push->send("x").what, outcome::queued);
        push->drain(1h, [](std::size_t) { ADD_FAILURE() << "it was replaced"; });
    }
    std::optional<std::size_t> unsent;
    push->drain(1h, [&](std::size_t left) { unsent = left; });
    EXPECT_EQ(unsent, 1u);
    EXPECT_EQ(push->dropped(), 1u);
}

TEST_F(ZmqChannel, LowWaterIsToldAlsoWhereNothingCouldWait)
{
    // Neither without a queue nor of a message too large for it does anything wait; the producer
    // that was refused must hear of the socket's room all the same.
    for (const bool queues : {false, true}) {
        SCOPED_TRACE(queues);
        zmq_channel_options options;
        options.queue_messages = queues ? 10 : 0;
        options.queue_bytes = 3;
        auto push = std::make_unique<zmq_channel>(loop, context, socket_type::push, options);
        const auto endpoint = queues ? "inproc://queue" : "inproc://no-queue";
        push->bind(endpoint);
        ASSERT_EQ(push->send("large").what, outcome::full);
        int told = 0;
        push->on_low_water([&] {
            ++told;
            EXPECT_EQ(push->send("large").what, outcome::sent);
        });
        turns();
        EXPECT_EQ(told, 0);
        auto pull = peer(socket_type::pull, endpoint);
        turns();
        EXPECT_EQ(told, 1);
        EXPECT_EQ(take_all(pull), texts{"large"});
    }
}

TEST_F(ZmqChannel, MayBeDestroyedWhenItsDrainsDeadlineHasJustRunOut)
{
    auto push = lonely_push({});
    push->drain(0ms, [](std::size_t) { ADD_FAILURE() << "it is gone"; });
    struct before_timers {
        std::unique_ptr<zmq_channel>& doomed;
        void strike(ev::check&, int) { doomed.reset(); }
    } before{push};
    ev::check check(loop);
    check.set<before_timers, &before_timers::strike>(&before);
    check.priority = EV_MAXPRI;
    check.start();
    turns();
    EXPECT_FALSE(push);
}

} // namespace
