// SPDX-License-Identifier: MIT
//
// source_tree.h: for the tests of the build: copies of the sources in a temporary folder, with a
// git repository of their own, in which waf runs for real.
//
// It never writes into the sources themselves. Threads: one per object. Lifetime: the folder goes
// with the object.
//
//     test::source_tree tree(test::source_tree::skeleton);
//     tree.commit("first");
//     const auto built = tree.waf({"build"});
//     ASSERT_EQ(built.status, 0) << built.err;
#pragma once

#include "process.h"

namespace test {

/// The top of the sources: $FUNCPTR_TOP, which `./waf test` sets, or the folder of this program's
/// start.
std::filesystem::path source_top();

/// An environment in which git knows nothing of this user, and all dates are the same.
std::vector<std::pair<std::string, std::optional<std::string>>> git_environment();

/// git in a folder. Throws std::runtime_error with its words when it fails.
std::string git(const std::filesystem::path& folder, std::vector<std::string> arguments);

/// The lines of a text.
std::vector<std::string> lines_of(const std::string& text);

class source_tree {
public:
    /// The build's own files, src/version.cc, one more source, and an example that prints the
    /// stamp: what the tests of the build need, and quick to compile.
    enum kind { skeleton, launcher_only };

    explicit source_tree(kind what);

    /// The copy's top, some way down in the temporary folder.
    const std::filesystem::path& path() const { return path_; }
    /// The folder around it.
    const std::filesystem::path& parent() const { return dir_.path(); }

    void write(const std::string& file, const std::string& text) const;

    /// Everything into the copy's repository, which is made with the first.
    void commit(const std::string& message) const;

    /// The launcher with these arguments.
    result waf(std::vector<std::string> arguments) const;

private:
    temp_dir dir_;
    std::filesystem::path path_;
};

/// The launcher in any folder.
result waf_in(const std::filesystem::path& folder, std::vector<std::string> arguments);

/// What waf said that it compiled ("src/version.cc") or linked, in sorted order.
std::vector<std::string> compiled(const result& build);
std::vector<std::string> linked(const result& build);

} // namespace test
