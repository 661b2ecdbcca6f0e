// SPDX-License-Identifier: MIT
//
// The built gateway, driven from outside by real clients: curl, a ZeroMQ publisher in another
// process' place, and sockets that misbehave.
#include <funcptr/keyring.h>
#include <funcptr/signed_cookie.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <zmq.hpp>

#include <memory>
#include <regex>
#include <thread>

#include "support/process.h"
#include "support/sockets.h"

namespace {

using namespace std::chrono_literals;
using test::command;
using test::process;

std::string gateway_path()
{
    return test::variable("FUNCPTR_BUILD") + "/examples/gateway/gateway";
}

/// What curl got.
struct reply {
    int status = 0;
    std::string version, headers, body;
};

class Gateway : public ::testing::Test {
protected:
    test::temp_dir folder;
    std::unique_ptr<process> gateway;
    std::string port;

    void start(std::vector<std::string> more = {}, const std::string& listen = "*:0")
    {
        std::vector<std::string> arguments{gateway_path(), "--listen", listen};
        arguments.insert(arguments.end(), more.begin(), more.end());
        gateway = std::make_unique<process>(command{.arguments = arguments});
        port = gateway->wait_for("open https://localhost:([0-9]+)").at(1);
    }
    std::string origin(const std::string& host = "127.0.0.1") const
    {
        return "https://" + host + ":" + port;
    }
    reply curl(const std::string& path, std::vector<std::string> more = {},
               const std::string& host = "127.0.0.1")
    {
        std::vector<std::string> arguments{"curl",
                                           "-sk",
                                           "--http2",
                                           "--max-time",
                                           "60",
                                           "-D",
                                           folder.path() / "headers",
                                           "-o",
                                           folder.path() / "body",
                                           "-w",
                                           "%{http_code} %{http_version}"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        arguments.push_back(origin(host) + path);
        test::write_file(folder.path() / "body", "");
        const auto done = test::run({.arguments = arguments});
        EXPECT_EQ(done.status, 0) << "curl " << path << ": " << done.err;
        reply got;
        got.status = std::atoi(done.out.c_str());
        got.version = done.out.substr(done.out.find(' ') + 1);
        got.headers = test::read_file(folder.path() / "headers");
        got.body = test::read_file(folder.path() / "body");
        return got;
    }
    nlohmann::json status(const std::string& cookie = {})
    {
        std::vector<std::string> more;
        if (!cookie.empty())
            more = {"-H", "Cookie: __Host-session=" + cookie};
        return nlohmann::json::parse(curl("/status", more).body);
    }
    std::string log_in(const std::string& user = "ann")
    {
        const auto got = curl("/login", {"-H", "Origin: " + origin(), "-d", "user=" + user});
        EXPECT_EQ(got.status, 200);
        std::smatch found;
        EXPECT_TRUE(std::regex_search(
            got.headers, found,
            std::regex("set-cookie: __Host-session=([^;]+); Path=/; Max-Age=43200; Secure; "
                       "HttpOnly; SameSite=Lax")))
            << got.headers;
        return found[1];
    }
    reply publish(const std::string& text, const std::string& cookie, const std::string& from)
    {
        return curl("/publish", {"-H", "Origin: " + from, "-H", "Cookie: __Host-session=" + cookie,
                                 "--data-binary", text});
    }
    /// curl reading the feed in the background.
    std::unique_ptr<process> watch()
    {
        return std::make_unique<process>(command{
            .arguments = {"curl", "-skN", "--http2", "--max-time", "100", origin() + "/feed"}});
    }
    void end_well(int signal = SIGTERM)
    {
        gateway->signal(signal);
        const auto end = gateway->wait();
        EXPECT_EQ(end.status, 0) << gateway->printed();
    }
};

TEST_F(Gateway, ServesHttp2OverBothFamilies)
{
    start();
    auto got = curl("/");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.version, "2");
    EXPECT_NE(got.body.find("<title>funcptr gateway</title>"), std::string::npos);
    EXPECT_NE(got.headers.find("content-security-policy: default-src 'none'"), std::string::npos);
    if (gateway->printed().find("[::]") == std::string::npos)
        GTEST_SKIP() << "no IPv6 on this machine";
    got = curl("/page.js", {}, "[::1]");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.version, "2");
    end_well();
}

