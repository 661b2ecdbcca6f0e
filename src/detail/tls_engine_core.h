// SPDX-License-Identifier: MIT
//
// tls_engine_core.h: what every TLS engine has, whatever library is inside: four buffers, the link
// to the library, and how far the connection has come.
//
// Three marks on nwrite keep it bounded without a deadlock:
//
//     0 ----------- nwrite ------------- half-way ------------- nwrite_hard
//                   awrite waits         reading waits          cause limit
//
// If reading waited where awrite does, two ends that both have much to say would each stop reading
// for want of the other's reading, for ever. Reading alone only makes small answers, so between the
// first mark and the second it goes on.
//
// It lives on the heap and never moves, so that the library's callbacks and the filter's base class
// may point into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

#include "funcptr/buffer.h"
#include "funcptr/filter.h"
#include "tls_link.h"
#include "tls_names.h"

namespace funcptr::detail {

constexpr std::size_t largest_record = 16 * 1024; // of plaintext: RFC 8446, 5.1
// 1,460 (an Ethernet frame's TCP payload) less 40 for IPv6 and TCP options and 22 to 37 for TLS.
constexpr std::size_t small_record = 1300;
constexpr std::size_t data_that_excuses_key_updates = 1024 * 1024;

struct tls_engine_core {
    /// bound must live as long as this: it belongs to the state that the engine holds.
    tls_engine_core(const tls_limits& bound, unsigned small)
        : limits(bound)
        , nread(bound.nread)
        , nwrite(bound.nwrite_hard)
        , aread(bound.aread)
        , awrite(bound.awrite)
        , small_records_(small)
        , small_left_(small)
    {
        link.in = &nread;
        link.out = &nwrite;
        link.limits = &bound;
    }
    tls_engine_core(const tls_engine_core&) = delete;
    tls_engine_core& operator=(const tls_engine_core&) = delete;

    std::size_t memory() const noexcept
    {
        return nread.capacity() + nwrite.capacity() + aread.capacity() + awrite.capacity();
    }
    bool no_room_to_read() const noexcept
    {
        return aread.room() == 0
               || nwrite.size() >= limits.nwrite + (limits.nwrite_hard - limits.nwrite) / 2;
    }
    bool no_room_to_write() const noexcept { return nwrite.size() >= limits.nwrite; }
    std::size_t next_record_size() const noexcept
    {
        return small_left_ == 0 ? largest_record : small_record;
    }

    /// Plaintext was read.
    void note_read(std::size_t size) noexcept
    {
        if ((data_since_update_ += size) >= data_that_excuses_key_updates)
            data_since_update_ = link.key_updates = 0;
    }
    /// A record was written. True when its key has served long enough.
    bool note_written() noexcept
    {
        small_left_ -= small_left_ == 0 ? 0 : 1;
        if (++records_ < limits.records_per_key)
            return false;
        records_ = 0;
        return true;
    }

    void finish(close_cause why) noexcept
    {
        cause = std::move(why);
        stage = filter_state::closed;
        pending = false;
    }

    /// Takes over bytes that came before TLS began.
    bool adopt(buffer& plain)
    {
        if (started || !nread.append(plain.view()))
            return false;
        plain.clear();
        return true;
    }
    /// What the peer sent after a clean end of TLS.
    std::string_view leftover() const noexcept
    {
        const bool clean = cause.kind == close_kind::none || cause.kind == close_kind::clean;
        return clean && read_closed ? nread.view() : std::string_view();
    }

    /// Shrinking a buffer that holds something needs memory, and may be refused.
    void trim_buffers() noexcept
    {
        small_left_ = small_records_;
        for (buffer* each : {&nread, &nwrite, &aread, &awrite}) {
            try {
                each->shrink();
            } catch (const std::bad_alloc&) {
                return;
            }
        }
    }

    const tls_limits& limits;
    buffer nread;
    buffer nwrite;
    buffer aread;
    buffer awrite;
    tls_link link;
    peer_name name;
    close_cause cause; // INVARIANT: kind is none exactly as long as stage is not closed
    filter_state stage = filter_state::handshaking;
    bool started = false;      // update() was called
    bool read_closed = false;  // the peer's close_notify was read
    bool close_wanted = false; // close_write() was called
    bool write_closed = false; // our close_notify stands in nwrite, or has left
    bool pending = false;

private:
    unsigned small_records_;
    unsigned small_left_;               // records still to be kept within one segment
    std::uint64_t records_ = 0;         // sent under the present key
    std::size_t data_since_update_ = 0; // plaintext received since key_updates was reset
};

} // namespace funcptr::detail
