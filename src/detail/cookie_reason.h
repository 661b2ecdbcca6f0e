// SPDX-License-Identifier: MIT
//
// cookie_reason.h: a verdict in words, for the codecs.
#pragma once

#include <funcptr/signed_cookie.h>

namespace funcptr::detail {

/// "bad signature". Short enough for a std::string that does not allocate: a forged cookie must not
/// cost an allocation.
const char* words_for(cookie_status status) noexcept;

/// "3 min", "2 h", "40 s".
std::string age_in_words(std::int64_t seconds);

} // namespace funcptr::detail
