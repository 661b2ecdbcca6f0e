// SPDX-License-Identifier: MIT
//
// ssl_filter.h: TLS as bytes in, bytes out: SSLFilter and its tls_context.
//
// The filter of filter.h with OpenSSL inside: no socket, no loop, no thread, no clock. It does not
// connect, listen, time out or log. A client verifies chain and name, or is not built at all
// without an option that says so by its name.
//
//     peer --> nread  --> [ OpenSSL ] --> aread  --> you
//     peer <-- nwrite <-- [ OpenSSL ] <-- awrite <-- you
//
// What is spoken (the policy when tls_config names no ciphers): TLS 1.2 and 1.3; ECDHE with
// AES-GCM or ChaCha20-Poly1305 alone, the intermediate list of Mozilla's "Server Side TLS" 5.7 less
// the DHE suites; X25519, P-256 and P-384; 112 bits of security at least (RSA from 2048). No
// renegotiation or compression, and no 0-RTT unless tls_config::early_data asks for it. The
// system's openssl.cnf changes none of it.
//
// Threads: a tls_context may be used and reloaded from several threads at once; an SSLFilter is
// used by one at a time. Global OpenSSL state is not touched; the calling thread's error queue is
// empty after each call. Lifetime: a filter keeps its context's inside alive by itself.
//
//     funcptr::tls_context tls({.role = funcptr::tls_role::server,
//                               .certificate_file = "cert.pem", .key_file = "key.pem"});
//     funcptr::SSLFilter filter(tls);
//     filter.nread().append(from_the_network);
//     filter.update();
//     use(filter.aread());
//     filter.awrite().append("hello");
//     filter.update();
//     send(filter.nwrite());
//     if (filter.closed())
//         log(filter.cause().text); // "truncated: the peer hung up without close_notify"
//
// "Established" is not "accepted": in TLS 1.3 a client's handshake is over before the server has
// looked at the client's certificate (RFC 8446, 4.4.4). A refusal comes later, as a peer_alert.
//
// STARTTLS: to go up, adopt() what was read from the transport already and is not yet used; to come
// down again, close_write() on both sides, and after a clean close leftover() holds what the peer
// sent in the clear after its close_notify, to the byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "export.h"
#include "filter.h"
#include "tls_config.h"
#include "tls_peer.h"

struct ssl_st; // OpenSSL's SSL

namespace funcptr {

namespace detail {
struct tls_context_slot;
struct tls_session_state;
struct tls_engine;
} // namespace detail

/// A checked configuration, shared by any number of filters: a cheap handle, copied like a pointer.
class FUNCPTR_API tls_context {
public:
    /// Reads the files, checks everything. Throws funcptr::error naming file, line and OpenSSL's
    /// reason (errc::bad_certificate, errc::bad_configuration, or errno's code for a file that
    /// cannot be read); std::bad_alloc.
    explicit tls_context(const tls_config& config);

    /// Replaces the configuration for filters made from now on, for all copies of this handle at
    /// once; connections in flight keep what they have. Throws as the constructor does, and then
    /// the old one stays in force. Tickets given out before still resume as long as trust and
    /// client_certificates are the same and ticket_secrets, if any, still holds theirs. The role
    /// cannot change (errc::bad_configuration).
    void reload(const tls_config& config);

    /// 1 for the first configuration, one more for each reload().
    std::uint64_t generation() const;
    tls_role role() const;

private:
    friend class SSLFilter;
    std::shared_ptr<detail::tls_context_slot> slot_;
};

/// What a client needs in order to resume: from SSLFilter::session(), for SSLFilter::resume().
/// An empty one resumes nothing. A value: copies share what does not change.
class FUNCPTR_API tls_session {
public:
    tls_session() noexcept = default;
    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend class SSLFilter;
    std::shared_ptr<const detail::tls_session_state> state_;
};

class FUNCPTR_API SSLFilter final : public filter {
public:
    /// A connection in the context's role; for a client with the context's server_name. Throws
    /// funcptr::error (errc::bad_configuration) for a client that verifies but has no name to
    /// verify; std::bad_alloc.
    explicit SSLFilter(const tls_context& context);
    /// A client's connection to server_name, a DNS name or an IP address. Throws as above, and when
    /// the name is not one (empty, a leading dot, a space; names beyond ASCII in their xn-- form).
    SSLFilter(const tls_context& context, std::string_view server_name);
    SSLFilter(SSLFilter&&) noexcept;
    SSLFilter& operator=(SSLFilter&&) noexcept;
    ~SSLFilter() override;

