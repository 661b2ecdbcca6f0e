// SPDX-License-Identifier: MIT
//
// processors.h: the server has one processor and the client another, as they are different machines
// in earnest. Left to the scheduler they may share one, as they do when another program runs: then
// the server's time is the client's time, too, and p99 is a time slice.
//
// Threads: those that call. Lifetime: first_processor undoes what it did.
#pragma once

#include <sched.h>

#include <thread>

namespace bench {

/// Where there is only one processor nothing is bound to it.
inline void use_processor(unsigned number)
{
    if (std::thread::hardware_concurrency() < 2)
        return;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(number, &only);
    ::sched_setaffinity(0, sizeof only, &only);
}

/// Binds the thread to the first processor while it lives.
class first_processor {
public:
    first_processor()
    {
        ::sched_getaffinity(0, sizeof before_, &before_);
        use_processor(0);
    }
    first_processor(const first_processor&) = delete;
    first_processor& operator=(const first_processor&) = delete;
    ~first_processor() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
    cpu_set_t before_{};
};

} // namespace bench
