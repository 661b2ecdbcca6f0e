// SPDX-License-Identifier: MIT
//
// How one port is had on both families
//
// Two sockets, and IPV6_V6ONLY on the IPv6 one before bind(): its default differs from system to
// system, and afterwards it cannot be set (RFC 3493, 5.3).
//
// Port 0 must give both the same. An IPv4-and-IPv6 probe is bound to [::]:0 first and kept open
// while the real ones are bound to its port (all with SO_REUSEADDR, none listening yet, which Linux
// allows): so nobody can take the port of one family meanwhile. Binding one and then trying the
// other fails whenever the other's is taken.
//
// listen() comes after every bind(), and EADDRINUSE may come from either: they are one transaction,
// and with a port of the system's choice it is tried again as a whole.
//
// No AI_ADDRCONFIG: with only loopback up it hides 127.0.0.1, and on a host without IPv6 even a
// literal ::1.
#include <funcptr/listener.h>

#include <netdb.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "detail/net_inherited.h"
#include "detail/net_spec.h"
#include "detail/net_unix_path.h"
#include "detail/port_holder.h"

namespace funcptr {

const char* to_string(bind_step step) noexcept
{
    switch (step) {
    case bind_step::none:
        return "none";
    case bind_step::resolve:
        return "resolve";
    case bind_step::socket:
        return "socket";
    case bind_step::option:
        return "setsockopt";
    case bind_step::bind:
        return "bind";
    case bind_step::listen:
        return "listen";
    case bind_step::inherit:
        return "inherit";
    }
    return "unknown";
}

namespace {

// --- the text ---------------------------------------------------------------------------------

struct free_addresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

/// REQUIRES: a host or a service. Without a host, the addresses are of no use but for their port.
std::vector<address> lookup(std::string_view spec, const std::string& host,
                            const std::string& service)
{
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                     service.empty() ? nullptr : service.c_str(), &hints, &list);
    const int number = errno;
    const std::unique_ptr<addrinfo, free_addresses> keep(list);
    if (failed != 0) {
        const bool of_service = failed == EAI_SERVICE || host.empty();
        const auto why =
            failed == EAI_SYSTEM ? errno_code(number).message() : ::gai_strerror(failed);
        throw error(errc::resolve, "cannot listen on \"" + detail::printable(spec) + "\": resolve "
                                       + (of_service ? service : host) + ": " + why);
    }
    std::vector<address> found;
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next)
        if (const auto made = address::from(each->ai_addr, each->ai_addrlen))
            found.push_back(made);
    return found;
}

std::vector<address> resolve(std::string_view spec, const detail::spec_part& part)
{
    if (!part.host.empty()) {
        auto found = lookup(spec, part.host, part.service);
        if (part.service.empty())
            for (auto& each : found)
                each = each.with_port(part.port);
        return found;
    }
    auto port = part.port;
    if (!part.service.empty())
        port = lookup(spec, {}, part.service).at(0).port();
    if (part.every_address)
        return {address::any_ipv4(port), address::any_ipv6(port)};
    return {part.literal->with_port(part.literal->is_ip() ? port : std::uint16_t(0))};
}

[[noreturn]] void bad_spec(std::string_view spec, const std::string& why, std::size_t at)
{
    throw error(errc::bad_spec, "cannot listen on \"" + detail::printable(spec) + "\": " + why
                                    + " (at character " + std::to_string(at + 1) + ")");
}

/// What is to be listened on.
struct target {
    address where;
    int inherited = -1; // a descriptor that is bound already

    friend bool operator==(const target&, const target&) = default;
};

std::vector<target> targets_of(std::string_view spec, const detail::spec_part& part)
{
    std::vector<target> found;
    switch (part.from) {
    case detail::spec_part::origin::bind:
        for (const auto& each : resolve(spec, part))
            found.push_back({each});
        break;
    case detail::spec_part::origin::descriptor:
        found.push_back({{}, part.descriptor});
        break;
    case detail::spec_part::origin::systemd:
        const auto passed = detail::inherited_from_systemd(part.name);
        if (!passed.error.empty())
            bad_spec(spec, passed.error, part.at);
        for (const int fd : passed.descriptors)
            found.push_back({{}, fd});
        break;
    }
    return found;
}

/// All targets of a spec, each once: macOS gives localhost twice, and so may a user.
std::vector<target> targets_of(std::string_view spec)
{
    const auto parsed = detail::parse_spec(spec);
    if (!parsed.error.empty())
        bad_spec(spec, parsed.error, parsed.at);
    std::vector<target> wanted;
    for (const auto& part : parsed.parts)
        for (const auto& each : targets_of(spec, part))
            if (std::find(wanted.begin(), wanted.end(), each) == wanted.end())
                wanted.push_back(each);
    return wanted;
}

