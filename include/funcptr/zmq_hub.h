// SPDX-License-Identifier: MIT
//
// zmq_hub.h: which ZeroMQ sockets of a loop get a turn. How much of one: zmq_budget.h.
//
// You meet only set_budget() and set_audit() here; the rest serves zmq_event.h, whose threads and
// lifetime it shares.
//
//     funcptr::set_budget(loop, {.messages = 100});    // nobody waits for more than so many
//
// Theory of operation
// -------------------
// A ZeroMQ socket's descriptor (ZMQ_FD) tells of *commands* between threads, not of messages, and
// it is edge-triggered: any call on the socket may take the signal away, also a send. What holds is
//
//     After a look (ZMQ_EVENTS, or a recv that gave EAGAIN) shows none of the wanted events, and
//     nobody touches the socket again, its descriptor becomes readable when anything changes.
//
// (libzmq: process_commands drains the mailbox until it fails, and the failing read puts the reader
// to sleep, so that the next command signals the descriptor; a pipe that said "nothing" is asleep
// too, and its peer posts a command. mailbox.cpp, ypipe.hpp, pipe.cpp.)
//
// So a socket must be looked at when its descriptor fired, when somebody touched it, or when its
// last turn left work over; and no others need to be: the cost of a turn is O(active). Each loop
// has one hub with one list of such seats, served round robin, whoever is on it:
//
//     prepare (lowest priority): somebody on the list?  keep awake, else let the loop sleep
//     the loop waits for descriptors
//     io      (highest priority): the descriptor fired: onto the list
//     check   (one below):       serve the list
//
// The io watchers are never stopped: a descriptor that nobody pumps stays readable, and an unpumped
// ROUTER leaks. The idle watcher does nothing; that it is active keeps libev from sleeping.
// (Serving from an idle callback would starve: libev runs none while anything of its priority is
// pending. Feeding oneself events from a check callback would never let the loop go on.) The io
// watchers stand above the check because libev runs one priority last in, first out, and queues
// checks last: at one priority the check would run before the io, and each wake-up would cost a
// second turn.
//
// If callbacks are so slow that the whole time of a turn is up before the list is through, the turn
// ends there, and the next one begins with those not served yet.
//
// A socket whose POLLOUT lies (XPUB_NODROP, ROUTER_MANDATORY: send gives EAGAIN all the same) is
// parked: not tried again before its descriptor fires or park_interval has passed.
#pragma once

#include <ev++.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "loop.h"
#include "zmq_audit.h"
#include "zmq_budget.h"

namespace funcptr {

/// Sets the budget of one loop, from the next turn on. In the loop's thread. Throws
/// std::invalid_argument when a member is below 1.
inline void set_budget(ev::loop_ref loop, const zmq_budget& budget);

/// Turns the audit mode of one loop's ZeroMQ sockets on or off: see zmq_audit.h for what it finds
/// and what it costs. Off by default. In the loop's thread, before other threads know its sockets.
inline void set_audit(ev::loop_ref loop, bool on);

// ---------------------------------------------------------------------------------------------

namespace detail {

class zmq_hub;

/// How a visit ended.
enum class zmq_visit : std::uint8_t {
    clean, ///< the last look showed nothing that is wanted: the descriptor will tell
    again, ///< there is, or may be, more: to the end of the line
    gone,  ///< the seat was destroyed by its own callback; do not look at it
};

/// A socket's place in the hub of its loop.
class zmq_seat {
public:
    zmq_seat(const zmq_seat&) = delete;
    zmq_seat& operator=(const zmq_seat&) = delete;

protected:
    zmq_seat() = default;
    virtual ~zmq_seat() { unseat(); }

    /// Serve the socket until it is clean, its credit is spent, the turn's time is, or a callback
    /// has thrown, which ends the turn.
    virtual zmq_visit visit(zmq_turn& turn) noexcept = 0;
    /// The descriptor fired while a callback of this socket runs (in a nested run of the loop):
    /// take the commands, so that it does not fire for ever. The visit under way sees the rest.
    virtual void pump() noexcept = 0;
    /// The audit mode's question, before the loop sleeps.
    virtual void audit(zmq_signal_probe& probe) noexcept = 0;

