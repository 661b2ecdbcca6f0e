// SPDX-License-Identifier: MIT
//
// bind_listeners() on paths: permissions, stale ones, the lock.
#include <funcptr/listener.h>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/bind_failure.h"
#include "support/sockets.h"

namespace {

using funcptr::address;
using funcptr::bind_listeners;
using funcptr::unique_fd;
using funcptr::testing::bind_failure;
using funcptr::testing::connect_to;

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
    EXPECT_EQ(bind_failure(spec), std::errc::address_in_use);
    EXPECT_TRUE(connect_to(bound.addresses[0]));
}

TEST_F(UnixPath, InUseByOneWhoDoesNotKnowTheLockIsNotTakenOver)
{
    const unique_fd other(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto where = *address::parse(spec).value;
    ASSERT_EQ(::bind(other.get(), where.data(), where.size()), 0);
    ASSERT_EQ(::listen(other.get(), 1), 0);
    EXPECT_EQ(bind_failure(spec), std::errc::address_in_use);
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
    EXPECT_EQ(bind_failure(spec), std::errc::address_in_use);
    EXPECT_TRUE(is_there());
    ::unlink(path.c_str());
    unique_fd(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
    EXPECT_EQ(bind_failure(spec), std::errc::address_in_use);
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
    EXPECT_EQ(bind_failure(spec + "," + holder.addresses[0].to_string()),
              std::errc::address_in_use);
    EXPECT_FALSE(is_there());
    EXPECT_EQ(bind_listeners(spec).sockets.size(), 1u);
}

} // namespace
