// SPDX-License-Identifier: MIT
//
// dialects.h: the formats by their names, and the options that each has on a command line.
#pragma once

#include <funcptr/cookie_dialects.h>

#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "keys.h"

struct named_dialect {
    const char* name;
    const char* about;
    /// The codec of these options; without secrets one that can only explain. Throws
    /// std::invalid_argument for options, what reading the keys throws, and what the library
    /// throws for the two.
    funcptr::cookie_dialect (*make)(const key_source* keys, arguments& given,
                                    funcptr::dialect_options options);
};

const std::vector<named_dialect>& all_dialects();

/// Throws std::invalid_argument for a name that is none.
const named_dialect& dialect_named(const std::string& name);

/// --name, --max-age, --skew, --lenient, --max-size, --at.
funcptr::dialect_options common_options(arguments& given);
