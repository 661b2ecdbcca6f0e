// SPDX-License-Identifier: MIT
//
// self_signed.h: a certificate nobody has vouched for, so that a program can speak TLS on a
// developer's machine before anybody has made it a real one.
//
// It is NOT for anything that other people's machines connect to: a client cannot tell it from the
// one an attacker made a minute ago, and whoever teaches people to click the warning away has taken
// TLS's whole use from them. It writes no file: key and certificate are gone with the process, and
// the next start has others.
//
// Threads: may be called from several at once. Lifetime: values.
//
//     auto made = funcptr::self_signed({"localhost", "127.0.0.1", "::1"});
//     funcptr::tls_context tls({.role = funcptr::tls_role::server,
//                               .certificate_pem = made.certificate_pem,
//                               .key_pem = made.key_pem});
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "export.h"

namespace funcptr {

struct self_signed_certificate {
    std::string certificate_pem;
    std::string key_pem; ///< not encrypted
};

/// A new ECDSA P-256 key and a certificate of its own for the names, DNS names and IP addresses
/// mixed; the first one is the subject's CN too. It is a server's certificate and no CA.
///
/// valid_for: from an hour ago (clocks differ) until so long from now. 30 days: longer than a
/// process on a developer's machine lives, shorter than any client's bound on validity.
///
/// Throws funcptr::error for no name, more than 100, one that is neither an address nor a DNS name,
/// and a validity that is not positive; std::bad_alloc.
FUNCPTR_API self_signed_certificate
self_signed(const std::vector<std::string>& names,
            std::chrono::seconds valid_for = std::chrono::hours(24 * 30));

} // namespace funcptr
