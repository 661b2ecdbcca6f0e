# SPDX-License-Identifier: MIT
"""Runs GoogleTest programs one after the other: a line for each, the output of those that failed, and
the sum of their cases. Nothing is remembered: a test that failed is run again at the next call."""

import collections
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

WATCHDOG = 20 * 60  # seconds for one program: far beyond the slowest, so that only a hang ends there

totals = None  # [passed, failed, skipped] of this call, for the closing line


def run(programs, environment, pattern="", only="", left_out=None):
    """True when no case failed. `left_out`: programs that are not there, with the reasons; each counts
    as one that was skipped."""
    global totals
    totals = [0, 0, 0]
    for name in sorted(programs):
        if only in name:
            run_program(name, programs[name], environment, pattern)
    for name, reason in sorted((left_out or {}).items()):
        if only in name and not pattern:
            print("%-6s %-28s %s" % ("skip", name, reason))
            totals[2] += 1
    if sum(totals) == 0:
        print("no test matches")
        totals[1] += 1
    sys.stdout.flush()
    return totals[1] == 0


def run_program(name, path, environment, pattern):
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report.json")
        command = [path, "--gtest_output=json:" + report]
        command += ["--gtest_filter=" + pattern] if pattern else []
        start = time.monotonic()
        output, status = run_watched(command, environment)
        passed, failed, skipped = read_report(report)
    if status != 0 and failed == 0:
        failed = 1  # it crashed, or did not get as far as a report
    for index, count in enumerate((passed, failed, skipped)):
        totals[index] += count
    if passed + failed + skipped == 0:
        return  # not selected by the filter
    counts = "%d passed" % passed + (", %d failed" % failed if failed else "")
    counts += ", %d skipped" % skipped if skipped else ""
    print("%-6s %-28s %s  (%.1f s)" % ("FAILED" if failed else "ok", name, counts, time.monotonic() - start))
    for reason, count in sorted(skip_reasons(output).items()):
        print("       %d skipped: %s" % (count, reason))
    if failed:
        print(output.rstrip())
        print("%s ended with status %s" % (name, status))
    sys.stdout.flush()


def run_watched(command, environment):
    """Its output and status; when the watchdog barks, its whole process group is killed."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        program = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = program.wait(WATCHDOG)
        except subprocess.TimeoutExpired:
            status = "none: killed after %d minutes" % (WATCHDOG // 60)
        finally:
            kill_session(program.pid)
            program.wait()
        output.seek(0)
        return output.read(), status


def kill_session(leader):
    """All that a test left behind: a server started by a test that crashed would hold its port, and
    stands in a process group of its own. The session is ours alone: nobody else's process is in it."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            if name.isdigit() and os.getsid(int(name)) == leader:
                os.kill(int(name), signal.SIGKILL)
        except OSError:
            pass  # it ended meanwhile
    try:
        os.killpg(leader, signal.SIGKILL)
    except OSError:
        pass


def read_report(path):
    """How many cases passed, failed and were skipped."""
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except (OSError, ValueError):
        return 0, 0, 0
    passed = failed = skipped = 0
    for suite in report.get("testsuites", ()):
        for case in suite.get("testsuite", ()):
            if case.get("result") == "SKIPPED":
                skipped += 1
            elif case.get("status") != "RUN":
                continue
            elif case.get("failures"):
                failed += 1
            else:
                passed += 1
    return passed, failed, skipped


def skip_reasons(output):
    """What GTEST_SKIP() said, and how often."""
    return collections.Counter(re.findall(r"^.+: Skipped\n(.+)$", output, re.MULTILINE))


def closing_line():
    """The sum, for the very end of the output; None when no tests ran."""
    if totals is None:
        return None
    passed, failed, skipped = totals
    return "%d passed, %d failed" % (passed, failed) + (", %d skipped" % skipped if skipped else "")
