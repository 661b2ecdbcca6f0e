// SPDX-License-Identifier: MIT
#include <funcptr/zmq_event.h>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/watchdog.h"

namespace {

using namespace std::chrono_literals;
using funcptr::testing::watchdog;
using zmq::socket_type;

/// A socket whose callbacks are the test's.
class probe : public funcptr::zmq_event {
public:
    using zmq_event::zmq_event;

    std::function<void(probe&)> on_read;
    std::function<void(probe&)> on_write;
    std::function<void(std::error_code)> when_closed;

private:
    void read() override
    {
        if (const auto call = on_read) // a copy: it may destroy this
            call(*this);
    }
    void write() override
    {
        if (const auto call = on_write)
            call(*this);
    }
    void on_error(std::error_code why) override
    {
        if (when_closed)
            when_closed(why);
    }
};

std::string take(probe& socket)
{
    zmq::message_t frame;
    EXPECT_TRUE(socket.recv(frame));
    return frame.to_string();
}

/// Counts the loop's turns.
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

/// Calls a function after so many seconds, or at the next turn.
class timer {
public:
    timer(ev::loop_ref loop, double after, std::function<void()> work, double every = 0.)
        : work_(std::move(work))
        , timer_(loop)
    {
        timer_.set<timer, &timer::fire>(this);
        timer_.start(after, every);
    }

private:
    void fire(ev::timer&, int) { work_(); }
    std::function<void()> work_;
    ev::timer timer_;
};

class ZmqEvent : public ::testing::Test {
protected:
    zmq::context_t context;
    ev::dynamic_loop loop;
    watchdog dog{loop};

    std::vector<std::string> lines;
    void keep_lines()
    {
        funcptr::set_log_sink(
            loop, [this](funcptr::log_level, std::string_view line) { lines.emplace_back(line); });
    }
    zmq::socket_t peer(socket_type type, const std::string& endpoint)
    {
        zmq::socket_t socket(context, type);
        socket.set(zmq::sockopt::linger, 0);
        socket.connect(endpoint);
        return socket;
    }
    /// A turn or more without waiting.
    void turns(int count)
    {
        while (count-- > 0)
            loop.run(ev::NOWAIT);
    }
};

// --- reading ----------------------------------------------------------------------------------

TEST_F(ZmqEvent, OffersEachMessageOnceAndWhole)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    std::vector<std::string> seen;
    pull.on_read = [&](probe& socket) {
        std::string whole = take(socket);
        while (socket.more())
            whole += "|" + take(socket);
        seen.push_back(whole);
        if (seen.size() == 3)
            loop.break_loop();
    };
    push.send(zmq::buffer(std::string("one")));
    push.send(zmq::buffer(std::string("two")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("2")));
    push.send(zmq::buffer(std::string("three")));
    funcptr::run(loop);
    EXPECT_EQ(seen, (std::vector<std::string>{"one", "two||2", "three"}));
    EXPECT_EQ(pull.counters().messages_received, 3u);
    EXPECT_EQ(pull.counters().discarded_frames, 0u);
}

TEST_F(ZmqEvent, DiscardsTheRestOfAMessageTakenInPartAndSaysSo)
{
    keep_lines();
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    std::string seen;
    pull.on_read = [&](probe& socket) {
        seen += take(socket);
        if (seen == "14")
            loop.break_loop();
    };
    push.send(zmq::buffer(std::string("1")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("2")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("3")));
    push.send(zmq::buffer(std::string("4")));
    funcptr::run(loop);
    EXPECT_EQ(seen, "14");
    EXPECT_EQ(pull.counters().discarded_frames, 2u);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("2 frame(s)"), std::string::npos) << lines[0];
}

TEST_F(ZmqEvent, OffersAMessageOfWhichNothingWasTakenAgainAtTheNextTurn)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    turn_counter counter(loop);
    std::vector<int> offered;
    std::string seen;
    pull.on_read = [&](probe& socket) {
        offered.push_back(counter.turns);
        if (offered.size() < 4)
            return;
        seen = take(socket);
        loop.break_loop();
    };
    push.send(zmq::buffer(std::string("late")));
    funcptr::run(loop);
    EXPECT_EQ(seen, "late");
    for (std::size_t i = 1; i < offered.size(); ++i)
        EXPECT_EQ(offered[i], offered[i - 1] + 1);
}

TEST_F(ZmqEvent, ReadMayTakeSeveralMessagesUntilItWouldBlock)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    std::vector<std::string> seen;
    pull.on_read = [&](probe& socket) {
        zmq::message_t frame;
        funcptr::zmq_result result;
        while ((result = socket.recv(frame)))
            seen.push_back(frame.to_string());
        EXPECT_TRUE(result.would_block());
        loop.break_loop();
    };
    for (const char* text : {"a", "b", "c"})
        push.send(zmq::buffer(std::string(text)));
    funcptr::run(loop);
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(ZmqEvent, AMessageTakenInPartByATimerIsFinishedBeforeTheNextIsOffered)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    pull.want_read(false);
    push.send(zmq::buffer(std::string("head")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("tail")));
    push.send(zmq::buffer(std::string("next")));
    std::string seen;
    const timer partly(loop, 0., [&] {
        zmq::message_t frame;
        EXPECT_TRUE(pull.recv(frame));
        EXPECT_EQ(frame.to_string(), "head");
        pull.want_read(true);
    });
    pull.on_read = [&](probe& socket) {
        seen = take(socket);
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_EQ(seen, "next");
    EXPECT_EQ(pull.counters().discarded_frames, 1u);
}

