// SPDX-License-Identifier: MIT
//
// The version stamp: git and waf run for real, in copies of the build.
#include "support/source_tree.h"

#include <gtest/gtest.h>
#include <regex>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using lines = std::vector<std::string>;

// --- from a commit to the program that shows it
// ---------------------------------------------------

class BuildStamp : public testing::Test {
protected:
    static void SetUpTestSuite()
    {
        tree = new test::source_tree(test::source_tree::skeleton);
        tree->commit("first");
    }
    static void TearDownTestSuite()
    {
        delete tree;
        tree = nullptr;
    }

    static test::result build(lines more = {})
    {
        more.insert(more.begin(), "build");
        auto done = tree->waf(more);
        EXPECT_EQ(done.status, 0) << done.out << done.err;
        return done;
    }
    static std::string shown()
    {
        const auto program = tree->path() / "build/debug/examples/show";
        return test::lines_of(test::run({.arguments = {program.string()}}).out).at(0);
    }
    static std::string head()
    {
        return test::git(tree->path(), {"rev-parse", "--short=12", "HEAD"});
    }

    static inline test::source_tree* tree = nullptr;
};

TEST_F(BuildStamp, NamesTheCommit)
{
    tree->commit("a commit");
    build();
    EXPECT_EQ(shown(), "0.1.0-g" + head());
}

TEST_F(BuildStamp, NewCommitRecompilesOneObjectOnceAndRelinks)
{
    build();
    const auto before = shown();
    tree->commit("another");
    const auto done = build();
    EXPECT_EQ(test::compiled(done), lines{"src/version.cc"});
    const auto links = test::linked(done);
    EXPECT_EQ(std::count(links.begin(), links.end(), "build/debug/libfuncptr.a"), 1);
    EXPECT_EQ(std::count(links.begin(), links.end(), "build/debug/libfuncptr.so"), 1);
    EXPECT_NE(shown(), before);
    EXPECT_EQ(shown(), "0.1.0-g" + head());
}

TEST_F(BuildStamp, NothingIsBuiltWhenNothingChanged)
{
    build();
    const auto done = build();
    EXPECT_EQ(test::compiled(done), lines{});
    EXPECT_EQ(test::linked(done), lines{});
}

TEST_F(BuildStamp, AlteredSourcesAreDirtyUntilTheyAreCommitted)
{
    tree->write("src/other.cc", "int funcptr_other();\nint funcptr_other() { return 2; }\n");
    build();
    EXPECT_EQ(shown(), "0.1.0-g" + head() + "-dirty");
    tree->commit("altered");
    build();
    EXPECT_EQ(shown(), "0.1.0-g" + head());
}

TEST_F(BuildStamp, EditedHeaderIsWrittenAnew)
{
    build();
    tree->write("build/debug/build_version.h",
                "#define FUNCPTR_BUILD_VERSION \"mine\"\n#define FUNCPTR_BUILD_TIME \"now\"\n");
    build();
    EXPECT_EQ(shown(), "0.1.0-g" + head());
}

TEST_F(BuildStamp, HostileTagIsCleaned)
{
    tree->commit("to be tagged");
    test::git(tree->path(), {"tag", "v1\";int"});
    build();
    const auto stamp = shown();
    test::git(tree->path(), {"tag", "-d", "v1\";int"});
    EXPECT_EQ(stamp, "1_int-0-g" + head());
}

TEST_F(BuildStamp, TagThatContradictsTheSourcesIsSaid)
{
    tree->commit("to be released");
    test::git(tree->path(), {"tag", "v9.9.9"});
    const auto done = build();
    test::git(tree->path(), {"tag", "-d", "v9.9.9"});
    EXPECT_NE(done.err.find("the tag says 9.9.9, the sources say 0.1.0"), std::string::npos)
        << done.err;
    EXPECT_EQ(build().err.find("the tag says"), std::string::npos);
}

TEST_F(BuildStamp, OptionOverridesGit)
{
    build({"--build-version=7.0 (mine)"});
    EXPECT_EQ(shown(), "7.0_mine_");
}

TEST_F(BuildStamp, TheTimeIsTheCommits)
{
    build();
    const auto program = tree->path() / "build/debug/examples/show";
    EXPECT_EQ(test::lines_of(test::run({.arguments = {program.string()}}).out).at(1),
              "2026-01-02T03:04:05Z");
}

TEST_F(BuildStamp, IsMadeWhenOneTargetIsAskedFor)
{
    build();
    fs::remove_all(tree->path() / "build/debug");
    build({"--targets=show"});
    EXPECT_EQ(shown(), "0.1.0-g" + head());
}

// --- where the stamp comes from
// -------------------------------------------------------------------

class Stamp : public testing::Test {
protected:
    Stamp()
    {
        test::write_file(repository_ / ".gitattributes", ".git_archival.txt export-subst\n");
        fs::copy(test::source_top() / ".git_archival.txt", repository_);
        test::git(repository_, {"init", "-q"});
    }

    std::string commit(const std::string& message = "more")
    {
        test::git(repository_, {"add", "-A"});
        test::git(repository_, {"commit", "-q", "--allow-empty", "-m", message});
        return head(repository_);
    }
    static std::string head(const fs::path& where)
    {
        return test::git(where, {"rev-parse", "--short=12", "HEAD"});
    }

