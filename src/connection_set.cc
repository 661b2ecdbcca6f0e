// SPDX-License-Identifier: MIT
#include <funcptr/connection.h>

#include <funcptr/callback.h>
#include <funcptr/loop.h>

#include <unordered_map>
#include <vector>

#include "detail/connection_gone.h"

namespace funcptr {

class connection_set::impl {
public:
    explicit impl(ev::loop_ref loop)
        : loop_(loop)
        , state_(detail::loop_state::of(loop))
    {
        ev_timer_init(&sweep_, &impl::on_sweep, 0., 0.);
        ev_timer_init(&deadline_, &impl::on_deadline, 0., 0.);
        sweep_.data = deadline_.data = this;
    }
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;
    ~impl()
    {
        ev_timer_stop(loop_, &sweep_);
        ev_timer_stop(loop_, &deadline_);
    }

    connection& add(accepted peer, std::unique_ptr<filter> through,
                    const connection_options& options)
    {
        auto made =
            std::make_unique<connection>(loop_, std::move(peer), std::move(through), options);
        auto& reference = *made;
        all_.emplace(&reference, std::move(made));
        detail::when_gone(reference, {[](void* owner, connection& gone) noexcept {
                                          return static_cast<impl*>(owner)->bury(gone);
                                      },
                                      this});
        if (overdue_)
            start_deadline(0.); // what the drain is for holds for newcomers, too
        return reference;
    }

    std::size_t size() const noexcept { return all_.size(); }

    void for_each(const std::function<void(connection&)>& function)
    {
        std::vector<connection*> now; // the function may add some, and close any
        now.reserve(all_.size());
        for (const auto& [key, owned] : all_)
            now.push_back(key);
        for (auto* each : now)
            if (const auto found = all_.find(each); found != all_.end() && !each->closed())
                function(*each);
    }

    void drain(std::chrono::milliseconds deadline, std::function<void(std::size_t)> done,
               drain_how how)
    {
        draining_ = true;
        overdue_ = false;
        aborted_ = 0;
        on_drained_ = std::move(done);
        if (how == drain_how::close)
            for_each([](connection& each) { each.close(); });
        ev_now_update(loop_); // the caller may have been busy: the deadline counts from now
        start_deadline(std::chrono::duration<double>(deadline).count());
        start_sweep(); // also when there is none: `done` is called from the loop
    }

private:
    /// Its callbacks may still be on the stack: it is erased at the next turn.
    /// False: there was no memory.
    bool bury(connection& closed) noexcept
    {
        try {
            dead_.push_back(nullptr);
        } catch (const std::bad_alloc&) {
            return false;
        }
        const auto found = all_.find(&closed);
        dead_.back() = std::move(found->second);
        all_.erase(found);
        start_sweep();
        return true;
    }
    void start_sweep()
    {
        if (!ev_is_active(&sweep_)) {
            ev_timer_set(&sweep_, 0., 0.);
            ev_timer_start(loop_, &sweep_);
        }
    }
    void start_deadline(double after)
    {
        ev_timer_stop(loop_, &deadline_);
        ev_timer_set(&deadline_, after, 0.);
        ev_timer_start(loop_, &deadline_);
    }
    static void on_sweep(struct ev_loop*, ev_timer* timer, int)
    {
        auto& self = *static_cast<impl*>(timer->data);
        const auto dead = std::move(self.dead_);
        self.dead_.clear();
        if (!self.draining_ || !self.all_.empty())
            return;
        self.draining_ = self.overdue_ = false;
        ev_timer_stop(self.loop_, &self.deadline_);
        const auto aborted = self.aborted_;
        self.state_.guard([&] { self.on_drained_(aborted); });
    }
    static void on_deadline(struct ev_loop*, ev_timer* timer, int)
    {
        auto& self = *static_cast<impl*>(timer->data);
        self.overdue_ = true;
        try {
            self.for_each([&](connection& each) {
                ++self.aborted_;
                each.abort();
            });
        } catch (const std::bad_alloc&) { // before the first: for its list
            self.start_deadline(0.01);
        }
    }

    struct ev_loop* loop_;
    detail::loop_state& state_;
    std::unordered_map<connection*, std::unique_ptr<connection>> all_;
    std::vector<std::unique_ptr<connection>> dead_;
    ev_timer sweep_{};
    ev_timer deadline_{};
    callback<std::size_t> on_drained_;
    std::size_t aborted_ = 0;
    bool draining_ = false;
    bool overdue_ = false; // its deadline has passed
};

connection_set::connection_set(ev::loop_ref loop)
    : impl_(std::make_unique<impl>(loop))
{
}
connection_set::~connection_set() = default;

connection& connection_set::add(accepted peer, std::unique_ptr<filter> through,
                                const connection_options& options)
{
    return impl_->add(std::move(peer), std::move(through), options);
}
std::size_t connection_set::size() const noexcept
{
    return impl_->size();
}
void connection_set::for_each(const std::function<void(connection&)>& function)
{
    impl_->for_each(function);
}
void connection_set::drain(std::chrono::milliseconds deadline,
                           std::function<void(std::size_t aborted)> done, drain_how how)
{
    impl_->drain(deadline, std::move(done), how);
}

} // namespace funcptr
