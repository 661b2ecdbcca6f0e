// SPDX-License-Identifier: MIT
//
// handshake_turns.h: which of a loop's handshakes may go on at this turn.
//
// A full handshake costs a server some 0.3 ms, and a storm of a thousand of them would keep the
// loop for as many. So at each turn only some go on at once, and the others wait in the order in
// which they came. Without a storm nobody waits. What is left to do for peers that have gone in
// mid-handshake is counted the same way, by an object of its own: nobody waits for that.
// There a share of those who wait has its turn as well, so that a crowd is soon gone.
//
// Threads: the loop's. Lifetime: the loop's; who waits leaves before it is destroyed.
#pragma once

#include <ev.h>

#include <list>

namespace funcptr::detail {

class handshake_turns {
public:
    /// Somebody who may have to wait.
    class waiter {
    public:
        waiter() = default;
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        /// It is its turn; from the loop. It may be destroyed meanwhile, and so may all others.
        virtual void go_on() = 0;
        bool waits() const noexcept { return in_ != nullptr; }
        /// Waits no more.
        void leave();

    protected:
        ~waiter() = default;

    private:
        friend class handshake_turns;
        std::list<waiter*>::iterator at_{};
        handshake_turns* in_ = nullptr; // where it waits
    };

    /// one_in: of so many that wait, one goes on at each turn, whatever the limit. 0: none.
    explicit handshake_turns(struct ev_loop* loop, unsigned one_in = 0);
    handshake_turns(const handshake_turns&) = delete;
    handshake_turns& operator=(const handshake_turns&) = delete;
    ~handshake_turns();

    /// True: now. False: go_on() will be called; at most so many have their turn in one of the
    /// loop's, as the last one said who has a limit. 0: now, and without being counted.
    bool admit(waiter& one, unsigned most) noexcept;
    /// Who was admitted with that limit, or went on, had nothing to do after all: another may at
    /// this turn.
    void refund(unsigned most) noexcept { served_ -= most != 0 && served_ != 0; }

private:
    static void on_turn(struct ev_loop*, ev_timer* timer, int);
    void new_turn();
    void come_back();

    struct ev_loop* loop_;
    unsigned one_in_;
    std::list<waiter*> waiting_;
    ev_timer turn_{};
    unsigned iteration_ = 0; // of the loop, when served_ was counted
    unsigned served_ = 0;
    unsigned most_ = 0; // as the last one said
};

} // namespace funcptr::detail
