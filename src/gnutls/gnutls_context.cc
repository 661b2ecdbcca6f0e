// SPDX-License-Identifier: MIT
//
// Builds GnuTLS's credentials and priorities out of a tls_config.

#include <gnutls/crypto.h>

#include <algorithm>
#include <string>
#include <utility>

#include "detail/pem_source.h"
#include "detail/tls_config_check.h"
#include "detail/tls_names.h"
#include "funcptr/error.h"
#include "funcptr/gnutls_filter.h"
#include "gnutls_pem.h"
#include "gnutls_state.h"
#include "gnutls_verify.h"

namespace funcptr {

using namespace detail;

namespace {

constexpr unsigned longest_chain = 10; // intermediates; public chains have one or two
constexpr unsigned most_key_bits = 16384;
constexpr std::size_t shortest_secret = 32;

void refuse_what_gnutls_cannot(const tls_config& config)
{
    if (!config.ciphers_tls12.empty() || !config.ciphers_tls13.empty())
        contradiction("ciphers_tls12 and ciphers_tls13 are in OpenSSL's notation, which GnuTLS "
                      "does not know: leave them empty");
    if (config.early_data != 0)
        contradiction("early_data: 0-RTT is not offered on GnuTLS");
    if (config.ticket_secrets.size() > 1)
        contradiction("ticket_secrets: GnuTLS seals and opens tickets with one key: give one "
                      "secret at most");
}

/// The policy of ssl_filter.h in GnuTLS's notation. PROFILE_MEDIUM is 112 bits (RSA from 2048).
std::string priorities(const tls_config& config)
{
    std::string text = "SECURE128:-VERS-ALL:-KX-ALL:-CIPHER-ALL:-MAC-ALL:-GROUP-ALL";
    if (config.max_version >= tls_version::tls1_3)
        text += ":+VERS-TLS1.3";
    if (config.min_version <= tls_version::tls1_2)
        text += ":+VERS-TLS1.2";
    return text
           + ":+ECDHE-ECDSA:+ECDHE-RSA:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD"
             ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:%SERVER_PRECEDENCE"
             ":%PROFILE_MEDIUM";
}

std::string subject_of(gnutls_x509_crt_t certificate)
{
    owned_datum name;
    return gnutls_x509_crt_get_dn3(certificate, name.out(), 0) < 0 ? "?"
                                                                   : printable(name.bytes(), 200);
}

void check_strength(gnutls_x509_crt_t certificate)
{
    unsigned bits = 0;
    const int algorithm = gnutls_x509_crt_get_pk_algorithm(certificate, &bits);
    if (algorithm >= 0
        && gnutls_pk_bits_to_sec_param(static_cast<gnutls_pk_algorithm_t>(algorithm), bits)
               < GNUTLS_SEC_PARAM_MEDIUM)
        throw error(errc::bad_certificate, "the certificate of " + subject_of(certificate)
                                               + " cannot be used: its key is too small ("
                                               + std::to_string(bits) + " bits)");
}

/// GnuTLS compares the name that a client asks for as it stands: a wildcard would never be chosen.
void refuse_wildcards(gnutls_x509_crt_t certificate)
{
    std::array<char, 256> name{};
    int type = 0;
    for (unsigned i = 0; type >= 0 || type == GNUTLS_E_SHORT_MEMORY_BUFFER; ++i) {
        std::size_t size = name.size();
        type = gnutls_x509_crt_get_subject_alt_name(certificate, i, name.data(), &size, nullptr);
        if (type == GNUTLS_SAN_DNSNAME && name[0] == '*')
            contradiction("more_identities: GnuTLS chooses by exact names, and "
                          + std::string(name.data(), size) + " of " + subject_of(certificate)
                          + " would never be chosen: only the first identity may have a wildcard");
    }
}

void use_identity(gnutls_state& state, const tls_identity& config, bool first)
{
    const pem_source chain =
        load_pem("certificate", config.certificate_file, config.certificate_pem);
    if (chain.empty())
        contradiction("an identity has no certificate: set certificate_file or certificate_pem");
    const pem_source key = load_pem("key", config.key_file, config.key_pem);
    if (key.empty() && !chain.holds("PRIVATE KEY-----"))
        contradiction(chain.origin + " comes without a key: set key_file or key_pem");
    const pem_source& key_source = key.empty() ? chain : key;

    const auto certificates = read_gnutls_certificates(chain);
    const auto private_key = read_gnutls_key(key_source, config.key_password);
    check_strength(certificates.front().get());
    if (!first)
        refuse_wildcards(certificates.front().get());
    std::vector<gnutls_x509_crt_t> raw;
    for (const auto& one : certificates)
        raw.push_back(one.get());
    const int result = gnutls_certificate_set_x509_key(
        state.credentials.get(), raw.data(), static_cast<int>(raw.size()), private_key.get());
    if (result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        pem_fault(key_source, "the key does not belong to the first certificate of " + chain.origin
                                  + " (" + subject_of(raw.front()) + ")");
    require_gnutls(result, chain.origin, errc::bad_certificate);
}

/// GnuTLS chooses among them by the name a client asks for; the first answers when none fits.
void use_identities(gnutls_state& state, const tls_config& config)
{
    if (!config.certificate_file.empty() || !config.certificate_pem.empty())
        use_identity(state,
                     {config.certificate_file, config.key_file, config.certificate_pem,
                      config.key_pem, config.key_password},
                     true);
    for (const tls_identity& more : config.more_identities)
        use_identity(state, more, false);
}

void use_revocation_lists(gnutls_state& state, const pem_source& source)
{
    if (source.empty())
        return;
    for (const auto& one : read_gnutls_crls(source)) {
        owned_datum issuer;
        require_gnutls(gnutls_x509_crl_get_raw_issuer_dn(one.get(), issuer.out()), source.origin);
        state.list_issuers.emplace_back(issuer.bytes());
        gnutls_x509_crl_t raw = one.get();
        require_gnutls(gnutls_certificate_set_x509_crl(state.credentials.get(), &raw, 1),
                       source.origin, errc::bad_certificate);
    }
}

void trust_certificates(gnutls_state& state, const pem_source& source)
{
    if (source.empty())
        return;
    std::vector<gnutls_x509_crt_t> raw;
    const auto certificates = read_gnutls_certificates(source);
    for (const auto& one : certificates) {
        owned_datum name;
        require_gnutls(gnutls_x509_crt_get_raw_dn(one.get(), name.out()), source.origin);
        state.names_to_tell += 2 + name.bytes().size();
        raw.push_back(one.get());
    }
    require_gnutls(gnutls_certificate_set_x509_trust(state.credentials.get(), raw.data(),
                                                     static_cast<int>(raw.size())),
                   source.origin, errc::bad_certificate);
}

/// HKDF-SHA256 (RFC 5869). What else is believed goes into the key, so that a ticket is only taken
/// where the certificate in it would be accepted as well.
void derive_ticket_key(gnutls_state& state, const std::string& trust)
{
    const std::string label = "funcptr gnutls ticket v1\n"
                              + std::to_string(static_cast<int>(state.client_certificates)) + "\n"
                              + trust;
    std::array<char, 32> extracted{};
    const gnutls_datum_t secret = datum(state.ticket_secret);
    const gnutls_datum_t salt = datum("");
    const gnutls_datum_t key = datum({extracted.data(), extracted.size()});
    const gnutls_datum_t info = datum(label);
    require_gnutls(gnutls_hkdf_extract(GNUTLS_MAC_SHA256, &secret, &salt, extracted.data()),
                   "ticket_secrets");
    require_gnutls(gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &info, state.ticket_key.data(),
                                      state.ticket_key.size()),
                   "ticket_secrets");
    gnutls_memset(extracted.data(), 0, extracted.size());
}

void use_tickets(gnutls_state& state, const tls_config& config, const std::string& own_secret,
                 const std::string& trust)
{
    if (state.role == tls_role::client || !config.session_tickets)
        return;
    state.ticket_secret = config.ticket_secrets.empty() ? own_secret : config.ticket_secrets[0];
    if (!config.ticket_secrets.empty() && state.ticket_secret.size() < shortest_secret)
        contradiction("ticket_secrets[0] has " + std::to_string(state.ticket_secret.size())
                      + " bytes: at least " + std::to_string(shortest_secret)
                      + " random ones are needed");
    if (state.ticket_secret.empty()) {
        state.ticket_secret.resize(shortest_secret);
        require_gnutls(gnutls_rnd(GNUTLS_RND_KEY, state.ticket_secret.data(), shortest_secret),
                       "a key for session tickets");
    }
    derive_ticket_key(state, trust);
}

/// Everything that says whom we believe; returns its text, which the tickets' key depends on.
std::string use_trust(gnutls_state& state, const tls_config& config)
{
    const pem_source file = load_pem("trust", config.trust_file, {});
    const pem_source text = load_pem("trust", {}, config.trust_pem);
    const pem_source crl_file = load_pem("crl", config.crl_file, {});
    const pem_source crl_text = load_pem("crl", {}, config.crl_pem);
    trust_certificates(state, file);
    trust_certificates(state, text);
    use_revocation_lists(state, crl_file);
    use_revocation_lists(state, crl_text);
    gnutls_certificate_credentials_t credentials = state.credentials.get();
    if (file.empty() && text.empty() && state.verify)
        require_gnutls(gnutls_certificate_set_x509_system_trust(credentials), "the system's roots");
    gnutls_certificate_set_verify_limits(credentials, most_key_bits, longest_chain);
    gnutls_certificate_set_verify_function(credentials, verify_gnutls_peer);
    return file.text + text.text + crl_file.text + crl_text.text;
}

} // namespace

gnutls_state::~gnutls_state()
{
    gnutls_memset(ticket_secret.data(), 0, ticket_secret.size());
    gnutls_memset(ticket_key.data(), 0, ticket_key.size());
}

std::shared_ptr<gnutls_state> detail::make_gnutls_state(const tls_config& config,
                                                        const std::string& own_secret)
{
    check_config(config);
    refuse_what_gnutls_cannot(config);

    auto state = std::make_shared<gnutls_state>();
    state->role = config.role;
    state->verify = config.role == tls_role::client && !config.insecure_skip_verification;
    state->client_certificates = config.client_certificates;
    state->alpn = config.alpn;
    state->small_records = config.small_records;
    state->limits = config.limits;
    if (!config.server_name.empty())
        state->server_name = parse_peer_name(config.server_name, "server_name").text;
    state->credentials =
        make_gnutls<gnutls_credentials_ptr>(gnutls_certificate_allocate_credentials);
    gnutls_priority_t priority = nullptr;
    require_gnutls(gnutls_priority_init2(&priority, priorities(config).c_str(), nullptr, 0),
                   "the protocol's priorities (does /etc/gnutls/config forbid them?)");
    state->priority.reset(priority);

    const std::string trust = use_trust(*state, config);
    use_identities(*state, config);
    use_tickets(*state, config, own_secret, trust);
    return state;
}

gnutls_context::gnutls_context(const tls_config& config)
    : slot_(std::make_shared<gnutls_context_slot>(make_gnutls_state(config)))
{
}

void gnutls_context::reload(const tls_config& config)
{
    // The tickets in the clients' hands stay good.
    slot_->replace(make_gnutls_state(config, slot_->current()->ticket_secret));
}

std::uint64_t gnutls_context::generation() const
{
    return slot_->current()->generation;
}

tls_role gnutls_context::role() const
{
    return slot_->current()->role;
}

} // namespace funcptr
