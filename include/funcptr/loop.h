// SPDX-License-Identifier: MIT
//
// loop.h: what libev lacks for C++: run(loop) that rethrows, post() from other threads, a log sink.
//
// An exception must not pass through libev's C frames (it would leave ev_run's depth wrong for
// good), so each callback of funcptr catches what yours throws. By default the loop then breaks and
// keeps the exception, and run(loop) rethrows it; after a plain loop.run() ask take_exception().
// With an error hook the loop goes on and the hook gets it. The loop stays usable either way.
//
// It does not replace ev::loop_ref and owns no loop. The library never prints: what is worth a line
// goes to the loop's log sink, which drops it by default.
//
// Threads: a loop belongs to one thread, and so does everything here, but for poster::post(), which
// may be called from all threads at once. Lifetime: what is kept for a loop dies with the loop
// (ev_cleanup), so that a new loop at an old one's address starts afresh. Nested runs are legal.
//
//     ev::default_loop loop;
//     funcptr::set_log_sink(loop, [](funcptr::log_level, std::string_view line) {
//         std::clog << line << '\n';
//     });
//     funcptr::poster to_loop(loop);
//     std::jthread worker([to_loop] {
//         to_loop.post([] { std::cout << "on the loop's thread"; });
//     });
//     funcptr::run(loop);
#pragma once

#include <ev++.h>

#include <concepts>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>

#include "export.h"

namespace funcptr {

enum class log_level { debug, info, warning, error };

/// Gets one line without a newline. Called on the loop's thread. What it throws is swallowed.
using log_sink = std::function<void(log_level, std::string_view line)>;

/// Gets what a callback threw. Called on the loop's thread.
using error_hook = std::function<void(std::exception_ptr)>;

/// loop.run(flags), then rethrows what a callback threw meanwhile, if anything. An exception that
/// is kept from an earlier plain loop.run() is rethrown before running. Legal inside a callback.
inline void run(ev::loop_ref loop, int flags = 0);

/// The exception that broke the loop, or null; asking gives it up. Only the first one is kept, a
/// later one is logged.
[[nodiscard]] inline std::exception_ptr take_exception(ev::loop_ref loop);

/// Where the lines of everything that lives on this loop go. Default: nowhere.
inline void set_log_sink(ev::loop_ref loop, log_sink sink);

/// Called instead of breaking the loop. What the hook itself throws breaks the loop. Default: none.
inline void set_error_hook(ev::loop_ref loop, error_hook hook);

namespace detail {

class loop_state;
struct post_queue;

} // namespace detail

/// A handle by which other threads hand work to a loop. Copies share one queue.
class poster {
public:
    /// The most functions that wait at once. A loop that is this far behind is stuck: better to
    /// tell the sender than to grow without end.
    static constexpr std::size_t default_limit = 65536;

    /// Call it in the loop's thread. limit applies to the loop's one queue: the last one given
    /// counts.
    explicit poster(ev::loop_ref loop, std::size_t limit = default_limit);

    /// Runs the function on the loop's thread, in the order of posting, at one of the next turns.
    /// Does not keep the loop running by itself. Any thread. False, and the function is dropped,
    /// when the queue is full or the loop is gone. A function still queued when the loop is
    /// destroyed is destroyed unrun, in the loop's thread.
    bool post(std::function<void()> work) const;

private:
    std::shared_ptr<detail::post_queue> queue_;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

/// Something that a component keeps for one loop. Destroyed while the loop can still be used, as
/// part of its destruction.
class FUNCPTR_API loop_extension {
public:
    virtual ~loop_extension() = default;
};

/// What posting threads and the loop share.
struct post_queue {
    std::mutex mutex;
    // All guarded by mutex:
    std::deque<std::function<void()>> waiting;
    struct ev_loop* loop = nullptr; // null once the loop is gone
    std::size_t limit = poster::default_limit;

    ev_async wake{}; // started in the loop's thread; ev_async_send() is legal from any
};

/// All that funcptr keeps for one loop. Found by the loop's address; dies with the loop.
class FUNCPTR_API loop_state {
public:
    /// The loop's state, made at the first call. In the loop's thread.
    static loop_state& of(ev::loop_ref loop)
    {
        struct ev_loop* raw = loop;
        auto& all = registry();
        const std::lock_guard lock(all.mutex);
        auto& entry = all.states[raw];
        if (!entry)
            entry.reset(new loop_state(raw));
        return *entry;
    }

    loop_state(const loop_state&) = delete;
    loop_state& operator=(const loop_state&) = delete;
    ~loop_state() { stop(); }

    struct ev_loop* loop() const noexcept { return loop_; }

    void log(log_level level, std::string_view line) noexcept
    {
        if (!sink_)
            return;
        try {
            // A copy: the sink may replace itself.
            const auto sink = sink_;
            sink(level, line);
        } catch (...) {
            // A line that cannot be logged has nowhere else to go.
        }
    }
    /// The line is made when somebody listens. Without memory for it, it is lost.
    template <std::invocable Make>
    void log(log_level level, Make&& make) noexcept
    {
        if (!sink_)
            return;
        try {
            const std::string line = std::forward<Make>(make)();
            log(level, std::string_view(line));
        } catch (...) {
            // As above.
        }
    }

    /// Runs a user's callback. What it throws goes to fail(); true when it threw nothing.
    template <class Callback>
    bool guard(Callback&& callback) noexcept
    {
        try {
            std::forward<Callback>(callback)();
            return true;
        } catch (...) {
            fail(std::current_exception());
            return false;
        }
    }

