// SPDX-License-Identifier: MIT
//
// port_holder.h: who listens on a TCP port of this machine.
#pragma once

#include <funcptr/address.h>

#include <string>

namespace funcptr::detail {

/// "held by nginx (pid 812)", "held by somebody of user 33", or "" when it cannot be known: it is
/// read from /proc, which shows another user's descriptors to root alone.
std::string port_holder(const address& where);

} // namespace funcptr::detail
