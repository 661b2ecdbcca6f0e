// SPDX-License-Identifier: MIT
//
// echo_client.h: the client of the echo rows, in a process of its own, the same for all servers.
// Every connection has one request under way all the time.
//
// It opens all connections, asks once on each (the warm-up), and says so on a pipe. Then, for each
// phase, it waits for a byte, asks, and says the 99th percentile when all is answered. All ask at
// the same moment, and that crowd of ours takes some rounds to dissolve: the first three answers
// per connection do not count for the percentile.
//
// Threads: none. Lifetime: of its process.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ev++.h>
#include <funcptr/connection.h>
#include <funcptr/loop.h>
#include <funcptr/ssl_filter.h>

#include "../ssl_filter/material.h"
#include "../support/peers.h"
#include "../support/processors.h"
#include "forked_client.h"

namespace bench {

/// So many requests of that size.
struct echo_phase {
    std::size_t size = 64;
    std::uint64_t requests = 0;
};

/// The phases follow one another on the same connections: opening 5,000 takes longer than they do.
struct echo_job {
    bool tls = false;
    int connections = 1;
    int idle = 0;                     ///< more connections, with nothing to say
    std::chrono::milliseconds rest{}; ///< the server's, before the phases
    std::vector<echo_phase> phases{};
};

class echo_client {
public:
    using clock = std::chrono::steady_clock;

    /// Runs until all is done, or the other side of go is closed.
    echo_client(const echo_job& what, std::uint16_t port, int ready, int go)
        : job_(what)
        , text_(std::size_t{64}, 'e')
        , ready_(ready)
        , connections_(loop_)
        , go_(loop_)
    {
        for (int i = 0; i < what.connections + what.idle; ++i)
            open(port, i);
        go_.set<echo_client, &echo_client::begin>(this);
        go_.start(go, ev::READ);
        funcptr::run(loop_);
    }

private:
    struct talk {
        std::size_t left = 0;
        clock::time_point asked{};
    };

    void open(std::uint16_t port, int number)
    {
        funcptr::accepted there;
        there.socket.reset(connect_loopback(port, number));
        ::fcntl(there.socket.get(), F_SETFL, O_NONBLOCK);
        const funcptr::connection_options patient{.handshake = std::chrono::minutes(5),
                                                  .idle = std::chrono::minutes(5)};
        auto& one = job_.tls ? connections_.add(std::move(there), funcptr::SSLFilter(tls_), patient)
                             : connections_.add(std::move(there), funcptr::plain_filter(), patient);
        auto state = std::make_shared<talk>();
        one.on_open([this, state](funcptr::connection& c) { ask(c, *state); });
        one.on_data([this, state](funcptr::connection& c, funcptr::buffer& in) {
            state->left -= in.size();
            in.clear();
            if (state->left == 0)
                answered(c, *state);
        });
        one.on_close([](funcptr::connection&, const funcptr::close_reason& why) {
            std::fprintf(stderr, "echo client: %s\n", why.text.c_str());
            ::_exit(1);
        });
        if (number < job_.connections)
            talks_.emplace_back(&one, state);
    }
    void ask(funcptr::connection& c, talk& state)
    {
        state.left = text_.size();
        state.asked = clock::now();
        c.write(text_);
    }
    void answered(funcptr::connection& c, talk& state)
    {
        if (!begun_) {
            if (++warm_ == job_.connections + job_.idle)
                tell(0.);
            return;
        }
        took_.push_back(std::chrono::duration<double>(clock::now() - state.asked).count());
        if (asked_ < job_.phases[phase_].requests) {
            ++asked_;
            ask(c, state);
        } else if (took_.size() == job_.phases[phase_].requests) {
            ++phase_;
            tell(percentile());
        }
    }
    double percentile()
    {
        const auto crowd = std::ptrdiff_t{3} * job_.connections;
        std::sort(took_.begin() + crowd, took_.end());
        return took_[took_.size() - (took_.size() - static_cast<std::size_t>(crowd)) / 100 - 1];
    }
    void begin(ev::io& go, int)
    {
        char byte = 0;
        if (phase_ == job_.phases.size() || ::read(go.fd, &byte, 1) != 1)
            return loop_.break_loop(ev::ALL);
        begun_ = true;
        const auto& now = job_.phases[phase_];
        text_.assign(now.size, 'e');
        took_.clear();
        took_.reserve(now.requests);
        asked_ = 0;
        for (auto& [c, state] : talks_)
            if (asked_ < now.requests) {
                ++asked_;
                ask(*c, *state);
            }
    }
    void tell(double figure)
    {
        if (!tell_figure(ready_, figure))
            ::_exit(1);
    }

    echo_job job_;
    std::string text_;
    int ready_;
    int warm_ = 0;
    bool begun_ = false;
    std::size_t phase_ = 0;
    std::uint64_t asked_ = 0; // in this phase
    std::vector<double> took_;
    funcptr::tls_context tls_ = tls::our_client();
    ev::dynamic_loop loop_;
    funcptr::connection_set connections_;
    ev::io go_;
    std::vector<std::pair<funcptr::connection*, std::shared_ptr<talk>>> talks_;
};

inline forked_client echo_process(const echo_job& what, std::uint16_t port)
{
    return forked_client([&](int ready, int go) {
        use_processor(1);
        const echo_client client(what, port, ready, go);
        return 0;
    });
}

} // namespace bench
