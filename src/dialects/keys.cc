// SPDX-License-Identifier: MIT
//
// Key material: derived once, when a codec is made.
#include "detail/dialect_codec.h"

#include <openssl/evp.h>

#include <new>

namespace funcptr::detail {

namespace {

unsigned char* octets(std::span<std::byte> bytes) noexcept
{
    return reinterpret_cast<unsigned char*>(bytes.data());
}

} // namespace

secret_bytes::~secret_bytes()
{
    wipe(bytes_);
}

secret_bytes join(std::initializer_list<byte_span> parts)
{
    std::size_t size = 0;
    for (const auto part : parts)
        size += part.size();
    secret_bytes joined(size);
    auto to = joined.writable().begin();
    for (const auto part : parts)
        to = std::copy(part.begin(), part.end(), to);
    return joined;
}

secret_bytes digest(mac_hash hash, std::initializer_list<byte_span> parts)
{
    const auto joined = join(parts);
    secret_bytes made(mac_size(hash));
    const byte_span from = joined;
    if (EVP_Digest(from.data(), from.size(), octets(made.writable()), nullptr, digest_of(hash),
                   nullptr)
        != 1)
        throw std::bad_alloc();
    return made;
}

secret_bytes hmac_key(mac_hash hash, byte_span key, byte_span text)
{
    secret_bytes made(mac_size(hash));
    if (!prepared_hmac(key, {}, hash).compute(text_of(text), made.writable()))
        throw std::bad_alloc();
    return made;
}

secret_bytes pbkdf2(mac_hash hash, byte_span password, std::string_view salt, int rounds,
                    std::size_t size)
{
    secret_bytes made(size);
    if (PKCS5_PBKDF2_HMAC(
            reinterpret_cast<const char*>(password.data()), static_cast<int>(password.size()),
            reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
            rounds, digest_of(hash), static_cast<int>(size), octets(made.writable()))
        != 1)
        throw std::bad_alloc();
    return made;
}

bool mac_keys::verify_by(std::size_t index, std::string_view text, byte_span mac) const noexcept
{
    std::array<std::byte, longest_mac> room{};
    const auto expected = std::span(room).first(size());
    return keys_[index].compute(text, expected) && equal_in_constant_time(expected, mac);
}

bool mac_keys::verify(std::string_view text, byte_span mac, std::size_t& index) const noexcept
{
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        if (!verify_by(i, text, mac))
            continue;
        index = i;
        return true;
    }
    return false;
}

byte_span mac_keys::make(std::string_view text, std::array<std::byte, longest_mac>& room) const
{
    const auto mac = std::span(room).first(size());
    if (!keys_.front().compute(text, mac))
        throw std::bad_alloc();
    return mac;
}

} // namespace funcptr::detail

// --- dialect_secrets ----------------------------------------------------------------------------

namespace funcptr {

dialect_secrets::dialect_secrets(dialect_secret one)
    : all_{std::move(one)}
{
}

dialect_secrets::dialect_secrets(std::vector<dialect_secret> newest_first)
    : all_(std::move(newest_first))
{
    if (all_.empty())
        throw error(errc::bad_key, "dialect_secrets: there is none");
    if (all_.size() > keyring::most)
        throw error(errc::bad_key, "dialect_secrets: " + std::to_string(all_.size())
                                       + " are more than " + std::to_string(keyring::most));
}

dialect_secrets::dialect_secrets(std::initializer_list<dialect_secret> newest_first)
    : dialect_secrets(std::vector<dialect_secret>(newest_first))
{
}

bool dialect_secrets::any_short() const noexcept
{
    return std::any_of(all_.begin(), all_.end(), [](const auto& one) { return one.is_short(); });
}

} // namespace funcptr
