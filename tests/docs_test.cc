// SPDX-License-Identifier: MIT
//
// What docs/ refers to is there: files, and tests by their names.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/source_tree.h"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const std::string& folder, const std::string& ending)
{
    std::vector<fs::path> all;
    for (const auto& each : fs::directory_iterator(test::source_top() / folder))
        if (each.path().string().ends_with(ending))
            all.push_back(each.path());
    return all;
}

std::vector<std::smatch> all_of(const std::string& text, const std::regex& pattern)
{
    return {std::sregex_iterator(text.begin(), text.end(), pattern), std::sregex_iterator()};
}

std::set<std::string> test_names()
{
    const std::regex definition("\\b(?:TYPED_)?TEST(?:_F|_P)?\\((\\w+),\\s*(\\w+)\\)");
    std::set<std::string> names;
    for (const auto& file : files_of("tests", "_test.cc")) {
        const std::string text = test::read_file(file);
        for (const auto& each : all_of(text, definition))
            names.insert(each[1].str() + "." + each[2].str());
    }
    return names;
}

TEST(Docs, LinkToFilesThatExist)
{
    const std::regex link("\\]\\(([^)#:]+)\\)");
    std::size_t links = 0;
    for (const auto& file : files_of("docs", ".md")) {
        const std::string text = test::read_file(file);
        for (const auto& each : all_of(text, link)) {
            ++links;
            EXPECT_TRUE(fs::exists(file.parent_path() / each[1].str())) << file << ": " << each[1];
        }
    }
    EXPECT_GT(links, 2U);
}

TEST(Docs, NameTestsThatExist)
{
    const auto names = test_names();
    const std::regex name("`([A-Z]\\w+\\.[A-Z]\\w+)`");
    std::size_t named = 0;
    for (const auto& file : files_of("docs", ".md")) {
        const std::string text = test::read_file(file);
        for (const auto& each : all_of(text, name)) {
            ++named;
            EXPECT_TRUE(names.contains(each[1].str())) << file << " names " << each[1];
        }
    }
    EXPECT_GT(named, 40U);
}

} // namespace