    /// A callback threw: to the hook, or break the innermost run and keep the exception.
    void fail(std::exception_ptr thrown) noexcept
    {
        if (hook_) {
            try {
                // A copy: the hook may replace itself.
                const auto hook = hook_;
                hook(thrown);
                return;
            } catch (...) {
                thrown = std::current_exception();
            }
        }
        if (kept_)
            log(log_level::error, "a callback threw while an earlier exception was still kept; the "
                                  "later one is dropped");
        else
            kept_ = std::move(thrown);
        ev_break(loop_, EVBREAK_ONE);
    }

    std::exception_ptr take() noexcept { return std::exchange(kept_, nullptr); }
    void sink(log_sink to) { sink_ = std::move(to); }
    void hook(error_hook to) { hook_ = std::move(to); }

    /// The component's own state for this loop, made from *this at the first call.
    template <class Extension>
    Extension& extension()
    {
        auto& slot = extensions_[std::type_index(typeid(Extension))];
        if (!slot)
            slot = std::make_unique<Extension>(*this);
        return static_cast<Extension&>(*slot);
    }

    const std::shared_ptr<post_queue>& posts() const noexcept { return posts_; }

private:
    struct registered {
        std::mutex mutex;
        std::map<struct ev_loop*, std::unique_ptr<loop_state>> states;
    };
    static registered& registry()
    {
        // Never destroyed: loops may outlive every static of a program (the default loop does).
        static auto* const all = new registered;
        return *all;
    }

    explicit loop_state(struct ev_loop* loop)
        : loop_(loop)
        , posts_(std::make_shared<post_queue>())
    {
        ev_cleanup_init(&cleanup_, &loop_state::on_cleanup);
        cleanup_.data = this;
        ev_cleanup_start(loop_, &cleanup_);

        posts_->loop = loop_;
        ev_async_init(&posts_->wake, &loop_state::on_posted);
        posts_->wake.data = this;
        ev_async_start(loop_, &posts_->wake);
        ev_unref(loop_); // ours: run() ends when the users' watchers do
    }

    static void on_cleanup(struct ev_loop* loop, ev_cleanup*, int)
    {
        std::unique_ptr<loop_state> dying;
        {
            auto& all = registry();
            const std::lock_guard lock(all.mutex);
            const auto found = all.states.find(loop);
            dying = std::move(found->second);
            all.states.erase(found);
        }
        // Destroyed outside the lock: an extension's last act may be to look at another loop.
    }

    static void on_posted(struct ev_loop*, ev_async* wake, int)
    {
        static_cast<loop_state*>(wake->data)->run_posted();
    }

    /// Only what waited at the start: work that posts again waits for the next turn, so that posts
    /// cannot starve the loop.
    void run_posted() noexcept
    {
        const auto queue = posts_; // work may destroy the loop's last owner, but not the queue
        std::size_t turn;
        {
            const std::lock_guard lock(queue->mutex);
            turn = queue->waiting.size();
        }
        for (; turn != 0; --turn) {
            std::function<void()> work;
            {
                const std::lock_guard lock(queue->mutex);
                if (queue->waiting.empty()) // a nested run took them
                    return;
                work = std::move(queue->waiting.front());
                queue->waiting.pop_front();
            }
            if (!guard(work) && kept_) {
                ev_async_send(loop_, &queue->wake); // the rest: at the next run
                return;
            }
        }
    }

    void stop() noexcept
    {
        extensions_.clear();
        std::deque<std::function<void()>> unrun;
        {
            const std::lock_guard lock(posts_->mutex);
            ev_ref(loop_);
            ev_async_stop(loop_, &posts_->wake);
            posts_->loop = nullptr;
            unrun.swap(posts_->waiting);
        }
        ev_cleanup_stop(loop_, &cleanup_);
    }

    struct ev_loop* loop_;
    ev_cleanup cleanup_{};
    std::shared_ptr<post_queue> posts_;
    log_sink sink_;
    error_hook hook_;
    std::exception_ptr kept_;
    std::map<std::type_index, std::unique_ptr<loop_extension>> extensions_;
};

} // namespace detail

inline void run(ev::loop_ref loop, int flags)
{
    auto& state = detail::loop_state::of(loop);
    if (auto earlier = state.take())
        std::rethrow_exception(std::move(earlier));
    loop.run(flags);
    if (auto thrown = state.take())
        std::rethrow_exception(std::move(thrown));
}

inline std::exception_ptr take_exception(ev::loop_ref loop)
{
    return detail::loop_state::of(loop).take();
}

inline void set_log_sink(ev::loop_ref loop, log_sink sink)
{
    detail::loop_state::of(loop).sink(std::move(sink));
}

inline void set_error_hook(ev::loop_ref loop, error_hook hook)
{
    detail::loop_state::of(loop).hook(std::move(hook));
}

inline poster::poster(ev::loop_ref loop, std::size_t limit)
    : queue_(detail::loop_state::of(loop).posts())
{
    const std::lock_guard lock(queue_->mutex);
    queue_->limit = limit;
}

inline bool poster::post(std::function<void()> work) const
{
    const std::lock_guard lock(queue_->mutex);
    if (queue_->loop == nullptr || queue_->waiting.size() >= queue_->limit)
        return false;
    queue_->waiting.push_back(std::move(work));
    // Under the lock, so that the loop cannot go away in between.
    ev_async_send(queue_->loop, &queue_->wake);
    return true;
}

} // namespace funcptr
