// SPDX-License-Identifier: MIT
#include "detail/net_inherited.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <set>

#include "funcptr/error.h"

namespace funcptr::detail {

namespace {

constexpr int first_descriptor = 3;              // SD_LISTEN_FDS_START
constexpr std::uint32_t most_descriptors = 4096; // nobody passes as many

struct taken_descriptors {
    std::mutex mutex;
    std::set<int> all;
};
taken_descriptors& taken()
{
    static taken_descriptors one;
    return one;
}

std::string_view variable(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

std::vector<std::string_view> names()
{
    std::vector<std::string_view> all;
    std::string_view rest = variable("LISTEN_FDNAMES");
    while (!rest.empty()) {
        const auto colon = std::min(rest.find(':'), rest.size());
        all.push_back(rest.substr(0, colon));
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    return all;
}

std::string quoted(std::string_view text)
{
    return "\"" + printable(text) + "\"";
}

/// How many there are; 0, and why, when none are for us.
std::uint32_t count(std::string& error)
{
    const auto pid = variable("LISTEN_PID");
    const auto number = variable("LISTEN_FDS");
    if (pid.empty() || number.empty()) {
        error = "LISTEN_PID and LISTEN_FDS are not set: systemd has passed no sockets";
        return 0;
    }
    if (pid != std::to_string(::getpid())) {
        error = "the sockets are for process " + printable(pid) + " (LISTEN_PID), this is "
                + std::to_string(::getpid());
        return 0;
    }
    const auto parsed = parse_decimal(number, most_descriptors);
    if (!parsed || *parsed == 0)
        error = "LISTEN_FDS is " + quoted(number) + ", not a number from 1 to "
                + std::to_string(most_descriptors);
    return parsed.value_or(0);
}

inherited_check refuse(int number, std::string hint)
{
    return {{}, errno_code(number), std::move(hint)};
}

int option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

} // namespace

inherited inherited_from_systemd(std::string_view name)
{
    inherited found;
    const auto many = count(found.error);
    if (!found.error.empty())
        return found;
    const auto all_names = names();
    const std::lock_guard lock(taken().mutex);
    bool in_use = false;
    for (std::uint32_t i = 0; i < many; ++i) {
        const int fd = first_descriptor + static_cast<int>(i);
        const auto its_name = i < all_names.size() ? all_names[i] : "unknown"; // sd_listen_fds(3)
        if (!name.empty() && its_name != name)
            continue;
        if (taken().all.contains(fd))
            in_use = true;
        else
            found.descriptors.push_back(fd);
    }
    if (found.descriptors.empty())
        found.error = in_use         ? "its sockets are in use already"
                      : name.empty() ? "LISTEN_FDS is 0"
                                     : "no socket is named " + quoted(name) + " (LISTEN_FDNAMES is "
                                           + quoted(variable("LISTEN_FDNAMES")) + ")";
    return found;
}

void mark_inherited(const std::vector<int>& descriptors)
{
    const std::lock_guard lock(taken().mutex);
    taken().all.insert(descriptors.begin(), descriptors.end());
}

inherited_check check_inherited(int fd)
{
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0)
        return refuse(errno, "the descriptor is not open");
    const int type = option(fd, SO_TYPE);
    if (type < 0)
        return refuse(ENOTSOCK, "the descriptor is no socket");
    if (type != SOCK_STREAM)
        return refuse(ESOCKTNOSUPPORT, "the socket is not a stream (Accept=no, ListenStream=)");
    if (option(fd, SO_ACCEPTCONN) != 1)
        return refuse(EINVAL, "the socket does not listen");
    sockaddr_storage raw{};
    socklen_t size = sizeof raw;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &size) != 0
        || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return refuse(errno, {});
    const auto where = address::from(reinterpret_cast<const sockaddr*>(&raw), size);
    return where ? inherited_check{where} : refuse(EAFNOSUPPORT, "neither IP nor a unix socket");
}

} // namespace funcptr::detail
