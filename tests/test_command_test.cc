// SPDX-License-Identifier: MIT
//
// `./waf test` itself: in a copy of the build with tests that pass, fail, skip and crash.
#include "support/source_tree.h"

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

class TestCommand : public testing::Test {
protected:
    static void SetUpTestSuite()
    {
        tree = new test::source_tree(test::source_tree::skeleton);
        tree->write(
            "tests/crash_test.cc",
            "#include <cstdlib>\n#include <gtest/gtest.h>\n"
            "TEST(Crash, Early) { EXPECT_TRUE(true); }\nTEST(Crash, Ends) { std::abort(); }\n");
        tree->write("tests/good_test.cc",
                    "#include <gtest/gtest.h>\n#include <iostream>\n"
                    "TEST(Good, One) { std::cout << \"chatter\\n\"; }\nTEST(Good, Two) { }\n");
        tree->write("tests/mixed_test.cc",
                    "#include <gtest/gtest.h>\n#include <iostream>\n"
                    "TEST(Mixed, Passes) { }\n"
                    "TEST(Mixed, Fails) { EXPECT_EQ(1, 2) << \"one is not two\"; }\n"
                    "TEST(Mixed, Skips) { GTEST_SKIP() << \"not today\"; }\n");
    }
    static void TearDownTestSuite()
    {
        delete tree;
        tree = nullptr;
    }

    static test::result run(std::vector<std::string> more)
    {
        more.insert(more.begin(), "test");
        return tree->waf(more);
    }
    static std::string last_line(const test::result& done)
    {
        const auto lines = test::lines_of(done.out);
        return lines.empty() ? "" : lines.back();
    }
    static bool says(const test::result& done, const std::string& text)
    {
        return done.out.find(text) != std::string::npos;
    }

    static inline test::source_tree* tree = nullptr;
};

TEST_F(TestCommand, SumsUpCasesInItsLastLine)
{
    const auto done = run({"--only=good"});
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_EQ(last_line(done), "2 passed, 0 failed");
    EXPECT_FALSE(says(done, "chatter")) << "only those that fail are heard";
}

TEST_F(TestCommand, FailureShowsItsOutputAndExitStatus)
{
    const auto done = run({"--only=mixed"});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(says(done, "one is not two")) << done.out;
    EXPECT_EQ(last_line(done), "1 passed, 1 failed, 1 skipped");
}

TEST_F(TestCommand, TellsWhyACaseWasSkipped)
{
    const auto done = run({"--only=mixed", "--filter=Mixed.Skips"});
    EXPECT_EQ(done.status, 0) << done.out;
    EXPECT_TRUE(says(done, "1 skipped: not today\n")) << done.out;
}

TEST_F(TestCommand, FailedTestStaysFailedAtTheNextCall)
{
    EXPECT_EQ(run({"--only=mixed"}).status, 1);
    const auto again = run({"--only=mixed"});
    EXPECT_EQ(again.status, 1);
    EXPECT_EQ(last_line(again), "1 passed, 1 failed, 1 skipped");
}

TEST_F(TestCommand, CrashCountsAsAFailure)
{
    const auto done = run({"--only=crash"});
    EXPECT_EQ(done.status, 1);
    EXPECT_EQ(last_line(done), "0 passed, 1 failed");
    EXPECT_TRUE(says(done, "Crash.Ends")) << done.out;
}

TEST_F(TestCommand, FilterGoesToGoogleTest)
{
    const auto done = run({"--filter=*.Passes:Good.One"});
    EXPECT_EQ(done.status, 0) << done.out;
    EXPECT_EQ(last_line(done), "2 passed, 0 failed");
    EXPECT_FALSE(says(done, "crash_test")) << "who has nothing to run is silent";
}

TEST_F(TestCommand, FilterThatMatchesNothingFails)
{
    const auto done = run({"--filter=Nothing.Here"});
    EXPECT_EQ(done.status, 1);
    EXPECT_EQ(last_line(done), "0 passed, 1 failed");
}

TEST_F(TestCommand, RunsAllFromASubfolderToo)
{
    auto command = test::command{.arguments = {"sh", "../waf", "test", "--only=good"},
                                 .directory = tree->path() / "src",
                                 .limit = std::chrono::minutes(10)};
    EXPECT_EQ(last_line(test::run(command)), "2 passed, 0 failed");
}

TEST_F(TestCommand, UnknownVariantIsOneClearLine)
{
    const auto done = run({"--variant=quick"});
    EXPECT_EQ(done.status, 1);
    EXPECT_EQ(done.out, "");
    EXPECT_EQ(test::lines_of(done.err).size(), 1U) << done.err;
    EXPECT_NE(done.err.find("debug, release, asan, tsan"), std::string::npos) << done.err;
}

TEST_F(TestCommand, WritesCompileCommands)
{
    run({"--only=good"});
    const auto commands = test::read_file(tree->path() / "compile_commands.json");
    for (const auto* file : {"src/version.cc", "tests/good_test.cc", "examples/show.cc"})
        EXPECT_NE(commands.find((tree->path() / file).string()), std::string::npos) << file;
}

TEST_F(TestCommand, ConfigureOptionsOutliveAChangedScript)
{
    const auto done = tree->waf({"configure", "--werror"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
    tree->write("wscript", test::read_file(tree->path() / "wscript") + "# changed\n");
    tree->write("src/other.cc", "static int unused() { return 1; }\n");
    const auto built = tree->waf({"build", "--targets=objects"});
    tree->write("src/other.cc", "int funcptr_other();\nint funcptr_other() { return 1; }\n");
    EXPECT_EQ(built.status, 1) << "the warning was no error: --werror is forgotten";
    EXPECT_NE(built.err.find("unused"), std::string::npos) << built.err;
}

} // namespace
