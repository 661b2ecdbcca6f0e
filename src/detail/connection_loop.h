// SPDX-License-Identifier: MIT
//
// connection_loop.h: what the connections of one loop have in common.
//
// Threads: the loop's. Lifetime: the loop's.
#pragma once

#include <funcptr/loop.h>

#include "handshake_turns.h"
#include "ready_order.h"
#include "shared_options.h"
#include "spare_blocks.h"

namespace funcptr::detail {

struct connection_loop final : loop_extension {
    explicit connection_loop(loop_state& state)
        : turns(state.loop())
        , departures(state.loop(), 32) // of 250 seven, 0.1 ms: docs/decisions.md
        , order(state.loop())
    {
    }

    shared_options options;
    handshake_turns turns;
    handshake_turns departures;
    ready_order order;
    spare_blocks blocks;
};

} // namespace funcptr::detail
