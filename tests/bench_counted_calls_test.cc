// SPDX-License-Identifier: MIT
//
// counted_calls.h: what the bench counts without strace. A sanitizer stands in for the same
// functions itself.
#include <gtest/gtest.h>

#if defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define SANITIZED
#    endif
#endif
#if defined(SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

TEST(CountedCalls, AreThoseOfThisThread)
{
    GTEST_SKIP() << "a sanitizer has these functions";
}

#else

#    include <funcptr/socket.h>

#    include <thread>

#    include "../bench/zmq_event/counted_calls.h"

TEST(CountedCalls, AreThoseOfThisThread)
{
    int ends[2] = {};
    ASSERT_EQ(::pipe(ends), 0);
    const funcptr::unique_fd out(ends[0]);
    const funcptr::unique_fd in(ends[1]);
    const bench::counted_calls calls;
    EXPECT_EQ(calls.so_far(), 0u);
    char byte = 'x';
    EXPECT_EQ(::write(in.get(), &byte, 1), 1);
    pollfd item{out.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&item, 1, 0), 1);
    byte = 0;
    EXPECT_EQ(::read(out.get(), &byte, 1), 1) << "it is passed on";
    EXPECT_EQ(byte, 'x');
    EXPECT_EQ(calls.so_far(), 3u);
    std::thread([] { (void)::getpid(); }).join();
    EXPECT_EQ(calls.so_far(), 3u) << "of another thread";
}

#endif
