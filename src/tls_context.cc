// SPDX-License-Identifier: MIT
//
// Builds an SSL_CTX out of a tls_config. Every setting that the system's openssl.cnf could have
// made (SSL_CTX_new applies it silently) is set here again, so that a program speaks the same TLS
// wherever it runs.

#include <openssl/x509v3.h>

#include <algorithm>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "detail/tls_config_check.h"
#include "detail/tls_names.h"
#include "detail/tls_pem.h"
#include "detail/tls_state.h"
#include "detail/tls_trust.h"
#include "funcptr/error.h"
#include "funcptr/ssl_filter.h"

namespace funcptr {

using namespace detail;

namespace {

// https://wiki.mozilla.org/Security/Server_Side_TLS, intermediate, less the suites with DHE: finite
// field groups cost the most and add nobody who matters any more.
constexpr const char* default_ciphers_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* default_ciphers_tls13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr const char* signatures =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:RSA-PSS+SHA256:RSA-PSS+SHA384:"
    "RSA-PSS+SHA512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";
constexpr int security_level = 2; // 112 bits; SSL_CTX_set_security_level(3)
// Sessions kept for 0-RTT, about 1 KB each; the oldest goes, and its client makes a full handshake.
constexpr long most_early_sessions = 10'000;
constexpr std::size_t tickets_per_handshake = 2; // OpenSSL's default: a browser opens two at once

struct free_ciphers {
    void operator()(STACK_OF(SSL_CIPHER) * list) const noexcept { sk_SSL_CIPHER_free(list); }
};

loaded_identity load_identity(const tls_identity& config)
{
    const pem_source chain =
        load_pem("certificate", config.certificate_file, config.certificate_pem);
    if (chain.empty())
        contradiction("an identity has no certificate: set certificate_file or certificate_pem");
    pem_source key = load_pem("key", config.key_file, config.key_pem);
    if (key.empty() && !chain.holds("PRIVATE KEY-----"))
        contradiction(chain.origin + " comes without a key: set key_file or key_pem");

    loaded_identity loaded;
    auto certificates = read_certificates(chain);
    loaded.key = read_key(key.empty() ? chain : key, config.key_password);
    loaded.leaf = std::move(certificates.front());
    if (X509_check_private_key(loaded.leaf.get(), loaded.key.get()) != 1)
        pem_fault(key.empty() ? chain : key,
                  "the key does not belong to the first certificate of " + chain.origin + " ("
                      + name_text(X509_get_subject_name(loaded.leaf.get())) + ")");
    loaded.chain.reset(sk_X509_new_null());
    for (std::size_t i = 1; i < certificates.size(); ++i) {
        if (!loaded.chain || sk_X509_push(loaded.chain.get(), certificates[i].get()) <= 0)
            throw std::bad_alloc();
        (void)certificates[i].release(); // the stack owns it now
    }
    return loaded;
}

std::vector<loaded_identity> load_identities(const tls_config& config)
{
    std::vector<loaded_identity> all;
    if (!config.certificate_file.empty() || !config.certificate_pem.empty())
        all.push_back(load_identity({config.certificate_file, config.key_file,
                                     config.certificate_pem, config.key_pem, config.key_password}));
    for (const tls_identity& more : config.more_identities)
        all.push_back(load_identity(more));
    return all;
}

/// SSL_CTX_set_cert_cb: every identity that carries the name asked for, RSA beside ECDSA too; when
/// none does, what the context has by default. The first of each kind of key counts.
int choose_identity(SSL* ssl, void* context)
{
    const auto& state = *static_cast<const tls_state*>(context);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr)
        return 1;
    bool chosen = false;
    for (const loaded_identity& one : state.identities) {
        if (X509_check_host(one.leaf.get(), name, 0, 0, nullptr) != 1)
            continue;
        if (!std::exchange(chosen, true))
            SSL_certs_clear(ssl);
        // override 0: a certificate of that kind which is there already stays.
        SSL_use_cert_and_key(ssl, one.leaf.get(), one.key.get(), one.chain.get(), 0);
        clear_error_queue();
    }
    return 1;
}

void use_identities(tls_state& state, const tls_config& config)
{
    state.identities = load_identities(config);
    for (const loaded_identity& one : state.identities) {
        // All but the first are tried on a connection that is thrown away, so that a key below the
        // security level is told now and not to the first client that asks for its name.
        const bool first = &one == &state.identities.front();
        const ssl_ptr trial(SSL_new(state.ctx.get()));
        const bool usable = first ? SSL_CTX_use_cert_and_key(state.ctx.get(), one.leaf.get(),
                                                             one.key.get(), one.chain.get(), 1)
                                        == 1
                                  : SSL_use_cert_and_key(trial.get(), one.leaf.get(), one.key.get(),
                                                         one.chain.get(), 1)
                                        == 1;
        if (!usable)
            throw error(errc::bad_certificate,
                        "the certificate of " + name_text(X509_get_subject_name(one.leaf.get()))
                            + " cannot be used: " + error_text());
    }
    if (state.identities.size() > 1)
        SSL_CTX_set_cert_cb(state.ctx.get(), choose_identity, &state);
}

/// SSL_CTX_set_alpn_select_cb: our own first that the client offers too (RFC 7301, 3.2).
int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* size,
                const unsigned char* offered, unsigned offered_size, void* context)
{
    const std::string& ours = static_cast<const tls_state*>(context)->alpn;
    unsigned char* found = nullptr;
    const int outcome =
        SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(ours.data()),
                              static_cast<unsigned>(ours.size()), offered, offered_size);
    *chosen = found;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void use_alpn(tls_state& state, const tls_config& config)
{
    for (const std::string& name : config.alpn) {
        state.alpn += static_cast<char>(name.size());
        state.alpn += name;
    }
    if (state.alpn.empty())
        return;
    if (config.role == tls_role::server)
        return SSL_CTX_set_alpn_select_cb(state.ctx.get(), choose_alpn, &state);
    // Of all of OpenSSL's setters this one returns 0 for success.
    require(SSL_CTX_set_alpn_protos(state.ctx.get(),
                                    reinterpret_cast<const unsigned char*>(state.alpn.data()),
                                    static_cast<unsigned>(state.alpn.size()))
                == 0,
            "alpn");
}

