// SPDX-License-Identifier: MIT
//
// dialect_codec.h: what a family of dialects derives from, and the pieces that it is made of.
//
// A family says how a cookie is opened and made; everything that they have in common is done here,
// once: names, bounds, escaping for URLs, ages, advice, words. open() keeps to the order of the
// price: nothing of ours is allocated before the signature has held, no cipher is asked before
// that, and no byte of what was signed is parsed before it either.
#pragma once

#include <funcptr/cookie_dialect.h>

#include <algorithm>
#include <array>
#include <optional>

#include "cookie_frame.h"
#include "dialect_base64.h"
#include "hmac.h"

namespace funcptr::detail {

using time_point = std::chrono::system_clock::time_point;
using byte_span = std::span<const std::byte>;

inline byte_span bytes_of(std::string_view text) noexcept
{
    return std::as_bytes(std::span(text));
}
inline std::string_view text_of(byte_span bytes) noexcept
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// No cookie is longer, nor what one decodes to.
inline constexpr std::size_t longest_cookie = 8192;
/// Room on the stack for a cookie that must be decoded before its signature can be looked at.
struct scratch {
    scratch() noexcept {} // leaves it as it is: 8 KiB of zeros would cost as much as a MAC
    std::array<std::byte, longest_cookie> bytes;
};

// --- keys ---------------------------------------------------------------------------------------

/// Bytes that are wiped.
class secret_bytes {
public:
    secret_bytes() = default;
    explicit secret_bytes(std::size_t size)
        : bytes_(size)
    {
    }
    secret_bytes(secret_bytes&& from) noexcept = default;
    secret_bytes& operator=(secret_bytes&& from) noexcept
    {
        std::swap(bytes_, from.bytes_);
        return *this;
    }
    ~secret_bytes();

    operator byte_span() const noexcept { return bytes_; }
    std::span<std::byte> writable() noexcept { return bytes_; }

private:
    std::vector<std::byte> bytes_;
};

/// The texts one behind the other.
secret_bytes join(std::initializer_list<byte_span> parts);
/// Their hash. Throws std::bad_alloc.
secret_bytes digest(mac_hash hash, std::initializer_list<byte_span> parts);
/// Throws std::bad_alloc.
secret_bytes hmac_key(mac_hash hash, byte_span key, byte_span text);
secret_bytes pbkdf2(mac_hash hash, byte_span password, std::string_view salt, int rounds,
                    std::size_t size);

constexpr mac_hash to_mac_hash(cookie_hash hash) noexcept
{
    return static_cast<mac_hash>(hash); // in the same order
}
static_assert(to_mac_hash(cookie_hash::sha512) == mac_hash::sha512);

/// One MAC key for each secret, the current one first.
class mac_keys {
public:
    explicit mac_keys(mac_hash hash)
        : hash_(hash)
    {
    }
    /// The MACs will be over prefix + text.
    void add(byte_span key, std::string_view prefix = {})
    {
        keys_.emplace_back(key, prefix, hash_);
    }

