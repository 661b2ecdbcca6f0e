// SPDX-License-Identifier: MIT
#include "detail/handshake_turns.h"

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
    one.waits_ = true;
    if (!ev_is_active(&turn_))
        ev_timer_start(loop_, &turn_);
    return false;
}

void handshake_turns::leave(waiter& one)
{
    if (!one.waits_)
        return;
    one.waits_ = false;
    waiting_.erase(one.at_);
    if (waiting_.empty())
        ev_timer_stop(loop_, &turn_);
}

void handshake_turns::on_turn(struct ev_loop*, ev_timer* timer, int)
{
    auto& self = *static_cast<handshake_turns*>(timer->data);
    self.new_turn();
    while (!self.waiting_.empty() && (self.most_ == 0 || self.served_ < self.most_)) {
        ++self.served_;
        waiter& one = *self.waiting_.front();
        self.leave(one);
        one.go_on();
    }
    if (!self.waiting_.empty() && !ev_is_active(&self.turn_))
        ev_timer_start(self.loop_, &self.turn_); // its time is 0: at the next turn
}

} // namespace funcptr::detail
