// SPDX-License-Identifier: MIT
//
// peer.h: the programs of interop/peers, which speak for other frameworks' packages; what they are
// asked and what they answer stands in interop/peers/README.md.
//
// Each call of ask() starts the program, gives it all lines, and takes all answers: it needs no
// conversation, since the clock is in the questions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace interop {

using json = nlohmann::json;

enum class language { python, node, go, ruby };

struct presence {
    bool here = false;
    std::string what = {}; ///< "flask 2.2.2", or why it is not here
};

/// Whether the package behind a dialect is installed. Throws std::runtime_error when that cannot be
/// found out: a peer that is broken is not one that is missing.
presence look_for(language of, const std::string& dialect);

/// The answers, in the order of the questions. Throws std::runtime_error with all that it printed
/// when there is not one for each, and with the question when one is an error.
std::vector<json> ask(language of, const std::vector<json>& questions);

} // namespace interop
