// SPDX-License-Identifier: MIT
//
// How a TLS connection moves over GnuTLS.
//
// update() makes one pass, as the OpenSSL engine's does: finish the handshake, read, write.
// GnuTLS's transport is the filter's two network buffers: it is told EAGAIN when there is nothing
// to read, end of file when nothing will come, and never to wait with writing. GnuTLS sends no
// alert for what it found itself: fail() does.

#include "gnutls_engine.h"

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "detail/tls_config_check.h"
#include "gnutls_cause.h"
#include "gnutls_verify.h"

namespace funcptr::detail {

namespace {

gnutls_engine& engine_of(gnutls_transport_ptr_t pointer)
{
    return *static_cast<gnutls_engine*>(pointer);
}

ssize_t pull(gnutls_transport_ptr_t pointer, void* to, std::size_t wanted)
{
    gnutls_engine& engine = engine_of(pointer);
    const std::size_t got = engine.link.pull(static_cast<char*>(to), wanted);
    if (got != 0)
        return static_cast<ssize_t>(got);
    const bool failed = engine.link.fault != tls_fault::none;
    if (!failed && engine.link.eof)
        return 0;
    gnutls_transport_set_errno(engine.session.get(), failed ? EIO : EAGAIN);
    return -1;
}

/// Whether pull() would give anything; the time is ignored, nobody waits here.
int pull_timeout(gnutls_transport_ptr_t pointer, unsigned)
{
    const gnutls_engine& engine = engine_of(pointer);
    return engine.link.in->empty() && !engine.link.eof ? 0 : 1;
}

ssize_t push(gnutls_transport_ptr_t pointer, const void* from, std::size_t size)
{
    gnutls_engine& engine = engine_of(pointer);
    if (engine.link.push({static_cast<const char*>(from), size}))
        return static_cast<ssize_t>(size);
    gnutls_transport_set_errno(engine.session.get(), EIO);
    return -1;
}

/// gnutls_handshake_set_hook_function: counts what the peer may not flood us with.
int on_message(gnutls_session_t session, unsigned, unsigned, unsigned incoming,
               const gnutls_datum_t*)
{
    tls_link& link = static_cast<gnutls_engine*>(gnutls_session_get_ptr(session))->link;
    if (incoming != 0 && link.established && ++link.key_updates > link.limits->key_updates) {
        link.fault = tls_fault::key_updates;
        return GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS;
    }
    return 0;
}

unsigned init_flags(const gnutls_state& state)
{
    const bool server = state.role == tls_role::server;
    const bool tickets = server && !state.ticket_secret.empty();
    return static_cast<unsigned>(server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK
           | GNUTLS_NO_SIGNAL | (tickets ? 0U : static_cast<unsigned>(GNUTLS_NO_TICKETS));
}

/// GnuTLS takes the end of file within a record for one more reason to come again.
int without_hope(int result, const tls_link& link)
{
    const bool waits = result == GNUTLS_E_AGAIN && link.eof && link.in->empty();
    return waits ? GNUTLS_E_PREMATURE_TERMINATION : result;
}

bool speaks_tls13(gnutls_session_t session)
{
    return gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;
}

} // namespace

gnutls_engine::gnutls_engine(std::shared_ptr<const gnutls_state> from,
                             std::optional<std::string_view> peer)
    : gnutls_state_holder{std::move(from)}
    , tls_engine_core(state->limits, state->small_records)
{
    name = choose_peer_name(state->role, state->verify, state->server_name, peer);
    session = make_gnutls<gnutls_session_ptr>(
        [&](gnutls_session_t* made) { return gnutls_init(made, init_flags(*state)); });
    set_up_session();
}

void gnutls_engine::set_up_session()
{
    gnutls_session_t raw = session.get();
    gnutls_session_set_ptr(raw, this);
    gnutls_transport_set_ptr(raw, this);
    gnutls_transport_set_pull_function(raw, pull);
    gnutls_transport_set_pull_timeout_function(raw, pull_timeout);
    gnutls_transport_set_push_function(raw, push);
    gnutls_handshake_set_hook_function(raw, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE, on_message);
    gnutls_handshake_set_max_packet_length(raw, state->limits.handshake);
    gnutls_handshake_set_timeout(raw, 0); // deadlines are the owner's affair
    require_gnutls(gnutls_priority_set(raw, state->priority.get()), "the protocol's priorities");
    require_gnutls(gnutls_credentials_set(raw, GNUTLS_CRD_CERTIFICATE, state->credentials.get()),
                   "the credentials");
    offer_alpn();
    if (state->role == tls_role::client) {
        if (!name.text.empty() && !name.is_ip) // SNI is for names alone (RFC 6066, 3)
            require_gnutls(
                gnutls_server_name_set(raw, GNUTLS_NAME_DNS, name.text.data(), name.text.size()),
                "server_name");
        return;
    }
    constexpr gnutls_certificate_request_t requests[] = {
        GNUTLS_CERT_IGNORE, GNUTLS_CERT_REQUEST, GNUTLS_CERT_REQUIRE}; // as the enumerators stand
    gnutls_certificate_server_set_request(
        raw, requests[static_cast<std::size_t>(state->client_certificates)]);
    if (state->names_to_tell > most_ca_names)
        gnutls_certificate_send_x509_rdn_sequence(raw, 1); // 1: they are not sent
    if (!state->ticket_secret.empty()) {
        const gnutls_datum_t key = datum({state->ticket_key.data(), state->ticket_key.size()});
        require_gnutls(gnutls_session_ticket_enable_server(raw, &key), "session tickets");
    }
}

/// MANDATORY refuses a client that offers others only; one that offers none is served.
void gnutls_engine::offer_alpn()
{
    if (state->alpn.empty())
        return;
    std::vector<gnutls_datum_t> names;
    for (const std::string& each : state->alpn)
        names.push_back(datum(each));
    const bool server = state->role == tls_role::server;
    const unsigned flags = server ? GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE : 0U;
    require_gnutls(gnutls_alpn_set_protocols(session.get(), names.data(),
                                             static_cast<unsigned>(names.size()), flags),
                   "alpn");
}

void gnutls_engine::update() noexcept
{
    if (stage == filter_state::closed)
        return;
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

/// True when it is done. What is not fatal (a warning, a record that GnuTLS dropped and says
/// "again" for) is gone on from as long as it took something from nread.
bool gnutls_engine::handshake()
{
    while (true) {
        const std::size_t waiting = nread.size();
        const int result = without_hope(gnutls_handshake(session.get()), link);
        if (result == GNUTLS_E_SUCCESS) {
            link.established = true;
            stage = filter_state::open;
            return true;
        }
        if (link.fault != tls_fault::none || gnutls_error_is_fatal(result) != 0) {
            fail(result);
            return false;
        }
        if (nread.size() == waiting || (nread.empty() && !link.eof))
            return false;
    }
}

void gnutls_engine::read()
{
    while (stage == filter_state::open && !read_closed) {
        if (nread.empty() && !link.eof && gnutls_record_check_pending(session.get()) == 0)
            return;
        if (no_room_to_read()) {
            pending = true;
            return;
        }
        if (!read_record())
            return;
    }
}

/// False when there was nothing to read. "Again" also comes after a message of the handshake
/// protocol, with more to read behind it.
bool gnutls_engine::read_record()
{
    const std::size_t waiting = nread.size();
    const std::span<std::byte> room = aread.prepare(largest_record);
    const ssize_t result = gnutls_record_recv(session.get(), room.data(), room.size());
    if (result > 0) {
        aread.commit(static_cast<std::size_t>(result));
        note_read(static_cast<std::size_t>(result));
        return true;
    }
    if (result == 0) // close_notify; a mere end of file is GNUTLS_E_PREMATURE_TERMINATION
        return read_closed = true;
    const int failure = without_hope(static_cast<int>(result), link);
    if (failure == GNUTLS_E_REHANDSHAKE || link.fault != tls_fault::none
        || gnutls_error_is_fatal(failure) != 0) {
        fail(failure);
        return false;
    }
    return nread.size() != waiting;
}

void gnutls_engine::write()
{
    if (write_closed)
        return;
    if (std::exchange(update_wanted_, false))
        if (const int result = gnutls_session_key_update(session.get(), GNUTLS_KU_PEER); result < 0)
            return fail(result);
    while (!awrite.empty()) {
        if (no_room_to_write()) {
            pending = true;
            return;
        }
        if (!write_record())
            return;
    }
    if (close_wanted)
        say_goodbye();
}

bool gnutls_engine::write_record()
{
    const std::size_t size = std::min(awrite.size(), next_record_size());
    ssize_t result = gnutls_record_send(session.get(), awrite.data().data(), size);
    if (result > 0) {
        awrite.consume(static_cast<std::size_t>(result));
        if (note_written() && speaks_tls13(session.get()))
            result = gnutls_session_key_update(session.get(), 0);
    }
    if (result >= 0)
        return true;
    fail(static_cast<int>(result));
    return false;
}

void gnutls_engine::say_goodbye()
{
    if (const int result = gnutls_bye(session.get(), GNUTLS_SHUT_WR); result < 0)
        return fail(result);
    write_closed = true;
}

/// What we found wrong is told to the peer, in nwrite.
void gnutls_engine::fail(int result)
{
    int level = 0;
    int alert = gnutls_error_to_alert(result, &level);
    if (link.refusal.error != 0)
        alert = gnutls_alert_for(static_cast<unsigned>(link.refusal.error));
    else if (result == GNUTLS_E_REHANDSHAKE)
        alert = GNUTLS_A_NO_RENEGOTIATION;
    const close_cause why = describe_gnutls(*this, result, alert);
    const bool ours = why.kind == close_kind::local_alert || why.kind == close_kind::verify
                      || (why.kind == close_kind::internal && alert >= 0);
    if (ours)
        gnutls_alert_send(session.get(), GNUTLS_AL_FATAL,
                          static_cast<gnutls_alert_description_t>(alert));
    finish(why);
}

bool gnutls_engine::update_keys() noexcept
{
    if (stage != filter_state::open || close_wanted || !speaks_tls13(session.get()))
        return false;
    return update_wanted_ = true;
}

} // namespace funcptr::detail
