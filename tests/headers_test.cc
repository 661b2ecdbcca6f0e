// SPDX-License-Identifier: MIT
//
// Each public header stands alone: it is a translation unit by itself, without a warning, under
// every compiler that is here, and opens as all do.
#include "support/source_tree.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

namespace {

namespace fs = std::filesystem;

std::map<std::string, fs::path> headers()
{
    std::map<std::string, fs::path> found;
    const auto include = test::source_top() / "include";
    for (const auto& each : fs::recursive_directory_iterator(include)) {
        if (each.path().extension() == ".h") {
            auto name = fs::relative(each.path(), include / "funcptr").replace_extension().string();
            std::replace(name.begin(), name.end(), '/', '_');
            found[name] = each.path();
        }
    }
    return found;
}

class Headers : public testing::TestWithParam<std::pair<const std::string, fs::path>> {};

TEST_P(Headers, StandsAlone)
{
    const auto& path = GetParam().second;
    const auto name = fs::relative(path, test::source_top() / "include").string();
    for (const auto* compiler : {"g++", "clang++"}) {
        if (test::run({.arguments = {"/bin/sh", "-c", std::string("command -v ") + compiler}})
                .status
            != 0)
            continue;
        // Twice, so that it is one header however often it is included.
        const auto done = test::run(
            {.arguments = {compiler, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
                           "-Wsign-conversion", "-Wshadow", "-Werror", "-fsyntax-only",
                           "-I" + (test::source_top() / "include").string(), "-x", "c++", "-"},
             .input = "#include <" + name + ">\n#include <" + name + ">\n"});
        EXPECT_EQ(done.status, 0) << compiler << '\n' << done.err;
    }
}

TEST_P(Headers, OpensWithItsLicenceAndPurpose)
{
    const auto& path = GetParam().second;
    const auto lines = test::lines_of(test::read_file(path));
    ASSERT_GT(lines.size(), 3U);
    EXPECT_EQ(lines[0], "// SPDX-License-Identifier: MIT");
    EXPECT_EQ(lines[1], "//");
    const auto name = fs::relative(path, test::source_top() / "include/funcptr").string();
    EXPECT_TRUE(lines[2].starts_with("// " + name + ": ")) << lines[2];
    const auto once = std::find(lines.begin(), lines.end(), "#pragma once");
    EXPECT_TRUE(once != lines.end());
}

TEST_P(Headers, IncludesNothingOfTheSources)
{
    const auto text = test::read_file(GetParam().second);
    EXPECT_EQ(text.find("src/"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, Headers, testing::ValuesIn(headers()),
                         [](const auto& which) { return which.param.first; });

} // namespace