TEST_F(Gateway, ShowsItsVersionAndCounters)
{
    start();
    const auto now = status();
    const auto said = test::run({.arguments = {gateway_path(), "--version"}}).out;
    EXPECT_EQ("gateway (funcptr " + now.at("version").get<std::string>() + ")\n", said);
    EXPECT_GE(now.at("connections"), 1);
    EXPECT_GE(now.at("requests"), 1);
    EXPECT_TRUE(now.at("user").is_null());
}

TEST_F(Gateway, TellsAnHttp1ClientWhatItNeeds)
{
    start();
    for (const char* how : {"--http1.1", "--no-alpn"}) {
        const auto got = curl("/", {how});
        EXPECT_EQ(got.status, 505) << how;
        EXPECT_NE(got.headers.find("Connection: close"), std::string::npos);
        EXPECT_NE(got.body.find("HTTP/2 only"), std::string::npos);
    }
}

TEST_F(Gateway, AnswersABadRequestWith4xx)
{
    start();
    EXPECT_EQ(curl("/nope").status, 404);
    EXPECT_EQ(curl("/", {"-X", "DELETE"}).status, 405);
    EXPECT_EQ(curl("/login").status, 405);
    EXPECT_EQ(curl("/login", {"-d", "user=ann"}).status, 403) << "without an Origin";
    EXPECT_EQ(curl("/login", {"-H", "Origin: https://evil", "-d", "user=ann"}).status, 403);
    EXPECT_EQ(curl("/login", {"-H", "Origin: " + origin(), "-d", "user=a%20b"}).status, 400);
    EXPECT_EQ(curl("/", {"-H", "X: " + std::string(20000, 'x')}).status, 431);
    test::write_file(folder.path() / "large", std::string(200000, 'x'));
    EXPECT_EQ(curl("/login", {"-H", "Origin: " + origin(), "--data-binary",
                              "@" + (folder.path() / "large").string()})
                  .status,
              413);
    EXPECT_EQ(curl("/", {"-I"}).status, 200);
    EXPECT_EQ(curl("/").status, 200) << "it serves on after all that";
}

TEST_F(Gateway, PublishesForTheSignedInAlone)
{
    start();
    const auto cookie = log_in();
    EXPECT_EQ(status(cookie).at("user"), "ann");
    EXPECT_EQ(publish("hello", cookie, origin()).status, 202);
    EXPECT_EQ(publish("hello", cookie, "https://evil").status, 403);
    EXPECT_EQ(curl("/publish", {"-H", "Origin: " + origin(), "-d", "x"}).status, 401);
    EXPECT_EQ(publish("", cookie, origin()).status, 400);
    EXPECT_EQ(publish(std::string(5000, 'x'), cookie, origin()).status, 413);

    auto tampered = cookie;
    tampered[tampered.size() / 2] = tampered[tampered.size() / 2] == 'A' ? 'B' : 'A';
    EXPECT_EQ(publish("x", tampered, origin()).status, 401);
    EXPECT_TRUE(status(tampered).at("user").is_null());
    EXPECT_EQ(status().at("published"), 1);
}

TEST_F(Gateway, TakesNoExpiredCookieAndNoneOfAnotherKey)
{
    const auto file = folder.path() / "keys";
    const auto key = funcptr::keyring::generate_text();
    test::write_file(file, key + "\n");
    ::chmod(file.c_str(), 0600);
    start({"--cookie-keys", file});
    const auto ring = funcptr::keyring::from_file(file);
    const auto sign = [&](const funcptr::keyring& with, std::chrono::hours ago) {
        funcptr::cookie_options options;
        options.clock = [ago] { return std::chrono::system_clock::now() - ago; };
        return funcptr::signed_cookie("__Host-session", with, options).sign("bob");
    };
    EXPECT_EQ(status(sign(ring, 0h)).at("user"), "bob");
    EXPECT_EQ(status(sign(ring, 11h)).at("user"), "bob");
    EXPECT_TRUE(status(sign(ring, 13h)).at("user").is_null());
    EXPECT_TRUE(status(sign(funcptr::keyring::generate(), 0h)).at("user").is_null());
}

TEST_F(Gateway, LetsNoCacheMixTwoUsersUp)
{
    start();
    for (const auto* path : {"/", "/status", "/none"}) {
        const auto got = curl(path, {"-H", "Cookie: __Host-session=" + log_in()});
        EXPECT_NE(got.headers.find("vary: Cookie"), std::string::npos) << path << got.headers;
    }
}

