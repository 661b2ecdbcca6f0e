// SPDX-License-Identifier: MIT
//
// net_syscalls.h: the system calls whose failures tests must be able to provoke.
#pragma once

#include <sys/socket.h>

namespace funcptr::detail {

/// accept4(2); a test puts another one in its place.
extern int (*accept_call)(int fd, sockaddr* peer, socklen_t* size, int flags);

} // namespace funcptr::detail
