// SPDX-License-Identifier: MIT
//
// proxy_gate.h: where connections of a proxy wait until their PROXY header has come.
//
// Each waits by itself under one deadline, so that a silent one holds up nobody. What is read is
// the header and not a byte more: it is looked at in the socket first (MSG_PEEK). Who waits counts
// against the listener's limit, because its place is held with it.
//
// Threads: the loop's. Lifetime: of its listener; to destroy it closes who waits. `ready` may do
// anything, destroying the gate included.
#pragma once

#include <funcptr/loop.h>
#include <funcptr/proxy_protocol.h>
#include <funcptr/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string_view>
#include <vector>

namespace funcptr::detail {

class proxy_gate {
public:
    /// ready: gets each connection whose header has come, with the addresses it named.
    proxy_gate(ev::loop_ref loop, std::chrono::milliseconds deadline,
               std::function<void(accepted)> ready);
    proxy_gate(const proxy_gate&) = delete;
    proxy_gate& operator=(const proxy_gate&) = delete;
    ~proxy_gate();

    void add(accepted peer);
    /// Nobody is handed out while it is held (a handler is on the stack): what comes waits.
    void hold() noexcept { held_ = true; }
    void release()
    {
        held_ = false;
        if (!waiting_.empty())
            resume();
    }
    std::uint64_t refused() const noexcept { return refused_; }

private:
    struct waiting;
    using list = std::list<std::unique_ptr<waiting>>;

    static void on_readable(struct ev_loop*, ev_io* io, int);
    static void on_deadline(struct ev_loop*, ev_timer* timer, int);
    void read_header(waiting& one);
    void hand_out(waiting& one);
    void refuse(waiting& one, std::string_view why);
    std::unique_ptr<waiting> take(waiting& one);
    void resume();
    void arm();

    struct ev_loop* loop_;
    loop_state& state_;
    double deadline_; // seconds
    std::function<void(accepted)> ready_;
    list waiting_;                  // by their deadlines, the first one first
    std::vector<waiting*> stalled_; // something came for them while it was held
    ev_timer timer_{};
    std::uint64_t refused_ = 0;
    bool held_ = false;
};

} // namespace funcptr::detail
