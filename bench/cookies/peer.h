// SPDX-License-Identifier: MIT
//
// peer.h: another program that verifies its own cookie in a loop of its own.
//
// The programs are in peers/. Each is called with a secret and data, writes the cookie that it made
// of them on a line, and then answers each number on stdin with the seconds that it took to verify
// that cookie so often. So neither its start nor the pipe is in the figure.
//
// Threads: one. Lifetime: the program ends with this object.
//
//     bench::peer node({"/usr/bin/node", bench::peer_file("cookie_signature_peer.js"), secret,
//     data}); auto seconds = node.verify(10'000);
#pragma once

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

extern char** environ;

namespace bench {

/// A script of peers/, from the top of the sources or beside the build folder. Throws
/// std::runtime_error when it is not there.
inline std::string peer_file(const std::string& name)
{
    namespace fs = std::filesystem;
    const auto below = fs::path("bench/cookies/peers") / name;
    const auto program = fs::read_symlink("/proc/self/exe"); // build/VARIANT/bench/cookies_bench
    for (auto top = fs::current_path(); top.has_relative_path(); top = top.parent_path())
        if (fs::exists(top / below))
            return top / below;
    for (auto top = program; top.has_relative_path(); top = top.parent_path())
        if (fs::exists(top / below))
            return top / below;
    throw std::runtime_error(below.string() + " is not below " + fs::current_path().string());
}

/// The distribution's interpreter, which has the distribution's packages, goes before others of
/// $PATH. Throws std::runtime_error when there is none.
inline std::string interpreter(const std::string& name)
{
    namespace fs = std::filesystem;
    const char* const path = std::getenv("PATH");
    std::string folders = std::string("/usr/bin:") + (path == nullptr ? "" : path) + ':';
    for (std::size_t end; (end = folders.find(':')) != folders.npos; folders.erase(0, end + 1)) {
        const auto program = fs::path(folders.substr(0, end)) / name;
        if (end != 0 && ::access(program.c_str(), X_OK) == 0)
            return program;
    }
    throw std::runtime_error(name + " is not installed");
}

class peer {
public:
    /// Starts it. missing: what is said when it ends before its cookie, as it does without its
    /// package. environment: set besides this program's.
    peer(const std::vector<std::string>& arguments, const std::string& missing,
         const std::vector<std::string>& environment = {})
    {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        mine_ = ends[0];
        const int failed = start(arguments, environment, ends[1]);
        ::close(ends[1]);
        cookie_ = failed == 0 ? line() : "";
        if (cookie_.empty()) {
            end();
            throw std::runtime_error(missing);
        }
    }
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;
    ~peer() { end(); }

    /// Its own.
    const std::string& cookie() const { return cookie_; }

    /// Seconds for so many. Throws std::runtime_error when it failed.
    double verify(std::size_t calls)
    {
        const auto text = std::to_string(calls) + '\n';
        // A peer that has ended must not end us by a signal.
        if (::send(mine_, text.data(), text.size(), MSG_NOSIGNAL) < 0)
            throw std::runtime_error("the peer has ended");
        const auto answer = line();
        double seconds = 0;
        const auto read = std::from_chars(answer.data(), answer.data() + answer.size(), seconds);
        if (read.ec != std::errc() || !(seconds > 0))
            throw std::runtime_error("the peer answered '" + answer + "'");
        return seconds;
    }

private:
    int start(const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment, int theirs)
    {
        std::vector<char*> argv, env;
        for (const auto& each : arguments)
            argv.push_back(const_cast<char*>(each.c_str()));
        argv.push_back(nullptr);
        for (const auto& each : environment) // the first of a name is found
            env.push_back(const_cast<char*>(each.c_str()));
        for (char** each = environ; *each != nullptr; ++each)
            env.push_back(*each);
        env.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
        // What it says of a missing package is said better by our row.
        ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1 /* O_WRONLY */,
                                           0);
        const int failed =
            ::posix_spawn(&process_, argv[0], &actions, nullptr, argv.data(), env.data());
        ::posix_spawn_file_actions_destroy(&actions);
        return failed;
    }

    /// Without its end; empty when there is none any more.
    std::string line()
    {
        std::string text;
        for (char c = 0; ::recv(mine_, &c, 1, 0) == 1 && c != '\n';)
            text += c;
        return text;
    }

    void end()
    {
        ::close(mine_);
        if (process_ > 0)
            ::waitpid(process_, nullptr, 0); // its stdin has ended
        process_ = 0;
    }

    int mine_ = -1;
    pid_t process_ = 0;
    std::string cookie_;
};

/// A folder that goes with this object.
class scratch_folder {
public:
    scratch_folder()
    {
        auto name = (std::filesystem::temp_directory_path() / "cookies_bench.XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::system_error(errno, std::generic_category(), name);
        path_ = name;
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    ~scratch_folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

} // namespace bench
