# SPDX-License-Identifier: MIT
"""The commands beyond `build`: what each builds stands in PARTS, what it does afterwards in its
own function or module."""

import os
import sys

from waflib import Build, Context, Errors, Logs, Options, Scripting, TaskGen

import source_tools
import test_runner

VARIANTS = ("debug", "release", "asan", "tsan")

# What a command builds besides the library.
PARTS = {
    "build": ("examples", "tests", "bench"),
    "clean": ("examples", "tests", "bench"),
    "list": ("examples", "tests", "bench"),
    "test": ("examples", "tests"),
    "demo": ("examples",),
    "bench": ("bench",),
    "fuzz": ("fuzz",),
}


def options(opt):
    opt.add_option("--variant", dest="variant", default="", metavar="NAME",
                   help="one of %s (default: debug; release for demo and bench)" % ", ".join(VARIANTS))
    opt.add_option("--werror", dest="werror", default=False, action="store_true",
                   help="configure: a warning is an error")
    opt.add_option("--filter", dest="filter", default="", metavar="PATTERN",
                   help="test: GoogleTest's filter, e.g. 'ZmqEvent.*'")
    opt.add_option("--only", dest="only", default="", metavar="TEXT",
                   help="test, bench, fuzz: only programs (bench: rows) whose name begins so")
    opt.add_option("--seconds", dest="seconds", default="", metavar="N",
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
    default_variant = "release"


class _fuzz(Build.BuildContext):
    """builds and runs the fuzz targets (--only, --seconds)"""
    cmd = "fuzz"
    fun = "build"
    default_variant = "fuzz"


class _demo(Build.BuildContext):
    """builds the gateway and runs it at https://localhost:7020"""
    cmd = "demo"
    fun = "build"
    default_variant = "release"


class _dist(Context.Context):
    """writes a reproducible tarball of the sources, stamped with its version"""
    cmd = "dist"

    def execute(self):
        import source_dist
        name = source_dist.write(Context.top_dir, Context.g_module.APPNAME, Context.g_module.VERSION,
                                 getattr(Options.options, "build_version", ""))
        Logs.info("wrote %s", name)


class _format(Context.Context):
    """formats the C++ sources with clang-format"""
    cmd = "format"

    def execute(self):
        if not source_tools.clang_format(Context.top_dir, fix=True):
            raise Errors.WafError("format: clang-format failed")


class _check(Context.Context):
    """checks the sources with clang-format and clang-tidy"""
    cmd = "check"

    def execute(self):
        if not source_tools.check(Context.top_dir):
            raise Errors.WafError("check: see above")


class _deps(Context.Context):
    """installs what is missing (-n only prints, --bench, --interop); goes before other commands"""
    cmd = "deps"

    def execute(self):
        raise Errors.WafError("deps must be the first word: ./waf deps test")


Scripting.Dist.__doc__ = _dist.__doc__  # ours is taken, but the help shows the last one
Context.classes.remove(Scripting.DistCheck)  # it knows only the stock dist


def choose_variant():
    chosen = Options.options.variant
    if chosen and chosen not in VARIANTS:
        raise Errors.WafError("there is no variant %r; the variants are %s" % (chosen, ", ".join(VARIANTS)))
    for each in Context.classes:
        if issubclass(each, Build.BuildContext):
            default = getattr(each, "default_variant", "debug")
            each.variant = default if default == "fuzz" else chosen or default


def after_build(bld, version):
    """What the command does once everything is compiled."""
    actions = {"test": _run_tests, "bench": _run_bench, "fuzz": _run_fuzz, "demo": _run_demo}
    if bld.cmd in actions:
        bld.add_post_fun(actions[bld.cmd])


def _programs(bld, feature):
    found = {}
    for group in bld.groups:
        for generator in group:
            if feature in getattr(generator, "features", ()):
                found[os.path.basename(generator.target)] = generator.link_task.outputs[0].abspath()
    return found


def _run_tests(bld):
    environment = dict(os.environ, FUNCPTR_TOP=bld.srcnode.abspath(), FUNCPTR_BUILD=bld.bldnode.abspath())
    if bld.variant == "tsan":
        # libzmq, libev and OpenSSL are not instrumented and would be blamed for what they do right.
        environment.setdefault("TSAN_OPTIONS", "ignore_noninstrumented_modules=1")
    good = test_runner.run(_programs(bld, "test_program"), environment, Options.options.filter,
                           Options.options.only)
    if not good:
        bld.fatal("test: see above")


def _run_bench(bld):
    import bench
    status = bench.run(
        _programs(bld, "bench_program"), os.path.join(bld.bldnode.abspath(), "bench.json"),
        os.path.join(bld.srcnode.abspath(), "bench", "goals.json"), only=Options.options.only or None,
        strict=Options.options.strict, quick=Options.options.quick,
    )
    if status != 0:
        bld.fatal("bench: see above")


def _run_fuzz(bld):
    import fuzz_runner
    top = bld.srcnode.abspath()
    if not fuzz_runner.run(_programs(bld, "fuzz_program"), os.path.join(top, "fuzz", "corpus"),
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


def install_files(bld, version):
    if bld.cmd not in ("install", "uninstall"):
        return
    env = bld.env
    headers = bld.path.find_dir("include")
    bld.install_files("${INCLUDEDIR}", headers.ant_glob("funcptr/**/*.h"), cwd=headers, relative_trick=True)
    cmake = "${LIBDIR}/cmake/funcptr"
    for template, target, folder in (
        ("packaging/funcptr.pc.in", "funcptr.pc", "${LIBDIR}/pkgconfig"),
        ("packaging/funcptr-zmq.pc.in", "funcptr-zmq.pc", "${LIBDIR}/pkgconfig"),
        ("packaging/funcptrConfig.cmake.in", "funcptrConfig.cmake", cmake),
        ("packaging/funcptrConfigVersion.cmake.in", "funcptrConfigVersion.cmake", cmake),
    ):
        where = env.LIBDIR + folder[len("${LIBDIR}"):]
        bld(features="subst", source=template, target="packaging/" + target, install_path=folder,
            VERSION=version, SOVERSION=version.split(".")[0],
            # Relative, so that the installed tree can be moved.
            TO_PREFIX=os.path.relpath(env.PREFIX, where), TO_LIBDIR=os.path.relpath(env.LIBDIR, where),
            TO_INCLUDEDIR=os.path.relpath(env.INCLUDEDIR, where))
