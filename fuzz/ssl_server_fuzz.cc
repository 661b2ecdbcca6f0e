// SPDX-License-Identifier: MIT
//
// A TLS server, from byte 0 and after the handshake, against whatever its peer may send.

#include "tls_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::contexts contexts;
    funcptr::SSLFilter victim(contexts.server);
    funcptr::SSLFilter peer(contexts.client_for({data, size}));
    fuzz::feed(victim, peer, {data, size});
    return 0;
}