TEST_F(ZmqEvent, UnwantedReadIsNotCalledAndWantingItAgainLosesNothing)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    int reads = 0;
    pull.on_read = [&](probe& socket) {
        take(socket);
        ++reads;
    };
    pull.want_read(false);
    push.send(zmq::buffer(std::string("x")));
    turns(20);
    EXPECT_EQ(reads, 0);
    pull.want_read(true);
    turns(3);
    EXPECT_EQ(reads, 1);
}

TEST_F(ZmqEvent, PauseKeepsPumpingAndResumeLosesNothing)
{
    probe router(loop, context, socket_type::router);
    router.bind("tcp://127.0.0.1:*");
    router.pause();
    for (int i = 0; i < 20; ++i) {
        auto dealer = peer(socket_type::dealer, router.last_endpoint());
        dealer.set(zmq::sockopt::linger, -1);
        dealer.send(zmq::buffer(std::string("m")));
    }
    std::vector<std::string> seen;
    router.on_read = [&](probe& socket) {
        take(socket);
        seen.push_back(take(socket));
        if (seen.size() == 20)
            loop.break_loop();
    };
    // Were it not pumped, its descriptor would stay readable and the loop would never come to rest:
    // the turns of a second would be hundreds of thousands.
    turn_counter counter(loop);
    const timer resume(loop, 1., [&] {
        EXPECT_TRUE(seen.empty());
        EXPECT_LT(counter.turns, 2000);
        router.resume();
    });
    funcptr::run(loop);
    EXPECT_EQ(seen.size(), 20u);
}

// --- writing ----------------------------------------------------------------------------------

TEST_F(ZmqEvent, WriteIsCalledOnlyWhenWanted)
{
    probe push(loop, context, socket_type::push);
    push.bind("inproc://a");
    auto pull = peer(socket_type::pull, "inproc://a");
    int writes = 0;
    push.on_write = [&](probe& socket) {
        ++writes;
        EXPECT_TRUE(socket.send("x"));
        socket.want_write(false);
    };
    turns(10);
    EXPECT_EQ(writes, 0);
    push.want_write(true);
    turns(10);
    EXPECT_EQ(writes, 1);
    zmq::message_t got;
    EXPECT_TRUE(pull.recv(got, zmq::recv_flags::dontwait));
}

TEST_F(ZmqEvent, ConnectMakesItWritableThoughNothingSignalsIt)
{
    zmq::socket_t pull(context, socket_type::pull);
    pull.bind("inproc://a");
    probe push(loop, context, socket_type::push);
    push.want_write(true);
    int writes = 0;
    push.on_write = [&](probe& socket) {
        ++writes;
        socket.want_write(false);
        loop.break_loop();
    };
    turns(5);
    EXPECT_EQ(writes, 0) << "writable without a peer";
    const timer later(loop, 0., [&] { push.connect("inproc://a"); });
    funcptr::run(loop);
    EXPECT_EQ(writes, 1);
}

