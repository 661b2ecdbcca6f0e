# SPDX-License-Identifier: MIT
"""Runs libFuzzer targets. Seeds are kept in fuzz/corpus/<target>; what is found and what is learned is
written below the build folder."""

import os
import subprocess
import sys
import time

WHOLE = 600  # seconds for all targets together; a twentieth unless FUNCPTR_FULL=1


def run(programs, corpus, build, only="", seconds=0):
    """True when no target found anything."""
    names = [name for name in sorted(programs) if only in name]
    if not names:
        print("no fuzz target matches")
        return False
    whole = WHOLE if os.environ.get("FUNCPTR_FULL") == "1" else WHOLE // 20
    each = seconds or max(1, whole // len(names))
    return all([run_target(name, programs[name], corpus, build, each) for name in names])


def run_target(name, path, corpus, build, seconds):
    short = name[: -len("_fuzz")] if name.endswith("_fuzz") else name
    learned = os.path.join(build, "corpus", short)
    findings = os.path.join(build, "findings", short)
    for folder in (learned, findings):
        os.makedirs(folder, exist_ok=True)
    seeds = [s for s in (os.path.join(corpus, short), os.path.join(corpus, name)) if os.path.isdir(s)]
    command = [path, learned] + seeds + [
        "-max_total_time=%d" % seconds, "-artifact_prefix=" + findings + os.sep, "-timeout=25",
        "-rss_limit_mb=4096", "-print_final_stats=1", "-close_fd_mask=0",
    ]
    done, output = watch(name, command, seconds)
    runs = [line.split(":")[-1].strip() for line in output.splitlines() if "number_of_executed_units" in line]
    print("%-6s %-28s %s runs in %d s" % ("ok" if done == 0 else "FAILED", name, runs[0] if runs else "?", seconds))
    if done != 0:
        print(output[-8000:])
    sys.stdout.flush()
    return done == 0


def watch(name, command, seconds):
    """Runs it; on a terminal with a line that tells how far it is."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    if not sys.stdout.isatty():
        print("       %-28s for %d s" % (name, seconds), flush=True)
    output, start = [], time.monotonic()
    for line in process.stdout:
        output.append(line)
        if sys.stdout.isatty():
            print("\r%s %d of %d s " % (name, time.monotonic() - start, seconds), end="", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    return process.wait(), "".join(output)
