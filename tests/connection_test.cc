// SPDX-License-Identifier: MIT
//
// connection: bytes both ways, watermarks and pauses.
#include <funcptr/connection.h>
#include <funcptr/listener.h>
#include <funcptr/loop.h>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/connection_ends.h"
#include "support/sockets.h"

namespace {

using namespace std::chrono_literals;
using funcptr::buffer;
using funcptr::connection;
using funcptr::connection_options;
using funcptr::filter;
using funcptr::plain_filter;
using funcptr::testing::receive_now;
using funcptr::testing::take;
using Connection = funcptr::testing::connection_ends;

TEST_F(Connection, EchoesWhatItIsTold)
{
    open();
    near->on_data([](connection& c, buffer& in) { c.write(in); });
    say("hello");
    EXPECT_EQ(hear(5), "hello");
    EXPECT_EQ(near->bytes_in(), 5u);
    EXPECT_EQ(near->bytes_out(), 5u);
}

TEST_F(Connection, OpensByItselfAndTellsSo)
{
    open();
    int opened = 0;
    near->on_open([&](connection& c) {
        ++opened;
        c.write("welcome");
    });
    EXPECT_EQ(hear(7), "welcome");
    turns(5);
    EXPECT_EQ(opened, 1);
    EXPECT_TRUE(near->is_open());
}

TEST_F(Connection, ShowsWhatWasLeftTogetherWithWhatComesNext)
{
    open();
    std::vector<std::string> shown;
    near->on_data([&](connection&, buffer& in) {
        shown.emplace_back(in.view());
        if (in.size() >= 6)
            in.clear();
    });
    say("abc");
    until([&] { return shown.size() == 1; });
    turns(5);
    EXPECT_EQ(shown.size(), 1u) << "shown again though nothing had come";
    say("def");
    until([&] { return shown.size() == 2; });
    EXPECT_EQ(shown[1], "abcdef");
}

TEST_F(Connection, GoesOnWithinOneTurnWhenAHandlerTakesALineAtATime)
{
    open();
    near->on_data([&](connection&, buffer& in) {
        const auto end = in.view().find('\n');
        if (end == std::string_view::npos)
            return;
        seen += in.view().substr(0, end);
        in.consume(end + 1);
    });
    say("a\nb\nc\n");
    until([&] { return seen.size() == 3; });
    EXPECT_EQ(seen, "abc");
}

// A large piece is sent from where it lies, a small one is copied first: neither may overtake.
TEST_F(Connection, KeepsTheOrderOfSmallAndLargeWrites)
{
    open();
    const std::string large(20'000, 'L'), larger(40'000, 'M');
    const std::string expected = "a" + large + "b" + larger + larger + "c";
    const auto write_all = [&](connection& c) {
        for (const std::string_view each :
             {std::string_view("a"), std::string_view(large), std::string_view("b"),
              std::string_view(larger), std::string_view(larger), std::string_view("c")})
            EXPECT_TRUE(c.write(each));
    };
    near->on_data([&](connection& c, buffer& in) {
        in.clear();
        c.write(larger); // before anything waits
        write_all(c);
    });
    say("go");
    EXPECT_EQ(hear(larger.size() + expected.size()), larger + expected);
    write_all(*near);
    EXPECT_EQ(hear(expected.size()), expected);
    EXPECT_EQ(near->bytes_out(), larger.size() + 2 * expected.size());
    EXPECT_EQ(near->backlog(), 0u);
}

TEST_F(Connection, SendsALargeWriteWithoutACopyWhenThePeerHasRoom)
{
    open();
    turns(2);
    const auto before = near->memory();
    EXPECT_TRUE(near->write(std::string(32'000, 'x')));
    EXPECT_EQ(near->backlog(), 0u);
    EXPECT_EQ(near->memory(), before);
    EXPECT_EQ(hear(32'000).size(), 32'000u);
}

TEST_F(Connection, KeepsWhatThePeerHasNoRoomForOfALargeWrite)
{
    open();
    turns(2);
    const std::string large(10'000'000, 'x');
    EXPECT_TRUE(near->write(large));
    EXPECT_GT(near->bytes_out(), 0u);
    EXPECT_EQ(near->backlog() + near->bytes_out(), large.size());
    EXPECT_EQ(hear(large.size()), large);
}

TEST_F(Connection, EachKeepsItsOwnOptions)
{
    const connection_options tight{.backlog_limit = 10};
    open(tight);
    const auto first = std::move(near);
    const auto first_far = std::move(far);
    open();
    EXPECT_TRUE(near->write(std::string(11, 'x')));
    EXPECT_FALSE(first->write(std::string(11, 'x')));
    open(tight);
    EXPECT_FALSE(near->write(std::string(11, 'x')));
}

TEST_F(Connection, CarriesMegabytesBothWaysUnderItsWatermarks)
{
    open({.high_water = 64 * 1024, .low_water = 16 * 1024});
    near->on_data([](connection& c, buffer& in) { c.write(in); });
    funcptr::testing::make_nonblocking(far.get());
    const std::string block(10000, 'x');
    std::size_t sent = 0, got = 0, most = 0;
    constexpr std::size_t total = 5000000;
    until([&] {
        if (sent < total)
            if (const auto n = ::send(far.get(), block.data(), block.size(), MSG_NOSIGNAL); n > 0)
                sent += static_cast<std::size_t>(n);
        if (sent % 30000 == 0 || sent >= total)
            got += receive_now(far.get()).size();
        most = std::max(most, near->backlog());
        return got >= total;
    });
    EXPECT_GE(got, total);
    EXPECT_LE(most, 64u * 1024 + 256 * 1024) << "the watermark did not stop the reading";
}

TEST_F(Connection, TellsWhenTheBacklogHasDrained)
{
    open({.high_water = 100000, .low_water = 1000});
    int drained = 0;
    near->on_drain([&](connection& c) {
        ++drained;
        EXPECT_LE(c.backlog(), 1000u);
    });
    EXPECT_TRUE(near->write(std::string(3000000, 'x')));
    EXPECT_GT(near->backlog(), 100000u);
    turns(3);
    EXPECT_EQ(drained, 0);
    EXPECT_EQ(hear(3000000).size(), 3000000u);
    until([&] { return drained == 1; });
}

TEST_F(Connection, DrainsAgainAndAgainWhereTheHandlerWritesUntilItIsHigh)
{
    // All that a handler writes is sent at once: nothing waits for the socket afterwards.
    open({.trim_after = 0ms, .high_water = 8192, .low_water = 2048});
    std::size_t wrote = 0, drained = 0;
    const auto write_until_high = [&](connection& c) {
        while (c.backlog() <= 8192 && wrote < 1'000'000) {
            ASSERT_TRUE(c.write(std::string(1024, 'x')));
            wrote += 1024;
        }
    };
    near->on_drain([&](connection& c) {
        ++drained;
        write_until_high(c);
    });
    near->on_data([&](connection& c, buffer& in) {
        in.clear();
        write_until_high(c);
    });
    say("go");
    std::size_t heard = 0;
    until([&] {
        heard += receive_now(far.get()).size();
        return heard >= 1'000'000;
    });
    EXPECT_GE(drained, 100u);
}

TEST_F(Connection, ReadsNothingWhilePausedAndAllOfItAfterwards)
{
    open();
    near->pause_reading();
    say("waiting");
    turns(10);
    EXPECT_EQ(seen, "");
    near->resume_reading();
    until([&] { return seen == "waiting"; });
}

TEST_F(Connection, PausedInItsHandlerKeepsWhatIsLeft)
{
    open();
    near->on_data([&](connection& c, buffer& in) {
        seen += in.view().substr(0, 1);
        in.consume(1);
        c.pause_reading();
    });
    say("abc");
    until([&] { return seen == "a"; });
    turns(5);
    EXPECT_EQ(seen, "a");
    near->resume_reading();
    until([&] { return seen == "ab"; });
}

TEST_F(Connection, AFullBufferThatIsNotTakenStopsTheReading)
{
    near = std::make_unique<connection>(loop, near_end(), plain_filter({.read = 1000}));
    bool take_it = false;
    near->on_data([&](connection&, buffer& in) {
        if (take_it)
            seen += take(in);
    });
    say(std::string(5000, 'x'));
    turns(20);
    EXPECT_EQ(near->bytes_in(), 1000u);
    take_it = true;
    near->resume_reading();
    until([&] { return seen.size() == 5000; });
}

TEST_F(Connection, TellsOfADrainAlsoWhenTheEndOfTheHandlerSendsAll)
{
    open({.high_water = 1000, .low_water = 100});
    int drained = 0;
    near->on_drain([&](connection& c) {
        ++drained;
        EXPECT_EQ(c.backlog(), 0u);
    });
    near->on_data([&](connection& c, buffer& in) {
        in.clear();
        c.write(std::string(3000, 'x')); // a large piece would be sent at once
        EXPECT_GT(c.backlog(), 1000u) << "sent one by one, not at the end of the handler";
    });
    say("go");
    EXPECT_EQ(hear(3000).size(), 3000u);
    until([&] { return drained == 1; });
    turns(5);
    EXPECT_EQ(drained, 1);
}

TEST_F(Connection, ReadsAgainAtLowWaterAndNotBefore)
{
    open({.high_water = 200000, .low_water = 1000});
    turns(2);
    near->write(std::string(1000000, 'x'));
    say("question");
    turns(3);
    while (near->backlog() > 150000) {
        ASSERT_NE(receive_now(far.get(), 20000), "");
        turns(1);
    }
    turns(3);
    EXPECT_EQ(seen, "");
    EXPECT_GT(near->backlog(), 1000u);
    until([&] {
        receive_now(far.get());
        return seen == "question";
    });
    EXPECT_LE(near->backlog(), 1000u);
}

TEST_F(Connection, GoesOnWithTheNextLineAfterALargeAnswer)
{
    open({.trim_after = 0ms, .high_water = 1000, .low_water = 100}); // no timer that would help
    near->on_data([&](connection& c, buffer& in) {
        const auto end = in.view().find('\n');
        if (end == std::string_view::npos)
            return;
        seen += in.view().substr(0, end);
        in.consume(end + 1);
        c.write(std::string(5000, 'x'));
    });
    say("a\nb\nc\n");
    turns(20);
    EXPECT_EQ(seen, "abc");
    EXPECT_EQ(hear(15000).size(), 15000u);
}

TEST_F(Connection, LowWaterIsAtMostHighWater)
{
    open({.high_water = 1000}); // the default low_water is above
    int drained = 0;
    near->on_drain([&](connection& c) {
        ++drained;
        EXPECT_LE(c.backlog(), 1000u);
    });
    near->write(std::string(2000000, 'x'));
    hear(2000000);
    until([&] { return drained == 1; });
}

TEST_F(Connection, RefusesWhatCannotWork)
{
    const auto refuses = [&](funcptr::accepted peer, std::unique_ptr<filter> through,
                             const connection_options& options) {
        EXPECT_THROW(connection(loop, std::move(peer), std::move(through), options),
                     std::invalid_argument);
    };
    refuses(near_end(), std::make_unique<plain_filter>(), {.read_per_turn = 0});
    refuses(near_end(), std::make_unique<plain_filter>(), {.read_chunk = 0});
    refuses(near_end(), nullptr, {});
    refuses({}, std::make_unique<plain_filter>(), {});
}

} // namespace
