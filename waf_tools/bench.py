# SPDX-License-Identifier: MIT
"""Runs bench programs and keeps their rows in one JSON array of {name, value, unit, goal, ok, …}.

A program x_bench is called as `x_bench --json FILE [--only ROWPREFIX] [--quick]` and writes one
object a line; its rows begin with `x/`. What a program claims is not believed: each row is held
against the committed list of goals (bench/goals.json: {name, unit, goal}), so that no row can
vanish and no goal can be altered silently.

- A goal without a row becomes a row that is not ok: "did not run", with the reason if it is known.
- A row whose goal or unit is not the list's, or that has a goal and is not on the list, is not ok.
- ok is worked out again from value and goal.
- With `only`, the rows that begin so are replaced and the others are kept.

The exit status is 1 when a program failed (crashed, hung, wrote what is not a row) or when nothing
was chosen; with `strict` also when a chosen row is not ok.

Also runs alone: python3 waf_tools/bench.py --help
"""

import argparse
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile

WATCHDOG = 60 * 60  # seconds for one program: far beyond the slowest, so that only a hang ends there
UNLISTED = "not on the list of goals (bench/goals.json)"
DID_NOT_RUN = "did not run"

# The same grammar as bench/support/goal.h.
_GOAL = re.compile(r"(>=|<=|==) (-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")


def run(programs, out, goals, only=None, strict=False, quick=False, log=print, watchdog=WATCHDOG):
    """programs: name to path, e.g. {"buffer_bench": "build/release/bench/buffer_bench"}.
    watchdog: seconds for one program. Returns the exit status."""
    try:
        return run_all(programs, out, read_goals(goals), only or "", strict, quick, log, watchdog)
    except (OSError, ValueError) as wrong:
        log("bench: %s" % wrong)
        return 1


def run_all(programs, out, listed, only, strict, quick, log, watchdog):
    kept = [row for row in read_rows(out, log) if only and not row["name"].startswith(only)]
    chosen = sorted(name for name in programs if concerns(prefix_of(name), only))
    fresh, failures = [], {}
    for name in chosen:
        rows, failure = run_program(name, programs[name], only, quick, log, watchdog)
        fresh += [dict(row, quick=True) for row in rows] if quick else rows
        if failure:
            failures[prefix_of(name)] = "%s %s" % (name, failure)
        # After each program, so that an interruption loses only what did not run.
        write_rows(out, merge(kept, fresh, listed, only, failures, programs))
    rows = merge(kept, fresh, listed, only, failures, programs)
    write_rows(out, rows)
    return conclude([row for row in rows if row["name"].startswith(only)], failures, only, strict, log)


def conclude(rows, failures, only, strict, log):
    """Prints the table and what failed; the exit status."""
    if not rows and not failures:
        log("bench: no row begins with '%s'" % only if only else "bench: there are no rows")
        return 1
    print_table(rows, log)
    for name in sorted(failures):
        log("bench: %s" % failures[name])
    missed = sum(not row["ok"] for row in rows)
    log("%d rows, %d missed" % (len(rows), missed))
    return 1 if failures or (strict and missed) else 0


def prefix_of(program):
    """What the rows of the program begin with: buffer_bench, buffer/."""
    return (program[: -len("_bench")] if program.endswith("_bench") else program) + "/"


def concerns(prefix, only):
    """Whether a program with that prefix may have rows that begin with `only`."""
    return prefix.startswith(only) or only.startswith(prefix)


# --- files --------------------------------------------------------------------------------------


def read_goals(path):
    """Name to {name, unit, goal}. Raises OSError or ValueError that says what is wrong."""
    with open(path, encoding="utf-8") as file:
        try:
            entries = json.load(file)
        except ValueError as wrong:
            raise ValueError("%s: %s" % (path, wrong))
    listed = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        keys = ("name", "unit", "goal")
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in keys):
            raise ValueError("%s: wanted a list of {name, unit, goal}, not %s" % (path, json.dumps(entry)))
        if entry["name"] in listed:
            raise ValueError("%s: '%s' is there twice" % (path, entry["name"]))
        if bound_of(entry["goal"]) is None:
            raise ValueError("%s: '%s': the goal '%s' cannot be read" % (path, entry["name"], entry["goal"]))
        listed[entry["name"]] = entry
    return listed


