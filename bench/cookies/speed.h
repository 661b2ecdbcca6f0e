// SPDX-License-Identifier: MIT
//
// speed.h: sign() and verify() into the caller's buffer against the bare MAC over the same bytes;
// and what sealing costs.
//
// Threads: one. Lifetime: each round builds its own codec, at another place of the heap.
//
//     bench::add_speed(suite);
#pragma once

#include <funcptr/sealed_cookie.h>
#include <funcptr/signed_cookie.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>

#include "../support/bench.h"
#include "prepared_pair.h"
#include "samples.h"

namespace bench {

/// Times `once` for about 20 ms; how many calls that takes is found out in the first round.
class repeated {
public:
    /// units: what one call amounts to.
    template <class Once>
    void operator()(round& into, Once&& once, double units = 1)
    {
        if (calls_ == 0)
            calls_ = calls_for(once);
        into.time([&] {
            for (std::size_t i = 0; i < calls_; ++i)
                once();
        });
        into.work(static_cast<double>(calls_) * units);
    }

private:
    std::size_t calls_ = 0;
};

/// What is allocated behind it lies at another place in each round.
class displacement {
public:
    void move_on() { memory_ = std::make_unique_for_overwrite<char[]>(64 + random_() % 8192); }

private:
    std::unique_ptr<char[]> memory_;
    std::minstd_rand random_{1};
};

/// A body that makes its state by make(), which gives the function to be timed.
template <class Make>
comparison::body timed(Make make)
{
    return
        [make, place = std::make_shared<displacement>(), times = repeated()](round& into) mutable {
            place->move_on();
            auto once = make();
            times(into, once);
        };
}

inline void require(bool holds)
{
    if (!holds)
        throw std::logic_error("the codec does not do what is measured");
}

inline auto signing(std::size_t size)
{
    return [size] {
        return [codec = funcptr::signed_cookie(std::string(cookie_name), keys_of(1)),
                data = std::string(size, 'x')] { keep(codec.sign(data)); };
    };
}

inline auto verifying(std::size_t size)
{
    return [size] {
        const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(1)};
        return [codec, value = codec.sign(std::string(size, 'x')),
                out = std::string(codec.max_data(), '\0')]() mutable {
            const auto facts = codec.verify(value, out);
            require(static_cast<bool>(facts));
        };
    };
}

inline auto bare_mac(std::size_t size)
{
    return [size] {
        const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(1)};
        return
            [pair = std::make_shared<prepared_pair>(key_of(0)),
             text = covered_by_mac(codec.sign(std::string(size, 'x')))] { keep(pair->mac(text)); };
    };
}

inline double nanoseconds(const sample& each)
{
    return each.figure("wall") * 1e9;
}

inline void add_signed_speed(suite& suite, std::size_t size)
{
    const auto name = "/" + std::to_string(size);
    auto& each = suite.compare("sign and verify " + std::to_string(size) + " bytes");
    each.contender("sign", timed(signing(size)));
    each.contender("verify", timed(verifying(size)));
    each.contender("pair", timed(bare_mac(size)));
    each.cost("sign_vs_prepared_pair" + name, "<= 1.3", "sign", {"pair"});
    each.cost("verify_vs_prepared_pair" + name, "<= 1.3", "verify", {"pair"});
    each.figure("sign" + name, "ns", "", "sign", nanoseconds);
    each.figure("verify" + name, "ns", "", "verify", nanoseconds);
    each.figure("prepared_pair" + name, "ns", "", "pair", nanoseconds);
}

inline void add_sealed_speed(suite& suite, const std::string& name, funcptr::sealed_cipher cipher)
{
    const auto make = [cipher] {
        return funcptr::sealed_cookie(std::string(cookie_name), keys_of(1), {.cipher = cipher});
    };
    auto& each = suite.compare("seal and open 256 bytes, " + name);
    each.contender("seal", timed([make] {
                       return [codec = make(), data = std::string(256, 'x')] {
                           keep(codec.seal(data));
                       };
                   }));
    each.contender("open", timed([make] {
                       const auto codec = make();
                       return [codec, value = codec.seal(std::string(256, 'x')),
                               out = std::string(codec.max_data(), '\0')]() mutable {
                           require(static_cast<bool>(codec.open(value, out)));
                       };
                   }));
    each.figure("seal_" + name + "/256", "ns", "", "seal", nanoseconds);
    each.figure("open_" + name + "/256", "ns", "", "open", nanoseconds);
}

inline void add_speed(suite& suite)
{
    for (const std::size_t size : {64U, 256U, 1024U})
        add_signed_speed(suite, size);
    add_sealed_speed(suite, "aes_256_gcm", funcptr::sealed_cipher::aes_256_gcm);
    add_sealed_speed(suite, "chacha20_poly1305", funcptr::sealed_cipher::chacha20_poly1305);
}

} // namespace bench
