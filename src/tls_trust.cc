// SPDX-License-Identifier: MIT
//
// Whom an SSL_CTX believes: roots, revocation lists, whether the peer is asked at all.
#include "detail/tls_trust.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <array>
#include <string>

#include "detail/tls_config_check.h"
#include "detail/tls_pem.h"
#include "detail/tls_refusal.h"

namespace funcptr::detail {

namespace {

constexpr int longest_chain = 10; // intermediates; public chains have one or two

/// CRL_CHECK_ALL asks for a list of every CA in the chain, which few have: above the peer's own
/// certificate those are heeded that there are. The last of the chain is trusted as it is, also
/// when its issuer is not there to vouch for the list that it stands on.
bool needs_no_list(X509_STORE_CTX* store)
{
    const int depth = X509_STORE_CTX_get_error_depth(store);
    const bool anchor = depth + 1 == sk_X509_num(X509_STORE_CTX_get0_chain(store));
    switch (X509_STORE_CTX_get_error(store)) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return depth > 0;
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        return depth > 0 && anchor;
    default:
        return false;
    }
}

/// SSL_CTX_set_verify: notes what was refused.
int on_verdict(int accepted, X509_STORE_CTX* store)
{
    if (accepted != 1 && needs_no_list(store)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    if (accepted != 1)
        note_refused_certificate(store);
    return accepted;
}

void trust_certificates(SSL_CTX* ctx, const pem_source& source, bool tell_clients)
{
    if (source.empty())
        return;
    for (const x509_ptr& one : read_certificates(source)) {
        require(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), one.get()) == 1, source.origin);
        if (tell_clients)
            require(SSL_CTX_add_client_CA(ctx, one.get()) == 1, source.origin);
    }
}

void keep_names_told_within_bounds(SSL_CTX* ctx)
{
    const STACK_OF(X509_NAME)* names = SSL_CTX_get_client_CA_list(ctx);
    std::size_t size = 0;
    for (int i = 0; i < sk_X509_NAME_num(names); ++i)
        size += 2 + static_cast<std::size_t>(i2d_X509_NAME(sk_X509_NAME_value(names, i), nullptr));
    if (size > most_ca_names)
        SSL_CTX_set_client_CA_list(ctx, nullptr);
}

void use_revocation_lists(SSL_CTX* ctx, const pem_source& source)
{
    if (source.empty())
        return;
    X509_STORE* store = SSL_CTX_get_cert_store(ctx);
    for (const x509_crl_ptr& one : read_revocation_lists(source))
        require(X509_STORE_add_crl(store, one.get()) == 1, source.origin);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

int verify_mode(const tls_config& config)
{
    if (config.role == tls_role::client)
        return config.insecure_skip_verification ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
    switch (config.client_certificates) {
    case tls_client_certificates::none:
        return SSL_VERIFY_NONE;
    case tls_client_certificates::optional:
        return SSL_VERIFY_PEER;
    case tls_client_certificates::required:
        break;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/// A ticket may only be taken where the certificate in it would be accepted as well; OpenSSL wants
/// a name for that "where", and fails every resumption of a verifying server that has none.
void set_session_context(SSL_CTX* ctx, const std::string& trust, int mode)
{
    const std::string whole = std::to_string(mode) + "\n" + trust;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    require(EVP_Digest(whole.data(), whole.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1
                && SSL_CTX_set_session_id_context(ctx, digest.data(), size) == 1,
            "the session context cannot be set");
}

} // namespace

void use_trust(tls_state& state, const tls_config& config)
{
    SSL_CTX* ctx = state.ctx.get();
    const bool client = config.role == tls_role::client;
    const pem_source file = load_pem("trust", config.trust_file, {});
    const pem_source text = load_pem("trust", {}, config.trust_pem);
    const pem_source crl_file = load_pem("crl", config.crl_file, {});
    const pem_source crl_text = load_pem("crl", {}, config.crl_pem);

    trust_certificates(ctx, file, !client);
    trust_certificates(ctx, text, !client);
    keep_names_told_within_bounds(ctx);
    use_revocation_lists(ctx, crl_file);
    use_revocation_lists(ctx, crl_text);
    if (!file.empty() || !text.empty())
        X509_STORE_set_flags(SSL_CTX_get_cert_store(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    else if (client && !config.insecure_skip_verification)
        require(SSL_CTX_set_default_verify_paths(ctx) == 1, "the system's roots");

    SSL_CTX_set_verify(ctx, verify_mode(config), on_verdict);
    SSL_CTX_set_verify_depth(ctx, longest_chain);
    set_session_context(ctx, file.text + text.text + crl_file.text + crl_text.text,
                        verify_mode(config));
}

} // namespace funcptr::detail
