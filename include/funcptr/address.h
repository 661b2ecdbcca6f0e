// SPDX-License-Identifier: MIT
//
// address.h: a canonical socket address: IPv4, IPv6 with its scope, or a unix path.
//
// Canonical means that one peer has one form: an IPv4 peer that came in through an IPv6 socket
// (::ffff:192.0.2.1) is the IPv4 address it is, so that a ban or an allow-list cannot be walked
// around; the scope of a link-local address is kept, the flow label is not. It does not resolve
// names: see listener.h and RFC 6724 for that.
//
// Threads: a value. Lifetime: owns its bytes; data() is valid as long as it is.
//
//     const auto parsed = funcptr::address::parse("[fe80::1%eth0]:7020");
//     if (!parsed)
//         return complain(parsed.error);   // "[fe80::1%eth9]:7020: no interface is named eth9"
//     std::cout << parsed.value->port() << ' ' << *parsed.value << '\n';
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

namespace funcptr {

enum class address_family : std::uint8_t {
    none, ///< no address: default constructed, or a peer that has none
    ipv4,
    ipv6,
    local, ///< a unix socket: a path, an abstract name, or unnamed
};

struct parsed_address;

class address {
public:
    /// No address.
    address() noexcept = default;

    /// What the kernel says, made canonical. Another family than the three gives no address.
    static address from(const sockaddr* raw, socklen_t size) noexcept;

    /// "192.0.2.1:80", "[::1]:80", "[fe80::1%eth0]:80"; without a port "192.0.2.1" and "::1" (port
    /// 0); "unix:/path" and "unix:@abstract". Numbers only: nothing is looked up but the name of an
    /// interface.
    static parsed_address parse(std::string_view text);

    static address any_ipv4(std::uint16_t port) noexcept;
    static address any_ipv6(std::uint16_t port) noexcept;

    address_family family() const noexcept { return family_; }
    bool is_ip() const noexcept
    {
        return family_ == address_family::ipv4 || family_ == address_family::ipv6;
    }
    explicit operator bool() const noexcept { return family_ != address_family::none; }

    /// 0 where there is none.
    std::uint16_t port() const noexcept;
    address with_port(std::uint16_t port) const noexcept;
    /// 127.0.0.0/8, ::1, and every unix socket.
    bool is_loopback() const noexcept;
    /// 0.0.0.0 and ::.
    bool is_any() const noexcept;

    /// Without the port: "192.0.2.1", "fe80::1%eth0", "/path", "@abstract", "" when it has none.
    std::string host() const;
    /// With the port: what parse() takes. "unix:" for an unnamed unix socket, "-" for no address.
    std::string to_string() const;

    /// For bind(2) and connect(2).
    const sockaddr* data() const noexcept { return &raw_.any; }
    socklen_t size() const noexcept { return size_; }

    friend bool operator==(const address& a, const address& b) noexcept
    {
        return (a <=> b) == std::strong_ordering::equal;
    }
    /// By family, address, scope, port.
    friend std::strong_ordering operator<=>(const address& a, const address& b) noexcept;
    friend std::ostream& operator<<(std::ostream& out, const address& a)
    {
        return out << a.to_string();
    }

private:
    friend struct std::hash<address>;
    static address ipv4(in_addr host, std::uint16_t port_in_network_order) noexcept;
    static address local(std::string_view name) noexcept;
    static parsed_address parse_ip(std::string_view host, std::uint16_t port, bool brackets);
    static parsed_address parse_local(std::string_view text);
    std::string_view local_name() const noexcept;

    // INVARIANT: all bytes that are not used are zero, so that equal addresses have equal bytes.
    union raw {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
        sockaddr_un un;
    } raw_{.un = {}};
    socklen_t size_ = 0;
    address_family family_ = address_family::none;
};

/// An address, or what is wrong with the text and where.
struct parsed_address {
    std::optional<address> value;
    std::string error;  ///< names the text, e.g. "1.2.3.4:99999: the port is above 65535"
    std::size_t at = 0; ///< the offset in the text at which it is wrong

    explicit operator bool() const noexcept { return value.has_value(); }
};

/// A port in decimal, 0 to 65535; nothing for any other text.
inline std::optional<std::uint16_t> parse_port(std::string_view text) noexcept
{
    if (text.empty() || text.size() > 5)
        return std::nullopt;
    unsigned number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        number = number * 10 + static_cast<unsigned>(c - '0');
    }
    if (number > 65535)
        return std::nullopt;
    return static_cast<std::uint16_t>(number);
}

// ---------------------------------------------------------------------------------------------

inline address address::ipv4(in_addr host, std::uint16_t port) noexcept
{
    address made;
    made.raw_.v4.sin_family = AF_INET;
    made.raw_.v4.sin_addr = host;
    made.raw_.v4.sin_port = port;
    made.size_ = sizeof(sockaddr_in);
    made.family_ = address_family::ipv4;
    return made;
}

