// SPDX-License-Identifier: MIT
//
// question.h: what a peer is asked, drawn at random for a dialect, and the same done by us. Each
// question is JSON, from which our codec is made too.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "row.h"

namespace interop {

using time_point = std::chrono::system_clock::time_point;

struct cookie {
    std::string value = {};
    std::string signature = {}; ///< where it is a cookie of its own
};

/// Everything but what is to be done.
json question_about(const row& of, draw& random);
/// The same with the key of that index alone.
json with_one_key(json question, std::size_t index);
/// To issue what the question has.
json issue_of(json question);
/// To verify that cookie at that time, in seconds since 1970.
json verify_of(json question, const cookie& given, std::int64_t at);

std::int64_t now_of(const json& question);
std::optional<time_point> created_of(const json& question);
/// How old a cookie may still be, in seconds: a time at random, often the last one.
std::int64_t allowed_age(const row& of, const json& question, draw& random);
/// The value, or the bytes in "data", as it is to be signed.
std::string serialized(const row& of, draw& random, const json& question);

// By our codec, whose clock is set to the question's time, or to `at`.
cookie sign(const row& of, const json& question, std::string_view data);
funcptr::dialect_verdict verify(const row& of, const json& question, const cookie& given,
                                std::int64_t at);

/// Another text, of characters that no header takes apart.
std::string tampered(std::string text, draw& random);

} // namespace interop
