// SPDX-License-Identifier: MIT
//
// tls_refusal.h: which certificate was refused, and why, in words for a person.
//
// All that is taken from the peer's certificate is bounded and made printable first.
#pragma once

#include <arpa/inet.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <string>
#include <string_view>

#include "tls_bio.h"
#include "tls_errors.h"
#include "tls_words.h"

namespace funcptr::detail {

inline std::string ip_text(const ASN1_OCTET_STRING* address)
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
    if (family == AF_INET6 && ASN1_STRING_length(address) != 16)
        return "?";
    ::inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
    return text.data();
}

/// The names a certificate is for, the first few of them.
inline std::string certificate_names(X509* certificate)
{
    const general_names_ptr names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    int told = 0;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
        if (one->type != GEN_DNS && one->type != GEN_IPADD)
            continue;
        if (told++ == 3)
            return text + ", ...";
        text += text.empty() ? "" : ", ";
        const auto* dns = one->d.dNSName;
        text += one->type == GEN_IPADD
                    ? ip_text(one->d.iPAddress)
                    : printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(dns)),
                                 static_cast<std::size_t>(ASN1_STRING_length(dns))},
                                64);
    }
    return text.empty() ? "no name" : text;
}

inline std::string time_text(const ASN1_TIME* time)
{
    const bio_ptr out(BIO_new(BIO_s_mem()));
    if (!out || ASN1_TIME_print_ex(out.get(), time, ASN1_DTFLGS_ISO8601) != 1)
        return "?";
    return bio_text(out.get());
}

/// From a verify callback: X509_STORE_CTX_set_error has been called for the certificate at hand.
inline void note_refused_certificate(X509_STORE_CTX* store)
{
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto& link = *static_cast<tls_link*>(BIO_get_data(SSL_get_rbio(ssl)));
    X509* certificate = X509_STORE_CTX_get_current_cert(store);
    try {
        link.refusal.error = X509_STORE_CTX_get_error(store);
        link.refusal.depth = X509_STORE_CTX_get_error_depth(store);
        if (certificate == nullptr)
            return;
        link.refusal.subject = printable(name_text(X509_get_subject_name(certificate)), 200);
        if (link.refusal.error == X509_V_ERR_CERT_HAS_EXPIRED)
            link.refusal.detail = time_text(X509_get0_notAfter(certificate));
        else if (link.refusal.error == X509_V_ERR_CERT_NOT_YET_VALID)
            link.refusal.detail = time_text(X509_get0_notBefore(certificate));
        else
            link.refusal.detail = certificate_names(certificate);
    } catch (const std::bad_alloc&) {
        link.fault = tls_fault::memory;
    }
}

inline refusal_reason reason_of(int verify_error)
{
    switch (verify_error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return refusal_reason::wrong_name;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return refusal_reason::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return refusal_reason::not_yet_valid;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return refusal_reason::self_signed;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return refusal_reason::unknown_issuer;
    case X509_V_ERR_CERT_REVOKED:
        return refusal_reason::revoked;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return refusal_reason::no_revocation_list;
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return refusal_reason::old_revocation_list;
    case X509_V_ERR_INVALID_PURPOSE:
        return refusal_reason::wrong_purpose;
    default:
        return refusal_reason::other;
    }
}

/// One sentence about a refused certificate; peer_name: whom we wanted to talk to.
inline std::string refusal_text(const tls_refusal& refusal, const std::string& peer_name)
{
    return refusal_sentence(reason_of(refusal.error), refusal.detail, peer_name,
                            X509_verify_cert_error_string(refusal.error));
}

} // namespace funcptr::detail