    void update() noexcept override;
    void input_eof() noexcept override;
    void close_write() noexcept override;
    filter_state state() const noexcept override;
    bool read_closed() const noexcept override;
    bool write_closed() const noexcept override;
    bool pending() const noexcept override;
    const close_cause& cause() const noexcept override;
    void trim() noexcept override;
    std::size_t memory() const noexcept override;

    /// STARTTLS, up: takes over what lies in `plain`, the bytes that were read from the transport
    /// before TLS began and that nobody has used, and leaves it empty. They are the peer's first
    /// TLS bytes: whoever keeps them for the application instead lets an attacker inject commands
    /// (CVE-2011-0411). False, and nothing was taken, when limits.nread has no room for them.
    /// REQUIRES: no update() yet. Throws std::bad_alloc.
    [[nodiscard]] bool adopt(buffer& plain);
    /// STARTTLS, down: what the peer sent after its close_notify, in the clear, so far; take it
    /// from there. Empty as long as the peer has not ended TLS (read_closed()), and after any end
    /// that is not clean: what follows a failure is nobody's.
    std::string_view leftover() const noexcept;

    /// Client: asks to resume that session. False, and a full handshake will be done, when it is
    /// empty or belongs to another name or another configuration: a resumed session is trusted
    /// without a certificate, so it must not wander. REQUIRES: no update() yet.
    bool resume(const tls_session& session) noexcept;

    /// Client: a session to resume later, empty when there is none (yet: in TLS 1.3 it comes after
    /// the handshake). Use one once (RFC 8446, C.4). Throws std::bad_alloc.
    tls_session session() const;

    /// Client: the bytes go with the first flight, before anything has come (0-RTT). False, and
    /// nothing was taken, when tls_config::early_data is 0, the session resumed allows fewer, or
    /// there is none; put them into awrite then. A server that refuses them gets them again as
    /// ordinary data, before what awrite holds. For requests that may be done twice alone (RFC
    /// 8470). REQUIRES: resume() has returned true, no update() yet. Throws std::bad_alloc.
    [[nodiscard]] bool send_early(std::span<const std::byte> bytes);
    /// How many bytes went as 0-RTT: on a server the first so many that came into aread, which may
    /// be there before state() is open, and may be a replay of what was said before; on a client,
    /// once open, those that the server took.
    std::size_t early_bytes() const noexcept;

    /// The facts of the handshake. Builds them anew at each call. Throws std::bad_alloc.
    tls_peer peer() const;

    /// TLS 1.3: our next bytes come under a new key, and the peer is asked for the same (RFC 8446,
    /// 4.6.3). False when it cannot be: not open, TLS 1.2, our side closed. Our own keys are
    /// renewed by themselves (tls_limits::records_per_key). Call update() after it.
    bool update_keys() noexcept;

    /// Keying material bound to this connection (RFC 5705, RFC 8446 7.5); empty before the
    /// handshake is done or when OpenSSL refuses. Throws std::bad_alloc.
    std::vector<std::byte> export_key(std::string_view label, std::span<const std::byte> context,
                                      std::size_t length) const;

    /// The context's generation() this connection was made from.
    std::uint64_t generation() const noexcept;

    /// OpenSSL's object, for what is not offered here (key logging, OCSP); valid as long as the
    /// filter. Never read, write, shut down or free by it, and leave its BIO alone.
    ssl_st* native_handle() const noexcept;

private:
    explicit SSLFilter(std::unique_ptr<detail::tls_engine> engine) noexcept;

    std::unique_ptr<detail::tls_engine> engine_;
};

} // namespace funcptr
