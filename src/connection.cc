// SPDX-License-Identifier: MIT
//
// The outside of a connection; its inside is detail/connection_impl.h.
#include <funcptr/connection.h>

#include "detail/connection_gone.h"
#include "detail/connection_impl.h"

namespace funcptr {

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
    return impl_->write(from);
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
address connection::peer() const noexcept
{
    return impl_->peer();
}
address connection::local() const noexcept
{
    return impl_->local();
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
    return impl_->descriptor();
}
std::size_t connection::memory() const noexcept
{
    return sizeof(connection) + sizeof(impl) + impl_->through().memory();
}

void detail::when_gone(connection& of, gone_handler handler)
{
    of.impl_->gone_ = handler;
}

} // namespace funcptr
