// SPDX-License-Identifier: MIT
//
// The tests' own tool for other programs: what rests on it must be able to fail.
#include "support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

test::command shell(const std::string& script)
{
    return {.arguments = {"/bin/sh", "-c", script}};
}

TEST(Process, TellsStatusAndBothOutputs)
{
    const auto done = test::run(shell("echo out; echo err >&2; exit 3"));
    EXPECT_EQ(done.status, 3);
    EXPECT_EQ(done.out, "out\n");
    EXPECT_EQ(done.err, "err\n");
}

TEST(Process, FeedsInputOfAnySize)
{
    const std::string megabyte(1'000'000, 'x');
    auto what = shell("cat");
    what.input = megabyte;
    EXPECT_EQ(test::run(what).out, megabyte);
}

TEST(Process, ChangesEnvironmentAndFolder)
{
    const test::temp_dir dir;
    auto what = shell("echo \"$SET ${HOME-unset}\"; pwd -P");
    what.environment = {{"SET", "value"}, {"HOME", std::nullopt}};
    what.directory = dir.path();
    EXPECT_EQ(test::run(what).out,
              "value unset\n" + std::filesystem::canonical(dir.path()).string() + "\n");
}

TEST(Process, ReportsASignalAsAShellDoes)
{
    EXPECT_EQ(test::run(shell("kill -TERM $$")).status, 128 + SIGTERM);
}

TEST(Process, KillsWhatOutlivesItsLimit)
{
    auto what = shell("echo begun; sleep 1000");
    what.limit = std::chrono::seconds(1);
    const auto done = test::run(what);
    EXPECT_EQ(done.status, -1);
    EXPECT_EQ(done.out, "begun\n");
}

TEST(Process, ThrowsWhenTheProgramIsMissing)
{
    EXPECT_THROW(test::run({.arguments = {"/nowhere/program"}}), std::runtime_error);
}

TEST(Process, DoesNotWaitForWhatItsProgramLeftBehind)
{
    // The sleeper inherits the pipes; it is killed with its group.
    EXPECT_EQ(test::run(shell("sleep 1000 & echo done")).out, "done\n");
}

TEST(Process, WaitsForALineAndGivesItsGroups)
{
    test::process server(shell("echo first; echo 'port 7020' >&2; exec sleep 1000"));
    EXPECT_EQ(server.wait_for("port ([0-9]+)").at(1), "7020");
    server.signal(SIGTERM);
    EXPECT_EQ(server.wait().status, 128 + SIGTERM);
}

TEST(Process, LooksAtEachLineOnce)
{
    test::process program(shell("echo tick; echo tick"));
    program.wait_for("tick");
    program.wait_for("tick");
    EXPECT_THROW(program.wait_for("tick"), std::runtime_error);
}

TEST(Process, TellsWhatWasPrintedWhenALineNeverComes)
{
    test::process program(shell("echo something else"));
    try {
        program.wait_for("ready");
        FAIL() << "there is no such line";
    } catch (const std::runtime_error& failed) {
        EXPECT_NE(std::string(failed.what()).find("something else"), std::string::npos);
    }
}

TEST(Process, KillsItsGroupWhenItGoes)
{
    const test::temp_dir dir;
    const auto fifo = dir.path() / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    int reading = -1;
    {
        test::process program(shell("sleep 1000 > '" + fifo.string() + "' & wait"));
        reading = ::open(fifo.c_str(), O_RDONLY); // returns once the child has opened it
        ASSERT_GE(reading, 0);
    }
    pollfd end{reading, POLLIN, 0};
    ASSERT_EQ(::poll(&end, 1, 60'000), 1) << "the child still holds its end";
    char byte = 0;
    EXPECT_EQ(::read(reading, &byte, 1), 0);
    ::close(reading);
}

} // namespace
