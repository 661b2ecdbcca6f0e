// SPDX-License-Identifier: MIT
//
// tls_bio.h: OpenSSL's view of a filter's two network buffers.
//
// A BIO of our own instead of memory BIOs: one copy less each way, no 16 KiB that never shrink, a
// bound on what OpenSSL may write, and a truthful end of file. What the callbacks of one connection
// must know stands in tls_link, found through the BIO, so that no ex_data index is taken from the
// process and SSL_set_app_data stays free for the user.
//
// The rules OpenSSL wants kept, each paid for once:
//   - retry flags are cleared at every call, or an old "try again" hides a failure;
//   - BIO_CTRL_FLUSH answers 1, or the handshake fails;
//   - BIO_CTRL_EOF answers, or the end of input is SSL_ERROR_SYSCALL with an empty error queue;
//   - the _ex calls with size_t, as lengths past 2 GiB do not fit an int.
// Writing never asks for a retry: it succeeds or the connection is over. So there is never a half
// written record, and SSL_write's rule that a retry may grow but not shrink cannot be broken.
#pragma once

#include <openssl/bio.h>

#include <cstddef>
#include <new>

#include "tls_link.h"

namespace funcptr::detail {

inline int tls_bio_read(BIO* bio, char* to, std::size_t wanted, std::size_t* got)
{
    auto& link = *static_cast<tls_link*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *got = link.pull(to, wanted);
    if (*got == 0 && link.fault == tls_fault::none && !link.eof)
        BIO_set_retry_read(bio);
    return *got != 0 ? 1 : 0;
}

inline int tls_bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* taken)
{
    auto& link = *static_cast<tls_link*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *taken = link.push({from, size}) ? size : 0;
    return *taken != 0 ? 1 : 0;
}

inline long tls_bio_ctrl(BIO* bio, int command, long, void*)
{
    const auto& link = *static_cast<const tls_link*>(BIO_get_data(bio));
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return link.eof && link.in->empty() ? 1 : 0;
    case BIO_CTRL_PENDING:
        return static_cast<long>(link.in->size());
    default:
        return 0;
    }
}

/// The one method table of the process. It is never freed: connections that outlive static
/// destruction still point to it, and it is reachable, so no leak checker minds.
inline const BIO_METHOD* tls_bio_method()
{
    static BIO_METHOD* const method = [] {
        // No BIO_get_new_index(): nobody looks for this BIO by type, and the indices are few.
        BIO_METHOD* fresh = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "funcptr buffers");
        if (fresh == nullptr)
            throw std::bad_alloc();
        BIO_meth_set_read_ex(fresh, tls_bio_read);
        BIO_meth_set_write_ex(fresh, tls_bio_write);
        BIO_meth_set_ctrl(fresh, tls_bio_ctrl);
        return fresh;
    }();
    return method;
}

} // namespace funcptr::detail
