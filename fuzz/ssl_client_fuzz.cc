// SPDX-License-Identifier: MIT
//
// A TLS client, from byte 0 and after the handshake, against whatever its peer may send.

#include "tls_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::contexts contexts;
    funcptr::SSLFilter victim(contexts.client_for({data, size}));
    funcptr::SSLFilter peer(contexts.server);
    fuzz::feed(victim, peer, {data, size});
    return 0;
}