TEST_F(ZmqEvent, ABlockedWriterCostsNoTurnAndGoesOnWhenThereIsRoom)
{
    probe push(loop, context, socket_type::push);
    push.set(zmq::sockopt::sndhwm, 3);
    push.bind("inproc://a");
    zmq::socket_t pull(context, socket_type::pull);
    pull.set(zmq::sockopt::rcvhwm, 3);
    pull.connect("inproc://a");
    int sent = 0;
    push.on_write = [&](probe& socket) { sent += static_cast<bool>(socket.send("x")); };
    push.want_write(true);
    turns(50);
    EXPECT_EQ(sent, 6);
    turn_counter counter(loop);
    const timer rest(loop, 1., [&] { loop.break_loop(); });
    funcptr::run(loop);
    EXPECT_LE(counter.turns, 2) << "the loop turned while nothing could be done";
    EXPECT_EQ(push.counters().parks, 0u);

    zmq::message_t got;
    for (int i = 0; i < 6; ++i)
        EXPECT_TRUE(pull.recv(got));
    const timer end(loop, 20., [&] { loop.break_loop(); });
    push.on_write = [&](probe& socket) {
        if (!socket.send("y"))
            return;
        socket.want_write(false);
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_TRUE(pull.recv(got));
    EXPECT_EQ(got.to_string(), "y");
}

TEST_F(ZmqEvent, AWriterToWhomPolloutLiesIsParkedAndServedWhenThereIsRoom)
{
    // XPUB_NODROP: POLLOUT is always set, and a full subscriber makes send() say EAGAIN.
    probe xpub(loop, context, socket_type::xpub);
    xpub.set(zmq::sockopt::xpub_nodrop, true);
    xpub.set(zmq::sockopt::sndhwm, 2);
    xpub.bind("inproc://a");
    zmq::socket_t sub(context, socket_type::sub);
    sub.set(zmq::sockopt::rcvhwm, 2);
    sub.connect("inproc://a");
    sub.set(zmq::sockopt::subscribe, "");
    int sent = 0;
    xpub.on_read = [&](probe& socket) {
        take(socket);
        socket.want_write(true);
    };
    xpub.on_write = [&](probe& socket) { sent += static_cast<bool>(socket.send("x")); };
    turns(50);
    EXPECT_EQ(sent, 4);
    EXPECT_GE(xpub.counters().parks, 1u);

    turn_counter counter(loop);
    const timer rest(loop, 1., [&] { loop.break_loop(); });
    funcptr::run(loop);
    EXPECT_LE(counter.turns, 20) << "it spun instead of being parked";

    zmq::message_t got;
    EXPECT_TRUE(sub.recv(got));
    EXPECT_TRUE(sub.recv(got));
    xpub.on_write = [&](probe& socket) {
        if (!socket.send("y"))
            return;
        socket.want_write(false);
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_GE(sent, 4);
}

TEST_F(ZmqEvent, AFailedSendLeavesTheMessageToTheCaller)
{
    probe push(loop, context, socket_type::push);
    push.bind("inproc://a"); // nobody is there
    zmq::message_t message(std::string_view("kept"));
    const auto result = push.send(message);
    EXPECT_FALSE(result);
    EXPECT_TRUE(result.would_block());
    EXPECT_EQ(message.to_string_view(), "kept");
}

// --- no lost wake-up --------------------------------------------------------------------------

/// Whatever sends on the socket takes its signal away; the message that had come in must be offered
/// all the same. Each round's request is sent only after the last one was answered.
void echo_rounds(zmq::context_t& context, ev::loop_ref loop, probe& dealer,
                 const std::string& endpoint, int rounds, const std::function<void()>& poke)
{
    std::thread far([&context, endpoint, rounds] {
        zmq::socket_t peer(context, socket_type::dealer);
        peer.set(zmq::sockopt::linger, 0);
        peer.connect(endpoint);
        zmq::message_t got;
        for (int i = 0; i < rounds; ++i) {
            peer.send(zmq::buffer(std::string("ping")), zmq::send_flags::none);
            do
                (void)peer.recv(got);
            while (got.to_string_view() != "pong"); // pokes come in between
        }
    });
    int answered = 0;
    dealer.on_read = [&](probe& socket) {
        take(socket);
        while (!socket.send("pong"))
            ;
        if (++answered == rounds)
            loop.break_loop();
    };
    if (poke)
        poke();
    funcptr::run(loop);
    far.join();
    EXPECT_EQ(answered, rounds);
}

class poking_prepare {
public:
    poking_prepare(ev::loop_ref loop, probe& socket, int priority)
        : socket_(socket)
        , prepare_(loop)
    {
        prepare_.set<poking_prepare, &poking_prepare::poke>(this);
        prepare_.priority = priority;
        prepare_.start();
    }

private:
    void poke(ev::prepare&, int)
    {
        if (++count_ % 2 == 0)
            (void)socket_.send("poke");
    }
    probe& socket_;
    int count_ = 0;
    ev::prepare prepare_;
};

TEST_F(ZmqEvent, SendsFromPrepareWatchersOfAnyPriorityLoseNoWakeUp)
{
    for (const int priority : {EV_MINPRI, 0, EV_MAXPRI}) {
        probe dealer(loop, context, socket_type::dealer);
        dealer.bind("tcp://127.0.0.1:*");
        const poking_prepare poking(loop, dealer, priority);
        echo_rounds(context, loop, dealer, dealer.last_endpoint(), 300, {});
    }
}

TEST_F(ZmqEvent, SendsFromATimerLoseNoWakeUp)
{
    probe dealer(loop, context, socket_type::dealer);
    dealer.bind("tcp://127.0.0.1:*");
    const timer poking(
        loop, 0., [&] { (void)dealer.send("poke"); }, 0.0001);
    echo_rounds(context, loop, dealer, dealer.last_endpoint(), 1000, {});
}

TEST_F(ZmqEvent, ATouchAfterUseOfTheHandleLosesNoWakeUp)
{
    probe dealer(loop, context, socket_type::dealer);
    dealer.bind("tcp://127.0.0.1:*");
    const timer poking(
        loop, 0.,
        [&] {
            dealer.handle().send(zmq::buffer("poke", 4), zmq::send_flags::dontwait);
            dealer.touch();
        },
        0.0001);
    echo_rounds(context, loop, dealer, dealer.last_endpoint(), 1000, {});
}

TEST_F(ZmqEvent, AStaleReplyOfARequestDoesNotCallRead)
{
    probe req(loop, context, socket_type::req);
    req.set(zmq::sockopt::req_relaxed, true);
    req.set(zmq::sockopt::req_correlate, true);
    req.bind("inproc://a");
    zmq::socket_t router(context, socket_type::router);
    router.connect("inproc://a");
    std::vector<std::string> seen;
    req.on_read = [&](probe& socket) {
        zmq::message_t frame;
        ASSERT_TRUE(socket.recv(frame)) << "read() was called though nothing could be read";
        seen.push_back(frame.to_string());
    };
    ASSERT_TRUE(req.send("first"));
    ASSERT_TRUE(req.send("second"));
    std::vector<std::vector<std::string>> requests(2);
    for (auto& request : requests) {
        zmq::message_t frame;
        do {
            ASSERT_TRUE(router.recv(frame, zmq::recv_flags::dontwait));
            request.push_back(frame.to_string());
        } while (frame.more());
    }
    const auto answer = [&](std::vector<std::string> frames) {
        for (std::size_t i = 0; i < frames.size(); ++i)
            router.send(zmq::buffer(frames[i]),
                        i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    };
    answer(requests[0]); // to a request that is given up: must be dropped
    turns(10);
    EXPECT_TRUE(seen.empty());
    answer(requests[1]);
    turns(10);
    EXPECT_EQ(seen, std::vector<std::string>{"second"});
}

TEST_F(ZmqEvent, ARequestThatWasNotSentCostsNoTurn)
{
    probe req(loop, context, socket_type::req); // recv() says EFSM, not EAGAIN
    req.bind("tcp://127.0.0.1:*");
    auto rep = peer(socket_type::rep, req.last_endpoint());
    turn_counter counter(loop);
    const timer rest(loop, 1., [&] { loop.break_loop(); });
    funcptr::run(loop);
    EXPECT_LT(counter.turns, 100);
}

// --- fairness ---------------------------------------------------------------------------------

struct fairness_case {
    funcptr::zmq_budget budget;
    std::vector<int> weights;
};

/// How many messages each of several prefilled sockets had taken when the first ran out.
std::vector<int> taken_when_one_is_empty(zmq::context_t& context, ev::loop_ref loop,
                                         const fairness_case& how, int prefill)
{
    funcptr::set_budget(loop, how.budget);
    std::vector<std::unique_ptr<probe>> pulls;
    std::vector<int> taken(how.weights.size());
    for (std::size_t i = 0; i < how.weights.size(); ++i) {
        zmq::socket_t pull(context, socket_type::pull);
        pull.set(zmq::sockopt::rcvhwm, 0);
        const std::string endpoint = "inproc://f" + std::to_string(i);
        pull.bind(endpoint);
        zmq::socket_t push(context, socket_type::push);
        push.set(zmq::sockopt::sndhwm, 0);
        push.connect(endpoint);
        for (int n = 0; n < prefill; ++n)
            push.send(zmq::buffer("x", 1), zmq::send_flags::none);
        pulls.push_back(std::make_unique<probe>(loop, std::move(pull)));
        pulls.back()->weight(how.weights[i]);
        pulls.back()->on_read = [&taken, i, prefill, loop](probe& socket) mutable {
            take(socket);
            if (++taken[i] == prefill)
                loop.break_loop();
        };
    }
    funcptr::run(loop);
    return taken;
}

TEST_F(ZmqEvent, SocketsOfOneWeightTakeTurns)
{
    funcptr::zmq_budget budget;
    budget.messages = 10;
    budget.time = 1min; // so that the count is exact
    const auto taken = taken_when_one_is_empty(context, loop, {budget, {1, 1, 1, 1}}, 1000);
    for (const int count : taken) {
        EXPECT_GE(count, 990);
        EXPECT_LE(count, 1000);
    }
}

TEST_F(ZmqEvent, SharesFollowTheWeights)
{
    funcptr::zmq_budget budget;
    budget.messages = 10;
    budget.time = 1min;
    const auto taken = taken_when_one_is_empty(context, loop, {budget, {1, 2, 4}}, 4000);
    EXPECT_NEAR(taken[0], 1000, 20);
    EXPECT_NEAR(taken[1], 2000, 30);
    EXPECT_GE(taken[2], 3990);
}

TEST_F(ZmqEvent, ABudgetOfBytesMakesALargeMessagePayBack)
{
    funcptr::zmq_budget budget;
    budget.bytes = 1000;
    budget.time = 1min;
    funcptr::set_budget(loop, budget);
    std::string order;
    std::vector<std::unique_ptr<probe>> pulls;
    for (const auto& [name, size] : {std::pair<char, std::size_t>{'L', 10000}, {'s', 1000}}) {
        zmq::socket_t pull(context, socket_type::pull);
        const std::string endpoint = std::string("inproc://") + name;
        pull.bind(endpoint);
        auto push = peer(socket_type::push, endpoint);
        const std::string body(size, 'x');
        for (int i = 0; i < 20; ++i)
            push.send(zmq::buffer(body), zmq::send_flags::none);
        pulls.push_back(std::make_unique<probe>(loop, std::move(pull)));
        pulls.back()->on_read = [&order, this, label = name](probe& socket) {
            take(socket);
            order += label;
            if (order.size() == 22)
                loop.break_loop();
        };
    }
    funcptr::run(loop);
    // One large message, then ten turns in which only the small ones' socket may read.
    EXPECT_EQ(order, "LssssssssssLssssssssss");
}

TEST_F(ZmqEvent, OtherWatchersRunBetweenTurnsUnderAFlood)
{
    funcptr::zmq_budget budget;
    budget.messages = 5;
    funcptr::set_budget(loop, budget);
    probe pull(loop, context, socket_type::pull);
    pull.set(zmq::sockopt::rcvhwm, 0);
    pull.bind("inproc://a");
    zmq::socket_t push(context, socket_type::push);
    push.set(zmq::sockopt::sndhwm, 0);
    push.connect("inproc://a");
    for (int i = 0; i < 1000; ++i)
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    int taken = 0, at_timer = -1;
    pull.on_read = [&](probe& socket) {
        take(socket);
        if (++taken == 1000)
            loop.break_loop();
    };
    const timer between(loop, 0., [&] { at_timer = taken; });
    funcptr::run(loop);
    EXPECT_GE(at_timer, 0);
    EXPECT_LE(at_timer, 10);
    EXPECT_GE(pull.counters().budget_hits, 190u);
}

TEST_F(ZmqEvent, SlowCallbacksEndTheTurnByTime)
{
    funcptr::zmq_budget budget;
    budget.time = 1us; // every callback is slow beside this
    funcptr::set_budget(loop, budget);
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    for (int i = 0; i < 100; ++i)
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    turn_counter counter(loop);
    int taken = 0;
    pull.on_read = [&](probe& socket) {
        take(socket);
        const auto start = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() - start < 20us)
            ;
        if (++taken == 100)
            loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_GE(counter.turns, 99);
}

TEST_F(ZmqEvent, IdleSocketsAreNotVisited)
{
    std::vector<std::unique_ptr<probe>> idle;
    for (int i = 0; i < 100; ++i) {
        idle.push_back(std::make_unique<probe>(loop, context, socket_type::pull));
        idle.back()->bind("inproc://idle" + std::to_string(i));
    }
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    turns(5);
    std::uint64_t before = 0, after = 0;
    for (const auto& socket : idle)
        before += socket->counters().visits;
    int taken = 0;
    pull.on_read = [&](probe& socket) {
        take(socket);
        ++taken;
    };
    for (int i = 0; i < 100; ++i) {
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
        turns(2);
    }
    EXPECT_EQ(taken, 100);
    for (const auto& socket : idle)
        after += socket->counters().visits;
    EXPECT_EQ(after, before);
}

TEST_F(ZmqEvent, ABudgetBelowOneIsRefused)
{
    EXPECT_THROW(funcptr::set_budget(loop, {.messages = 0}), std::invalid_argument);
    EXPECT_THROW(funcptr::set_budget(loop, {.bytes = 0}), std::invalid_argument);
    EXPECT_THROW(funcptr::set_budget(loop, {.time = 0us}), std::invalid_argument);
    probe pull(loop, context, socket_type::pull);
    EXPECT_THROW(pull.weight(0), std::invalid_argument);
    EXPECT_THROW(pull.weight(1001), std::invalid_argument);
}

// --- hostile callbacks ------------------------------------------------------------------------

TEST_F(ZmqEvent, MayBeDestroyedInItsOwnRead)
{
    auto pull = std::make_unique<probe>(loop, context, socket_type::pull);
    pull->bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    push.send(zmq::buffer("xy", 2), zmq::send_flags::sndmore);
    push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    pull->on_read = [&](probe& socket) {
        take(socket);
        pull.reset();
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_FALSE(pull);
}

TEST_F(ZmqEvent, MayBeDestroyedInItsOwnWrite)
{
    auto push = std::make_unique<probe>(loop, context, socket_type::push);
    push->bind("inproc://a");
    auto pull = peer(socket_type::pull, "inproc://a");
    push->want_write(true);
    push->on_write = [&](probe& socket) {
        EXPECT_TRUE(socket.send("x"));
        push.reset();
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_FALSE(push);
}

TEST_F(ZmqEvent, MayDestroyAnyOtherInItsRead)
{
    // All are ready at once; each one's read destroys its neighbour, already served or not.
    std::vector<std::unique_ptr<probe>> pulls(8);
    for (std::size_t i = 0; i < pulls.size(); ++i) {
        pulls[i] = std::make_unique<probe>(loop, context, socket_type::pull);
        const auto endpoint = "inproc://" + std::to_string(i);
        pulls[i]->bind(endpoint);
        auto push = peer(socket_type::push, endpoint);
        push.set(zmq::sockopt::linger, -1);
        for (int n = 0; n < 3; ++n)
            push.send(zmq::buffer("x", 1), zmq::send_flags::none);
        pulls[i]->on_read = [&pulls, i](probe& socket) {
            take(socket);
            pulls[(i + 3) % pulls.size()].reset();
        };
    }
    turns(10);
    const auto left = std::count_if(pulls.begin(), pulls.end(), [](auto& p) { return !!p; });
    EXPECT_LT(left, 8);
    EXPECT_GE(left, 1);
}

TEST_F(ZmqEvent, MayBeClosedInItsOwnReadAndIsNotCalledAgain)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    int reads = 0;
    pull.on_read = [&](probe& socket) {
        ++reads;
        socket.close();
        zmq::message_t frame;
        EXPECT_EQ(socket.recv(frame).error, std::errc::not_a_socket);
        EXPECT_EQ(socket.send("x").error, std::errc::not_a_socket);
    };
    turns(10);
    EXPECT_EQ(reads, 1);
    EXPECT_TRUE(pull.closed());
    EXPECT_THROW(pull.connect("inproc://b"), funcptr::error);
}

TEST_F(ZmqEvent, MayBeTouchedClosedAndDestroyedAndIsThenForgotten)
{
    const probe other(loop, context, socket_type::pull); // keeps the hub at work
    auto pull = std::make_unique<probe>(loop, context, socket_type::pull);
    pull->bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    bool called = false;
    pull->on_read = [&](probe& socket) {
        called = true;
        take(socket);
        socket.want_write(true); // it is touched when it is closed: nothing may come of that
        socket.close();
    };
    push.send(zmq::buffer(std::string("x")));
    turns(3);
    EXPECT_TRUE(called);
    pull.reset();
    turns(3);
}

TEST_F(ZmqEvent, LendsAFrameThatMayBeMovedOutAndKept)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    std::vector<zmq::message_t> kept;
    pull.on_read = [&](probe& socket) {
        do
            kept.push_back(std::move(socket.recv()));
        while (socket.more());
        EXPECT_EQ(socket.recv().size(), 0u) << "nothing more";
    };
    push.send(zmq::buffer(std::string("one")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string(100, 'x')));
    turns(3);
    ASSERT_EQ(kept.size(), 2u);
    EXPECT_EQ(kept[0].to_string(), "one");
    EXPECT_EQ(kept[1].size(), 100u);
    EXPECT_EQ(pull.counters().messages_received, 1u);
}

TEST_F(ZmqEvent, ALentFrameIsEmptyOnceTheContextIsGone)
{
    zmq::context_t mortal;
    probe pull(loop, mortal, socket_type::pull);
    pull.bind("inproc://a");
    mortal.shutdown();
    EXPECT_EQ(pull.recv().size(), 0u);
    EXPECT_TRUE(pull.closed());
}

TEST_F(ZmqEvent, AReleasedSocketIsAsItWasAndNobodyIsCalled)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    int reads = 0;
    pull.on_read = [&](probe& socket) {
        ++reads;
        take(socket);
    };
    turns(2);
    push.send(zmq::buffer(std::string("x")));
    auto socket = pull.release();
    EXPECT_TRUE(pull.closed());
    turns(3);
    EXPECT_EQ(reads, 0);
    zmq::message_t frame;
    ASSERT_TRUE(socket.recv(frame, zmq::recv_flags::dontwait));
    EXPECT_EQ(frame.to_string(), "x");

    probe again(loop, std::move(socket)); // and may be adopted anew
    again.on_read = pull.on_read;
    push.send(zmq::buffer(std::string("y")));
    turns(3);
    EXPECT_EQ(reads, 1);
}

TEST_F(ZmqEvent, MayBeReleasedInItsOwnRead)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    zmq::socket_t socket;
    pull.on_read = [&](probe& it) {
        take(it);
        socket = it.release();
    };
    push.send(zmq::buffer(std::string("x")));
    push.send(zmq::buffer(std::string("y")));
    turns(3);
    zmq::message_t frame;
    ASSERT_TRUE(socket && socket.recv(frame, zmq::recv_flags::dontwait));
    EXPECT_EQ(frame.to_string(), "y");
}

TEST_F(ZmqEvent, AReleaseThatWouldLoseAMessageIsRefused)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    int refused = 0;
    pull.on_read = [&](probe& socket) {
        try {
            (void)socket.release();
        } catch (const std::logic_error&) {
            ++refused; // nothing of it was taken
        }
        take(socket);
        try {
            (void)socket.release();
        } catch (const std::logic_error&) {
            ++refused; // half of it was
        }
        take(socket);
        EXPECT_NO_THROW((void)socket.release());
    };
    push.send(zmq::buffer(std::string("x")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("y")));
    turns(3);
    EXPECT_EQ(refused, 2);
    EXPECT_TRUE(pull.closed());
}

