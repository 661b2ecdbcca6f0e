// SPDX-License-Identifier: MIT
#include <funcptr/connect.h>
#include <funcptr/connection.h>
#include <funcptr/ssl_filter.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../src/detail/happy_eyeballs.h"
#include "support/certificates.h"
#include "support/listening.h"
#include "support/name_server.h"

namespace {

using namespace std::chrono_literals;
using funcptr::accepted;
using funcptr::address;
using funcptr::address_family;
using funcptr::bind_listeners;
using funcptr::connect_dual_stack;
using funcptr::connect_options;
using funcptr::connect_result;
using funcptr::connecting;
using funcptr::listener;
using funcptr::unique_fd;
using funcptr::detail::happy_eyeballs;
using funcptr::testing::connect_to;
using funcptr::testing::has_ipv6;
using funcptr::testing::name_server;

// --- the order --------------------------------------------------------------------------------

std::vector<address> all_of(std::initializer_list<const char*> texts)
{
    std::vector<address> all;
    for (const auto* each : texts)
        all.push_back(*address::parse(each).value);
    return all;
}
std::string order_of(happy_eyeballs& from)
{
    std::string text;
    while (const auto next = from.next())
        text += next->host() + " ";
    return text;
}

TEST(HappyEyeballs, TheFamiliesTakeTurnsBeginningWithIpv6)
{
    happy_eyeballs all(9);
    all.answered(address_family::ipv6, all_of({"::1", "::2", "::3"}));
    all.answered(address_family::ipv4, all_of({"1.1.1.1", "2.2.2.2"}));
    EXPECT_EQ(order_of(all), "::1 1.1.1.1 ::2 2.2.2.2 ::3 ");
    EXPECT_TRUE(all.complete());
}

TEST(HappyEyeballs, ALateAnswerTakesItsTurnAmongWhatIsLeft)
{
    happy_eyeballs all(9);
    all.answered(address_family::ipv6, all_of({"::1", "::2"}));
    EXPECT_EQ(all.next()->host(), "::1");
    all.answered(address_family::ipv4, all_of({"1.1.1.1"}));
    EXPECT_EQ(order_of(all), "1.1.1.1 ::2 ");
}

TEST(HappyEyeballs, Ipv4WaitsForIpv6UntilItIsHurried)
{
    happy_eyeballs all(9);
    all.answered(address_family::ipv4, all_of({"1.1.1.1", "2.2.2.2"}));
    EXPECT_TRUE(all.is_waiting());
    EXPECT_FALSE(all.next());
    EXPECT_FALSE(all.empty());
    all.hurry();
    EXPECT_EQ(all.next()->host(), "1.1.1.1");
    all.answered(address_family::ipv6, all_of({"::1"}));
    EXPECT_EQ(order_of(all), "::1 2.2.2.2 ");
}

TEST(HappyEyeballs, Ipv4DoesNotWaitForWhatIsNotThere)
{
    happy_eyeballs all(9);
    all.answered(address_family::ipv6, {});
    all.answered(address_family::ipv4, all_of({"1.1.1.1"}));
    EXPECT_FALSE(all.is_waiting());
    EXPECT_EQ(order_of(all), "1.1.1.1 ");
}

TEST(HappyEyeballs, TakesEachOnceAndNoMoreThanItsLimitOfEachFamily)
{
    happy_eyeballs all(2);
    all.answered(address_family::ipv6, all_of({"::1", "::1", "::2", "::3"}));
    all.answered(address_family::ipv4, all_of({"1.1.1.1", "2.2.2.2", "3.3.3.3"}));
    EXPECT_EQ(order_of(all), "::1 1.1.1.1 ::2 2.2.2.2 ");
}

// --- connecting -------------------------------------------------------------------------------

/// A port at which a connection is neither made nor refused: its queue is full.
class black_hole {
public:
    explicit black_hole(const address& where)
        : socket_(::socket(where.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const int on = 1;
        if (where.family() == address_family::ipv6)
            ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        EXPECT_EQ(::bind(socket_.get(), where.data(), where.size()), 0);
        EXPECT_EQ(::listen(socket_.get(), 0), 0);
        sockaddr_storage raw{};
        socklen_t size = sizeof raw;
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&raw), &size);
        where_ = address::from(reinterpret_cast<sockaddr*>(&raw), size);
        fill_.push_back(connect_to(where_));
    }
    const address& where() const { return where_; }

private:
    unique_fd socket_;
    address where_;
    std::vector<unique_fd> fill_;
};

class Connect : public funcptr::testing::listening {
protected:
    std::optional<connect_result> got;

