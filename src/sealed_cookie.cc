// SPDX-License-Identifier: MIT
//
// The sealed format, version 1 (docs/cookie-format.md has the reasons and known answers):
//
//     cookie  = version key-id "." name-tag "." body
//     version = "e1." / "e2."         ; AES-256-GCM / ChaCha20-Poly1305
//     body    = base64url(salt nonce tag sealed)
//     salt    = 12 octets             ; random
//     nonce   = 12 octets             ; random
//     tag     = 16 octets
//     sealed  = AEAD(derived, nonce, plain), the associated data being the cookie's name
//     plain   = issued expires size data *NUL
//     issued  = 5 octets              ; seconds since 1970, big-endian
//     expires = 5 octets              ; the same; 0: none
//     size    = 2 octets              ; of the data, big-endian
//     derived = HKDF-SHA256(key, no salt, info = "funcptr sealed cookie " version salt)
//
// key-id and name-tag are signed_cookie's (detail/cookie_frame.h). They need no place in the
// associated data: a text with another key's id is opened with that key and fails, and one whose
// tag is not the name's is not opened at all. The version is in the derived key.
//
// The tag stands before what it covers, so that a text is opened in one pass, in pieces, on the
// stack: what comes out is put into the caller's room at once, and overwritten if the tag does not
// hold.
#include <funcptr/sealed_cookie.h>

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include "detail/aead.h"
#include "detail/base64.h"
#include "detail/cookie_frame.h"
#include "detail/hmac.h"

namespace funcptr {

namespace {

using detail::head_size;
using detail::times_size;
using std::chrono::seconds;

constexpr std::size_t salt_size = 12;
constexpr std::size_t nonce_at = salt_size;
constexpr std::size_t tag_at = nonce_at + detail::aead_nonce_size;
constexpr std::size_t sealed_at = tag_at + detail::aead_tag_size;
constexpr std::size_t inner_size = times_size + 2; // the times, and the data's size
constexpr std::size_t least_bytes = sealed_at + inner_size;

// A body is decoded in pieces. The first holds all that is fixed, and then whole groups of three.
constexpr std::size_t first_text = 72;
constexpr std::size_t first_bytes = 54;
static_assert(detail::base64url_bytes(first_text) == first_bytes && first_bytes >= least_bytes);
constexpr std::size_t piece_text = 4096; // the default's largest cookie needs only one
constexpr std::size_t piece_bytes = piece_text / 4 * 3;

constexpr std::size_t most_padding = 4096;

/// One cipher under one key of the keyring.
struct sealing_key {
    detail::hkdf_sha256 derive;

    sealing_key(std::span<const std::byte> key, std::string_view version)
        : derive(key, {}, "funcptr sealed cookie " + std::string(version))
    {
    }
};

struct cipher_facts {
    std::string_view version;
    detail::aead_cipher cipher;
};
/// In the order of sealed_cipher.
constexpr std::array<cipher_facts, 2> ciphers{{
    {"e1.", detail::aead_cipher::aes_256_gcm},
    {"e2.", detail::aead_cipher::chacha20_poly1305},
}};

/// ciphers.size(): none has this version.
std::size_t cipher_of(std::string_view value) noexcept
{
    std::size_t i = 0;
    while (i < ciphers.size() && !value.starts_with(ciphers[i].version))
        ++i;
    return i;
}

/// A key that is overwritten when it goes.
struct derived_key {
    detail::mac_sha256 bytes{};

    derived_key() = default;
    derived_key(const derived_key&) = delete;
    derived_key& operator=(const derived_key&) = delete;
    ~derived_key() { detail::wipe(bytes); }
};

cookie_options as_cookie_options(const sealed_options& options)
{
    return {.max_age = options.max_age,
            .skew = options.skew,
            .max_size = options.max_size,
            .clock = options.clock};
}

/// Where the data goes while it is decrypted: as much as there is room for, and whether all that is
/// behind it is zeros.
class data_sink {
public:
    explicit data_sink(std::span<char> out) noexcept
        : out_(out)
    {
    }

