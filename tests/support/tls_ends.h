// SPDX-License-Identifier: MIT
//
// tls_ends.h: one end of a connection, whatever filter is inside, so that one test serves them all.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "funcptr/filter.h"
#include "funcptr/gnutls_filter.h"
#include "funcptr/ssl_filter.h"
#include "tls_pair.h"

namespace funcptr::testing {

enum class engine { plain, openssl, gnutls };

/// A filter with what TLS engines have beside the contract. A plain one has none of it.
class end {
public:
    virtual ~end() = default;
    virtual filter& get() = 0;
    virtual tls_peer peer() const { return {}; }
    virtual bool update_keys() { return false; }
    virtual std::vector<std::byte> export_key(std::string_view) const { return {}; }
    virtual bool adopt(buffer&) { return false; }
    virtual std::string_view leftover() const { return {}; }
};

class plain_end final : public end {
public:
    explicit plain_end(const tls_config& config)
        : filter_({.read = config.limits.aread, .write = config.limits.nwrite_hard})
    {
    }
    filter& get() override { return filter_; }

private:
    plain_filter filter_;
};

template <class Filter, class Context>
class tls_end final : public end {
public:
    explicit tls_end(const tls_config& config)
        : filter_(Context(config))
    {
    }
    filter& get() override { return filter_; }
    tls_peer peer() const override { return filter_.peer(); }
    bool update_keys() override { return filter_.update_keys(); }
    std::vector<std::byte> export_key(std::string_view label) const override
    {
        return filter_.export_key(label, {}, 32);
    }
    bool adopt(buffer& plain) override { return filter_.adopt(plain); }
    std::string_view leftover() const override { return filter_.leftover(); }

private:
    Filter filter_;
};

inline std::unique_ptr<end> make_end(engine kind, const tls_config& config)
{
    switch (kind) {
    case engine::openssl:
        return std::make_unique<tls_end<SSLFilter, tls_context>>(config);
    case engine::gnutls:
        return std::make_unique<tls_end<gnutls_filter, gnutls_context>>(config);
    case engine::plain:
        break;
    }
    return std::make_unique<plain_end>(config);
}

inline const char* name_of(engine kind)
{
    switch (kind) {
    case engine::openssl:
        return "Openssl";
    case engine::gnutls:
        return "Gnutls";
    case engine::plain:
        break;
    }
    return "Plain";
}

/// A client on the left of a pump and a server on its right.
struct end_pair {
    end_pair(engine client_kind, engine server_kind,
             const tls_config& client_side = client_config(),
             const tls_config& server_side = server_config(),
             fragmentation cut = fragmentation::whole())
        : client_end(make_end(client_kind, client_side))
        , server_end(make_end(server_kind, server_side))
        , client(client_end->get())
        , server(server_end->get())
        , network(client, server, cut)
    {
    }

    /// Until nothing moves; true when both are open.
    bool connect()
    {
        return network.run() && client.state() == filter_state::open
               && server.state() == filter_state::open;
    }

    std::unique_ptr<end> client_end;
    std::unique_ptr<end> server_end;
    filter& client;
    filter& server;
    pump network;
};

} // namespace funcptr::testing
