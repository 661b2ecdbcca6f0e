// SPDX-License-Identifier: MIT
//
// net_spec.h: what a listener's spec says, before anything is looked up.
//
// Strict where getaddrinfo(3) is not: that takes "-1" and " 80" for ports and "1", "127.1" and
// "0x7f.1" for hosts, as inet_aton(3) did, and asks a name server about what is a slip of the
// finger. Nothing here blocks, opens or resolves; only the name of an interface is looked up.
#pragma once

#include <funcptr/address.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace funcptr::detail {

/// One of the parts between commas: an address, or what getaddrinfo() must be asked.
struct spec_part {
    std::optional<address> literal; ///< with its port, unless there is a service
    std::string host;               ///< a name; empty with a literal and for every_address
    std::string service;            ///< a name of /etc/services; empty when the port is a number
    std::uint16_t port = 0;
    bool every_address = false; ///< "*"
    /// Bound by somebody else: "fd:3", or "systemd" and "systemd:name".
    enum class origin : std::uint8_t { bind, descriptor, systemd } from = origin::bind;
    int descriptor = -1;
    std::string name;   ///< systemd's; empty: all of them
    std::size_t at = 0; ///< where in the text it stands
};

struct parsed_spec {
    std::vector<spec_part> parts;
    std::string error;  ///< empty when it is a spec
    std::size_t at = 0; ///< the offset in the text at which it is wrong
};

class spec_parser {
public:
    explicit spec_parser(std::string_view text)
        : text_(text)
    {
    }

    parsed_spec parse()
    {
        if (const auto zero = text_.find('\0'); zero != text_.npos)
            fail(zero, "a zero byte");
        for (std::size_t at = 0; at <= text_.size() && spec_.error.empty();) {
            const auto end = std::min(text_.find(',', at), text_.size());
            part(at, end);
            at = end + 1;
        }
        return std::move(spec_);
    }

private:
    void fail(std::size_t at, std::string why)
    {
        spec_.error = std::move(why);
        spec_.at = at;
    }

    /// text_[at, end), with spaces around it.
    void part(std::size_t at, std::size_t end)
    {
        while (at < end && text_[at] == ' ')
            ++at;
        while (at < end && text_[end - 1] == ' ')
            --end;
        const auto part = text_.substr(at, end - at);
        if (part.empty())
            return fail(at, "an address is missing");
        if (part.starts_with("unix:"))
            return unix_part(part, at);
        if (part.starts_with("fd:"))
            return descriptor_part(part.substr(3), at + 3);
        if (part == "systemd" || part.starts_with("systemd:"))
            return systemd_part(part, at);
        const auto bracket = part.starts_with('[') ? part.find(']') : 0;
        if (bracket == part.npos)
            return fail(at, "the bracket is not closed");
        const auto colon = part.find(':', bracket);
        if (bracket != 0 && bracket + 1 != std::min(colon, part.size()))
            return fail(at + bracket + 1, "a colon and a port must follow the bracket");
        if (colon == part.npos || colon + 1 == part.size())
            return fail(at + part.size(), "a port is missing");
        if (bracket == 0 && part.find(':', colon + 1) != part.npos)
            return fail(at, "an IPv6 address needs brackets");
        spec_part made;
        if (host(made, part.substr(0, colon), at)
            && service(made, part.substr(colon + 1), at + colon + 1))
            spec_.parts.push_back(std::move(made));
    }

    void unix_part(std::string_view part, std::size_t at)
    {
        auto parsed = address::parse(part);
        if (!parsed)
            return fail(at + parsed.at, parsed.error);
        spec_part made;
        made.literal = *parsed.value;
        spec_.parts.push_back(std::move(made));
    }

    void descriptor_part(std::string_view number, std::size_t at)
    {
        const auto fd = parse_decimal(number, INT_MAX);
        if (!fd)
            return fail(at, "a descriptor's number must follow fd:");
        spec_part made;
        made.from = spec_part::origin::descriptor;
        made.descriptor = static_cast<int>(*fd);
        made.at = at;
        spec_.parts.push_back(std::move(made));
    }

    void systemd_part(std::string_view part, std::size_t at)
    {
        constexpr std::size_t start = std::string_view("systemd:").size();
        if (part.size() == start)
            return fail(at + start, "a name must follow systemd: (FileDescriptorName=)");
        spec_part made;
        made.from = spec_part::origin::systemd;
        made.name = part.size() > start ? part.substr(start) : std::string_view();
        made.at = at;
        spec_.parts.push_back(std::move(made));
    }

    bool host(spec_part& made, std::string_view host, std::size_t at)
    {
        if (host.empty())
            fail(at, "an address is missing; * stands for all");
        else if (host == "*")
            made.every_address = true;
        else if (const auto parsed = address::parse(host))
            made.literal = *parsed.value;
        else if (host.starts_with('['))
            fail(at + parsed.at, parsed.error);
        else if (const auto bad = std::find_if_not(host.begin(), host.end(), may_be_in_a_name);
                 bad != host.end())
            fail(at + static_cast<std::size_t>(bad - host.begin()),
                 "\"" + printable(std::string_view(&*bad, 1)) + "\" is not part of a name");
        else if (ends_in_a_number(host))
            fail(at, "not an IPv4 address");
        else
            made.host = host;
        return spec_.error.empty();
    }

    bool service(spec_part& made, std::string_view service, std::size_t at)
    {
        const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
        if (const auto port = parse_port(service)) {
            made.port = *port;
            if (made.literal)
                made.literal = made.literal->with_port(*port);
        } else if (!std::all_of(service.begin(), service.end(), may_be_in_a_service)) {
            fail(at, "not a port and not the name of a service");
        } else if (std::none_of(service.begin(), service.end(), is_letter)) {
            fail(at, "the port is not within 0 to 65535"); // RFC 6335, 5.1: a name has a letter
        } else {
            made.service = service;
        }
        return spec_.error.empty();
    }

    static bool may_be_in_a_name(char c)
    {
        // Letters, digits and the bytes of internationalised names; what is left is punctuation
        // that no resolver takes.
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
               || c == '.' || c == '-' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
    }
    static bool may_be_in_a_service(char c)
    {
        return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
    }

    /// As the URL standard tells addresses from names (WHATWG URL, "ends in a number").
    static bool ends_in_a_number(std::string_view host)
    {
        if (host.ends_with('.'))
            host.remove_suffix(1);
        const auto last = host.substr(host.rfind('.') + 1); // npos + 1 is 0
        if (last.starts_with("0x") || last.starts_with("0X"))
            return last.find_first_not_of("0123456789abcdefABCDEF", 2) == last.npos;
        return !last.empty() && last.find_first_not_of("0123456789") == last.npos;
    }

    std::string_view text_;
    parsed_spec spec_;
};

inline parsed_spec parse_spec(std::string_view text)
{
    return spec_parser(text).parse();
}

} // namespace funcptr::detail
