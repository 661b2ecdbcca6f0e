// SPDX-License-Identifier: MIT
//
// A MAC in hex, and the data as they stand: Beaker (beaker/session.py, SignedCookie), and the
// article's format, which has a space between them.
#include <funcptr/cookie_dialects.h>

#include <stdexcept>

#include "detail/dialect_codec.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

class prefix_hex_codec final : public dialect_codec {
public:
    /// quoted: the peer takes quotes off both ends of all it reads, as often as there are.
    prefix_hex_codec(const dialect_traits& traits, const dialect_secrets& secrets,
                     dialect_options options, mac_hash hash, std::string_view separator,
                     bool quoted)
        : dialect_codec(traits, std::move(options), secrets.any_short())
        , separator_(separator)
        , quoted_(quoted)
        , keys_(hash)
    {
        for (const auto& secret : secrets.all())
            keys_.add(secret.bytes());
    }

private:
    bool split(std::string_view value, std::string_view& hex, std::string_view& data) const noexcept
    {
        const auto size = 2 * keys_.size();
        if (value.size() < size || !value.substr(size).starts_with(separator_))
            return false;
        hex = value.substr(0, size);
        data = value.substr(size + separator_.size());
        return true;
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        std::string_view hex, data;
        std::array<std::byte, longest_mac> room{};
        const auto mac = std::span(room).first(keys_.size());
        if (quoted_ && (value.starts_with('"') || value.ends_with('"'))) {
            if (!lenient()) {
                out.status = cookie_status::non_canonical;
                return;
            }
            const auto first = value.find_first_not_of('"');
            value = first == value.npos
                        ? std::string_view()
                        : value.substr(first, value.find_last_not_of('"') - first + 1);
        }
        if (!split(value, hex, data))
            return;
        out.status = to_status(decode_hex(hex, mac));
        if (!out)
            return;
        if (keys_.verify(data, mac, out.key_index))
            out.data = data;
        else
            out.status = cookie_status::bad_signature;
    }

    std::string make(std::string_view data, const issue_facts&) const override
    {
        if (quoted_ && data.ends_with('"'))
            throw std::invalid_argument("dialects::" + dialect()
                                        + ": the peer would take the quote off the data's end");
        std::string text;
        std::array<std::byte, longest_mac> room{};
        append_hex(text, keys_.make(data, room));
        return text.append(separator_).append(data);
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        std::string_view hex, data;
        std::array<std::byte, longest_mac> room{};
        if (!split(value, hex, data)
            || decode_hex(hex, std::span(room).first(keys_.size())) != decoded::ok)
            return;
        out.add("mac", hex);
        out.add("data", data);
    }

    std::string_view separator_;
    bool quoted_;
    mac_keys keys_;
};

} // namespace

cookie_dialect article(const dialect_secrets& secrets, dialect_options options)
{
    return make_dialect<prefix_hex_codec>(dialect_traits{.dialect = "article", .default_name = "s"},
                                          secrets, std::move(options), mac_hash::sha256, " ",
                                          false);
}

cookie_dialect beaker_legacy_sha1(const dialect_secrets& secrets, dialect_options options)
{
    return make_dialect<prefix_hex_codec>(
        dialect_traits{.dialect = "beaker_legacy_sha1", .default_name = "beaker.session.id"},
        secrets, std::move(options), mac_hash::sha1, "", true);
}

} // namespace funcptr::dialects
