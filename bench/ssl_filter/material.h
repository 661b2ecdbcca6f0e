// SPDX-License-Identifier: MIT
//
// material.h: one certificate and one way of speaking for all contenders: TLS 1.3 with
// TLS_AES_128_GCM_SHA256 and X25519, an ECDSA P-256 certificate, session tickets on.
//
// Threads: any. Lifetime: process.
#pragma once

#include <funcptr/self_signed.h>
#include <funcptr/ssl_filter.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace bench::tls {

struct freed {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using owned = std::unique_ptr<T, freed>;

inline constexpr const char* cipher = "TLS_AES_128_GCM_SHA256";

inline void require(bool ok, const char* what)
{
    if (!ok)
        throw std::runtime_error(std::string(what) + ": "
                                 + ERR_error_string(ERR_get_error(), nullptr));
}

inline const funcptr::self_signed_certificate& identity()
{
    static const auto made = funcptr::self_signed({"localhost", "127.0.0.1"});
    return made;
}

/// What the plain OpenSSL contenders use; the same settings as ours below.
inline owned<SSL_CTX> make_ctx(bool server)
{
    owned<SSL_CTX> ctx(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    require(ctx != nullptr, "SSL_CTX_new");
    SSL_CTX_set_min_proto_version(ctx.get(), TLS1_3_VERSION);
    require(SSL_CTX_set_ciphersuites(ctx.get(), cipher) == 1, "cipher suites");
    require(SSL_CTX_set1_groups_list(ctx.get(), "X25519") == 1, "groups");
    SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_NONE, nullptr);
    if (!server)
        return ctx;
    const owned<BIO> certificate(BIO_new_mem_buf(identity().certificate_pem.c_str(), -1));
    const owned<BIO> key(BIO_new_mem_buf(identity().key_pem.c_str(), -1));
    const owned<X509> x509(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    const owned<EVP_PKEY> pkey(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
    require(SSL_CTX_use_certificate(ctx.get(), x509.get()) == 1, "certificate");
    require(SSL_CTX_use_PrivateKey(ctx.get(), pkey.get()) == 1, "key");
    return ctx;
}
inline SSL_CTX* server_ctx()
{
    static const owned<SSL_CTX> ctx = make_ctx(true);
    return ctx.get();
}
inline SSL_CTX* client_ctx()
{
    static const owned<SSL_CTX> ctx = make_ctx(false);
    return ctx.get();
}

inline funcptr::tls_context our_server()
{
    funcptr::tls_config config;
    config.role = funcptr::tls_role::server;
    config.certificate_pem = identity().certificate_pem;
    config.key_pem = identity().key_pem;
    config.min_version = funcptr::tls_version::tls1_3;
    config.ciphers_tls13 = cipher;
    return funcptr::tls_context(config);
}
inline funcptr::tls_context our_client()
{
    funcptr::tls_config config;
    config.insecure_skip_verification = true;
    config.min_version = funcptr::tls_version::tls1_3;
    config.ciphers_tls13 = cipher;
    return funcptr::tls_context(config);
}

} // namespace bench::tls
