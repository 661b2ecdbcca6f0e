// SPDX-License-Identifier: MIT
#include <funcptr/listener.h>
#include <funcptr/loop.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <sstream>
#include <vector>

#include "../src/detail/net_syscalls.h"
#include "support/listening.h"
#include "support/sockets.h"

namespace {

using namespace std::chrono_literals;
using funcptr::accepted;
using funcptr::address;
using funcptr::address_family;
using funcptr::bind_listeners;
using funcptr::listener;
using funcptr::unique_fd;
using funcptr::testing::connect_to;

bool has_ipv4()
{
    return funcptr::testing::can_reach("127.0.0.1:0");
}
bool has_ipv6()
{
    return funcptr::testing::can_reach("[::1]:0");
}

std::error_code failure(std::string_view spec, const funcptr::bind_options& options = {},
                        std::string* sentence = nullptr)
{
    try {
        (void)bind_listeners(spec, options);
    } catch (const funcptr::error& failed) {
        if (sentence != nullptr)
            *sentence = failed.what();
        return failed.code();
    }
    return {};
}

// --- binding ----------------------------------------------------------------------------------

TEST(BindListeners, GivesBothFamiliesOnePort)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    for (int i = 0; i < 20; ++i) {
        const auto bound = bind_listeners("*:0");
        ASSERT_EQ(bound.sockets.size(), 2u);
        EXPECT_NE(bound.addresses[0].port(), 0);
        EXPECT_EQ(bound.addresses[0].port(), bound.addresses[1].port());
        EXPECT_NE(bound.addresses[0].family(), bound.addresses[1].family());
    }
}

TEST(BindListeners, GivesLoopbackOfBothFamiliesOnePort)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    const auto bound = bind_listeners("127.0.0.1:0,[::1]:0");
    ASSERT_EQ(bound.sockets.size(), 2u);
    EXPECT_EQ(bound.addresses[0].port(), bound.addresses[1].port());
}

TEST(BindListeners, FindsThePortThatIsFreeOnBothWhenMostAreTakenOnOne)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    // IPv4 alone is taken on many ports: binding IPv6 first and trying IPv4 then would often fail.
    std::vector<unique_fd> taken;
    for (int i = 0; i < 500; ++i) {
        unique_fd fd(::socket(AF_INET, SOCK_STREAM, 0));
        const auto any = address::any_ipv4(0);
        ASSERT_EQ(::bind(fd.get(), any.data(), any.size()), 0);
        ::listen(fd.get(), 1);
        taken.push_back(std::move(fd));
    }
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(bind_listeners("*:0").sockets.size(), 2u);
}

TEST(BindListeners, SetsV6OnlyNonBlockingAndCloseOnExec)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    const auto bound = bind_listeners("[::]:0");
    int only = 0;
    socklen_t size = sizeof only;
    ::getsockopt(bound.sockets[0].get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, &size);
    EXPECT_EQ(only, 1);
    EXPECT_TRUE(::fcntl(bound.sockets[0].get(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(::fcntl(bound.sockets[0].get(), F_GETFD) & FD_CLOEXEC);
}

TEST(BindListeners, LeavesIpv4ToOthersWhenAskedForIpv6Alone)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    // Some other program may have taken that port on IPv4; not ten times in a row.
    std::error_code code;
    for (int attempt = 0; attempt < 10; ++attempt) {
        const auto bound = bind_listeners("[::]:0");
        code = failure("0.0.0.0:" + std::to_string(bound.addresses[0].port()));
        if (!code)
            break;
    }
    EXPECT_EQ(code, std::error_code());
}

TEST(BindListeners, NeverSharesAPortUnlessAsked)
{
    const auto first = bind_listeners("127.0.0.1:0");
    const auto spec = first.addresses[0].to_string();
    std::string sentence;
    EXPECT_EQ(failure(spec, {}, &sentence), std::errc::address_in_use);
    EXPECT_NE(sentence.find(spec), std::string::npos) << sentence;
    EXPECT_NE(sentence.find("(pid " + std::to_string(::getpid()) + ")"), std::string::npos)
        << "it does not name the holder: " << sentence;
    EXPECT_EQ(failure(spec, {.reuse_port = true}), std::errc::address_in_use)
        << "shared with one that did not ask for it";
}

TEST(BindListeners, TakesAllAddressesOfAName)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* list = nullptr;
    ASSERT_EQ(::getaddrinfo("localhost", "0", &hints, &list), 0);
    std::vector<address> expected; // 127.0.0.1 alone on some machines
    for (auto* each = list; each != nullptr; each = each->ai_next)
        if (const auto a = address::from(each->ai_addr, each->ai_addrlen);
            std::find(expected.begin(), expected.end(), a) == expected.end())
            expected.push_back(a);
    ::freeaddrinfo(list);
    const auto bound = bind_listeners("localhost:0");
    EXPECT_EQ(bound.report.entries.size(), expected.size());
    EXPECT_GE(bound.sockets.size(), 1u);
}

