// SPDX-License-Identifier: MIT
//
// zmq_event.h: a ZeroMQ socket as a fair watcher of a libev loop.
//
// Derive from zmq_event, override read(), and be called once for each whole message (all frames of
// a multipart message are there). Ask for writing with want_write(true), and write() is called
// while a message can be sent. Nobody starves: each turn of the loop serves every socket that has
// something to do up to a budget (zmq_budget, weight()), then the loop's other watchers. Nothing is
// lost and nothing spins: see the theory of operation in zmq_hub.h.
//
// It has no queue of its own and no message format: for whole messages through bounded queues build
// on it. It cannot serve thread-safe socket types (CLIENT, SERVER, RADIO, DISH…): they have no
// ZMQ_FD.
//
// Threads: a socket belongs to the thread of its loop; several loops in several threads are fine.
// The audit mode (zmq_audit.h, set_audit()) refuses calls from others, and finds wake-ups that were
// lost by using handle(). The last parameter of most calls, the caller's place, is for it.
// Lifetime: the context must outlive it: zmq_ctx_term, which is the context's destructor, waits
// until every socket is closed, in the sockets' own thread for ever. Destroy the sockets first, or
// shut the context down and run the loop until each was told (on_error()). The loop should outlive
// it, too; when it does not the socket stays usable without being called. Neither copied nor moved.
// Legal inside any callback, the log's sink and the error hook included: everything, destroying
// this or any other socket and running the loop again, too; a socket is not called again while its
// own callback runs. After fork() a child must not use the parent's sockets.
//
// Speed: recv() without an argument is the quickest. Where each wake-up brings few messages (of
// 1 KiB over tcp eight, as libzmq's io thread hands over 8 KiB at a time),
// loop.set_io_collect_interval(200e-6) lets them gather: a fifth of the system calls and a third of
// the CPU time, or less (bench/zmq_event/collecting.h). What comes within 200 us of the loop's last
// turn, by a descriptor or from another thread (ev_async), then waits until they are over; timers
// are not late, and while one is due within a millisecond nothing is gathered.
//
//     class ticker : public funcptr::zmq_event {
//     public:
//         ticker(ev::loop_ref loop, zmq::context_t& context)
//             : zmq_event(loop, context, zmq::socket_type::sub)
//         {
//             set(zmq::sockopt::subscribe, "");
//             connect("tcp://localhost:5556");
//         }
//     private:
//         void read() override { std::cout << recv().to_string_view() << '\n'; }
//     };
#pragma once

#include <ev++.h>
#include <zmq.hpp>

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "error.h"
#include "loop.h"
#include "zmq_error.h"
#include "zmq_hub.h"

