// SPDX-License-Identifier: MIT
#include <funcptr/callback.h>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using funcptr::callback;

TEST(Callback, WithoutAFunctionDoesNothing)
{
    callback<int> none;
    EXPECT_FALSE(none);
    EXPECT_FALSE(none.assigned());
    EXPECT_TRUE(none(1));
    EXPECT_TRUE(none.once(1));
}

TEST(Callback, MayReplaceItselfWhileItRuns)
{
    std::vector<std::string> called;
    callback<int> one;
    one = [&](int n) {
        called.push_back("first " + std::to_string(n));
        one = [&](int m) { called.push_back("second " + std::to_string(m)); };
    };
    EXPECT_TRUE(one(1));
    EXPECT_TRUE(one(2));
    EXPECT_EQ(called, (std::vector<std::string>{"first 1", "second 2"}));
}

TEST(Callback, MayDestroyItselfAndKeepsWhatItCapturedUntilItIsOver)
{
    auto one = std::make_unique<callback<>>();
    std::string said;
    *one = [&said, &one, word = std::string("still here, and too long to be stored inside")] {
        one.reset();
        said = word;
    };
    EXPECT_FALSE((*one)());
    EXPECT_EQ(said, "still here, and too long to be stored inside");
}

TEST(Callback, OfACallWithinTheCallThereIsNothingToRun)
{
    int calls = 0;
    callback<> one;
    one = [&] {
        ++calls;
        EXPECT_TRUE(one.assigned());
        EXPECT_FALSE(one);
        one();
    };
    one();
    one();
    EXPECT_EQ(calls, 2);
}

TEST(Callback, DestroyedInAnInnerCallTellsTheOuterOne)
{
    auto one = std::make_unique<callback<>>();
    bool inner = true;
    *one = [&] {
        *one = [&] { one.reset(); };
        inner = (*one)();
    };
    EXPECT_FALSE((*one)());
    EXPECT_FALSE(inner);
}

TEST(Callback, OnceForgetsTheFunctionButNotOneThatIsSetMeanwhile)
{
    int first = 0, second = 0;
    callback<> one;
    one = [&] { ++first; };
    one.once();
    one.once();
    EXPECT_EQ(first, 1);
    one = [&] { one = [&] { ++second; }; };
    one.once();
    one.once();
    EXPECT_EQ(second, 1);
}

TEST(Callback, WhatItThrowsIsPassedOnAndItStaysSet)
{
    int calls = 0;
    callback<> one;
    one = [&] {
        if (++calls == 1)
            throw std::runtime_error("no");
    };
    EXPECT_THROW(one(), std::runtime_error);
    EXPECT_TRUE(one());
    EXPECT_EQ(calls, 2);
}

TEST(Callback, ForwardsWhatCanOnlyBeMoved)
{
    std::unique_ptr<int> kept;
    callback<std::unique_ptr<int>> one;
    one = [&](std::unique_ptr<int> n) { kept = std::move(n); };
    one(std::make_unique<int>(7));
    ASSERT_TRUE(kept);
    EXPECT_EQ(*kept, 7);
}

TEST(Callback, MovesAnArgumentThatIsTakenByReferenceNotAtAll)
{
    struct counted {
        int* moves;
        explicit counted(int& to)
            : moves(&to)
        {
        }
        counted(counted&& other) noexcept
            : moves(other.moves)
        {
            ++*moves;
        }
    };
    int moves = 0;
    callback<counted&&> one;
    one = [](counted&&) {};
    one(counted(moves));
    EXPECT_EQ(moves, 0);
    one = [](counted) {};
    one(counted(moves));
    EXPECT_EQ(moves, 1);
}

} // namespace
