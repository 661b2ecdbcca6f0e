// SPDX-License-Identifier: MIT
//
// A million messages at random: whatever a program does with its sockets, and whenever, nothing is
// lost, doubled or out of order, and the loop never sleeps while something is to be done.
//
// A scenario is a loop with some links, each from one socket to another, of any pattern and
// transport; either end may be a raw blocking socket in a thread of its own. Sends and receives
// come from read() and write(), from timers, from prepare, check, idle and io watchers of any
// priority and from other sockets' callbacks; in between sockets are paused, turned on and off,
// given other weights, the loop is run within callbacks, callbacks throw, and other sockets come
// and go. It ends when each link has carried all of its messages.
//
// A stall is found from state, not from time: with the audit (zmq_audit.h), each time the loop is
// about to sleep, no socket may have something wanted of which nobody will be told. Every second
// scenario runs without it, since it heals what it finds; there a watchdog of a minute stands
// guard.
//
// The seed is printed; FUNCPTR_SEED=n runs that one again. By default a twentieth of the campaign
// runs; FUNCPTR_FULL=1 runs it whole.
#include <funcptr/zmq_event.h>

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/process.h"
#include "support/watchdog.h"

namespace {

using funcptr::testing::watchdog;
using zmq::socket_type;

class dice {
public:
    explicit dice(std::uint64_t seed)
        : engine_(seed)
    {
    }
    /// 0 … sides-1
    unsigned roll(unsigned sides) { return static_cast<unsigned>(engine_() % sides); }
    bool one_in(unsigned sides) { return roll(sides) == 0; }

private:
    std::mt19937_64 engine_;
};

struct pattern {
    const char* name;
    socket_type sender;
    socket_type receiver;
    bool answers;    ///< the receiver answers each message, and the sender counts answers
    bool broadcasts; ///< what is sent before the subscription is known is lost
};

constexpr std::array<pattern, 8> patterns{{
    {"PUSH-PULL", socket_type::push, socket_type::pull, false, false},
    {"PAIR-PAIR", socket_type::pair, socket_type::pair, false, false},
    {"DEALER-ROUTER", socket_type::dealer, socket_type::router, false, false},
    {"DEALER-ROUTER, answered", socket_type::dealer, socket_type::router, true, false},
    {"REQ-REP", socket_type::req, socket_type::rep, true, false},
    {"PUB-SUB", socket_type::pub, socket_type::sub, false, true},
    {"XPUB-SUB", socket_type::xpub, socket_type::sub, false, true},
    {"XPUB-XSUB", socket_type::xpub, socket_type::xsub, false, true},
}};

const std::string hello = "hello"; // sent until a subscriber has heard it
using frames = std::vector<std::string>;

/// Message n: its number, and up to three more frames, some of them empty, some large.
frames message_of(std::uint64_t n)
{
    frames all{std::to_string(n)};
    for (std::uint64_t i = 0; i < n % 7 % 4; ++i)
        all.push_back(std::string(n % 5 == 0 ? 0 : (n * 31 + i) % 200, 'x'));
    return all;
}

/// What one link has to carry, and how far it is. Both ends may be in different threads.
struct link {
    const pattern* kind;
    std::string name;
    std::uint64_t total;
    std::atomic<bool> heard{false}; ///< the subscription is in force
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<bool> wrong{false};

    bool may_send() const
    {
        return sent < total
               && (!kind->answers || kind->sender != socket_type::req || sent == answered);
    }
    bool done() const { return received == total && (!kind->answers || answered == total); }

