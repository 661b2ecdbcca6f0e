// SPDX-License-Identifier: MIT
//
// Nothing of ours is allocated for a text that nobody signed, whatever the dialect.

#include "funcptr/cookie_dialects.h"

#include "support/count_allocations.h"
#include "support/every_dialect.h"

#include <gtest/gtest.h>

#include <random>

namespace {

using test::every_dialect;

/// Allocations of one verification, of which the first in a thread may be OpenSSL's own affairs.
std::size_t cost_of(const funcptr::cookie_dialect& codec, const test::issued_cookie& cookie,
                    bool& accepted)
{
    accepted = static_cast<bool>(test::verify(codec, cookie));
    std::size_t count = 0;
    {
        const funcptr::testing::allocation_counter counter(count);
        accepted = static_cast<bool>(test::verify(codec, cookie));
    }
    return count;
}

class CookieDialectsCost : public testing::TestWithParam<bool> {
protected:
    std::vector<test::some_dialect> all() const
    {
        return every_dialect(
            [](funcptr::dialect_options& options) { options.lenient = GetParam(); });
    }
    static void expect_nothing(const test::some_dialect& one, const test::issued_cookie& cookie)
    {
        bool accepted = false;
        const auto count = cost_of(one.codec, cookie, accepted);
        EXPECT_TRUE(accepted || count == 0)
            << count << ": " << one.codec.dialect() << ": " << cookie.value;
    }
};

TEST_P(CookieDialectsCost, NothingForAForgedCookie)
{
    for (const auto& one : all()) {
        const auto genuine = test::issue(one);
        for (std::size_t i = 0; i < genuine.value.size(); ++i) {
            auto forged = genuine;
            forged.value[i] = forged.value[i] == 'A' ? 'B' : 'A';
            expect_nothing(one, forged);
        }
        for (std::size_t i = 0; i < genuine.signature.size(); ++i) {
            auto forged = genuine;
            forged.signature[i] = forged.signature[i] == 'A' ? 'B' : 'A';
            expect_nothing(one, forged);
        }
    }
}

TEST_P(CookieDialectsCost, NothingForRandomBytesOfAnyLength)
{
    std::mt19937 random(1);
    for (const auto& one : all())
        for (int i = 0; i < 200; ++i) {
            std::string text(random() % 5000, '\0');
            for (auto& c : text)
                c = i % 2 == 0 ? static_cast<char>(random()) : "ABCabc019-_.|:~%"[random() % 16];
            expect_nothing(one, {text, text.substr(0, 27)});
        }
}

TEST_P(CookieDialectsCost, NothingForAHeaderFullOfForgedCookies)
{
    for (const auto& one : all()) {
        const auto genuine = test::issue(one);
        const std::string other = genuine.value[0] == 'x' ? "=y" : "=x"; // some begin at random
        std::string header;
        for (int i = 0; i < 20; ++i)
            header += one.codec.name() + other + genuine.value.substr(1) + "; " + one.codec.name()
                      + ".sig=x; ";
        funcptr::verify_any(one.codec, header);
        std::size_t count = 0;
        {
            const funcptr::testing::allocation_counter counter(count);
            EXPECT_FALSE(funcptr::verify_any(one.codec, header));
        }
        EXPECT_EQ(count, 0U) << one.codec.dialect();
    }
}

INSTANTIATE_TEST_SUITE_P(StrictAndLenient, CookieDialectsCost, testing::Bool(),
                         [](const auto& how) { return how.param ? "Lenient" : "Strict"; });

} // namespace
