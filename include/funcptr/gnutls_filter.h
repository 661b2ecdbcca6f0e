// SPDX-License-Identifier: MIT
//
// gnutls_filter.h: TLS as bytes in, bytes out, with GnuTLS inside.
//
// The same contract (filter.h) and the same configuration (tls_config.h) as ssl_filter.h, over
// another library: to change the library, change the type that you construct. It stands in a
// library of its own, libfuncptr-gnutls (pkg-config funcptr-gnutls, CMake funcptr::gnutls), built
// where GnuTLS 3.7.4 or newer was found, so that nobody else links GnuTLS.
//
//     peer --> nread  --> [ GnuTLS ] --> aread  --> you
//     peer <-- nwrite <-- [ GnuTLS ] <-- awrite <-- you
//
// What is spoken is the policy of ssl_filter.h, as far as GnuTLS can: the same versions, ciphers,
// groups and strengths. The system's /etc/gnutls/config can forbid some of it, and add nothing.
//
// What differs from SSLFilter; whatever cannot be done is refused by name at construction:
//   - ciphers_tls12 and ciphers_tls13 are OpenSSL's notation: must be empty;
//   - ticket_secrets: one at most, since GnuTLS seals and opens with one key, which it rotates by
//     itself; a server resumes, a client never does;
//   - more_identities: no wildcards, since GnuTLS chooses by exact names;
//   - cause().depth is always -1, as GnuTLS does not tell it; cause().code of a verify is GnuTLS's
//     status bits (gnutls_certificate_status_t);
//   - GnuTLS ends a connection whose peer asks for more than 8 key updates a second, by its own
//     clock, which is stricter than tls_limits::key_updates; and one whose request crosses its own
//     (RFC 8446, 4.6.3 allows it), so use update_keys() on one end only;
//   - OpenSSL's TLS 1.3 clients refuse a certificate by an alert in the clear, which GnuTLS takes
//     for a record that cannot be decrypted: local_alert, with a text that says so;
//   - trim() gives back the filter's own buffers; GnuTLS has nothing to give;
//   - a renegotiation ends the connection.
//
// Threads: a gnutls_context may be used and reloaded from several threads at once; a gnutls_filter
// is used by one at a time. Lifetime: a filter keeps its context's inside alive by itself.
//
//     funcptr::gnutls_context tls({.role = funcptr::tls_role::server,
//                                  .certificate_file = "cert.pem", .key_file = "key.pem"});
//     funcptr::gnutls_filter filter(tls);
//     filter.nread().append(from_the_network);
//     filter.update();
//     use(filter.aread());
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "export.h"
#include "filter.h"
#include "tls_config.h"
#include "tls_peer.h"

struct gnutls_session_int; // what GnuTLS's gnutls_session_t points to

namespace funcptr {

namespace detail {
struct gnutls_context_slot;
struct gnutls_engine;
} // namespace detail

/// A checked configuration, shared by any number of filters: a cheap handle, copied like a pointer.
class FUNCPTR_API gnutls_context {
public:
    /// Reads the files, checks everything. Throws funcptr::error naming file, line and GnuTLS's
    /// reason (errc::bad_certificate, errc::bad_configuration, or errno's code for a file that
    /// cannot be read); std::bad_alloc.
    explicit gnutls_context(const tls_config& config);

    /// Replaces the configuration for filters made from now on, for all copies of this handle at
    /// once; connections in flight keep what they have. Throws as the constructor does, and then
    /// the old one stays in force. Tickets given out before still resume as long as trust and
    /// client_certificates are the same. The role cannot change (errc::bad_configuration).
    void reload(const tls_config& config);

    /// 1 for the first configuration, one more for each reload().
    std::uint64_t generation() const;
    tls_role role() const;

private:
    friend class gnutls_filter;
    std::shared_ptr<detail::gnutls_context_slot> slot_;
};

class FUNCPTR_API gnutls_filter final : public filter {
public:
    /// A connection in the context's role; for a client with the context's server_name. Throws
    /// funcptr::error (errc::bad_configuration) for a client that verifies but has no name to
    /// verify; std::bad_alloc.
    explicit gnutls_filter(const gnutls_context& context);
    /// A client's connection to server_name, a DNS name or an IP address. Throws as above, and when
    /// the name is not one.
    gnutls_filter(const gnutls_context& context, std::string_view server_name);
    gnutls_filter(gnutls_filter&&) noexcept;
    gnutls_filter& operator=(gnutls_filter&&) noexcept;
    ~gnutls_filter() override;

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

    /// STARTTLS, up and down: as SSLFilter's.
    [[nodiscard]] bool adopt(buffer& plain);
    std::string_view leftover() const noexcept;

    /// The facts of the handshake, in GnuTLS's words for the cipher suite. Builds them anew at each
    /// call. Throws std::bad_alloc.
    tls_peer peer() const;

    /// TLS 1.3: our next bytes come under a new key, and the peer is asked for the same (RFC 8446,
    /// 4.6.3). False when it cannot be: not open, TLS 1.2, our side closed. Call update() after it.
    bool update_keys() noexcept;

    /// Keying material bound to this connection (RFC 5705, RFC 8446 7.5); empty before the
    /// handshake is done or when GnuTLS refuses. Throws std::bad_alloc.
    std::vector<std::byte> export_key(std::string_view label, std::span<const std::byte> context,
                                      std::size_t length) const;

    /// The context's generation() this connection was made from.
    std::uint64_t generation() const noexcept;

    /// GnuTLS's gnutls_session_t, for what is not offered here; valid as long as the filter. Never
    /// read, write, shut down or free by it, and leave its transport and its user pointer alone.
    gnutls_session_int* native_handle() const noexcept;

private:
    explicit gnutls_filter(std::unique_ptr<detail::gnutls_engine> engine) noexcept;

    std::unique_ptr<detail::gnutls_engine> engine_;
};

} // namespace funcptr
