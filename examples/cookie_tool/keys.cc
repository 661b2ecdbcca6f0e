// SPDX-License-Identifier: MIT
#include "keys.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace {

[[noreturn]] void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

std::string read_private(const std::string& path)
{
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0)
        fail(path);
    if ((status.st_mode & 0027) != 0) // as a keyring's file
        throw std::runtime_error(path + ": others may read or write it; chmod 600");
    std::ifstream in(path, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    if (!in.is_open() || in.bad())
        fail(path);
    return text;
}

int digit_of(char each, std::string_view alphabet)
{
    const auto found = alphabet.find(each);
    return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

/// Hex has four bits for each character, base64 six; padding is passed over.
std::string decoded(std::string text, const std::string& encoding, const std::string& source)
{
    if (encoding == "text")
        return text;
    const bool hex = encoding == "hex";
    while (!hex && text.ends_with('='))
        text.pop_back();
    std::string bytes;
    unsigned collected = 0;
    int bits = 0;
    for (char each : text) {
        each = each == '-' ? '+' : each == '_' ? '/' : each;
        const int digit =
            hex ? digit_of(static_cast<char>(std::tolower(static_cast<unsigned char>(each))),
                           "0123456789abcdef")
                : digit_of(each, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789+/");
        if (digit < 0)
            throw std::runtime_error(source + ": a line is not " + encoding);
        collected = collected << (hex ? 4 : 6) | static_cast<unsigned>(digit);
        bits += hex ? 4 : 6;
        if (bits >= 8)
            bytes += static_cast<char>(collected >> (bits -= 8) & 0xFF);
    }
    if (bits >= (hex ? 4 : 6))
        throw std::runtime_error(source + ": a line of " + encoding + " is cut off");
    return bytes;
}

std::vector<std::string> secrets_in(const std::string& text, const std::string& encoding,
                                    const std::string& source)
{
    std::vector<std::string> all;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.ends_with('\r'))
            line.pop_back();
        if (!line.empty())
            all.push_back(decoded(line, encoding, source));
    }
    if (all.empty())
        throw std::runtime_error(source + ": no secret is in it");
    return all;
}

/// What a keyring passes over: empty lines and comments.
bool is_key(const std::string& line)
{
    const auto first = line.find_first_not_of(" \t\r");
    return first != std::string::npos && line[first] != '#';
}

/// The new text, and how many keys went.
std::pair<std::string, std::size_t> rotated(const std::string& old, std::size_t keep)
{
    const std::string added = funcptr::keyring::generate_text() + '\n';
    std::string text;
    std::size_t keys = 0;
    std::size_t dropped = 0;
    std::istringstream lines(old);
    for (std::string line; std::getline(lines, line);) {
        if (is_key(line)) {
            if (++keys == 1)
                text += added; // behind the comment that the file may begin with
            if (keep != 0 && keys >= keep) {
                ++dropped;
                continue;
            }
        }
        text += line + '\n';
    }
    return {text, dropped};
}

/// Written and on the disk, or gone again.
class new_file {
public:
    /// One at a time: whoever comes second fails, and no key is lost.
    new_file(std::string path, const struct stat& like)
        : path_(std::move(path))
        , fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600))
    {
        if (fd_ < 0)
            fail(path_
                 + (errno == EEXIST ? ": another rotation runs, or was cut off; then remove it"
                                    : ""));
        // The owner first: a change of it may take bits of the mode away.
        const bool same =
            ::fchown(fd_, like.st_uid, like.st_gid) == 0 && ::fchmod(fd_, like.st_mode & 0777) == 0;
        if (!same)
            give_up();
    }
    new_file(const new_file&) = delete;
    new_file& operator=(const new_file&) = delete;
    ~new_file()
    {
        if (fd_ >= 0) {
            ::close(fd_);
            ::unlink(path_.c_str());
        }
    }
    void write(std::string_view text)
    {
        while (!text.empty()) {
            const auto count = ::write(fd_, text.data(), text.size());
            if (count < 0 && errno != EINTR)
                give_up();
            text.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
        }
        if (::fsync(fd_) != 0)
            give_up();
    }
    void replace(const std::string& old)
    {
        if (::rename(path_.c_str(), old.c_str()) != 0)
            give_up();
        ::close(std::exchange(fd_, -1));
    }

private:
    [[noreturn]] void give_up()
    {
        const int error = errno;
        ::close(std::exchange(fd_, -1));
        ::unlink(path_.c_str());
        errno = error;
        fail(path_);
    }

    std::string path_;
    int fd_;
};

} // namespace

key_source::key_source(arguments& given)
    : file_(given.take("--keys"))
    , variable_(given.take("--keys-env"))
    , encoding_(take_encoding(given, "--encoding", "text"))
{
    if (file_ && variable_)
        throw std::invalid_argument("one of --keys and --keys-env, not both");
}

funcptr::keyring key_source::ring() const
{
    return file_ ? funcptr::keyring::from_file(*file_)
                 : funcptr::keyring::from_environment(variable_.value().c_str());
}

std::vector<funcptr::dialect_secret> key_source::secrets() const
{
    std::vector<funcptr::dialect_secret> all;
    if (file_) {
        for (const auto& each : secrets_of_file(*file_, encoding_))
            all.emplace_back(each);
        return all;
    }
    const char* const text = std::getenv(variable_.value().c_str());
    if (text == nullptr)
        throw std::runtime_error("there is no environment variable " + *variable_);
    for (const auto& each : secrets_in(text, encoding_, "$" + *variable_))
        all.emplace_back(each);
    return all;
}

std::string take_encoding(arguments& given, const std::string& option, const std::string& otherwise)
{
    return given.take_one_of<std::string>(
        option, {{"text", "text"}, {"hex", "hex"}, {"base64", "base64"}}, otherwise);
}

std::vector<std::string> secrets_of_file(const std::string& path, const std::string& encoding)
{
    return secrets_in(read_private(path), encoding, path);
}

std::string rotate_keys(const std::string& path, std::size_t keep)
{
    // Behind a symbolic link stands the file that is to be replaced.
    const auto file = std::filesystem::canonical(path).string();
    struct stat status = {};
    if (::stat(file.c_str(), &status) != 0)
        fail(file);
    new_file made(file + ".new", status);
    const auto before = funcptr::keyring::from_file(file); // refuses what is not one
    const auto [text, dropped] = rotated(read_private(file), keep);
    made.write(text);
    const auto after = funcptr::keyring::from_file(file + ".new"); // refuses one too many
    made.replace(file);
    std::string told = "added " + std::string(after.id(0)) + ", " + std::to_string(after.size())
                       + (after.size() == 1 ? " key" : " keys");
    for (std::size_t i = before.size() - dropped; i < before.size(); ++i)
        told += ", dropped " + std::string(before.id(i));
    return told;
}
