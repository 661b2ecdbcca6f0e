// SPDX-License-Identifier: MIT
#include "peer.h"

#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "tests/support/process.h"
#include "tests/support/source_tree.h"

namespace interop {
namespace {

namespace fs = std::filesystem;

constexpr const char* go_path = "/usr/share/gocode"; // where Debian puts the sources of Go packages

/// The distribution's interpreter has the distribution's packages, and another one may be first in
/// $PATH; so /usr/bin goes before it. The bare name when it is nowhere.
std::string interpreter(const std::string& name)
{
    std::istringstream folders("/usr/bin:" + test::variable("PATH"));
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (!folder.empty() && fs::exists(fs::path(folder) / name))
            return fs::path(folder) / name;
    }
    return name;
}

test::command command_for(language of)
{
    const auto folder = test::source_top() / "interop" / "peers";
    switch (of) {
    case language::python:
        return {.arguments = {interpreter("python3"), folder / "python.py"}};
    case language::node: // $NODE_PATH is set by ./waf interop
        return {.arguments = {interpreter("node"), folder / "node.js"}};
    case language::ruby:
        return {.arguments = {interpreter("ruby"), folder / "ruby.rb"}};
    case language::go:
        return {.arguments = {interpreter("go"), "run", folder / "go.go"},
                .environment = {{"GO111MODULE", "off"}, {"GOPATH", go_path}, {"GOFLAGS", ""}}};
    }
    throw std::logic_error("no such language");
}

std::vector<json> lines_of(const std::string& text)
{
    std::vector<json> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        found.push_back(json::parse(line));
    return found;
}

} // namespace

presence look_for(language of, const std::string& dialect)
{
    const auto program = command_for(of).arguments.at(0);
    if (!fs::exists(program))
        return {.what = program + " is not installed"};
    // A package that Go does not find is an error of the compiler's.
    if (of == language::go
        && !fs::exists(std::string(go_path) + "/src/github.com/gorilla/securecookie"))
        return {.what = "there is no Go package gorilla/securecookie"};
    const auto answer = ask(of, {{{"do", "hello"}, {"dialect", dialect}}}).at(0);
    if (answer.contains("version"))
        return {.here = true, .what = answer["version"]};
    return {.what = answer.at("missing")};
}

std::vector<json> ask(language of, const std::vector<json>& questions)
{
    auto command = command_for(of);
    for (const auto& question : questions)
        command.input += question.dump() + '\n';
    const auto done = test::run(command);
    std::vector<json> answers;
    if (done.status == 0)
        answers = lines_of(done.out);
    if (answers.size() != questions.size())
        throw std::runtime_error(command.arguments.back() + " ended with status "
                                 + std::to_string(done.status) + " and "
                                 + std::to_string(answers.size()) + " answers to "
                                 + std::to_string(questions.size()) + '\n' + done.err);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].contains("error"))
            throw std::runtime_error(answers[i]["error"].get<std::string>() + "\nasked for "
                                     + questions[i].dump());
    }
    return answers;
}

} // namespace interop
