// SPDX-License-Identifier: MIT
//
// The application's side: filter, deliver, send, until nothing moves.
#include "detail/connection_impl.h"

namespace funcptr {

bool connection::impl::pump()
{
    if (over_) {
        shared_.blocks.take_back(*filter_);
        return true;
    }
    running_ = true;
    shared_.blocks.lend(*filter_);
    moved_ = false;
    if (!pump_steps())
        return false;
    running_ = false;
    shared_.blocks.take_back(*filter_);
    if (over_)
        return true;
    watch();
    // There is more to show, or the filter holds more and there is room again: go on at the
    // next turn. (Feeding ourselves an event would be served at this one, for ever.)
    const bool more = may_show() && (unshown() || (moved_ && filter_->pending()));
    if (more || end_is_due() || drain_is_due())
        start_timer(0.);
    else
        arm();
    return true;
}

bool connection::impl::pump_steps()
{
    filter_->update();
    // It left in mid-handshake: to an alert its machine would only answer with a reset.
    if (!opened_ && eof_ && filter_->cause().kind == close_kind::truncated)
        filter_->nwrite().clear();
    if (!opened_ && filter_->state() == filter_state::open) {
        opened_ = true;
        deadlines_.opened();
        if (!call([this] { on_open_(*outer_); }))
            return false;
    }
    if (!deliver())
        return false;
    flush();
    if (!over_ && drain_is_due()) {
        was_high_ = false;
        if (!call([this] { on_drain_(*outer_); }))
            return false;
        flush();
    }
    if (!over_)
        follow_the_end();
    return true;
}

void connection::impl::flush()
{
    if (over_)
        return;
    filter_->update();
    send();
}

bool connection::impl::deliver()
{
    auto& ready = filter_->aread();
    while (!over_ && may_show() && (ready.size() > shown_ || again_)) {
        again_ = false;
        const auto before = ready.size();
        if (closing_)
            ready.clear();
        else if (before != 0 && !call([&] { on_data_(*outer_, ready); }))
            return false;
        shown_ = ready.size();
        const bool taken = shown_ < before;
        moved_ = moved_ || taken;
        again_ = again_ || (taken && !ready.empty()); // until it takes no more
        if (!over_)
            filter_->update();
    }
    return over_ || tell_end();
}

bool connection::impl::unshown() const
{
    const auto size = filter_->aread().size();
    return size > shown_ || (again_ && size != 0);
}

bool connection::impl::end_is_due() const
{
    if (end_told_ || closing_ || !filter_->read_closed())
        return false;
    return !unshown() && (!paused_ || filter_->aread().empty());
}

bool connection::impl::tell_end()
{
    if (!end_is_due())
        return true;
    end_told_ = true;
    if (!call([this] { on_end_(*outer_); }))
        return false;
    if (!over_ && options_->close_with_peer && !ending_) {
        ending_ = true;
        filter_->close_write();
    }
    return true;
}

} // namespace funcptr