TEST(BindListeners, ToleratesAnAddressThatIsNotHereOnlyWhenOneIsLeft)
{
    if (!has_ipv4()) // Linux then has no table of its addresses, and binds any
        GTEST_SKIP() << "the loopback interface is down";
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    const auto bound = bind_listeners("127.0.0.1:0,192.0.2.1:0");
    EXPECT_EQ(bound.sockets.size(), 1u);
    ASSERT_EQ(bound.report.entries.size(), 2u);
    EXPECT_EQ(bound.report.entries[1].step, funcptr::bind_step::bind);
    EXPECT_EQ(bound.report.entries[1].error, std::errc::address_not_available);
    EXPECT_NE(bound.report.to_string().find("; not on 192.0.2.1"), std::string::npos);
    EXPECT_EQ(failure("127.0.0.1:0,192.0.2.1:0", {.policy = funcptr::bind_policy::require_all}),
              std::errc::address_not_available);
    EXPECT_EQ(failure("192.0.2.1:0"), std::errc::address_not_available);
}

TEST(BindListeners, ShowsWhereASpecIsWrong)
{
    const auto at = [](std::string_view spec) {
        std::string sentence;
        EXPECT_EQ(failure(spec, {}, &sentence), funcptr::errc::bad_spec) << spec << sentence;
        const auto mark = sentence.rfind("(at character ");
        EXPECT_NE(mark, std::string::npos) << sentence;
        return std::stoi(sentence.substr(mark + 14));
    };
    EXPECT_EQ(at(""), 1);
    EXPECT_EQ(at("*"), 2);
    EXPECT_EQ(at("*:"), 3);
    EXPECT_EQ(at(":80"), 1);
    EXPECT_EQ(at("*:70000"), 3);
    EXPECT_EQ(at("127.0.0.1:0,*:70000"), 15);
    EXPECT_EQ(at("127.0.0.1:0,"), 13);
    EXPECT_EQ(at("::1:80"), 1);
    EXPECT_EQ(at("[::1]"), 6);
    EXPECT_EQ(at("[::1:80"), 1);
    EXPECT_EQ(at("[::1%nosuch0]:80"), 6);
    EXPECT_EQ(at("[::1]80"), 6);
    EXPECT_EQ(at("[::1]:80:90"), 7);
    EXPECT_EQ(at("127.0.0.1:0, *:70000"), 16);
    EXPECT_EQ(at("unix:"), 6);
    EXPECT_EQ(at(std::string_view("127.0.0.1\0x:80", 14)), 10);
    EXPECT_EQ(at("local host:80"), 6);
    EXPECT_EQ(at("fd:x"), 4) << "taken for a host";
    EXPECT_EQ(at("*:80,fd:-1"), 9);
    EXPECT_EQ(at("fd:2147483648"), 4);
    EXPECT_EQ(at("systemd:"), 9);
    EXPECT_EQ(failure("no.such.host.invalid:80"), funcptr::errc::resolve);
    EXPECT_EQ(failure("127.0.0.1:nosuchservice"), funcptr::errc::resolve);
}

