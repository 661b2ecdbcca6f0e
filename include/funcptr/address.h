// SPDX-License-Identifier: MIT
//
// address.h: a canonical socket address: IPv4, IPv6 with its scope, or a unix path.
//
// Canonical means that one peer has one form: an IPv4 peer that came in through an IPv6 socket
// (::ffff:192.0.2.1) is the IPv4 address it is, so that a ban or an allow-list cannot be walked
// around; the scope of a link-local address is kept, the flow label is not. It does not resolve
// names: see listener.h and RFC 6724 for that.
//
// A unix address is chosen by its peer and may hold any byte. As text, a control character, a
// backslash and an @ that begins a path are written \xNN, so that every address is one line of a
// log and parse() gives back just the address that was printed.
//
// Threads: a value. Lifetime: owns its bytes; data() is valid as long as it is.
//
//     const auto parsed = funcptr::address::parse("[fe80::1%eth0]:7020");
//     if (!parsed)
//         return complain(parsed.error);   // "[fe80::1%eth9]:7020: no interface is named eth9"
//     std::cout << parsed.value->port() << ' ' << *parsed.value << '\n';
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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
    /// No address. What was moved from may be assigned to; until then it is some valid address.
    address() noexcept = default;

    /// What the kernel says, made canonical. Another family than the three gives no address. Of all
    /// addresses only a unix name takes memory: std::bad_alloc.
    static address from(const sockaddr* raw, socklen_t size);

    /// "192.0.2.1:80", "[::1]:80", "[fe80::1%eth0]:80"; without a port "192.0.2.1" and "::1" (port
    /// 0); "unix:/path" and "unix:@abstract", in which \xNN is a byte. Numbers only: nothing is
    /// looked up but the name of an interface.
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
    const sockaddr* data() const noexcept
    {
        return local_ ? reinterpret_cast<const sockaddr*>(&local_->un) : &raw_.any;
    }
    socklen_t size() const noexcept;

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
    /// A mapped IPv4 address becomes the IPv4 address; the flow label is dropped.
    static address ipv6(const sockaddr_in6& in) noexcept;
    static address local(std::string_view name);
    static parsed_address parse_ip(std::string_view host, std::uint16_t port, bool brackets);
    static parsed_address parse_scoped(std::string_view host, std::uint16_t port);
    static parsed_address parse_local(std::string_view text);
    std::string_view local_name() const noexcept;

    struct local_address {
        sockaddr_un un{};
        socklen_t size = 0;
    };

    // INVARIANT: all bytes that are not used are zero, so that equal addresses have equal bytes.
    union raw {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
    } raw_{.v6 = {}};
    address_family family_ = address_family::none;
    // A unix name has up to 108 bytes: beside the address, lest each IP address have them, too. An
    // unnamed peer (most clients) has none.
    std::shared_ptr<const local_address> local_;
};

/// An address, or what is wrong with the text and where.
struct parsed_address {
    std::optional<address> value;
    std::string
        error; ///< names the text, e.g. "1.2.3.4:x: the port is not a number from 0 to 65535"
    std::size_t at = 0; ///< the offset in the text at which it is wrong

    explicit operator bool() const noexcept { return value.has_value(); }
};

/// A port in decimal, 0 to 65535; nothing for any other text.
inline std::optional<std::uint16_t> parse_port(std::string_view text) noexcept;

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

#include "address_inl.h" // IWYU pragma: keep
