// SPDX-License-Identifier: MIT
//
// Callbacks that do at random what is legal in them: destroy and close any socket, monitor, ZAP
// handler and coroutine, theirs included, make new ones, run the loop, throw, and replace one
// another. What it shows, it shows under the address sanitizer: nobody touches what is gone.
//
// The seed is printed; FUNCPTR_SEED=n runs that one again. By default a twentieth of the campaign
// runs; FUNCPTR_FULL=1 runs it whole.
#include <funcptr/zmq_async.h>
#include <funcptr/zmq_auth.h>
#include <funcptr/zmq_channel.h>
#include <funcptr/zmq_monitor.h>

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/watchdog.h"

namespace {

using namespace std::chrono_literals;
using funcptr::make_multipart;
using funcptr::zmq_async;
using funcptr::zmq_auth;
using funcptr::zmq_channel;
using funcptr::zmq_monitor;
using funcptr::zmq_multipart;
using funcptr::zmq_task;
using funcptr::testing::watchdog;
using zmq::socket_type;

class chaos {
public:
    explicit chaos(std::uint64_t seed)
        : dice_(seed)
    {
        funcptr::set_error_hook(loop_, [this](std::exception_ptr) { act(); });
        funcptr::set_log_sink(loop_, [this](funcptr::log_level, std::string_view) { act(); });
        funcptr::set_audit(loop_, roll(2) == 0);
        funcptr::zmq_budget budget;
        budget.messages = 1 + roll(20);
        budget.park_interval = 1ms;
        funcptr::set_budget(loop_, budget);
    }
    chaos(const chaos&) = delete;
    chaos& operator=(const chaos&) = delete;
    ~chaos()
    {
        over_ = true;
        for (auto& each : coroutines_)
            each.task.reset();
    }

    void run(int steps)
    {
        const watchdog dog(loop_);
        while (steps-- > 0 && !testing::Test::HasFailure()) {
            try {
                act();
            } catch (const std::runtime_error&) { // its own
            }
            loop_.run(ev::NOWAIT);
        }
    }
    std::uint64_t calls = 0;

private:
    struct coroutine {
        std::optional<zmq_task> task;
        bool running = false; // a coroutine that runs must not be destroyed
    };

    unsigned roll(unsigned sides) { return static_cast<unsigned>(dice_() % sides); }
    template <class All>
    auto& any(All& all)
    {
        return all[roll(static_cast<unsigned>(all.size()))];
    }
    /// Out of its place first: what its end does must not find it there.
    template <class Owner>
    static void destroy(Owner& owner)
    {
        const auto dying = std::exchange(owner, {});
    }

    /// What any callback may do.
    void act()
    {
        ++calls;
        if (over_ || depth_ > 3)
            return;
        ++depth_;
        try {
            act_once();
            --depth_;
        } catch (...) {
            --depth_;
            throw;
        }
    }

    void act_once()
    {
        switch (roll(16)) {
        case 0:
            return destroy(any(channels_));
        case 1:
            return destroy(any(monitors_));
        case 2:
            return destroy(any(sockets_));
        case 3:
            return roll(4) == 0 ? destroy(auth_) : make_auth();
        case 4:
            return end(any(coroutines_));
        case 5:
        case 6:
            return make_channel(any(channels_));
        case 7:
            return make_monitor();
        case 8:
            return make_socket(any(sockets_));
        case 9:
            return begin(any(coroutines_));
        case 10:
            throw std::runtime_error("chaos");
        case 11:
            loop_.run(ev::NOWAIT);
            return;
        case 12:
            return closing();
        default:
            return talk();
        }
    }

    void make_channel(std::unique_ptr<zmq_channel>& place)
    {
        constexpr std::array types{socket_type::router, socket_type::dealer, socket_type::pair,
                                   socket_type::xpub,   socket_type::sub,    socket_type::push,
                                   socket_type::pull};
        const auto type = any(types);
        auto made = std::make_unique<zmq_channel>(
            loop_, context_, type,
            funcptr::zmq_channel_options{.queue_messages = roll(4),
                                         .low_water = roll(3),
                                         .overflow = static_cast<funcptr::zmq_overflow>(roll(3))});
        made->set(zmq::sockopt::linger, 0);
        made->set(zmq::sockopt::sndhwm, 1 + static_cast<int>(roll(3)));
        made->set(zmq::sockopt::rcvhwm, 1 + static_cast<int>(roll(3)));
        made->set(zmq::sockopt::reconnect_ivl, 1);
        if (type == socket_type::router)
            made->set(zmq::sockopt::router_mandatory, roll(2) == 0);
        if (type == socket_type::xpub)
            made->set(zmq::sockopt::xpub_nodrop, true);
        if (type == socket_type::sub)
            made->set(zmq::sockopt::subscribe, "");
        made->on_message([this](zmq_multipart&) { act(); });
        made->on_low_water([this] { act(); });
        made->on_refused([this](zmq_multipart&, std::error_code) { act(); });
        made->on_closed([this](std::error_code) { act(); });
        attach(*made);
        destroy(place);
        place = std::move(made);
    }
    template <class Socket>
    void attach(Socket& socket)
    {
        // PLAIN, for which the ZAP handler may go at any time; for NULL it may not, see zmq_auth.h.
        if (roll(2) == 0) {
            socket.set(zmq::sockopt::plain_server, true);
            socket.bind("tcp://127.0.0.1:*");
            endpoint_ = socket.last_endpoint();
        } else if (!endpoint_.empty()) {
            socket.set(zmq::sockopt::plain_username, "chaos");
            socket.set(zmq::sockopt::plain_password, "word");
            socket.connect(endpoint_);
        }
    }
    void make_monitor()
    {
        if (auto& channel = any(channels_); channel && !channel->closed()) {
            auto made = std::make_unique<zmq_monitor>(loop_, context_, *channel,
                                                      [this](const auto&) { act(); });
            auto& place = any(monitors_);
            destroy(place);
            place = std::move(made);
        }
    }
    void make_auth()
    {
        if (auth_)
            return;
        try {
            auth_ = std::make_unique<zmq_auth>(loop_, context_);
        } catch (const funcptr::error&) {
            return; // the last one's name is not free yet
        }
        auth_->on_decision([this](const auto&) { act(); });
        funcptr::zmq_allow_list list;
        if (roll(2) == 0)
            list.allow_plain("chaos", "word");
        auth_->reload(list);
    }
    void make_socket(std::shared_ptr<zmq_async>& place)
    {
        auto made = std::make_shared<zmq_async>(loop_, context_, socket_type::dealer);
        made->set(zmq::sockopt::linger, 0);
        made->set(zmq::sockopt::sndhwm, 1);
        attach(*made);
        destroy(place);
        place = std::move(made);
    }

