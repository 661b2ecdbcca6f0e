// SPDX-License-Identifier: MIT
//
// buffer.h: bytes in a queue: append at the tail, consume from the head.
//
// One contiguous block with a head and a tail offset. consume() moves the head; nothing is copied
// until room is needed at the tail, and then the live bytes move at most once for every byte that
// was consumed since, so both ends cost O(1) a byte however large the backlog is (a std::string
// with erase(0, n) is quadratic). prepare()/commit() let read(2) or SSL_read write in place.
//
// It does not grow past limit(), and it does not shrink by itself: call shrink() when idle.
//
// Threads: none of its own; one thread at a time. Lifetime: a span or view is valid until the next
// call that is not const. A moved-from buffer is empty and keeps its limit.
//
//     funcptr::buffer in(64 * 1024);
//     auto room = in.prepare(4096);
//     in.commit(::read(fd, room.data(), room.size()));
//     while (auto line = take_line(in.view())) {
//         use(*line);
//         in.consume(line->size());
//     }
#pragma once

#ifdef __linux__
#    include <sys/mman.h>
#endif

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace funcptr {

class buffer {
public:
    /// The limit of a buffer that somebody else bounds: as much as memory holds.
    static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

    /// limit: the most bytes it may hold; append() and prepare() refuse to go past it.
    explicit buffer(std::size_t limit = unlimited) noexcept
        : limit_(limit)
    {
    }

    buffer(buffer&& other) noexcept
        : block_(std::move(other.block_))
        , capacity_(std::exchange(other.capacity_, 0))
        , head_(std::exchange(other.head_, 0))
        , tail_(std::exchange(other.tail_, 0))
        , limit_(other.limit_)
    {
    }
    buffer& operator=(buffer&& other) noexcept
    {
        if (this != &other) {
            block_ = std::move(other.block_);
            capacity_ = std::exchange(other.capacity_, 0);
            head_ = std::exchange(other.head_, 0);
            tail_ = std::exchange(other.tail_, 0);
            limit_ = other.limit_;
        }
        return *this;
    }
    ~buffer() = default;

    std::size_t size() const noexcept { return tail_ - head_; }
    bool empty() const noexcept { return head_ == tail_; }
    /// How many bytes of heap it holds.
    std::size_t capacity() const noexcept { return capacity_; }
    std::size_t limit() const noexcept { return limit_; }
    /// Takes effect for what is appended from now on; what is held already stays.
    void limit(std::size_t bytes) noexcept { limit_ = bytes; }
    /// How many bytes append() would still take.
    std::size_t room() const noexcept { return size() >= limit_ ? 0 : limit_ - size(); }

    /// The bytes held, oldest first.
    std::span<const std::byte> data() const noexcept { return {block_.get() + head_, size()}; }
    /// The same bytes as text.
    std::string_view view() const noexcept
    {
        return {reinterpret_cast<const char*>(block_.get() + head_), size()};
    }

    /// All of the bytes or none: false when they do not fit under limit(). The bytes may lie in
    /// this very buffer. Throws std::bad_alloc.
    bool append(std::span<const std::byte> bytes)
    {
        if (bytes.empty())
            return true;
        if (bytes.size() > room())
            return false;
        if (capacity_ - tail_ < bytes.size())
            return append_after_growth(bytes);
        std::memmove(block_.get() + tail_, bytes.data(), bytes.size());
        tail_ += bytes.size();
        return true;
    }
    bool append(std::string_view text) { return append(std::as_bytes(std::span(text))); }
    /// All that `other` holds, which is empty then; or nothing: false when it does not fit under
    /// limit(). Nothing is copied when this one is empty: the two then change blocks, and each
    /// keeps its limit. REQUIRES: another buffer. Throws std::bad_alloc, and nothing has changed.
    bool append(buffer&& other)
    {
        assert(this != &other);
        if (other.empty())
            return true;
        if (!empty()) {
            const bool taken = append(other.data());
            if (taken)
                other.clear();
            return taken;
        }
        if (other.size() > room())
            return false;
        clear();
        std::swap(block_, other.block_);
        std::swap(capacity_, other.capacity_);
        std::swap(head_, other.head_);
        std::swap(tail_, other.tail_);
        return true;
    }

    /// The two change blocks, and each keeps its limit: memory that one does not need for another.
    /// REQUIRES: both are empty.
    void swap_blocks(buffer& other) noexcept
    {
        assert(empty() && other.empty());
        std::swap(block_, other.block_);
        std::swap(capacity_, other.capacity_);
        clear();
        other.clear();
    }

    /// At least min(bytes, room()) writable bytes after the tail (uninitialised), at most room();
    /// empty when the buffer is full. They become part of the buffer by commit(). Throws
    /// std::bad_alloc.
    std::span<std::byte> prepare(std::size_t bytes)
    {
        const std::size_t wanted = std::min(bytes, room());
        if (capacity_ - tail_ < wanted)
            make_room(wanted);
        return {block_.get() + tail_, std::min(capacity_ - tail_, room())};
    }
    /// REQUIRES: bytes <= the size of the last prepare()'s span.
    void commit(std::size_t bytes) noexcept
    {
        assert(bytes <= capacity_ - tail_);
        tail_ += bytes;
    }

    /// Drops bytes from the head. REQUIRES: bytes <= size().
    void consume(std::size_t bytes) noexcept
    {
        assert(bytes <= size());
        head_ += bytes;
        if (head_ == tail_)
            head_ = tail_ = 0; // the cheapest compaction there is
    }
    void clear() noexcept { head_ = tail_ = 0; }

    /// Gives back the heap that the bytes held do not need. May move them. Throws std::bad_alloc
    /// (and then nothing has changed); an empty buffer never throws.
    void shrink()
    {
        if (capacity_ != size())
            reallocate(size());
    }

private:
    static constexpr std::size_t smallest = 512; // below this, growing costs more than it saves

    bool append_after_growth(std::span<const std::byte> bytes)
    {
        const auto* first = block_.get();
        const bool own = std::less_equal<>()(first, bytes.data()) && capacity_ != 0
                         && std::less<>()(bytes.data(), first + capacity_);
        const auto offset = own ? static_cast<std::size_t>(bytes.data() - (first + head_)) : 0;
        make_room(bytes.size());
        const auto* source = own ? block_.get() + head_ + offset : bytes.data();
        std::memmove(block_.get() + tail_, source, bytes.size());
        tail_ += bytes.size();
        return true;
    }

    void make_room(std::size_t bytes)
    {
        // Moving is only worth it when at least half of the block was consumed: then every byte
        // moved is paid for by a byte consumed, which is what makes both ends O(1).
        if (capacity_ - size() >= bytes && head_ >= size())
            return compact();
        if (bytes > unlimited / 2 - size())
            throw std::bad_alloc();
        const std::size_t needed = size() + bytes;
        reallocate(std::min(std::max({needed, 2 * size(), smallest}), std::max(limit_, needed)));
    }
    void compact() noexcept
    {
        const std::size_t held = size();
        std::memmove(block_.get(), block_.get() + head_, held);
        head_ = 0;
        tail_ = held;
    }
    /// What is so large comes fresh from the kernel, and to touch it costs a fault for each page of
    /// 4 KiB, more than to fill it: by pages of 2 MiB it is next to nothing (madvise(2); where the
    /// administrator has not forbidden it).
    static void want_huge_pages([[maybe_unused]] std::span<std::byte> block) noexcept
    {
#ifdef MADV_HUGEPAGE
        constexpr std::size_t huge = 2 * 1024 * 1024;
        if (block.size() < 2 * huge)
            return;
        void* first = block.data();
        std::size_t left = block.size();
        if (std::align(huge, huge, first, left) != nullptr)
            (void)::madvise(first, left / huge * huge, MADV_HUGEPAGE);
#endif
    }
    void reallocate(std::size_t capacity)
    {
        // for_overwrite: zeroing what is about to be written costs as much as the copy itself.
        std::unique_ptr<std::byte[]> block;
        const std::size_t held = size();
        if (capacity != 0) {
            block = std::make_unique_for_overwrite<std::byte[]>(capacity);
            want_huge_pages({block.get(), capacity});
        }
        if (capacity != 0 && held != 0)
            std::memcpy(block.get(), block_.get() + head_, held);
        block_ = std::move(block);
        capacity_ = capacity;
        head_ = 0;
        tail_ = held;
    }

    // INVARIANT: head_ <= tail_ <= capacity_, and block_ holds capacity_ bytes.
    std::unique_ptr<std::byte[]> block_;
    std::size_t capacity_ = 0;
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
    std::size_t limit_;
};

} // namespace funcptr
