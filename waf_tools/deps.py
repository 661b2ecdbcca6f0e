# SPDX-License-Identifier: MIT
"""`./waf deps [-n] [--bench] [--interop] [command…]`: installs what is missing for the commands, or for
building and testing when none is named.

It runs before waf, because on a new machine waf itself cannot be had until the package lists are
there. Each command is printed; -n only prints; when everything is there nothing is run.
"""

import json
import os
import shutil
import subprocess

# What it is for: the package in Debian, FreeBSD (pkg), macOS (brew). None: not needed there.
BUILD = [
    ("g++", None, None),
    ("pkg-config", "pkgconf", "pkg-config"),
    ("libssl-dev", None, "openssl"),
    ("zlib1g-dev", None, None),
    ("libev-dev", "libev", "libev"),
    ("libzmq3-dev", "libzmq4", "zeromq"),
    ("cppzmq-dev", "cppzmq", "cppzmq"),
    ("libnghttp2-dev", "libnghttp2", "libnghttp2"),
    ("nlohmann-json3-dev", "nlohmann-json", "nlohmann-json"),
]
TEST = [
    ("libgtest-dev", "googletest", "googletest"),
    ("libgnutls28-dev", "gnutls", "gnutls"),
    ("libc-ares-dev", "c-ares", "c-ares"),
    ("clang", None, None),
    ("libclang-rt-dev", None, None),
    ("cmake", "cmake", "cmake"),
    ("make", None, None),
    ("git", "git", "git"),
    ("curl", "curl", "curl"),
    ("openssl", None, None),
    ("gnutls-bin", "gnutls", "gnutls"),
    ("nodejs", "node", "node"),
    ("iproute2", None, None),
    ("procps", None, None),
    ("netbase", None, None),
    ("strace", None, None),
]
CHECK = [("clang-format", "llvm", "clang-format"), ("clang-tidy", "llvm", "llvm")]
BENCH = [
    ("libevent-dev", "libevent", "libevent"),
    ("libasio-dev", "asio", "asio"),
    ("libczmq-dev", "czmq", "czmq"),
    ("strace", None, None),
    ("python3-itsdangerous", None, None),
    ("nodejs", "node", "node"),
    ("golang-go", "go", "go"),
    ("golang-github-gorilla-securecookie-dev", None, None),
]
INTEROP = [
    (name, None, None)
    for name in (
        "python3-itsdangerous python3-flask python3-starlette python3-webob python3-pyramid "
        "python3-django python3-tornado python3-beaker python3-cryptography ruby-activesupport "
        "ruby-actionpack ruby-rack golang-go golang-github-gorilla-securecookie-dev nodejs npm"
    ).split()
]
# npm's packages for INTEROP, of the versions that the campaign was written against.
NODE = {"cookie": "0.7.2", "cookie-parser": "1.4.7", "cookie-session": "2.1.1",
        "cookie-signature": "1.2.2", "cookies": "0.9.1", "iron-session": "8.0.4", "keygrip": "1.1.0"}

# Which groups a command that follows `deps` needs beside BUILD.
NEEDS = {"test": [TEST], "fuzz": [TEST], "check": [CHECK], "format": [CHECK], "bench": [BENCH],
         "interop": [TEST, INTEROP]}
OWN = ("-n", "--bench", "--interop")


class Failure(Exception):
    """What is told in one line."""


def main(arguments, no_waf_yet=False):
    """Installs; the arguments that are left for waf, None when there are none."""
    own = [a for a in arguments if a in OWN]
    rest = [a for a in arguments if a not in OWN]
    groups = wanted(own, [a for a in rest if not a.startswith("-")])
    system, run = this_system(), Runner(dry="-n" in own)
    rows = [row for group in groups for row in group]
    missing = [name for name in names(rows, system.column) if not system.has(name)]
    system.install(missing, no_waf_yet, run)
    if INTEROP in groups:
        install_node_packages(run)
    return None if "-n" in own else rest or None