def read_rows(path, log):
    """The rows of an earlier run; none when there was none or they cannot be read."""
    if not os.path.exists(path):
        return []
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
        return [row for row in rows if problem_of(row) is None]
    except (ValueError, TypeError, OSError) as wrong:
        log("bench: %s: %s; its rows are dropped" % (path, wrong))
        return []


def write_rows(path, rows):
    """Whole or not at all: a reader never sees half a file."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(" " + json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    os.replace(path + ".new", path)


# --- a program ----------------------------------------------------------------------------------


def run_program(name, path, only, quick, log, watchdog):
    """Its rows, and what failed in a few words (None: nothing)."""
    log("%s%s" % (name, " (quick)" if quick else ""))
    sys.stdout.flush()  # the program writes to the same place
    with tempfile.TemporaryDirectory() as scratch:
        lines = os.path.join(scratch, "rows")
        command = [path, "--json", lines] + (["--only", only] if only else [])
        failure = run_watched(command + (["--quick"] if quick else []), watchdog)
        rows, unreadable = read_lines(lines, prefix_of(name), only)
    return rows, failure or unreadable


def run_watched(command, watchdog):
    """None, or how it ended. Its output goes straight through, so that a terminal stays one. When the
    watchdog barks or the user interrupts, its whole process group goes."""
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as wrong:
        return "cannot be started: %s" % wrong.strerror
    try:
        status = program.wait(watchdog)
    except subprocess.TimeoutExpired:
        kill_group(program)
        return "was killed after %g seconds" % watchdog
    except BaseException:
        kill_group(program)
        raise
    if status < 0:
        return "was ended by signal %d (%s)" % (-status, signal.strsignal(-status))
    return "ended with status %d" % status if status else None


def kill_group(program):
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    program.wait()


def read_lines(path, prefix, only):
    """The rows that a program wrote, and the first line that is none in a few words (None: all are)."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return [], "wrote no rows"
    rows, seen, failure = [], {}, None
    for number, line in enumerate(lines, 1):
        row = parse(line)
        problem = problem_of(row)
        if problem is None and not row["name"].startswith(prefix):
            problem = "the name '%s' does not begin with '%s'" % (row["name"], prefix)
        if problem is None and not row["name"].startswith(only):
            problem = "'%s' was not asked for" % row["name"]
        if problem is None and row["name"] in seen:
            problem = "'%s' is there twice" % row["name"]
            disown(seen[row["name"]], "was written twice")
        if problem is None:
            rows.append(row)
            seen[row["name"]] = row
        else:
            failure = failure or "wrote what is not a row, line %d: %s" % (number, problem)
    return rows, failure


def parse(line):
    try:
        return json.loads(line, parse_constant=lambda word: word)  # NaN is not JSON: leave it a string
    except ValueError:
        return None


def problem_of(row):
    """Why that is not a row; None: it is one."""
    if not isinstance(row, dict):
        return "not a JSON object"
    for key in ("name", "unit", "goal"):
        if not isinstance(row.get(key), str):
            return "'%s' is not a string" % key
    if not isinstance(row.get("ok"), bool):
        return "'ok' is not a boolean"
    if "value" not in row or not (row["value"] is None or is_number(row["value"])):
        return "'value' is neither a number nor null"
    if not isinstance(row.get("note", ""), str):
        return "'note' is not a string"
    return None


def is_number(value):
    # The comparison is false for NaN, and holds for integers that no double can take.
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and abs(value) <= sys.float_info.max)


# --- judging ------------------------------------------------------------------------------------