TEST(BindListeners, TakesNothingForAPortOrAHostThatOnlyGetaddrinfoTakesForOne)
{
    for (const char* spec :
         {"127.0.0.1:-1", "127.0.0.1: 0", "127.0.0.1:+0", "127.1:0", "1:0", "0x7f.1:0",
          "2130706433:0", "0177.0.0.1:0", "127.0.0.01:0", "127.0.0.1.:0"})
        EXPECT_EQ(failure(spec), funcptr::errc::bad_spec) << spec;
}

TEST(BindListeners, TakesANamedPortForEveryKindOfHost)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (::getaddrinfo(nullptr, "http-alt", &hints, &list) != 0)
        GTEST_SKIP() << "no http-alt in /etc/services (Debian: netbase)";
    const auto port = address::from(list->ai_addr, list->ai_addrlen).port();
    ::freeaddrinfo(list);
    for (const char* spec : {"127.0.0.1:http-alt", "*:http-alt", "localhost:http-alt"}) {
        try {
            for (const auto& where : bind_listeners(spec).addresses)
                EXPECT_EQ(where.port(), port) << spec;
        } catch (const funcptr::error& failed) { // the port was named, be it taken
            EXPECT_EQ(failed.code(), std::errc::address_in_use) << failed.what();
            EXPECT_NE(std::string(failed.what()).find(":" + std::to_string(port)),
                      std::string::npos)
                << failed.what();
        }
    }
}

TEST(BindListeners, AllowsSpacesAroundItsParts)
{
    EXPECT_EQ(bind_listeners(" 127.0.0.1:0 , 127.0.0.2:0 ").sockets.size(), 2u);
}

TEST(BindListeners, RefusesABacklogThatIsNone)
{
    EXPECT_THROW((void)bind_listeners("127.0.0.1:0", {.backlog = 0}), std::invalid_argument);
    EXPECT_THROW((void)bind_listeners("127.0.0.1:0", {.backlog = -1}), std::invalid_argument);
}

TEST(BindListeners, NamesTheFamilyThatIsTakenAndWhoHoldsIt)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 on this machine";
    for (const char* taken : {"127.0.0.1:0", "[::1]:0"}) {
        const auto holder = bind_listeners(taken);
        const auto port = std::to_string(holder.addresses[0].port());
        std::string sentence;
        EXPECT_EQ(failure("127.0.0.1:" + port + ",[::1]:" + port, {}, &sentence),
                  std::errc::address_in_use);
        const auto who = holder.addresses[0].to_string() + ": Address already in use (held by ";
        EXPECT_NE(sentence.find(who), std::string::npos) << sentence;
    }
}

TEST(BindListeners, LeavesNoDescriptorBehindWhenItFails)
{
    const auto count = [] {
        int open = 0;
        for (int fd = 0; fd < 1024; ++fd)
            open += ::fcntl(fd, F_GETFD) != -1;
        return open;
    };
    const auto holder = bind_listeners("127.0.0.1:0");
    const auto before = count();
    for (int i = 0; i < 10; ++i)
        EXPECT_NE(failure("*:" + std::to_string(holder.addresses[0].port())), std::error_code());
    EXPECT_EQ(count(), before);
}

/// Before anybody listens both can be bound, since both have SO_REUSEADDR: it is the second
/// listen() that fails, and what the first one had goes with it.
TEST(BindListeners, TakesAnErrorOfListenForOneOfTheWholeTransaction)
{
    std::string sentence;
    EXPECT_EQ(failure("0.0.0.0:0,127.0.0.1:0", {}, &sentence), std::errc::address_in_use);
    EXPECT_NE(sentence.find(": listen 127.0.0.1:"), std::string::npos) << sentence;
    const auto port = sentence.substr(sentence.find("listen 127.0.0.1:") + 17, 5);
    EXPECT_EQ(failure("0.0.0.0:" + port.substr(0, port.find(':'))), std::error_code())
        << "something still holds the port of: " << sentence;
}

/// A path of this test's own; it and its lock are removed at the end.
class UnixPath : public ::testing::Test {
protected:
    const std::string path =
        ::testing::TempDir() + "funcptr_listener_test_" + std::to_string(::getpid()) + ".sock";
    const std::string spec = "unix:" + path;

