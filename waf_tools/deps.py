# SPDX-License-Identifier: MIT
"""`./waf deps [-n] [--bench] [--interop] [command…]`: installs what is missing.

It runs before waf, because on a new machine waf itself cannot be had until the package lists are
there. Each command is printed; -n only prints; when everything is there nothing is run.
"""

import os
import shutil
import subprocess
import sys

# What it is for: the package in Debian, FreeBSD (pkg), macOS (brew). None: not needed there.
BUILD = [
    ("g++", None, None),
    ("pkg-config", "pkgconf", "pkg-config"),
    ("libssl-dev", None, "openssl"),
    ("libev-dev", "libev", "libev"),
    ("libzmq3-dev", "libzmq4", "zeromq"),
    ("cppzmq-dev", "cppzmq", "cppzmq"),
    ("libnghttp2-dev", "libnghttp2", "libnghttp2"),
    ("nlohmann-json3-dev", "nlohmann-json", "nlohmann-json"),
]
TEST = [
    ("libgtest-dev", "googletest", "googletest"),
    ("clang", None, None),
    ("cmake", "cmake", "cmake"),
    ("make", None, None),
    ("git", "git", "git"),
    ("curl", "curl", "curl"),
    ("openssl", None, None),
    ("gnutls-bin", "gnutls", "gnutls"),
    ("iproute2", None, None),
    ("netbase", None, None),
    ("strace", None, None),
]
CHECK = [("clang-format", None, "clang-format"), ("clang-tidy", None, None)]
BENCH = [
    ("libevent-dev", "libevent", "libevent"),
    ("libasio-dev", "asio", "asio"),
    ("libczmq-dev", "czmq", "czmq"),
]
INTEROP = [
    (name, None, None)
    for name in (
        "python3-itsdangerous python3-flask python3-starlette python3-webob python3-pyramid "
        "python3-django python3-tornado python3-beaker python3-cryptography ruby-activesupport "
        "ruby-rack golang-go golang-github-gorilla-securecookie-dev nodejs npm"
    ).split()
]

# Which groups a command that follows `deps` needs; a command that is not here needs BUILD alone.
NEEDS = {"test": [TEST], "fuzz": [TEST], "check": [CHECK], "format": [CHECK], "bench": [BENCH]}


def main(arguments):
    """Returns the arguments left for waf (None when there are none) and an exit status."""
    own = [a for a in arguments if a in ("-n", "--bench", "--interop")]
    rest = [a for a in arguments if a not in ("-n", "--bench", "--interop")]
    groups = [BUILD] + [group for command in rest for group in NEEDS.get(command, [])]
    if not rest:
        groups.append(TEST)
    groups += [BENCH] * ("--bench" in own) + [INTEROP] * ("--interop" in own)
    wanted = [row for group in groups for row in group]
    manager = package_manager()
    if manager is None:
        print("waf: deps: no apt-get, pkg or brew here; install by hand what this needs:", file=sys.stderr)
        print("  " + " ".join(row[0] for row in wanted), file=sys.stderr)
        return None, 1
    status = manager(wanted, dry="-n" in own)
    return (rest or None) if "-n" not in own else None, status


def package_manager():
    for program, function in (("apt-get", apt), ("pkg", pkg), ("brew", brew)):
        if shutil.which(program):
            return function
    return None


def apt(wanted, dry):
    missing = [name for name in names(wanted, 0) if not dpkg_installed(name)]
    if not missing:
        return 0
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    commands = [["apt-get", "install", "-y", "--no-install-recommends"] + missing]
    if lists_missing():
        commands.insert(0, ["apt-get", "update"])
    status = run_all(as_root(commands), dry, environment)
    if status == 0 or dry or len(commands) == 2:
        return status
    # A list that is old names versions that are gone from the mirrors.
    return run_all(as_root([["apt-get", "update"]] + commands), dry, environment)


def pkg(wanted, dry):
    return run_all(as_root([["pkg", "install", "-y"] + names(wanted, 1)]), dry, os.environ)


def brew(wanted, dry):
    return run_all([["brew", "install"] + names(wanted, 2)], dry, os.environ)


def names(wanted, column):
    return list(dict.fromkeys(row[column] for row in wanted if row[column]))


def dpkg_installed(name):
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", name],
        capture_output=True, text=True, check=False,
    )
    return asked.stdout.strip() == "installed"


def lists_missing():
    folder = "/var/lib/apt/lists"
    return not any(name.endswith(("Packages", "Packages.lz4", "Packages.gz", "Packages.xz"))
                   for name in (os.listdir(folder) if os.path.isdir(folder) else []))


def as_root(commands):
    if os.geteuid() == 0 or not shutil.which("sudo"):
        return commands
    return [["sudo"] + command for command in commands]


def run_all(commands, dry, environment):
    for command in commands:
        print("+ " + " ".join(command), flush=True)
        if dry:
            continue
        status = subprocess.run(command, env=environment, check=False).returncode
        if status != 0:
            return status
    return 0
