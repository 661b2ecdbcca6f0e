# SPDX-License-Identifier: MIT
#
# The build. `./waf --help` lists the commands; what they do beyond compiling stands in waf_tools/.

import os
import re
import sys

from waflib import Context

top = "."
out = "build"
APPNAME = "funcptr"

_TOP = Context.run_dir
sys.path.insert(0, os.path.join(_TOP, "waf_tools"))

import commands  # noqa: E402  (its classes are the commands)


def _release():
    text = open(os.path.join(_TOP, "include/funcptr/version.h"), encoding="utf-8").read()
    return ".".join(
        re.search(r"FUNCPTR_VERSION_%s (\d+)" % part, text).group(1) for part in ("MAJOR", "MINOR", "PATCH")
    )


VERSION = _release()


def _abi():
    """What the SONAME ends in: before 1.0 a minor release may change the interface."""
    return VERSION.rsplit(".", 1)[0] if VERSION.startswith("0.") else VERSION.split(".")[0]


_WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow".split()
_SANITIZE = ["-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
_VARIANTS = {  # name: flags for the compiler, and for the linker
    "debug": (["-O0", "-g", "-D_GLIBCXX_ASSERTIONS"], []),
    "release": (["-O2", "-g", "-DNDEBUG"], []),
    "asan": (["-O1", "-g", "-fsanitize=address,undefined"] + _SANITIZE, ["-fsanitize=address,undefined"]),
    "tsan": (["-O1", "-g", "-fsanitize=thread"] + _SANITIZE, ["-fsanitize=thread"]),
    "fuzz": (["-O1", "-g", "-fsanitize=fuzzer-no-link,address,undefined"] + _SANITIZE,
             ["-fsanitize=address,undefined"]),
}
# A sanitizer's instrumentation of GoogleTest's macros takes the optimiser longer than all the rest:
# under -O1 a quarter of .ci/run was this. The library itself keeps its variant's flags.
_SANITIZED_TESTS = ["-O0"]
_EVERYTHING = "SSL EV ZMQ CPPZMQ CARES ZLIB"


def options(opt):
    opt.load("compiler_cxx")
    opt.load("build_version", tooldir="waf_tools")
    commands.options(opt)


def init(_ctx):
    commands.configure_when_needed(_TOP)
    commands.choose_variant()


def configure(cfg):
    cfg.load("compiler_cxx")
    cfg.load("build_version", tooldir="waf_tools")
    cfg.env.append_value("CXXFLAGS", ["-std=c++20"] + _WARNINGS)
    if cfg.options.werror:
        cfg.env.append_value("CXXFLAGS", "-Werror")
    cfg.env.append_value("LINKFLAGS", ["-Wl,--as-needed", "-pthread"])
    _find_libraries(cfg)
    cfg.find_program("clang++", var="CLANGXX", mandatory=False)
    cfg.env.DEFINES = []  # HAVE_x for each library: a new one would compile everything again
    common = cfg.env
    for name, (compile_flags, link_flags) in _VARIANTS.items():
        cfg.setenv(name, common)
        cfg.env.append_value("CXXFLAGS", compile_flags)
        cfg.env.append_value("LINKFLAGS", link_flags)
        if name == "fuzz" and common.CLANGXX:
            cfg.env.CXX = cfg.env.LINK_CXX = common.CLANGXX


def _find_libraries(cfg):
    def pkg(name, store, mandatory=True, package=None, **more):
        try:
            cfg.check_cfg(package=name, args="--cflags --libs", uselib_store=store, **more)
        except cfg.errors.ConfigurationError:
            if mandatory:
                cfg.fatal("%s is missing: ./waf deps installs it" % (package or name))
            cfg.msg("  without it", "what needs %s is left out" % (package or name), color="YELLOW")

    pkg("openssl", "SSL")
    pkg("zlib", "ZLIB")
    pkg("libzmq", "ZMQ")
    pkg("cppzmq", "CPPZMQ")
    # Debian has no libev.pc.
    cfg.check_cxx(lib="ev", header_name="ev++.h", uselib_store="EV",
                  errmsg="missing: ./waf deps installs it")
    pkg("nlohmann_json", "JSON", mandatory=False)
    pkg("libnghttp2", "NGHTTP2", mandatory=False)
    pkg("gnutls >= 3.7.4", "GNUTLS", mandatory=False)
    pkg("libcares", "CARES", mandatory=False, global_define=False)
    # The peers of the benchmarks. HAVE_x goes to those that use them, and nobody else compiles again.
    pkg("libevent", "LIBEVENT", mandatory=False, global_define=False)
    pkg("libevent_openssl", "LIBEVENT_SSL", mandatory=False, global_define=False)
    pkg("libczmq", "CZMQ", mandatory=False, global_define=False)
    pkg("gtest_main", "GTEST", mandatory=False, package="GoogleTest")


def build(bld):
    commands.write_compile_commands(bld)
    commands.install_folders(bld.env)
    bld.load("build_version", tooldir="waf_tools")
    bld(features="build_version", source="build_version.h.in", target="build_version.h",
        release=VERSION, name="build_version")
    _library(bld)
    wanted = commands.PARTS.get(bld.cmd, ())
    for part, add in (("examples", _examples), ("tests", _tests), ("bench", _bench), ("interop", _interop),
                      ("fuzz", _fuzz)):
        if part in wanted:
            add(bld)
    commands.after_build(bld)


def _library(bld):
    _libraries(bld, "funcptr", "objects", bld.path.ant_glob("src/**/*.cc", excl="src/gnutls/**"),
               "build_version SSL EV CARES ZLIB")
    if bld.env.HAVE_GNUTLS:
        _libraries(bld, "funcptr-gnutls", "gnutls_objects", bld.path.ant_glob("src/gnutls/*.cc"),
                   "GNUTLS")
    commands.install_files(bld, VERSION, _abi())


def _libraries(bld, target, objects, sources, use):
    # One set of objects, position independent, for both kinds of library.
    bld(features="cxx", source=sources, target=objects, includes="include src",
        export_includes="include", use=use, cxxflags=["-fPIC", "-fvisibility=hidden"])
    bld(features="cxx cxxstlib", target=target, name=target, use=[objects] + use.split(),
        export_includes="include", install_path="${LIBDIR}")
    if bld.cmd in ("build", "test", "install", "uninstall", "clean", "list"):
        bld(features="cxx cxxshlib", target=target, name=target + "_shared",
            use=[objects] + use.split(), vnum=VERSION, cnum=_abi(), install_path="${LIBDIR}")


def _program(bld, source, target, use="", first="", **more):
    bld.program(source=source, target=target, name=os.path.basename(target),
                use="%s funcptr-gnutls funcptr %s %s" % (first, _EVERYTHING, use),
                includes="include .", install_path=None, **more)


def _examples(bld):
    for source in bld.path.ant_glob("examples/*.cc"):
        _program(bld, [source], "examples/" + source.name[:-3])
    for name, needs in (("cookie_tool", ""), ("gateway", "NGHTTP2 JSON")):
        sources = bld.path.ant_glob("examples/%s/*.cc" % name)
        if sources and all(bld.env["HAVE_" + each] for each in needs.split()):
            _program(bld, sources, "examples/%s/%s" % (name, name), needs)


def _tests(bld):
    if not bld.env.HAVE_GTEST:
        if bld.cmd != "test":
            return  # who only builds need not have it
        bld.fatal("GoogleTest is missing: ./waf deps test installs it")
    _test_support(bld)
    for source in commands.selected_tests(bld):
        _program(bld, [source], "tests/" + source.name[:-3], "test_support GTEST NGHTTP2 JSON",
                 kind="test", cxxflags=_test_flags(bld))


def _test_flags(bld):
    return _SANITIZED_TESTS if bld.variant in commands.SANITIZERS else []


def _test_support(bld):
    if not getattr(bld, "has_test_support", False):
        bld.has_test_support = True
        bld(features="cxx", source=bld.path.ant_glob("tests/support/*.cc"), target="test_support",
            includes="include tests", use="%s GTEST JSON" % _EVERYTHING, cxxflags=_test_flags(bld))


def _interop(bld):
    sources = bld.path.ant_glob("interop/*.cc")
    missing = [name for name, there in (("GoogleTest", bld.env.HAVE_GTEST),
                                        ("nlohmann_json", bld.env.HAVE_JSON)) if not there]
    if missing and bld.cmd == "interop":
        bld.fatal("%s is missing: ./waf deps interop installs it" % " and ".join(missing))
    if missing or not sources:
        return
    _test_support(bld)
    _program(bld, sources, "interop/cookies_interop", "test_support GTEST JSON", kind="interop")


def _bench(bld):
    bld(features="cxx", source=bld.path.ant_glob("bench/support/*.cc"), target="bench_support",
        includes="include bench")
    for source in bld.path.ant_glob("bench/*_bench.cc"):
        # libevent first: libev exports functions of the same names (its emulation), and who comes
        # first is called.
        _program(bld, [source], "bench/" + source.name[:-3], "bench_support CZMQ",
                 first="LIBEVENT LIBEVENT_SSL", kind="bench")


def _fuzz(bld):
    if not bld.env.CLANGXX:
        bld.fatal("clang++ is missing: ./waf deps fuzz installs it")
    for source in bld.path.ant_glob("fuzz/*_fuzz.cc"):
        _program(bld, [source], "fuzz/" + source.name[:-3], linkflags=["-fsanitize=fuzzer"],
                 kind="fuzz")


def shutdown(_ctx):
    line = commands.test_runner.closing_line()
    if line:
        print(line)  # after waf's own last words, so that it is the last line of all