TEST_F(Gateway, KeepsSessionsOverARestartAndServesAfterAKill)
{
    const auto file = folder.path() / "keys";
    test::write_file(file, funcptr::keyring::generate_text() + "\n");
    ::chmod(file.c_str(), 0600);
    start({"--cookie-keys", file});
    const auto cookie = log_in();
    const auto where = "*:" + port;
    gateway->signal(SIGKILL);
    EXPECT_EQ(gateway->wait().status, 128 + SIGKILL);
    start({"--cookie-keys", file}, where); // the same port, at once
    EXPECT_EQ(status(cookie).at("user"), "ann");
    end_well();
}

TEST_F(Gateway, StreamsWhatARealPublisherSends)
{
    zmq::context_t context;
    zmq::socket_t publisher(context, zmq::socket_type::xpub);
    publisher.set(zmq::sockopt::linger, 0);
    publisher.bind("tcp://127.0.0.1:*");
    start({"--sub", publisher.get(zmq::sockopt::last_endpoint)});
    const auto feed = watch();
    feed->wait_for("retry: 1000");
    zmq::message_t subscription;
    ASSERT_TRUE(publisher.recv(subscription)); // the gateway's
    for (int i = 0; i < 3; ++i) {
        publisher.send(zmq::buffer(std::string("topic")), zmq::send_flags::sndmore);
        publisher.send(zmq::buffer("message " + std::to_string(i)), zmq::send_flags::none);
    }
    publisher.send(zmq::buffer(std::string("\xff\x00\"\n", 4)), zmq::send_flags::none);
    EXPECT_EQ(feed->wait_for("data: (.*message 0.*)").at(1),
              R"({"frames":["topic","message 0"],"n":1})");
    feed->wait_for("message 2");
    EXPECT_EQ(feed->wait_for(R"(data: (.*"n":4.*))").at(1),
              "{\"frames\":[\"\xef\xbf\xbd\\u0000\\\"\\n\"],\"n\":4}");
    end_well();
    EXPECT_EQ(feed->wait().status, 0) << "the stream did not end in good order";
}

TEST_F(Gateway, SendsWhatIsPublishedToARealPull)
{
    zmq::context_t context;
    zmq::socket_t pull(context, zmq::socket_type::pull);
    pull.set(zmq::sockopt::rcvtimeo, 60000);
    pull.bind("tcp://127.0.0.1:*");
    start({"--publish", pull.get(zmq::sockopt::last_endpoint)});
    const auto cookie = log_in("eve");
    EXPECT_EQ(publish("to the system", cookie, origin()).status, 202);
    zmq::message_t who, what;
    ASSERT_TRUE(pull.recv(who));
    EXPECT_EQ(who.to_string(), "eve");
    ASSERT_TRUE(who.more());
    ASSERT_TRUE(pull.recv(what));
    EXPECT_EQ(what.to_string(), "to the system");
}

TEST_F(Gateway, ASlowBrowserMissesTheOldestAndSlowsNobody)
{
    zmq::context_t context;
    zmq::socket_t publisher(context, zmq::socket_type::xpub);
    publisher.set(zmq::sockopt::linger, 0);
    publisher.set(zmq::sockopt::sndhwm, 0);
    publisher.bind("tcp://127.0.0.1:*");
    start({"--sub", publisher.get(zmq::sockopt::last_endpoint)});
    const auto slow = watch();
    slow->wait_for("retry: 1000");
    slow->signal(SIGSTOP); // a client that stops reading
    const auto quick = watch();
    quick->wait_for("retry: 1000");
    zmq::message_t subscription;
    ASSERT_TRUE(publisher.recv(subscription));

    // Far more than all the buffers on the way to the slow one hold.
    const std::string body(3000, 'x');
    constexpr int messages = 8000;
    for (int i = 0; i < messages; ++i) {
        publisher.send(zmq::buffer(body), zmq::send_flags::none);
        // At the pace of the quick one, so that it is only the slow one that falls behind.
        if (i % 100 == 99)
            quick->wait_for("\"n\":" + std::to_string(i + 1) + "}");
    }
    const auto now = status();
    EXPECT_EQ(now.at("feed").at("messages"), messages);
    EXPECT_GT(now.at("feed").at("missed"), 1000);
    EXPECT_EQ(now.at("feed").at("subscribers"), 2);

    slow->signal(SIGCONT);
    slow->wait_for("event: missed");
    // It is told at once how many were lost before; the rest follows as it reads on.
    EXPECT_GT(std::stoi(slow->wait_for("data: ([0-9]+)$").at(1)), 0);
    slow->wait_for("\"n\":" + std::to_string(messages) + "}"); // and it is up to date again
}