namespace funcptr {

/// Which IP versions a tcp endpoint may use (ZMQ_IPV6).
enum class zmq_ipv6 {
    /// bind() takes both, connect() takes IPv6 only where the endpoint spells an IPv6 address.
    /// libzmq tries just the first address of a name: with ZMQ_IPV6 on, "localhost" is ::1, and a
    /// publisher that listens on IPv4 alone (libzmq's own default) is never reached.
    automatic,
    on,
    off,
};

/// What a socket is given at construction. All of it can be changed with set() before bind/connect.
struct zmq_options {
    /// How long unsent messages may hold up zmq_ctx_term (ZMQ_LINGER). libzmq's default is for
    /// ever (-1 here), so that an exit hangs on a peer that is away; 0 would drop what was just
    /// sent. 1 s.
    std::chrono::milliseconds linger = std::chrono::seconds(1);
    /// See zmq_ipv6.
    zmq_ipv6 ipv6 = zmq_ipv6::automatic;
    /// A ping after so much silence (ZMQ_HEARTBEAT_IVL), 0 for none, libzmq's default, with which a
    /// peer that lost its power stays "connected" for hours. 10 s: nothing beside real traffic.
    std::chrono::milliseconds heartbeat_interval = std::chrono::seconds(10);
    /// The peer is gone when a ping is unanswered for so long (ZMQ_HEARTBEAT_TIMEOUT). 30 s: longer
    /// than the stalls that a healthy process and a healthy network have.
    std::chrono::milliseconds heartbeat_timeout = std::chrono::seconds(30);
};

/// What happened so far. Plain counts, readable at any time in the loop's thread.
struct zmq_counters {
    std::uint64_t wakes = 0;             ///< the descriptor fired
    std::uint64_t visits = 0;            ///< the hub looked at the socket
    std::uint64_t spurious = 0;          ///< visits that found nothing to do
    std::uint64_t messages_received = 0; ///< whole messages
    std::uint64_t messages_sent = 0;     ///< whole messages
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t discarded_frames = 0; ///< left over by a read() that took a part of a message
    std::uint64_t again = 0;            ///< recv or send said EAGAIN
    std::uint64_t budget_hits = 0;      ///< a visit ended because messages, bytes or time were up
    std::uint64_t parks = 0;            ///< POLLOUT was a lie
    std::uint64_t lost_wakes = 0;       ///< found by the audit mode, and healed
};

namespace detail {

/// Somebody who must hear that a socket is about to close while it is still open: a monitor would
/// otherwise speak to a handle that is somebody else's, or nobody's. A socket has one at a time.
class FUNCPTR_API zmq_close_hook {
public:
    zmq_close_hook() = default;
    zmq_close_hook(const zmq_close_hook&) = delete;
    zmq_close_hook& operator=(const zmq_close_hook&) = delete;

    /// Called once, also when another takes its place.
    virtual void socket_closes() noexcept = 0;

    void hook_into(zmq_close_hook*& place) noexcept
    {
        release(place);
        place_ = &place;
        place = this;
    }
    void unhook() noexcept
    {
        if (place_ != nullptr)
            *std::exchange(place_, nullptr) = nullptr;
    }
    static void release(zmq_close_hook*& place) noexcept
    {
        if (auto* const present = place; present != nullptr) {
            present->unhook();
            present->socket_closes();
        }
    }

protected:
    virtual ~zmq_close_hook() { unhook(); }

private:
    zmq_close_hook** place_ = nullptr; // where the socket keeps it; null: nowhere
};

} // namespace detail

class zmq_event : private detail::zmq_seat {
public:
    /// A new socket. It wants READ, unless its type cannot receive (PUB, PUSH). Throws
    /// funcptr::error: the context is terminated, its sockets are used up (ZMQ_MAX_SOCKETS), or the
    /// type has no ZMQ_FD (errc::unsupported_socket).
    zmq_event(ev::loop_ref loop, zmq::context_t& context, zmq::socket_type type,
              const zmq_options& options = {});

    /// Adopts an open socket as it is: no option is changed. Throws as above; the socket is then
    /// closed. If a message was received from it in part, the rest of that one is discarded.
    zmq_event(ev::loop_ref loop, zmq::socket_t socket);
    /// Gives the socket back, as it is; this object is closed() from then on. Throws
    /// std::logic_error, and changes nothing, when that would lose something: read() was called for
    /// a message that nobody has taken yet, or a message was taken in part. recv() the rest first.
    [[nodiscard]] zmq::socket_t release();

    zmq_event(const zmq_event&) = delete;
    zmq_event& operator=(const zmq_event&) = delete;
    /// Closes the socket. What it still has to send goes on for as long as linger allows.
    ~zmq_event() override;

    /// As zmq_bind(3) etc. Throws funcptr::error naming the endpoint.
    void bind(const std::string& endpoint, zmq_place where = zmq_place::here());
    void connect(const std::string& endpoint, zmq_place where = zmq_place::here());
    void unbind(const std::string& endpoint, zmq_place where = zmq_place::here());
    /// What waits from that peer is dropped by libzmq, but for a message of which a frame was
    /// received: recv() still gives all of it. (libzmq itself would abort, or go on with the frames
    /// of another peer as if they belonged to it; so do not disconnect by handle().)
    void disconnect(const std::string& endpoint, zmq_place where = zmq_place::here());
    /// The endpoint of the last bind() with its wildcards resolved ("tcp://[::]:41234"); empty
    /// before the first. Throws zmq::error_t when the socket is closed.
    std::string last_endpoint() const { return socket_.get(zmq::sockopt::last_endpoint); }

