// SPDX-License-Identifier: MIT
//
// keyring.h: the keys that cookies are signed with: one that signs, and retired ones that verify.
//
// Each key has an id that follows from it (48 bits of a MAC made with it), so that a cookie says
// which key signed it and nothing needs to be numbered. To rotate, put a new key in front and keep
// the old ones until the last cookie signed with them has expired.
//
// It does not fetch keys from anywhere, and never prints one: no error quotes what was read.
//
// Threads: may be read from several at once; from_environment() only while no thread changes the
// environment. Lifetime: a value; copies share the bytes, which are wiped when the last one goes.
// One that was moved from may be assigned to or destroyed, nothing else.
//
//     auto keys = funcptr::keyring::from_file("/etc/mine/cookie.keys");
//     funcptr::signed_cookie session("__Host-session", keys);
//
// A key file has one key on a line, base64url without padding, of 32 random bytes or more; the
// first one signs. Empty lines and lines that begin with # are passed over. A new line for it:
//
//     openssl rand -base64 32 | tr '+/' '-_' | tr -d '='
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "export.h"

namespace funcptr {

/// Who may read a key file.
enum class key_file_access {
    private_only, ///< its owner, and its group for reading alone: mode 0640 or less
    any,          ///< whoever: for secrets that a container runtime mounts with mode 0444
};

class FUNCPTR_API keyring {
public:
    /// Bytes of a key. Fewer are refused: HMAC-SHA256 is as strong as its key, and a key must be
    /// random, not a word (RFC 2104, 3). For the secret of another framework: dialect_secret.
    static constexpr std::size_t shortest = 32;
    /// More are refused: it is not a key, but some other file.
    static constexpr std::size_t longest = 1024;
    /// Keys. 64 are years of rotation, and more a mistake.
    static constexpr std::size_t most = 64;

    /// The current key first. Throws funcptr::error (errc::bad_key) when there is none, too many,
    /// or one that is too short, too long or there twice, naming which.
    static keyring from_bytes(const std::vector<std::span<const std::byte>>& keys);
    /// Throws funcptr::error naming file and line: errno's code when it cannot be read,
    /// errc::bad_key for what from_bytes() refuses, a line that is not a key, a file that is not a
    /// plain one, or one that others may read (see key_file_access) or write.
    static keyring from_file(const std::string& path,
                             key_file_access access = key_file_access::private_only);
    /// Keys as in a file, separated by commas or white space. Throws funcptr::error
    /// (errc::bad_key) naming the variable. What the environment holds stays there: it cannot be
    /// wiped. REQUIRES: name is not null.
    static keyring from_environment(const char* name);
    /// One new random key, for a process whose cookies need not outlive it. Throws funcptr::error
    /// (errc::bad_key) when the system has no randomness.
    static keyring generate();
    /// A new random key as a line of a key file, without the line's end.
    static std::string generate_text();

    std::size_t size() const noexcept;
    /// The id of a key, 8 characters of base64url. It is no secret: each cookie shows it.
    /// REQUIRES: index < size().
    std::string_view id(std::size_t index) const noexcept;
    /// The bytes, for those who derive keys from them. Valid while a copy of this keyring lives.
    /// REQUIRES: index < size().
    std::span<const std::byte> key(std::size_t index) const noexcept;
    /// Which key has this id; size() when none has.
    std::size_t find(std::string_view id) const noexcept;

private:
    struct contents;
    explicit keyring(std::shared_ptr<const contents> made) noexcept;
    static keyring from_text(std::string_view text, const std::string& source, bool lines);
    std::shared_ptr<const contents> contents_; // never null, never changed
};

/// The secret of another program's format: of any length but zero, since it is theirs to choose.
/// Wiped when the last copy goes, never printed.
class FUNCPTR_API dialect_secret {
public:
    /// Throws funcptr::error (errc::bad_key) for an empty one.
    explicit dialect_secret(std::string_view secret);
    explicit dialect_secret(std::span<const std::byte> secret);

    /// Valid while a copy of this secret lives.
    std::span<const std::byte> bytes() const noexcept;
    /// Shorter than keyring::shortest: may be guessed from one cookie, if it is a word.
    bool is_short() const noexcept { return bytes().size() < keyring::shortest; }

private:
    struct contents;
    std::shared_ptr<const contents> contents_;
};

} // namespace funcptr
