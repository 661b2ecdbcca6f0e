// SPDX-License-Identifier: MIT
#include <funcptr/loop.h>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/watchdog.h"

namespace {

using funcptr::poster;
using funcptr::testing::watchdog;

/// Runs something once, at the next turn of the loop, through libev alone.
class next_turn {
public:
    next_turn(ev::loop_ref loop, std::function<void()> work)
        : work_(std::move(work))
        , timer_(loop)
    {
        timer_.set<next_turn, &next_turn::fire>(this);
        timer_.start(0.);
    }

private:
    void fire(ev::timer&, int) { work_(); }
    std::function<void()> work_;
    ev::timer timer_;
};

TEST(Run, ReturnsWhenNoWatcherIsActive)
{
    ev::dynamic_loop loop;
    const poster unused(loop); // ours must not keep it running
    funcptr::run(loop);
}

TEST(Run, RethrowsWhatAPostedFunctionThrew)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    poster(loop).post([] { throw std::runtime_error("posted"); });
    try {
        funcptr::run(loop);
        FAIL() << "nothing was rethrown";
    } catch (const std::runtime_error& thrown) {
        EXPECT_STREQ(thrown.what(), "posted");
    }
}

TEST(Run, LeavesTheLoopUsableAfterAnException)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    const poster to(loop);
    bool ran = false;
    to.post([] { throw 1; });
    to.post([&] {
        ran = true;
        loop.break_loop();
    });
    EXPECT_THROW(funcptr::run(loop), int);
    EXPECT_FALSE(ran);
    funcptr::run(loop);
    EXPECT_TRUE(ran);
    EXPECT_EQ(loop.depth(), 0u);
}

TEST(Run, NestedInACallbackRethrowsThere)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    const poster to(loop);
    std::string seen;
    to.post([&] {
        to.post([] { throw std::runtime_error("inner"); });
        try {
            funcptr::run(loop);
        } catch (const std::runtime_error& thrown) {
            seen = thrown.what();
        }
        loop.break_loop();
    });
    funcptr::run(loop);
    EXPECT_EQ(seen, "inner");
}

TEST(TakeException, GivesAfterAPlainRunWhatBrokeIt)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    poster(loop).post([] { throw 7; });
    loop.run();
    const auto thrown = funcptr::take_exception(loop);
    ASSERT_TRUE(thrown);
    EXPECT_THROW(std::rethrow_exception(thrown), int);
    EXPECT_FALSE(funcptr::take_exception(loop));
}

TEST(Run, RethrowsAnExceptionKeptFromAnEarlierPlainRunBeforeRunning)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    poster(loop).post([] { throw 7; });
    loop.run();
    EXPECT_THROW(funcptr::run(loop), int);
}

TEST(ErrorHook, GetsTheExceptionAndTheLoopGoesOn)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    int hooked = 0;
    funcptr::set_error_hook(loop, [&](std::exception_ptr) { ++hooked; });
    const poster to(loop);
    to.post([] { throw 1; });
    to.post([&] { loop.break_loop(); });
    funcptr::run(loop);
    EXPECT_EQ(hooked, 1);
}

TEST(ErrorHook, ThatThrowsBreaksTheLoop)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    funcptr::set_error_hook(loop, [](std::exception_ptr) { throw std::string("from the hook"); });
    poster(loop).post([] { throw 1; });
    EXPECT_THROW(funcptr::run(loop), std::string);
}

TEST(ErrorHook, MayReplaceItself)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    int second = 0;
    funcptr::set_error_hook(loop, [&](std::exception_ptr) {
        funcptr::set_error_hook(loop, [&](std::exception_ptr) { ++second; });
    });
    const poster to(loop);
    to.post([] { throw 1; });
    to.post([] { throw 2; });
    to.post([&] { loop.break_loop(); });
    funcptr::run(loop);
    EXPECT_EQ(second, 1);
}

TEST(LogSink, GetsALaterExceptionThatIsDropped)
{
    ev::dynamic_loop loop;
    std::vector<std::string> lines;
    funcptr::set_log_sink(
        loop, [&](funcptr::log_level, std::string_view line) { lines.emplace_back(line); });
    auto& state = funcptr::detail::loop_state::of(loop);
    state.guard([] { throw 1; });
    state.guard([] { throw 2; });
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("dropped"), std::string::npos);
    EXPECT_TRUE(funcptr::take_exception(loop));
}

