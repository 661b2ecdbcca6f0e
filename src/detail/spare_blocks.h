// SPDX-License-Identifier: MIT
//
// spare_blocks.h: the blocks of memory that the buffers of a loop's connections use in turn.
//
// Most of the time a connection holds bytes only while it is served: a request comes, the answer
// goes, and its buffers are empty again. If each had blocks of its own, five thousand connections
// would have ten thousand of them, whose pages are faulted in one by one and are cold, in the cache
// and in the TLB, whenever their turn comes. So a buffer without a block is lent one for the turn,
// and gives it back when it is empty at the end: a few blocks serve all, and stay warm.
//
// What a buffer still holds at the end of a turn stays where it is, and the block with it.
//
// Threads: the loop's. Lifetime: the loop's; what is lent belongs to the buffer, also when that is
// destroyed with it.
#pragma once

#include <funcptr/filter.h>

#include <array>
#include <cstddef>

namespace funcptr::detail {

class spare_blocks {
public:
    /// To those of its buffers that have none, as long as there are any.
    void lend(filter& to) noexcept;
    /// From those of its buffers that are empty.
    void take_back(filter& from) noexcept;
    /// Frees what waits; to be called now and then while somebody is idle.
    void trim() noexcept;

private:
    void lend(buffer& to) noexcept;
    void take_back(buffer& from) noexcept;

    // A filter has four, and a callback that runs the loop nests a second turn in the first.
    static constexpr std::size_t most = 8;
    // A larger one is of somebody who moves much: he keeps it for his next turn, and gives it back
    // when he is idle (filter::trim()). A smaller one grows with its first read, and stays so.
    static constexpr std::size_t largest = 64 * 1024;

    std::array<buffer, most> blocks_; // the first held_ have one; who came last goes first
    std::size_t held_ = 0;
};

} // namespace funcptr::detail
