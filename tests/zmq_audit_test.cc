// SPDX-License-Identifier: MIT
#include <funcptr/zmq_event.h>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/watchdog.h"

namespace {

using funcptr::testing::watchdog;
using zmq::socket_type;

/// Takes what it is offered, and knows when it will be enough.
class taker final : public funcptr::zmq_event {
public:
    using zmq_event::zmq_event;

    std::vector<std::string> seen;
    std::size_t enough = 0;
    ev::loop_ref* loop = nullptr;

private:
    void read() override
    {
        seen.push_back(recv().to_string());
        if (seen.size() == enough)
            loop->break_loop();
    }
};

class ZmqAudit : public ::testing::Test {
protected:
    zmq::context_t context;
    ev::dynamic_loop loop;
    ev::loop_ref here = loop;
    watchdog dog{loop};
    std::vector<std::string> lines;
    taker pull{loop, context, socket_type::pull};
    zmq::socket_t push{context, socket_type::push};

    void SetUp() override
    {
        funcptr::set_log_sink(
            loop, [this](funcptr::log_level, std::string_view line) { lines.emplace_back(line); });
        pull.loop = &here;
        pull.bind("inproc://audit");
        push.set(zmq::sockopt::linger, 0);
        push.connect("inproc://audit");
        settle();
    }
    /// Until nothing is pending: the loop would sleep.
    void settle()
    {
        for (int i = 0; i < 5; ++i)
            loop.run(ev::NOWAIT);
    }
    /// What a careless user does: the message's signal is taken by a look of his own.
    void lose_a_wake_up()
    {
        push.send(zmq::buffer(std::string_view("lost")));
        (void)pull.handle().get(zmq::sockopt::events);
    }
};

TEST_F(ZmqAudit, WithoutItALostWakeUpStaysLost)
{
    lose_a_wake_up();
    settle();
    EXPECT_TRUE(pull.seen.empty()) << "then libzmq is not as zmq_hub.h says";
    pull.touch();
    settle();
    EXPECT_EQ(pull.seen, std::vector<std::string>{"lost"});
}

TEST_F(ZmqAudit, ALostWakeUpIsReportedWithItsPlaceAndHealed)
{
    funcptr::set_audit(loop, true);
    push.send(zmq::buffer(std::string_view("lost")));
    const int line = __LINE__ + 1;
    (void)pull.handle().get(zmq::sockopt::events);
    settle();
    EXPECT_EQ(pull.seen, std::vector<std::string>{"lost"});
    EXPECT_EQ(pull.counters().lost_wakes, 1u);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("zmq_audit_test.cc:" + std::to_string(line)), std::string::npos)
        << lines[0];
    EXPECT_NE(lines[0].find("inproc://audit"), std::string::npos) << lines[0];
}

TEST_F(ZmqAudit, IsOffAgainWhenTurnedOff)
{
    funcptr::set_audit(loop, true);
    funcptr::set_audit(loop, false);
    lose_a_wake_up();
    settle();
    EXPECT_TRUE(pull.seen.empty());
    EXPECT_EQ(pull.counters().lost_wakes, 0u);
}

TEST_F(ZmqAudit, ASocketMadeLaterIsAuditedToo)
{
    funcptr::set_audit(loop, true);
    taker later(loop, context, socket_type::pull);
    later.bind("inproc://later");
    zmq::socket_t sender(context, socket_type::push);
    sender.set(zmq::sockopt::linger, 0);
    sender.connect("inproc://later");
    settle();
    sender.send(zmq::buffer(std::string_view("lost")));
    (void)later.handle().get(zmq::sockopt::events);
    settle();
    EXPECT_EQ(later.counters().lost_wakes, 1u);
}

TEST_F(ZmqAudit, WhatIsNotWantedIsNotLost)
{
    funcptr::set_audit(loop, true);
    pull.want_read(false);
    settle();
    lose_a_wake_up();
    settle();
    EXPECT_EQ(pull.counters().lost_wakes, 0u);
    pull.want_read(true);
    settle();
    EXPECT_EQ(pull.seen, std::vector<std::string>{"lost"});
}

TEST_F(ZmqAudit, HasNothingToSayOfMessagesThatComeAtAnyMoment)
{
    // Another thread sends with pauses as long as the loop's turns, so that messages also come
    // between the audit's question and its look; none of them is lost, and none may be reported.
    constexpr std::size_t count = 50'000;
    funcptr::set_audit(loop, true);
    pull.enough = count;
    std::thread sender([this] {
        std::minstd_rand random(1);
        for (std::size_t i = 0; i < count; ++i) {
            push.send(zmq::buffer(std::string_view("x")));
            for (std::atomic<unsigned long> spin = random() % 2000; spin != 0; --spin) {
            }
        }
    });
    funcptr::run(loop);
    sender.join();
    EXPECT_EQ(pull.seen.size(), count);
    EXPECT_EQ(pull.counters().lost_wakes, 0u);
    EXPECT_TRUE(lines.empty()) << lines[0];
}

TEST_F(ZmqAudit, ACallFromAThreadThatDoesNotRunTheLoopIsRefusedByName)
{
    funcptr::set_audit(loop, true);
    pull.enough = 1;
    std::string touched;
    std::error_code sent;
    std::error_code received;
    ev::timer soon(loop); // inside the run, so that the other thread meets a running loop
    const auto refuses = [](const std::function<void()>& call) {
        try {
            call();
            ADD_FAILURE() << "it was done";
        } catch (const funcptr::error& refused) {
            EXPECT_EQ(refused.code(), funcptr::errc::wrong_thread);
        }
    };
    const auto go = [&] {
        std::thread([&] {
            try {
                pull.touch();
            } catch (const funcptr::error& refused) {
                EXPECT_EQ(refused.code(), funcptr::errc::wrong_thread);
                touched = refused.what();
            }
            sent = pull.send("x").error;
            zmq::message_t frame;
            received = pull.recv(frame).error;
            refuses([&] { pull.set(zmq::sockopt::linger, 0); });
            refuses([&] { (void)pull.release(); });
        }).join();
        loop.break_loop();
    };
    struct caller {
        std::function<void()> work;
        void call(ev::timer&, int) { work(); }
    } caller{go};
    soon.set<struct caller, &caller::call>(&caller);
    soon.start(0.);
    funcptr::run(loop);
    EXPECT_EQ(sent, funcptr::errc::wrong_thread);
    EXPECT_EQ(received, funcptr::errc::wrong_thread);
    EXPECT_NE(touched.find("touch() was called at"), std::string::npos) << touched;
    EXPECT_NE(touched.find("zmq_audit_test.cc:"), std::string::npos) << touched;
}

TEST_F(ZmqAudit, ALoopMayBeHandedToAnotherThread)
{
    funcptr::set_audit(loop, true);
    pull.enough = 1;
    loop.run(ev::NOWAIT); // in this thread
    std::thread([&] {
        push.send(zmq::buffer(std::string_view("there")));
        pull.touch(); // nobody runs the loop just now
        loop.run();
    }).join();
    EXPECT_EQ(pull.seen.size(), 1u);
    EXPECT_NO_THROW(pull.touch());
}

} // namespace
