// SPDX-License-Identifier: MIT
//
// The native format, version 1 (docs/cookie-format.md has the reasons and known answers):
//
//     cookie   = "f1." key-id "." name-tag "." body "." mac
//     key-id   = 8 base64url            ; keyring::id(): which key signed
//     name-tag = 4 base64url            ; the first 24 bits of SHA-256(name)
//     body     = base64url(issued expires data)
//     issued   = 5 octets               ; seconds since 1970, big-endian
//     expires  = 5 octets               ; the same; 0: none
//     mac      = 43 base64url           ; HMAC-SHA256(derived, name NUL all-before-the-last-dot)
//     derived  = HMAC-SHA256(key, "funcptr signed cookie 1")
//
// Everything is checked in the order of its price: the length, the shape, the key id and the name
// tag, then the MAC over the text as it stands, and only then is the body decoded. So a forged
// cookie costs at most one MAC, however many keys there are, and no parser sees a byte that was
// not signed. A second text for the same bytes is another text to the MAC.
//
// The name is bound twice. The MAC is over the whole name: a cookie made for another name cannot
// verify. The tag is there for the verdict alone: it tells a cookie under a wrong name from a
// forged one, at no MAC. It is what the sender claims, as is the key id; a lie about either earns
// the sender another reason to be refused.
#include <funcptr/signed_cookie.h>

#include <algorithm>
#include <array>
#include <new>
#include <vector>

#include "detail/base64.h"
#include "detail/cookie_frame.h"
#include "detail/hmac.h"

namespace funcptr {

namespace {

using detail::head_size;
using detail::times_size;
using std::chrono::seconds;

constexpr std::string_view version = "f1.";
constexpr std::size_t mac_size = 43;
// The body's first 32 characters are decoded apart: the times, and the data's first bytes.
constexpr std::size_t first_bytes = 24;
constexpr std::size_t first_text = 32;
static_assert(detail::base64url_bytes(first_text) == first_bytes && first_bytes >= times_size);

detail::prepared_hmac prepare(std::span<const std::byte> key, const std::string& name)
{
    auto derived = detail::hmac(key, "funcptr signed cookie 1");
    detail::prepared_hmac made(derived, name + '\0');
    detail::wipe(derived);
    return made;
}

/// The parts of a cookie's text.
struct parts {
    std::string_view body, mac, covered;
};

/// False when it is not of our format. The body is left to the MAC.
bool split(std::string_view value, parts& out) noexcept
{
    constexpr auto shortest = head_size + detail::base64url_size(times_size) + 1 + mac_size;
    if (value.size() < shortest || !value.starts_with(version)
        || !detail::cookie_frame::has_head(value))
        return false;
    const auto last_dot = value.size() - mac_size - 1;
    if (value[last_dot] != '.')
        return false;
    out.body = value.substr(head_size, last_dot - head_size);
    out.mac = value.substr(last_dot + 1);
    out.covered = value.substr(0, last_dot);
    return true;
}

/// The data of a body: what came with the times, and all that is behind them.
struct body_data {
    std::string_view tail_text;
    std::size_t in_front;
    std::array<std::byte, first_bytes> front;

    std::size_t size() const noexcept
    {
        return in_front + detail::base64url_bytes(tail_text.size());
    }
    /// REQUIRES: out has size() bytes.
    detail::decoded copy_to(char* out) const noexcept
    {
        auto* const to = reinterpret_cast<std::byte*>(out);
        std::copy_n(front.data() + times_size, in_front, to);
        return detail::decode_base64url(tail_text, {to + in_front, size() - in_front});
    }
};

} // namespace

struct signed_cookie::inside {
    detail::cookie_frame frame;
    std::vector<detail::prepared_hmac> macs; // one for each key

