// SPDX-License-Identifier: MIT
//
// tls_engine.h: the inside of SSLFilter: four buffers, one SSL, and how far it has come.
//
// It lives on the heap and never moves, so that OpenSSL's callbacks, the BIO and the base class may
// point into it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "funcptr/buffer.h"
#include "funcptr/filter.h"
#include "tls_bio.h"
#include "tls_names.h"
#include "tls_state.h"

namespace funcptr::detail {

struct tls_engine {
    /// peer: whom a client talks to, instead of the context's server_name. Throws funcptr::error.
    tls_engine(std::shared_ptr<const tls_state> from, std::optional<std::string_view> peer);
    tls_engine(const tls_engine&) = delete;
    tls_engine& operator=(const tls_engine&) = delete;

    void update() noexcept;
    void trim() noexcept;
    bool update_keys() noexcept;

    std::shared_ptr<const tls_state> state;
    buffer nread;
    buffer nwrite;
    buffer aread;
    buffer awrite;
    tls_link link;
    peer_name name;
    close_cause cause; // INVARIANT: kind is none exactly as long as stage is not closed
    filter_state stage = filter_state::handshaking;
    bool started = false;      // update() was called
    bool read_closed = false;  // the peer's close_notify was read
    bool close_wanted = false; // close_write() was called
    bool write_closed = false; // our close_notify stands in nwrite, or has left
    bool pending = false;
    ssl_ptr ssl; // the last member, the first to go: its BIO points to the others

private:
    void choose_peer_name(std::optional<std::string_view> peer);
    void verify_peer_name();
    bool handshake();
    void read();
    bool read_record();
    void write();
    bool write_record();
    void say_goodbye();
    void fail(int ssl_error);
    void finish(close_cause why) noexcept;
    std::size_t next_record_size() const noexcept;

    unsigned small_left;               // records still to be kept within one segment
    std::uint64_t records = 0;         // sent under the present key
    std::size_t data_since_update = 0; // plaintext received since key_updates was reset
};

} // namespace funcptr::detail
