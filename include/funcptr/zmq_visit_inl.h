// SPDX-License-Identifier: MIT
//
// zmq_visit_inl.h: what a socket does with its turn; the second half of zmq_event.h's bodies.
//
// A visit does: read until recv() says EAGAIN, then write until send() says so, and ends with a
// look at the socket after everything that touched it: the recv that gave EAGAIN is such a look,
// and ZMQ_EVENTS is the other. Each look clears touched_, each call of the user sets it, and the
// hub keeps a seat on its list while it is set.
#pragma once

#include "zmq_event.h"

namespace funcptr {

inline detail::zmq_visit zmq_event::visit(detail::zmq_turn& turn) noexcept
{
    using detail::zmq_visit;
    running callback(*this);
    if (fatal_)
        return report_error(turn, callback);
    ++counters_.visits;
    const auto served = counters_.messages_received + counters_.messages_sent;
    const auto end = serve(turn, callback);
    if (callback.destroyed())
        return zmq_visit::gone;
    if (counters_.messages_received + counters_.messages_sent == served)
        ++counters_.spurious;
    // close() and release() end all calls, also the one that would tell why it failed before.
    return fatal_ && hub() != nullptr ? report_error(turn, callback) : end;
}

inline detail::zmq_visit zmq_event::serve(detail::zmq_turn& turn, running& callback) noexcept
{
    using detail::zmq_visit;
    auto read_end = zmq_visit::clean;
    if (reading()) {
        read_end = read_messages(turn, callback);
        if (read_end == zmq_visit::gone || turn.ended())
            return read_end;
    }
    if (writing()) {
        const auto write_end = write_messages(turn, callback);
        return write_end == zmq_visit::clean ? read_end : write_end;
    }
    if (socket_ && !reading())
        look(); // nothing is wanted, but libzmq's commands must be worked off
    return read_end;
}

/// The hot loop: what it does for each message besides zmq_msg_recv and read() is counted in
/// instructions, since a small message takes no more than a hundred or so. So the three budgets are
/// looked at in one comparison for messages and clock, and one for bytes.
inline detail::zmq_visit zmq_event::read_messages(detail::zmq_turn& turn,
                                                  running& callback) noexcept
{
    using detail::zmq_visit;
    auto& state = hub()->state();
    discard_rest();           // of a message that was taken in part outside of read()
    if (callback.destroyed()) // by the log's sink
        return zmq_visit::gone;
    if (more_ && !head_held_) // the sink has taken a part of the next one
        return zmq_visit::again;
    detail::zmq_allowance allowance(turn, read_credit_, counters_.messages_received,
                                    counters_.bytes_received);
    while (reading()) {
        if (used_up(allowance))
            return zmq_visit::again;
        if (!head_held_ && !prefetch())
            return zmq_visit::clean;
        const bool returned = state.guard([this] { read(); });
        if (!returned)
            turn.end();
        if (!callback.destroyed() && more_)
            discard_rest(); // and the log's sink may destroy it
        if (callback.destroyed()) {
            allowance.forget();
            return zmq_visit::gone;
        }
        if (!returned || head_held_ || more_)
            return zmq_visit::again; // it threw, or took nothing, or the sink a part of the next
    }
    return zmq_visit::clean;
}

inline detail::zmq_visit zmq_event::write_messages(detail::zmq_turn& turn,
                                                   running& callback) noexcept
{
    using detail::zmq_visit;
    auto& state = hub()->state();
    int events = look();
    blocked_ = false;
    if ((events & ZMQ_POLLOUT) != 0 && !parked()) {
        detail::zmq_allowance allowance(turn, write_credit_, counters_.messages_sent,
                                        counters_.bytes_sent);
        while (writing() && !blocked_) {
            if (used_up(allowance))
                return zmq_visit::again;
            sent_ = false;
            const bool returned = state.guard([this] { write(); });
            if (!returned)
                turn.end();
            if (callback.destroyed()) {
                allowance.forget();
                return zmq_visit::gone;
            }
            if (!returned)
                return zmq_visit::again;
            if (!sent_ && !blocked_)
                return zmq_visit::again; // write() sent nothing: offered again at the next turn
        }
        if (!socket_)
            return zmq_visit::clean;
        events = look(); // a send may have taken the signal of a message that came in meanwhile
        if (writing() && (events & ZMQ_POLLOUT) != 0) {
            if (!blocked_)
                return zmq_visit::again;
            ++counters_.parks; // writable, and yet it is not
            park();
        }
    }
    return reading() && (events & ZMQ_POLLIN) != 0 ? zmq_visit::again : zmq_visit::clean;
}

/// Have the messages, the bytes or the time come to their bound?
inline bool zmq_event::used_up(detail::zmq_allowance& allowance) noexcept
{
    if (!allowance.reached()) [[likely]]
        return false;
    if (!allowance.spent() && !allowance.expired())
        return false;
    ++counters_.budget_hits;
    return true;
}

inline detail::zmq_visit zmq_event::report_error(detail::zmq_turn& turn, running& callback) noexcept
{
    const auto why = fatal_;
    if (!hub()->state().guard([&] { on_error(why); }))
        turn.end();
    if (!callback.destroyed())
        unseat();
    return detail::zmq_visit::gone;
}

inline void zmq_event::on_error(std::error_code why)
{
    if (hub() != nullptr)
        hub()->state().log(log_level::error, [&] { return "zmq_event: closed: " + why.message(); });
}

inline void zmq_event::pump() noexcept
{
    if (socket_)
        look();
}

/// Fetches the next message's first frame into head_. When there is none, that was a look.
inline bool zmq_event::prefetch() noexcept
{
    const int refusal = fetch(head_);
    if (refusal == 0) {
        head_held_ = true;
        return true;
    }
    touched_ = false;
    const auto result = failed(refusal);
    // Any other refusal (EFSM: a REQ that has not asked) comes before libzmq has taken its
    // commands.
    if (!result.would_block() && socket_ && (look() & ZMQ_POLLIN) != 0)
        touched_ = true;
    return false;
}

inline void zmq_event::discard_rest() noexcept
{
    if (!more_ || head_held_ || !socket_)
        return;
    const auto before = counters_.discarded_frames;
    zmq::message_t frame;
    int refusal = 0;
    while (more_ && (refusal = fetch_next(frame)) == 0)
        ++counters_.discarded_frames;
    if (refusal != 0)
        failed(refusal);
    more_ = false;
    if (hub() == nullptr)
        return;
    hub()->state().log(log_level::warning, [&] {
        return "zmq_event: read() left " + std::to_string(counters_.discarded_frames - before)
               + " frame(s) of a message; they are discarded";
    });
}

/// ZMQ_EVENTS; 0 when the socket is closed by it.
inline int zmq_event::look() noexcept
{
    touched_ = false;
    for (int attempt = 0; attempt < detail::zmq_interrupts; ++attempt) {
        int events = 0;
        std::size_t size = sizeof events;
        if (zmq_getsockopt(socket_.handle(), ZMQ_EVENTS, &events, &size) == 0)
            return events;
        if (zmq_errno() != EINTR) {
            failed(zmq_errno());
            return 0;
        }
    }
    park(); // not a look; try again later
    return 0;
}

} // namespace funcptr