TEST_F(ZmqEvent, MayMakeNewSocketsInItsRead)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    std::vector<std::unique_ptr<probe>> made;
    int reads = 0;
    pull.on_read = [&](probe& socket) {
        take(socket);
        ++reads;
        made.push_back(std::make_unique<probe>(loop, context, socket_type::pull));
    };
    for (int i = 0; i < 50; ++i)
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    turns(60);
    EXPECT_EQ(reads, 50);
}

TEST_F(ZmqEvent, ANestedRunServesOtherSocketsButNotTheOneWhoseCallbackRuns)
{
    probe outer(loop, context, socket_type::pull);
    probe inner(loop, context, socket_type::pull);
    outer.bind("tcp://127.0.0.1:*");
    inner.bind("inproc://inner");
    auto to_outer = peer(socket_type::push, outer.last_endpoint());
    auto to_inner = peer(socket_type::push, "inproc://inner");
    int depth = 0, outer_reads = 0, inner_reads = 0, turns_inside = 0;
    inner.on_read = [&](probe& socket) {
        take(socket);
        ++inner_reads;
        loop.break_loop();
    };
    outer.on_read = [&](probe& socket) {
        EXPECT_EQ(depth, 0);
        ++depth;
        take(socket);
        if (++outer_reads == 1) {
            to_outer.send(zmq::buffer("x", 1), zmq::send_flags::none); // arrives while we run
            turn_counter counter(loop);
            const timer later(loop, 0.5,
                              [&] { to_inner.send(zmq::buffer("x", 1), zmq::send_flags::none); });
            funcptr::run(loop);
            turns_inside = counter.turns;
        } else
            loop.break_loop();
        --depth;
    };
    to_outer.send(zmq::buffer("x", 1), zmq::send_flags::none);
    funcptr::run(loop);
    EXPECT_EQ(inner_reads, 1);
    EXPECT_EQ(outer_reads, 2);
    EXPECT_LT(turns_inside, 1000) << "the loop spun on the descriptor of the socket that was busy";
}

