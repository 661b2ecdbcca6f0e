// SPDX-License-Identifier: MIT
//
// gnutls_cause.h: turns what GnuTLS knows about a failure into a close_cause with a text that
// helps.
#pragma once

#include "funcptr/filter.h"

namespace funcptr::detail {

struct gnutls_engine;

/// result: what the GnuTLS call returned; alert: what the peer was told, -1 for nothing. Throws
/// std::bad_alloc.
close_cause describe_gnutls(const gnutls_engine& engine, int result, int alert);

} // namespace funcptr::detail
