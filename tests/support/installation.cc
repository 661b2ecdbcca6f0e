// SPDX-License-Identifier: MIT
#include "installation.h"

#include "source_tree.h"

#include <algorithm>
#include <stdexcept>

namespace test {

namespace fs = std::filesystem;

installation::installation()
    : prefix_(dir_.path() / "moved")
    , scratch_(dir_.path() / "scratch")
{
    const auto first = dir_.path() / "first";
    fs::create_directories(scratch_);
    const auto done = test::run(
        {.arguments = {"python3", (source_top() / "waf").string(), "install",
                       "--variant=" + variable("FUNCPTR_VARIANT", "debug"),
                       "--prefix=" + first.string(), "--libdir=" + (first / "lib").string()},
         .directory = source_top(),
         .limit = std::chrono::minutes(10)});
    if (done.status != 0)
        throw std::runtime_error("install failed: " + done.out + done.err);
    fs::rename(first, prefix_);
}

std::vector<std::string> installation::headers() const
{
    const auto include = prefix_ / "include";
    std::vector<std::string> found;
    for (const auto& each : fs::recursive_directory_iterator(include)) {
        if (each.is_regular_file())
            found.push_back(fs::relative(each.path(), include).string());
    }
    std::sort(found.begin(), found.end());
    return found;
}

result installation::run(std::vector<std::string> arguments, fs::path directory) const
{
    return test::run({.arguments = std::move(arguments),
                      .environment = {{"PKG_CONFIG_PATH", (prefix_ / "lib/pkgconfig").string()},
                                      {"CMAKE_PREFIX_PATH", prefix_.string()},
                                      {"LD_LIBRARY_PATH", (prefix_ / "lib").string()}},
                      .directory = directory.empty() ? scratch_ : std::move(directory),
                      .limit = std::chrono::minutes(10)});
}

} // namespace test
