// SPDX-License-Identifier: MIT
#include "source_tree.h"

#include <algorithm>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace test {
namespace {

namespace fs = std::filesystem;

constexpr auto show_stamp = R"(#include <funcptr/version.h>
#include <cstdio>
int main()
{
    std::printf("%s\n%s\n", funcptr::version(), funcptr::version_time());
}
)";

void copy_source(const std::string& name, const fs::path& to)
{
    fs::create_directories((to / name).parent_path());
    fs::copy(source_top() / name, to / name, fs::copy_options::recursive);
}

std::vector<std::string> words_after(const std::string& verb, const result& build)
{
    const std::regex line("^\\[ *\\d+/\\d+\\] " + verb + " (\\S+)");
    std::vector<std::string> found;
    for (const auto& each : lines_of(build.out + build.err)) {
        std::smatch match;
        if (std::regex_search(each, match, line))
            found.push_back(match[1]);
    }
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace

fs::path source_top()
{
    return variable("FUNCPTR_TOP", fs::current_path().string());
}

std::vector<std::pair<std::string, std::optional<std::string>>> git_environment()
{
    return {{"GIT_CONFIG_GLOBAL", "/dev/null"},
            {"GIT_CONFIG_NOSYSTEM", "1"},
            {"GIT_AUTHOR_NAME", "A"},
            {"GIT_AUTHOR_EMAIL", "a@example.org"},
            {"GIT_COMMITTER_NAME", "A"},
            {"GIT_COMMITTER_EMAIL", "a@example.org"},
            {"GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z"},
            {"GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z"},
            {"GIT_DIR", std::nullopt},
            {"GIT_WORK_TREE", std::nullopt},
            {"GIT_INDEX_FILE", std::nullopt}};
}

std::string git(const fs::path& folder, std::vector<std::string> arguments)
{
    // Submodules from a path are refused by default; these paths are ours.
    const std::vector<std::string> start{"git", "-c", "protocol.file.allow=always", "-c",
                                         "init.defaultBranch=main"};
    arguments.insert(arguments.begin(), start.begin(), start.end());
    const auto done =
        run({.arguments = arguments, .environment = git_environment(), .directory = folder});
    if (done.status != 0)
        throw std::runtime_error(arguments[start.size()] + ": " + done.err);
    return done.out.substr(0, done.out.find_last_not_of('\n') + 1);
}

std::vector<std::string> lines_of(const std::string& text)
{
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

source_tree::source_tree(kind what)
    : path_(dir_.path() / "outer" / "copy")
{
    fs::create_directories(path_);
    for (const auto* each : {"waf", "wscript"})
        copy_source(each, path_);
    for (const auto& each : fs::directory_iterator(source_top() / "waf_tools")) {
        if (each.path().extension() == ".py")
            copy_source("waf_tools/" + each.path().filename().string(), path_);
    }
    if (what == launcher_only)
        return;
    for (const auto* each : {"packaging", "build_version.h.in", "include/funcptr/version.h",
                             "include/funcptr/export.h", "src/version.cc", ".gitignore",
                             ".gitattributes", ".git_archival.txt"})
        copy_source(each, path_);
    write("src/other.cc", "int funcptr_other();\nint funcptr_other() { return 1; }\n");
    write("examples/show.cc", show_stamp);
}

void source_tree::write(const std::string& file, const std::string& text) const
{
    write_file(path_ / file, text);
}

void source_tree::commit(const std::string& message) const
{
    if (!fs::exists(path_ / ".git"))
        git(path_, {"init", "-q"});
    git(path_, {"add", "-A"});
    git(path_, {"commit", "-q", "--allow-empty", "-m", message});
}

result source_tree::waf(std::vector<std::string> arguments) const
{
    return waf_in(path_, std::move(arguments));
}

result waf_in(const fs::path& folder, std::vector<std::string> arguments)
{
    arguments.insert(arguments.begin(), {"python3", (folder / "waf").string()});
    auto environment = git_environment();
    // What the surrounding `./waf` was told is not meant for this one.
    for (const auto* each : {"CXX", "CXXFLAGS", "LINKFLAGS", "WAFLOCK", "DESTDIR", "PREFIX"})
        environment.emplace_back(each, std::nullopt);
    return run({.arguments = std::move(arguments),
                .environment = std::move(environment),
                .directory = folder,
                .limit = std::chrono::minutes(10)});
}

std::vector<std::string> compiled(const result& build)
{
    auto found = words_after("Compiling", build);
    std::erase(found, "build_version.h.in"); // it is written, not compiled
    return found;
}

std::vector<std::string> linked(const result& build)
{
    return words_after("Linking", build);
}

} // namespace test
