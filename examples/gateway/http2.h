// SPDX-License-Identifier: MIT
//
// http2.h: the server's side of one HTTP/2 connection, by nghttp2: bytes in, bytes out.
//
// Like SSLFilter it has no socket: feed what was read to receive(), and send what next() gives for
// as long as the connection has room. nghttp2 checks the framing and the headers (RFC 9113); what
// is bounded here is what a client may make us hold: header bytes, body bytes, streams, resets.
//
// Threads: one at a time. Lifetime: streams belong to the session; a stream is gone after its
// on_close.
#pragma once

#include <funcptr/buffer.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_session;

namespace gateway {

using header_list = std::vector<std::pair<std::string, std::string>>;

struct http_request {
    std::string method;
    std::string path; ///< without the query
    std::string query;
    std::string authority;
    header_list headers; ///< names in lower case
    std::string body;

    /// The header's value, the first where there are several; empty where there is none.
    std::string_view header(std::string_view name) const noexcept;
};

class http2_session;

/// One request and its answer.
class http2_stream {
public:
    /// Fills the span with the next bytes of a streamed answer; how many. 0: none just now, call
    /// resume() when there are.
    using source = std::function<std::size_t(std::span<char>)>;

    const http_request& request() const noexcept { return request_; }

    /// Answers with a whole body. Once for each stream; a HEAD request gets the headers alone.
    void respond(int status, const header_list& headers, std::string body);
    /// Answers with a body that comes piece by piece, until end().
    void respond(int status, const header_list& headers, source body);
    /// There is something in the source again.
    void resume();
    /// The streamed body ends with what the source still holds.
    void end();

    /// Called when the stream is over, however it ended. The stream is gone afterwards.
    std::function<void()> on_close;

private:
    friend class http2_session;
    http2_stream(http2_session& session, std::int32_t id)
        : session_(session)
        , id_(id)
    {
    }
    void submit(int status, const header_list& headers);

    http2_session& session_;
    std::int32_t id_;
    http_request request_;
    std::size_t header_bytes_ = 0;
    std::size_t unwanted_ = 0; // bytes of the body after the answer
    source body_;
    bool answered_ = false;
    bool ended_ = false;
};

class http2_session {
public:
    struct limits {
        /// Header bytes of a request, names, values and 32 for each (RFC 9113, 6.5.2); above: 431.
        std::size_t header_bytes = 16 * 1024;
        /// Body bytes of a request; above: 413.
        std::size_t body_bytes = 64 * 1024;
        /// Bytes of a body that are thrown away after such an answer, before the stream is reset. A
        /// reset at once is allowed (RFC 9113, 8.1), but curl then loses the answer. 1 MiB.
        std::size_t unwanted_bytes = 1024 * 1024;
        /// Requests of one connection at a time.
        std::uint32_t streams = 100;
        /// Streams that a client may reset; a browser resets a few, a "rapid reset" attack
        /// (CVE-2023-44487) thousands.
        unsigned resets = 1000;
    };
    /// Called with each request once it is whole. What it throws becomes a 500.
    using handler = std::function<void(http2_stream&)>;

    http2_session(handler on_request, limits bound);
    explicit http2_session(handler on_request)
        : http2_session(std::move(on_request), limits())
    {
    }
    http2_session(const http2_session&) = delete;
    http2_session& operator=(const http2_session&) = delete;
    ~http2_session();

    /// Takes all of the bytes. False: the peer broke the protocol, see error(); send what next()
    /// still gives (a GOAWAY) and close.
    bool receive(funcptr::buffer& in);
    /// The next bytes to send, valid until the next call; empty: none just now.
    std::span<const std::byte> next();
    /// Nothing will come or go any more.
    bool done() const;
    /// No new requests from here on; streams that are open end by themselves.
    void go_away();
    /// What was wrong, for the log.
    const std::string& error() const noexcept { return error_; }
    std::size_t open_streams() const noexcept { return streams_.size(); }

    /// Called when next() has something new to say outside of receive().
    std::function<void()> on_output;

private:
    friend class http2_stream;
    struct callbacks;
    http2_stream* find(std::int32_t id) noexcept;
    void request_is_whole(http2_stream& stream);
    bool refuse(http2_stream& stream, int status, const char* sentence);

    handler on_request_;
    limits limits_;
    nghttp2_session* session_ = nullptr;
    std::map<std::int32_t, std::unique_ptr<http2_stream>> streams_;
    unsigned resets_ = 0;
    std::string error_;
};

} // namespace gateway
