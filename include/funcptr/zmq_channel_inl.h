// SPDX-License-Identifier: MIT
//
// zmq_channel_inl.h: the bodies of zmq_channel.h; include that.
//
// Each function that calls back does so last, or looks at what the call returned: false says that
// the channel was destroyed by it.
#pragma once

#include <cerrno>
#include <exception>

#include "zmq_channel.h"

namespace funcptr {

inline zmq_channel::zmq_channel(ev::loop_ref loop, zmq::context_t& context, zmq::socket_type type,
                                const zmq_channel_options& options)
    : zmq_event(loop, context, type, options.socket)
    , options_(options)
{
    prepare(loop);
}

inline zmq_channel::zmq_channel(ev::loop_ref loop, zmq::socket_t socket,
                                const zmq_channel_options& options)
    : zmq_event(loop, std::move(socket))
    , options_(options)
{
    prepare(loop);
}

inline void zmq_channel::prepare(ev::loop_ref loop)
{
    loop_ = loop;
    ev_timer_init(&deadline_, &zmq_channel::on_deadline, 0., 0.);
    deadline_.data = this;
    want_read(false);
}

// --- in ---------------------------------------------------------------------------------------

inline void zmq_channel::on_message(std::function<void(zmq_multipart&)> handler)
{
    const bool set = static_cast<bool>(handler);
    on_message_ = std::move(handler);
    want_read(set && wants_messages_);
}

inline void zmq_channel::want_messages(bool wanted)
{
    wants_messages_ = wanted;
    want_read(wanted && on_message_.assigned());
}

inline void zmq_channel::read()
{
    // Not in the member during the call: the callback may destroy the channel, and go on reading.
    zmq_multipart message = std::move(incoming_);
    message.clear();
    do {
        message.emplace_back();
        if (!recv(message.back()))
            return; // the context ends in the midst of a message: no half one is told
    } while (more());
    if (on_message_(message)) {
        message.clear();
        incoming_ = std::move(message);
    }
}

// --- out --------------------------------------------------------------------------------------

inline zmq_sent zmq_channel::send(std::string_view bytes)
{
    zmq_multipart message;
    message.emplace_back(bytes.data(), bytes.size());
    return send(message);
}

inline zmq_sent zmq_channel::send(zmq_multipart& message)
{
    using outcome = zmq_sent::outcome;
    if (closed() || draining_)
        return {outcome::closed};
    if (message.empty())
        return {outcome::refused, errno_code(EINVAL)};
    if (!queue_.empty())
        return enqueue(message); // in order
    const auto result = send_now(message);
    if (result.would_block())
        return enqueue(message);
    if (!result)
        return {closed() ? outcome::closed : outcome::refused, result.error};
    message.clear();
    return {outcome::sent};
}

inline zmq_result zmq_channel::send_now(zmq_multipart& message)
{
    return detail::send_whole(
        message, [this](zmq::message_t& frame, bool more) { return zmq_event::send(frame, more); });
}

inline bool zmq_channel::fits(std::size_t bytes) const noexcept
{
    return queue_.size() < options_.queue_messages && bytes <= options_.queue_bytes - queued_bytes_;
}

inline bool zmq_channel::make_room(std::size_t bytes) noexcept
{
    const bool ever = options_.queue_messages != 0 && bytes <= options_.queue_bytes;
    if (options_.overflow == zmq_overflow::drop_oldest && ever)
        while (!fits(bytes)) {
            drop_front();
            ++dropped_;
        }
    return fits(bytes);
}

inline zmq_sent zmq_channel::enqueue(zmq_multipart& message)
{
    using outcome = zmq_sent::outcome;
    const auto bytes = detail::size_of(message);
    was_full_ = was_full_ || !fits(bytes);
    if (make_room(bytes)) {
        want_write(true);              // may refuse, too: the wrong thread
        queue_.push_back({{}, bytes}); // may throw; the message is still the caller's
        queue_.back().message.swap(message);
        queued_bytes_ += bytes;
        return {outcome::queued};
    }
    if (queue_.empty()) // no queue to run low: on_low_water is to tell of the socket's own room
        want_write(true);
    if (options_.overflow == zmq_overflow::fail)
        return {outcome::full};
    ++dropped_;
    message.clear();
    return {outcome::dropped};
}

inline void zmq_channel::drop_front() noexcept
{
    queued_bytes_ -= queue_.front().bytes;
    queue_.pop_front();
}

inline std::size_t zmq_channel::drop_all() noexcept
{
    const auto count = queue_.size();
    dropped_ += count;
    queue_.clear();
    queued_bytes_ = 0;
    was_full_ = false;
    return count;
}

inline void zmq_channel::write()
{
    if (!queue_.empty()) {
        const auto result = send_now(queue_.front().message);
        if (result.would_block() || closed())
            return;
        if (result) {
            drop_front();
        } else { // e.g. a ROUTER's peer is gone: nobody will ever take it
            auto refused = std::move(queue_.front().message);
            drop_front();
            dropped_ += !on_refused_;
            if (!on_refused_(refused, result.error) || closed())
                return;
        }
    }
    if (front_is_gone() && draining_ && queue_.empty() && !closed())
        end_drain();
}

/// False when a callback destroyed the channel.
inline bool zmq_channel::front_is_gone()
{
    if (queue_.empty())
        want_write(false);
    if (!was_full_ || queue_.size() > options_.low_water)
        return true;
    was_full_ = false;
    return on_low_water_();
}

// --- the end ----------------------------------------------------------------------------------

inline void zmq_channel::drain(std::chrono::milliseconds deadline,
                               std::function<void(std::size_t unsent)> done)
{
    draining_ = true;
    on_drained_ = nullptr;
    stop_timer();
    if (closed() || !watched()) { // or the loop is gone: nobody would end it
        const auto unsent = drop_all();
        if (done)
            done(unsent);
        return;
    }
    on_drained_ = std::move(done);
    ev_now_update(loop_); // the loop's clock may be as old as the callback that calls this
    // Also when nothing is queued: `done` is called from the loop, never from here.
    const auto wait = queue_.empty() ? 0. : std::chrono::duration<double>(deadline).count();
    ev_timer_set(&deadline_, wait > 0. ? wait : 0., 0.);
    ev_timer_start(loop_, &deadline_);
}

inline void zmq_channel::on_deadline(struct ev_loop* loop, ev_timer* timer, int)
{
    auto& self = *static_cast<zmq_channel*>(timer->data);
    detail::loop_state::of(loop).guard([&] { self.end_drain(); });
}

/// False when the callback destroyed the channel.
inline bool zmq_channel::end_drain()
{
    stop_timer();
    const auto unsent = drop_all();
    if (!closed())
        want_write(false);
    return on_drained_.once(unsent);
}

inline void zmq_channel::stop_timer() noexcept
{
    // When the loop went before its sockets, it took the timer with it. (No question whether it is
    // active: one that has just run out is not, but its callback may still be to come.)
    if (watched())
        ev_timer_stop(loop_, &deadline_);
}

inline void zmq_channel::close() noexcept
{
    stop_timer();
    zmq_event::close();
    drop_all();
}

inline void zmq_channel::on_error(std::error_code why)
{
    if (draining_ && (!end_drain() || !watched()))
        return; // destroyed, or closed by the callback
    drop_all();
    if (on_closed_)
        on_closed_(why);
    else
        zmq_event::on_error(why);
}

} // namespace funcptr
