// SPDX-License-Identifier: MIT
//
// gorilla/securecookie. From its securecookie.go:
//
//     cookie = base64url_padded( time "|" value "|" HMAC(hash key, name "|" time "|" value) )
//     value  = base64url_padded( data | iv(16) AES-CTR(block key, iv, data) )
#include <funcptr/cookie_dialects.h>

#include <stdexcept>

#include "detail/dialect_cipher.h"
#include "detail/dialect_codec.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

constexpr base64_form form{.padded = true, .reader = base64_reader::go};
constexpr std::size_t iv_size = 16;

bool any_short(const std::vector<gorilla_keys>& keys)
{
    return std::any_of(keys.begin(), keys.end(),
                       [](const auto& pair) { return pair.hash_key.is_short(); });
}

struct parts {
    std::string_view time, value, covered;
    byte_span mac;
};

bool split(std::string_view text, parts& out) noexcept
{
    const auto first = text.find('|');
    const auto second = first == text.npos ? first : text.find('|', first + 1);
    if (second == text.npos)
        return false;
    out.time = text.substr(0, first);
    out.value = text.substr(first + 1, second - first - 1);
    out.covered = text.substr(0, second);
    out.mac = bytes_of(text.substr(second + 1));
    return true;
}

class gorilla_codec final : public dialect_codec {
public:
    gorilla_codec(const std::vector<gorilla_keys>& keys, dialect_options options,
                  gorilla_format format)
        : dialect_codec({.dialect = "gorilla",
                         .default_name = nullptr,
                         .max_age = std::chrono::hours(24 * 30),
                         .longest_value = 4096,
                         .whole_seconds = true},
                        std::move(options), any_short(keys))
        , min_age_(format.min_age)
        , macs_(to_mac_hash(format.hash))
    {
        if (keys.empty() || keys.size() > keyring::most)
            throw error(errc::bad_key, "dialects::gorilla: there are no keys, or more than "
                                           + std::to_string(keyring::most));
        if (min_age_ < std::chrono::seconds(0) || min_age_ > std::chrono::hours(24 * 365))
            throw std::invalid_argument("dialects::gorilla: min_age is not within 0 to 365 days");
        for (const auto& pair : keys) {
            macs_.add(pair.hash_key.bytes(), name() + "|");
            const auto block = pair.block_key ? pair.block_key->bytes() : byte_span();
            if (!block.empty() && block.size() != 16 && block.size() != 24 && block.size() != 32)
                throw error(errc::bad_key, "dialects::gorilla: a block key has 16, 24 or 32 bytes, "
                                           "and not "
                                               + std::to_string(block.size()));
            blocks_.push_back(join({block}));
        }
    }

private:
    byte_span block(std::size_t key) const noexcept { return blocks_[key]; }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        scratch room;
        std::size_t size = 0;
        out.status = to_status(decode_base64(value, room.bytes, size, form, lenient()));
        if (!out)
            return;
        parts cookie;
        if (!split(text_of(byte_span(room.bytes).first(size)), cookie)
            || cookie.mac.size() != macs_.size())
            out.status = cookie_status::malformed;
        else if (!macs_.verify(cookie.covered, cookie.mac, out.key_index))
            out.status = cookie_status::bad_signature;
        else
            read(cookie, out);
    }

    void read(const parts& cookie, dialect_verdict& out) const
    {
        const auto time = parse_decimal(cookie.time);
        if (!time) {
            out.status = cookie_status::malformed;
            return;
        }
        out.issued = from_seconds(*time);
        judge_age(out);
        if (min_age_ > std::chrono::seconds(0)
            && out.issued > from_seconds(to_seconds(now())) - min_age_)
            out.status = cookie_status::not_yet_valid;
        if (!out)
            return;
        std::string sealed;
        out.status = to_status(decode_base64(cookie.value, sealed, form, lenient()));
        if (!out)
            return;
        const auto key = block(out.key_index);
        const auto bytes = bytes_of(sealed);
        if (key.empty())
            out.data = std::move(sealed);
        else if (bytes.size() <= iv_size // as there: nothing encrypted is a fault
                 || !aes_decrypt(block_mode::ctr, key, bytes.first(iv_size), bytes.subspan(iv_size),
                                 out.data))
            out.status = cookie_status::malformed;
    }

    std::string make(std::string_view data, const issue_facts&) const override
    {
        std::string sealed(data);
        if (const auto key = block(0); !key.empty()) {
            if (data.empty())
                throw std::invalid_argument("dialects::gorilla: the peer refuses no data at all "
                                            "where they are encrypted");
            std::array<std::byte, iv_size> iv{};
            fill_randomly(iv);
            sealed =
                std::string(text_of(iv)) + aes_encrypt(block_mode::ctr, key, iv, bytes_of(data));
        }
        auto text = std::to_string(now_second()) + "|";
        append_base64(text, bytes_of(sealed), form);
        std::array<std::byte, longest_mac> room{};
        const auto mac = macs_.make(text, room);
        text.append("|").append(text_of(mac));
        std::string cookie;
        append_base64(cookie, bytes_of(text), form);
        return cookie;
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        scratch room;
        std::size_t size = 0;
        parts cookie;
        std::string data;
        if (decode_base64(value, room.bytes, size, form, true) != decoded::ok
            || !split(text_of(byte_span(room.bytes).first(size)), cookie)
            || decode_base64(cookie.value, data, form, true) != decoded::ok)
            return;
        const auto time = parse_decimal(cookie.time);
        if (!time)
            return;
        out.add_time("issued", *time);
        const auto bytes = bytes_of(data);
        if (!block(0).empty() && bytes.size() >= iv_size) {
            out.add_bytes("iv", bytes.first(iv_size));
            out.add_bytes("encrypted", bytes.subspan(iv_size));
        } else {
            out.add("data", data);
        }
        out.add_bytes("mac", cookie.mac);
    }

    std::chrono::seconds min_age_;
    mac_keys macs_;
    std::vector<secret_bytes> blocks_; // empty: not encrypted
};

} // namespace

cookie_dialect gorilla(std::vector<gorilla_keys> keys, dialect_options options,
                       gorilla_format format)
{
    return make_dialect<gorilla_codec>(keys, std::move(options), format);
}

} // namespace funcptr::dialects
