// SPDX-License-Identifier: MIT
//
// The order of the questions matters: our own bounds first (GnuTLS only saw its transport fail),
// then the end of the input, then what the peer said, then what we refused.
#include "gnutls_cause.h"

#include <string>

#include "detail/tls_words.h"
#include "gnutls_engine.h"
#include "gnutls_verify.h"

namespace funcptr::detail {

namespace {

constexpr unsigned gnutls_bits = (1U << 22) - 1; // the status without bits of our own

std::string status_text(unsigned status)
{
    owned_datum text;
    if (gnutls_certificate_verification_status_print(status & gnutls_bits, GNUTLS_CRT_X509,
                                                     text.out(), 0)
        < 0)
        return "the certificate was not accepted";
    return printable(text.bytes().substr(0, text.bytes().find_last_not_of(". ") + 1), 200);
}

close_cause verify_cause(const gnutls_engine& engine)
{
    const tls_refusal& refusal = engine.link.refusal;
    const auto status = static_cast<unsigned>(refusal.error);
    std::string text = "verify: "
                       + refusal_sentence(gnutls_reason_of(status), refusal.detail,
                                          engine.name.text, status_text(status));
    if (!refusal.subject.empty())
        text += " [" + refusal.subject + "]";
    return {.kind = close_kind::verify,
            .code = static_cast<int>(status & gnutls_bits),
            .text = std::move(text)};
}

close_cause peer_alert_cause(gnutls_session_t session)
{
    const gnutls_alert_description_t alert = gnutls_alert_get(session);
    const char* name = gnutls_alert_get_name(alert);
    return {.kind = close_kind::peer_alert,
            .code = static_cast<int>(alert),
            .text = std::string("peer_alert: ") + (name != nullptr ? name : "unknown") + " ("
                    + std::to_string(alert) + ")" + alert_hint(static_cast<int>(alert))};
}

/// What we found wrong, in better words than GnuTLS's where we have them.
std::string local_text(const gnutls_engine& engine, int result)
{
    const bool server = engine.state->role == tls_role::server;
    if (!engine.link.established)
        if (const char* guess = plaintext_guess(engine.link.first_bytes(), engine.state->role))
            return guess;
    switch (result) {
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_CERTIFICATE_REQUIRED:
        return "the client sent no certificate, and one is required";
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
    case GNUTLS_E_UNEXPECTED_PACKET:
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
        if (!engine.link.established && (engine.link.first[0] < 20 || engine.link.first[0] > 23))
            return server ? "the client does not speak TLS"
                          : "the server does not speak TLS on this port";
        break;
    case GNUTLS_E_DECRYPTION_FAILED:
        if (!engine.link.established && server)
            return "what the client sent cannot be decrypted (a client of OpenSSL's that does not "
                   "accept our certificate says so in the clear)";
        break;
    case GNUTLS_E_REHANDSHAKE:
        return "the peer asked for a renegotiation";
    default:
        break;
    }
    switch (result) {
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        return "the peer offers no TLS version that we accept";
    case GNUTLS_E_NO_CIPHER_SUITES:
        return "the client offers no TLS version or cipher suite that we accept, or none that "
               "fits our certificate's key";
    case GNUTLS_E_NO_APPLICATION_PROTOCOL:
        return "the client offers no application protocol (ALPN) that we speak";
    default:
        return gnutls_strerror(result);
    }
}

} // namespace

close_cause describe_gnutls(const gnutls_engine& engine, int result, int alert)
{
    const tls_link& link = engine.link;
    if (link.fault == tls_fault::memory || result == GNUTLS_E_MEMORY_ERROR)
        return {.kind = close_kind::internal, .text = "out of memory"};
    if (link.fault != tls_fault::none)
        return limit_cause(link);
    if (result == GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS)
        return {.kind = close_kind::limit,
                .text = "limit: too many key updates or handshake messages within a second"};
    if (link.eof && link.in->empty()
        && (result == GNUTLS_E_PREMATURE_TERMINATION || result == GNUTLS_E_PULL_ERROR
            || result == GNUTLS_E_UNEXPECTED_PACKET_LENGTH))
        return truncated_cause(link, engine.state->role);
    if (result == GNUTLS_E_SESSION_EOF)
        return {.kind = close_kind::peer_alert,
                .code = GNUTLS_A_CLOSE_NOTIFY,
                .text = "peer_alert: close_notify before the handshake was done"};
    if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
        return peer_alert_cause(engine.session.get());
    if (link.refusal.error != 0)
        return verify_cause(engine);
    const bool protocol = alert >= 0 && alert != GNUTLS_A_INTERNAL_ERROR;
    return {.kind = protocol ? close_kind::local_alert : close_kind::internal,
            .code = protocol ? alert : 0,
            .text = (protocol ? "local_alert: " : "internal: ") + local_text(engine, result)};
}

} // namespace funcptr::detail
