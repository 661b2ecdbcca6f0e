# SPDX-License-Identifier: MIT
"""Which commit a build is of: the stamp, and the header that holds it.

To use it elsewhere, copy this file and a build_version.h.in, and in the wscript:

    def build(bld):
        bld.load('build_version', tooldir='waf_tools')
        bld(features='build_version', source='build_version.h.in', target='build_version.h',
            release='1.2.3', name='build_version')
        bld.program(source='main.cc', target='main', use='build_version')

The answer comes from, in this order: --build-version, git, `.version` (written into tarballs by
`dist`), `.git_archival.txt` (filled in by `git archive`), the release number with "-unknown". Git is
asked once a build and only if .git stands in the top folder: a copy inside another repository must
not take the parent's commit. The header is written only when its contents change, so that nothing
is compiled again without need; and the time is the commit's, never the clock's.
"""

import datetime
import os
import re
import subprocess

UNKNOWN = "unknown"
TAG = "v[0-9]*"


def clean(text):
    """What may stand in a C string, a file name and a version: a tag may hold anything."""
    return re.sub(r"[^0-9A-Za-z.+~_-]+", "_", text.strip())


# --- the sources of the answer ------------------------------------------------------------------


def stamp(top, release, override=None):
    """The version and the time of its commit, both text."""
    if override:
        return clean(override), UNKNOWN
    return (
        from_git(top, release)
        or from_version_file(top)
        or from_archive(top, release)
        or (release + "-" + UNKNOWN, UNKNOWN)
    )


def git(top, *arguments):
    """One answer of git about this very folder, '' when there is none."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    # Somebody else's folder, or a root's in a container, is still the one to be asked about.
    # No optional locks: asking must not stand in the way of a commit in another terminal.
    command = ["git", "--no-optional-locks", "-c", "safe.directory=" + top, "-C", top] + list(arguments)
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=60, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def from_git(top, release):
    if not os.path.exists(os.path.join(top, ".git")):  # a file in worktrees and submodules
        return None
    # --tags: a lightweight tag names a release too, as it does in .git_archival.txt.
    described = git(top, "describe", "--tags", "--match", TAG, "--abbrev=12", "--always", "--dirty",
                    "--long")
    if not described:
        return None
    seconds = git(top, "show", "-s", "--format=%ct", "HEAD")
    return numbered(described, release), iso_time(seconds)


def numbered(described, release):
    """git's answer without the v of the tag; without a tag the release stands before the commit."""
    if re.match(r"v[0-9]", described):
        return clean(described[1:])
    return clean("%s-g%s" % (release, described))


def disagreement(version, release):
    """What is wrong when a release's tag and the release number in the sources differ, or ''."""
    tagged = re.match(r"(.+)-0-g[0-9a-f]+(-dirty)?$", version)
    if tagged and tagged.group(1) != release:
        return "the tag says %s, the sources say %s" % (tagged.group(1), release)
    return ""


def iso_time(seconds):
    if not seconds.isdigit():
        return UNKNOWN
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def from_version_file(top):
    lines = read_lines(os.path.join(top, ".version"))
    if not lines:
        return None
    return clean(lines[0]), clean_time(lines[1] if len(lines) > 1 else "")


def from_archive(top, release):
    facts = dict(
        line.split(": ", 1) for line in read_lines(os.path.join(top, ".git_archival.txt")) if ": " in line
    )
    commit = facts.get("commit", "$")
    if "$" in commit:  # a plain copy, not an archive: nothing was filled in
        return None
    described = facts.get("describe", "")
    if not described or "$" in described or "%" in described:  # an old git does not know %(describe)
        described = commit[:12]
    return numbered(described, release), clean_time(facts.get("time", ""))


def clean_time(text):
    return text if re.fullmatch(r"[0-9TZ:+-]{10,30}", text) else UNKNOWN


def read_lines(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


# --- waf ----------------------------------------------------------------------------------------

try:
    from waflib import Logs, Options, Task, TaskGen, Utils
except ImportError:  # used without waf, by the tests and by dist
    TaskGen = None


def options(opt):
    opt.add_option(
        "--build-version", dest="build_version", default="", metavar="TEXT",
        help="the version stamp, instead of asking git",
    )


def configure(_cfg):
    pass


if TaskGen is not None:

    class build_version_header(Task.Task):
        """Writes the header when its contents would change."""

        vars = ["BUILD_VERSION", "BUILD_VERSION_TIME"]  # part of the signature
        ext_out = [".h"]
        color = "PINK"

        def contents(self):
            text = self.inputs[0].read()
            return text.replace("@VERSION@", self.env.BUILD_VERSION).replace(
                "@TIME@", self.env.BUILD_VERSION_TIME
            )

        def runnable_status(self):
            status = super().runnable_status()
            if status == Task.SKIP_ME and self.outputs[0].read() != self.contents():
                return Task.RUN_ME  # somebody edited it
            return status

        def run(self):
            target, text = self.outputs[0], self.contents()
            if not target.exists() or target.read() != text:
                target.write(text)
            return 0

    def build_stamp(bld, release):
        """The stamp of this build, asked for once."""
        if not hasattr(bld, "_build_stamp"):
            top = bld.path.abspath()
            bld._build_stamp = stamp(top, release, getattr(Options.options, "build_version", ""))
            wrong = disagreement(bld._build_stamp[0], release)
            if wrong:
                Logs.warn("build_version: %s", wrong)
        return bld._build_stamp

    @TaskGen.feature("build_version")
    @TaskGen.before_method("process_source")
    def make_build_version_header(self):
        source = self.path.find_resource(self.source)
        target = self.path.find_or_declare(self.target)
        self.source = []  # nothing for process_source
        task = self.create_task("build_version_header", source, target)
        task.env = self.env.derive()
        task.env.BUILD_VERSION, task.env.BUILD_VERSION_TIME = build_stamp(self.bld, self.release)
        self.export_includes = Utils.to_list(getattr(self, "export_includes", []))
        self.export_includes.append(target.parent)
