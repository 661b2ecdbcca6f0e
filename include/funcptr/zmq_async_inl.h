// SPDX-License-Identifier: MIT
//
// zmq_async_inl.h: the bodies of zmq_async.h; include that.
//
// A waiter leaves its list before its coroutine goes on, and is not looked at afterwards: it lives
// in the coroutine's frame, which may be gone by then.
#pragma once

#include "zmq_async.h"

namespace funcptr {

namespace detail {

inline zmq_waiter::~zmq_waiter()
{
    if (list_ != nullptr)
        list_->remove(*this);
    stop_timer();
}

inline void zmq_waiter::go_on(std::error_code why)
{
    if (list_ != nullptr)
        list_->remove(*this);
    stop_timer();
    error_ = why;
    coroutine_.resume();
}

inline void zmq_waiter::start_timer(struct ev_loop* loop)
{
    if (!timeout_)
        return;
    loop_ = loop_state::of(loop).posts();
    ev_now_update(loop); // its clock may be as old as the callback that runs just now
    const auto after = std::chrono::duration<double>(*timeout_).count();
    ev_timer_init(&timer_, &zmq_waiter::on_timeout, after > 0. ? after : 0., 0.);
    timer_.data = this;
    ev_timer_start(loop, &timer_);
}

inline void zmq_waiter::stop_timer() noexcept
{
    if (loop_ != nullptr && loop_->loop != nullptr) // else the loop took the timer with it
        ev_timer_stop(loop_->loop, &timer_);
    loop_ = nullptr;
}

inline void zmq_waiter::on_timeout(struct ev_loop* loop, ev_timer* timer, int)
{
    auto& self = *static_cast<zmq_waiter*>(timer->data);
    const auto why = std::make_error_code(std::errc::timed_out);
    loop_state::of(loop).guard([&] { self.go_on(why); });
}

} // namespace detail

// --- the awaitables ---------------------------------------------------------------------------

/// What they have in common: they wait on a list of the socket, always.
class zmq_async::receiving_into : private detail::zmq_waiter {
public:
    bool await_ready()
    {
        fail(socket_.refusal(socket_.receivers_));
        return static_cast<bool>(error());
    }
    void await_suspend(std::coroutine_handle<> coroutine)
    {
        suspend(coroutine);
        socket_.wait(socket_.receivers_, *this);
    }
    zmq_result await_resume() const noexcept { return {error()}; }

private:
    friend class zmq_async;
    receiving_into(zmq_async& socket, zmq_multipart& message, timeout within)
        : zmq_waiter(within)
        , socket_(socket)
    {
        message_ = &message;
        message.clear();
    }
    zmq_async& socket_;
};

class zmq_async::receiving : private detail::zmq_waiter {
public:
    bool await_ready()
    {
        fail(socket_.refusal(socket_.receivers_));
        return static_cast<bool>(error());
    }
    void await_suspend(std::coroutine_handle<> coroutine)
    {
        suspend(coroutine);
        message_ = &received_;
        socket_.wait(socket_.receivers_, *this);
    }
    zmq_received await_resume() { return {error(), std::move(received_)}; }

private:
    friend class zmq_async;
    receiving(zmq_async& socket, timeout within)
        : zmq_waiter(within)
        , socket_(socket)
    {
    }
    zmq_async& socket_;
    zmq_multipart received_;
};

class zmq_async::sending : private detail::zmq_waiter {
public:
    bool await_ready()
    {
        fail(message().empty() ? std::make_error_code(std::errc::invalid_argument)
                               : socket_.refusal(socket_.senders_));
        return static_cast<bool>(error());
    }
    void await_suspend(std::coroutine_handle<> coroutine)
    {
        suspend(coroutine);
        message_ = &message();
        socket_.wait(socket_.senders_, *this);
    }
    zmq_result await_resume() const noexcept { return {error()}; }

private:
    friend class zmq_async;
    sending(zmq_async& socket, zmq_multipart* theirs, zmq_multipart own, timeout within)
        : zmq_waiter(within)
        , socket_(socket)
        , theirs_(theirs)
        , own_(std::move(own))
    {
    }
    zmq_multipart& message() noexcept { return theirs_ != nullptr ? *theirs_ : own_; }