    void SetUp() override { TearDown(); }
    void TearDown() override
    {
        ::unlink(path.c_str());
        ::unlink((path + ".lock").c_str());
    }
    bool is_there() const { return ::access(path.c_str(), F_OK) == 0; }
    /// What a process that was killed leaves behind.
    void leave_behind() const
    {
        const unique_fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
        const auto where = *address::parse(spec).value;
        ASSERT_EQ(::bind(dead.get(), where.data(), where.size()), 0);
    }
};

TEST_F(UnixPath, IsBoundBesideAnAbstractName)
{
    const auto bound = bind_listeners(spec + ",unix:@funcptr_test_" + std::to_string(::getpid()));
    EXPECT_EQ(bound.sockets.size(), 2u);
    for (const auto& where : bound.addresses)
        EXPECT_TRUE(connect_to(where)) << where;
}

TEST_F(UnixPath, HasThePermissionsAskedFor)
{
    for (const mode_t mode : {0600U, 0666U}) {
        const auto bound = bind_listeners(spec, {.unix_mode = mode});
        struct stat file {};
        ASSERT_EQ(::stat(path.c_str(), &file), 0);
        EXPECT_EQ(file.st_mode & 0777, mode);
    }
}

TEST_F(UnixPath, InUseIsNotTakenOver)
{
    const auto bound = bind_listeners(spec);
    EXPECT_EQ(failure(spec), std::errc::address_in_use);
    EXPECT_TRUE(connect_to(bound.addresses[0]));
}

