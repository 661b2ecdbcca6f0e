// SPDX-License-Identifier: MIT
//
// The parser of a listener's spec: nothing is resolved or bound here. Every part is one of the
// things that bind_listeners() knows, and an error says where in the text it is.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "src/detail/net_spec.h"

namespace {

void require(bool ok)
{
    if (!ok)
        std::abort();
}

void check(const funcptr::detail::spec_part& part)
{
    const bool inherited = part.from != funcptr::detail::spec_part::origin::bind;
    require(part.literal.has_value() + !part.host.empty() + part.every_address + inherited == 1);
    require((part.descriptor >= 0)
            == (part.from == funcptr::detail::spec_part::origin::descriptor));
    require(part.service.empty() || part.port == 0);
    // Nothing that getaddrinfo() would cut short or take for a number.
    require(part.host.find('\0') == part.host.npos);
    require(part.service.find('\0') == part.service.npos);
    require(!funcptr::parse_port(part.service));
    require(!funcptr::address::parse(part.host));
    require(!part.literal || !part.literal->is_ip() || part.literal->port() == part.port);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = funcptr::detail::parse_spec(text);
    require(parsed.at <= text.size());
    if (!parsed.error.empty())
        return 0;
    const auto commas = std::count(text.begin(), text.end(), ',');
    require(parsed.parts.size() == static_cast<std::size_t>(commas) + 1);
    for (const auto& part : parsed.parts)
        check(part);
    return 0;
}
