// SPDX-License-Identifier: MIT
//
// zmq_async.h: co_await a ZeroMQ socket's messages on the loop.
//
// The same machinery as zmq_event.h, for straight-line code: co_await socket.async_recv() gives a
// whole message, co_await socket.async_send(message) sends one. A coroutine always goes through the
// loop, also when a message is there already, so that one that never stops asking neither grows the
// stack nor starves the others: the budget of zmq_hub.h holds. What goes wrong at run time is a
// value, not an exception.
//
// The awaitables work in any coroutine; zmq_task is a small one that needs no library.
//
// Threads: those of zmq_event.h. Lifetime: a coroutine that is destroyed while it waits is simply
// forgotten. When the socket is closed or destroyed, those who wait for it go on from the loop,
// with std::errc::operation_canceled; they must not use the socket then. When the loop is gone
// nobody goes on, and who would wait from then on is told operation_canceled at once. What a
// coroutine throws out of itself reaches the loop's error handling (loop.h).
//
//     funcptr::zmq_task echo(funcptr::zmq_async& socket)
//     {
//         funcptr::zmq_multipart message;
//         while (co_await socket.async_recv(message))
//             co_await socket.async_send(message);
//     }
//     funcptr::zmq_async socket(loop, context, zmq::socket_type::rep);
//     socket.bind("tcp://*:7000");
//     auto task = echo(socket);
//     task.start();
//     funcptr::run(loop);
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "zmq_event.h"
#include "zmq_multipart.h"

namespace funcptr {

struct zmq_async_options {
    /// Coroutines that may wait to receive, and as many to send; one more is told errc::limit.
    /// 1,024: more than that wait for one socket only by mistake.
    std::size_t waiting = 1024;
    zmq_options socket{};
};

/// What async_recv() gives: a message, or why not.
struct zmq_received {
    std::error_code error{};
    zmq_multipart message{};

    explicit operator bool() const noexcept { return !error; }
};

class zmq_async;

namespace detail {

class zmq_waiters;

/// One coroutine that waits for a socket. Lives in the coroutine's frame, as part of the awaitable.
class zmq_waiter {
public:
    zmq_waiter(const zmq_waiter&) = delete;
    zmq_waiter& operator=(const zmq_waiter&) = delete;

protected:
    explicit zmq_waiter(std::optional<std::chrono::milliseconds> timeout) noexcept
        : timeout_(timeout)
    {
    }
    inline ~zmq_waiter();

private:
    friend class funcptr::zmq_async;
    friend class zmq_waiters;
    friend class zmq_cancelled;

    inline void go_on(std::error_code why);
    inline void start_timer(struct ev_loop* loop);
    inline void stop_timer() noexcept;
    static inline void on_timeout(struct ev_loop* loop, ev_timer* timer, int);

    std::coroutine_handle<> coroutine_;
    std::error_code error_;
    zmq_waiters* list_ = nullptr; // where it waits; null: nowhere
    zmq_waiter* previous_ = nullptr;
    zmq_waiter* next_ = nullptr;
    std::optional<std::chrono::milliseconds> timeout_;
    std::shared_ptr<post_queue> loop_; // of the timer, while that is active; knows if it lives
    ev_timer timer_{};

protected:
    // What is received into, or sent from.
    zmq_multipart* message_ = nullptr;
    std::error_code error() const noexcept { return error_; }
    void fail(std::error_code why) noexcept { error_ = why; }
    void suspend(std::coroutine_handle<> coroutine) noexcept { coroutine_ = coroutine; }
};

/// A queue of them, which does not own them.
class zmq_waiters {
public:
    zmq_waiters() = default;
    zmq_waiters(const zmq_waiters&) = delete;
    zmq_waiters& operator=(const zmq_waiters&) = delete;
    ~zmq_waiters()
    {
        while (first_ != nullptr)
            remove(*first_);
    }

    bool empty() const noexcept { return first_ == nullptr; }
    std::size_t size() const noexcept { return size_; }
    zmq_waiter& front() noexcept { return *first_; }
    void push(zmq_waiter& one) noexcept
    {
        one.list_ = this;
        one.previous_ = last_;
        one.next_ = nullptr;
        (last_ != nullptr ? last_->next_ : first_) = &one;
        last_ = &one;
        ++size_;
    }
    void remove(zmq_waiter& one) noexcept
    {
        (one.previous_ != nullptr ? one.previous_->next_ : first_) = one.next_;
        (one.next_ != nullptr ? one.next_->previous_ : last_) = one.previous_;
        one.list_ = nullptr;
        --size_;
    }

private:
    zmq_waiter* first_ = nullptr;
    zmq_waiter* last_ = nullptr;
    std::size_t size_ = 0;
};

/// Those whose socket is gone: they go on from the loop, not from the socket's destructor, where
/// half of what they might use is gone as well.
class FUNCPTR_API zmq_cancelled final : public loop_extension {
public:
    explicit zmq_cancelled(loop_state& state)
        : state_(state)
    {
        ev_timer_init(&soon_, &zmq_cancelled::on_soon, 0., 0.);
        soon_.data = this;
    }
    zmq_cancelled(const zmq_cancelled&) = delete;
    zmq_cancelled& operator=(const zmq_cancelled&) = delete;
    ~zmq_cancelled() override { ev_timer_stop(state_.loop(), &soon_); }