    void expect(std::size_t size) noexcept { size_ = size; }
    void take(std::span<const std::byte> plain) noexcept
    {
        const auto mine = std::min(plain.size(), size_ - std::min(size_, taken_));
        if (fits() && mine != 0)
            std::memcpy(out_.data() + taken_, plain.data(), mine);
        for (const auto byte : plain.subspan(mine))
            odd_ |= byte;
        taken_ += plain.size();
    }
    bool fits() const noexcept { return size_ <= out_.size(); }
    std::size_t size() const noexcept { return size_; }
    /// Whether there was so much data and only zeros behind it.
    bool whole() const noexcept { return taken_ >= size_ && odd_ == std::byte{0}; }
    void wipe() noexcept
    {
        if (fits())
            detail::wipe(std::as_writable_bytes(out_.first(std::min(size_, taken_))));
    }

private:
    std::span<char> out_;
    std::size_t size_ = 0;
    std::size_t taken_ = 0;
    std::byte odd_{0};
};

} // namespace

struct sealed_cookie::inside {
    detail::cookie_frame frame;
    sealed_options options;
    std::array<std::vector<sealing_key>, ciphers.size()> keys; // for each cipher, as the keyring

    std::size_t most_plain() const noexcept
    {
        return detail::base64url_bytes(frame.room() - head_size) - sealed_at;
    }
    std::span<const std::byte> aad() const noexcept
    {
        return std::as_bytes(std::span(frame.name()));
    }
    cookie_status decrypt(std::string_view body, std::size_t cipher, std::size_t key,
                          cookie_facts& facts, data_sink& sink) const noexcept;
    cookie_facts open(std::string_view value, data_sink& sink) const noexcept;
};

sealed_cookie::sealed_cookie(std::string name, const keyring& keys, sealed_options options)
{
    if (options.pad_to < 1 || options.pad_to > most_padding)
        throw std::invalid_argument("sealed_cookie: pad_to is not within 1 to 4,096 bytes");
    const auto chosen = static_cast<std::size_t>(options.cipher);
    if (chosen >= ciphers.size())
        throw std::invalid_argument("sealed_cookie: there is no such cipher");
    if (!detail::aead_has(ciphers[chosen].cipher))
        throw error(errc::bad_configuration, "sealed_cookie: this OpenSSL has not the cipher");
    detail::cookie_frame frame("sealed_cookie", std::move(name), keys, as_cookie_options(options));
    const auto made = std::make_shared<inside>(inside{std::move(frame), std::move(options), {}});
    for (std::size_t cipher = 0; cipher < ciphers.size(); ++cipher)
        for (std::size_t i = 0; i < keys.size(); ++i)
            made->keys[cipher].emplace_back(keys.key(i), ciphers[cipher].version);
    inside_ = made;
}

const std::string& sealed_cookie::name() const noexcept
{
    return inside_->frame.name();
}

const sealed_options& sealed_cookie::options() const noexcept
{
    return inside_->options;
}

std::size_t sealed_cookie::max_data() const noexcept
{
    return inside_->most_plain() - inner_size;
}

// --- seal ---------------------------------------------------------------------------------------

std::string sealed_cookie::seal(std::string_view data, std::optional<seconds> lifetime) const
{
    const auto& frame = inside_->frame;
    frame.check_size(data, max_data());
    const auto pad_to = inside_->options.pad_to;
    const auto padded = (inner_size + data.size() + pad_to - 1) / pad_to * pad_to;
    const auto plain_size = std::min(padded, inside_->most_plain());

    std::vector<std::byte> bytes(sealed_at + plain_size);
    const auto all = std::span(bytes);
    const auto plain = all.subspan(sealed_at);
    frame.put_times_of(lifetime, plain.data());
    plain[times_size] = static_cast<std::byte>(data.size() >> 8);
    plain[times_size + 1] = static_cast<std::byte>(data.size());
    std::copy_n(std::as_bytes(std::span(data)).begin(), data.size(), plain.begin() + inner_size);

    if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(tag_at)) != 1)
        throw error(std::make_error_code(std::errc::resource_unavailable_try_again),
                    "sealed_cookie: the system has no randomness");
    const auto cipher = static_cast<std::size_t>(inside_->options.cipher);
    derived_key key;
    if (!inside_->keys[cipher][0].derive.expand(all.first(salt_size), key.bytes)
        || !detail::aead_seal(ciphers[cipher].cipher, key.bytes,
                              all.subspan(nonce_at, detail::aead_nonce_size), inside_->aad(), plain,
                              plain, all.subspan<tag_at, detail::aead_tag_size>())) {
        detail::wipe(bytes);
        throw std::bad_alloc();
    }
    std::string text(head_size + detail::base64url_size(bytes.size()), '\0');
    frame.put_head(ciphers[cipher].version, text.data());
    detail::encode_base64url(bytes, text.data() + head_size);
    return text;
}

