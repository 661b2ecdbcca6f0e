// SPDX-License-Identifier: MIT
//
// allocation_count.h: how often a thread asks the heap for memory. It replaces the program's
// operator new, so include it in one source file only. A library that has its own hooks (OpenSSL's
// CRYPTO_set_mem_functions) is counted when its hook calls count_allocation(); malloc is not.
//
// Threads: only the one that counts is counted.
//
//     bench::allocation_count count;
//     run();
//     std::cout << count.so_far();
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

#include "round.h"

namespace bench::detail {

inline thread_local std::uint64_t* counts_allocations = nullptr;

inline void count_allocation() noexcept
{
    if (counts_allocations != nullptr)
        ++*counts_allocations;
}
inline void* allocated(void* memory)
{
    count_allocation();
    return memory != nullptr ? memory : throw std::bad_alloc();
}

} // namespace bench::detail

// The other forms of new and delete call these. Not inlined: g++ would see a new that it did not
// inline meet a free, and warn.
[[gnu::noinline]] void* operator new(std::size_t size)
{
    return bench::detail::allocated(std::malloc(std::max<std::size_t>(size, 1)));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment)
{
    const auto step = static_cast<std::size_t>(alignment);
    return bench::detail::allocated(std::aligned_alloc(step, (size + step - 1) / step * step));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    std::free(memory);
}

namespace bench {

/// Counts the calls of operator new by this thread while it lives. One at a time.
class allocation_count {
public:
    allocation_count() { detail::counts_allocations = &count_; }
    allocation_count(const allocation_count&) = delete;
    allocation_count& operator=(const allocation_count&) = delete;
    ~allocation_count() { detail::counts_allocations = nullptr; }

    std::uint64_t so_far() const { return count_; }

private:
    std::uint64_t count_ = 0;
};

/// That the counter counts, shown by what must not be 0.
inline void check_allocation_count()
{
    const allocation_count count;
    const auto one = std::make_unique<int>(1);
    keep(one);
    if (count.so_far() == 0)
        throw std::logic_error("operator new is not counted in this build");
}

} // namespace bench