TEST_F(ZmqEvent, AThrowingReadBreaksTheLoopAndTheNextRunGoesOn)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    std::string seen;
    pull.on_read = [&](probe& socket) {
        const auto text = take(socket);
        if (text == "bad")
            throw std::runtime_error("bad message");
        seen += text;
        if (text == "end")
            loop.break_loop();
    };
    for (const char* text : {"1", "bad", "2", "end"})
        push.send(zmq::buffer(std::string(text)), zmq::send_flags::none);
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    EXPECT_EQ(seen, "1");
    EXPECT_EQ(loop.depth(), 0u);
    funcptr::run(loop);
    EXPECT_EQ(seen, "12end");
}

TEST_F(ZmqEvent, AReadThatAlwaysThrowsDoesNotKeepOthersFromTheirTurn)
{
    int hooked = 0, reads = 0;
    funcptr::set_error_hook(loop, [&](std::exception_ptr) { ++hooked; });
    probe bad(loop, context, socket_type::pull);
    probe good(loop, context, socket_type::pull);
    bad.bind("inproc://bad");
    good.bind("inproc://good");
    auto to_bad = peer(socket_type::push, "inproc://bad");
    auto to_good = peer(socket_type::push, "inproc://good");
    to_bad.send(zmq::buffer("x", 1), zmq::send_flags::none);
    to_good.send(zmq::buffer("x", 1), zmq::send_flags::none);
    bad.on_read = [](probe&) { throw 1; }; // takes nothing: offered for ever
    good.on_read = [&](probe& socket) {
        take(socket);
        ++reads;
    };
    turns(10);
    EXPECT_EQ(reads, 1);
    EXPECT_GE(hooked, 4);
}

