// SPDX-License-Identifier: MIT
//
// One thread for all loops of the process, started by the first lookup, and a bounded queue. It is
// never joined: getaddrinfo(3) may hang for a minute and nobody should wait for it at exit. So what
// it uses is never destroyed either, and an answer finds its way through a weak pointer that only
// the loop's thread looks into.
#include <netdb.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "detail/resolver.h"
#include "funcptr/error.h"
#include "funcptr/loop.h"

namespace funcptr::detail {

namespace {

// A queue that is longer waits for a name server that is down: better to say so.
constexpr std::size_t most_waiting = 256;

struct request {
    resolver::handler handler;
};

struct job {
    std::string host;
    std::weak_ptr<request> from;
    poster loop;
};

struct free_addresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

std::vector<lookup_answer> look_up(const std::string& host)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC; // both at once, sorted as a whole (RFC 6724)
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    const int number = errno;
    const std::unique_ptr<addrinfo, free_addresses> keep(list);
    std::vector<lookup_answer> answers{{address_family::ipv6, {}, {}},
                                       {address_family::ipv4, {}, {}}};
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        const auto where = address::from(each->ai_addr, each->ai_addrlen);
        for (auto& answer : answers)
            if (answer.family == where.family())
                answer.addresses.push_back(where);
    }
    for (auto& answer : answers)
        if (answer.addresses.empty())
            answer.error = failed == 0            ? "no such address"
                           : failed == EAI_SYSTEM ? errno_code(number).message()
                                                  : ::gai_strerror(failed);
    return answers;
}

class worker {
public:
    static worker& instance()
    {
        static worker& one = *new worker; // see above
        return one;
    }
    bool add(job what)
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= most_waiting)
            return false;
        if (!std::exchange(started_, true))
            std::thread([this] { run(); }).detach();
        waiting_.push_back(std::move(what));
        wake_.notify_one();
        return true;
    }

private:
    [[noreturn]] void run()
    {
        for (;;)
            serve(next());
    }
    job next()
    {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !waiting_.empty(); });
        job first = std::move(waiting_.front());
        waiting_.pop_front();
        return first;
    }
    static void serve(const job& what)
    {
        if (what.from.expired())
            return;
        auto answers = look_up(what.host);
        // A loop that is gone takes no more, and a queue that is full belongs to a loop that is
        // stuck: the connection's deadline tells.
        (void)what.loop.post([from = what.from, answers = std::move(answers)] {
            for (const auto& each : answers)
                if (const auto alive = from.lock())
                    alive->handler(each);
        });
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<job> waiting_;
    bool started_ = false;
};

class asks_thread final : public resolver {
public:
    asks_thread(ev::loop_ref loop, const std::string& host, handler to)
        : request_(std::make_shared<request>(request{std::move(to)}))
    {
        const poster back(loop);
        if (worker::instance().add({host, request_, back}))
            return;
        (void)back.post([from = std::weak_ptr(request_)] {
            for (const auto family : {address_family::ipv6, address_family::ipv4})
                if (const auto alive = from.lock())
                    alive->handler({family, {}, "too many names wait to be resolved"});
        });
    }

private:
    std::shared_ptr<request> request_;
};

} // namespace

std::unique_ptr<resolver> thread_resolver(ev::loop_ref loop, const std::string& host,
                                          resolver::handler handler)
{
    return std::make_unique<asks_thread>(loop, host, std::move(handler));
}

} // namespace funcptr::detail
