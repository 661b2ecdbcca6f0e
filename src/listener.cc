// SPDX-License-Identifier: MIT
//
// Several sockets are one listener: one limit, one pause, one back-off.
//
// accept() fails with EMFILE while the connection stays in the queue, so a level-triggered watcher
// would fire again at once, for ever. All watchers are stopped instead and a timer tries again,
// further and further apart; the first failure and the recovery are one log line each.
#include <funcptr/listener.h>

#include <funcptr/callback.h>
#include <funcptr/loop.h>

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>

#include "detail/net_syscalls.h"

namespace funcptr {

namespace detail {

int (*accept_call)(int, sockaddr*, socklen_t*, int) = ::accept4;

} // namespace detail

namespace {

/// What accept4() failed with, as far as it matters.
enum class accept_failure { none_waiting, interrupted, skip, starved, broken };

accept_failure classify(int number)
{
    switch (number) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return accept_failure::none_waiting;
    case EINTR:
        return accept_failure::interrupted;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return accept_failure::starved;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
        return accept_failure::broken;
    default:
        // ECONNABORTED, EPROTO, EPERM (a firewall), and the network errors that Linux passes on
        // from the new socket (accept(2)): that one is gone, the next may be well.
        return accept_failure::skip;
    }
}

} // namespace

class listener::impl {
public:
    impl(ev::loop_ref loop, bound_listeners bound, accept_handler on_accept,
         const listener_options& options)
        : loop_(loop)
        , state_(detail::loop_state::of(loop))
        , bound_(std::move(bound))
        , options_(options)
        , gate_(std::make_shared<gate>())
        , backoff_(options.backoff)
    {
        on_accept_ = std::move(on_accept);
        gate_->owner = this;
        for (const auto& socket : bound_.sockets) {
            auto& watcher = watchers_.emplace_back(std::make_unique<ev_io>());
            ev_io_init(watcher.get(), &impl::on_readable, socket.get(), EV_READ);
            watcher->data = this;
        }
        ev_timer_init(&retry_, &impl::on_retry, 0., 0.);
        retry_.data = this;
        watch();
    }
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;
    ~impl()
    {
        gate_->owner = nullptr;
        unwatch();
    }

    void pause()
    {
        paused_ = true;
        unwatch();
    }
    void resume()
    {
        paused_ = false;
        watch();
    }
    bool paused() const noexcept { return paused_; }

    void stop()
    {
        unwatch();
        stopping_ = true;
        for (std::size_t i = 0; i < bound_.sockets.size(); ++i)
            while (bound_.sockets[i])
                if (const auto end = accept_one(i);
                    end != result::accepted && end != result::again) {
                    if (end == result::destroyed)
                        return;
                    break;
                }
        for (auto& socket : bound_.sockets)
            socket.reset();
    }

    listener_counters counters() const noexcept
    {
        auto now = counters_;
        now.connections = gate_->open;
        return now;
    }
    const bound_listeners& bound() const noexcept { return bound_; }

private:
    /// Outlives the listener for as long as a connection does.
    struct gate {
        impl* owner = nullptr;
        std::size_t open = 0;
    };
    /// One connection's place under the limit.
    struct place {
        explicit place(std::shared_ptr<gate> of)
            : at(std::move(of))
        {
            ++at->open;
        }
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        ~place()
        {
            --at->open;
            if (at->owner != nullptr)
                at->owner->watch();
        }
        std::shared_ptr<gate> at;
    };
    enum class result { accepted, again, empty, starved, broken, destroyed };

    bool full() const noexcept { return gate_->open >= options_.connections; }

    void watch()
    {
        if (paused_ || stopping_ || full() || ev_is_active(&retry_))
            return;
        for (auto& watcher : watchers_)
            ev_io_start(loop_, watcher.get());
    }
    void unwatch()
    {
        for (auto& watcher : watchers_)
            ev_io_stop(loop_, watcher.get());
        ev_timer_stop(loop_, &retry_);
    }

    static void on_readable(struct ev_loop*, ev_io* watcher, int)
    {
        auto& self = *static_cast<impl*>(watcher->data);
        std::size_t index = 0;
        while (self.watchers_[index].get() != watcher)
            ++index;
        self.accept_batch(index);
    }
    static void on_retry(struct ev_loop*, ev_timer* timer, int)
    {
        auto& self = *static_cast<impl*>(timer->data);
        self.watch();
    }