TEST_F(Gateway, ClosesAGarbageConnectionWithAReasonInOneLine)
{
    start();
    const auto where = funcptr::address::parse("127.0.0.1")
                           .value->with_port(static_cast<std::uint16_t>(std::stoi(port)));
    const auto client = funcptr::testing::connect_to(where);
    ASSERT_TRUE(funcptr::testing::send_all(client.get(), "this is no TLS at all\r\n\r\n"));
    const auto line = gateway->wait_for("127.0.0.1:[0-9]+: (.*) bytes in");
    EXPECT_FALSE(line.at(1).empty());
    EXPECT_EQ(curl("/").status, 200);
}

TEST_F(Gateway, ATakenPortIsOneLineAndStatusOne)
{
    start();
    const auto second = test::run({.arguments = {gateway_path(), "--listen", "127.0.0.1:" + port}});
    EXPECT_EQ(second.status, 1);
    EXPECT_EQ(std::count(second.err.begin(), second.err.end(), '\n'), 1) << second.err;
    EXPECT_NE(second.err.find("127.0.0.1:" + port + ": Address already in use"), std::string::npos)
        << second.err;
    EXPECT_EQ(second.out, "");
}

TEST_F(Gateway, RefusesOptionsThatItDoesNotUnderstand)
{
    const auto refusal = [&](std::vector<std::string> options) {
        options.insert(options.begin(), gateway_path());
        const auto done = test::run({.arguments = options});
        EXPECT_EQ(done.status, 1);
        return done.err;
    };
    EXPECT_EQ(refusal({"--nope"}), "gateway: there is no option --nope; see --help\n");
    EXPECT_EQ(refusal({"--listen"}), "gateway: --listen needs a value; see --help\n");
    EXPECT_NE(refusal({"--listen", "nonsense"}).find("(at character"), std::string::npos);
    EXPECT_NE(refusal({"--certificate", "x"}).find("go together"), std::string::npos);
    EXPECT_NE(
        refusal({"--certificate", "/nonexistent", "--key", "/nonexistent"}).find("/nonexistent"),
        std::string::npos);
    EXPECT_NE(refusal({"--cookie-keys", "/nonexistent"}).find("/nonexistent"), std::string::npos);
}

TEST_F(Gateway, DrainsOnBothSignals)
{
    for (const int signal : {SIGINT, SIGTERM}) {
        start();
        const auto feed = watch();
        feed->wait_for("data: ");
        end_well(signal);
        EXPECT_EQ(feed->wait().status, 0);
    }
}

// --- the echo example, with two foreign TLS libraries -------------------------------------------

class TlsEcho : public ::testing::Test {
protected:
    std::unique_ptr<process> echo;
    std::string port;

    void start(std::vector<std::string> more = {})
    {
        std::vector<std::string> arguments{test::variable("FUNCPTR_BUILD") + "/examples/tls_echo",
                                           "--listen", "127.0.0.1:0"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        echo = std::make_unique<process>(command{.arguments = arguments});
        port = echo->wait_for("listening on 127.0.0.1:([0-9]+)").at(1);
    }
};

TEST_F(TlsEcho, SpeaksWithOpenssl)
{
    start();
    for (const char* version : {"-tls1_2", "-tls1_3"}) {
        process client({.arguments = {"openssl", "s_client", "-connect", "127.0.0.1:" + port,
                                      version, "-quiet"},
                        .input = "hello from s_client\n"});
        client.wait_for("^hello from s_client$");
    }
}

TEST_F(TlsEcho, SpeaksWithGnutls)
{
    start();
    const auto done = test::run({.arguments = {"gnutls-cli", "--insecure", "--port", port,
                                               "--logfile=/dev/null", "127.0.0.1"},
                                 .input = "hello from gnutls\n"});
    EXPECT_NE(done.out.find("hello from gnutls"), std::string::npos) << done.out << done.err;
}

TEST_F(TlsEcho, SpeaksPlainWhenTold)
{
    start({"--plain"});
    const auto client = funcptr::testing::connect_to(
        funcptr::address::parse("127.0.0.1")
            .value->with_port(static_cast<std::uint16_t>(std::stoi(port))));
    ASSERT_TRUE(funcptr::testing::send_all(client.get(), "hello"));
    char answer[5];
    ASSERT_EQ(::recv(client.get(), answer, sizeof answer, MSG_WAITALL), 5);
    EXPECT_EQ(std::string_view(answer, 5), "hello");
    echo->signal(SIGINT);
    EXPECT_EQ(echo->wait().status, 0);
}

} // namespace
