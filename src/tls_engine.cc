// SPDX-License-Identifier: MIT
//
// How a TLS connection moves.
//
// update() makes one pass: finish the handshake, read, write. Reading comes first, because it makes
// answers (tickets, key updates, alerts) which must be in nwrite before update() returns. Writing
// never enables more reading, so one pass does it all.
//
// How far nwrite may fill stands in tls_engine_core.h.
//
// 0-RTT comes before the handshake and stands in tls_early_data.cc.
//
// Every failure ends in fail(): after it OpenSSL is not asked to read, write or shut down again.

#include "detail/tls_engine.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "detail/tls_cause.h"
#include "funcptr/error.h"

namespace funcptr::detail {

namespace {

/// SSL_CTX_set_msg_callback: counts what the peer may not flood us with, notes our own alerts.
void on_message(int sent, int, int type, const void* bytes, std::size_t size, SSL*, void* context)
{
    auto& link = *static_cast<tls_link*>(context);
    if (type == SSL3_RT_ALERT && sent != 0 && size == 2)
        link.alert_sent = static_cast<const unsigned char*>(bytes)[1];
    if (type == SSL3_RT_HANDSHAKE && sent == 0 && link.established
        && ++link.key_updates > link.limits->key_updates)
        link.fault = tls_fault::key_updates;
}

} // namespace

tls_engine::tls_engine(std::shared_ptr<const tls_state> from, std::optional<std::string_view> peer)
    : tls_state_holder{std::move(from)}
    , tls_engine_core(state->limits, state->small_records)
{
    const error_queue_guard guard;
    name = choose_peer_name(state->role, state->verify, state->server_name, peer);
    ssl.reset(SSL_new(state->ctx.get()));
    BIO* bio = BIO_new(tls_bio_method());
    if (!ssl || bio == nullptr) {
        BIO_free(bio);
        throw std::bad_alloc();
    }
    BIO_set_data(bio, &link);
    SSL_set_bio(ssl.get(), bio, bio); // takes it over
    SSL_set_msg_callback(ssl.get(), on_message);
    SSL_set_msg_callback_arg(ssl.get(), &link);
    if (state->role == tls_role::server) {
        SSL_set_accept_state(ssl.get());
        return;
    }
    SSL_set_connect_state(ssl.get());
    if (!name.text.empty())
        verify_peer_name();
}

/// SNI is for names alone (RFC 6066, 3); addresses and names are verified by different calls, and
/// each takes the other's text for a name that no certificate has.
void tls_engine::verify_peer_name()
{
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl.get());
    // The subject's CN is no name of a host (RFC 9525, 2), and "w*.example" no wildcard (6.3).
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
                                               | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const bool set =
        name.is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, name.text.c_str()) == 1
                   : X509_VERIFY_PARAM_set1_host(param, name.text.data(), name.text.size()) == 1
                         && SSL_set_tlsext_host_name(ssl.get(), name.text.c_str()) == 1;
    if (!set)
        throw error(errc::bad_configuration,
                    "server_name \"" + name.text + "\" cannot be used: " + error_text());
}

void tls_engine::update() noexcept
{
    if (stage == filter_state::closed)
        return;
    const error_queue_guard guard;
    started = true;
    pending = false;
    try {
        if (stage == filter_state::handshaking && !handshake())
            return;
        read();
        if (stage == filter_state::open)
            write();
        if (stage == filter_state::open && read_closed && write_closed)
            finish({.kind = close_kind::clean, .text = "clean"});
    } catch (const std::bad_alloc&) {
        finish({.kind = close_kind::internal, .text = "out of memory"}); // too short for the heap
    }
}

/// True when it is done.
bool tls_engine::handshake()
{
    if (!early_is_over())
        return false;
    clear_error_queue();
    const int result = SSL_do_handshake(ssl.get());
    if (result != 1)
        return wants_more(SSL_get_error(ssl.get(), result));
    link.established = true;
    stage = filter_state::open;
    settle_early();
    return true;
}

void tls_engine::read()
{
    while (stage == filter_state::open && !read_closed) {
        if (nread.empty() && !link.eof && SSL_has_pending(ssl.get()) == 0)
            return;
        if (no_room_to_read()) {
            pending = true;
            return;
        }
        if (!read_record())
            return;
    }
}

/// False when there was nothing to read. SSL_MODE_AUTO_RETRY is off, so "want read" also comes
/// after a message of the handshake protocol, with more to read behind it.
bool tls_engine::read_record()
{
    const std::size_t waiting = nread.size();
    const std::size_t messages = link.key_updates;
    const std::span<std::byte> room = aread.prepare(largest_record);
    std::size_t got = 0;
    clear_error_queue();
    const int result = SSL_read_ex(ssl.get(), room.data(), room.size(), &got);
    if (result == 1) {
        aread.commit(got);
        note_read(got);
        return true;
    }
    const int ssl_error = SSL_get_error(ssl.get(), result);
    // OpenSSL calls a close_notify of an odd alert level, which TLS 1.3 ignores (RFC 8446, 6), a
    // system call's error without an error.
    const bool goodbye = ssl_error == SSL_ERROR_SYSCALL
                         && (SSL_get_shutdown(ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    if (ssl_error == SSL_ERROR_ZERO_RETURN || goodbye)
        return read_closed = true;
    if (ssl_error != SSL_ERROR_WANT_READ || link.fault != tls_fault::none) {
        fail(ssl_error);
        return false;
    }
    return nread.size() != waiting || link.key_updates != messages;
}

void tls_engine::write()
{
    if (write_closed)
        return;
    if (SSL_get_key_update_type(ssl.get()) != SSL_KEY_UPDATE_NONE && !handshake())
        return;
    while (!early.empty() || !awrite.empty()) {
        if (no_room_to_write()) {
            pending = true;
            return;
        }
        if (!write_record(early.empty() ? awrite : early))
            return;
    }
    if (close_wanted)
        say_goodbye();
}

bool tls_engine::write_record(buffer& from)
{
    const std::size_t size = std::min(from.size(), next_record_size());
    std::size_t taken = 0;
    clear_error_queue();
    const int result = SSL_write_ex(ssl.get(), from.data().data(), size, &taken);
    if (result != 1) {
        fail(SSL_get_error(ssl.get(), result));
        return false;
    }
    from.consume(taken);
    if (note_written() && SSL_version(ssl.get()) >= TLS1_3_VERSION)
        SSL_key_update(ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED); // goes out with the next record
    return true;
}

/// Once, and never again: a second SSL_shutdown would read, and fail on data still in flight. What
/// the peer says until its own close_notify is read by read(), as before.
void tls_engine::say_goodbye()
{
    clear_error_queue();
    const int result = SSL_shutdown(ssl.get());
    if (result < 0)
        return fail(SSL_get_error(ssl.get(), result));
    write_closed = true; // 0 and 1 both mean sent; SSL_get_error says nothing useful of a 0
}

void tls_engine::fail(int ssl_error)
{
    finish(describe({link, state->role, ssl_error, take_tls_error(), name.text}));
}

bool tls_engine::update_keys() noexcept
{
    if (stage != filter_state::open || close_wanted || SSL_version(ssl.get()) < TLS1_3_VERSION)
        return false;
    const error_queue_guard guard;
    return SSL_key_update(ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1;
}

/// OpenSSL's two record buffers (some 34 KB) go only when neither holds a byte; it gets new ones by
/// itself.
void tls_engine::trim() noexcept
{
    const error_queue_guard guard;
    if (stage != filter_state::handshaking)
        SSL_free_buffers(ssl.get());
    trim_buffers();
}

} // namespace funcptr::detail
