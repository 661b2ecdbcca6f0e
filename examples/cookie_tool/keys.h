// SPDX-License-Identifier: MIT
//
// keys.h: where the tool has its keys from, and how it rotates them.
#pragma once

#include <funcptr/keyring.h>

#include <optional>
#include <string>
#include <vector>

#include "arguments.h"

/// What --keys or --keys-env gave: a keyring's file or variable, or the lines of another program's
/// secrets.
class key_source {
public:
    /// Throws std::invalid_argument when both are given.
    explicit key_source(arguments& given);

    explicit operator bool() const { return file_ || variable_; }
    /// Throws funcptr::error as keyring does.
    funcptr::keyring ring() const;
    /// A secret on each line, in --encoding: text, hex or base64. Throws std::runtime_error or
    /// std::system_error naming where they should have come from.
    std::vector<funcptr::dialect_secret> secrets() const;

private:
    std::optional<std::string> file_;
    std::optional<std::string> variable_;
    std::string encoding_;
};

/// "text", "hex" or "base64".
std::string take_encoding(arguments& given, const std::string& option,
                          const std::string& otherwise);

/// The secrets in a file, for options that name one. Throws as secrets() does, also when others may
/// read it.
std::vector<std::string> secrets_of_file(const std::string& path, const std::string& encoding);

/// Puts a new key in front of a keyring's file, and drops those behind the first `keep` (0: none).
/// The file is replaced whole or not at all, with the same mode and owner; lines that are not keys
/// stay. Returns a sentence about it. Throws funcptr::error for a file that is not a keyring's, and
/// std::system_error; then the old one stands as it was.
std::string rotate_keys(const std::string& path, std::size_t keep);
