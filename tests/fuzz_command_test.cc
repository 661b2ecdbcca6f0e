// SPDX-License-Identifier: MIT
//
// `./waf fuzz`: in a copy of the build with a target that holds and one that does not.
#include "support/source_tree.h"

#include <gtest/gtest.h>
#include <regex>

namespace {

namespace fs = std::filesystem;

class FuzzCommand : public testing::Test {
protected:
    static void SetUpTestSuite()
    {
        tree = new test::source_tree(test::source_tree::skeleton);
        const std::string begin =
            "#include <cstddef>\n#include <cstdint>\n#include <cstdlib>\n"
            "#include <string_view>\n"
            "extern \"C\" int LLVMFuzzerTestOneInput(const std::uint8_t* data, "
            "std::size_t size)\n{\n"
            "    const std::string_view text(reinterpret_cast<const char*>(data), size);\n";
        tree->write("fuzz/holds_fuzz.cc", begin + "    return text.size() == 12345 ? -1 : 0;\n}\n");
        tree->write("fuzz/breaks_fuzz.cc", begin
                                               + "    if (text == \"a seed that breaks it\")\n     "
                                                 "   std::abort();\n    return 0;\n}\n");
        tree->write("fuzz/corpus/breaks/seed", "a seed that breaks it");
        tree->write("fuzz/corpus/holds/seed", "a seed");
    }
    static void TearDownTestSuite()
    {
        delete tree;
        tree = nullptr;
    }
    void SetUp() override
    {
        if (test::run({.arguments = {"/bin/sh", "-c", "command -v clang++"}}).status != 0)
            GTEST_SKIP() << "clang++ is not installed";
    }

    static inline test::source_tree* tree = nullptr;
};

TEST_F(FuzzCommand, RunsATargetForItsTimeAndSaysHowOften)
{
    const auto done = tree->waf({"fuzz", "--only=holds", "--seconds=1"});
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_TRUE(std::regex_search(done.out, std::regex("ok +holds_fuzz +[0-9]+ runs"))) << done.out;
}

TEST_F(FuzzCommand, FindingFailsAndIsKeptBelowTheBuild)
{
    const auto done = tree->waf({"fuzz", "--only=breaks", "--seconds=1"});
    EXPECT_EQ(done.status, 1) << done.out;
    EXPECT_NE(done.out.find("FAILED breaks_fuzz"), std::string::npos) << done.out;
    EXPECT_NE(done.out.find("deadly signal"), std::string::npos) << "its report is not shown";

    const auto findings = tree->path() / "build/fuzz/findings/breaks";
    ASSERT_FALSE(fs::is_empty(findings));
    EXPECT_EQ(test::read_file(fs::directory_iterator(findings)->path()), "a seed that breaks it");
    const auto corpus = fs::directory_iterator(tree->path() / "fuzz/corpus/breaks");
    EXPECT_EQ(std::distance(begin(corpus), end(corpus)), 1) << "the seeds must stay as they are";
}

TEST_F(FuzzCommand, NameThatMatchesNothingFails)
{
    EXPECT_EQ(tree->waf({"fuzz", "--only=nothing"}).status, 1);
}

} // namespace
