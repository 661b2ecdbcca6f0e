// SPDX-License-Identifier: MIT
//
// zmq_event: callbacks that destroy, close, throw and nest, and the ends of contexts and loops.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/zmq_probe.h"

namespace {

using namespace std::chrono_literals;
using namespace funcptr::testing;
using zmq::socket_type;

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
            zmq::message_t none; // so that the next one signals the descriptor
            EXPECT_TRUE(socket.recv(none).would_block());
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

TEST_F(ZmqEvent, AfterAThrowNoOtherSocketIsCalledInThatTurn)
{
    std::string calls;
    std::vector<std::unique_ptr<probe>> pulls;
    for (const char name : {'a', 'b'}) {
        const auto endpoint = std::string("inproc://") + name;
        pulls.push_back(std::make_unique<probe>(loop, context, socket_type::pull));
        pulls.back()->bind(endpoint);
        pulls.back()->on_read = [&calls, name](probe& socket) {
            take(socket);
            calls += name;
            throw std::runtime_error("each");
        };
        auto push = peer(socket_type::push, endpoint);
        push.set(zmq::sockopt::linger, -1);
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    }
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    EXPECT_EQ(calls, "a");
    EXPECT_THROW(funcptr::run(loop), std::runtime_error) << "the second one is not lost";
    EXPECT_EQ(calls, "ab");
}

TEST_F(ZmqEvent, AThrowEndsTheTurnAlsoWhenTheSocketDestroysItselfOnTheWay)
{
    int calls = 0;
    std::vector<std::unique_ptr<probe>> pulls;
    for (std::size_t i = 0; i < 2; ++i) {
        const auto endpoint = "inproc://" + std::to_string(i);
        pulls.push_back(std::make_unique<probe>(loop, context, socket_type::pull));
        pulls.back()->bind(endpoint);
        pulls.back()->on_read = [&, i](probe& socket) {
            take(socket);
            ++calls;
            auto& all = pulls; // the captures go with the socket
            all[i].reset();
            throw std::runtime_error("each");
        };
        auto push = peer(socket_type::push, endpoint);
        push.set(zmq::sockopt::linger, -1);
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
    }
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    EXPECT_EQ(calls, 1);
    EXPECT_THROW(funcptr::run(loop), std::runtime_error) << "the second one's is not dropped";
    EXPECT_EQ(calls, 2);
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
    int again = 0;
    for (int i = 0; i < 5; ++i) {
        auto first = std::make_unique<probe>(loop, context, socket_type::pull);
        turns(2); // libev tells the kernel of its descriptor
        const int number = first->get(zmq::sockopt::fd);
        first.reset();
        while (::fcntl(number, F_GETFD) != -1) // until libzmq's reaper has closed it
            std::this_thread::yield();
        // No turn in between: libev has not noticed.
        probe pull(loop, context, socket_type::pull);
        again += pull.get(zmq::sockopt::fd) == number;
        pull.bind("inproc://again" + std::to_string(i));
        auto push = peer(socket_type::push, "inproc://again" + std::to_string(i));
        int reads = 0;
        pull.on_read = [&](probe& socket) {
            take(socket);
            ++reads;
        };
        turns(2);
        push.send(zmq::buffer("x", 1), zmq::send_flags::none);
        turns(2);
        EXPECT_EQ(reads, 1);
    }
    EXPECT_GT(again, 0);
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

TEST_F(ZmqEvent, AForkedChildThatUsesTheSocketAllTheSameIsToldAndDoesNotHang)
{
    // libzmq says EINTR to a child for ever (signaler.cpp), also to ZMQ_EVENTS.
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    turns(2);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) { // nothing but _exit may end it: the parent's threads are not here
        ::alarm(60);
        zmq::message_t frame;
        const bool told = pull.recv(frame).error == std::errc::interrupted;
        ev_loop_fork(loop);
        pull.touch();
        pull.want_write(true);
        turns(5);
        ::_exit(told && pull.counters().visits != 0 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    auto push = peer(socket_type::push, "inproc://a"); // and the parent's is as it was
    int reads = 0;
    pull.on_read = [&](probe& socket) {
        ++reads;
        take(socket);
    };
    push.send(zmq::buffer(std::string("x")));
    turns(3);
    EXPECT_EQ(reads, 1);
}

TEST_F(ZmqEvent, TheHubDoesNotKeepALoopRunning)
{
    auto pull = std::make_unique<probe>(loop, context, socket_type::pull);
    timer last(loop, 0., [&] { pull->close(); });
    loop.run(); // ends: neither the hub's watchers nor a closed socket's keep it
    EXPECT_TRUE(pull->closed());
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

TEST_F(ZmqEvent, MayBeClosedInTheCallThatFoundTheContextGone)
{
    for (const bool releases : {false, true}) {
        SCOPED_TRACE(releases);
        zmq::context_t ending;
        probe pull(loop, ending, socket_type::pull);
        pull.bind("inproc://a");
        zmq::socket_t push(ending, socket_type::push);
        push.connect("inproc://a");
        push.send(zmq::buffer(std::string("x")));
        std::error_code found;
        pull.on_read = [&](probe& socket) {
            take(socket);
            ending.shutdown();
            zmq::message_t frame;
            found = socket.recv(frame).error;
            if (releases)
                EXPECT_FALSE(socket.release());
            else
                socket.close();
        };
        pull.when_closed = [](std::error_code) { ADD_FAILURE() << "it was closed already"; };
        turns(5);
        EXPECT_EQ(found, funcptr::errc::context_terminated);
        EXPECT_TRUE(pull.closed());
    }
}

TEST_F(ZmqEvent, MayBeDestroyedByTheLogsSink)
{
    std::unique_ptr<probe> pull;
    funcptr::set_error_hook(loop, [](std::exception_ptr) {});
    funcptr::set_log_sink(loop, [&](funcptr::log_level, std::string_view) { pull.reset(); });
    for (const bool throws : {false, true}) {
        SCOPED_TRACE(throws);
        pull = std::make_unique<probe>(loop, context, socket_type::pull);
        pull->bind("inproc://sink" + std::to_string(throws));
        auto push = peer(socket_type::push, "inproc://sink" + std::to_string(throws));
        pull->on_read = [throws](probe& socket) {
            take(socket); // leaves the second frame, which is worth a line
            if (throws)
                throw std::runtime_error("and more");
        };
        push.send(zmq::buffer(std::string("1")), zmq::send_flags::sndmore);
        push.send(zmq::buffer(std::string("2")));
        push.send(zmq::buffer(std::string("3")));
        turns(5);
        EXPECT_FALSE(pull);
    }
    // And where a timer took the first frame.
    pull = std::make_unique<probe>(loop, context, socket_type::pull);
    pull->bind("inproc://sink");
    auto push = peer(socket_type::push, "inproc://sink");
    turns(2);
    push.send(zmq::buffer(std::string("1")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("2")));
    EXPECT_EQ(take(*pull), "1");
    turns(5);
    EXPECT_FALSE(pull);
}

TEST_F(ZmqEvent, AdoptedInTheMidstOfAMessageItBeginsWithTheNext)
{
    zmq::socket_t half(context, socket_type::pull);
    half.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    for (const char* text : {"1", "2"})
        push.send(zmq::buffer(text, 1), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("3")));
    push.send(zmq::buffer(std::string("whole")));
    zmq::message_t frame;
    ASSERT_TRUE(half.recv(frame, zmq::recv_flags::dontwait));
    probe pull(loop, std::move(half));
    std::vector<std::string> seen;
    pull.on_read = [&](probe& socket) { seen.push_back(take(socket)); };
    turns(5);
    EXPECT_EQ(seen, std::vector<std::string>{"whole"});
    EXPECT_EQ(pull.counters().discarded_frames, 2u);
}

TEST_F(ZmqEvent, AnAdoptedSocketWhoseContextIsGoneIsRefusedByName)
{
    zmq::context_t ending;
    zmq::socket_t socket(ending, socket_type::pull);
    ending.shutdown();
    zmq::message_t frame;
    EXPECT_THROW((void)socket.recv(frame, zmq::recv_flags::dontwait), zmq::error_t);
    try {
        const probe adopted(loop, std::move(socket));
        FAIL() << "adopted";
    } catch (const funcptr::error& refused) {
        EXPECT_EQ(refused.code(), funcptr::errc::context_terminated);
    }
}

} // namespace
