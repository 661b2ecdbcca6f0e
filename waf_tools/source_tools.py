# SPDX-License-Identifier: MIT
"""clang-format and clang-tidy over our own sources."""

import os
import shutil
import subprocess
import sys

FOLDERS = ("include", "src", "examples", "tests", "fuzz", "bench")


def sources(top, endings=(".h", ".cc")):
    found = []
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(top, folder)):
            found += [os.path.join(where, name) for name in names if name.endswith(endings)]
    return sorted(found)


def need(program):
    if shutil.which(program):
        return True
    print("%s is missing: ./waf deps check installs it" % program, file=sys.stderr)
    return False


def clang_format(top, fix):
    if not need("clang-format"):
        return False
    how = ["-i"] if fix else ["--dry-run", "-Werror"]
    return subprocess.run(["clang-format"] + how + sources(top), cwd=top, check=False).returncode == 0


def clang_tidy(top):
    database = os.path.join(top, "compile_commands.json")
    if not need("clang-tidy"):
        return False
    if not os.path.exists(database):
        print("compile_commands.json is missing: ./waf build writes it", file=sys.stderr)
        return False
    good = True
    files = [f for f in sources(top, (".cc",)) if os.sep + "tests" + os.sep not in f]
    for number, file in enumerate(files, 1):
        print("[%d/%d] clang-tidy %s" % (number, len(files), os.path.relpath(file, top)), flush=True)
        done = subprocess.run(["clang-tidy", "--quiet", "-p", top, file], cwd=top, capture_output=True,
                              text=True, check=False)
        if done.returncode != 0 or "warning:" in done.stdout:
            print(done.stdout)
            good = False
    return good


def check(top):
    formatted = clang_format(top, fix=False)
    return clang_tidy(top) and formatted
