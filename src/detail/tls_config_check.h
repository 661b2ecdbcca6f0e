// SPDX-License-Identifier: MIT
//
// tls_config_check.h: the contradictions in a tls_config that can be told without reading a file or
// asking a TLS library. All throw funcptr::error (errc::bad_configuration).
#pragma once

#include <cstddef>
#include <string>

#include "funcptr/error.h"
#include "funcptr/tls_config.h"

namespace funcptr::detail {

/// The names of whom a server trusts, which it tells its clients, share 64 KiB with the rest of the
/// extensions (RFC 8446, 4.2.4), and past it every handshake would fail. Where they do not fit none
/// is told, and a client offers what it has.
constexpr std::size_t most_ca_names = 60'000;

[[noreturn]] inline void contradiction(const std::string& sentence)
{
    throw error(errc::bad_configuration, sentence);
}

inline void check_limits(const tls_limits& limits)
{
    if (limits.nread == 0 || limits.aread == 0 || limits.awrite == 0 || limits.nwrite == 0
        || limits.handshake == 0)
        contradiction("a limit of tls_limits is 0: nothing could ever move");
    if (limits.records_per_key == 0)
        contradiction("limits.records_per_key is 0: a key serves for one record at least");
    if (limits.nwrite_hard < limits.nwrite || limits.nwrite_hard - limits.nwrite < 64 * 1024)
        contradiction("limits.nwrite_hard must be at least 64 KiB more than limits.nwrite");
}

inline void check_roles(const tls_config& config)
{
    const bool server = config.role == tls_role::server;
    const bool trust = !config.trust_file.empty() || !config.trust_pem.empty();
    const bool lists = !config.crl_file.empty() || !config.crl_pem.empty();
    const bool certificate = !config.certificate_file.empty() || !config.certificate_pem.empty();
    const bool key = !config.key_file.empty() || !config.key_pem.empty();
    const bool asks = config.client_certificates != tls_client_certificates::none;

    if (!config.ticket_secrets.empty() && (!server || !config.session_tickets))
        contradiction("ticket_secrets are for a server that gives out tickets");
    if (config.min_version > config.max_version)
        contradiction("min_version is above max_version");
    if (!certificate && !config.key_password.empty())
        contradiction("key_password is given without a certificate and its key");
    if (key && !certificate)
        contradiction("a key is given without its certificate (certificate_file)");
    if (server && !certificate)
        contradiction("a server needs a certificate: set certificate_file or certificate_pem");
    if (server && asks && !trust)
        contradiction("client_certificates needs trust_file or trust_pem: without them nobody's "
                      "certificate would be accepted");
    if (server && !config.server_name.empty())
        contradiction("server_name is what a client verifies; a server has none");
    if (server && config.insecure_skip_verification)
        contradiction("insecure_skip_verification is for clients; a server that wants no client "
                      "certificates leaves client_certificates at none");
    if (!server && asks)
        contradiction("client_certificates is for servers");
    if (!server && !config.more_identities.empty())
        contradiction("more_identities is for servers: they are chosen by what a client asks for");
    // What is ignored looks as if it were in force.
    if (config.insecure_skip_verification && (trust || lists))
        contradiction("trust or a revocation list is configured and insecure_skip_verification "
                      "would ignore it");
    if (server && !asks && (trust || lists))
        contradiction("trust or a revocation list is configured and client_certificates is none: "
                      "no client would be asked for a certificate");
}

inline void check_early_data(const tls_config& config)
{
    if (config.early_data == 0)
        return;
    if (config.max_version < tls_version::tls1_3 || !config.session_tickets)
        contradiction("early_data needs TLS 1.3 and session_tickets");
    if (!config.ticket_secrets.empty())
        contradiction("early_data with ticket_secrets: each process that shares them would take "
                      "the same early data once more (RFC 8446, 8)");
    if (config.early_data > config.limits.handshake / 2)
        contradiction("early_data is more than half of limits.handshake, within which it comes");
}

inline void check_alpn(const std::vector<std::string>& names)
{
    std::size_t together = 0;
    for (const std::string& name : names) {
        if (name.empty() || name.size() > 255)
            contradiction("alpn \"" + name.substr(0, 255)
                          + "\": a protocol's name has 1 to 255 bytes (RFC 7301, 3.1)");
        together += 1 + name.size();
    }
    if (together > 0xffff)
        contradiction("alpn: the names are longer than 65535 bytes together");
}

inline void check_config(const tls_config& config)
{
    check_limits(config.limits);
    check_roles(config);
    check_early_data(config);
    check_alpn(config.alpn);
}

} // namespace funcptr::detail
