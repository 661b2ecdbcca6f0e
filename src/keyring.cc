// SPDX-License-Identifier: MIT
#include <funcptr/keyring.h>

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "detail/base64.h"
#include "detail/hmac.h"

namespace funcptr {

namespace {

constexpr std::size_t id_bytes = 6;
constexpr std::size_t file_limit = 128 * 1024; // above `most` keys of `longest` bytes

using key_bytes = std::vector<std::byte>;

[[noreturn]] void refuse(const std::string& source, const std::string& why)
{
    throw error(errc::bad_key, source + ": " + why);
}

std::string id_of(const key_bytes& key)
{
    // A MAC of its own, so that the id says nothing of any other that is made with the key.
    const auto mac = detail::hmac(key, "funcptr key id");
    std::string id;
    detail::append_base64url(id, std::span(mac).first(id_bytes));
    return id;
}

/// What was read, until it is forgotten.
class secret_text {
public:
    explicit secret_text(std::size_t limit)
        : bytes_(limit)
    {
    }
    secret_text(const secret_text&) = delete;
    secret_text& operator=(const secret_text&) = delete;
    ~secret_text() { detail::wipe(bytes_); }

    /// Reads to the end or until it is full. errno, 0 when all went well.
    int fill(int fd) noexcept
    {
        while (size_ < bytes_.size()) {
            const auto got = ::read(fd, bytes_.data() + size_, bytes_.size() - size_);
            if (got == 0)
                return 0;
            if (got < 0 && errno != EINTR)
                return errno;
            size_ += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
        }
        return 0;
    }
    bool full() const noexcept { return size_ == bytes_.size(); }
    std::string_view text() const noexcept
    {
        return {reinterpret_cast<const char*>(bytes_.data()), size_};
    }

private:
    key_bytes bytes_;
    std::size_t size_ = 0;
};

struct descriptor {
    int fd;
    explicit descriptor(const std::string& path) noexcept
        // Not blocking: whoever opens a FIFO waits for its writer.
        : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY))
    {
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor()
    {
        if (fd >= 0)
            ::close(fd);
    }
};

std::string_view trim(std::string_view text) noexcept
{
    constexpr std::string_view blanks = " \t\r";
    const auto first = text.find_first_not_of(blanks);
    if (first == text.npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

} // namespace

struct keyring::contents {
    std::vector<key_bytes> keys;
    std::vector<std::string> ids;

    contents() { keys.reserve(most); } // what was wiped has left no copy behind
    contents(const contents&) = delete;
    contents& operator=(const contents&) = delete;
    ~contents()
    {
        for (auto& key : keys)
            detail::wipe(key);
    }

    /// which: "key 2" or "line 7". From the first step on the key is ours, and wiped.
    void add(key_bytes&& key, const std::string& source, const std::string& which)
    {
        if (keys.size() == most) {
            detail::wipe(key);
            refuse(source, "there are more than " + std::to_string(most) + " keys");
        }
        keys.push_back(std::move(key));
        const auto& added = keys.back();
        if (added.size() < shortest)
            refuse(source, which + " has " + std::to_string(added.size()) + " bytes; it needs "
                               + std::to_string(shortest) + " or more, from a random source");
        if (added.size() > longest)
            refuse(source, which + " has " + std::to_string(added.size())
                               + " bytes; a key has no more than " + std::to_string(longest));
        auto id = id_of(added);
        if (std::find(ids.begin(), ids.end(), id) != ids.end())
            refuse(source, which + " is there twice");
        ids.push_back(std::move(id));
    }
};

keyring::keyring(std::shared_ptr<const contents> made) noexcept
    : contents_(std::move(made))
{
}

keyring keyring::from_bytes(const std::vector<std::span<const std::byte>>& keys)
{
    const auto made = std::make_shared<contents>();
    for (const auto& key : keys)
        made->add(key_bytes(key.begin(), key.end()), "keyring",
                  "key " + std::to_string(made->keys.size() + 1));
    if (keys.empty())
        refuse("keyring", "there is no key");
    return keyring(made);
}

keyring keyring::from_text(std::string_view text, const std::string& source, bool lines)
{
    const auto made = std::make_shared<contents>();
    const std::string_view separators = lines ? "\n" : ", \t\r\n";
    std::size_t line = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of(separators), text.size());
        const auto word = trim(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        ++line;
        if (word.empty() || (lines && word.front() == '#'))
            continue;
        const auto which =
            lines ? "line " + std::to_string(line) : "key " + std::to_string(made->keys.size() + 1);
        key_bytes key(detail::base64url_bytes(word.size()));
        if (detail::decode_base64url(word, key) != detail::decoded::ok) {
            detail::wipe(key);
            refuse(source, which + " is not base64url without padding");
        }
        made->add(std::move(key), source, which);
    }
    if (made->keys.empty())
        refuse(source, "there is no key");
    return keyring(made);
}

keyring keyring::from_file(const std::string& path, key_file_access access)
{
    const descriptor file(path);
    struct stat facts {};
    if (file.fd < 0 || ::fstat(file.fd, &facts) != 0) {
        const auto why = errno_code(errno);
        throw error(why, path + ": " + why.message());
    }
    if (!S_ISREG(facts.st_mode))
        refuse(path, "it is not a plain file");
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        refuse(path, "others than its owner may write it; chmod 600 (or 640)");
    if (access == key_file_access::private_only && (facts.st_mode & S_IROTH) != 0)
        refuse(path, "everybody may read it; chmod 600 (or 640)");
    secret_text text(file_limit);
    if (const int failed = text.fill(file.fd); failed != 0)
        throw error(errno_code(failed), path + ": " + errno_code(failed).message());
    if (text.full())
        refuse(path, "it is larger than a key file can be");
    return from_text(text.text(), path, true);
}

keyring keyring::from_environment(const char* name)
{
    const auto source = "$" + std::string(name);
    const char* const value = std::getenv(name);
    if (value == nullptr)
        refuse(source, "it is not set");
    return from_text(value, source, false);
}

keyring keyring::generate()
{
    key_bytes key(shortest);
    if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size()))
        != 1)
        refuse("keyring", "the system has no randomness");
    const auto made = std::make_shared<contents>();
    made->add(std::move(key), "keyring", "key 1");
    return keyring(made);
}

std::string keyring::generate_text()
{
    const auto made = generate();
    std::string text;
    detail::append_base64url(text, made.key(0));
    return text;
}

std::size_t keyring::size() const noexcept
{
    return contents_->keys.size();
}

std::string_view keyring::id(std::size_t index) const noexcept
{
    return contents_->ids[index];
}

std::span<const std::byte> keyring::key(std::size_t index) const noexcept
{
    return contents_->keys[index];
}

std::size_t keyring::find(std::string_view id) const noexcept
{
    const auto& ids = contents_->ids;
    return static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
}

// --- dialect_secret ---------------------------------------------------------------------------

struct dialect_secret::contents {
    key_bytes bytes;

    explicit contents(std::span<const std::byte> secret)
        : bytes(secret.begin(), secret.end())
    {
    }
    contents(const contents&) = delete;
    contents& operator=(const contents&) = delete;
    ~contents() { detail::wipe(bytes); }
};

dialect_secret::dialect_secret(std::span<const std::byte> secret)
{
    if (secret.empty())
        refuse("dialect_secret", "the secret is empty");
    contents_ = std::make_shared<contents>(secret);
}

dialect_secret::dialect_secret(std::string_view secret)
    : dialect_secret(std::as_bytes(std::span(secret)))
{
}

std::span<const std::byte> dialect_secret::bytes() const noexcept
{
    return contents_->bytes;
}

} // namespace funcptr
