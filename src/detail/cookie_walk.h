// SPDX-License-Identifier: MIT
//
// cookie_walk.h: a Cookie header taken apart, for whoever looks for a cookie that verifies.
#pragma once

#include <funcptr/cookie_header.h>

#include <algorithm>

namespace funcptr::detail {

inline std::string_view trim_cookie(std::string_view text) noexcept
{
    const auto first = text.find_first_not_of(" \t");
    if (first == text.npos)
        return text.substr(text.size()); // still a place in the header
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Each pair in its order to visit(), until that says false. Every byte is looked at a fixed number
/// of times. True when a limit was reached.
template <class Visit>
bool walk_cookies(std::string_view header, const cookie_limits& limits, Visit visit)
{
    if (header.size() > limits.bytes)
        return true;
    std::size_t visited = 0;
    while (!header.empty()) {
        const auto end = std::min(header.find(';'), header.size());
        const auto piece = header.substr(0, end);
        header.remove_prefix(std::min(end + 1, header.size()));
        const auto equals = piece.find('=');
        if (equals == piece.npos)
            continue; // a value without a name
        const auto name = trim_cookie(piece.substr(0, equals));
        if (name.empty())
            continue;
        if (visited++ == limits.pairs)
            return true;
        if (!visit(cookie_pair{name, trim_cookie(piece.substr(equals + 1))}))
            return false;
    }
    return false;
}

} // namespace funcptr::detail
