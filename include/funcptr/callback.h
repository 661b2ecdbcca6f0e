// SPDX-License-Identifier: MIT
//
// callback.h: a std::function that may replace or destroy itself while it runs.
//
// A std::function must not be assigned to or destroyed during its own call, and that is just what
// callbacks do ("on the first message, switch", "on close, delete the connection"). This one moves
// the function out of harm's way for the call. A call within the call finds nothing to run.
//
// Threads: one at a time. Lifetime: what the function captured lives until the call is over.
//
//     funcptr::callback<int> on_number;
//     on_number = [&](int n) { owner.reset(); };   // destroys on_number, too
//     if (!on_number(42))
//         return;                                  // owner is gone: touch nothing of it
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <utility>

namespace funcptr {

template <class... Arguments>
class callback {
public:
    using function = std::function<void(Arguments...)>;

    callback() = default;
    callback(const callback&) = delete;
    callback& operator=(const callback&) = delete;
    ~callback()
    {
        if (running_ != nullptr)
            running_->destroyed = true;
    }

    /// Takes effect from the next call on.
    callback& operator=(function to)
    {
        ++version_;
        function_ = std::move(to);
        return *this;
    }

    explicit operator bool() const noexcept { return static_cast<bool>(function_); }

    /// A function is set; also true within its own call, when there is nothing to run.
    bool assigned() const noexcept
    {
        return function_ || (running_ != nullptr && running_->version == version_);
    }

    /// Runs the function, if there is one. False when that destroyed this object. What the function
    /// throws is passed on.
    template <class... Given>
    requires std::invocable<function&, Given...>
    bool operator()(Given&&... given) { return run(version_, std::forward<Given>(given)...); }

    /// The same, and the function is forgotten; one that is set meanwhile stays.
    template <class... Given>
    requires std::invocable<function&, Given...>
    bool once(Given&&... given)
    {
        if (!function_)
            return true;
        return run(version_++, std::forward<Given>(given)...);
    }

private:
    // Passed on as they were given: an argument may be large, and std::function moves it once more.
    template <class... Given>
    bool run(std::uint32_t version, Given&&... given)
    {
        if (!function_)
            return true;
        call now{*this, std::move(function_), version, running_};
        function_ = nullptr;
        running_ = &now;
        now.running(std::forward<Given>(given)...);
        return !now.destroyed;
    }

    /// One call under way; puts the function back, also when it threw.
    struct call {
        callback& owner;
        function running;
        std::uint32_t version;
        call* outer;
        bool destroyed = false;

        ~call()
        {
            if (destroyed) {
                if (outer != nullptr)
                    outer->destroyed = true;
                return;
            }
            owner.running_ = outer;
            if (owner.version_ == version)
                owner.function_ = std::move(running);
        }
    };

    function function_;
    std::uint32_t version_ = 0;
    call* running_ = nullptr;
};

} // namespace funcptr
