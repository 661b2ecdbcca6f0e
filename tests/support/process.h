// SPDX-License-Identifier: MIT
//
// process.h: other programs, for tests: run one to its end, or keep one in the background and wait
// for what it prints. Also a folder that goes when the test does.
//
// It does not use a shell, and no terminal. Every wait has a limit far above what is needed, so
// that a test fails instead of hanging; what was printed until then stands in the failure.
//
// Threads: one thread per object. Lifetime: ~process() kills the program and all of its process
// group.
//
//     test::temp_dir dir;
//     const auto done = test::run({.arguments = {"openssl", "version"}, .directory = dir.path()});
//     ASSERT_EQ(done.status, 0) << done.out << done.err;
//
//     test::process server({.arguments = {gateway, "--listen", "127.0.0.1:0"}});
//     const std::string port = server.wait_for("listening on .*:([0-9]+)").at(1);
//     server.signal(SIGTERM);
//     EXPECT_EQ(server.wait().status, 0);
#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace test {

/// What to run, and how.
struct command {
    /// The program and its arguments; a program without a slash is looked for in $PATH.
    std::vector<std::string> arguments = {};
    /// Changes to this process' environment; no value: the variable is removed.
    std::vector<std::pair<std::string, std::optional<std::string>>> environment = {};
    /// Where it is started; empty: where this process is.
    std::filesystem::path directory = {};
    /// Its standard input.
    std::string input = {};
    /// run(), wait() and wait_for() take no longer.
    std::chrono::seconds limit{120};
};

/// How a program ended.
struct result {
    /// Its exit status; as in a shell, 128 + n when signal n killed it. -1: the limit was reached.
    int status = -1;
    std::string out = {};
    std::string err = {};
};

/// A program in the background.
class process {
public:
    /// Throws std::runtime_error when the program cannot be started.
    explicit process(command what);
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process();

    /// The next line, of either output, that `pattern` is found in: the match and its groups. Lines
    /// up to and with the last match are not looked at again. Throws std::runtime_error with all
    /// that was printed when the program ends or the limit passes without such a line.
    std::vector<std::string> wait_for(const std::string& pattern);

    /// To the program alone; nothing once wait() has returned.
    void signal(int number);

    /// Waits for its end; at the limit it is killed.
    result wait();

    /// All that it printed so far, both outputs in the order of arrival.
    std::string printed() const;

    int pid() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Runs a program to its end.
result run(command what);

/// A new, empty folder below $TMPDIR or /tmp, removed with all that is in it.
class temp_dir {
public:
    temp_dir();
    temp_dir(const temp_dir&) = delete;
    temp_dir& operator=(const temp_dir&) = delete;
    ~temp_dir();

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The whole file. Throws std::runtime_error naming it when it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Writes it, with its folders. Throws std::runtime_error naming it.
void write_file(const std::filesystem::path& path, const std::string& text);

/// An environment variable, or `otherwise`.
std::string variable(const char* name, const std::string& otherwise = {});

} // namespace test
