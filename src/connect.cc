// SPDX-License-Identifier: MIT
//
// Everything that happens (an answer, a socket that is writable, a timer) ends in advance(): try
// what may be tried, and see whether it is over. The handler is called once, last, and from the
// loop: nothing is touched after it.
#include <funcptr/connect.h>

#include <funcptr/callback.h>
#include <funcptr/loop.h>

#include <netdb.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <optional>
#include <stdexcept>
#include <utility>

#include "detail/happy_eyeballs.h"
#include "detail/net_spec.h"
#include "detail/resolver.h"

namespace funcptr {

namespace {

using std::chrono::milliseconds;

[[noreturn]] void bad_target(std::string_view target, const std::string& why, std::size_t at)
{
    throw error(errc::bad_spec, "cannot connect to \"" + detail::printable(target) + "\": " + why
                                    + " (at character " + std::to_string(at + 1) + ")");
}

detail::spec_part parse_target(std::string_view target)
{
    auto parsed = detail::parse_spec(target);
    if (!parsed.error.empty())
        bad_target(target, parsed.error, parsed.at);
    if (parsed.parts.size() != 1)
        bad_target(target, "one address is needed", target.find(','));
    auto& part = parsed.parts.front();
    if (part.every_address || part.from != detail::spec_part::origin::bind)
        bad_target(target, "that can be listened on, not connected to", 0);
    return std::move(part);
}

/// The port that a service's name stands for in services(5).
std::uint16_t port_of(std::string_view target, const std::string& service)
{
    std::array<char, 2048> room;
    servent entry{};
    servent* found = nullptr;
    if (::getservbyname_r(service.c_str(), "tcp", &entry, room.data(), room.size(), &found) != 0
        || found == nullptr)
        throw error(errc::resolve, "cannot connect to \"" + detail::printable(target)
                                       + "\": no service is named " + service);
    return ntohs(static_cast<std::uint16_t>(found->s_port));
}

void check(const std::function<void(connect_result)>& handler, const connect_options& options)
{
    const auto require = [](bool fine, const char* what) {
        if (!fine)
            throw std::invalid_argument(std::string("connect_dual_stack: ") + what);
    };
    require(static_cast<bool>(handler), "the handler is empty");
    require(options.deadline.count() > 0, "connect_options::deadline is not above 0");
    require(options.resolution_delay.count() >= 0, "connect_options::resolution_delay is below 0");
    require(options.attempt_delay >= milliseconds(10),
            "connect_options::attempt_delay is below 10 ms (RFC 8305, 5)");
    require(options.addresses != 0, "connect_options::addresses is 0");
}

const char* name_of(address_family family)
{
    return family == address_family::ipv6 ? "IPv6" : "IPv4";
}

} // namespace

std::string connect_report::to_string() const
{
    std::string text = target + ":";
    const char* separator = " ";
    for (const auto& each : attempts)
        if (!each.error) {
            text += " connected to " + each.where.to_string() + " after "
                    + std::to_string((each.started + each.took).count()) + " ms";
            separator = "; ";
        }
    for (const auto& each : attempts)
        if (each.error && each.error != std::errc::operation_canceled) {
            text += std::exchange(separator, "; ");
            text += "not to " + each.where.to_string() + ": " + each.error.message();
        }
    for (const auto& each : lookups)
        if (each.addresses == 0) {
            text += std::exchange(separator, "; ");
            text += std::string("no ") + name_of(each.family) + ": " + each.error;
        }
    return text;
}

class connecting::impl {
public:
    impl(ev::loop_ref loop, std::string_view target, std::function<void(connect_result)> handler,
         const connect_options& options)
        : loop_(loop)
        , state_(detail::loop_state::of(loop))
        , options_(options)
        , handler_(std::move(handler))
        , candidates_(options.addresses)
    {
        check(handler_, options);
        ev_now_update(loop_); // a program that has just started has an old one
        began_ = ev_now(loop_);
        report_.target = detail::printable(target);
        const auto part = parse_target(target);
        port_ = part.service.empty() ? part.port : port_of(target, part.service);
        if (part.literal)
            take_literal(*part.literal);
        else
            resolve(part.host);
        start(deadline_, &impl::on_deadline, options.deadline);
        start(next_, &impl::on_next, milliseconds(0));
        init(hurry_, &impl::on_hurry);
    }
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;
    ~impl() { stop(); }