// --- ends -------------------------------------------------------------------------------------

TEST_F(ZmqEvent, AContextThatShutsDownIsReportedOnceAndTheSocketIsClosed)
{
    auto ending = std::make_unique<zmq::context_t>();
    probe pull(loop, *ending, socket_type::pull);
    probe paused(loop, *ending, socket_type::pull);
    probe writer(loop, *ending, socket_type::push);
    pull.bind("inproc://a");
    paused.pause();
    writer.bind("inproc://b");
    writer.want_write(true);
    std::vector<std::error_code> reasons;
    for (probe* each : {&pull, &paused, &writer})
        each->when_closed = [&](std::error_code why) { reasons.push_back(why); };
    const timer end(loop, 0., [&] { ending->shutdown(); });
    funcptr::run(loop); // ends by itself: closed sockets have no watcher
    ASSERT_EQ(reasons.size(), 3u);
    for (const auto& why : reasons)
        EXPECT_EQ(why, funcptr::errc::context_terminated);
    EXPECT_TRUE(pull.closed() && paused.closed() && writer.closed());
    ending.reset(); // zmq_ctx_term: would block if a socket were open
}

TEST_F(ZmqEvent, ATermInAnotherThreadEnds)
{
    auto ending = std::make_unique<zmq::context_t>();
    probe pull(loop, *ending, socket_type::pull);
    pull.bind("inproc://a");
    int reports = 0;
    pull.when_closed = [&](std::error_code) { ++reports; };
    std::thread other([&] { ending->close(); });
    funcptr::run(loop);
    other.join();
    EXPECT_EQ(reports, 1);
}

