// SPDX-License-Identifier: MIT
#include "feed.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

namespace gateway {

namespace {

/// Any bytes as JSON text: what is not UTF-8 becomes U+FFFD.
std::string to_json(const nlohmann::json& value)
{
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

// --- subscriber -------------------------------------------------------------------------------

subscriber::subscriber(feed& from, std::function<void()> wake, std::function<void()> end)
    : feed_(&from)
    , wake_(std::move(wake))
    , end_(std::move(end))
{
    feed_->subscribers_.insert(this);
    // The first bytes at once, so that the browser knows that it is connected; and how long to wait
    // before it tries again when the connection is lost.
    current_ = std::make_shared<const std::string>("retry: 1000\n\n");
}

subscriber::~subscriber()
{
    if (feed_ != nullptr)
        feed_->subscribers_.erase(this);
}

void subscriber::push(std::shared_ptr<const std::string> event)
{
    if (waiting_.size() >= feed_->bounds().queue) {
        waiting_.pop_front();
        ++missed_;
        ++untold_;
        ++feed_->missed_;
    }
    waiting_.push_back(std::move(event));
    wake_();
}

std::size_t subscriber::take(std::span<char> room)
{
    std::size_t written = 0;
    while (written < room.size()) {
        if (!current_)
            next_event();
        if (!current_)
            break;
        const auto size = std::min(room.size() - written, current_->size() - taken_);
        std::memcpy(room.data() + written, current_->data() + taken_, size);
        written += size;
        taken_ += size;
        if (taken_ == current_->size())
            current_.reset();
    }
    return written;
}

void subscriber::next_event()
{
    taken_ = 0;
    if (untold_ != 0) {
        current_ = std::make_shared<const std::string>(
            "event: missed\ndata: " + std::to_string(untold_) + "\n\n");
        untold_ = 0;
        return;
    }
    if (waiting_.empty())
        return;
    current_ = std::move(waiting_.front());
    waiting_.pop_front();
}

// --- feed -------------------------------------------------------------------------------------

feed::feed(ev::loop_ref loop, zmq::context_t& context, const std::vector<std::string>& endpoints,
           limits bound)
    : zmq_event(loop, context, zmq::socket_type::sub)
    , limits_(bound)
{
    set(zmq::sockopt::subscribe, "");
    for (const auto& endpoint : endpoints)
        connect(endpoint);
}

feed::~feed()
{
    for (auto* each : subscribers_)
        each->feed_ = nullptr;
}

void feed::read()
{
    auto frames = nlohmann::json::array();
    zmq::message_t frame;
    std::size_t room = limits_.message_bytes;
    bool cut = false;
    do {
        recv(frame);
        const auto text = frame.to_string_view().substr(0, room);
        cut = cut || text.size() < frame.size();
        room -= text.size();
        if (frames.size() < 16)
            frames.push_back(text);
        else
            cut = true;
    } while (more());
    nlohmann::json event = {{"n", ++events_}, {"frames", std::move(frames)}};
    if (cut)
        event["cut"] = true;
    broadcast("data: " + to_json(event) + "\n\n");
}

void feed::keep_alive()
{
    broadcast(": still here\n\n");
}

template <class Call>
void feed::for_each_subscriber(Call&& call)
{
    // What is called wakes the stream, and a broken one may end its subscriber then and there.
    const std::vector<subscriber*> now(subscribers_.begin(), subscribers_.end());
    for (auto* each : now)
        if (subscribers_.count(each) != 0)
            call(*each);
}

void feed::end()
{
    for_each_subscriber([](subscriber& each) { each.end_(); });
}

void feed::broadcast(std::string event)
{
    const auto shared = std::make_shared<const std::string>(std::move(event));
    for_each_subscriber([&](subscriber& each) { each.push(shared); });
}

} // namespace gateway
