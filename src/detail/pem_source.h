// SPDX-License-Identifier: MIT
//
// pem_source.h: a PEM text and where it came from, so that an error can say where. Knows no TLS
// library.
//
// Everything here throws funcptr::error naming the option and the file.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include "funcptr/error.h"
#include "funcptr/socket.h"

namespace funcptr::detail {

/// A text and where it came from, e.g. `key_file "server.key"`.
struct pem_source {
    std::string origin;
    std::string text;

    bool empty() const noexcept { return text.empty(); }
    bool holds(std::string_view what) const noexcept
    {
        return text.find(what) != std::string::npos;
    }
    /// The line, counted from 1, on which the next object of that kind begins; kind: the words
    /// after BEGIN, the first of them at least.
    std::size_t line_of(std::string_view kind, std::size_t from = 0) const
    {
        const auto at = text.find("-----BEGIN " + std::string(kind), from);
        const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(at, text.size()));
        return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
    }
};

[[noreturn]] inline void pem_fault(const pem_source& source, const std::string& sentence)
{
    throw error(errc::bad_certificate, source.origin + ": " + sentence);
}

/// The whole file. 16 MiB is the end: the system's whole root bundle is 0.2.
inline std::string read_pem_file(const std::string& path, const std::string& origin)
{
    constexpr std::size_t most = 16 * 1024 * 1024;
    const auto fail = [&](int number) {
        throw error(errno_code(number),
                    "cannot read " + origin + ": " + errno_code(number).message());
    };
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        fail(errno);
    std::string text;
    std::array<char, 16384> block{};
    while (true) {
        const auto got = ::read(file.get(), block.data(), block.size());
        if (got == 0)
            return text;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail(errno);
        text.append(block.data(), static_cast<std::size_t>(got));
        if (text.size() > most)
            throw error(errc::bad_certificate, origin + ": is longer than 16 MiB");
    }
}

/// What a pair of options (`x_file`, `x_pem`) gives; empty when neither is set.
inline pem_source load_pem(const std::string& option, const std::string& file,
                           const std::string& pem)
{
    if (!file.empty() && !pem.empty())
        throw error(errc::bad_configuration,
                    option + "_file and " + option + "_pem are both given: one is enough");
    if (file.empty())
        return {option + "_pem", pem};
    const std::string origin = option + "_file \"" + file + "\"";
    pem_source source{origin, read_pem_file(file, origin)};
    if (source.empty())
        pem_fault(source, "is empty");
    return source;
}

/// Why there is nothing of that kind in it.
[[noreturn]] inline void nothing_found(const pem_source& source, const std::string& wanted)
{
    std::string sentence = "holds no " + wanted;
    if (source.text.front() == '\x30')
        sentence += " (it looks like DER: turn it into PEM by `openssl x509 -inform DER` or "
                    "`openssl pkey -inform DER`)";
    else if (source.holds("PRIVATE KEY-----"))
        sentence += " (it holds a private key)";
    else if (source.holds("BEGIN CERTIFICATE REQUEST"))
        sentence += " (it holds a signing request, not what the CA made of it)";
    else if (source.holds("BEGIN CERTIFICATE"))
        sentence += " (it holds a certificate)";
    else if (!source.holds("-----BEGIN "))
        sentence += " (it is not PEM at all)";
    pem_fault(source, sentence);
}

} // namespace funcptr::detail
