// SPDX-License-Identifier: MIT
//
// Theory of operation
// -------------------
// Whatever happens (the socket is ready, the user writes, a deadline passes) ends in pump():
// filter, deliver, send, until nothing moves. Calls of the user from within a callback only leave
// their bytes in awrite or set a flag; the pump() on the stack goes on with them. Calls from
// elsewhere start a pump() themselves, but never call back: what they find out (a dead peer) is
// told from the loop, by a timer that fires at once, so that write() cannot destroy its caller's
// connection.
//
// There is one timer. A byte that moves only notes the time; when the timer fires it looks at which
// deadline is really next and sleeps again, so that a busy connection restarts no timer.
//
// The end: once the filter is closed, or the user wants to, what is left in nwrite is sent, the
// socket is shut down for writing, and what still comes is read and thrown away until the peer has
// closed as well (or linger has passed). A close() with unread bytes would be a reset, which
// destroys what the peer has not read yet.
#include <funcptr/connection.h>

#include <funcptr/callback.h>
#include <funcptr/error.h>
#include <funcptr/loop.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <stdexcept>

#include "detail/connection_gone.h"
#include "detail/net_deadlines.h"

namespace funcptr {

namespace {

constexpr double never = detail::deadlines::never;
// At most so much is sent at a turn: a peer that reads as fast as we write must not keep us.
constexpr std::size_t write_per_turn = 1024 * 1024;

connection_options checked(connection_options options)
{
    if (options.read_per_turn == 0 || options.read_chunk == 0)
        throw std::invalid_argument(
            "connection_options: read_per_turn and read_chunk must not be 0");
    options.low_water = std::min(options.low_water, options.high_water);
    return options;
}

/// The loop's time. Made within a callback it is fresh, but at the start of a program it may be as
/// old as the loop, and the first deadline must not count from then.
double fresh_now(struct ev_loop* loop)
{
    ev_now_update(loop);
    return ev_now(loop);
}

} // namespace

class connection::impl {
public:
    impl(connection& outer, ev::loop_ref loop, accepted peer, std::unique_ptr<filter> through,
         const connection_options& options)
        : outer_(&outer)
        , loop_(loop)
        , state_(detail::loop_state::of(loop))
        , peer_(std::move(peer))
        , filter_(std::move(through))
        , options_(checked(options))
        , deadlines_(options_, fresh_now(loop))
    {
        if (!peer_.socket || !filter_)
            throw std::invalid_argument("connection: a socket and a filter are needed");
        ev_io_init(&io_, &impl::on_io, peer_.socket.get(), EV_READ);
        ev_timer_init(&timer_, &impl::on_timer, 0., 0.);
        io_.data = timer_.data = this;
        ev_io_start(loop_, &io_);
        // The first turn opens a plain filter, and makes a TLS client say hello.
        start_timer(0.);
    }
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;
    ~impl()
    {
        if (frame_ != nullptr)
            frame_->destroyed = true;
        stop();
    }

    callback<connection&> on_open_;
    callback<connection&, buffer&> on_data_;
    callback<connection&> on_drain_;
    callback<connection&> on_end_;
    callback<connection&, const close_reason&> on_close_;
    std::function<void()> gone_; // the set's; after on_close_