    std::function<void(connect_result)> note()
    {
        return [this](connect_result result) {
            EXPECT_FALSE(got) << "called twice";
            got = std::move(result);
        };
    }
    connect_result& result_of(std::string_view target, const connect_options& options = {})
    {
        got.reset();
        attempt = connect_dual_stack(loop, target, note(), options);
        EXPECT_TRUE(attempt.pending());
        EXPECT_FALSE(got);
        until([&] { return got.has_value(); });
        EXPECT_FALSE(attempt.pending());
        return *got;
    }
    /// Both loopback addresses, one port.
    std::string on_both() const { return "127.0.0.1:0,[::1]:0"; }

    connecting attempt;
};

TEST_F(Connect, ToAnAddressGivesASocketAndItsAddresses)
{
    for (const auto* where : {"127.0.0.1:0", "[::1]:0"}) {
        if (where[0] == '[' && !has_ipv6())
            continue;
        listener server(loop, where, keep());
        auto& result = result_of(server.addresses()[0].to_string());
        ASSERT_FALSE(result.error) << result.report;
        EXPECT_EQ(result.peer.peer, server.addresses()[0]);
        until([&] { return !peers.empty(); });
        EXPECT_EQ(result.peer.local, peers[0].peer);
        EXPECT_EQ(result.report.attempts.size(), 1u);
        EXPECT_TRUE(result.report.lookups.empty());
        peers.clear();
    }
}

TEST_F(Connect, ToAUnixSocketToo)
{
    const std::string spec = "unix:@funcptr_connect_" + std::to_string(::getpid());
    listener server(loop, spec, keep());
    EXPECT_FALSE(result_of(spec).error);
}

TEST_F(Connect, ARefusalIsToldWithTheAddress)
{
    auto bound = bind_listeners("127.0.0.1:0");
    const auto where = bound.addresses[0].to_string();
    bound.sockets.clear();
    auto& result = result_of(where);
    EXPECT_EQ(result.error, std::errc::connection_refused);
    EXPECT_EQ(result.report.to_string(), where + ": not to " + where + ": Connection refused");
    EXPECT_FALSE(result.peer.socket);
}

TEST_F(Connect, ToAPortThatSwallowsEverythingMeetsTheDeadline)
{
    const black_hole hole(*address::parse("127.0.0.1:0").value);
    auto& result = result_of(hole.where().to_string(), {.deadline = 50ms});
    EXPECT_EQ(result.error, std::errc::timed_out);
    ASSERT_EQ(result.report.attempts.size(), 1u);
    EXPECT_EQ(result.report.attempts[0].error, std::errc::timed_out);
}

TEST_F(Connect, ToANameOfTheHostsFile)
{
    listener server(loop, "127.0.0.1:0", keep());
    for (const bool system : {false, true}) {
        auto& result = result_of("localhost:" + std::to_string(server.port()),
                                 {.resolution_delay = 0ms, .system_resolver = system});
        EXPECT_FALSE(result.error) << result.report;
        EXPECT_FALSE(result.report.lookups.empty());
    }
}

TEST_F(Connect, ANameThatDoesNotExistIsAnError)
{
    auto& result = result_of("no.such.host.invalid:80", {.system_resolver = true});
    EXPECT_EQ(result.error, funcptr::errc::resolve) << result.report;
    ASSERT_EQ(result.report.lookups.size(), 2u);
    EXPECT_NE(result.report.lookups[0].error, "");
    EXPECT_NE(result.report.to_string().find("no IPv4: "), std::string::npos) << result.report;
}

TEST_F(Connect, SaysWhereATargetIsWrong)
{
    const std::pair<const char*, const char*> cases[] = {
        {"example.org", "a port is missing (at character 12)"},
        {"*:80", "that can be listened on, not connected to (at character 1)"},
        {"systemd", "that can be listened on, not connected to (at character 1)"},
        {"a:1,b:2", "one address is needed (at character 4)"},
        {"example.org:nosuchservice", "no service is named nosuchservice"},
    };
    for (const auto& [target, why] : cases) {
        try {
            attempt = connect_dual_stack(loop, target, note());
            ADD_FAILURE() << target;
        } catch (const funcptr::error& failed) {
            EXPECT_NE(std::string(failed.what()).find(why), std::string::npos) << failed.what();
        }
    }
    EXPECT_THROW(attempt = connect_dual_stack(loop, "::1", note(), {}), funcptr::error);
    EXPECT_THROW(attempt = connect_dual_stack(loop, "127.0.0.1:1", nullptr), std::invalid_argument);
    EXPECT_THROW(attempt = connect_dual_stack(loop, "127.0.0.1:1", note(), {.deadline = 0ms}),
                 std::invalid_argument);
    EXPECT_THROW(attempt = connect_dual_stack(loop, "127.0.0.1:1", note(), {.attempt_delay = 9ms}),
                 std::invalid_argument);
    EXPECT_THROW(
        attempt = connect_dual_stack(loop, "x.example:1", note(), {.name_servers = "no address"}),
        funcptr::error);
}