int version_number(tls_version version)
{
    return version == tls_version::tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

/// OpenSSL's cipher string can do more than name ciphers, and takes what it does not know for
/// nothing.
void check_ciphers(SSL_CTX* ctx, const tls_config& config)
{
    const std::string option = "ciphers_tls12 \"" + config.ciphers_tls12 + "\"";
    // Level 0 even has suites without any certificate: verification would be off and nobody told.
    if (SSL_CTX_get_security_level(ctx) < security_level)
        contradiction(option + ": @SECLEVEL below " + std::to_string(security_level)
                      + " would allow what is broken");
    if (config.ciphers_tls12.empty() || config.min_version > tls_version::tls1_2)
        return;
    const ssl_ptr trial(SSL_new(ctx));
    const std::unique_ptr<STACK_OF(SSL_CIPHER), free_ciphers> usable(
        SSL_get1_supported_ciphers(trial.get()));
    for (int i = 0; i < sk_SSL_CIPHER_num(usable.get()); ++i)
        if (SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(usable.get(), i)) != NID_kx_any)
            return; // one that is not TLS 1.3's
    contradiction(option + " names no cipher suite that may be used");
}

void use_protocol(SSL_CTX* ctx, const tls_config& config)
{
    const std::string& tls12 = config.ciphers_tls12;
    const std::string& tls13 = config.ciphers_tls13;
    SSL_CTX_set_security_level(ctx, security_level);
    require(SSL_CTX_set_min_proto_version(ctx, version_number(config.min_version)) == 1
                && SSL_CTX_set_max_proto_version(ctx, version_number(config.max_version)) == 1,
            "the protocol versions");
    require(SSL_CTX_set_cipher_list(ctx, tls12.empty() ? default_ciphers_tls12 : tls12.c_str())
                == 1,
            "ciphers_tls12 \"" + tls12 + "\"");
    check_ciphers(ctx, config);
    require(SSL_CTX_set_ciphersuites(ctx, tls13.empty() ? default_ciphers_tls13 : tls13.c_str())
                == 1,
            "ciphers_tls13 \"" + tls13 + "\"");
    require(SSL_CTX_set1_groups_list(ctx, groups) == 1, "the key exchange groups");
    require(SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1
                && SSL_CTX_set1_client_sigalgs_list(ctx, signatures) == 1,
            "the signature algorithms");
}

