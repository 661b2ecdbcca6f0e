// SPDX-License-Identifier: MIT
//
// allocations.h: how often operator new is called for a message, by the loop's thread. malloc is
// not counted: that is libzmq's, for the messages themselves, and libev's.
//
// Threads: only the one that counts is counted. What is measured begins when all has grown to its
// size.
//
//     bench::add_allocations(suite);
#pragma once

#include <ev++.h>
#include <funcptr/loop.h>
#include <funcptr/zmq_event.h>
#include <zmq.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "../support/allocation_count.h"
#include "../support/bench.h"
#include "flood.h"
#include "receivers.h"
#include "wire.h"

namespace bench {

inline constexpr std::uint64_t counted_messages = 500'000;

inline double allocations_of_read(const wire& what)
{
    adapter_own receiver({.over = what.over});
    const flooder flood(receiver, what);
    receiver.take(counted_messages / 10);
    const allocation_count count;
    const auto taken = receiver.take(counted_messages);
    return static_cast<double>(count.so_far()) / static_cast<double>(taken);
}

/// Sends as long as the peer takes it, and ends its loop when it is enough.
class counted_writer : public funcptr::zmq_event {
public:
    counted_writer(ev::loop_ref loop, zmq::context_t& context, const std::string& endpoint)
        : zmq_event(loop, context, zmq::socket_type::push, {.linger = {}})
        , loop_(loop)
    {
        connect(endpoint);
        want_write(true);
    }
    void stop_at(std::uint64_t sent) { stop_at_ = sent; }

private:
    void read() override {}
    void write() override
    {
        if (send(bytes_) && counters().messages_sent == stop_at_)
            loop_.break_loop(ev::ALL);
    }

    ev::loop_ref loop_;
    std::string bytes_ = std::string(64, 'x');
    std::uint64_t stop_at_ = 0;
};

/// Receives and forgets, in a thread of its own.
class receiving_thread {
public:
    receiving_thread(zmq::context_t& context, transport over)
        : socket_(context, zmq::socket_type::pull)
    {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.set(zmq::sockopt::rcvtimeo, 20); // how soon it sees stop_
        socket_.bind(any_endpoint(over));
        endpoint_ = last_endpoint(socket_.handle());
        thread_ = std::thread([this] {
            for (zmq::message_t message; !stop_;)
                zmq_msg_recv(message.handle(), socket_.handle(), 0);
        });
    }
    receiving_thread(const receiving_thread&) = delete;
    receiving_thread& operator=(const receiving_thread&) = delete;
    ~receiving_thread()
    {
        stop_ = true;
        thread_.join();
    }
    const std::string& endpoint() const { return endpoint_; }

private:
    std::atomic<bool> stop_{false};
    zmq::socket_t socket_;
    std::string endpoint_;
    std::thread thread_;
};

inline double allocations_of_write(transport over)
{
    zmq::context_t context;
    const receiving_thread receiver(context, over);
    ev::dynamic_loop loop;
    counted_writer writer(loop, context, receiver.endpoint());
    writer.stop_at(counted_messages / 10);
    funcptr::run(loop);
    const auto before = writer.counters().messages_sent;
    writer.stop_at(before + counted_messages);
    const allocation_count count;
    funcptr::run(loop);
    const auto sent = writer.counters().messages_sent - before;
    return static_cast<double>(count.so_far()) / static_cast<double>(sent);
}

inline void add_allocations(suite& suite)
{
    for (const auto& what : all_wires)
        suite.measure("allocations/read_" + name_of(what), "1/message", "== 0", [=] {
            check_allocation_count();
            return allocations_of_read(what);
        });
    for (const auto over : {transport::inproc, transport::tcp})
        suite.measure("allocations/write_" + name_of(wire{over, 64}), "1/message", "== 0", [=] {
            check_allocation_count();
            return allocations_of_write(over);
        });
}

} // namespace bench
