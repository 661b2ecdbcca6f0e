// SPDX-License-Identifier: MIT
//
// Fernet. From its specification (github.com/fernet/spec) and cryptography's fernet.py:
//
//     token   = base64url_padded( covered HMAC-SHA256(first half of the key, covered) )
//     covered = 0x80 time(8, big-endian) iv(16) AES-128-CBC(second half of the key, iv, data)
//
// The MAC goes before the decryption, and a padding that is wrong though the MAC has held says what
// a wrong MAC says: bad_signature.
#include <funcptr/cookie_dialects.h>

#include "detail/dialect_cipher.h"
#include "detail/dialect_codec.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

constexpr base64_form form{.padded = true, .reader = base64_reader::python};
constexpr std::byte version{0x80};
constexpr std::size_t iv_at = 9, sealed_at = 25, mac_bytes = 32, half = 16;
constexpr std::chrono::seconds their_skew(60);

secret_bytes read_key(byte_span text)
{
    secret_bytes room(base64_room(text.size()));
    std::size_t size = 0;
    // The padding is not the point of a key.
    auto key = text_of(text);
    while (key.ends_with('='))
        key.remove_suffix(1);
    const auto how =
        decode_base64(key, room.writable(), size, {.reader = base64_reader::exact}, false);
    if (how != decoded::ok || size != 2 * half)
        throw error(
            errc::bad_key,
            "dialects::fernet: a secret is the base64url text of 32 bytes, and this is not");
    return join({byte_span(room).first(size)});
}

class fernet_codec final : public dialect_codec {
public:
    fernet_codec(const dialect_secrets& secrets, dialect_options options)
        : dialect_codec(
            {.dialect = "fernet", .default_name = "AIOHTTP_SESSION", .whole_seconds = true},
            std::move(options), false)
        , macs_(mac_hash::sha256)
    {
        for (const auto& secret : secrets.all()) {
            const auto key = read_key(secret.bytes());
            macs_.add(byte_span(key).first(half));
            ciphers_.push_back(join({byte_span(key).subspan(half)}));
        }
    }

private:
    static bool is_one(byte_span token) noexcept
    {
        return token.size() >= sealed_at + half + mac_bytes && token[0] == version
               && (token.size() - sealed_at - mac_bytes) % half == 0;
    }
    static std::int64_t time_of(byte_span token) noexcept
    {
        std::uint64_t value = 0;
        for (std::size_t i = 1; i < iv_at; ++i)
            value = value << 8 | std::to_integer<std::uint64_t>(token[i]);
        return static_cast<std::int64_t>(std::min<std::uint64_t>(value, last_second));
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        scratch room;
        std::size_t size = 0;
        out.status = to_status(decode_base64(value, room.bytes, size, form, lenient()));
        if (!out)
            return;
        const auto token = byte_span(room.bytes).first(size);
        if (!is_one(token)) {
            out.status = cookie_status::malformed;
            return;
        }
        const auto covered = token.first(size - mac_bytes);
        if (!macs_.verify(text_of(covered), token.last(mac_bytes), out.key_index)) {
            out.status = cookie_status::bad_signature;
            return;
        }
        out.issued = from_seconds(time_of(token));
        judge_age(out);
        if (out && options().skew == std::chrono::seconds(0) && max_age() > std::chrono::seconds(0)
            && out.issued > from_seconds(to_seconds(now())) + their_skew)
            out.status = cookie_status::not_yet_valid;
        if (out
            && !aes_decrypt(block_mode::cbc, ciphers_[out.key_index], token.subspan(iv_at, half),
                            covered.subspan(sealed_at), out.data))
            out.status = cookie_status::bad_signature;
    }

    std::string make(std::string_view data, const issue_facts&) const override
    {
        std::array<std::byte, sealed_at> head{version};
        auto time = now_second();
        for (std::size_t i = iv_at; i-- > 1; time >>= 8)
            head[i] = static_cast<std::byte>(time);
        const auto iv = std::span(head).subspan(iv_at);
        fill_randomly(iv);
        std::string token(text_of(head));
        token += aes_encrypt(block_mode::cbc, ciphers_.front(), iv, bytes_of(data));
        std::array<std::byte, longest_mac> room{};
        token += text_of(macs_.make(token, room));
        std::string text;
        append_base64(text, bytes_of(token), form);
        return text;
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        scratch room;
        std::size_t size = 0;
        if (decode_base64(value, room.bytes, size, form, true) != decoded::ok)
            return;
        const auto token = byte_span(room.bytes).first(size);
        if (!is_one(token))
            return;
        out.add_time("issued", time_of(token));
        out.add_bytes("iv", token.subspan(iv_at, half));
        out.add_bytes("encrypted", token.subspan(sealed_at, size - sealed_at - mac_bytes));
        out.add_bytes("mac", token.last(mac_bytes));
    }

    mac_keys macs_;
    std::vector<secret_bytes> ciphers_;
};

} // namespace

cookie_dialect fernet(const dialect_secrets& secrets, dialect_options options)
{
    return make_dialect<fernet_codec>(secrets, std::move(options));
}

} // namespace funcptr::dialects
