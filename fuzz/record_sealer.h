// SPDX-License-Identifier: MIT
//
// record_sealer.h: TLS 1.3 records of any content, sealed as the peer itself would seal them.
//
// OpenSSL sends no nonsense, so a fuzzer that spoils its records only ever meets the authentication
// tag. This one takes the traffic secret from the key log and seals what it likes (RFC 8446, 5.2
// and 7.3): handshake messages that come at the wrong time, empty records, unknown types.
#pragma once

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace fuzz {

/// HKDF-Expand-Label with an empty context, SHA-256 (RFC 8446, 7.1).
inline std::string expand_label(const std::string& secret, std::string_view label, std::size_t size)
{
    std::string info{static_cast<char>(size >> 8), static_cast<char>(size),
                     static_cast<char>(6 + label.size())};
    info.append("tls13 ").append(label).push_back('\0');
    static EVP_KDF* const hkdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(hkdf),
                                                                            &EVP_KDF_CTX_free);
    std::string digest = "SHA256";
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    std::string key = secret;
    const std::array<OSSL_PARAM, 5> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.data(), key.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
        OSSL_PARAM_construct_end()};
    std::string out(size, '\0');
    if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()), out.size(),
                       parameters.data())
        != 1)
        std::abort();
    return out;
}

/// The secret that the key log line "LABEL client_random secret" names, in hex.
inline std::string secret_of(std::string_view line, std::string_view label)
{
    if (!line.starts_with(label))
        return {};
    const auto hex = line.substr(line.rfind(' ') + 1);
    std::string secret;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        secret.push_back(
            static_cast<char>(std::strtol(std::string(hex.substr(i, 2)).c_str(), nullptr, 16)));
    return secret;
}

/// Seals with TLS_AES_128_GCM_SHA256 under one traffic secret.
class record_sealer {
public:
    /// first: the number of the first record, 0 after the handshake unless some were sent.
    explicit record_sealer(const std::string& traffic_secret, std::uint64_t first = 0)
        : key_(expand_label(traffic_secret, "key", 16))
        , iv_(expand_label(traffic_secret, "iv", 12))
        , next_(first)
    {
    }

    std::string seal(std::uint8_t type, std::string_view content)
    {
        std::string plain(content);
        plain.push_back(static_cast<char>(type));
        const std::size_t size = plain.size() + tag_size;
        std::string record{23, 3, 3, static_cast<char>(size >> 8), static_cast<char>(size)};
        std::string nonce = iv_;
        for (std::size_t i = 0; i < 8; ++i)
            nonce[11 - i] = static_cast<char>(nonce[11 - i] ^ static_cast<char>(next_ >> (8 * i)));
        ++next_;
        return record + encrypt(nonce, record, plain);
    }

private:
    static constexpr std::size_t tag_size = 16;

    std::string encrypt(const std::string& nonce, const std::string& header,
                        const std::string& plain) const
    {
        const auto bytes = [](const std::string& text) {
            return reinterpret_cast<const unsigned char*>(text.data());
        };
        const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
            EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
        std::string out(plain.size() + tag_size, '\0');
        auto* const to = reinterpret_cast<unsigned char*>(out.data());
        int size = 0;
        if (EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, bytes(key_), bytes(nonce))
                != 1
            || EVP_EncryptUpdate(context.get(), nullptr, &size, bytes(header),
                                 static_cast<int>(header.size()))
                   != 1
            || EVP_EncryptUpdate(context.get(), to, &size, bytes(plain),
                                 static_cast<int>(plain.size()))
                   != 1
            || EVP_EncryptFinal_ex(context.get(), to + plain.size(), &size) != 1
            || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_size,
                                   to + plain.size())
                   != 1)
            std::abort();
        return out;
    }

    std::string key_;
    std::string iv_;
    std::uint64_t next_;
};

} // namespace fuzz
