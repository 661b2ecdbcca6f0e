// SPDX-License-Identifier: MIT
//
// round_trips.h: a DEALER asks, a ROUTER in another thread answers, one question at a time: what
// the way through a loop adds to the latency of two threads that block in zmq_msg_recv.
//
// In the pair of zmq_event both sides are on a loop of their own, so its cost is paid twice in each
// round trip; a row without a goal has a client that blocks instead. An empty question ends the
// server.
//
// Where two cores are idle, most of a round trip is the time in which a sleeping core wakes up,
// which is the same for both pairs and hides what differs. So everything is also run on one core.
//
// Threads: the client's is the caller's. Lifetime: all is made anew in each round.
//
//     bench::add_round_trips(suite);
#pragma once

#include <ev++.h>
#include <funcptr/loop.h>
#include <funcptr/zmq_event.h>
#include <zmq.hpp>

#include <pthread.h>
#include <sched.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "../support/bench.h"
#include "wire.h"

namespace bench {

inline constexpr std::size_t question_size = 64;

/// For the adapter's send(), which cannot be refused where one message is under way.
inline void must_send(const funcptr::zmq_result& sent)
{
    if (!sent)
        throw std::runtime_error("cannot send: " + sent.error.message());
}

// --- a blocking pair ----------------------------------------------------------------------------

class blocking_server {
public:
    blocking_server(zmq::context_t& context, transport over)
        : socket_(context, zmq::socket_type::router)
    {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.bind(any_endpoint(over));
    }
    std::string endpoint() { return last_endpoint(socket_.handle()); }
    void run()
    {
        zmq::message_t from;
        zmq::message_t question;
        for (;;) {
            checked(zmq_msg_recv(from.handle(), socket_.handle(), 0));
            if (checked(zmq_msg_recv(question.handle(), socket_.handle(), 0)) == 0)
                return;
            checked(zmq_msg_send(from.handle(), socket_.handle(), ZMQ_SNDMORE));
            checked(zmq_msg_send(question.handle(), socket_.handle(), 0));
        }
    }

private:
    zmq::socket_t socket_;
};

class blocking_client {
public:
    blocking_client(zmq::context_t& context, const std::string& endpoint)
        : socket_(context, zmq::socket_type::dealer)
    {
        socket_.set(zmq::sockopt::linger, 1000);
        socket_.connect(endpoint);
    }
    void trips(std::uint64_t count)
    {
        zmq::message_t message(question_size);
        for (; count != 0; --count) {
            checked(zmq_msg_send(message.handle(), socket_.handle(), 0));
            checked(zmq_msg_recv(message.handle(), socket_.handle(), 0));
        }
    }
    void end_server() { checked(zmq_send(socket_.handle(), "", 0, 0)); }

private:
    zmq::socket_t socket_;
};

// --- a pair of zmq_event ------------------------------------------------------------------------

class looping_server {
public:
    looping_server(zmq::context_t& context, transport over)
        : socket_(loop_, context)
    {
        socket_.bind(any_endpoint(over));
    }
    std::string endpoint() { return socket_.last_endpoint(); }
    void run() { funcptr::run(loop_); }

private:
    class answering : public funcptr::zmq_event {
    public:
        answering(ev::loop_ref loop, zmq::context_t& context)
            : zmq_event(loop, context, zmq::socket_type::router)
            , loop_(loop)
        {
        }

    private:
        void read() override
        {
            recv(from_);
            recv(question_);
            if (question_.size() == 0)
                return loop_.break_loop(ev::ALL);
            must_send(send(from_, true));
            must_send(send(question_));
        }

        ev::loop_ref loop_;
        zmq::message_t from_;
        zmq::message_t question_;
    };

    ev::dynamic_loop loop_;
    answering socket_;
};

class looping_client {
public:
    looping_client(zmq::context_t& context, const std::string& endpoint)
        : socket_(loop_, context)
    {
        socket_.connect(endpoint);
    }
    void trips(std::uint64_t count)
    {
        socket_.ask(count);
        funcptr::run(loop_);
    }
    void end_server() { must_send(socket_.send(std::string_view())); }

private:
    class asking : public funcptr::zmq_event {
    public:
        asking(ev::loop_ref loop, zmq::context_t& context)
            : zmq_event(loop, context, zmq::socket_type::dealer)
            , loop_(loop)
        {
        }
        void ask(std::uint64_t count)
        {
            left_ = count;
            must_send(send(zmq::message_t(question_size)));
        }

