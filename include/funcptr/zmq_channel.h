// SPDX-License-Identifier: MIT
//
// zmq_channel.h: whole messages in and out on a ZeroMQ socket, with a bounded queue.
//
// The form with callbacks, where zmq_event.h is the one to derive from. on_message gets each
// message with all of its frames. send() may be called at any time: what the socket takes goes out
// at once, the rest waits in a queue with a bound and a policy for what does not fit. Order is
// kept. A message never arrives in part: when libzmq refuses a frame in the midst of one, because
// the peer has just died, the whole is sent again, to another.
//
// It keeps nothing across restarts and does not acknowledge: it is as reliable as the socket, and a
// message that libzmq had taken for a peer that died is gone. One
// queue stands before all peers: a ROUTER whose next message is for a peer that is full
// (ROUTER_MANDATORY) lets those behind it wait.
//
// Threads, lifetime: those of zmq_event.h. Legal in its callbacks: everything, destroying it
// included. A callback may be replaced at any time, by itself too; what it throws goes to the loop
// (loop.h).
//
//     funcptr::zmq_channel results(loop, context, zmq::socket_type::push);
//     results.connect("tcp://collector:5558");
//     results.on_low_water([&] { start_producing(); });
//     if (!results.send("42"))
//         stop_producing();                                // the queue is full
//     results.drain(5s, [&](std::size_t unsent) { loop.break_loop(); });
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <utility>

#include "callback.h"
#include "zmq_event.h"
#include "zmq_multipart.h"

namespace funcptr {

/// What happens to a message for which the queue has no room.
enum class zmq_overflow : std::uint8_t {
    fail,        ///< send() refuses it, and it stays the caller's
    drop_oldest, ///< the oldest queued ones go until it fits
    drop_newest, ///< it goes itself
};

struct zmq_channel_options {
    /// Messages that wait for the socket, behind libzmq's own queue (SNDHWM). 1,000: what libzmq
    /// takes for its own. 0: none wait.
    std::size_t queue_messages = 1000;
    /// Bytes that wait, in all. 16 MiB: the messages above at 16 KiB each. A message that is larger
    /// never waits.
    std::size_t queue_bytes = 16 * 1024 * 1024;
    /// on_low_water is called when so many messages are left, or fewer; when none waits, as soon as
    /// the socket can take one. 250: a quarter, so that the producer is back before the queue has
    /// run dry.
    std::size_t low_water = 250;
    zmq_overflow overflow = zmq_overflow::fail;
    zmq_options socket{};
};

/// What became of a message given to send(). True: it was taken, and the caller's is empty.
struct zmq_sent {
    enum class outcome : std::uint8_t {
        sent,    ///< libzmq has it
        queued,  ///< it waits for the socket
        dropped, ///< there was no room, and the policy is drop_newest
        full,    ///< there was no room, and the policy is fail; still the caller's
        refused, ///< the socket will never take it, see error; still the caller's
        closed,  ///< the channel is closed or drains; still the caller's
    };
    outcome what;
    /// refused: EHOSTUNREACH for a ROUTER (ROUTER_MANDATORY) without such a peer, EFSM for a REQ or
    /// REP out of turn, ENOTSUP for a type that cannot send, EINVAL for a message without frames.
    std::error_code error{};

    explicit operator bool() const noexcept { return what <= outcome::dropped; }
};

class zmq_channel final : private zmq_event {
public:
    /// Throws as zmq_event does.
    zmq_channel(ev::loop_ref loop, zmq::context_t& context, zmq::socket_type type,
                const zmq_channel_options& options = {});
    /// Adopts an open socket; options.socket is not used.
    zmq_channel(ev::loop_ref loop, zmq::socket_t socket, const zmq_channel_options& options = {});
    ~zmq_channel() override { stop_timer(); }

