// SPDX-License-Identifier: MIT
//
// installation.h: what `./waf install` of this build gives, in a temporary folder to which it was
// moved after it was installed: a path that is fixed at installation shows.
//
// Threads: one per object. Lifetime: the folder goes with the object.
//
//     const test::installation installed;
//     const auto flags = installed.run({"pkg-config", "--libs", "funcptr"});
#pragma once

#include "process.h"

namespace test {

class installation {
public:
    /// Throws std::runtime_error with waf's words when it fails.
    installation();

    const std::filesystem::path& prefix() const { return prefix_; }
    /// A folder beside it, to work in.
    const std::filesystem::path& scratch() const { return scratch_; }

    /// The installed headers, relative to the include folder, in sorted order.
    std::vector<std::string> headers() const;

    /// Runs a program that finds the installed library: pkg-config, CMake and the dynamic linker
    /// look there first. In scratch() when `directory` is empty.
    result run(std::vector<std::string> arguments, std::filesystem::path directory = {}) const;

private:
    temp_dir dir_;
    std::filesystem::path prefix_;
    std::filesystem::path scratch_;
};

} // namespace test
