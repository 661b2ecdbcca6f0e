// SPDX-License-Identifier: MIT
//
// Every snippet of README.md, built as a user would; a whole program is run, and prints what stands
// below it.
#include <gtest/gtest.h>

#include <regex>

#include "support/installation.h"
#include "support/process.h"
#include "support/source_tree.h"

namespace {

struct snippet {
    std::string code;
    std::string output; ///< the block that follows at once, when there is one
};

std::vector<snippet> snippets()
{
    std::vector<snippet> found;
    std::string* filling = nullptr;
    std::string previous;
    for (const auto& line : test::lines_of(test::read_file(test::source_top() / "README.md"))) {
        if (line == "```cpp") {
            filling = &found.emplace_back().code;
        } else if (line == "```" && filling != nullptr) {
            filling = nullptr;
        } else if (line == "```" && previous == "```" && !found.empty()) {
            filling = &found.back().output;
        } else if (filling != nullptr) {
            *filling += line + "\n";
        }
        previous = line;
    }
    return found;
}

/// What a snippet that is no program may count on.
std::string wrap(const std::string& code)
{
    return R"(
#include <funcptr/connection.h>
#include <funcptr/cookie_header.h>
#include <funcptr/listener.h>
#include <funcptr/signed_cookie.h>
#include <funcptr/ssl_filter.h>
#include <funcptr/zmq_event.h>
#include <chrono>
#include <iostream>
using namespace std::chrono_literals;
void greet(const std::string&);
void log(const std::string&);
ev::default_loop outer_loop();
void snippet(ev::loop_ref loop, funcptr::tls_context tls)
{
    (void)loop, (void)tls;
    {
)" + code + "    }\n}\n";
}

TEST(Readme, EverySnippetCompilesAndEveryProgramPrintsWhatStandsBelowIt)
{
    const test::installation installed;
    const auto all = snippets();
    ASSERT_GE(all.size(), 4u);
    int programs = 0;
    for (const auto& each : all) {
        const bool program = each.code.find("int main()") != std::string::npos;
        const auto source = installed.scratch() / "snippet.cc";
        test::write_file(source, program ? each.code : wrap(each.code));
        const std::string flags = program ? "-o snippet" : "-fsyntax-only";
        const auto built = installed.run(
            {"/bin/sh", "-c",
             "c++ -std=c++20 -Wall -Wextra snippet.cc $(pkg-config --cflags --libs funcptr-zmq) "
                 + flags});
        ASSERT_EQ(built.status, 0) << each.code << built.err;
        EXPECT_EQ(built.err, "");
        if (!program)
            continue;
        ++programs;
        const auto done = installed.run({(installed.scratch() / "snippet").string()});
        EXPECT_EQ(done.status, 0) << done.err;
        EXPECT_NE(each.output, "") << "no output stands below the program";
        EXPECT_EQ(done.out, each.output);
    }
    EXPECT_GE(programs, 1);
}

TEST(Readme, NamesOnlyFilesThatExist)
{
    const auto text = test::read_file(test::source_top() / "README.md");
    const std::regex link("\\]\\(([^)#:]+)\\)");
    int links = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at, ++links)
        EXPECT_TRUE(std::filesystem::exists(test::source_top() / (*at)[1].str())) << (*at)[1];
    EXPECT_GT(links, 10);
}

} // namespace
