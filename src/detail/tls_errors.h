// SPDX-License-Identifier: MIT
//
// tls_errors.h: OpenSSL's error queue, and its objects' owners.
//
// The queue belongs to the thread, not to a connection: an entry that one call left behind turns
// the next connection's harmless "nothing to read" into SSL_ERROR_SSL. So it is emptied before
// every operation, and left empty, so that no other user of OpenSSL in this thread meets our
// entries.
#pragma once

#include <openssl/err.h>
#include <openssl/proverr.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <system_error>

#include "funcptr/error.h"

namespace funcptr::detail {

/// Empties the queue. Peeking first: clearing walks all 16 entries, peeking looks at two numbers,
/// and on the fast path the queue is empty already.
inline void clear_error_queue() noexcept
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/// Empties it now and at the end of the scope.
struct error_queue_guard {
    error_queue_guard() noexcept { clear_error_queue(); }
    ~error_queue_guard() { clear_error_queue(); }
    error_queue_guard(const error_queue_guard&) = delete;
    error_queue_guard& operator=(const error_queue_guard&) = delete;
};

/// OpenSSL's words for an error; the oldest entry of the queue is the one that caused the others.
inline std::string error_text(unsigned long code)
{
    if (ERR_SYSTEM_ERROR(code))
        return std::generic_category().message(static_cast<int>(ERR_GET_REASON(code)));
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}
inline std::string error_text()
{
    return error_text(ERR_peek_error());
}

/// In TLS 1.2 OpenSSL has an "internal error" for a record too short to hold its own tag, which is
/// the peer's doing; the cipher's entry before it says so (GCM's and CCM's first, ChaCha20's).
inline bool is_short_record(unsigned long code) noexcept
{
    return ERR_GET_LIB(code) == ERR_LIB_PROV
           && (ERR_GET_REASON(code) == PROV_R_INVALID_AAD
               || ERR_GET_REASON(code) == PROV_R_INVALID_DATA);
}

/// The oldest entry that the TLS layer itself made, or else the oldest. A cipher's own failure
/// comes before it in the queue and says less ("cipher operation failed"). Empties the queue.
inline unsigned long take_tls_error() noexcept
{
    const unsigned long oldest = ERR_peek_error();
    while (const unsigned long code = ERR_get_error()) {
        if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
            ERR_clear_error();
            const bool vague = ERR_GET_REASON(code) == ERR_R_INTERNAL_ERROR;
            return vague && is_short_record(oldest) ? oldest : code;
        }
    }
    return oldest;
}

/// ok: what an OpenSSL call returned; step: what it was to do. Throws funcptr::error.
inline void require(bool ok, const std::string& step)
{
    if (!ok)
        throw error(errc::bad_configuration, step + ": " + error_text());
}

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* object) const noexcept
    {
        Free(object);
    }
};

using ssl_ptr = std::unique_ptr<SSL, freed_by<SSL_free>>;
using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using ssl_session_ptr = std::unique_ptr<SSL_SESSION, freed_by<SSL_SESSION_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using x509_crl_ptr = std::unique_ptr<X509_CRL, freed_by<X509_CRL_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;
using general_names_ptr = std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>>;

struct free_chain {
    void operator()(STACK_OF(X509) * chain) const noexcept { sk_X509_pop_free(chain, X509_free); }
};
using chain_ptr = std::unique_ptr<STACK_OF(X509), free_chain>;

/// What a memory BIO holds.
inline std::string bio_text(BIO* bio)
{
    char* text = nullptr;
    const long length = BIO_get_mem_data(bio, &text);
    return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : std::string();
}

/// A name in RFC 2253, in ASCII: control characters and bytes beyond ASCII are escaped, so that a
/// peer's certificate cannot write lines into a log.
inline std::string name_text(const X509_NAME* name)
{
    const bio_ptr out(BIO_new(BIO_s_mem()));
    if (!out || name == nullptr || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0)
        return {};
    return bio_text(out.get());
}

} // namespace funcptr::detail
