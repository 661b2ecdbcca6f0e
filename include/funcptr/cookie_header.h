// SPDX-License-Identifier: MIT
//
// cookie_header.h: the Cookie and Set-Cookie headers, by RFC 6265bis.
//
// parse_cookie_header() takes a Cookie header apart, in linear time, under a bound, decoding
// nothing and keeping every duplicate in its order: which of two cookies of one name is yours is
// for verify_any() to find out, not for the order (a subdomain can set one that shadows yours).
// make_set_cookie() builds a Set-Cookie header or says why it cannot: a browser drops a bad one
// silently, and the session with it.
//
// It keeps no cookies (that is the browser's side), and does not send "Vary: Cookie", which every
// answer that depends on a cookie needs (CVE-2023-30861).
//
// Threads: all functions may be called from several at once. Lifetime: what is parsed points into
// the header's text.
//
//     for (const auto& [name, value] : funcptr::parse_cookie_header(header).pairs)
//         ...
//     auto verdict = funcptr::verify_any(session, header);
//     send("set-cookie", funcptr::make_set_cookie({.name = session.name(),
//                                                  .value = session.sign("42"),
//                                                  .max_age = std::chrono::hours(12)}));
//     send("set-cookie", funcptr::make_forget_cookie({.name = session.name()}));
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "export.h"
#include "signed_cookie.h"

namespace funcptr {

class sealed_cookie; // sealed_cookie.h

struct cookie_pair {
    std::string_view name = {};
    std::string_view value = {};
};

struct cookie_limits {
    /// The longest header that is looked at, in bytes. 16 KiB: what servers take for all headers
    /// together.
    std::size_t bytes = 16 * 1024;
    /// Pairs beyond these are left out; with `bytes` it also bounds the MACs that a request can
    /// cost verify_any(). 150: browsers keep 50 to 180 for a site.
    std::size_t pairs = 150;
};

struct parsed_cookies {
    std::vector<cookie_pair> pairs = {}; ///< in the order of the header, duplicates and all
    bool truncated = false;              ///< a limit was reached: what is beyond is not here

    /// The value of the first of this name, which is case-sensitive.
    std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// Splits at ";", each piece at its first "=", and trims spaces and tabs (RFC 6265bis, 4.2.1 and
/// 5.8.3, read backwards). Pieces without a name are left out: "=__Host-x=1" must not read as
/// __Host-x (CVE-2023-23934). Nothing is unquoted or decoded. A header over limits.bytes gives no
/// pair at all, since its last one would be cut. Several headers (HTTP/2 may split one, RFC 9113,
/// 8.2.3) are to be joined by "; " first, or parsed one by one. Throws std::bad_alloc.
FUNCPTR_API parsed_cookies parse_cookie_header(std::string_view header,
                                               const cookie_limits& limits = {});

/// Not of a text that is gone before the pairs are looked at.
template <std::same_as<std::string> Temporary>
parsed_cookies parse_cookie_header(Temporary&& header, const cookie_limits& limits = {}) = delete;

/// Among all cookies of the codec's name, the first that verifies. When none does: the verdict on
/// the first that is at least authentic (expired), else on the last one; `missing` when there was
/// none within the limits, too_long when the header was over limits.bytes. Throws std::bad_alloc,
/// and allocates nothing before a signature has held.
FUNCPTR_API cookie_verdict verify_any(const signed_cookie& codec, std::string_view header,
                                      const cookie_limits& limits = {});
/// The same: the first that opens.
FUNCPTR_API cookie_verdict verify_any(const sealed_cookie& codec, std::string_view header,
                                      const cookie_limits& limits = {});

enum class same_site : std::uint8_t {
    unset,  ///< what the browser does by default: mostly lax
    strict, ///< never sent when another site leads here
    lax,    ///< sent when the user follows a link to here
    none,   ///< always sent; needs secure
};

/// A Set-Cookie header. The defaults are for a session: the whole site, over TLS, not for scripts.
struct set_cookie {
    std::string name = {};
    std::string value = {};
    /// "/" for the whole site, and what __Host- needs. Empty: the folder of the request's path.
    std::string path = "/";
    /// Empty: this host alone. With one, all its subdomains get the cookie, and can overwrite it.
    std::string domain = {};
    /// How long the browser keeps it; 0 or less: it forgets it now. Unset: until it is closed.
    /// Browsers keep none longer than 400 days.
    std::optional<std::chrono::seconds> max_age = {};
    /// The same as a date; max_age goes before it.
    std::optional<std::chrono::system_clock::time_point> expires = {};
    bool secure = true;    ///< over TLS alone
    bool http_only = true; ///< not for scripts
    same_site site = same_site::lax;
    /// A jar of its own for each site that embeds this one (CHIPS); needs secure.
    bool partitioned = false;
};

/// The header's value. Throws std::invalid_argument naming what is wrong, and never quoting the
/// value:
/// - the name is not a token, or empty;
/// - a value octet is not a cookie octet: a space, quote, comma, semicolon, backslash, control, or
///   above 0x7E;
/// - the path does not begin with "/", or holds a semicolon, a control or an octet above 0x7E;
/// - the domain is not a host name;
/// - SameSite=None or Partitioned without Secure;
/// - __Secure- without Secure; __Host- without Secure and Path=/ or with a Domain; __Http- and
///   __Host-Http- also without HttpOnly; the prefixes in any case (RFC 6265bis, 4.1.3);
/// and funcptr::error (errc::limit) when name and value together have more than 4,096 bytes, or
/// path or domain more than 1,024 (RFC 6265bis, 5.6).
FUNCPTR_API std::string make_set_cookie(const set_cookie& cookie);

/// The header that makes a browser forget a cookie, of which name, path and domain must be those
/// that it was set with. Throws as make_set_cookie() does.
FUNCPTR_API std::string make_forget_cookie(set_cookie cookie);

} // namespace funcptr
