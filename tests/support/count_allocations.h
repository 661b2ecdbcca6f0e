// SPDX-License-Identifier: MIT
//
// count_allocations.h: counts what the current thread allocates by operator new, or refuses it.
// Include it in one translation unit of a program: it replaces the global operators. Under
// sanitizers, which have their own, it does neither, and counts_allocations is false.
//
//     std::size_t count = 0;
//     {
//         const funcptr::testing::allocation_counter counter(count);
//         …
//     }
//     if (funcptr::testing::counts_allocations)
//         EXPECT_EQ(count, 0u);
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define FUNCPTR_TEST_SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define FUNCPTR_TEST_SANITIZED 1
#    endif
#endif

namespace funcptr::testing {

#ifdef FUNCPTR_TEST_SANITIZED
inline constexpr bool counts_allocations = false;
#else
inline constexpr bool counts_allocations = true;
#endif

inline thread_local std::size_t* allocations = nullptr;

/// Counts into `to` as long as it lives.
class allocation_counter {
public:
    explicit allocation_counter(std::size_t& to) { allocations = &to; }
    allocation_counter(const allocation_counter&) = delete;
    allocation_counter& operator=(const allocation_counter&) = delete;
    ~allocation_counter() { allocations = nullptr; }
};

inline thread_local std::size_t refused_from = static_cast<std::size_t>(-1);

/// As long as it lives there is no memory for pieces of so many bytes and more.
class no_memory {
public:
    explicit no_memory(std::size_t from = 0) { refused_from = from; }
    no_memory(const no_memory&) = delete;
    no_memory& operator=(const no_memory&) = delete;
    ~no_memory() { refused_from = static_cast<std::size_t>(-1); }
};

} // namespace funcptr::testing

#ifndef FUNCPTR_TEST_SANITIZED
void* operator new(std::size_t size)
{
    if (funcptr::testing::allocations != nullptr)
        ++*funcptr::testing::allocations;
    if (size >= funcptr::testing::refused_from)
        throw std::bad_alloc();
    if (void* const memory = std::malloc(size == 0 ? 1 : size))
        return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}
#endif
