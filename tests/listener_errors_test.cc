// SPDX-License-Identifier: MIT
//
// listener: what accept(2) may fail of, descriptors that run out, and recovery.
#include <funcptr/listener.h>
#include <funcptr/loop.h>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <vector>

#include "../src/detail/net_syscalls.h"
#include "support/listening.h"
#include "support/sockets.h"

namespace {

using namespace std::chrono_literals;
using funcptr::bind_listeners;
using funcptr::listener;
using funcptr::unique_fd;
using funcptr::testing::connect_to;

class Listener : public funcptr::testing::listening {
protected:
    void TearDown() override { funcptr::detail::accept_call = ::accept4; }
};

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