inline address address::local(std::string_view name) noexcept
{
    address made;
    auto& un = made.raw_.un;
    un.sun_family = AF_UNIX;
    if (name.size() >= sizeof un.sun_path)
        return {};
    std::memcpy(un.sun_path, name.data(), name.size());
    // A path counts its final zero, an abstract name ("\0...") does not (unix(7)).
    const bool path = !name.empty() && name[0] != '\0';
    made.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + path);
    made.family_ = address_family::local;
    return made;
}

inline address address::from(const sockaddr* raw, socklen_t size) noexcept
{
    if (raw == nullptr || size < sizeof(sa_family_t))
        return {};
    if (raw->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
        sockaddr_in in{};
        std::memcpy(&in, raw, sizeof in);
        return ipv4(in.sin_addr, in.sin_port);
    }
    if (raw->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        sockaddr_in6 in{};
        std::memcpy(&in, raw, sizeof in);
        if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
            in_addr host{};
            std::memcpy(&host, in.sin6_addr.s6_addr + 12, sizeof host);
            return ipv4(host, in.sin6_port);
        }
        address made;
        made.raw_.v6.sin6_family = AF_INET6;
        made.raw_.v6.sin6_addr = in.sin6_addr;
        made.raw_.v6.sin6_port = in.sin6_port;
        made.raw_.v6.sin6_scope_id = in.sin6_scope_id;
        made.size_ = sizeof(sockaddr_in6);
        made.family_ = address_family::ipv6;
        return made;
    }
    if (raw->sa_family == AF_UNIX) {
        const auto* un = reinterpret_cast<const sockaddr_un*>(raw);
        std::size_t length = size - offsetof(sockaddr_un, sun_path);
        if (length > sizeof un->sun_path)
            return {};
        if (length != 0 && un->sun_path[0] != '\0')
            length = ::strnlen(un->sun_path, length);
        return local({un->sun_path, length});
    }
    return {};
}

inline address address::any_ipv4(std::uint16_t port) noexcept
{
    return ipv4(in_addr{INADDR_ANY}, htons(port));
}

inline address address::any_ipv6(std::uint16_t port) noexcept
{
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    return from(reinterpret_cast<const sockaddr*>(&any), sizeof any);
}

inline std::uint16_t address::port() const noexcept
{
    if (family_ == address_family::ipv4)
        return ntohs(raw_.v4.sin_port);
    return family_ == address_family::ipv6 ? ntohs(raw_.v6.sin6_port) : std::uint16_t(0);
}

inline address address::with_port(std::uint16_t port) const noexcept
{
    address changed = *this;
    if (family_ == address_family::ipv4)
        changed.raw_.v4.sin_port = htons(port);
    else if (family_ == address_family::ipv6)
        changed.raw_.v6.sin6_port = htons(port);
    return changed;
}

inline bool address::is_loopback() const noexcept
{
    if (family_ == address_family::ipv4)
        return (ntohl(raw_.v4.sin_addr.s_addr) >> 24) == 127;
    if (family_ == address_family::ipv6)
        return IN6_IS_ADDR_LOOPBACK(&raw_.v6.sin6_addr);
    return family_ == address_family::local;
}

inline bool address::is_any() const noexcept
{
    if (family_ == address_family::ipv4)
        return raw_.v4.sin_addr.s_addr == INADDR_ANY;
    return family_ == address_family::ipv6 && IN6_IS_ADDR_UNSPECIFIED(&raw_.v6.sin6_addr);
}

inline std::string_view address::local_name() const noexcept
{
    auto length = size_ - offsetof(sockaddr_un, sun_path);
    if (length != 0 && raw_.un.sun_path[0] != '\0')
        --length; // the path's final zero
    return {raw_.un.sun_path, length};
}

inline std::string address::host() const
{
    char text[INET6_ADDRSTRLEN];
    if (family_ == address_family::ipv4)
        return ::inet_ntop(AF_INET, &raw_.v4.sin_addr, text, sizeof text);
    if (family_ == address_family::local) {
        std::string name(local_name());
        if (!name.empty() && name[0] == '\0')
            name[0] = '@';
        return name;
    }
    if (family_ != address_family::ipv6)
        return {};
    std::string host = ::inet_ntop(AF_INET6, &raw_.v6.sin6_addr, text, sizeof text);
    if (const auto scope = raw_.v6.sin6_scope_id; scope != 0) {
        char name[IF_NAMESIZE];
        host += '%';
        host += ::if_indextoname(scope, name) != nullptr ? name : std::to_string(scope);
    }
    return host;
}

inline std::string address::to_string() const
{
    switch (family_) {
    case address_family::ipv4:
        return host() + ":" + std::to_string(port());
    case address_family::ipv6:
        return "[" + host() + "]:" + std::to_string(port());
    case address_family::local:
        return "unix:" + host();
    case address_family::none:
        break;
    }
    return "-";
}

