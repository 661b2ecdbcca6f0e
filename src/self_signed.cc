// SPDX-License-Identifier: MIT

#include "funcptr/self_signed.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <new>

#include "detail/tls_errors.h"
#include "detail/tls_names.h"
#include "funcptr/error.h"

namespace funcptr {

using namespace detail;

namespace {

constexpr std::chrono::hours clock_difference(1);
constexpr std::size_t most_names = 100;

void require(bool ok)
{
    if (!ok)
        throw error(errc::bad_certificate,
                    "a self-signed certificate cannot be made: " + error_text());
}

/// 20 random octets are the longest serial number there may be (RFC 5280, 4.1.2.2); a positive one.
void set_serial(X509* certificate)
{
    std::array<unsigned char, 20> bytes{};
    require(RAND_bytes(bytes.data(), bytes.size()) == 1);
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
    const std::unique_ptr<BIGNUM, freed_by<BN_free>> number(
        BN_bin2bn(bytes.data(), bytes.size(), nullptr));
    require(number != nullptr
            && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

void set_validity(X509* certificate, std::chrono::seconds valid_for)
{
    const auto back = std::chrono::seconds(clock_difference).count();
    require(X509_gmtime_adj(X509_getm_notBefore(certificate), -back) != nullptr);
    // Days and seconds apart: the sum may not fit a long where that has 32 bits.
    constexpr long day = 24 * 60 * 60;
    require(X509_time_adj_ex(X509_getm_notAfter(certificate),
                             static_cast<int>(valid_for.count() / day),
                             static_cast<long>(valid_for.count() % day), nullptr)
            != nullptr);
}

void set_subject(X509* certificate, const std::string& name)
{
    // A CN has at most 64 characters (RFC 5280, ub-common-name); the names that count are the SANs.
    const std::string common = name.substr(0, 64);
    X509_NAME* subject = X509_get_subject_name(certificate);
    require(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                       reinterpret_cast<const unsigned char*>(common.data()),
                                       static_cast<int>(common.size()), -1, 0)
                == 1
            && X509_set_issuer_name(certificate, subject) == 1);
}

void add_name(GENERAL_NAMES* to, const peer_name& name)
{
    std::unique_ptr<GENERAL_NAME, freed_by<GENERAL_NAME_free>> entry(a2i_GENERAL_NAME(
        nullptr, nullptr, nullptr, name.is_ip ? GEN_IPADD : GEN_DNS, name.text.c_str(), 0));
    require(entry != nullptr && sk_GENERAL_NAME_push(to, entry.get()) > 0);
    (void)entry.release(); // the stack owns it now
}

void add_names(X509* certificate, const std::vector<std::string>& names)
{
    const general_names_ptr all(sk_GENERAL_NAME_new_null());
    require(all != nullptr);
    for (const std::string& one : names)
        add_name(all.get(), parse_peer_name(one, "self_signed name"));
    require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT)
            == 1);
}

void add_extension(X509* certificate, int nid, const char* value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

self_signed_certificate to_pem(X509* certificate, EVP_PKEY* key)
{
    const bio_ptr certificate_out(BIO_new(BIO_s_mem()));
    const bio_ptr key_out(BIO_new(BIO_s_secmem())); // wiped when freed
    require(
        certificate_out && key_out && PEM_write_bio_X509(certificate_out.get(), certificate) == 1
        && PEM_write_bio_PKCS8PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr)
               == 1);
    return {bio_text(certificate_out.get()), bio_text(key_out.get())};
}

} // namespace

self_signed_certificate self_signed(const std::vector<std::string>& names,
                                    std::chrono::seconds valid_for)
{
    constexpr auto longest = std::chrono::hours(24 * 365 * 100);
    if (names.empty() || names.size() > most_names)
        throw error(errc::bad_configuration, "self_signed wants 1 to 100 names");
    if (valid_for <= valid_for.zero() || valid_for > longest)
        throw error(errc::bad_configuration, "self_signed: valid_for is 1 second to 100 years");

    const error_queue_guard guard;
    const key_ptr key(EVP_EC_gen("P-256"));
    const x509_ptr certificate(X509_new());
    require(key != nullptr && certificate != nullptr);
    require(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
    set_serial(certificate.get());
    set_validity(certificate.get(), valid_for);
    set_subject(certificate.get(), names.front());
    require(X509_set_pubkey(certificate.get(), key.get()) == 1);
    // No CA: browsers refuse a CA's certificate as a server's own (mozilla::pkix).
    add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(certificate.get(), NID_ext_key_usage, "serverAuth");
    add_extension(certificate.get(), NID_subject_key_identifier, "hash");
    add_names(certificate.get(), names);
    require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
    return to_pem(certificate.get(), key.get());
}

} // namespace funcptr
