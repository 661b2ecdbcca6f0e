// SPDX-License-Identifier: MIT
//
// connection.h: a descriptor, a filter and its deadlines on a loop.
//
// The bytes walk: socket, nread, filter, aread, on_data(); write(), awrite, filter, nwrite, socket.
// With an SSLFilter it is TLS and with a plain_filter it is not, and nothing else differs. It
// writes directly and waits for the socket only when that is full; it reads a bounded amount at a
// turn, and nothing while too much waits to be written. Every way in which it can end comes to one
// place, on_close(), with the cause and a line for the log.
//
// Of the connections that are ready at the same turn of the loop, the one that was served longest
// ago comes first; all of them after the watchers of default priority.
//
// It does not connect, listen, or know a protocol.
//
// Threads: those of the loop. Lifetime: the loop must outlive it; a tls_context need not. Legal in
// any callback: everything, destroying the connection included. Destroying it closes the socket at
// once, and calls nothing.
//
//     funcptr::connection_set connections(loop);
//     funcptr::listener listener(loop, "*:7020", [&](funcptr::accepted peer) {
//         auto& c = connections.add(std::move(peer), funcptr::SSLFilter(tls));
//         c.on_data([](funcptr::connection& c, funcptr::buffer& in) { c.write(in); });
//     });
//     funcptr::run(loop);
#pragma once

#include <ev++.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "buffer.h"
#include "export.h"
#include "filter.h"
#include "socket.h"

namespace funcptr {

class connection;

namespace detail {
struct gone_handler;
void when_gone(connection& of, gone_handler handler);
} // namespace detail

/// Every deadline may be 0: none.
struct connection_options {
    /// Until the filter is open. 10 s: a handshake takes some round trips, and a silent client
    /// holds a descriptor.
    std::chrono::milliseconds handshake = std::chrono::seconds(10);
    /// Without a byte in either direction. 2 minutes: longer than the pauses of a protocol that
    /// pings every minute.
    std::chrono::milliseconds idle = std::chrono::minutes(2);
    /// Something waits to be written and nothing can be. 30 s: longer than a TCP retransmission
    /// storm that recovers.
    std::chrono::milliseconds write_stall = std::chrono::seconds(30);
    /// After our last byte, until the peer has closed too, so that it reads what we said: a close
    /// with unread bytes would be a reset, and destroy it. 2 s.
    std::chrono::milliseconds linger = std::chrono::seconds(2);
    /// Without a byte in either direction the filter's idle memory is given back. 1 s.
    std::chrono::milliseconds trim_after = std::chrono::seconds(1);

    /// Handshakes that go on at one turn of the loop, over all of its connections; the others wait
    /// in the order in which they came. 16: a full one costs a server some 0.3 ms, so a storm of
    /// thousands keeps everything else on the loop waiting for 5 ms and not for seconds. Of those
    /// that their peers have left in the middle one is cleared away at a turn, or one in 32 where
    /// they are more. 0: all.
    unsigned handshakes_per_turn = 16;

    /// Bytes read at a turn of the loop, so that one fast peer does not keep the others waiting.
    /// 256 KiB: some hundred microseconds.
    std::size_t read_per_turn = 256 * 1024;
    /// Bytes asked for in one read. 17 KiB: one TLS record with all that it may have beside 16 KiB
    /// of plaintext (RFC 8446, 5.2), so that a record is not cut in two reads.
    std::size_t read_chunk = 17 * 1024;
    /// Above this many bytes that wait to be written (plain and encrypted together) nothing is
    /// read, and at low_water (at most high_water) reading goes on and on_drain is called. 1 MiB
    /// and 256 KiB.
    std::size_t high_water = 1024 * 1024;
    std::size_t low_water = 256 * 1024;
    /// Goes on reading above high_water. False: what a server answers is bounded by what it reads.
    /// True for a client that writes more than high_water at once: two ends that both wait for the
    /// other to read would wait for ever.
    bool read_while_high = false;
    /// Above this the connection is closed (close_by::limit): the writer ignored high_water, and
    /// the peer does not read. 64 MiB.
    std::size_t backlog_limit = 64 * 1024 * 1024;
    /// The peer's end of stream ends ours too, once what waits is written. False: the other
    /// direction stays open until end().
    bool close_with_peer = true;

