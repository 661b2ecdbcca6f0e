// SPDX-License-Identifier: MIT
//
// flood.h: the other side: prefill (so many messages, all of them in the receiver's pipe before it
// returns) and flooder (a thread that sends as fast as it can until it is destroyed).
//
// How prefill knows over tcp that everything has arrived, without sleeping: the sender closes its
// socket with LINGER for ever and terminates its context, which returns when the last byte is with
// the kernel. The receiver's io thread reads up to the end of the stream, and only there reports
// ZMQ_EVENT_DISCONNECTED; before that it has pushed all it decoded into the receiver's pipe
// (stream_engine_base.cpp: in_event() flushes after each read, error() comes at the end). At HWM 0
// nothing holds it back. Within a process a message is in the pipe when zmq_msg_send returns.
//
// Threads: prefill and flooder are used by the receiver's thread; each sends from a thread of its
// own, so that messages are freed by another thread than the one that made them, as in life.
// Lifetime: the receiver must outlive both.
//
//     bench::prefill full(receiver, {transport::tcp, 64}, 1'000'000); // receiver bound at HWM 0
//     round.time([&] { receiver.take(1'000'000); });
//
//     bench::flooder flood(receiver, {transport::tcp, 64});
//     receiver.take(100'000);
#pragma once

#include <zmq.hpp>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "wire.h"

namespace bench {

/// A PUSH socket connected to the receiver: of its context over inproc, of its own over tcp.
class pusher {
public:
    /// high_water: ZMQ_SNDHWM, 0 for none.
    pusher(void* context, const std::string& endpoint, transport over, int high_water)
    {
        if (over == transport::tcp)
            context = own_.emplace().handle();
        socket_ = zmq_socket(context, ZMQ_PUSH);
        if (socket_ == nullptr)
            throw zmq::error_t();
        set_option(socket_, ZMQ_SNDHWM, high_water);
        set_option(socket_, ZMQ_LINGER, -1); // close() discards what is not to arrive
        checked(zmq_connect(socket_, endpoint.c_str()));
    }
    pusher(const pusher&) = delete;
    pusher& operator=(const pusher&) = delete;
    ~pusher() { close(); }

    /// False when it would have to wait for longer than patience(), if that was called.
    bool send(std::size_t size)
    {
        zmq_msg_t message;
        checked(zmq_msg_init_size(&message, size));
        std::memset(zmq_msg_data(&message), 'x', size);
        if (zmq_msg_send(&message, socket_, 0) >= 0)
            return true;
        const int why = zmq_errno();
        zmq_msg_close(&message);
        if (why != EAGAIN)
            throw std::runtime_error(std::string("cannot send: ") + zmq_strerror(why));
        return false;
    }
    void patience(int milliseconds) { set_option(socket_, ZMQ_SNDTIMEO, milliseconds); }
    void linger(int milliseconds) { set_option(socket_, ZMQ_LINGER, milliseconds); }

    /// Closes; over tcp it returns when all that was sent is with the kernel.
    void close() noexcept
    {
        if (socket_ != nullptr)
            zmq_close(socket_);
        socket_ = nullptr;
        own_.reset(); // terminates the context, which waits for its sockets' linger
    }

private:
    std::optional<zmq::context_t> own_;
    void* socket_ = nullptr;
};

/// Waits until the peer of a bound socket has gone and its last message has come, see above.
class departure {
public:
    departure(void* context, void* bound)
        : bound_(bound)
    {
        const std::string endpoint = any_endpoint(transport::inproc);
        checked(zmq_socket_monitor(bound_, endpoint.c_str(), ZMQ_EVENT_DISCONNECTED));
        events_ = zmq_socket(context, ZMQ_PAIR);
        if (events_ == nullptr)
            throw zmq::error_t();
        set_option(events_, ZMQ_LINGER, 0);
        checked(zmq_connect(events_, endpoint.c_str()));
    }
    departure(const departure&) = delete;
    departure& operator=(const departure&) = delete;
    ~departure()
    {
        zmq_socket_monitor(bound_, nullptr, 0);
        zmq_close(events_);
    }

    void wait()
    {
        zmq::message_t event;
        checked(zmq_msg_recv(event.handle(), events_, 0)); // nothing else was asked for
        checked(zmq_msg_recv(event.handle(), events_, 0));
    }

private:
    void* bound_;
    void* events_ = nullptr;
};

class prefill {
public:
    /// Receiver: context(), socket(), endpoint(); bound, with ZMQ_RCVHWM 0.
    template <class Receiver>
    prefill(Receiver& receiver, const wire& what, std::uint64_t messages)
    {
        std::optional<departure> gone;
        if (what.over == transport::tcp)
            gone.emplace(receiver.context(), receiver.socket());
        std::exception_ptr failure;
        std::thread sending([&] {
            try {
                sender_.emplace(receiver.context(), receiver.endpoint(), what.over, 0);
                for (std::uint64_t i = 0; i < messages; ++i)
                    sender_->send(what.size);
                if (gone)
                    sender_.reset();
            } catch (...) {
                failure = std::current_exception();
            }
        });
        sending.join();
        if (failure)
            std::rethrow_exception(failure);
        if (gone)
            gone->wait();
    }

private:
    std::optional<pusher> sender_; // over inproc it stays, and does nothing any more
};

class flooder {
public:
    /// high_water: ZMQ_SNDHWM; libzmq's default, as in life.
    template <class Receiver>
    flooder(Receiver& receiver, const wire& what, int high_water = 1000)
        : sender_(receiver.context(), receiver.endpoint(), what.over, high_water)
        , sending_([this, what] { run(what.size); })
    {
    }
    flooder(const flooder&) = delete;
    flooder& operator=(const flooder&) = delete;
    ~flooder()
    {
        stop_ = true;
        sending_.join();
    }

private:
    void run(std::size_t size)
    {
        sender_.patience(20); // how soon it sees stop_ when nobody receives any more
        sender_.linger(0);
        while (!stop_)
            sender_.send(size);
    }

    std::atomic<bool> stop_{false};
    pusher sender_;
    std::thread sending_; // last: it starts when the rest is there
};

} // namespace bench
