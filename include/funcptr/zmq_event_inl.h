// SPDX-License-Identifier: MIT
//
// zmq_event_inl.h: the bodies of zmq_event.h; include that. The turn of a socket is in
// zmq_visit_inl.h.
#pragma once

#include "zmq_event.h"

#include <stdexcept>

namespace funcptr {

namespace detail {

/// A signal handler may interrupt a call now and then. In a forked child every call is interrupted
/// for ever (signaler.cpp), so there must be an end to trying.
inline constexpr int zmq_interrupts = 100;

/// The two calls that each frame costs, by pointers that the compiler must load: straight into
/// libzmq instead of through the linker's table (PLT), and zmq_msg_get instead of zmq_msg_more,
/// which only jumps on to it. Of the 30 ns that a small message takes, a jump is one per cent.
struct zmq_calls {
    static inline int (*recv)(zmq_msg_t*, void*, int) = &zmq_msg_recv;
    static inline int (*get)(const zmq_msg_t*, int) = &zmq_msg_get;
};

template <int Number, class Type, bool Unit>
constexpr int option_number(zmq::sockopt::integral_option<Number, Type, Unit>) noexcept
{
    return Number;
}
template <int Number, int NullTerm>
constexpr int option_number(zmq::sockopt::array_option<Number, NullTerm>) noexcept
{
    return Number;
}

inline zmq::socket_t new_zmq_socket(zmq::context_t& context, zmq::socket_type type)
{
    try {
        return {context, type};
    } catch (const zmq::error_t& failed) {
        throw error(zmq_code(failed.num()), "cannot make a ZeroMQ socket of type "
                                                + std::to_string(static_cast<int>(type)) + ": "
                                                + failed.what());
    }
}

} // namespace detail

class zmq_event::running {
public:
    explicit running(zmq_event& socket) noexcept
        : socket_(socket)
    {
        socket_.visiting_ = true;
        socket_.running_ = this;
    }
    running(const running&) = delete;
    running& operator=(const running&) = delete;
    ~running()
    {
        if (gone_)
            return;
        socket_.visiting_ = false;
        socket_.running_ = nullptr;
    }

