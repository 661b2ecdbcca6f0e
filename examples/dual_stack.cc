// SPDX-License-Identifier: MIT
//
// dual_stack.cc: one port on IPv4 and IPv6: tells each client its address, and hangs up.
//
// Build: c++ -std=c++20 -O2 dual_stack.cc $(pkg-config --cflags --libs funcptr) -o dual_stack
// Run:   ./dual_stack '*:7020'       then in another terminal: curl telnet://127.0.0.1:7020
//        ./dual_stack '*:0'          the system chooses the port, the same for both families
//        ./dual_stack 'localhost:7020,unix:/tmp/dual.sock'
//
// Production adds: nothing to the listening; what follows accept is connection.h's.
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>
#include <funcptr/version.h>

#include <csignal>
#include <iostream>

namespace {

void stop(ev::sig& signal, int)
{
    signal.loop.break_loop(ev::ALL);
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view spec = argc == 2 ? argv[1] : "--help";
    if (spec == "--version")
        return std::cout << "dual_stack (funcptr " << funcptr::version() << ")\n", 0;
    if (spec.starts_with("-"))
        return std::cout << "usage: dual_stack SPEC | --version\n", spec == "--help" ? 0 : 1;

    ev::default_loop loop;
    funcptr::connection_set connections(loop);
    funcptr::listener listener(loop, spec, [&](funcptr::accepted peer) {
        std::cout << peer.peer << " came in by " << peer.local << std::endl;
        auto& client = connections.add(std::move(peer), funcptr::plain_filter());
        client.write("you are " + client.peer().to_string() + "\n");
        client.close(); // once that is sent
    });
    std::cout << listener.report() << std::endl;
    ev::sig interrupt(loop);
    interrupt.set<stop>();
    interrupt.start(SIGINT);
    funcptr::run(loop);
} catch (const std::exception& failed) {
    std::cerr << "dual_stack: " << failed.what() << '\n';
    return 1;
}
