// SPDX-License-Identifier: MIT
//
// tls_config.h: what a TLS endpoint is to do, as plain values.
//
// It holds no key material but the text you give it, reads no file and knows no TLS library: an
// engine's context (tls_context in ssl_filter.h) reads it once, checks all of it and throws when it
// cannot hold. The defaults are the safe ones: TLS 1.2 and 1.3 alone, forward-secret AEAD ciphers,
// and a client that verifies the chain and the name or is not built at all.
//
// Threads: values; no state is shared. Lifetime: the context copies what it needs.
//
//     funcptr::tls_context server({.role = funcptr::tls_role::server,
//                                  .certificate_file = "cert.pem",
//                                  .key_file = "key.pem",
//                                  .alpn = {"h2", "http/1.1"}});
//     funcptr::tls_context client({.server_name = "example.org"});  // trusts the system's roots
//     funcptr::tls_context inside({.trust_file = "our-ca.pem", .server_name = "10.0.0.7"});
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace funcptr {

/// Which end of the handshake.
enum class tls_role : std::uint8_t { client, server };

/// TLS 1.0 and 1.1 are gone (RFC 8996) and cannot be asked for.
enum class tls_version : std::uint8_t { tls1_2, tls1_3 };

/// What a server asks of its clients.
enum class tls_client_certificates : std::uint8_t {
    none,     ///< not asked for
    optional, ///< asked for; one that is shown must verify
    required, ///< a client without one is refused
};

/// The bounds of one connection, in bytes where nothing else is said. What the peer can make us
/// hold is bounded by their sum, and by what the TLS library holds: about 50 KB, and for as long as
/// the connection lives the peer's certificates, which take about eleven times their own size in
/// OpenSSL: 1.1 MB for the largest chain that the default of `handshake` admits. Lower that where
/// peers are many and strange.
struct tls_limits {
    /// nread: what waits to be decrypted. 256 KiB: a few reads of a fast peer.
    std::size_t nread = 256 * 1024;
    /// aread: what waits for the application. 256 KiB, for the same reason; at least 1.
    std::size_t aread = 256 * 1024;
    /// awrite: what waits to be encrypted. 64 MiB: a whole large answer may be put at once.
    std::size_t awrite = 64 * 1024 * 1024;
    /// nwrite, soft: from here on awrite waits until something was sent. One record (16 KiB) may
    /// stand above it. 32 KiB: two records, sent while the cache still holds them, and decrypted by
    /// the peer while we encrypt the next; with 256 KiB a bulk transfer is a sixth slower.
    std::size_t nwrite = 32 * 1024;
    /// nwrite, hard: what the peer makes us answer (KeyUpdate, tickets, alerts) may go this far;
    /// reading pauses half-way between the two, and one step past the end is cause limit. At
    /// least 64 KiB more than nwrite: room for a long certificate chain on top of it.
    std::size_t nwrite_hard = 512 * 1024;
    /// What the peer may send before the handshake is done. 256 KiB: certificate chains of 100 KiB,
    /// OpenSSL's own bound, and what stands around them. (SSLFilter: a chain may be two fifths.)
    std::size_t handshake = 256 * 1024;
    /// Messages of the handshake protocol after the handshake (KeyUpdate, session tickets) without
    /// a mebibyte of application data in between. 1,000: once a minute on an idle connection for
    /// most of a day; a flood of them costs us half a millisecond.
    std::size_t key_updates = 1000;
    /// TLS 1.3: records that we send under one key before it is renewed by itself, at least 1.
    /// 2^24: below the 2^24.5 that AES-GCM bears (RFC 8446, 5.5).
    std::uint64_t records_per_key = std::uint64_t{1} << 24;
};

/// A certificate chain and its key. The leaf comes first; the key may stand in the same text as the
/// certificates when none is named. Either the file or the PEM text, not both.
struct tls_identity {
    std::string certificate_file{};
    std::string key_file{};
    std::string certificate_pem{};
    std::string key_pem{};
    std::string key_password{}; ///< for an encrypted key; nobody is ever asked at a terminal
};

/// Every member has a default; the order is that in which they are usually given.
struct tls_config {
    tls_role role = tls_role::client;

    /// PEM file with our chain, leaf first. Required for a server (or certificate_pem).
    std::string certificate_file{};
    /// PEM file with its key. Empty: the key stands beside the certificates.
    std::string key_file{};
    /// The same two as text instead of files.
    std::string certificate_pem{};
    std::string key_pem{};
    /// Opens an encrypted key. Empty: an encrypted key is an error, never a question.
    std::string key_password{};
    /// Server: more identities, chosen by the name a client asks for (SNI, RFC 6066, 3); the one
    /// above answers when none fits. Each handshake tries them in this order: tens, not thousands.
    std::vector<tls_identity> more_identities{};

    /// Whom we believe: CA certificates (or a peer's own certificate) as a PEM file and as PEM
    /// text. Both empty: the system's roots (client), nobody (server). What is listed here is
    /// enough as it is, also an intermediate without its root. Where nobody would be verified by it
    /// (client_certificates none, insecure_skip_verification) it is refused, not ignored.
    std::string trust_file{};
    std::string trust_pem{};
    /// Revocation lists; given one, the peer's own certificate must be covered by a list, and the
    /// CAs above it are looked up where there is one for them.
    std::string crl_file{};
    std::string crl_pem{};
    /// Client: accept any certificate of anybody. Whoever can redirect the packets reads and alters
    /// everything. For tests and for measuring; trust_file with the peer's own certificate does the
    /// same without the hole.
    bool insecure_skip_verification = false;
    /// Client: the name or IP address that the peer's certificate must carry (RFC 9525), sent as
    /// SNI when it is a name. May be given for each connection instead.
    std::string server_name{};
    /// Server: trust_file or trust_pem is required unless none.
    tls_client_certificates client_certificates = tls_client_certificates::none;

    /// Application protocols, best first (RFC 7301). A server takes its own first that the client
    /// offers too; a client that offers others only is refused with no_application_protocol; one
    /// that offers none is served. Empty: not negotiated.
    std::vector<std::string> alpn{};

    tls_version min_version = tls_version::tls1_2;
    tls_version max_version = tls_version::tls1_3;
    /// Cipher suites in OpenSSL's notation. Empty: the policy in ssl_filter.h. Names that it does
    /// not know are passed over in silence; @SECLEVEL below 2 is refused.
    std::string ciphers_tls12{};
    std::string ciphers_tls13{};

    /// Sessions may be resumed: by tickets (RFC 5077, RFC 8446 2.2), nothing is stored on a server.
    /// A client without has no session().
    bool session_tickets = true;
    /// Server: secrets that the tickets' keys are made of (HKDF-SHA256), at least 32 random bytes
    /// each, for processes that are to resume one another's sessions, and their own after a
    /// restart. The first one seals, all of them open; rotate it by reload(): a new one to the
    /// front, the oldest away, once a day or so: who learns one can read the TLS 1.2 sessions whose
    /// tickets it sealed. Empty: a key of its own, replaced every 12 hours, the one before it
    /// opens.
    std::vector<std::string> ticket_secrets{};

    /// 0-RTT (RFC 8446, 2.3): bytes that a resuming client may send before the handshake is done.
    /// 0: refused, and never sent. Server: how much it takes, e.g. 16384; client: anything but 0
    /// allows SSLFilter::send_early(). Such bytes are not forward secret, and whoever recorded them
    /// can try to send them again: a server takes each ticket once, as long as it runs and in this
    /// process alone, so its sessions stay in its memory (10,000 of them), and do not survive
    /// reload(). Ask for it only where doing twice what is asked does no harm (RFC 8470).
    std::uint32_t early_data = 0;

    /// So many records are kept within one TCP segment (1,300 bytes) at the start and after trim(),
    /// so that the first bytes need not wait for the last ones of a 16 KiB record; then they grow.
    /// 40 records fill the congestion window's first few rounds. 0: always as large as can be.
    unsigned small_records = 40;

    tls_limits limits{};
};

} // namespace funcptr
