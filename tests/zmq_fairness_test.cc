// SPDX-License-Identifier: MIT
//
// zmq_event: budgets, weights, and the other watchers of the loop.
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/zmq_probe.h"

namespace {

using namespace std::chrono_literals;
using namespace funcptr::testing;
using zmq::socket_type;

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
    turns(2); // from here on only what a turn leaves tells that there is more
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
    EXPECT_GE(pull.counters().budget_hits, 99u);
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

TEST_F(ZmqEvent, ABudgetOfTheLargestNumbersIsNoBoundForAnyWeight)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    funcptr::set_budget(loop, {.messages = most,
                               .bytes = most,
                               .time = std::chrono::microseconds::max(),
                               .park_interval = std::chrono::milliseconds::max()});
    for (const int weight : {1, 2, 3, 1000}) {
        SCOPED_TRACE(weight);
        probe pull(loop, context, socket_type::pull);
        pull.weight(weight);
        const auto endpoint = "inproc://" + std::to_string(weight);
        pull.bind(endpoint);
        auto push = peer(socket_type::push, endpoint);
        int taken = 0;
        pull.on_read = [&](probe& socket) {
            take(socket);
            ++taken;
        };
        turns(2);
        for (int i = 0; i < 500; ++i)
            push.send(zmq::buffer("x", 1), zmq::send_flags::none);
        turns(2);
        EXPECT_EQ(taken, 500);
    }
}

} // namespace