    inline void seat(ev::loop_ref loop, int fd);
    inline void unseat() noexcept;
    inline void mute() noexcept;

    /// Somebody touched the socket: look at it before the loop sleeps. Cheap when it is listed.
    inline void mark_ready() noexcept;
    inline void park() noexcept;
    inline void unpark() noexcept;
    bool parked() const noexcept { return parked_at_ != nowhere; }

    /// Null before seat(), after unseat(), and once the loop is gone.
    zmq_hub* hub() const noexcept { return hub_; }
    int descriptor() const noexcept { return io_.fd; }
    /// Only the audit mode knows.
    bool wrong_thread() const noexcept { return audited_ && is_foreign(); }

    int weight_ = 1;
    zmq_credit read_credit_;
    zmq_credit write_credit_;
    std::uint64_t wakes_ = 0;
    bool visiting_ = false; // a callback of this socket is on the stack
    bool touched_ = false;  // since the last look

private:
    friend class zmq_hub;
    static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
    inline bool is_foreign() const noexcept;

    zmq_hub* hub_ = nullptr;
    bool audited_ = false;
    ev_io io_{};
    zmq_seat* previous_ = nullptr; // in the hub's list, when listed_
    zmq_seat* next_ = nullptr;
    bool listed_ = false;
    int listed_weight_ = 0; // its weight when it was listed
    std::size_t seated_at_ = nowhere;
    std::size_t parked_at_ = nowhere;
};

/// One for each loop that has ZeroMQ sockets; see the theory above. Made by the first socket's
/// seat(), dies with the loop.
class FUNCPTR_API zmq_hub final : public loop_extension {
public:
    explicit zmq_hub(loop_state& state)
        : state_(state)
        , loop_(state.loop())
    {
        ev_prepare_init(&prepare_, &zmq_hub::on_prepare);
        ev_check_init(&check_, &zmq_hub::on_check);
        ev_idle_init(&idle_, [](struct ev_loop*, ev_idle*, int) {});
        ev_init(&unpark_, &zmq_hub::on_unpark);
        ev_set_priority(&prepare_, EV_MINPRI);
        ev_set_priority(&check_, EV_MAXPRI - 1);
        ev_set_priority(&idle_, EV_MINPRI);
        ev_set_priority(&unpark_, EV_MAXPRI);
        prepare_.data = check_.data = unpark_.data = this;
    }
    zmq_hub(const zmq_hub&) = delete;
    zmq_hub& operator=(const zmq_hub&) = delete;
    ~zmq_hub() override
    {
        while (!seats_.empty())
            remove(*seats_.back());
    }

    loop_state& state() noexcept { return state_; }
    const zmq_budget& budget() const noexcept { return budget_; }
    void budget(const zmq_budget& to) noexcept { budget_ = to; }
    void audit(bool on) noexcept
    {
        audits_ = on;
        for (zmq_seat* seat : seats_)
            seat->audited_ = on;
    }
    /// While the loop runs, only the thread that runs it may use its sockets.
    bool is_foreign() const noexcept
    {
        const auto runner = runner_.load(std::memory_order_relaxed);
        return ev_depth(loop_) != 0 && runner != std::thread::id()
               && runner != std::this_thread::get_id();
    }

    void add(zmq_seat& seat, int fd)
    {
        // First what may throw: the seat must not be known here when its constructor does.
        if (parked_.capacity() <= seats_.size()) // so that park() cannot fail
            parked_.reserve(2 * seats_.size() + 8);
        seats_.push_back(&seat);
        seat.seated_at_ = seats_.size() - 1;
        seat.hub_ = this;
        seat.audited_ = audits_;
        // Set anew for each socket: libev's epoll backend keeps a stopped descriptor registered,
        // and the number may be in use again (ev_epoll.c, epoll_modify).
        ev_io_init(&seat.io_, &zmq_hub::on_readable, fd, EV_READ);
        ev_set_priority(&seat.io_, EV_MAXPRI);
        seat.io_.data = &seat;
        ev_io_start(loop_, &seat.io_);
        if (seats_.size() == 1)
            start();
        ready(seat);
    }

