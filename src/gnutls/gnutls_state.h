// SPDX-License-Identifier: MIT
//
// gnutls_state.h: what a gnutls_context holds: credentials and priorities, made once, never changed
// afterwards.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "detail/context_slot.h"
#include "funcptr/tls_config.h"
#include "gnutls_objects.h"

namespace funcptr::detail {

struct gnutls_state {
    gnutls_credentials_ptr credentials;
    gnutls_priority_ptr priority;
    tls_role role = tls_role::client;
    bool verify = true;      ///< client: the peer must have a name, and prove it
    std::string server_name; ///< as configured; checked
    tls_client_certificates client_certificates = tls_client_certificates::none;
    std::vector<std::string> alpn;
    unsigned small_records = 0;
    tls_limits limits;
    /// Issuers (DER) of the revocation lists; empty: there are none, and none are asked for.
    std::vector<std::string> list_issuers;
    std::size_t names_to_tell = 0; ///< bytes of the names of whom is trusted
    /// A server's: what its tickets' keys are made of, and the key itself; empty without tickets.
    std::string ticket_secret;
    std::array<char, 64> ticket_key{};
    std::uint64_t generation = 1;

    gnutls_state() = default;
    gnutls_state(const gnutls_state&) = delete;
    gnutls_state& operator=(const gnutls_state&) = delete;
    ~gnutls_state(); // wipes the two
};

/// Checks the configuration and builds from it; throws funcptr::error. own_secret: what to make the
/// tickets' key of when the configuration names no secret; empty: a new one.
std::shared_ptr<gnutls_state> make_gnutls_state(const tls_config& config,
                                                const std::string& own_secret = {});

struct gnutls_context_slot : context_slot<gnutls_state> {
    using context_slot::context_slot;
};

} // namespace funcptr::detail
