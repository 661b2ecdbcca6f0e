// SPDX-License-Identifier: MIT
//
// `./waf deps` on machines that we make up: its apt-get, dpkg-query and sudo are scripts that write
// down how they were called.
#include "support/source_tree.h"

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

class Deps : public testing::Test {
protected:
    Deps()
        : tree_(test::source_tree::launcher_only)
    {
        test::write_file(tree_.parent() / "waf",
                         "print('fake waflib runs', *__import__('sys').argv[1:])\n");
        fake("apt-get", "echo apt-get \"$@\" >> '" + log_.string() + "'");
        installed("*");
    }

    void fake(const std::string& program, const std::string& text) const
    {
        test::write_file(bin_ / program, "#!/bin/sh\n" + text + "\n");
        fs::permissions(bin_ / program, fs::perms::owner_all);
    }
    /// The packages that are there, as a pattern of the shell.
    void installed(const std::string& pattern) const
    {
        fake("dpkg-query", "case $4 in " + pattern + ") printf installed ;; *) exit 1 ;; esac");
    }

    test::result deps(std::vector<std::string> arguments) const
    {
        arguments.insert(arguments.begin(), {(tree_.path() / "waf").string(), "deps"});
        return test::run({.arguments = arguments,
                          .environment = {{"PATH", bin_.string() + ":" + test::variable("PATH")},
                                          {"XDG_CACHE_HOME", cache_.string()},
                                          {"WAF", (tree_.parent() / "waf").string()}}});
    }
    std::string log() const { return fs::exists(log_) ? test::read_file(log_) : ""; }

    test::source_tree tree_;
    fs::path bin_ = tree_.parent() / "bin";
    fs::path log_ = tree_.parent() / "log";
    fs::path cache_ = tree_.parent() / "cache";
};

TEST_F(Deps, RunsNothingWhenAllIsThere)
{
    const auto done = deps({});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out + done.err, "");
    EXPECT_EQ(log(), "");
}

TEST_F(Deps, InstallsWhatIsMissingAndPrintsIt)
{
    installed("libz*|[!l]*|libnghttp2-dev|libssl-dev|libg*|libc*");
    const auto done = deps({"demo"});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_NE(log().find("apt-get install -y --no-install-recommends libev-dev\n"),
              std::string::npos)
        << log();
    EXPECT_NE(done.out.find("+ "), std::string::npos);
    EXPECT_NE(done.out.find("install -y --no-install-recommends libev-dev\n"), std::string::npos)
        << done.out;
}

TEST_F(Deps, GoesOnWithTheCommandsBehindIt)
{
    const auto done = deps({"test", "--variant=asan"});
    EXPECT_EQ(done.out, "fake waflib runs test --variant=asan\n");
    EXPECT_EQ(done.status, 0) << done.err;
}

TEST_F(Deps, DryRunOnlyPrints)
{
    installed("none");
    const auto done = deps({"-n", "test"});
    EXPECT_EQ(done.status, 0) << done.err;
    for (const auto* package :
         {"g++", "libev-dev", "libzmq3-dev", "cppzmq-dev", "libssl-dev", "libgtest-dev"})
        EXPECT_NE(done.out.find(std::string(" ") + package), std::string::npos) << package;
    EXPECT_EQ(done.out.find("fake waflib"), std::string::npos) << "it must not go on";
    EXPECT_EQ(log(), "");
}

TEST_F(Deps, DemoNeedsNoTestPackages)
{
    installed("none");
    const auto demo = deps({"-n", "demo"}).out;
    EXPECT_EQ(demo.find("libgtest-dev"), std::string::npos) << demo;
    EXPECT_EQ(demo.find("libevent-dev"), std::string::npos) << demo;
    EXPECT_NE(demo.find("libnghttp2-dev"), std::string::npos) << demo;
    EXPECT_NE(deps({"-n", "--bench"}).out.find("libevent-dev"), std::string::npos);
    EXPECT_NE(deps({"-n", "--interop"}).out.find("python3-itsdangerous"), std::string::npos);
}

TEST_F(Deps, InstallsPackagesOfNpmOnceAndWithoutTheirScripts)
{
    fake("npm", "echo npm \"$@\" >> '" + log_.string()
                    + "'\n"
                      "while [ $# -gt 0 ]; do\n"
                      "  [ \"$1\" = --prefix ] && folder=$2\n"
                      "  case $1 in *@*)\n"
                      "    mkdir -p \"$folder/node_modules/${1%@*}\"\n"
                      "    echo '{\"version\": \"'${1#*@}'\"}' "
                      "> \"$folder/node_modules/${1%@*}/package.json\" ;;\n"
                      "  esac\n"
                      "  shift\n"
                      "done");
    const auto done = deps({"--interop"});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_NE(log().find("npm install --prefix " + cache_.string()), std::string::npos) << log();
    EXPECT_NE(log().find(" --ignore-scripts "), std::string::npos) << log();
    EXPECT_NE(log().find(" keygrip@"), std::string::npos) << log();
    const auto once = log();
    EXPECT_EQ(deps({"interop"}).status, 0);
    EXPECT_EQ(log(), once) << "all is there";
    EXPECT_EQ(deps({"test"}).out.find("npm"), std::string::npos);
}

TEST_F(Deps, TakesTheNpmThatIsThere)
{
    // npm comes with its makers' nodejs, beside which Debian's cannot be installed.
    installed("[!n]*|nodejs|nlohmann*|netbase");
    fake("npm", "true");
    const auto done = deps({"-n", "--interop"});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out.find("apt-get"), std::string::npos) << done.out;
}

TEST_F(Deps, FetchesNewListsWhenTheOldOnesFail)
{
    installed("none");
    const auto state = (tree_.parent() / "updated").string();
    fake("apt-get", "echo apt-get \"$@\" >> '" + log_.string()
                        + "'\n"
                          "[ $1 = update ] && { : > '"
                        + state
                        + "'; exit 0; }\n"
                          "[ -e '"
                        + state + "' ]");
    const auto done = deps({"demo"});
    EXPECT_EQ(done.status, 0) << done.err;
    const auto calls = test::lines_of(log());
    EXPECT_TRUE(calls.back().starts_with("apt-get install")) << log();
    EXPECT_NE(log().find("apt-get update\n"), std::string::npos) << log();
}

TEST_F(Deps, FailureIsOneLineAndEndsIt)
{
    installed("none");
    fake("apt-get", "exit 100");
    const auto done = deps({"demo"});
    EXPECT_EQ(done.status, 1);
    EXPECT_EQ(test::lines_of(done.err).size(), 1U) << done.err;
    EXPECT_TRUE(done.err.starts_with("waf: deps: '")) << done.err;
    EXPECT_EQ(done.out.find("fake waflib"), std::string::npos) << done.out;
}

} // namespace
