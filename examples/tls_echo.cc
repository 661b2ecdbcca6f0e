// SPDX-License-Identifier: MIT
//
// tls_echo.cc: says back what it is told, over TLS, to any number of clients at once. With --plain
// the same program speaks without TLS: only the filter differs.
//
// Build: c++ -std=c++20 -O2 tls_echo.cc $(pkg-config --cflags --libs funcptr) -o tls_echo
// Run:   ./tls_echo --listen '*:7443'
//        openssl s_client -connect localhost:7443 -quiet
//        ./tls_echo --plain --listen 127.0.0.1:7007
//
// Production adds: a certificate that clients trust (--certificate, --key), limits that fit the
// protocol (connection_options), and a log.
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>
#include <funcptr/self_signed.h>
#include <funcptr/ssl_filter.h>
#include <funcptr/version.h>

#include <csignal>
#include <iostream>
#include <optional>

namespace {

struct options {
    std::string listen = "*:7443", certificate, key;
    bool plain = false;
};

const char* const usage =
    "usage: tls_echo [--listen SPEC] [--plain] [--certificate FILE --key FILE] | --version\n";

options parse(int argc, char** argv)
{
    options result;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        std::string* const value = name == "--listen"        ? &result.listen
                                   : name == "--certificate" ? &result.certificate
                                   : name == "--key"         ? &result.key
                                                             : nullptr;
        if (name == "--plain")
            result.plain = true;
        else if (value != nullptr && i + 1 < argc)
            *value = argv[++i];
        else
            throw std::invalid_argument("cannot understand " + std::string(name) + "\n" + usage);
    }
    return result;
}

funcptr::tls_context make_tls(const options& from)
{
    funcptr::tls_config config;
    config.role = funcptr::tls_role::server;
    config.certificate_file = from.certificate;
    config.key_file = from.key;
    if (from.certificate.empty()) {
        const auto made = funcptr::self_signed({"localhost", "127.0.0.1", "::1"});
        config.certificate_pem = made.certificate_pem;
        config.key_pem = made.key_pem;
    }
    return funcptr::tls_context(config);
}

/// SIGINT: accepts no more, and gives each client two seconds to take what is on its way.
class stopper {
public:
    stopper(ev::loop_ref loop, funcptr::listener& listener, funcptr::connection_set& connections)
        : listener_(listener)
        , connections_(connections)
        , interrupt_(loop)
    {
        interrupt_.set<stopper, &stopper::stop>(this);
        interrupt_.start(SIGINT);
    }

private:
    void stop(ev::sig& signal, int)
    {
        listener_.stop();
        connections_.drain(std::chrono::seconds(2),
                           [loop = signal.loop](std::size_t) mutable { loop.break_loop(); });
    }
    funcptr::listener& listener_;
    funcptr::connection_set& connections_;
    ev::sig interrupt_;
};

int serve(const options& from)
{
    ev::default_loop loop;
    std::optional<funcptr::tls_context> tls;
    if (!from.plain)
        tls.emplace(make_tls(from));

    funcptr::connection_set connections(loop);
    funcptr::listener listener(loop, from.listen, [&](funcptr::accepted peer) {
        auto& client = tls ? connections.add(std::move(peer), funcptr::SSLFilter(*tls))
                           : connections.add(std::move(peer), funcptr::plain_filter());
        client.on_data([](funcptr::connection& c, funcptr::buffer& in) { c.write(in); });
        client.on_close([](funcptr::connection&, const funcptr::close_reason& why) {
            std::cerr << why.text << '\n';
        });
    });
    std::cout << listener.report() << std::endl;

    const stopper stop(loop, listener, connections);
    funcptr::run(loop);
    return 0;
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view only = argc == 2 ? argv[1] : "";
    if (only == "--version")
        return std::cout << "tls_echo (funcptr " << funcptr::version() << ")\n", 0;
    if (only == "--help")
        return std::cout << usage, 0;
    return serve(parse(argc, argv));
} catch (const std::exception& failed) {
    std::cerr << "tls_echo: " << failed.what() << '\n';
    return 1;
}
