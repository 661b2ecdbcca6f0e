// SPDX-License-Identifier: MIT
//
// zmq_monitor.h: what happens to a socket's connections, as callbacks on the loop.
//
// Who connected, who left, which handshake failed and why: zmq_socket_monitor(3), with its events
// as values and with a line of text each, and without a thread. It tells of the transports tcp,
// ipc and tipc; inproc has no events.
//
// Threads: those of zmq_event.h; the monitored socket belongs to the same thread. Lifetime: the
// context must outlive it; monitor and socket may be destroyed in any order. When the socket closes
// the last event is monitor_stopped. Legal in the callback: everything, destroying the monitor or
// the socket included. A socket has one monitor at a time: a new one replaces it, and the old one
// is told monitor_stopped.
//
//     funcptr::zmq_monitor monitor(loop, context, subscriber, [](const auto& event) {
//         std::clog << event.text() << '\n'; // "tcp://10.0.0.7:5556: disconnected"
//     });
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <new>
#include <string>
#include <utility>

#include "callback.h"
#include "zmq_event.h"

namespace funcptr {

/// zmq_socket_monitor(3)'s events; the values are libzmq's.
enum class zmq_connection : std::uint16_t {
    connected = ZMQ_EVENT_CONNECTED,
    connect_delayed = ZMQ_EVENT_CONNECT_DELAYED,
    connect_retried = ZMQ_EVENT_CONNECT_RETRIED,
    listening = ZMQ_EVENT_LISTENING,
    bind_failed = ZMQ_EVENT_BIND_FAILED,
    accepted = ZMQ_EVENT_ACCEPTED,
    accept_failed = ZMQ_EVENT_ACCEPT_FAILED,
    closed = ZMQ_EVENT_CLOSED,
    close_failed = ZMQ_EVENT_CLOSE_FAILED,
    disconnected = ZMQ_EVENT_DISCONNECTED,
    monitor_stopped = ZMQ_EVENT_MONITOR_STOPPED,
    handshake_failed = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    handshake_succeeded = ZMQ_EVENT_HANDSHAKE_SUCCEEDED,
    handshake_failed_protocol = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
    handshake_failed_auth = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
};

struct zmq_connection_event {
    zmq_connection type;
    /// An errno (…_failed, connect_delayed, handshake_failed), milliseconds (connect_retried), a
    /// descriptor (connected, accepted, listening, closed, disconnected), a ZMQ_PROTOCOL_ERROR
    /// (handshake_failed_protocol), the ZAP status 300, 400 or 500 (handshake_failed_auth).
    std::uint32_t value = 0;
    std::string endpoint{}; ///< of our side's bind or connect, or the peer's

    /// One line for a log.
    std::string text() const;
};

struct zmq_monitor_options {
    /// Which events, as a sum of ZMQ_EVENT_…; all of version 1.
    int events = ZMQ_EVENT_ALL;
    /// Events that wait for the loop, in libzmq. When there are so many, the thread that has the
    /// next one waits, which may be the one that moves the bytes of all sockets: 10,000, so that
    /// it takes a storm of connections and a loop that is stuck for seconds.
    int queue = 10'000;
};

class zmq_monitor final : private zmq_event, private detail::zmq_close_hook {
public:
    using handler = std::function<void(const zmq_connection_event&)>;

    /// socket: a zmq_event or a zmq_channel. Throws funcptr::error when the socket is closed, the
    /// context terminated, or its sockets are used up.
    template <class Socket>
    zmq_monitor(ev::loop_ref loop, zmq::context_t& context, Socket& socket, handler on_event,
                const zmq_monitor_options& options = {})
        : zmq_event(loop, context, zmq::socket_type::pair)
    {
        on_event_ = std::move(on_event);
        zmq_event::set(zmq::sockopt::rcvhwm, options.queue);
        socket.hook(*this); // first, so that the one before has stopped
        start(socket.handle().handle(), options.events);
    }
    ~zmq_monitor() override { stop(); }

    /// False once the socket has closed or another monitor has taken its place.
    bool active() const noexcept { return monitored_ != nullptr; }

private:
    void start(void* socket, int events);
    void stop() noexcept;
    void socket_closes() noexcept override { stop(); }
    void make_room() noexcept;
    bool take(zmq_connection_event& event);
    void read() override;

