// SPDX-License-Identifier: MIT
//
// cookie_vectors.h: one vector of tests/vectors/cookies as something that can be tried.
#pragma once

#if __has_include(<nlohmann/json.hpp>)
#    define HAVE_JSON 1

#    include "funcptr/cookie_dialects.h"

#    include <nlohmann/json.hpp>

#    include <functional>
#    include <optional>
#    include <string>
#    include <vector>

namespace test {

/// How a codec is set up.
struct stance {
    bool as_peer; ///< lenient; else strict
    /// With what the peer has and we would not: no skew, its sizes, its unsafe formats. Strict
    /// codecs are set up so where the vector says nothing of what a strict codec should say.
    bool peers_bounds;
};

struct vector_trial {
    /// The codec at the time of verifying.
    std::function<funcptr::cookie_dialect(stance)> codec;
    std::string value;                         ///< of the cookie, as it stands in a header
    std::optional<std::string> signature = {}; ///< the second cookie's value
    std::optional<std::string> header = {};    ///< a whole Cookie header instead of both
    std::optional<std::string> data = {};      ///< of an accepted one
    /// What must come out of issuing, and who issues: one of these, whose keys differ. None: what
    /// is random, altered, or only read.
    struct issue {
        std::function<std::string()> make;
        std::string expected;
    };
    std::vector<std::vector<issue>> issues = {};
};

/// Of a peer's file. Throws for what it does not understand: nothing is passed over in silence.
std::vector<vector_trial> trials_of(const std::string& peer, const nlohmann::json& vector);

} // namespace test

#endif
