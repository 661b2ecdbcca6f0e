// SPDX-License-Identifier: MIT
#include "detail/dialect_codec.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <ctime>
#include <stdexcept>

#include "detail/cookie_grammar.h"
#include "detail/cookie_reason.h"

namespace funcptr::detail {

namespace {

using std::chrono::seconds;

constexpr seconds longest_age = std::chrono::hours(24 * 365 * 100);
constexpr seconds longest_skew = std::chrono::hours(24);
constexpr std::size_t most_inflated = 64 * 1024 * 1024;

} // namespace

dialect_codec::dialect_codec(const dialect_traits& traits, dialect_options options,
                             bool short_secret)
    : traits_(traits)
    , options_(std::move(options))
    , dialect_(traits.dialect)
    , max_age_(options_.max_age.value_or(traits.max_age))
    , longest_value_(0)
    , short_secret_(short_secret)
    , system_time_(is_system_clock(options_.clock))
{
    if (options_.name.empty() && traits.default_name != nullptr)
        options_.name = traits.default_name;
    if (traits.two_cookies)
        signature_name_ = options_.name + ".sig";
    check_options();
    longest_value_ = std::min(traits.longest_value, options_.max_size - options_.name.size());
}

void dialect_codec::check_options() const
{
    const auto refuse = [&](const char* why) {
        throw std::invalid_argument("dialects::" + dialect_ + ": " + why);
    };
    if (options_.name.empty())
        refuse("the cookie's name is signed and must be given");
    if (!is_token(options_.name))
        refuse("the name is not a token (letters, digits and !#$%&'*+-.^_`|~)");
    if (options_.max_size < 256 || options_.max_size > longest_cookie)
        refuse("max_size is not within 256 to 8,192 bytes");
    if (options_.name.size() > options_.max_size / 2)
        refuse("the name leaves no room for a value");
    if (max_age_ < seconds(0) || max_age_ > longest_age)
        refuse("max_age is not within 0 to 100 years");
    if (options_.skew < seconds(0) || options_.skew > longest_skew)
        refuse("skew is not within 0 to 24 hours");
    if (options_.max_inflated == 0 || options_.max_inflated > most_inflated)
        refuse("max_inflated is not within 1 byte to 64 MiB");
    if (!options_.clock)
        refuse("there is no clock");
}

// --- verify -------------------------------------------------------------------------------------

dialect_verdict dialect_codec::verify(std::string_view value, std::string_view signature) const
{
    dialect_verdict verdict;
    scratch room;
    auto text = value;
    auto shape = decoded::ok;
    if (value.size() > longest_value_ || signature.size() > longest_value_) {
        verdict.status = cookie_status::too_long;
    } else {
        if (traits_.escape != escaping::none) {
            std::size_t size = 0;
            shape = unescape(value, room.bytes, size, traits_.escape);
            if (shape != decoded::malformed)
                text = text_of(byte_span(room.bytes).first(size));
            if (lenient()) // what cannot be unescaped the peers take as it stands
                shape = decoded::ok;
        }
        if (shape == decoded::ok)
            open(text, signature, verdict);
        else
            verdict.status = to_status(shape);
    }
    finish(verdict);
    return verdict;
}

void dialect_codec::judge_age(dialect_verdict& verdict) const
{
    const auto at = traits_.whole_seconds ? from_seconds(now_second()) : now();
    const auto ahead = verdict.issued - at;
    const bool future = options_.skew > seconds(0)
                            ? ahead > options_.skew
                            : traits_.refuses_future && max_age_ > seconds(0) && ahead > seconds(0);
    verdict.status = cookie_status::ok;
    if (future)
        verdict.status = cookie_status::not_yet_valid;
    else if (max_age_ > seconds(0) && -ahead > max_age_)
        verdict.status = cookie_status::expired;
    if (verdict && max_age_ > seconds(0) && -ahead > max_age_ / 2) {
        verdict.reissue = true;
        verdict.advice = "past half of its life: send a fresh one";
    }
}

void dialect_codec::finish(dialect_verdict& verdict) const
{
    if (!verdict.authentic()) { // nothing is known
        const auto status = verdict.status;
        verdict = {};
        verdict.status = status;
    }
    if (!verdict) {
        verdict.data.clear();
        verdict.reissue = false;
        verdict.advice = {};
    } else {
        verdict.size = verdict.data.size();
        if (verdict.key_index != 0) {
            verdict.reissue = true;
            verdict.advice = "signed by a retired key: send a fresh one";
        } else if (short_secret_ && !verdict.reissue) {
            verdict.advice = "the secret is shorter than 32 bytes and may be guessed";
        }
    }
    if (verdict)
        verdict.reason.assign("ok", 2); // the common case makes no string of its own
    else if (verdict.reason.empty())
        verdict.reason = reason(verdict);
}

std::string dialect_codec::reason(const dialect_verdict& verdict) const
{
    const auto status = verdict.status;
    if (status != cookie_status::not_yet_valid && status != cookie_status::expired)
        return words_for(status);
    const auto at = now_second(), issued = to_seconds(verdict.issued);
    if (status == cookie_status::not_yet_valid)
        return issued > at ? "issued " + age_in_words(issued - at) + " in the future"
                           : words_for(status);
    const auto end = verdict.expires ? to_seconds(*verdict.expires) : issued + max_age_.count();
    return "expired " + age_in_words(std::max<std::int64_t>(0, at - end)) + " ago";
}

// --- sign ---------------------------------------------------------------------------------------

std::string dialect_codec::sign(std::string_view data, const issue_facts& facts) const
{
    const auto about = [&](const char* why) { return "dialects::" + dialect_ + ": " + why; };
    if (!issues())
        throw std::logic_error(about("this format is only read"));
    if (facts.lifetime && !traits_.has_lifetime)
        throw std::invalid_argument(about("this format has no place for an expiry"));
    if (facts.created && !traits_.has_created)
        throw std::invalid_argument(about("this format has no place for when a session began"));
    if (facts.lifetime && (*facts.lifetime <= seconds(0) || *facts.lifetime > longest_age))
        throw std::invalid_argument(about("a lifetime is above 0 and no more than 100 years"));
    const auto too_long = [&](std::size_t size) {
        throw error(errc::limit, about("") + std::to_string(size)
                                     + " bytes do not fit into the cookie " + name()
                                     + ", whose value may have " + std::to_string(longest_value_));
    };
    if (data.size() > options_.max_inflated)
        too_long(data.size());
    auto value = make(data, facts);
    if (traits_.escape != escaping::none)
        value = escape(value, traits_.escape);
    if (value.size() > longest_value_)
        too_long(value.size());
    return value;
}

std::string dialect_codec::signature_of(std::string_view) const
{
    throw std::logic_error("dialects::" + dialect_ + ": there is no second cookie");
}

std::int64_t dialect_codec::now_second() const
{
    return system_time_ ? std::clamp<std::int64_t>(std::time(nullptr), 0, last_second)
                        : to_seconds(now());
}

time_point dialect_codec::end_of(seconds lifetime) const
{
    const auto begin = now();
    return begin + std::min<std::chrono::system_clock::duration>(lifetime, last_time() - begin);
}

void dialect_codec::fill_randomly(std::span<std::byte> out) const
{
    if (options_.random)
        options_.random(out);
    else if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()))
             != 1)
        throw error(errc::bad_key, "dialects::" + dialect_ + ": the system has no randomness");
}

// --- explain ------------------------------------------------------------------------------------

std::vector<cookie_field> dialect_codec::explain(std::string_view value) const
{
    cookie_fields fields;
    if (value.size() > longest_cookie)
        return {};
    scratch room;
    std::size_t size = 0;
    if (traits_.escape != escaping::none
        && unescape(value, room.bytes, size, traits_.escape) != decoded::malformed)
        value = text_of(byte_span(room.bytes).first(size));
    lay_open(value, fields);
    return std::move(fields.all);
}

} // namespace funcptr::detail