// --- the sockets ------------------------------------------------------------------------------

struct attempt {
    std::shared_ptr<detail::unix_path> path; // of a unix socket: outlives it
    unique_fd socket;
    bind_entry entry;
    bool inherited = false; // not ours until all is well

    attempt() = default;
    attempt(attempt&&) = default;
    attempt& operator=(attempt&&) = delete;
    ~attempt() { give_up(); }
    void give_up()
    {
        if (inherited)
            (void)socket.release();
        socket.reset();
        path.reset();
    }
};

bool fail(attempt& one, bind_step step)
{
    one.entry.step = step;
    one.entry.error = errno_code(errno);
    one.socket.reset();
    one.path.reset();
    return false;
}

bool set_option(int fd, int level, int name, int value)
{
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool set_v6only(int fd, bool only)
{
    if (set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, only))
        return true;
    int now = 0; // OpenBSD refuses to set what is always so
    socklen_t size = sizeof now;
    return ::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &now, &size) == 0 && (now != 0) == only;
}

int native_family(const address& where)
{
    return where.data()->sa_family;
}

bool open_bound(attempt& one, const bind_options& options)
{
    const address& where = one.entry.where;
    one.socket.reset(::socket(native_family(where), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = one.socket.get();
    if (fd < 0)
        return fail(one, bind_step::socket);
    if (where.is_ip() && !set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1))
        return fail(one, bind_step::option);
    if (options.reuse_port && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return fail(one, bind_step::option);
    if (where.family() == address_family::ipv6 && !set_v6only(fd, true))
        return fail(one, bind_step::option);
    if (where.family() == address_family::local) {
        one.path = std::make_shared<detail::unix_path>();
        if (!one.path->claim(where))
            return fail(one, bind_step::bind);
    }
    if (::bind(fd, where.data(), where.size()) != 0)
        return fail(one, bind_step::bind);
    if (one.path && !one.path->bound(options.unix_mode))
        return fail(one, bind_step::option);
    if (where.is_ip() && options.fast_open != 0
        && !set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, options.fast_open))
        return fail(one, bind_step::option);
    sockaddr_storage got{};
    socklen_t size = sizeof got;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&got), &size) != 0)
        return fail(one, bind_step::bind);
    if (where.is_ip())
        one.entry.where =
            where.with_port(address::from(reinterpret_cast<sockaddr*>(&got), size).port());
    return true;
}

void adopt(attempt& one, int fd)
{
    auto found = detail::check_inherited(fd);
    one.entry.where = found.where;
    one.entry.hint = "fd " + std::to_string(fd) + (found.hint.empty() ? "" : ": " + found.hint);
    if (found.error) {
        one.entry.step = bind_step::inherit;
        one.entry.error = found.error;
        return;
    }
    one.inherited = true;
    one.socket.reset(fd);
}

/// Holds one port of both families, see the top of this file. Empty when there is no IPv6.
unique_fd probe_both(std::uint16_t& port)
{
    unique_fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto any = address::any_ipv6(0);
    sockaddr_in6 got{};
    socklen_t size = sizeof got;
    if (!probe || !set_option(probe.get(), SOL_SOCKET, SO_REUSEADDR, 1)
        || !set_v6only(probe.get(), false) || ::bind(probe.get(), any.data(), any.size()) != 0
        || ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&got), &size) != 0)
        return {};
    port = ntohs(got.sin6_port);
    return probe;
}

bool is_missing_here(const bind_entry& entry)
{
    // Of no use on this machine, as opposed to used by somebody.
    return entry.error == std::errc::address_family_not_supported
           || entry.error == std::errc::address_not_available;
}

/// May the system choose the port?
bool is_open(const target& wanted)
{
    return wanted.where.is_ip() && wanted.where.port() == 0;
}

/// With `port` for all whose port is open; 0: with what the first of them gets.
std::vector<attempt> bind_all(const std::vector<target>& wanted, const bind_options& options,
                              std::uint16_t port)
{
    std::vector<attempt> all(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i].inherited >= 0) {
            adopt(all[i], wanted[i].inherited);
            continue;
        }
        auto& where = all[i].entry.where;
        where = is_open(wanted[i]) ? wanted[i].where.with_port(port) : wanted[i].where;
        if (open_bound(all[i], options) && port == 0 && is_open(wanted[i]))
            port = where.port();
    }
    return all;
}

