// SPDX-License-Identifier: MIT
//
// tls_peer.h: what a TLS engine knows of the other end, as plain values.
//
// It holds no key and checks nothing: it only tells. Built anew at each call of a filter's peer().
//
// Threads: values; no state is shared. Lifetime: nothing points back into the filter.
//
//     const funcptr::tls_peer peer = filter.peer();
//     if (peer.verified)
//         log(peer.chain.front().subject + " by " + peer.version); // "CN=alice by TLSv1.3"
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace funcptr {

struct tls_certificate {
    std::string subject;        ///< RFC 2253, in ASCII, e.g. "CN=alice,O=Example"
    std::string pem;            ///< as a PEM block
    std::vector<std::byte> der; ///< as it was sent
};

/// What is known of the peer once the handshake is done; empty before.
struct tls_peer {
    std::string version;     ///< "TLSv1.3"
    std::string cipher;      ///< "TLS_AES_128_GCM_SHA256"
    std::string alpn;        ///< "h2"; empty when none was agreed
    std::string server_name; ///< the name the client asked for (SNI); ? for what is not printable
    bool resumed = false;    ///< an earlier session's keys were used, no certificate was sent
    bool verified = false;   ///< it proved a certificate that we trust
    /// What the peer showed, leaf first. A resumed session may hold the leaf only.
    std::vector<tls_certificate> chain;
};

} // namespace funcptr
