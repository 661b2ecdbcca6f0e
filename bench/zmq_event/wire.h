// SPDX-License-Identifier: MIT
//
// wire.h: what a message travels over, and how large it is. "inproc_64", "tcp_1k" in row names.
//
// Threads: values. Lifetime: nothing is kept. ZeroMQ's C calls fail here by throwing zmq::error_t.
//
//     for (const auto& each : bench::all_wires)
//         add_rows(suite, each, name_of(each));
#pragma once

#include <zmq.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <string>

namespace bench {

enum class transport { inproc, tcp };

struct wire {
    transport over = transport::inproc;
    std::size_t size = 64; // of a message, in bytes
};

inline constexpr std::array all_wires{wire{transport::inproc, 64}, wire{transport::inproc, 1024},
                                      wire{transport::tcp, 64}, wire{transport::tcp, 1024}};

inline std::string name_of(transport each)
{
    return each == transport::inproc ? "inproc" : "tcp";
}
inline std::string name_of(const wire& each)
{
    return name_of(each.over)
           + (each.size % 1024 == 0 ? "_" + std::to_string(each.size / 1024) + "k"
                                    : "_" + std::to_string(each.size));
}

/// What to bind to: a new name each time, since zmq_close gives one back only later; and port 0.
inline std::string any_endpoint(transport over)
{
    static std::atomic<int> count{0};
    return over == transport::inproc ? "inproc://busy-" + std::to_string(++count)
                                     : "tcp://127.0.0.1:*";
}

/// For calls of the C interface, which is what the fastest contender uses. Throws zmq::error_t.
inline int checked(int status)
{
    if (status < 0)
        throw zmq::error_t();
    return status;
}

inline void set_option(void* socket, int option, int value)
{
    checked(zmq_setsockopt(socket, option, &value, sizeof value));
}

inline std::string last_endpoint(void* socket)
{
    char text[256];
    std::size_t size = sizeof text;
    checked(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text, &size));
    return text;
}

} // namespace bench
