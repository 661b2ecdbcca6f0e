// SPDX-License-Identifier: MIT
//
// zmq_event::disconnect() in the midst of a message: libzmq cuts the pipe, and its fair queue then
// aborts ("!_more", fq.cpp) or goes on with another peer's frames. So all of it is taken first.
#include <funcptr/zmq_async.h>

#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "support/zmq_probe.h"

namespace {

using namespace std::chrono_literals;
using namespace funcptr::testing;
using zmq::socket_type;

struct wires {
    std::string name;
    socket_type sender;
    socket_type receiver;
    std::string endpoint;
};

void PrintTo(const wires& each, std::ostream* out)
{
    *out << each.name;
}

/// A message of so many frames: "a0", "a1", ...
void send(zmq::socket_t& from, const std::string& name, int frames)
{
    for (int i = 0; i < frames; ++i)
        from.send(zmq::buffer(name + std::to_string(i)),
                  i + 1 < frames ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

std::string whole(probe& socket)
{
    std::string text = take(socket);
    while (socket.more())
        text += "|" + take(socket);
    return text;
}

/// a is connected, b not yet.
class ZmqDisconnect : public ZmqEvent, public ::testing::WithParamInterface<wires> {
protected:
    ZmqDisconnect()
        : receiver(loop, context, GetParam().receiver)
    {
        bind(a, "a");
        bind(b, "b");
        receiver.connect(at_a = a.get(zmq::sockopt::last_endpoint));
        at_b = b.get(zmq::sockopt::last_endpoint);
    }

    void bind(zmq::socket_t& socket, const std::string& name)
    {
        socket = zmq::socket_t(context, GetParam().sender);
        socket.set(zmq::sockopt::linger, 0);
        const auto endpoint = GetParam().endpoint;
        socket.bind(endpoint.starts_with("inproc") ? endpoint + name : endpoint);
    }
    /// a's messages, if it still has some, are gone; b's is the next.
    void expect_the_next_from_b()
    {
        receiver.on_read = [this](probe& socket) {
            seen.push_back(whole(socket));
            loop.break_loop();
        };
        receiver.connect(at_b);
        send(b, "b", 2);
        funcptr::run(loop);
    }

    zmq::socket_t a;
    zmq::socket_t b;
    std::string at_a;
    std::string at_b;
    probe receiver;
    std::vector<std::string> seen;
};

TEST_P(ZmqDisconnect, AMessageThatNobodyHasTakenYetIsStillGivenWhole)
{
    receiver.on_read = [this](probe& socket) {
        socket.pause(); // and takes nothing
        loop.break_loop();
    };
    send(a, "a", 3);
    funcptr::run(loop);
    receiver.disconnect(at_a);
    EXPECT_TRUE(receiver.more());
    EXPECT_THROW((void)receiver.release(), std::logic_error);
    receiver.on_read = [this](probe& socket) {
        seen.push_back(whole(socket));
        loop.break_loop();
    };
    receiver.resume();
    funcptr::run(loop);
    expect_the_next_from_b();
    EXPECT_EQ(seen, (std::vector<std::string>{"a0|a1|a2", "b0|b1"}));
    EXPECT_EQ(receiver.counters().messages_received, 2u);
    EXPECT_EQ(receiver.counters().bytes_received, 10u);
}

TEST_P(ZmqDisconnect, InReadTheRestIsStillGivenAfterwards)
{
    receiver.on_read = [this](probe& socket) {
        auto text = take(socket);
        socket.disconnect(at_a);
        while (socket.more())
            text += "|" + take(socket);
        seen.push_back(text);
        loop.break_loop();
    };
    send(a, "a", 3);
    funcptr::run(loop);
    expect_the_next_from_b();
    EXPECT_EQ(seen, (std::vector<std::string>{"a0|a1|a2", "b0|b1"}));
    EXPECT_EQ(receiver.counters().discarded_frames, 0u);
}

TEST_P(ZmqDisconnect, WhatReadLeavesOfItIsDiscardedAsEver)
{
    keep_lines();
    receiver.on_read = [this](probe& socket) {
        seen.push_back(take(socket));
        socket.disconnect(at_a);
        loop.break_loop();
    };
    send(a, "a", 3);
    funcptr::run(loop);
    expect_the_next_from_b();
    EXPECT_EQ(seen, (std::vector<std::string>{"a0", "b0|b1"}));
    EXPECT_EQ(receiver.counters().discarded_frames, 2u);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("2 frame(s)"), std::string::npos) << lines[0];
}

TEST_P(ZmqDisconnect, CloseForgetsWhatWasKept)
{
    receiver.on_read = [this](probe& socket) {
        take(socket);
        socket.disconnect(at_a);
        socket.close();
        EXPECT_FALSE(socket.more());
        zmq::message_t frame;
        EXPECT_FALSE(socket.recv(frame));
        loop.break_loop();
    };
    send(a, "a", 3);
    funcptr::run(loop);
    EXPECT_TRUE(receiver.closed());
}

TEST_P(ZmqDisconnect, ATimerThatTakesAFrameAndDisconnectsLosesNothing)
{
    receiver.want_read(false);
    send(a, "a", 3);
    std::string text;
    const timer partly(
        loop, 0.001,
        [&] {
            if (zmq::message_t frame; text.empty() && receiver.recv(frame)) {
                text = frame.to_string();
                receiver.disconnect(at_a);
                text += "|" + take(receiver);
                text += "|" + take(receiver);
                EXPECT_FALSE(receiver.more());
                loop.break_loop();
            }
        },
        0.001);
    funcptr::run(loop);
    EXPECT_EQ(text, "a0|a1|a2");
}

INSTANTIATE_TEST_SUITE_P(
    All, ZmqDisconnect,
    ::testing::Values(wires{"PushTcp", socket_type::push, socket_type::pull, "tcp://127.0.0.1:*"},
                      wires{"PushInproc", socket_type::push, socket_type::pull, "inproc://"},
                      wires{"DealerTcp", socket_type::dealer, socket_type::dealer,
                            "tcp://127.0.0.1:*"}),
    [](const auto& one) { return one.param.name; });

/// unbind() lets what the peers have sent come to its end.
TEST_F(ZmqEvent, UnboundInTheMidstOfAMessageItIsStillGivenWhole)
{
    for (const std::string where : {"inproc://bound", "tcp://127.0.0.1:*"}) {
        probe receiver(loop, context, socket_type::pull);
        receiver.bind(where);
        const auto bound = receiver.last_endpoint();
        auto sender = peer(socket_type::push, bound);
        std::string text;
        receiver.on_read = [&](probe& socket) {
            text = take(socket);
            socket.unbind(bound);
            while (socket.more())
                text += "|" + take(socket);
            loop.break_loop();
        };
        send(sender, "a", 3);
        funcptr::run(loop);
        EXPECT_EQ(text, "a0|a1|a2") << where;
    }
}

// --- the guide's "lazy pirate": its peer is given up, and the answer comes late -----------------

struct answer {
    bool came = false;
    std::error_code error;
    std::string text;
};

funcptr::zmq_task receive(funcptr::zmq_async& socket, funcptr::zmq_async::timeout within,
                          answer& to)
{
    auto got = co_await socket.async_recv(within);
    to.error = got.error;
    for (const auto& frame : got.message)
        to.text += frame.to_string() + "|";
    to.came = true;
}

TEST_F(ZmqEvent, ALateAnswerOfAPeerGivenUpIsNotMixedWithTheNextOnes)
{
    zmq::socket_t late(context, socket_type::dealer);
    late.bind("inproc://late");
    funcptr::zmq_async client(loop, context, socket_type::dealer);
    client.connect("inproc://late");
    answer none;
    auto waiting = receive(client, 1ms, none);
    waiting.start();
    while (!none.came)
        loop.run(ev::ONCE);
    EXPECT_EQ(none.error, std::errc::timed_out);
    send(late, "a", 3);
    while (client.counters().bytes_received == 0) // nobody waits: its first frame is fetched
        loop.run(ev::NOWAIT);
    client.disconnect("inproc://late");
    answer kept;
    auto again = receive(client, 10s, kept);
    again.start();
    while (!kept.came)
        loop.run(ev::ONCE);
    EXPECT_EQ(kept.text, "a0|a1|a2|") << kept.error.message();
}

} // namespace
