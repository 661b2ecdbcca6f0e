// SPDX-License-Identifier: MIT
//
// listener.h: one port on IPv4 and IPv6, and accept on a loop.
//
// bind_listeners() turns a text into bound and listening sockets, and reports for each address how
// far it came. listener puts them on a loop and hands out what they accept: in bounded batches,
// under one limit for all of them, with the peer's address in its canonical form. When the process
// runs out of descriptors it waits and recovers by itself instead of spinning.
//
// It does not read or write: see connection.h. It never shares a port with another program
// (SO_REUSEPORT) unless told to.
//
// Threads: those of the loop; bind_listeners() may be called in any, and may block while it
// resolves a name. Lifetime: the loop must outlive the listener. Legal in the callback: everything,
// destroying the listener included.
//
//     funcptr::listener listener(loop, "*:7020", [&](funcptr::accepted peer) {
//         std::cout << peer.peer << " is here\n";
//     });
//     std::cout << listener.report() << '\n'; // "listening on 0.0.0.0:7020 and [::]:7020"
//     funcptr::run(loop);
//
// Specs, several separated by commas:
//     *:7020               0.0.0.0 and [::]
//     [::]:7020 0.0.0.0:0  one address; port 0 lets the system choose, the same for all of a spec
//     localhost:https      all addresses of a name; a port may be a name of /etc/services
//     [fe80::1%eth0]:7020  a link-local address needs its interface
//     unix:/path           a unix socket; unix:@name is an abstract one; a comma in it is \x2c
//     fd:3                 a listening socket that was inherited; it is owned from then on
//     systemd              all sockets that systemd passed (sd_listen_fds(3)), each once
//     systemd:name         those of that name (FileDescriptorName=)
#pragma once

#include <sys/types.h>

#include <ev++.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cidr.h"
#include "error.h"
#include "export.h"
#include "socket.h"

namespace funcptr {

/// When some of a spec's addresses cannot be had.
enum class bind_policy : std::uint8_t {
    /// A family or address that this machine does not have is left out, as long as one is left; a
    /// port that is taken is an error all the same.
    prefer_all,
    require_all, ///< all or nothing
};

/// Where it went wrong.
enum class bind_step : std::uint8_t { none, resolve, socket, option, bind, listen, inherit };

FUNCPTR_API const char* to_string(bind_step step) noexcept;

struct bind_options {
    bind_policy policy = bind_policy::prefer_all;
    /// Connections that the kernel holds until they are accepted (listen(2)); cut to
    /// net.core.somaxconn, 4,096 on today's Linux.
    int backlog = 4096;
    /// SO_REUSEPORT: several sockets, also of several programs of this user, share the port and the
    /// kernel deals the connections out. Off: two programs by mistake on one port must be an error.
    bool reuse_port = false;
    /// TCP_FASTOPEN (RFC 7413): so many connections may have sent data before their handshake is
    /// done. 0: off. Only where doing twice what a peer asks first does no harm, as with TLS 0-RTT.
    int fast_open = 0;
    /// A unix path's permissions, e.g. 0660; who may write may connect. Set before anybody can.
    /// 0: what the umask leaves.
    mode_t unix_mode = 0;
};

/// What became of one address.
struct bind_entry {
    address where;
    bind_step step = bind_step::none; ///< the step that failed; none when it listens
    std::error_code error;
    std::string hint; ///< what may help, e.g. who holds the port; may be empty
};

class FUNCPTR_API bind_report {
public:
    std::vector<bind_entry> entries;

