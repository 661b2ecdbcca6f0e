// SPDX-License-Identifier: MIT
//
// The socket's side: bounded reads, direct writes, and what is waited for.
#include "detail/connection_impl.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace funcptr {

namespace {

// At most so much is sent at a turn: a peer that reads as fast as we write must not keep us.
constexpr std::size_t write_per_turn = 1024 * 1024;

// What is as large is sent from where it lies; smaller pieces are cheap to copy, and those of one
// callback should leave together.
constexpr std::size_t direct_from = 4096;

} // namespace

bool connection::impl::wants_read() const
{
    if (over_ || eof_ || waits())
        return false;
    if (lingering())
        return true;
    return (!paused_ || closing_) && !stopped_by_backlog() && filter_->nread().room() != 0;
}

bool connection::impl::read_turn()
{
    shared_.blocks.lend(*filter_);
    std::size_t left = options_->read_per_turn;
    while (wants_read() && left != 0) {
        const auto asked = std::min(options_->read_chunk, left);
        const auto got = read_once(asked);
        left -= got;
        if (got < asked)
            return true; // the socket is empty, most likely: the loop will tell
        if (!pump())
            return false;
    }
    return true;
}

std::size_t connection::impl::read_once(std::size_t bytes)
{
    auto& in = filter_->nread();
    std::byte waste[4096];
    auto room = lingering() ? std::span<std::byte>(waste) : in.prepare(bytes);
    room = room.first(std::min(room.size(), bytes));
    if (room.empty())
        return 0;
    ssize_t got = 0;
    do
        got = ::recv(io_.fd, room.data(), room.size(), 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            socket_failed(errno);
        return 0;
    }
    deadlines_.moved(ev_now(loop_));
    if (got == 0) {
        eof_ = true;
        filter_->input_eof();
        return 0;
    }
    in_ += static_cast<std::uint64_t>(got);
    if (!lingering())
        in.commit(static_cast<std::size_t>(got));
    return static_cast<std::size_t>(got);
}

bool connection::impl::stopped_by_backlog() const noexcept
{
    return opened_ && !options_->read_while_high && was_high_;
}

std::size_t connection::impl::send_once(std::span<const std::byte> bytes)
{
    ssize_t sent = 0;
    do // MSG_NOSIGNAL: a peer that is gone is a value, not a signal of the process.
        sent = ::send(io_.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            socket_failed(errno);
        else
            blocked_ = true;
        return 0;
    }
    const auto size = static_cast<std::size_t>(sent);
    deadlines_.moved(ev_now(loop_));
    deadlines_.progress(ev_now(loop_));
    out_ += size;
    moved_ = true;
    return size;
}

std::size_t connection::impl::send_directly(std::span<const std::byte> bytes)
{
    const bool plain = &filter_->awrite() == &filter_->nwrite();
    if (!plain || !opened_ || blocked_ || bytes.size() < direct_from || !filter_->awrite().empty())
        return 0;
    return send_once(bytes.first(std::min(bytes.size(), write_per_turn)));
}

void connection::impl::send()
{
    std::size_t left = write_per_turn;
    blocked_ = false;
    while (!filter_->nwrite().empty()) {
        const auto bytes = filter_->nwrite().data();
        if (left == 0) {
            blocked_ = true; // by our own bound: the socket is ready again at the next turn
            break;
        }
        const auto size = send_once(bytes.first(std::min(bytes.size(), left)));
        if (over_)
            return;
        if (size == 0)
            break;
        left -= size;
        filter_->nwrite().consume(size);
        filter_->update(); // room for more
    }
    if (filter_->nwrite().empty())
        deadlines_.progress(ev_now(loop_));
    note_backlog();
    if (filter_->write_closed() && filter_->nwrite().empty() && !shut_) {
        shut_ = true;
        ::shutdown(io_.fd, SHUT_WR);
    }
}

void connection::impl::watch()
{
    if (over_)
        return;
    const bool write = !filter_->nwrite().empty() && blocked_;
    const int wanted = (wants_read() ? EV_READ : 0) | (write ? EV_WRITE : 0);
    if (wanted != (io_.events & (EV_READ | EV_WRITE)) || !ev_is_active(&io_)) {
        ev_io_stop(loop_, &io_);
        if (wanted != 0) {
            ev_io_set(&io_, io_.fd, wanted);
            ev_io_start(loop_, &io_);
        }
    }
}

} // namespace funcptr