TEST_F(ZmqEvent, AnEndSeenBySendOutsideOfAnyCallbackIsStillReported)
{
    zmq::context_t ending;
    probe push(loop, ending, socket_type::push);
    std::error_code reason;
    push.when_closed = [&](std::error_code why) { reason = why; };
    turns(3);
    ending.shutdown();
    EXPECT_EQ(push.send("x").error, funcptr::errc::context_terminated);
    EXPECT_TRUE(push.closed());
    funcptr::run(loop);
    EXPECT_EQ(reason, funcptr::errc::context_terminated);
}

TEST_F(ZmqEvent, ByDefaultAnErrorIsLogged)
{
    keep_lines();
    struct silent : funcptr::zmq_event {
        using zmq_event::zmq_event;
        void read() override {}
    };
    zmq::context_t ending;
    const silent pull(loop, ending, socket_type::pull);
    ending.shutdown();
    funcptr::run(loop);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("context was terminated"), std::string::npos);
}

TEST_F(ZmqEvent, OutlivesItsLoop)
{
    auto short_lived = std::make_unique<ev::dynamic_loop>();
    probe push(*short_lived, context, socket_type::push);
    push.bind("inproc://a");
    auto pull = peer(socket_type::pull, "inproc://a");
    short_lived.reset();
    EXPECT_TRUE(push.send("still"));
    push.want_write(true);
    push.touch();
    zmq::message_t got;
    EXPECT_TRUE(pull.recv(got, zmq::recv_flags::dontwait));
    EXPECT_EQ(got.to_string(), "still");
}

TEST_F(ZmqEvent, WorksOnANewLoopAtAnOldOnesAddress)
{
    for (int i = 0; i < 20; ++i) {
        ev::dynamic_loop again;
        probe pull(again, context, socket_type::pull);
        const auto endpoint = "inproc://again" + std::to_string(i); // names are freed by the reaper
        pull.bind(endpoint);
        auto push = peer(socket_type::push, endpoint);
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
        int reads = 0;
        pull.on_read = [&](probe& socket) {
            take(socket);
            ++reads;
        };
        again.run(ev::NOWAIT);
        again.run(ev::NOWAIT);
        EXPECT_EQ(reads, 1);
    }
}

TEST_F(ZmqEvent, ADescriptorNumberThatIsUsedAgainIsWatched)
{
    int reads = 0;
    for (int i = 0; i < 30; ++i) {
        probe pull(loop, context, socket_type::pull);
        pull.bind("tcp://127.0.0.1:*");
        auto push = peer(socket_type::push, pull.last_endpoint());
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
        pull.on_read = [&](probe& socket) {
            take(socket);
            ++reads;
            loop.break_loop();
        };
        funcptr::run(loop);
    }
    EXPECT_EQ(reads, 30);
}

