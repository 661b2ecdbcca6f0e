// SPDX-License-Identifier: MIT
//
// iron-session 8: a seal of iron-webcrypto. From their dist/index.js and @hapi/iron:
//
//     cookie = covered "*" salt "*" base64url(HMAC-SHA256(key(salt), covered)) "~2"
//     covered = "Fe26.2*" password-id "*" salt "*" base64url(iv) "*"
//               base64url(AES-256-CBC(key(salt), iv, data)) "*" expiry
//     key(salt) = PBKDF2-HMAC-SHA1(password, the salt's hex text, one iteration, 32 bytes)
//     expiry    = milliseconds since 1970, or nothing
//
// One iteration of PBKDF2 is two MACs with the same key: they are prepared once.
#include <funcptr/cookie_dialects.h>

#include <stdexcept>

#include "detail/dialect_cipher.h"
#include "detail/dialect_codec.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

constexpr std::string_view prefix = "Fe26.2", token_version = "~2";
constexpr base64_form form{.reader = base64_reader::node};
constexpr std::size_t key_size = 32, mac_bytes = 32, iv_size = 16, salt_size = 64;
constexpr std::size_t longest_salt = 128;
constexpr std::int64_t their_skew_ms = 60'000;

struct parts {
    std::string_view id, seal_salt, iv, sealed, expiry, mac_salt, mac, covered;
};

/// lenient: as JavaScript's parseInt() reads what stands behind the first "~".
bool take_version(std::string_view& value, bool lenient) noexcept
{
    const auto tilde = value.find('~');
    if (tilde == value.npos)
        return false;
    auto version = value.substr(tilde);
    value = value.substr(0, tilde);
    if (!lenient)
        return version == token_version;
    version.remove_prefix(1);
    version = version.substr(0, version.find('~'));
    while (version.starts_with(' ') || version.starts_with('0') || version.starts_with('+'))
        version.remove_prefix(1);
    return version.starts_with('2')
           && (version.size() == 1 || version[1] < '0' || version[1] > '9');
}

bool split(std::string_view value, bool lenient, parts& out) noexcept
{
    std::array<std::string_view, 8> fields;
    if (!take_version(value, lenient))
        return false;
    auto rest = value;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto star = rest.find('*');
        if ((star == rest.npos) != (i + 1 == fields.size()))
            return false;
        fields[i] = rest.substr(0, star);
        rest.remove_prefix(std::min(fields[i].size() + 1, rest.size()));
    }
    if (fields[0] != prefix)
        return false;
    out = {fields[1], fields[2], fields[3], fields[4], fields[5], fields[6], fields[7], {}};
    out.covered = value.substr(0, value.size() - out.mac_salt.size() - out.mac.size() - 2);
    return out.seal_salt.size() <= longest_salt && out.mac_salt.size() <= longest_salt;
}

/// Empty: none. Nothing: not one.
std::optional<std::int64_t> read_expiry(std::string_view text) noexcept
{
    if (text.empty())
        return std::numeric_limits<std::int64_t>::max();
    while (text.size() > 1 && text.starts_with('0'))
        text.remove_prefix(1);
    return parse_decimal(text);
}

bool is_id(std::string_view id) noexcept
{
    return !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
               || (c >= 'A' && c <= 'Z');
    });
}

class iron_codec final : public dialect_codec {
public:
    iron_codec(const std::vector<iron_password>& passwords, dialect_options options)
        : dialect_codec({.dialect = "iron_session",
                         .default_name = "iron-session",
                         .max_age = std::chrono::hours(24 * 14),
                         .has_lifetime = true},
                        std::move(options), false)
        , keys_(mac_hash::sha1)
    {
        const auto refuse = [](const std::string& why) {
            throw error(errc::bad_key, "dialects::iron_session: " + why);
        };
        if (passwords.empty() || passwords.size() > keyring::most)
            refuse("there are no passwords, or more than " + std::to_string(keyring::most));
        for (const auto& password : passwords) {
            if (password.secret.is_short())
                refuse("a password has 32 bytes or more, and this one "
                       + std::to_string(password.secret.bytes().size()));
            if (!is_id(password.id))
                refuse("an id has letters, digits and underscores");
            if (find(password.id) != ids_.size())
                refuse("an id is there twice");
            ids_.push_back(password.id);
            keys_.add(password.secret.bytes());
        }
    }

private:
    std::size_t find(std::string_view id) const noexcept
    {
        return static_cast<std::size_t>(std::find(ids_.begin(), ids_.end(), id) - ids_.begin());
    }

    using key = std::array<std::byte, 40>; // two SHA-1, of which 32 bytes count

    /// PBKDF2 of one iteration: each block is the MAC over the salt and the block's number.
    bool derive(std::size_t index, std::string_view salt, key& out) const noexcept
    {
        std::array<char, longest_salt + 4> text{};
        const auto end = std::copy(salt.begin(), salt.end(), text.begin());
        bool good = true;
        for (const char block : {'\1', '\2'}) {
            end[3] = block;
            good = good
                   && keys_.at(index).compute({text.data(), salt.size() + 4},
                                              std::span(out).subspan(block == '\1' ? 0 : 20, 20));
        }
        return good;
    }

