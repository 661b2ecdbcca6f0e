# SPDX-License-Identifier: MIT
"""python3-itsdangerous for cookies_bench: see peer.h.

Arguments: the secret, the data. Prints its own cookie, and for each number on stdin the seconds that
verifying it so often took."""

import sys
import time

from itsdangerous import TimestampSigner


def main(secret, data):
    signer = TimestampSigner(secret)
    cookie = signer.sign(data).decode()
    print(cookie, flush=True)
    for line in sys.stdin:
        calls = range(int(line))
        unsign = signer.unsign
        start = time.perf_counter()
        for _ in calls:
            unsign(cookie)
        print(repr(time.perf_counter() - start), flush=True)


main(sys.argv[1], sys.argv[2])
