// SPDX-License-Identifier: MIT
//
// zmq_multipart.h: a whole message, all of its frames, and how one is sent wholly or not at all.
//
// It holds no socket and no queue: zmq_channel.h and zmq_async.h do.
//
// Threads: none of its own. Lifetime: values.
//
//     funcptr::zmq_multipart message = funcptr::make_multipart("topic", "text");
#pragma once

#include <zmq.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

#include "zmq_error.h"

namespace funcptr {

/// All frames of one message, in order.
using zmq_multipart = std::vector<zmq::message_t>;

/// A message of frames that hold copies of those texts. Throws std::bad_alloc. (Not from an
/// initializer_list: g++ 12 rejects one within a co_await.)
template <class... Texts>
zmq_multipart make_multipart(const Texts&... texts)
{
    zmq_multipart message;
    message.reserve(sizeof...(texts));
    const auto add = [&](std::string_view text) { message.emplace_back(text.data(), text.size()); };
    (add(texts), ...);
    return message;
}

namespace detail {

inline std::size_t size_of(const zmq_multipart& message) noexcept
{
    std::size_t bytes = 0;
    for (const auto& frame : message)
        bytes += frame.size();
    return bytes;
}

/// Sends copies, which share the bytes: those that went before a frame that fails are lost.
/// send_frame(frame, more) sends one. midway: it failed after the first one.
template <class Send>
zmq_result send_frames(zmq_multipart& message, Send&& send_frame, bool& midway)
{
    midway = false;
    for (std::size_t i = 0; i < message.size(); ++i) {
        zmq::message_t copy;
        copy.copy(message[i]);
        const bool more = i + 1 < message.size();
        const zmq_result result = send_frame(copy, more);
        if (result)
            continue;
        // The peer died between two frames. libzmq has taken back the first ones and, if the frame
        // that failed announced more, it swallows what follows up to a last one and reports success
        // (lb.cpp): so give it one. If the one that failed was the last, an extra frame would reach
        // the next peer as a stray message.
        midway = i != 0 && result.would_block();
        if (midway && more) {
            zmq::message_t end;
            (void)send_frame(end, false);
        }
        return result;
    }
    return {};
}

/// All frames or none. send_frame(frame, more) sends one, without waiting; a frame that fails stays
/// as it was.
template <class Send>
zmq_result send_whole(zmq_multipart& message, Send&& send_frame)
{
    if (message.size() == 1)
        return send_frame(message.front(), false);
    bool midway = false;
    const auto result = send_frames(message, send_frame, midway);
    // A peer that died in the midst is a reason to try another, not to wait for this one.
    return midway ? send_frames(message, send_frame, midway) : result;
}

} // namespace detail

} // namespace funcptr
