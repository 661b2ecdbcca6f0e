// SPDX-License-Identifier: MIT
//
// quiet.h: how often a loop turns in a second in which nothing can be done: with an idle socket,
// with a writer blocked at its high-water mark, and with one that is told it could write and
// cannot.
//
// Threads: one. Lifetime: all is made anew for each row.
//
//     bench::add_quiet(suite);
#pragma once

#include <ev++.h>
#include <funcptr/loop.h>
#include <funcptr/zmq_event.h>
#include <zmq.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "../support/bench.h"
#include "article.h"
#include "wire.h"

namespace bench {

/// Turns of the loop in one second, but for the one that ends the second.
class turn_counter {
public:
    /// progress: what grows as long as there is something to do. The second begins when it was the
    /// same for half a second, and begins anew when it was not the same throughout: a kernel whose
    /// window is closed still takes some bytes now and then. patience: how often, before it is
    /// invalid.
    turn_counter(ev::loop_ref loop, std::function<std::uint64_t()> progress, int patience)
        : loop_(loop)
        , progress_(std::move(progress))
        , patience_(patience)
        , timer_(loop)
        , seen_(progress_())
    {
        settle();
    }
    /// Once the loop has ended by itself. Throws std::runtime_error when there was always progress.
    double turns() const
    {
        if (progress_() != seen_)
            throw std::runtime_error("something was sent in that second: invalid");
        return last_ - first_ - 1;
    }

private:
    void settle()
    {
        timer_.stop();
        timer_.set<turn_counter, &turn_counter::on_settling>(this);
        timer_.start(0.5, 0.5);
    }
    void on_settling()
    {
        const auto before = std::exchange(seen_, progress_());
        if (seen_ != before && ++settling_ < patience_)
            return;
        first_ = loop_.iteration();
        timer_.stop();
        timer_.set<turn_counter, &turn_counter::on_end>(this);
        ev_now_update(loop_);
        timer_.start(1);
    }
    void on_end()
    {
        last_ = loop_.iteration();
        if (progress_() != seen_ && ++settling_ < patience_)
            return settle();
        loop_.break_loop(ev::ALL);
    }

    ev::loop_ref loop_;
    std::function<std::uint64_t()> progress_;
    int patience_;
    ev::timer timer_;
    std::uint64_t seen_;
    int settling_ = 0;
    double first_ = 0;
    double last_ = 0;
};

inline double turns_in_a_second(ev::loop_ref loop, std::function<std::uint64_t()> progress,
                                int patience = 60)
{
    const turn_counter counter(loop, std::move(progress), patience);
    funcptr::run(loop);
    return counter.turns();
}
inline double turns_in_a_second(ev::loop_ref loop, const funcptr::zmq_event& socket)
{
    return turns_in_a_second(loop, [&] { return socket.counters().messages_sent; });
}

/// Large, so that the kernel's buffers are soon full.
inline constexpr std::size_t written_at_once = 64 * 1024;

/// Writes whenever it may; an XPUB begins when it has a subscriber.
class eager_writer : public funcptr::zmq_event {
public:
    eager_writer(ev::loop_ref loop, zmq::context_t& context, zmq::socket_type type)
        : zmq_event(loop, context, type, {.linger = {}})
    {
        set(zmq::sockopt::sndhwm, 1);
    }

private:
    void read() override
    {
        recv();
        want_write(true);
    }
    void write() override { (void)send(bytes_); }

    std::string bytes_ = std::string(written_at_once, 'x');
};

/// What is connected and neither sends nor receives.
inline zmq::socket_t silent_peer(zmq::context_t& context, zmq::socket_type type,
                                 const std::string& endpoint)
{
    zmq::socket_t peer(context, type);
    peer.set(zmq::sockopt::rcvhwm, 1);
    peer.set(zmq::sockopt::linger, 0);
    if (type == zmq::socket_type::sub)
        peer.set(zmq::sockopt::subscribe, "");
    peer.connect(endpoint);
    return peer;
}

inline double turns_when_idle()
{
    zmq::context_t peers;
    zmq::context_t context;
    ev::dynamic_loop loop;
    eager_writer idle(loop, context, zmq::socket_type::pull); // has nothing to read
    idle.bind(any_endpoint(transport::tcp));
    const auto peer = silent_peer(peers, zmq::socket_type::push, idle.last_endpoint());
    return turns_in_a_second(loop, idle);
}

inline double turns_when_blocked()
{
    zmq::context_t peers;
    zmq::context_t context;
    ev::dynamic_loop loop;
    eager_writer writer(loop, context, zmq::socket_type::push);
    writer.bind(any_endpoint(transport::tcp));
    const auto peer = silent_peer(peers, zmq::socket_type::pull, writer.last_endpoint());
    writer.want_write(true);
    const double turns = turns_in_a_second(loop, writer);
    if (writer.counters().messages_sent == 0 || writer.counters().again == 0)
        throw std::runtime_error("the writer was never blocked: invalid");
    return turns;
}

inline double turns_when_parked()
{
    zmq::context_t context;
    ev::dynamic_loop loop;
    eager_writer writer(loop, context, zmq::socket_type::xpub);
    writer.set(zmq::sockopt::xpub_nodrop, true); // says POLLOUT even when it cannot
    writer.bind(any_endpoint(transport::inproc));
    const auto peer = silent_peer(context, zmq::socket_type::sub, writer.last_endpoint());
    const double turns = turns_in_a_second(loop, writer);
    if (writer.counters().parks == 0)
        throw std::runtime_error("the writer was never parked: invalid");
    return turns;
}

/// The article's design with the same blocked writer.
class blocked_article_event : public article::zmq_event {
public:
    explicit blocked_article_event(zmq::context_t& context)
        : zmq_event(context, ZMQ_PUSH, "inproc://unused")
    {
        set_option(socket.handle(), ZMQ_SNDHWM, 1);
        set_option(socket.handle(), ZMQ_LINGER, 0);
        socket.bind(any_endpoint(transport::tcp));
        watcher_io.set(socket_fd, ev::READ | ev::WRITE); // as the article tells its users to
    }
    std::string endpoint() { return last_endpoint(socket.handle()); }
    std::uint64_t sent() const { return sent_; }

private:
    void read() override {}
    void write() override
    {
        sent_ += zmq_send(socket.handle(), bytes_.data(), bytes_.size(), ZMQ_DONTWAIT) >= 0;
    }

    std::string bytes_ = std::string(written_at_once, 'x');
    std::uint64_t sent_ = 0;
};

inline double turns_of_article_when_blocked()
{
    zmq::context_t peers;
    zmq::context_t context;
    blocked_article_event writer(context);
    const auto peer = silent_peer(peers, zmq::socket_type::pull, writer.endpoint());
    return turns_in_a_second(ev::get_default_loop(), [&] { return writer.sent(); });
}

inline void add_quiet(suite& suite)
{
    suite.measure("turns/idle", "1/s", "== 0", turns_when_idle);
    suite.measure("turns/blocked_writer", "1/s", "== 0", turns_when_blocked);
    suite.measure("turns/parked_writer", "1/s", "<= 20", turns_when_parked);
    suite.measure("turns/blocked_writer_of_article", "1/s", "", turns_of_article_when_blocked);
}

} // namespace bench
