// SPDX-License-Identifier: MIT
//
// receivers.h: who takes the messages: funcptr::zmq_event, and what a program would use otherwise.
//
//     adapter     zmq_event, recv() as its header recommends for speed: the frame is lent
//     adapter_own the same with recv(message): the frame is swapped into the caller's
//     raw         a blocking zmq_msg_recv loop: the measure of all
//     raw_whole   the same when it keeps messages whole, and so asks each frame for ZMQ_MORE
//     poll        zmq_poll on one item, then one blocking zmq_msg_recv, as the guide's examples do
//     article     the four-watcher design, see article.h
//     (zloop      czmq, see zloop.h)
//
// All do the same with a message: nothing but to count it. To look at its bytes would cost all of
// them the same cache misses, and hide what differs.
//
// Each is bound by its constructor and offers socket(), context() (where an inproc peer must live),
// endpoint(), and take(n): receive at least n messages, return how many it were. Only those that
// serve a whole turn before the loop ends take more than n.
//
// Threads: one. Lifetime: they own their context, so that each round begins with nothing.
//
//     bench::adapter receiver({.over = transport::tcp, .high_water = 0});
//     bench::flooder flood(receiver, {transport::tcp, 64});
//     receiver.take(1'000'000);
#pragma once

#include <ev++.h>
#include <funcptr/loop.h>
#include <funcptr/zmq_event.h>
#include <zmq.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "article.h"
#include "wire.h"

namespace bench {

struct receiver_setup {
    transport over = transport::inproc;
    /// ZMQ_RCVHWM; libzmq's default.
    int high_water = 1000;
    /// What a turn may do; only for zmq_event.
    funcptr::zmq_budget budget = funcptr::zmq_budget();
    /// Seconds for which libev gathers events before it serves them, see collecting.h; only for
    /// zmq_event.
    double collect = 0;
    /// Sockets that nobody writes to, on the same loop; only for zmq_event.
    int idle_sockets = 0;
    /// ZMQ_MAX_SOCKETS, libzmq's default.
    int max_sockets = 1023;
};

// --- the plain ones -----------------------------------------------------------------------------

/// A context and a bound PULL socket by the C interface.
class plain_receiver {
public:
    explicit plain_receiver(const receiver_setup& setup)
        : socket_(context_, zmq::socket_type::pull)
    {
        socket_.set(zmq::sockopt::rcvhwm, setup.high_water);
        socket_.set(zmq::sockopt::linger, 0);
        socket_.bind(any_endpoint(setup.over));
        zmq_msg_init(&message_);
    }
    plain_receiver(const plain_receiver&) = delete;
    plain_receiver& operator=(const plain_receiver&) = delete;
    ~plain_receiver() { zmq_msg_close(&message_); }

    void* socket() { return socket_.handle(); }
    void* context() { return context_.handle(); }
    std::string endpoint() { return last_endpoint(socket()); }

protected:
    zmq::context_t context_;
    zmq::socket_t socket_;
    zmq_msg_t message_{};
};

template <bool Whole>
class basic_raw : public plain_receiver {
public:
    using plain_receiver::plain_receiver;

    std::uint64_t take(std::uint64_t messages)
    {
        void* const from = socket();
        for (std::uint64_t left = messages; left != 0;)
            if (zmq_msg_recv(&message_, from, 0) >= 0)
                left -= !Whole || zmq_msg_more(&message_) == 0;
            else if (zmq_errno() != EINTR)
                throw zmq::error_t();
        return messages;
    }
};

using raw = basic_raw<false>;
using raw_whole = basic_raw<true>;

class poll : public plain_receiver {
public:
    using plain_receiver::plain_receiver;

    std::uint64_t take(std::uint64_t messages)
    {
        zmq_pollitem_t item{socket(), 0, ZMQ_POLLIN, 0};
        for (std::uint64_t left = messages; left != 0;) {
            checked(zmq_poll(&item, 1, -1));
            if ((item.revents & ZMQ_POLLIN) == 0)
                continue;
            checked(zmq_msg_recv(&message_, item.socket, 0));
            --left;
        }
        return messages;
    }
};

// --- funcptr::zmq_event -------------------------------------------------------------------------

/// How read() takes the frame.
enum class taking { lent, own };

/// Counts what comes and ends the run of its loop when it is enough.
template <taking How>
class counting_event : public funcptr::zmq_event {
public:
    counting_event(ev::loop_ref loop, zmq::context_t& context, int high_water)
        : zmq_event(loop, context, zmq::socket_type::pull)
        , loop_(loop)
    {
        set(zmq::sockopt::rcvhwm, high_water);
        set(zmq::sockopt::linger, 0);
    }

