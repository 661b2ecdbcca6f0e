// SPDX-License-Identifier: MIT
//
// resolver.h: the addresses of a name, without keeping the loop waiting. Two of them: c-ares on the
// loop, and getaddrinfo(3) in a thread.
//
// Threads: the loop's. Lifetime: to destroy one gives up; what comes later is dropped. Legal in the
// handler: everything, destroying the resolver included.
#pragma once

#include <funcptr/address.h>

#include <ev++.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace funcptr::detail {

struct lookup_answer {
    address_family family = address_family::none;
    std::vector<address> addresses; ///< port 0, the best first (RFC 6724)
    std::string error;              ///< why there are none
};

class resolver {
public:
    /// Called once for IPv6 and once for IPv4, in the order of the answers, from the loop.
    using handler = std::function<void(lookup_answer)>;
    virtual ~resolver() = default;
};

/// Null when the library was built without c-ares. Throws funcptr::error for servers that cannot
/// be read.
std::unique_ptr<resolver> ares_resolver(ev::loop_ref loop, const std::string& host,
                                        const std::string& servers, resolver::handler handler);

std::unique_ptr<resolver> thread_resolver(ev::loop_ref loop, const std::string& host,
                                          resolver::handler handler);

} // namespace funcptr::detail
