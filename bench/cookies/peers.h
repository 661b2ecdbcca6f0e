// SPDX-License-Identifier: MIT
//
// peers.h: the packages of other languages, each verifying the cookie that it made itself, against
// our codec of its dialect with that same cookie. Loops are inside each process; start-up is not
// measured. The peers run by the interpreters that they are used with, and get their own secret
// once, as ours does; cookie-signature's functions take it at each call.
//
// A peer that is not installed leaves its rows without a value, and says so.
//
// Threads: one. Lifetime: peers are started when their first row runs, and end with the suite.
//
//     bench::add_peers(suite);
#pragma once

#include <funcptr/cookie_dialects.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "../support/bench.h"
#include "peer.h"
#include "speed.h"

namespace bench {

inline const std::string peer_secret = "a secret of forty bytes, as long as many";
inline const std::string peer_data(64, 'x');

/// Started when it is first asked for, and then kept.
using peer_of_suite = std::function<peer&()>;

inline peer_of_suite kept(std::function<std::unique_ptr<peer>()> start)
{
    return [start = std::move(start), one = std::make_shared<std::unique_ptr<peer>>()]() -> peer& {
        if (!*one)
            *one = start();
        return **one;
    };
}

inline std::unique_ptr<peer> start_itsdangerous()
{
    return std::make_unique<peer>(
        std::vector<std::string>{interpreter("python3"), peer_file("itsdangerous_peer.py"),
                                 peer_secret, peer_data},
        "python3-itsdangerous is not installed: ./waf deps --bench installs it");
}

/// Where `./waf deps --interop` has npm's packages, unless NODE_PATH says otherwise.
inline std::string node_path()
{
    if (const char* const given = std::getenv("NODE_PATH"))
        return given;
    const char* const cache = std::getenv("XDG_CACHE_HOME");
    const char* const home = std::getenv("HOME");
    const auto base = cache != nullptr && *cache != '\0'
                          ? std::string(cache)
                          : std::string(home == nullptr ? "" : home) + "/.cache";
    return base + "/funcptr/interop/node_modules";
}

inline std::unique_ptr<peer> start_cookie_signature()
{
    return std::make_unique<peer>(
        std::vector<std::string>{interpreter("node"), peer_file("cookie_signature_peer.js"),
                                 peer_secret, peer_data},
        "npm's cookie-signature is not installed: ./waf deps --interop installs it",
        std::vector<std::string>{"NODE_PATH=" + node_path()});
}

/// Compiled first, into a folder that goes when it runs.
inline std::unique_ptr<peer> start_securecookie()
{
    const std::string missing =
        "Go's gorilla/securecookie is not installed: ./waf deps --bench installs it";
    const scratch_folder folder;
    const auto program = (folder.path() / "peer").string();
    // Debian's packages are sources below this path. The answer is one line; the compiler's own
    // words would be another.
    const std::string build = "GO111MODULE=off GOFLAGS= GOPATH=/usr/share/gocode '"
                              + interpreter("go") + "' build -o '" + program + "' '"
                              + peer_file("securecookie_peer.go") + "' >/dev/null 2>&1";
    if (std::system(build.c_str()) != 0)
        throw std::runtime_error(missing);
    return std::make_unique<peer>(std::vector<std::string>{program, peer_secret, peer_data},
                                  missing);
}

/// The peer's loop, long enough for its clock. The first ones are for its own warming up.
inline comparison::body asking(const peer_of_suite& one)
{
    return [one, calls = std::size_t{0}](round& into) mutable {
        peer& other = one();
        if (calls == 0) {
            for (int i = 0; i < 5; ++i)
                other.verify(5000);
            calls = static_cast<std::size_t>(0.05 / (other.verify(5000) / 5000)) + 1;
        }
        into.record("wall", other.verify(calls));
        into.work(static_cast<double>(calls));
    };
}

inline comparison::body answering(const peer_of_suite& one,
                                  const std::function<funcptr::cookie_dialect()>& make)
{
    return timed([one, make] {
        return [codec = make(), cookie = one().cookie()] {
            const auto verdict = codec.verify(cookie);
            require(verdict && verdict.data == peer_data);
        };
    });
}

inline void add_peer(suite& suite, const std::string& name, const std::string& goal,
                     std::function<std::unique_ptr<peer>()> start,
                     const std::function<funcptr::cookie_dialect()>& make)
{
    const auto one = kept(std::move(start));
    auto& each = suite.compare("verify a cookie of " + name);
    each.contender("ours", answering(one, make));
    each.contender("theirs", asking(one));
    each.speed("verify_vs_" + name, goal, "ours", {"theirs"});
    each.figure("verify_dialect_of_" + name, "ns", "", "ours", nanoseconds);
    each.figure("verify_by_" + name, "ns", "", "theirs", nanoseconds);
}

inline void add_peers(suite& suite)
{
    namespace dialects = funcptr::dialects;
    add_peer(suite, "itsdangerous", ">= 15", start_itsdangerous, [] {
        return dialects::itsdangerous(
            funcptr::dialect_secret(peer_secret),
            {.how = dialects::itsdangerous_format::form::timestamp, .salt = "itsdangerous.Signer"});
    });
    add_peer(suite, "cookie_signature", ">= 8", start_cookie_signature,
             [] { return dialects::cookie_signature(funcptr::dialect_secret(peer_secret)); });
    add_peer(suite, "securecookie", ">= 3", start_securecookie, [] {
        return dialects::gorilla({{.hash_key = funcptr::dialect_secret(peer_secret)}},
                                 {.name = "session"});
    });
}

} // namespace bench