TEST_F(UnixPath, InUseByOneWhoDoesNotKnowTheLockIsNotTakenOver)
{
    const unique_fd other(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto where = *address::parse(spec).value;
    ASSERT_EQ(::bind(other.get(), where.data(), where.size()), 0);
    ASSERT_EQ(::listen(other.get(), 1), 0);
    EXPECT_EQ(failure(spec), std::errc::address_in_use);
    EXPECT_TRUE(connect_to(where));
}

TEST_F(UnixPath, LeftBehindByADeadProcessIsTakenOver)
{
    leave_behind();
    const auto bound = bind_listeners(spec);
    EXPECT_TRUE(connect_to(bound.addresses[0]));
}

TEST_F(UnixPath, ThatIsNoStreamSocketIsNotRemoved)
{
    const unique_fd alive(::socket(AF_UNIX, SOCK_DGRAM, 0));
    const auto where = *address::parse(spec).value;
    ASSERT_EQ(::bind(alive.get(), where.data(), where.size()), 0);
    EXPECT_EQ(failure(spec), std::errc::address_in_use);
    EXPECT_TRUE(is_there());
    ::unlink(path.c_str());
    unique_fd(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
    EXPECT_EQ(failure(spec), std::errc::address_in_use);
    EXPECT_TRUE(is_there());
}

TEST_F(UnixPath, IsRemovedWithItsSocket)
{
    {
        const auto bound = bind_listeners(spec);
        EXPECT_TRUE(is_there());
    }
    EXPECT_FALSE(is_there());
}

TEST_F(UnixPath, ThatIsSomebodyElsesByNowStays)
{
    {
        const auto bound = bind_listeners(spec);
        ::rename(path.c_str(), (path + ".old").c_str()); // keeps the inode from being used again
        leave_behind();
    }
    EXPECT_TRUE(is_there());
    ::unlink((path + ".old").c_str());
}

TEST_F(UnixPath, IsNotLeftBehindWhenTheRestOfTheSpecFails)
{
    const auto holder = bind_listeners("127.0.0.1:0");
    EXPECT_EQ(failure(spec + "," + holder.addresses[0].to_string()), std::errc::address_in_use);
    EXPECT_FALSE(is_there());
    EXPECT_EQ(bind_listeners(spec).sockets.size(), 1u);
}

TEST(BindReport, ReadsLikeASentence)
{
    funcptr::bind_report report;
    for (const char* text : {"0.0.0.0:80", "[::]:80", "10.0.0.1:80"})
        report.entries.push_back({*address::parse(text).value, {}, {}, {}});
    std::ostringstream out;
    out << report;
    EXPECT_EQ(out.str(), "listening on 0.0.0.0:80, [::]:80 and 10.0.0.1:80");
}

// --- accepting --------------------------------------------------------------------------------

class Listener : public funcptr::testing::listening {
protected:
    void TearDown() override { funcptr::detail::accept_call = ::accept4; }
};

TEST_F(Listener, HandsOutPeersOfBothFamiliesWithTheirAddress)
{
    listener both(loop, "*:0", keep());
    std::vector<unique_fd> clients;
    for (const auto& where : both.addresses()) {
        const auto to = where.family() == address_family::ipv4
                            ? address::parse("127.0.0.1").value->with_port(both.port())
                            : address::parse("::1").value->with_port(both.port());
        if (auto client = connect_to(to))
            clients.push_back(std::move(client));
    }
    EXPECT_EQ(clients.size(), has_ipv6() ? 2u : 1u);
    until([&] { return peers.size() == clients.size(); });
    for (const auto& peer : peers) {
        EXPECT_TRUE(peer.peer.is_loopback()) << peer.peer;
        EXPECT_NE(peer.peer.port(), 0);
        EXPECT_TRUE(::fcntl(peer.socket.get(), F_GETFL) & O_NONBLOCK);
        EXPECT_TRUE(::fcntl(peer.socket.get(), F_GETFD) & FD_CLOEXEC);
    }
    EXPECT_EQ(both.counters().accepted, clients.size());
    EXPECT_EQ(both.counters().connections, clients.size());
}

/// getpeername() knows nobody any more; accept() said who it was.
TEST_F(Listener, KnowsAPeerThatHasResetBeforeItWasAccepted)
{
    listener late(loop, "127.0.0.1:0", keep());
    auto client = connect_to(late.addresses()[0]);
    sockaddr_storage raw{};
    socklen_t size = sizeof raw;
    ASSERT_EQ(::getsockname(client.get(), reinterpret_cast<sockaddr*>(&raw), &size), 0);
    const auto its_own = address::from(reinterpret_cast<sockaddr*>(&raw), size);
    const linger reset{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client.reset();
    until([&] { return peers.size() + late.counters().skipped == 1; });
    if (peers.empty())
        GTEST_SKIP() << "this kernel gives it to nobody";
    EXPECT_EQ(peers[0].peer, its_own);
    size = sizeof raw;
    EXPECT_EQ(::getpeername(peers[0].socket.get(), reinterpret_cast<sockaddr*>(&raw), &size), -1);
    EXPECT_EQ(errno, ENOTCONN);
}

TEST_F(Listener, KeepsToItsLimitAndGoesOnWhenAPlaceIsGivenBack)
{
    listener small(loop, "127.0.0.1:0", keep(), {.connections = 2});
    std::vector<unique_fd> clients;
    for (int i = 0; i < 4; ++i)
        clients.push_back(connect_to(small.addresses()[0]));
    until([&] { return peers.size() == 2; });
    for (int i = 0; i < 5; ++i)
        loop.run(ev::NOWAIT);
    EXPECT_EQ(peers.size(), 2u);
    peers.erase(peers.begin());
    until([&] { return peers.size() == 2; });
    peers.clear();
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(small.counters().accepted, 4u);
}

TEST_F(Listener, TellsHowManyWaitInTheKernel)
{
    listener one(loop, "127.0.0.1:0", keep(), {.bind = {.backlog = 7}});
    EXPECT_EQ(one.queue().waiting, 0u);
    EXPECT_EQ(one.queue().most, 7u);
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(connect_to(one.addresses()[0]));
    EXPECT_EQ(one.queue().waiting, 3u);
    until([&] { return peers.size() == 3; });
    EXPECT_EQ(one.queue().waiting, 0u);
    one.stop();
    EXPECT_EQ(one.queue().most, 0u);
}

TEST_F(Listener, SetsTheOptionsOfWhatItAccepts)
{
    const auto option = [&](int level, int name) {
        unsigned value = 0;
        socklen_t size = sizeof value;
        EXPECT_EQ(::getsockopt(peers.back().socket.get(), level, name, &value, &size), 0);
        return value;
    };
    for (const bool on : {true, false}) {
        listener one(loop, "127.0.0.1:0", keep(),
                     {.bind = {.fast_open = on ? 5 : 0},
                      .no_delay = on,
                      .keepalive = on,
                      .user_timeout = on ? 1234ms : 0ms});
        const auto client = connect_to(one.addresses()[0]);
        peers.clear();
        until([&] { return peers.size() == 1; });
        EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY) != 0, on);
        EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE) != 0, on);
        EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), on ? 1234u : 0u);
    }
    const auto fast = bind_listeners("127.0.0.1:0", {.fast_open = 5});
    int queue = 0;
    socklen_t size = sizeof queue;
    ASSERT_EQ(::getsockopt(fast.sockets[0].get(), IPPROTO_TCP, TCP_FASTOPEN, &queue, &size), 0);
    EXPECT_EQ(queue, 5);
}

