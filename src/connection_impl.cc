// SPDX-License-Identifier: MIT
//
// What the user calls and what the loop calls; all of it ends in touch() or pump().
#include "detail/connection_impl.h"

#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>

namespace funcptr {

namespace {

connection_options checked(connection_options options)
{
    if (options.read_per_turn == 0 || options.read_chunk == 0)
        throw std::invalid_argument(
            "connection_options: read_per_turn and read_chunk must not be 0");
    options.low_water = std::min(options.low_water, options.high_water);
    return options;
}

/// The loop's time. Made within a callback it is fresh, but at the start of a program it may be as
/// old as the loop, and the first deadline must not count from then.
double fresh_now(struct ev_loop* loop)
{
    ev_now_update(loop);
    return ev_now(loop);
}

} // namespace

connection::impl::impl(connection& outer, ev::loop_ref loop, accepted peer,
                       std::unique_ptr<filter> through, const connection_options& options)
    : outer_(&outer)
    , loop_(loop)
    , state_(detail::loop_state::of(loop))
    , shared_(state_.extension<detail::connection_loop>())
    , socket_(std::move(peer.socket))
    , place_(std::move(peer.place))
    , peer_(std::move(peer.peer))
    , local_(std::move(peer.local))
    , filter_(std::move(through))
    , options_(shared_.options.share(checked(options)))
    , deadlines_(*options_, fresh_now(loop))
{
    if (!socket_ || !filter_)
        throw std::invalid_argument("connection: a socket and a filter are needed");
    shared_.order.join(*this);
    ev_io_init(&io_, &impl::on_io, socket_.get(), EV_READ);
    ev_timer_init(&timer_, &impl::on_timer, 0., 0.);
    io_.data = timer_.data = this;
    ev_io_start(loop_, &io_);
    // The first turn opens a plain filter, and makes a TLS client say hello.
    start_timer(0.);
}

connection::impl::~impl()
{
    if (frame_ != nullptr)
        frame_->destroyed = true;
    stop();
}

bool connection::impl::write(std::span<const std::byte> bytes)
{
    return keep(bytes.size(), [&] {
        shared_.blocks.lend(*filter_);
        filter_->awrite().append(bytes.subspan(send_directly(bytes)));
    });
}

bool connection::impl::write(buffer& from)
{
    return keep(from.size(), [&] {
        from.consume(send_directly(from.data()));
        filter_->awrite().append(std::move(from));
    });
}

bool connection::impl::may_write(std::size_t size)
{
    if (ending_ || closing_ || over_)
        return false;
    if (backlog() == 0)
        deadlines_.progress(ev_now(loop_)); // the stall, if it becomes one, begins here
    if (size <= options_->backlog_limit - std::min(backlog(), options_->backlog_limit)
        && size <= filter_->awrite().room())
        return true;
    finish(close_by::limit, "the peer does not read: more than "
                                + std::to_string(options_->backlog_limit) + " bytes wait for it");
    return false;
}

std::size_t connection::impl::backlog() const noexcept
{
    // With a plain filter the two are one.
    const auto& plain = filter_->awrite();
    const auto& sealed = filter_->nwrite();
    return &plain == &sealed ? plain.size() : plain.size() + sealed.size();
}

void connection::impl::end()
{
    if (ending_ || over_)
        return;
    ending_ = true;
    filter_->close_write();
    touch();
}

void connection::impl::close()
{
    if (closing_ || over_)
        return;
    closing_ = true;
    if (!reason_)
        set_reason(close_by::user, "closed by us");
    end();
    touch();
}

void connection::impl::abort()
{
    if (over_)
        return;
    const linger reset{1, 0};
    ::setsockopt(io_.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (!reason_ && filter_->closed())
        note_filter_end(); // the filter's cause came first, and says more
    finish(close_by::user, "aborted by us");
}

void connection::impl::pause(bool paused)
{
    paused_ = paused;
    if (over_)
        return;
    watch();
    if (paused)
        return;
    again_ = true;
    start_timer(0.);
}

// --- the loop's events ---

void connection::impl::on_io(struct ev_loop*, ev_io* watcher, int events)
{
    auto& self = *static_cast<impl*>(watcher->data);
    self.shared_.order.ready(self, events);
}

/// A handshake that must wait for its turn reads nothing meanwhile.
void connection::impl::serve(int events)
{
    if (running_) {
        // A callback of ours runs the loop: what comes waits until it has returned.
        ev_io_stop(loop_, &io_);
        return;
    }
    const bool read = (events & EV_READ) != 0;
    if (read && !has_its_turn())
        return watch();
    run([&] { return read && !opened_ ? shake_hands() : (!read || read_turn()) && pump(); });
}

bool connection::impl::has_its_turn()
{
    return opened_ || over_ || shared_.turns.admit(*this, options_->handshakes_per_turn);
}

void connection::impl::go_on()
{
    if (running_) // a callback of ours runs the loop: its pump() watches again
        return;
    run([&] { return left_early() ? pump() : shake_hands(); });
}

/// Crowds of hostile clients leave in crowds. That a peer has gone is no handshake, and those who
/// mean it must not wait for a turn behind it; nor for what is left to do, 15 us for each.
bool connection::impl::shake_hands()
{
    const auto before = in_;
    if (!read_turn())
        return false;
    if (in_ == before)
        shared_.turns.refund(options_->handshakes_per_turn);
    if (left_early() && !may_depart())
        return false;
    return pump();
}

/// False: go_on() will be called.
bool connection::impl::may_depart()
{
    if (shared_.departures.admit(*this, options_->handshakes_per_turn == 0 ? 0 : 1))
        return true;
    shared_.blocks.take_back(*filter_);
    if (over_)
        ev_timer_stop(loop_, &timer_); // finish() wanted to be told at the next turn
    watch();
    return false;
}

void connection::impl::on_timer(struct ev_loop*, ev_timer* watcher, int)
{
    auto& self = *static_cast<impl*>(watcher->data);
    self.armed_ = detail::deadlines::never;
    if (self.running_) // as above; the pump under way arms it again
        return;
    // The loop may have been kept busy for longer than a deadline, and timers come before
    // sockets: what waits in ours counts first.
    self.run([&self] {
        if (self.is_due() && !self.read_turn())
            return false;
        if (!self.pump())
            return false;
        if (!self.over_)
            self.check_deadlines();
        return true;
    });
}

void connection::impl::touch()
{
    if (running_ || over_)
        return;
    shared_.blocks.lend(*filter_);
    flush();
    shared_.blocks.take_back(*filter_);
    if (over_)
        return;
    watch();
    // Whatever must be told (a drain, an end) is told from the loop.
    if (drain_is_due() || filter_->closed() || lingering() || unshown())
        start_timer(0.);
    else
        arm();
}

} // namespace funcptr
