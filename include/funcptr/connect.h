// SPDX-License-Identifier: MIT
//
// connect.h: the listener's counterpart: a connection to a name, over IPv6 or IPv4, whichever works
// first ("Happy Eyeballs", RFC 8305).
//
// The name is resolved without keeping the loop waiting: by c-ares on the loop when the library was
// built with it, else by getaddrinfo(3) in one thread. Attempts begin one after the other, IPv6
// first and the families in turn, a short delay apart or as soon as one has failed; the first that
// connects wins, and the others are closed. The result is what a listener would hand out, so
// that connection.h goes on with it, with TLS or without.
//
// It does not retry, keep a pool, or know proxies and SRV records.
//
// Threads: those of the loop. Lifetime: the loop must outlive it; to destroy it gives up, and calls
// nothing. Legal in the handler: everything, destroying it included.
//
//     auto attempt = funcptr::connect_dual_stack(loop, "example.org:https",
//         [&](funcptr::connect_result got) {
//             if (got.error)
//                 return log(got.report.to_string());
//             auto& server = connections.add(std::move(got.peer),
//                                            funcptr::SSLFilter(tls, "example.org"));
//             server.on_open([](funcptr::connection& c) { c.write("GET / HTTP/1.0\r\n\r\n"); });
//         });
//     funcptr::run(loop);
#pragma once

#include <ev++.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "address.h"
#include "error.h"
#include "export.h"
#include "socket.h"

namespace funcptr {

struct connect_options {
    /// For all of it: resolving, and every attempt. 10 s.
    std::chrono::milliseconds deadline = std::chrono::seconds(10);
    /// How long IPv4 addresses wait for the answer about IPv6 (RFC 8305, 3). 50 ms.
    std::chrono::milliseconds resolution_delay = std::chrono::milliseconds(50);
    /// How long an attempt runs alone before the next one starts beside it (RFC 8305, 5). 250 ms;
    /// at least 10.
    std::chrono::milliseconds attempt_delay = std::chrono::milliseconds(250);
    /// Most addresses of each family that are tried. 8: a name with more has them for balance, and
    /// each costs a descriptor.
    std::size_t addresses = 8;
    /// TCP_NODELAY and SO_KEEPALIVE, as in listener_options.
    bool no_delay = true;
    bool keepalive = true;
    /// getaddrinfo(3) in a thread, although c-ares is there: it knows what nsswitch.conf(5) says
    /// (mDNS, LDAP), and reads nothing but it.
    bool system_resolver = false;
    /// For c-ares: servers to ask instead of those of resolv.conf(5), e.g. "127.0.0.1:5353,
    /// [::1]:53".
    std::string name_servers{};
};

/// The answer about one family.
struct connect_lookup {
    address_family family = address_family::none;
    std::size_t addresses = 0;
    std::string error; ///< the resolver's words when there are none
    std::chrono::milliseconds after{};
};

struct connect_attempt {
    address where;
    std::error_code error;               ///< operation_canceled: another one was first
    std::chrono::milliseconds started{}; ///< after the beginning of it all
    std::chrono::milliseconds took{};
};

struct FUNCPTR_API connect_report {
    std::string target;
    std::vector<connect_lookup> lookups;   ///< in the order of their answers; none for an address
    std::vector<connect_attempt> attempts; ///< in the order in which they were begun

    /// "example.org:443: connected to 192.0.2.1:443 after 281 ms; not to [2001:db8::1]:443: Network
    /// is unreachable".
    std::string to_string() const;
    friend std::ostream& operator<<(std::ostream& out, const connect_report& report)
    {
        return out << report.to_string();
    }
};

struct connect_result {
    /// None: connected. errc::resolve when there was no address to try; std::errc::timed_out at the
    /// deadline; else the last attempt's.
    std::error_code error;
    accepted peer; ///< connected, non-blocking, close-on-exec; no place
    connect_report report;
};

/// A connection that is being made.
class FUNCPTR_API connecting {
public:
    connecting() noexcept;
    connecting(connecting&&) noexcept;
    connecting& operator=(connecting&&) noexcept;
    ~connecting();

    /// The handler was not called yet.
    bool pending() const noexcept;
    /// Gives up: nothing will be called.
    void cancel() noexcept;

private:
    class impl;
    explicit connecting(std::unique_ptr<impl> inside) noexcept;
    friend connecting connect_dual_stack(ev::loop_ref loop, std::string_view target,
                                         std::function<void(connect_result)> handler,
                                         const connect_options& options);

    std::unique_ptr<impl> impl_;
};

/// target: one address or name with its port, as listener.h writes them: "example.org:443",
/// "localhost:https", "[fe80::1%eth0]:7020", "192.0.2.1:80", "unix:/path". The handler is called
/// once, from the loop, never from within this call. Throws funcptr::error (errc::bad_spec, showing
/// where in the text it is wrong; errc::resolve for a service that is not in services(5);
/// errc::bad_configuration for name_servers that c-ares refuses or that nobody reads), and
/// std::invalid_argument for an empty handler or options that make no sense.
[[nodiscard]] FUNCPTR_API connecting connect_dual_stack(ev::loop_ref loop, std::string_view target,
                                                        std::function<void(connect_result)> handler,
                                                        const connect_options& options = {});

} // namespace funcptr
