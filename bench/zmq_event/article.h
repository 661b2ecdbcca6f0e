// SPDX-License-Identifier: MIT
//
// article.h: the four-watcher design of "Embedding ZeroMQ in the libev Event Loop" (funcptr.net,
// 2013-04-20), as a peer to measure against. It is not for use: zmq_event.h is what became of it.
//
// Statement by statement as it was published, the header and then the source, but for its
// comments. What did not compile was changed, and each change says so; what compiles only with a
// warning was kept, and the warnings are off. (The formatter is off as well.)
//
// Threads: one, that of the default loop, which its watchers take. Lifetime: the context must
// outlive it.
//
//     struct puller : bench::article::zmq_event {
//         using zmq_event::zmq_event;
//         void read() override { zmq::message_t message; (void)socket.recv(message); }
//         void write() override {}
//     };
//     puller p(context, ZMQ_PULL, "tcp://127.0.0.1:5556");
//     ev::get_default_loop().run();
#pragma once

#include <ev++.h>
#include <zmq.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

// cppzmq calls getsockopt(int, …) deprecated; before() and after() do not use all they are given.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"

namespace bench::article { // changed: in a namespace, since funcptr's class has the same name

// clang-format off

class zmq_event {
    public:
        zmq_event(zmq::context_t& context, int type, const std::string& connect);
        virtual ~zmq_event();

    protected:
        void before(ev::prepare& prep, int revents);

        void after(ev::check& check, int revents);

        template <typename T>
            inline void noop(T& w, int revents) {};

        virtual void write() = 0;

        virtual void read() = 0;

        void start_notify();

        void stop_notify();

        ev::io      watcher_io;
        ev::prepare watcher_prepare;
        ev::check   watcher_check;
        ev::idle    watcher_idle;

        zmq::socket_t socket;
        int           socket_fd = -1;
};

// changed here and below: `inline`, since this is a header now
inline zmq_event::zmq_event(zmq::context_t& context, int type, const std::string& connect) : socket(context, type) {
    size_t fd_len = sizeof(socket_fd); // changed: was _socket_fd, which there is not
    socket.getsockopt(ZMQ_FD, &socket_fd, &fd_len);

    socket.bind(connect.c_str());

    watcher_io.set(socket_fd, ev::READ);

    watcher_io.set<zmq_event, &zmq_event::noop<ev::io>>(this); // changed: was noop without <ev::io>

    watcher_prepare.set<zmq_event, &zmq_event::before>(this);

    watcher_check.set<zmq_event, &zmq_event::after>(this);

    watcher_idle.set<zmq_event, &zmq_event::noop<ev::idle>>(this); // changed: was noop without <ev::idle>

    start_notify();
}

inline zmq_event::~zmq_event() {}

inline void zmq_event::before(ev::prepare&, int revents) { // changed here and below: `void`
    if (EV_ERROR & revents) {
        throw std::runtime_error("libev error");
    }

    uint32_t zevents = 0;
    size_t zevents_len = sizeof(zevents);

    socket.getsockopt(ZMQ_EVENTS, &zevents, &zevents_len);

    if ((zevents & ZMQ_POLLOUT) && (watcher_io.events & ev::WRITE)) {
        watcher_idle.start();
        return;
    }

    if ((zevents & ZMQ_POLLIN) && (watcher_io.events & ev::READ)) {
        watcher_idle.start();
        return;
    }

    watcher_io.start();
}

inline void zmq_event::after(ev::check&, int revents) {
    if (EV_ERROR & revents) {
        throw std::runtime_error("libev error");
    }

    watcher_idle.stop();
    watcher_io.stop();

    uint32_t zevents = 0;
    size_t zevents_len = sizeof(zevents);
    socket.getsockopt(ZMQ_EVENTS, &zevents, &zevents_len);

    if ((zevents & ZMQ_POLLIN) && (watcher_io.events & ev::READ)) {
        this->read();
    }

    if ((zevents & ZMQ_POLLOUT) && (watcher_io.events & ev::WRITE)) {
        this->write();
    }
}

inline void zmq_event::start_notify() {
    watcher_check.start();
    watcher_prepare.start();
}

inline void zmq_event::stop_notify() {
    watcher_check.stop();
    watcher_prepare.stop();
}

// clang-format on

} // namespace bench::article

#pragma GCC diagnostic pop