    void take(zmq_waiters& from) noexcept
    {
        while (!from.empty()) {
            auto& one = from.front();
            from.remove(one);
            one.stop_timer();
            waiters_.push(one);
        }
        if (!waiters_.empty())
            ev_timer_start(state_.loop(), &soon_);
    }

private:
    static void on_soon(struct ev_loop*, ev_timer* timer, int)
    {
        auto& self = *static_cast<zmq_cancelled*>(timer->data);
        const auto why = std::make_error_code(std::errc::operation_canceled);
        // Only those who wait now, and no further than an exception, which waits to be taken.
        for (auto left = self.waiters_.size(); left != 0 && !self.waiters_.empty(); --left) {
            auto& one = self.waiters_.front();
            if (!self.state_.guard([&] { one.go_on(why); }))
                break;
        }
        if (!self.waiters_.empty())
            ev_timer_start(self.state_.loop(), &self.soon_);
    }

    loop_state& state_;
    zmq_waiters waiters_;
    ev_timer soon_{};
};

} // namespace detail

class zmq_async final : private zmq_event {
public:
    using timeout = std::optional<std::chrono::milliseconds>;

    /// Throws as zmq_event does.
    zmq_async(ev::loop_ref loop, zmq::context_t& context, zmq::socket_type type,
              const zmq_async_options& options = {})
        : zmq_event(loop, context, type, options.socket)
        , loop_(detail::loop_state::of(loop).posts())
        , limit_(options.waiting)
    {
        want_read(false);
    }
    /// Adopts an open socket; options.socket is not used.
    zmq_async(ev::loop_ref loop, zmq::socket_t socket, const zmq_async_options& options = {})
        : zmq_event(loop, std::move(socket))
        , loop_(detail::loop_state::of(loop).posts())
        , limit_(options.waiting)
    {
        want_read(false);
    }
    ~zmq_async() override
    {
        if (gone_ != nullptr)
            *gone_ = true;
        cancel();
    }

    class receiving;
    class receiving_into;
    class sending;

    /// co_await gives a zmq_received: a whole message, or an error: errc::context_terminated,
    /// std::errc::timed_out after `within`, operation_canceled when the socket was closed
    /// meanwhile, errc::limit. Those who wait are served in order.
    [[nodiscard]] receiving async_recv(timeout within = std::nullopt);
    /// The same into a message of yours, which is emptied first: it costs no allocation once it has
    /// its size. co_await gives a zmq_result.
    [[nodiscard]] receiving_into async_recv(zmq_multipart& message, timeout within = std::nullopt);
    /// co_await gives a zmq_result, when libzmq has the message, and `message` is then empty;
    /// errors as above, and those of zmq_msg_send(3): EHOSTUNREACH, EFSM… Then it is as it was.
    [[nodiscard]] sending async_send(zmq_multipart& message, timeout within = std::nullopt);
    [[nodiscard]] sending async_send(zmq_multipart&& message, timeout within = std::nullopt);

    /// Closes; those who wait go on with operation_canceled, from the loop.
    void close() noexcept
    {
        zmq_event::close();
        cancel();
    }

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
    /// Why nobody may wait here, if so.
    std::error_code refusal(const detail::zmq_waiters& list) const noexcept
    {
        if (closed() || !watched()) // or its loop is gone
            return std::make_error_code(std::errc::operation_canceled);
        return list.size() < limit_ ? std::error_code() : make_error_code(errc::limit);
    }
    void wait(detail::zmq_waiters& list, detail::zmq_waiter& one);
    void read() override;
    void write() override;
    void on_error(std::error_code why) override;
    bool go_on(detail::zmq_waiter& one, std::error_code why);
    void cancel() noexcept;
    void stop_wanting();

    std::shared_ptr<detail::post_queue> loop_; // knows whether the loop still lives
    std::size_t limit_;
    detail::zmq_waiters receivers_;
    detail::zmq_waiters senders_;
    bool* gone_ = nullptr; // set by the destructor while a coroutine runs from here
};

/// A coroutine of the simplest kind: it begins with start(), may co_await others of its kind, and
/// is destroyed with this object, wherever it waits.
class [[nodiscard]] zmq_task {
public:
    struct promise_type;
    using handle = std::coroutine_handle<promise_type>;

    zmq_task(zmq_task&& other) noexcept
        : coroutine_(std::exchange(other.coroutine_, nullptr))
    {
    }
    zmq_task& operator=(zmq_task&& other) noexcept
    {
        std::swap(coroutine_, other.coroutine_);
        return *this;
    }
    zmq_task(const zmq_task&) = delete;
    zmq_task& operator=(const zmq_task&) = delete;
    ~zmq_task()
    {
        if (coroutine_)
            coroutine_.destroy();
    }

    /// Runs it up to where it first waits. What it throws until there is thrown from here, what it
    /// throws later goes to the loop. REQUIRES: not started yet.
    inline void start();
    bool done() const noexcept { return coroutine_.done(); }

    /// co_await task: starts it if nobody has, goes on at its end, and rethrows what it threw
    /// meanwhile. One may await it. REQUIRES: who awaits is not destroyed before the task is.
    auto operator co_await() noexcept;

private:
    explicit zmq_task(handle coroutine) noexcept
        : coroutine_(coroutine)
    {
    }
    handle coroutine_;
};

} // namespace funcptr

#include "zmq_async_inl.h"
