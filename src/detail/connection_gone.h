// SPDX-License-Identifier: MIT
//
// connection_gone.h: how a connection_set learns that one of its connections is over.
#pragma once

#include <functional>

namespace funcptr {

class connection;

namespace detail {

/// Called once, after the connection's on_close has returned and if that has not destroyed it.
void when_gone(connection& of, std::function<void()> handler);

} // namespace detail
} // namespace funcptr
