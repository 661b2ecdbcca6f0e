// SPDX-License-Identifier: MIT
#include "detail/cookie_reason.h"

#include <array>

namespace funcptr {

namespace {

struct texts {
    const char* name;
    const char* words;
};
/// In the order of cookie_status.
constexpr std::array<texts, 10> all{{
    {"ok", "ok"},
    {"bad_signature", "bad signature"},
    {"expired", "expired"},
    {"not_yet_valid", "not yet valid"},
    {"wrong_name", "wrong name"},
    {"too_long", "too long"},
    {"malformed", "malformed"},
    {"non_canonical", "non-canonical"},
    {"unknown_key", "unknown key"},
    {"missing", "no such cookie"},
}};
static_assert(all.size() == static_cast<std::size_t>(cookie_status::missing) + 1);

} // namespace

const char* to_string(cookie_status status) noexcept
{
    const auto index = static_cast<std::size_t>(status);
    return index < all.size() ? all[index].name : "unknown";
}

namespace detail {

const char* words_for(cookie_status status) noexcept
{
    const auto index = static_cast<std::size_t>(status);
    return index < all.size() ? all[index].words : "unknown";
}

std::string age_in_words(std::int64_t seconds)
{
    constexpr std::int64_t minute = 60, hour = 60 * minute, day = 24 * hour;
    if (seconds < 2 * minute)
        return std::to_string(seconds) + " s";
    if (seconds < 2 * hour)
        return std::to_string(seconds / minute) + " min";
    if (seconds < 2 * day)
        return std::to_string(seconds / hour) + " h";
    return std::to_string(seconds / day) + " days";
}

} // namespace detail
} // namespace funcptr
