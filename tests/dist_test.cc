// SPDX-License-Identifier: MIT
//
// `./waf dist`: the tarball that packagers take.
#include "support/source_tree.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

class Dist : public testing::Test {
protected:
    Dist()
        : tree_(test::source_tree::skeleton)
    {
        tree_.commit("first");
    }

    /// Writes a tarball and returns its path.
    static fs::path dist(const fs::path& folder)
    {
        const auto done = test::waf_in(folder, {"dist"});
        EXPECT_EQ(done.status, 0) << done.out << done.err;
        for (const auto& each : fs::directory_iterator(folder)) {
            if (each.path().string().ends_with(".tar.gz"))
                return each.path();
        }
        ADD_FAILURE() << "no tarball in " << folder;
        return {};
    }
    std::string stamp() const
    {
        return "0.1.0-g" + test::git(tree_.path(), {"rev-parse", "--short=12", "HEAD"});
    }
    /// Unpacks it and returns the one folder in it.
    fs::path unpack(const fs::path& tarball) const
    {
        const auto to = tree_.parent() / "unpacked";
        fs::create_directories(to);
        const auto done =
            test::run({.arguments = {"tar", "-xzf", tarball.string(), "-C", to.string()}});
        EXPECT_EQ(done.status, 0) << done.err;
        return to / ("funcptr-" + stamp());
    }

    test::source_tree tree_;
};

TEST_F(Dist, SameCommitGivesTheSameBytes)
{
    const auto first = dist(tree_.path());
    EXPECT_EQ(first.filename(), "funcptr-" + stamp() + ".tar.gz");

    // Another place, another time, another umask.
    const auto clone = tree_.parent() / "clone";
    test::git(tree_.parent(), {"clone", "-q", tree_.path().string(), clone.string()});
    const auto changed =
        test::run({.arguments = {"/bin/sh", "-c",
                                 "find . -path ./.git -prune -o -type f -exec chmod go-r {} + "
                                 "-exec touch -d '2001-01-01' {} +; "
                                 "[ $(id -u) != 0 ] || chown -R 12345:12345 ."},
                   .directory = clone});
    ASSERT_EQ(changed.status, 0) << changed.err;
    const auto second = dist(clone);
    EXPECT_TRUE(test::read_file(first) == test::read_file(second));
}

TEST_F(Dist, HoldsWhatGitTracksAndTheStamp)
{
    tree_.write("untracked.txt", "not ours");
    const auto tarball = dist(tree_.path());
    const auto listed = test::run({.arguments = {"tar", "-tzf", tarball.string()}});
    std::vector<std::string> expected{".version"};
    for (const auto& file : test::lines_of(test::git(tree_.path(), {"ls-files"})))
        expected.push_back(file);
    for (auto& file : expected)
        file.insert(0, "funcptr-" + stamp() + "/");
    auto found = test::lines_of(listed.out);
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(found, expected);
}

TEST_F(Dist, BelongsToNobodyAndToTheCommitsTime)
{
    const auto listed = test::run(
        {.arguments = {"tar", "--utc", "--numeric-owner", "-tvzf", dist(tree_.path()).string()}});
    for (const auto& line : test::lines_of(listed.out)) {
        EXPECT_NE(line.find(" 0/0 "), std::string::npos) << line;
        EXPECT_NE(line.find(" 2026-01-02 03:04 "), std::string::npos) << line;
    }
    EXPECT_NE(listed.out.find("-rwxr-xr-x"), std::string::npos) << "waf is no program there";
}

TEST_F(Dist, TarballBuildsWithItsStampInsideAnotherRepository)
{
    const auto folder = unpack(dist(tree_.path()));
    test::git(folder.parent_path(), {"init", "-q"});
    test::git(folder.parent_path(), {"commit", "-q", "--allow-empty", "-m", "the parent's"});
    const auto built = test::waf_in(folder, {"build"});
    ASSERT_EQ(built.status, 0) << built.out << built.err;
    const auto shown = test::run({.arguments = {(folder / "build/debug/examples/show").string()}});
    EXPECT_EQ(shown.out, stamp() + "\n2026-01-02T03:04:05Z\n");
}

TEST_F(Dist, TarballMakesTheSameTarball)
{
    const auto tarball = dist(tree_.path());
    const auto folder = unpack(tarball);
    test::write_file(folder / "build/debug/leftover.o", "built here");
    EXPECT_TRUE(test::read_file(dist(folder)) == test::read_file(tarball));
}

TEST_F(Dist, FailsWhereGitCannotBeAsked)
{
    fs::remove(tree_.path() / ".git/HEAD");
    const auto done = tree_.waf({"dist"});
    EXPECT_EQ(done.status, 1);
    EXPECT_NE(done.err.find("dist: "), std::string::npos) << done.err;
    EXPECT_EQ(done.err.find("Traceback"), std::string::npos) << done.err;
}

TEST_F(Dist, DistcheckBuildsTheTarballAndFailsWhenItCannot)
{
    const auto good = tree_.waf({"distcheck"});
    EXPECT_EQ(good.status, 0) << good.out << good.err;
    tree_.write("src/other.cc", "#include \"untracked.h\"\n");
    tree_.commit("a file is forgotten");
    tree_.write("src/untracked.h", "// builds here, but not from the tarball\n");
    tree_.write(".gitignore", test::read_file(tree_.path() / ".gitignore") + "/src/untracked.h\n");
    const auto bad = tree_.waf({"distcheck"});
    EXPECT_EQ(bad.status, 1) << bad.out;
    EXPECT_NE(bad.err.find("distcheck: "), std::string::npos) << bad.err;
}

} // namespace
