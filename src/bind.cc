// SPDX-License-Identifier: MIT
//
// How one port is had on both families:
//   - Two sockets, and IPV6_V6ONLY on the IPv6 one before bind(): its default differs from system
//   to
//     system, and afterwards it cannot be set (RFC 3493, 5.3).
//   - Port 0 must give both the same. An IPv4-and-IPv6 probe is bound to [::]:0 first and kept open
//     while the real ones are bound to its port (all with SO_REUSEADDR, none listening yet, which
//     Linux allows): so nobody can take the port of one family meanwhile. Binding one and then
//     trying the other fails whenever the other's is taken.
//   - listen() only after every bind(): EADDRINUSE may come from either, so they are one
//   transaction.
//   - No AI_ADDRCONFIG: with only loopback up it hides 127.0.0.1, and on a host without IPv6 even a
//     literal ::1.
#include <funcptr/listener.h>

#include <netdb.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

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
    }
    return "unknown";
}

namespace {

// --- the text ---------------------------------------------------------------------------------

[[noreturn]] void bad_spec(std::string_view spec, std::size_t at, const std::string& why)
{
    throw error(errc::bad_spec, "cannot listen on \"" + std::string(spec) + "\": " + why
                                    + " (at character " + std::to_string(at + 1) + ")");
}

struct free_addresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

std::vector<address> lookup(std::string_view spec, const std::string& host,
                            const std::string& service)
{
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int failed =
        ::getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &hints, &list);
    const std::unique_ptr<addrinfo, free_addresses> keep(list);
    if (failed != 0)
        throw error(errc::resolve,
                    "cannot listen on \"" + std::string(spec)
                        + "\": " + (failed == EAI_SERVICE ? service : host) + ": "
                        + (failed == EAI_SYSTEM ? errno_code(errno).message()
                                                : std::string(::gai_strerror(failed))));
    std::vector<address> found;
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        const auto made = address::from(each->ai_addr, each->ai_addrlen);
        if (made && std::find(found.begin(), found.end(), made) == found.end())
            found.push_back(made);
    }
    return found;
}

std::vector<address> parse_spec(std::string_view whole, std::string_view spec, std::size_t at)
{
    if (spec.empty())
        bad_spec(whole, at, "an address is missing");
    if (spec.starts_with("unix:") || spec.starts_with('[')) {
        const auto parsed = address::parse(spec);
        if (parsed && (spec.starts_with("unix:") || spec.back() != ']'))
            return {*parsed.value};
        const bool named_port =
            spec.find("]:") != spec.npos && address::parse(spec.substr(0, spec.find("]:") + 1));
        if (!named_port)
            bad_spec(whole, at + (parsed ? spec.size() : parsed.at),
                     parsed ? "a port is missing" : parsed.error);
    }
    const auto colon = spec.rfind(':');
    if (colon == spec.npos || colon + 1 == spec.size())
        bad_spec(whole, at + spec.size(), "a port is missing");
    std::string host(spec.substr(0, colon));
    const std::string service(spec.substr(colon + 1));
    if (host.empty())
        bad_spec(whole, at, "an address is missing; * stands for all");
    if (host.find(':') != host.npos && !host.starts_with('['))
        bad_spec(whole, at, "an IPv6 address needs brackets");
    if (host.starts_with('['))
        host = host.substr(1, host.size() - 2);
    if (std::all_of(service.begin(), service.end(), [](char c) { return c >= '0' && c <= '9'; })
        && !parse_port(service))
        bad_spec(whole, at + colon + 1, "the port is not within 0 to 65535");
    return lookup(whole, host == "*" ? std::string() : host, service);
}

// --- the sockets ------------------------------------------------------------------------------

struct attempt {
    unique_fd socket;
    bind_entry entry;
};

bool fail(attempt& one, bind_step step)
{
    one.entry.step = step;
    one.entry.error = errno_code(errno);
    one.socket.reset();
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
    if (::bind(fd, where.data(), where.size()) != 0)
        return fail(one, bind_step::bind);
    sockaddr_storage got{};
    socklen_t size = sizeof got;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&got), &size) != 0)
        return fail(one, bind_step::bind);
    if (where.is_ip())
        one.entry.where =
            where.with_port(address::from(reinterpret_cast<sockaddr*>(&got), size).port());
    return true;
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

bool needs_one_port(const std::vector<address>& wanted)
{
    const auto open = [](const address& a) { return a.is_ip() && a.port() == 0; };
    return std::count_if(wanted.begin(), wanted.end(), open) > 1;
}

std::vector<attempt> bind_all(const std::vector<address>& wanted, const bind_options& options,
                              std::uint16_t port)
{
    std::vector<attempt> all(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        auto& where = all[i].entry.where;
        where = wanted[i].is_ip() && wanted[i].port() == 0 ? wanted[i].with_port(port) : wanted[i];
        if (open_bound(all[i], options) && port == 0 && wanted[i].port() == 0)
            port = where.port(); // the next ones take the same
    }
    return all;
}

bool somebody_was_first(const std::vector<attempt>& all)
{
    return std::any_of(all.begin(), all.end(), [](const attempt& one) {
        return one.entry.error == std::errc::address_in_use;
    });
}

/// Where the system has no common probe: each try's port may be taken on the other family, and the
/// losers are kept so that the system gives another one.
std::vector<attempt> bind_by_trying(const std::vector<address>& wanted, const bind_options& options)
{
    constexpr int tries = 32; // in a port range that is half full, one in four billion fails
    std::vector<std::vector<attempt>> losers;
    for (int i = 0; i < tries; ++i) {
        auto all = bind_all(wanted, options, 0);
        if (!somebody_was_first(all))
            return all;
        losers.push_back(std::move(all));
    }
    return std::move(losers.back());
}

std::vector<attempt> bind_transaction(const std::vector<address>& wanted,
                                      const bind_options& options)
{
    auto all = [&] {
        if (!needs_one_port(wanted))
            return bind_all(wanted, options, 0);
        std::uint16_t port = 0;
        const unique_fd probe = probe_both(port);
        if (probe)
            if (auto bound = bind_all(wanted, options, port); !somebody_was_first(bound))
                return bound;
        return bind_by_trying(wanted, options);
    }(); // the probe is closed here: it would be in the way of listen()
    for (auto& one : all)
        if (one.socket && ::listen(one.socket.get(), options.backlog) != 0)
            fail(one, bind_step::listen);
    return all;
}

std::string hint_for(const bind_entry& entry)
{
    const auto& where = entry.where;
    if (entry.error == std::errc::address_in_use && where.is_ip())
        return detail::port_holder(where.port());
    if (entry.error == std::errc::address_in_use)
        return "the path exists; remove it if nobody uses it any more";
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
    auto text = entry.where.to_string() + ": " + entry.error.message();
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
    std::vector<address> wanted;
    for (std::size_t at = 0; at <= spec.size();) {
        const auto end = std::min(spec.find(',', at), spec.size());
        for (const auto& each : parse_spec(spec, spec.substr(at, end - at), at))
            if (std::find(wanted.begin(), wanted.end(), each) == wanted.end())
                wanted.push_back(each);
        at = end + 1;
    }
    auto all = bind_transaction(wanted, options);
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
        throw error(bad->error, "cannot listen on \"" + std::string(spec) + "\": "
                                    + funcptr::to_string(bad->step) + " " + describe(*bad));
    for (auto& one : all) {
        if (!one.socket)
            continue;
        bound.sockets.push_back(std::move(one.socket));
        bound.addresses.push_back(one.entry.where);
    }
    return bound;
}

} // namespace funcptr