    /// A socket option of zmq.hpp: set(zmq::sockopt::subscribe, "weather"). Throws funcptr::error;
    /// errc::too_late for a high-water mark once the socket is bound, connected or adopted, since
    /// libzmq would accept it and leave the existing pipes as they are, or wedge (pipe.cpp).
    template <class Option, class Value>
    void set(Option option, const Value& value);
    /// zmq::sockopt::events, too, may be asked for here: that takes the socket's signal, and the
    /// hub looks again. Throws zmq::error_t as zmq.hpp does.
    template <class Option>
    auto get(Option option) const;

    /// Shall read() be called? True from the start where the type can receive.
    void want_read(bool wanted, zmq_place where = zmq_place::here());
    bool want_read() const noexcept { return wants_read_; }
    /// Shall write() be called? False at the start. Turn it off in write() when all is written: as
    /// long as it is on and the socket can be written to, write() is called at every turn.
    void want_write(bool wanted, zmq_place where = zmq_place::here());
    bool want_write() const noexcept { return wants_write_; }
    /// Neither read() nor write() until resume(), whatever is wanted. The socket is still pumped,
    /// so that libzmq can work off what its peers' coming and going leaves behind.
    void pause(zmq_place where = zmq_place::here());
    void resume(zmq_place where = zmq_place::here());
    bool paused() const noexcept { return paused_; }

    /// The share of the budget: a socket of weight 2 may do twice as much in a turn as one of
    /// weight 1, the default. Throws std::invalid_argument outside 1…1000.
    void weight(int share);
    int weight() const noexcept { return weight_; }

    /// Takes one frame, without waiting. In read() the first call always succeeds. It would_block()
    /// when none is there; `message` is then empty.
    zmq_result recv(zmq::message_t& message, zmq_place where = zmq_place::here());
    /// The same without a copy of the frame's header: the frame is lent by the socket until the
    /// next recv() or the end of read(); move it out to keep it. An empty one when there is none,
    /// which cannot be in read() for its first call and while more(), unless the context ends in
    /// the midst of the message: then it is closed(). recv(message) says why.
    zmq::message_t& recv(zmq_place where = zmq_place::here());
    /// The frame that recv() gave last is followed by another one of the same message; before
    /// read()'s first recv(), the frame that waits is. False once closed().
    bool more() const noexcept { return more_; }

    /// Sends one frame, without waiting; `more` says that another of the same message follows. When
    /// it fails, `message` still holds what it held: on would_block() keep it, call
    /// want_write(true), and send it in write().
    [[nodiscard]] zmq_result send(zmq::message_t& message, bool more = false,
                                  zmq_place where = zmq_place::here());
    [[nodiscard]] zmq_result send(zmq::message_t&& message, bool more = false,
                                  zmq_place where = zmq_place::here())
    {
        return send(message, more, where);
    }
    /// Copies the bytes into a frame.
    [[nodiscard]] zmq_result send(std::string_view bytes, bool more = false,
                                  zmq_place where = zmq_place::here());

    /// The socket itself, for what this class does not wrap. Do not receive with it inside read()
    /// (the first frame waits in recv()), and call touch() after anything but a zmq_setsockopt or
    /// zmq_getsockopt of an option that is not ZMQ_EVENTS.
    /// The audit mode (zmq_audit.h) finds where a touch() was forgotten.
    zmq::socket_ref handle(zmq_place where = zmq_place::here())
    {
        check_thread("handle", where);
        return socket_;
    }
    /// Something was done to handle(): have the socket looked at before the loop sleeps.
    void touch(zmq_place where = zmq_place::here())
    {
        check_thread("touch", where);
        mark_ready();
    }

