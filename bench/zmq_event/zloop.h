// SPDX-License-Identifier: MIT
//
// zloop.h: czmq's reactor as a receiver (receivers.h says what that is): zloop_reader, whose
// handler takes one message, as its manual shows. With zmq_msg_recv, which is faster than zmsg_recv
// and zframe_recv.
//
// czmq has one context for a process, so that one is not new in each round; the socket and the
// reactor are. Threads: one.
//
//     bench::zloop_receiver receiver({.over = transport::tcp, .high_water = 0});
#pragma once

// The header may be newer than the configuration, which is what links the library.
#if defined(HAVE_CZMQ) && __has_include(<czmq.h>)
#    define FUNCPTR_BENCH_ZLOOP 1

#    include <czmq.h>

#    include <cstdint>
#    include <memory>
#    include <stdexcept>
#    include <string>

#    include "receivers.h"
#    include "wire.h"

namespace bench {

class zloop_receiver {
public:
    explicit zloop_receiver(const receiver_setup& setup)
        : socket_(new_socket())
        , loop_(zloop_new())
    {
        if (!socket_ || !loop_)
            throw std::runtime_error("czmq cannot make a socket or a reactor");
        zsock_set_rcvhwm(socket_.get(), setup.high_water);
        zsock_set_linger(socket_.get(), 0);
        checked(zmq_bind(socket(), any_endpoint(setup.over).c_str()));
        checked(zloop_reader(loop_.get(), socket_.get(), &zloop_receiver::on_readable, this));
    }
    zloop_receiver(const zloop_receiver&) = delete;
    zloop_receiver& operator=(const zloop_receiver&) = delete;

    void* socket() { return zsock_resolve(socket_.get()); }
    void* context() { return zsys_init(); }
    std::string endpoint() { return last_endpoint(socket()); }

    std::uint64_t take(std::uint64_t messages)
    {
        const auto before = taken_;
        stop_at_ = before + messages;
        zloop_start(loop_.get()); // until the handler says -1
        return taken_ - before;
    }

private:
    struct destroy {
        void operator()(zsock_t* each) const { zsock_destroy(&each); }
        void operator()(zloop_t* each) const { zloop_destroy(&each); }
    };

    /// czmq would take SIGINT and SIGTERM for itself: a benchmark ends when it is told to, and does
    /// not go on with a zloop that gives up at once.
    static zsock_t* new_socket()
    {
        zsys_handler_set(nullptr);
        return zsock_new(ZMQ_PULL);
    }

    static int on_readable(zloop_t*, zsock_t* socket, void* self)
    {
        auto& receiver = *static_cast<zloop_receiver*>(self);
        checked(zmq_msg_recv(receiver.message_.handle(), zsock_resolve(socket), 0));
        return ++receiver.taken_ == receiver.stop_at_ ? -1 : 0;
    }

    std::unique_ptr<zsock_t, destroy> socket_;
    std::unique_ptr<zloop_t, destroy> loop_;
    zmq::message_t message_;
    std::uint64_t taken_ = 0;
    std::uint64_t stop_at_ = 0;
};

} // namespace bench
#endif