    friend bool operator==(const connection_options&, const connection_options&) = default;
};

/// Who or what ended it.
enum class close_by : std::uint8_t {
    peer,     ///< it said goodbye
    filter,   ///< see close_reason::cause: a TLS failure, a truncation
    socket,   ///< see close_reason::error: reset, unreachable…
    deadline, ///< see close_reason::text for which
    limit,    ///< backlog_limit
    user,     ///< close() or abort()
};

struct close_reason {
    close_by by = close_by::peer;
    std::error_code error; ///< of the socket, when it was the socket; ENOMEM
    close_cause cause;     ///< of the filter, when it had one
    /// One line for the log, e.g. "192.0.2.7:4711: local_alert: the client spoke plain HTTP; 78
    /// bytes in, 0 out".
    std::string text;
};

class FUNCPTR_API connection {
public:
    /// Takes the socket as listener accepted it (connected, non-blocking). Throws std::bad_alloc,
    /// and std::invalid_argument without a socket or filter or with options that make no sense.
    connection(ev::loop_ref loop, accepted peer, std::unique_ptr<filter> through,
               const connection_options& options = {});
    /// The same with a filter by value: connection(loop, std::move(peer), SSLFilter(tls)).
    template <class Filter>
    requires std::is_base_of_v<filter, Filter> connection(ev::loop_ref loop, accepted peer,
                                                          Filter through,
                                                          const connection_options& options = {})
        : connection(loop, std::move(peer), std::make_unique<Filter>(std::move(through)), options)
    {
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    /// The handshake is done; at once, from the loop, with a plain_filter.
    void on_open(std::function<void(connection&)> handler);
    /// Bytes have come. Take them with in.consume(); what is left is shown again together with what
    /// comes next. A handler that leaves a full buffer stops the reading until resume_reading().
    /// Take them in the handler alone: elsewhere the connection does not see that they were taken.
    void on_data(std::function<void(connection&, buffer& in)> handler);
    /// What waits to be written has fallen to low_water, after it had been above high_water:
    /// whoever stops writing when he sees backlog() above high_water is called here, always.
    void on_drain(std::function<void(connection&)> handler);
    /// The peer will send no more. Called once, after its last bytes were shown, also when on_data
    /// has left some of them.
    void on_end(std::function<void(connection&)> handler);
    /// It is over: called once, last, always from the loop.
    void on_close(std::function<void(connection&, const close_reason&)> handler);

    /// Sends the bytes, or keeps a copy until they can be sent. False, and nothing is kept, when it
    /// is closing already, or backlog_limit is passed or memory used up (which close it).
    bool write(std::span<const std::byte> bytes);
    bool write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
    /// The same with all of a buffer's bytes, which is empty then. Nothing is copied when nothing
    /// else waits.
    bool write(buffer& from);
    /// What waits to be written, plain and encrypted.
    std::size_t backlog() const noexcept;

    /// No more will be written: the peer is told once all is sent. Reading goes on.
    void end();
    /// Closes once all is sent; nothing more is read.
    void close();
    /// Closes now; what waits is lost, and the peer sees a reset.
    void abort();

    void pause_reading();
    void resume_reading();

    address peer() const noexcept;
    address local() const noexcept;
    /// The filter in between, e.g. to ask an SSLFilter for its peer().
    filter& through() noexcept;
    bool is_open() const noexcept;
    /// Nothing will be read or written any more; on_close was called or will be.
    bool closed() const noexcept;
    /// On the network's side.
    std::uint64_t bytes_in() const noexcept;
    std::uint64_t bytes_out() const noexcept;
    /// The socket, for options; -1 once closed.
    int descriptor() const noexcept;
    /// Bytes of heap in its buffers (not the TLS library's).
    std::size_t memory() const noexcept;

private:
    friend void detail::when_gone(connection& of, detail::gone_handler handler);
    class impl;
    std::unique_ptr<impl> impl_;
};

/// What connection_set::drain() does with those that are there.
enum class drain_how : std::uint8_t {
    close, ///< close(): what we have written is still sent, requests on their way are not answered
    wait,  ///< they end by themselves: for peers that ask once, or that the application tells to go
};

/// Owns connections, and erases each once it is closed and its callbacks have returned.
class FUNCPTR_API connection_set {
public:
    explicit connection_set(ev::loop_ref loop);
    connection_set(const connection_set&) = delete;
    connection_set& operator=(const connection_set&) = delete;
    /// Destroys the connections, without a call of on_close.
    ~connection_set();

    /// The reference is good until the connection's on_close has returned.
    connection& add(accepted peer, std::unique_ptr<filter> through,
                    const connection_options& options = {});
    template <class Filter>
    requires std::is_base_of_v<filter, Filter> connection&
    add(accepted peer, Filter through, const connection_options& options = {})
    {
        return add(std::move(peer), std::make_unique<Filter>(std::move(through)), options);
    }

    std::size_t size() const noexcept;
    /// Calls the function with each that is not closed. It may close any, and add some, but not
    /// destroy the set.
    void for_each(const std::function<void(connection&)>& function);
    /// Until none is left, whoever is added meanwhile included; at the deadline abort() for those
    /// that are, and for who comes later. `done` is called from the loop, then, with the number
    /// that had to be aborted. A second drain() takes the place of the first, whose `done` is not
    /// called.
    void drain(std::chrono::milliseconds deadline, std::function<void(std::size_t aborted)> done,
               drain_how how = drain_how::close);

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

} // namespace funcptr
