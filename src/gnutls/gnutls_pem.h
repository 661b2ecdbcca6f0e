// SPDX-License-Identifier: MIT
//
// gnutls_pem.h: certificates, keys and revocation lists from PEM, with errors that say where.
//
// Block by block, so that the error's line is known, which GnuTLS does not tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detail/pem_source.h"
#include "gnutls_objects.h"

namespace funcptr::detail {

/// The text of each block of that kind, e.g. "CERTIFICATE", with its borders.
inline std::vector<std::string_view> pem_blocks(const pem_source& source, std::string_view kind)
{
    const std::string begin = "-----BEGIN " + std::string(kind) + "-----";
    const std::string end = "-----END " + std::string(kind) + "-----";
    const std::string_view text = source.text;
    std::vector<std::string_view> blocks;
    for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at + 1)) {
        const auto last = text.find(end, at);
        blocks.push_back(text.substr(at, last == text.npos ? last : last + end.size() - at));
    }
    return blocks;
}

[[noreturn]] inline void block_fault(const pem_source& source, std::string_view block,
                                     const std::string& sentence)
{
    const auto at = static_cast<std::size_t>(block.data() - source.text.data());
    pem_fault(source, "line " + std::to_string(source.line_of("", at)) + ": " + sentence);
}

/// One object for each block; at least one. The source must not be empty.
template <class Owner, class Init, class Import>
std::vector<Owner> read_blocks(const pem_source& source, std::string_view kind,
                               const std::string& wanted, Init init, Import import)
{
    std::vector<Owner> all;
    for (const std::string_view block : pem_blocks(source, kind)) {
        auto one = make_gnutls<Owner>(init);
        const gnutls_datum_t text = datum(block);
        if (const int result = import(one.get(), &text, GNUTLS_X509_FMT_PEM); result < 0)
            block_fault(source, block, gnutls_strerror(result));
        all.push_back(std::move(one));
    }
    if (all.empty())
        nothing_found(source, wanted);
    return all;
}

inline std::vector<gnutls_certificate_ptr> read_gnutls_certificates(const pem_source& source)
{
    return read_blocks<gnutls_certificate_ptr>(source, "CERTIFICATE", "certificate",
                                               gnutls_x509_crt_init, gnutls_x509_crt_import);
}

inline std::vector<gnutls_crl_ptr> read_gnutls_crls(const pem_source& source)
{
    return read_blocks<gnutls_crl_ptr>(source, "X509 CRL", "revocation list", gnutls_x509_crl_init,
                                       gnutls_x509_crl_import);
}

/// The first private key, whatever its kind ("PRIVATE KEY", "EC PRIVATE KEY", ...).
inline gnutls_key_ptr read_gnutls_key(const pem_source& source, const std::string& password)
{
    constexpr std::string_view ending = "PRIVATE KEY-----";
    const std::string_view text = source.text;
    const auto kind_end = text.find(ending);
    const auto begin = kind_end == text.npos ? kind_end : text.rfind("-----BEGIN ", kind_end);
    const auto end = kind_end == text.npos ? kind_end : text.find(ending, kind_end + 1);
    if (begin == text.npos)
        nothing_found(source, "private key");
    const std::string_view block =
        text.substr(begin, end == text.npos ? end : end + ending.size() - begin);

    auto key = make_gnutls<gnutls_key_ptr>(gnutls_x509_privkey_init);
    const gnutls_datum_t data = datum(block);
    const int result = gnutls_x509_privkey_import2(
        key.get(), &data, GNUTLS_X509_FMT_PEM, password.empty() ? nullptr : password.c_str(), 0);
    if (result >= 0)
        return key;
    if (block.find("ENCRYPTED") == block.npos)
        block_fault(source, block,
                    std::string("the key cannot be read: ") + gnutls_strerror(result));
    pem_fault(source, password.empty() ? "the key is encrypted: key_password is missing"
                                       : "key_password does not open the key");
}

} // namespace funcptr::detail
