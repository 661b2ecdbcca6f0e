// SPDX-License-Identifier: MIT
//
// timing.h: whether the time that verify() takes tells where a forged MAC is wrong.
//
// Two classes of cookies, wrong in the first character of the MAC and in the last but one, are
// verified in a random order, a million of each; Welch's t compares the means of their times. As in
// dudect (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", 2017) the slowest tenth
// of all samples is left out first: those are interrupts and other processes. |t| below 5 is what
// chance makes of two equal means but for once in 1.7 million runs.
//
// A test that cannot fail shows nothing. So a control does as naive code does, makes the MAC's text
// and compares it by memcmp(3), in the same scaffold; its t must be beyond 5.
//
// Each sample is copied to the same place first, so that no address tells the classes apart.
//
// Threads: one.
//
//     bench::add_timing(suite);
#pragma once

#include <funcptr/signed_cookie.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#if defined(__x86_64__)
#    include <x86intrin.h>
#endif

#include "../support/bench.h"
#include "prepared_pair.h"
#include "samples.h"
#include "speed.h"

namespace bench {

inline constexpr std::size_t samples_of_class = 1'000'000;

/// The finest clock that there is; its unit does not matter to t.
inline std::uint64_t ticks()
{
#if defined(__x86_64__)
    unsigned processor = 0;
    const auto now = __rdtscp(&processor); // after all that is before it
    _mm_lfence();                          // and before all that is behind it
    return now;
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// Mean and variance of one class (Welford's way of adding up).
struct moments {
    double count = 0, mean = 0, squares = 0;

    void add(double value)
    {
        ++count;
        const auto off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
    }
    double variance_of_mean() const { return squares / (count - 1) / count; }
};

struct timed_sample {
    std::uint32_t time = 0;
    bool late = false;
};

/// |t|, with the slowest tenth left out.
inline double welch(const std::vector<timed_sample>& all)
{
    std::vector<std::uint32_t> times;
    for (const auto& each : all)
        times.push_back(each.time);
    const auto bound = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10 * 9);
    std::nth_element(times.begin(), bound, times.end());
    moments early, late;
    for (const auto& each : all)
        if (each.time <= *bound)
            (each.late ? late : early).add(each.time);
    return std::abs(early.mean - late.mean)
           / std::sqrt(early.variance_of_mean() + late.variance_of_mean());
}

/// value: a genuine cookie. check: what is timed; gets a cookie that is wrong early or late.
template <class Check>
double leak_of(const std::string& value, Check check)
{
    const auto other = [&](std::size_t at) {
        auto wrong = value;
        wrong[at] = wrong[at] == 'A' ? 'B' : 'A';
        return wrong;
    };
    // Of the last character some bits mean nothing; the one before it is the last that is whole.
    const std::array<std::string, 2> wrong{other(value.size() - 43), other(value.size() - 2)};
    std::mt19937_64 random(std::random_device{}());
    std::string place = value;
    std::vector<timed_sample> all;
    all.reserve(2 * samples_of_class);
    std::array<std::size_t, 2> left{samples_of_class, samples_of_class};
    for (int i = 0; i < 10'000; ++i)
        check(place); // caches and guesses
    while (left[0] + left[1] != 0) {
        // So that both run out together, and nothing about the order can be guessed.
        const bool late = random() % (left[0] + left[1]) >= left[0];
        --left[late];
        std::memcpy(place.data(), wrong[late].data(), place.size());
        const auto start = ticks();
        check(place);
        const auto spent = ticks() - start;
        all.push_back(
            {static_cast<std::uint32_t>(std::min<std::uint64_t>(spent, UINT32_MAX)), late});
    }
    return welch(all);
}

inline double leak_of_verify()
{
    const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(1)};
    std::string out(codec.max_data(), '\0');
    return leak_of(codec.sign(std::string(64, 'x')),
                   [&](const std::string& value) { keep(codec.verify(value, out).status); });
}

/// As naive code does it: the right cookie's text is known, and compared.
inline double leak_of_memcmp()
{
    const funcptr::signed_cookie codec{std::string(cookie_name), keys_of(1)};
    const auto right = codec.sign(std::string(64, 'x'));
    const auto covered = covered_by_mac(right);
    prepared_pair pair(key_of(0));
    std::size_t size = 43;
    asm volatile("" : "+r"(size)); // the call, not what the compiler makes of a known size
    return leak_of(right, [&](const std::string& value) {
        keep(pair.mac(covered));
        const auto at = value.size() - size;
        keep(std::memcmp(value.data() + at, right.data() + at, size));
    });
}

inline void add_timing(suite& suite)
{
    suite.measure("timing/verify_early_vs_late", "|t|", "<= 4.999", leak_of_verify);
    suite.measure("timing/memcmp_early_vs_late", "|t|", ">= 5", leak_of_memcmp);
}

} // namespace bench