    bool mac_of(std::size_t index, const parts& cookie, std::span<std::byte> out) const
    {
        key derived{};
        if (!derive(index, cookie.mac_salt, derived))
            return false;
        const prepared_hmac mac(byte_span(derived).first(key_size), {});
        wipe(derived);
        return mac.compute(cookie.covered, out);
    }

    cookie_status check_mac(const parts& cookie, std::size_t index) const
    {
        std::array<std::byte, mac_bytes> given{}, expected{};
        if (cookie.mac.size() != base64url_size(mac_bytes))
            return cookie_status::malformed;
        if (const auto how = decode_base64url(cookie.mac, given); how != decoded::ok)
            return to_status(how);
        return mac_of(index, cookie, expected) && equal_in_constant_time(given, expected)
                   ? cookie_status::ok
                   : cookie_status::bad_signature;
    }

    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        parts cookie;
        if (!split(value, lenient(), cookie))
            return;
        const auto index = find(cookie.id);
        out.status = index == ids_.size() ? cookie_status::unknown_key : check_mac(cookie, index);
        if (!out)
            return;
        out.key_index = index;
        const auto expiry = read_expiry(cookie.expiry);
        if (!expiry) {
            out.status = cookie_status::malformed;
            return;
        }
        if (!cookie.expiry.empty())
            judge_expiry(*expiry, out);
        if (out)
            decrypt(cookie, index, out);
    }

    void judge_expiry(std::int64_t expiry_ms, dialect_verdict& out) const
    {
        using std::chrono::milliseconds;
        const auto most = last_second * 1000;
        out.expires = time_point(milliseconds(std::min(expiry_ms, most)));
        const auto now_ms = std::chrono::floor<milliseconds>(now()).time_since_epoch().count();
        if (expiry_ms <= now_ms - their_skew_ms)
            out.status = cookie_status::expired;
    }

    void decrypt(const parts& cookie, std::size_t index, dialect_verdict& out) const
    {
        std::string iv, sealed;
        key derived{};
        out.status = to_status(decode_base64(cookie.iv, iv, form, lenient()));
        if (out)
            out.status = to_status(decode_base64(cookie.sealed, sealed, form, lenient()));
        if (out && (iv.size() != iv_size || !derive(index, cookie.seal_salt, derived)))
            out.status = cookie_status::malformed;
        // A padding that is wrong says what a wrong MAC says.
        if (out
            && !aes_decrypt(block_mode::cbc, byte_span(derived).first(key_size), bytes_of(iv),
                            bytes_of(sealed), out.data))
            out.status = cookie_status::bad_signature;
        wipe(derived);
    }

    std::string random_salt() const
    {
        std::array<std::byte, salt_size / 2> bytes{};
        std::string hex;
        fill_randomly(bytes);
        append_hex(hex, bytes);
        return hex;
    }

    std::string make(std::string_view data, const issue_facts& facts) const override
    {
        parts cookie;
        std::array<std::byte, iv_size> iv{};
        key derived{};
        const auto seal_salt = random_salt();
        fill_randomly(iv);
        std::string text = std::string(prefix) + "*" + ids_.front() + "*" + seal_salt + "*";
        append_base64(text, iv, form);
        if (!derive(0, seal_salt, derived))
            throw std::bad_alloc();
        const auto sealed =
            aes_encrypt(block_mode::cbc, byte_span(derived).first(key_size), iv, bytes_of(data));
        wipe(derived);
        append_base64(text += "*", bytes_of(sealed), form);
        text += "*" + expiry_text(facts);
        const auto mac_salt = random_salt();
        std::array<std::byte, mac_bytes> mac{};
        cookie.covered = text;
        cookie.mac_salt = mac_salt;
        if (!mac_of(0, cookie, mac))
            throw std::bad_alloc();
        append_base64(text.append("*").append(mac_salt) += "*", mac, form);
        return text.append(token_version);
    }

    std::string expiry_text(const issue_facts& facts) const
    {
        const auto lifetime = facts.lifetime.value_or(max_age());
        if (lifetime == std::chrono::seconds(0))
            return {};
        const auto ms = std::chrono::floor<std::chrono::milliseconds>(end_of(lifetime));
        return std::to_string(ms.time_since_epoch().count());
    }

    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        parts cookie;
        if (!split(value, true, cookie))
            return;
        const auto expiry = read_expiry(cookie.expiry);
        if (!expiry)
            return;
        out.add("password id", cookie.id);
        out.add("encryption salt", cookie.seal_salt);
        out.add("iv", cookie.iv);
        out.add("encrypted", cookie.sealed);
        if (cookie.expiry.empty())
            out.add("expires", "never");
        else
            out.add_time("expires", *expiry / 1000);
        out.add("mac salt", cookie.mac_salt);
        out.add("mac", cookie.mac);
    }

    std::vector<std::string> ids_;
    mac_keys keys_; // the passwords, for PBKDF2
};

} // namespace

cookie_dialect iron_session(std::vector<iron_password> passwords, dialect_options options)
{
    return make_dialect<iron_codec>(passwords, std::move(options));
}

} // namespace funcptr::dialects