TEST(LogSink, MayReplaceItself)
{
    ev::dynamic_loop loop;
    std::vector<std::string> seen;
    funcptr::set_log_sink(loop, [&seen, loop = ev::loop_ref(loop), name = std::string(50, 'x')](
                                    funcptr::log_level, std::string_view) {
        funcptr::set_log_sink(
            loop, [&seen](funcptr::log_level, std::string_view) { seen.emplace_back("new"); });
        seen.push_back(name);
    });
    auto& state = funcptr::detail::loop_state::of(loop);
    state.log(funcptr::log_level::info, "one");
    state.log(funcptr::log_level::info, "two");
    EXPECT_EQ(seen, (std::vector<std::string>{std::string(50, 'x'), "new"}));
}

TEST(LogSink, ThatThrowsHarmsNobody)
{
    ev::dynamic_loop loop;
    funcptr::set_log_sink(loop, [](funcptr::log_level, std::string_view) { throw 1; });
    funcptr::detail::loop_state::of(loop).log(funcptr::log_level::info, "x");
    EXPECT_FALSE(funcptr::take_exception(loop));
}

TEST(Poster, RunsWorkInTheOrderOfPosting)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    const poster to(loop);
    std::string order;
    for (char c = 'a'; c <= 'e'; ++c)
        to.post([&order, c] { order += c; });
    to.post([&] { loop.break_loop(); });
    funcptr::run(loop);
    EXPECT_EQ(order, "abcde");
}

TEST(Poster, TakesWorkFromManyThreadsAndLosesNone)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    const poster to(loop);
    constexpr int threads = 4, each = 2000;
    int done = 0; // touched on the loop's thread alone
    std::vector<std::thread> posting;
    for (int t = 0; t < threads; ++t)
        posting.emplace_back([&, to] {
            for (int i = 0; i < each; ++i)
                while (!to.post([&] {
                    if (++done == threads * each)
                        loop.break_loop();
                }))
                    std::this_thread::yield();
        });
    funcptr::run(loop);
    for (auto& thread : posting)
        thread.join();
    EXPECT_EQ(done, threads * each);
}

TEST(Poster, RefusesWhatExceedsItsLimit)
{
    ev::dynamic_loop loop;
    const poster to(loop, 2);
    EXPECT_TRUE(to.post([] {}));
    EXPECT_TRUE(to.post([] {}));
    EXPECT_FALSE(to.post([] {}));
}

TEST(Poster, RefusesOnceTheLoopIsGoneAndDestroysWhatDidNotRun)
{
    const auto token = std::make_shared<int>(0);
    std::unique_ptr<poster> to;
    {
        ev::dynamic_loop loop;
        to = std::make_unique<poster>(loop);
        EXPECT_TRUE(to->post([token] {}));
        EXPECT_EQ(token.use_count(), 2);
    }
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_FALSE(to->post([token] {}));
}

TEST(Poster, WorkThatPostsAgainLetsTheLoopGoOn)
{
    ev::dynamic_loop loop;
    const watchdog dog(loop, true);
    const poster to(loop);
    std::function<void()> again = [&] { to.post(again); };
    to.post(again);
    const next_turn end(loop, [&] { loop.break_loop(); });
    funcptr::run(loop); // would not return if posts were run until none is left
}

TEST(LoopState, OfANewLoopAtAnOldOnesAddressIsFresh)
{
    // The allocator usually gives the address again; where it does not, this is the plain case.
    for (int i = 0; i < 50; ++i) {
        ev::dynamic_loop loop;
        EXPECT_FALSE(funcptr::take_exception(loop));
        bool logged = false;
        funcptr::detail::loop_state::of(loop).log(funcptr::log_level::info, "x");
        funcptr::set_log_sink(loop, [&](funcptr::log_level, std::string_view) { logged = true; });
        funcptr::detail::loop_state::of(loop).guard([] { throw 1; });
        EXPECT_FALSE(logged);
    }
}

TEST(LoopState, OfSeveralLoopsInSeveralThreadsIsTheirOwn)
{
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&right, t] {
            ev::dynamic_loop loop;
            const watchdog dog(loop, true);
            poster(loop).post([t] { throw t; });
            try {
                funcptr::run(loop);
            } catch (int thrown) {
                right += thrown == t;
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(right, 4);
}

} // namespace