def merge(kept, fresh, listed, only, failures, programs):
    """All rows, judged, in the order of their names; what is on the list and has no row gets one."""
    # What stood in for a row that did not run is made anew, with today's goal and reason.
    kept = [row for row in kept if not is_placeholder(row) or row["name"] not in listed]
    rows = {row["name"]: judged(row, listed) for row in kept + fresh}
    for name in listed:
        if name not in rows:
            rows[name] = placeholder(listed[name], reason_for(name, only, failures, programs))
    return [rows[name] for name in sorted(rows)]


def judged(row, listed):
    """A copy whose ok is what the list of goals and the value say."""
    row = dict(row)
    entry = listed.get(row["name"])
    for key in ("goal", "unit"):
        if entry is not None and row[key] != entry[key]:
            disown(row, "its %s is '%s' and on the list '%s'" % (key, row[key], entry[key]))
    if entry is None and row["goal"]:
        disown(row, UNLISTED)
    if bound_of(row["goal"]) is None:
        disown(row, "the goal '%s' cannot be read" % row["goal"])
    elif not meets(row["value"], row["goal"]):
        row["ok"] = False
    return row


def disown(row, why):
    row["ok"] = False
    note = row.get("note", "")
    if why not in note:  # a kept row is judged again at each run
        row["note"] = note + "; " + why if note else why


def bound_of(goal):
    """(operator, number), ("", 0) when nothing is asked, None for what is not a goal."""
    if goal == "":
        return "", 0.0
    found = _GOAL.fullmatch(goal)
    if not found or not math.isfinite(float(found.group(2))):
        return None
    return found.group(1), float(found.group(2))


def meets(value, goal):
    """False for what was not measured, even when nothing was asked. REQUIRES: a readable goal."""
    if not is_number(value):
        return False
    operator, bound = bound_of(goal)
    return {"": True, ">=": value >= bound, "<=": value <= bound, "==": value == bound}[operator]


def placeholder(entry, reason):
    note = DID_NOT_RUN + (": " + reason if reason else "")
    return {"name": entry["name"], "value": None, "unit": entry["unit"], "goal": entry["goal"],
            "ok": False, "note": note}


def is_placeholder(row):
    return row["value"] is None and row.get("note", "").startswith(DID_NOT_RUN)


def reason_for(name, only, failures, programs):
    prefix = name.split("/")[0] + "/"
    if not any(prefix_of(program) == prefix for program in programs):
        return "there is no program %s_bench" % prefix[:-1]
    if prefix in failures:
        return failures[prefix]
    return "" if name.startswith(only) else "not chosen yet"


# --- the table ----------------------------------------------------------------------------------


def print_table(rows, log):
    width = max([len(row["name"]) for row in rows], default=0)
    for row in rows:
        value = "-" if row["value"] is None else "%.4g %s" % (row["value"], row["unit"])
        log(("%s  %-*s  %-16s %-10s %s  %s" % (
            "ok  " if row["ok"] else "MISS", width, row["name"], value, row["goal"],
            interval_of(row), row.get("note", ""))).rstrip() + (" (quick)" if row.get("quick") else ""))


def interval_of(row):
    if not is_number(row.get("low")) or not is_number(row.get("high")):
        return ""
    return "[%.4g, %.4g] in %s rounds" % (row["low"], row["high"], row.get("rounds", "?"))


# --- alone --------------------------------------------------------------------------------------


def main(arguments):
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("programs", nargs="+", metavar="PROGRAM", help="path of an x_bench")
    parser.add_argument("--out", default="bench.json", metavar="FILE", help="where the rows are kept")
    parser.add_argument("--goals", default=os.path.join(top, "bench", "goals.json"), metavar="FILE",
                        help="the list of goals (default: bench/goals.json)")
    parser.add_argument("--only", metavar="TEXT", help="only rows whose name begins so; keeps the others")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    parser.add_argument("--watchdog", type=float, default=WATCHDOG, metavar="SECONDS",
                        help="how long one program may take (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    wanted = parser.parse_args(arguments)
    programs = {os.path.basename(path): os.path.abspath(path) for path in wanted.programs}
    return run(programs, wanted.out, wanted.goals, wanted.only, wanted.strict, wanted.quick,
               watchdog=wanted.watchdog)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
