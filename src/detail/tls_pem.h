// SPDX-License-Identifier: MIT
//
// tls_pem.h: certificates, keys and revocation lists from PEM, with errors that say where.
//
// Everything here throws funcptr::error naming the option, the file and the line.
#pragma once

#include <fcntl.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "funcptr/error.h"
#include "funcptr/socket.h"
#include "tls_errors.h"

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

/// Takes one object after the other out of a PEM text.
class pem_reader {
public:
    explicit pem_reader(const pem_source& source)
        : source_(source)
        , bio_(BIO_new_mem_buf(source.text.data(), static_cast<int>(std::min<std::size_t>(
                                                       source.text.size(), INT_MAX))))
    {
        if (!bio_)
            throw std::bad_alloc();
    }

    /// read: the PEM_read_bio_X that fits; kind: the words after BEGIN. nullptr at the end.
    template <class Read>
    auto next(Read read, std::string_view kind)
    {
        const auto from = source_.text.size() - BIO_ctrl_pending(bio_.get());
        clear_error_queue();
        auto* object = read(bio_.get(), nullptr, nullptr, nullptr);
        if (object == nullptr && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
            pem_fault(source_, "line " + std::to_string(line_of(kind, from)) + ": " + error_text());
        clear_error_queue();
        return object;
    }

private:
    /// The line, counted from 1, on which the next object of that kind begins.
    std::size_t line_of(std::string_view kind, std::size_t from) const
    {
        const auto at = source_.text.find("-----BEGIN " + std::string(kind), from);
        const auto end =
            source_.text.begin() + static_cast<std::ptrdiff_t>(std::min(at, source_.text.size()));
        return 1 + static_cast<std::size_t>(std::count(source_.text.begin(), end, '\n'));
    }

    const pem_source& source_;
    bio_ptr bio_;
};

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

/// All of them, in order; at least one. The source must not be empty.
inline std::vector<x509_ptr> read_certificates(const pem_source& source)
{
    pem_reader reader(source);
    std::vector<x509_ptr> all;
    while (auto one = x509_ptr(reader.next(PEM_read_bio_X509, "CERTIFICATE")))
        all.push_back(std::move(one));
    if (all.empty())
        nothing_found(source, "certificate");
    return all;
}

inline std::vector<x509_crl_ptr> read_revocation_lists(const pem_source& source)
{
    pem_reader reader(source);
    std::vector<x509_crl_ptr> all;
    while (auto one = x509_crl_ptr(reader.next(PEM_read_bio_X509_CRL, "X509 CRL")))
        all.push_back(std::move(one));
    if (all.empty())
        nothing_found(source, "revocation list");
    return all;
}

struct key_password {
    const std::string& text;
    bool asked = false;
};

/// Answers with the password given. Without this, OpenSSL would ask at the terminal.
inline int answer_password(char* to, int size, int, void* context)
{
    auto& password = *static_cast<key_password*>(context);
    password.asked = true;
    if (password.text.empty() || size < 0 || password.text.size() > static_cast<std::size_t>(size))
        return -1;
    return static_cast<int>(password.text.copy(to, static_cast<std::size_t>(size)));
}

inline key_ptr read_key(const pem_source& source, const std::string& password_text)
{
    const bio_ptr bio(BIO_new_mem_buf(source.text.data(), static_cast<int>(source.text.size())));
    if (!bio)
        throw std::bad_alloc();
    key_password password{password_text};
    clear_error_queue();
    key_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, answer_password, &password));
    const std::string reason = error_text();
    clear_error_queue();
    if (key)
        return key;
    if (!source.holds("PRIVATE KEY-----"))
        nothing_found(source, "private key");
    if (password.asked && password_text.empty())
        pem_fault(source, "the key is encrypted: key_password is missing");
    if (password.asked)
        pem_fault(source, "key_password does not open the key");
    const auto line = std::count(
        source.text.begin(),
        source.text.begin() + static_cast<std::ptrdiff_t>(source.text.find("-----BEGIN")), '\n');
    pem_fault(source, "line " + std::to_string(line + 1) + ": the key cannot be read: " + reason);
}

} // namespace funcptr::detail
