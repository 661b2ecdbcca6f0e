// SPDX-License-Identifier: MIT
//
// cookie_migrator.h: several cookie formats read, one of them issued.
//
// To move from one framework, format, salt or cookie name to another while old cookies are still
// out there: list the new one first, keep the old ones until their last cookie has expired. It
// keeps no state and sets no cookie.
//
// Threads: all members are const and may be called from several at once. Lifetime: a value.
//
//     const funcptr::cookie_migrator session({funcptr::dialects::native(ours),
//                                             funcptr::dialects::flask(secret)});
//     const auto verdict = session.verify(cookie_header);
//     if (verdict.reissue) // it was Flask's
//         set(session.sign(verdict.data));
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cookie_dialect.h"

namespace funcptr {

/// Verifies in any of several formats and issues in one: to move from one framework, format or
/// salt to another while old cookies are still out there.
class FUNCPTR_API cookie_migrator {
public:
    /// The first one issues, all verify, in this order. Throws std::invalid_argument for none,
    /// more than 16 (each one costs a MAC), and a first one that does not issue.
    explicit cookie_migrator(std::vector<cookie_dialect> issuer_first);

    struct verdict : dialect_verdict {
        std::size_t index = 0; ///< of the one that verified; reissue is set when it is not 0
    };
    /// Among all cookies of any of the names, the first that verifies; else as verify_any().
    verdict verify(std::string_view header, const cookie_limits& limits = {}) const;
    /// By the first one.
    std::string sign(std::string_view data, const issue_facts& facts = {}) const;

    const std::vector<cookie_dialect>& all() const noexcept { return all_; }

private:
    std::vector<cookie_dialect> all_;
};

} // namespace funcptr
