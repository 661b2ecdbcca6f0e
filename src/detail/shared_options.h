// SPDX-License-Identifier: MIT
//
// shared_options.h: a loop's connections mostly have the same options; 100 bytes of each are saved
// by keeping one copy. Only the last ones are remembered: a server gives the same to all that it
// accepts, and who alternates between two pays what everybody paid before.
//
// Threads: the loop's. Lifetime: of the loop; what was shared outlives it.
#pragma once

#include <funcptr/connection.h>

#include <memory>

namespace funcptr::detail {

class shared_options {
public:
    std::shared_ptr<const connection_options> share(const connection_options& wanted)
    {
        if (!last_ || !(*last_ == wanted))
            last_ = std::make_shared<const connection_options>(wanted);
        return last_;
    }

private:
    std::shared_ptr<const connection_options> last_;
};

} // namespace funcptr::detail