    void remove(zmq_seat& seat) noexcept
    {
        ev_io_stop(loop_, &seat.io_);
        unlist(seat);
        unpark(seat);
        seats_.back()->seated_at_ = seat.seated_at_;
        seats_[seat.seated_at_] = seats_.back();
        seats_.pop_back();
        seat.seated_at_ = zmq_seat::nowhere;
        seat.hub_ = nullptr;
        if (seats_.empty())
            stop();
    }

    /// Its descriptor is about to be closed. The seat stays, to be visited once more.
    void mute(zmq_seat& seat) noexcept { ev_io_stop(loop_, &seat.io_); }

    void ready(zmq_seat& seat) noexcept
    {
        if (seat.listed_)
            return;
        list(seat);
        // Not left to prepare: this may be called by a prepare watcher that runs after ours.
        ev_idle_start(loop_, &idle_);
    }

    void park(zmq_seat& seat) noexcept
    {
        if (seat.parked())
            return;
        seat.parked_at_ = parked_.size();
        parked_.push_back(&seat);
        if (!ev_is_active(&unpark_)) {
            unpark_.repeat = std::chrono::duration<double>(budget_.park_interval).count();
            ev_timer_again(loop_, &unpark_);
            ev_unref(loop_);
        }
    }

    void unpark(zmq_seat& seat) noexcept
    {
        if (!seat.parked())
            return;
        parked_.back()->parked_at_ = seat.parked_at_;
        parked_[seat.parked_at_] = parked_.back();
        parked_.pop_back();
        seat.parked_at_ = zmq_seat::nowhere;
        if (parked_.empty())
            stop_unparking();
    }

private:
    static void on_prepare(struct ev_loop*, ev_prepare* w, int)
    {
        auto& hub = *static_cast<zmq_hub*>(w->data);
        if (hub.audits_)
            hub.audit_all();
        hub.keep_awake_while_ready();
    }
    static void on_check(struct ev_loop*, ev_check* w, int)
    {
        static_cast<zmq_hub*>(w->data)->serve();
    }
    static void on_readable(struct ev_loop*, ev_io* w, int)
    {
        auto& seat = *static_cast<zmq_seat*>(w->data);
        ++seat.wakes_;
        if (seat.visiting_) {
            seat.pump();
            seat.touched_ = true;
            return;
        }
        seat.hub_->unpark(seat);
        seat.hub_->ready(seat);
    }
    static void on_unpark(struct ev_loop*, ev_timer* w, int)
    {
        auto& hub = *static_cast<zmq_hub*>(w->data);
        while (!hub.parked_.empty()) {
            zmq_seat& seat = *hub.parked_.back();
            hub.unpark(seat);
            if (!seat.visiting_)
                hub.ready(seat);
        }
    }

    /// Each seat that is on the list now, once, or as many as the time allows.
    void serve() noexcept
    {
        if (first_ == nullptr)
            return;
        using clock = zmq_turn::clock;
        auto now = clock::now();
        const auto end = now + budget_.time;
        const auto share = clock::duration(budget_.time) / listed_weight_;
        for (std::size_t left = listed_; left != 0 && first_ != nullptr && now < end; --left) {
            zmq_seat& seat = *first_;
            unlist(seat);
            seat.read_credit_.refill(budget_, seat.weight_);
            seat.write_credit_.refill(budget_, seat.weight_);
            zmq_turn turn(now, share * seat.weight_);
            const auto outcome = seat.visit(turn);
            const bool stays = outcome != zmq_visit::gone && seat.hub_ == this; // or it was closed
            if (stays && (outcome != zmq_visit::clean || seat.touched_))
                list(seat);
            if (turn.ended())
                break;
            now = left > 1 ? clock::now() : now;
        }
        keep_awake_while_ready();
    }

    void audit_all() noexcept
    {
        runner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
        if (first_ != nullptr)
            return; // the loop will not sleep
        // Each may have a line logged, and the log's sink may destroy sockets.
        for (std::size_t i = seats_.size(); i-- > 0;)
            if (i < seats_.size() && !seats_[i]->listed_ && !seats_[i]->visiting_)
                seats_[i]->audit(probe_);
    }

    void keep_awake_while_ready() noexcept
    {
        if (first_ != nullptr)
            ev_idle_start(loop_, &idle_);
        else
            ev_idle_stop(loop_, &idle_);
    }

