// SPDX-License-Identifier: MIT
//
// The PROXY header, in one piece and byte by byte: both ways agree, no byte behind it is taken, and
// what is refused says why in one line.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "funcptr/proxy_protocol.h"

namespace {

void require(bool ok)
{
    if (!ok)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    funcptr::proxy_parser whole;
    const std::size_t taken = whole.take(bytes);
    require(taken <= size);
    funcptr::proxy_parser slow;
    std::size_t at = 0;
    while (at < size && slow.state() == funcptr::proxy_state::more)
        at += slow.take(bytes.substr(at, 1));
    require(slow.state() == whole.state());
    if (whole.state() == funcptr::proxy_state::done) {
        require(at == taken);
        require(whole.header().source == slow.header().source);
        require(whole.header().destination == slow.header().destination);
        require(whole.header().extra == slow.header().extra);
        require(whole.header().local == !whole.header().source);
    }
    const auto is_bad = whole.state() == funcptr::proxy_state::bad;
    require(is_bad == !whole.error().empty());
    require(std::none_of(whole.error().begin(), whole.error().end(),
                         [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
    return 0;
}
