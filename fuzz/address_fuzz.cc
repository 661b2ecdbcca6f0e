// SPDX-License-Identifier: MIT
//
// address::parse() of any text, and address::from() of any bytes. What is understood prints as one
// line and parses back to itself; what is not tells where it is wrong.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "funcptr/address.h"

namespace {

void require(bool ok)
{
    if (!ok)
        std::abort();
}

bool is_one_line(std::string_view text)
{
    return std::none_of(text.begin(), text.end(),
                        [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// What holds for every address, wherever it is from.
void check(const funcptr::address& made)
{
    using funcptr::address;
    const auto text = made.to_string();
    require(is_one_line(text));
    const bool has_text = made && text != "unix:"; // an unnamed unix socket has none
    const auto again = address::parse(text);
    require(static_cast<bool>(again) == has_text);
    require(!has_text || *again.value == made);
    require(!has_text || std::hash<address>()(*again.value) == std::hash<address>()(made));
    require(address::from(made.data(), made.size()) == made);
    require((made <=> made) == std::strong_ordering::equal);
    require(made.with_port(made.port()) == made);
    require(!made.is_ip() || made.with_port(4711).port() == 4711);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = funcptr::address::parse(text);
    if (parsed) {
        require(parsed.error.empty());
        check(*parsed.value);
    } else {
        require(!parsed.error.empty());
        require(is_one_line(parsed.error));
        require(parsed.at <= text.size());
    }

    sockaddr_storage raw{};
    std::memcpy(&raw, data, std::min(size, sizeof raw));
    check(funcptr::address::from(reinterpret_cast<const sockaddr*>(&raw),
                                 static_cast<socklen_t>(std::min(size, sizeof raw))));
    return 0;
}
