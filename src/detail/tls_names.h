// SPDX-License-Identifier: MIT
//
// tls_names.h: what may stand as a peer's name: an IP address or a DNS name.
//
// OpenSSL takes the empty name as "check no name" and a leading dot as "any subdomain": both would
// turn a slip of the configuration into a client that believes anybody.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "funcptr/error.h"
#include "funcptr/tls_config.h"
#include "tls_words.h"

namespace funcptr::detail {

struct peer_name {
    std::string text; ///< canonical: no brackets, no dot at the end
    bool is_ip = false;
};

inline bool is_ip_address(const std::string& text)
{
    std::array<unsigned char, 16> bytes{};
    return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1
           || ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

/// What is wrong with a DNS name (without the dot at its end); nullptr when nothing is.
inline const char* dns_name_fault(std::string_view name)
{
    const auto outside_ascii = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
               || c == '-' || c == '_';
    };
    if (name.empty())
        return "it is empty";
    if (name.size() > 253)
        return "it is longer than 253 characters (RFC 1035)";
    if (name.front() == '.')
        return "it begins with a dot";
    if (std::any_of(name.begin(), name.end(), outside_ascii))
        return "it is not ASCII: give the xn-- form (RFC 5891)";
    std::string_view label;
    for (std::size_t from = 0; from <= name.size(); from += label.size() + 1) {
        label = name.substr(from, name.substr(from).find('.'));
        if (label.empty() || label.size() > 63)
            return "a label is empty or longer than 63 characters (RFC 1035)";
        if (!std::all_of(label.begin(), label.end(), allowed))
            return "it holds a character that no host name has";
    }
    // The last label of a host name is never all digits (RFC 3696, 2): 10.0.0 is a mistyped
    // address.
    if (label.find_first_not_of("0123456789") == std::string_view::npos)
        return "it is neither an IP address nor a DNS name";
    return nullptr;
}

/// A name as people write it: brackets around an IPv6 address and the dot at the end of a DNS name
/// are taken off. Throws funcptr::error; option names the text's place in the configuration.
inline peer_name parse_peer_name(std::string_view text, const char* option)
{
    std::string_view bare = text;
    if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']')
        bare = bare.substr(1, bare.size() - 2);
    // A byte 0 would end the text for OpenSSL before it ends for us.
    if (bare.find('\0') == std::string_view::npos && is_ip_address(std::string(bare)))
        return {std::string(bare), true};
    if (text.size() > 1 && text.back() == '.')
        text.remove_suffix(1);
    if (const char* fault = dns_name_fault(text))
        throw error(errc::bad_configuration, std::string(option) + " \"" + printable(text, 253)
                                                 + "\" cannot be used: " + fault);
    return {std::string(text), false};
}

/// Whom a connection is to: what was given for it, or else the context's server_name, already
/// checked. Empty for a server, and for a client that verifies nobody. Throws funcptr::error.
inline peer_name choose_peer_name(tls_role role, bool verify, const std::string& configured,
                                  std::optional<std::string_view> given)
{
    if (role == tls_role::server && given)
        throw error(errc::bad_configuration, "server_name is for clients; a server verifies none");
    if (given)
        return parse_peer_name(*given, "server_name"); // refuses the empty one
    if (!configured.empty())
        return parse_peer_name(configured, "server_name");
    if (verify)
        throw error(errc::bad_configuration,
                    "a client needs a server_name to verify, in the tls_config or for the filter");
    return {};
}

} // namespace funcptr::detail
