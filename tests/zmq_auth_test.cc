// SPDX-License-Identifier: MIT
#include <funcptr/zmq_auth.h>
#include <funcptr/zmq_channel.h>
#include <funcptr/zmq_monitor.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.h"
#include "support/watchdog.h"

namespace {

using funcptr::zmq_allow_list;
using funcptr::zmq_auth;
using funcptr::zmq_auth_decision;
using funcptr::zmq_channel;
using funcptr::zmq_multipart;
using funcptr::testing::watchdog;
using zmq::socket_type;
using texts = std::vector<std::string>;

struct key_pair {
    std::string open;
    std::string secret;

    key_pair()
    {
        std::array<char, 41> one{};
        std::array<char, 41> two{};
        EXPECT_EQ(zmq_curve_keypair(one.data(), two.data()), 0) << "libzmq without CURVE";
        open = one.data();
        secret = two.data();
    }
};

std::string failure(const std::function<void()>& call)
{
    try {
        call();
    } catch (const funcptr::error& thrown) {
        return thrown.what();
    }
    return "nothing was thrown";
}

class ZmqAuth : public ::testing::Test {
protected:
    zmq::context_t context;
    ev::dynamic_loop loop;
    watchdog dog{loop, true};
    key_pair server_key;
    std::vector<zmq_auth_decision> decisions;
    texts received;

