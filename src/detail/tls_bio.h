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

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "funcptr/buffer.h"
#include "funcptr/tls_config.h"

namespace funcptr::detail {

/// Why the BIO or a callback stopped OpenSSL.
enum class tls_fault : std::uint8_t { none, nwrite, handshake, key_updates, memory };

/// The certificate that was refused, noted when it is.
struct tls_refusal {
    int error = 0; ///< X509_V_ERR_*
    int depth = -1;
    std::string subject;
    std::string detail; ///< names, or dates
};

struct tls_link {
    buffer* in = nullptr;
    buffer* out = nullptr;
    const tls_limits* limits = nullptr;

    tls_fault fault = tls_fault::none;
    bool established = false;
    bool eof = false;            ///< nothing will come after what is in `in`
    int alert_sent = -1;         ///< the last one but close_notify; -1: none
    std::size_t handshake = 0;   ///< bytes read before established
    std::size_t key_updates = 0; ///< post-handshake messages since the last mebibyte of data
    std::array<char, 5> first{}; ///< what the peer said first, for a helpful text
    std::size_t first_size = 0;
    tls_refusal refusal;

    std::string_view first_bytes() const noexcept { return {first.data(), first_size}; }
};

inline int tls_bio_read(BIO* bio, char* to, std::size_t wanted, std::size_t* got)
{
    auto& link = *static_cast<tls_link*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *got = 0;
    if (link.fault != tls_fault::none)
        return 0;
    if (link.in->empty()) {
        if (!link.eof)
            BIO_set_retry_read(bio);
        return 0;
    }
    const std::size_t size = std::min(wanted, link.in->size());
    if (!link.established && (link.handshake += size) > link.limits->handshake) {
        link.fault = tls_fault::handshake;
        return 0;
    }
    const std::string_view bytes = link.in->view().substr(0, size);
    bytes.copy(to, size);
    if (link.first_size < link.first.size())
        link.first_size +=
            bytes.copy(link.first.data() + link.first_size, link.first.size() - link.first_size);
    link.in->consume(size);
    *got = size;
    return 1;
}

inline int tls_bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* taken)
{
    auto& link = *static_cast<tls_link*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *taken = 0;
    if (link.fault != tls_fault::none)
        return 0;
    try {
        if (link.out->append(std::string_view(from, size))) {
            *taken = size;
            return 1;
        }
        link.fault = tls_fault::nwrite;
    } catch (const std::bad_alloc&) {
        link.fault = tls_fault::memory;
    }
    return 0;
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
