// SPDX-License-Identifier: MIT
//
// zmq_worker.cc: answers ZeroMQ requests, and on SIGINT finishes what it has begun: the answers
// that wait are sent before it ends.
//
// Build: c++ -std=c++20 -O2 zmq_worker.cc $(pkg-config --cflags --libs funcptr-zmq) -o zmq_worker
// Run:   ./zmq_worker tcp://127.0.0.1:5560
//        and in another terminal: any REQ or DEALER socket connected there
//
// Production adds: a log, CURVE (zmq_broker.cc), and work that does not block the loop.
#include <funcptr/version.h>
#include <funcptr/zmq_channel.h>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <string>

namespace {

using namespace std::chrono_literals;

class worker {
public:
    worker(ev::loop_ref loop, zmq::context_t& context, const std::string& endpoint)
        : loop_(loop)
        , requests_(loop, context, zmq::socket_type::router)
        , interrupt_(loop)
    {
        requests_.on_message([this](zmq_multipart& request) { answer(request); });
        requests_.bind(endpoint);
        std::cerr << "answering at " << requests_.last_endpoint() << '\n';
        interrupt_.set<worker, &worker::finish>(this);
        interrupt_.start(SIGINT);
    }

private:
    using zmq_multipart = funcptr::zmq_multipart;

    /// The frames before the last one (who asks, and REQ's empty one) lead the answer back.
    void answer(zmq_multipart& request)
    {
        std::string text = request.back().to_string();
        std::transform(text.begin(), text.end(), text.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        request.back() = zmq::message_t(text);
        if (const auto sent = requests_.send(request); !sent)
            std::cerr << "an answer is lost: "
                      << (sent.error ? sent.error.message() : "the queue is full") << '\n';
    }

    void finish(ev::sig&, int)
    {
        requests_.want_messages(false);
        requests_.drain(5s, [this](std::size_t unsent) {
            if (unsent != 0)
                std::cerr << unsent << " answers were not sent\n";
            loop_.break_loop(ev::ALL);
        });
    }

    ev::loop_ref loop_;
    funcptr::zmq_channel requests_;
    ev::sig interrupt_;
};

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view option = argc == 2 ? argv[1] : "--help";
    if (option == "--version")
        return std::cout << "zmq_worker (funcptr " << funcptr::version() << ")\n", 0;
    if (option.starts_with("-"))
        return std::cout << "usage: zmq_worker ENDPOINT | --version\n", option == "--help" ? 0 : 1;

    ev::default_loop loop;
    zmq::context_t context;
    const worker each(loop, context, argv[1]);
    funcptr::run(loop); // loop.run(), and rethrows what a callback threw
} catch (const std::exception& failed) {
    std::cerr << "zmq_worker: " << failed.what() << '\n';
    return 1;
}
