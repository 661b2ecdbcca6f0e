// SPDX-License-Identifier: MIT
//
// network_namespace.h: a piece of a test inside a network of its own (unshare -rn): its interfaces,
// addresses and sysctls are what the test makes them, and nobody else's change.
//
// The piece runs in a child process, since a process of several threads cannot enter a user
// namespace. What it returns is a text; a failure inside is a text, too.
//
// Threads: call it from a process that has started none. Lifetime: of the call.
//
//     if (const auto why = no_namespaces(); !why.empty())
//         GTEST_SKIP() << why;
//     EXPECT_EQ(in_namespace({"ip link set lo up"}, [] { return "listening"; }), "listening");
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace funcptr::testing {

namespace detail {

inline bool write_file(const char* path, const std::string& text)
{
    const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
    const bool done =
        fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (fd >= 0)
        ::close(fd);
    return done;
}

/// Empty once this process is root in a namespace of its own.
inline std::string enter_namespace()
{
    const auto user = std::to_string(::getuid());
    const auto group = std::to_string(::getgid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return std::string("no namespaces: ") + std::strerror(errno);
    write_file("/proc/self/setgroups", "deny"); // user_namespaces(7): before gid_map
    if (!write_file("/proc/self/uid_map", "0 " + user + " 1")
        || !write_file("/proc/self/gid_map", "0 " + group + " 1"))
        return std::string("no namespaces: uid_map: ") + std::strerror(errno);
    return {};
}

inline std::string run_inside(const std::vector<std::string>& commands,
                              const std::function<std::string()>& inside)
{
    if (const auto why = enter_namespace(); !why.empty())
        return why;
    for (const auto& each : commands)
        if (std::system((each + " 2>&1").c_str()) != 0)
            return "failed: " + each;
    try {
        return inside();
    } catch (const std::exception& failed) {
        return failed.what();
    }
}

} // namespace detail

/// Runs the shell's commands, then the function; what it returned, or what went wrong.
inline std::string in_namespace(const std::vector<std::string>& commands,
                                const std::function<std::string()>& inside)
{
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto text = detail::run_inside(commands, inside);
        const auto sent = ::write(ends[1], text.data(), text.size());
        ::_exit(sent == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string text;
    std::array<char, 4096> room;
    for (ssize_t got; (got = ::read(ends[0], room.data(), room.size())) > 0;)
        text.append(room.data(), static_cast<std::size_t>(got));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << text;
    return text;
}

/// From within a namespace: another machine. It gets that interface of ours (the other end of a
/// veth), runs the commands, then the function. What that returned, or what went wrong.
inline std::string as_neighbour(const std::string& interface,
                                const std::vector<std::string>& commands,
                                const std::function<std::string()>& there)
{
    std::array<int, 2> go{};
    std::array<int, 2> ready{};
    std::array<int, 2> result{};
    for (auto* each : {&go, &ready, &result})
        if (::pipe2(each->data(), O_CLOEXEC) != 0)
            return "no pipe";
    char byte = 0;
    const pid_t child = ::fork();
    if (child == 0) {
        std::string text = ::unshare(CLONE_NEWNET) == 0 ? "" : std::strerror(errno);
        if (::write(ready[1], "r", 1) != 1 || ::read(go[0], &byte, 1) != 1)
            ::_exit(1);
        for (const auto& each : commands)
            if (text.empty() && std::system((each + " 2>&1").c_str()) != 0)
                text = "failed: " + each;
        if (text.empty())
            text = there();
        const auto sent = ::write(result[1], text.data(), text.size());
        ::_exit(sent == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    ::close(result[1]);
    const bool moved =
        ::read(ready[0], &byte, 1) == 1
        && std::system(("ip link set " + interface + " netns " + std::to_string(child)).c_str())
               == 0
        && ::write(go[1], "g", 1) == 1;
    std::string text = moved ? "" : "the interface cannot be moved";
    ::close(go[1]); // else a child that waits would wait for ever
    std::array<char, 4096> room;
    for (ssize_t got; (got = ::read(result[0], room.data(), room.size())) > 0;)
        text.append(room.data(), static_cast<std::size_t>(got));
    ::waitpid(child, nullptr, 0);
    for (const int each : {go[0], ready[0], ready[1], result[0]})
        ::close(each);
    return text;
}

/// Why there can be none here; empty when there can.
inline std::string no_namespaces()
{
    const auto text = in_namespace({"ip link set lo up"}, [] { return std::string("fine"); });
    return text == "fine" ? std::string() : text;
}

} // namespace funcptr::testing
