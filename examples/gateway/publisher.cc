// SPDX-License-Identifier: MIT
#include "publisher.h"

#include <funcptr/zmq_event.h>

#include <cmath>
#include <cstdio>

namespace gateway {

namespace {

class outlet final : public funcptr::zmq_event {
public:
    outlet(ev::loop_ref loop, zmq::context_t& context)
        : zmq_event(loop, context, zmq::socket_type::pub)
    {
        bind("tcp://127.0.0.1:*");
    }

private:
    void read() override {} // a PUB never reads
};

/// Publishes again what is pushed to it.
class inlet final : public funcptr::zmq_event {
public:
    inlet(ev::loop_ref loop, zmq::context_t& context, outlet& out)
        : zmq_event(loop, context, zmq::socket_type::pull)
        , out_(out)
    {
        bind("tcp://127.0.0.1:*");
    }

private:
    void read() override
    {
        zmq::message_t frame;
        do {
            recv(frame);
            (void)out_.send(frame, more()); // a PUB drops rather than blocks
        } while (more());
    }
    outlet& out_;
};

} // namespace

struct demo_publisher::works {
    works(ev::loop_ref loop, zmq::context_t& context)
        : out(loop, context)
        , in(loop, context, out)
        , timer(loop)
    {
        timer.set<works, &works::measure>(this);
        timer.start(0., 0.1);
    }
    void measure(ev::timer&, int)
    {
        const double seconds = static_cast<double>(tick++) / 10.;
        char text[32];
        std::snprintf(text, sizeof text, "%.2f",
                      20. + 5. * std::sin(seconds / 3.) + 1.5 * std::sin(seconds * 1.7));
        (void)out.send("temperature", true);
        (void)out.send(text);
    }

    outlet out;
    inlet in;
    ev::timer timer;
    long tick = 0;
};

demo_publisher::demo_publisher(zmq::context_t& context)
    : works_(std::make_unique<works>(loop_, context))
    , feed_(works_->out.last_endpoint())
    , publish_(works_->in.last_endpoint())
    , to_thread_(std::make_unique<funcptr::poster>(loop_))
    , thread_([this] { funcptr::run(loop_); })
{
}

demo_publisher::~demo_publisher()
{
    to_thread_->post([this] { loop_.break_loop(ev::ALL); });
    thread_.join();
}

} // namespace gateway
