// SPDX-License-Identifier: MIT
#include <funcptr/zmq_async.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/count_allocations.h"
#include "support/watchdog.h"

namespace {

using namespace std::chrono_literals;
using funcptr::make_multipart;
using funcptr::zmq_async;
using funcptr::zmq_multipart;
using funcptr::zmq_task;
using funcptr::testing::watchdog;
using zmq::socket_type;
using texts = std::vector<std::string>;

class ZmqAsync : public ::testing::Test {
protected:
    zmq::context_t context;
    ev::dynamic_loop loop;
    watchdog dog{loop};
    texts log;

    zmq::socket_t peer(socket_type type, const std::string& endpoint)
    {
        zmq::socket_t socket(context, type);
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::rcvhwm, 0);
        socket.set(zmq::sockopt::sndhwm, 0);
        socket.connect(endpoint);
        return socket;
    }
    void turns(int count = 5)
    {
        while (count-- > 0)
            loop.run(ev::NOWAIT);
    }

    zmq_task receive_one(zmq_async& socket)
    {
        const auto got = co_await socket.async_recv();
        log.push_back(got ? got.message[0].to_string() : got.error.message());
    }

    zmq_task both(zmq_task& one, zmq_task& other)
    {
        co_await one;
        co_await other;
        log.emplace_back("both");
    }

    /// Logs each message, joined, until an error, and that.
    zmq_task receive(zmq_async& socket, zmq_async::timeout within = std::nullopt)
    {
        for (;;) {
            const auto got = co_await socket.async_recv(within);
            if (!got) {
                log.push_back(got.error.message());
                co_return;
            }
            std::string text;
            for (const auto& frame : got.message)
                text += frame.to_string() + "|";
            log.push_back(text);
        }
    }
};

zmq_task echo(zmq_async& socket)
{
    zmq_multipart message;
    while (co_await socket.async_recv(message))
        co_await socket.async_send(message);
}

zmq_task ask(zmq_async& socket, int count, int& answers)
{
    for (int i = 0; i < count; ++i) {
        EXPECT_TRUE(co_await socket.async_send(make_multipart(std::to_string(i))));
        const auto answer = co_await socket.async_recv();
        EXPECT_TRUE(answer);
        answers += answer.message.at(0).to_string() == std::to_string(i);
    }
}

TEST_F(ZmqAsync, AsksAndAnswersInStraightLines)
{
    zmq_async server(loop, context, socket_type::rep);
    server.bind("inproc://async");
    zmq_async client(loop, context, socket_type::req);
    client.connect("inproc://async");
    int answers = 0;
    auto serving = echo(server);
    auto asking = ask(client, 1000, answers);
    serving.start();
    asking.start();
    while (!asking.done() && !HasFailure())
        loop.run(ev::ONCE);
    EXPECT_EQ(answers, 1000);
    EXPECT_FALSE(serving.done());
}

TEST_F(ZmqAsync, GivesWholeMessagesInOrder)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    push.send(zmq::buffer(std::string("a")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("b")));
    push.send(zmq::buffer(std::string("c")));
    auto task = receive(pull);
    task.start();
    turns();
    EXPECT_EQ(log, (texts{"a|b|", "c|"}));
}

TEST_F(ZmqAsync, TakesNothingWhileNobodyWaits)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    push.send(zmq::buffer(std::string("early")));
    turns();
    EXPECT_EQ(pull.counters().messages_received, 0u);
    auto task = receive(pull);
    task.start();
    turns();
    EXPECT_EQ(log, texts{"early|"});
}

TEST_F(ZmqAsync, SeveralWaitersAreServedInTheirOrder)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    const auto once = [&](const char* name) -> zmq_task {
        const auto got = co_await pull.async_recv();
        log.push_back(name + got.message.at(0).to_string());
    };
    auto a = once("a");
    auto b = once("b");
    a.start();
    b.start();
    auto push = peer(socket_type::push, "inproc://async");
    for (const char* text : {"1", "2", "3"})
        push.send(zmq::buffer(std::string(text)));
    turns();
    EXPECT_EQ(log, (texts{"a1", "b2"}));
    auto c = once("c"); // the third was not lost
    c.start();
    turns();
    EXPECT_EQ(log.back(), "c3");
}

