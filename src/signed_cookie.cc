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

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <vector>

#include "detail/base64.h"
#include "detail/cookie_grammar.h"
#include "detail/cookie_reason.h"
#include "detail/hmac.h"

namespace funcptr {

namespace {

using std::chrono::seconds;
using time_point = std::chrono::system_clock::time_point;

constexpr std::string_view version = "f1.";
constexpr std::size_t key_id_size = 8;
constexpr std::size_t tag_size = 4;
constexpr std::size_t mac_size = 43;
constexpr std::size_t tag_at = version.size() + key_id_size + 1;
constexpr std::size_t body_at = tag_at + tag_size + 1;
constexpr std::size_t times_size = 10;
// The body's first 16 characters are decoded apart: the times, and the data's first two bytes.
constexpr std::size_t head_bytes = 12;
constexpr std::size_t head_text = 16;
static_assert(detail::base64url_bytes(head_text) == head_bytes && head_bytes >= times_size);

constexpr std::int64_t last_second = 8'589'934'591; // 2^33 - 1, in 2242: a time_point holds it
constexpr seconds longest_age = std::chrono::hours(24 * 365 * 100);
constexpr seconds longest_skew = std::chrono::hours(24);

std::int64_t to_seconds(time_point time) noexcept
{
    return std::chrono::floor<seconds>(time).time_since_epoch().count();
}

void put_seconds(std::int64_t value, std::byte* out) noexcept
{
    for (int i = 4; i >= 0; --i, value >>= 8)
        out[i] = static_cast<std::byte>(value);
}
std::int64_t take_seconds(const std::byte* in) noexcept
{
    std::int64_t value = 0;
    for (int i = 0; i < 5; ++i)
        value = value << 8 | std::to_integer<std::int64_t>(in[i]);
    return value;
}

std::string name_tag(std::string_view name)
{
    std::array<std::byte, 32> hash{};
    if (EVP_Digest(name.data(), name.size(), reinterpret_cast<unsigned char*>(hash.data()), nullptr,
                   EVP_sha256(), nullptr)
        != 1)
        throw std::bad_alloc();
    std::string tag;
    detail::append_base64url(tag, std::span(hash).first(3));
    return tag;
}

detail::prepared_hmac prepare(std::span<const std::byte> key, const std::string& name)
{
    auto derived = detail::hmac(key, "funcptr signed cookie 1");
    detail::prepared_hmac made(derived, name + '\0');
    detail::wipe(derived);
    return made;
}

cookie_status to_status(detail::decoded how) noexcept
{
    switch (how) {
    case detail::decoded::ok:
        return cookie_status::ok;
    case detail::decoded::non_canonical:
        return cookie_status::non_canonical;
    case detail::decoded::malformed:
        break;
    }
    return cookie_status::malformed;
}

/// The parts of a cookie's text.
struct parts {
    std::string_view key_id, tag, body, mac, covered;
};

/// False when it is not of our format. The body is left to the MAC.
bool split(std::string_view value, parts& out) noexcept
{
    constexpr auto shortest = body_at + detail::base64url_size(times_size) + 1 + mac_size;
    if (value.size() < shortest || !value.starts_with(version))
        return false;
    const auto last_dot = value.size() - mac_size - 1;
    if (value[tag_at - 1] != '.' || value[body_at - 1] != '.' || value[last_dot] != '.')
        return false;
    out.key_id = value.substr(version.size(), key_id_size);
    out.tag = value.substr(tag_at, tag_size);
    out.body = value.substr(body_at, last_dot - body_at);
    out.mac = value.substr(last_dot + 1);
    out.covered = value.substr(0, last_dot);
    return std::all_of(out.key_id.begin(), out.key_id.end(), detail::is_base64url)
           && std::all_of(out.tag.begin(), out.tag.end(), detail::is_base64url);
}

/// The data of a body, which is laid out as the head and all that comes behind it.
struct body_data {
    std::string_view tail_text;
    std::size_t in_head;
    std::array<std::byte, head_bytes> head;