void use_modes(SSL_CTX* ctx, const tls_config& config)
{
    // What openssl.cnf may have set is taken back first, "ignore truncation" above all.
    SSL_CTX_clear_options(ctx, SSL_CTX_get_options(ctx));
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION
                                 | SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_PRIORITIZE_CHACHA
                                 | SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (!config.session_tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    if (config.role == tls_role::server)
        SSL_CTX_set_num_tickets(ctx, config.session_tickets ? tickets_per_handshake : 0);
    SSL_CTX_set_block_padding(ctx, 0);
    // Nothing is cached on our side: a server's sessions travel in tickets, a client's are asked
    // for by session(), so that memory does not grow with the number of peers seen.
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);

    // AUTO_RETRY off: SSL_read returns after each post-handshake message, so that the bound on what
    // they make us answer is looked at after each. NO_AUTO_CHAIN: what is sent is what was given.
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                              | SSL_MODE_NO_AUTO_CHAIN);
    // Off, so that OpenSSL never takes a byte past the record at hand: what follows close_notify
    // belongs to the user.
    SSL_CTX_set_read_ahead(ctx, 0);
    // 100 KiB of the default: what is parsed stays as long as the connection, and grows tenfold.
    SSL_CTX_set_max_cert_list(
        ctx, static_cast<long>(std::min<std::size_t>(config.limits.handshake / 5 * 2, 1 << 20)));
}

/// 0-RTT, for those who asked. OpenSSL keeps the sessions itself then and takes each ticket once
/// (its anti-replay), so that the same bytes do not count twice.
void use_early_data(tls_state& state, const tls_config& config)
{
    SSL_CTX* ctx = state.ctx.get();
    state.early_data = config.early_data;
    SSL_CTX_set_max_early_data(ctx, config.early_data);
    // What is refused must be skipped all the same, and is not told how much there is: as much as
    // an earlier configuration may have allowed. What is accepted is bound by the ticket as well.
    SSL_CTX_set_recv_max_early_data(
        ctx, static_cast<std::uint32_t>(std::min<std::size_t>(
                 config.limits.handshake / 2, std::numeric_limits<std::uint32_t>::max())));
    if (config.early_data == 0 || config.role == tls_role::client)
        return;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(ctx, most_early_sessions);
}

void use_tickets(tls_state& state, const tls_config& config, std::shared_ptr<tls_ticket_keys> own)
{
    const bool goes_on = own != nullptr && own->own() && config.ticket_secrets.empty();
    state.tickets =
        goes_on ? std::move(own) : std::make_shared<tls_ticket_keys>(config.ticket_secrets);
    state.tickets->use(state.ctx.get());
}

} // namespace

std::shared_ptr<tls_state> detail::make_tls_state(const tls_config& config,
                                                  std::shared_ptr<tls_ticket_keys> own_tickets)
{
    const error_queue_guard guard;
    check_config(config);

    auto state = std::make_shared<tls_state>();
    const bool server = config.role == tls_role::server;
    state->ctx.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    require(state->ctx != nullptr, "no TLS context can be made");
    state->role = config.role;
    state->verify = !server && !config.insecure_skip_verification;
    state->resumes = config.session_tickets;
    state->small_records = config.small_records;
    state->limits = config.limits;
    if (!config.server_name.empty())
        state->server_name = parse_peer_name(config.server_name, "server_name").text;

    use_modes(state->ctx.get(), config);
    use_early_data(*state, config);
    use_protocol(state->ctx.get(), config);
    use_trust(*state, config);
    use_alpn(*state, config);
    use_identities(*state, config);
    if (server && config.session_tickets)
        use_tickets(*state, config, std::move(own_tickets));
    return state;
}

tls_context::tls_context(const tls_config& config)
    : slot_(std::make_shared<detail::tls_context_slot>(detail::make_tls_state(config)))
{
}

void tls_context::reload(const tls_config& config)
{
    // The tickets in the clients' hands stay good.
    slot_->replace(detail::make_tls_state(config, slot_->current()->tickets));
}

std::uint64_t tls_context::generation() const
{
    return slot_->current()->generation;
}

tls_role tls_context::role() const
{
    return slot_->current()->role;
}

} // namespace funcptr
