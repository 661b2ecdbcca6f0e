// SPDX-License-Identifier: MIT
#include "http2.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

namespace gateway {

std::string_view http_request::header(std::string_view name) const noexcept
{
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const auto& header) { return header.first == name; });
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

// --- the answer -------------------------------------------------------------------------------

void http2_stream::respond(int status, const header_list& headers, std::string body)
{
    header_list with_length = headers;
    with_length.emplace_back("content-length", std::to_string(body.size()));
    ended_ = true;
    if (request_.method != "HEAD")
        body_ = [body = std::move(body), sent = std::size_t(0)](std::span<char> room) mutable {
            const auto size = std::min(room.size(), body.size() - sent);
            std::memcpy(room.data(), body.data() + sent, size);
            sent += size;
            return size;
        };
    submit(status, with_length);
}

void http2_stream::respond(int status, const header_list& headers, source body)
{
    ended_ = request_.method == "HEAD";
    if (!ended_)
        body_ = std::move(body);
    submit(status, headers);
}

void http2_stream::resume()
{
    if (!answered_)
        return;
    nghttp2_session_resume_data(session_.session_, id_);
    if (session_.on_output)
        session_.on_output();
}

void http2_stream::end()
{
    ended_ = true;
    resume();
}

void http2_stream::submit(int status, const header_list& headers)
{
    if (answered_)
        return;
    answered_ = true;
    const auto code = std::to_string(status);
    std::vector<nghttp2_nv> fields;
    const auto add = [&](const std::string& name, const std::string& value) {
        // nghttp2 copies both; its interface merely lacks the const.
        const auto bytes = [](const std::string& text) {
            return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
        };
        fields.push_back(
            {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    };
    const std::string status_name = ":status";
    add(status_name, code);
    for (const auto& [name, value] : headers)
        add(name, value);

    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* room,
                                std::size_t size, std::uint32_t* flags, nghttp2_data_source* from,
                                void*) -> ssize_t {
        auto& stream = *static_cast<http2_stream*>(from->ptr);
        try {
            const auto given = stream.body_({reinterpret_cast<char*>(room), size});
            if (given == 0 && !stream.ended_)
                return NGHTTP2_ERR_DEFERRED;
            if (given == 0)
                *flags |= NGHTTP2_DATA_FLAG_EOF;
            return static_cast<ssize_t>(given);
        } catch (...) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // resets this stream alone
        }
    };
    nghttp2_submit_response(session_.session_, id_, fields.data(), fields.size(),
                            body_ ? &provider : nullptr);
}

// --- what nghttp2 calls -----------------------------------------------------------------------

/// Nothing may be thrown through nghttp2: each of these catches.
struct http2_session::callbacks {
    static http2_session& self(void* user) { return *static_cast<http2_session*>(user); }

