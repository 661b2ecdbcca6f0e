// SPDX-License-Identifier: MIT
//
// system_calls.h: how many system calls the loop's thread makes for a message under flood.
//
// This program runs itself under `strace -f` with a hidden option, floods itself there, and counts
// the lines of the loop's thread between two calls of getppid(2), which nothing else makes. strace
// stops every thread at every call, the sender's and libzmq's io threads most of all: they bring
// less at once than they do untraced, and the loop sleeps more often. So the figure is an upper
// bound.
//
// Threads: one. Lifetime: the files it needs are in a temporary folder of its own and go with it.
//
//     if (bench::is_traced(argc, argv))
//         return bench::traced_main(argv);
//     bench::add_system_calls(suite);
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "../support/bench.h"
#include "flood.h"
#include "receivers.h"
#include "wire.h"

namespace bench {

inline constexpr std::string_view traced_option = "--traced";
inline constexpr std::uint64_t traced_messages = 200'000;

// --- in the traced program ----------------------------------------------------------------------

/// `--traced WIRE RECEIVER FILE`
inline bool is_traced(int argc, const char* const* argv)
{
    return argc == 5 && argv[1] == traced_option;
}

template <class Receiver>
std::uint64_t receive_traced(const wire& what)
{
    Receiver receiver({.over = what.over});
    const flooder flood(receiver, what);
    receiver.take(traced_messages / 10);
    syscall(SYS_getppid);
    const auto taken = receiver.take(traced_messages);
    syscall(SYS_getppid);
    return taken;
}

/// Writes the loop's thread and how many messages it took to the file. Returns the exit status.
inline int traced_main(const char* const* argv)
{
    try {
        for (const auto& what : all_wires) {
            if (name_of(what) != argv[2])
                continue;
            const auto taken = std::string_view(argv[3]) == "raw" ? receive_traced<raw>(what)
                                                                  : receive_traced<adapter>(what);
            std::ofstream(argv[4]) << gettid() << ' ' << taken << '\n';
            return 0;
        }
        std::cerr << "no wire is named " << argv[2] << '\n';
    } catch (const std::exception& failed) {
        std::cerr << failed.what() << '\n';
    }
    return 1;
}

// --- in the program that traces -----------------------------------------------------------------

/// A folder that is removed with all that is in it.
class temporary_folder {
public:
    temporary_folder()
    {
        std::string pattern = std::filesystem::temp_directory_path() / "zmq_event_bench-XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr)
            throw std::system_error(errno, std::generic_category(), pattern);
        path_ = pattern;
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string file(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// Runs a program to its end. Throws std::runtime_error when it cannot be run or fails.
inline void run_program(std::vector<std::string> words)
{
    std::vector<char*> arguments;
    for (auto& each : words)
        arguments.push_back(each.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int error =
        posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
    if (error == ENOENT)
        throw std::runtime_error(words[0] + " is not installed: ./waf deps --bench installs it");
    if (error != 0)
        throw std::system_error(error, std::generic_category(), words[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "waitpid");
    if (status != 0)
        throw std::runtime_error(words[0] + " failed (may this process trace others?)");
}

/// Is that a line of a call's beginning? "123 read(7, …"; not "123 <... read resumed>", signals
/// ("---") and ends ("+++").
inline bool begins_a_call(std::string_view rest)
{
    return !rest.empty() && rest.front() != '<' && rest.front() != '-' && rest.front() != '+';
}

/// The calls of that thread between its two calls of getppid.
/// Throws std::runtime_error when there were not two.
inline std::uint64_t calls_between_marks(std::istream& trace, const std::string& thread)
{
    std::uint64_t calls = 0;
    int marks = 0;
    for (std::string line; std::getline(trace, line);) {
        const auto end = line.find(' ');
        if (end == line.npos || line.compare(0, end, thread) != 0)
            continue;
        const auto rest = std::string_view(line).substr(line.find_first_not_of(' ', end));
        if (rest.starts_with("getppid("))
            ++marks;
        else if (marks == 1 && begins_a_call(rest))
            ++calls;
    }
    if (marks != 2)
        throw std::runtime_error("the trace does not hold the window's two marks");
    return calls;
}

/// receiver: zmq_event or raw.
inline double system_calls(const wire& what, const std::string& receiver)
{
    const temporary_folder folder;
    const auto trace = folder.file("trace");
    const auto result = folder.file("result");
    run_program({"strace", "-f", "-qq", "-o", trace,
                 std::filesystem::read_symlink("/proc/self/exe"), std::string(traced_option),
                 name_of(what), receiver, result});
    std::string thread;
    double taken = 0;
    std::ifstream(result) >> thread >> taken;
    std::ifstream lines(trace);
    return static_cast<double>(calls_between_marks(lines, thread)) / taken;
}

inline void add_system_calls(suite& suite)
{
    for (const auto& what : all_wires) {
        const std::string at = "/" + name_of(what);
        suite.measure("system_calls" + at, "1/message", "<= 0.1",
                      [=] { return system_calls(what, "zmq_event"); });
        suite.measure("system_calls_of_raw" + at, "1/message", "",
                      [=] { return system_calls(what, "raw"); });
    }
}

} // namespace bench
