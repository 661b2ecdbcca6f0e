// SPDX-License-Identifier: MIT
//
// Several sockets are one listener: one limit, one pause, one back-off.
//
// accept() fails with EMFILE while the connection stays in the queue, so a level-triggered watcher
// would fire again at once, for ever. All watchers are stopped instead and a timer tries again,
// further and further apart; the first failure and the recovery are one log line each.
//
// The handler may do anything, so after each call we look at what is left of us: it may have
// destroyed the listener, stopped it (then the rest is handed out after it has returned, since a
// handler is never called within itself), or run the loop (then nothing is accepted meanwhile).
#include <funcptr/listener.h>

#include <funcptr/callback.h>
#include <funcptr/loop.h>

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "detail/net_syscalls.h"
#include "detail/proxy_gate.h"

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
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case EPERM: // a firewall
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case ETIMEDOUT:
        // Linux passes on what has become of the new socket (accept(2)): that one is gone, the next
        // may be well.
        return accept_failure::skip;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EFAULT:
        return accept_failure::broken;
    default:
        // EMFILE, ENFILE, ENOBUFS, ENOMEM, and what nobody foresaw: trying again at once might
        // spin.
        return accept_failure::starved;
    }
}

void check(const listener_options& options, const listener::accept_handler& handler)
{
    const auto require = [](bool fine, const char* what) {
        if (!fine)
            throw std::invalid_argument(std::string("listener: ") + what);
    };
    require(static_cast<bool>(handler), "on_accept is empty");
    require(options.connections != 0, "listener_options::connections is 0");
    require(options.batch != 0, "listener_options::batch is 0");
    require(options.backoff.count() > 0, "listener_options::backoff is not above 0");
    require(options.backoff_limit >= options.backoff,
            "listener_options::backoff_limit is below backoff");
    require(options.proxy_deadline.count() > 0, "listener_options::proxy_deadline is not above 0");
    require(options.user_timeout.count() >= 0, "listener_options::user_timeout is below 0");
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
        , gate_(use(new gate))
        , backoff_(options.backoff)
        , proxies_(loop, options.proxy_deadline,
                   [this](accepted peer) { pass_on(std::move(peer)); })
    {
        check(options, on_accept);
        if (bound_.sockets.size() != bound_.addresses.size())
            throw std::invalid_argument("listener: as many addresses as sockets are needed");
        on_accept_ = std::move(on_accept);
        gate_->owner = this;
        for (std::size_t i = 0; i < bound_.sockets.size(); ++i) {
            auto& watcher = *watchers_.emplace_back(std::make_unique<socket_watcher>());
            watcher.owner = this;
            watcher.index = i;
            ev_io_init(&watcher.io, &impl::on_readable, bound_.sockets[i].get(), EV_READ);
            watcher.io.data = &watcher;
            set_options(bound_.sockets[i].get());
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
        if (stopping_)
            return;
        stopping_ = true;
        unwatch();
        if (!calling_) // else the handler's caller goes on with it
            hand_out_the_rest();
    }

    listener_counters counters() const noexcept
    {
        auto now = counters_;
        now.connections = gate_->open;
        now.proxies_refused = proxies_.refused();
        return now;
    }
    const bound_listeners& bound() const noexcept { return bound_; }

private:
    /// Outlives the listener for as long as a connection does. Counted by hand: a shared_ptr would
    /// take memory for each connection, and all of this is the loop's thread's.
    struct gate final : place_keeper {
        impl* owner = nullptr;
        std::size_t open = 0;
        std::size_t users = 0; // places, the listener, and calls under way

        void leave() noexcept override
        {
            --open;
            if (owner != nullptr)
                owner->watch();
            gate_left()(this);
        }
    };
    struct gate_left {
        void operator()(gate* of) const noexcept
        {
            if (--of->users == 0)
                delete of;
        }
    };
    using gate_user = std::unique_ptr<gate, gate_left>;
    static gate_user use(gate* of) noexcept
    {
        ++of->users;
        return gate_user(of);
    }
    accepted_place new_place() noexcept
    {
        ++gate_->open;
        return accepted_place(use(gate_.get()).release());
    }
    struct socket_watcher {
        impl* owner = nullptr;
        std::size_t index = 0;
        bool broken = false;
        ev_io io{};
    };
    enum class result { accepted, again, empty, starved, broken, destroyed };

    bool full() const noexcept { return gate_->open >= options_.connections; }

    void watch()
    {
        if (watching_ || paused_ || stopping_ || calling_ || full() || ev_is_active(&retry_))
            return;
        watching_ = true;
        for (auto& watcher : watchers_)
            if (!watcher->broken)
                ev_io_start(loop_, &watcher->io);
    }
    void unwatch()
    {
        watching_ = false;
        for (auto& watcher : watchers_)
            ev_io_stop(loop_, &watcher->io);
        ev_timer_stop(loop_, &retry_);
    }

    static void on_readable(struct ev_loop*, ev_io* io, int)
    {
        auto& watcher = *static_cast<socket_watcher*>(io->data);
        if (watcher.owner->calling_) // the handler runs the loop
            return watcher.owner->unwatch();
        watcher.owner->accept_batch(watcher.index);
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
        for (std::size_t i = 0; i < share; ++i) {
            if (full())
                return unwatch();
            switch (accept_one(index)) {
            case result::accepted:
                if (stopping_)
                    return hand_out_the_rest();
                watch(); // the handler may have run the loop
                if (paused_)
                    return;
                continue;
            case result::again:
                continue;
            case result::starved:
                return starve();
            case result::broken:
                watchers_[index]->broken = true;
                ev_io_stop(loop_, &watchers_[index]->io);
                return;
            case result::empty:
            case result::destroyed:
                return;
            }
        }
    }

    /// Accepts what waits, at most as many as may wait, so that a flood cannot keep us here; then
    /// closes.
    void hand_out_the_rest()
    {
        for (std::size_t i = 0; i < bound_.sockets.size(); ++i)
            for (int n = 0; n < options_.bind.backlog; ++n) {
                const auto end = accept_one(i);
                if (end == result::destroyed)
                    return;
                if (end != result::accepted && end != result::again)
                    break;
            }
        closed_ = true;
        for (auto& socket : bound_.sockets)
            socket.reset();
        bound_.holds.clear();
    }

    result accept_one(std::size_t index)
    {
        sockaddr_storage raw;
        raw.ss_family = AF_UNSPEC; // the kernel writes as much as there is
        socklen_t size = sizeof raw;
        unique_fd fd(detail::accept_call(bound_.sockets[index].get(),
                                         reinterpret_cast<sockaddr*>(&raw), &size,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd)
            return refused(index, errno);
        try {
            accepted peer{std::move(fd), address::from(reinterpret_cast<sockaddr*>(&raw), size),
                          bound_.addresses[index], new_place()};
            const bool waits = is_proxy(peer.peer);
            if (waits)
                proxies_.add(std::move(peer));
            recover();
            ++counters_.accepted;
            return waits || hand_out(std::move(peer)) ? result::accepted : result::destroyed;
        } catch (const std::bad_alloc&) {
            // Not the handler's: that one goes to the loop. Who was accepted is lost, for once.
            starved_by_ = ENOMEM;
            return result::starved;
        }
    }

    bool is_proxy(const address& peer) const noexcept
    {
        if (peer.family() == address_family::local)
            return options_.proxy_from_unix;
        return contains(options_.proxy_from, peer);
    }

    /// False when the handler destroyed us. What it throws goes to the loop; whether it destroyed
    /// us is known all the same.
    bool hand_out(accepted&& peer)
    {
        const gate_user kept = use(gate_.get());
        calling_ = true;
        proxies_.hold();
        state_.guard([&] { on_accept_(std::move(peer)); });
        if (kept->owner == nullptr)
            return false;
        calling_ = false;
        proxies_.release();
        return true;
    }

    /// From the gate: its header has come.
    void pass_on(accepted peer)
    {
        if (!hand_out(std::move(peer)))
            return;
        if (stopping_ && !closed_)
            return hand_out_the_rest();
        watch(); // the handler may have run the loop
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
        state_.log(log_level::error, [&] {
            return "listener: " + bound_.addresses[index].to_string() + ": accept: "
                   + errno_code(number).message() + "; this address is not served any more";
        });
        return result::broken;
    }

    void starve()
    {
        if (!starved_)
            state_.log(log_level::warning, [&] {
                return "listener: accept: " + errno_code(starved_by_).message()
                       + "; trying again from time to time";
            });
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

    /// Of a listening socket: what it accepts inherits them, for no system call of its own.
    void set_options(int fd) const noexcept
    {
        // A unix socket refuses the first; neither is worth losing a connection for.
        const int on = 1;
        if (options_.no_delay)
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (options_.keepalive)
            ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        const auto timeout = static_cast<unsigned>(options_.user_timeout.count());
        if (timeout != 0)
            ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    }

    struct ev_loop* loop_;
    detail::loop_state& state_;
    bound_listeners bound_;
    listener_options options_;
    callback<accepted&&> on_accept_;
    gate_user gate_;
    std::vector<std::unique_ptr<socket_watcher>> watchers_;
    ev_timer retry_{};
    std::chrono::milliseconds backoff_;
    detail::proxy_gate proxies_;
    listener_counters counters_;
    int starved_by_ = 0;
    bool starved_ = false;
    bool watching_ = false; // the sockets that are not broken
    bool paused_ = false;
    bool stopping_ = false;
    bool closed_ = false;
    bool calling_ = false; // the handler is on the stack
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
listener_queue listener::queue() const noexcept
{
    listener_queue all;
    for (const auto& socket : impl_->bound().sockets) {
        tcp_info info{};
        socklen_t size = sizeof info;
        if (::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
            continue;
        all.waiting += info.tcpi_unacked; // of a listening socket: its accept queue
        all.most += info.tcpi_sacked;
    }
    return all;
}

} // namespace funcptr