    bool pending() const noexcept { return static_cast<bool>(handler_); }

private:
    struct attempt {
        impl* owner = nullptr;
        std::size_t index = 0; // in the report
        unique_fd socket;
        ev_io io{};
    };
    using timer_callback = void (*)(struct ev_loop*, ev_timer*, int);

    // --- timers -------------------------------------------------------------------------------

    void init(ev_timer& timer, timer_callback call)
    {
        ev_timer_init(&timer, call, 0., 0.);
        timer.data = this;
    }
    void start(ev_timer& timer, timer_callback call, milliseconds after)
    {
        init(timer, call);
        restart(timer, after);
    }
    void restart(ev_timer& timer, milliseconds after)
    {
        ev_timer_stop(loop_, &timer);
        ev_timer_set(&timer, std::chrono::duration<double>(after).count(), 0.);
        ev_timer_start(loop_, &timer);
    }
    static impl& of(ev_timer* timer) { return *static_cast<impl*>(timer->data); }
    static void on_deadline(struct ev_loop*, ev_timer* timer, int)
    {
        auto& self = of(timer);
        for (const auto& each : self.attempts_)
            self.note(*each, std::make_error_code(std::errc::timed_out));
        self.finish(std::make_error_code(std::errc::timed_out));
    }
    static void on_next(struct ev_loop*, ev_timer* timer, int) { of(timer).advance(); }
    static void on_hurry(struct ev_loop*, ev_timer* timer, int)
    {
        auto& self = of(timer);
        self.candidates_.hurry();
        self.advance();
    }

    milliseconds elapsed() const
    {
        return milliseconds(static_cast<std::int64_t>(1000 * (ev_now(loop_) - began_) + 0.5));
    }

    // --- addresses ----------------------------------------------------------------------------

    void take_literal(const address& where)
    {
        const auto other =
            where.family() == address_family::ipv6 ? address_family::ipv4 : address_family::ipv6;
        candidates_.answered(other, {});
        candidates_.answered(where.family(), {where});
    }

    void resolve(const std::string& host)
    {
        const auto take = [this](const detail::lookup_answer& answer) { take_answer(answer); };
        if (!options_.system_resolver)
            resolver_ = detail::ares_resolver(loop_, host, options_.name_servers, take);
        if (!resolver_ && !options_.name_servers.empty())
            throw error(errc::bad_configuration,
                        "connect_options::name_servers needs c-ares, which is not used here");
        if (!resolver_)
            resolver_ = detail::thread_resolver(loop_, host, take);
    }

    void take_answer(const detail::lookup_answer& answer)
    {
        std::vector<address> found;
        for (const auto& each : answer.addresses)
            found.push_back(each.with_port(port_));
        report_.lookups.push_back({answer.family, found.size(), answer.error, elapsed()});
        candidates_.answered(answer.family, found);
        advance();
    }

    // --- attempts -----------------------------------------------------------------------------

    void advance()
    {
        if (candidates_.is_waiting() && !ev_is_active(&hurry_))
            restart(hurry_, options_.resolution_delay);
        // The newest attempt has its delay; without one there is nothing to wait for.
        while (!ev_is_active(&next_)) {
            const auto where = candidates_.next();
            if (!where)
                break;
            if (begin(*where))
                return;
        }
        if (attempts_.empty() && candidates_.complete() && candidates_.empty())
            finish(last_error_ ? last_error_ : make_error_code(errc::resolve));
    }

