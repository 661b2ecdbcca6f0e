// SPDX-License-Identifier: MIT
//
// net_inherited.h: listening sockets that somebody else has bound: a descriptor by its number, or
// systemd's (sd_listen_fds(3)): LISTEN_FDS of them from 3 on, for the process LISTEN_PID, with
// LISTEN_FDNAMES.
//
// It owns nothing: bind_listeners() takes them over once all of a spec is well.
//
// Threads: any; the environment must not change meanwhile. Lifetime: none.
#pragma once

#include <funcptr/address.h>

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace funcptr::detail {

struct inherited {
    std::vector<int> descriptors;
    std::string error; ///< empty when there are some
};

/// All of systemd's, or those of that name (there may be several). Each is given once in a process:
/// a second listener on one descriptor would close it under the first.
inherited inherited_from_systemd(std::string_view name);
/// They are in use now, and not given again.
void mark_inherited(const std::vector<int>& descriptors);

struct inherited_check {
    address where;
    std::error_code error{};
    std::string hint{};
};
/// Where it listens, or why it cannot be used: not open, no stream socket, not listening. Makes it
/// non-blocking and close-on-exec.
inherited_check check_inherited(int fd);

} // namespace funcptr::detail
