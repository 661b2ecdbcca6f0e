# SPDX-License-Identifier: MIT
"""The commands beyond `build`: what each builds stands in PARTS, what it does afterwards in its
own function or module."""

import os
import subprocess
import sys
import tempfile

from waflib import Build, ConfigSet, Configure, Context, Errors, Logs, Options, Scripting, TaskGen, Utils

import source_tools
import test_runner

VARIANTS = ("debug", "release", "asan", "tsan")
SANITIZERS = ("asan", "tsan")
RELEASE_BY_DEFAULT = ("install", "uninstall", "demo", "bench")

# What a command builds besides the library.
PARTS = {
    "build": ("examples", "tests", "bench", "interop"),
    "clean": ("examples", "tests", "bench", "interop"),
    "list": ("examples", "tests", "bench", "interop"),
    "test": ("examples", "tests"),
    "demo": ("examples",),
    "bench": ("bench",),
    "interop": ("interop",),
    "fuzz": ("fuzz",),
}


def options(opt):
    opt.add_option("--variant", dest="variant", default="", metavar="NAME",
                   help="one of %s (default: debug; release for demo, bench and install)"
                        % ", ".join(VARIANTS))
    opt.add_option("--werror", dest="werror", default=False, action="store_true",
                   help="configure: a warning is an error")
    opt.add_option("--filter", dest="filter", default="", metavar="PATTERN",
                   help="test, interop: GoogleTest's filter, e.g. 'ZmqEvent.*'")
    opt.add_option("--only", dest="only", default="", metavar="TEXT",
                   help="test, fuzz: only programs whose name holds TEXT; bench: rows that begin so")
    opt.add_option("--seconds", dest="seconds", default=0, type=int, metavar="N",
                   help="fuzz: how long for each target (default: 30 for all, 600 with FUNCPTR_FULL=1)")
    opt.add_option("--strict", dest="strict", default=False, action="store_true",
                   help="bench: exit 1 when a goal is missed")
    opt.add_option("--quick", dest="quick", default=False, action="store_true",
                   help="bench: a few rounds only, to see that it runs")


# --- one class for each command; its docstring is its line in ./waf --help ----------------------


class _test(Build.BuildContext):
    """builds and runs the tests (--filter, --only)"""
    cmd = "test"
    fun = "build"


class _bench(Build.BuildContext):
    """builds and runs the benchmarks, writes build/<variant>/bench.json (--only, --strict)"""
    cmd = "bench"
    fun = "build"


class _interop(Build.BuildContext):
    """holds the cookie dialects against the packages they are named after (--filter)"""
    cmd = "interop"
    fun = "build"


class _fuzz(Build.BuildContext):
    """builds and runs the fuzz targets (--only, --seconds)"""
    cmd = "fuzz"
    fun = "build"


class _demo(Build.BuildContext):
    """builds the gateway and runs it at https://localhost:7020"""
    cmd = "demo"
    fun = "build"


class _dist(Context.Context):
    """writes a reproducible tarball of the sources, stamped with its version"""
    cmd = "dist"

    def execute(self):
        Logs.info("wrote %s", _write_tarball())


class _distcheck(Context.Context):
    """builds the tarball of dist in another folder (waf's own knows only waf's own dist)"""
    cmd = "distcheck"

    def execute(self):
        tarball = os.path.join(Context.run_dir, _write_tarball())
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-xzf", tarball, "-C", folder], check=True)
            top = os.path.join(folder, os.listdir(folder)[0])
            environment = dict(os.environ, WAF=os.environ.get("WAF") or Context.waf_dir)
            done = subprocess.run([sys.executable, "waf", "build"], cwd=top, env=environment, check=False)
        if done.returncode != 0:
            raise Errors.WafError("distcheck: %s does not build" % tarball)


def _write_tarball():
    import source_dist
    try:
        return source_dist.write(Context.run_dir, Context.g_module.APPNAME, Context.g_module.VERSION,
                                 Options.options.build_version)
    except (OSError, ValueError) as failed:
        raise Errors.WafError("dist: %s" % failed)


class _format(Context.Context):
    """formats the C++ sources with clang-format"""
    cmd = "format"

    def execute(self):
        if not source_tools.clang_format(Context.run_dir, fix=True):
            raise Errors.WafError("format: clang-format failed")


class _check(Context.Context):
    """checks the sources with clang-format and clang-tidy"""
    cmd = "check"

    def execute(self):
        if not source_tools.check(Context.run_dir):
            raise Errors.WafError("check: see above")


class _deps(Context.Context):
    """installs what is missing (-n only prints, --bench, --interop); goes before other commands"""
    cmd = "deps"

    def execute(self):
        raise Errors.WafError("deps must be the first word: ./waf deps test")


# Ours are taken, being newer; the help shows what it sees last.
for stock, ours in ((Scripting.Dist, _dist), (Scripting.DistCheck, _distcheck),
                    (Scripting.dist, _dist), (Scripting.distcheck, _distcheck)):
    stock.__doc__ = ours.__doc__


