// SPDX-License-Identifier: MIT
//
// own_pages.h: what a process has to do after a fork(2) before it measures itself.
//
// All memory is shared then until one of the two writes to it: the first write to each page is a
// fault, a copy, and an interrupt of the other processor, whose TLB must forget the page. A server
// that handles thousands of connections pays that thousands of times, the more the larger its heap
// is. The clients of a server in earnest are no copies of it.
//
// Threads: any. Lifetime: nothing is kept.
//
//     child = fork();
//     if (child != 0)
//         bench::own_pages();
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <fstream>
#include <ios>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

/// Takes the copies now: all private memory is written to (MADV_POPULATE_WRITE of madvise(2), Linux
/// 5.14). Where the kernel cannot, nothing is done, and the figures have the faults in them.
inline void own_pages()
{
#ifdef MADV_POPULATE_WRITE
    struct range {
        std::uintptr_t first, last;
    };
    std::vector<range> writable;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream words(line);
        range each{};
        char dash = 0;
        std::string access;
        if (words >> std::hex >> each.first >> dash >> each.last >> access && access == "rw-p")
            writable.push_back(each);
    }
    for (const auto& each : writable)
        (void)::madvise(reinterpret_cast<void*>(each.first), each.last - each.first,
                        MADV_POPULATE_WRITE);
#endif
}

} // namespace bench
