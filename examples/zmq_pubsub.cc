// SPDX-License-Identifier: MIT
//
// zmq_pubsub.cc: a publisher that tells the time ten times a second, and a subscriber that prints
// what it hears and who comes and goes.
//
// Build: c++ -std=c++20 -O2 zmq_pubsub.cc $(pkg-config --cflags --libs funcptr-zmq) -o zmq_pubsub
// Run:   ./zmq_pubsub publish tcp://127.0.0.1:5556
//        ./zmq_pubsub subscribe tcp://127.0.0.1:5556      (in another terminal, or several)
//
// PUB never blocks: a subscriber that is slow misses what its queue (SNDHWM, 1,000 messages) cannot
// hold. Who wants only the last value sets ZMQ_CONFLATE on both sides, before connect.
//
// Production adds: a sequence number, so that a subscriber knows what it missed.
#include <funcptr/version.h>
#include <funcptr/zmq_event.h>
#include <funcptr/zmq_monitor.h>

#include <iostream>
#include <memory>
#include <string>

namespace {

class publisher final : public funcptr::zmq_event {
public:
    publisher(ev::loop_ref loop, zmq::context_t& context, const std::string& endpoint)
        : zmq_event(loop, context, zmq::socket_type::pub)
        , timer_(loop)
    {
        bind(endpoint);
        std::cerr << "publishing at " << last_endpoint() << '\n';
        timer_.set<publisher, &publisher::tell>(this);
        timer_.start(0.1, 0.1);
    }

private:
    void read() override {} // a PUB receives nothing
    void tell(ev::timer& timer, int)
    {
        (void)send("time", true); // the first frame is what subscribers choose by
        (void)send(std::to_string(timer.loop.now()));
    }
    ev::timer timer_;
};

class subscriber final : public funcptr::zmq_event {
public:
    subscriber(ev::loop_ref loop, zmq::context_t& context, const std::string& endpoint)
        : zmq_event(loop, context, zmq::socket_type::sub)
        , monitor_(loop, context, *this,
                   [](const auto& event) { std::cerr << event.text() << '\n'; })
    {
        set(zmq::sockopt::subscribe, "time");
        connect(endpoint);
    }

private:
    void read() override
    {
        std::cout << recv().to_string_view();
        while (more())
            std::cout << ' ' << recv().to_string_view();
        std::cout << std::endl;
    }
    funcptr::zmq_monitor monitor_;
};

void stop(ev::sig& signal, int)
{
    signal.loop.break_loop(ev::ALL);
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view role = argc > 1 ? argv[1] : "--help";
    if (role == "--version")
        return std::cout << "zmq_pubsub (funcptr " << funcptr::version() << ")\n", 0;
    if (argc != 3 || (role != "publish" && role != "subscribe"))
        return std::cout << "usage: zmq_pubsub publish|subscribe ENDPOINT | --version\n",
               role == "--help" ? 0 : 1;

    ev::default_loop loop;
    zmq::context_t context;
    std::unique_ptr<funcptr::zmq_event> socket;
    if (role == "publish")
        socket = std::make_unique<publisher>(loop, context, argv[2]);
    else
        socket = std::make_unique<subscriber>(loop, context, argv[2]);
    ev::sig interrupt(loop);
    interrupt.set<stop>();
    interrupt.start(SIGINT);
    funcptr::run(loop); // loop.run(), and rethrows what a callback threw
} catch (const std::exception& failed) {
    std::cerr << "zmq_pubsub: " << failed.what() << '\n';
    return 1;
}
