// SPDX-License-Identifier: MIT
//
// samples.h: the keys and cookies that the benches of this folder measure with.
//
// Threads: free functions without state.
//
//     const funcptr::signed_cookie codec("session", bench::keys_of(11)); // one signs, ten retired
//     auto forged = bench::forged(codec.sign("42"));
#pragma once

#include <funcptr/keyring.h>
#include <funcptr/signed_cookie.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

inline constexpr std::string_view cookie_name = "session";

inline std::vector<std::byte> key_of(int number)
{
    std::vector<std::byte> key;
    for (int i = 0; i < 32; ++i)
        key.push_back(static_cast<std::byte>(number + 7 * i));
    return key;
}

/// Key 0 signs.
inline funcptr::keyring keys_of(int count)
{
    std::vector<std::vector<std::byte>> all;
    for (int i = 0; i < count; ++i)
        all.push_back(key_of(i));
    return funcptr::keyring::from_bytes({all.begin(), all.end()});
}

/// With one character of the body changed.
inline std::string forged(std::string value)
{
    value[20] = value[20] == 'A' ? 'B' : 'A';
    return value;
}

/// The bytes that the MAC of a native cookie covers (docs/cookie-format.md).
inline std::string covered_by_mac(std::string_view value)
{
    return std::string(cookie_name) + '\0' + std::string(value.substr(0, value.rfind('.')));
}

} // namespace bench
