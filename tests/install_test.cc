// SPDX-License-Identifier: MIT
//
// What users get from `./waf install`: by pkg-config, by CMake, and in the shared library itself.
#include "support/installation.h"
#include "support/source_tree.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <regex>

namespace {

namespace fs = std::filesystem;

class Install : public testing::Test {
protected:
    static void SetUpTestSuite() { installed = std::make_unique<test::installation>(); }
    static void TearDownTestSuite() { installed.reset(); }

    /// Two translation units, each with every header: what a header defines twice shows at the
    /// link.
    static void write_consumer(const fs::path& folder)
    {
        std::string includes;
        for (const auto& header : installed->headers())
            includes += "#include <" + header + ">\n";
        test::write_file(folder / "one.cc",
                         includes
                             + "#include <cstdio>\nvoid other();\n"
                               "int main() { other(); std::puts(funcptr::version()); }\n");
        test::write_file(folder / "two.cc", includes + "void other();\nvoid other() { }\n");
    }
    static test::result shell(const std::string& script, const fs::path& folder)
    {
        return installed->run({"/bin/sh", "-c", script}, folder);
    }
    static void expect_stamp(const test::result& done)
    {
        EXPECT_EQ(done.status, 0) << done.err;
        EXPECT_TRUE(done.out.starts_with("0.1.0")) << done.out;
    }

