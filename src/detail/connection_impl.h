// SPDX-License-Identifier: MIT
//
// connection_impl.h: the inside of a connection; how its bytes move.
//
// Theory of operation
// -------------------
// Whatever happens (the socket is ready, the user writes, a deadline passes) ends in pump():
// filter, deliver, send, until nothing moves. Calls of the user from within a callback only leave
// their bytes in awrite or set a flag; the pump() on the stack goes on with them. Calls from
// elsewhere start a pump() themselves, but never call back: what they find out (a dead peer) is
// told from the loop, by a timer that fires at once, so that write() cannot destroy its caller's
// connection.
//
// There is one timer. A byte that moves only notes the time; when the timer fires it looks at which
// deadline is really next and sleeps again, so that a busy connection restarts no timer.
//
// The end: once the filter is closed, or the user wants to, what is left in nwrite is sent, the
// socket is shut down for writing, and what still comes is read and thrown away until the peer has
// closed as well (or linger has passed). A close() with unread bytes would be a reset, which
// destroys what the peer has not read yet.
#pragma once

#include <funcptr/callback.h>
#include <funcptr/connection.h>
#include <funcptr/loop.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "connection_gone.h"
#include "connection_loop.h"
#include "net_deadlines.h"

namespace funcptr {

class connection::impl final : private detail::handshake_turns::waiter,
                               private detail::ready_order::member {
public:
    impl(connection& outer, ev::loop_ref loop, accepted peer, std::unique_ptr<filter> through,
         const connection_options& options);
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;
    ~impl();

    callback<connection&> on_open_;
    callback<connection&, buffer&> on_data_;
    callback<connection&> on_drain_;
    callback<connection&> on_end_;
    callback<connection&, const close_reason&> on_close_;
    detail::gone_handler gone_{}; // the set's; after on_close_

    bool write(std::span<const std::byte> bytes);
    bool write(buffer& from);
    std::size_t backlog() const noexcept;
    void end();
    void close();
    void abort();
    void pause(bool paused);

    address peer() const noexcept { return peer_; }
    address local() const noexcept { return local_; }
    int descriptor() const noexcept { return socket_.get(); }
    filter& through() noexcept { return *filter_; }
    const filter& through() const noexcept { return *filter_; }
    bool is_open() const noexcept { return opened_ && !over_; }
    bool over() const noexcept { return over_; }
    std::uint64_t in() const noexcept { return in_; }
    std::uint64_t out() const noexcept { return out_; }

private:
    // --- the loop's events: connection_impl.cc --------------------------------------------

    static void on_io(struct ev_loop*, ev_io* watcher, int events);
    static void on_timer(struct ev_loop*, ev_timer* watcher, int);
    /// handshake_turns: our turn has come.
    void go_on() override;
    /// ready_order: what on_io() was told.
    void serve(int events) override;
    bool has_its_turn();
    /// False when it is not to be settled: a callback destroyed us, or it is for later.
    bool shake_hands();
    bool left_early() const noexcept { return !opened_ && (eof_ || over_); }
    bool may_depart();

    /// A callback of the user under way, and whether it has destroyed us.
    struct frame {
        impl& owner;
        frame* outer;
        bool destroyed = false;

        explicit frame(impl& of)
            : owner(of)
            , outer(std::exchange(of.frame_, this))
        {
        }
        frame(const frame&) = delete;
        frame& operator=(const frame&) = delete;
        ~frame()
        {
            if (!destroyed)
                owner.frame_ = outer;
            else if (outer != nullptr)
                outer->destroyed = true;
        }
    };

    /// Runs a callback of the user. False when it destroyed us: touch nothing then.
    template <class Call>
    bool call(Call&& handler)
    {
        const frame now(*this);
        state_.guard(handler);
        return !now.destroyed;
    }

    /// What an event of the loop asks for; then settles, unless it says that it must not. Without
    /// memory, which only our own buffers can ask for here, the connection is closed: nothing may
    /// be thrown through libev.
    template <class Steps>
    void run(const Steps& steps)
    {
        bool alive = true;
        if (!with_memory([&] { alive = steps(); }) || alive)
            settle();
    }
    /// False, and it is closed, when there was none.
    template <class Steps>
    bool with_memory(const Steps& steps)
    {
        try {
            steps();
            return true;
        } catch (const std::bad_alloc&) {
            out_of_memory();
            return false;
        }
    }
    void out_of_memory() noexcept;

    /// Called by the user: within a callback the pump under way goes on with it.
    void touch();

    // --- reading: connection_io.cc --------------------------------------------------------

    bool wants_read() const;

    /// False when a callback destroyed us.
    bool read_turn();

    /// How much was read; 0 at the end, on an error, and when there is nothing.
    std::size_t read_once(std::size_t bytes);

    // --- the pump: connection_pump.cc -----------------------------------------------------

    /// False when a callback destroyed us.
    bool pump();

    bool pump_steps();

    void flush();

    /// Shows the application what has come, until it takes no more. False when it destroyed us.
    bool deliver();

    bool may_show() const { return (!paused_ || closing_) && !stopped_by_backlog(); }
    /// There are bytes that on_data has not seen, or wants to see again.
    bool unshown() const;
    /// All that came before the peer's end was shown. What the handler has left then stays left;
    /// what it left because it paused comes first.
    bool end_is_due() const;

    bool tell_end();

    // --- writing: connection_io.cc --------------------------------------------------------

    /// False when nothing may be written, or so much is too much, which closes it.
    bool may_write(std::size_t size);
    /// False when it is not kept, or all is over.
    template <class Append>
    bool keep(std::size_t size, const Append& append)
    {
        bool kept = false;
        return with_memory([&] {
                   if (!may_write(size))
                       return;
                   append();
                   // Noted before anything is sent: whoever stops because of backlog() waits for
                   // on_drain.
                   note_backlog();
                   touch();
                   kept = !over_;
               })
               && kept;
    }
    bool drain_is_due() const { return was_high_ && backlog() <= options_->low_water; }
    void note_backlog() noexcept { was_high_ = was_high_ || backlog() > options_->high_water; }
    /// From high_water until low_water. But a handshake needs what the peer says before anything
    /// can be sent.
    bool stopped_by_backlog() const noexcept;

    void send();
    /// How much went; 0 when the socket takes no more now (blocked_) or has failed (over_).
    std::size_t send_once(std::span<const std::byte> bytes);
    /// A large piece, when nothing waits before it and nothing is to be done to it: without a copy.
    std::size_t send_directly(std::span<const std::byte> bytes);

    /// Waits for what is needed: the socket to be readable, writable, or neither.
    void watch();

    // --- the end: connection_end.cc -------------------------------------------------------

    /// Has it come to an end? Sends what is left, then waits for the peer.
    void follow_the_end();

    /// All is said; what comes is thrown away until the peer closes too.
    bool lingering() const noexcept { return filter_->closed() || (closing_ && shut_); }

    void note_filter_end();

    void socket_failed(int number);

    /// The first cause stands. Only to a user's close() it matters what prevented that from sending
    /// all; once it is sent, how the peer leaves does not.
    bool is_news() const { return !reason_ || (reason_->by == close_by::user && !shut_); }

    void set_reason(close_by by, std::string text);
    void finish(close_by by, std::string text);

    /// The socket is closed now; on_close is called by settle(), from the loop.
    void finish();

    void settle();
    /// False when on_close destroyed us.
    bool tell_close();
    close_reason last_words() noexcept;

    void stop();

    // --- deadlines: connection_end.cc -----------------------------------------------------

    detail::deadlines::next next_deadline() const;
    bool is_due() const;

    void check_deadlines();

    void arm();
    void start_timer(double after, double at = 0.);

    connection* outer_;
    struct ev_loop* loop_;
    detail::loop_state& state_;
    detail::connection_loop& shared_;
    unique_fd socket_;
    accepted_place place_; // under the listener's limit
    address peer_;
    address local_;
    // A bit each, where a byte would find room: so malloc needs 16 less for each connection.
    bool running_ : 1 = false; // a pump() is on the stack
    bool opened_ : 1 = false;
    bool paused_ : 1 = false;
    bool eof_ : 1 = false;
    bool end_told_ : 1 = false;
    bool ending_ : 1 = false;  // close_write() was called
    bool closing_ : 1 = false; // close() was called
    bool shut_ : 1 = false;    // SHUT_WR was done
    bool was_high_ : 1 = false;
    bool blocked_ : 1 = false; // the socket took no more
    bool again_ : 1 = false;   // show what was left once more
    bool moved_ : 1 = false;   // bytes left aread or nwrite in this pump()
    bool over_ : 1 = false;    // the socket is closed
    bool told_ : 1 = false;
    bool no_memory_ : 1 = false;
    std::unique_ptr<filter> filter_;
    std::shared_ptr<const connection_options> options_;
    detail::deadlines deadlines_;
    ev_io io_{};
    ev_timer timer_{};
    frame* frame_ = nullptr; // the innermost

    std::uint64_t in_ = 0;
    std::uint64_t out_ = 0;
    std::size_t shown_ = 0;                   // bytes of aread that on_data has seen and left
    double armed_ = detail::deadlines::never; // when the timer fires
    std::unique_ptr<close_reason> reason_;
};

} // namespace funcptr
