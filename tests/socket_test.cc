// SPDX-License-Identifier: MIT
#include <funcptr/socket.h>

#include <fcntl.h>
#include <gtest/gtest.h>

namespace {

using funcptr::unique_fd;

bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) != -1;
}

TEST(UniqueFd, ClosesWhatItOwnsOnce)
{
    const int fd = ::dup(0);
    {
        const unique_fd owner(fd);
        EXPECT_TRUE(is_open(fd));
    }
    EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, MovesOwnershipAndLeavesNothingBehind)
{
    const int fd = ::dup(0);
    unique_fd first(fd);
    unique_fd second(std::move(first));
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_EQ(second.get(), fd);
    unique_fd third(::dup(0));
    const int replaced = third.get();
    third = std::move(second);
    EXPECT_FALSE(is_open(replaced));
    EXPECT_EQ(third.release(), fd);
    EXPECT_TRUE(is_open(fd));
    ::close(fd);
}

TEST(UniqueFd, OfNothingIsEmpty)
{
    EXPECT_FALSE(unique_fd());
    EXPECT_FALSE(unique_fd(-1));
    EXPECT_TRUE(unique_fd(::dup(0)));
}

} // namespace
