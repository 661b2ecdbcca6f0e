// SPDX-License-Identifier: MIT
//
// hostile.h: what a stranger's request costs: allocations, MACs, and the time for a header of 1
// MiB.
//
// OpenSSL 3 allocates for each MAC, always as often; so the MACs of a call are counted exactly, by
// its allocations. Ours are counted by operator new.
//
// Threads: one. Lifetime: all is made anew for each row.
//
//     if (!bench::count_openssl())
//         return 1; // OpenSSL has allocated already
//     bench::add_hostile(suite);
#pragma once

#include <funcptr/cookie_header.h>
#include <funcptr/sealed_cookie.h>
#include <funcptr/signed_cookie.h>

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "../support/allocation_count.h"
#include "../support/bench.h"
#include "prepared_pair.h"
#include "samples.h"
#include "speed.h"

namespace bench {

inline std::uint64_t openssl_allocations = 0;

/// False when OpenSSL has allocated already.
inline bool count_openssl()
{
    return CRYPTO_set_mem_functions(
               [](std::size_t size, const char*, int) {
                   ++openssl_allocations;
                   return std::malloc(size);
               },
               [](void* memory, std::size_t size, const char*, int) {
                   ++openssl_allocations;
                   return std::realloc(memory, size);
               },
               [](void* memory, const char*, int) { std::free(memory); })
           == 1;
}

struct allocations {
    double ours = 0, openssls = 0;
};

/// Of one call, once all has grown to its size.
inline allocations allocations_of(const std::function<void()>& call)
{
    constexpr int calls = 1000;
    call();
    const auto before = openssl_allocations;
    const allocation_count count;
    for (int i = 0; i < calls; ++i)
        call();
    return {static_cast<double>(count.so_far()) / calls,
            static_cast<double>(openssl_allocations - before) / calls};
}

inline allocations allocations_of_verify()
{
    check_allocation_count();
    auto once = verifying(256)();
    return allocations_of([&] { once(); });
}

inline allocations allocations_of_open()
{
    check_allocation_count();
    const funcptr::sealed_cookie codec{std::string(cookie_name), keys_of(1)};
    const auto value = codec.seal(std::string(256, 'x'));
    std::string out(codec.max_data(), '\0');
    return allocations_of([&] { require(static_cast<bool>(codec.open(value, out))); });
}

/// A forged header, through verify_any(): all that a request makes of it.
inline allocations allocations_of_forgery()
{
    check_allocation_count();
    const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(1)};
    const auto header = "session=" + forged(codec.sign(std::string(256, 'x')));
    return allocations_of([&] { require(!funcptr::verify_any(codec, header)); });
}

/// The dearest of forgeries, one in the name of each key.
inline double macs_of_forgery(int keys)
{
    prepared_pair pair(key_of(0));
    const auto one = allocations_of([&] { keep(pair.mac("text")); }).openssls;
    require(one > 0);
    const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(keys)};
    double most = 0;
    for (int signer = 0; signer < keys; ++signer) {
        const auto key = key_of(signer);
        const funcptr::signed_cookie of_one{std::string(cookie_name),
                                            funcptr::keyring::from_bytes({key})};
        const auto value = forged(of_one.sign("42"));
        most = std::max(most, allocations_of([&] {
                                  require(codec.verify(value).status
                                          == funcptr::cookie_status::bad_signature);
                              }).openssls);
    }
    return most / one;
}

inline auto refusing(int keys)
{
    return [keys] {
        const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(keys)};
        const auto last = key_of(keys - 1);
        const funcptr::signed_cookie signer{std::string(cookie_name),
                                            funcptr::keyring::from_bytes({last})};
        return [codec, value = forged(signer.sign(std::string(64, 'x'))),
                out = std::string(codec.max_data(), '\0')]() mutable {
            require(!codec.verify(value, out));
        };
    };
}

// --- linear time --------------------------------------------------------------------------------

/// A header of that size, looked through to its last byte.
inline comparison::body reading(std::string_view piece, std::size_t size)
{
    return [piece = std::string(piece), size, times = repeated()](round& into) mutable {
        const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(1)};
        std::string header;
        header.reserve(size + piece.size());
        while (header.size() < size)
            header += piece;
        const funcptr::cookie_limits limits{.bytes = header.size(), .pairs = header.size()};
        times(
            into, [&] { require(!funcptr::verify_any(codec, header, limits)); },
            static_cast<double>(header.size()));
    };
}

inline void add_linearity(suite& suite, const std::string& name, const std::string& piece)
{
    constexpr std::size_t small = 64 * 1024, large = 1024 * 1024;
    auto& each = suite.compare("a hostile header of " + name);
    each.contender("64k", reading(piece, small));
    each.contender("1m", reading(piece, large));
    // 1 in linear time, a quarter more for the caches; in quadratic time it would be 16.
    each.cost("header_byte_cost_1m_vs_64k/" + name, "<= 1.25", "1m", {"64k"});
    each.figure("header_1m/" + name, "ms", "", "1m", [](const sample& one) {
        return one.figure("wall") * static_cast<double>(large) * 1e3;
    });
}

inline void add_hostile(suite& suite)
{
    suite.measure("allocations/verify", "1/verify", "== 0",
                  [] { return allocations_of_verify().ours; });
    suite.measure("allocations/verify_openssl", "1/verify", "",
                  [] { return allocations_of_verify().openssls; });
    suite.measure("allocations/open_sealed", "1/open", "== 0",
                  [] { return allocations_of_open().ours; });
    suite.measure("allocations/open_sealed_openssl", "1/open", "",
                  [] { return allocations_of_open().openssls; });
    suite.measure("allocations/forged_header", "1/header", "== 0",
                  [] { return allocations_of_forgery().ours; });
    suite.measure("forged_ten_retired_keys", "MACs", "<= 1", [] { return macs_of_forgery(11); });
    auto& each = suite.compare("a forged cookie, one key and ten retired ones");
    each.contender("one", timed(refusing(1)));
    each.contender("eleven", timed(refusing(11)));
    each.cost("forged_eleven_keys_vs_one", "<= 1.1", "eleven", {"one"});

    const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(1)};
    add_linearity(suite, "semicolons", ";");
    add_linearity(suite, "equals", "=");
    add_linearity(suite, "blanks", " \t");
    add_linearity(suite, "quotes", "a=\"\\073");
    add_linearity(suite, "nameless", "=;");
    add_linearity(suite, "names", "a=1; ");
    add_linearity(suite, "malformed", "session=f1.; ");
    add_linearity(suite, "forged", "session=" + forged(codec.sign("42")) + "; ");
}

} // namespace bench