std::vector<attempt> bind_and_listen(const std::vector<target>& wanted, const bind_options& options,
                                     bool with_probe)
{
    std::uint16_t port = 0;
    unique_fd probe = with_probe ? probe_both(port) : unique_fd();
    auto all = bind_all(wanted, options, port);
    probe.reset(); // it would be in the way of listen()
    for (auto& one : all)
        if (one.socket && !one.inherited && ::listen(one.socket.get(), options.backlog) != 0)
            fail(one, bind_step::listen);
    return all;
}

/// Did somebody else have a port that the system had chosen for us?
bool lost_the_port(const std::vector<target>& wanted, const std::vector<attempt>& all)
{
    for (std::size_t i = 0; i < all.size(); ++i)
        if (is_open(wanted[i]) && all[i].entry.error == std::errc::address_in_use)
            return true;
    return false;
}

std::vector<attempt> bind_transaction(const std::vector<target>& wanted,
                                      const bind_options& options)
{
    constexpr int tries = 32; // in a port range that is half full, one in four billion fails
    const bool with_probe = std::count_if(wanted.begin(), wanted.end(), is_open) > 1;
    std::vector<std::vector<attempt>> losers; // keep their ports, so that the system gives others
    for (int i = 1;; ++i) {
        auto all = bind_and_listen(wanted, options, with_probe && i == 1);
        if (i == tries || !lost_the_port(wanted, all))
            return all;
        for (auto& one : all)
            if (one.inherited || !one.entry.where.is_ip())
                one.give_up(); // is needed again by the next try
        losers.push_back(std::move(all));
    }
}

std::string hint_for(const bind_entry& entry)
{
    const auto& where = entry.where;
    if (entry.step == bind_step::inherit)
        return entry.hint;
    if (entry.error == std::errc::address_in_use && where.is_ip())
        return detail::port_holder(where);
    if (entry.error == std::errc::address_in_use)
        return "somebody listens there, or it is no socket";
    if (entry.error == std::errc::permission_denied && where.is_ip() && where.port() < 1024)
        return "ports below 1024 need CAP_NET_BIND_SERVICE or root";
    if (entry.error == std::errc::address_not_available)
        return "no interface of this machine has the address";
    if (entry.error == std::errc::invalid_argument && where.host().starts_with("fe80"))
        return "a link-local address needs its interface: [fe80::1%eth0]:7020";
    return {};
}

std::string describe(const bind_entry& entry)
{
    auto text = (entry.where ? entry.where.to_string() + ": " : "") + entry.error.message();
    if (!entry.hint.empty())
        text += " (" + entry.hint + ")";
    return text;
}

} // namespace

std::string bind_report::to_string() const
{
    std::vector<std::string> good, bad;
    for (const auto& entry : entries)
        if (entry.step == bind_step::none)
            good.push_back(entry.where.to_string());
        else
            bad.push_back(describe(entry));
    std::string text = "listening on ";
    for (std::size_t i = 0; i < good.size(); ++i)
        text += (i == 0 ? "" : i + 1 == good.size() ? " and " : ", ") + good[i];
    for (const auto& each : bad)
        text += "; not on " + each;
    return text;
}

bound_listeners bind_listeners(std::string_view spec, const bind_options& options)
{
    if (options.backlog < 1)
        throw std::invalid_argument("bind_options::backlog: " + std::to_string(options.backlog)
                                    + " is below 1");
    if (options.fast_open < 0)
        throw std::invalid_argument("bind_options::fast_open is below 0");
    auto all = bind_transaction(targets_of(spec), options);
    bound_listeners bound;
    for (auto& one : all) {
        if (one.entry.step != bind_step::none)
            one.entry.hint = hint_for(one.entry);
        bound.report.entries.push_back(one.entry);
    }
    const auto fatal = [&](const bind_entry& entry) {
        return entry.step != bind_step::none
               && (options.policy == bind_policy::require_all || !is_missing_here(entry));
    };
    const auto& entries = bound.report.entries;
    auto bad = std::find_if(entries.begin(), entries.end(), fatal);
    if (std::none_of(all.begin(), all.end(), [](const attempt& one) { return !!one.socket; }))
        bad = entries.begin();
    if (bad != entries.end())
        throw error(bad->error, "cannot listen on \"" + detail::printable(spec) + "\": "
                                    + funcptr::to_string(bad->step) + " " + describe(*bad));
    for (auto& one : all) {
        if (!one.socket)
            continue;
        if (std::exchange(one.inherited, false))
            detail::mark_inherited({one.socket.get()});
        bound.sockets.push_back(std::move(one.socket));
        bound.addresses.push_back(one.entry.where);
        if (one.path)
            bound.holds.push_back(std::move(one.path));
    }
    return bound;
}

} // namespace funcptr
