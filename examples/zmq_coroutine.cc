// SPDX-License-Identifier: MIT
//
// zmq_coroutine.cc: straight-line code on the event loop: a client that asks three questions, one
// after the other, each with a time limit, and a server that answers; both are coroutines in one
// thread.
//
// Build: c++ -std=c++20 -O2 zmq_coroutine.cc $(pkg-config --cflags --libs funcptr-zmq)
//        -o zmq_coroutine
// Run:   ./zmq_coroutine tcp://127.0.0.1:5580
//
// Production adds: another attempt after a timeout (and ZMQ_REQ_RELAXED, ZMQ_REQ_CORRELATE, with
// which a REQ may ask again).
#include <funcptr/version.h>
#include <funcptr/zmq_async.h>

#include <iostream>
#include <string>

namespace {

using namespace std::chrono_literals;
using funcptr::make_multipart;
using funcptr::zmq_async;
using funcptr::zmq_task;

zmq_task answer(zmq_async& socket)
{
    while (auto question = co_await socket.async_recv()) {
        const auto text = question.message.front().to_string();
        co_await socket.async_send(make_multipart(text.size() % 2 == 0 ? "yes" : "no"));
    }
}

zmq_task ask(zmq_async& socket, ev::loop_ref loop)
{
    for (const char* question : {"is it raining?", "shall I go?", "are you sure?"}) {
        if (!co_await socket.async_send(make_multipart(question), 5s))
            break;
        const auto reply = co_await socket.async_recv(5s);
        std::cout << question << ' '
                  << (reply ? reply.message.front().to_string() : reply.error.message()) << '\n';
    }
    loop.break_loop();
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view option = argc == 2 ? argv[1] : "--help";
    if (option == "--version")
        return std::cout << "zmq_coroutine (funcptr " << funcptr::version() << ")\n", 0;
    if (option.starts_with("-"))
        return std::cout << "usage: zmq_coroutine ENDPOINT | --version\n",
               option == "--help" ? 0 : 1;

    ev::default_loop loop;
    zmq::context_t context;
    zmq_async server(loop, context, zmq::socket_type::rep);
    server.bind(argv[1]);
    zmq_async client(loop, context, zmq::socket_type::req);
    client.connect(server.last_endpoint());

    auto answering = answer(server); // destroyed before its socket, wherever it waits
    auto asking = ask(client, loop);
    answering.start();
    asking.start();
    funcptr::run(loop); // loop.run(), and rethrows what a coroutine threw
} catch (const std::exception& failed) {
    std::cerr << "zmq_coroutine: " << failed.what() << '\n';
    return 1;
}
