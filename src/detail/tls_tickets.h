// SPDX-License-Identifier: MIT
//
// tls_tickets.h: the keys that a server seals its session tickets with.
//
// OpenSSL's own key is made with the SSL_CTX and never replaced: whoever learns it later reads the
// tickets, and in TLS 1.2 with them every session of the past (RFC 8446, 8; forward secrecy is lost
// through the back door). So there is a ring: the first key seals, all of them open, and a ticket
// that an old key opened is renewed. A ring of its own making replaces its keys by itself; one made
// from secrets holds what it was given, so that several processes can share it.
//
// Threads: sealing and opening from several threads at once (they share the SSL_CTX).
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace funcptr::detail {

/// What RFC 5077, 4 recommends: a name to find it by, an AES-256 key and a SHA-256 HMAC key.
struct tls_ticket_key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};

    tls_ticket_key() = default;
    tls_ticket_key(const tls_ticket_key&) = default;
    tls_ticket_key& operator=(const tls_ticket_key&) = default;
    ~tls_ticket_key(); // wipes
};

class tls_ticket_keys {
public:
    using clock = std::chrono::steady_clock;
    /// How long a key of one's own seals. Tickets live for two hours (OpenSSL's default), so that
    /// one key before it is enough.
    static constexpr std::chrono::hours own_key_life{12};

    /// From secrets, the first one seals; none: keys of its own making. Throws funcptr::error for a
    /// secret shorter than 32 bytes or when OpenSSL fails.
    explicit tls_ticket_keys(const std::vector<std::string>& secrets);

    /// Has them used by that SSL_CTX, which must not outlive them.
    void use(SSL_CTX* ctx);
    /// AES-256-CBC, looked up once: EVP_aes_256_cbc() is looked up anew at each use (crypto(7),
    /// "implicit fetching").
    const EVP_CIPHER* cipher() const noexcept { return cipher_.get(); }
    /// Made by itself, not from secrets.
    bool own() const noexcept { return own_; }

    /// The key that seals. Replaces it first when it is its own and old.
    tls_ticket_key sealing(clock::time_point now);
    /// The key of that name; age: 0 when it is the one that seals. Null: none.
    std::unique_ptr<tls_ticket_key> opening(const unsigned char* name, std::size_t& age) const;

private:
    struct cipher_free {
        void operator()(EVP_CIPHER* one) const noexcept { EVP_CIPHER_free(one); }
    };

    std::unique_ptr<EVP_CIPHER, cipher_free> cipher_;
    mutable std::mutex mutex_;
    std::vector<tls_ticket_key> keys_; // the first one seals
    bool own_;
    clock::time_point made_;
};

} // namespace funcptr::detail