TEST_F(Listener, AcceptsAtMostABatchATurn)
{
    listener batch(loop, "127.0.0.1:0", keep(), {.batch = 3});
    std::vector<unique_fd> clients;
    for (int i = 0; i < 8; ++i)
        clients.push_back(connect_to(batch.addresses()[0]));
    std::vector<std::size_t> after;
    while (peers.size() < 8 && after.size() < 100) {
        loop.run(ev::ONCE);
        after.push_back(peers.size());
    }
    EXPECT_EQ(after, (std::vector<std::size_t>{3, 6, 8}));
}

TEST_F(Listener, PausesAndResumes)
{
    listener paused(loop, "127.0.0.1:0", keep());
    paused.pause();
    const auto client = connect_to(paused.addresses()[0]);
    for (int i = 0; i < 5; ++i)
        loop.run(ev::NOWAIT);
    EXPECT_TRUE(peers.empty());
    paused.resume();
    until([&] { return peers.size() == 1; });
}

TEST_F(Listener, MayBeDestroyedInItsCallback)
{
    std::unique_ptr<listener> doomed;
    int calls = 0;
    doomed = std::make_unique<listener>(loop, "127.0.0.1:0", [&](accepted) {
        ++calls;
        doomed.reset();
    });
    const auto where = doomed->addresses()[0];
    const auto first = connect_to(where), second = connect_to(where);
    until([&] { return calls != 0; });
    loop.run(ev::NOWAIT);
    EXPECT_EQ(calls, 1);
}

TEST_F(Listener, ACallbackThatThrowsBreaksTheLoopAndItGoesOn)
{
    int calls = 0;
    listener throwing(loop, "127.0.0.1:0", [&](accepted) {
        if (++calls == 1)
            throw std::runtime_error("refused");
        loop.break_loop();
    });
    const auto first = connect_to(throwing.addresses()[0]);
    EXPECT_THROW(funcptr::run(loop), std::runtime_error);
    const auto second = connect_to(throwing.addresses()[0]);
    funcptr::run(loop);
    EXPECT_EQ(calls, 2);
}

TEST_F(Listener, OutlivedByItsConnectionsPlaces)
{
    auto brief = std::make_unique<listener>(loop, "127.0.0.1:0", keep());
    const auto client = connect_to(brief->addresses()[0]);
    until([&] { return peers.size() == 1; });
    brief.reset();
    peers.clear(); // gives its place back to nobody
}

TEST_F(Listener, StopAcceptsWhatTheKernelHadLetInAndResetsNobody)
{
    listener stopping(loop, "127.0.0.1:0", keep());
    std::vector<unique_fd> clients;
    for (int i = 0; i < 5; ++i)
        clients.push_back(connect_to(stopping.addresses()[0]));
    stopping.stop();
    EXPECT_EQ(peers.size(), 5u);
    for (const auto& client : clients)
        EXPECT_EQ(funcptr::testing::peer_ended(client.get()), 0);
    EXPECT_FALSE(connect_to(stopping.addresses()[0]));
    stopping.stop();
}