    std::size_t size() const noexcept
    {
        return in_head + detail::base64url_bytes(tail_text.size());
    }
    /// REQUIRES: out has size() bytes.
    detail::decoded copy_to(char* out) const noexcept
    {
        auto* const to = reinterpret_cast<std::byte*>(out);
        std::copy_n(head.data() + times_size, in_head, to);
        return detail::decode_base64url(tail_text, {to + in_head, size() - in_head});
    }
};

} // namespace

struct signed_cookie::inside {
    std::string name;
    std::string tag;
    keyring keys;
    cookie_options options;
    std::vector<detail::prepared_hmac> macs; // one for each key

    std::size_t room() const noexcept { return options.max_size - name.size(); }
    std::int64_t now() const noexcept { return to_seconds(options.clock()); }

    cookie_status check_signature(const parts& cookie, std::size_t& key) const noexcept;
    cookie_status check_times(cookie_facts& facts) const noexcept;
    cookie_facts open(std::string_view value, body_data& data) const noexcept;
    std::string reason(const cookie_facts& facts) const;
};

signed_cookie::signed_cookie(std::string name, const keyring& keys, cookie_options options)
{
    const auto refuse = [](const char* why) {
        throw std::invalid_argument(std::string("signed_cookie: ") + why);
    };
    if (!detail::is_token(name))
        refuse("the name is not a token (letters, digits and !#$%&'*+-.^_`|~)");
    if (options.max_size < 256 || options.max_size > 65536)
        refuse("max_size is not within 256 to 65,536 bytes");
    if (name.size() > options.max_size / 2)
        refuse("the name leaves no room for a value");
    if (options.max_age < seconds(0) || options.max_age > longest_age)
        refuse("max_age is not within 0 to 100 years");
    if (options.skew < seconds(0) || options.skew > longest_skew)
        refuse("skew is not within 0 to 24 hours");
    if (!options.clock)
        refuse("there is no clock");
    const auto made =
        std::make_shared<inside>(inside{std::move(name), {}, keys, std::move(options), {}});
    made->tag = name_tag(made->name);
    for (std::size_t i = 0; i < keys.size(); ++i)
        made->macs.push_back(prepare(keys.key(i), made->name));
    inside_ = made;
}

const std::string& signed_cookie::name() const noexcept
{
    return inside_->name;
}

const cookie_options& signed_cookie::options() const noexcept
{
    return inside_->options;
}

std::size_t signed_cookie::max_data() const noexcept
{
    return detail::base64url_bytes(inside_->room() - body_at - 1 - mac_size) - times_size;
}

// --- sign -------------------------------------------------------------------------------------

std::string signed_cookie::sign(std::string_view data, std::optional<seconds> lifetime) const
{
    if (data.size() > max_data())
        throw error(errc::limit, "signed_cookie: " + std::to_string(data.size())
                                     + " bytes are more than the " + std::to_string(max_data())
                                     + " that fit into the cookie " + name());
    if (lifetime && *lifetime <= seconds(0))
        throw std::invalid_argument("signed_cookie: a lifetime is above 0");
    const auto now = std::clamp<std::int64_t>(inside_->now(), 0, last_second);
    const auto end = lifetime ? now + std::min<std::int64_t>(lifetime->count(), last_second - now)
                              : std::int64_t{0};

    std::array<std::byte, head_bytes> head{};
    put_seconds(now, head.data());
    put_seconds(end, head.data() + 5);
    const auto bytes = std::as_bytes(std::span(data));
    const auto in_head = std::min(bytes.size(), head_bytes - times_size);
    std::copy_n(bytes.begin(), in_head, head.begin() + times_size);

    std::string text;
    text.reserve(body_at + detail::base64url_size(times_size + data.size()) + 1 + mac_size);
    text.append(version).append(inside_->keys.id(0)) += '.';
    text.append(inside_->tag) += '.';
    detail::append_base64url(text, std::span(head).first(times_size + in_head));
    detail::append_base64url(text, bytes.subspan(in_head));
    detail::mac_sha256 mac{};
    if (!inside_->macs[0].compute(text, mac))
        throw std::bad_alloc();
    text += '.';
    detail::append_base64url(text, mac);
    return text;
}

// --- verify -----------------------------------------------------------------------------------

cookie_status signed_cookie::inside::check_signature(const parts& cookie,
                                                     std::size_t& key) const noexcept
{
    const auto found = keys.find(cookie.key_id);
    if (found == keys.size())
        return cookie_status::unknown_key;
    if (cookie.tag != tag)
        return cookie_status::wrong_name;
    detail::mac_sha256 given{}, expected{};
    if (const auto how = detail::decode_base64url(cookie.mac, given); how != detail::decoded::ok)
        return to_status(how);
    if (!macs[found].compute(cookie.covered, expected)
        || !detail::equal_in_constant_time(given, expected))
        return cookie_status::bad_signature;
    key = found;
    return cookie_status::ok;
}

cookie_status signed_cookie::inside::check_times(cookie_facts& facts) const noexcept
{
    const auto at = now();
    const auto issued = to_seconds(facts.issued);
    const auto skew = options.skew.count(), max_age = options.max_age.count();
    if (issued > at + skew)
        return cookie_status::not_yet_valid;
    if (max_age != 0 && at > issued + max_age + skew)
        return cookie_status::expired;
    if (facts.expires && at > to_seconds(*facts.expires) + skew)
        return cookie_status::expired;
    if (facts.key_index != 0)
        facts.advice = "signed by a retired key: send a fresh one";
    else if (max_age != 0 && at > issued + max_age / 2)
        facts.advice = "past half of its life: send a fresh one";
    facts.reissue = !facts.advice.empty();
    return cookie_status::ok;
}

/// All that is known before the data is looked at.
cookie_facts signed_cookie::inside::open(std::string_view value, body_data& data) const noexcept
{
    cookie_facts facts;
    parts cookie;
    if (value.size() > room()) {
        facts.status = cookie_status::too_long;
        return facts;
    }
    if (!split(value, cookie))
        return facts;
    facts.status = check_signature(cookie, facts.key_index);
    if (facts.status != cookie_status::ok)
        return facts;

    // The signature has held: what follows was written by someone who has the key.
    const auto head = cookie.body.substr(0, head_text); // split() saw to 14 of them
    const auto bytes = detail::base64url_bytes(head.size());
    facts.status = to_status(detail::decode_base64url(head, {data.head.data(), bytes}));
    const auto issued = take_seconds(data.head.data());
    const auto expires = take_seconds(data.head.data() + 5);
    if (facts.status == cookie_status::ok && std::max(issued, expires) > last_second)
        facts.status = cookie_status::malformed;
    if (facts.status != cookie_status::ok)
        return facts;
    facts.issued = time_point(seconds(issued));
    if (expires != 0)
        facts.expires = time_point(seconds(expires));
    data.in_head = bytes - times_size;
    data.tail_text = cookie.body.substr(head.size());
    facts.status = check_times(facts);
    if (facts)
        facts.size = data.size();
    return facts;
}

cookie_facts signed_cookie::verify(std::string_view value, std::span<char> out) const noexcept
{
    body_data data;
    const auto facts = inside_->open(value, data);
    if (!facts)
        return facts;
    cookie_facts refused;
    refused.size = facts.size;
    refused.status =
        facts.size > out.size() ? cookie_status::too_long : to_status(data.copy_to(out.data()));
    return refused ? facts : refused;
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
            verdict.status = to_status(how);
        }
    }
    verdict.reason = inside_->reason(verdict);
    return verdict;
}

std::string signed_cookie::inside::reason(const cookie_facts& facts) const
{
    const auto issued = to_seconds(facts.issued);
    if (facts.status == cookie_status::not_yet_valid)
        return "issued " + detail::age_in_words(issued - now()) + " in the future";
    if (facts.status != cookie_status::expired)
        return detail::words_for(facts.status);
    auto end = facts.expires ? to_seconds(*facts.expires) : last_second;
    if (options.max_age != seconds(0))
        end = std::min<std::int64_t>(end, issued + options.max_age.count());
    return "expired " + detail::age_in_words(now() - end) + " ago";
}

} // namespace funcptr
