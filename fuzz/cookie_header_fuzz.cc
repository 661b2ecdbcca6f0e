// SPDX-License-Identifier: MIT
//
// Both headers. The first byte chooses: 0  a Cookie header is parsed; else its bits are the flags
// of a Set-Cookie header, whose texts are separated by line ends. What is built must be one header
// of exactly the attributes asked for, and read back as it was.

#include <funcptr/cookie_header.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

namespace {

void require(bool holds)
{
    if (!holds)
        std::abort();
}

void fuzz_parse(std::string_view header)
{
    constexpr funcptr::cookie_limits limits{.bytes = 4096, .pairs = 20};
    const auto parsed = funcptr::parse_cookie_header(header, limits);
    require(parsed.pairs.size() <= limits.pairs);
    require(parsed.truncated || header.size() <= limits.bytes);
    std::string joined;
    const char* at = header.data();
    for (const auto& [name, value] : parsed.pairs) {
        require(!name.empty() && name.find_first_of("=;") == name.npos);
        require(value.find(';') == value.npos);
        require(name.data() >= at && value.data() >= name.data() + name.size());
        at = value.data() + value.size();
        require(at <= header.data() + header.size());
        joined.append(joined.empty() ? "" : "; ").append(name).append("=").append(value);
    }
    const auto again = funcptr::parse_cookie_header(joined, {.bytes = joined.size(), .pairs = 20});
    require(again.pairs.size() == parsed.pairs.size());
    for (std::size_t i = 0; i < again.pairs.size(); ++i)
        require(again.pairs[i].name == parsed.pairs[i].name
                && again.pairs[i].value == parsed.pairs[i].value);
}

void fuzz_build(unsigned flags, std::string_view text)
{
    std::array<std::string, 4> fields;
    for (auto& field : fields) {
        const auto end = std::min(text.find('\n'), text.size());
        field = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    funcptr::set_cookie cookie{.name = fields[0],
                               .value = fields[1],
                               .path = fields[2],
                               .domain = fields[3],
                               .secure = (flags & 1) != 0,
                               .http_only = (flags & 2) != 0,
                               .site = static_cast<funcptr::same_site>(flags >> 2 & 3),
                               .partitioned = (flags & 16) != 0};
    if ((flags & 32) != 0)
        cookie.max_age = std::chrono::seconds(text.size());
    std::string header;
    try {
        header = funcptr::make_set_cookie(cookie);
    } catch (const std::invalid_argument&) {
        return;
    } catch (const funcptr::error&) {
        return;
    }
    require(
        std::all_of(header.begin(), header.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
    const auto semicolons = std::count(header.begin(), header.end(), ';');
    require(semicolons
            == !cookie.path.empty() + !cookie.domain.empty() + cookie.max_age.has_value()
                   + cookie.secure + cookie.http_only + (cookie.site != funcptr::same_site::unset)
                   + cookie.partitioned);
    const auto parsed =
        funcptr::parse_cookie_header(std::string_view(header).substr(0, header.find(';')));
    require(parsed.find(cookie.name) == std::optional<std::string_view>(cookie.value));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] == 0)
        fuzz_parse(rest);
    else
        fuzz_build(data[0], rest);
    return 0;
}
