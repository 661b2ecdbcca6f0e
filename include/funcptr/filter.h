// SPDX-License-Identifier: MIT
//
// filter.h: the four-buffer contract, and the filter that does nothing.
//
//                 network side              application side
//      peer  --->  nread   --->  filter  --->  aread   --->  you read
//      peer  <---  nwrite  <---  filter  <---  awrite  <---  you write
//
// A filter turns the bytes of one side into those of the other. It has no socket, no loop, no
// thread and no clock: you fill nread and awrite, call update(), and take what lies in aread and
// nwrite. Nothing here knows any TLS library: which filter you construct decides that.
//
// The contract, kept by every filter:
//   - update() moves all that can be moved, and is the only call that moves anything. It never
//     throws, never blocks and never calls you back. What it cannot move yet stays where it is.
//   - aread and nwrite are bounded (the filter's limits); update() stops at the bound and goes on
//   at
//     the next call, after you have taken something away. pending() says that it stopped there.
//   - The end of a connection is a value: closed() turns true once, cause() says why, and neither
//     changes again. What was decrypted before the end is in aread, and what the peer must still be
//     told (an alert, a close_notify) is in nwrite: deliver both first.
//   - input_eof() after the transport's end of stream; close_write() to end your own side.
//
// It does not open, close or time anything: deadlines and the transport are its owner's affair
// (connection.h has both).
//
// Threads: one at a time. Lifetime: the buffers belong to the filter and live as long as it does,
// also when it is moved from one owner to another (their addresses stay). A filter that was moved
// from may only be destroyed or assigned to.
//
//     filter.nread().append(from_the_network);
//     filter.update();
//     use(filter.aread());
//     filter.awrite().append("hello");
//     filter.update();
//     send(filter.nwrite());
//     if (filter.closed())
//         log(filter.cause().text); // "truncated: the peer hung up without close_notify"
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "buffer.h"
#include "export.h"

namespace funcptr {

/// How far a filter has come.
enum class filter_state : std::uint8_t {
    handshaking, ///< no application bytes yet
    open,        ///< bytes go both ways, as far as neither side has ended its own
    closed,      ///< over; cause() says why
};

/// What ended a connection.
enum class close_kind : std::uint8_t {
    none,        ///< nothing has yet
    clean,       ///< both sides said that they were done (close_notify in TLS)
    truncated,   ///< the transport ended without the peer's goodbye: bytes may be missing
    peer_alert,  ///< the peer reported an error; code is its alert number (RFC 8446, 6.2)
    local_alert, ///< we found an error in what the peer sent; code is the alert we sent
    verify,      ///< the peer's certificate was not accepted; code is the reason, depth where
    limit,       ///< one of the filter's bounds was reached
    internal,    ///< the machine's fault or ours: out of memory, a library's inner error
};

/// The end of a connection as a value.
struct close_cause {
    close_kind kind = close_kind::none;
    int code = 0;       ///< alert number or verification reason; 0 where there is none
    int depth = -1;     ///< verify: 0 is the peer's own certificate; -1 where there is none
    std::string text{}; ///< one line for a person, with what may help

    explicit operator bool() const noexcept { return kind != close_kind::none; }
};

/// The name of a kind, e.g. "peer_alert".
constexpr const char* to_string(close_kind kind) noexcept
{
    switch (kind) {
    case close_kind::none:
        return "none";
    case close_kind::clean:
        return "clean";
    case close_kind::truncated:
        return "truncated";
    case close_kind::peer_alert:
        return "peer_alert";
    case close_kind::local_alert:
        return "local_alert";
    case close_kind::verify:
        return "verify";
    case close_kind::limit:
        return "limit";
    case close_kind::internal:
        return "internal";
    }
    return "unknown";
}

/// The contract. Derive from it to write an engine of your own.
class FUNCPTR_API filter {
public:
    virtual ~filter() = default;
    filter(const filter&) = delete;
    filter& operator=(const filter&) = delete;

    buffer& nread() noexcept { return *nread_; }   ///< you fill it from the network
    buffer& nwrite() noexcept { return *nwrite_; } ///< you send it to the network
    buffer& aread() noexcept { return *aread_; }   ///< you take what the peer said
    buffer& awrite() noexcept { return *awrite_; } ///< you fill it with what you say

    /// Moves what can be moved. Effect only on the four buffers and the state. A failure, out of
    /// memory too, is told by closed() and cause(). After closed() it does nothing.
    virtual void update() noexcept = 0;