    /// What waf_tools/build_version.py says about a folder; release 0.1.0.
    static std::string
    stamp(const fs::path& folder,
          std::vector<std::pair<std::string, std::optional<std::string>>> environment = {},
          std::string python = "python3")
    {
        const auto done =
            test::run({.arguments = {python, "-c",
                                     "import sys; sys.path.insert(0, sys.argv[1])\n"
                                     "import build_version\n"
                                     "print(build_version.stamp(sys.argv[2], '0.1.0')[0])",
                                     (test::source_top() / "waf_tools").string(), folder.string()},
                       .environment = std::move(environment)});
        EXPECT_EQ(done.status, 0) << done.err;
        return test::lines_of(done.out).at(0);
    }

    test::temp_dir dir_;
    fs::path repository_ = dir_.path() / "repository";
};

TEST_F(Stamp, CountsTheCommitsSinceTheTag)
{
    commit();
    test::git(repository_, {"tag", "v0.1.0"});
    commit();
    EXPECT_EQ(stamp(repository_), "0.1.0-1-g" + head(repository_));
}

TEST_F(Stamp, IgnoresTagsThatAreNoReleases)
{
    commit();
    test::git(repository_, {"tag", "nightly"});
    test::git(repository_, {"tag", "version-two"});
    EXPECT_EQ(stamp(repository_), "0.1.0-g" + head(repository_));
}

TEST_F(Stamp, IsTheWorktreesOwn)
{
    commit();
    const auto worktree = dir_.path() / "worktree";
    test::git(repository_, {"worktree", "add", "-q", worktree.string()});
    test::git(worktree, {"commit", "-q", "--allow-empty", "-m", "there"});
    ASSERT_NE(head(worktree), head(repository_));
    EXPECT_EQ(stamp(worktree), "0.1.0-g" + head(worktree));
}

TEST_F(Stamp, IsTheSubmodulesOwn)
{
    commit();
    const auto outer = dir_.path() / "outer";
    fs::create_directories(outer);
    test::git(outer, {"init", "-q"});
    test::git(outer, {"submodule", "--quiet", "add", repository_.string(), "inner"});
    test::git(outer, {"commit", "-q", "-m", "outer"});
    EXPECT_EQ(stamp(outer / "inner"), "0.1.0-g" + head(repository_));
}

TEST_F(Stamp, IsNotTheParentsWhenVendored)
{
    const auto copy = repository_ / "third_party" / "funcptr";
    test::write_file(copy / "wscript", "");
    commit();
    EXPECT_EQ(stamp(copy), "0.1.0-unknown");
}

TEST_F(Stamp, ShallowCloneHasOne)
{
    commit();
    commit();
    const auto clone = dir_.path() / "clone";
    test::git(dir_.path(),
              {"clone", "-q", "--depth=1", "file://" + repository_.string(), clone.string()});
    EXPECT_EQ(stamp(clone), "0.1.0-g" + head(repository_));
}

TEST_F(Stamp, RepositoryWithoutCommitsIsUnknown)
{
    EXPECT_EQ(stamp(repository_), "0.1.0-unknown");
}

TEST_F(Stamp, SurvivesAMachineWithoutGit)
{
    commit();
    const auto python =
        test::run({.arguments = {"python3", "-c", "import sys; print(sys.executable)"}});
    const auto path = test::lines_of(python.out).at(0);
    EXPECT_EQ(stamp(repository_, {{"PATH", dir_.path().string()}}, path), "0.1.0-unknown");
    test::write_file(repository_ / ".version", "0.1.0-3-gabcdefabcdef\n2026-01-02T03:04:05Z\n");
    EXPECT_EQ(stamp(repository_, {{"PATH", dir_.path().string()}}, path), "0.1.0-3-gabcdefabcdef");
}

TEST_F(Stamp, IgnoresGitVariablesOfTheEnvironment)
{
    commit();
    const auto other = dir_.path() / "other";
    fs::create_directories(other);
    test::git(other, {"init", "-q"});
    test::git(other, {"commit", "-q", "--allow-empty", "-m", "other"});
    ASSERT_NE(head(other), head(repository_));
    EXPECT_EQ(stamp(repository_,
                    {{"GIT_DIR", (other / ".git").string()}, {"GIT_WORK_TREE", other.string()}}),
              "0.1.0-g" + head(repository_));
}

TEST_F(Stamp, DoesNotMindAForeignOwner)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root can give files away";
    const auto expected = "0.1.0-g" + commit();
    ASSERT_EQ(::chown(repository_.c_str(), 12345, 12345), 0);
    for (const auto& each : fs::recursive_directory_iterator(repository_))
        ASSERT_EQ(::lchown(each.path().c_str(), 12345, 12345), 0);
    EXPECT_EQ(stamp(repository_, test::git_environment()), expected);
}

TEST_F(Stamp, StandsInWhatGitArchiveWrites)
{
    commit();
    const auto unpack = [this](const std::string& name) {
        const auto folder = dir_.path() / name;
        fs::create_directories(folder);
        const auto file = dir_.path() / (name + ".tar");
        test::git(repository_, {"archive", "-o", file.string(), "HEAD"});
        EXPECT_EQ(
            test::run({.arguments = {"tar", "-xf", file.string(), "-C", folder.string()}}).status,
            0);
        return stamp(folder);
    };
    EXPECT_EQ(unpack("untagged"), "0.1.0-g" + head(repository_));
    test::git(repository_, {"tag", "-a", "-m", "release", "v0.1.0"});
    const auto next = commit();
    EXPECT_EQ(unpack("tagged"), "0.1.0-1-g" + next);
}

TEST_F(Stamp, PlainCopyWithoutHistoryIsUnknown)
{
    const auto copy = dir_.path() / "copy";
    test::write_file(copy / ".git_archival.txt",
                     test::read_file(repository_ / ".git_archival.txt"));
    EXPECT_EQ(stamp(copy), "0.1.0-unknown");
}

} // namespace
