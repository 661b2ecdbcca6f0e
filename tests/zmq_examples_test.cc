// SPDX-License-Identifier: MIT
//
// The ZeroMQ examples as their readers run them, with real peers over TCP.
#include "support/process.h"

#include <gtest/gtest.h>

#include <zmq.hpp>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace {

std::string example(const std::string& name)
{
    return test::variable("FUNCPTR_BUILD", "build/debug") + "/examples/" + name;
}

class ZmqExamples : public ::testing::Test {
protected:
    zmq::context_t context;

    zmq::socket_t socket(zmq::socket_type type) const
    {
        zmq::socket_t one(const_cast<zmq::context_t&>(context), type);
        one.set(zmq::sockopt::linger, 0);
        one.set(zmq::sockopt::rcvtimeo, 60'000);
        return one;
    }
    static std::string ask(zmq::socket_t& socket, const std::string& question)
    {
        socket.send(zmq::buffer(question));
        zmq::message_t answer;
        return socket.recv(answer) ? answer.to_string() : "no answer in a minute";
    }
};

TEST_F(ZmqExamples, TheWorkerAnswersAndEndsWhenItIsInterrupted)
{
    test::process worker({.arguments = {example("zmq_worker"), "tcp://127.0.0.1:*"}});
    const auto endpoint = worker.wait_for("answering at (.*)").at(1);
    auto client = socket(zmq::socket_type::req);
    client.connect(endpoint);
    EXPECT_EQ(ask(client, "hello"), "HELLO");
    EXPECT_EQ(ask(client, ""), "");
    worker.signal(SIGINT);
    EXPECT_EQ(worker.wait().status, 0) << worker.printed();
}

TEST_F(ZmqExamples, TheSubscriberHearsThePublisher)
{
    test::process publisher({.arguments = {example("zmq_pubsub"), "publish", "tcp://127.0.0.1:*"}});
    const auto endpoint = publisher.wait_for("publishing at (.*)").at(1);
    test::process subscriber({.arguments = {example("zmq_pubsub"), "subscribe", endpoint}});
    subscriber.wait_for("the handshake succeeded");
    subscriber.wait_for("time [0-9.]+");
    publisher.signal(SIGINT);
    EXPECT_EQ(publisher.wait().status, 0) << publisher.printed();
    subscriber.wait_for("disconnected");
    subscriber.signal(SIGINT);
    EXPECT_EQ(subscriber.wait().status, 0) << subscriber.printed();
}

TEST_F(ZmqExamples, TheCoroutinesTalk)
{
    const auto done = test::run({.arguments = {example("zmq_coroutine"), "tcp://127.0.0.1:*"}});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out, "is it raining? yes\nshall I go? no\nare you sure? no\n");
}

/// A pair of keys as `zmq_broker --keys` prints it.
struct keys {
    std::string text = test::run({.arguments = {example("zmq_broker"), "--keys"}}).out;
    std::string open = text.substr(0, 40);
    std::string secret = text.substr(41, 40);
};

class ZmqBroker : public ZmqExamples {
protected:
    test::temp_dir dir;
    keys broker_keys;
    keys alice;
    keys worker;
    std::optional<test::process> broker;
    std::string for_clients;
    std::string for_workers;

    void start(const std::string& list)
    {
        test::write_file(dir.path() / "broker.key", broker_keys.text);
        test::write_file(dir.path() / "clients", list);
        broker.emplace(
            test::command{.arguments = {example("zmq_broker"), "tcp://127.0.0.1:*",
                                        "tcp://127.0.0.1:*", (dir.path() / "broker.key").string(),
                                        (dir.path() / "clients").string()}});
        for_clients = broker->wait_for("bound (.*), public").at(1);
        for_workers = broker->wait_for("bound (.*), public").at(1);
    }
    zmq::socket_t connected(zmq::socket_type type, const std::string& endpoint,
                            const keys& mine) const
    {
        auto one = socket(type);
        one.set(zmq::sockopt::curve_serverkey, broker_keys.open);
        one.set(zmq::sockopt::curve_publickey, mine.open);
        one.set(zmq::sockopt::curve_secretkey, mine.secret);
        one.connect(endpoint);
        return one;
    }
};

