// SPDX-License-Identifier: MIT

#include "funcptr/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

namespace {

using funcptr::errc;

TEST(Error, WhatIsTheSentenceAndNothingElse)
{
    const funcptr::error failed(errc::bad_key, "key_file \"k\": too short");
    EXPECT_STREQ(failed.what(), "key_file \"k\": too short");
    EXPECT_EQ(failed.code(), errc::bad_key);
}

TEST(Error, IsCaughtAsASystemErrorAndKeepsItsSentence)
{
    try {
        throw funcptr::error(funcptr::errno_code(EADDRINUSE), "cannot listen on *:7020");
    } catch (const std::system_error& failed) {
        EXPECT_STREQ(failed.what(), "cannot listen on *:7020");
        EXPECT_EQ(failed.code(), std::errc::address_in_use);
    }
}

TEST(Error, CopiesShareNothingThatDies)
{
    auto original = std::make_unique<funcptr::error>(errc::limit, std::string(100, 'x'));
    const funcptr::error copy = *original;
    original.reset();
    EXPECT_EQ(copy.what(), std::string(100, 'x'));
}

TEST(Error, EveryCodeHasItsOwnMessage)
{
    std::set<std::string> messages;
    int count = 0;
    for (int code = static_cast<int>(errc::bad_spec);
         code <= static_cast<int>(errc::bad_configuration); ++code, ++count) {
        const std::string text = funcptr::make_error_code(static_cast<errc>(code)).message();
        EXPECT_EQ(text.find("unknown"), std::string::npos) << code;
        messages.insert(text);
    }
    EXPECT_EQ(messages.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(funcptr::category().message(9999), "unknown error 9999");
}

TEST(Error, ACodeConvertsByItselfAndTellsItsCategory)
{
    const std::error_code code = errc::resolve;
    EXPECT_EQ(code.category(), funcptr::category());
    EXPECT_STREQ(code.category().name(), "funcptr");
    EXPECT_NE(code, std::error_code(static_cast<int>(errc::resolve), std::generic_category()));
    EXPECT_EQ(&funcptr::category(), &funcptr::category());
}

TEST(Error, ErrnoCodesCompareWithStdErrc)
{
    EXPECT_EQ(funcptr::errno_code(ECONNRESET), std::errc::connection_reset);
    EXPECT_FALSE(funcptr::errno_code(0));
}

} // namespace
