// SPDX-License-Identifier: MIT
#include "detail/spare_blocks.h"

namespace funcptr::detail {

void spare_blocks::lend(filter& to) noexcept
{
    lend(to.nread());
    lend(to.aread()); // of a plain filter it is the same one, and has its block now
    lend(to.awrite());
    lend(to.nwrite());
}

void spare_blocks::take_back(filter& from) noexcept
{
    // The other way round, so that each buffer gets the same block again, and its warm lines.
    take_back(from.nwrite());
    take_back(from.awrite());
    take_back(from.aread());
    take_back(from.nread());
}

void spare_blocks::trim() noexcept
{
    while (held_ != 0)
        blocks_[--held_].shrink(); // an empty one never throws
}

void spare_blocks::lend(buffer& to) noexcept
{
    if (to.capacity() != 0 || held_ == 0 || blocks_[held_ - 1].capacity() > to.limit())
        return;
    to.swap_blocks(blocks_[--held_]);
}

void spare_blocks::take_back(buffer& from) noexcept
{
    if (!from.empty() || from.capacity() == 0 || from.capacity() > largest)
        return;
    if (held_ == most)
        from.shrink();
    else
        from.swap_blocks(blocks_[held_++]);
}

} // namespace funcptr::detail