inline std::strong_ordering operator<=>(const address& a, const address& b) noexcept
{
    if (a.family_ != b.family_)
        return a.family_ <=> b.family_;
    const auto bytes = [](const void* x, const void* y, std::size_t size) {
        return std::memcmp(x, y, size) <=> 0;
    };
    switch (a.family_) {
    case address_family::ipv4:
        if (auto c = bytes(&a.raw_.v4.sin_addr, &b.raw_.v4.sin_addr, sizeof(in_addr)); c != 0)
            return c;
        return a.port() <=> b.port();
    case address_family::ipv6:
        if (auto c = bytes(&a.raw_.v6.sin6_addr, &b.raw_.v6.sin6_addr, sizeof(in6_addr)); c != 0)
            return c;
        if (auto c = a.raw_.v6.sin6_scope_id <=> b.raw_.v6.sin6_scope_id; c != 0)
            return c;
        return a.port() <=> b.port();
    case address_family::local:
        return a.local_name() <=> b.local_name();
    case address_family::none:
        break;
    }
    return std::strong_ordering::equal;
}

namespace detail {

inline parsed_address not_an_address(std::string_view text, std::size_t at, const std::string& why)
{
    return {std::nullopt, std::string(text) + ": " + why, at};
}

} // namespace detail

inline parsed_address address::parse_local(std::string_view text)
{
    std::string name(text.substr(5));
    if (name.empty())
        return detail::not_an_address(text, 5, "a path or @name must follow unix:");
    if (name.size() >= sizeof(sockaddr_un::sun_path))
        return detail::not_an_address(text, 5 + sizeof(sockaddr_un::sun_path) - 1,
                                      "a unix path has at most 107 bytes");
    if (name.find('\0') != name.npos)
        return detail::not_an_address(text, 5 + name.find('\0'), "a zero byte in the path");
    if (name[0] == '@')
        name[0] = '\0';
    return {local(name), {}, 0};
}

inline parsed_address address::parse_ip(std::string_view host, std::uint16_t port, bool brackets)
{
    const std::string text(host.substr(0, host.find('%')));
    in_addr four{};
    if (!brackets && ::inet_pton(AF_INET, text.c_str(), &four) == 1 && text.size() == host.size())
        return {ipv4(four, htons(port)), {}, 0};
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    if (::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) != 1)
        return {std::nullopt, brackets ? "not an IPv6 address" : "not an IP address", 0};
    if (text.size() != host.size()) {
        const std::string scope(host.substr(text.size() + 1));
        six.sin6_scope_id = ::if_nametoindex(scope.c_str());
        if (const auto number = parse_port(scope); six.sin6_scope_id == 0 && number)
            six.sin6_scope_id = *number;
        if (six.sin6_scope_id == 0)
            return {std::nullopt, "no interface is named " + scope, text.size() + 1};
    }
    return {from(reinterpret_cast<const sockaddr*>(&six), sizeof six), {}, 0};
}

inline parsed_address address::parse(std::string_view text)
{
    if (text.find('\0') != text.npos)
        return detail::not_an_address(text, text.find('\0'), "a zero byte");
    if (text.starts_with("unix:"))
        return parse_local(text);
    const bool brackets = text.starts_with('[');
    const auto end = brackets ? text.find(']') : text.find(':');
    if (brackets && end == text.npos)
        return detail::not_an_address(text, 0, "the bracket is not closed");
    // More than one colon without brackets: a bare IPv6 address.
    const bool bare = !brackets && (end == text.npos || text.find(':', end + 1) != text.npos);
    auto host = bare ? text : text.substr(brackets ? 1 : 0, brackets ? end - 1 : end);
    auto rest = bare ? std::string_view() : text.substr(brackets ? end + 1 : end);
    std::uint16_t port = 0;
    if (!rest.empty()) {
        const auto at = text.size() - rest.size();
        if (rest[0] != ':')
            return detail::not_an_address(text, at, "a colon and a port must follow the bracket");
        const auto number = parse_port(rest.substr(1));
        if (!number)
            return detail::not_an_address(text, at + 1, "the port is not a number from 0 to 65535");
        port = *number;
    }
    auto parsed = parse_ip(host, port, brackets);
    if (parsed)
        return parsed;
    return detail::not_an_address(text, parsed.at + (brackets ? 1 : 0), parsed.error);
}

} // namespace funcptr

template <>
struct std::hash<funcptr::address> {
    std::size_t operator()(const funcptr::address& a) const noexcept
    {
        // All bytes count and unused ones are zero (the class's invariant).
        return std::hash<std::string_view>()(
            {reinterpret_cast<const char*>(a.data()), static_cast<std::size_t>(a.size())});
    }
};
