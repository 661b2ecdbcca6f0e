// SPDX-License-Identifier: MIT
//
// cookie_dialect.h: the codec of another framework's signed cookie.
//
// What all dialects have in common: secrets, options, the verdict, and the class that verifies,
// issues and explains. The functions that make one, a framework each, stand in cookie_dialects.h.
// What a cookie carries is given as the bytes that its framework serialized (mostly JSON): to read
// those is the application's part.
//
// Threads: all members are const and may be called from several at once. Lifetime: a value that
// shares its keys with its copies; one that was moved from may be assigned to or destroyed.
//
//     const funcptr::dialect_secrets secrets{funcptr::dialect_secret(current),
//                                            funcptr::dialect_secret(retired)};
//     const auto codec = funcptr::dialects::flask(secrets, {.name = "sid", .max_age = 12h});
//     const auto verdict = funcptr::verify_any(codec, cookie_header);
//     if (verdict.reissue)
//         set(codec.sign(verdict.data));
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cookie_header.h"
#include "export.h"
#include "keyring.h"
#include "signed_cookie.h"

namespace funcptr {

namespace detail {
class dialect_codec;
}

/// The secrets of a peer, the current one first, whatever order the peer writes them in
/// (itsdangerous has the newest last). All verify; the first one signs.
class FUNCPTR_API dialect_secrets {
public:
    /// Of one. Not of a string: a text that is taken for a list makes each character a key
    /// (flask#6089).
    dialect_secrets(dialect_secret one); // NOLINT(google-explicit-constructor)
    /// Throws funcptr::error (errc::bad_key) for none, and for more than keyring::most.
    dialect_secrets(std::vector<dialect_secret> newest_first); // NOLINT
    dialect_secrets(std::initializer_list<dialect_secret> newest_first);

    const std::vector<dialect_secret>& all() const noexcept { return all_; }
    bool any_short() const noexcept;

private:
    std::vector<dialect_secret> all_;
};

enum class cookie_hash : std::uint8_t { sha1, sha256, sha384, sha512 };

struct dialect_options {
    /// The cookie's name. Empty: the peer's default, which each function tells; it is in the
    /// signature only where that is said.
    std::string name = {};
    /// How old a cookie may be; 0: as old as it likes. Unset: the peer's default. It means nothing
    /// where the format has no time.
    std::optional<std::chrono::seconds> max_age = {};
    /// How far in the future a cookie may be issued. 60 s: two servers whose clocks differ, where
    /// itsdangerous would log the user out (its issue 400). 0: as the peer, of which some refuse
    /// every second and some look at the age alone. The age itself is exact.
    std::chrono::seconds skew = std::chrono::seconds(60);
    /// Also takes what the peer takes and never writes: base64 with padding where there is none or
    /// the other way round, of the other alphabet, with unused bits set. A signature is then no
    /// longer the only text for its cookie: never use a cookie's text as an id.
    bool lenient = false;
    /// The longest name and value together, 256 to 8,192 bytes. 4,096: what browsers keep.
    std::size_t max_size = 4096;
    /// What a compressed payload may grow to, in bytes; more is too_long. 64 KiB: sixteen times
    /// the largest cookie, where zlib could make a thousand times of it.
    std::size_t max_inflated = 64 * 1024;
    /// The time, for tests. REQUIRES: as cookie_options::clock.
    std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;
    /// Random bytes, for tests; empty: OpenSSL's. REQUIRES: fills all of it, as clock otherwise.
    std::function<void(std::span<std::byte>)> random = {};
};

/// What is said about a cookie when it is issued, where the format has a place for it.
struct issue_facts {
    /// An expiry of its own (Rails, iron-session); above 0.
    std::optional<std::chrono::seconds> lifetime = {};
    /// When the session began (Pyramid). Unset: now.
    std::optional<std::chrono::system_clock::time_point> created = {};
};

/// cookie_verdict, and what some formats tell besides.
struct dialect_verdict : cookie_verdict {
    std::optional<std::chrono::system_clock::time_point> created = {}; ///< Pyramid's
};

/// A part of a cookie as it stands: nothing of it has been verified.
struct cookie_field {
    std::string name;
    std::string value; ///< printable: bytes as hex
};

class FUNCPTR_API cookie_dialect {
public:
    explicit cookie_dialect(std::shared_ptr<const detail::dialect_codec> codec) noexcept;

    /// "flask", "rails_signed_cookie": what the function is called that made it.
    const std::string& dialect() const noexcept;
    /// The cookie's name.
    const std::string& name() const noexcept;
    /// The name of the second cookie, which holds the signature ("session.sig"). Empty but for
    /// keygrip and cookie_session.
    const std::string& signature_name() const noexcept;

    /// Never throws for what the text is; std::bad_alloc. Nothing of ours is allocated before the
    /// signature has held. `value` is what stood in the Cookie header. REQUIRES: no
    /// signature_name().
    dialect_verdict verify(std::string_view value) const;
    /// The same with the value of the second cookie. REQUIRES: there is a signature_name().
    dialect_verdict verify(std::string_view value, std::string_view signature) const;

    /// The cookie's value. Throws funcptr::error (errc::limit) when name and value would be longer
    /// than max_size, or the data than max_inflated; std::invalid_argument for facts that the
    /// format has no place for, and data that it cannot hold; std::logic_error when !issues();
    /// std::bad_alloc.
    std::string sign(std::string_view data, const issue_facts& facts = {}) const;
    /// The second cookie's value. Throws std::logic_error without a signature_name().
    std::string signature_of(std::string_view value) const;
    /// False where the format is only read: it is deprecated.
    bool issues() const noexcept;

    /// A cookie laid open, for people; empty when it is not of this format. It needs no key.
    std::vector<cookie_field> explain(std::string_view value) const;

private:
    std::shared_ptr<const detail::dialect_codec> codec_; // never null
};

/// As verify_any() of a signed_cookie. One pair of double quotes around a value is not part of it:
/// Python's http.cookies puts them around what holds "=", and all peers take them off. Where the
/// signature is a cookie of its own, each value is tried with the first limits.pairs signatures, at
/// most 8 of each.
FUNCPTR_API dialect_verdict verify_any(const cookie_dialect& codec, std::string_view header,
                                       const cookie_limits& limits = {});

} // namespace funcptr
