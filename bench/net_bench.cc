// SPDX-License-Identifier: MIT
//
// net_bench: listener and connection against epoll by hand, libevent and Asio. Each idea has a
// header in bench/net, which says how it measures.
#include "net/accepting.h"
#include "net/echo.h"
#include "net/hostile.h"
#include "net/memory.h"
#include "support/bench.h"

#include <sys/resource.h>

int main(int argc, char** argv)
{
    rlimit descriptors{}; // the idle rows need 10,000 in each of two processes
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);

    bench::suite suite("net");
    suite.setting("echo",
                  "one request under way on each connection; the client is another process");
    suite.setting("TLS", std::string("1.3, ") + bench::tls::cipher + ", X25519, ECDSA P-256");
#ifdef FUNCPTR_BENCH_LIBEVENT
    suite.setting("libevent", event_get_version());
#endif
#ifdef FUNCPTR_BENCH_ASIO
    suite.setting("asio", std::to_string(ASIO_VERSION / 100'000) + "."
                              + std::to_string(ASIO_VERSION / 100 % 1'000));
#endif
    // First, while all memory is fresh: later malloc has 16 MiB at hand for whoever asks, but never
    // 64 (M_MMAP_THRESHOLD ends at 32), and the slow reader's row would compare just that.
    bench::add_memory(suite);
    bench::add_accepting(suite);
    bench::add_hostile(suite);
    bench::add_idle(suite);
    bench::add_echo(suite);
    return suite.run(argc, argv);
}
