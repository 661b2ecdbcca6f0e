// SPDX-License-Identifier: MIT
#include "gnutls_verify.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <new>
#include <string>

#include "gnutls_engine.h"

namespace funcptr::detail {

namespace {

gnutls_certificate_ptr leaf_of(gnutls_session_t session)
{
    unsigned count = 0;
    const gnutls_datum_t* chain = gnutls_certificate_get_peers(session, &count);
    if (chain == nullptr || count == 0)
        return nullptr;
    auto leaf = make_gnutls<gnutls_certificate_ptr>(gnutls_x509_crt_init);
    return gnutls_x509_crt_import(leaf.get(), chain, GNUTLS_X509_FMT_DER) < 0 ? nullptr
                                                                              : std::move(leaf);
}

/// One name after the other, until the visitor says false.
template <class Visit>
void each_name(gnutls_x509_crt_t certificate, Visit visit)
{
    std::array<char, 512> name{};
    for (unsigned i = 0;; ++i) {
        std::size_t size = name.size();
        const int type =
            gnutls_x509_crt_get_subject_alt_name(certificate, i, name.data(), &size, nullptr);
        if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue; // no host has a name of that length
        if (type < 0 || !visit(type, std::string_view(name.data(), size)))
            return;
    }
}

std::string ip_text(std::string_view bytes)
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (bytes.size() != 4 && bytes.size() != 16)
        return "?";
    ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
    return text.data();
}

std::string names_text(gnutls_x509_crt_t certificate)
{
    std::string text;
    int told = 0;
    each_name(certificate, [&](int type, std::string_view name) {
        if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_IPADDRESS)
            return true;
        if (told++ == 3) {
            text += ", ...";
            return false;
        }
        text += text.empty() ? "" : ", ";
        text += type == GNUTLS_SAN_IPADDRESS ? ip_text(name) : printable(name, 64);
        return true;
    });
    return text.empty() ? "no name" : text;
}

std::string time_text(std::time_t time)
{
    std::tm parts{};
    std::array<char, 32> text{};
    if (::gmtime_r(&time, &parts) == nullptr)
        return "?";
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts)};
}

bool has_dns_name(gnutls_x509_crt_t certificate)
{
    bool found = false;
    each_name(certificate, [&](int type, std::string_view) {
        found = type == GNUTLS_SAN_DNSNAME;
        return !found;
    });
    return found;
}

/// GnuTLS takes a certificate for good whose issuer is on none of the lists.
bool covered_by_a_list(const gnutls_state& state, gnutls_x509_crt_t certificate)
{
    owned_datum issuer;
    if (gnutls_x509_crt_get_raw_issuer_dn(certificate, issuer.out()) < 0)
        return false;
    return std::find(state.list_issuers.begin(), state.list_issuers.end(), issuer.bytes())
           != state.list_issuers.end();
}

// Beside GnuTLS's own bits, which end at 1 << 21.
constexpr unsigned no_list = 1U << 30;
constexpr unsigned self_signed = 1U << 29;

/// Chain, purpose, name and revocation; 0 when all of it holds.
unsigned judge(gnutls_engine& engine, gnutls_x509_crt_t leaf)
{
    const bool server = engine.state->role == tls_role::server;
    const char* purpose = server ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;
    std::array<unsigned char, 16> address{};
    std::array<gnutls_typed_vdata_st, 2> wanted{};
    wanted[0] = {GNUTLS_DT_KEY_PURPOSE_OID, datum(purpose).data, 0};
    unsigned count = 1;
    if (!engine.name.text.empty() && engine.name.is_ip) {
        const bool v6 = ::inet_pton(AF_INET, engine.name.text.c_str(), address.data()) != 1;
        if (v6)
            ::inet_pton(AF_INET6, engine.name.text.c_str(), address.data());
        wanted[count++] = {GNUTLS_DT_IP_ADDRESS, address.data(), v6 ? 16U : 4U};
    } else if (!engine.name.text.empty()) {
        wanted[count++] = {GNUTLS_DT_DNS_HOSTNAME, datum(engine.name.text).data, 0};
    }
    unsigned status = 0;
    if (gnutls_certificate_verify_peers(engine.session.get(), wanted.data(), count, &status) < 0)
        return GNUTLS_CERT_INVALID;
    // The subject's CN is no name of a host (RFC 9525, 2); GnuTLS takes it where there is no other.
    if (count == 2 && !engine.name.is_ip && !has_dns_name(leaf))
        status |= GNUTLS_CERT_INVALID | GNUTLS_CERT_UNEXPECTED_OWNER;
    if (status == 0 && !engine.state->list_issuers.empty()
        && !covered_by_a_list(*engine.state, leaf))
        status = GNUTLS_CERT_INVALID | no_list;
    if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0
        && gnutls_x509_crt_check_issuer(leaf, leaf) != 0)
        status |= self_signed;
    return status;
}