def wanted(own, commands):
    groups = [BUILD] + [group for command in commands for group in NEEDS.get(command, [])]
    return groups + [TEST] * (not commands) + [BENCH] * ("--bench" in own) + [INTEROP] * ("--interop" in own)


def names(rows, column):
    return list(dict.fromkeys(row[column] for row in rows if row[column]))


class Runner:
    """Prints each command before it runs; dry: only prints."""

    def __init__(self, dry):
        self.dry = dry

    def __call__(self, command):
        if not self.works(command):
            raise Failure("'%s' failed, see above" % " ".join(command))

    def works(self, command):
        print("+ " + " ".join(command), flush=True)
        return self.dry or subprocess.run(command, check=False).returncode == 0


# --- npm ----------------------------------------------------------------------------------------


def node_folder():
    """Where npm's packages are kept: a cache of the user's, for all checkouts and build folders."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "funcptr", "interop")


def install_node_packages(run):
    """What is missing; no script of a package runs."""
    missing = ["%s@%s" % wanted for wanted in sorted(NODE.items()) if node_version(wanted[0]) != wanted[1]]
    if not missing:
        return
    if not shutil.which("npm") and not run.dry:
        raise Failure("npm is not here, and is no package of this system; install it by hand")
    # All at once: npm removes what it was not told of.
    run(["npm", "install", "--prefix", node_folder(), "--no-save", "--ignore-scripts", "--no-audit",
         "--no-fund"] + ["%s@%s" % wanted for wanted in sorted(NODE.items())])


def node_version(package):
    """Of the one that is there, or None."""
    path = os.path.join(node_folder(), "node_modules", package, "package.json")
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file).get("version")
    except (OSError, ValueError):
        return None


# --- one class for each package manager ---------------------------------------------------------


class Debian:
    program, column = "apt-get", 0

    @staticmethod
    def has(name):
        # The nodejs of its makers brings npm along, and Debian's npm cannot stand beside it.
        if name == "npm" and shutil.which("npm"):
            return True
        return answer(["dpkg-query", "-W", "-f", "${db:Status-Status}", name]) == "installed"

    @classmethod
    def install(cls, missing, no_waf_yet, run):
        if not missing and not no_waf_yet:
            return
        update = as_root() + ["apt-get", "update"]
        fresh = not cls.has_lists()
        if fresh:
            run(update)
        if not missing:
            return
        # sudo drops the environment, so it is set behind it.
        command = as_root() + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y",
                               "--no-install-recommends"] + missing
        if fresh:
            run(command)
        elif not run.works(command):  # old lists name versions that have left the mirrors
            run(update)
            run(command)

    @staticmethod
    def has_lists():
        folder = "/var/lib/apt/lists"
        found = os.listdir(folder) if os.path.isdir(folder) else []
        return any(name.endswith(("Packages", "Packages.lz4", "Packages.gz", "Packages.xz"))
                   for name in found)


class FreeBSD:
    program, column = "pkg", 1

    @staticmethod
    def has(name):
        return answer(["pkg", "query", "%n", name]) != ""

    @staticmethod
    def install(missing, _no_waf_yet, run):
        if missing:
            run(as_root() + ["pkg", "install", "-y"] + missing)


class MacOS:
    program, column = "brew", 2

    @staticmethod
    def has(name):
        return answer(["brew", "list", "--versions", name]) != ""

    @staticmethod
    def install(missing, _no_waf_yet, run):
        if missing:
            run(["brew", "install"] + missing)


def this_system():
    for system in (Debian, FreeBSD, MacOS):
        if shutil.which(system.program):
            return system
    raise Failure("no apt-get, pkg or brew here; install by hand: " + " ".join(names(BUILD + TEST, 0)))


def answer(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def as_root():
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo"]
    raise Failure("packages are installed by root: run `./waf deps` as root, or install sudo")
