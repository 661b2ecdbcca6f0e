// SPDX-License-Identifier: MIT
//
// comparison_inl.h: the bodies of comparison.h; include that one.
#pragma once

namespace bench {

inline std::vector<std::size_t> running_order(std::size_t round_number, std::size_t contenders)
{
    std::vector<std::size_t> order(contenders);
    for (std::size_t i = 0; i < contenders; ++i)
        order[i] = (i + round_number / 2) % contenders;
    if (round_number % 2 == 1)
        std::reverse(order.begin(), order.end());
    return order;
}

inline comparison::comparison(std::string prefix, std::string title, limits bounds)
    : prefix_(std::move(prefix))
    , title_(std::move(title))
    , limits_(bounds)
{
    if (limits_.most == 0 || limits_.least > limits_.most)
        throw std::invalid_argument(title_ + ": wanted 1 <= most rounds and least <= most");
}

// --- registration -------------------------------------------------------------------------------

inline comparison& comparison::contender(const std::string& name, body run)
{
    return add_entrant({.name = name, .run = std::move(run), .failure = ""});
}

inline comparison& comparison::missing(const std::string& name, const std::string& why)
{
    return add_entrant({.name = name, .run = nullptr, .failure = why});
}

inline comparison& comparison::add_entrant(entrant each)
{
    for (const auto& known : entrants_)
        if (known.name == each.name)
            throw std::invalid_argument(title_ + ": two contenders named '" + each.name + "'");
    entrants_.push_back(std::move(each));
    return *this;
}

inline std::size_t comparison::index_of(const std::string& name) const
{
    for (std::size_t i = 0; i < entrants_.size(); ++i)
        if (entrants_[i].name == name)
            return i;
    throw std::invalid_argument(title_ + ": no contender is named '" + name + "'");
}

inline comparison::plan& comparison::add_plan(const std::string& row_name, const std::string& unit,
                                              const std::string& goal_text,
                                              const std::vector<std::string>& parts)
{
    plan made{.outcome = {.name = prefix_ + row_name, .unit = unit, .goal = goal_text},
              .parts = {}};
    goal::parse(goal_text);
    for (const auto& known : plans_)
        if (known.outcome.name == made.outcome.name)
            throw std::invalid_argument("two rows named '" + made.outcome.name + "'");
    for (const auto& part : parts)
        made.parts.push_back(index_of(part));
    plans_.push_back(std::move(made));
    return plans_.back();
}

inline comparison::plan& comparison::add_ratio(const std::string& row_name,
                                               const std::string& goal_text,
                                               const std::string& subject,
                                               const std::vector<std::string>& peers)
{
    if (peers.empty())
        throw std::invalid_argument(prefix_ + row_name + ": a ratio needs a peer");
    std::vector<std::string> parts{subject};
    parts.insert(parts.end(), peers.begin(), peers.end());
    return add_plan(row_name, "ratio", goal_text, parts);
}

inline comparison& comparison::speed(const std::string& row_name, const std::string& goal_text,
                                     const std::string& subject,
                                     const std::vector<std::string>& peers,
                                     const std::string& metric)
{
    auto& made = add_ratio(row_name, goal_text, subject, peers);
    made.ratio = [metric](const sample& us, const sample& peer) {
        return peer.figure(metric) / us.figure(metric);
    };
    return *this;
}

inline comparison& comparison::cost(const std::string& row_name, const std::string& goal_text,
                                    const std::string& subject,
                                    const std::vector<std::string>& peers,
                                    const std::string& metric)
{
    auto& made = add_ratio(row_name, goal_text, subject, peers);
    made.ratio = [metric](const sample& us, const sample& peer) {
        return us.figure(metric) / peer.figure(metric);
    };
    made.more_is_better = false;
    return *this;
}

inline comparison& comparison::figure(const std::string& row_name, const std::string& unit,
                                      const std::string& goal_text, const std::string& contender,
                                      std::function<double(const sample&)> of)
{
    add_plan(row_name, unit, goal_text, {contender}).figure = std::move(of);
    return *this;
}

inline std::vector<row> comparison::rows() const
{
    std::vector<row> all;
    for (const auto& each : plans_)
        all.push_back(each.outcome);
    return all;
}

// --- running ------------------------------------------------------------------------------------

inline std::vector<row> comparison::run(const chooser& chosen, bool quick, const listener& progress)
{
    for (auto& each : plans_)
        each.chosen = chosen(each.outcome.name);
    for (auto& each : entrants_)
        each.samples.clear();
    const limits bounds =
        quick ? limits{.warm_up = 0, .least = 1, .most = std::min<std::size_t>(2, limits_.most)}
              : limits_;
    for (std::size_t i = 0; i < bounds.warm_up; ++i)
        run_round(i, false, [&](const auto& name) { progress(title_ + ": warm-up, " + name); });
    double width = std::numeric_limits<double>::infinity();
    for (std::size_t done = 0; done < bounds.most && anybody_runs();) {
        run_round(done, true, [&](const auto& name) {
            progress(title_ + ": round " + std::to_string(done + 1) + " of at most "
                     + std::to_string(bounds.most)
                     + (std::isfinite(width) ? ", ± " + short_number(100 * width) + " %" : "")
                     + ", " + name);
        });
        width = widest();
        // After an even number only: an order and its mirror belong together.
        if (++done >= bounds.least && done % 2 == 0 && width <= bounds.within)
            break;
    }
    std::vector<row> outcomes;
    for (const auto& each : plans_)
        if (each.chosen)
            outcomes.push_back(evaluate(each));
    return outcomes;
}

/// Whether a row still wants this contender: it is of no use where another one has failed.
inline bool comparison::is_needed(std::size_t entrant_index) const
{
    return std::any_of(plans_.begin(), plans_.end(), [&](const plan& each) {
        const auto& parts = each.parts;
        return each.chosen && failure_of(each).empty()
               && std::find(parts.begin(), parts.end(), entrant_index) != parts.end();
    });
}

inline bool comparison::anybody_runs() const
{
    return std::any_of(plans_.begin(), plans_.end(), [this](const plan& each) {
        return each.chosen && failure_of(each).empty();
    });
}

inline void comparison::run_round(std::size_t number, bool keep_samples, const listener& starting)
{
    std::vector<std::size_t> running;
    for (std::size_t i = 0; i < entrants_.size(); ++i)
        if (is_needed(i))
            running.push_back(i);
    for (const std::size_t place : running_order(number, running.size())) {
        starting(entrants_[running[place]].name);
        run_entrant(entrants_[running[place]], keep_samples);
    }
}

inline void comparison::run_entrant(entrant& each, bool keep_samples)
{
    try {
        auto measured = round::run(each.run);
        if (keep_samples)
            each.samples.push_back(std::move(measured));
    } catch (const std::exception& thrown) {
        each.failure = each.name + ": " + thrown.what();
    } catch (...) {
        each.failure = each.name + " threw what is no std::exception";
    }
}

// --- what came out ------------------------------------------------------------------------------

inline std::string comparison::failure_of(const plan& each) const
{
    for (const std::size_t part : each.parts)
        if (!entrants_[part].failure.empty())
            return entrants_[part].failure;
    return {};
}

/// One value for each round; for a figure the peer does not matter.
inline std::vector<double> comparison::values_against(const plan& each, std::size_t peer) const
{
    const auto& us = entrants_[each.parts.front()].samples;
    std::vector<double> values;
    for (std::size_t i = 0; i < us.size(); ++i)
        values.push_back(each.ratio ? each.ratio(us[i], entrants_[peer].samples[i])
                                    : each.figure(us[i]));
    return values;
}

/// The row as it is against that peer; against the best of them it is the worst of these.
inline row comparison::outcome_against(const plan& each, std::size_t peer) const
{
    row outcome = each.outcome;
    const auto values = values_against(each, peer);
    if (!std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) {
        outcome.note = "a round of " + entrants_[peer].name + " or "
                       + entrants_[each.parts.front()].name + " measured nothing";
        return outcome;
    }
    outcome.value = median(values);
    outcome.range = median_interval(values);
    outcome.rounds = values.size();
    outcome.note = each.parts.size() > 2 ? "best peer: " + entrants_[peer].name : "";
    return outcome;
}

inline row comparison::evaluate(const plan& each) const
{
    row outcome = each.outcome;
    outcome.note = failure_of(each);
    if (!outcome.note.empty())
        return outcome;
    const std::size_t first = each.ratio ? 1 : 0;
    for (std::size_t i = first; i < each.parts.size(); ++i) {
        row against = outcome_against(each, each.parts[i]);
        if (!std::isfinite(against.value))
            return against;
        const bool worse =
            each.more_is_better ? against.value < outcome.value : against.value > outcome.value;
        if (i == first || worse)
            outcome = std::move(against);
    }
    outcome.ok = goal::parse(outcome.goal).met(outcome.value);
    const double width = half_width(outcome.range, outcome.value);
    const bool wide = std::isfinite(width) && width > limits_.within;
    if (wide && outcome.rounds >= limits_.most && decides_when_to_stop(each))
        outcome.note += (outcome.note.empty() ? "± " : "; ± ") + short_number(100 * width)
                        + " % is wider than wanted";
    return outcome;
}

/// Ratios decide, or figures where there is no ratio.
inline bool comparison::decides_when_to_stop(const plan& each) const
{
    return each.chosen
           && (each.ratio || std::none_of(plans_.begin(), plans_.end(), [](const plan& other) {
                   return other.chosen && other.ratio;
               }));
}

/// The widest interval of those that decide; 0 when there is none to wait for.
inline double comparison::widest() const
{
    double width = 0;
    for (const auto& each : plans_) {
        if (!decides_when_to_stop(each))
            continue;
        const row outcome = evaluate(each);
        if (std::isfinite(outcome.value))
            width = std::max(width, half_width(outcome.range, outcome.value));
    }
    return width;
}

} // namespace bench