TEST_F(ZmqEvent, SeveralLoopsInSeveralThreadsServeTheirOwn)
{
    std::vector<std::thread> threads;
    std::atomic<int> total{0};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([this, &total, t] {
            ev::dynamic_loop mine;
            const watchdog my_dog(mine);
            probe pull(mine, context, socket_type::pull);
            const auto endpoint = "inproc://t" + std::to_string(t);
            pull.bind(endpoint);
            auto push = peer(socket_type::push, endpoint);
            for (int i = 0; i < 200; ++i)
                push.send(zmq::buffer("x", 1), zmq::send_flags::none);
            int reads = 0;
            pull.on_read = [&](probe& socket) {
                take(socket);
                ++total;
                if (++reads == 200)
                    mine.break_loop();
            };
            funcptr::run(mine);
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(total, 800);
}

TEST_F(ZmqEvent, AnExitWithUnsentMessagesDoesNotHang)
{
    auto ending = std::make_unique<zmq::context_t>();
    {
        probe push(loop, *ending, socket_type::push);
        push.connect("tcp://127.0.0.1:1"); // nobody listens on tcpmux
        EXPECT_TRUE(push.send("never delivered"));
    }
    auto done = std::async(std::launch::async, [&] { ending.reset(); });
    EXPECT_EQ(done.wait_for(30s), std::future_status::ready);
}

// --- configuration ----------------------------------------------------------------------------

TEST_F(ZmqEvent, RefusesASocketTypeWithoutADescriptor)
{
    const auto client =
        static_cast<socket_type>(13); // ZMQ_CLIENT, a draft type without a name here
    try {
        const probe never(loop, context, client);
        FAIL() << "accepted";
    } catch (const funcptr::error& refused) {
        EXPECT_EQ(refused.code(), funcptr::errc::unsupported_socket);
        EXPECT_NE(std::string(refused.what()).find("type 13"), std::string::npos) << refused.what();
    }
}

TEST_F(ZmqEvent, RefusesAContextThatIsGone)
{
    zmq::context_t gone;
    gone.shutdown();
    try {
        const probe never(loop, gone, socket_type::pull);
        FAIL() << "accepted";
    } catch (const funcptr::error& refused) {
        EXPECT_EQ(refused.code(), funcptr::errc::context_terminated);
    }
}

TEST_F(ZmqEvent, NamesTheEndpointThatCannotBeBound)
{
    probe first(loop, context, socket_type::pull);
    first.bind("tcp://127.0.0.1:*");
    probe second(loop, context, socket_type::pull);
    try {
        second.bind(first.last_endpoint());
        FAIL() << "bound twice";
    } catch (const funcptr::error& refused) {
        EXPECT_EQ(refused.code(), std::errc::address_in_use);
        EXPECT_EQ(refused.what(),
                  "cannot bind " + first.last_endpoint() + ": Address already in use");
    }
    EXPECT_THROW(second.connect("nonsense"), funcptr::error);
    EXPECT_THROW(second.unbind("tcp://127.0.0.1:9"), funcptr::error);
    EXPECT_THROW(second.disconnect("tcp://127.0.0.1:9"), funcptr::error);
}

TEST_F(ZmqEvent, RefusesAHighWaterMarkThatComesTooLate)
{
    const auto code_of = [](const std::function<void()>& call) {
        try {
            call();
        } catch (const funcptr::error& refused) {
            return refused.code();
        }
        return std::error_code();
    };
    probe bound(loop, context, socket_type::push);
    bound.set(zmq::sockopt::sndhwm, 10);
    bound.bind("inproc://a");
    EXPECT_EQ(code_of([&] { bound.set(zmq::sockopt::sndhwm, 20); }), funcptr::errc::too_late);
    EXPECT_EQ(bound.get(zmq::sockopt::sndhwm), 10);
    probe connected(loop, context, socket_type::pull);
    connected.connect("inproc://a");
    EXPECT_EQ(code_of([&] { connected.set(zmq::sockopt::rcvhwm, 20); }), funcptr::errc::too_late);
    probe adopted(loop, zmq::socket_t(context, socket_type::pull));
    EXPECT_EQ(code_of([&] { adopted.set(zmq::sockopt::rcvhwm, 20); }), funcptr::errc::too_late);
}

TEST_F(ZmqEvent, AnOptionThatIsRefusedIsNamed)
{
    probe pull(loop, context, socket_type::pull);
    try {
        pull.set(zmq::sockopt::subscribe, "x"); // only SUB can
        FAIL() << "accepted";
    } catch (const funcptr::error& refused) {
        EXPECT_NE(std::string(refused.what()).find("option 6"), std::string::npos)
            << refused.what();
    }
}

TEST_F(ZmqEvent, GivesItsSocketsDefaultsWithWhichNoExitHangs)
{
    const probe pull(loop, context, socket_type::pull);
    EXPECT_EQ(pull.get(zmq::sockopt::linger), 1000);
    EXPECT_EQ(pull.get(zmq::sockopt::heartbeat_ivl), 10000);
    EXPECT_EQ(pull.get(zmq::sockopt::heartbeat_timeout), 30000);
    EXPECT_TRUE(pull.want_read());
    EXPECT_FALSE(probe(loop, context, socket_type::push).want_read());
    EXPECT_FALSE(probe(loop, context, socket_type::pub).want_read());
}

TEST_F(ZmqEvent, AnAdoptedSocketKeepsItsOptions)
{
    zmq::socket_t own(context, socket_type::pull);
    own.set(zmq::sockopt::linger, 77);
    const probe adopted(loop, std::move(own));
    EXPECT_EQ(adopted.get(zmq::sockopt::linger), 77);
    EXPECT_EQ(adopted.get(zmq::sockopt::heartbeat_ivl), 0);
    EXPECT_THROW(probe(loop, zmq::socket_t()), funcptr::error);
}

TEST_F(ZmqEvent, AWildcardTakesBothFamiliesAndANameReachesAnIpv4OnlyPeer)
{
    probe both(loop, context, socket_type::pull);
    both.bind("tcp://*:*");
    const auto endpoint = both.last_endpoint();
    const auto port = endpoint.substr(endpoint.rfind(':'));
    auto by_ipv4 = peer(socket_type::push, "tcp://127.0.0.1" + port);
    by_ipv4.send(zmq::buffer("4", 1), zmq::send_flags::none);
    std::string seen;
    both.on_read = [&](probe& socket) {
        seen += take(socket);
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_EQ(seen, "4");

    zmq::socket_t only_ipv4(context, socket_type::push); // libzmq's default: IPv4 alone
    only_ipv4.set(zmq::sockopt::linger, 0);
    only_ipv4.bind("tcp://*:*");
    const auto other = only_ipv4.get(zmq::sockopt::last_endpoint);
    probe by_name(loop, context, socket_type::pull);
    by_name.connect("tcp://localhost" + other.substr(other.rfind(':')));
    by_name.on_read = both.on_read;
    only_ipv4.send(zmq::buffer("n", 1), zmq::send_flags::none);
    funcptr::run(loop);
    EXPECT_EQ(seen, "4n");
}

TEST_F(ZmqEvent, AnIpv6LiteralIsReachedWithoutAnOption)
{
    probe pull(loop, context, socket_type::pull);
    try {
        pull.bind("tcp://[::1]:*");
    } catch (const funcptr::error& refused) {
        GTEST_SKIP() << "no IPv6 on this machine: " << refused.what();
    }
    probe push(loop, context, socket_type::push);
    push.connect(pull.last_endpoint());
    ASSERT_TRUE(push.send("6"));
    std::string seen;
    pull.on_read = [&](probe& socket) {
        seen = take(socket);
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_EQ(seen, "6");
}

} // namespace
