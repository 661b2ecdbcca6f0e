// SPDX-License-Identifier: MIT
//
// How it ends, and the one timer of all deadlines.
#include "detail/connection_impl.h"

#include <funcptr/error.h>

#include <sys/socket.h>

#include <algorithm>

namespace funcptr {

void connection::impl::follow_the_end()
{
    if (filter_->closed() && !reason_)
        note_filter_end();
    const bool all_sent = filter_->nwrite().empty();
    if (filter_->closed() && all_sent) {
        if (!shut_) {
            shut_ = true;
            ::shutdown(io_.fd, SHUT_WR);
        }
        // A clean goodbye was the peer's last byte; after anything else more may be on its way.
        if (eof_ || filter_->cause().kind == close_kind::clean)
            return finish();
    }
    if (closing_ && shut_ && eof_)
        return finish();
    if (lingering())
        deadlines_.linger(ev_now(loop_));
}

void connection::impl::note_filter_end()
{
    const auto& cause = filter_->cause();
    const bool clean = cause.kind == close_kind::clean;
    set_reason(clean ? close_by::peer : close_by::filter,
               clean ? "closed by the peer" : cause.text);
}

void connection::impl::socket_failed(int number)
{
    const auto code = errno_code(number);
    if (!reason_ && filter_->closed())
        note_filter_end(); // the filter's cause came first, and says more
    if (is_news()) {
        set_reason(close_by::socket, code.message());
        reason_->error = code;
    }
    finish();
}

void connection::impl::set_reason(close_by by, std::string text)
{
    reason_ = std::make_unique<close_reason>();
    reason_->by = by;
    reason_->text = std::move(text);
}

void connection::impl::finish(close_by by, std::string text)
{
    if (is_news())
        set_reason(by, std::move(text));
    finish();
}

void connection::impl::out_of_memory() noexcept
{
    running_ = false;
    no_memory_ = true; // its words take memory, too: settle() finds them
    finish();
}

void connection::impl::finish()
{
    if (over_)
        return;
    over_ = true;
    stop();
    socket_.reset();
    shared_.blocks.take_back(*filter_);
    start_timer(0.); // for the case that no event of the loop is under way
}

void connection::impl::settle()
{
    if (!over_)
        return;
    if (!told_ && !tell_close())
        return;
    if (gone_.call == nullptr)
        return;
    if (gone_.call(gone_.owner, *outer_))
        gone_ = {};
    else
        start_timer(0.01);
}

bool connection::impl::tell_close()
{
    told_ = true;
    ev_timer_stop(loop_, &timer_);
    place_.reset();
    const auto reason = last_words();
    return call([&] { on_close_(*outer_, reason); });
}

close_reason connection::impl::last_words() noexcept
{
    close_reason said;
    if (!reason_ && no_memory_) {
        said.by = close_by::limit;
        said.error = std::make_error_code(std::errc::not_enough_memory);
    }
    try {
        if (reason_)
            said = std::move(*reason_);
        else
            said.text = no_memory_ ? said.error.message() : "closed by the peer";
        said.cause = filter_->cause();
        said.text = peer_.to_string() + ": " + said.text + "; " + std::to_string(in_)
                    + " bytes in, " + std::to_string(out_) + " out";
    } catch (const std::bad_alloc&) {
        // on_close is called all the same, with what there is of it.
    }
    return said;
}

void connection::impl::stop()
{
    leave(); // handshake_turns
    shared_.order.leave(*this);
    ev_io_stop(loop_, &io_);
    ev_timer_stop(loop_, &timer_);
}

detail::deadlines::next connection::impl::next_deadline() const
{
    return deadlines_.earliest(!filter_->nwrite().empty());
}

bool connection::impl::is_due() const
{
    const auto next = next_deadline();
    return next.at <= ev_now(loop_) && next.what != detail::deadlines::kind::trim;
}

void connection::impl::check_deadlines()
{
    using kind = detail::deadlines::kind;
    const auto next = next_deadline();
    if (next.at > ev_now(loop_))
        return arm();
    if (next.what == kind::trim) {
        deadlines_.trimmed();
        filter_->trim();
        shared_.blocks.trim(); // the busy ones get a new one at their next turn
        return arm();
    }
    // Nothing is wrong with linger: the peer had its time to read what we said.
    if (next.what != kind::linger && is_news())
        set_reason(close_by::deadline,
                   std::string(detail::to_string(next.what)) + " deadline passed");
    finish();
}

void connection::impl::arm()
{
    const auto at = next_deadline().at;
    if (at < armed_)
        start_timer(std::max(0., at - ev_now(loop_)), at);
}

void connection::impl::start_timer(double after, double at)
{
    ev_timer_stop(loop_, &timer_);
    ev_timer_set(&timer_, after, 0.);
    ev_timer_start(loop_, &timer_);
    armed_ = at;
}

} // namespace funcptr
