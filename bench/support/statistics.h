// SPDX-License-Identifier: MIT
//
// statistics.h: the median of a sample and how far it can be trusted. It does not average, does not
// drop outliers and assumes no distribution.
//
// The interval is made of two order statistics. Whatever the distribution, the number of samples
// below the true median is binomial(n, 1/2); so the k-th smallest and the k-th largest sample hold
// the true median between them with a probability that can be computed exactly. A bootstrap was the
// alternative: it needs a seed and thousands of resamplings, and with the ten to forty samples of a
// bench it is known to be too narrow.
//
// A comparison looks at the interval after every second round and stops as soon as it is narrow,
// which makes one of 95 % a little optimistic: 94 to 98 % in simulation with normal and with
// heavy-tailed ratios, from eight rounds on.
//
// Threads: free functions without state. Lifetime: nothing is kept.
//
//     auto ratios = std::vector{1.01, 0.99, 1.02, 1.00, 0.98, 1.01, 1.03, 1.00};
//     double middle = bench::median(ratios);
//     bench::interval range = bench::median_interval(ratios);
//     if (bench::within(range, middle, 0.03))
//         stop();
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace bench {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct interval {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
};

/// The middle sample, or the mean of the two in the middle; NaN of none.
double median(std::vector<double> samples);

/// Which order statistic bounds the interval: the rank-th smallest and the rank-th largest, counted
/// from 1. 0 when there are too few samples for that confidence (95 % needs six).
/// REQUIRES: 0 < confidence < 1.
std::size_t interval_rank(std::size_t count, double confidence);

/// Where the true median lies with at least that confidence; infinite when there are too few
/// samples to say. 95 % is what readers of a benchmark take an interval for.
/// REQUIRES: 0 < confidence < 1.
interval median_interval(std::vector<double> samples, double confidence = 0.95);

/// How far the interval reaches from the middle, as a share of it; 0 when it does not reach at all
/// (all samples alike, even all 0), infinite when it is unknown.
double half_width(const interval& range, double middle);

/// Whether the interval lies within middle ± share × middle.
bool within(const interval& range, double middle, double share);

// --- bodies -------------------------------------------------------------------------------------

inline double median(std::vector<double> samples)
{
    if (samples.empty())
        return nan;
    std::sort(samples.begin(), samples.end());
    const std::size_t half = samples.size() / 2;
    return samples.size() % 2 == 1 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
}

inline std::size_t interval_rank(std::size_t count, double confidence)
{
    // Each side may miss with half of what confidence leaves. The term of the binomial sum for
    // i + 1 follows from that for i, which spares the factorials.
    const double may_miss = (1 - confidence) / 2;
    double term = std::pow(0.5, static_cast<double>(count));
    double below = term;
    std::size_t rank = 0;
    while (below <= may_miss && rank < count / 2) {
        term *= static_cast<double>(count - rank) / static_cast<double>(rank + 1);
        below += term;
        ++rank;
    }
    return rank;
}

inline interval median_interval(std::vector<double> samples, double confidence)
{
    const std::size_t rank = interval_rank(samples.size(), confidence);
    if (rank == 0)
        return {};
    std::sort(samples.begin(), samples.end());
    return {samples[rank - 1], samples[samples.size() - rank]};
}

inline double half_width(const interval& range, double middle)
{
    const double reach = std::max(range.high - middle, middle - range.low);
    if (reach <= 0)
        return 0;
    return std::isfinite(reach) ? reach / std::abs(middle)
                                : std::numeric_limits<double>::infinity();
}

inline bool within(const interval& range, double middle, double share)
{
    return half_width(range, middle) <= share;
}

} // namespace bench
