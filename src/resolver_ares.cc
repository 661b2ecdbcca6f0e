// SPDX-License-Identifier: MIT
//
// c-ares on the loop: one channel for each name, so that to give one up is to destroy it. What
// c-ares tells from within its own calls is kept until they have returned: the handler may destroy
// all of it.
#include "detail/resolver.h"

#ifdef HAVE_CARES

#    include <ares.h>

#    include <strings.h>

#    include <algorithm>
#    include <map>
#    include <mutex>
#    include <string_view>
#    include <utility>

#    include "funcptr/callback.h"
#    include "funcptr/error.h"

namespace funcptr::detail {

namespace {

/// Of an ares call that is part of setting up.
void require(int status, const std::string& step)
{
    if (status != ARES_SUCCESS)
        throw error(errc::bad_configuration, step + ": " + ::ares_strerror(status));
}

/// A name that never leaves this machine (RFC 6761, 6.3). It is asked for both families at once:
/// asked for one that hosts(5) does not give it, c-ares 1.18 makes an answer up and leaks its name.
bool is_localhost(std::string_view host)
{
    if (host.ends_with('.'))
        host.remove_suffix(1);
    constexpr std::string_view name = "localhost";
    const std::string_view last = host.substr(host.size() - std::min(host.size(), name.size()));
    return last.size() == name.size() && ::strncasecmp(last.data(), name.data(), name.size()) == 0
           && (host.size() == name.size() || host[host.size() - name.size() - 1] == '.');
}

class asks_ares final : public resolver {
public:
    asks_ares(ev::loop_ref loop, const std::string& host, const std::string& servers, handler to)
        : loop_(loop)
    {
        handler_ = std::move(to);
        static std::once_flag once; // ares_library_init(3): before any channel, not two at once
        std::call_once(once, [] { require(::ares_library_init(ARES_LIB_INIT_ALL), "c-ares"); });
        ev_timer_init(&timer_, &asks_ares::on_timer, 0., 0.);
        timer_.data = this;
        ares_options options{};
        options.sock_state_cb = &asks_ares::on_socket;
        options.sock_state_cb_data = this;
        require(::ares_init_options(&channel_, &options, ARES_OPT_SOCK_STATE_CB), "c-ares");
        set_servers(servers);
        if (is_localhost(host)) {
            ask(host, both_);
        } else {
            ask(host, ipv6_);
            ask(host, ipv4_);
        }
        arm();
    }
    asks_ares(const asks_ares&) = delete;
    asks_ares& operator=(const asks_ares&) = delete;
    ~asks_ares() override
    {
        closing_ = true;
        ::ares_destroy(channel_);
        ev_timer_stop(loop_, &timer_);
        for (auto& [fd, watcher] : sockets_)
            ev_io_stop(loop_, &watcher);
    }

private:
    struct question {
        asks_ares* owner;
        int family; ///< AF_UNSPEC: both
    };

    void set_servers(const std::string& servers)
    {
        if (servers.empty())
            return;
        const int status = ::ares_set_servers_ports_csv(channel_, servers.c_str());
        if (status == ARES_SUCCESS)
            return;
        ::ares_destroy(channel_);
        require(status, "name_servers \"" + printable(servers) + "\"");
    }

    void ask(const std::string& host, question& what)
    {
        ares_addrinfo_hints hints{};
        hints.ai_family = what.family;
        hints.ai_socktype = SOCK_STREAM;
        ::ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &asks_ares::on_answer, &what);
    }

    static void on_answer(void* context, int status, int, ares_addrinfo* list)
    {
        const auto& asked = *static_cast<question*>(context);
        if (!asked.owner->closing_ && asked.family != AF_INET)
            asked.owner->keep(address_family::ipv6, status, list);
        if (!asked.owner->closing_ && asked.family != AF_INET6)
            asked.owner->keep(address_family::ipv4, status, list);
        if (list != nullptr)
            ::ares_freeaddrinfo(list);
    }

    void keep(address_family family, int status, const ares_addrinfo* list)
    {
        lookup_answer answer{family, {}, {}};
        for (auto* each = list == nullptr ? nullptr : list->nodes; each != nullptr;
             each = each->ai_next)
            if (const auto where = address::from(each->ai_addr, each->ai_addrlen);
                where.family() == family)
                answer.addresses.push_back(where);
        if (answer.addresses.empty())
            answer.error = status == ARES_SUCCESS ? "no such address" : ::ares_strerror(status);
        answers_.push_back(std::move(answer));
    }

    /// c-ares wants that socket watched so.
    static void on_socket(void* context, ares_socket_t fd, int readable, int writable)
    {
        auto& self = *static_cast<asks_ares*>(context);
        auto [at, fresh] = self.sockets_.try_emplace(fd);
        ev_io& watcher = at->second;
        if (!fresh)
            ev_io_stop(self.loop_, &watcher);
        const int events = (readable != 0 ? EV_READ : 0) | (writable != 0 ? EV_WRITE : 0);
        if (events == 0) {
            self.sockets_.erase(at);
            return;
        }
        ev_io_init(&watcher, &asks_ares::on_event, fd, events);
        watcher.data = &self;
        ev_io_start(self.loop_, &watcher);
    }

    static void on_event(struct ev_loop*, ev_io* watcher, int events)
    {
        auto& self = *static_cast<asks_ares*>(watcher->data);
        const int fd = watcher->fd; // the watcher may go meanwhile
        self.process((events & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                     (events & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    }
    static void on_timer(struct ev_loop*, ev_timer* timer, int)
    {
        static_cast<asks_ares*>(timer->data)->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }

    void process(ares_socket_t readable, ares_socket_t writable)
    {
        ::ares_process_fd(channel_, readable, writable);
        arm();
        if (answers_.empty())
            return;
        for (const auto& each : std::exchange(answers_, {}))
            if (!handler_(each))
                return; // it has destroyed this
    }

    /// At once when there is something to tell, else when c-ares wants to try again.
    void arm()
    {
        ev_timer_stop(loop_, &timer_);
        timeval room{};
        const timeval* next = ::ares_timeout(channel_, nullptr, &room);
        if (!answers_.empty())
            ev_timer_set(&timer_, 0., 0.);
        else if (next != nullptr)
            ev_timer_set(
                &timer_,
                static_cast<double>(next->tv_sec) + 1e-6 * static_cast<double>(next->tv_usec), 0.);
        else
            return;
        ev_timer_start(loop_, &timer_);
    }

    struct ev_loop* loop_;
    callback<lookup_answer> handler_;
    question ipv6_{this, AF_INET6};
    question ipv4_{this, AF_INET};
    question both_{this, AF_UNSPEC};
    ares_channel channel_ = nullptr;
    std::map<ares_socket_t, ev_io> sockets_; // its nodes do not move
    ev_timer timer_{};
    std::vector<lookup_answer> answers_;
    bool closing_ = false;
};

} // namespace

std::unique_ptr<resolver> ares_resolver(ev::loop_ref loop, const std::string& host,
                                        const std::string& servers, resolver::handler handler)
{
    return std::make_unique<asks_ares>(loop, host, servers, std::move(handler));
}

} // namespace funcptr::detail

#else

namespace funcptr::detail {

std::unique_ptr<resolver> ares_resolver(ev::loop_ref, const std::string&, const std::string&,
                                        resolver::handler)
{
    return nullptr;
}

} // namespace funcptr::detail

#endif
