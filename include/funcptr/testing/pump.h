// SPDX-License-Identifier: MIT
//
// testing/pump.h: two filters joined back to back, with a network in between that cuts the bytes
// into pieces as you say, the same way at every run.
//
//     left.nwrite --> [ fragmentation ] --> right.nread
//     left.nread  <-- [ fragmentation ] <-- right.nwrite
//
// A protocol that works when every message comes whole in one read, and no test ever cut it, is not
// tested. The pump knows no test framework, no clock and no socket, and touches neither aread nor
// awrite: they are yours. It loses, alters and reorders nothing.
//
// Threads: one. Lifetime: the filters must outlive the pump.
//
//     using namespace funcptr::testing;
//     for (auto cut : {fragmentation::whole(), fragmentation::bytes(1), fragmentation::random(7)})
//     {
//         funcptr::SSLFilter client(client_context), server(server_context);
//         pump network(client, server, cut);
//         client.awrite().append("hello");
//         network.run();
//         EXPECT_EQ(server.aread().view(), "hello") << cut.name();
//     }
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "../buffer.h"
#include "../filter.h"

namespace funcptr::testing {

/// How many of the bytes that wait arrive at once. A value: a copy goes through the same pieces
/// again.
class fragmentation {
public:
    /// All that there is.
    static fragmentation whole() { return {static_cast<std::size_t>(-1), false, 0}; }
    /// At most that many at a time. REQUIRES: most > 0.
    static fragmentation bytes(std::size_t most) { return {most, false, 0}; }
    /// 0 to most bytes, drawn from the seed; 0 is a delay: the other direction goes first. Half of
    /// the pieces are short (up to 8 bytes), as it is the borders within headers that matter.
    static fragmentation random(std::uint32_t seed, std::size_t most = 4096)
    {
        return {most, true, seed};
    }

    /// The next piece, of the bytes that wait. REQUIRES: waiting > 0.
    std::size_t next(std::size_t waiting)
    {
        if (!random_)
            return std::min(most_, waiting);
        const auto draw = engine_();
        const std::size_t most = draw % 2 == 0 ? std::min<std::size_t>(most_, 8) : most_;
        // Not std::uniform_int_distribution: its numbers differ from library to library.
        return std::min<std::size_t>(engine_() % (most + 1), waiting);
    }

    /// For a failing test's message, e.g. "random pieces, seed 7".
    std::string name() const
    {
        if (random_)
            return "random pieces, seed " + std::to_string(seed_);
        if (most_ == static_cast<std::size_t>(-1))
            return "whole";
        return "pieces of " + std::to_string(most_);
    }

private:
    fragmentation(std::size_t most, bool random, std::uint32_t seed)
        : most_(most)
        , random_(random)
        , seed_(seed)
        , engine_(seed)
    {
    }

    std::size_t most_;
    bool random_;
    std::uint32_t seed_;
    std::mt19937 engine_; // the same numbers everywhere, by the standard
};

/// Which end of the pump.
enum class side : std::uint8_t { left, right };

class pump {
public:
    pump(filter& left, filter& right, fragmentation cut = fragmentation::whole())
        : ways_{{{&left, &right, cut}, {&right, &left, cut}}}
    {
    }

    /// Nothing that `from` sends arrives for now (a peer that does not read); false to go on.
    void hold(side from, bool held = true) { way_of(from).held = held; }

    /// The connection breaks after `from` has sent so many bytes more: what it sends after them is
    /// lost, and the other end sees the end of input.
    void cut_after(side from, std::size_t bytes)
    {
        way_of(from).left = bytes;
        way_of(from).will_break = true;
    }

    /// Whether the end of one filter's output (write_closed(), and all of it delivered) is the end
    /// of the other's input, as a transport does it. It is unless this says no.
    void hang_up(bool on) { hang_up_ = on; }

    /// Bytes of `from` that have arrived at the other end.
    std::uint64_t passed(side from) const { return way_of(from).passed; }
    /// The end of `from`'s output was told to the other end.
    bool ended(side from) const { return way_of(from).ended; }

    /// update() on both, and one piece in each direction. False when nothing moved and nothing will
    /// until you do something.
    bool step()
    {
        for (way& each : ways_)
            each.from->update();
        // No short circuit: both directions get their turn.
        const bool rightwards = move(ways_[0]);
        const bool leftwards = move(ways_[1]);
        for (way& each : ways_)
            each.from->update();
        return rightwards || leftwards;
    }

    /// Steps until nothing moves. Returns false when that never came within `most` steps: two ends
    /// that chat for ever. A whole TLS handshake byte by byte takes about 3,000.
    bool run(std::size_t most = 10'000'000)
    {
        for (std::size_t i = 0; i < most; ++i)
            if (!step())
                return true;
        return false;
    }

private:
    struct way {
        filter* from;
        filter* to;
        fragmentation cut;
        bool held = false;
        bool will_break = false;
        bool ended = false;
        std::size_t left = 0; // until it breaks
        std::uint64_t passed = 0;
    };

    way& way_of(side from) { return ways_[from == side::left ? 0 : 1]; }
    const way& way_of(side from) const { return ways_[from == side::left ? 0 : 1]; }

    bool move(way& each)
    {
        if (each.held)
            return false;
        buffer& out = each.from->nwrite();
        if (each.ended) { // the wire is cut: what is said into it is lost
            const bool lost = !out.empty();
            out.clear();
            return lost;
        }
        if (each.will_break && each.left == 0)
            return end(each);
        if (out.empty())
            return hang_up_ && each.from->write_closed() && end(each);
        return deliver(each, out);
    }

    static bool deliver(way& each, buffer& out)
    {
        buffer& in = each.to->nread();
        std::size_t waiting = std::min(out.size(), in.room());
        if (each.will_break)
            waiting = std::min(waiting, each.left);
        if (waiting == 0)
            return false; // the other end does not take more until its user has read
        const std::size_t piece = each.cut.next(waiting);
        in.append(out.data().first(piece));
        out.consume(piece);
        each.left -= each.will_break ? piece : 0;
        each.passed += piece;
        return true; // a piece of 0 bytes is a delay, not the end
    }

    static bool end(way& each)
    {
        each.ended = true;
        each.to->input_eof();
        return true;
    }

    std::array<way, 2> ways_;
    bool hang_up_ = true;
};

} // namespace funcptr::testing
