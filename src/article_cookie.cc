// SPDX-License-Identifier: MIT
//
//     cookie = mac SP data
//     mac    = 64 hex digits, lower case   ; HMAC-SHA256(secret, data)
#include <funcptr/signed_cookie.h>

#include <algorithm>
#include <new>

#include "detail/cookie_reason.h"
#include "detail/hmac.h"

namespace funcptr {

namespace {

constexpr std::size_t hex_size = 64;
constexpr std::string_view digits = "0123456789abcdef";

/// The value of a digit; 16: of none.
constexpr unsigned value_of(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<unsigned>(c - 'a' + 10);
    return 16;
}

cookie_status decode(std::string_view hex, detail::mac_sha256& mac) noexcept
{
    auto status = cookie_status::ok;
    for (const char c : hex) {
        if (value_of(c) < 16)
            continue;
        if (c < 'A' || c > 'F')
            return cookie_status::malformed;
        status = cookie_status::non_canonical;
    }
    for (std::size_t i = 0; i < mac.size(); ++i)
        mac[i] = static_cast<std::byte>(value_of(hex[2 * i]) << 4 | value_of(hex[2 * i + 1]));
    return status;
}

} // namespace

struct article_cookie::inside {
    detail::prepared_hmac mac;
    std::size_t max_size;
    bool short_secret;

    cookie_status check(std::string_view cookie) const noexcept
    {
        if (cookie.size() > max_size)
            return cookie_status::too_long;
        if (cookie.size() <= hex_size || cookie[hex_size] != ' ')
            return cookie_status::malformed;
        detail::mac_sha256 given{}, expected{};
        if (const auto status = decode(cookie.substr(0, hex_size), given);
            status != cookie_status::ok)
            return status;
        const bool held = mac.compute(cookie.substr(hex_size + 1), expected)
                          && detail::equal_in_constant_time(given, expected);
        return held ? cookie_status::ok : cookie_status::bad_signature;
    }
};

article_cookie::article_cookie(const dialect_secret& secret, std::size_t max_size)
    : inside_(std::make_shared<inside>(
        inside{detail::prepared_hmac(secret.bytes(), {}), max_size, secret.is_short()}))
{
}

std::string article_cookie::sign(std::string_view data) const
{
    if (data.size() > inside_->max_size || data.size() + hex_size + 1 > inside_->max_size)
        throw error(errc::limit, "article_cookie: " + std::to_string(data.size())
                                     + " bytes do not fit into a cookie of "
                                     + std::to_string(inside_->max_size));
    detail::mac_sha256 mac{};
    if (!inside_->mac.compute(data, mac))
        throw std::bad_alloc();
    std::string cookie;
    cookie.reserve(hex_size + 1 + data.size());
    for (const auto byte : mac) {
        cookie += digits[std::to_integer<std::size_t>(byte >> 4)];
        cookie += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    cookie += ' ';
    return cookie.append(data);
}

cookie_verdict article_cookie::verify(std::string_view cookie) const
{
    cookie_verdict verdict;
    verdict.status = inside_->check(cookie);
    verdict.reason = detail::words_for(verdict.status);
    if (!verdict)
        return verdict;
    verdict.data = cookie.substr(hex_size + 1);
    verdict.size = verdict.data.size();
    if (inside_->short_secret)
        verdict.advice = "the secret is shorter than 32 bytes and may be guessed";
    return verdict;
}

} // namespace funcptr