TEST_F(Listener, StoppedInItsCallbackHandsOutTheRestOnceThatHasReturned)
{
    int depth = 0;
    std::unique_ptr<listener> stopping;
    stopping = std::make_unique<listener>(loop, "127.0.0.1:0", [&](accepted peer) {
        EXPECT_EQ(++depth, 1);
        peers.push_back(std::move(peer));
        stopping->stop();
        --depth;
    });
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(connect_to(stopping->addresses()[0]));
    until([&] { return peers.size() == 3; });
    for (const auto& client : clients)
        EXPECT_EQ(funcptr::testing::peer_ended(client.get()), 0);
    EXPECT_FALSE(connect_to(stopping->addresses()[0]));
}

TEST_F(Listener, DestroyedWhileItIsStoppingLeavesTheRest)
{
    int calls = 0;
    std::unique_ptr<listener> doomed;
    doomed = std::make_unique<listener>(loop, "127.0.0.1:0", [&](accepted) {
        if (++calls == 2)
            doomed.reset();
    });
    const auto where = doomed->addresses()[0];
    const auto first = connect_to(where), second = connect_to(where), third = connect_to(where);
    doomed->stop();
    EXPECT_EQ(calls, 2);
}

TEST_F(Listener, ACallbackThatRunsTheLoopLosesNobody)
{
    int depth = 0;
    listener nested(loop, "127.0.0.1:0", [&](accepted peer) {
        EXPECT_EQ(++depth, 1);
        peers.push_back(std::move(peer));
        for (int i = 0; i < 3; ++i)
            loop.run(ev::NOWAIT);
        --depth;
    });
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(connect_to(nested.addresses()[0]));
    until([&] { return peers.size() == 3; });
}

TEST_F(Listener, RemovesItsUnixPathWhenItStops)
{
    const std::string path =
        ::testing::TempDir() + "funcptr_listener_stop_" + std::to_string(::getpid()) + ".sock";
    listener local(loop, "unix:" + path, keep());
    const auto client = connect_to(local.addresses()[0]);
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(peers[0].peer.to_string(), "unix:");
    EXPECT_EQ(peers[0].local.to_string(), "unix:" + path);
    local.stop();
    EXPECT_NE(::access(path.c_str(), F_OK), 0);
    ::unlink((path + ".lock").c_str());
}

TEST_F(Listener, RefusesOptionsThatMakeNoSense)
{
    const auto refuses = [&](const funcptr::listener_options& options) {
        EXPECT_THROW(listener(loop, "127.0.0.1:0", keep(), options), std::invalid_argument);
    };
    refuses({.connections = 0});
    refuses({.batch = 0});
    refuses({.backoff = 0ms});
    refuses({.backoff = 2ms, .backoff_limit = 1ms});
    refuses({.bind = {.backlog = 0}});
    EXPECT_THROW(listener(loop, "127.0.0.1:0", nullptr), std::invalid_argument);
}

int injected_error = 0;
int injected_times = 0;
int accept_with_errors(int fd, sockaddr* peer, socklen_t* size, int flags)
{
    if (injected_times > 0) {
        --injected_times;
        errno = injected_error;
        return -1;
    }
    return ::accept4(fd, peer, size, flags);
}

TEST_F(Listener, SkipsAConnectionThatIsGoneAndTakesTheNext)
{
    for (const int number : {ECONNABORTED, ECONNRESET, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH,
                             ENOPROTOOPT, EHOSTDOWN, ENONET, ENETUNREACH, ETIMEDOUT, EINTR}) {
        peers.clear();
        listener skipping(loop, "127.0.0.1:0", keep());
        injected_error = number;
        injected_times = 3;
        funcptr::detail::accept_call = accept_with_errors;
        const auto client = connect_to(skipping.addresses()[0]);
        until([&] { return peers.size() == 1; });
        EXPECT_EQ(skipping.counters().skipped, number == EINTR ? 0u : 3u);
    }
    EXPECT_TRUE(lines.empty());
}

