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

#include <array>
#include <string>
#include <string_view>

#include "funcptr/filter.h"
#include "tls_bio.h"
#include "tls_errors.h"
#include "tls_refusal.h"

namespace funcptr::detail {

/// What is known at the moment of failure.
struct failure {
    const tls_link& link;
    tls_role role;
    int ssl_error;         ///< SSL_get_error
    unsigned long code;    ///< take_tls_error(), 0 for none
    std::string peer_name; ///< whom a client wanted to talk to
};

/// The protocol that spoke first instead of TLS; nullptr when it cannot be told. OpenSSL reads five
/// bytes, a record's header, before it gives up, so five are all there is to look at.
inline const char* plaintext_guess(std::string_view first, tls_role role)
{
    struct pattern {
        std::string_view begins;
        const char* text;
    };
    static constexpr const char* http_client = "the client spoke plain HTTP";
    static constexpr const char* proxy =
        "a PROXY protocol header came first: the load balancer in front adds it";
    static constexpr const char* http_server = "the server speaks plain HTTP on this port";
    static constexpr std::array<pattern, 13> clients{{
        {"GET ", http_client},
        {"POST ", http_client},
        {"HEAD ", http_client},
        {"PUT ", http_client},
        {"DELET", http_client},
        {"OPTIO", http_client},
        {"PATCH", http_client},
        {"PRI *", "the client spoke plain HTTP/2"},
        {"CONNE", "the client took us for an HTTP proxy"},
        {"SSH-", "the client spoke SSH"},
        {"PROXY", proxy},
        {"\r\n\r\n", proxy},
        {"EHLO ", "the client spoke plain SMTP"},
    }};
    static constexpr std::array<pattern, 5> servers{{
        {"HTTP/", http_server},
        {"SSH-", "the server speaks SSH on this port"},
        {"220", "the server greets in plain SMTP or FTP: STARTTLS or AUTH TLS comes first"},
        {"* OK", "the server greets in plain IMAP: STARTTLS comes first"},
        {"+OK", "the server greets in plain POP3: STLS comes first"},
    }};
    const auto find = [first](const auto& patterns) -> const char* {
        for (const pattern& one : patterns)
            if (first.starts_with(one.begins))
                return one.text;
        return nullptr;
    };
    return role == tls_role::server ? find(clients) : find(servers);
}

/// What an alert of the peer's most often means (RFC 8446, 6.2).
inline const char* alert_hint(int alert)
{
    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        return " (no cipher suite in common, or it wants a certificate of ours)";
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_REVOKED:
        return " (it did not accept our certificate)";
    case SSL_AD_UNKNOWN_CA:
        return " (it does not know the issuer of our certificate)";
    case SSL_AD_PROTOCOL_VERSION:
        return " (no TLS version in common)";
    case SSL_AD_UNRECOGNIZED_NAME:
        return " (it has no site of the name that was asked for)";
    case TLS13_AD_CERTIFICATE_REQUIRED:
        return " (it wants a certificate of ours)";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return " (no application protocol in common)";
    default:
        return "";
    }
}

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

inline close_cause limit_cause(const failure& what)
{
    const tls_limits& limits = *what.link.limits;
    close_cause cause{.kind = close_kind::limit};
    switch (what.link.fault) {
    case tls_fault::nwrite:
        cause.text = "limit: our answers to the peer reached nwrite_hard ("
                     + std::to_string(limits.nwrite_hard) + " bytes)";
        break;
    case tls_fault::handshake:
        cause.text = "limit: the peer's handshake is longer than "
                     + std::to_string(limits.handshake) + " bytes";
        break;
    default:
        cause.text = "limit: more than " + std::to_string(limits.key_updates)
                     + " key updates or tickets without data in between";
    }
    return cause;
}

inline close_cause truncated_cause(const failure& what)
{
    const bool server = what.role == tls_role::server;
    close_cause cause{.kind = close_kind::truncated};
    if (what.link.established)
        cause.text = "truncated: the peer hung up without close_notify";
    else if (what.link.first_size != 0)
        cause.text = "truncated: the peer hung up during the handshake";
    else if (server)
        cause.text = "truncated: the client hung up without sending a byte (a health check?)";
    else
        cause.text = "truncated: the server hung up without answering";
    return cause;
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
        return limit_cause(what);
    // OpenSSL 3 says UNEXPECTED_EOF, 1.1.1 SYSCALL with nothing in the queue.
    if (from_ssl ? reason == SSL_R_UNEXPECTED_EOF_WHILE_READING
                 : link.eof && link.in->empty() && what.ssl_error == SSL_ERROR_SYSCALL)
        return truncated_cause(what);
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
    const bool protocol = from_ssl && reason != ERR_R_INTERNAL_ERROR;
    return {.kind = protocol ? close_kind::local_alert : close_kind::internal,
            .code = protocol && link.alert_sent > 0 ? link.alert_sent : 0,
            .text = (protocol ? "local_alert: " : "internal: ") + local_text(what)};
}

} // namespace funcptr::detail