    void begin(coroutine& one)
    {
        const auto socket = any(sockets_);
        if (one.running || !socket)
            return;
        end(one);
        if (one.task)
            return;
        one.task = roll(2) == 0 ? receive(socket, one) : send(socket, one);
        one.task->start();
    }
    static void end(coroutine& one)
    {
        if (!one.running)
            destroy(one.task);
    }
    void act_in(coroutine& self)
    {
        self.running = true;
        try {
            act();
        } catch (...) {
            self.running = false;
            throw;
        }
        self.running = false;
    }
    zmq_async::timeout some_time()
    {
        return roll(2) == 0 ? zmq_async::timeout() : std::chrono::milliseconds(roll(3));
    }
    /// The socket may be destroyed while the coroutine waits, so it is asked for each time.
    zmq_task receive(std::weak_ptr<zmq_async> socket, coroutine& self)
    {
        while (auto* const it = socket.lock().get()) {
            const auto got = co_await it->async_recv(some_time());
            act_in(self);
            if (got.error == std::errc::operation_canceled)
                co_return;
        }
    }
    zmq_task send(std::weak_ptr<zmq_async> socket, coroutine& self)
    {
        while (auto* const it = socket.lock().get()) {
            const auto sent = co_await it->async_send(make_multipart("a", "b"), some_time());
            act_in(self);
            if (!sent)
                co_return;
        }
    }

    void closing()
    {
        if (auto& channel = any(channels_)) {
            if (roll(2) == 0)
                return channel->close();
            channel->drain(std::chrono::milliseconds(roll(2)), [this](std::size_t) { act(); });
        } else if (auto& socket = any(sockets_)) {
            socket->close();
        }
    }
    void talk()
    {
        auto& channel = any(channels_);
        if (!channel)
            return;
        switch (roll(6)) {
        case 0:
            return channel->want_messages(roll(2) == 0);
        case 1:
            return roll(2) == 0 ? channel->pause() : channel->resume();
        case 2:
            return channel->weight(1 + static_cast<int>(roll(1000)));
        case 3:
            return channel->on_message([this](zmq_multipart&) { act(); });
        default:
            for (int i = 0; i < 5; ++i)
                (void)channel->send(make_multipart("one", "two", "three"));
        }
    }

    std::mt19937_64 dice_;
    zmq::context_t context_;
    ev::dynamic_loop loop_;
    bool over_ = false;
    int depth_ = 0;
    std::string endpoint_;
    std::array<std::unique_ptr<zmq_channel>, 8> channels_;
    std::array<std::unique_ptr<zmq_monitor>, 4> monitors_;
    std::array<std::shared_ptr<zmq_async>, 4> sockets_;
    std::unique_ptr<zmq_auth> auth_;
    std::array<coroutine, 8> coroutines_;
};

TEST(ZmqHostile, CallbacksMayDoWhateverIsLegalInThem)
{
    const char* const chosen = std::getenv("FUNCPTR_SEED");
    const bool full = std::getenv("FUNCPTR_FULL") != nullptr;
    const std::uint64_t first =
        chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : std::random_device()();
    std::cout << "FUNCPTR_SEED=" << first << std::endl;
    std::uint64_t calls = 0;
    for (std::uint64_t seed = first; seed < first + (full ? 400 : 20) && !HasFailure(); ++seed) {
        SCOPED_TRACE("FUNCPTR_SEED=" + std::to_string(seed));
        chaos one(seed);
        one.run(500);
        calls += one.calls;
    }
    std::cout << calls << " calls" << std::endl;
    EXPECT_GT(calls, 1000u);
}

} // namespace
