// SPDX-License-Identifier: MIT
//
// zmq_error.h: ZeroMQ's errors as std::error_code, and the result of a send or a receive.
//
// Numbers that POSIX knows stay POSIX errors (EAGAIN compares equal to
// std::errc::resource_unavailable_try_again); ZeroMQ's own (ETERM, EFSM…) get a category "zmq".
// ETERM is funcptr::errc::context_terminated, because that is what callers ask for.
//
// Threads: everything here may be used from any thread.
//
//     if (auto sent = socket.send(message); !sent)
//         sent.would_block() ? keep(std::move(message)) : report(sent.error.message());
#pragma once

#include <zmq.hpp>

#include <cerrno>
#include <string>
#include <system_error>

#include "error.h"

namespace funcptr {

/// The category of ZeroMQ's own error numbers, named "zmq"; the texts are zmq_strerror(3)'s.
FUNCPTR_API inline const std::error_category& zmq_category() noexcept;

/// A number of zmq_errno(3) as an error_code, see above for the category it gets.
inline std::error_code zmq_code(int number) noexcept;

/// What became of one send or receive. True when it was done.
struct zmq_result {
    std::error_code error; ///< empty when done

    explicit operator bool() const noexcept { return !error; }
    /// Nothing is wrong: there is no message, or no room, just now.
    bool would_block() const noexcept
    {
        return error.value() == EAGAIN && error.category() == std::generic_category();
    }
};

namespace detail {

class FUNCPTR_API zmq_error_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "zmq"; }
    std::string message(int code) const override { return zmq_strerror(code); }
};

} // namespace detail

inline const std::error_category& zmq_category() noexcept
{
    static const detail::zmq_error_category instance;
    return instance;
}

inline std::error_code zmq_code(int number) noexcept
{
    if (number == ETERM)
        return errc::context_terminated;
    if (number < ZMQ_HAUSNUMERO)
        return errno_code(number);
    return {number, zmq_category()};
}

} // namespace funcptr
