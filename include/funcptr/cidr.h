// SPDX-License-Identifier: MIT
//
// cidr.h: a block of IP addresses, "192.0.2.0/24" or "2001:db8::/32" (RFC 4632, RFC 4291 2.3).
//
// For allow-lists, ban-lists and the networks whose word one takes. Addresses are canonical
// (address.h), so an IPv4 peer of an IPv6 socket is found in an IPv4 block; an IPv4-mapped block
// is the IPv4 block that it is. Ports and scopes do not matter. It resolves no names, and unix
// sockets are in no block.
//
// Threads: a value. Lifetime: owns its bytes.
//
//     const auto inside = funcptr::cidr::parse("10.0.0.0/8");
//     if (!inside)
//         return complain(inside.error); // "10.0.0.1/8: the block begins at 10.0.0.0"
//     if (inside.value->contains(peer.peer))
//         greet();
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "address.h"

namespace funcptr {

struct parsed_cidr;

class cidr {
public:
    /// An address alone is the block that holds nothing else. Bits behind the prefix must be 0: who
    /// wrote 10.0.0.1/8 meant either one host or another network.
    static parsed_cidr parse(std::string_view text);

    bool contains(const address& peer) const noexcept
    {
        return peer.family() == base_.family() && same_prefix(octets(peer), octets(base_));
    }
    /// The first address of the block, port 0.
    const address& base() const noexcept { return base_; }
    /// Bits that count: 0 to 32, or 0 to 128.
    unsigned prefix() const noexcept { return prefix_; }
    /// "10.0.0.0/8", what parse() takes.
    std::string to_string() const { return base_.host() + '/' + std::to_string(prefix_); }

    friend bool operator==(const cidr& a, const cidr& b) noexcept
    {
        return a.prefix_ == b.prefix_ && a.base_ == b.base_;
    }
    friend std::ostream& operator<<(std::ostream& out, const cidr& block)
    {
        return out << block.to_string();
    }

private:
    cidr(const address& base, unsigned prefix) noexcept
        : base_(base)
        , prefix_(prefix)
    {
    }

    using bytes = std::span<const unsigned char>;
    /// The address's own bytes in network order.
    static bytes octets(const address& of) noexcept
    {
        const auto* raw = reinterpret_cast<const unsigned char*>(of.data());
        return of.family() == address_family::ipv4
                   ? bytes(raw + offsetof(sockaddr_in, sin_addr), sizeof(in_addr))
                   : bytes(raw + offsetof(sockaddr_in6, sin6_addr), sizeof(in6_addr));
    }
    bool same_prefix(bytes a, bytes b) const noexcept
    {
        const std::size_t whole = prefix_ / 8;
        const unsigned rest = prefix_ % 8;
        return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())
               && (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
    }
    static parsed_cidr refuse(std::string_view text, const std::string& why);
    address first() const noexcept;

    address base_;
    unsigned prefix_;
};

/// A block, or what is wrong with the text.
struct parsed_cidr {
    std::optional<cidr> value;
    std::string error; ///< names the text

    explicit operator bool() const noexcept { return value.has_value(); }
};

inline bool contains(std::span<const cidr> blocks, const address& peer) noexcept
{
    return std::any_of(blocks.begin(), blocks.end(),
                       [&](const cidr& each) { return each.contains(peer); });
}

inline parsed_cidr cidr::refuse(std::string_view text, const std::string& why)
{
    return {std::nullopt, detail::printable(text) + ": " + why};
}

/// The block's first address: all bits behind the prefix 0.
inline address cidr::first() const noexcept
{
    sockaddr_in6 six{};
    sockaddr_in four{};
    const bool is_four = base_.family() == address_family::ipv4;
    auto* const to = is_four ? reinterpret_cast<unsigned char*>(&four.sin_addr)
                             : reinterpret_cast<unsigned char*>(&six.sin6_addr);
    const auto from = octets(base_);
    for (std::size_t i = 0; i < from.size(); ++i) {
        const std::size_t kept = std::clamp<std::size_t>(prefix_, 8 * i, 8 * i + 8) - 8 * i;
        to[i] = static_cast<unsigned char>(from[i] & ~(0xffU >> kept));
    }
    four.sin_family = AF_INET;
    six.sin6_family = AF_INET6;
    return is_four ? address::from(reinterpret_cast<sockaddr*>(&four), sizeof four)
                   : address::from(reinterpret_cast<sockaddr*>(&six), sizeof six);
}

inline parsed_cidr cidr::parse(std::string_view text)
{
    const auto slash = text.find('/');
    const auto host = text.substr(0, slash);
    if (host.starts_with('[') || host.find('%') != host.npos)
        return refuse(text, "a block has neither brackets nor an interface");
    const auto parsed = address::parse(host);
    if (!parsed || !parsed.value->is_ip() || parsed.value->port() != 0)
        return refuse(text, "not a block of IP addresses, such as 192.0.2.0/24 or 2001:db8::/32");
    const bool is_four = parsed.value->family() == address_family::ipv4;
    const bool mapped = is_four && host.find(':') != host.npos; // ::ffff:10.0.0.0/104
    const unsigned most = is_four && !mapped ? 32 : 128;
    unsigned prefix = most;
    if (slash != text.npos) {
        const auto number = detail::parse_decimal(text.substr(slash + 1), most);
        if (!number)
            return refuse(text, "the prefix is not a number from 0 to " + std::to_string(most));
        prefix = *number;
    }
    if (mapped && prefix < 96)
        return refuse(text, "a block of IPv4-mapped addresses has a prefix of at least 96");
    const cidr block(*parsed.value, mapped ? prefix - 96 : prefix);
    if (const address first = block.first(); first != block.base_)
        return refuse(text, "the block begins at " + first.host());
    return {block, {}};
}

} // namespace funcptr
