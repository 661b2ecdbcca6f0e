// SPDX-License-Identifier: MIT
#include "funcptr/version.h"

#include <gtest/gtest.h>
#include <regex>
#include <string>

namespace {

TEST(Version, BeginsWithTheReleaseUnlessATagSaysMore)
{
    const std::string release = std::to_string(FUNCPTR_VERSION_MAJOR) + "."
                                + std::to_string(FUNCPTR_VERSION_MINOR) + "."
                                + std::to_string(FUNCPTR_VERSION_PATCH);
    EXPECT_TRUE(std::string(funcptr::version()).starts_with(release)) << funcptr::version();
}

TEST(Version, IsFitForFileNamesAndHeaders)
{
    const std::string stamp = funcptr::version();
    EXPECT_TRUE(std::regex_match(stamp, std::regex("[0-9A-Za-z.+~_-]+"))) << stamp;
}

TEST(Version, TimeIsIsoInUtcOrUnknown)
{
    const std::string time = funcptr::version_time();
    const std::regex iso("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z");
    EXPECT_TRUE(time == "unknown" || std::regex_match(time, iso)) << time;
}

} // namespace
