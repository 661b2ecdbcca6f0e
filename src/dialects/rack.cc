// SPDX-License-Identifier: MIT
//
// Rack's sessions. From rack-session's encryptor.rb and Rack 2.2's session/cookie.rb:
//
//     version 2 = base64url_padded( 0x02 salt(32) iv(12) tag(16) sealed )
//       sealed, tag = AES-256-GCM(HMAC-SHA256(secret[0..31], salt), iv, 0x02 salt purpose, plain)
//     version 1 = base64url_padded( covered HMAC-SHA256(secret[32..], covered purpose) )
//       covered = 0x01 salt(32) iv(16) AES-256-CTR(HMAC-SHA256(secret[0..31], salt), iv, plain)
//     plain     = size of the padding(2, little-endian) padding data
//     Rack 2    = base64_padded(data) "--" hex(HMAC-SHA1(secret, base64_padded(data)))
#include <funcptr/cookie_dialects.h>

#include <stdexcept>

#include "detail/aead.h"
#include "detail/dialect_cipher.h"
#include "detail/dialect_codec.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

constexpr base64_form url{.padded = true, .reader = base64_reader::ruby_url};
constexpr std::size_t head_size = 33, key_half = 32, shortest_secret = 64;
constexpr std::size_t iv_v1 = 16, mac_v1 = 32;
constexpr std::size_t sealed_v2 = head_size + aead_nonce_size + aead_tag_size;
constexpr std::size_t longest_purpose = 512;

class rack_codec final : public dialect_codec {
public:
    rack_codec(const dialect_secrets& secrets, rack_format format, dialect_options options)
        : dialect_codec({.dialect = "rack_session",
                         .default_name = "rack.session",
                         .escape = format.escaped ? escaping::form : escaping::none},
                        std::move(options), false)
        , format_(std::move(format))
        , ciphers_(mac_hash::sha256)
        , macs_(mac_hash::sha256)
    {
        if (format_.purpose.size() > longest_purpose)
            throw std::invalid_argument("dialects::rack_session: the purpose has more than "
                                        + std::to_string(longest_purpose) + " bytes");
        if (format_.pad_size != 0 && (format_.pad_size < 2 || format_.pad_size > 4096))
            throw std::invalid_argument(
                "dialects::rack_session: pad_size is 0, or within 2 to 4,096");
        for (const auto& secret : secrets.all()) {
            const auto bytes = secret.bytes();
            if (bytes.size() < shortest_secret)
                throw error(errc::bad_key, "dialects::rack_session: a secret has 64 bytes or "
                                           "more, and this one "
                                               + std::to_string(bytes.size()));
            ciphers_.add(bytes.first(key_half));
            macs_.add(bytes.subspan(key_half));
        }
    }

private:
    using key = std::array<std::byte, 32>;

    bool derive(std::size_t index, byte_span salt, key& out) const noexcept
    {
        return ciphers_.at(index).compute(text_of(salt), out);
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        scratch room;
        std::size_t size = 0;
        out.status = to_status(decode_base64(value, room.bytes, size, url, lenient()));
        if (!out)
            return;
        const auto token = std::span(room.bytes).first(size);
        out.status = cookie_status::malformed;
        if (size >= sealed_v2 && token[0] == std::byte{2})
            open_v2(token, out);
        else if (size >= head_size + iv_v1 + mac_v1 && token[0] == std::byte{1})
            open_v1(token, out);
    }

    void open_v2(byte_span token, dialect_verdict& out) const
    {
        scratch room;
        std::array<std::byte, head_size + longest_purpose> aad_room{};
        const auto aad = std::span(aad_room).first(head_size + format_.purpose.size());
        std::copy_n(token.begin(), head_size, aad.begin());
        std::copy_n(bytes_of(format_.purpose).begin(), format_.purpose.size(),
                    aad.begin() + head_size);
        const auto sealed = token.subspan(sealed_v2);
        const auto plain = std::span(room.bytes).first(sealed.size());
        for (std::size_t i = 0; i < ciphers_.count(); ++i) {
            key derived{};
            const bool held =
                derive(i, token.subspan(1, head_size - 1), derived)
                && aead_open(aead_cipher::aes_256_gcm, derived,
                             token.subspan(head_size, aead_nonce_size), aad, sealed,
                             token.subspan(head_size + aead_nonce_size).first<aead_tag_size>(),
                             plain);
            wipe(derived);
            if (!held)
                continue;
            out.key_index = i;
            read(text_of(plain), out);
            return;
        }
        out.status = cookie_status::bad_signature;
    }

