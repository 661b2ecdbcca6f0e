// SPDX-License-Identifier: MIT
//
// zmq_event::frame_by_frame(): a frame is what read(), the budget and the counters go by.
#include <string>
#include <utility>
#include <vector>

#include "support/zmq_probe.h"

namespace {

using namespace funcptr::testing;
using zmq::socket_type;

class ZmqFrames : public ZmqEvent {
protected:
    ZmqFrames()
        : pull(loop, context, socket_type::pull)
    {
        pull.bind("inproc://frames");
        push = peer(socket_type::push, "inproc://frames");
    }

    /// A message of so many frames: "a0", "a1", ...
    void send(const std::string& name, int frames)
    {
        for (int i = 0; i < frames; ++i)
            push.send(zmq::buffer(name + std::to_string(i)),
                      i + 1 < frames ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
    /// Takes one frame a call, and notes it with "+" where another one follows.
    void take_one_a_call(std::size_t until)
    {
        pull.on_read = [this, until](probe& socket) {
            auto frame = take(socket);
            seen.push_back(std::move(frame) + (socket.more() ? "+" : ""));
            if (seen.size() == until)
                loop.break_loop();
        };
    }

    probe pull;
    zmq::socket_t push;
    std::vector<std::string> seen;
};

TEST_F(ZmqFrames, ReadIsCalledForEachAndMoreTellsTheLast)
{
    pull.frame_by_frame(true);
    EXPECT_TRUE(pull.frame_by_frame());
    take_one_a_call(5);
    send("a", 3);
    send("b", 1);
    send("c", 1);
    funcptr::run(loop);
    EXPECT_EQ(seen, (std::vector<std::string>{"a0+", "a1+", "a2", "b0", "c0"}));
    EXPECT_EQ(pull.counters().messages_received, 5u);
    EXPECT_EQ(pull.counters().bytes_received, 10u);
    EXPECT_EQ(pull.counters().discarded_frames, 0u);
}

TEST_F(ZmqFrames, ATurnMayEndInTheMidstOfAMessage)
{
    funcptr::set_budget(loop, {.messages = 1});
    pull.frame_by_frame(true);
    turn_counter counter(loop);
    std::vector<int> at;
    pull.on_read = [&](probe& socket) {
        take(socket);
        at.push_back(counter.turns);
        if (at.size() == 3)
            loop.break_loop();
    };
    send("a", 3);
    funcptr::run(loop);
    EXPECT_EQ(at[1], at[0] + 1);
    EXPECT_EQ(at[2], at[1] + 1);
    EXPECT_GE(pull.counters().budget_hits, 2u);
}

TEST_F(ZmqFrames, ALentFrameIsTheSameThing)
{
    pull.frame_by_frame(true);
    pull.on_read = [&](probe& socket) {
        do
            seen.push_back(socket.recv().to_string());
        while (socket.more());
        if (seen.size() == 3)
            loop.break_loop();
    };
    send("a", 2); // taken whole by one call, as by default
    send("b", 1);
    funcptr::run(loop);
    EXPECT_EQ(seen, (std::vector<std::string>{"a0", "a1", "b0"}));
}

TEST_F(ZmqFrames, SwitchedOnInTheMidstOfAMessageTheRestComesFrameByFrame)
{
    take_one_a_call(3);
    pull.on_read = [this, next = pull.on_read](probe& socket) {
        next(socket);
        socket.frame_by_frame(true);
    };
    send("a", 3);
    funcptr::run(loop);
    EXPECT_EQ(seen, (std::vector<std::string>{"a0+", "a1+", "a2"}));
    EXPECT_EQ(pull.counters().discarded_frames, 0u);
}

TEST_F(ZmqFrames, SwitchedOffInTheMidstOfAMessageTheRestIsDiscardedAndItIsSaid)
{
    keep_lines();
    pull.frame_by_frame(true);
    take_one_a_call(2);
    pull.on_read = [this, next = pull.on_read](probe& socket) {
        next(socket);
        socket.frame_by_frame(false);
    };
    send("a", 3);
    send("b", 1);
    funcptr::run(loop);
    EXPECT_EQ(seen, (std::vector<std::string>{"a0+", "b0"}));
    EXPECT_EQ(pull.counters().discarded_frames, 2u);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("2 frame(s)"), std::string::npos) << lines[0];
}

TEST_F(ZmqFrames, ReleaseInTheMidstOfAMessageIsRefused)
{
    funcptr::set_budget(loop, {.messages = 1});
    pull.frame_by_frame(true);
    take_one_a_call(1);
    send("a", 2);
    funcptr::run(loop);
    EXPECT_THROW(pull.release(), std::logic_error);
    EXPECT_EQ(take(pull), "a1");
    const auto socket = pull.release();
    EXPECT_TRUE(socket);
    EXPECT_FALSE(pull.more()) << "a socket that is gone announces nothing";
}

TEST_F(ZmqFrames, AnAdoptedSocketGoesOnInTheMidstOfItsMessage)
{
    zmq::socket_t plain(context, socket_type::pull);
    plain.bind("inproc://plain");
    auto peer_of_it = peer(socket_type::push, "inproc://plain");
    peer_of_it.send(zmq::buffer(std::string("head")), zmq::send_flags::sndmore);
    peer_of_it.send(zmq::buffer(std::string("tail")));
    zmq::message_t head;
    ASSERT_TRUE(plain.recv(head));
    probe adopted(loop, std::move(plain));
    adopted.frame_by_frame(true);
    EXPECT_TRUE(adopted.more());
    adopted.on_read = [&](probe& socket) {
        seen.push_back(take(socket));
        loop.break_loop();
    };
    funcptr::run(loop);
    EXPECT_EQ(seen, std::vector<std::string>{"tail"});
    EXPECT_FALSE(adopted.more());
}

} // namespace
