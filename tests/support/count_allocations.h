// SPDX-License-Identifier: MIT
//
// count_allocations.h: counts what the current thread allocates by operator new, or refuses it.
// Include it in one translation unit of a program: it replaces the global operators, those of a
// sanitizer too (which still sees malloc and free).
//
//     std::size_t count = 0;
//     {
//         const funcptr::testing::allocation_counter counter(count);
//         …
//     }
//     EXPECT_EQ(count, 0u);
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace funcptr::testing {

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
// Those of the standard library come by the ones above; those of a sanitizer do not.
void* operator new[](std::size_t size)
{
    return operator new(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept
{
    try {
        return operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void* operator new[](std::size_t size, const std::nothrow_t& none) noexcept
{
    return operator new(size, none);
}
void operator delete[](void* memory) noexcept
{
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept
{
    std::free(memory);
}
