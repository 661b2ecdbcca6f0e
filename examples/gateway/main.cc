// SPDX-License-Identifier: MIT
//
// gateway: a browser-facing edge of a ZeroMQ system, in one thread, on one libev loop: HTTPS with
// HTTP/2, a live feed of what a SUB socket receives, signed cookies, publishing to a PUSH or PUB.
//
// Build: c++ -std=c++20 -O2 *.cc $(pkg-config --cflags --libs funcptr-zmq libnghttp2) -o gateway
// Run:   ./gateway
//        and open https://localhost:7020
//
// Read in this order: main.cc (the wiring), server.h, client.h (one browser), http2.h (one HTTP/2
// connection), app.h (what is answered), feed.h (from ZeroMQ to many browsers).
//
// Production adds: a certificate that browsers trust, --cookie-keys that outlive a restart, a
// password in app::log_in, limits on what one address may open, and a log with times.
#include <funcptr/loop.h>
#include <funcptr/self_signed.h>
#include <funcptr/version.h>

#include <csignal>
#include <iostream>
#include <optional>

#include "app.h"
#include "options.h"
#include "publisher.h"
#include "server.h"

namespace {

using namespace std::chrono_literals;

funcptr::tls_context make_tls(const gateway::options& options)
{
    funcptr::tls_config config;
    config.role = funcptr::tls_role::server;
    config.alpn = {"h2", "http/1.1"}; // the second only to be told that it is not spoken here
    if (!options.certificate_file.empty()) {
        config.certificate_file = options.certificate_file;
        config.key_file = options.key_file;
        return funcptr::tls_context(config);
    }
    const auto made = funcptr::self_signed({"localhost", "127.0.0.1", "::1"});
    config.certificate_pem = made.certificate_pem;
    config.key_pem = made.key_pem;
    return funcptr::tls_context(config);
}

funcptr::keyring make_keys(const gateway::options& options)
{
    return options.cookie_keys_file.empty() ? funcptr::keyring::generate()
                                            : funcptr::keyring::from_file(options.cookie_keys_file);
}

/// Calls the feed's keep_alive() now and then.
class keep_alive {
public:
    keep_alive(ev::loop_ref loop, gateway::feed& feed)
        : feed_(feed)
        , timer_(loop)
    {
        timer_.set<keep_alive, &keep_alive::fire>(this);
        timer_.start(15., 15.);
    }

private:
    void fire(ev::timer&, int) { feed_.keep_alive(); }
    gateway::feed& feed_;
    ev::timer timer_;
};

/// SIGINT and SIGTERM: the first drains, a second one ends at once.
class stopper {
public:
    stopper(ev::loop_ref loop, gateway::server& server, gateway::feed& feed)
        : server_(server)
        , feed_(feed)
        , interrupt_(loop)
        , terminate_(loop)
    {
        interrupt_.set<stopper, &stopper::stop>(this);
        terminate_.set<stopper, &stopper::stop>(this);
        interrupt_.start(SIGINT);
        terminate_.start(SIGTERM);
    }

private:
    void stop(ev::sig& signal, int)
    {
        auto loop = signal.loop;
        if (stopping_)
            return loop.break_loop(ev::ALL);
        stopping_ = true;
        std::cout << "draining " << server_.connections() << " connections" << std::endl;
        feed_.end();
        server_.drain(5s, [loop](std::size_t aborted) mutable {
            if (aborted != 0)
                std::cout << aborted << " had to be cut off\n";
            loop.break_loop(ev::ALL);
        });
    }
    gateway::server& server_;
    gateway::feed& feed_;
    ev::sig interrupt_;
    ev::sig terminate_;
    bool stopping_ = false;
};

int run(const gateway::options& options)
{
    ev::default_loop loop;
    funcptr::set_log_sink(
        loop, [](funcptr::log_level, std::string_view line) { std::clog << line << std::endl; });
    zmq::context_t context;

    auto subscribe = options.subscribe;
    auto publish = options.publish;
    std::optional<gateway::demo_publisher> demo;
    if (subscribe.empty() || publish.empty())
        demo.emplace(context);
    if (subscribe.empty())
        subscribe.push_back(demo->feed_endpoint());
    if (publish.empty())
        publish = demo->publish_endpoint();

    const auto tls = make_tls(options);
    gateway::feed feed(loop, context, subscribe, {});
    gateway::outlet outlet(loop, context, publish, options.publish_by_pub);
    gateway::server* running = nullptr;
    gateway::app app(feed, outlet, make_keys(options), [&] {
        return gateway::app::counts{running->connections(), running->accepted()};
    });
    gateway::server server(loop, options.listen, tls,
                           [&](gateway::http2_stream& stream) { app.handle(stream); });
    running = &server;
    const keep_alive alive(loop, feed);
    const stopper stop(loop, server, feed);

    if (options.certificate_file.empty())
        std::cout << "no --certificate given: using a self-signed one, made in memory; browsers "
                     "will warn\n";
    std::cout << "gateway " << funcptr::version() << ", " << server.report()
              << "\nopen https://localhost:" << server.port() << std::endl;
    funcptr::run(loop);
    return 0;
}

} // namespace

int main(int argc, char** argv)
try {
    const auto options = gateway::parse_options(argc, argv);
    if (options.help)
        return std::cout << gateway::usage, 0;
    if (options.version)
        return std::cout << "gateway (funcptr " << funcptr::version() << ")\n", 0;
    return run(options);
} catch (const std::exception& failed) {
    std::cerr << "gateway: " << failed.what() << '\n';
    return 1;
}
