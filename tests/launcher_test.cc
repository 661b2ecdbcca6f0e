// SPDX-License-Identifier: MIT
//
// The launcher `./waf`: where it finds a waf, and what it says when it finds none. No network: URLs
// are files or a server on this machine, and apt-get is a script of ours.
#include "support/source_tree.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

constexpr auto fake_script = "import os, sys\n"
                             "print('fake waflib', os.getcwd(), *sys.argv[1:])\n";

class Launcher : public testing::Test {
protected:
    Launcher()
        : tree_(test::source_tree::launcher_only)
    {
        test::write_file(script_, fake_script);
        fs::create_directories(bin_);
        for (const auto* each : {"sh", "python3", "env", "mkdir", "touch", "cp"})
            link(each);
    }

    /// A program of this machine that stands in the PATH of the launcher.
    void link(const std::string& program) const
    {
        const auto found = test::run(
            {.arguments = {"/bin/sh", "-c",
                           program == "python3" ? "python3 -c 'import sys; print(sys.executable)'"
                                                : "command -v " + program}});
        ASSERT_EQ(found.status, 0) << program;
        // A script, not a link: Python looks for its library beside the name it was started by.
        fake(program, "exec " + test::lines_of(found.out).at(0) + " \"$@\"");
    }
    /// A program made of shell.
    void fake(const std::string& program, const std::string& text) const
    {
        test::write_file(bin_ / program, "#!/bin/sh\n" + text + "\n");
        fs::permissions(bin_ / program, fs::perms::owner_all);
    }

    using variables = std::vector<std::pair<std::string, std::optional<std::string>>>;

    /// The launcher with nothing of this machine's but what stands in bin_; `more` comes last.
    test::result start(const variables& more,
                       std::vector<std::string> arguments = {"build", "-v"}) const
    {
        arguments.insert(arguments.begin(), (tree_.path() / "waf").string());
        return start_as(more, arguments);
    }
    test::result start_as(const variables& more, const std::vector<std::string>& arguments) const
    {
        variables all{{"PATH", bin_.string()},
                      {"WAF", std::nullopt},
                      {"PYTHONPATH", std::nullopt},
                      {"FUNCPTR_WAF_SHA256", hash(script_)},
                      {"FUNCPTR_WAF_URL", "file://" + (tree_.parent() / "nowhere").string()}};
        all.insert(all.end(), more.begin(), more.end());
        return test::run({.arguments = arguments, .environment = all, .directory = tree_.parent()});
    }
    static std::string hash(const fs::path& file)
    {
        return test::run({.arguments = {"sha256sum", file.string()}}).out.substr(0, 64);
    }
    std::string url(const fs::path& file) const { return "file://" + file.string(); }

    std::string fake_output(const std::string& arguments = "build -v") const
    {
        return "fake waflib " + fs::canonical(tree_.path()).string() + " " + arguments + "\n";
    }

    static void expect_one_line(const test::result& done, const std::vector<std::string>& parts)
    {
        EXPECT_EQ(done.status, 1);
        EXPECT_EQ(done.out, "");
        EXPECT_EQ(std::count(done.err.begin(), done.err.end(), '\n'), 1) << done.err;
        EXPECT_TRUE(done.err.starts_with("waf: ")) << done.err;
        for (const auto& part : parts)
            EXPECT_NE(done.err.find(part), std::string::npos) << part << " is not in " << done.err;
    }

    void fake_debian() const
    {
        fake("apt-get", "[ \"$*\" = 'download xmds2' ] && touch xmds2_1.deb");
        fake("dpkg", "lib=\"$3/usr/lib/python3/dist-packages/xpdeint/waf/waflib\"\n"
                     "mkdir -p \"$lib\" && cp '"
                         + (tree_.parent() / "waflib").string() + "'/* \"$lib\"");
        fake_waflib(tree_.parent());
    }
    static void fake_waflib(const fs::path& folder)
    {
        test::write_file(folder / "waflib/__init__.py", "");
        test::write_file(folder / "waflib/Context.py", "WAFVERSION = '2'\n");
        test::write_file(folder / "waflib/Scripting.py",
                         "import os, sys\n"
                         "def waf_entry_point(top, version, folder):\n"
                         "    print('fake waflib', os.getcwd(), *sys.argv[1:])\n");
    }

