// SPDX-License-Identifier: MIT
//
// tls_words.h: what every TLS engine says in the same words when a connection ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "funcptr/filter.h"
#include "funcptr/tls_config.h"
#include "tls_link.h"

namespace funcptr::detail {

constexpr std::size_t longest_sni = 255;       // OpenSSL's bound (TLSEXT_MAXLEN_host_name)
constexpr std::size_t longest_export = 0xffff; // the length has two bytes: RFC 8446, 7.1

/// At most `most` bytes, none of which can break a log line.
inline std::string printable(std::string_view text, std::size_t most)
{
    std::string clean(text.substr(0, most));
    for (char& c : clean)
        if (c < 0x20 || c > 0x7e)
            c = '?';
    return text.size() > most ? clean + "..." : clean;
}

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
    case 40: // handshake_failure
        return " (no cipher suite in common, or it wants a certificate of ours)";
    case 42: // bad_certificate
    case 46: // certificate_unknown
    case 43: // unsupported_certificate
    case 45: // certificate_expired
    case 44: // certificate_revoked
        return " (it did not accept our certificate)";
    case 48: // unknown_ca
        return " (it does not know the issuer of our certificate)";
    case 70: // protocol_version
        return " (no TLS version in common)";
    case 112: // unrecognized_name
        return " (it has no site of the name that was asked for)";
    case 116: // certificate_required
        return " (it wants a certificate of ours)";
    case 120: // no_application_protocol
        return " (no application protocol in common)";
    default:
        return "";
    }
}

/// Why a certificate was not accepted, as far as a person can do something about it.
enum class refusal_reason : std::uint8_t {
    wrong_name,
    expired,
    not_yet_valid,
    self_signed,
    unknown_issuer,
    revoked,
    no_revocation_list,
    old_revocation_list,
    wrong_purpose,
    other, ///< in the library's words
};

/// One sentence about it. detail: the names or the date that the certificate has; peer_name: whom
/// we wanted to talk to; library: the TLS library's own words.
inline std::string refusal_sentence(refusal_reason reason, const std::string& detail,
                                    const std::string& peer_name, const std::string& library)
{
    switch (reason) {
    case refusal_reason::wrong_name:
        return "the certificate is for " + detail + ", not for " + peer_name;
    case refusal_reason::expired:
        return "the certificate expired on " + detail + " (or this machine's clock is off)";
    case refusal_reason::not_yet_valid:
        return "the certificate is not valid before " + detail
               + " (or this machine's clock is off)";
    case refusal_reason::self_signed:
        return "the certificate is self-signed (to believe it, give it as trust_file)";
    case refusal_reason::unknown_issuer:
        return "the certificate's issuer is not one that we trust (or the peer left an "
               "intermediate out)";
    case refusal_reason::revoked:
        return "the certificate was revoked";
    case refusal_reason::no_revocation_list:
        return "no revocation list covers the certificate (see crl_file)";
    case refusal_reason::old_revocation_list:
        return "the revocation list has expired (see crl_file)";
    case refusal_reason::wrong_purpose:
        return library + ": the certificate is not made for this role (extended key usage)";
    case refusal_reason::other:
        break;
    }
    return library;
}

/// One of our own bounds was reached: link.fault says which.
inline close_cause limit_cause(const tls_link& link)
{
    const tls_limits& limits = *link.limits;
    close_cause cause{.kind = close_kind::limit};
    switch (link.fault) {
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

/// The transport ended before TLS did.
inline close_cause truncated_cause(const tls_link& link, tls_role role)
{
    const bool server = role == tls_role::server;
    close_cause cause{.kind = close_kind::truncated};
    if (link.established)
        cause.text = "truncated: the peer hung up without close_notify";
    else if (link.first_size != 0)
        cause.text = "truncated: the peer hung up during the handshake";
    else if (server)
        cause.text = "truncated: the client hung up without sending a byte (a health check?)";
    else
        cause.text = "truncated: the server hung up without answering";
    return cause;
}

} // namespace funcptr::detail