    /// The purpose is signed behind what is covered: it is put in the place of the MAC.
    void open_v1(byte_span token, dialect_verdict& out) const
    {
        std::array<std::byte, longest_cookie + longest_purpose> room;
        const auto covered = token.first(token.size() - mac_v1);
        const auto end = std::copy(covered.begin(), covered.end(), room.begin());
        const auto purpose = bytes_of(format_.purpose);
        std::copy(purpose.begin(), purpose.end(), end);
        const auto text = text_of(byte_span(room).first(covered.size() + purpose.size()));
        if (!macs_.verify(text, token.last(mac_v1), out.key_index)) {
            out.status = cookie_status::bad_signature;
            return;
        }
        key derived{};
        std::string plain;
        const bool good = derive(out.key_index, token.subspan(1, head_size - 1), derived)
                          && aes_decrypt(block_mode::ctr, derived, token.subspan(head_size, iv_v1),
                                         covered.subspan(head_size + iv_v1), plain);
        wipe(derived);
        if (good)
            read(plain, out);
        else
            out.status = cookie_status::malformed;
    }

    void read(std::string_view plain, dialect_verdict& out) const
    {
        out.status = cookie_status::malformed;
        if (plain.size() < 2)
            return;
        const auto padding = static_cast<std::size_t>(static_cast<unsigned char>(plain[0]))
                             | static_cast<std::size_t>(static_cast<unsigned char>(plain[1])) << 8;
        if (padding > plain.size() - 2)
            return;
        const auto data = plain.substr(2 + padding);
        if (is_marshal(data) && !format_.unsafe_marshal)
            return;
        out.status = cookie_status::ok;
        out.data = data;
    }

    std::string make(std::string_view data, const issue_facts&) const override
    {
        if (is_marshal(data) && !format_.unsafe_marshal)
            throw std::invalid_argument("dialects::rack_session: the data begin as Ruby's "
                                        "Marshal's do, which is unsafe_marshal's");
        std::size_t padding = 0;
        if (format_.pad_size != 0)
            padding = format_.pad_size - (2 + data.size()) % format_.pad_size;
        std::string plain(2 + padding, '\0');
        plain[0] = static_cast<char>(padding & 255);
        plain[1] = static_cast<char>(padding >> 8);
        fill_randomly(std::as_writable_bytes(std::span(plain)).subspan(2));
        plain += data;

        std::string token(sealed_v2 + plain.size(), '\0');
        const auto bytes = std::as_writable_bytes(std::span(token));
        bytes[0] = std::byte{2};
        fill_randomly(bytes.subspan(1, head_size - 1));
        const auto nonce = bytes.subspan(head_size, aead_nonce_size);
        fill_randomly(nonce);
        const auto aad = token.substr(0, head_size) + format_.purpose;
        key derived{};
        const bool good =
            derive(0, bytes.subspan(1, head_size - 1), derived)
            && aead_seal(aead_cipher::aes_256_gcm, derived, nonce, bytes_of(aad), bytes_of(plain),
                         bytes.subspan(sealed_v2),
                         bytes.subspan(head_size + aead_nonce_size).first<aead_tag_size>());
        wipe(derived);
        if (!good)
            throw std::bad_alloc();
        std::string text;
        append_base64(text, bytes, url);
        return text;
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        std::string token;
        if (decode_base64(value, token, url, true) != decoded::ok || token.empty())
            return;
        const auto bytes = bytes_of(token);
        if (token[0] == '\2' && token.size() >= sealed_v2) {
            out.add("version", "2");
            out.add_bytes("salt", bytes.subspan(1, head_size - 1));
            out.add_bytes("iv", bytes.subspan(head_size, aead_nonce_size));
            out.add_bytes("tag", bytes.subspan(head_size + aead_nonce_size, aead_tag_size));
            out.add_bytes("encrypted", bytes.subspan(sealed_v2));
        } else if (token[0] == '\1' && token.size() >= head_size + iv_v1 + mac_v1) {
            const auto body = head_size + iv_v1;
            out.add("version", "1");
            out.add_bytes("salt", bytes.subspan(1, head_size - 1));
            out.add_bytes("iv", bytes.subspan(head_size, iv_v1));
            out.add_bytes("encrypted", bytes.subspan(body, bytes.size() - body - mac_v1));
            out.add_bytes("mac", bytes.last(mac_v1));
        }
    }

    rack_format format_;
    mac_keys ciphers_, macs_;
};

} // namespace

cookie_dialect rack_session(const dialect_secrets& secrets, rack_format format,
                            dialect_options options)
{
    return make_dialect<rack_codec>(secrets, std::move(format), std::move(options));
}

} // namespace funcptr::dialects
