// SPDX-License-Identifier: MIT
//
// dialect_token.h: the shape that most dialects have: a body, maybe the time, and a MAC over both,
// with separators between them.
//
//     cookie = [prefix] body [separator time] separator mac
#pragma once

#include "dialect_codec.h"

namespace funcptr::detail {

struct token_format {
    enum class stamp : std::uint8_t {
        none,
        base64, ///< big-endian seconds without leading zeros, base64url
        base62, ///< digits 0-9A-Za-z
    };
    enum class body : std::uint8_t {
        raw,        ///< the data
        base64,     ///< of the data
        base64_zlib ///< the same, or "." and that of the compressed data
    };
    std::string separator = ".";
    std::string prefix = {};
    stamp time = stamp::none;
    body carries = body::raw;
    bool compresses = false; ///< when it issues, if that is shorter
    base64_form body_form = {};
    base64_form mac_form = {}; ///< the reader is exact where the peer compares texts
};

class token_codec final : public dialect_codec {
public:
    /// legacy: keys of another hash, whose MACs are taken too; may be of none.
    token_codec(const dialect_traits& traits, dialect_options options, bool short_secret,
                token_format format, mac_keys keys, mac_keys legacy);

private:
    struct parts {
        std::string_view covered, body, time, mac;
    };
    std::size_t last_separator(std::string_view text) const noexcept;
    bool split(std::string_view value, parts& out) const noexcept;
    cookie_status check_mac(const parts& cookie, std::size_t& key) const noexcept;
    std::optional<std::int64_t> read_time(std::string_view text) const noexcept;
    cookie_status read_body(std::string_view text, std::string& data) const;
    std::string write_time() const;
    std::string write_body(std::string_view data) const;

    void open(std::string_view value, std::string_view signature,
              dialect_verdict& out) const override;
    std::string make(std::string_view data, const issue_facts& facts) const override;
    void lay_open(std::string_view value, cookie_fields& out) const override;

    token_format format_;
    mac_keys keys_, legacy_;
};

} // namespace funcptr::detail