    // The hub's own watchers do not count: run() ends when the users' do. The idle one does, since
    // it is active only while a socket has something coming.
    void start() noexcept
    {
        ev_prepare_start(loop_, &prepare_);
        ev_unref(loop_);
        ev_check_start(loop_, &check_);
        ev_unref(loop_);
    }
    void stop() noexcept
    {
        ev_ref(loop_);
        ev_prepare_stop(loop_, &prepare_);
        ev_ref(loop_);
        ev_check_stop(loop_, &check_);
        ev_idle_stop(loop_, &idle_);
    }
    void stop_unparking() noexcept
    {
        if (!ev_is_active(&unpark_))
            return;
        ev_ref(loop_);
        ev_timer_stop(loop_, &unpark_);
    }

    void list(zmq_seat& seat) noexcept
    {
        if (seat.listed_)
            return;
        seat.listed_ = true;
        seat.listed_weight_ = seat.weight_;
        listed_weight_ += seat.listed_weight_;
        ++listed_;
        seat.previous_ = last_;
        seat.next_ = nullptr;
        (last_ != nullptr ? last_->next_ : first_) = &seat;
        last_ = &seat;
    }
    void unlist(zmq_seat& seat) noexcept
    {
        if (!seat.listed_)
            return;
        seat.listed_ = false;
        --listed_;
        listed_weight_ -= seat.listed_weight_;
        (seat.previous_ != nullptr ? seat.previous_->next_ : first_) = seat.next_;
        (seat.next_ != nullptr ? seat.next_->previous_ : last_) = seat.previous_;
    }

    loop_state& state_;
    struct ev_loop* loop_;
    zmq_budget budget_;
    ev_prepare prepare_{};
    ev_check check_{};
    ev_idle idle_{};
    ev_timer unpark_{};
    zmq_seat* first_ = nullptr; // the list of the ready, an intrusive queue
    zmq_seat* last_ = nullptr;
    std::size_t listed_ = 0;
    int listed_weight_ = 0;
    std::vector<zmq_seat*> seats_; // everybody; a seat knows its index
    std::vector<zmq_seat*> parked_;
    bool audits_ = false;
    std::atomic<std::thread::id> runner_{}; // whose thread runs the loop; kept in audit mode only
    zmq_signal_probe probe_;
};

inline void zmq_seat::seat(ev::loop_ref loop, int fd)
{
    loop_state::of(loop).extension<zmq_hub>().add(*this, fd);
}
inline void zmq_seat::unseat() noexcept
{
    if (hub_ != nullptr)
        hub_->remove(*this);
}
inline void zmq_seat::mute() noexcept
{
    if (hub_ != nullptr)
        hub_->mute(*this);
}
inline void zmq_seat::mark_ready() noexcept
{
    touched_ = true;
    if (hub_ != nullptr && !visiting_)
        hub_->ready(*this);
}
inline void zmq_seat::park() noexcept
{
    if (hub_ != nullptr)
        hub_->park(*this);
}
inline void zmq_seat::unpark() noexcept
{
    if (hub_ != nullptr)
        hub_->unpark(*this);
}

inline bool zmq_seat::is_foreign() const noexcept
{
    return hub_ != nullptr && hub_->is_foreign();
}

} // namespace detail

inline void set_audit(ev::loop_ref loop, bool on)
{
    detail::loop_state::of(loop).extension<detail::zmq_hub>().audit(on);
}

inline void set_budget(ev::loop_ref loop, const zmq_budget& budget)
{
    if (budget.messages < 1 || budget.bytes < 1 || budget.time.count() < 1
        || budget.park_interval.count() < 1)
        throw std::invalid_argument("zmq_budget: each of messages, bytes, time and park_interval "
                                    "must be at least 1");
    // So that neither a weight's multiple nor a point in time overflows.
    auto bounded = budget;
    bounded.messages = std::min(budget.messages, std::int64_t{1} << 50);
    bounded.bytes = std::min(budget.bytes, std::int64_t{1} << 50);
    bounded.time = std::min<std::chrono::microseconds>(budget.time, std::chrono::hours(24));
    detail::loop_state::of(loop).extension<detail::zmq_hub>().budget(bounded);
}

} // namespace funcptr
