// SPDX-License-Identifier: MIT
//
// tls_engine.h: the inside of SSLFilter: the core that every engine has, and one SSL.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "tls_bio.h"
#include "tls_engine_core.h"
#include "tls_state.h"

namespace funcptr::detail {

// The state comes first: the core refers to its limits.
struct tls_state_holder {
    std::shared_ptr<const tls_state> state;
};

struct tls_engine : tls_state_holder, tls_engine_core {
    /// peer: whom a client talks to, instead of the context's server_name. Throws funcptr::error.
    tls_engine(std::shared_ptr<const tls_state> from, std::optional<std::string_view> peer);

    void update() noexcept;
    void trim() noexcept;
    bool update_keys() noexcept;

    ssl_ptr ssl; // the last member, the first to go: its BIO points to the others

private:
    void verify_peer_name();
    bool handshake();
    void read();
    bool read_record();
    void write();
    bool write_record();
    void say_goodbye();
    void fail(int ssl_error);
};

} // namespace funcptr::detail