    test::source_tree tree_;
    fs::path script_ = tree_.parent() / "release";
    fs::path bin_ = tree_.parent() / "bin";
    fs::path cached_ = tree_.path() / ".waf/waf-2.1.9";
};

TEST_F(Launcher, RunsTheScriptThatWafNames)
{
    const auto done = start({{"WAF", script_.string()}});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out, fake_output());
    EXPECT_EQ(done.err, "");
}

TEST_F(Launcher, RunsTheLibraryInTheFolderThatWafNames)
{
    fake_waflib(tree_.parent() / "library");
    const auto done = start({{"WAF", (tree_.parent() / "library").string()}});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out, fake_output());
}

TEST_F(Launcher, StartsInAnyWayAndAlwaysAtTheTop)
{
    const auto waf = (tree_.path() / "waf").string();
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"sh", waf, "list"}, {"python3", waf, "list"}, {waf, "list"}}) {
        const auto done = start_as({{"WAF", script_.string()}}, words);
        EXPECT_EQ(done.out, fake_output("list")) << words[0] << done.err;
    }
}

TEST_F(Launcher, RefusesAWafThatIsNone)
{
    test::write_file(tree_.parent() / "letter", "Dear Sir or Madam");
    expect_one_line(start({{"WAF", (tree_.parent() / "letter").string()}}), {"$WAF", "letter"});
    expect_one_line(start({{"WAF", "/nowhere/waf"}}), {"$WAF", "/nowhere/waf"});
}

TEST_F(Launcher, SaysThatALibraryIsBroken)
{
    test::write_file(tree_.parent() / "broken/waflib/__init__.py", "import nothing_of_this_name");
    expect_one_line(start({{"WAF", (tree_.parent() / "broken").string()}}),
                    {"broken", "nothing_of_this_name"});
}

TEST_F(Launcher, DownloadsOnceAndKeepsIt)
{
    const auto first = start({{"FUNCPTR_WAF_URL", url(script_)}});
    EXPECT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(first.out, fake_output());
    EXPECT_EQ(test::read_file(cached_), fake_script);

    const auto second = start({}); // the URL is good for nothing now
    EXPECT_EQ(second.out, fake_output()) << second.err;
    EXPECT_EQ(second.err, "");
}

TEST_F(Launcher, WrongHashIsFatal)
{
    fake("apt-get", "echo asked > '" + (tree_.parent() / "apt-was-asked").string() + "'");
    fake("dpkg", "exit 1");
    const auto other = tree_.parent() / "other";
    test::write_file(other, "print('evil waflib')\n");
    expect_one_line(start({{"FUNCPTR_WAF_URL", url(other)}}),
                    {url(other), hash(other), hash(script_), "was changed"});
    EXPECT_FALSE(fs::exists(cached_));
    EXPECT_TRUE(fs::is_empty(tree_.path() / ".waf")) << "what was refused must not stay";
    EXPECT_FALSE(fs::exists(tree_.parent() / "apt-was-asked")) << "never a reason to fall back";
}

TEST_F(Launcher, HashesTheCacheAtEachRun)
{
    ASSERT_EQ(start({{"FUNCPTR_WAF_URL", url(script_)}}).status, 0);
    test::write_file(cached_, "print('evil waflib')\n");
    expect_one_line(start({{"FUNCPTR_WAF_URL", url(script_)}}), {cached_.string(), "was changed"});
}

TEST_F(Launcher, PinsTheOfficialRelease)
{
    expect_one_line(
        start({{"FUNCPTR_WAF_URL", url(script_)}, {"FUNCPTR_WAF_SHA256", std::nullopt}}),
        {"e235eeac6d34f039834e355a738298416a92a17defd1b6e1eae48488ba4a6864"});
}

TEST_F(Launcher, FailedDownloadNamesAddressAndReason)
{
    const auto missing = url(tree_.parent() / "nowhere");
    expect_one_line(start({}), {missing, "No such file", "set WAF"});
    expect_one_line(start({{"FUNCPTR_WAF_URL", "http://127.0.0.1:1/waf"}}),
                    {"http://127.0.0.1:1/waf", "refused"});
    expect_one_line(start({{"FUNCPTR_WAF_URL", "not an address"}}), {"not an address"});
}