TEST_F(Connect, CallsNobodyOnceItIsCancelledOrDestroyed)
{
    listener server(loop, "127.0.0.1:0", keep());
    for (const auto* target : {"127.0.0.1:", "localhost:"}) {
        for (int turns = 0; turns < 3; ++turns) {
            attempt = connect_dual_stack(loop, target + std::to_string(server.port()),
                                         [](connect_result) { ADD_FAILURE() << "called"; });
            if (turns == 1)
                attempt.cancel();
            else
                attempt = {};
            EXPECT_FALSE(attempt.pending());
            turn();
        }
        const auto late = connect_dual_stack(loop, "localhost:1",
                                             [](connect_result) { ADD_FAILURE() << "called"; },
                                             {.system_resolver = true});
    }
    // The answer of the last ones comes when nobody waits for it any more.
    EXPECT_EQ(result_of("localhost:1", {.system_resolver = true}).error,
              std::errc::connection_refused);
}

TEST_F(Connect, MayBeDestroyedInItsHandlerAndMayThrow)
{
    listener server(loop, "127.0.0.1:0", keep());
    const auto target = server.addresses()[0].to_string();
    auto mine = std::make_unique<connecting>();
    *mine = connect_dual_stack(loop, target, [&](connect_result) {
        mine.reset();
        throw std::runtime_error("from the handler");
    });
    EXPECT_THROW(while (mine) funcptr::run(loop, ev::ONCE), std::runtime_error);
    EXPECT_FALSE(result_of(target).error);
}

TEST_F(Connect, GivesAConnectionWithTls)
{
    const auto& certificates = funcptr::testing::certificates();
    const funcptr::tls_context server_tls({.role = funcptr::tls_role::server,
                                           .certificate_pem = certificates.server.certificate_pem,
                                           .key_pem = certificates.server.key_pem});
    const funcptr::tls_context client_tls({.trust_pem = certificates.authority.certificate_pem});
    funcptr::connection_set all(loop);
    listener server(loop, "127.0.0.1:0", [&](accepted peer) {
        all.add(std::move(peer), funcptr::SSLFilter(server_tls))
            .on_data([](funcptr::connection& c, funcptr::buffer& in) { c.write(in); });
    });
    std::string answer;
    attempt = connect_dual_stack(
        loop, "localhost:" + std::to_string(server.port()), [&](connect_result result) {
            ASSERT_FALSE(result.error) << result.report;
            auto& client =
                all.add(std::move(result.peer), funcptr::SSLFilter(client_tls, "localhost"));
            client.on_open([](funcptr::connection& c) { c.write("hello"); });
            client.on_data([&](funcptr::connection& c, funcptr::buffer& in) {
                answer += in.view();
                in.clear();
                c.close();
            });
        });
    until([&] { return !answer.empty(); });
    EXPECT_EQ(answer, "hello");
}

// --- names, with a server that answers when it is told to
// -----------------------------------------

class ConnectByName : public Connect {
protected:
    std::unique_ptr<name_server> dns;
    connect_options options;
    std::optional<listener> server;
    std::string target;

    void SetUp() override
    {
        Connect::SetUp();
#ifndef HAVE_CARES
        GTEST_SKIP() << "the library was built without c-ares";
#endif
        if (!has_ipv6())
            GTEST_SKIP() << "no IPv6 on this machine";
        dns = std::make_unique<name_server>(loop);
        options.name_servers = dns->address();
        options.resolution_delay = 30s;
        options.attempt_delay = 30s;
        server.emplace(loop, on_both(), keep());
        target = "some.example:" + std::to_string(server->port());
    }
    void begin()
    {
        attempt = connect_dual_stack(loop, target, note(), options);
        until([&] { return dns->was_asked(name_server::a) && dns->was_asked(name_server::aaaa); });
    }
    connect_result& end()
    {
        until([&] { return got.has_value(); });
        return *got;
    }
    /// The families of the attempts, in their order.
    std::string tried() const
    {
        std::string text;
        for (const auto& each : got->report.attempts)
            text += each.where.family() == address_family::ipv6 ? '6' : '4';
        return text;
    }
};

TEST_F(ConnectByName, PrefersIpv6)
{
    dns->answer(name_server::a, {"127.0.0.1"});
    dns->answer(name_server::aaaa, {"::1"});
    begin();
    EXPECT_FALSE(end().error) << got->report;
    EXPECT_EQ(tried(), "6");
    EXPECT_EQ(got->peer.peer.to_string(), "[::1]:" + std::to_string(server->port()));
}