    std::uint64_t taken() const noexcept { return taken_; }
    /// REQUIRES: more than taken().
    void stop_at(std::uint64_t taken) noexcept { stop_at_ = taken; }

private:
    void read() override
    {
        if constexpr (How == taking::lent) {
            recv();
        } else {
            zmq::message_t message;
            recv(message);
        }
        if (++taken_ == stop_at_)
            loop_.break_loop(ev::ALL);
    }

    ev::loop_ref loop_;
    std::uint64_t taken_ = 0;
    std::uint64_t stop_at_ = 0;
};

/// A socket that nobody writes to.
class idle_event : public funcptr::zmq_event {
public:
    idle_event(ev::loop_ref loop, zmq::context_t& context, const std::string& endpoint)
        : zmq_event(loop, context, zmq::socket_type::pull)
    {
        set(zmq::sockopt::linger, 0);
        connect(endpoint);
    }

private:
    void read() override { recv(); }
};

template <taking How>
class basic_adapter {
public:
    explicit basic_adapter(const receiver_setup& setup)
    {
        context_.set(zmq::ctxopt::max_sockets, setup.max_sockets);
        funcptr::set_budget(loop_, setup.budget);
        loop_.set_io_collect_interval(setup.collect);
        busy_ = std::make_unique<counting_event<How>>(loop_, context_, setup.high_water);
        busy_->bind(any_endpoint(setup.over));
        add_idle(setup.idle_sockets);
        settle();
    }

    void* socket() { return busy_->handle().handle(); }
    void* context() { return context_.handle(); }
    std::string endpoint() { return busy_->last_endpoint(); }
    ev::loop_ref loop() { return loop_; }

    std::uint64_t take(std::uint64_t messages)
    {
        const auto before = busy_->taken();
        busy_->stop_at(before + messages);
        funcptr::run(loop_);
        return busy_->taken() - before;
    }

private:
    /// All of them have a pipe, to one socket that says nothing.
    void add_idle(int sockets)
    {
        if (sockets == 0)
            return;
        silent_ = zmq::socket_t(context_, zmq::socket_type::push);
        silent_.set(zmq::sockopt::linger, 0);
        silent_.bind("inproc://silent");
        for (int i = 0; i < sockets; ++i)
            idle_.push_back(std::make_unique<idle_event>(loop_, context_, "inproc://silent"));
    }
    /// The first looks that the new sockets get are not what is measured.
    void settle()
    {
        for (int turn = 0; turn < 1000 && !quiet(); ++turn)
            funcptr::run(loop_, ev::NOWAIT);
    }
    bool quiet() const
    {
        for (const auto& each : idle_)
            if (each->counters().visits == 0)
                return false;
        return busy_->counters().visits != 0;
    }

    zmq::context_t context_;
    zmq::socket_t silent_;
    ev::dynamic_loop loop_;
    std::vector<std::unique_ptr<idle_event>> idle_;
    std::unique_ptr<counting_event<How>> busy_;
};

using adapter = basic_adapter<taking::lent>;
using adapter_own = basic_adapter<taking::own>;

// --- the article's design -----------------------------------------------------------------------

/// Bound by the article's constructor to where nobody connects, since a high-water mark must be set
/// before the bind that counts.
class article_event : public article::zmq_event {
public:
    article_event(zmq::context_t& context, const receiver_setup& setup)
        : zmq_event(context, ZMQ_PULL, "inproc://unused")
    {
        set_option(handle(), ZMQ_RCVHWM, setup.high_water);
        set_option(handle(), ZMQ_LINGER, 0);
        socket.bind(any_endpoint(setup.over));
    }

    void* handle() { return socket.handle(); }
    std::uint64_t taken() const noexcept { return taken_; }
    void stop_at(std::uint64_t taken) noexcept { stop_at_ = taken; }
    /// As the article tells its users to.
    void want_write() { watcher_io.set(socket_fd, ev::READ | ev::WRITE); }

private:
    void read() override
    {
        checked(zmq_msg_recv(message_.handle(), handle(), 0));
        if (++taken_ == stop_at_)
            ev::get_default_loop().break_loop(ev::ALL);
    }
    void write() override {}

    zmq::message_t message_;
    std::uint64_t taken_ = 0;
    std::uint64_t stop_at_ = 0;
};

class article_receiver {
public:
    explicit article_receiver(const receiver_setup& setup)
        : event_(context_, setup)
    {
    }

    void* socket() { return event_.handle(); }
    void* context() { return context_.handle(); }
    std::string endpoint() { return last_endpoint(socket()); }

    std::uint64_t take(std::uint64_t messages)
    {
        const auto before = event_.taken();
        event_.stop_at(before + messages);
        ev::get_default_loop().run();
        return event_.taken() - before;
    }

private:
    zmq::context_t context_;
    article_event event_;
};

} // namespace bench
