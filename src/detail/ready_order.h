// SPDX-License-Identifier: MIT
//
// ready_order.h: the connections that are ready at one turn, and who of them is served first: who
// has waited longest since it was served last.
//
// The orders that are at hand are not fair. libev invokes the pending watchers of one priority from
// the last to the first (ev_invoke_pending, libev 4.33): who was served first at one turn asks
// first for the next, and then is served last. And epoll, when it is level-triggered, keeps whom it
// has named in its list and names them again before all newcomers. Either way the slowest request
// takes two turns where one would do. So the io callbacks only put themselves into a list, and when
// the last of them has been called it is served as a round robin would: everybody has as many turns
// as everybody else.
//
// Served at priority -1: after all watchers of the default priority, as timers and listeners are,
// that became ready at the same turn.
//
// Threads: the loop's. Lifetime: the loop's; who is in the list leaves before it is destroyed.
#pragma once

#include <ev.h>

#include <cstdint>
#include <vector>

namespace funcptr::detail {

class ready_order {
public:
    /// Somebody who is served in order.
    class member {
    public:
        member() = default;
        member(const member&) = delete;
        member& operator=(const member&) = delete;
        /// What the loop has said of it; from the loop. It may be destroyed meanwhile, and so may
        /// all others.
        virtual void serve(int events) = 0;

    protected:
        ~member() = default;

    private:
        friend class ready_order;
        std::uint64_t served_ = 0; // the last time
        std::uint32_t at_ = 0;     // in the list, from 1; 0: it is not
        int events_ = 0;
    };

    explicit ready_order(struct ev_loop* loop);
    ready_order(const ready_order&) = delete;
    ready_order& operator=(const ready_order&) = delete;
    ~ready_order();

    /// Counts as served now.
    void join(member& one) noexcept { one.served_ = ++served_; }
    /// To be called by the watcher's callback.
    void ready(member& one, int events);
    void leave(member& one) noexcept;

private:
    struct entry {
        std::uint64_t served; // beside it, so that sorting touches no member
        member* one;          // null: it has left
    };

    static void on_turn(struct ev_loop*, ev_prepare* turn, int);
    void sort();
    void come_back();
    void serve(member& one, int events);

    struct ev_loop* loop_;
    std::vector<entry> waiting_; // as many as there are connections, at most; the next one is last
    std::uint64_t served_ = 0;   // all members together
    ev_prepare turn_{};          // fed, never started: an idle loop knows nothing of it
};

} // namespace funcptr::detail
