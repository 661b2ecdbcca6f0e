// SPDX-License-Identifier: MIT

#include "certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cctype>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace funcptr::testing {

namespace {

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* object) const
    {
        Free(object);
    }
};
using x509 = std::unique_ptr<X509, freed_by<X509_free>>;
using pkey = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using crl = std::unique_ptr<X509_CRL, freed_by<X509_CRL_free>>;
using bio = std::unique_ptr<BIO, freed_by<BIO_free>>;

constexpr long day = 24 * 60 * 60;

void require(bool ok, const char* what)
{
    if (!ok)
        throw std::runtime_error(std::string("test certificate: ") + what);
}

bio text_bio(const std::string& text)
{
    return bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(const bio& from)
{
    char* text = nullptr;
    const long size = BIO_get_mem_data(from.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

x509 parse_certificate(const std::string& pem)
{
    x509 one(PEM_read_bio_X509(text_bio(pem).get(), nullptr, nullptr, nullptr));
    require(one != nullptr, "not a certificate");
    return one;
}

pkey parse_key(const std::string& pem)
{
    pkey one(PEM_read_bio_PrivateKey(text_bio(pem).get(), nullptr, nullptr, nullptr));
    require(one != nullptr, "not a key");
    return one;
}

std::string key_text(EVP_PKEY* key, const std::string& password)
{
    const bio out(BIO_new(BIO_s_mem()));
    const bool encrypted = !password.empty();
    require(PEM_write_bio_PKCS8PrivateKey(out.get(), key, encrypted ? EVP_aes_128_cbc() : nullptr,
                                          encrypted ? password.data() : nullptr,
                                          static_cast<int>(password.size()), nullptr, nullptr)
                == 1,
            "writing a key");
    return text_of(out);
}

pkey make_key(key_kind kind)
{
    pkey key(kind == key_kind::ecdsa ? EVP_EC_gen("P-256")
                                     : EVP_RSA_gen(kind == key_kind::rsa ? 2048U : 1024U));
    require(key != nullptr, "making a key");
    return key;
}

void add_extension(X509* to, X509* issuer, int nid, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    require(made != nullptr && X509_add_ext(to, made, -1) == 1, value.c_str());
    X509_EXTENSION_free(made);
}

std::string alternative_names(const std::vector<std::string>& names)
{
    std::string text;
    for (const std::string& name : names) {
        const bool address = std::isdigit(static_cast<unsigned char>(name.front())) != 0
                             || name.find(':') != std::string::npos;
        text += (text.empty() ? "" : ",") + std::string(address ? "IP:" : "DNS:") + name;
    }
    return text;
}

void fill(X509* to, const certificate_request& request)
{
    std::uint64_t serial = 0;
    require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), 7) == 1, "serial");
    require(
        X509_set_version(to, X509_VERSION_3) == 1
            && ASN1_INTEGER_set_uint64(X509_get_serialNumber(to), serial + 1) == 1
            && X509_gmtime_adj(X509_getm_notBefore(to), request.valid_from_days * day) != nullptr
            && X509_gmtime_adj(X509_getm_notAfter(to), request.valid_to_days * day) != nullptr
            && X509_NAME_add_entry_by_txt(
                   X509_get_subject_name(to), "CN", MBSTRING_UTF8,
                   reinterpret_cast<const unsigned char*>(request.common_name.c_str()), -1, -1, 0)
                   == 1,
        "filling in");
}

} // namespace

