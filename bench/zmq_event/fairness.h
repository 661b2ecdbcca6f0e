// SPDX-License-Identifier: MIT
//
// fairness.h: how the messages of several full sockets are shared out in a window: Jain's index,
// (sum x)² / (n · sum x²), which is 1 when all got the same and 1/n when one got everything, and by
// how much weighted sockets miss their shares.
//
// Every queue must still hold messages when the window ends, else the row is invalid: who has
// nothing left to receive is not treated unfairly.
//
// Threads: one beside prefill's. Lifetime: all is made anew in each round.
//
//     bench::add_fairness(suite);
#pragma once

#include <ev++.h>
#include <funcptr/loop.h>
#include <funcptr/zmq_event.h>
#include <zmq.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/bench.h"
#include "flood.h"
#include "wire.h"

namespace bench {

/// Several sockets on one loop, each with its full queue.
class crowd {
public:
    /// One socket for each weight, with so many messages each.
    crowd(const wire& what, const std::vector<int>& weights, std::uint64_t messages)
        : messages_(messages)
    {
        for (const int weight : weights)
            members_.push_back(std::make_unique<member>(*this, weight, what.over));
        for (auto& each : members_) {
            view full{*each, context_};
            fed_.push_back(std::make_unique<prefill>(full, what, messages_));
        }
    }

    /// Runs until that many were received by all together; what each got.
    /// Throws std::runtime_error when a queue is empty then.
    std::vector<double> take(std::uint64_t messages)
    {
        left_ = messages;
        funcptr::run(loop_);
        std::vector<double> shares;
        for (const auto& each : members_) {
            if (each->taken >= messages_)
                throw std::runtime_error("a queue was empty when the window ended: invalid");
            shares.push_back(static_cast<double>(each->taken));
        }
        return shares;
    }

private:
    struct member : funcptr::zmq_event {
        member(crowd& all, int share, transport over)
            : zmq_event(all.loop_, all.context_, zmq::socket_type::pull)
            , of(all)
        {
            weight(share);
            set(zmq::sockopt::rcvhwm, 0);
            set(zmq::sockopt::linger, 0);
            bind(any_endpoint(over));
        }
        void read() override
        {
            recv();
            ++taken;
            if (--of.left_ == 0)
                of.loop_.break_loop(ev::ALL);
        }

        crowd& of;
        std::uint64_t taken = 0;
    };
    /// A member as prefill wants it.
    struct view {
        member& of;
        zmq::context_t& from;

        void* socket() { return of.handle().handle(); }
        void* context() { return from.handle(); }
        std::string endpoint() { return of.last_endpoint(); }
    };

    std::uint64_t messages_;
    std::uint64_t left_ = 0;
    zmq::context_t context_;
    ev::dynamic_loop loop_;
    std::vector<std::unique_ptr<member>> members_;
    std::vector<std::unique_ptr<prefill>> fed_;
};

inline double jains_index(const std::vector<double>& shares)
{
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    const double squares = std::inner_product(shares.begin(), shares.end(), shares.begin(), 0.0);
    return sum * sum / (static_cast<double>(shares.size()) * squares);
}

/// How far, at most, a share is from what its weight is due: 0.1 is ten per cent of that.
inline double worst_share(const std::vector<double>& shares, const std::vector<int>& weights)
{
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
    double worst = 0;
    for (std::size_t i = 0; i < shares.size(); ++i)
        worst = std::max(worst, std::abs(shares[i] / (sum * weights[i] / weight) - 1));
    return worst;
}

inline void add_fairness(suite& suite)
{
    constexpr limits few{.warm_up = 0, .least = 6, .most = 8};
    const std::vector<int> alike(8, 1);
    const std::vector<int> weights{1, 2, 4};
    for (const auto over : {transport::inproc, transport::tcp}) {
        const wire what{over, 64};
        const std::string at = "/" + name_of(what);
        suite.compare("eight sockets" + at, few)
            .contender("eight",
                       [=](round& round) {
                           crowd all(what, alike, 400'000);
                           round.record("jain", jains_index(all.take(1'600'000)));
                       })
            .figure("fairness_of_8" + at, "Jain's index", ">= 0.99", "eight",
                    [](const sample& one) { return one.figure("jain"); });
        suite.compare("weights" + at, few)
            .contender("three",
                       [=](round& round) {
                           crowd all(what, weights, 2'000'000);
                           round.record("off", worst_share(all.take(2'800'000), weights));
                       })
            .figure("weights_1_2_4" + at, "off its share", "<= 0.1", "three",
                    [](const sample& one) { return one.figure("off"); });
    }
}

} // namespace bench
