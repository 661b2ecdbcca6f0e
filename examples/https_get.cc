// SPDX-License-Identifier: MIT
//
// https_get.cc: a client: finds the server by its name, over IPv6 or IPv4, speaks TLS, prints the
// answer.
//
// Build: c++ -std=c++20 -O2 https_get.cc $(pkg-config --cflags --libs funcptr) -o https_get
// Run:   ./https_get example.org
//        ./https_get localhost:7443 cert.pem    trusts that certificate instead of the system's
//
// Production adds: an HTTP parser (this one says HTTP/1.0 and prints what comes), and retries.
#include <funcptr/connect.h>
#include <funcptr/connection.h>
#include <funcptr/loop.h>
#include <funcptr/ssl_filter.h>
#include <funcptr/version.h>

#include <iostream>
#include <string>

int main(int argc, char** argv)
try {
    const std::string target = argc == 2 || argc == 3 ? argv[1] : "--help";
    if (target == "--version")
        return std::cout << "https_get (funcptr " << funcptr::version() << ")\n", 0;
    if (target.starts_with("-"))
        return std::cout << "usage: https_get HOST[:PORT] [TRUST.pem] | --version\n",
               target == "--help" ? 0 : 1;

    ev::default_loop loop;
    const auto host = target.substr(0, target.rfind(':'));
    const funcptr::tls_context tls(
        {.trust_file = argc == 3 ? argv[2] : "", .server_name = host, .alpn = {"http/1.1"}});
    funcptr::connection_set connections(loop);
    int status = 1;

    const auto talk = [&](funcptr::accepted peer) {
        auto& server = connections.add(std::move(peer), funcptr::SSLFilter(tls));
        server.on_open([&](funcptr::connection& c) {
            c.write("GET / HTTP/1.0\r\nHost: " + host + "\r\n\r\n");
        });
        server.on_data([](funcptr::connection&, funcptr::buffer& in) {
            std::cout << in.view();
            in.clear();
        });
        server.on_close([&](funcptr::connection&, const funcptr::close_reason& why) {
            status = why.by == funcptr::close_by::peer ? 0 : 1;
            std::cerr << why.text << '\n';
        });
    };
    const auto attempt = funcptr::connect_dual_stack(loop, host == target ? host + ":443" : target,
                                                     [&](funcptr::connect_result got) {
                                                         std::cerr << got.report << '\n';
                                                         if (!got.error)
                                                             talk(std::move(got.peer));
                                                     });
    funcptr::run(loop); // until nothing is left to do
    return status;
} catch (const std::exception& failed) {
    std::cerr << "https_get: " << failed.what() << '\n';
    return 1;
}
