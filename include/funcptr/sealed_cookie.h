// SPDX-License-Identifier: MIT
//
// sealed_cookie.h: a cookie that nobody can alter, nor read.
//
// seal() encrypts and authenticates data; open() gives the data back if one of our keys sealed it,
// for a cookie of this name, and not too long ago. It is signed_cookie with confidentiality, for
// what the browser's owner must not see; an id needs no secrecy, and signed_cookie's texts are
// shorter. There is no way to encrypt without authentication: both ciphers do both. It does not
// hide that the cookie is there, nor its length beyond `pad_to`; it builds or parses no HTTP
// headers (cookie_header.h), and keeps no state: a cookie cannot be revoked before it expires.
//
// Each cookie has a key of its own, derived with HKDF from a key of the keyring and twelve random
// bytes, and a random nonce of twelve more. So the bound of AES-GCM, 2^32 messages under one key
// with random nonces (NIST SP 800-38D, 8.3), is not met within the life of a key: after 2^80
// cookies the odds that two share both are one in 2^33.
//
// Threads: all members are const and may be called from several at once. Lifetime: a value that
// shares its prepared keys with its copies; one that was moved from may be assigned to or
// destroyed, nothing else.
//
//     funcptr::sealed_cookie draft("__Host-draft", funcptr::keyring::from_file("keys"),
//                                  {.max_age = std::chrono::hours(1)});
//     std::string value = draft.seal("to: alice\n\nMeet me at");
//     auto verdict = draft.open(value);
//     if (verdict)
//         show(verdict.data);
//     else
//         log(verdict.reason); // "expired 3 min ago", "bad signature"
//     if (verdict.reissue)
//         set(draft.seal(verdict.data)); // sealed with a retired key, or past half of its life
//
// The same keyring may serve signed cookies too: neither takes the other's text. The format, its
// grammar and known answers are in docs/cookie-format.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "export.h"
#include "keyring.h"
#include "signed_cookie.h"

namespace funcptr {

/// Both are as strong as anybody needs.
enum class sealed_cipher : std::uint8_t {
    aes_256_gcm,       ///< faster where the processor has instructions for it, as servers' have
    chacha20_poly1305, ///< faster where it has not; absent from OpenSSL's FIPS provider
};

struct sealed_options {
    /// As in cookie_options, with its reasons.
    std::chrono::seconds max_age = std::chrono::hours(12);
    std::chrono::seconds skew = std::chrono::seconds(60);
    std::size_t max_size = 4096;
    /// The time, for tests. REQUIRES: does not throw, and may be called from several threads.
    std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;
    /// What seal() uses. open() takes both, so that one may change to the other.
    sealed_cipher cipher = sealed_cipher::aes_256_gcm;
    /// What is encrypted, 12 bytes and the data, is filled up with zeros to a multiple of so many
    /// bytes, 1 to 4,096, or to the largest cookie: its length tells an observer so much less of
    /// the data ("admin" or "user"). 1: not filled up. 32: it costs 16 bytes on average.
    std::size_t pad_to = 32;
};

class FUNCPTR_API sealed_cookie {
public:
    /// name: the cookie's, authenticated with every text. Throws std::invalid_argument for a name
    /// that is not a token (RFC 9110, 5.6.2) or is longer than half of max_size, and for options
    /// out of their bounds; funcptr::error (errc::bad_configuration) for a cipher that this OpenSSL
    /// has not; std::bad_alloc.
    sealed_cookie(std::string name, const keyring& keys, sealed_options options = {});

    const std::string& name() const noexcept;
    const sealed_options& options() const noexcept;

    /// The value for Set-Cookie, of [0-9A-Za-z._-]; another one at each call. lifetime: an expiry
    /// of its own, checked besides max_age. Throws funcptr::error (errc::limit when data has more
    /// than max_data() bytes, std::errc::resource_unavailable_try_again when the system has no
    /// randomness); std::invalid_argument for a lifetime that is not above 0; std::bad_alloc.
    std::string seal(std::string_view data,
                     std::optional<std::chrono::seconds> lifetime = std::nullopt) const;

    /// Never throws for what the text is; std::bad_alloc. Nothing of ours is allocated before the
    /// text was found authentic. bad_signature: it was not sealed with our key, or altered.
    cookie_verdict open(std::string_view value) const;

    /// The same without an allocation of ours at all: the data is written into `out`, of which
    /// max_data() bytes are always enough. Data that is longer than `out` gives too_long, with its
    /// size. Unless ok, nothing that was decrypted is left in `out`.
    cookie_facts open(std::string_view value, std::span<char> out) const noexcept;

    /// The longest data that seal() takes, in bytes.
    std::size_t max_data() const noexcept;

private:
    struct inside;
    std::shared_ptr<const inside> inside_; // never null, never changed
};

} // namespace funcptr
