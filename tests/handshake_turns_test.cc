// SPDX-License-Identifier: MIT
#include <funcptr/connection.h>
#include <funcptr/ssl_filter.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "../src/detail/handshake_turns.h"
#include "support/certificates.h"
#include "support/listening.h"

namespace {

using funcptr::connection;
using funcptr::listener;
using funcptr::detail::handshake_turns;

class HandshakeTurns : public funcptr::testing::listening {
protected:
    struct waiter final : handshake_turns::waiter {
        explicit waiter(std::vector<waiter*>& to)
            : log(to)
        {
        }
        void go_on() override
        {
            log.push_back(this);
            if (then)
                then();
        }
        std::vector<waiter*>& log;
        std::function<void()> then{};
    };
    handshake_turns turns{loop};
    std::vector<waiter*> log;
    std::vector<std::unique_ptr<waiter>> all;

    /// So many that ask within one turn; who may go on at once.
    std::size_t ask(std::size_t many, unsigned most)
    {
        std::size_t admitted = 0;
        loop.run(ev::NOWAIT);
        for (std::size_t i = 0; i < many; ++i)
            admitted += turns.admit(*all.emplace_back(std::make_unique<waiter>(log)), most);
        return admitted;
    }
    void TearDown() override
    {
        for (auto& each : all)
            if (each)
                each->leave();
    }
};

TEST_F(HandshakeTurns, SoManyGoOnAtEachTurnInTheOrderInWhichTheyCame)
{
    EXPECT_EQ(ask(10, 4), 4u);
    EXPECT_TRUE(log.empty());
    loop.run(ev::NOWAIT);
    EXPECT_EQ(log.size(), 4u);
    loop.run(ev::NOWAIT);
    ASSERT_EQ(log.size(), 6u);
    for (std::size_t i = 0; i < 6; ++i)
        EXPECT_EQ(log[i], all[4 + i].get());
}

TEST_F(HandshakeTurns, WhoComesLaterDoesNotOvertake)
{
    EXPECT_EQ(ask(3, 1), 1u);
    EXPECT_EQ(ask(1, 1), 0u); // a new turn, in which one of the first has gone on
    turn(4);
    EXPECT_EQ(log.size(), 3u);
    EXPECT_EQ(log.back(), all[3].get());
}

TEST_F(HandshakeTurns, WithoutALimitNobodyWaits)
{
    EXPECT_EQ(ask(100, 0), 100u);
}

TEST_F(HandshakeTurns, OneWithoutALimitLiftsNobodyElses)
{
    EXPECT_EQ(ask(10, 2), 2u);
    EXPECT_EQ(ask(1, 0), 1u); // a new turn, in which two have gone on
    loop.run(ev::NOWAIT);
    EXPECT_EQ(log.size(), 4u);
}

TEST_F(HandshakeTurns, WhoRunsTheLoopServesTheOthersThere)
{
    EXPECT_EQ(ask(4, 1), 1u);
    std::size_t served = 0;
    all[1]->then = [&] {
        turn(4);
        served = log.size();
    };
    turn(1);
    EXPECT_EQ(served, 3u);
}

TEST_F(HandshakeTurns, WhoLeavesIsNotCalledAndHoldsUpNobody)
{
    EXPECT_EQ(ask(4, 1), 1u);
    all[1]->leave();
    all[1].reset();
    // The next one destroys the one behind it.
    all[2]->then = [&] {
        all[3]->leave();
        all[3].reset();
    };
    turn();
    EXPECT_EQ(log.size(), 1u);
}

TEST_F(HandshakeTurns, AShareOfTheWaitingHasItsTurnWhateverTheLimit)
{
    funcptr::detail::handshake_turns sharing(loop, 4); // one in four
    for (int i = 0; i < 21; ++i)
        all.push_back(std::make_unique<waiter>(log));
    EXPECT_TRUE(sharing.admit(*all[0], 1));
    for (std::size_t i = 1; i < all.size(); ++i)
        EXPECT_FALSE(sharing.admit(*all[i], 1));
    std::vector<std::size_t> served; // after each turn
    while (log.size() < 20 && served.size() < 20) {
        loop.run(ev::NOWAIT);
        served.push_back(log.size());
    }
    EXPECT_EQ(served, (std::vector<std::size_t>{5, 8, 11, 13, 14, 15, 16, 17, 18, 19, 20}));
    EXPECT_EQ(log.front(), all[1].get());
    EXPECT_EQ(log.back(), all[20].get());
}

TEST_F(HandshakeTurns, WhatIsGivenBackIsAnothers)
{
    EXPECT_EQ(ask(2, 2), 2u);
    turns.refund(0); // was not counted
    turns.refund(2);
    for (int i = 0; i < 2; ++i)
        all.push_back(std::make_unique<waiter>(log));
    EXPECT_TRUE(turns.admit(*all[2], 2));
    EXPECT_FALSE(turns.admit(*all[3], 2));
}

class Departures : public HandshakeTurns {
protected:
    static constexpr std::size_t crowd = 20;
    const funcptr::tls_context server_tls{
        {.role = funcptr::tls_role::server,
         .certificate_pem = funcptr::testing::certificates().server.certificate_pem,
         .key_pem = funcptr::testing::certificates().server.key_pem}};
    std::vector<funcptr::unique_fd> far;
    std::vector<std::unique_ptr<connection>> near;
    std::size_t closed = 0;

