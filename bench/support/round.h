// SPDX-License-Identifier: MIT
//
// round.h: one run of one contender, and what it cost. It does not decide how often a contender
// runs: that is comparison.h.
//
// A body prepares, calls time() around what counts, says how much work that was, and may record
// figures of its own. A body that never calls time() is timed as a whole. What cannot run throws:
// its rows then say so, and the other contenders go on.
//
// Threads: a round belongs to the thread that runs the body; time() measures the CPU time of the
// calling thread. A body whose work is done by another thread takes thread_cpu_seconds() there and
// passes the difference to record("cpu", …). Lifetime: a round is valid during its body.
//
//     [](bench::round& round) {
//         auto queue = filled_with(messages);
//         round.time([&] { drain(queue); });
//         round.work(messages); // "wall" and "cpu" are now seconds a message
//         round.record("p99", p99_seconds);
//     }
#pragma once

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "statistics.h"

namespace bench {

/// CPU time that the calling thread has used so far, in seconds (CLOCK_THREAD_CPUTIME_ID).
double thread_cpu_seconds();
/// The same of another thread, which must not have ended (pthread_getcpuclockid(3)).
double thread_cpu_seconds(pthread_t thread);

/// Keeps the compiler from dropping the computation of a value that nobody else looks at.
template <class T>
void keep(const T& value)
{
    asm volatile("" : : "g"(&value) : "memory");
}

/// What one round measured: "wall" and "cpu" in seconds for one unit of work, and what the body
/// recorded. A metric that is not there was not measured.
class sample {
public:
    explicit sample(std::map<std::string, double> figures)
        : figures_(std::move(figures))
    {
    }
    /// NaN when it was not measured.
    double figure(const std::string& metric) const
    {
        const auto found = figures_.find(metric);
        return found == figures_.end() ? nan : found->second;
    }

private:
    std::map<std::string, double> figures_;
};

class round {
public:
    /// Runs and times the function; several calls add up. Throws what the function throws.
    template <class Function>
    void time(Function&& function);

    /// How many units (bytes, messages, calls) all that was timed amounts to; 1 by default.
    /// Throws std::invalid_argument unless it is above zero.
    void work(double units);

    /// A figure of the body's own. "wall" and "cpu", in seconds for the whole round, replace what
    /// time() measured and are divided by work(); any other is taken as it is.
    void record(const std::string& metric, double value) { recorded_[metric] = value; }

    /// For the harness: runs the body and sums up. Throws what the body throws.
    template <class Body>
    static sample run(const Body& body);

private:
    sample summary() const;

    bool timed_ = false;
    double wall_ = 0;
    double cpu_ = 0;
    double work_ = 1;
    std::map<std::string, double> recorded_;
};

/// How many calls of the function take at least that long: for bodies that repeat something short.
/// 20 ms are a million times the clock's grain and a fiftieth of what a person waits gladly.
/// Calls it at most `most` times in a row, so that a function that does nothing ends as well.
template <class Function>
std::size_t calls_for(Function&& function,
                      std::chrono::nanoseconds at_least = std::chrono::milliseconds(20),
                      std::size_t most = std::size_t{1} << 30);

// --- bodies -------------------------------------------------------------------------------------

inline double seconds_of(clockid_t clock)
{
    timespec now{};
    if (clock_gettime(clock, &now) != 0)
        throw std::system_error(errno, std::generic_category(), "clock_gettime");
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline double thread_cpu_seconds()
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

inline double thread_cpu_seconds(pthread_t thread)
{
    clockid_t clock{};
    if (const int error = pthread_getcpuclockid(thread, &clock); error != 0)
        throw std::system_error(error, std::generic_category(), "pthread_getcpuclockid");
    return seconds_of(clock);
}

template <class Function>
void round::time(Function&& function)
{
    timed_ = true;
    const double cpu = thread_cpu_seconds();
    const auto start = std::chrono::steady_clock::now();
    std::forward<Function>(function)();
    wall_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    cpu_ += thread_cpu_seconds() - cpu;
}

inline void round::work(double units)
{
    if (!(units > 0) || !std::isfinite(units))
        throw std::invalid_argument("work " + std::to_string(units) + ": wanted above zero");
    work_ = units;
}

template <class Body>
sample round::run(const Body& body)
{
    round whole;
    round inner;
    whole.time([&] { body(inner); });
    if (!inner.timed_) {
        inner.wall_ = whole.wall_;
        inner.cpu_ = whole.cpu_;
    }
    return inner.summary();
}

inline sample round::summary() const
{
    auto figures = recorded_;
    figures.try_emplace("wall", wall_); // what the body recorded itself goes first
    figures.try_emplace("cpu", cpu_);
    figures["wall"] /= work_;
    figures["cpu"] /= work_;
    return sample(std::move(figures));
}

template <class Function>
std::size_t calls_for(Function&& function, std::chrono::nanoseconds at_least, std::size_t most)
{
    for (std::size_t calls = 1;; calls *= 2) {
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < calls; ++i)
            function();
        if (std::chrono::steady_clock::now() - start >= at_least || calls > most / 2)
            return calls;
    }
}

} // namespace bench
