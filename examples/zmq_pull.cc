// SPDX-License-Identifier: MIT
//
// zmq_pull.cc: a ZeroMQ PULL socket beside a timer on one libev loop: prints what it is sent, and
// once a second how much that was.
//
// Build: c++ -std=c++20 -O2 zmq_pull.cc $(pkg-config --cflags --libs funcptr-zmq) -o zmq_pull
// Run:   ./zmq_pull tcp://127.0.0.1:5557
//        and in another terminal: any PUSH socket connected there
//
// Production adds: a log instead of the terminal, and CURVE when the endpoint is not on loopback.
#include <funcptr/version.h>
#include <funcptr/zmq_event.h>

#include <cstring>
#include <iostream>

namespace {

class printer final : public funcptr::zmq_event {
public:
    printer(ev::loop_ref loop, zmq::context_t& context, const std::string& endpoint)
        : zmq_event(loop, context, zmq::socket_type::pull)
        , timer_(loop)
    {
        bind(endpoint);
        std::cerr << "pulling at " << last_endpoint() << '\n';
        timer_.set<printer, &printer::report>(this);
        timer_.start(1., 1.);
    }

private:
    void read() override // called once for each whole message; its frames are all there
    {
        zmq::message_t frame;
        do {
            recv(frame);
            std::cout << frame.to_string_view() << (more() ? " | " : "\n");
        } while (more());
    }
    void report(ev::timer&, int)
    {
        const auto now = counters().messages_received;
        if (now != reported_)
            std::cerr << now - reported_ << " messages in the last second\n";
        reported_ = now;
    }

    ev::timer timer_;
    std::uint64_t reported_ = 0;
};

void stop(ev::sig& signal, int)
{
    signal.loop.break_loop(ev::ALL);
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view option = argc == 2 ? argv[1] : "--help";
    if (option == "--version")
        return std::cout << "zmq_pull (funcptr " << funcptr::version() << ")\n", 0;
    if (option.starts_with("-"))
        return std::cout << "usage: zmq_pull ENDPOINT | --version\n", option == "--help" ? 0 : 1;

    ev::default_loop loop;
    zmq::context_t context;
    const printer pull(loop, context, argv[1]);
    ev::sig interrupt(loop);
    interrupt.set<stop>();
    interrupt.start(SIGINT);
    funcptr::run(loop); // loop.run(), and rethrows what a callback threw
} catch (const std::exception& failed) {
    std::cerr << "zmq_pull: " << failed.what() << '\n';
    return 1;
}