    zmq_async& socket_;
    zmq_multipart* theirs_;
    zmq_multipart own_;
};

inline zmq_async::receiving zmq_async::async_recv(timeout within)
{
    return {*this, within};
}
inline zmq_async::receiving_into zmq_async::async_recv(zmq_multipart& message, timeout within)
{
    return {*this, message, within};
}
inline zmq_async::sending zmq_async::async_send(zmq_multipart& message, timeout within)
{
    return {*this, &message, {}, within};
}
inline zmq_async::sending zmq_async::async_send(zmq_multipart&& message, timeout within)
{
    return {*this, nullptr, std::move(message), within};
}

// --- the socket -------------------------------------------------------------------------------

inline void zmq_async::wait(detail::zmq_waiters& list, detail::zmq_waiter& one)
{
    list.push(one);
    one.start_timer(loop_->loop);
    if (!receivers_.empty() && !want_read())
        want_read(true);
    if (!senders_.empty() && !want_write())
        want_write(true);
}

/// False when that destroyed the socket.
inline bool zmq_async::go_on(detail::zmq_waiter& one, std::error_code why)
{
    bool gone = false;
    gone_ = &gone;
    try {
        one.go_on(why);
    } catch (...) {
        if (!gone) {
            gone_ = nullptr;
            stop_wanting();
        }
        throw;
    }
    if (gone)
        return false;
    gone_ = nullptr;
    return true;
}

/// Only while somebody waits: after a timeout or a coroutine's end nobody may.
inline void zmq_async::stop_wanting()
{
    if (receivers_.empty() && want_read())
        want_read(false);
    if (senders_.empty() && want_write())
        want_write(false);
}

inline void zmq_async::read()
{
    if (!receivers_.empty()) {
        auto& one = receivers_.front();
        auto& message = *one.message_;
        do {
            message.emplace_back();
            if (!recv(message.back())) { // the context ends in the midst of a message
                message.clear();
                return;
            }
        } while (more());
        if (!go_on(one, {}))
            return;
    }
    stop_wanting();
}

inline void zmq_async::write()
{
    if (!senders_.empty()) {
        auto& one = senders_.front();
        auto& message = *one.message_;
        const auto result = detail::send_whole(message, [this](zmq::message_t& frame, bool more) {
            return zmq_event::send(frame, more);
        });
        if (result.would_block() || closed())
            return;
        if (result)
            message.clear();
        if (!go_on(one, result.error))
            return;
    }
    stop_wanting();
}

inline void zmq_async::on_error(std::error_code why)
{
    try {
        while (!receivers_.empty() || !senders_.empty())
            if (!go_on(receivers_.empty() ? senders_.front() : receivers_.front(), why))
                return;
    } catch (...) {
        cancel(); // the others still hear of it
        throw;
    }
}

inline void zmq_async::cancel() noexcept
{
    if ((receivers_.empty() && senders_.empty()) || loop_->loop == nullptr)
        return;
    auto& cancelled = detail::loop_state::of(loop_->loop).extension<detail::zmq_cancelled>();
    cancelled.take(receivers_);
    cancelled.take(senders_);
}

// --- the task ---------------------------------------------------------------------------------

struct zmq_task::promise_type {
    bool started = false;
    std::coroutine_handle<> waiting; // who awaits it
    std::exception_ptr thrown;

    zmq_task get_return_object() noexcept { return zmq_task(handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    auto final_suspend() const noexcept
    {
        struct hand_over {
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(handle finished) const noexcept
            {
                const auto next = finished.promise().waiting;
                return next ? next : std::noop_coroutine();
            }
            void await_resume() const noexcept {}
        };
        return hand_over();
    }
    void return_void() const noexcept {}
    void unhandled_exception()
    {
        if (!waiting)
            throw; // out of resume(), to whoever made it go on: start(), or the loop
        thrown = std::current_exception();
    }
};

inline void zmq_task::start()
{
    coroutine_.promise().started = true;
    coroutine_.resume();
}

inline auto zmq_task::operator co_await() noexcept
{
    struct awaiter {
        handle task;
        bool await_ready() const noexcept { return task.done(); }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept
        {
            task.promise().waiting = waiting;
            if (std::exchange(task.promise().started, true))
                return std::noop_coroutine(); // it waits for something itself
            return task;
        }
        void await_resume() const
        {
            if (task.promise().thrown)
                std::rethrow_exception(task.promise().thrown);
        }
    };
    return awaiter{coroutine_};
}

} // namespace funcptr