    /// Gets each message, and may take its frames away; it has no empty message. Until one is set,
    /// and after null, messages stay where they are.
    void on_message(std::function<void(zmq_multipart&)> handler);
    /// There is room again: called from the loop, once each time that a message had found none and
    /// the queue has emptied to low_water. For a large message there may be none yet: send() says
    /// so, and it is called again.
    void on_low_water(std::function<void()> handler) { on_low_water_ = std::move(handler); }
    /// Gets a message that was queued and that the socket will never take, see zmq_sent::error. By
    /// default it is counted as dropped().
    void on_refused(std::function<void(zmq_multipart&, std::error_code)> handler)
    {
        on_refused_ = std::move(handler);
    }
    /// The socket is closed because of this, and none of the callbacks is called any more. What
    /// was queued is dropped(). By default it is logged.
    void on_closed(std::function<void(std::error_code)> handler)
    {
        on_closed_ = std::move(handler);
    }

    /// Sends the message or queues it. Throws std::bad_alloc, and then nothing was queued.
    [[nodiscard]] zmq_sent send(zmq_multipart& message);
    [[nodiscard]] zmq_sent send(zmq_multipart&& message) { return send(message); }
    /// A message of one frame; the bytes are copied.
    [[nodiscard]] zmq_sent send(std::string_view bytes);

    /// Shall on_message be called? True at the start. False leaves messages to libzmq's queue and,
    /// once that is full, to the peers: this is how a slow consumer holds up its producers.
    void want_messages(bool wanted);

    /// Messages and bytes that wait for the socket.
    std::size_t queued() const noexcept { return queue_.size(); }
    std::size_t queued_bytes() const noexcept { return queued_bytes_; }
    /// Messages that were taken and never sent: by the policy, by a drain's deadline, left when the
    /// socket closed, or refused without an on_refused.
    std::uint64_t dropped() const noexcept { return dropped_; }

    /// Takes no more messages, sends what is queued, then calls `done` from the loop, once: with 0,
    /// or at the deadline, or when the socket closes, with the number of messages that are dropped.
    /// Called again it replaces deadline and `done`. On a channel that is closed, or whose loop is
    /// gone, `done` is called at once. A `done` given before close() is never called after it. What
    /// libzmq has taken is not waited for: linger is for that.
    void drain(std::chrono::milliseconds deadline, std::function<void(std::size_t unsent)> done);
    bool draining() const noexcept { return draining_; }

    /// Closes now; what is queued is dropped(). None of the callbacks is called any more.
    void close() noexcept;

    using zmq_event::bind;
    using zmq_event::closed;
    using zmq_event::connect;
    using zmq_event::counters;
    using zmq_event::disconnect;
    using zmq_event::get;
    using zmq_event::handle;
    using zmq_event::hook;
    using zmq_event::last_endpoint;
    using zmq_event::pause;
    using zmq_event::paused;
    using zmq_event::resume;
    using zmq_event::set;
    using zmq_event::touch;
    using zmq_event::unbind;
    using zmq_event::weight;

private:
    void prepare(ev::loop_ref loop);
    void read() override;
    void write() override;
    void on_error(std::error_code why) override;
    static void on_deadline(struct ev_loop* loop, ev_timer* timer, int);
    void stop_timer() noexcept;

    zmq_result send_now(zmq_multipart& message);
    zmq_sent enqueue(zmq_multipart& message);
    bool make_room(std::size_t bytes) noexcept;
    bool fits(std::size_t bytes) const noexcept;
    void drop_front() noexcept;
    std::size_t drop_all() noexcept;
    bool front_is_gone();
    bool end_drain();

    struct waiting {
        zmq_multipart message;
        std::size_t bytes;
    };

    zmq_channel_options options_;
    zmq_multipart incoming_; // kept, so that a message costs no allocation
    std::deque<waiting> queue_;
    std::size_t queued_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool wants_messages_ = true;
    bool was_full_ = false; // a message found no room since on_low_water was called last
    bool draining_ = false;
    callback<zmq_multipart&> on_message_;
    callback<> on_low_water_;
    callback<zmq_multipart&, std::error_code> on_refused_;
    callback<std::error_code> on_closed_;
    callback<std::size_t> on_drained_;
    struct ev_loop* loop_ = nullptr;
    ev_timer deadline_{}; // active only while the socket is watched, and so the loop there
};

} // namespace funcptr

#include "zmq_channel_inl.h"
