// SPDX-License-Identifier: MIT
//
// gnutls_verify.h: whom a connection believes.
#pragma once

#include <gnutls/gnutls.h>

#include "detail/tls_link.h"
#include "detail/tls_words.h"

namespace funcptr::detail {

/// gnutls_certificate_set_verify_function: notes in the session's engine what was refused.
int verify_gnutls_peer(gnutls_session_t session);

/// What GnuTLS's status bits come to.
refusal_reason gnutls_reason_of(unsigned status);

/// The alert that tells the peer (RFC 8446, 6.2).
int gnutls_alert_for(unsigned status);

} // namespace funcptr::detail
