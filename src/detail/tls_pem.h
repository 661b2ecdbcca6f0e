// SPDX-License-Identifier: MIT
//
// tls_pem.h: certificates, keys and revocation lists from PEM, with errors that say where.
//
// Everything here throws funcptr::error naming the option, the file and the line.
#pragma once

#include <openssl/pem.h>

#include <algorithm>
#include <climits>
#include <string>
#include <string_view>
#include <vector>

#include "pem_source.h"
#include "tls_errors.h"

namespace funcptr::detail {

/// OpenSSL would ask at the terminal for the password of an encrypted block of any kind.
inline int refuse_password(char*, int, int, void*)
{
    return -1;
}

/// Takes one object after the other out of a PEM text.
class pem_reader {
public:
    explicit pem_reader(const pem_source& source)
        : source_(source)
        , bio_(BIO_new_mem_buf(source.text.data(), static_cast<int>(std::min<std::size_t>(
                                                       source.text.size(), INT_MAX))))
    {
        if (!bio_)
            throw std::bad_alloc();
    }

    /// read: the PEM_read_bio_X that fits; kind: the words after BEGIN. nullptr at the end.
    template <class Read>
    auto next(Read read, std::string_view kind)
    {
        const auto from = source_.text.size() - BIO_ctrl_pending(bio_.get());
        clear_error_queue();
        auto* object = read(bio_.get(), nullptr, refuse_password, nullptr);
        if (object == nullptr && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
            pem_fault(source_,
                      "line " + std::to_string(source_.line_of(kind, from)) + ": " + error_text());
        clear_error_queue();
        return object;
    }

private:
    const pem_source& source_;
    bio_ptr bio_;
};

/// All of them, in order; at least one. The source must not be empty.
inline std::vector<x509_ptr> read_certificates(const pem_source& source)
{
    pem_reader reader(source);
    std::vector<x509_ptr> all;
    while (auto one = x509_ptr(reader.next(PEM_read_bio_X509, "CERTIFICATE")))
        all.push_back(std::move(one));
    if (all.empty())
        nothing_found(source, "certificate");
    return all;
}

inline std::vector<x509_crl_ptr> read_revocation_lists(const pem_source& source)
{
    pem_reader reader(source);
    std::vector<x509_crl_ptr> all;
    while (auto one = x509_crl_ptr(reader.next(PEM_read_bio_X509_CRL, "X509 CRL")))
        all.push_back(std::move(one));
    if (all.empty())
        nothing_found(source, "revocation list");
    return all;
}

struct key_password {
    const std::string& text;
    bool asked = false;
};

/// Answers with the password given. Without this, OpenSSL would ask at the terminal.
inline int answer_password(char* to, int size, int, void* context)
{
    auto& password = *static_cast<key_password*>(context);
    password.asked = true;
    if (password.text.empty() || size < 0 || password.text.size() > static_cast<std::size_t>(size))
        return -1;
    return static_cast<int>(password.text.copy(to, static_cast<std::size_t>(size)));
}

inline key_ptr read_key(const pem_source& source, const std::string& password_text)
{
    const bio_ptr bio(BIO_new_mem_buf(source.text.data(), static_cast<int>(source.text.size())));
    if (!bio)
        throw std::bad_alloc();
    key_password password{password_text};
    clear_error_queue();
    key_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, answer_password, &password));
    const std::string reason = error_text();
    clear_error_queue();
    if (key)
        return key;
    if (!source.holds("PRIVATE KEY-----"))
        nothing_found(source, "private key");
    if (password.asked && password_text.empty())
        pem_fault(source, "the key is encrypted: key_password is missing");
    if (password.asked)
        pem_fault(source, "key_password does not open the key");
    const auto begin = source.text.rfind("-----BEGIN ", source.text.find("PRIVATE KEY-----"));
    pem_fault(source, "line " + std::to_string(source.line_of("", begin))
                          + ": the key cannot be read: " + reason);
}

} // namespace funcptr::detail
