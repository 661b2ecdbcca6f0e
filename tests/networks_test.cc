// SPDX-License-Identifier: MIT
//
// The listener on every odd network a machine can have: each in a network namespace of its own. Who
// may not make one sees these skipped, with the reason.
#include <funcptr/connect.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/network_namespace.h"
#include "support/sockets.h"

namespace {

using funcptr::address;
using funcptr::address_family;
using funcptr::bind_listeners;
using funcptr::bind_policy;
using funcptr::unique_fd;
using funcptr::testing::as_neighbour;
using funcptr::testing::connect_to;
using funcptr::testing::in_namespace;
using namespace std::string_literals;

using commands = std::vector<std::string>;

const commands loopback{"ip link set lo up"};
const commands no_ipv6{"ip link set lo up", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1"};
const commands nothing_up{};
/// Without waiting for duplicate address detection (RFC 4862, 5.4), which IPv6 alone has.
std::string add(const std::string& where, const char* to)
{
    return "ip addr add " + where + " dev " + to + (where.find(':') == where.npos ? "" : " nodad");
}
/// lo and one end of a veth, with these addresses.
commands veth(const std::string& addresses)
{
    commands all{"ip link set lo up", "ip link add here type veth peer name there",
                 "sysctl -qw net.ipv6.conf.here.accept_dad=0"};
    std::istringstream words(addresses);
    for (std::string each; words >> each;)
        all.push_back(add(each, "here"));
    all.push_back("ip link set here up");
    return all;
}
commands with(commands all, const std::string& more)
{
    all.push_back(more);
    return all;
}

class Networks : public ::testing::Test {
protected:
    static void SetUpTestSuite() { why_not() = funcptr::testing::no_namespaces(); }
    void SetUp() override
    {
        if (!why_not().empty())
            GTEST_SKIP() << why_not();
    }
    static std::string& why_not()
    {
        static std::string text;
        return text;
    }
};

// --- what a namespace is asked ------------------------------------------------------------------

bool is_reached(const char* host, std::uint16_t port)
{
    return static_cast<bool>(connect_to(address::parse(host).value->with_port(port)));
}

/// "0.0.0.0 [::] same; reached 127.0.0.1 ::1", or the error.
std::string listen(const std::string& spec, bind_policy policy = bind_policy::prefer_all)
{
    std::string text;
    try {
        const auto bound = bind_listeners(spec, {.policy = policy});
        std::set<std::uint16_t> ports;
        for (const auto& each : bound.addresses) {
            text += each.host() + " ";
            ports.insert(each.port());
        }
        text += ports.size() == 1 ? "same; reached" : "DIFFERENT PORTS; reached";
        for (const auto* host : {"127.0.0.1", "::1"})
            if (is_reached(host, *ports.begin()))
                text += " "s + host;
        for (const auto& each : bound.report.entries)
            if (each.error)
                text += "; not " + each.where.host() + ": " + each.error.message();
    } catch (const funcptr::error& failed) {
        text = failed.code().message();
    }
    return text;
}

std::string listened(const commands& network, const std::string& spec,
                     bind_policy policy = bind_policy::prefer_all)
{
    return in_namespace(network, [&] { return listen(spec, policy); });
}

// --- the matrix ---------------------------------------------------------------------------------

/// What is one port on both families, whichever comes first and whatever bindv6only says.
class Matrix : public Networks, public ::testing::WithParamInterface<std::tuple<bool, bool>> {
protected:
    static bool ipv6_first() { return std::get<0>(GetParam()); }
    static commands on(commands network)
    {
        return with(std::move(network),
                    "sysctl -qw net.ipv6.bindv6only="s + (std::get<1>(GetParam()) ? "1" : "0"));
    }
    static std::string both() { return ipv6_first() ? "[::]:0,0.0.0.0:0" : "0.0.0.0:0,[::]:0"; }
    static std::string both_hosts() { return ipv6_first() ? ":: 0.0.0.0" : "0.0.0.0 ::"; }
    static std::string both_loopbacks()
    {
        return ipv6_first() ? "[::1]:0,127.0.0.1:0" : "127.0.0.1:0,[::1]:0";
    }
};

INSTANTIATE_TEST_SUITE_P(All, Matrix, ::testing::Combine(::testing::Bool(), ::testing::Bool()),
                         [](const auto& each) {
                             return std::string(std::get<0>(each.param) ? "Ipv6First" : "Ipv4First")
                                    + (std::get<1>(each.param) ? "Bindv6only" : "");
                         });

TEST_P(Matrix, WithLoopbackAlone)
{
    EXPECT_EQ(listened(on(loopback), both()), both_hosts() + " same; reached 127.0.0.1 ::1");
    EXPECT_EQ(listened(on(loopback), "*:0"), "0.0.0.0 :: same; reached 127.0.0.1 ::1");
}

TEST_P(Matrix, WithNothingUp)
{
    EXPECT_EQ(listened(on(nothing_up), both()), both_hosts() + " same; reached");
    // Linux may allow 127.0.0.1 all the same; nobody reaches it.
    const auto text = listened(on(nothing_up), both_loopbacks());
    EXPECT_NE(text.find("Cannot assign requested address"), text.npos) << text;
}

TEST_P(Matrix, WithIpv6Disabled)
{
    EXPECT_EQ(listened(on(no_ipv6), both()), both_hosts() + " same; reached 127.0.0.1");
    EXPECT_EQ(listened(on(no_ipv6), both_loopbacks()),
              "127.0.0.1 same; reached 127.0.0.1; not ::1: Cannot assign requested address");
    EXPECT_EQ(listened(on(no_ipv6), both_loopbacks(), bind_policy::require_all),
              "Cannot assign requested address");
}

/// A neighbour comes in over a veth: to that address of ours, from that one of its own.
std::string visited(const commands& network, const std::string& spec, const char* ours,
                    const std::string& theirs)
{
    return in_namespace(network, [&] {
        ev::dynamic_loop loop;
        std::optional<funcptr::accepted> got;
        funcptr::listener server(loop, spec,
                                 [&](funcptr::accepted peer) { got = std::move(peer); });
        const auto port = server.port();
        const auto there =
            as_neighbour("there", {add(theirs, "there"), "ip link set there up"}, [&] {
                return is_reached(ours, port) ? "came"s : "not reached: "s + std::strerror(errno);
            });
        if (there != "came")
            return there;
        while (!got)
            loop.run(ev::ONCE);
        return "from " + got->peer.host();
    });
}

TEST_P(Matrix, WithAnIpv4NetworkAlone)
{
    const auto network =
        with(on(veth("10.9.0.1/24")), "sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    EXPECT_EQ(visited(network, both(), "10.9.0.1", "10.9.0.2/24"), "from 10.9.0.2");
    EXPECT_EQ(visited(network, "10.9.0.1:0", "10.9.0.1", "10.9.0.2/24"), "from 10.9.0.2");
}

TEST_P(Matrix, WithAnIpv6NetworkAlone)
{
    const auto network = on(veth("fd09::1/64"));
    EXPECT_EQ(visited(network, both(), "fd09::1", "fd09::2/64"), "from fd09::2");
    EXPECT_EQ(visited(network, "[fd09::1]:0", "fd09::1", "fd09::2/64"), "from fd09::2");
}

// --- names and scopes ---------------------------------------------------------------------------

TEST_F(Networks, TheLoopbacksNameNeedsNoOtherInterface)
{
    const auto text = listened(loopback, "localhost:0");
    EXPECT_NE(text.find("127.0.0.1"), std::string::npos) << text;
    EXPECT_EQ(text.find("not "), std::string::npos) << text;
}

TEST_F(Networks, ALinkLocalAddressIsBoundWithItsInterfaceAndNotWithout)
{
    const auto network = veth("fe80::9/64");
    EXPECT_EQ(visited(network, "[fe80::9%here]:0", "fe80::9%there", "fe80::a/64"),
              "from fe80::a%here");
    EXPECT_EQ(in_namespace(network,
                           [] {
                               try {
                                   (void)bind_listeners("[fe80::9]:0");
                               } catch (const funcptr::error& failed) {
                                   return std::string(failed.what());
                               }
                               return "bound"s;
                           }),
              "cannot listen on \"[fe80::9]:0\": bind [fe80::9]:0: Invalid argument (a link-local "
              "address needs its interface: [fe80::1%eth0]:7020)");
}

// --- ports --------------------------------------------------------------------------------------

const commands four_ports = with(loopback, "sysctl -qw net.ipv4.ip_local_port_range='40000 40003'");

/// Takes ports of 127.0.0.1 or ::1, as others do.
std::vector<unique_fd> occupy(const char* host, std::initializer_list<std::uint16_t> ports)
{
    std::vector<unique_fd> taken;
    for (const auto port : ports)
        for (auto& each :
             bind_listeners(address::parse(host).value->with_port(port).to_string()).sockets)
            taken.push_back(std::move(each));
    return taken;
}

TEST_F(Networks, OnePortForBothIsFoundWhenMostAreTakenInOneFamily)
{
    for (const auto* host : {"127.0.0.1", "::1"})
        for (int i = 0; i < 5; ++i)
            EXPECT_EQ(in_namespace(four_ports,
                                   [&] {
                                       const auto taken = occupy(host, {40000, 40001, 40003});
                                       return std::to_string(
                                           bind_listeners("*:0").addresses.at(0).port());
                                   }),
                      "40002");
}

TEST_F(Networks, WhenNoPortIsFreeInBothThatIsSaid)
{
    EXPECT_EQ(in_namespace(four_ports,
                           [] {
                               const auto four = occupy("127.0.0.1", {40000, 40001});
                               const auto six = occupy("::1", {40002, 40003});
                               return listen("*:0");
                           }),
              "Address already in use");
}

TEST_F(Networks, WhenEveryPortOfOneFamilyIsTakenThatIsSaidAndTheOtherAloneStillFindsOne)
{
    // Nobody is reached here: a client, too, would need one of the four ports.
    const auto full = [](const char* host, const char* spec) {
        return in_namespace(four_ports, [&] {
            const auto taken = occupy(host, {40000, 40001, 40002, 40003});
            try {
                return std::to_string(bind_listeners(spec).sockets.size());
            } catch (const funcptr::error& failed) {
                return failed.code().message();
            }
        });
    };
    for (const auto* host : {"127.0.0.1", "::1"})
        EXPECT_EQ(full(host, "*:0"), "Address already in use");
    EXPECT_EQ(full("::1", "127.0.0.1:0"), "1");
    EXPECT_EQ(full("127.0.0.1", "[::1]:0"), "1");
}

// --- the client ---------------------------------------------------------------------------------

std::string connected(const std::string& target)
{
    ev::dynamic_loop loop;
    std::string text;
    const auto attempt = funcptr::connect_dual_stack(
        loop, target,
        [&](funcptr::connect_result got) {
            text = got.error ? got.error.message() : got.peer.peer.host();
            for (const auto& each : got.report.attempts)
                if (each.error)
                    text += "; not " + each.where.host() + ": " + each.error.message();
        },
        {.system_resolver = true});
    funcptr::run(loop);
    return text;
}

TEST_F(Networks, AClientGoesOverWhatIsThere)
{
    const auto try_both = [] {
        const auto bound = bind_listeners("*:0");
        return connected("localhost:" + std::to_string(bound.addresses[0].port()));
    };
    const auto four_alone = in_namespace(no_ipv6, try_both);
    EXPECT_EQ(four_alone.substr(0, 9), "127.0.0.1") << four_alone;
    const auto nothing = in_namespace(nothing_up, try_both);
    EXPECT_NE(nothing.find("nreachable"), std::string::npos) << nothing;
}

} // namespace