    /// "listening on 0.0.0.0:7020 and [::]:7020", with what was left out and why.
    std::string to_string() const;
    friend std::ostream& operator<<(std::ostream& out, const bind_report& report)
    {
        return out << report.to_string();
    }
};

struct bound_listeners {
    std::vector<unique_fd> sockets; ///< listening, non-blocking, close-on-exec
    std::vector<address> addresses; ///< of each, with the port that it got
    bind_report report;
    /// What must live as long as the sockets: a unix socket's path, which is removed with it, and
    /// its lock.
    std::vector<std::shared_ptr<void>> holds{};
};

/// Binds and listens, all or nothing of what the policy asks for; both belong to one transaction,
/// since EADDRINUSE may come from either. Throws funcptr::error: errc::bad_spec showing where in
/// the text it is wrong, errc::resolve, or the first failed step's errno, naming spec, address and
/// hint; std::invalid_argument for a backlog below 1.
///
/// A unix path that a dead process left behind is taken over, under flock(2) on "<path>.lock"; one
/// that is in use, or is no socket, is EADDRINUSE.
FUNCPTR_API bound_listeners bind_listeners(std::string_view spec, const bind_options& options = {});

struct listener_options {
    bind_options bind{};
    /// Connections at a time, over all sockets. 10,000: half of the descriptors that a process
    /// usually may have. At the limit nothing is accepted; the kernel's queue holds the rest.
    std::size_t connections = 10000;
    /// Accepts per turn of the loop, over all sockets, so that a flood of connections does not keep
    /// the others waiting. 64: some hundred microseconds.
    unsigned batch = 64;
    /// The first pause when descriptors or memory are used up; doubled up to the second. 50 ms to
    /// 1 s: at most 20 tries a second, and soon there when it is over.
    std::chrono::milliseconds backoff = std::chrono::milliseconds(50);
    std::chrono::milliseconds backoff_limit = std::chrono::seconds(1);
    /// TCP_NODELAY on what is accepted: small answers go out at once.
    bool no_delay = true;
    /// SO_KEEPALIVE: a peer that lost its power is noticed in the end.
    bool keepalive = true;
    /// TCP_USER_TIMEOUT: how long what was sent may go without an acknowledgement before the kernel
    /// gives the connection up. 0: the system's choice, some 15 minutes; connection's own deadlines
    /// (write_stall) are usually sooner.
    std::chrono::milliseconds user_timeout{0};

    /// Proxies, whose word on whose connection it is counts: what they pass on begins with a PROXY
    /// header (proxy_protocol.h), which is taken off and becomes `accepted::peer` and `local`, with
    /// the proxy in `via`. From these networks a connection without a header is refused, with a
    /// line in the log; from all others a header is the peer's own text. None by default: anybody
    /// can write one.
    std::vector<cidr> proxy_from{};
    /// The same for a unix socket, where who may connect is a matter of its permissions.
    bool proxy_from_unix = false;
    /// For the header to come. 5 s: a proxy sends it first of all. Who waits counts as a
    /// connection.
    std::chrono::milliseconds proxy_deadline = std::chrono::seconds(5);
};

/// Counts since the start.
struct listener_counters {
    std::uint64_t accepted = 0;
    std::uint64_t skipped = 0; ///< gone before they were accepted (ECONNABORTED and the like)
    std::uint64_t starved = 0; ///< times that descriptors or memory were used up
    std::uint64_t proxies_refused = 0; ///< without a PROXY header in time, or with a wrong one
    std::size_t connections = 0;       ///< now
};

/// What waits in the kernel to be accepted, over all TCP sockets (Linux: tcp_info(7) of a listening
/// socket). Full queues drop what comes: a graph of it shows a listener that is too slow.
struct listener_queue {
    std::size_t waiting = 0;
    std::size_t most = 0; ///< bind_options::backlog, cut to net.core.somaxconn
};

class FUNCPTR_API listener {
public:
    /// Takes what it wants by moving it: what it leaves is closed when it returns, and its place
    /// given back.
    using accept_handler = std::function<void(accepted&&)>;

    /// Binds (see bind_listeners) and accepts from the next turn on. Throws what that throws, and
    /// std::invalid_argument for an option that makes no sense or an empty on_accept.
    listener(ev::loop_ref loop, std::string_view spec, accept_handler on_accept,
             const listener_options& options = {});
    /// Takes over what is bound already.
    listener(ev::loop_ref loop, bound_listeners bound, accept_handler on_accept,
             const listener_options& options = {});
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;
    /// Closes the sockets; the kernel resets what was not accepted. Connections stay.
    ~listener();

    const bind_report& report() const noexcept;
    /// The addresses that it listens on.
    const std::vector<address>& addresses() const noexcept;
    /// The port that all of them share; 0 for unix sockets.
    std::uint16_t port() const noexcept;

    /// Stops accepting; the kernel's queue goes on filling.
    void pause();
    void resume();
    bool paused() const noexcept;

    /// Accepts what the kernel's queue still holds, beyond the limit of connections too, then
    /// closes the sockets: nobody who was let in by the kernel is reset, unless descriptors are
    /// used up. The handler is called for each from within; within the handler, after it has
    /// returned. Idempotent.
    void stop();

    listener_counters counters() const noexcept;
    /// Asks the kernel. All 0 once stopped, and for unix sockets.
    listener_queue queue() const noexcept;

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

} // namespace funcptr