TEST_F(ZmqAsync, TheNumberOfWaitersIsBounded)
{
    zmq_async pull(loop, context, socket_type::pull, {.waiting = 1});
    auto first = receive(pull);
    auto second = receive(pull);
    first.start();
    second.start();
    EXPECT_TRUE(second.done());
    EXPECT_EQ(log, texts{make_error_code(funcptr::errc::limit).message()});
}

TEST_F(ZmqAsync, AMillionMessagesNeitherGrowTheStackNorStarveATimer)
{
    constexpr int count = 1'000'000;
    zmq_async pull(loop, context, socket_type::pull);
    pull.set(zmq::sockopt::rcvhwm, 0);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    for (int i = 0; i < count; ++i)
        push.send(zmq::buffer(std::string_view("x")));
    struct ticker {
        ev::timer timer;
        int ticks = 0;
        explicit ticker(ev::loop_ref loop)
            : timer(loop)
        {
            timer.set<ticker, &ticker::tick>(this);
            timer.start(0., 0.0001);
        }
        void tick(ev::timer&, int) { ++ticks; }
    } ticker(loop);
    int received = 0;
    std::size_t allocations = 0;
    std::optional<funcptr::testing::allocation_counter> counter;
    const auto drain = [&]() -> zmq_task {
        zmq_multipart message;
        for (; received < count; ++received) {
            if (received == 1000)
                counter.emplace(allocations);
            if (received == count - 1)
                counter.reset();
            if (!co_await pull.async_recv(message))
                co_return;
        }
    };
    auto task = drain();
    task.start();
    while (!task.done() && !HasFailure())
        loop.run(ev::ONCE);
    EXPECT_EQ(received, count);
    EXPECT_EQ(allocations, 0u);  // also when they are not counted
    EXPECT_GT(ticker.ticks, 10); // some hundred turns of a millisecond
}

TEST_F(ZmqAsync, ASenderWaitsForRoomAndItsMessageGoesWhole)
{
    zmq_async push(loop, context, socket_type::push);
    push.set(zmq::sockopt::sndhwm, 1);
    push.bind("inproc://async");
    int sent = 0;
    const auto send_all = [&]() -> zmq_task {
        for (; sent < 10; ++sent)
            if (!co_await push.async_send(make_multipart(std::to_string(sent), "tail")))
                co_return;
    };
    auto task = send_all();
    task.start();
    turns();
    EXPECT_EQ(sent, 0);
    auto pull = peer(socket_type::pull, "inproc://async");
    int received = 0;
    while (received < 10 && !HasFailure()) {
        turns(1);
        zmq::message_t frame;
        while (pull.recv(frame, zmq::recv_flags::dontwait)) {
            EXPECT_EQ(frame.to_string(), std::to_string(received));
            ASSERT_TRUE(pull.recv(frame, zmq::recv_flags::dontwait));
            EXPECT_EQ(frame.to_string(), "tail");
            ++received;
        }
    }
    turns();
    EXPECT_TRUE(task.done());
}

TEST_F(ZmqAsync, ARefusedMessageStaysTheCallers)
{
    zmq_async router(loop, context, socket_type::router);
    router.set(zmq::sockopt::router_mandatory, true);
    router.bind("inproc://async");
    const auto other = peer(socket_type::dealer, "inproc://async"); // or POLLOUT never comes
    zmq_multipart message = make_multipart("nobody", "hello");
    std::error_code why;
    const auto send_one = [&]() -> zmq_task {
        why = (co_await router.async_send(message)).error;
        const auto none = co_await router.async_send(zmq_multipart());
        EXPECT_EQ(none.error, std::errc::invalid_argument);
    };
    auto task = send_one();
    task.start();
    turns();
    EXPECT_TRUE(task.done());
    EXPECT_EQ(why, std::errc::host_unreachable);
    EXPECT_EQ(message.size(), 2u);
}

// --- timeouts ---------------------------------------------------------------------------------

TEST_F(ZmqAsync, ATimeoutIsAValueAndTheNextMessageIsNotLost)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    auto task = receive(pull, 0ms);
    task.start();
    while (!task.done() && !HasFailure())
        loop.run(ev::ONCE);
    EXPECT_EQ(log, texts{std::make_error_code(std::errc::timed_out).message()});
    push.send(zmq::buffer(std::string("later")));
    turns();
    log.clear();
    auto again = receive(pull, 1h);
    again.start();
    turns();
    EXPECT_EQ(log, texts{"later|"});
}

