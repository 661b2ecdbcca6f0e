// SPDX-License-Identifier: MIT
//
// tls_cause.h: turns what OpenSSL knows about a failure into a close_cause with a text that helps.
//
// The order of the questions matters: our own bounds first (OpenSSL only saw its BIO fail), then
// the end of the input, then what the peer said, then what we refused, and OpenSSL's own troubles
// last.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>

#include "funcptr/filter.h"
#include "tls_bio.h"
#include "tls_errors.h"
#include "tls_refusal.h"
#include "tls_words.h"

namespace funcptr::detail {

/// What is known at the moment of failure.
struct failure {
    const tls_link& link;
    tls_role role;
    int ssl_error;         ///< SSL_get_error
    unsigned long code;    ///< take_tls_error(), 0 for none
    std::string peer_name; ///< whom a client wanted to talk to
};

inline std::string alert_name(int alert)
{
    return std::string(SSL_alert_desc_string_long(alert)) + " (" + std::to_string(alert) + ")";
}

/// What we found wrong, in better words than OpenSSL's where we have them.
inline std::string local_text(const failure& what)
{
    const char* guess = plaintext_guess(what.link.first_bytes(), what.role);
    if (!what.link.established && guess != nullptr)
        return guess;
    if (is_short_record(what.code))
        return "the peer sent a record that is too short to be encrypted";
    const bool server = what.role == tls_role::server;
    switch (ERR_GET_LIB(what.code) == ERR_LIB_SSL ? ERR_GET_REASON(what.code) : 0) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the client sent no certificate, and one is required";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
        return "the peer offers no TLS version that we accept";
    case SSL_R_NO_SHARED_CIPHER:
        return "the client offers no cipher suite that we accept, or none that fits our "
               "certificate's key";
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return "the client offers no application protocol (ALPN) that we speak";
    case SSL_R_NO_SUITABLE_KEY_SHARE:
        return "the peer offers no key exchange group that we accept";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
        return what.link.established ? "what the peer sent is not a TLS record"
               : server              ? "the client does not speak TLS"
                                     : "the server does not speak TLS on this port";
    default:
        return error_text(what.code);
    }
}

inline close_cause peer_alert_cause(int alert)
{
    return {.kind = close_kind::peer_alert,
            .code = alert,
            .text = "peer_alert: " + alert_name(alert) + alert_hint(alert)};
}

/// Throws std::bad_alloc.
inline close_cause describe(const failure& what)
{
    const tls_link& link = what.link;
    const bool from_ssl = ERR_GET_LIB(what.code) == ERR_LIB_SSL;
    const int reason = ERR_GET_REASON(what.code);
    if (link.fault == tls_fault::memory || reason == ERR_R_MALLOC_FAILURE)
        return {.kind = close_kind::internal, .text = "out of memory"};
    if (link.fault != tls_fault::none)
        return limit_cause(link);
    // OpenSSL 3 says UNEXPECTED_EOF, 1.1.1 SYSCALL with nothing in the queue.
    if (from_ssl ? reason == SSL_R_UNEXPECTED_EOF_WHILE_READING
                 : link.eof && link.in->empty() && what.ssl_error == SSL_ERROR_SYSCALL)
        return truncated_cause(link, what.role);
    if (what.ssl_error == SSL_ERROR_ZERO_RETURN)
        return {.kind = close_kind::peer_alert,
                .code = SSL_AD_CLOSE_NOTIFY,
                .text = "peer_alert: close_notify before the handshake was done"};
    if (from_ssl && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        return peer_alert_cause(reason - SSL_AD_REASON_OFFSET);
    if (link.refusal.error != X509_V_OK && from_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        std::string text = "verify: " + refusal_text(link.refusal, what.peer_name);
        if (!link.refusal.subject.empty())
            text += " [" + link.refusal.subject + "]";
        return {.kind = close_kind::verify,
                .code = link.refusal.error,
                .depth = link.refusal.depth,
                .text = std::move(text)};
    }
    const bool protocol =
        (from_ssl && reason != ERR_R_INTERNAL_ERROR) || is_short_record(what.code);
    return {.kind = protocol ? close_kind::local_alert : close_kind::internal,
            .code = protocol && link.alert_sent > 0 ? link.alert_sent : 0,
            .text = (protocol ? "local_alert: " : "internal: ") + local_text(what)};
}

} // namespace funcptr::detail
