// SPDX-License-Identifier: MIT
//
// tls_trust.h: whom an SSL_CTX believes.
#pragma once

#include "funcptr/tls_config.h"
#include "tls_state.h"

namespace funcptr::detail {

/// Roots, revocation lists and the peer's verification, as the configuration says. Throws
/// funcptr::error.
void use_trust(tls_state& state, const tls_config& config);

} // namespace funcptr::detail