    /// The frames without routing ids.
    void check(const frames& message)
    {
        if (message.size() == 1 && message[0] == hello) {
            heard = true;
            return;
        }
        if (message != message_of(received)) {
            wrong = true;
            ADD_FAILURE() << name << ": expected message " << received << ", got "
                          << (message.empty() ? "nothing" : message[0]) << " of " << message.size()
                          << " frames";
        }
        ++received;
    }
};

// --- ends in threads of their own ---------------------------------------------------------------

frames receive_raw(zmq::socket_t& socket)
{
    frames all;
    zmq::message_t frame;
    do {
        if (!socket.recv(frame))
            return {}; // after the timeout of a minute
        all.push_back(frame.to_string());
    } while (frame.more());
    return all;
}

void send_raw(zmq::socket_t& socket, const frames& message)
{
    for (std::size_t i = 0; i < message.size(); ++i)
        socket.send(zmq::buffer(message[i]),
                    i + 1 < message.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

void send_all_raw(zmq::socket_t& socket, link& on)
{
    while (on.kind->broadcasts && !on.heard) {
        send_raw(socket, {hello});
        std::this_thread::yield();
    }
    while (on.sent < on.total && !on.wrong) {
        send_raw(socket, message_of(on.sent));
        ++on.sent;
        if (!on.kind->answers)
            continue;
        if (receive_raw(socket).empty()) {
            ADD_FAILURE() << on.name << ": no answer for a minute";
            return;
        }
        ++on.answered;
    }
}

void receive_all_raw(zmq::socket_t& socket, link& on)
{
    while (on.received < on.total && !on.wrong) {
        frames message = receive_raw(socket);
        if (message.empty()) {
            ADD_FAILURE() << on.name << ": nothing came for a minute, after " << on.received;
            return;
        }
        const bool routed = on.kind->receiver == socket_type::router;
        const frames route(message.begin(), message.begin() + (routed ? 1 : 0));
        on.check(frames(message.begin() + (routed ? 1 : 0), message.end()));
        frames answer = route;
        answer.emplace_back("answer");
        if (on.kind->answers)
            send_raw(socket, answer);
    }
}

// --- the loop -----------------------------------------------------------------------------------

class scenario;

/// One end of a link on the loop.
class node final : public funcptr::zmq_event {
public:
    node(scenario& all, zmq::context_t& context, link& on, bool sends);

    /// From anywhere: some messages, as far as they go.
    void try_send(unsigned most);
    /// From anywhere: a message, if there is one.
    void try_take();

private:
    void read() override;
    void write() override;
    void take(const frames& message);
    void answer(const frames& route);

    scenario& all_;
    link& link_;
    bool sends_;
};

class scenario {
public:
    explicit scenario(std::uint64_t seed);
    ~scenario();
    void run();

    dice random;
    zmq::context_t context;
    ev::dynamic_loop loop;
    std::uint64_t messages = 0;

    bool finished() const;
    /// Something that a program may do at any moment.
    void act(int depth);
    int depth = 0;

private:
    struct actor;
    void add_link(unsigned number);
    void connect(zmq::socket_ref one, zmq::socket_ref other, unsigned transport, unsigned number);
    void settle_options(zmq::socket_ref socket, socket_type type) const;
    void start_threads();
    void step(ev::timer&, int);

    test::temp_dir folder_;
    bool audited_;
    std::vector<std::unique_ptr<link>> links_;
    std::vector<std::unique_ptr<zmq::socket_t>> raws_;
    std::vector<std::unique_ptr<node>> nodes_;
    std::vector<std::unique_ptr<funcptr::zmq_event>> passers_by_;
    std::vector<std::function<void()>> threads_to_be_;
    std::vector<std::thread> threads_;
    std::vector<std::unique_ptr<actor>> actors_;
    ev::timer clock_;
};

/// One watcher of some kind and priority that acts.
struct scenario::actor {
    scenario& all;
    ev_timer timer{};
    ev_prepare prepare{};
    ev_check check{};
    ev_idle idle{};
    ev_io io{};
    std::array<int, 2> pipe{-1, -1};

    explicit actor(scenario& in)
        : all(in)
    {
        struct ev_loop* const raw = all.loop;
        const auto priority = EV_MINPRI + static_cast<int>(all.random.roll(5));
        timer.data = prepare.data = check.data = idle.data = io.data = this;
        switch (all.random.roll(5)) {
        case 0:
            ev_timer_init(&timer, &act<ev_timer>, 0., 0.0002);
            ev_set_priority(&timer, priority);
            ev_timer_start(raw, &timer);
            break;
        case 1:
            ev_prepare_init(&prepare, &act<ev_prepare>);
            ev_set_priority(&prepare, priority);
            ev_prepare_start(raw, &prepare);
            break;
        case 2:
            ev_check_init(&check, &act<ev_check>);
            ev_set_priority(&check, priority);
            ev_check_start(raw, &check);
            break;
        case 3:
            ev_idle_init(&idle, &act<ev_idle>);
            ev_set_priority(&idle, priority);
            ev_idle_start(raw, &idle);
            break;
        default:
            if (::pipe(pipe.data()) != 0 || ::write(pipe[1], "x", 1) != 1)
                throw std::runtime_error("no pipe");
            ev_io_init(&io, &act<ev_io>, pipe[0], EV_READ);
            ev_set_priority(&io, priority);
            ev_io_start(raw, &io);
        }
    }
    actor(const actor&) = delete;
    actor& operator=(const actor&) = delete;
    ~actor()
    {
        struct ev_loop* const raw = all.loop;
        ev_timer_stop(raw, &timer);
        ev_prepare_stop(raw, &prepare);
        ev_check_stop(raw, &check);
        ev_idle_stop(raw, &idle);
        ev_io_stop(raw, &io);
        for (const int end : pipe)
            if (end >= 0)
                ::close(end);
    }
    template <class Watcher>
    static void act(struct ev_loop*, Watcher* watcher, int)
    {
        auto& self = *static_cast<actor*>(watcher->data);
        self.all.act(0);
    }
};

node::node(scenario& all, zmq::context_t& context, link& on, bool sends)
    : zmq_event(all.loop, context, sends ? on.kind->sender : on.kind->receiver)
    , all_(all)
    , link_(on)
    , sends_(sends)
{
    want_write(sends);
}

void node::try_send(unsigned most)
{
    if (!sends_ || closed())
        return;
    for (; most != 0; --most) {
        const bool greets = link_.kind->broadcasts && !link_.heard;
        if (!greets && !link_.may_send()) {
            if (want_write())
                want_write(false);
            return;
        }
        const frames message = greets ? frames{hello} : message_of(link_.sent);
        for (std::size_t i = 0; i < message.size(); ++i) {
            const auto result = send(message[i], i + 1 < message.size());
            if (!result && i == 0)
                return; // full, for now
            EXPECT_TRUE(result) << link_.name << " frame " << i << ": " << result.error.message();
        }
        link_.sent += !greets;
    }
}

void node::write()
{
    try_send(1 + all_.random.roll(8));
    if (all_.random.one_in(50))
        all_.act(1);
}

void node::read()
{
    frames message;
    do
        message.push_back(recv().to_string());
    while (more());
    take(message);
    if (all_.random.one_in(50))
        all_.act(1);
    if (all_.random.one_in(5000))
        throw std::runtime_error("now and then");
}

void node::try_take()
{
    zmq::message_t frame;
    if (closed() || !recv(frame))
        return;
    frames message{frame.to_string()};
    while (more())
        message.push_back(recv().to_string());
    take(message);
}

void node::take(const frames& message)
{
    if (sends_) { // an answer, or a subscription
        if (link_.kind->answers)
            ++link_.answered;
        if (link_.may_send())
            want_write(true);
        return;
    }
    const bool routed = link_.kind->receiver == socket_type::router;
    const frames route(message.begin(), message.begin() + (routed ? 1 : 0));
    link_.check(frames(message.begin() + (routed ? 1 : 0), message.end()));
    if (link_.kind->answers)
        answer(route);
}

void node::answer(const frames& route)
{
    for (const auto& frame : route)
        EXPECT_TRUE(send(frame, true)) << link_.name;
    EXPECT_TRUE(send("answer")) << link_.name;
}

scenario::scenario(std::uint64_t seed)
    : random(seed)
    , audited_(seed % 2 == 0)
    , clock_(loop)
{
    funcptr::set_error_hook(loop, [](std::exception_ptr) {}); // the loop goes on
    funcptr::set_audit(loop, audited_);
    if (random.one_in(2))
        funcptr::set_budget(loop, {.messages = 1 + random.roll(100),
                                   .bytes = 1 + random.roll(10'000),
                                   .park_interval = std::chrono::milliseconds(5)});
    const auto links = 3 + random.roll(4);
    for (unsigned i = 0; i < links; ++i)
        add_link(i);
    const auto actors = 1 + random.roll(4);
    for (unsigned i = 0; i < actors; ++i)
        actors_.push_back(std::make_unique<actor>(*this));
    clock_.set<scenario, &scenario::step>(this);
    clock_.start(0.001, 0.001);
}

scenario::~scenario()
{
    for (auto& thread : threads_)
        thread.join();
}

void scenario::settle_options(zmq::socket_ref socket, socket_type type) const
{
    socket.set(zmq::sockopt::linger, 0); // all have arrived when it is closed
    socket.set(zmq::sockopt::rcvtimeo, 60'000);
    if (type == socket_type::sub)
        socket.set(zmq::sockopt::subscribe, "");
}

void scenario::add_link(unsigned number)
{
    const auto& kind = patterns[random.roll(patterns.size())];
    const auto transport = random.roll(3);
    static constexpr std::array<const char*, 3> transports{"inproc", "ipc", "tcp"};
    links_.push_back(std::make_unique<link>());
    link& on = *links_.back();
    on.kind = &kind;
    on.name = std::string(kind.name) + " over " + transports[transport] + " (link "
              + std::to_string(number) + ")";
    // PUB, ROUTER and REP, which is a ROUTER within, drop what finds no room; the others are held
    // up all the more often.
    const int hwm = kind.broadcasts || kind.answers ? 0 : 1 + static_cast<int>(random.roll(50));
    on.total = kind.sender == socket_type::req ? 300 : 3000;
    messages += on.total * (kind.answers ? 2 : 1);

    const auto make = [&](bool sends) -> zmq::socket_ref {
        const auto type = sends ? kind.sender : kind.receiver;
        zmq::socket_ref handle;
        if (random.roll(3) != 0) {
            nodes_.push_back(std::make_unique<node>(*this, context, on, sends));
            nodes_.back()->set(zmq::sockopt::sndhwm, hwm);
            nodes_.back()->set(zmq::sockopt::rcvhwm, hwm);
            handle = nodes_.back()->handle();
        } else {
            // Closed with the scenario, not with its thread: when an ipc peer hangs up while we are
            // at our high-water mark, libzmq drops what the kernel still holds of it.
            raws_.push_back(std::make_unique<zmq::socket_t>(context, type));
            auto* const raw = raws_.back().get();
            raw->set(zmq::sockopt::sndhwm, hwm);
            raw->set(zmq::sockopt::rcvhwm, hwm);
            handle = *raw;
            threads_to_be_.emplace_back(
                [raw, sends, &on] { sends ? send_all_raw(*raw, on) : receive_all_raw(*raw, on); });
        }
        settle_options(handle, type);
        return handle;
    };
    const auto sender = make(true);
    const auto receiver = make(false);
    if (random.one_in(2))
        connect(sender, receiver, transport, number);
    else
        connect(receiver, sender, transport, number);
    if (kind.receiver == socket_type::xsub)
        zmq::socket_ref(receiver).send(zmq::buffer(std::string("\x01")));
    for (const auto& each : nodes_)
        each->touch(); // handles were used
}

void scenario::connect(zmq::socket_ref one, zmq::socket_ref other, unsigned transport,
                       unsigned number)
{
    const auto endpoint = transport == 0 ? "inproc://link" + std::to_string(number)
                          : transport == 1
                              ? "ipc://" + (folder_.path() / std::to_string(number)).string()
                              : std::string("tcp://127.0.0.1:*");
    one.bind(endpoint);
    other.connect(one.get(zmq::sockopt::last_endpoint));
}

void scenario::act(int called_from)
{
    if (depth > 2 || nodes_.empty())
        return;
    node& any = *nodes_[random.roll(static_cast<unsigned>(nodes_.size()))];
    switch (random.roll(called_from == 0 ? 14 : 10)) {
    default:
        any.try_send(1 + random.roll(4));
        break;
    case 0:
        any.paused() ? any.resume() : any.pause();
        break;
    case 1:
        any.want_read(!any.want_read());
        break;
    case 2:
        any.want_write(!any.want_write());
        break;
    case 3:
        any.weight(1 + static_cast<int>(random.roll(5)));
        break;
    case 4:
        if (passers_by_.size() < 8 && random.one_in(4)) {
            auto& on = *links_[random.roll(static_cast<unsigned>(links_.size()))];
            passers_by_.push_back(std::make_unique<node>(*this, context, on, false));
        } else if (!passers_by_.empty() && random.one_in(4)) {
            passers_by_.erase(passers_by_.begin());
        }
        break;
    case 6:
        any.try_take();
        break;
    case 5:
        if (random.one_in(10)) {
            ++depth;
            loop.run(ev::NOWAIT);
            --depth;
        }
        break;
    }
}

bool scenario::finished() const
{
    for (const auto& each : links_)
        if (!each->done() && !each->wrong)
            return false;
    return true;
}

/// Once a millisecond: what was turned off at random is turned on again, so that it ends at last.
void scenario::step(ev::timer&, int)
{
    if (finished() || ::testing::Test::HasFailure()) {
        loop.break_loop(ev::ALL);
        return;
    }
    for (const auto& each : nodes_) {
        if (each->paused())
            each->resume();
        if (!each->want_read())
            each->want_read(true);
        each->try_send(1);
        each->want_write(true);
    }
    if (random.one_in(20) && !actors_.empty()) { // quiet for a while, so that the loop sleeps
        actors_.erase(actors_.begin());
    } else if (random.one_in(20) && actors_.size() < 4) {
        actors_.push_back(std::make_unique<actor>(*this));
    }
}

void scenario::start_threads()
{
    for (auto& each : threads_to_be_)
        threads_.emplace_back(std::move(each));
    threads_to_be_.clear();
}

void scenario::run()
{
    const watchdog dog(loop);
    start_threads();
    funcptr::run(loop);
    for (const auto& each : links_) {
        EXPECT_EQ(each->received, each->total) << each->name;
        if (!each->done())
            each->wrong = true; // ends its threads
    }
    for (const auto& each : nodes_)
        EXPECT_EQ(each->counters().lost_wakes, 0u) << "the loop would have slept over a message";
    actors_.clear();
    passers_by_.clear();
}

TEST(ZmqRandom, NothingIsLostDoubledOrOutOfOrderAndTheLoopNeverSleepsOverAMessage)
{
    const char* const chosen = std::getenv("FUNCPTR_SEED");
    const bool full = std::getenv("FUNCPTR_FULL") != nullptr;
    const std::uint64_t goal = full ? 1'000'000 : 50'000;
    std::uint64_t messages = 0;
    int scenarios = 0;
    const std::uint64_t first =
        chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : std::random_device()();
    std::cout << "FUNCPTR_SEED=" << first << std::endl;
    for (std::uint64_t seed = first; messages < goal && !HasFailure(); ++seed, ++scenarios) {
        SCOPED_TRACE("FUNCPTR_SEED=" + std::to_string(seed));
        scenario one(seed);
        one.run();
        messages += one.messages;
        if (chosen != nullptr && !full)
            break;
    }
    std::cout << messages << " messages in " << scenarios << " scenarios" << std::endl;
}

} // namespace