issued make_certificate(const certificate_request& request, const issued* issuer)
{
    const pkey key = make_key(request.key);
    const x509 made(X509_new());
    fill(made.get(), request);
    const x509 signer = issuer != nullptr ? parse_certificate(issuer->certificate_pem) : nullptr;
    const pkey signer_key = issuer != nullptr ? parse_key(issuer->key_pem) : nullptr;
    X509* by = signer ? signer.get() : made.get();
    require(X509_set_issuer_name(made.get(), X509_get_subject_name(by)) == 1
                && X509_set_pubkey(made.get(), key.get()) == 1,
            "issuer");
    add_extension(made.get(), by, NID_subject_key_identifier, "hash");
    add_extension(made.get(), by, NID_basic_constraints,
                  request.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (request.authority)
        add_extension(made.get(), by, NID_key_usage, "critical,keyCertSign,cRLSign");
    else if (!request.usage.empty())
        add_extension(made.get(), by, NID_ext_key_usage, request.usage);
    if (!request.names.empty())
        add_extension(made.get(), by, NID_subject_alt_name, alternative_names(request.names));
    require(X509_sign(made.get(), signer_key ? signer_key.get() : key.get(), EVP_sha256()) > 0,
            "signing");
    const bio out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_X509(out.get(), made.get()) == 1, "writing");
    return {text_of(out), key_text(key.get(), "")};
}

std::string make_revocation_list(const issued& issuer, const std::vector<issued>& revoked)
{
    const x509 by = parse_certificate(issuer.certificate_pem);
    const pkey key = parse_key(issuer.key_pem);
    const crl list(X509_CRL_new());
    const std::unique_ptr<ASN1_TIME, freed_by<ASN1_TIME_free>> now(X509_gmtime_adj(nullptr, -60));
    const std::unique_ptr<ASN1_TIME, freed_by<ASN1_TIME_free>> then(X509_gmtime_adj(nullptr, day));
    require(X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1
                && X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(by.get())) == 1
                && X509_CRL_set1_lastUpdate(list.get(), now.get()) == 1
                && X509_CRL_set1_nextUpdate(list.get(), then.get()) == 1,
            "revocation list");
    for (const issued& each : revoked) {
        const x509 one = parse_certificate(each.certificate_pem);
        X509_REVOKED* entry = X509_REVOKED_new();
        require(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one.get())) == 1
                    && X509_REVOKED_set_revocationDate(entry, now.get()) == 1
                    && X509_CRL_add0_revoked(list.get(), entry) == 1,
                "revoking");
    }
    require(X509_CRL_sort(list.get()) == 1
                && X509_CRL_sign(list.get(), key.get(), EVP_sha256()) > 0,
            "signing a revocation list");
    const bio out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_X509_CRL(out.get(), list.get()) == 1, "writing a revocation list");
    return text_of(out);
}

std::string encrypt_key(const std::string& key_pem, const std::string& password)
{
    return key_text(parse_key(key_pem).get(), password);
}

const certificate_set& certificates()
{
    static const certificate_set all = [] {
        const std::vector<std::string> here{"localhost", "127.0.0.1", "::1"};
        certificate_set set;
        set.authority = make_certificate({.common_name = "Test Authority", .authority = true});
        set.stranger = make_certificate({.common_name = "Strange Authority", .authority = true});
        set.intermediate = make_certificate({.common_name = "Test Intermediate", .authority = true},
                                            &set.authority);
        set.server = make_certificate({.common_name = "server", .names = here}, &set.authority);
        set.server_rsa = make_certificate(
            {.common_name = "server-rsa", .names = here, .key = key_kind::rsa}, &set.authority);
        set.chained =
            make_certificate({.common_name = "chained", .names = here}, &set.intermediate);
        set.chained.certificate_pem += set.intermediate.certificate_pem;
        set.elsewhere = make_certificate(
            {.common_name = "elsewhere", .names = {"other.example", "*.wild.example"}},
            &set.authority);
        set.expired = make_certificate(
            {.common_name = "expired", .names = here, .valid_from_days = -30, .valid_to_days = -1},
            &set.authority);
        set.future = make_certificate(
            {.common_name = "future", .names = here, .valid_from_days = 1}, &set.authority);
        set.self_signed = make_certificate({.common_name = "self", .names = here});
        set.foreign = make_certificate({.common_name = "foreign", .names = here}, &set.stranger);
        set.client_only = make_certificate(
            {.common_name = "client-only", .names = here, .usage = "clientAuth"}, &set.authority);
        set.client = make_certificate({.common_name = "alice"}, &set.authority);
        return set;
    }();
    return all;
}

} // namespace funcptr::testing
