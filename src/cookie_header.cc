// SPDX-License-Identifier: MIT
#include <funcptr/cookie_header.h>
#include <funcptr/sealed_cookie.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <stdexcept>

#include "detail/cookie_grammar.h"
#include "detail/cookie_reason.h"
#include "detail/cookie_walk.h"

namespace funcptr {

namespace {

// --- Cookie -------------------------------------------------------------------------------------

/// verify: from a value to its verdict.
template <class Verify>
cookie_verdict first_good(std::string_view name, std::string_view header,
                          const cookie_limits& limits, Verify verify)
{
    cookie_verdict best;
    best.status = header.size() > limits.bytes ? cookie_status::too_long : cookie_status::missing;
    best.reason = detail::words_for(best.status);
    detail::walk_cookies(header, limits, [&](const cookie_pair& pair) {
        if (pair.name != name)
            return true;
        auto verdict = verify(pair.value);
        if (verdict || !best.authentic())
            best = std::move(verdict);
        return !best;
    });
    return best;
}

// --- Set-Cookie ---------------------------------------------------------------------------------

constexpr std::size_t pair_limit = 4096;      // RFC 6265bis, 5.6
constexpr std::size_t attribute_limit = 1024; // the same

/// REQUIRES: the name was found to be a token; else a log could be forged with it.
std::string about(const set_cookie& cookie, const std::string& why)
{
    return "Set-Cookie " + cookie.name + ": " + why;
}
[[noreturn]] void refuse(const set_cookie& cookie, const std::string& why)
{
    throw std::invalid_argument(about(cookie, why));
}

void check_name_and_value(const set_cookie& cookie)
{
    if (cookie.name.empty())
        throw std::invalid_argument("Set-Cookie: the name is empty");
    const auto odd =
        std::find_if_not(cookie.name.begin(), cookie.name.end(), detail::is_token_octet);
    if (odd != cookie.name.end())
        throw std::invalid_argument("Set-Cookie: byte " + std::to_string(odd - cookie.name.begin())
                                    + " of the name may not stand in a token");
    const auto bad =
        std::find_if_not(cookie.value.begin(), cookie.value.end(), detail::is_cookie_octet);
    if (bad != cookie.value.end())
        refuse(cookie, "byte " + std::to_string(bad - cookie.value.begin())
                           + " of the value may not stand in a cookie");
    const auto size = cookie.name.size() + cookie.value.size();
    if (size > pair_limit)
        throw error(errc::limit, about(cookie, "name and value have " + std::to_string(size)
                                                   + " bytes; browsers drop what is over 4096"));
}

bool is_host(std::string_view domain) noexcept
{
    return std::all_of(domain.begin(), domain.end(), detail::is_host_octet)
           && domain.find("..") == domain.npos && domain.front() != '.' && domain.back() != '.';
}

void check_path_and_domain(const set_cookie& cookie)
{
    if (std::max(cookie.path.size(), cookie.domain.size()) > attribute_limit)
        throw error(errc::limit,
                    about(cookie, "Path or Domain has more than 1024 bytes; browsers ignore it"));
    if (!cookie.path.empty() && cookie.path.front() != '/')
        refuse(cookie, "the Path does not begin with a slash");
    if (!std::all_of(cookie.path.begin(), cookie.path.end(), detail::is_attribute_octet))
        refuse(cookie, "the Path holds a semicolon, a control or an octet above 0x7E");
    if (!cookie.domain.empty() && !is_host(cookie.domain))
        refuse(cookie, "the Domain is not a host name");
}

void check_prefixes(const set_cookie& cookie)
{
    const auto begins = [&](const char* prefix) {
        return detail::starts_with_any_case(cookie.name, prefix);
    };
    const bool host = begins("__Host-");
    const bool http = begins("__Http-") || begins("__Host-Http-");
    if ((host || http || begins("__Secure-")) && !cookie.secure)
        refuse(cookie, "the prefix of the name needs Secure");
    if (host && (cookie.path != "/" || !cookie.domain.empty()))
        refuse(cookie, "the prefix __Host- needs Path=/ and no Domain");
    if (http && !cookie.http_only)
        refuse(cookie, "the prefix of the name needs HttpOnly");
    if (cookie.site == same_site::none && !cookie.secure)
        refuse(cookie, "SameSite=None needs Secure");
    if (cookie.partitioned && !cookie.secure)
        refuse(cookie, "Partitioned needs Secure");
}

/// IMF-fixdate (RFC 9110, 5.6.7), whatever the locale.
std::string http_date(std::chrono::system_clock::time_point time)
{
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds =
        std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday],
                  parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                  parts.tm_min, parts.tm_sec);
    return text;
}

const char* same_site_attribute(same_site site) noexcept
{
    switch (site) {
    case same_site::strict:
        return "; SameSite=Strict";
    case same_site::lax:
        return "; SameSite=Lax";
    case same_site::none:
        return "; SameSite=None";
    case same_site::unset:
        break;
    }
    return "";
}

} // namespace

std::optional<std::string_view> parsed_cookies::find(std::string_view name) const noexcept
{
    for (const auto& pair : pairs)
        if (pair.name == name)
            return pair.value;
    return std::nullopt;
}

parsed_cookies parse_cookie_header(std::string_view header, const cookie_limits& limits)
{
    parsed_cookies parsed;
    parsed.truncated = detail::walk_cookies(header, limits, [&](const cookie_pair& pair) {
        parsed.pairs.push_back(pair);
        return true;
    });
    return parsed;
}

cookie_verdict verify_any(const signed_cookie& codec, std::string_view header,
                          const cookie_limits& limits)
{
    return first_good(codec.name(), header, limits,
                      [&](std::string_view value) { return codec.verify(value); });
}

cookie_verdict verify_any(const sealed_cookie& codec, std::string_view header,
                          const cookie_limits& limits)
{
    return first_good(codec.name(), header, limits,
                      [&](std::string_view value) { return codec.open(value); });
}

std::string make_set_cookie(const set_cookie& cookie)
{
    check_name_and_value(cookie);
    check_path_and_domain(cookie);
    check_prefixes(cookie);
    std::string text = cookie.name + "=" + cookie.value;
    if (!cookie.path.empty())
        text += "; Path=" + cookie.path;
    if (!cookie.domain.empty())
        text += "; Domain=" + cookie.domain;
    if (cookie.max_age)
        text += "; Max-Age="
                + std::to_string(std::max<std::chrono::seconds::rep>(0, cookie.max_age->count()));
    if (cookie.expires)
        text += "; Expires=" + http_date(*cookie.expires);
    if (cookie.secure)
        text += "; Secure";
    if (cookie.http_only)
        text += "; HttpOnly";
    text += same_site_attribute(cookie.site);
    if (cookie.partitioned)
        text += "; Partitioned";
    return text;
}

std::string make_forget_cookie(set_cookie cookie)
{
    cookie.value.clear();
    cookie.max_age = std::chrono::seconds(0);
    cookie.expires = std::chrono::system_clock::time_point();
    return make_set_cookie(cookie);
}

} // namespace funcptr