TEST_F(ConnectByName, DoesNotWaitForIpv4)
{
    begin();
    dns->answer(name_server::aaaa, {"::1"});
    EXPECT_FALSE(end().error);
    EXPECT_EQ(got->report.lookups.size(), 1u);
}

TEST_F(ConnectByName, WaitsAMomentForIpv6)
{
    begin();
    dns->answer(name_server::a, {"127.0.0.1"});
    turn();
    EXPECT_FALSE(got);
    dns->answer(name_server::aaaa, {"::1"});
    EXPECT_FALSE(end().error);
    EXPECT_EQ(tried(), "6");
}

TEST_F(ConnectByName, GoesOnWithIpv4WhenIpv6TakesTooLong)
{
    options.resolution_delay = 20ms;
    begin();
    dns->answer(name_server::a, {"127.0.0.1"});
    EXPECT_FALSE(end().error);
    EXPECT_EQ(tried(), "4");
    ASSERT_EQ(got->report.lookups.size(), 1u);
    EXPECT_EQ(got->report.lookups[0].family, address_family::ipv4);
}

TEST_F(ConnectByName, GoesOnWithIpv4AtOnceWhenThereIsNoIpv6)
{
    begin();
    dns->answer(name_server::aaaa, {});
    dns->answer(name_server::a, {"127.0.0.1"});
    EXPECT_FALSE(end().error);
    EXPECT_EQ(tried(), "4");
}

TEST_F(ConnectByName, TriesTheOtherFamilyAtOnceWhenOneIsRefused)
{
    server.reset();
    server.emplace(loop, "127.0.0.1:0", keep()); // nobody listens at ::1
    target = "some.example:" + std::to_string(server->port());
    dns->answer(name_server::a, {"127.0.0.1"});
    dns->answer(name_server::aaaa, {"::1"});
    begin();
    EXPECT_FALSE(end().error) << got->report; // within 30 s of attempt_delay
    EXPECT_EQ(tried(), "64");
    EXPECT_EQ(got->report.attempts[0].error, std::errc::connection_refused);
    EXPECT_NE(got->report.to_string().find("connected to 127.0.0.1:"), std::string::npos)
        << got->report;
    EXPECT_NE(got->report.to_string().find("; not to [::1]:"), std::string::npos) << got->report;
}

TEST_F(ConnectByName, TriesTheOtherFamilyBesideOneThatHangs)
{
    server.reset();
    const black_hole hole(*address::parse("[::1]:0").value);
    server.emplace(loop, "127.0.0.1:" + std::to_string(hole.where().port()), keep());
    target = "some.example:" + std::to_string(server->port());
    options.attempt_delay = 20ms;
    dns->answer(name_server::a, {"127.0.0.1"});
    dns->answer(name_server::aaaa, {"::1"});
    begin();
    EXPECT_FALSE(end().error) << got->report;
    EXPECT_EQ(tried(), "64");
    EXPECT_EQ(got->report.attempts[0].error, std::errc::operation_canceled);
    EXPECT_EQ(got->report.to_string().find("not to"), std::string::npos) << got->report;
}

TEST_F(ConnectByName, TriesEveryAddressAndTellsOfEach)
{
    server.reset();
    dns->answer(name_server::a, {"127.0.0.1", "127.0.0.2", "127.0.0.3"});
    dns->answer(name_server::aaaa, {"::1"});
    options.addresses = 2;
    begin();
    EXPECT_EQ(end().error, std::errc::connection_refused);
    EXPECT_EQ(tried(), "644");
    EXPECT_EQ(got->report.lookups.size(), 2u);
}

TEST_F(ConnectByName, WithoutAnyAddressSaysWhatTheResolverSaid)
{
    dns->answer(name_server::a, {});
    dns->answer(name_server::aaaa, {});
    begin();
    EXPECT_EQ(end().error, funcptr::errc::resolve);
    EXPECT_NE(got->report.to_string().find("no IPv6: "), std::string::npos) << got->report;
    EXPECT_TRUE(got->report.attempts.empty());
}

TEST_F(ConnectByName, WithoutAnAnswerMeetsTheDeadlineAndGivesUpTheQuestion)
{
    options.deadline = 50ms;
    begin();
    EXPECT_EQ(end().error, std::errc::timed_out);
    dns->answer(name_server::a, {"127.0.0.1"});
    turn();
    EXPECT_TRUE(peers.empty());
}

TEST_F(ConnectByName, MayBeDestroyedWhileItAsks)
{
    for (const auto late : {name_server::a, name_server::aaaa}) {
        begin();
        attempt.cancel();
        dns->answer(late, {late == name_server::a ? "127.0.0.1" : "::1"});
        turn();
        EXPECT_FALSE(got);
    }
}

} // namespace
