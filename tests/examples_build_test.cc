// SPDX-License-Identifier: MIT
//
// The examples are copied by readers: each is built by the build line in its own top comment, with
// the installed library and nothing of this tree.
//
// The line is "// Build: " and a command for a shell in the folder of that file, with a program
// named like the example; it may go on in lines that are indented below it. For an example of
// several files it stands in main.cc. "// Run: " follows.
#include "support/installation.h"
#include "support/source_tree.h"

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <regex>

namespace {

namespace fs = std::filesystem;

/// The example's name, and the file with its top comment.
std::map<std::string, fs::path> examples()
{
    std::map<std::string, fs::path> found;
    const auto folder = test::source_top() / "examples";
    for (const auto& each : fs::directory_iterator(folder)) {
        if (each.path().extension() == ".cc")
            found[each.path().stem()] = each.path();
        else if (fs::exists(each.path() / "main.cc"))
            found[each.path().filename()] = each.path() / "main.cc";
    }
    return found;
}

/// The command behind "Build:" in a top comment, '' when there is none.
std::string build_line(const fs::path& source)
{
    const std::regex begin("^// Build: +(.*)$");
    const std::regex more("^//        +(.*)$");
    std::string command;
    for (const auto& line : test::lines_of(test::read_file(source))) {
        std::smatch match;
        if (!line.starts_with("//"))
            break;
        if (command.empty() ? std::regex_match(line, match, begin)
                            : std::regex_match(line, match, more))
            command += (command.empty() ? "" : " ") + match[1].str();
        else if (!command.empty())
            break;
    }
    return command;
}

class Examples : public testing::TestWithParam<std::pair<const std::string, fs::path>> {
protected:
    static void SetUpTestSuite() { installed = std::make_unique<test::installation>(); }
    static void TearDownTestSuite() { installed.reset(); }
    static inline std::unique_ptr<test::installation> installed;
};

TEST_P(Examples, BuildsByItsOwnLineAndTellsItsVersion)
{
    const auto& [name, source] = GetParam();
    const auto command = build_line(source);
    ASSERT_NE(command, "") << "no '// Build: ' in the top comment of " << source;
    EXPECT_NE(test::read_file(source).find("\n// Run: "), std::string::npos) << "no '// Run: '";

    // Alone in a folder: what it includes of this tree is not found.
    const auto folder = installed->scratch() / name;
    if (source.filename() == "main.cc")
        fs::copy(source.parent_path(), folder, fs::copy_options::recursive);
    else
        test::write_file(folder / source.filename(), test::read_file(source));
    const auto built = installed->run({"/bin/sh", "-c", command}, folder);
    ASSERT_EQ(built.status, 0) << command << '\n' << built.err;
    EXPECT_EQ(built.err, "");

    const auto program = (folder / name).string();
    const auto version = installed->run({program, "--version"});
    EXPECT_EQ(version.status, 0) << version.err;
    EXPECT_NE(version.out.find("0.1.0"), std::string::npos) << version.out;
    const auto help = installed->run({program, "--help"});
    EXPECT_EQ(help.status, 0) << help.err;
    EXPECT_NE(help.out.find(name), std::string::npos) << help.out;
    const auto wrong = installed->run({program, "--no-such-option"});
    EXPECT_EQ(wrong.status, 1) << wrong.out << wrong.err;
}

INSTANTIATE_TEST_SUITE_P(All, Examples, testing::ValuesIn(examples()),
                         [](const auto& which) { return which.param.first; });

} // namespace
