// SPDX-License-Identifier: MIT
//
// tls_engine.h: the inside of SSLFilter: the core that every engine has, and one SSL.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
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

    ~tls_engine() { keep_sessions(); }

    void update() noexcept;
    void trim() noexcept;
    bool update_keys() noexcept;
    bool send_early(std::span<const std::byte> bytes);

    buffer early;                // what a client said before the handshake, until it was taken
    std::size_t early_bytes = 0; // that went as 0-RTT
    ssl_ptr ssl;                 // the last member, the first to go: its BIO points to the others

private:
    void verify_peer_name();
    bool handshake();
    bool early_is_over();
    bool read_early();
    bool write_early();
    void settle_early();
    void keep_sessions() noexcept;
    bool wants_more(int ssl_error);
    void read();
    bool read_record();
    void write();
    bool write_record(buffer& from);
    void say_goodbye();
    void fail(int ssl_error);

    std::size_t early_left_ = 0; // of `early`, still to be written
    bool early_read_ = false;    // a server's: there will be no more
};

} // namespace funcptr::detail
