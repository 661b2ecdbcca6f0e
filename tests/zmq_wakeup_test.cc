// SPDX-License-Identifier: MIT
//
// zmq_event: whoever uses a socket, and whenever, no wake-up is lost.
#include <poll.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/zmq_probe.h"

namespace {

using namespace std::chrono_literals;
using namespace funcptr::testing;
using zmq::socket_type;

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

/// Is the descriptor signalled?
bool readable(probe& socket)
{
    pollfd one{socket.get(zmq::sockopt::fd), POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

TEST_F(ZmqEvent, ASendThatTakesTheSignalOfAMessageLosesNoWakeUp)
{
    probe dealer(loop, context, socket_type::dealer);
    dealer.bind("inproc://a");
    auto far = peer(socket_type::dealer, "inproc://a");
    int reads = 0;
    dealer.on_read = [&](probe& socket) {
        ++reads;
        take(socket);
    };
    turns(3);
    far.send(zmq::buffer("x", 1), zmq::send_flags::none);
    ASSERT_TRUE(readable(dealer));
    while (readable(dealer)) // libzmq works off its commands in a send about once a millisecond
        (void)dealer.send("poke");
    turns(3);
    EXPECT_EQ(reads, 1);
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
    dealer.bind("inproc://a");
    auto far = peer(socket_type::dealer, "inproc://a");
    int reads = 0;
    dealer.on_read = [&](probe& socket) {
        ++reads;
        take(socket);
    };
    turns(3);
    far.send(zmq::buffer("x", 1), zmq::send_flags::none);
    while (readable(dealer))
        dealer.handle().send(zmq::buffer("poke", 4), zmq::send_flags::dontwait);
    turns(3);
    EXPECT_EQ(reads, 0) << "nobody can know of it";
    dealer.touch();
    turns(3);
    EXPECT_EQ(reads, 1);
}

TEST_F(ZmqEvent, AskingForTheEventsLosesNoWakeUp)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    int reads = 0;
    pull.on_read = [&](probe& socket) {
        ++reads;
        take(socket);
    };
    turns(3);
    push.send(zmq::buffer(std::string("x")));
    EXPECT_EQ(pull.get(zmq::sockopt::events) & ZMQ_POLLIN, ZMQ_POLLIN);
    turns(3);
    EXPECT_EQ(reads, 1);
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

TEST_F(ZmqEvent, AnOptionThatMakesItWritableLosesNoWakeUp)
{
    int writes = 0;
    const auto write = [&](probe& socket) {
        ++writes;
        socket.want_write(false);
    };
    probe router(loop, context, socket_type::router);
    router.set(zmq::sockopt::router_mandatory, true); // without a peer it cannot be written to
    router.on_write = write;
    router.want_write(true);
    turns(5);
    EXPECT_EQ(writes, 0);
    router.set(zmq::sockopt::router_mandatory, false);
    turns(5);
    EXPECT_EQ(writes, 1);

    probe req(loop, context, socket_type::req);
    req.bind("inproc://a");
    auto rep = peer(socket_type::rep, "inproc://a");
    ASSERT_TRUE(req.send("request"));
    req.on_write = write;
    req.want_write(true);
    turns(5);
    EXPECT_EQ(writes, 1) << "before the answer";
    req.set(zmq::sockopt::req_relaxed, true);
    turns(5);
    EXPECT_EQ(writes, 2);
}

/// Sends from a prepare watcher, once it is armed, and takes the signal of what has come in.
class last_moment {
public:
    last_moment(ev::loop_ref loop, int priority)
        : prepare_(loop)
    {
        prepare_.set<last_moment, &last_moment::send>(this);
        prepare_.priority = priority;
        prepare_.start();
    }
    probe* socket = nullptr;
    zmq::socket_t* far = nullptr;

private:
    void send(ev::prepare&, int)
    {
        if (far == nullptr)
            return;
        std::exchange(far, nullptr)->send(zmq::buffer("x", 1), zmq::send_flags::none);
        while (readable(*socket))
            (void)socket->send("poke");
    }
    ev::prepare prepare_;
};

TEST_F(ZmqEvent, ASendAtTheLastMomentBeforeTheLoopSleepsKeepsItAwake)
{
    // libev runs what was started first last: this one comes after the hub's.
    last_moment sender(loop, EV_MINPRI);
    probe dealer(loop, context, socket_type::dealer);
    dealer.bind("inproc://a");
    auto far = peer(socket_type::dealer, "inproc://a");
    int reads = 0;
    dealer.on_read = [&](probe& socket) {
        ++reads;
        take(socket);
    };
    turns(3);
    bool slept = false;
    const timer late(loop, 10., [&] { slept = true; });
    sender.socket = &dealer;
    sender.far = &far;
    while (reads == 0)
        loop.run(ev::ONCE);
    EXPECT_FALSE(slept);
}

} // namespace
