// SPDX-License-Identifier: MIT
//
// Both versions are strict: who writes this header is a program, and what it means by a header that
// is not quite one cannot be known.
#include <funcptr/proxy_protocol.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace funcptr {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view line_start = "PROXY "sv;
constexpr std::string_view signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t longest_line = 107; // with its CR LF
constexpr std::size_t block_start = 16;

bool begins_like(std::string_view taken, std::string_view whole)
{
    const auto size = std::min(taken.size(), whole.size());
    return taken.substr(0, size) == whole.substr(0, size);
}

std::size_t length_field(std::string_view block)
{
    return static_cast<unsigned char>(block[14]) * 256U + static_cast<unsigned char>(block[15]);
}

std::string in_hex(std::string_view bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const char each : bytes.substr(0, 4)) {
        const auto value = static_cast<unsigned char>(each);
        text += text.empty() ? "" : " ";
        text += {digits[value >> 4], digits[value & 15]};
    }
    return text;
}

std::vector<std::string_view> words_of(std::string_view line)
{
    std::vector<std::string_view> words;
    for (;;) {
        const auto space = line.find(' ');
        words.push_back(line.substr(0, space));
        if (space == line.npos)
            return words;
        line.remove_prefix(space + 1);
    }
}

/// Version 1's spelling: no brackets, no scope, no leading zeros in the port.
std::optional<address> spelt(address_family family, std::string_view host, std::string_view port)
{
    const bool four = family == address_family::ipv4;
    const auto number = parse_port(port);
    if (!number || (port.size() > 1 && port[0] == '0') || host.find_first_of("[]%/") != host.npos
        || (host.find(':') == host.npos) != four)
        return std::nullopt;
    const auto parsed = address::parse(host);
    if (!parsed || parsed.value->port() != 0)
        return std::nullopt;
    return parsed.value->with_port(*number);
}

template <class Raw>
address made(const Raw& raw)
{
    return address::from(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
}

address ipv4_of(const char* host, const char* port)
{
    sockaddr_in raw{};
    raw.sin_family = AF_INET;
    std::memcpy(&raw.sin_addr, host, sizeof raw.sin_addr);
    std::memcpy(&raw.sin_port, port, sizeof raw.sin_port);
    return made(raw);
}
address ipv6_of(const char* host, const char* port)
{
    sockaddr_in6 raw{};
    raw.sin6_family = AF_INET6;
    std::memcpy(&raw.sin6_addr, host, sizeof raw.sin6_addr);
    std::memcpy(&raw.sin6_port, port, sizeof raw.sin6_port);
    return made(raw);
}
/// A path that ends at its first zero, or an abstract name without the zeros at its end.
address unix_of(std::string_view path)
{
    sockaddr_un raw{};
    raw.sun_family = AF_UNIX;
    path = path.substr(0, path.find_last_not_of('\0') + 1);
    std::memcpy(raw.sun_path, path.data(), path.size());
    return address::from(reinterpret_cast<const sockaddr*>(&raw),
                         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
}

} // namespace

void proxy_parser::refuse(std::string why)
{
    state_ = proxy_state::bad;
    error_ = std::move(why);
}

/// How many of the bytes belong to the header as far as it is known: never one too many.
std::size_t proxy_parser::wanted(std::string_view bytes)
{
    if (taken_.empty() || taken_[0] == line_start[0]) {
        // A first byte alone decides which version it is.
        if (taken_.empty() && !bytes.starts_with(line_start[0]))
            return 1;
        const auto end = bytes.find('\n');
        return std::min(end == bytes.npos ? bytes.size() : end + 1, longest_line - taken_.size());
    }
    const std::size_t whole =
        taken_.size() < block_start ? block_start : block_start + length_field(taken_);
    return whole - taken_.size();
}

std::size_t proxy_parser::take(std::string_view bytes)
{
    const std::size_t before = bytes.size();
    while (state_ == proxy_state::more && !bytes.empty()) {
        const auto some = bytes.substr(0, wanted(bytes));
        taken_ += some;
        bytes.remove_prefix(some.size());
        step();
    }
    return before - bytes.size();
}

void proxy_parser::step()
{
    if (begins_like(taken_, line_start)) {
        if (taken_.ends_with('\n'))
            parse_line();
        else if (taken_.size() >= longest_line)
            refuse("version 1: the line is longer than 107 bytes");
        return;
    }
    if (!begins_like(taken_, signature))
        return refuse("neither version 1 nor 2: begins with " + in_hex(taken_));
    if (taken_.size() < block_start)
        return;
    const std::size_t length = length_field(taken_);
    if (length > limit_)
        refuse("version 2: " + std::to_string(length) + " bytes follow, more than "
               + std::to_string(limit_));
    else if (taken_.size() == block_start + length)
        parse_block();
}

void proxy_parser::parse_line()
{
    std::string_view line = taken_;
    if (!line.ends_with("\r\n"))
        return refuse("version 1: the line does not end in CR LF");
    line.remove_prefix(line_start.size());
    line.remove_suffix(2);
    const auto words = words_of(line);
    if (words[0] == "UNKNOWN") { // whatever follows
        state_ = proxy_state::done;
        return;
    }
    if ((words[0] != "TCP4" && words[0] != "TCP6") || words.size() != 5)
        return refuse("version 1: not \"TCP4\" or \"TCP6\" with two addresses and two ports: "
                      + detail::printable(line));
    const auto family = words[0] == "TCP4" ? address_family::ipv4 : address_family::ipv6;
    const auto source = spelt(family, words[1], words[3]);
    const auto destination = spelt(family, words[2], words[4]);
    if (!source || !destination)
        return refuse("version 1: an address or a port is wrong: " + detail::printable(line));
    header_ = {false, *source, *destination, {}};
    state_ = proxy_state::done;
}

void proxy_parser::parse_block()
{
    const auto version = static_cast<unsigned char>(taken_[12]) >> 4;
    const auto command = static_cast<unsigned char>(taken_[12]) & 15;
    if (version != 2)
        return refuse("version " + std::to_string(version) + " is not known");
    if (command > 1)
        return refuse("version 2: command " + std::to_string(command) + " is not known");
    if (command == 1)
        parse_addresses(static_cast<unsigned char>(taken_[13]),
                        std::string_view(taken_).substr(block_start));
    if (state_ == proxy_state::more)
        state_ = proxy_state::done;
}

void proxy_parser::parse_addresses(unsigned family, std::string_view bytes)
{
    constexpr unsigned unspecified = 0x00, tcp4 = 0x11, tcp6 = 0x21, local = 0x31;
    const std::size_t size = family == tcp4 ? 12 : family == tcp6 ? 36 : family == local ? 216 : 0;
    if (family != unspecified && size == 0)
        return refuse("version 2: family and protocol " + std::to_string(family)
                      + " are not those of a stream");
    if (bytes.size() < size)
        return refuse("version 2: the addresses are cut off");
    const char* at = bytes.data();
    if (family == tcp4)
        header_ = {false, ipv4_of(at, at + 8), ipv4_of(at + 4, at + 10), {}};
    else if (family == tcp6)
        header_ = {false, ipv6_of(at, at + 32), ipv6_of(at + 16, at + 34), {}};
    else if (family == local)
        header_ = {false, unix_of(bytes.substr(0, 108)), unix_of(bytes.substr(108, 108)), {}};
    header_.extra = bytes.substr(size);
}

} // namespace funcptr
