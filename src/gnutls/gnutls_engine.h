// SPDX-License-Identifier: MIT
//
// gnutls_engine.h: the inside of gnutls_filter: the core that every engine has, and one session.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "detail/tls_engine_core.h"
#include "gnutls_state.h"

namespace funcptr::detail {

// The state comes first: the core refers to its limits.
struct gnutls_state_holder {
    std::shared_ptr<const gnutls_state> state;
};

struct gnutls_engine : gnutls_state_holder, tls_engine_core {
    /// peer: whom a client talks to, instead of the context's server_name. Throws funcptr::error.
    gnutls_engine(std::shared_ptr<const gnutls_state> from, std::optional<std::string_view> peer);

    void update() noexcept;
    void trim() noexcept { trim_buffers(); }
    bool update_keys() noexcept;

    gnutls_session_ptr session; // the last member, the first to go: it points to the others

private:
    void set_up_session();
    void offer_alpn();
    bool handshake();
    void read();
    bool read_record();
    void write();
    bool write_record();
    void say_goodbye();
    void fail(int result);

    bool update_wanted_ = false; // update_keys() was called
};

} // namespace funcptr::detail
