// SPDX-License-Identifier: MIT
//
// What the figures of cookies_bench rest on.
#include "bench/cookies/peer.h"
#include "bench/cookies/prepared_pair.h"
#include "bench/cookies/samples.h"
#include "bench/cookies/timing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace {

/// Times around 400 with the given difference between the classes, and now and then an interrupt.
std::vector<bench::timed_sample> made_up(double difference)
{
    std::mt19937 random(1);
    std::normal_distribution<double> noise(400, 20);
    std::vector<bench::timed_sample> all;
    for (int i = 0; i < 100'000; ++i) {
        const bool late = random() % 2 == 0;
        const double interrupt = random() % 200 == 0 ? 50'000 : 0;
        const double time = noise(random) + (late ? difference : 0) + interrupt;
        all.push_back({static_cast<std::uint32_t>(std::max(0.0, time)), late});
    }
    return all;
}

TEST(Welch, FindsADifferenceAndNoneWhereThereIsNone)
{
    EXPECT_LT(bench::welch(made_up(0)), 4);
    EXPECT_GT(bench::welch(made_up(2)), 8);
    EXPECT_GT(bench::welch(made_up(-2)), 8);
}

TEST(PreparedPair, MakesTheMacOfANativeCookie)
{
    // So that what is compared in speed is the same computation, over as many bytes.
    bench::prepared_pair pair(bench::key_of(0));
    const auto twice = pair.mac("text");
    EXPECT_EQ(pair.mac("text"), twice);
    EXPECT_NE(pair.mac("texu"), twice);
    const funcptr::signed_cookie codec(std::string(bench::cookie_name), bench::keys_of(1));
    const auto value = codec.sign("42");
    const auto covered = bench::covered_by_mac(value);
    EXPECT_EQ(covered.size(), bench::cookie_name.size() + 1 + value.size() - 44);
    // RFC 4231, the second case
    const std::string key = "Jefe";
    bench::prepared_pair jefe(std::as_bytes(std::span(key)));
    EXPECT_EQ(jefe.mac("what do ya want for nothing?")[0], 0x5b);
    EXPECT_EQ(jefe.mac("what do ya want for nothing?")[31], 0x43);
}

TEST(Samples, AForgedCookieCostsItsMac)
{
    const funcptr::signed_cookie codec(std::string(bench::cookie_name), bench::keys_of(11));
    const auto good = codec.sign("42");
    EXPECT_TRUE(codec.verify(good));
    EXPECT_EQ(codec.verify(bench::forged(good)).status, funcptr::cookie_status::bad_signature);
}

TEST(Peer, AnswersWithItsCookieAndItsTimes)
{
    bench::peer one({"/bin/sh", "-c", "echo mine; while read calls; do echo 0.$calls; done"}, "");
    EXPECT_EQ(one.cookie(), "mine");
    EXPECT_DOUBLE_EQ(one.verify(25), 0.25);
    EXPECT_DOUBLE_EQ(one.verify(5), 0.5);
}

TEST(Peer, ThatIsNotThereOrEndsIsSaidInWords)
{
    const auto refusal = [](const std::string& script) {
        try {
            bench::peer one({"/bin/sh", "-c", script}, "it is not installed");
            one.verify(1);
        } catch (const std::runtime_error& failed) {
            return std::string(failed.what());
        }
        return std::string();
    };
    EXPECT_EQ(refusal("exit 1"), "it is not installed");
    EXPECT_EQ(refusal("echo mine; exec </dev/null; read x; echo nonsense; sleep 0"),
              "the peer answered 'nonsense'");
    EXPECT_NE(refusal("echo mine; read x"), "");
    EXPECT_THROW(bench::peer({"/no/such/program"}, "none"), std::runtime_error);
    EXPECT_THROW(bench::peer_file("no_such_peer.py"), std::runtime_error);
    EXPECT_THROW(bench::interpreter("no-such-interpreter"), std::runtime_error);
}

} // namespace