// --- open ---------------------------------------------------------------------------------------

/// REQUIRES: the body has least_bytes.
cookie_status sealed_cookie::inside::decrypt(std::string_view body, std::size_t cipher,
                                             std::size_t key, cookie_facts& facts,
                                             data_sink& sink) const noexcept
{
    std::array<std::byte, piece_bytes> room;
    auto text = body.substr(0, first_text);
    auto piece = std::span(room).first(detail::base64url_bytes(text.size()));
    if (const auto how = detail::decode_base64url(text, piece); how != detail::decoded::ok)
        return detail::to_status(how);
    derived_key derived;
    if (!keys[cipher][key].derive.expand(piece.first(salt_size), derived.bytes))
        return cookie_status::bad_signature; // out of memory: not known to be ours
    detail::aead_opening opening(ciphers[cipher].cipher, derived.bytes,
                                 piece.subspan(nonce_at, detail::aead_nonce_size), aad(),
                                 piece.subspan<tag_at, detail::aead_tag_size>());
    piece = piece.subspan(sealed_at);
    opening.update(piece, piece);
    // Not authenticated yet: the size only says how much is kept, within the room that there is.
    std::array<std::byte, inner_size> inner;
    std::copy_n(piece.begin(), inner_size, inner.begin());
    sink.expect(std::to_integer<std::size_t>(inner[times_size]) << 8
                | std::to_integer<std::size_t>(inner[times_size + 1]));
    sink.take(piece.subspan(inner_size));

    for (body.remove_prefix(text.size()); !body.empty(); body.remove_prefix(text.size())) {
        text = body.substr(0, piece_text);
        piece = std::span(room).first(detail::base64url_bytes(text.size()));
        if (const auto how = detail::decode_base64url(text, piece); how != detail::decoded::ok)
            return detail::to_status(how);
        opening.update(piece, piece);
        sink.take(piece);
    }
    if (!opening.finish())
        return cookie_status::bad_signature;
    return sink.whole() && detail::take_times(inner.data(), facts) ? cookie_status::ok
                                                                   : cookie_status::malformed;
}

cookie_facts sealed_cookie::inside::open(std::string_view value, data_sink& sink) const noexcept
{
    cookie_facts facts;
    if (value.size() > frame.room()) {
        facts.status = cookie_status::too_long;
        return facts;
    }
    const auto cipher = cipher_of(value);
    if (cipher == ciphers.size() || !detail::cookie_frame::has_head(value)
        || value.size() < head_size + detail::base64url_size(least_bytes))
        return facts;
    std::size_t key = 0;
    facts.status = frame.look_up(value, key);
    if (!facts)
        return facts;
    facts.status = decrypt(value.substr(head_size), cipher, key, facts, sink);
    if (facts) {
        facts.key_index = key;
        facts.status = frame.check_times(facts);
    }
    if (!facts) {
        sink.wipe();
        return facts;
    }
    facts.size = sink.size();
    if (facts.advice.empty() && cipher != static_cast<std::size_t>(options.cipher)) {
        facts.reissue = true;
        facts.advice = "sealed with the other cipher: send a fresh one";
    }
    return facts;
}

cookie_facts sealed_cookie::open(std::string_view value, std::span<char> out) const noexcept
{
    data_sink sink(out);
    const auto facts = inside_->open(value, sink);
    if (!facts || sink.fits())
        return facts;
    cookie_facts refused;
    refused.status = cookie_status::too_long;
    refused.size = facts.size;
    return refused;
}

cookie_verdict sealed_cookie::open(std::string_view value) const
{
    // Most fit; what does not is opened once more when it is known to be ours, and how large.
    std::array<char, piece_bytes> room;
    data_sink sink(room);
    cookie_verdict verdict;
    static_cast<cookie_facts&>(verdict) = inside_->open(value, sink);
    if (verdict && sink.fits())
        verdict.data.assign(room.data(), verdict.size);
    else if (verdict) {
        verdict.data.resize(verdict.size);
        static_cast<cookie_facts&>(verdict) = open(value, verdict.data);
        if (!verdict)
            verdict.data.clear(); // it expired in between
    }
    verdict.reason = inside_->frame.reason(verdict);
    return verdict;
}

} // namespace funcptr