TEST_F(Listener, WaitsWhenStarvedAndRecoversByItselfWithTwoLines)
{
    for (const int number : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        peers.clear();
        lines.clear();
        listener starved(loop, "127.0.0.1:0", keep(), {.backoff = 1ms, .backoff_limit = 2ms});
        injected_error = number;
        injected_times = 5;
        funcptr::detail::accept_call = accept_with_errors;
        const auto client = connect_to(starved.addresses()[0]);
        until([&] { return peers.size() == 1; });
        EXPECT_EQ(starved.counters().starved, 5u);
        EXPECT_EQ(lines.size(), 2u);
    }
}

TEST_F(Listener, DoesNotSpinOnAnErrorThatNobodyForesaw)
{
    listener waiting(loop, "127.0.0.1:0", keep(), {.backoff = 1min, .backoff_limit = 1min});
    injected_error = ENOSYS;
    injected_times = 1000;
    funcptr::detail::accept_call = accept_with_errors;
    const auto client = connect_to(waiting.addresses()[0]);
    until([&] { return waiting.counters().starved == 1; });
    for (int i = 0; i < 20; ++i)
        loop.run(ev::NOWAIT);
    EXPECT_EQ(injected_times, 999);
    EXPECT_EQ(lines.size(), 1u);
}

/// Lets the process have the descriptors up to this one and no more, while it lives.
class no_more_descriptors {
public:
    explicit no_more_descriptors(int highest)
    {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        rlimit tight = before_;
        tight.rlim_cur = static_cast<rlim_t>(highest + 1);
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    }
    no_more_descriptors(const no_more_descriptors&) = delete;
    no_more_descriptors& operator=(const no_more_descriptors&) = delete;
    ~no_more_descriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

private:
    rlimit before_{};
};

TEST_F(Listener, ServesEveryoneQueuedOnceDescriptorsReturn)
{
    listener starved(loop, "127.0.0.1:0", keep(), {.backoff = 1ms, .backoff_limit = 50ms});
    std::vector<unique_fd> clients;
    for (int i = 0; i < 20; ++i)
        clients.push_back(connect_to(starved.addresses()[0]));
    {
        const no_more_descriptors than(clients.back().get());
        until([&] { return starved.counters().starved >= 3; });
        EXPECT_TRUE(peers.empty());
    }
    until([&] { return peers.size() == 20; });
    EXPECT_EQ(lines.size(), 2u);
}

/// As it comes, with no option set. A level-triggered accept would wake up 100,000 times.
TEST_F(Listener, WakesUpAtMostTwentyTimesASecondWhileItIsStarved)
{
    listener starved(loop, "127.0.0.1:0", keep());
    const auto client = connect_to(starved.addresses()[0]);
    {
        const no_more_descriptors than(client.get());
        until([&] { return starved.counters().starved == 1; });
        const auto since = ev_time();
        const auto turns = loop.iteration();
        until([&] { return starved.counters().starved == 5; }); // after 50 + 100 + 200 + 400 ms
        const auto wake_ups = loop.iteration() - turns;
        EXPECT_GE(wake_ups, 4u);
        EXPECT_LE(wake_ups, 20 * (ev_time() - since) + 1);
        EXPECT_TRUE(peers.empty());
    }
    until([&] { return peers.size() == 1; });
    EXPECT_EQ(lines.size(), 2u);
}

TEST_F(Listener, GivesUpAnAddressThatIsBrokenAndSaysSo)
{
    listener broken(loop, "127.0.0.1:0", keep());
    injected_error = EINVAL;
    injected_times = 1;
    funcptr::detail::accept_call = accept_with_errors;
    const auto client = connect_to(broken.addresses()[0]);
    until([&] { return !lines.empty(); });
    EXPECT_NE(lines[0].find("is not served any more"), std::string::npos) << lines[0];
    broken.pause();
    broken.resume();
    for (int i = 0; i < 5; ++i)
        loop.run(ev::NOWAIT);
    EXPECT_EQ(lines.size(), 1u);
    EXPECT_TRUE(peers.empty());
}

} // namespace