TEST_F(ZmqAsync, ASenderMayTimeOutAndKeepsItsMessage)
{
    zmq_async push(loop, context, socket_type::push);
    push.bind("inproc://async");
    auto message = make_multipart("x");
    std::error_code why;
    const auto send_one = [&]() -> zmq_task {
        why = (co_await push.async_send(message, 1ms)).error;
    };
    auto task = send_one();
    task.start();
    while (!task.done() && !HasFailure())
        loop.run(ev::ONCE);
    EXPECT_EQ(why, std::errc::timed_out);
    EXPECT_EQ(message.size(), 1u);
}

// --- lifetime ---------------------------------------------------------------------------------

TEST_F(ZmqAsync, ACoroutineMayBeDestroyedWhileItWaits)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    {
        auto task = receive(pull, 1h);
        auto other = receive(pull);
        task.start();
        other.start();
    }
    push.send(zmq::buffer(std::string("x")));
    turns();
    EXPECT_TRUE(log.empty());
    auto task = receive(pull);
    task.start();
    turns();
    EXPECT_EQ(log, texts{"x|"});
}

TEST_F(ZmqAsync, WhenTheSocketGoesItsWaitersGoOnFromTheLoop)
{
    for (const bool destroyed : {true, false}) {
        auto pull = std::make_unique<zmq_async>(loop, context, socket_type::pull);
        auto task = receive(*pull, 1h);
        task.start();
        if (destroyed)
            pull.reset();
        else
            pull->close();
        EXPECT_FALSE(task.done());
        turns();
        EXPECT_TRUE(task.done());
        EXPECT_EQ(log, texts{std::make_error_code(std::errc::operation_canceled).message()});
        log.clear();
    }
}

TEST_F(ZmqAsync, ACancelledCoroutineMayBeDestroyedBeforeItGoesOn)
{
    auto pull = std::make_unique<zmq_async>(loop, context, socket_type::pull);
    auto task = std::make_unique<zmq_task>(receive(*pull));
    task->start();
    pull.reset();
    task.reset();
    turns();
    EXPECT_TRUE(log.empty());
}

TEST_F(ZmqAsync, ACoroutineMayDestroyItsSocketAndItself)
{
    auto pull = std::make_unique<zmq_async>(loop, context, socket_type::pull);
    const zmq_async bystander(loop, context, socket_type::pull);
    pull->bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    std::optional<zmq_task> waiting = receive(*pull);
    std::optional<zmq_task> task;
    const auto suicide = [&]() -> zmq_task {
        const auto got = co_await pull->async_recv();
        EXPECT_TRUE(got);
        pull.reset();
        waiting.reset();
    };
    task = suicide();
    task->start();
    waiting->start();
    push.send(zmq::buffer(std::string("x")));
    turns();
    EXPECT_TRUE(task->done());
    EXPECT_EQ(pull, nullptr);
}

TEST_F(ZmqAsync, OutlivesItsLoop)
{
    std::unique_ptr<zmq_async> pull;
    std::optional<zmq_task> task;
    std::optional<zmq_task> cancelled;
    {
        ev::dynamic_loop mortal;
        pull = std::make_unique<zmq_async>(mortal, context, socket_type::pull);
        task = receive(*pull, 1h);
        task->start();
        auto closing = std::make_unique<zmq_async>(mortal, context, socket_type::pull);
        cancelled = receive(*closing);
        cancelled->start();
        closing.reset();
    }
    EXPECT_FALSE(task->done());
    EXPECT_FALSE(cancelled->done()) << "nobody goes on without a loop";
    pull.reset();
}

TEST_F(ZmqAsync, TheContextsEndIsToldToAllWhoWait)
{
    zmq_async pull(loop, context, socket_type::pull);
    auto a = receive(pull);
    auto b = receive(pull);
    a.start();
    b.start();
    context.shutdown();
    while (!(a.done() && b.done()) && !HasFailure())
        loop.run(ev::ONCE);
    EXPECT_EQ(log, texts(2, make_error_code(funcptr::errc::context_terminated).message()));
    auto late = receive(pull);
    late.start();
    EXPECT_TRUE(late.done());
}

