// SPDX-License-Identifier: MIT
//
// zmq_auth.h: who may connect to the ZeroMQ sockets of a context: a ZAP handler on the loop.
//
// Once it is installed nobody gets in who is not on its list: CURVE by the client's public key,
// PLAIN by name and password, NULL by the ZAP domain of the server's socket (RFC 27). It needs no
// thread of its own. The list can be replaced at any time; connections that stand are not cut.
//
// It is asked only by sockets that ask: each CURVE and PLAIN server, and a NULL socket with a
// zap_domain. libzmq asks at the handshake; a socket that shook hands before is not asked again. So
// make this first, then bind. While the loop is busy elsewhere handshakes wait, and no loop may
// wait for one (a blocking recv of a client in the handler's own thread would be for ever).
//
// Threads: those of zmq_event.h; the sockets that it guards may be of any thread of the context.
// Lifetime: the context must outlive it; without it libzmq lets everybody in again, so close the
// guarded sockets first. Where a NULL socket with a zap_domain is among them this is a must: if the
// handler goes in the midst of a NULL handshake, libzmq aborts the process (an assertion in
// zap_client.cpp; CURVE and PLAIN ask in one go). Legal in its callback: everything, destroying it
// included.
//
//     funcptr::zmq_auth auth(loop, context, funcptr::zmq_allow_list::from_file("clients"));
//     auth.on_decision([](const auto& each) { std::clog << each.text() << '\n'; });
//     funcptr::zmq_channel server(loop, context, zmq::socket_type::router);
//     server.set(zmq::sockopt::curve_server, true);
//     server.set(zmq::sockopt::curve_secretkey, secret);
//     server.bind("tcp://*:7000");
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "callback.h"
#include "zmq_event.h"

namespace funcptr {

namespace detail {
struct allow_list_words;
}

/// Who may come in. A value.
class zmq_allow_list {
public:
    /// limit: most entries; more are an error. 100,000: some 20 MB.
    explicit zmq_allow_list(std::size_t limit = 100'000)
        : limit_(limit)
    {
    }

    /// Reads entries, one in a line; empty lines and what follows a # are skipped:
    ///
    ///     curve rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 alice   # key in Z85, user id (optional)
    ///     plain bob his-password                                # name, password
    ///     null  inside                                          # ZAP domain
    ///
    /// Throws funcptr::error that names file, line and column (errc::bad_spec), or with errno's
    /// code when the file cannot be read.
    static zmq_allow_list from_file(const std::string& path, std::size_t limit = 100'000);
    /// The same from text; name: what errors call it.
    static zmq_allow_list parse(std::string_view text, const std::string& name = "allow-list",
                                std::size_t limit = 100'000);

    // Each throws funcptr::error: errc::bad_key, errc::bad_spec for a field that is empty or longer
    // than 255 bytes, errc::limit. An entry of the same key or name is replaced.

    /// public_key: 40 characters of Z85 (zmq_curve_keypair(3)). user_id: what zmq_msg_gets(3) gives
    /// as "User-Id" for each message of that client; the key itself when empty.
    void allow_curve(const std::string& public_key, const std::string& user_id = {});
    void allow_plain(const std::string& name, const std::string& password);
    void allow_null(const std::string& domain);

    std::size_t size() const noexcept { return curve_.size() + plain_.size() + null_.size(); }

private:
    friend class zmq_auth;
    void add_words(detail::allow_list_words& words);
    void allow_curve_words(const std::string& key, detail::allow_list_words& words);
    void check_room(bool replaces) const;

    std::size_t limit_;
    std::unordered_map<std::string, std::string> curve_; // 32 bytes to user id
    std::unordered_map<std::string, std::string> plain_; // name to password
    std::unordered_set<std::string> null_;               // domains
};

/// One answer to one handshake.
struct zmq_auth_decision {
    bool allowed = false;
    /// "200", "400" (not on the list) or "500" (a request that breaks the protocol).
    std::string status{};
    std::string reason{};    ///< why not; empty when allowed
    std::string mechanism{}; ///< "CURVE", "PLAIN", "NULL"
    std::string domain{};    ///< of the server's socket
    std::string address{};   ///< of the client, as libzmq knows it
    std::string user{};      ///< the user id; of who is denied: key in Z85, or name

    /// One line for a log, in which nothing that the peer sent can begin a new line.
    std::string text() const;
};

class zmq_auth final : private zmq_event {
public:
    /// Everybody is denied who is not on the list, from here on. Throws funcptr::error when the
    /// context has a handler already (EADDRINUSE), and as zmq_event does.
    zmq_auth(ev::loop_ref loop, zmq::context_t& context, zmq_allow_list list = zmq_allow_list());

    /// For handshakes from now on.
    void reload(zmq_allow_list list) { list_ = std::move(list); }

    void on_decision(std::function<void(const zmq_auth_decision&)> handler)
    {
        on_decision_ = std::move(handler);
    }

    std::uint64_t allowed() const noexcept { return allowed_; }
    std::uint64_t denied() const noexcept { return denied_; }
    using zmq_event::closed;

private:
    void read() override;
    zmq_auth_decision decide(const std::vector<std::string>& request) const;
    void decide_curve(const std::string& key, zmq_auth_decision& answer) const;
    void decide_plain(const std::string& name, const std::string& password,
                      zmq_auth_decision& answer) const;

    zmq_allow_list list_;
    std::uint64_t allowed_ = 0;
    std::uint64_t denied_ = 0;
    callback<const zmq_auth_decision&> on_decision_;
};

} // namespace funcptr

#include "zmq_auth_inl.h"
