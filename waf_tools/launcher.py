# SPDX-License-Identifier: MIT
"""Finds a waf and runs it.

In this order: $WAF (a waf script, or a folder that holds waflib: for packagers), the pinned release in
the cache, a waflib that is installed, the pinned release from waf.io, the copy that Debian ships
inside its package xmds2 (fetched, unpacked into the cache, never installed).

Whatever is downloaded is hashed, at each run; a wrong hash ends it all, since somebody has then
changed the file, and another source would hide that. Every failure is one line and exit status 1.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import types
import urllib.request

WAF_VERSION = "2.1.9"
WAF_SHA256 = "e235eeac6d34f039834e355a738298416a92a17defd1b6e1eae48488ba4a6864"
WAF_URL = "https://waf.io/waf-" + WAF_VERSION
DOWNLOAD_TIMEOUT = 20  # seconds without a byte
DOWNLOAD_LIMIT = 4 * 1024 * 1024  # bytes; the script has a hundred thousand

DEBIAN_PACKAGE = "xmds2"
DEBIAN_WAFLIB = "usr/lib/python3/dist-packages/xpdeint/waf"


class Failure(Exception):
    """What is told in one line."""


def main(top, arguments):
    try:
        arguments = run_deps(top, arguments)
        if arguments is None:
            return 0
        return run_waf(top, arguments, find_waf(top))
    except Failure as failure:
        print("waf: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run_deps(top, arguments):
    """Does `deps` if asked for; the arguments that are left for waf, None when that was all."""
    if not arguments or arguments[0] != "deps":
        return arguments
    import deps

    rest, status = deps.main(arguments[1:])
    if status != 0:
        raise Failure("deps: a command failed, see above; nothing was built")
    return rest


# --- finding ------------------------------------------------------------------------------------


def cache_folder(top):
    return os.environ.get("FUNCPTR_WAF_CACHE") or os.path.join(top, ".waf")


def find_waf(top):
    """The path of a waf script, or of a folder that holds waflib."""
    if os.environ.get("WAF"):
        return named_waf(os.environ["WAF"])
    cache = cache_folder(top)
    return (
        cached_release(cache)
        or installed_waflib()
        or debian_copy(cache)
        or downloaded_release(cache)
        or fetched_debian_copy(cache)
    )


def named_waf(path):
    path = os.path.abspath(path)
    if os.path.isfile(path) or os.path.isdir(os.path.join(path, "waflib")):
        return path
    raise Failure("$WAF is %s, which is neither a waf script nor a folder with waflib in it" % path)


def expected_hash():
    return os.environ.get("FUNCPTR_WAF_SHA256") or WAF_SHA256


def release_path(cache):
    return os.path.join(cache, "waf-" + WAF_VERSION)


def check_hash(path, source):
    with open(path, "rb") as script:
        found = hashlib.sha256(script.read()).hexdigest()
    if found != expected_hash():
        raise Failure(
            "%s has the SHA-256 %s instead of %s: it was changed, do not run it"
            % (source, found, expected_hash())
        )


def cached_release(cache):
    path = release_path(cache)
    if not os.path.isfile(path):
        return None
    check_hash(path, path)
    return path


def installed_waflib():
    for folder in sys.path:
        if folder and os.path.isfile(os.path.join(folder, "waflib", "Scripting.py")):
            return folder
    return None


def debian_copy(cache):
    folder = os.path.join(cache, "debian", DEBIAN_WAFLIB)
    return folder if os.path.isdir(os.path.join(folder, "waflib")) else None


def downloaded_release(cache):
    """None when it cannot be had; the reason is printed, since the next source may fail too."""
    url = os.environ.get("FUNCPTR_WAF_URL") or WAF_URL
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT) as answer:
            script = answer.read(DOWNLOAD_LIMIT)
    except (OSError, ValueError) as failed:
        reason = getattr(failed, "reason", failed)
        print("waf: cannot download %s: %s" % (url, reason), file=sys.stderr)
        return None
    os.makedirs(cache, exist_ok=True)
    path = release_path(cache)
    handle, partial = tempfile.mkstemp(dir=cache)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(script)
        check_hash(partial, url)
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)
    return path


def fetched_debian_copy(cache):
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Failure(
            "no waf: set WAF to a waf script or to a folder with waflib, or allow %s" % WAF_URL
        )
    with tempfile.TemporaryDirectory() as scratch:
        # apt drops its rights for a download where it can; the folder must let it.
        os.chmod(scratch, 0o755)
        print("waf: taking Debian's copy of waf from its package %s" % DEBIAN_PACKAGE, file=sys.stderr)
        quiet_run(["apt-get", "download", DEBIAN_PACKAGE], scratch)
        packages = [name for name in os.listdir(scratch) if name.endswith(".deb")]
        unpacked = os.path.join(scratch, "unpacked")
        quiet_run(["dpkg", "-x", packages[0], unpacked], scratch)
        target = os.path.join(cache, "debian", DEBIAN_WAFLIB)
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copytree(os.path.join(unpacked, DEBIAN_WAFLIB), target)
    return target


def quiet_run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Failure(
            "no waf: '%s' failed: %s (are the package lists empty? `./waf deps` fetches them)"
            % (" ".join(command), last)
        )


# --- running ------------------------------------------------------------------------------------


def run_waf(top, arguments, waf):
    os.chdir(top)  # started in a subfolder waf would build only what lies below it
    if os.path.isfile(waf):
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, waf] + arguments)
    shim_removed_modules()
    sys.path.insert(0, waf)
    sys.argv = [os.path.join(top, "waf")] + arguments
    from waflib import Context, Scripting

    Scripting.waf_entry_point(top, Context.WAFVERSION, waf)
    return 0


def shim_removed_modules():
    """waf 2.0.15 imports imp, which left Python with 3.12; it uses one function of it."""
    try:
        import imp  # noqa: F401
    except ImportError:
        shim = types.ModuleType("imp")
        shim.new_module = types.ModuleType
        sys.modules["imp"] = shim
