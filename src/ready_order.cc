// SPDX-License-Identifier: MIT
#include "detail/ready_order.h"

#include <algorithm>
#include <new>

namespace funcptr::detail {

ready_order::ready_order(struct ev_loop* loop)
    : loop_(loop)
{
    ev_prepare_init(&turn_, &ready_order::on_turn);
    ev_set_priority(&turn_, -1);
    turn_.data = this;
}

ready_order::~ready_order()
{
    ev_clear_pending(loop_, &turn_);
}

void ready_order::ready(member& one, int events)
{
    if (one.at_ != 0) { // a nested run has found it again
        one.events_ |= events;
        return;
    }
    if (waiting_.empty() && ev_pending_count(loop_) == 0) // alone, as on a quiet server
        return serve(one, events);
    try {
        waiting_.push_back({one.served_, &one});
    } catch (const std::bad_alloc&) { // must not pass through libev: out of order, then
        return serve(one, events);
    }
    one.at_ = static_cast<std::uint32_t>(waiting_.size());
    one.events_ = events;
    come_back();
}

void ready_order::leave(member& one) noexcept
{
    if (one.at_ == 0)
        return;
    waiting_[one.at_ - 1].one = nullptr;
    one.at_ = 0;
}

void ready_order::on_turn(struct ev_loop*, ev_prepare* turn, int)
{
    auto& self = *static_cast<ready_order*>(turn->data);
    self.sort();
    while (!self.waiting_.empty()) {
        member* const one = self.waiting_.back().one;
        self.waiting_.pop_back();
        if (one == nullptr)
            continue;
        one->at_ = 0;
        if (!self.waiting_.empty())
            self.come_back(); // a callback that runs the loop serves the others there
        self.serve(*one, one->events_);
    }
    ev_clear_pending(self.loop_, turn);
}

void ready_order::sort()
{
    std::sort(waiting_.begin(), waiting_.end(),
              [](const entry& a, const entry& b) { return a.served > b.served; });
    std::uint32_t at = 0;
    for (const auto& each : waiting_) {
        ++at;
        if (each.one != nullptr)
            each.one->at_ = at;
    }
}

void ready_order::come_back()
{
    if (!ev_is_pending(&turn_))
        ev_feed_event(loop_, &turn_, EV_CUSTOM);
}

void ready_order::serve(member& one, int events)
{
    join(one);
    one.serve(events);
}

} // namespace funcptr::detail
