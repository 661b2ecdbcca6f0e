// SPDX-License-Identifier: MIT
//
// proxy_protocol.h: the line or block in which a proxy tells whose connection it passes on: the
// PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt of 2020/03/05).
//
// Bytes in, addresses out; no socket. It takes the header and not a byte more, so that what follows
// is left for whoever comes next (TLS, say). Whom to believe is not decided here: anybody can write
// such a header. See listener_options::proxy_from.
//
// Threads: one at a time. Lifetime: owns its bytes.
//
//     funcptr::proxy_parser parser;
//     bytes.remove_prefix(parser.take(bytes));      // as they come
//     if (parser.state() == funcptr::proxy_state::bad)
//         return log(parser.error());               // "neither version 1 nor 2: begins with 16 03"
//     if (parser.state() == funcptr::proxy_state::done)
//         serve(parser.header().source);
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "address.h"
#include "export.h"

namespace funcptr {

struct proxy_header {
    /// The proxy speaks for itself (LOCAL: a health check) or does not know (UNKNOWN, UNSPEC): the
    /// connection's own addresses count, and those below are empty.
    bool local = true;
    address source;      ///< the client, canonical
    address destination; ///< where it wanted to go
    /// Version 2: what stands behind the addresses, type-length-value triples as they came (TLS
    /// facts, the name asked for), not looked at.
    std::string extra;
};

enum class proxy_state : std::uint8_t { more, done, bad };

class FUNCPTR_API proxy_parser {
public:
    /// Version 1's line has at most 107 bytes with its end. Version 2 may have 16 and 64 KiB; a
    /// proxy that adds a client's certificate name needs some hundred. 4 KiB.
    static constexpr std::size_t default_limit = 4096;

    /// limit: bytes of a version 2 header behind its first 16.
    explicit proxy_parser(std::size_t limit = default_limit) noexcept
        : limit_(limit)
    {
    }

    /// How many of these bytes belong to the header; they are taken. Call it again with what comes
    /// next while state() is more. Throws std::bad_alloc.
    std::size_t take(std::string_view bytes);

    proxy_state state() const noexcept { return state_; }
    /// REQUIRES: done.
    const proxy_header& header() const noexcept { return header_; }
    /// What is wrong, once bad.
    const std::string& error() const noexcept { return error_; }

private:
    std::size_t wanted(std::string_view bytes);
    void step();
    void parse_line();
    void parse_block();
    void parse_addresses(unsigned family, std::string_view bytes);
    void refuse(std::string why);

    std::size_t limit_;
    proxy_state state_ = proxy_state::more;
    std::string taken_;
    proxy_header header_;
    std::string error_;
};

} // namespace funcptr
