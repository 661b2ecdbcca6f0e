// SPDX-License-Identifier: MIT
//
// context_slot.h: the one thing of a TLS context that changes: which state is in force.
#pragma once

#include <memory>
#include <mutex>

#include "funcptr/error.h"

namespace funcptr::detail {

/// A mutex, not an atomic shared_ptr: the latter's lock bit is opaque to thread sanitizers
/// (libstdc++ 12), and this is taken once for each connection.
template <class State>
class context_slot {
public:
    explicit context_slot(std::shared_ptr<State> first)
        : state_(std::move(first))
    {
    }

    std::shared_ptr<const State> current() const
    {
        const std::lock_guard lock(mutex_);
        return state_;
    }

    /// Puts it in force, as one more generation. Throws funcptr::error when its role is another.
    void replace(std::shared_ptr<State> fresh)
    {
        const std::lock_guard lock(mutex_);
        if (fresh->role != state_->role)
            throw error(errc::bad_configuration,
                        "reload() cannot turn a client's context into a server's, or back");
        fresh->generation = state_->generation + 1;
        state_ = std::move(fresh);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const State> state_;
};

} // namespace funcptr::detail
