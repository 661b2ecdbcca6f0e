// SPDX-License-Identifier: MIT
//
// cookies_bench: signed and sealed cookies against the bare MAC, against a hostile sender, and the
// dialects against the packages whose cookies they read. Each idea has its header in cookies/,
// which says how it measures.
#include "cookies/hostile.h"
#include "cookies/peers.h"
#include "cookies/speed.h"
#include "cookies/timing.h"
#include "support/bench.h"

#include <openssl/crypto.h>

#include <cstdio>

int main(int argc, char** argv)
{
    if (!bench::count_openssl()) {
        std::fputs("cookies_bench: OpenSSL has allocated before main()\n", stderr);
        return 1;
    }
    bench::suite suite("cookies");
    suite.setting("openssl", OpenSSL_version(OPENSSL_VERSION));
    suite.setting("prepared pair",
                  "two EVP_MD_CTX copied for each MAC, over the bytes that ours covers");
    suite.setting("peers", "each verifies its own cookie of 64 bytes in a loop of its own");
    bench::add_speed(suite);
    bench::add_hostile(suite);
    bench::add_timing(suite);
    bench::add_peers(suite);
    return suite.run(argc, argv);
}
