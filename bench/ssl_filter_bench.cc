// SPDX-License-Identifier: MIT
//
// SSLFilter against bare encryption, the article's filter and what people use: Asio's ssl::stream,
// libevent's bufferevent_openssl, SSL_set_fd on a blocking socket. Each idea has its header in
// ssl_filter/.
#include "ssl_filter/heap.h"
#include "ssl_filter/in_memory.h"
#include "ssl_filter/loopback.h"
#include "support/bench.h"

#include <openssl/crypto.h>

#include <cstdio>

int main(int argc, char** argv)
{
    if (!bench::count_openssl()) {
        std::fputs("ssl_filter_bench: OpenSSL has allocated before main()\n", stderr);
        return 1;
    }
    bench::suite suite("ssl_filter");
    suite.setting("openssl", OpenSSL_version(OPENSSL_VERSION));
    suite.setting("TLS", std::string("1.3, ") + bench::tls::cipher + ", X25519, ECDSA P-256");
    bench::add_in_memory(suite);
    bench::add_loopback(suite);
    bench::add_heap(suite);
    return suite.run(argc, argv);
}