def choose_variant():
    chosen = Options.options.variant
    if chosen and chosen not in VARIANTS:
        raise Errors.WafError("there is no variant %r; the variants are %s" % (chosen, ", ".join(VARIANTS)))
    for each in Context.classes:
        if issubclass(each, Build.BuildContext):
            default = "release" if each.cmd in RELEASE_BY_DEFAULT else "debug"
            each.variant = "fuzz" if each.cmd == "fuzz" else chosen or default


def configure_when_needed(top):
    """waf configures again when a wscript has changed, but by itself with the options of this call and
    today's environment: --prefix, --werror and CXX of the first time would be lost. And it refuses
    what another version of waf configured."""
    Configure.autoconfig = True
    lock = os.path.join(top, Options.lockfile)
    if "configure" in Options.commands or not os.path.exists(lock):
        return
    stored = ConfigSet.ConfigSet(lock)
    Configure.autoconfig = "clobber"  # the stored options
    for name in ("CXX", "CXXFLAGS", "LINKFLAGS", "PKG_CONFIG_PATH"):
        if name in stored.environ:
            os.environ.setdefault(name, stored.environ[name])
    cache = os.path.join(stored.out_dir, "c4che", "build.config.py")
    if not os.path.exists(cache) or ConfigSet.ConfigSet(cache).version != Context.HEXVERSION:
        stored.hash = 0  # no wscript has it
        stored.store(lock)


def after_build(bld):
    """What the command does once everything is compiled."""
    actions = {"test": _run_tests, "bench": _run_bench, "interop": _run_interop, "fuzz": _run_fuzz,
               "demo": _run_demo}
    if bld.cmd in actions:
        bld.add_post_fun(actions[bld.cmd])


def _programs(bld, kind):
    found = {}
    for group in bld.groups:
        for generator in group:
            # Without a link_task: --targets left it out.
            if getattr(generator, "kind", "") == kind and getattr(generator, "link_task", None):
                found[os.path.basename(generator.target)] = generator.link_task.outputs[0].abspath()
    return found


def _test_environment(bld):
    return dict(os.environ, FUNCPTR_TOP=bld.srcnode.abspath(), FUNCPTR_BUILD=bld.bldnode.abspath(),
                FUNCPTR_VARIANT=bld.variant)


def _run_interop(bld):
    import random
    import deps
    environment = _test_environment(bld)
    environment.setdefault("FUNCPTR_SEED", str(random.randrange(2**32)))
    environment.setdefault("NODE_PATH", os.path.join(deps.node_folder(), "node_modules"))
    print("FUNCPTR_SEED=%s" % environment["FUNCPTR_SEED"])
    if not test_runner.run(_programs(bld, "interop"), environment, Options.options.filter):
        print(test_runner.closing_line())
        sys.exit(1)


def _run_tests(bld):
    environment = _test_environment(bld)
    environment.setdefault("WAF", Context.waf_dir)  # tests that build a copy need no network for it
    if bld.variant == "tsan":
        # libzmq, libev and OpenSSL are not instrumented and would be blamed for what they do right.
        environment.setdefault("TSAN_OPTIONS", "ignore_noninstrumented_modules=1")
    good = test_runner.run(_programs(bld, "test"), environment, Options.options.filter,
                           Options.options.only, getattr(bld, "left_out", {}))
    if not good:
        print(test_runner.closing_line())
        sys.exit(1)  # bld.fatal() would print behind the sum


# Tests of the build itself: what they compile is no sanitizer's business.
BUILD_TESTS = ("build_version", "deps", "dist", "examples_build", "fuzz_command", "headers", "install",
               "launcher", "readme", "test_command")


def selected_tests(bld):
    """The sources of the tests of this variant; bld.left_out says which are not, and why."""
    bld.left_out = {}
    taken = []
    for source in bld.path.ant_glob("tests/*_test.cc"):
        name = source.name[: -len(".cc")]
        if bld.variant in SANITIZERS and name[: -len("_test")] in BUILD_TESTS:
            bld.left_out[name] = "tests the build: debug and release only"
        elif bld.variant == "tsan" and not _has_threads(source):
            bld.left_out[name] = "no threads"
        elif not bld.env.HAVE_GNUTLS and "gnutls" in source.read(encoding="utf-8"):
            bld.left_out[name] = "GnuTLS 3.7.4 or newer was not found"
        else:
            taken.append(source)
    return taken


def _has_threads(source):
    text = source.read(encoding="utf-8")
    return any(word in text for word in ("std::thread", "std::jthread", "std::async", "support/process.h"))


def _run_bench(bld):
    import bench
    status = bench.run(
        _programs(bld, "bench"), os.path.join(bld.bldnode.abspath(), "bench.json"),
        os.path.join(bld.srcnode.abspath(), "bench", "goals.json"), only=Options.options.only or None,
        strict=Options.options.strict, quick=Options.options.quick,
    )
    if status != 0:
        bld.fatal("bench: see above")


