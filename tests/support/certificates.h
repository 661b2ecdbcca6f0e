// SPDX-License-Identifier: MIT
//
// certificates.h: certificates for tests, made in memory: authorities, leaves, good and bad ones.
//
// Not for anything but tests: the keys are thrown together, the authorities sign whatever they are
// asked. Failures throw std::runtime_error.
//
//     const auto& all = funcptr::testing::certificates();
//     funcptr::tls_context server({.role = funcptr::tls_role::server,
//                                  .certificate_pem = all.server.certificate_pem,
//                                  .key_pem = all.server.key_pem});
#pragma once

#include <string>
#include <vector>

namespace funcptr::testing {

/// A certificate and its key, as PEM.
struct issued {
    std::string certificate_pem;
    std::string key_pem;
};

enum class key_kind { ecdsa, rsa, rsa_1024 };

struct certificate_request {
    std::string common_name = "test";
    std::vector<std::string> names{}; ///< DNS names; addresses begin with a digit or hold a colon
    bool authority = false;
    key_kind key = key_kind::ecdsa;
    int valid_from_days = -1; ///< counted from now
    int valid_to_days = 30;
    std::string usage = "serverAuth,clientAuth"; ///< extended key usage; empty for none
};

/// Signed by issuer, or by itself.
issued make_certificate(const certificate_request& request, const issued* issuer = nullptr);

/// The issuer's revocation list, with these certificates on it.
std::string make_revocation_list(const issued& issuer, const std::vector<issued>& revoked);

/// The same key under a password.
std::string encrypt_key(const std::string& key_pem, const std::string& password);

/// A set made once for each process.
struct certificate_set {
    issued authority;
    issued intermediate; ///< by authority
    issued stranger;     ///< another authority
    issued server;       ///< localhost, 127.0.0.1, ::1, ECDSA, by authority
    issued server_rsa;   ///< the same names, RSA
    issued chained;      ///< localhost, by intermediate; certificate_pem holds both
    issued elsewhere;    ///< other.example, *.wild.example
    issued expired;      ///< localhost, until yesterday
    issued future;       ///< localhost, from tomorrow
    issued self_signed;  ///< localhost, by nobody
    issued foreign;      ///< localhost, by stranger
    issued client_only;  ///< localhost, for clients' use alone
    issued client;       ///< CN=alice, by authority
};
const certificate_set& certificates();

} // namespace funcptr::testing
