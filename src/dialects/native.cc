// SPDX-License-Identifier: MIT
//
// signed_cookie and sealed_cookie as dialects among the others.
#include <funcptr/cookie_dialects.h>

#include "detail/dialect_codec.h"

namespace funcptr::dialects {

namespace {

using namespace funcptr::detail;

template <typename Codec>
dialect_options options_of(const Codec& codec)
{
    dialect_options options;
    options.name = codec.name();
    options.max_size = std::min(codec.options().max_size, longest_cookie);
    options.max_age = codec.options().max_age;
    options.skew = codec.options().skew;
    options.clock = codec.options().clock;
    return options;
}

/// The parts between the dots, of which there must be as many as there is room.
bool split(std::string_view value, std::span<std::string_view> parts) noexcept
{
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto dot = value.find('.');
        if ((dot == value.npos) != (i + 1 == parts.size()))
            return false;
        parts[i] = value.substr(0, dot);
        value.remove_prefix(std::min(parts[i].size() + 1, value.size()));
    }
    return true;
}

class native_codec final : public dialect_codec {
public:
    explicit native_codec(const signed_cookie& codec)
        : dialect_codec({.dialect = "native", .default_name = nullptr, .has_lifetime = true},
                        options_of(codec), false)
        , codec_(codec)
    {
    }

private:
    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        static_cast<cookie_verdict&>(out) = codec_.verify(value);
    }
    std::string make(std::string_view data, const issue_facts& facts) const override
    {
        return codec_.sign(data, facts.lifetime);
    }
    /// docs/cookie-format.md has the grammar.
    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        constexpr std::size_t times = 10;
        std::array<std::string_view, 5> parts;
        std::string body;
        if (!split(value, parts) || parts[0] != "f1"
            || decode_base64(parts[3], body, {}, false) != decoded::ok || body.size() < times)
            return;
        const auto seconds = [&](std::size_t at) {
            std::int64_t value_of = 0;
            for (const auto byte : bytes_of(body).subspan(at, times / 2))
                value_of = value_of << 8 | std::to_integer<std::int64_t>(byte);
            return value_of;
        };
        out.add("format", parts[0]);
        out.add("key id", parts[1]);
        out.add("name tag", parts[2]);
        out.add_time("issued", seconds(0));
        if (seconds(times / 2) == 0)
            out.add("expires", "never");
        else
            out.add_time("expires", seconds(times / 2));
        out.add("data", std::string_view(body).substr(times));
        out.add("mac", parts[4]);
    }

    signed_cookie codec_;
};

class sealed_codec final : public dialect_codec {
public:
    explicit sealed_codec(const sealed_cookie& codec)
        : dialect_codec({.dialect = "sealed", .default_name = nullptr, .has_lifetime = true},
                        options_of(codec), false)
        , codec_(codec)
    {
    }

private:
    void open(std::string_view value, std::string_view, dialect_verdict& out) const override
    {
        static_cast<cookie_verdict&>(out) = codec_.open(value);
    }
    std::string make(std::string_view data, const issue_facts& facts) const override
    {
        return codec_.seal(data, facts.lifetime);
    }
    void lay_open(std::string_view value, cookie_fields& out) const override
    {
        constexpr std::size_t salt = 12, nonce = 12, tag = 16;
        std::array<std::string_view, 4> parts;
        std::string body;
        if (!split(value, parts) || (parts[0] != "e1" && parts[0] != "e2")
            || decode_base64(parts[3], body, {}, false) != decoded::ok
            || body.size() < salt + nonce + tag)
            return;
        const auto bytes = bytes_of(body);
        out.add("format", parts[0]);
        out.add("cipher", parts[0] == "e1" ? "AES-256-GCM" : "ChaCha20-Poly1305");
        out.add("key id", parts[1]);
        out.add("name tag", parts[2]);
        out.add_bytes("salt", bytes.first(salt));
        out.add_bytes("nonce", bytes.subspan(salt, nonce));
        out.add_bytes("tag", bytes.subspan(salt + nonce, tag));
        out.add_bytes("sealed", bytes.subspan(salt + nonce + tag));
    }

    sealed_cookie codec_;
};

} // namespace

cookie_dialect native(const signed_cookie& codec)
{
    return make_dialect<native_codec>(codec);
}

cookie_dialect sealed(const sealed_cookie& codec)
{
    return make_dialect<sealed_codec>(codec);
}

} // namespace funcptr::dialects
