// SPDX-License-Identifier: MIT
//
// bind_failure.h: what bind_listeners() says of a spec that cannot be had.
//
//     std::string sentence;
//     EXPECT_EQ(bind_failure("127.0.0.1:1", {}, &sentence), std::errc::address_in_use);
#pragma once

#include <funcptr/error.h>
#include <funcptr/listener.h>

#include <string>
#include <string_view>
#include <system_error>

namespace funcptr::testing {

/// No error when it could be had; it is closed again.
inline std::error_code bind_failure(std::string_view spec, const bind_options& options = {},
                                    std::string* sentence = nullptr)
{
    try {
        (void)bind_listeners(spec, options);
    } catch (const error& failed) {
        if (sentence != nullptr)
            *sentence = failed.what();
        return failed.code();
    }
    return {};
}

} // namespace funcptr::testing
