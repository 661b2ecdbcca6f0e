// SPDX-License-Identifier: MIT
//
// comparison.h: several contenders, run in alternation, and the rows that come out of it. It does
// not print and does not choose what runs: that is bench.h.
//
// How it measures. A round runs every contender once, so that whatever changes slowly (frequency,
// temperature, a neighbour) meets all of them alike, and the ratio is taken within the round. The
// order changes from round to round: A B B A for two, for more it rotates and every second round
// is mirrored, so that none is always first and none always follows the same one. The value is the
// median of the rounds' ratios. Rounds go on until its interval (statistics.h) is narrow enough in
// every row, or there were enough.
//
// What the interval cannot see. It covers what changes from round to round, nothing that one
// process decides once: where the heap put a queue has made a ratio of 1.0 a steady 0.85 or 0.55.
// So a body builds its state anew in every round, before time(), and not always at the same place
// (buffer_bench.cc shows how); and a surprising figure is run again, in another process.
//
// Two kinds of ratio: a speed (how many times as fast as the peer: more is better) and a cost (how
// many times as much as the peer: less is better). Against several peers the row is the ratio to
// the best of them. A peer that is missing spoils its rows: who beats the rest has not shown yet
// that he beats the best.
//
// Threads: one at a time; bodies may have threads of their own. Lifetime: bodies are kept until
// the comparison is destroyed; what they refer to must live as long.
//
//     bench::comparison comparison("buffer/", "64 KiB of backlog");
//     comparison.contender("buffer", [](bench::round& round) { … });
//     comparison.contender("string", [](bench::round& round) { … });
//     comparison.missing("evbuffer", "libevent is not installed");
//     comparison.speed("vs_string", ">= 1", "buffer", {"string"});
//     comparison.cost("cpu_vs_best", "<= 1.05", "buffer", {"string", "evbuffer"}, "cpu");
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "goal.h"
#include "report.h"
#include "round.h"
#include "statistics.h"

namespace bench {

struct limits {
    /// Rounds that are run first and thrown away: caches, allocators and lazy set-up. One is
    /// enough where a body does its own set-up before time().
    std::size_t warm_up = 1;
    /// Not fewer rounds than these, even if they agree: an interval of 95 % needs six, and one of
    /// six is as wide as the two worst.
    std::size_t least = 8;
    /// Not more rounds than these: what is unclear after forty is the machine's doing.
    std::size_t most = 40;
    /// Narrow enough: the interval reaches at most this share of the median to each side. Goals
    /// are five per cent off one another, so three tell them apart.
    double within = 0.03;
};

/// In which order the contenders run in that round, see above.
std::vector<std::size_t> running_order(std::size_t round_number, std::size_t contenders);

class comparison {
public:
    using body = std::function<void(round&)>;
    using chooser = std::function<bool(const std::string& row_name)>;
    using listener = std::function<void(const std::string& text)>;

    /// prefix: what all row names begin with. title: for the progress line.
    comparison(std::string prefix, std::string title, limits bounds = {});

    // Each of these throws std::invalid_argument for a name that is taken or not known and for a
    // goal that cannot be read. Contenders come before the rows that name them.

    comparison& contender(const std::string& name, body run);
    /// A contender that cannot be had here; its rows say why: "libevent is not installed".
    comparison& missing(const std::string& name, const std::string& why);

    /// How many times as fast as the best of the peers: the metric of the peer over the subject's.
    comparison& speed(const std::string& row_name, const std::string& goal_text,
                      const std::string& subject, const std::vector<std::string>& peers,
                      const std::string& metric = "wall");
    /// How many times as much as the best of the peers: the metric of the subject over the peer's.
    comparison& cost(const std::string& row_name, const std::string& goal_text,
                     const std::string& subject, const std::vector<std::string>& peers,
                     const std::string& metric = "wall");
    /// A figure of one contender: the median of what `of` makes of each round's sample.
    comparison& figure(const std::string& row_name, const std::string& unit,
                       const std::string& goal_text, const std::string& contender,
                       std::function<double(const sample&)> of);

    /// The rows as they will be, not measured yet.
    std::vector<row> rows() const;

    /// Runs the contenders that the chosen rows need and returns those rows. What a contender
    /// throws ends in the note of its rows. quick: two rounds and no warm-up. progress is called
    /// before each contender runs.
    std::vector<row> run(const chooser& chosen, bool quick, const listener& progress);

private:
    struct entrant {
        std::string name;
        body run;
        std::string failure; // why it cannot run; empty: it can
        std::vector<sample> samples{};
    };
    struct plan {
        row outcome;
        std::vector<std::size_t> parts; // the subject first, then its peers
        std::function<double(const sample&, const sample&)> ratio{}; // empty: a figure
        std::function<double(const sample&)> figure{};
        bool more_is_better = true;
        bool chosen = false;
    };

    comparison& add_entrant(entrant each);
    std::size_t index_of(const std::string& name) const;
    plan& add_plan(const std::string& row_name, const std::string& unit,
                   const std::string& goal_text, const std::vector<std::string>& parts);
    plan& add_ratio(const std::string& row_name, const std::string& goal_text,
                    const std::string& subject, const std::vector<std::string>& peers);
    bool is_needed(std::size_t entrant_index) const;
    bool anybody_runs() const;
    void run_round(std::size_t number, bool keep_samples, const listener& starting);
    void run_entrant(entrant& each, bool keep_samples);
    std::string failure_of(const plan& each) const;
    std::vector<double> values_against(const plan& each, std::size_t peer) const;
    row outcome_against(const plan& each, std::size_t peer) const;
    row evaluate(const plan& each) const;
    bool decides_when_to_stop(const plan& each) const;
    double widest() const;

    std::string prefix_;
    std::string title_;
    limits limits_;
    std::vector<entrant> entrants_;
    std::vector<plan> plans_;
};

} // namespace bench

#include "comparison_inl.h"
