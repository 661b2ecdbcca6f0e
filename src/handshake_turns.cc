// SPDX-License-Identifier: MIT
#include "detail/handshake_turns.h"

#include <utility>

namespace funcptr::detail {

handshake_turns::handshake_turns(struct ev_loop* loop)
    : loop_(loop)
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

bool handshake_turns::admit(waiter& one, unsigned most)
{
    if (one.waits())
        return false;
    new_turn();
    most_ = most;
    if (most == 0 || (waiting_.empty() && served_ < most)) {
        ++served_;
        return true;
    }
    one.at_ = waiting_.insert(waiting_.end(), &one);
    one.in_ = this;
    if (!ev_is_active(&turn_))
        ev_timer_start(loop_, &turn_);
    return false;
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
    while (!self.waiting_.empty() && (self.most_ == 0 || self.served_ < self.most_)) {
        ++self.served_;
        waiter& one = *self.waiting_.front();
        one.leave();
        one.go_on();
    }
    if (!self.waiting_.empty() && !ev_is_active(&self.turn_))
        ev_timer_start(self.loop_, &self.turn_); // its time is 0: at the next turn
}

} // namespace funcptr::detail