def _run_fuzz(bld):
    import fuzz_runner
    top = bld.srcnode.abspath()
    if not fuzz_runner.run(_programs(bld, "fuzz"), os.path.join(top, "fuzz", "corpus"),
                           bld.bldnode.abspath(), Options.options.only, Options.options.seconds):
        bld.fatal("fuzz: see above")


def _run_demo(bld):
    gateway = bld.bldnode.find_node("examples/gateway/gateway")
    if gateway is None:
        bld.fatal("demo: the gateway needs nghttp2: ./waf deps demo installs it")
    sys.stdout.flush()
    os.execv(gateway.abspath(), [gateway.abspath()])  # so that Ctrl-C is the gateway's alone


# --- compile_commands.json ----------------------------------------------------------------------


@TaskGen.feature("cxx")
@TaskGen.after_method("process_use", "propagate_uselib_vars")
def collect_compile_commands(self):
    tasks = [task for task in getattr(self, "compiled_tasks", ())]
    self.bld.all_compile_tasks = getattr(self.bld, "all_compile_tasks", []) + tasks


def write_compile_commands(bld):
    """Our own: waf's tool for it needs a module that Python 3.13 no longer has."""
    bld.add_post_fun(_write_compile_commands)


def _write_compile_commands(bld):
    import json
    path = os.path.join(bld.srcnode.abspath(), "compile_commands.json")
    rows = {}
    if os.path.exists(path):
        try:
            with open(path, encoding="utf-8") as old:
                rows = {row["file"]: row for row in json.load(old) if os.path.exists(row["file"])}
        except (ValueError, KeyError):
            pass  # half-written: made anew
    for task in getattr(bld, "all_compile_tasks", ()):
        source = task.inputs[0].abspath()
        rows[source] = {"directory": bld.variant_dir, "file": source, "arguments": _command_of(task)}
    text = json.dumps([rows[name] for name in sorted(rows)], indent=1)
    if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)


def _command_of(task):
    """The command line that the task would run, without running it."""
    seen = []
    task.exec_command = lambda command, **_: seen.append(command) or 0
    task.run()
    del task.exec_command
    return [str(word) for word in seen[0]] if seen else []


# --- install ------------------------------------------------------------------------------------


def install_folders(env):
    """INCLUDEDIR, and what --prefix and --libdir say on this very command line: waf itself takes them at
    `configure` only, and would install elsewhere without a word."""
    given = [word.split("=")[0] for word in sys.argv[1:]]
    if "--prefix" in given:
        env.PREFIX = Options.options.prefix
        env.BINDIR = os.path.join(env.PREFIX, "bin")
        env.LIBDIR = os.path.join(env.PREFIX, "lib" + Utils.lib64())
    if "--libdir" in given:
        env.LIBDIR = Options.options.libdir
    env.INCLUDEDIR = os.path.join(env.PREFIX, "include")


def install_files(bld, version, abi):
    if bld.cmd not in ("install", "uninstall"):
        return
    env = bld.env
    headers = bld.path.find_dir("include")
    without = [] if env.HAVE_GNUTLS else ["funcptr/gnutls_filter.h"]
    bld.install_files("${INCLUDEDIR}", headers.ant_glob("funcptr/**/*.h", excl=without), cwd=headers,
                      relative_trick=True)
    cmake = "${LIBDIR}/cmake/funcptr"
    gnutls = [("packaging/funcptr-gnutls.pc.in", "funcptr-gnutls.pc", "${LIBDIR}/pkgconfig")]
    for template, target, folder in (gnutls if env.HAVE_GNUTLS else []) + [
        ("packaging/funcptr.pc.in", "funcptr.pc", "${LIBDIR}/pkgconfig"),
        ("packaging/funcptr-zmq.pc.in", "funcptr-zmq.pc", "${LIBDIR}/pkgconfig"),
        ("packaging/funcptrConfig.cmake.in", "funcptrConfig.cmake", cmake),
        ("packaging/funcptrConfigVersion.cmake.in", "funcptrConfigVersion.cmake", cmake),
    ]:
        where = env.LIBDIR + folder[len("${LIBDIR}"):]
        bld(features="subst", source=template, target="packaging/" + target, install_path=folder,
            VERSION=version, SONAME=env.cxxshlib_PATTERN % "funcptr" + "." + abi,
            REQUIRES_PRIVATE="openssl, zlib, libcares" if env.HAVE_CARES else "openssl, zlib",
            STATIC_LIBRARIES="z cares" if env.HAVE_CARES else "z",
            GNUTLS_SONAME=env.cxxshlib_PATTERN % "funcptr-gnutls" + "." + abi,
            # Relative, so that the installed tree can be moved.
            TO_PREFIX=os.path.relpath(env.PREFIX, where), TO_LIBDIR=os.path.relpath(env.LIBDIR, where),
            TO_INCLUDEDIR=os.path.relpath(env.INCLUDEDIR, where))
