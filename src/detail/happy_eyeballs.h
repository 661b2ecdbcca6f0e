// SPDX-License-Identifier: MIT
//
// happy_eyeballs.h: which address is tried next (RFC 8305, 3 and 4). Arithmetic alone: no socket,
// no clock.
//
// The families take turns, IPv6 first, each in the order of its resolver. An answer that comes late
// takes its turn among what is left. IPv4 alone does not begin while IPv6 is still being asked for:
// who owns this waits for a moment, and calls hurry() then.
#pragma once

#include <funcptr/address.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace funcptr::detail {

class happy_eyeballs {
public:
    /// most: addresses of each family that count.
    explicit happy_eyeballs(std::size_t most)
        : most_(most)
    {
    }

    /// A family's answer, once for each; no addresses when there are none.
    void answered(address_family family, const std::vector<address>& found)
    {
        auto& side = side_of(family);
        side.answered = true;
        for (const auto& each : found)
            if (side.left.size() < most_
                && std::find(side.left.begin(), side.left.end(), each) == side.left.end())
                side.left.push_back(each);
    }
    /// IPv6 has been waited for long enough.
    void hurry() noexcept { hurried_ = true; }

    /// IPv4 is there, and only the answer about IPv6 is waited for.
    bool is_waiting() const noexcept
    {
        return !hurried_ && !begun_ && !six().answered && !four().left.empty();
    }
    /// Both families have answered.
    bool complete() const noexcept { return six().answered && four().answered; }

    std::optional<address> next()
    {
        if (is_waiting())
            return std::nullopt;
        auto* from = &sides_[turn_];
        if (from->left.empty())
            from = &sides_[1 - turn_];
        if (from->left.empty())
            return std::nullopt;
        begun_ = true;
        turn_ = from == &sides_[0] ? 1 : 0;
        const auto found = from->left.front();
        from->left.pop_front();
        return found;
    }
    bool empty() const noexcept { return six().left.empty() && four().left.empty(); }

private:
    struct queue {
        std::deque<address> left;
        bool answered = false;
    };
    queue& side_of(address_family family) { return sides_[family == address_family::ipv6 ? 0 : 1]; }
    const queue& six() const noexcept { return sides_[0]; }
    const queue& four() const noexcept { return sides_[1]; }

    std::array<queue, 2> sides_; // IPv6, IPv4
    std::size_t most_;
    std::size_t turn_ = 0;
    bool begun_ = false;
    bool hurried_ = false;
};

} // namespace funcptr::detail
