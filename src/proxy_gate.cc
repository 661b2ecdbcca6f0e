// SPDX-License-Identifier: MIT
#include "detail/proxy_gate.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "funcptr/error.h"

namespace funcptr::detail {

struct proxy_gate::waiting {
    proxy_gate* owner = nullptr;
    accepted peer;
    proxy_parser parser{};
    double until = 0.;
    list::iterator at{};
    ev_io io{};
};

proxy_gate::proxy_gate(ev::loop_ref loop, std::chrono::milliseconds deadline,
                       std::function<void(accepted)> ready)
    : loop_(loop)
    , state_(loop_state::of(loop))
    , deadline_(std::chrono::duration<double>(deadline).count())
    , ready_(std::move(ready))
{
    ev_timer_init(&timer_, &proxy_gate::on_deadline, 0., 0.);
    timer_.data = this;
}

proxy_gate::~proxy_gate()
{
    ev_timer_stop(loop_, &timer_);
    for (auto& each : waiting_)
        ev_io_stop(loop_, &each->io);
}

void proxy_gate::add(accepted peer)
{
    // on_readable() must find room there without asking for memory.
    if (stalled_.capacity() <= waiting_.size())
        stalled_.reserve(2 * waiting_.size() + 1);
    auto& one = *waiting_.emplace_back(std::make_unique<waiting>());
    one.owner = this;
    one.peer = std::move(peer);
    one.until = ev_now(loop_) + deadline_;
    one.at = std::prev(waiting_.end());
    ev_io_init(&one.io, &proxy_gate::on_readable, one.peer.socket.get(), EV_READ);
    one.io.data = &one;
    ev_io_start(loop_, &one.io);
    arm();
}

void proxy_gate::resume()
{
    for (waiting* each : stalled_)
        ev_io_start(loop_, &each->io);
    stalled_.clear();
    arm();
}

void proxy_gate::arm()
{
    if (held_ || waiting_.empty())
        return ev_timer_stop(loop_, &timer_);
    if (ev_is_active(&timer_))
        return; // it fires for one that waits longer, or has gone: on_deadline() looks
    ev_timer_set(&timer_, std::max(0., waiting_.front()->until - ev_now(loop_)), 0.);
    ev_timer_start(loop_, &timer_);
}

void proxy_gate::on_deadline(struct ev_loop*, ev_timer* timer, int)
{
    auto& self = *static_cast<proxy_gate*>(timer->data);
    if (self.held_) // release() arms it again
        return;
    while (!self.waiting_.empty() && self.waiting_.front()->until <= ev_now(self.loop_))
        self.refuse(*self.waiting_.front(), "its deadline passed");
    self.arm();
}

void proxy_gate::on_readable(struct ev_loop*, ev_io* io, int)
{
    auto& one = *static_cast<waiting*>(io->data);
    proxy_gate& self = *one.owner;
    if (self.held_) {
        ev_io_stop(self.loop_, io);
        self.stalled_.push_back(&one);
        return;
    }
    try {
        self.read_header(one);
    } catch (const std::bad_alloc&) { // before it was handed out: what a handler throws is caught
        self.refuse(one, "out of memory");
    }
}

/// As long as there is something and the header is not whole; both are bounded by the header.
void proxy_gate::read_header(waiting& one)
{
    const int fd = one.peer.socket.get();
    for (;;) {
        std::array<char, 512> bytes;
        const auto seen = ::recv(fd, bytes.data(), bytes.size(), MSG_PEEK);
        if (seen < 0 && errno == EINTR)
            continue;
        if (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (seen <= 0)
            return refuse(one, seen == 0 ? std::string("the proxy hung up")
                                         : errno_code(errno).message());
        const auto taken = one.parser.take({bytes.data(), static_cast<std::size_t>(seen)});
        // What was seen is there, and nobody else reads it.
        if (taken != 0 && ::recv(fd, bytes.data(), taken, 0) != static_cast<ssize_t>(taken))
            return refuse(one, "what was there is gone");
        if (one.parser.state() == proxy_state::bad)
            return refuse(one, one.parser.error());
        if (one.parser.state() == proxy_state::done)
            return hand_out(one);
    }
}

void proxy_gate::hand_out(waiting& one)
{
    const auto ready = ready_; // it may destroy this
    const auto gone = take(one);
    accepted peer = std::move(gone->peer);
    const proxy_header& header = gone->parser.header();
    if (!header.local) {
        peer.via = std::exchange(peer.peer, header.source);
        peer.local = header.destination;
    }
    ready(std::move(peer));
}

void proxy_gate::refuse(waiting& one, std::string_view why)
{
    ++refused_;
    state_.log(log_level::warning, [&] {
        return "listener: PROXY protocol of " + one.peer.peer.to_string() + ": " + std::string(why);
    });
    take(one);
}

std::unique_ptr<proxy_gate::waiting> proxy_gate::take(waiting& one)
{
    ev_io_stop(loop_, &one.io);
    auto mine = std::move(*one.at);
    waiting_.erase(mine->at);
    if (waiting_.empty())
        ev_timer_stop(loop_, &timer_);
    return mine;
}

} // namespace funcptr::detail
