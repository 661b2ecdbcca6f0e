// SPDX-License-Identifier: MIT
//
// tls_pair.h: a TLS client and server joined by a pump, with good certificates unless told others.
#pragma once

#include <openssl/err.h>

#include <string>

#include "certificates.h"
#include "funcptr/ssl_filter.h"
#include "funcptr/testing/pump.h"

namespace funcptr::testing {

/// A server's configuration with that identity; change the rest as needed.
inline tls_config server_config(const issued& identity = certificates().server)
{
    return {.role = tls_role::server,
            .certificate_pem = identity.certificate_pem,
            .key_pem = identity.key_pem};
}

/// A client's that trusts the test authority and wants "localhost".
inline tls_config client_config(const std::string& name = "localhost")
{
    return {.trust_pem = certificates().authority.certificate_pem, .server_name = name};
}

inline tls_config with_versions(tls_config config, tls_version only)
{
    config.min_version = config.max_version = only;
    return config;
}

struct tls_pair {
    explicit tls_pair(const tls_config& client_side = client_config(),
                      const tls_config& server_side = server_config(),
                      fragmentation cut = fragmentation::whole())
        : tls_pair(tls_context(client_side), tls_context(server_side), cut)
    {
    }
    tls_pair(const tls_context& client_side, const tls_context& server_side,
             fragmentation cut = fragmentation::whole())
        : client(client_side)
        , server(server_side)
        , network(client, server, cut)
    {
    }

    /// Until nothing moves; true when both are open.
    bool connect()
    {
        return network.run() && client.state() == filter_state::open
               && server.state() == filter_state::open;
    }

    SSLFilter client;
    SSLFilter server;
    pump network; // the client is on its left
};

} // namespace funcptr::testing