    bool write(std::span<const std::byte> bytes)
    {
        if (ending_ || closing_ || over_)
            return false;
        if (backlog() == 0)
            deadlines_.progress(ev_now(loop_)); // the stall, if it becomes one, begins here
        if (bytes.size() > options_.backlog_limit - std::min(backlog(), options_.backlog_limit)
            || !filter_->awrite().append(bytes)) {
            finish(close_by::limit, "the peer does not read: more than "
                                        + std::to_string(options_.backlog_limit)
                                        + " bytes wait for it");
            return false;
        }
        // Noted before anything is sent: whoever stops because of backlog() waits for on_drain.
        note_backlog();
        touch();
        return !over_;
    }
    std::size_t backlog() const noexcept
    {
        // With a plain filter the two are one.
        const auto& plain = filter_->awrite();
        const auto& sealed = filter_->nwrite();
        return &plain == &sealed ? plain.size() : plain.size() + sealed.size();
    }
    void end()
    {
        if (ending_ || over_)
            return;
        ending_ = true;
        filter_->close_write();
        touch();
    }
    void close()
    {
        if (closing_ || over_)
            return;
        closing_ = true;
        if (!reason_)
            set_reason(close_by::user, "closed by us");
        end();
        touch();
    }
    void abort()
    {
        if (over_)
            return;
        const linger reset{1, 0};
        ::setsockopt(io_.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        finish(close_by::user, "aborted by us");
    }
    void pause(bool paused)
    {
        paused_ = paused;
        if (over_)
            return;
        watch();
        if (paused)
            return;
        again_ = true;
        start_timer(0.);
    }

    const accepted& peer() const noexcept { return peer_; }
    filter& through() noexcept { return *filter_; }
    const filter& through() const noexcept { return *filter_; }
    bool is_open() const noexcept { return opened_ && !over_; }
    bool over() const noexcept { return over_; }
    std::uint64_t in() const noexcept { return in_; }
    std::uint64_t out() const noexcept { return out_; }

private:
    // --- the loop's events --------------------------------------------------------------------

    static void on_io(struct ev_loop*, ev_io* watcher, int events)
    {
        auto& self = *static_cast<impl*>(watcher->data);
        if (self.running_) {
            // A callback of ours runs the loop: what comes waits until it has returned.
            ev_io_stop(self.loop_, &self.io_);
            return;
        }
        if (((events & EV_READ) == 0 || self.read_turn()) && self.pump())
            self.settle();
    }
    static void on_timer(struct ev_loop*, ev_timer* watcher, int)
    {
        auto& self = *static_cast<impl*>(watcher->data);
        self.armed_ = never;
        if (self.running_) // as above; the pump under way arms it again
            return;
        // The loop may have been kept busy for longer than a deadline, and timers come before
        // sockets: what waits in ours counts first.
        if (self.is_due() && !self.read_turn())
            return;
        if (!self.pump())
            return;
        if (!self.over_)
            self.check_deadlines();
        self.settle();
    }

    /// A callback of the user under way, and whether it has destroyed us.
    struct frame {
        impl& owner;
        frame* outer;
        bool destroyed = false;

        explicit frame(impl& of)
            : owner(of)
            , outer(std::exchange(of.frame_, this))
        {
        }
        frame(const frame&) = delete;
        frame& operator=(const frame&) = delete;
        ~frame()
        {
            if (!destroyed)
                owner.frame_ = outer;
            else if (outer != nullptr)
                outer->destroyed = true;
        }
    };

    /// Runs a callback of the user. False when it destroyed us: touch nothing then.
    template <class Call>
    bool call(Call&& handler)
    {
        const frame now(*this);
        state_.guard(handler);
        return !now.destroyed;
    }

    /// Called by the user: within a callback the pump under way goes on with it.
    void touch()
    {
        if (running_ || over_)
            return;
        flush();
        if (over_)
            return;
        watch();
        // Whatever must be told (a drain, an end) is told from the loop.
        const bool drained = was_high_ && backlog() <= options_.low_water;
        if (drained || filter_->closed() || lingering() || unshown())
            start_timer(0.);
        else
            arm();
    }

    // --- reading ------------------------------------------------------------------------------

    bool wants_read() const
    {
        if (over_ || eof_)
            return false;
        if (lingering())
            return true;
        return (!paused_ || closing_) && !stopped_by_backlog() && filter_->nread().room() != 0;
    }

    /// False when a callback destroyed us.
    bool read_turn()
    {
        std::size_t left = options_.read_per_turn;
        while (wants_read() && left != 0) {
            const auto asked = std::min(options_.read_chunk, left);
            const auto got = read_once(asked);
            left -= got;
            if (got < asked)
                return true; // the socket is empty, most likely: the loop will tell
            if (!pump())
                return false;
        }
        return true;
    }

    /// How much was read; 0 at the end, on an error, and when there is nothing.
    std::size_t read_once(std::size_t bytes)
    {
        auto& in = filter_->nread();
        std::byte waste[4096];
        auto room = lingering() ? std::span<std::byte>(waste) : in.prepare(bytes);
        room = room.first(std::min(room.size(), bytes));
        if (room.empty())
            return 0;
        ssize_t got = 0;
        do
            got = ::recv(io_.fd, room.data(), room.size(), 0);
        while (got < 0 && errno == EINTR);
        if (got < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                socket_failed(errno);
            return 0;
        }
        deadlines_.moved(ev_now(loop_));
        if (got == 0) {
            eof_ = true;
            filter_->input_eof();
            return 0;
        }
        in_ += static_cast<std::uint64_t>(got);
        if (!lingering())
            in.commit(static_cast<std::size_t>(got));
        return static_cast<std::size_t>(got);
    }

    // --- the pump -----------------------------------------------------------------------------

    /// False when a callback destroyed us.
    bool pump()
    {
        if (over_)
            return true;
        running_ = true;
        moved_ = false;
        if (!pump_steps())
            return false;
        running_ = false;
        if (over_)
            return true;
        watch();
        // There is more to show, or the filter holds more and there is room again: go on at the
        // next turn. (Feeding ourselves an event would be served at this one, for ever.)
        const bool more = may_show() && (unshown() || (moved_ && filter_->pending()));
        if (more || end_is_due())
            start_timer(0.);
        else
            arm();
        return true;
    }

    bool pump_steps()
    {
        filter_->update();
        if (!opened_ && filter_->state() == filter_state::open) {
            opened_ = true;
            deadlines_.opened();
            if (!call([this] { on_open_(*outer_); }))
                return false;
        }
        if (!deliver())
            return false;
        flush();
        if (!over_ && was_high_ && backlog() <= options_.low_water) {
            was_high_ = false;
            if (!call([this] { on_drain_(*outer_); }))
                return false;
            flush();
        }
        if (!over_)
            follow_the_end();
        return true;
    }

    void flush()
    {
        if (over_)
            return;
        filter_->update();
        send();
    }

    /// Shows the application what has come, until it takes no more. False when it destroyed us.
    bool deliver()
    {
        auto& ready = filter_->aread();
        while (!over_ && may_show() && (ready.size() > shown_ || again_)) {
            again_ = false;
            const auto before = ready.size();
            if (closing_)
                ready.clear();
            else if (before != 0 && !call([&] { on_data_(*outer_, ready); }))
                return false;
            shown_ = ready.size();
            const bool taken = shown_ < before;
            moved_ = moved_ || taken;
            again_ = again_ || (taken && !ready.empty()); // until it takes no more
            if (!over_)
                filter_->update();
        }
        return over_ || tell_end();
    }

    bool may_show() const { return (!paused_ || closing_) && !stopped_by_backlog(); }
    /// There are bytes that on_data has not seen, or wants to see again.
    bool unshown() const
    {
        const auto size = filter_->aread().size();
        return size > shown_ || (again_ && size != 0);
    }
    /// All that came before the peer's end was shown. What the handler has left then stays left;
    /// what it left because it paused comes first.
    bool end_is_due() const
    {
        if (end_told_ || closing_ || !filter_->read_closed())
            return false;
        return !unshown() && (!paused_ || filter_->aread().empty());
    }

    bool tell_end()
    {
        if (!end_is_due())
            return true;
        end_told_ = true;
        if (!call([this] { on_end_(*outer_); }))
            return false;
        if (!over_ && options_.close_with_peer && !ending_) {
            ending_ = true;
            filter_->close_write();
        }
        return true;
    }

    // --- writing ------------------------------------------------------------------------------

    void note_backlog() noexcept { was_high_ = was_high_ || backlog() > options_.high_water; }
    /// From high_water until low_water. But a handshake needs what the peer says before anything
    /// can be sent.
    bool stopped_by_backlog() const noexcept
    {
        return opened_ && !options_.read_while_high && was_high_;
    }

    void send()
    {
        std::size_t left = write_per_turn;
        blocked_ = false;
        while (!filter_->nwrite().empty()) {
            auto bytes = filter_->nwrite().data();
            if (left == 0) {
                blocked_ = true; // by our own bound: the socket is ready again at the next turn
                break;
            }
            bytes = bytes.first(std::min(bytes.size(), left));
            // MSG_NOSIGNAL: a peer that is gone is a value, not a signal of the process.
            const auto sent = ::send(io_.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR)
                continue;
            if (sent < 0) {
                if (errno != EAGAIN && errno != EWOULDBLOCK)
                    return socket_failed(errno);
                blocked_ = true;
                break;
            }
            const auto size = static_cast<std::size_t>(sent);
            deadlines_.moved(ev_now(loop_));
            deadlines_.progress(ev_now(loop_));
            out_ += size;
            left -= size;
            moved_ = true;
            filter_->nwrite().consume(size);
            filter_->update(); // room for more
        }
        if (filter_->nwrite().empty())
            deadlines_.progress(ev_now(loop_));
        note_backlog();
        if (filter_->write_closed() && filter_->nwrite().empty() && !shut_) {
            shut_ = true;
            ::shutdown(io_.fd, SHUT_WR);
        }
    }

    /// Waits for what is needed: the socket to be readable, writable, or neither.
    void watch()
    {
        if (over_)
            return;
        const bool write = !filter_->nwrite().empty() && blocked_;
        const int wanted = (wants_read() ? EV_READ : 0) | (write ? EV_WRITE : 0);
        if (wanted != (io_.events & (EV_READ | EV_WRITE)) || !ev_is_active(&io_)) {
            ev_io_stop(loop_, &io_);
            if (wanted != 0) {
                ev_io_set(&io_, io_.fd, wanted);
                ev_io_start(loop_, &io_);
            }
        }
    }

    // --- the end ------------------------------------------------------------------------------

    /// Has it come to an end? Sends what is left, then waits for the peer.
    void follow_the_end()
    {
        if (filter_->closed() && !reason_)
            note_filter_end();
        const bool all_sent = filter_->nwrite().empty();
        if (filter_->closed() && all_sent) {
            if (!shut_) {
                shut_ = true;
                ::shutdown(io_.fd, SHUT_WR);
            }
            // A clean goodbye was the peer's last byte; after anything else more may be on its way.
            if (eof_ || filter_->cause().kind == close_kind::clean)
                return finish();
        }
        if (closing_ && shut_ && eof_)
            return finish();
        if (lingering())
            deadlines_.linger(ev_now(loop_));
    }

    /// All is said; what comes is thrown away until the peer closes too.
    bool lingering() const noexcept { return filter_->closed() || (closing_ && shut_); }

    void note_filter_end()
    {
        const auto& cause = filter_->cause();
        const bool clean = cause.kind == close_kind::clean;
        set_reason(clean ? close_by::peer : close_by::filter,
                   clean ? "closed by the peer" : cause.text);
    }

    void socket_failed(int number)
    {
        const auto code = errno_code(number);
        if (!reason_ && filter_->closed())
            note_filter_end(); // the filter's cause came first, and says more
        if (is_news()) {
            set_reason(close_by::socket, code.message());
            reason_->error = code;
        }
        finish();
    }

    /// The first cause stands. Only to a user's close() it matters what prevented that from sending
    /// all; once it is sent, how the peer leaves does not.
    bool is_news() const { return !reason_ || (reason_->by == close_by::user && !shut_); }

    void set_reason(close_by by, std::string text)
    {
        reason_.emplace();
        reason_->by = by;
        reason_->text = std::move(text);
    }
    void finish(close_by by, std::string text)
    {
        set_reason(by, std::move(text));
        finish();
    }

    /// The socket is closed now; on_close is called by settle(), from the loop.
    void finish()
    {
        if (over_)
            return;
        over_ = true;
        stop();
        peer_.socket.reset();
        start_timer(0.); // for the case that no event of the loop is under way
    }

    void settle()
    {
        if (!over_ || told_)
            return;
        told_ = true;
        ev_timer_stop(loop_, &timer_);
        if (!reason_)
            set_reason(close_by::peer, "closed by the peer");
        reason_->cause = filter_->cause();
        reason_->text = peer_.peer.to_string() + ": " + reason_->text + "; " + std::to_string(in_)
                        + " bytes in, " + std::to_string(out_) + " out";
        peer_.place.reset();
        const auto reason = *reason_;
        if (call([&] { on_close_(*outer_, reason); }) && gone_)
            gone_();
    }

    void stop()
    {
        ev_io_stop(loop_, &io_);
        ev_timer_stop(loop_, &timer_);
    }

    // --- deadlines ----------------------------------------------------------------------------

    detail::deadlines::next next_deadline() const
    {
        return deadlines_.earliest(!filter_->nwrite().empty());
    }
    bool is_due() const
    {
        const auto next = next_deadline();
        return next.at <= ev_now(loop_) && next.what != detail::deadlines::kind::trim;
    }

    void check_deadlines()
    {
        using kind = detail::deadlines::kind;
        const auto next = next_deadline();
        if (next.at > ev_now(loop_))
            return arm();
        if (next.what == kind::trim) {
            deadlines_.trimmed();
            filter_->trim();
            return arm();
        }
        // Nothing is wrong with linger: the peer had its time to read what we said.
        if (next.what != kind::linger && is_news())
            set_reason(close_by::deadline,
                       std::string(detail::to_string(next.what)) + " deadline passed");
        finish();
    }

    void arm()
    {
        const auto at = next_deadline().at;
        if (at < armed_)
            start_timer(std::max(0., at - ev_now(loop_)), at);
    }
    void start_timer(double after, double at = 0.)
    {
        ev_timer_stop(loop_, &timer_);
        ev_timer_set(&timer_, after, 0.);
        ev_timer_start(loop_, &timer_);
        armed_ = at;
    }

    connection* outer_;
    struct ev_loop* loop_;
    detail::loop_state& state_;
    accepted peer_;
    std::unique_ptr<filter> filter_;
    connection_options options_;
    detail::deadlines deadlines_;
    ev_io io_{};
    ev_timer timer_{};
    frame* frame_ = nullptr; // the innermost

    std::uint64_t in_ = 0;
    std::uint64_t out_ = 0;
    std::size_t shown_ = 0; // bytes of aread that on_data has seen and left
    double armed_ = never;  // when the timer fires
    std::optional<close_reason> reason_;
    bool running_ = false; // a pump() is on the stack
    bool opened_ = false;
    bool paused_ = false;
    bool eof_ = false;
    bool end_told_ = false;
    bool ending_ = false;  // close_write() was called
    bool closing_ = false; // close() was called
    bool shut_ = false;    // SHUT_WR was done
    bool was_high_ = false;
    bool blocked_ = false; // the socket took no more
    bool again_ = false;   // show what was left once more
    bool moved_ = false;   // bytes left aread or nwrite in this pump()
    bool over_ = false;    // the socket is closed
    bool told_ = false;
};

// --- connection -------------------------------------------------------------------------------

connection::connection(ev::loop_ref loop, accepted peer, std::unique_ptr<filter> through,
                       const connection_options& options)
    : impl_(std::make_unique<impl>(*this, loop, std::move(peer), std::move(through), options))
{
}
connection::~connection() = default;

void connection::on_open(std::function<void(connection&)> handler)
{
    impl_->on_open_ = std::move(handler);
}
void connection::on_data(std::function<void(connection&, buffer& in)> handler)
{
    impl_->on_data_ = std::move(handler);
}
void connection::on_drain(std::function<void(connection&)> handler)
{
    impl_->on_drain_ = std::move(handler);
}
void connection::on_end(std::function<void(connection&)> handler)
{
    impl_->on_end_ = std::move(handler);
}
void connection::on_close(std::function<void(connection&, const close_reason&)> handler)
{
    impl_->on_close_ = std::move(handler);
}
bool connection::write(std::span<const std::byte> bytes)
{
    return impl_->write(bytes);
}
bool connection::write(buffer& from)
{
    if (!impl_->write(from.data()))
        return false;
    from.clear();
    return true;
}
std::size_t connection::backlog() const noexcept
{
    return impl_->backlog();
}
void connection::end()
{
    impl_->end();
}
void connection::close()
{
    impl_->close();
}
void connection::abort()
{
    impl_->abort();
}
void connection::pause_reading()
{
    impl_->pause(true);
}
void connection::resume_reading()
{
    impl_->pause(false);
}
const address& connection::peer() const noexcept
{
    return impl_->peer().peer;
}
const address& connection::local() const noexcept
{
    return impl_->peer().local;
}
filter& connection::through() noexcept
{
    return impl_->through();
}
bool connection::is_open() const noexcept
{
    return impl_->is_open();
}
bool connection::closed() const noexcept
{
    return impl_->over();
}
std::uint64_t connection::bytes_in() const noexcept
{
    return impl_->in();
}
std::uint64_t connection::bytes_out() const noexcept
{
    return impl_->out();
}
int connection::descriptor() const noexcept
{
    return impl_->peer().socket.get();
}
std::size_t connection::memory() const noexcept
{
    return sizeof(connection) + sizeof(impl) + impl_->through().memory();
}

void detail::when_gone(connection& of, std::function<void()> handler)
{
    of.impl_->gone_ = std::move(handler);
}

} // namespace funcptr