TEST_F(ZmqBroker, BringsListedClientsAndWorkersTogether)
{
    start("curve " + alice.open + " alice\ncurve " + worker.open + " worker\n");
    auto client = connected(zmq::socket_type::req, for_clients, alice);
    auto server = connected(zmq::socket_type::rep, for_workers, worker);
    for (const std::string question : {"one", "two"}) {
        client.send(zmq::buffer(question));
        zmq::message_t frame;
        ASSERT_TRUE(server.recv(frame)) << broker->printed();
        EXPECT_EQ(frame.to_string(), question);
        server.send(zmq::buffer("re: " + question));
        ASSERT_TRUE(client.recv(frame)) << broker->printed();
        EXPECT_EQ(frame.to_string(), "re: " + question);
    }
    broker->signal(SIGINT);
    EXPECT_EQ(broker->wait().status, 0) << broker->printed();
}

TEST_F(ZmqBroker, DeniesWhoIsNotListedUntilTheListIsReloaded)
{
    start("curve " + worker.open + " worker\n");
    auto server = connected(zmq::socket_type::rep, for_workers, worker);
    auto denied = connected(zmq::socket_type::req, for_clients, alice);
    broker->wait_for("zap: 400 CURVE user .* the key is not on the list");

    test::write_file(dir.path() / "clients", "kerberos\n");
    broker->signal(SIGHUP);
    broker->wait_for("the list stays as it was: .*clients:1:1: 'kerberos'");
    test::write_file(dir.path() / "clients",
                     "curve " + alice.open + " alice\ncurve " + worker.open + " worker\n");
    broker->signal(SIGHUP);
    for (;;) { // the signal may take its time: as a client would, try again
        auto client = connected(zmq::socket_type::req, for_clients, alice);
        if (broker->wait_for("zap: (400|200) CURVE user .* from").at(1) == "400")
            continue;
        client.send(zmq::buffer(std::string("hello")));
        zmq::message_t frame;
        ASSERT_TRUE(server.recv(frame)) << broker->printed();
        EXPECT_EQ(frame.to_string(), "hello");
        break;
    }
}

TEST_F(ZmqBroker, LosesNothingWhenTheWorkersAreSlow)
{
    constexpr int count = 20'000; // far more than all the queues on the way hold
    start("curve " + alice.open + " alice\ncurve " + worker.open + " worker\n");
    auto client = connected(zmq::socket_type::dealer, for_clients, alice);
    int sent = 0;
    const auto send_more = [&] {
        while (sent < count
               && client.send(zmq::buffer(std::to_string(sent)), zmq::send_flags::dontwait))
            ++sent;
    };
    client.set(zmq::sockopt::sndtimeo, 60'000);
    for (int i = 0; i < 3000; ++i, ++sent) // until the broker has had to hold up the client
        ASSERT_TRUE(client.send(zmq::buffer(std::to_string(sent))));
    send_more();
    auto server = connected(zmq::socket_type::router, for_workers, worker);
    for (int i = 0; i < count; ++i) {
        std::vector<zmq::message_t> frames;
        do {
            frames.emplace_back();
            ASSERT_TRUE(server.recv(frames.back())) << "message " << i << broker->printed();
        } while (frames.back().more());
        ASSERT_EQ(frames.back().to_string(), std::to_string(i));
        send_more();
    }
}

TEST_F(ZmqBroker, HandsOnWhatIsTooLargeForItsQueue)
{
    start("curve " + alice.open + " alice\ncurve " + worker.open + " worker\n");
    auto client = connected(zmq::socket_type::dealer, for_clients, alice);
    const std::string large(17 * 1024 * 1024, 'x'); // the queue takes 16 MiB
    for (const char* name : {"a", "b", "c"}) {
        client.send(zmq::buffer(name, 1), zmq::send_flags::sndmore);
        client.send(zmq::buffer(large));
    }
    broker->wait_for("zap: 200 CURVE user alice");
    for (int i = 0; i < 5; ++i) { // time enough for the first one to arrive and find no worker
        const auto another = connected(zmq::socket_type::req, for_clients, alice);
        broker->wait_for("zap: 200 CURVE user alice");
    }
    auto server = connected(zmq::socket_type::router, for_workers, worker);
    for (const char* name : {"a", "b", "c"}) {
        std::vector<zmq::message_t> frames;
        do {
            frames.emplace_back();
            ASSERT_TRUE(server.recv(frames.back())) << "message " << name << broker->printed();
        } while (frames.back().more());
        ASSERT_GE(frames.size(), 2u);
        EXPECT_EQ(frames[frames.size() - 2].to_string(), name);
        EXPECT_EQ(frames.back().size(), large.size());
    }
}

} // namespace