    void accept_batch(std::size_t index)
    {
        // Each socket of the listener may have its turn: together they stay within the batch.
        const auto share = std::max<std::size_t>(1, options_.batch / watchers_.size());
        for (std::size_t i = 0; i < share && !paused_ && !stopping_; ++i) {
            if (full())
                return unwatch();
            switch (accept_one(index)) {
            case result::accepted:
            case result::again:
                continue;
            case result::starved:
                return starve();
            case result::broken:
                ev_io_stop(loop_, watchers_[index].get());
                return;
            case result::empty:
            case result::destroyed:
                return;
            }
        }
    }

    result accept_one(std::size_t index)
    {
        sockaddr_storage raw{};
        socklen_t size = sizeof raw;
        unique_fd fd(detail::accept_call(bound_.sockets[index].get(),
                                         reinterpret_cast<sockaddr*>(&raw), &size,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd)
            return refused(index, errno);
        recover();
        ++counters_.accepted;
        set_options(fd.get());
        accepted peer{std::move(fd), address::from(reinterpret_cast<sockaddr*>(&raw), size),
                      bound_.addresses[index], std::make_shared<place>(gate_)};
        // What the callback throws goes to the loop; whether it destroyed us is known all the same.
        bool alive = true;
        const auto kept = gate_;
        state_.guard([&] { alive = on_accept_(std::move(peer)); });
        return alive && kept->owner == this ? result::accepted : result::destroyed;
    }

    result refused(std::size_t index, int number)
    {
        switch (classify(number)) {
        case accept_failure::none_waiting:
            return result::empty;
        case accept_failure::interrupted:
            return result::again;
        case accept_failure::skip:
            ++counters_.skipped;
            return result::again;
        case accept_failure::starved:
            starved_by_ = number;
            return result::starved;
        case accept_failure::broken:
            break;
        }
        state_.log(log_level::error, "listener: " + bound_.addresses[index].to_string()
                                         + ": accept: " + errno_code(number).message()
                                         + "; this address is not served any more");
        return result::broken;
    }

    void starve()
    {
        if (!starved_)
            state_.log(log_level::warning, "listener: accept: " + errno_code(starved_by_).message()
                                               + "; waiting for some to be given back");
        starved_ = true;
        ++counters_.starved;
        unwatch();
        ev_timer_set(&retry_, std::chrono::duration<double>(backoff_).count(), 0.);
        ev_timer_start(loop_, &retry_);
        backoff_ = std::min(2 * backoff_, options_.backoff_limit);
    }
    void recover()
    {
        if (!starved_)
            return;
        starved_ = false;
        backoff_ = options_.backoff;
        state_.log(log_level::info, "listener: accepting again");
    }

    void set_options(int fd) const noexcept
    {
        // A unix socket refuses the first; neither is worth losing a connection for.
        const int on = 1;
        if (options_.no_delay)
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (options_.keepalive)
            ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }

    struct ev_loop* loop_;
    detail::loop_state& state_;
    bound_listeners bound_;
    listener_options options_;
    callback<accepted> on_accept_;
    std::shared_ptr<gate> gate_;
    std::vector<std::unique_ptr<ev_io>> watchers_;
    ev_timer retry_{};
    std::chrono::milliseconds backoff_;
    listener_counters counters_;
    int starved_by_ = 0;
    bool starved_ = false;
    bool paused_ = false;
    bool stopping_ = false;
};

listener::listener(ev::loop_ref loop, std::string_view spec, accept_handler on_accept,
                   const listener_options& options)
    : listener(loop, bind_listeners(spec, options.bind), std::move(on_accept), options)
{
}

listener::listener(ev::loop_ref loop, bound_listeners bound, accept_handler on_accept,
                   const listener_options& options)
    : impl_(std::make_unique<impl>(loop, std::move(bound), std::move(on_accept), options))
{
}

listener::~listener() = default;

const bind_report& listener::report() const noexcept
{
    return impl_->bound().report;
}
const std::vector<address>& listener::addresses() const noexcept
{
    return impl_->bound().addresses;
}
std::uint16_t listener::port() const noexcept
{
    return addresses().empty() ? std::uint16_t(0) : addresses().front().port();
}
void listener::pause()
{
    impl_->pause();
}
void listener::resume()
{
    impl_->resume();
}
bool listener::paused() const noexcept
{
    return impl_->paused();
}
void listener::stop()
{
    impl_->stop();
}
listener_counters listener::counters() const noexcept
{
    return impl_->counters();
}

} // namespace funcptr
