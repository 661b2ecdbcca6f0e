// SPDX-License-Identifier: MIT
//
// row.h: what the campaign knows about each dialect. A question to a peer is JSON; our codec is
// made of the very same JSON, so that the two cannot be about different things.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <funcptr/cookie_dialects.h>

#include "draw.h"
#include "peer.h"

namespace interop {

struct row {
    enum class content {
        object,  ///< JSON: a session, never empty, since to most that is no session
        any,     ///< any JSON
        bytes,   ///< any bytes, none too
        text,    ///< UTF-8
        octets,  ///< what may stand in a cookie as it is, not none
        decided, ///< by draw_more
    };
    enum class secret { bytes, text, ascii };
    enum class time {
        none,
        age,      ///< max_age
        lifetime, ///< an expiry of its own
    };

    std::string dialect = {};
    language peer = language::python;
    /// The name of the test, when a dialect has several.
    std::string variant = {};

    content holds = content::bytes;
    secret keys = secret::bytes;
    std::size_t shortest_secret = 1;
    std::size_t longest_secret = 70;
    std::size_t most_secrets = 4;    ///< of the peer; ours takes retired ones everywhere
    std::size_t most_content = 1200; ///< bytes, so that the cookie stays below 4,096
    bool compresses = false;         ///< so that much longer ones go in, too
    bool ascii_json = false;         ///< the peer reads Latin-1

    time limit = time::age;
    std::int64_t age_unit = 1; ///< seconds
    std::int64_t grace = 0;    ///< so much longer it holds, by the format itself
    bool may_last = false;     ///< max_age may be null: for ever
    bool binds_name = false;
    bool deterministic = true; ///< what is issued follows from what is asked
    bool issues = true;        ///< ours does, what this peer reads
    std::string added = {};    ///< a member that the peer adds to each value
    bool drops_null = false;   ///< the peer, members of a value

    /// What else the question has, of this dialect.
    std::function<void(draw&, json&)> draw_more = [](draw&, json&) {};
    /// Our codec, of a question.
    std::function<funcptr::cookie_dialect(const json&, funcptr::dialect_options)> ours = {};
    /// The bytes that we sign, of a question; by default its value as JSON, or its data.
    std::function<std::string(draw&, const json&)> serialized = {};
};

/// For GoogleTest, which would print its bytes.
inline void PrintTo(const row& of, std::ostream* out)
{
    *out << of.variant;
}

std::vector<row> python_rows();
std::vector<row> node_rows();
std::vector<row> go_rows();
std::vector<row> ruby_rows();

/// What the rows share.
funcptr::dialect_secrets secrets_of(const json& question);
std::vector<funcptr::dialect_secret> all_secrets(const json& question);
funcptr::cookie_hash hash_of(const json& question);

} // namespace interop