TEST_F(Launcher, DownloadThatBreaksOffIsNoChangedFile)
{
    test::process server(
        {.arguments = {
             "python3", "-c",
             "import socket\n"
             "server = socket.create_server(('127.0.0.1', 0))\n"
             "print('port', server.getsockname()[1], flush=True)\n"
             "peer = server.accept()[0]\n"
             "peer.recv(4096)\n"
             "peer.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\nshort')\n"
             "peer.close()\n"}});
    const auto port = server.wait_for("port ([0-9]+)").at(1);
    expect_one_line(start({{"FUNCPTR_WAF_URL", "http://127.0.0.1:" + port + "/waf"},
                           {"no_proxy", "127.0.0.1"}}),
                    {":" + port + "/waf", "5 of 1000 bytes"});
}

TEST_F(Launcher, TakesDebiansCopyWhenTheDownloadFails)
{
    fake_debian();
    const auto first = start({});
    EXPECT_EQ(first.status, 0) << first.err;
    EXPECT_NE(first.out.find("No such file"), std::string::npos) << first.out;
    EXPECT_NE(first.out.find(fake_output()), std::string::npos) << first.out;

    fake("apt-get", "exit 1"); // it is in the cache now
    const auto second = start({});
    EXPECT_EQ(second.out, fake_output()) << second.err;
}

TEST_F(Launcher, TellsBothReasonsWhenDebianHasNoneEither)
{
    fake("apt-get", "echo 'E: Unable to locate package xmds2' >&2; exit 100");
    fake("dpkg", "exit 1");
    const auto done = start({});
    EXPECT_EQ(done.status, 1);
    EXPECT_EQ(std::count(done.err.begin(), done.err.end(), '\n'), 1) << done.err;
    for (const auto* part : {"No such file", "Unable to locate package xmds2", "./waf deps"})
        EXPECT_NE(done.err.find(part), std::string::npos) << done.err;
}

TEST_F(Launcher, HalfACopyOfDebiansIsNeverKept)
{
    fake("apt-get", "touch xmds2_1.deb");
    fake("dpkg", "exit 1"); // the disk is full, say
    EXPECT_EQ(start({}).status, 1);
    EXPECT_FALSE(fs::exists(tree_.path() / ".waf/debian"));
}

TEST_F(Launcher, SaysThatTheCacheCannotBeWritten)
{
    test::write_file(tree_.parent() / "file", "");
    expect_one_line(start({{"FUNCPTR_WAF_URL", url(script_)},
                           {"FUNCPTR_WAF_CACHE", (tree_.parent() / "file").string()}}),
                    {(tree_.parent() / "file").string()});
}

TEST_F(Launcher, SaysThatPythonIsMissing)
{
    fs::remove(bin_ / "python3");
    expect_one_line(start_as({}, {"sh", (tree_.path() / "waf").string(), "build"}),
                    {"python3 is missing", "apt-get install python3"});
}

// All Pythons of this machine, and the real waf, which $WAF names under `./waf test`.
TEST_F(Launcher, RunsTheRealWafUnderEveryPythonHere)
{
    if (test::variable("WAF").empty())
        GTEST_SKIP() << "run by ./waf test";
    const test::source_tree skeleton(test::source_tree::skeleton);
    int ran = 0;
    for (const auto* version : {"3.9", "3.10", "3.11", "3.12", "3.13"}) {
        const auto python = std::string("python") + version;
        const auto found = test::run({.arguments = {"/bin/sh", "-c", python + " -c pass 2>&1"}});
        if (found.status != 0)
            continue;
        const auto done =
            test::run({.arguments = {python, (skeleton.path() / "waf").string(), "--help"}});
        EXPECT_EQ(done.status, 0) << python << done.err;
        for (const auto* command : {"bench", "build", "check", "configure", "demo", "deps", "dist",
                                    "format", "fuzz", "install", "test"}) {
            const auto line = "\n  " + std::string(command) + " ";
            const auto line_of_it = std::string("\n  ") + command;
            EXPECT_NE(done.out.find(line_of_it), std::string::npos)
                << python << " " << line << done.out;
        }
        ++ran;
    }
    if (ran == 0)
        GTEST_SKIP() << "no python3.N here";
}

} // namespace
