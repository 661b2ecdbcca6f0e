// SPDX-License-Identifier: MIT
//
// tls_fuzz.h: what the TLS fuzz targets share. The input's first byte says how, the rest is what
// the peer sends:
//
//     bits 0-1  pieces: whole, 1, 7 or 61 bytes at a time
//     bit  2    the end of input follows
//     bit  3    the handshake is done before, by a real peer; the rest falls upon what it then
//               sends: pairs of bytes, how far to go on and what to XOR there
//     bit  4    the application does not read
//     bit  5    the handshake is one of TLS 1.2
#pragma once

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "funcptr/self_signed.h"
#include "funcptr/ssl_filter.h"
#include "funcptr/testing/pump.h"

namespace fuzz {

/// Limits small enough for a fuzzer to reach.
inline funcptr::tls_limits small_limits()
{
    return {.nread = 32 * 1024,
            .aread = 4 * 1024,
            .nwrite = 4 * 1024,
            .nwrite_hard = 72 * 1024,
            .handshake = 16 * 1024,
            .key_updates = 8};
}

struct contexts {
    funcptr::self_signed_certificate identity = funcptr::self_signed({"localhost"});
    funcptr::tls_context server{{.role = funcptr::tls_role::server,
                                 .certificate_pem = identity.certificate_pem,
                                 .key_pem = identity.key_pem,
                                 .alpn = {"h2", "http/1.1"},
                                 .limits = small_limits()}};
    funcptr::tls_context client{client_until(funcptr::tls_version::tls1_3)};
    funcptr::tls_context tls12_client{client_until(funcptr::tls_version::tls1_2)};

    const funcptr::tls_context& client_for(std::span<const std::uint8_t> input) const
    {
        return !input.empty() && (input[0] & 32U) != 0 ? tls12_client : client;
    }

private:
    funcptr::tls_config client_until(funcptr::tls_version newest) const
    {
        return {.trust_pem = identity.certificate_pem,
                .server_name = "localhost",
                .alpn = {"h2"},
                .max_version = newest,
                .limits = small_limits()};
    }
};

inline void require(bool ok)
{
    if (!ok)
        std::abort();
}

/// What must hold after every call, whatever came.
inline void check(funcptr::SSLFilter& filter)
{
    const funcptr::tls_limits limits = small_limits();
    require(filter.nwrite().size() <= limits.nwrite_hard);
    require(filter.aread().size() <= limits.aread);
    require(filter.nread().size() <= limits.nread);
    require(filter.closed() == static_cast<bool>(filter.cause()));
    require(filter.closed() != filter.cause().text.empty());
    require(filter.cause().kind != funcptr::close_kind::internal);
    require(filter.cause().text.find('\n') == std::string::npos);
    require(ERR_peek_error() == 0);
}

inline void update(funcptr::SSLFilter& filter)
{
    const bool closed = filter.closed();
    const funcptr::close_kind kind = filter.cause().kind;
    filter.update();
    check(filter);
    require(!closed || kind == filter.cause().kind); // sticky
}

/// The peer's bytes after a handshake, spoilt as the input says.
inline std::string spoilt_records(funcptr::SSLFilter& victim, funcptr::SSLFilter& peer,
                                  std::span<const std::uint8_t> input)
{
    funcptr::testing::pump network(victim, peer);
    network.run();
    require(victim.state() == funcptr::filter_state::open);
    peer.awrite().append(std::string(3000, 'x'));
    peer.update_keys();
    peer.update();
    peer.awrite().append("after the new keys");
    peer.close_write();
    peer.update();
    std::string records(peer.nwrite().view());
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < input.size(); i += 2) {
        at = (at + input[i] * 16U + 1) % records.size();
        records[at] = static_cast<char>(records[at] ^ static_cast<char>(input[i + 1]));
    }
    return records;
}

inline void feed(funcptr::SSLFilter& victim, funcptr::SSLFilter& peer,
                 std::span<const std::uint8_t> input)
{
    if (input.empty())
        return;
    const unsigned how = input[0];
    const bool reads = (how & 16U) == 0;
    std::string bytes(input.begin() + 1, input.end());
    if ((how & 8U) != 0)
        bytes = spoilt_records(victim, peer, input.subspan(1));

    constexpr std::array<std::size_t, 4> sizes{static_cast<std::size_t>(-1), 1, 7, 61};
    update(victim);
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t size =
            std::min({sizes[how & 3U], bytes.size() - at, victim.nread().room()});
        if (size == 0)
            break; // it does not take more: the application does not read
        victim.nread().append(std::string_view(bytes).substr(at, size));
        at += size;
        update(victim);
        victim.nwrite().clear();
        if (reads)
            victim.aread().clear();
    }
    if ((how & 4U) != 0)
        victim.input_eof();
    victim.awrite().append("whatever happened");
    victim.close_write();
    for (int i = 0; i < 100 && !victim.closed(); ++i) {
        update(victim);
        victim.aread().clear();
        victim.nwrite().clear();
    }
    require((how & 4U) == 0 || victim.closed()); // it always ends when the input does
    (void)victim.peer();
    victim.trim();
}

} // namespace fuzz