    std::size_t size() const noexcept { return mac_size(hash_); }
    std::size_t count() const noexcept { return keys_.size(); }
    /// Whether `mac` is that of a key over text; then sets which.
    bool verify(std::string_view text, byte_span mac, std::size_t& index) const noexcept;
    bool verify_by(std::size_t index, std::string_view text, byte_span mac) const noexcept;
    /// By the current key. Throws std::bad_alloc.
    std::span<const std::byte> make(std::string_view text,
                                    std::array<std::byte, longest_mac>& room) const;
    const prepared_hmac& at(std::size_t index) const noexcept { return keys_[index]; }

private:
    mac_hash hash_;
    std::vector<prepared_hmac> keys_;
};

// --- texts --------------------------------------------------------------------------------------

void append_hex(std::string& out, byte_span bytes);
/// Lower-case digits alone. REQUIRES: out.size() * 2 == hex.size().
decoded decode_hex(std::string_view hex, std::span<std::byte> out) noexcept;

/// A decimal number without a sign or a leading zero, below 10^18.
std::optional<std::int64_t> parse_decimal(std::string_view text) noexcept;

enum class escaping : std::uint8_t {
    none,
    uri_component, ///< encodeURIComponent()
    form,          ///< application/x-www-form-urlencoded: Ruby's
};
std::string escape(std::string_view text, escaping how);
/// Into out, of which `size` says how much. ok, non_canonical (escaped otherwise than escape()
/// would) or malformed. REQUIRES: out.size() >= text.size().
decoded unescape(std::string_view text, std::span<std::byte> out, std::size_t& size,
                 escaping how) noexcept;

// --- time ---------------------------------------------------------------------------------------

/// A time after last_second counts as that one, and one before 1970 as 1970: so differences hold.
time_point from_seconds(std::int64_t seconds) noexcept;
inline time_point last_time() noexcept
{
    return from_seconds(last_second);
}

// --- zlib ---------------------------------------------------------------------------------------

/// As zlib.compress() of Python. Throws std::bad_alloc.
std::string deflate(std::string_view data);
/// ok; too_long beyond `most`; malformed. Throws std::bad_alloc.
cookie_status inflate(byte_span data, std::string& out, std::size_t most);

// --- the codec ----------------------------------------------------------------------------------

/// What a family knows of itself before it has its options.
struct dialect_traits {
    const char* dialect;
    const char* default_name; ///< null: it must be given
    std::chrono::seconds max_age = {};
    escaping escape = escaping::none;
    std::size_t longest_value = longest_cookie; ///< the peer's own bound
    bool issues = true;
    bool has_lifetime = false, has_created = false; ///< of issue_facts
    bool two_cookies = false;
    bool whole_seconds = false;  ///< the peer leaves out the fraction of the time
    bool refuses_future = false; ///< the peer takes nothing from the future
};

class cookie_fields {
public:
    void add(const char* name, std::string_view text); ///< what is not printable as \xNN
    void add_bytes(const char* name, byte_span bytes); ///< as hex
    void add_time(const char* name, std::int64_t seconds);
    std::vector<cookie_field> all;
};

class dialect_codec {
public:
    /// Throws std::invalid_argument for a name or options out of their bounds.
    dialect_codec(const dialect_traits& traits, dialect_options options, bool short_secret);
    dialect_codec(const dialect_codec&) = delete;
    dialect_codec& operator=(const dialect_codec&) = delete;
    virtual ~dialect_codec() = default;

    const std::string& dialect() const noexcept { return dialect_; }
    const std::string& name() const noexcept { return options_.name; }
    const std::string& signature_name() const noexcept { return signature_name_; }
    bool issues() const noexcept { return traits_.issues; }

    dialect_verdict verify(std::string_view value, std::string_view signature) const;
    std::string sign(std::string_view data, const issue_facts& facts) const;
    virtual std::string signature_of(std::string_view value) const;
    std::vector<cookie_field> explain(std::string_view value) const;

protected:
    /// Sets the status, and with an authentic one the key, the times and the data. It begins as
    /// malformed.
    virtual void open(std::string_view value, std::string_view signature,
                      dialect_verdict& out) const = 0;
    virtual std::string make(std::string_view data, const issue_facts& facts) const = 0;
    /// Nothing when it is not of this format.
    virtual void lay_open(std::string_view value, cookie_fields& out) const = 0;

    /// Sets the status by the age of a genuine cookie.
    void judge_age(dialect_verdict& verdict) const;
    /// 1970 to last_second, whatever the clock says: so differences hold.
    time_point now() const { return std::clamp(options_.clock(), time_point(), last_time()); }
    /// When a lifetime that begins now is over; at the latest at last_second.
    time_point end_of(std::chrono::seconds lifetime) const;
    /// The same in whole seconds: what is issued says it.
    std::int64_t now_second() const;
    void fill_randomly(std::span<std::byte> out) const;
    std::chrono::seconds max_age() const noexcept { return max_age_; }

    const dialect_options& options() const noexcept { return options_; }
    bool lenient() const noexcept { return options_.lenient; }

private:
    void check_options() const;
    void finish(dialect_verdict& verdict) const;
    std::string reason(const dialect_verdict& verdict) const;

    dialect_traits traits_;
    dialect_options options_;
    std::string dialect_;
    std::string signature_name_;
    std::chrono::seconds max_age_;
    std::size_t longest_value_;
    bool short_secret_;
    bool system_time_;
};

template <class Codec, class... Arguments>
cookie_dialect make_dialect(Arguments&&... arguments)
{
    return cookie_dialect(std::make_shared<const Codec>(std::forward<Arguments>(arguments)...));
}

/// Whether Ruby's Marshal made them.
inline bool is_marshal(std::string_view data) noexcept
{
    return data.starts_with("\x04\x08");
}

} // namespace funcptr::detail
