// SPDX-License-Identifier: MIT
//
// allocations.h: how often operator new is called for a message, by the loop's thread. It replaces
// the program's operator new, so include it in one source file only. malloc is not counted: that is
// libzmq's, for the messages themselves, and libev's.
//
// Threads: only the one that counts is counted. What is measured begins when all has grown to its
// size.
//
//     bench::allocation_count count;
//     run();
//     std::cout << count.so_far();
#pragma once

#include <ev++.h>
#include <funcptr/loop.h>
#include <funcptr/zmq_event.h>
#include <zmq.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "../support/bench.h"
#include "flood.h"
#include "receivers.h"
#include "wire.h"

namespace bench::detail {

inline thread_local std::uint64_t* counts_allocations = nullptr;

inline void* allocated(void* memory)
{
    if (counts_allocations != nullptr)
        ++*counts_allocations;
    return memory != nullptr ? memory : throw std::bad_alloc();
}

} // namespace bench::detail

// The other forms of new and delete call these. Not inlined: g++ would see a new that it did not
// inline meet a free, and warn.
[[gnu::noinline]] void* operator new(std::size_t size)
{
    return bench::detail::allocated(std::malloc(std::max<std::size_t>(size, 1)));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment)
{
    const auto step = static_cast<std::size_t>(alignment);
    return bench::detail::allocated(std::aligned_alloc(step, (size + step - 1) / step * step));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    std::free(memory);
}

namespace bench {

/// Counts the calls of operator new by this thread while it lives. One at a time.
class allocation_count {
public:
    allocation_count() { detail::counts_allocations = &count_; }
    allocation_count(const allocation_count&) = delete;
    allocation_count& operator=(const allocation_count&) = delete;
    ~allocation_count() { detail::counts_allocations = nullptr; }

    std::uint64_t so_far() const { return count_; }

private:
    std::uint64_t count_ = 0;
};

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

/// That the counter counts, shown by what must not be 0.
inline void check_allocation_count()
{
    const allocation_count count;
    const auto one = std::make_unique<int>(1);
    keep(one);
    if (count.so_far() == 0)
        throw std::logic_error("operator new is not counted in this build");
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