    void until(const std::function<bool()>& holds)
    {
        while (!holds() && !HasFailure())
            loop.run(ev::ONCE);
    }
    void watch(zmq_auth& auth)
    {
        auth.on_decision([this](const zmq_auth_decision& each) { decisions.push_back(each); });
    }
    std::unique_ptr<zmq_channel> server(const std::function<void(zmq_channel&)>& secure)
    {
        auto socket = std::make_unique<zmq_channel>(loop, context, socket_type::pull);
        secure(*socket);
        socket->bind("tcp://127.0.0.1:*");
        socket->on_message([this](zmq_multipart& each) {
            const char* user = zmq_msg_gets(each[0].handle(), "User-Id");
            received.push_back(each[0].to_string() + " of " + (user != nullptr ? user : "?"));
        });
        return socket;
    }
    std::unique_ptr<zmq_channel> curve_server()
    {
        return server([this](zmq_channel& socket) {
            socket.set(zmq::sockopt::curve_server, true);
            socket.set(zmq::sockopt::curve_secretkey, server_key.secret);
        });
    }
    /// Sends the text once it is let in.
    std::unique_ptr<zmq_channel> client(const std::string& endpoint, const std::string& text,
                                        const std::function<void(zmq_channel&)>& secure)
    {
        auto socket = std::make_unique<zmq_channel>(loop, context, socket_type::push);
        socket->set(zmq::sockopt::linger, 0);
        secure(*socket);
        socket->connect(endpoint);
        EXPECT_TRUE(socket->send(text));
        return socket;
    }
    std::function<void(zmq_channel&)> with_key(const key_pair& mine)
    {
        return [this, &mine](zmq_channel& socket) {
            socket.set(zmq::sockopt::curve_serverkey, server_key.open);
            socket.set(zmq::sockopt::curve_publickey, mine.open);
            socket.set(zmq::sockopt::curve_secretkey, mine.secret);
        };
    }
};

TEST_F(ZmqAuth, WithoutItEveryCurveClientGetsIn)
{
    const auto guarded = curve_server();
    const key_pair anybody;
    const auto sender = client(guarded->last_endpoint(), "hello", with_key(anybody));
    until([&] { return !received.empty(); });
}

TEST_F(ZmqAuth, LetsInAListedKeyAndTellsWhoItIs)
{
    const key_pair alice;
    zmq_allow_list list;
    list.allow_curve(alice.open, "alice");
    zmq_auth auth(loop, context, list);
    watch(auth);
    const auto guarded = curve_server();
    const auto sender = client(guarded->last_endpoint(), "hello", with_key(alice));
    until([&] { return !received.empty(); });
    EXPECT_EQ(received, texts{"hello of alice"});
    ASSERT_EQ(decisions.size(), 1u);
    EXPECT_EQ(decisions[0].text(), "zap: 200 CURVE user alice from 127.0.0.1");
    EXPECT_EQ(auth.allowed(), 1u);
}

TEST_F(ZmqAuth, DeniesByDefaultAndTheMonitorSaysSo)
{
    zmq_auth auth(loop, context);
    watch(auth);
    const auto guarded = curve_server();
    const key_pair mallory;
    const auto sender = client(guarded->last_endpoint(), "hello", with_key(mallory));
    std::string refused;
    const funcptr::zmq_monitor monitor(loop, context, *sender, [&](const auto& event) {
        if (event.type == funcptr::zmq_connection::handshake_failed_auth)
            refused = event.text();
    });
    until([&] { return !refused.empty(); });
    EXPECT_NE(refused.find("access denied (400)"), std::string::npos) << refused;
    EXPECT_TRUE(received.empty());
    ASSERT_FALSE(decisions.empty());
    EXPECT_FALSE(decisions[0].allowed);
    EXPECT_EQ(decisions[0].user, mallory.open);
    EXPECT_NE(decisions[0].text().find("the key is not on the list"), std::string::npos);
    EXPECT_GE(auth.denied(), 1u);
}

TEST_F(ZmqAuth, AReloadCountsFromTheNextHandshakeOn)
{
    zmq_auth auth(loop, context);
    watch(auth);
    const auto guarded = curve_server();
    const key_pair bob;
    auto sender = client(guarded->last_endpoint(), "one", with_key(bob));
    until([&] { return auth.denied() != 0; });
    sender.reset(); // libzmq does not try again where it was denied

    zmq_allow_list list;
    list.allow_curve(bob.open);
    auth.reload(list);
    sender = client(guarded->last_endpoint(), "two", with_key(bob));
    until([&] { return received.size() == 1; });
    EXPECT_EQ(received[0], "two of " + bob.open) << "without a user id the key is it";

    auth.reload(zmq_allow_list());
    EXPECT_TRUE(sender->send("three")); // the connection stands
    until([&] { return received.size() == 2; });
    const auto denied = auth.denied();
    const auto late = client(guarded->last_endpoint(), "four", with_key(bob));
    until([&] { return auth.denied() > denied; });
    EXPECT_EQ(received.size(), 2u);
}

TEST_F(ZmqAuth, PlainWantsTheRightPassword)
{
    zmq_allow_list list;
    list.allow_plain("bob", "secret");
    zmq_auth auth(loop, context, list);
    watch(auth);
    const auto guarded = server([](zmq_channel& socket) {
        socket.set(zmq::sockopt::plain_server, true);
        socket.set(zmq::sockopt::zap_domain, "inside");
    });
    const auto as = [](const std::string& name, const std::string& password) {
        return [=](zmq_channel& socket) {
            socket.set(zmq::sockopt::plain_username, name);
            socket.set(zmq::sockopt::plain_password, password);
        };
    };
    for (const auto& [name, password] : {std::pair{"bob", "wrong!"},
                                         {"bob", "secre"},
                                         {"bob", "secretsecret"},
                                         {"bob", " "},
                                         {"eve", "secret"},
                                         {"eve", "eve"}}) {
        const auto denied = auth.denied();
        const auto sender = client(guarded->last_endpoint(), "no", as(name, password));
        until([&] { return auth.denied() > denied; });
    }
    const auto sender = client(guarded->last_endpoint(), "hello", as("bob", "secret"));
    until([&] { return !received.empty(); });
    EXPECT_EQ(received, texts{"hello of bob"});
    EXPECT_EQ(decisions.back().domain, "inside");
}

TEST_F(ZmqAuth, NullIsAskedOnlyWithADomainWhichMustBeOnTheList)
{
    zmq_allow_list list;
    list.allow_null("inside");
    zmq_auth auth(loop, context, list);
    const auto in = [](const char* domain) {
        return [=](zmq_channel& socket) { socket.set(zmq::sockopt::zap_domain, domain); };
    };
    const auto inside = server(in("inside"));
    const auto outside = server(in("outside"));
    const auto unasked = server([](zmq_channel&) {});
    const auto nothing = [](zmq_channel&) {};
    const auto denied = client(outside->last_endpoint(), "denied", nothing);
    until([&] { return auth.denied() == 1; });
    const auto let_in = client(inside->last_endpoint(), "let in", nothing);
    const auto open = client(unasked->last_endpoint(), "not asked", nothing);
    until([&] { return received.size() == 2; });
    EXPECT_EQ(auth.allowed(), 1u);
    EXPECT_EQ(std::count_if(received.begin(), received.end(),
                            [](const auto& text) { return text.starts_with("denied"); }),
              0);
}

TEST_F(ZmqAuth, GuardsSocketsOfOtherThreads)
{
    const key_pair alice;
    zmq_allow_list list;
    list.allow_curve(alice.open, "alice");
    const zmq_auth auth(loop, context, list);
    std::atomic<bool> done{false};
    std::thread other([&] {
        zmq::socket_t pull(context, socket_type::pull);
        pull.set(zmq::sockopt::curve_server, true);
        pull.set(zmq::sockopt::curve_secretkey, server_key.secret);
        pull.bind("tcp://127.0.0.1:*");
        zmq::socket_t push(context, socket_type::push);
        push.set(zmq::sockopt::linger, 0);
        push.set(zmq::sockopt::curve_serverkey, server_key.open);
        push.set(zmq::sockopt::curve_publickey, alice.open);
        push.set(zmq::sockopt::curve_secretkey, alice.secret);
        push.connect(pull.get(zmq::sockopt::last_endpoint));
        push.send(zmq::buffer(std::string("there")));
        zmq::message_t frame;
        EXPECT_TRUE(pull.recv(frame)); // the loop of the handler is another thread's: may block
        done = true;
    });
    struct ticker {
        ev::timer timer;
        explicit ticker(ev::loop_ref loop)
            : timer(loop)
        {
            timer.set<ticker, &ticker::tick>(this);
            timer.start(0., 0.001);
        }
        void tick(ev::timer&, int) {}
    };
    const ticker awake(loop);
    until([&] { return done.load(); });
    other.join();
    EXPECT_EQ(auth.allowed(), 1u);
}

TEST_F(ZmqAuth, AContextHasOneHandler)
{
    const zmq_auth auth(loop, context);
    EXPECT_NE(failure([&] { const zmq_auth second(loop, context); }).find("zeromq.zap.01"),
              std::string::npos);
}

TEST_F(ZmqAuth, ARequestThatBreaksTheProtocolIsAnsweredAndHarmsNobody)
{
    zmq_auth auth(loop, context);
    watch(auth);
    zmq_channel asking(loop, context, socket_type::req);
    asking.connect("inproc://zeromq.zap.01");
    std::vector<texts> answers;
    asking.on_message([&](zmq_multipart& answer) {
        texts frames;
        for (const auto& frame : answer)
            frames.push_back(frame.to_string());
        answers.push_back(frames);
    });
    const std::vector<texts> requests = {
        {""},
        {"2.0", "id"},
        {"1.0"},
        {"1.0", "id", "domain", "address", "identity"},
        {"1.0", "id", "domain", "address", "identity", "CURVE"},
        {"1.0", "id", "domain", "address", "identity", "CURVE", "31 bytes are not a key........."},
        {"1.0", "id", "domain", "address", "identity", "PLAIN", "name"},
        {"1.0", "id", "domain", "address", "identity", "GSSAPI", "principal"},
        {"1.0", "id", "domain", "line\nbreak", "identity", "NU\rLL"},
        texts(1000, "1.0"),
    };
    for (const auto& request : requests) {
        zmq_multipart whole;
        for (const auto& frame : request)
            whole.emplace_back(frame.data(), frame.size());
        const auto before = answers.size();
        ASSERT_TRUE(asking.send(whole));
        until([&] { return answers.size() > before; });
        ASSERT_EQ(answers.back().size(), 6u);
        EXPECT_EQ(answers.back()[0], "1.0");
        EXPECT_EQ(answers.back()[1], request.size() > 1 ? request[1] : "");
        EXPECT_EQ(answers.back()[2], "500");
        EXPECT_EQ(answers.back()[4], "") << "no user";
    }
    EXPECT_EQ(auth.denied(), requests.size());
    for (const auto& each : decisions)
        EXPECT_EQ(each.text().find_first_of("\r\n"), std::string::npos);
}

TEST_F(ZmqAuth, MayBeDestroyedInItsCallback)
{
    auto auth = std::make_unique<zmq_auth>(loop, context);
    bool called = false;
    auth->on_decision([&](const zmq_auth_decision& each) {
        called = true;
        auth.reset();
        EXPECT_EQ(each.status, "400");
    });
    const auto guarded = curve_server();
    const key_pair mallory;
    const auto sender = client(guarded->last_endpoint(), "hello", with_key(mallory));
    until([&] { return called; });
}

TEST_F(ZmqAuth, EndsWithTheContext)
{
    const zmq_auth auth(loop, context);
    context.shutdown();
    until([&] { return auth.closed(); });
}

// --- the list ---------------------------------------------------------------------------------

TEST(ZmqAllowList, ReadsItsFile)
{
    const auto directory = test::temp_dir();
    const auto path = (directory.path() / "clients").string();
    const key_pair one;
    const key_pair two;
    std::ofstream(path) << "# who may come\n\ncurve " << one.open
                        << " alice # her laptop\n\tcurve\t" << two.open
                        << "\r\nplain bob pass#word\nnull inside";
    const auto list = zmq_allow_list::from_file(path);
    EXPECT_EQ(list.size(), 4u);
    EXPECT_NE(failure([&] { (void)zmq_allow_list::from_file(path + ".not"); }).find(path),
              std::string::npos);
}

TEST(ZmqAllowList, NamesLineAndColumnOfWhatIsWrong)
{
    const auto wrong = [](const std::string& text) {
        return failure([&] { (void)zmq_allow_list::parse(text, "clients"); });
    };
    const key_pair one;
    EXPECT_EQ(wrong("\nkerberos x"), "clients:2:1: 'kerberos' is none of curve, plain, null");
    EXPECT_EQ(wrong("curve  short"),
              "clients:1:8: 'short' is not a public key: 40 characters of Z85");
    EXPECT_EQ(wrong("curve " + std::string(40, '~') + " x").find("clients:1:"), 0u);
    EXPECT_EQ(wrong("curve"), "clients:1:6: a public key in Z85 is missing");
    EXPECT_EQ(wrong("plain # nobody"), "clients:1:6: a name is missing");
    EXPECT_EQ(wrong("plain bob"),
              "clients:1:10: the password of bob has 0 bytes: 1 to 255 are allowed");
    EXPECT_EQ(wrong("null inside out"), "clients:1:13: 'out' is one word too many");
    EXPECT_EQ(wrong("curve " + one.open + " a b").find("clients:1:50: 'b'"), 0u);
    EXPECT_EQ(wrong("null " + std::string(256, 'x')).find("clients:1:6: the domain has 256"), 0u);
}

TEST(ZmqAllowList, HasALimit)
{
    EXPECT_EQ(failure([] { (void)zmq_allow_list::parse("null a\nnull b\nnull c\n", "l", 2); }),
              "l:3:6: more than 2 entries");
    const std::string full = "null a\nplain b c\n";
    EXPECT_EQ(zmq_allow_list::parse(full + full, "l", 2).size(), 2u) << "an entry is replaced";
}

TEST(ZmqAllowList, AFileThatCannotBeReadOrHasNoEndIsRefusedByName)
{
    EXPECT_EQ(failure([] { (void)zmq_allow_list::from_file("/"); }),
              "cannot read /: Is a directory");
    EXPECT_EQ(
        failure([] { (void)zmq_allow_list::from_file("/dev/zero", 1); }).find("/dev/zero: more"),
        0u);
}

} // namespace
