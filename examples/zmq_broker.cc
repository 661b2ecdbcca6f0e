// SPDX-License-Identifier: MIT
//
// zmq_broker.cc: a broker between clients and workers, encrypted and authenticated by CURVE. Who is
// not on the list of keys gets in on neither side. When the workers cannot take more, the clients
// are not read, until they can: no request is lost, and nothing grows. An answer is, whose client
// does not read what it asked for: a ROUTER drops it, and the others' go on.
//
// Build: c++ -std=c++20 -O2 zmq_broker.cc $(pkg-config --cflags --libs funcptr-zmq) -o zmq_broker
// Run:   ./zmq_broker --keys > broker.key                  (once: its own public and secret key)
//        ./zmq_broker tcp://*:5570 tcp://*:5571 broker.key clients
//
// Clients (REQ, DEALER) connect to the first endpoint, workers (REP, ROUTER) to the second, both
// with the broker's public key; `clients` has a line "curve PUBLIC-KEY NAME" for each of them.
// After SIGHUP it is read anew.
//
// Production adds: the key file readable by the broker alone, and a worker's heartbeat in the
// application where a lost request matters.
#include <funcptr/version.h>
#include <funcptr/zmq_auth.h>
#include <funcptr/zmq_channel.h>

#include <array>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

using funcptr::zmq_channel;

/// One way through the broker.
class direction {
public:
    direction(zmq_channel& from, zmq_channel& to)
        : from_(from)
        , to_(to)
    {
        from_.on_message([this](funcptr::zmq_multipart& message) { forward(message); });
        to_.on_low_water([this] { go_on(); });
    }

private:
    void forward(funcptr::zmq_multipart& message)
    {
        if (const auto sent = to_.send(message);
            sent || sent.what != funcptr::zmq_sent::outcome::full)
            return; // or refused: an answer for a client that has gone
        held_ = std::move(message);
        from_.want_messages(false);
    }
    void go_on()
    {
        using outcome = funcptr::zmq_sent::outcome;
        if (!held_.empty() && to_.send(held_).what == outcome::full)
            return; // room, but not for one so large; it is told again
        held_.clear();
        from_.want_messages(true);
    }

    zmq_channel& from_;
    zmq_channel& to_;
    funcptr::zmq_multipart held_; // found no room
};

class broker {
public:
    broker(ev::loop_ref loop, zmq::context_t& context, char** argv)
        : list_(argv[4])
        , auth_(loop, context, funcptr::zmq_allow_list::from_file(list_))
        , clients_(loop, context, zmq::socket_type::router)
        , workers_(loop, context, zmq::socket_type::dealer)
        , requests_(clients_, workers_)
        , answers_(workers_, clients_)
        , hangup_(loop)
    {
        auth_.on_decision([](const auto& each) { std::cerr << each.text() << '\n'; });
        open(clients_, argv[1], argv[3]);
        open(workers_, argv[2], argv[3]);
        hangup_.set<broker, &broker::reload>(this);
        hangup_.start(SIGHUP);
    }

private:
    static void open(zmq_channel& socket, const std::string& endpoint, const std::string& key_file)
    {
        std::string open_key;
        std::string secret_key;
        if (!(std::ifstream(key_file) >> open_key >> secret_key))
            throw std::runtime_error(key_file + " does not hold a public and a secret key");
        socket.set(zmq::sockopt::curve_server, true);
        socket.set(zmq::sockopt::curve_secretkey, secret_key);
        socket.bind(endpoint);
        std::cerr << "bound " << socket.last_endpoint() << ", public key " << open_key << '\n';
    }
    void reload(ev::sig&, int)
    try {
        auth_.reload(funcptr::zmq_allow_list::from_file(list_));
    } catch (const std::exception& wrong) {
        std::cerr << "the list stays as it was: " << wrong.what() << '\n';
    }

    std::string list_;
    funcptr::zmq_auth auth_; // first: nobody may slip in before
    zmq_channel clients_;
    zmq_channel workers_;
    direction requests_;
    direction answers_;
    ev::sig hangup_;
};

int print_keys()
{
    std::array<char, 41> open_key{};
    std::array<char, 41> secret_key{};
    if (zmq_curve_keypair(open_key.data(), secret_key.data()) != 0)
        throw std::runtime_error("this libzmq has no CURVE");
    std::cout << open_key.data() << '\n' << secret_key.data() << '\n';
    return 0;
}

void stop(ev::sig& signal, int)
{
    signal.loop.break_loop(ev::ALL);
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view option = argc > 1 ? argv[1] : "--help";
    if (option == "--version")
        return std::cout << "zmq_broker (funcptr " << funcptr::version() << ")\n", 0;
    if (option == "--keys")
        return print_keys();
    if (argc != 5)
        return std::cout << "usage: zmq_broker CLIENTS WORKERS KEY-FILE ALLOW-LIST\n"
                            "       zmq_broker --keys | --version\n",
               option == "--help" ? 0 : 1;

    ev::default_loop loop;
    zmq::context_t context;
    const broker between(loop, context, argv);
    ev::sig interrupt(loop);
    interrupt.set<stop>();
    interrupt.start(SIGINT);
    funcptr::run(loop); // loop.run(), and rethrows what a callback threw
} catch (const std::exception& failed) {
    std::cerr << "zmq_broker: " << failed.what() << '\n';
    return 1;
}
