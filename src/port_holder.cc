// SPDX-License-Identifier: MIT
#include "detail/port_holder.h"

#include <dirent.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

namespace funcptr::detail {

namespace {

struct listening_socket {
    std::string inode;
    std::string user;
};

/// A row of /proc/net/tcp: sl local_address rem_address st queues tr retransmits uid timeout inode.
listening_socket find_listening(const char* table, std::uint16_t port)
{
    char wanted[8];
    std::snprintf(wanted, sizeof wanted, ":%04X", port);
    std::ifstream rows(table);
    std::string row;
    while (std::getline(rows, row)) {
        std::istringstream fields(row);
        std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user
            >> timeout >> inode;
        if (state == "0A" && local.ends_with(wanted))
            return {inode, user};
    }
    return {};
}

bool is_number(const char* name)
{
    int number = 0;
    const std::string_view text(name);
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    return end.ptr == text.data() + text.size();
}

struct close_folder {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using folder = std::unique_ptr<DIR, close_folder>;

bool holds(const std::string& process, const std::string& socket)
{
    const std::string descriptors = "/proc/" + process + "/fd";
    const folder open(::opendir(descriptors.c_str()));
    if (!open)
        return false;
    while (const dirent* entry = ::readdir(open.get())) {
        char target[64];
        const auto path = descriptors + "/" + entry->d_name;
        const auto size = ::readlink(path.c_str(), target, sizeof target);
        if (size > 0 && std::string_view(target, static_cast<std::size_t>(size)) == socket)
            return true;
    }
    return false;
}

} // namespace

std::string port_holder(const address& where)
{
    listening_socket found;
    if (where.family() == address_family::ipv4)
        found = find_listening("/proc/net/tcp", where.port());
    if (found.inode.empty()) // an IPv6 socket may hold the port of both
        found = find_listening("/proc/net/tcp6", where.port());
    if (found.inode.empty())
        return {};
    const std::string socket = "socket:[" + found.inode + "]";
    const folder processes(::opendir("/proc"));
    while (const dirent* entry = processes ? ::readdir(processes.get()) : nullptr) {
        if (!is_number(entry->d_name) || !holds(entry->d_name, socket))
            continue;
        std::string name;
        std::getline(std::ifstream(std::string("/proc/") + entry->d_name + "/comm"), name);
        return "held by " + name + " (pid " + entry->d_name + ")";
    }
    return "held by somebody of user " + found.user;
}

} // namespace funcptr::detail
