// SPDX-License-Identifier: MIT
//
// error.h: how a failure is told.
//
// Two ways, and no third:
//   - Construction and configuration throw funcptr::error (a std::system_error whose what() is one
//     whole sentence) or std::invalid_argument, and nothing half-built exists.
//   - What a peer or the run time does comes back as a value: a std::error_code, or a small struct
//     around one. Nothing is thrown through a watcher's callback.
//
// It does not log, translate or collect. Everything here may be used from any thread at once.
//
//     try {
//         funcptr::listener listener(loop, "*:7020", on_accept);
//     } catch (const funcptr::error& failed) {
//         std::cerr << failed.what() << '\n'; // cannot listen on *:7020: Address already in use
//         return failed.code() == std::errc::address_in_use ? 2 : 1;
//     }
#pragma once

#include <string>
#include <system_error>

#include "export.h"

namespace funcptr {

/// What funcptr itself finds wrong; the operating system's errors keep std::generic_category().
enum class errc {
    bad_spec = 1,       ///< a text (address, listener spec, endpoint) that cannot be understood
    unsupported_socket, ///< a ZeroMQ socket type without ZMQ_FD, a descriptor of the wrong kind
    too_late,           ///< an option that has no effect any more, e.g. HWM after bind
    wrong_thread,       ///< a call from a thread that does not own the object
    loop_gone,          ///< the loop was destroyed before the object that lived on it
    context_terminated, ///< the ZeroMQ context was shut down
    limit,              ///< a bound (an option) was reached
    resolve,            ///< a name could not be turned into an address
    bad_key,            ///< a key that is missing, too short or unreadable
    bad_certificate,    ///< a certificate, key or trust anchor that cannot be used
    bad_configuration,  ///< options that contradict one another
};

/// The category of errc, named "funcptr".
FUNCPTR_API inline const std::error_category& category() noexcept;

inline std::error_code make_error_code(errc e) noexcept
{
    return {static_cast<int>(e), category()};
}

/// A failed construction or configuration. what() is the sentence given, nothing added to it;
/// code() tells programs what kind of failure it was.
class FUNCPTR_API error : public std::system_error {
public:
    error(std::error_code code, std::string sentence)
        : std::system_error(code)
        , sentence_(std::move(sentence))
    {
    }
    error(errc code, std::string sentence)
        : error(make_error_code(code), std::move(sentence))
    {
    }

    const char* what() const noexcept override { return sentence_.c_str(); }

private:
    std::string sentence_;
};

/// errno as a std::error_code. It is compared with std::errc.
inline std::error_code errno_code(int number) noexcept
{
    return {number, std::generic_category()};
}

namespace detail {

class FUNCPTR_API funcptr_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "funcptr"; }

    std::string message(int code) const override
    {
        switch (static_cast<errc>(code)) {
        case errc::bad_spec:
            return "cannot be understood";
        case errc::unsupported_socket:
            return "unsupported kind of socket";
        case errc::too_late:
            return "set too late to have an effect";
        case errc::wrong_thread:
            return "called from a thread that does not own the object";
        case errc::loop_gone:
            return "the event loop is gone";
        case errc::context_terminated:
            return "the ZeroMQ context was terminated";
        case errc::limit:
            return "a limit was reached";
        case errc::resolve:
            return "the name cannot be resolved";
        case errc::bad_key:
            return "unusable key";
        case errc::bad_certificate:
            return "unusable certificate";
        case errc::bad_configuration:
            return "contradictory configuration";
        }
        return "unknown error " + std::to_string(code);
    }
};

} // namespace detail

inline const std::error_category& category() noexcept
{
    static const detail::funcptr_category instance;
    return instance;
}

} // namespace funcptr

template <>
struct std::is_error_code_enum<funcptr::errc> : std::true_type {
};