// --- exceptions and tasks ---------------------------------------------------------------------

TEST_F(ZmqAsync, WhatACoroutineThrowsReachesRunAndTheLoopGoesOn)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    const auto fail = [&]() -> zmq_task {
        (void)co_await pull.async_recv();
        throw std::runtime_error("from the coroutine");
    };
    auto failing = fail();
    auto other = receive(pull);
    failing.start();
    other.start();
    push.send(zmq::buffer(std::string("a")));
    push.send(zmq::buffer(std::string("b")));
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    EXPECT_TRUE(failing.done());
    turns();
    EXPECT_EQ(log, texts{"b|"});
}

TEST_F(ZmqAsync, WhatItThrowsBeforeItWaitsIsThrownFromStart)
{
    const auto fail = []() -> zmq_task {
        throw std::runtime_error("at once");
        co_return;
    };
    auto task = fail();
    EXPECT_THROW(task.start(), std::runtime_error);
    EXPECT_TRUE(task.done());
}

TEST_F(ZmqAsync, OneTaskMayAwaitAnotherAndHearsOfItsFailure)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    const auto one = [&](const char* name) -> zmq_task {
        const auto got = co_await pull.async_recv();
        log.push_back(name + got.message.at(0).to_string());
        if (got.message[0].to_string() == "bad")
            throw std::runtime_error("bad");
    };
    const auto both = [&]() -> zmq_task {
        co_await one("first ");
        try {
            co_await one("second ");
        } catch (const std::runtime_error& failed) {
            log.push_back(std::string("caught ") + failed.what());
        }
    };
    auto task = both();
    task.start();
    push.send(zmq::buffer(std::string("good")));
    push.send(zmq::buffer(std::string("bad")));
    turns();
    EXPECT_TRUE(task.done());
    EXPECT_EQ(log, (texts{"first good", "second bad", "caught bad"}));
}

TEST_F(ZmqAsync, AContextThatEndsInTheMidstOfAMessageLeavesNoHalfOne)
{
    funcptr::zmq_budget budget;
    budget.messages = 1;
    funcptr::set_budget(loop, budget);
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    auto task = receive(pull);
    task.start();
    push.send(zmq::buffer(std::string("first")));
    for (int i = 0; i < 300; ++i) // libzmq asks at each 100th whether the context has ended
        push.send(zmq::buffer("x", 1), i < 299 ? zmq::send_flags::sndmore : zmq::send_flags::none);
    while (log.empty())
        loop.run(ev::NOWAIT);
    context.shutdown();
    turns();
    EXPECT_EQ(log, (texts{"first|", make_error_code(funcptr::errc::context_terminated).message()}));
}

TEST_F(ZmqAsync, WhoWouldWaitWithoutALoopIsToldSoAtOnce)
{
    std::unique_ptr<zmq_async> pull;
    {
        ev::dynamic_loop mortal;
        pull = std::make_unique<zmq_async>(mortal, context, socket_type::pull);
    }
    for (const zmq_async::timeout within : {zmq_async::timeout(), zmq_async::timeout(1h)}) {
        auto task = receive(*pull, within);
        task.start();
        EXPECT_TRUE(task.done());
    }
    const auto why = std::make_error_code(std::errc::operation_canceled).message();
    EXPECT_EQ(log, (texts{why, why}));
}

TEST_F(ZmqAsync, ATaskThatIsUnderWayMayBeAwaited)
{
    zmq_async pull(loop, context, socket_type::pull);
    pull.bind("inproc://async");
    auto push = peer(socket_type::push, "inproc://async");
    auto first = receive_one(pull);
    auto second = receive_one(pull);
    first.start(); // both at once
    second.start();
    auto awaiting = both(first, second);
    awaiting.start();
    turns();
    EXPECT_TRUE(log.empty());
    push.send(zmq::buffer(std::string("a")));
    push.send(zmq::buffer(std::string("b")));
    turns();
    EXPECT_EQ(log, (texts{"a", "b", "both"}));
    EXPECT_TRUE(awaiting.done());
}

} // namespace
