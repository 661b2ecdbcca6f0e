// SPDX-License-Identifier: MIT
//
// tls_state.h: what a tls_context holds: one SSL_CTX, made once, never changed afterwards.
//
// OpenSSL's SSL_CTX must not be altered while connections use it, so reload() builds another and
// swaps the pointer; every connection keeps the one it was made from.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "context_slot.h"
#include "funcptr/tls_config.h"
#include "tls_errors.h"
#include "tls_tickets.h"

namespace funcptr::detail {

struct loaded_identity {
    x509_ptr leaf;
    key_ptr key;
    chain_ptr chain; ///< without the leaf
};

struct tls_state {
    std::shared_ptr<tls_ticket_keys> tickets; ///< a server's; before ctx, which uses it
    ssl_ctx_ptr ctx;
    tls_role role = tls_role::client;
    bool verify = true;      ///< client: the peer must have a name, and prove it
    std::string server_name; ///< as configured; checked
    bool resumes = true;     ///< sessions are kept for later
    unsigned small_records = 0;
    std::uint32_t early_data = 0; ///< bytes of 0-RTT; 0: none
    tls_limits limits;
    std::string alpn; ///< RFC 7301: each name after its length
    std::vector<loaded_identity> identities;
    std::uint64_t generation = 1;
};

/// Checks the configuration and builds from it; throws funcptr::error. own_tickets: keys to go on
/// with, when the configuration names no secrets and there are some.
std::shared_ptr<tls_state> make_tls_state(const tls_config& config,
                                          std::shared_ptr<tls_ticket_keys> own_tickets = nullptr);

struct tls_context_slot : context_slot<tls_state> {
    using context_slot::context_slot;
};

/// A session, the name it was verified for and the configuration that verified it.
struct tls_session_state {
    ssl_session_ptr session;
    std::string name;
    std::shared_ptr<const tls_state> state;
};

} // namespace funcptr::detail
