# SPDX-License-Identifier: MIT
"""`./waf dist`: the files that git tracks and a `.version`, all with the commit's time and nobody's
name, so that the same commit gives the same bytes on every machine."""

import calendar
import gzip
import io
import os
import tarfile
import time

import build_version


def write(top, name, release, override=""):
    """The tarball's name, written into the top folder."""
    version, moment = build_version.stamp(top, release, override)
    base = "%s-%s" % (name, version)
    seconds = epoch(moment)
    path = base + ".tar.gz"
    with open(os.path.join(top, path), "wb") as raw:
        # An empty name and the commit's time: gzip would write its own into the header.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=seconds) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for file in files(top):
                    add(tar, base, top, file, seconds)
                add_text(tar, base + "/.version", "%s\n%s\n" % (version, moment), seconds)
    return path


def epoch(moment):
    try:
        return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0


def files(top):
    if os.path.exists(os.path.join(top, ".git")):
        listed = build_version.git(top, "ls-files", "-z")
        if not listed:
            raise ValueError("git does not say which files belong to it")
        found = [f for f in listed.split("\0") if f and os.path.lexists(os.path.join(top, f))]
    else:  # from a tarball: all that came with it
        found = []
        for where, folders, names in os.walk(top):
            folders[:] = [f for f in folders if f not in ("build", ".waf", "__pycache__")]
            found += [os.path.relpath(os.path.join(where, n), top) for n in names
                      if not n.endswith((".tar.gz", ".pyc")) and not n.startswith(".lock-waf")
                      and n not in (".version", "compile_commands.json")]
    return sorted(found)


def add(tar, base, top, file, seconds):
    member = tar.gettarinfo(os.path.join(top, file), base + "/" + file.replace(os.sep, "/"))
    anonymous(member, seconds)
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    if member.isreg():
        with open(os.path.join(top, file), "rb") as content:
            tar.addfile(member, content)
    else:
        tar.addfile(member)


def add_text(tar, name, text, seconds):
    member = tarfile.TarInfo(name)
    member.size = len(text.encode())
    member.mode = 0o644
    anonymous(member, seconds)
    tar.addfile(member, io.BytesIO(text.encode()))


def anonymous(member, seconds):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = seconds
