// SPDX-License-Identifier: MIT
//
// feed.h: what arrives on a ZeroMQ SUB socket, told to many browsers as Server-Sent Events.
//
// Each browser has its own short queue. One that does not keep up loses the oldest events and is
// told how many ("event: missed"); it costs the others nothing, and memory is bounded by browsers ×
// queue, each event being held once for all of them.
//
// Threads: the loop's. Lifetime: a subscriber may go at any time, before or after the feed.
#pragma once

#include <funcptr/zmq_event.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace gateway {

class feed;

/// One browser's end of the feed: a bounded queue of events, read as bytes.
class subscriber {
public:
    /// wake is called when there is something to take again, end when the feed ends.
    subscriber(feed& from, std::function<void()> wake, std::function<void()> end);
    subscriber(const subscriber&) = delete;
    subscriber& operator=(const subscriber&) = delete;
    ~subscriber();

    /// The next bytes of the event stream; how many were written.
    std::size_t take(std::span<char> room);
    std::uint64_t missed() const noexcept { return missed_; }

private:
    friend class feed;
    void push(std::shared_ptr<const std::string> event);
    void next_event();

    feed* feed_;
    std::function<void()> wake_;
    std::function<void()> end_;
    std::deque<std::shared_ptr<const std::string>> waiting_;
    std::shared_ptr<const std::string> current_; // partly taken
    std::size_t taken_ = 0;
    std::uint64_t missed_ = 0; // in all
    std::uint64_t untold_ = 0; // since the browser was last told
};

class feed final : public funcptr::zmq_event {
public:
    struct limits {
        /// Events that wait for one browser. 256: some seconds of a busy feed.
        std::size_t queue = 256;
        /// Bytes of one message that are shown; what is longer is cut.
        std::size_t message_bytes = 4096;
        /// Browsers at a time.
        std::size_t subscribers = 1000;
    };

    feed(ev::loop_ref loop, zmq::context_t& context, const std::vector<std::string>& endpoints,
         limits bound);
    ~feed() override;

    std::size_t subscribers() const noexcept { return subscribers_.size(); }
    bool full() const noexcept { return subscribers_.size() >= limits_.subscribers; }
    std::uint64_t missed() const noexcept { return missed_; }
    const limits& bounds() const noexcept { return limits_; }

    /// Tells every subscriber that there will be no more.
    void end();
    /// A line that browsers ignore, so that what lies between sees a living connection.
    void keep_alive();

private:
    friend class subscriber;
    void read() override;
    void broadcast(std::string event);
    template <class Call>
    void for_each_subscriber(Call&& call);

    limits limits_;
    std::set<subscriber*> subscribers_;
    std::uint64_t events_ = 0;
    std::uint64_t missed_ = 0;
};

} // namespace gateway