    /// True when it is over.
    bool begin(const address& where)
    {
        auto one = std::make_unique<attempt>();
        one->owner = this;
        one->index = report_.attempts.size();
        report_.attempts.push_back({where, {}, elapsed(), {}});
        one->socket.reset(
            ::socket(where.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        int failed = one->socket ? 0 : errno;
        if (failed == 0 && ::connect(one->socket.get(), where.data(), where.size()) != 0)
            failed = errno;
        if (failed == 0)
            return succeed(*one);
        if (failed != EINPROGRESS && failed != EINTR) {
            note(*one, errno_code(failed));
            return false;
        }
        ev_io_init(&one->io, &impl::on_writable, one->socket.get(), EV_WRITE);
        one->io.data = one.get();
        ev_io_start(loop_, &one->io);
        attempts_.push_back(std::move(one));
        restart(next_, options_.attempt_delay);
        return false;
    }

    static void on_writable(struct ev_loop*, ev_io* io, int)
    {
        auto& one = *static_cast<attempt*>(io->data);
        auto& self = *one.owner;
        int failed = 0;
        socklen_t size = sizeof failed;
        if (::getsockopt(one.socket.get(), SOL_SOCKET, SO_ERROR, &failed, &size) != 0)
            failed = errno;
        if (failed == 0) {
            self.succeed(one);
            return;
        }
        self.note(one, errno_code(failed));
        ev_io_stop(self.loop_, &one.io);
        self.attempts_.remove_if([&](const auto& each) { return each.get() == &one; });
        ev_timer_stop(self.loop_, &self.next_); // the next one need not wait
        self.advance();
    }

    void note(const attempt& one, std::error_code what)
    {
        auto& entry = report_.attempts[one.index];
        entry.error = what;
        entry.took = elapsed() - entry.started;
        last_error_ = what;
    }

    bool succeed(attempt& one)
    {
        for (const auto& each : attempts_)
            note(*each, std::make_error_code(std::errc::operation_canceled));
        note(one, {});
        set_options(one.socket.get());
        ev_io_stop(loop_, &one.io);
        accepted peer;
        peer.peer = report_.attempts[one.index].where;
        sockaddr_storage raw{};
        socklen_t size = sizeof raw;
        if (::getsockname(one.socket.get(), reinterpret_cast<sockaddr*>(&raw), &size) == 0)
            peer.local = address::from(reinterpret_cast<const sockaddr*>(&raw), size);
        peer.socket = std::move(one.socket);
        finish({}, std::move(peer));
        return true;
    }

    void set_options(int fd) const noexcept
    {
        const int on = 1;
        if (options_.no_delay)
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (options_.keepalive)
            ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }

    // --- the end ------------------------------------------------------------------------------

    void stop() noexcept
    {
        for (auto& each : attempts_)
            ev_io_stop(loop_, &each->io);
        for (auto* each : {&deadline_, &next_, &hurry_})
            ev_timer_stop(loop_, each);
    }

    /// The handler may destroy this.
    void finish(std::error_code what, accepted peer = {})
    {
        stop();
        attempts_.clear();
        resolver_.reset(); // it may be what called us, and bears that
        connect_result result{what, std::move(peer), std::move(report_)};
        const auto handler = std::exchange(handler_, nullptr);
        state_.guard([&] { handler(std::move(result)); });
    }

    struct ev_loop* loop_;
    detail::loop_state& state_;
    connect_options options_;
    std::function<void(connect_result)> handler_; // empty once called
    detail::happy_eyeballs candidates_;
    connect_report report_;
    std::error_code last_error_;
    std::uint16_t port_ = 0;
    double began_ = 0.;
    std::list<std::unique_ptr<attempt>> attempts_; // under way
    ev_timer deadline_{};
    ev_timer next_{};  // until the next attempt may begin
    ev_timer hurry_{}; // IPv4 waits for IPv6
    std::unique_ptr<detail::resolver> resolver_;
};

connecting::connecting() noexcept = default;
connecting::connecting(std::unique_ptr<impl> inside) noexcept
    : impl_(std::move(inside))
{
}
connecting::connecting(connecting&&) noexcept = default;
connecting& connecting::operator=(connecting&&) noexcept = default;
connecting::~connecting() = default;

bool connecting::pending() const noexcept
{
    return impl_ != nullptr && impl_->pending();
}
void connecting::cancel() noexcept
{
    impl_.reset();
}

connecting connect_dual_stack(ev::loop_ref loop, std::string_view target,
                              std::function<void(connect_result)> handler,
                              const connect_options& options)
{
    return connecting(
        std::make_unique<connecting::impl>(loop, target, std::move(handler), options));
}

} // namespace funcptr