    void gone() noexcept { gone_ = true; }
    /// The callback destroyed the socket: touch nothing of it.
    bool destroyed() const noexcept { return gone_; }

private:
    zmq_event& socket_;
    bool gone_ = false;
};

// --- construction and configuration -----------------------------------------------------------

inline zmq_event::zmq_event(ev::loop_ref loop, zmq::context_t& context, zmq::socket_type type,
                            const zmq_options& options)
    : socket_(detail::new_zmq_socket(context, type))
    , choose_ipv6_(options.ipv6 == zmq_ipv6::automatic)
{
    const auto interval = static_cast<int>(options.heartbeat_interval.count());
    const auto timeout = static_cast<int>(options.heartbeat_timeout.count());
    set(zmq::sockopt::linger, static_cast<int>(options.linger.count()));
    if (options.ipv6 != zmq_ipv6::automatic)
        set(zmq::sockopt::ipv6, options.ipv6 == zmq_ipv6::on);
    if (interval > 0) {
        set(zmq::sockopt::heartbeat_ivl, interval);
        set(zmq::sockopt::heartbeat_timeout, timeout);
        set(zmq::sockopt::heartbeat_ttl, timeout); // the peer, too, may notice that we are gone
    }
    attach(loop);
}

inline zmq_event::zmq_event(ev::loop_ref loop, zmq::socket_t socket)
    : socket_(std::move(socket))
    , attached_(true)
{
    if (!socket_)
        throw error(errno_code(ENOTSOCK), "cannot adopt a ZeroMQ socket that is closed");
    attach(loop);
}

inline void zmq_event::attach(ev::loop_ref loop)
{
    auto type = zmq::socket_type();
    zmq::fd_t fd = -1;
    try {
        type = socket_.get(zmq::sockopt::socket_type);
        wants_read_ = type != zmq::socket_type::pub && type != zmq::socket_type::push;
        more_ = socket_.get(zmq::sockopt::rcvmore); // adopted in the midst of a message
        fd = socket_.get(zmq::sockopt::fd);
    } catch (const zmq::error_t& failed) {
        if (failed.num() != EINVAL)
            throw error(zmq_code(failed.num()),
                        std::string("cannot watch a ZeroMQ socket: ") + failed.what());
        throw error(errc::unsupported_socket, "cannot watch a ZeroMQ socket of type "
                                                  + std::to_string(static_cast<int>(type))
                                                  + ": thread-safe sockets have no ZMQ_FD");
    }
    seat(loop, fd);
}

inline zmq_event::~zmq_event()
{
    detail::zmq_close_hook::release(hook_);
    unseat(); // before the socket closes: its descriptor's number will be somebody else's
    if (running_ != nullptr)
        running_->gone();
}

template <class Call>
void zmq_event::endpoint_call(const char* verb, const std::string& endpoint, zmq_place where,
                              Call&& call)
{
    check_thread(verb, where);
    const auto fail = [&](std::error_code code, const std::string& why) {
        throw error(code, std::string("cannot ") + verb + " " + endpoint + ": " + why);
    };
    if (!socket_)
        fail(failed(ENOTSOCK).error, "the socket is closed");
    try {
        call();
    } catch (const zmq::error_t& refused) {
        const auto code = zmq_code(refused.num());
        mark_ready();
        fail(code, refused.what());
    }
    attached_ = true;
    mark_ready(); // these run commands, and connect() makes it writable without a signal
}

inline void zmq_event::bind(const std::string& endpoint, zmq_place where)
{
    endpoint_call("bind", endpoint, where, [&] {
        choose_ipv6(endpoint);
        socket_.bind(endpoint);
    });
}
inline void zmq_event::connect(const std::string& endpoint, zmq_place where)
{
    endpoint_call("connect", endpoint, where, [&] {
        choose_ipv6(endpoint);
        socket_.connect(endpoint);
    });
}
inline void zmq_event::unbind(const std::string& endpoint, zmq_place where)
{
    endpoint_call("unbind", endpoint, where, [&] { socket_.unbind(endpoint); });
}
inline void zmq_event::disconnect(const std::string& endpoint, zmq_place where)
{
    endpoint_call("disconnect", endpoint, where, [&] {
        keep_rest();
        socket_.disconnect(endpoint);
    });
}

inline void zmq_event::choose_ipv6(const std::string& endpoint)
{
    if (!choose_ipv6_ || !endpoint.starts_with("tcp://"))
        return;
    const auto host = std::string_view(endpoint).substr(6);
    const bool wildcard = host.starts_with("*:"); // one socket for both families
    socket_.set(zmq::sockopt::ipv6, wildcard || host.find('[') != host.npos);
}

template <class Option, class Value>
void zmq_event::set(Option option, const Value& value)
{
    constexpr int number = detail::option_number(Option());
    const auto fail = [](std::error_code code, const std::string& why) {
        throw error(code, "cannot set the ZeroMQ option " + std::to_string(number) + ": " + why);
    };
    if (wrong_thread())
        fail(errc::wrong_thread, "this is a thread that does not run the socket's loop");
    if constexpr (number == ZMQ_SNDHWM || number == ZMQ_RCVHWM) {
        if (attached_)
            fail(errc::too_late, "a high-water mark must be set before bind, connect or adoption");
    }
    if constexpr (number == ZMQ_IPV6)
        choose_ipv6_ = false;
    try {
        socket_.set(option, value);
    } catch (const zmq::error_t& refused) {
        fail(zmq_code(refused.num()), refused.what());
    }
    mark_ready(); // ROUTER_MANDATORY and REQ_RELAXED, for two, change what counts as ready
}

template <class Option>
auto zmq_event::get(Option option) const
{
    // Not the caller's affair that a look has an effect: to him it is a question.
    if constexpr (detail::option_number(Option()) == ZMQ_EVENTS)
        const_cast<zmq_event*>(this)->mark_ready();
    return socket_.get(option);
}

inline void zmq_event::want_read(bool wanted, zmq_place where)
{
    check_thread("want_read", where);
    wants_read_ = wanted;
    mark_ready();
}
inline void zmq_event::want_write(bool wanted, zmq_place where)
{
    check_thread("want_write", where);
    wants_write_ = wanted;
    mark_ready();
}
inline void zmq_event::pause(zmq_place where)
{
    check_thread("pause", where);
    paused_ = true;
}
inline void zmq_event::resume(zmq_place where)
{
    check_thread("resume", where);
    paused_ = false;
    mark_ready();
}
inline void zmq_event::weight(int share)
{
    if (share < 1 || share > 1000)
        throw std::invalid_argument("zmq_event: a weight of " + std::to_string(share)
                                    + " is not within 1 to 1000");
    weight_ = share;
}

inline void zmq_event::close() noexcept
{
    detail::zmq_close_hook::release(hook_);
    unseat();
    socket_.close();
    forget_message();
}

inline zmq::socket_t zmq_event::release()
{
    if (wrong_thread())
        throw error(errc::wrong_thread, "zmq_event: release() was called in a thread that does not "
                                        "run its loop");
    if (head_held_ || more_)
        throw std::logic_error("zmq_event: release() would lose a message that was received in "
                               "part or not taken yet; recv() the rest first");
    detail::zmq_close_hook::release(hook_);
    unseat();
    return std::move(socket_);
}

// --- the audit mode ---------------------------------------------------------------------------

inline void zmq_event::audit(detail::zmq_signal_probe& probe) noexcept
{
    const int wanted = (reading() ? ZMQ_POLLIN : 0) | (writing() && !parked() ? ZMQ_POLLOUT : 0);
    if (wanted == 0)
        return;
    bool found = false;
    const bool lost =
        probe.found_in_silence(descriptor(), [&] { return found = (look() & wanted) != 0; });
    if (found)
        mark_ready(); // the probe has taken the signal, if there was one
    if (!lost)
        return;
    ++counters_.lost_wakes;
    log_lost_wake();
}

inline void zmq_event::log_lost_wake() noexcept
{
    hub()->state().log(log_level::warning, [&] {
        const auto type = static_cast<int>(socket_.get(zmq::sockopt::socket_type));
        std::string line = "zmq_event: a socket of type " + std::to_string(type) + " at '"
                           + last_endpoint()
                           + "' had something to do and would not have been woken";
        if (used_.file != nullptr)
            line += std::string("; it was last used at ") + used_.file + ":"
                    + std::to_string(used_.line) + ", and not touched since";
        return line;
    });
}

/// Notes the place. True when the call comes from the wrong thread.
inline bool zmq_event::may_not(zmq_place where) noexcept
{
    if (wrong_thread()) [[unlikely]]
        return true;
    used_ = where;
    return false;
}

inline void zmq_event::check_thread(const char* verb, zmq_place where)
{
    if (may_not(where))
        throw error(errc::wrong_thread, std::string("zmq_event: ") + verb + "() was called at "
                                            + where.file + ":" + std::to_string(where.line)
                                            + " in a thread that does not run its loop");
}

// --- frames -----------------------------------------------------------------------------------

inline zmq_result zmq_event::recv(zmq::message_t& message, zmq_place where)
{
    if (!head_held_) {
        if (may_not(where))
            return {make_error_code(errc::wrong_thread)};
        mark_ready();
        const int refusal = fetch_next(message);
        return refusal == 0 ? zmq_result() : failed(refusal);
    }
    head_held_ = false;
    message.swap(head_);
    return {};
}

inline zmq::message_t& zmq_event::recv(zmq_place where)
{
    if (head_held_) {
        head_held_ = false;
        return head_;
    }
    return next_frame(where);
}

/// Not inlined into each read(), which would save registers for it in vain.
[[gnu::noinline]] inline zmq::message_t& zmq_event::next_frame(zmq_place where)
{
    check_thread("recv", where);
    mark_ready();
    if (const int refusal = fetch_next(head_); refusal != 0) {
        failed(refusal);
        head_.rebuild();
    }
    return head_;
}

/// The rest of the message under way, before a pipe is cut: libzmq's fair queue stays in the midst
/// of it (fq.cpp: an assertion, or the next pipe's frames). All its frames are there already.
inline void zmq_event::keep_rest()
{
    if (!more_)
        return;
    int refusal = 0;
    more_ = kept_.empty() || kept_.back().more();
    while (more_ && refusal == 0) {
        kept_.emplace_back();
        refusal = fetch(kept_.back());
    }
    more_ = true;
    if (refusal != 0) {
        kept_.pop_back();
        failed(refusal);
    }
}

inline int zmq_event::fetch_next(zmq::message_t& frame) noexcept
{
    if (kept_.empty()) [[likely]]
        return fetch(frame);
    frame = std::move(kept_.front());
    kept_.pop_front();
    more_ = frame.more();
    return 0;
}

inline void zmq_event::forget_message() noexcept
{
    head_held_ = more_ = false;
    kept_.clear();
}

/// 0, or zmq_errno(3). No zmq_result: to make an error_code is a call into another library, and the
/// hot loop needs none. Inlined by force: a call is one per cent of a small message, and where
/// there are several uses compilers prefer to call.
[[gnu::always_inline]] inline int zmq_event::fetch(zmq::message_t& frame) noexcept
{
    const int size = detail::zmq_calls::recv(frame.handle(), socket_.handle(), ZMQ_DONTWAIT);
    if (size < 0)
        return zmq_errno() == EINTR ? fetch_after_interrupts(frame) : zmq_errno();
    more_ = detail::zmq_calls::get(frame.handle(), ZMQ_MORE) != 0;
    counters_.messages_received += !more_;
    counters_.bytes_received += static_cast<std::uint64_t>(size);
    return 0;
}

inline int zmq_event::fetch_after_interrupts(zmq::message_t& frame) noexcept
{
    for (int attempt = 0; attempt < detail::zmq_interrupts; ++attempt) {
        const int size = zmq_msg_recv(frame.handle(), socket_.handle(), ZMQ_DONTWAIT);
        if (size >= 0) {
            more_ = frame.more();
            counters_.messages_received += !more_;
            counters_.bytes_received += static_cast<std::uint64_t>(size);
            return 0;
        }
        if (zmq_errno() != EINTR)
            return zmq_errno();
    }
    return EINTR;
}

inline zmq_result zmq_event::send(zmq::message_t& message, bool more, zmq_place where)
{
    if (may_not(where))
        return {make_error_code(errc::wrong_thread)};
    const auto size = message.size();
    const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    mark_ready();
    for (int attempt = 0; attempt < detail::zmq_interrupts; ++attempt) {
        if (zmq_msg_send(message.handle(), socket_.handle(), flags) >= 0) {
            sent_ = true;
            counters_.messages_sent += !more;
            counters_.bytes_sent += size;
            return {};
        }
        if (zmq_errno() != EINTR)
            break;
    }
    blocked_ = zmq_errno() == EAGAIN;
    return failed(zmq_errno());
}

inline zmq_result zmq_event::send(std::string_view bytes, bool more, zmq_place where)
{
    zmq::message_t message(bytes.data(), bytes.size());
    return send(message, more, where);
}

/// What a refusal means: wait, the caller's mistake, or the socket's end.
inline zmq_result zmq_event::failed(int number) noexcept
{
    if (number == EAGAIN)
        ++counters_.again;
    if (!socket_)
        return {fatal_ ? fatal_ : errno_code(ENOTSOCK)};
    const auto code = zmq_code(number);
    if (number == ETERM || number == ENOTSOCK)
        fatal(code);
    return {code};
}

/// Closes at once, since zmq_ctx_term waits for it, and leaves the telling to the next visit.
inline void zmq_event::fatal(std::error_code why) noexcept
{
    fatal_ = why;
    detail::zmq_close_hook::release(hook_);
    mute();
    socket_.close();
    forget_message();
    mark_ready();
}

} // namespace funcptr

#include "zmq_visit_inl.h"