    /// The transport will give no more bytes than nread holds now, e.g. read(2) returned 0. Call
    /// update() after it.
    virtual void input_eof() noexcept = 0;

    /// No more bytes will be put into awrite: once it is empty the peer is told so. The other
    /// direction stays open until the peer ends it. Call update() after it.
    virtual void close_write() noexcept = 0;

    virtual filter_state state() const noexcept = 0;
    /// It is over: nothing will move any more, and cause() says why.
    bool closed() const noexcept { return state() == filter_state::closed; }

    /// The peer has ended its side, or the connection is over: nothing more will come into aread.
    virtual bool read_closed() const noexcept = 0;

    /// Our side has ended, or the connection is over: nothing more will come into nwrite. Once that
    /// is empty the transport's write side may be shut down, e.g. by shutdown(2) with SHUT_WR.
    virtual bool write_closed() const noexcept = 0;

    /// update() left something undone because aread or nwrite is at its bound: take something away
    /// and call it again; no event of the transport will come for what is already here.
    virtual bool pending() const noexcept = 0;

    /// Why it closed; kind is none until then, and never changes afterwards.
    virtual const close_cause& cause() const noexcept = 0;

    /// Gives back the heap that an idle connection does not need. Call it when idle; the next
    /// update() takes what it needs again.
    virtual void trim() noexcept = 0;

    /// Bytes of heap in the filter's own buffers (not what a TLS library holds behind them).
    virtual std::size_t memory() const noexcept = 0;

protected:
    /// The buffers must stay where they are for as long as the filter lives, moves included.
    filter(buffer& nread, buffer& nwrite, buffer& aread, buffer& awrite) noexcept
        : nread_(&nread)
        , nwrite_(&nwrite)
        , aread_(&aread)
        , awrite_(&awrite)
    {
    }
    filter(filter&&) noexcept = default;
    filter& operator=(filter&&) noexcept = default;

private:
    buffer* nread_;
    buffer* nwrite_;
    buffer* aread_;
    buffer* awrite_;
};

/// The filter that does nothing: nread and aread are one buffer, and so are awrite and nwrite, so
/// that no byte is ever copied and the same user code runs with and without TLS. It is open from
/// the start; with no goodbye of its own, every end of stream is a clean one. It closes when both
/// sides have ended and the last byte has left nwrite.
class plain_filter final : public filter {
public:
    struct limits {
        /// Most bytes that wait for the application. 256 KiB: a few reads of a fast peer.
        std::size_t read = 256 * 1024;
        /// Most bytes that wait for the network. 64 MiB: a whole large answer may be put at once.
        std::size_t write = 64 * 1024 * 1024;
    };

    /// Throws std::bad_alloc.
    plain_filter()
        : plain_filter(limits())
    {
    }
    explicit plain_filter(limits bound)
        : plain_filter(std::make_unique<pipes>(bound))
    {
    }

    void update() noexcept override
    {
        if (closed_ || !read_closed_ || !write_closed_ || !nwrite().empty())
            return;
        closed_ = true;
    }
    void input_eof() noexcept override { read_closed_ = true; }
    void close_write() noexcept override { write_closed_ = true; }
    filter_state state() const noexcept override
    {
        return closed_ ? filter_state::closed : filter_state::open;
    }
    bool read_closed() const noexcept override { return read_closed_; }
    bool write_closed() const noexcept override { return write_closed_; }
    bool pending() const noexcept override { return false; }
    /// One of two, the same for all.
    const close_cause& cause() const noexcept override
    {
        static const close_cause none, clean{.kind = close_kind::clean, .text = "clean"};
        return closed_ ? clean : none;
    }
    void trim() noexcept override
    {
        if (pipes_->in.empty())
            pipes_->in.shrink();
        if (pipes_->out.empty())
            pipes_->out.shrink();
    }
    std::size_t memory() const noexcept override
    {
        return pipes_->in.capacity() + pipes_->out.capacity();
    }

private:
    struct pipes {
        explicit pipes(const limits& bound)
            : in(bound.read)
            , out(bound.write)
        {
        }
        buffer in;
        buffer out;
    };

    explicit plain_filter(std::unique_ptr<pipes> both)
        : filter(both->in, both->out, both->in, both->out)
        , pipes_(std::move(both))
    {
    }

    std::unique_ptr<pipes> pipes_; // on the heap, so that a move leaves their addresses as they are
    bool read_closed_ = false;
    bool write_closed_ = false;
    bool closed_ = false;
};

} // namespace funcptr
