// SPDX-License-Identifier: MIT
//
// net_deadlines.h: which of a connection's deadlines is next.
//
// Arithmetic alone: no clock, no timer. Times are seconds on any clock that does not go back,
// ev_now() in the connection and plain numbers in the tests. A byte that moves only notes the time
// here; the owner's one timer fires at the earliest deadline it knew of, asks again, and mostly
// sleeps on.
#pragma once

#include <funcptr/connection.h>

#include <limits>

namespace funcptr::detail {

class deadlines {
public:
    static constexpr double never = std::numeric_limits<double>::infinity();

    enum class kind : std::uint8_t { none, handshake, idle, write_stall, linger, trim };
    struct next {
        double at = never;
        kind what = kind::none;
    };

    deadlines(const connection_options& options, double now)
        : options_(&options)
        , started_(now)
        , active_(now)
        , progress_(now)
    {
    }

    /// The filter is open: no handshake deadline any more.
    void opened() noexcept { opened_ = true; }
    /// A byte came or went.
    void moved(double now) noexcept
    {
        active_ = now;
        trimmed_ = false;
    }
    /// Nothing waits to be written, or some of it was sent.
    void progress(double now) noexcept { progress_ = now; }
    /// All is said, and the peer's end is waited for. The first call counts.
    void linger(double now) noexcept
    {
        if (lingering_since_ == never)
            lingering_since_ = now;
    }
    /// Once for each quiet time.
    void trimmed() noexcept { trimmed_ = true; }

    /// waiting: something is to be written.
    next earliest(bool waiting) const noexcept
    {
        next found;
        const auto consider = [&](std::chrono::milliseconds limit, double since, kind what) {
            const double at = since + std::chrono::duration<double>(limit).count();
            if (limit.count() > 0 && at < found.at)
                found = {at, what};
        };
        consider(options_->linger, lingering_since_, kind::linger);
        if (!opened_ && lingering_since_ == never)
            consider(options_->handshake, started_, kind::handshake);
        if (waiting)
            consider(options_->write_stall, progress_, kind::write_stall);
        consider(options_->idle, active_, kind::idle);
        if (!trimmed_)
            consider(options_->trim_after, active_, kind::trim);
        return found;
    }

private:
    const connection_options* options_;
    double started_;
    double active_;   // the last byte in either direction
    double progress_; // nothing waited, or a byte was sent
    double lingering_since_ = never;
    bool opened_ = false;
    bool trimmed_ = false;
};

constexpr const char* to_string(deadlines::kind kind) noexcept
{
    switch (kind) {
    case deadlines::kind::none:
        break;
    case deadlines::kind::handshake:
        return "handshake";
    case deadlines::kind::idle:
        return "idle";
    case deadlines::kind::write_stall:
        return "write stall";
    case deadlines::kind::linger:
        return "linger";
    case deadlines::kind::trim:
        return "trim";
    }
    return "no";
}

} // namespace funcptr::detail