    connection& connect()
    {
        auto ends = funcptr::testing::socket_pair();
        far.push_back(std::move(ends[1]));
        funcptr::accepted peer;
        peer.socket = std::move(ends[0]);
        near.push_back(std::make_unique<connection>(
            loop, std::move(peer), std::make_unique<funcptr::SSLFilter>(server_tls),
            funcptr::connection_options{.handshakes_per_turn = 1}));
        return *near.back();
    }
    /// In mid-handshake, all at one moment.
    void crowd_leaves()
    {
        for (std::size_t i = 0; i < crowd; ++i)
            connect().on_close([&](connection&, const funcptr::close_reason& why) {
                ++closed;
                EXPECT_EQ(why.cause.kind, funcptr::close_kind::truncated);
            });
        turn();
        for (std::size_t i = 0; i < crowd; ++i)
            ASSERT_EQ(::shutdown(far[i].get(), SHUT_WR), 0);
    }
    std::size_t closed_in_a_turn()
    {
        const auto before = closed;
        loop.run(ev::NOWAIT);
        return closed - before;
    }
};

TEST_F(Departures, SoManyAreSeenOffAtEachTurnAndGetNoAlert)
{
    crowd_leaves();
    while (closed != crowd && !HasFailure()) // the watchdog ends it
        EXPECT_LE(closed_in_a_turn(), 1u);
    for (const auto& each : far)
        EXPECT_EQ(funcptr::testing::peer_ended(each.get()), 1); // and no byte before it
}

TEST_F(Departures, WaitForAHandshakeThatCameBehindThem)
{
    crowd_leaves();
    connect();
    funcptr::SSLFilter client(funcptr::tls_context(
        {.trust_pem = funcptr::testing::certificates().authority.certificate_pem,
         .server_name = "localhost"}));
    client.update();
    const auto hello = client.nwrite().view();
    ASSERT_EQ(::send(far.back().get(), hello.data(), hello.size(), 0),
              static_cast<ssize_t>(hello.size()));
    char answer = 0;
    while (::recv(far.back().get(), &answer, 1, MSG_DONTWAIT) != 1 && !HasFailure())
        loop.run(ev::NOWAIT);
    EXPECT_LT(closed, crowd);
}

TEST_F(Departures, MayBeDestroyedOrAbortedWhileTheyWait)
{
    crowd_leaves();
    loop.run(ev::NOWAIT);
    ASSERT_LT(closed, crowd - 2);
    near.back()->on_close([&](connection&, const funcptr::close_reason& why) {
        ++closed;
        EXPECT_EQ(why.by, funcptr::close_by::user);
    });
    near.back()->abort();
    near[crowd - 2].reset();
    turn(static_cast<int>(crowd));
    EXPECT_EQ(closed, crowd - 1);
}

TEST_F(HandshakeTurns, AStormIsServedWholeAndBesideItTheLoopGoesOn)
{
    const auto& certificates = funcptr::testing::certificates();
    const funcptr::tls_context server_tls({.role = funcptr::tls_role::server,
                                           .certificate_pem = certificates.server.certificate_pem,
                                           .key_pem = certificates.server.key_pem});
    const funcptr::tls_context client_tls(
        {.trust_pem = certificates.authority.certificate_pem, .server_name = "localhost"});
    constexpr int storm = 40;
    const funcptr::connection_options one_a_turn{.handshakes_per_turn = 1};
    funcptr::connection_set all_of_them(loop);
    int opened = 0, most = 0, at_once = 0;
    unsigned turn_of_last = 0;
    listener server(loop, "127.0.0.1:0", [&](funcptr::accepted peer) {
        all_of_them.add(std::move(peer), funcptr::SSLFilter(server_tls), one_a_turn)
            .on_open([&](connection&) {
                ++opened;
                at_once = turn_of_last == loop.iteration() ? at_once + 1 : 1;
                turn_of_last = loop.iteration();
                most = std::max(most, at_once);
            });
    });
    for (int i = 0; i < storm; ++i) {
        funcptr::accepted there;
        there.socket = funcptr::testing::connect_to(server.addresses()[0]);
        funcptr::testing::make_nonblocking(there.socket.get());
        all_of_them.add(std::move(there), funcptr::SSLFilter(client_tls), one_a_turn);
    }
    until([&] { return opened == storm; });
    EXPECT_EQ(most, 1);
}

} // namespace