    static inline std::unique_ptr<test::installation> installed;
};

constexpr auto compile =
    "${CXX:-c++} -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror ";

TEST_F(Install, HoldsEveryHeaderOfTheSources)
{
    std::vector<std::string> expected;
    const auto include = test::source_top() / "include";
    for (const auto& each : fs::recursive_directory_iterator(include)) {
        if (each.path().filename() == "gnutls_filter.h" && shell("pkg-config gnutls", ".").status)
            continue; // its library was not built
        if (each.path().extension() == ".h")
            expected.push_back(fs::relative(each.path(), include).string());
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(installed->headers(), expected);
    EXPECT_GT(expected.size(), 10U);
}

TEST_F(Install, PkgConfigServesTwoUnitsWithEveryHeader)
{
    const auto folder = installed->scratch() / "pkg-config";
    write_consumer(folder);
    const auto built =
        shell(std::string(compile)
                  + "one.cc two.cc $(pkg-config --cflags --libs funcptr-zmq) -o consumer",
              folder);
    ASSERT_EQ(built.status, 0) << built.err;
    expect_stamp(installed->run({(folder / "consumer").string()}));
}

TEST_F(Install, CMakeServesTwoUnitsWithEveryHeader)
{
    const auto folder = installed->scratch() / "cmake";
    write_consumer(folder);
    test::write_file(folder / "CMakeLists.txt",
                     "cmake_minimum_required(VERSION 3.16)\n"
                     "project(consumer CXX)\n"
                     "find_package(funcptr 0.1 REQUIRED COMPONENTS zmq)\n"
                     "add_executable(consumer one.cc two.cc)\n"
                     "target_link_libraries(consumer PRIVATE funcptr::zmq)\n"
                     "file(WRITE version.cc \"#include <funcptr/version.h>\\n#include <cstdio>\\n"
                     "int main() { std::puts(funcptr::version()); }\\n\")\n"
                     "foreach(kind funcptr funcptr_static)\n"
                     "  add_executable(${kind} version.cc)\n"
                     "  target_link_libraries(${kind} PRIVATE funcptr::${kind})\n"
                     "endforeach()\n");
    const auto built = shell("cmake -S . -B build && cmake --build build", folder);
    ASSERT_EQ(built.status, 0) << built.out << built.err;
    for (const auto* program : {"consumer", "funcptr", "funcptr_static"})
        expect_stamp(installed->run({(folder / "build" / program).string()}));
    const auto needs = installed->run({"ldd", (folder / "build/funcptr_static").string()});
    EXPECT_EQ(needs.out.find("libfuncptr"), std::string::npos) << needs.out;
}

TEST_F(Install, TheSecondEngineIsALibraryOfItsOwn)
{
    const auto folder = installed->scratch() / "gnutls";
    test::write_file(folder / "two.cc", "#include <funcptr/gnutls_filter.h>\n#include <cstdio>\n"
                                        "int main() try { funcptr::gnutls_context({}); }\n"
                                        "catch (...) { std::puts(\"refused\"); return 1; }\n");
    test::write_file(folder / "CMakeLists.txt",
                     "cmake_minimum_required(VERSION 3.16)\nproject(consumer CXX)\n"
                     "find_package(funcptr 0.1 REQUIRED COMPONENTS gnutls)\n"
                     "add_executable(two two.cc)\n"
                     "target_link_libraries(two PRIVATE funcptr::gnutls)\n");
    const auto built =
        shell(std::string(compile)
                  + "two.cc $(pkg-config --cflags --libs funcptr-gnutls) -o by_pkg_config && "
                    "cmake -S . -B build && cmake --build build && mv build/two by_cmake",
              folder);
    ASSERT_EQ(built.status, 0) << built.out << built.err;
    for (const auto* program : {"by_pkg_config", "by_cmake"}) {
        EXPECT_EQ(installed->run({(folder / program).string()}).status, 0) << program;
        const auto needs = installed->run({"ldd", (folder / program).string()});
        EXPECT_NE(needs.out.find("libfuncptr-gnutls.so.0.1"), std::string::npos) << needs.out;
        EXPECT_EQ(needs.out.find("libssl"), std::string::npos) << needs.out;
    }
    const auto other =
        installed->run({"ldd", (installed->prefix() / "lib/libfuncptr.so").string()});
    EXPECT_EQ(other.out.find("gnutls"), std::string::npos) << other.out;
}

TEST_F(Install, CMakeRefusesAnotherMinorVersion)
{
    const auto folder = installed->scratch() / "versions";
    test::write_file(folder / "CMakeLists.txt",
                     "cmake_minimum_required(VERSION 3.16)\nproject(consumer CXX)\n"
                     "foreach(version 0.1 0.1.0 0.1.1 0.2 0.0 1.0)\n"
                     "  find_package(funcptr ${version} QUIET CONFIG)\n"
                     "  message(STATUS \"asked for ${version}: ${funcptr_FOUND}\")\n"
                     "  unset(funcptr_DIR CACHE)\n"
                     "endforeach()\n");
    const auto done = shell("cmake -S . -B build 2>&1", folder);
    for (const auto* good : {"0.1", "0.1.0"})
        EXPECT_TRUE(std::regex_search(
            done.out, std::regex("asked for " + std::string(good) + ": (1|TRUE)\n")))
            << good << done.out;
    for (const auto* bad : {"0.1.1", "0.2", "0.0", "1.0"})
        EXPECT_TRUE(std::regex_search(
            done.out, std::regex("asked for " + std::string(bad) + ": (0|FALSE)\n")))
            << bad << done.out;
}

TEST_F(Install, ProgramThatOnlyUsesCookiesLinksNoZeroMQ)
{
    const auto folder = installed->scratch() / "cookies";
    const auto headers = installed->headers();
    std::string source;
    for (const auto& header : headers) { // whatever there is for cookies
        if (header.find("cookie") != std::string::npos
            || header.find("keyring") != std::string::npos)
            source += "#include <" + header + ">\n";
    }
    test::write_file(folder / "cookies.cc",
                     source
                         + "#include <cstdio>\n#include <funcptr/version.h>\n"
                           "int main() { std::puts(funcptr::version()); }\n");
    const auto built =
        shell(std::string(compile) + "cookies.cc $(pkg-config --cflags --libs funcptr) -o cookies",
              folder);
    ASSERT_EQ(built.status, 0) << built.err;
    const auto needs = installed->run({"ldd", (folder / "cookies").string()});
    EXPECT_NE(needs.out.find("libfuncptr.so.0.1 => " + installed->prefix().string()),
              std::string::npos)
        << needs.out;
    EXPECT_EQ(needs.out.find("libzmq"), std::string::npos) << needs.out;
    EXPECT_EQ(needs.out.find("libsodium"), std::string::npos) << needs.out;
}

TEST_F(Install, StaticLibraryLinksByPkgConfig)
{
    const auto folder = installed->scratch() / "static";
    write_consumer(folder);
    const auto built =
        shell(std::string(compile)
                  + "one.cc two.cc $(pkg-config --cflags funcptr-zmq) "
                    "$(pkg-config --static --libs funcptr | sed 's/-lfuncptr /-l:libfuncptr.a /') "
                    "$(pkg-config --libs libzmq) -o consumer",
              folder);
    ASSERT_EQ(built.status, 0) << built.err;
    const auto needs = installed->run({"ldd", (folder / "consumer").string()});
    EXPECT_EQ(needs.out.find("libfuncptr"), std::string::npos) << needs.out;
    expect_stamp(installed->run({(folder / "consumer").string()}));
}

TEST_F(Install, SharedLibraryHasASonameAndShowsOnlyItsOwn)
{
    const auto library = (installed->prefix() / "lib/libfuncptr.so").string();
    EXPECT_EQ(fs::read_symlink(library), "libfuncptr.so.0.1.0");
    const auto dynamic = installed->run({"readelf", "-d", library});
    EXPECT_NE(dynamic.out.find("soname: [libfuncptr.so.0.1]"), std::string::npos) << dynamic.out;
    EXPECT_EQ(dynamic.out.find("RPATH"), std::string::npos) << dynamic.out;
    EXPECT_EQ(dynamic.out.find("RUNPATH"), std::string::npos) << dynamic.out;

    const auto symbols = installed->run({"nm", "-DC", "--defined-only", library});
    EXPECT_NE(symbols.out.find("funcptr::version()"), std::string::npos);
    // Weak ones are of templates and inline functions: every C++ library has them.
    for (const auto& line : test::lines_of(symbols.out)) {
        if (!std::regex_search(line, std::regex("^[0-9a-f]+ [TDBR] ")))
            continue;
        EXPECT_NE(line.find("funcptr::"), std::string::npos) << line;
        EXPECT_EQ(line.find(" funcptr::detail::"), std::string::npos) << line;
    }
}

TEST_F(Install, NothingInstalledNamesThePlaceOfTheInstallationOrOfTheSources)
{
    const auto first = (installed->prefix().parent_path() / "first").string();
    for (const auto& each : fs::recursive_directory_iterator(installed->prefix())) {
        const auto ending = each.path().extension();
        if (!each.is_regular_file() || (ending != ".pc" && ending != ".cmake" && ending != ".h"))
            continue;
        const auto text = test::read_file(each.path());
        EXPECT_EQ(text.find(first), std::string::npos) << each.path();
        EXPECT_EQ(text.find(test::source_top().string()), std::string::npos) << each.path();
        EXPECT_FALSE(std::regex_search(text, std::regex("@[A-Z]+@"))) << each.path();
    }
}

TEST_F(Install, DestdirStagesAPackage)
{
    const auto stage = installed->scratch() / "stage";
    const auto done =
        test::run({.arguments = {"python3", (test::source_top() / "waf").string(), "install",
                                 "--variant=" + test::variable("FUNCPTR_VARIANT", "debug"),
                                 "--destdir=" + stage.string(), "--prefix=/usr",
                                 "--libdir=/usr/lib/some-linux-gnu"},
                   .limit = std::chrono::minutes(10)});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_TRUE(fs::exists(stage / "usr/include/funcptr/version.h"));
    EXPECT_TRUE(fs::exists(stage / "usr/lib/some-linux-gnu/libfuncptr.so.0.1"));
    const auto flags =
        test::run({.arguments = {"pkg-config", "--variable=includedir", "funcptr"},
                   .environment = {{"PKG_CONFIG_PATH",
                                    (stage / "usr/lib/some-linux-gnu/pkgconfig").string()}}});
    const auto include = test::lines_of(flags.out).at(0);
    EXPECT_EQ(fs::weakly_canonical(include), fs::canonical(stage / "usr/include")) << include;
}

} // namespace