    cookie_status check_signature(const parts& cookie, std::size_t key) const noexcept;
    cookie_facts open(std::string_view value, body_data& data) const noexcept;
};

signed_cookie::signed_cookie(std::string name, const keyring& keys, cookie_options options)
{
    const auto made = std::make_shared<inside>(inside{
        detail::cookie_frame("signed_cookie", std::move(name), keys, std::move(options)), {}});
    for (std::size_t i = 0; i < keys.size(); ++i)
        made->macs.push_back(prepare(keys.key(i), made->frame.name()));
    inside_ = made;
}

const std::string& signed_cookie::name() const noexcept
{
    return inside_->frame.name();
}

const cookie_options& signed_cookie::options() const noexcept
{
    return inside_->frame.options();
}

std::size_t signed_cookie::max_data() const noexcept
{
    return detail::base64url_bytes(inside_->frame.room() - head_size - 1 - mac_size) - times_size;
}

// --- sign -------------------------------------------------------------------------------------

std::string signed_cookie::sign(std::string_view data, std::optional<seconds> lifetime) const
{
    const auto& frame = inside_->frame;
    frame.check_size(data, max_data());
    std::array<std::byte, first_bytes> front{};
    frame.put_times_of(lifetime, front.data());
    const auto bytes = std::as_bytes(std::span(data));
    const auto in_front = std::min(bytes.size(), first_bytes - times_size);
    std::copy_n(bytes.begin(), in_front, front.begin() + times_size);

    const auto covered = head_size + detail::base64url_size(times_size + data.size());
    std::string text(covered + 1 + mac_size, '.');
    frame.put_head(version, text.data());
    detail::encode_base64url(std::span(front).first(times_size + in_front),
                             text.data() + head_size);
    if (bytes.size() > in_front)
        detail::encode_base64url(bytes.subspan(in_front), text.data() + head_size + first_text);
    detail::mac_sha256 mac{};
    if (!inside_->macs[0].compute({text.data(), covered}, mac))
        throw std::bad_alloc();
    detail::encode_base64url(mac, text.data() + covered + 1);
    return text;
}

// --- verify -----------------------------------------------------------------------------------

cookie_status signed_cookie::inside::check_signature(const parts& cookie,
                                                     std::size_t key) const noexcept
{
    detail::mac_sha256 given{}, expected{};
    if (const auto how = detail::decode_base64url(cookie.mac, given); how != detail::decoded::ok)
        return detail::to_status(how);
    const bool held = macs[key].compute(cookie.covered, expected)
                      && detail::equal_in_constant_time(given, expected);
    return held ? cookie_status::ok : cookie_status::bad_signature;
}

/// All that is known before the data is looked at.
cookie_facts signed_cookie::inside::open(std::string_view value, body_data& data) const noexcept
{
    cookie_facts facts;
    parts cookie;
    if (value.size() > frame.room()) {
        facts.status = cookie_status::too_long;
        return facts;
    }
    if (!split(value, cookie))
        return facts;
    std::size_t key = 0;
    facts.status = frame.look_up(value, key);
    if (facts)
        facts.status = check_signature(cookie, key);
    if (!facts)
        return facts;

    // The signature has held: what follows was written by someone who has the key.
    facts.key_index = key;
    const auto front = cookie.body.substr(0, first_text); // split() saw to 14 of them
    const auto bytes = detail::base64url_bytes(front.size());
    facts.status = detail::to_status(detail::decode_base64url(front, {data.front.data(), bytes}));
    if (facts && !detail::take_times(data.front.data(), facts))
        facts.status = cookie_status::malformed;
    if (!facts)
        return facts;
    data.in_front = bytes - times_size;
    data.tail_text = cookie.body.substr(front.size());
    facts.status = frame.check_times(facts);
    if (facts)
        facts.size = data.size();
    return facts;
}

cookie_facts signed_cookie::verify(std::string_view value, std::span<char> out) const noexcept
{
    body_data data;
    auto facts = inside_->open(value, data);
    if (!facts)
        return facts;
    const auto status = facts.size > out.size() ? cookie_status::too_long
                                                : detail::to_status(data.copy_to(out.data()));
    if (status != cookie_status::ok) {
        const auto size = facts.size;
        facts = {};
        facts.status = status;
        facts.size = size;
    }
    return facts;
}

cookie_verdict signed_cookie::verify(std::string_view value) const
{
    body_data data;
    cookie_verdict verdict;
    static_cast<cookie_facts&>(verdict) = inside_->open(value, data);
    if (verdict) {
        verdict.data.resize(verdict.size);
        if (const auto how = data.copy_to(verdict.data.data()); how != detail::decoded::ok) {
            verdict = {};
            verdict.status = detail::to_status(how);
        }
    }
    verdict.reason = inside_->frame.reason(verdict);
    return verdict;
}

} // namespace funcptr
