// SPDX-License-Identifier: MIT
//
// zmq_budget.h: how much of a turn the ZeroMQ sockets of a loop may take.
//
// You meet only zmq_budget here; set_budget() of zmq_hub.h takes it. The rest counts it out.
//
// A turn is bounded thrice, by messages, bytes and time. The messages and bytes are each socket's
// own (deficit round robin: a large message is paid back at the next turns), and the time is shared
// out among those that are ready; all by weight.
//
//     funcptr::set_budget(loop, {.messages = 100});    // nobody waits for more than so many
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace funcptr {

/// How much all the ZeroMQ sockets of one loop may do before its other watchers get their turn.
/// There is no word for "no bound": the largest value of the type is one.
struct zmq_budget {
    /// Messages per socket and turn, each way, times the socket's weight. 50,000: twice of what
    /// fits into the time below, so that it is the time that ends a turn. At least 1.
    std::int64_t messages = 50'000;
    /// Bytes per socket and turn, each way, times its weight; a larger message is taken whole and
    /// paid back at the next turns. 64 MiB: as much as the messages above when they are of 1 KiB.
    std::int64_t bytes = 64 * 1024 * 1024;
    /// Time for all sockets together, shared out among those that have something to do. A turn ends
    /// with the callback during which it runs out. The clock is read after every callback while
    /// they are slow, and up to 128 messages apart while they are quick. 1 ms: what a timer on the
    /// same loop may be late by; the price of a turn (some microseconds) is one per cent of it.
    std::chrono::microseconds time = std::chrono::milliseconds(1);
    /// How long a socket that says it can be written to, and then cannot, is left alone. 100 ms:
    /// ten wake-ups a second. Takes effect from the next time that one is parked.
    std::chrono::milliseconds park_interval = std::chrono::milliseconds(100);
};

// ---------------------------------------------------------------------------------------------

namespace detail {

/// A share of a turn's time.
class zmq_turn {
public:
    using clock = std::chrono::steady_clock;

    zmq_turn(clock::time_point start, clock::duration time) noexcept
        : last_(start)
        , deadline_(start + time)
        , quick_(time / 64)
    {
    }

    /// Is it used up? Reads the clock. Ask again after stride() messages.
    bool expired() noexcept
    {
        const auto now = clock::now();
        stride_ = now - last_ < quick_ ? std::min(2 * stride_, longest_stride) : 1;
        last_ = now;
        return now >= deadline_;
    }
    /// A callback threw: nobody else is called at this turn.
    void end() noexcept { ended_ = true; }
    bool ended() const noexcept { return ended_; }
    /// One while they are slow, more while they are quick: to read the clock costs nearly as much
    /// as to receive a small message.
    unsigned stride() const noexcept { return stride_; }

private:
    static constexpr unsigned longest_stride = 128;

    clock::time_point last_;
    clock::time_point deadline_;
    clock::duration quick_;
    unsigned stride_ = 1;
    bool ended_ = false;
};

/// What a seat may still do in one direction at this turn.
struct zmq_credit {
    std::int64_t messages = 0;
    std::int64_t bytes = 0;

    bool spent() const noexcept { return messages <= 0 || bytes <= 0; }
    /// Debts are carried over, savings are not.
    void refill(const zmq_budget& budget, int weight) noexcept
    {
        messages = std::min<std::int64_t>(messages, 0) + budget.messages * weight;
        bytes = std::min<std::int64_t>(bytes, 0) + budget.bytes * weight;
    }
};

/// What one visit may do in one direction: its seat's credit and its share of the time, made into
/// two bounds on the socket's counters, so that a message costs two comparisons.
class zmq_allowance {
public:
    /// The counters run on while this lives; the credit is settled at the end.
    zmq_allowance(zmq_turn& turn, zmq_credit& credit, const std::uint64_t& messages,
                  const std::uint64_t& bytes) noexcept
        : turn_(turn)
        , credit_(&credit)
        , messages_(messages)
        , bytes_(bytes)
        , last_message_(messages + static_cast<std::uint64_t>(credit.messages))
        , last_byte_(bytes + static_cast<std::uint64_t>(credit.bytes))
    {
        if (credit.spent())
            checkpoint_ = messages;
        else
            advance();
    }
    zmq_allowance(const zmq_allowance&) = delete;
    zmq_allowance& operator=(const zmq_allowance&) = delete;
    ~zmq_allowance()
    {
        if (credit_ != nullptr)
            settle();
    }

    /// One of the bounds, or the time to read the clock again. At least one callback is before it.
    bool reached() const noexcept { return messages_ >= checkpoint_ || bytes_ >= last_byte_; }
    /// Once reached(): is it the messages' or the bytes' bound?
    bool spent() noexcept
    {
        settle();
        return credit_->spent();
    }
    /// Once reached(): is the time up?
    bool expired() noexcept
    {
        if (turn_.expired())
            return true;
        advance();
        return false;
    }
    /// The seat and its counters are gone.
    void forget() noexcept { credit_ = nullptr; }

private:
    void advance() noexcept { checkpoint_ = std::min(messages_ + turn_.stride(), last_message_); }
    void settle() noexcept
    {
        credit_->messages = static_cast<std::int64_t>(last_message_ - messages_);
        credit_->bytes = static_cast<std::int64_t>(last_byte_ - bytes_);
    }

    zmq_turn& turn_;
    zmq_credit* credit_;
    const std::uint64_t& messages_;
    const std::uint64_t& bytes_;
    std::uint64_t last_message_;
    std::uint64_t last_byte_;
    std::uint64_t checkpoint_;
};

} // namespace detail

} // namespace funcptr