    void* monitored_ = nullptr; // valid as long as it is hooked
    int events_ = 0;
    std::deque<zmq_connection_event> waiting_; // taken before the loop asked for them
    callback<const zmq_connection_event&> on_event_;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

/// An endpoint that nobody else in this process uses.
inline std::string monitor_endpoint()
{
    static std::atomic<std::uint64_t> next{0};
    return "inproc://funcptr.monitor." + std::to_string(next++);
}

inline const char* zap_status_text(std::uint32_t status) noexcept
{
    return status == 300   ? "temporary failure"
           : status == 400 ? "access denied"
                           : "the authenticator failed";
}

} // namespace detail

inline void zmq_monitor::start(void* socket, int events)
{
    const auto endpoint = detail::monitor_endpoint();
    events_ = events;
    // The last one always: it is why those of waiting_ are told.
    if (zmq_socket_monitor(socket, endpoint.c_str(), events | ZMQ_EVENT_MONITOR_STOPPED) != 0)
        throw error(zmq_code(zmq_errno()),
                    std::string("cannot monitor a ZeroMQ socket: ") + zmq_strerror(zmq_errno()));
    monitored_ = socket;
    try {
        connect(endpoint);
    } catch (...) {
        stop();
        throw;
    }
}

/// Before our end closes, too: libzmq would wait for somebody to read its events, for ever.
inline void zmq_monitor::stop() noexcept
{
    unhook();
    if (monitored_ == nullptr)
        return;
    make_room();
    zmq_socket_monitor(std::exchange(monitored_, nullptr), nullptr, 0);
}

/// libzmq tells of the end through the queue, and waits for room there. If it is full, an I/O
/// thread waits already, and holds the lock that the end needs: both would wait for ever.
inline void zmq_monitor::make_room() noexcept
{
    zmq_connection_event event{};
    try {
        while (take(event))
            waiting_.push_back(std::move(event)); // no more than the queue held
    } catch (const std::bad_alloc&) {
        waiting_.clear();
    }
}

/// False when none is there. A message that is not libzmq's is taken for an event of type 0.
inline bool zmq_monitor::take(zmq_connection_event& event)
{
    zmq::message_t head;
    zmq::message_t endpoint;
    if (!recv(head))
        return false;
    std::uint16_t type = 0;
    std::uint32_t value = 0;
    if (head.size() != sizeof type + sizeof value || !more() || !recv(endpoint) || more()) {
        // Whoever found the endpoint's name may send anything.
        while (more() && recv(endpoint)) {
        }
        event = {};
        return true;
    }
    std::memcpy(&type, head.data(), sizeof type);
    std::memcpy(&value, head.data<char>() + sizeof type, sizeof value);
    event = {static_cast<zmq_connection>(type), value, endpoint.to_string()};
    return true;
}

inline void zmq_monitor::read()
{
    zmq_connection_event event{};
    if (!waiting_.empty()) { // older than what libzmq has; that is offered again
        event = std::move(waiting_.front());
        waiting_.pop_front();
    } else if (!take(event)) {
        return;
    }
    if (event.type == zmq_connection::monitor_stopped) {
        unhook();
        monitored_ = nullptr;
    }
    if ((events_ & static_cast<int>(event.type)) != 0)
        on_event_(event);
}

inline std::string zmq_connection_event::text() const
{
    const auto number = static_cast<int>(value);
    const auto with_reason = [&](const char* what) {
        return endpoint + ": " + what + ": " + zmq_strerror(number);
    };
    switch (type) {
    case zmq_connection::connected:
        return endpoint + ": connected";
    case zmq_connection::connect_delayed:
        return endpoint + ": connecting";
    case zmq_connection::connect_retried:
        return endpoint + ": no answer, the next attempt is in " + std::to_string(value) + " ms";
    case zmq_connection::listening:
        return endpoint + ": listening";
    case zmq_connection::bind_failed:
        return with_reason("cannot bind");
    case zmq_connection::accepted:
        return endpoint + ": a peer connected";
    case zmq_connection::accept_failed:
        return with_reason("cannot accept");
    case zmq_connection::closed:
        return endpoint + ": closed";
    case zmq_connection::close_failed:
        return with_reason("cannot close");
    case zmq_connection::disconnected:
        return endpoint + ": disconnected";
    case zmq_connection::monitor_stopped:
        return "the monitor stopped";
    case zmq_connection::handshake_failed:
        return with_reason("the handshake failed");
    case zmq_connection::handshake_succeeded:
        return endpoint + ": the handshake succeeded";
    case zmq_connection::handshake_failed_protocol:
        return endpoint + ": the handshake failed: the peer breaks the protocol (0x" + [&] {
            std::array<char, 16> hex{};
            std::snprintf(hex.data(), hex.size(), "%x", value);
            return std::string(hex.data());
        }() + ")";
    case zmq_connection::handshake_failed_auth:
        return endpoint + ": the handshake failed: " + detail::zap_status_text(value) + " ("
               + std::to_string(value) + ")";
    }
    return endpoint + ": event " + std::to_string(static_cast<int>(type));
}

} // namespace funcptr
