// SPDX-License-Identifier: MIT
//
// goal.h: what a row must reach, as text: ">= 0.95", "<= 16384", "== 0"; "" asks nothing. It does
// not know units: the number is in the row's.
//
// The grammar is strict (an operator, one space, a plain decimal number), because the same text
// stands in bench/goals.json, is compared there letter by letter, and is read by
// waf_tools/bench.py as well.
//
// Threads: values, safe like int. Lifetime: nothing is kept but a few bytes.
//
//     const auto wanted = bench::goal::parse(">= 0.95"); // throws std::invalid_argument
//     if (!wanted.met(ratio))
//         complain();
#pragma once

#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

class goal {
public:
    /// Throws std::invalid_argument that quotes the text.
    static goal parse(std::string_view text);

    /// False for what is not a finite number, even when nothing was asked.
    bool met(double value) const noexcept;

private:
    enum class relation { any, at_least, at_most, equal };
    relation relation_ = relation::any;
    double bound_ = 0;
};

// --- bodies -------------------------------------------------------------------------------------

inline goal goal::parse(std::string_view text)
{
    goal result;
    if (text.empty())
        return result;
    const auto head = text.substr(0, 3);
    const auto number = text.substr(head.size());
    result.relation_ = head == ">= "   ? relation::at_least
                       : head == "<= " ? relation::at_most
                       : head == "== " ? relation::equal
                                       : relation::any;
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), result.bound_);
    if (result.relation_ == relation::any || error != std::errc()
        || end != number.data() + number.size() || !std::isfinite(result.bound_))
        throw std::invalid_argument("goal '" + std::string(text)
                                    + "': wanted like '>= 0.95', '<= 16384' or '== 0'");
    return result;
}

inline bool goal::met(double value) const noexcept
{
    if (!std::isfinite(value))
        return false;
    switch (relation_) {
    case relation::at_least:
        return value >= bound_;
    case relation::at_most:
        return value <= bound_;
    case relation::equal:
        return !(value < bound_) && !(value > bound_);
    case relation::any:
        break;
    }
    return true;
}

} // namespace bench
