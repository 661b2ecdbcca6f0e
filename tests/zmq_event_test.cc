// SPDX-License-Identifier: MIT
//
// zmq_event: what read() and write() are given, and how it is configured.
#include <functional>
#include <string>
#include <vector>

#include "support/zmq_probe.h"

namespace {

using namespace std::chrono_literals;
using namespace funcptr::testing;
using zmq::socket_type;

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

TEST_F(ZmqEvent, APartOfTheNextMessageThatTheLogsSinkTakesLeavesNoHalfOneToRead)
{
    probe pull(loop, context, socket_type::pull);
    pull.bind("inproc://a");
    auto push = peer(socket_type::push, "inproc://a");
    std::vector<std::string> seen;
    std::vector<std::string> of_sink;
    funcptr::set_log_sink(loop, [&](funcptr::log_level, std::string_view) {
        if (of_sink.empty())
            of_sink.push_back(take(pull));
    });
    pull.on_read = [&](probe& socket) {
        seen.push_back(take(socket));
        if (seen.back() == "c")
            loop.break_loop();
    };
    push.send(zmq::buffer(std::string("a")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("A")));
    push.send(zmq::buffer(std::string("b")), zmq::send_flags::sndmore);
    push.send(zmq::buffer(std::string("B")));
    push.send(zmq::buffer(std::string("c")));
    funcptr::run(loop);
    EXPECT_EQ(of_sink, std::vector<std::string>{"b"});
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(pull.counters().discarded_frames, 2u);
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

TEST_F(ZmqEvent, AParkedWriterGoesOnWhenItsDescriptorTellsAndNeedNotWaitForTheTimer)
{
    funcptr::zmq_budget budget;
    budget.park_interval = 1h;
    funcptr::set_budget(loop, budget);
    probe xpub(loop, context, socket_type::xpub);
    xpub.set(zmq::sockopt::xpub_nodrop, true);
    xpub.set(zmq::sockopt::sndhwm, 2);
    xpub.bind("inproc://a");
    zmq::socket_t sub(context, socket_type::sub);
    sub.set(zmq::sockopt::rcvhwm, 2);
    sub.connect("inproc://a");
    sub.set(zmq::sockopt::subscribe, "");
    int sent = 0;
    xpub.on_read = [](probe& socket) {
        take(socket);
        socket.want_write(true);
    };
    xpub.on_write = [&](probe& socket) { sent += static_cast<bool>(socket.send("x")); };
    turns(50);
    ASSERT_EQ(sent, 4);
    ASSERT_EQ(xpub.counters().parks, 1u);
    zmq::message_t got;
    while (sub.recv(got, zmq::recv_flags::dontwait)) {
    }
    turns(5);
    EXPECT_GT(sent, 4);
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

TEST_F(ZmqEvent, WithoutIpv6MeansSoWhateverTheContextSays)
{
    context.set(zmq::ctxopt::ipv6, 1);
    funcptr::zmq_options options;
    options.ipv6 = funcptr::zmq_ipv6::off;
    probe pull(loop, context, socket_type::pull, options);
    pull.bind("tcp://*:*");
    EXPECT_EQ(pull.last_endpoint().find('['), std::string::npos) << pull.last_endpoint();
}

} // namespace
