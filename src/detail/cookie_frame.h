// SPDX-License-Identifier: MIT
//
// cookie_frame.h: what signed_cookie and sealed_cookie have in common: how their texts begin, what
// their times say, and the bounds of their options.
//
//     head     = version key-id "." name-tag "."
//     version  = 3 octets           ; which format it is
//     key-id   = 8 base64url        ; keyring::id(): which key it was made with
//     name-tag = 4 base64url        ; the first 24 bits of SHA-256(name)
//
// The head is what the sender claims. It costs no MAC to look at, and a lie about it earns the
// sender another reason to be refused.
//
// Threads: a frame is never changed. Lifetime: what is split points into the text.
#pragma once

#include <funcptr/signed_cookie.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base64.h"

namespace funcptr::detail {

inline constexpr std::size_t version_size = 3;
inline constexpr std::size_t key_id_size = 8;
inline constexpr std::size_t name_tag_size = 4;
inline constexpr std::size_t key_id_at = version_size;
inline constexpr std::size_t name_tag_at = key_id_at + key_id_size + 1;
inline constexpr std::size_t head_size = name_tag_at + name_tag_size + 1;

/// When it was issued and when it ends, 5 octets each: seconds since 1970, big-endian; an end of 0
/// is none.
inline constexpr std::size_t times_size = 10;
inline constexpr std::int64_t last_second =
    8'589'934'591; // 2^33 - 1, in 2242: a time_point holds it

std::int64_t to_seconds(std::chrono::system_clock::time_point time) noexcept;

/// Whether it is the default one, system_clock::now. Where whole seconds are all that is wanted
/// that is read by time(2), which does not ask the processor's counter: a tenth of the price, which
/// is a twentieth of a short cookie's. It may be late by a tick of the kernel, 4 ms.
bool is_system_clock(const std::function<std::chrono::system_clock::time_point()>& clock) noexcept;

/// out: times_size bytes.
void put_times(std::int64_t issued, std::int64_t expires, std::byte* out) noexcept;
/// Into issued and expires. False for times that nobody writes.
bool take_times(const std::byte* in, cookie_facts& facts) noexcept;

cookie_status to_status(decoded how) noexcept;

/// One name, one keyring, and the options.
class cookie_frame {
public:
    /// who: what a refusal begins with. Throws as the codecs' constructors do.
    cookie_frame(const std::string& who, std::string name, const keyring& keys,
                 cookie_options options);

    const std::string& name() const noexcept { return name_; }
    const keyring& keys() const noexcept { return keys_; }
    const cookie_options& options() const noexcept { return options_; }
    /// The longest text.
    std::size_t room() const noexcept { return options_.max_size - name_.size(); }
    std::int64_t now() const noexcept;

    /// The head of what the current key makes. REQUIRES: out has room for head_size.
    void put_head(std::string_view version, char* out) const noexcept;

    /// Whether the text begins with three octets and a head's dots.
    static bool has_head(std::string_view text) noexcept
    {
        return text.size() >= head_size && text[name_tag_at - 1] == '.'
               && text[head_size - 1] == '.';
    }
    /// Which key the head names. ok, unknown_key, wrong_name, or malformed for an id or a tag that
    /// are none. REQUIRES: has_head(text).
    cookie_status look_up(std::string_view text, std::size_t& key) const noexcept;

    /// The times that sign() writes: now, and the end that a lifetime gives.
    /// Throws std::invalid_argument for a lifetime that is not above 0.
    void put_times_of(std::optional<std::chrono::seconds> lifetime, std::byte* out) const;
    /// ok, not_yet_valid or expired; when ok also whether to issue it anew, and why.
    cookie_status check_times(cookie_facts& facts) const noexcept;
    /// The verdict as a sentence.
    std::string reason(const cookie_facts& facts) const;

    /// Throws funcptr::error (errc::limit) when it has more bytes than max_data.
    void check_size(std::string_view data, std::size_t max_data) const;

private:
    using tag_text = std::array<char, name_tag_size>;
    using id_text = std::array<char, key_id_size>;

    std::string who_, name_;
    keyring keys_;
    cookie_options options_;
    bool system_time_ = false; // options_.clock is the default
    tag_text tag_{};
    std::vector<id_text> ids_; // the keyring's, side by side
};

} // namespace funcptr::detail
