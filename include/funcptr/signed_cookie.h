// SPDX-License-Identifier: MIT
//
// signed_cookie.h: a cookie that nobody can alter.
//
// sign() turns data into a text of cookie octets; verify() gives the data back if the text is what
// a key of the keyring signed, for a cookie of this name, and not too long ago. The data is signed
// and not hidden: whoever holds the cookie can read it. It does not build or parse HTTP headers
// (cookie_header.h), and keeps no state: a cookie cannot be revoked before it expires.
//
// Threads: sign() and verify() are const and may be called from several at once. Lifetime: a value
// that shares its prepared keys with its copies; one that was moved from may be assigned to or
// destroyed, nothing else.
//
//     funcptr::signed_cookie session("__Host-session", funcptr::keyring::from_file("keys"),
//                                    {.max_age = std::chrono::hours(12)});
//     std::string value = session.sign("42");
//     auto verdict = session.verify(value);
//     if (verdict)
//         greet(verdict.data);
//     else
//         log(verdict.reason); // "expired 3 min ago", "bad signature"
//     if (verdict.reissue)
//         set(session.sign(verdict.data)); // signed with a retired key, or past half of its life
//
// The format, its grammar and known answers are in docs/cookie-format.md.
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

namespace funcptr {

/// What a cookie is. Only of ok, expired and not_yet_valid is it known that one of our keys signed
/// it; all others are what the sender's text looks like.
enum class cookie_status : std::uint8_t {
    ok,
    bad_signature, ///< no key of ours signed this text
    expired,       ///< older than max_age, or past the expiry it was given
    not_yet_valid, ///< issued in the future, further than skew
    wrong_name,    ///< says that it was made for a cookie of another name
    too_long,      ///< longer than a bound: nothing of it was looked at
    malformed,     ///< not of this format
    non_canonical, ///< another text for the same bytes; nobody but an attacker writes one
    unknown_key,   ///< says that it was signed by a key that is not on the keyring (any more)
    missing,       ///< no cookie of this name came (verify_any() alone)
};

/// The name of a status, e.g. "bad_signature".
FUNCPTR_API const char* to_string(cookie_status status) noexcept;

struct cookie_options {
    /// How long a cookie holds after it was issued, to 100 years; 0: as long as its own expiry
    /// says, or for ever. 12 hours: a working day. Checked here, since a browser's Max-Age is only
    /// a wish.
    std::chrono::seconds max_age = std::chrono::hours(12);
    /// How far the clocks of several servers may differ, to 24 hours: so much longer every cookie
    /// holds, and so far in the future may it be issued. 60 s: two servers without NTP for a day.
    std::chrono::seconds skew = std::chrono::seconds(60);
    /// The longest name and value together that are made or looked at, 256 to 65,536 bytes. 4,096:
    /// browsers drop what is longer (RFC 6265bis, 5.6).
    std::size_t max_size = 4096;
    /// The time, for tests. REQUIRES: does not throw, and may be called from several threads.
    std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;
};

/// What is known of a cookie without its data. The times and the key are set when the signature
/// held.
struct cookie_facts {
    cookie_status status = cookie_status::malformed;
    std::chrono::system_clock::time_point issued = {};
    /// The expiry that it was given, if any; max_age comes on top of it.
    std::optional<std::chrono::system_clock::time_point> expires = {};
    std::size_t key_index = 0; ///< on the keyring; 0: the current key
    std::size_t size = 0;      ///< bytes of the data, when ok
    /// ok, and time to send a fresh one: a retired key signed it, or half of max_age is over. A
    /// user who comes often then never has to sign in again: max_age is the longest absence.
    bool reissue = false;
    /// Why: a sentence for the log, or empty. Static text. A dialect's codec also tells here what
    /// is weak about an ok cookie.
    std::string_view advice = {};

    explicit operator bool() const noexcept { return status == cookie_status::ok; }
    /// One of our keys signed it for this name, be it in time or not.
    bool authentic() const noexcept
    {
        return status == cookie_status::ok || status == cookie_status::expired
               || status == cookie_status::not_yet_valid;
    }
};

/// A verdict with the data and a reason for the log.
struct cookie_verdict : cookie_facts {
    std::string data = {};   ///< empty unless ok
    std::string reason = {}; ///< "ok", "expired 3 min ago", "bad signature"; nothing of the cookie
};

class FUNCPTR_API signed_cookie {
public:
    /// name: the cookie's, bound into every signature. Throws std::invalid_argument for a name that
    /// is not a token (RFC 9110, 5.6.2) or is longer than half of max_size, and for options out of
    /// their bounds; std::bad_alloc.
    signed_cookie(std::string name, const keyring& keys, cookie_options options = {});

    const std::string& name() const noexcept;
    const cookie_options& options() const noexcept;

    /// The value for Set-Cookie, of [0-9A-Za-z._-]. lifetime: an expiry of its own, checked
    /// besides max_age. Throws funcptr::error (errc::limit) when data has more than max_data()
    /// bytes; std::invalid_argument for a lifetime that is not above 0; std::bad_alloc.
    std::string sign(std::string_view data,
                     std::optional<std::chrono::seconds> lifetime = std::nullopt) const;

    /// Never throws for what the text is; std::bad_alloc. Nothing is allocated before the signature
    /// has held.
    cookie_verdict verify(std::string_view value) const;

    /// The same without an allocation of ours at all: the data is written into `out`, of which
    /// max_data() bytes are always enough. Data that is longer than `out` gives too_long, with its
    /// size. `out` may have been written to whatever the verdict.
    cookie_facts verify(std::string_view value, std::span<char> out) const noexcept;

    /// The longest data that sign() takes, in bytes.
    std::size_t max_data() const noexcept;

private:
    struct inside;
    std::shared_ptr<const inside> inside_; // never null, never changed
};

/// The format of the article "Tamper proof session cookies", byte for byte:
/// lower-case hex(HMAC-SHA256(secret, data)) + " " + data. To read what others wrote, and to
/// compare: it has no time, no name and no key id, and its space is not a cookie octet, so that
/// some servers split it (a data of "user=42" becomes a second cookie). For cookies of your own
/// take signed_cookie.
///
/// Threads and lifetime: as signed_cookie.
class FUNCPTR_API article_cookie {
public:
    /// max_size: the longest cookie that is made or looked at, in bytes. 4,096: as above. Throws
    /// std::bad_alloc.
    explicit article_cookie(const dialect_secret& secret, std::size_t max_size = 4096);

    /// Throws funcptr::error (errc::limit) when the result would be longer than max_size;
    /// std::bad_alloc.
    std::string sign(std::string_view data) const;

    /// ok, bad_signature, malformed, non_canonical (upper-case digits) or too_long. The advice says
    /// when the secret is short. Throws std::bad_alloc, and allocates nothing before the signature
    /// has held.
    cookie_verdict verify(std::string_view cookie) const;

private:
    struct inside;
    std::shared_ptr<const inside> inside_;
};

} // namespace funcptr
