// SPDX-License-Identifier: MIT
#include <funcptr/zmq_channel.h>
#include <funcptr/zmq_monitor.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/watchdog.h"

namespace {

using funcptr::zmq_channel;
using funcptr::zmq_connection;
using funcptr::zmq_connection_event;
using funcptr::zmq_monitor;
using funcptr::testing::watchdog;
using zmq::socket_type;

class ZmqMonitor : public ::testing::Test {
protected:
    zmq::context_t context;
    ev::dynamic_loop loop;
    watchdog dog{loop, true};
    std::vector<zmq_connection_event> events;

    zmq_monitor::handler keep()
    {
        return [this](const zmq_connection_event& event) { events.push_back(event); };
    }
    bool seen(zmq_connection type) const
    {
        return std::any_of(events.begin(), events.end(),
                           [&](const auto& each) { return each.type == type; });
    }
    void until(const std::function<bool()>& holds)
    {
        while (!holds() && !HasFailure())
            loop.run(ev::ONCE);
    }
    void until(zmq_connection type)
    {
        until([&] { return seen(type); });
    }
    zmq::socket_t connected(socket_type type, const std::string& endpoint)
    {
        zmq::socket_t socket(context, type);
        socket.set(zmq::sockopt::linger, 0);
        socket.connect(endpoint);
        return socket;
    }
};

TEST_F(ZmqMonitor, TellsWhoComesAndGoes)
{
    zmq_channel server(loop, context, socket_type::router);
    const zmq_monitor monitor(loop, context, server, keep());
    server.bind("tcp://127.0.0.1:*");
    auto client = connected(socket_type::dealer, server.last_endpoint());
    until(zmq_connection::handshake_succeeded);
    EXPECT_TRUE(seen(zmq_connection::listening));
    EXPECT_TRUE(seen(zmq_connection::accepted));
    client.close();
    until(zmq_connection::disconnected);
    for (const auto& event : events)
        EXPECT_NE(event.text().find("tcp://127.0.0.1:"), std::string::npos) << event.text();
    EXPECT_TRUE(monitor.active());
}

TEST_F(ZmqMonitor, TellsThatNobodyAnswers)
{
    zmq_channel client(loop, context, socket_type::dealer);
    const zmq_monitor monitor(loop, context, client, keep());
    zmq_channel gone(loop, context, socket_type::dealer);
    gone.bind("tcp://127.0.0.1:*");
    const auto endpoint = gone.last_endpoint();
    gone.unbind(endpoint);
    client.connect(endpoint);
    until(zmq_connection::connect_retried);
    EXPECT_NE(events.back().text().find(" ms"), std::string::npos) << events.back().text();
}

TEST_F(ZmqMonitor, OnlyTheEventsThatWereAskedForAreTold)
{
    zmq_channel server(loop, context, socket_type::router);
    const zmq_monitor monitor(loop, context, server, keep(), {.events = ZMQ_EVENT_ACCEPTED});
    server.bind("tcp://127.0.0.1:*");
    auto client = connected(socket_type::dealer, server.last_endpoint());
    until(zmq_connection::accepted);
    EXPECT_EQ(events.size(), 1u);
}

TEST_F(ZmqMonitor, TheSocketMayGoFirst)
{
    auto server = std::make_unique<zmq_channel>(loop, context, socket_type::router);
    const zmq_monitor monitor(loop, context, *server, keep());
    server->bind("tcp://127.0.0.1:*");
    server.reset();
    EXPECT_FALSE(monitor.active());
    until(zmq_connection::monitor_stopped);
    EXPECT_EQ(events.back().text(), "the monitor stopped");
}

TEST_F(ZmqMonitor, ASocketThatIsClosedOrReleasedStopsItsMonitor)
{
    zmq_channel server(loop, context, socket_type::router);
    const zmq_monitor monitor(loop, context, server, keep());
    server.close();
    EXPECT_FALSE(monitor.active());
    until(zmq_connection::monitor_stopped);

    class puller final : public funcptr::zmq_event {
        using zmq_event::zmq_event;
        void read() override { recv(); }

    public:
        puller(ev::loop_ref loop, zmq::context_t& context)
            : zmq_event(loop, context, socket_type::pull)
        {
        }
    } pull(loop, context);
    events.clear();
    const zmq_monitor other(loop, context, pull, keep());
    const auto socket = pull.release();
    EXPECT_FALSE(other.active());
    until(zmq_connection::monitor_stopped);
}

TEST_F(ZmqMonitor, TheMonitorMayGoFirstAndNobodyWaitsForIt)
{
    zmq_channel server(loop, context, socket_type::router);
    auto monitor = std::make_unique<zmq_monitor>(loop, context, server, keep());
    server.bind("tcp://127.0.0.1:*");
    monitor.reset();
    // Were libzmq still sending its events, its thread would now wait for ever, and nobody could
    // connect.
    int answered = 0;
    server.on_message([&](funcptr::zmq_multipart& message) {
        ++answered;
        EXPECT_TRUE(server.send(message));
    });
    for (int i = 0; i < 20; ++i) {
        auto client = connected(socket_type::dealer, server.last_endpoint());
        client.send(zmq::buffer(std::string("x")));
        until([&] { return answered == i + 1; });
    }
}

TEST_F(ZmqMonitor, ASecondMonitorTakesTheFirstOnesPlace)
{
    zmq_channel server(loop, context, socket_type::router);
    const zmq_monitor first(loop, context, server, keep());
    auto between = std::make_unique<zmq_monitor>(loop, context, server, keep());
    std::vector<zmq_connection_event> later;
    const zmq_monitor second(loop, context, server,
                             [&](const zmq_connection_event& event) { later.push_back(event); });
    EXPECT_FALSE(first.active());
    between.reset(); // before it has heard of it
    until(zmq_connection::monitor_stopped);
    EXPECT_TRUE(second.active());
    server.bind("tcp://127.0.0.1:*");
    until([&] { return !later.empty(); });
    EXPECT_EQ(later.front().type, zmq_connection::listening);
}

TEST_F(ZmqMonitor, TheCallbackMayDestroyTheMonitorOrTheSocket)
{
    for (const bool the_socket : {false, true}) {
        auto server = std::make_unique<zmq_channel>(loop, context, socket_type::router);
        std::unique_ptr<zmq_monitor> monitor;
        bool called = false;
        monitor = std::make_unique<zmq_monitor>(loop, context, *server,
                                                [&](const zmq_connection_event& event) {
                                                    if (std::exchange(called, true))
                                                        return;
                                                    if (the_socket)
                                                        server.reset();
                                                    else
                                                        monitor.reset();
                                                    EXPECT_FALSE(event.endpoint.empty());
                                                });
        server->bind("tcp://127.0.0.1:*");
        until([&] { return called; });
        monitor.reset();
    }
}

TEST_F(ZmqMonitor, ASocketThatIsClosedCannotBeMonitored)
{
    zmq_channel server(loop, context, socket_type::router);
    server.close();
    EXPECT_THROW(zmq_monitor(loop, context, server, keep()), funcptr::error);
}

TEST_F(ZmqMonitor, EndsWithTheContext)
{
    zmq_channel server(loop, context, socket_type::router);
    zmq_monitor monitor(loop, context, server, keep());
    server.on_closed([&](std::error_code) { loop.break_loop(); });
    context.shutdown();
    loop.run();
    EXPECT_TRUE(server.closed());
}

TEST_F(ZmqMonitor, EveryEventHasItsLine)
{
    const auto text = [](zmq_connection type, std::uint32_t value) {
        return zmq_connection_event{type, value, "tcp://h:1"}.text();
    };
    EXPECT_EQ(text(zmq_connection::bind_failed, EADDRINUSE),
              "tcp://h:1: cannot bind: Address already in use");
    EXPECT_EQ(text(zmq_connection::handshake_failed_auth, 400),
              "tcp://h:1: the handshake failed: access denied (400)");
    EXPECT_EQ(text(zmq_connection::handshake_failed_protocol, 0x10000000),
              "tcp://h:1: the handshake failed: the peer breaks the protocol (0x10000000)");
    EXPECT_EQ(text(zmq_connection::connect_retried, 100),
              "tcp://h:1: no answer, the next attempt is in 100 ms");
    EXPECT_EQ(text(static_cast<zmq_connection>(0x8000), 0), "tcp://h:1: event 32768");
}

/// Fills a monitor's queue until the I/O thread waits for room in it, and no message moves.
class stuck_io_thread {
public:
    stuck_io_thread(zmq::context_t& context, zmq_channel& failing)
        : pull_(context, socket_type::pull)
        , push_(context, socket_type::push)
    {
        pull_.set(zmq::sockopt::linger, 0);
        push_.set(zmq::sockopt::linger, 0);
        pull_.bind("tcp://127.0.0.1:*");
        push_.connect(pull_.get(zmq::sockopt::last_endpoint));
        pull_.set(zmq::sockopt::rcvtimeo, 500);
        for (int i = 0; i < 20; ++i)
            failing.connect("tcp://127.0.0.1:1"); // nobody listens on tcpmux
        while (moves()) {
        }
        pull_.set(zmq::sockopt::rcvtimeo, 60'000);
    }
    bool moves()
    {
        push_.send(zmq::buffer("x", 1));
        zmq::message_t got;
        return pull_.recv(got).has_value();
    }

private:
    zmq::socket_t pull_;
    zmq::socket_t push_;
};

TEST_F(ZmqMonitor, WithAFullQueueMonitorAndSocketMayGoAllTheSame)
{
    for (const bool socket_first : {false, true}) {
        SCOPED_TRACE(socket_first);
        events.clear();
        auto push = std::make_unique<zmq_channel>(loop, context, socket_type::push);
        push->set(zmq::sockopt::reconnect_ivl, 1);
        auto monitor = std::make_unique<zmq_monitor>(loop, context, *push, keep(),
                                                     funcptr::zmq_monitor_options{.queue = 1});
        stuck_io_thread io(context, *push);
        if (socket_first) {
            push.reset();
            until(zmq_connection::monitor_stopped);
            EXPECT_GT(events.size(), 1000u) << "what waited is told first";
            EXPECT_EQ(events.back().type, zmq_connection::monitor_stopped);
            EXPECT_FALSE(monitor->active());
        } else {
            monitor.reset();
        }
        EXPECT_TRUE(io.moves());
    }
}

TEST_F(ZmqMonitor, ASocketThatFindsTheContextGoneStopsItsMonitor)
{
    zmq_channel push(loop, context, socket_type::push);
    const zmq_monitor monitor(loop, context, push, keep());
    context.shutdown();
    EXPECT_EQ(push.send("x").what, funcptr::zmq_sent::outcome::closed);
    EXPECT_FALSE(monitor.active()) << "it would speak to a handle that is nobody's";
}

} // namespace
