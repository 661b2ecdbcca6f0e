// SPDX-License-Identifier: MIT
//
// 0-RTT (RFC 8446, 2.3): the steps that come before the handshake's own, once somebody has asked
// for them. Nobody has by default: early_is_over() then says so at once.
//
// A server reads until OpenSSL says that there is no more early data, which it also says when none
// was offered. A client writes, goes on with the handshake, and learns from its end whether the
// server took it; what it did not take goes out again as the first ordinary data.

#include <openssl/ssl.h>

#include "detail/tls_engine.h"

namespace funcptr::detail {

namespace {

std::uint32_t allowed_by(const SSL* ssl)
{
    const SSL_SESSION* session = SSL_get_session(ssl);
    return session == nullptr ? 0 : SSL_SESSION_get_max_early_data(session);
}

} // namespace

bool tls_engine::send_early(std::span<const std::byte> bytes)
{
    if (started || state->role == tls_role::server || state->early_data == 0 || !early.empty()
        || bytes.empty() || bytes.size() > allowed_by(ssl.get()))
        return false;
    early_left_ = bytes.size();
    return early.append(bytes);
}

/// False: not yet, or it has failed.
bool tls_engine::early_is_over()
{
    if (state->early_data == 0)
        return true;
    if (state->role == tls_role::server)
        return early_read_ || read_early();
    return early_left_ == 0 || write_early();
}

bool tls_engine::read_early()
{
    for (;;) {
        if (no_room_to_read()) {
            pending = true;
            return false;
        }
        const std::span<std::byte> room = aread.prepare(largest_record);
        std::size_t got = 0;
        clear_error_queue();
        const int result = SSL_read_early_data(ssl.get(), room.data(), room.size(), &got);
        aread.commit(got);
        early_bytes += got;
        if (result == SSL_READ_EARLY_DATA_FINISH)
            return early_read_ = true;
        if (result == SSL_READ_EARLY_DATA_ERROR)
            return wants_more(SSL_get_error(ssl.get(), 0));
    }
}

/// All of it goes into nwrite, behind the ClientHello.
bool tls_engine::write_early()
{
    while (early_left_ != 0) {
        const auto rest = early.data().last(early_left_);
        std::size_t taken = 0;
        clear_error_queue();
        if (SSL_write_early_data(ssl.get(), rest.data(), rest.size(), &taken) != 1)
            return wants_more(SSL_get_error(ssl.get(), 0));
        early_left_ -= taken;
    }
    return true;
}

/// The handshake is over: what the server did not take is sent in any case.
void tls_engine::settle_early()
{
    if (SSL_get_early_data_status(ssl.get()) != SSL_EARLY_DATA_ACCEPTED)
        return;
    early_bytes += early.size();
    early.clear();
}

/// SSL_free forgets the session of a connection that had no goodbye, as SSL 3 wanted it. What was
/// given out by one that failed is forgotten all the same, with the alert.
void tls_engine::keep_sessions() noexcept
{
    if (state->early_data != 0)
        SSL_set_shutdown(ssl.get(), SSL_get_shutdown(ssl.get()) | SSL_SENT_SHUTDOWN);
}

/// Always false, for the caller to return: the handshake is not over.
bool tls_engine::wants_more(int ssl_error)
{
    if (ssl_error != SSL_ERROR_WANT_READ)
        fail(ssl_error);
    return false;
}

} // namespace funcptr::detail