void note_refusal(gnutls_engine& engine, gnutls_x509_crt_t leaf, unsigned status)
{
    tls_refusal& refusal = engine.link.refusal;
    refusal.error = static_cast<int>(status);
    owned_datum subject;
    if (gnutls_x509_crt_get_dn3(leaf, subject.out(), 0) >= 0)
        refusal.subject = printable(subject.bytes(), 200);
    const refusal_reason reason = gnutls_reason_of(status);
    if (reason == refusal_reason::expired)
        refusal.detail = time_text(gnutls_x509_crt_get_expiration_time(leaf));
    else if (reason == refusal_reason::not_yet_valid)
        refusal.detail = time_text(gnutls_x509_crt_get_activation_time(leaf));
    else
        refusal.detail = names_text(leaf);
}

int verify(gnutls_engine& engine)
{
    if (engine.state->role == tls_role::client && !engine.state->verify)
        return 0;
    const gnutls_certificate_ptr leaf = leaf_of(engine.session.get());
    if (!leaf) { // a server asks before it is called here whether it may be missing
        const bool optional =
            engine.state->client_certificates != tls_client_certificates::required;
        return engine.state->role == tls_role::server && optional ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
    }
    const unsigned status = judge(engine, leaf.get());
    if (status == 0)
        return 0;
    note_refusal(engine, leaf.get(), status);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

} // namespace

int verify_gnutls_peer(gnutls_session_t session)
{
    auto& engine = *static_cast<gnutls_engine*>(gnutls_session_get_ptr(session));
    try {
        return verify(engine);
    } catch (const std::bad_alloc&) {
        engine.link.fault = tls_fault::memory;
        return GNUTLS_E_MEMORY_ERROR;
    }
}

/// Several bits may stand together; the first that says most is told.
refusal_reason gnutls_reason_of(unsigned status)
{
    if ((status & no_list) != 0)
        return refusal_reason::no_revocation_list;
    if ((status & GNUTLS_CERT_REVOKED) != 0)
        return refusal_reason::revoked;
    if ((status & GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED) != 0)
        return refusal_reason::old_revocation_list;
    if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0)
        return (status & self_signed) != 0 ? refusal_reason::self_signed
                                           : refusal_reason::unknown_issuer;
    if ((status & GNUTLS_CERT_EXPIRED) != 0)
        return refusal_reason::expired;
    if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0)
        return refusal_reason::not_yet_valid;
    if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0)
        return refusal_reason::wrong_purpose;
    if ((status & GNUTLS_CERT_UNEXPECTED_OWNER) != 0)
        return refusal_reason::wrong_name;
    return refusal_reason::other;
}

int gnutls_alert_for(unsigned status)
{
    switch (gnutls_reason_of(status)) {
    case refusal_reason::revoked:
        return GNUTLS_A_CERTIFICATE_REVOKED;
    case refusal_reason::expired:
        return GNUTLS_A_CERTIFICATE_EXPIRED;
    case refusal_reason::self_signed:
    case refusal_reason::unknown_issuer:
        return GNUTLS_A_UNKNOWN_CA;
    case refusal_reason::wrong_purpose:
        return GNUTLS_A_UNSUPPORTED_CERTIFICATE;
    default:
        return GNUTLS_A_BAD_CERTIFICATE;
    }
}

} // namespace funcptr::detail
