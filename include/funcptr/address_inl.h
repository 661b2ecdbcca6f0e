// SPDX-License-Identifier: MIT
//
// address_inl.h: how address.h reads and prints. Included by address.h alone.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

#include "address.h"

namespace funcptr {

namespace detail {

inline std::optional<std::uint32_t> parse_decimal(std::string_view text,
                                                  std::uint32_t most) noexcept
{
    if (text.empty() || text.size() > 10) // 2^32 has ten digits
        return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        number = number * 10 + static_cast<unsigned>(c - '0');
    }
    if (number > most)
        return std::nullopt;
    return static_cast<std::uint32_t>(number);
}

inline void append_escape(std::string& to, char byte)
{
    constexpr char digits[] = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    to += {'\\', 'x', digits[value >> 4], digits[value & 15]};
}

/// One line that a terminal survives: control characters, and those in `more`, as \xNN.
inline std::string printable(std::string_view bytes, std::string_view more = {})
{
    std::string text;
    for (const char c : bytes)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || more.find(c) != more.npos)
            append_escape(text, c);
        else
            text += c;
    return text;
}

/// The byte at text[at], or the one that a \xNN there stands for; moves past it.
inline char take_escaped(std::string_view text, std::size_t& at) noexcept
{
    const auto digit = [&](std::size_t i) {
        const char c = i < text.size() ? text[i] : ' ';
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    };
    if (text.substr(at, 2) != "\\x" || digit(at + 2) < 0 || digit(at + 3) < 0)
        return text[at++];
    const int value = digit(at + 2) * 16 + digit(at + 3);
    at += 4;
    return static_cast<char>(value);
}

inline parsed_address not_an_address(std::string_view text, std::size_t at, const std::string& why)
{
    return {std::nullopt, printable(text) + ": " + why, at};
}

} // namespace detail

inline std::optional<std::uint16_t> parse_port(std::string_view text) noexcept
{
    const auto number = text.size() > 5 ? std::nullopt : detail::parse_decimal(text, 65535);
    if (!number)
        return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

inline address address::ipv4(in_addr host, std::uint16_t port) noexcept
{
    address made;
    made.raw_.v4.sin_family = AF_INET;
    made.raw_.v4.sin_addr = host;
    made.raw_.v4.sin_port = port;
    made.family_ = address_family::ipv4;
    return made;
}

inline address address::local(std::string_view name)
{
    constexpr auto most = sizeof(sockaddr_un::sun_path);
    if (name.size() > most)
        return {};
    address made;
    made.raw_.any.sa_family = AF_UNIX;
    made.family_ = address_family::local;
    if (name.empty())
        return made;
    auto kept = std::make_shared<local_address>();
    kept->un.sun_family = AF_UNIX;
    std::memcpy(kept->un.sun_path, name.data(), name.size());
    // A path counts its final zero if that has room, an abstract name ("\0...") has none (unix(7)).
    const bool zero = name[0] != '\0' && name.size() < most;
    kept->size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + zero);
    made.local_ = std::move(kept);
    return made;
}

inline address address::ipv6(const sockaddr_in6& in) noexcept
{
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
    made.family_ = address_family::ipv6;
    return made;
}

inline address address::from(const sockaddr* raw, socklen_t size)
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
        return ipv6(in);
    }
    if (raw->sa_family == AF_UNIX) {
        const auto* un = reinterpret_cast<const sockaddr_un*>(raw);
        // Linux counts the zero after a path of 108 bytes, though it lies outside the struct.
        auto length =
            std::min<std::size_t>(size - offsetof(sockaddr_un, sun_path), sizeof un->sun_path);
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
    return ipv6(any);
}

inline socklen_t address::size() const noexcept
{
    switch (family_) {
    case address_family::ipv4:
        return sizeof(sockaddr_in);
    case address_family::ipv6:
        return sizeof(sockaddr_in6);
    case address_family::local:
        return local_ ? local_->size : offsetof(sockaddr_un, sun_path);
    case address_family::none:
        break;
    }
    return 0;
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
    if (!local_)
        return {};
    const char* const path = local_->un.sun_path;
    auto length = local_->size - offsetof(sockaddr_un, sun_path);
    if (path[0] != '\0' && path[length - 1] == '\0')
        --length; // the path's final zero
    return {path, length};
}

inline std::string address::host() const
{
    char text[INET6_ADDRSTRLEN];
    if (family_ == address_family::ipv4)
        return ::inet_ntop(AF_INET, &raw_.v4.sin_addr, text, sizeof text);
    if (family_ == address_family::local) {
        const auto name = local_name();
        if (name.starts_with('\0'))
            return std::string("@").append(detail::printable(name.substr(1), "\\"));
        if (name.starts_with('@')) // a path all the same
            return std::string("\\x40").append(detail::printable(name.substr(1), "\\"));
        return detail::printable(name, "\\"); // so that no byte is mistaken for an escape
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
        return std::string("[").append(host()).append("]:").append(std::to_string(port()));
    case address_family::local:
        return std::string("unix:").append(host());
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

inline parsed_address address::parse_local(std::string_view text)
{
    constexpr std::size_t start = std::string_view("unix:").size();
    if (text.size() == start)
        return detail::not_an_address(text, start, "a path or @name must follow unix:");
    const bool abstract = text[start] == '@';
    constexpr auto most = sizeof(sockaddr_un::sun_path); // Linux needs no zero at its end
    std::string name(abstract ? 1 : 0, '\0');
    for (std::size_t at = start + name.size(); at < text.size();) {
        const auto here = at;
        const char byte = detail::take_escaped(text, at);
        if (byte == '\0' && !abstract)
            return detail::not_an_address(text, here, "a zero byte in the path");
        if (name.size() == most)
            return detail::not_an_address(
                text, here, "a unix path has at most " + std::to_string(most) + " bytes");
        name += byte;
    }
    return {local(name), {}, 0};
}

inline parsed_address address::parse_ip(std::string_view host, std::uint16_t port, bool brackets)
{
    in_addr four{};
    if (!brackets && ::inet_pton(AF_INET, std::string(host).c_str(), &four) == 1)
        return {ipv4(four, htons(port)), {}, 0};
    auto six = parse_scoped(host, port);
    if (!six && six.error.empty())
        six.error = brackets ? "not an IPv6 address" : "not an IP address";
    return six;
}

/// The error is empty when it is no IPv6 address at all.
inline parsed_address address::parse_scoped(std::string_view host, std::uint16_t port)
{
    const auto percent = host.find('%');
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    if (::inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &six.sin6_addr) != 1)
        return {std::nullopt, {}, 0};
    if (percent != host.npos) {
        const std::string scope(host.substr(percent + 1));
        if (scope.empty())
            return {std::nullopt, "the name of an interface must follow %", percent + 1};
        six.sin6_scope_id = ::if_nametoindex(scope.c_str());
        if (six.sin6_scope_id == 0) // by number, also of one that is not there (yet)
            six.sin6_scope_id = detail::parse_decimal(scope, UINT32_MAX).value_or(0);
        if (six.sin6_scope_id == 0)
            return {std::nullopt, "no interface is named " + detail::printable(scope), percent + 1};
    }
    return {ipv6(six), {}, 0};
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