    private:
        void read() override
        {
            auto& answer = recv();
            if (--left_ == 0)
                return loop_.break_loop(ev::ALL);
            must_send(send(answer));
        }

        ev::loop_ref loop_;
        std::uint64_t left_ = 0;
    };

    ev::dynamic_loop loop_;
    asking socket_;
};

// --- the rows -----------------------------------------------------------------------------------

/// Makes a server in a thread of its own and runs it there until it is told to end.
template <class Server>
class server_thread {
public:
    server_thread(zmq::context_t& context, transport over)
        : thread_([this, &context, over] { run(context, over); })
    {
    }
    server_thread(const server_thread&) = delete;
    server_thread& operator=(const server_thread&) = delete;
    ~server_thread() { thread_.join(); }

    /// Throws what the server's constructor threw.
    std::string endpoint() { return endpoint_.get_future().get(); }

private:
    void run(zmq::context_t& context, transport over)
    {
        bool bound = false;
        try {
            Server server(context, over);
            endpoint_.set_value(server.endpoint());
            bound = true;
            server.run();
        } catch (...) {
            if (bound)
                throw; // nobody would answer any more: better to end here than to hang
            endpoint_.set_exception(std::current_exception());
        }
    }

    std::promise<std::string> endpoint_;
    std::thread thread_;
};

/// Where the threads may run.
enum class cores { any, one };

/// This thread, and what it starts meanwhile, on the core where it is.
class on_one_core {
public:
    on_one_core()
    {
        checked_thread(pthread_getaffinity_np(pthread_self(), sizeof before_, &before_));
        cpu_set_t here;
        CPU_ZERO(&here);
        CPU_SET(static_cast<std::size_t>(sched_getcpu()), &here);
        checked_thread(pthread_setaffinity_np(pthread_self(), sizeof here, &here));
    }
    on_one_core(const on_one_core&) = delete;
    on_one_core& operator=(const on_one_core&) = delete;
    ~on_one_core() { pthread_setaffinity_np(pthread_self(), sizeof before_, &before_); }

private:
    static void checked_thread(int error)
    {
        if (error != 0)
            throw std::system_error(error, std::generic_category(), "cannot choose a core");
    }
    cpu_set_t before_{};
};

template <class Client, class Server>
comparison::body round_trips(transport over, cores where, std::uint64_t count)
{
    return [=](round& round) {
        std::optional<on_one_core> pinned;
        if (where == cores::one)
            pinned.emplace();
        zmq::context_t servers;
        zmq::context_t clients;
        server_thread<Server> server(servers, over);
        Client client(over == transport::tcp ? clients : servers, server.endpoint());
        client.trips(count / 10);
        round.time([&] { client.trips(count); });
        round.work(static_cast<double>(count));
        client.end_server();
    };
}

inline void add_round_trips(suite& suite, transport over, cores where)
{
    const std::uint64_t count = over == transport::inproc ? 20'000 : 5'000;
    const std::string kind = where == cores::one ? "round_trips_on_one_core" : "round_trips";
    const std::string at = "/" + name_of(over);
    auto& each = suite.compare(kind + at);
    each.contender("loops", round_trips<looping_client, looping_server>(over, where, count));
    each.contender("server", round_trips<blocking_client, looping_server>(over, where, count));
    each.contender("blocking", round_trips<blocking_client, blocking_server>(over, where, count));
    each.speed(kind + "_vs_blocking" + at, ">= 0.85", "loops", {"blocking"});
    each.speed(kind + "_server_only_vs_blocking" + at, "", "server", {"blocking"});
    each.figure(kind + "_time" + at, "us", "", "loops",
                [](const sample& one) { return one.figure("wall") * 1e6; });
}

inline void add_round_trips(suite& suite)
{
    for (const auto over : {transport::inproc, transport::tcp})
        for (const auto where : {cores::any, cores::one})
            add_round_trips(suite, over, where);
}

} // namespace bench