    /// Closes it now, without a call of on_error(). Calls on it fail from then on.
    void close() noexcept;
    /// It was closed: by close(), because the context ended, or by an error that stays.
    bool closed() const noexcept { return !socket_; }
    /// Its loop serves it: not closed, not released, and the loop lives.
    bool watched() const noexcept { return hub() != nullptr; }

    /// For zmq_monitor.h, which must stop before the socket closes.
    void hook(detail::zmq_close_hook& one) noexcept { one.hook_into(hook_); }

    const zmq_counters& counters() const noexcept
    {
        counters_.wakes = wakes_;
        return counters_;
    }

protected:
    /// One whole message waits: take its frames with recv(). It is called again while messages and
    /// budget last. A message that was taken in part has its rest discarded, with a line in the
    /// loop's log; one of which nothing was taken is offered again at the next turn.
    virtual void read() = 0;

    /// The socket is said to be writable: send() one message, or several until would_block().
    virtual void write() {}

    /// The socket is closed because of this and will not be called any more. Called once, from the
    /// loop: errc::context_terminated when the context is shut down. By default it is logged.
    virtual void on_error(std::error_code why);

private:
    class running; // a visit under way; learns when a callback destroys the socket

    detail::zmq_visit visit(detail::zmq_turn& turn) noexcept override;
    void pump() noexcept override;
    void audit(detail::zmq_signal_probe& probe) noexcept override;

    detail::zmq_visit serve(detail::zmq_turn& turn, running& callback) noexcept;
    detail::zmq_visit read_messages(detail::zmq_turn& turn, running& callback) noexcept;
    detail::zmq_visit write_messages(detail::zmq_turn& turn, running& callback) noexcept;
    detail::zmq_visit report_error(detail::zmq_turn& turn, running& callback) noexcept;
    bool used_up(detail::zmq_allowance& allowance) noexcept;
    bool prefetch() noexcept;
    void discard_rest() noexcept;
    int look() noexcept;
    void keep_rest();
    void forget_message() noexcept;
    zmq::message_t& next_frame(zmq_place where);
    int fetch_next(zmq::message_t& frame) noexcept;
    int fetch(zmq::message_t& frame) noexcept;
    int fetch_after_interrupts(zmq::message_t& frame) noexcept;
    zmq_result failed(int number) noexcept;
    void fatal(std::error_code why) noexcept;
    void attach(ev::loop_ref loop);
    template <class Call>
    void endpoint_call(const char* verb, const std::string& endpoint, zmq_place where, Call&& call);
    void check_thread(const char* verb, zmq_place where);
    void log_lost_wake() noexcept;
    void choose_ipv6(const std::string& endpoint);

    bool may_not(zmq_place where) noexcept;
    bool reading() const noexcept { return wants_read_ && !paused_ && socket_; }
    bool writing() const noexcept { return wants_write_ && !paused_ && socket_; }

    zmq::socket_t socket_;
    // The frame that read()'s first recv() will give, when head_held_. Fetched before read() is
    // called: POLLIN is only a hint (a REQ's stale reply), and asking for it would cost a system
    // call for each message.
    zmq::message_t head_;
    std::list<zmq::message_t> kept_; // the frames after it, when disconnect() had to take them
    bool head_held_ = false;
    bool more_ = false;    // head_, or what recv() gave last, announced another
    bool sent_ = false;    // the write() under way sent a frame
    bool blocked_ = false; // the last send said EAGAIN
    bool wants_read_ = true;
    bool wants_write_ = false;
    bool paused_ = false;
    bool attached_ = false;    // bound, connected or adopted: high-water marks are settled
    bool choose_ipv6_ = false; // for each endpoint, see zmq_ipv6::automatic
    std::error_code fatal_;    // why it was closed
    zmq_place used_;           // where it was last used, but for recv() in read()
    running* running_ = nullptr;
    detail::zmq_close_hook* hook_ = nullptr;
    mutable zmq_counters counters_;
};

} // namespace funcptr

#include "zmq_event_inl.h"
