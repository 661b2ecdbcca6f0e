# SPDX-License-Identifier: MIT
"""Finds a waf and runs it.

In this order: $WAF (a waf script, or a folder that holds waflib: for packagers), the cache, a waflib
that is installed, the pinned release from waf.io, the copy that Debian ships inside its package xmds2
(signed by the distribution; unpacked into the cache, never installed).

The pinned release is hashed when it arrives and again at each run; a wrong hash ends it all, since
somebody has then changed the file, and another source would hide that. Every failure is one line on
stderr and exit status 1.

The environment: WAF as above; FUNCPTR_WAF_CACHE, another folder than .waf for the cache;
FUNCPTR_WAF_URL and FUNCPTR_WAF_SHA256, a mirror (file:// too) and what it is to hold.
"""

import hashlib
import http.client
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


class Unavailable(Exception):
    """Why one source has no waf; the next is asked."""


def main(top, arguments):
    try:
        arguments = run_deps(top, arguments)
        if arguments is None:
            return 0
        waf = find_waf(top)
    except (Failure, OSError) as failure:
        print("waf: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return run_waf(top, arguments, waf)


def run_deps(top, arguments):
    """Does `deps` if asked for; the arguments that are left for waf, None when that was all."""
    if not arguments or arguments[0] != "deps":
        return arguments
    import deps

    try:
        return deps.main(arguments[1:], no_waf_yet=local_waf(top) is None)
    except deps.Failure as failure:
        raise Failure("deps: %s" % failure) from failure


# --- finding ------------------------------------------------------------------------------------


def cache_folder(top):
    return os.environ.get("FUNCPTR_WAF_CACHE") or os.path.join(top, ".waf")


def find_waf(top):
    """The path of a waf script, or of a folder that holds waflib."""
    found = local_waf(top)
    if found:
        return found
    cache = cache_folder(top)
    try:
        return downloaded_release(cache)
    except Unavailable as reason:
        return fetched_debian_copy(cache, reason)


def local_waf(top):
    """One that needs no network, or None."""
    if os.environ.get("WAF"):
        return named_waf(os.environ["WAF"])
    cache = cache_folder(top)
    return cached_release(cache) or installed_waflib() or debian_copy(cache)


def named_waf(path):
    path = os.path.abspath(path)
    if os.path.isdir(os.path.join(path, "waflib")):
        return path
    if os.path.isfile(path):
        with open(path, "rb") as script:
            if b"waflib" in script.read():
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
    url = os.environ.get("FUNCPTR_WAF_URL") or WAF_URL
    script = download(url)
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


def download(url):
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT) as answer:
            script = answer.read(DOWNLOAD_LIMIT)
            announced = answer.headers.get("Content-Length", "")
    except (OSError, ValueError, http.client.HTTPException) as failed:
        reason = getattr(failed, "reason", None) or failed
        raise Unavailable("cannot download %s: %s" % (url, reason)) from failed
    if announced.isdigit() and len(script) < min(int(announced), DOWNLOAD_LIMIT):
        raise Unavailable(
            "cannot download %s: it broke off after %d of %s bytes" % (url, len(script), announced)
        )
    return script


def fetched_debian_copy(cache, why):
    hint = "set WAF to a waf script or to a folder with waflib"
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Failure("no waf: %s; %s" % (why, hint))
    print("waf: %s; taking Debian's copy from its package %s" % (why, DEBIAN_PACKAGE), flush=True)
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # apt drops its rights for a download where it can; the folder must let it.
        os.chmod(scratch, 0o755)
        try:
            quiet_run(["apt-get", "download", DEBIAN_PACKAGE], scratch)
            packages = [name for name in os.listdir(scratch) if name.endswith(".deb")]
            quiet_run(["dpkg", "-x", packages[0], "unpacked"], scratch)
        except Unavailable as failed:
            raise Failure("no waf: %s; %s (`./waf deps` fetches package lists), or %s"
                          % (why, failed, hint)) from failed
        # Beside its place, then renamed: half a copy must never pass for a whole one.
        with tempfile.TemporaryDirectory(dir=cache) as beside:
            whole = os.path.join(beside, DEBIAN_WAFLIB)
            shutil.copytree(os.path.join(scratch, "unpacked", DEBIAN_WAFLIB), whole)
            target = os.path.join(cache, "debian", DEBIAN_WAFLIB)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.isdir(target):  # another launcher may have been faster
                os.rename(whole, target)
    return target


def quiet_run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable("'%s' failed: %s" % (" ".join(command), last))


# --- running ------------------------------------------------------------------------------------


def run_waf(top, arguments, waf):
    os.chdir(top)  # started in a subfolder waf would build only what lies below it
    if os.path.isfile(waf):
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, waf] + arguments)
    shim_removed_modules()
    sys.path.insert(0, waf)
    sys.argv = [os.path.join(top, "waf")] + arguments
    try:
        from waflib import Context, Scripting
    except Exception as failed:  # whatever a broken copy throws at us
        print("waf: the waf in %s cannot be loaded: %s" % (waf, failed), file=sys.stderr)
        return 1
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
