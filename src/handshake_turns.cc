// SPDX-License-Identifier: MIT
#include "detail/handshake_turns.h"

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

namespace funcptr::detail {

handshake_turns::handshake_turns(struct ev_loop* loop, unsigned one_in)
    : loop_(loop)
    , one_in_(one_in)
{
    ev_timer_init(&turn_, &handshake_turns::on_turn, 0., 0.);
    turn_.data = this;
}

handshake_turns::~handshake_turns()
{
    ev_timer_stop(loop_, &turn_);
}

void handshake_turns::new_turn()
{
    if (const auto now = ev_iteration(loop_); now != iteration_) {
        iteration_ = now;
        served_ = 0;
    }
}

bool handshake_turns::admit(waiter& one, unsigned most) noexcept
{
    if (one.waits())
        return false;
    if (most == 0)
        return true;
    new_turn();
    most_ = most;
    if (waiting_.empty() && served_ < most) {
        ++served_;
        return true;
    }
    try {
        one.at_ = waiting_.insert(waiting_.end(), &one);
    } catch (const std::bad_alloc&) { // must not pass through libev: out of order, then
        return true;
    }
    one.in_ = this;
    come_back();
    return false;
}

void handshake_turns::come_back()
{
    if (!waiting_.empty() && !ev_is_active(&turn_))
        ev_timer_start(loop_, &turn_); // its time is 0: at the next turn
}

void handshake_turns::waiter::leave()
{
    if (in_ == nullptr)
        return;
    auto& left = *std::exchange(in_, nullptr);
    left.waiting_.erase(at_);
    if (left.waiting_.empty())
        ev_timer_stop(left.loop_, &left.turn_);
}

void handshake_turns::on_turn(struct ev_loop*, ev_timer* timer, int)
{
    auto& self = *static_cast<handshake_turns*>(timer->data);
    self.new_turn();
    const std::size_t share = self.one_in_ == 0 ? 0 : self.waiting_.size() / self.one_in_;
    const auto most = std::max<std::size_t>(self.most_, share);
    while (!self.waiting_.empty() && self.served_ < most) {
        ++self.served_;
        waiter& one = *self.waiting_.front();
        one.leave();
        self.come_back(); // a callback that runs the loop serves the others there
        one.go_on();
    }
    self.come_back();
}

} // namespace funcptr::detail
