// SPDX-License-Identifier: MIT
//
// connection_gone.h: how a connection_set learns that one of its connections is over.
#pragma once

namespace funcptr {

class connection;

namespace detail {

/// Two words instead of a std::function's four: each connection has one.
struct gone_handler {
    bool (*call)(void* owner, connection& gone) noexcept = nullptr; // false: again, a bit later
    void* owner = nullptr;
};

/// Called once, after the connection's on_close has returned and if that has not destroyed it.
void when_gone(connection& of, gone_handler handler);

} // namespace detail
} // namespace funcptr