    static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user)
    {
        if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
            return 0;
        auto& session = self(user);
        const auto id = frame->hd.stream_id;
        try {
            session.streams_.emplace(id,
                                     std::unique_ptr<http2_stream>(new http2_stream(session, id)));
            return 0;
        } catch (const std::bad_alloc&) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }

    static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user)
    {
        auto& session = self(user);
        auto* stream = session.find(frame->hd.stream_id);
        if (stream == nullptr || stream->answered_)
            return 0;
        try {
            stream->header_bytes_ += name_size + value_size + 32;
            if (stream->header_bytes_ > session.limits_.header_bytes)
                return session.refuse(*stream, 431, "the request's headers are too large\n"), 0;
            add_header(stream->request_, {reinterpret_cast<const char*>(name), name_size},
                       {reinterpret_cast<const char*>(value), value_size});
            return 0;
        } catch (const std::bad_alloc&) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }

    static void add_header(http_request& request, std::string_view name, std::string_view value)
    {
        if (name == ":method")
            request.method = value;
        else if (name == ":authority" || (name == "host" && request.authority.empty()))
            request.authority = value;
        else if (name == ":path") {
            const auto mark = value.find('?');
            request.path = value.substr(0, mark);
            request.query = mark == value.npos ? std::string_view() : value.substr(mark + 1);
        } else if (!name.starts_with(':'))
            request.headers.emplace_back(name, value);
    }

    static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                    std::size_t size, void* user)
    {
        auto& session = self(user);
        auto* stream = session.find(id);
        if (stream == nullptr)
            return 0;
        if (stream->answered_) { // a body that nobody wants: a while, until the client has read so
            stream->unwanted_ += size;
            if (stream->unwanted_ > session.limits_.unwanted_bytes)
                nghttp2_submit_rst_stream(session.session_, NGHTTP2_FLAG_NONE, id,
                                          NGHTTP2_NO_ERROR);
            return 0;
        }
        try {
            auto& body = stream->request_.body;
            if (size > session.limits_.body_bytes - body.size())
                return session.refuse(*stream, 413, "the request's body is too large\n"), 0;
            body.append(reinterpret_cast<const char*>(bytes), size);
            return 0;
        } catch (const std::bad_alloc&) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }

    static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user)
    {
        auto& session = self(user);
        if (frame->hd.type == NGHTTP2_RST_STREAM && ++session.resets_ > session.limits_.resets) {
            session.error_ = "the client reset too many streams";
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (!may_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
            return 0;
        auto* stream = session.find(frame->hd.stream_id);
        if (stream != nullptr && !stream->answered_)
            session.request_is_whole(*stream);
        return 0;
    }

    static int closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user)
    {
        auto& streams = self(user).streams_;
        const auto found = streams.find(id);
        if (found == streams.end())
            return 0;
        const auto stream = std::move(found->second);
        streams.erase(found);
        try {
            if (stream->on_close)
                stream->on_close();
        } catch (...) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        return 0;
    }
};

// --- the session ------------------------------------------------------------------------------

http2_session::http2_session(handler on_request, limits bound)
    : on_request_(std::move(on_request))
    , limits_(bound)
{
    nghttp2_session_callbacks* hooks = nullptr;
    if (nghttp2_session_callbacks_new(&hooks) != 0)
        throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(hooks, callbacks::begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(hooks, callbacks::header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(hooks, callbacks::data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(hooks, callbacks::frame_received);
    nghttp2_session_callbacks_set_on_stream_close_callback(hooks, callbacks::closed);
    const int made = nghttp2_session_server_new(&session_, hooks, this);
    nghttp2_session_callbacks_del(hooks);
    if (made != 0)
        throw std::bad_alloc();
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.header_bytes)},
    };
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
}

http2_session::~http2_session()
{
    // nghttp2 does not call back for the streams that are still open when it is deleted.
    on_output = nullptr;
    for (const auto& [id, stream] : streams_)
        if (stream->on_close)
            stream->on_close();
    nghttp2_session_del(session_);
}

bool http2_session::receive(funcptr::buffer& in)
{
    const auto bytes = in.data();
    const auto taken = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    in.clear();
    if (taken >= 0)
        return true;
    if (error_.empty())
        error_ = nghttp2_strerror(static_cast<int>(taken));
    nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
    return false;
}

std::span<const std::byte> http2_session::next()
{
    const std::uint8_t* bytes = nullptr;
    const auto size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0)
        return {};
    return {reinterpret_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)};
}

bool http2_session::done() const
{
    return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void http2_session::go_away()
{
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                          nullptr, 0);
    if (on_output)
        on_output();
}

http2_stream* http2_session::find(std::int32_t id) noexcept
{
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second.get();
}

void http2_session::request_is_whole(http2_stream& stream)
{
    try {
        on_request_(stream);
    } catch (const std::exception& failed) {
        error_ = failed.what();
        refuse(stream, 500, "the server failed\n");
    }
}

bool http2_session::refuse(http2_stream& stream, int status, const char* sentence)
{
    stream.respond(status, {{"content-type", "text/plain; charset=utf-8"}}, std::string(sentence));
    return false;
}

} // namespace gateway
