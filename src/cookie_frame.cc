// SPDX-License-Identifier: MIT
#include "detail/cookie_frame.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <new>
#include <stdexcept>

#include "detail/cookie_grammar.h"
#include "detail/cookie_reason.h"

namespace funcptr::detail {

namespace {

using std::chrono::seconds;
using time_point = std::chrono::system_clock::time_point;

constexpr seconds longest_age = std::chrono::hours(24 * 365 * 100);
constexpr seconds longest_skew = std::chrono::hours(24);

void put_seconds(std::int64_t value, std::byte* out) noexcept
{
    for (int i = 4; i >= 0; --i, value >>= 8)
        out[i] = static_cast<std::byte>(value);
}
std::int64_t take_seconds(const std::byte* in) noexcept
{
    const auto at = [in](int i) { return std::to_integer<std::int64_t>(in[i]); };
    return at(0) << 32 | at(1) << 24 | at(2) << 16 | at(3) << 8 | at(4);
}

void check(const std::string& who, const std::string& name, const cookie_options& options)
{
    const auto refuse = [&](const char* why) { throw std::invalid_argument(who + ": " + why); };
    if (!is_token(name))
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
}

bool all_base64url(std::string_view text) noexcept
{
    return std::all_of(text.begin(), text.end(), is_base64url);
}

} // namespace

std::int64_t to_seconds(time_point time) noexcept
{
    return std::chrono::floor<seconds>(time).time_since_epoch().count();
}

bool is_system_clock(const std::function<time_point()>& clock) noexcept
{
    const auto* const given = clock.target<decltype(&std::chrono::system_clock::now)>();
    return given != nullptr && *given == &std::chrono::system_clock::now;
}

void put_times(std::int64_t issued, std::int64_t expires, std::byte* out) noexcept
{
    put_seconds(issued, out);
    put_seconds(expires, out + 5);
}

bool take_times(const std::byte* in, cookie_facts& facts) noexcept
{
    const auto issued = take_seconds(in), expires = take_seconds(in + 5);
    if (std::max(issued, expires) > last_second)
        return false;
    facts.issued = time_point(seconds(issued));
    if (expires != 0)
        facts.expires = time_point(seconds(expires));
    return true;
}

cookie_status to_status(decoded how) noexcept
{
    switch (how) {
    case decoded::ok:
        return cookie_status::ok;
    case decoded::non_canonical:
        return cookie_status::non_canonical;
    case decoded::malformed:
        break;
    }
    return cookie_status::malformed;
}

cookie_frame::cookie_frame(const std::string& who, std::string name, const keyring& keys,
                           cookie_options options)
    : who_(who)
    , name_(std::move(name))
    , keys_(keys)
    , options_(std::move(options))
{
    check(who_, name_, options_);
    system_time_ = is_system_clock(options_.clock);
    std::array<std::byte, 32> hash{};
    if (EVP_Digest(name_.data(), name_.size(), reinterpret_cast<unsigned char*>(hash.data()),
                   nullptr, EVP_sha256(), nullptr)
        != 1)
        throw std::bad_alloc();
    encode_base64url(std::span(hash).first(base64url_bytes(name_tag_size)), tag_.data());
    for (std::size_t i = 0; i < keys_.size(); ++i)
        std::copy_n(keys_.id(i).begin(), key_id_size, ids_.emplace_back().begin());
}

std::int64_t cookie_frame::now() const noexcept
{
    return system_time_ ? std::int64_t{std::time(nullptr)} : to_seconds(options_.clock());
}

void cookie_frame::put_head(std::string_view version, char* out) const noexcept
{
    out = std::copy_n(version.begin(), version_size, out);
    out = std::copy(ids_.front().begin(), ids_.front().end(), out);
    *out++ = '.';
    out = std::copy(tag_.begin(), tag_.end(), out);
    *out = '.';
}

cookie_status cookie_frame::look_up(std::string_view text, std::size_t& key) const noexcept
{
    const auto id = text.substr(key_id_at, key_id_size);
    const auto tag = text.substr(name_tag_at, name_tag_size);
    const auto same = [&](const id_text& each) {
        return std::memcmp(each.data(), id.data(), each.size()) == 0;
    };
    const auto found = std::find_if(ids_.begin(), ids_.end(), same);
    const bool known = found != ids_.end();
    key = static_cast<std::size_t>(found - ids_.begin());
    if (known && std::memcmp(tag_.data(), tag.data(), tag_.size()) == 0)
        return cookie_status::ok;
    if (!all_base64url(id) || !all_base64url(tag))
        return cookie_status::malformed;
    return known ? cookie_status::wrong_name : cookie_status::unknown_key;
}

// --- times --------------------------------------------------------------------------------------

void cookie_frame::put_times_of(std::optional<seconds> lifetime, std::byte* out) const
{
    if (lifetime && *lifetime <= seconds(0))
        throw std::invalid_argument(who_ + ": a lifetime is above 0");
    const auto at = std::clamp<std::int64_t>(now(), 0, last_second);
    const auto end = lifetime ? at + std::min<std::int64_t>(lifetime->count(), last_second - at)
                              : std::int64_t{0};
    put_times(at, end, out);
}

cookie_status cookie_frame::check_times(cookie_facts& facts) const noexcept
{
    const auto at = now();
    const auto issued = to_seconds(facts.issued);
    const auto skew = options_.skew.count(), max_age = options_.max_age.count();
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

std::string cookie_frame::reason(const cookie_facts& facts) const
{
    const auto issued = to_seconds(facts.issued);
    if (facts.status == cookie_status::not_yet_valid)
        return "issued " + age_in_words(issued - now()) + " in the future";
    if (facts.status != cookie_status::expired)
        return words_for(facts.status);
    auto end = facts.expires ? to_seconds(*facts.expires) : last_second;
    if (options_.max_age != seconds(0))
        end = std::min<std::int64_t>(end, issued + options_.max_age.count());
    return "expired " + age_in_words(now() - end) + " ago";
}

void cookie_frame::check_size(std::string_view data, std::size_t max_data) const
{
    if (data.size() > max_data)
        throw error(errc::limit, who_ + ": " + std::to_string(data.size())
                                     + " bytes are more than the " + std::to_string(max_data)
                                     + " that fit into the cookie " + name_);
}

} // namespace funcptr::detail
