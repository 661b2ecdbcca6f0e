// SPDX-License-Identifier: MIT
#include "detail/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "detail/tls_errors.h"
#include "funcptr/error.h"

namespace funcptr::detail {

namespace {

constexpr std::size_t shortest_secret = 32; // as strong as what is made of it

struct kdf_free {
    void operator()(EVP_KDF_CTX* one) const noexcept { EVP_KDF_CTX_free(one); }
};

[[noreturn]] void fail(const char* step)
{
    throw error(errc::bad_configuration, std::string(step) + ": " + error_text());
}

OSSL_PARAM octets(const char* name, const void* bytes, std::size_t size)
{
    return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(bytes), size);
}
OSSL_PARAM text(const char* name, const char* value)
{
    return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0);
}

/// HKDF-SHA256 (RFC 5869): one secret gives name and keys, so that all who know it agree on them.
tls_ticket_key derive(const std::string& secret)
{
    constexpr std::string_view label = "funcptr session ticket v1";
    std::array<unsigned char, 16 + 32 + 32> bytes{};
    EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    const std::unique_ptr<EVP_KDF_CTX, kdf_free> context(EVP_KDF_CTX_new(kdf));
    EVP_KDF_free(kdf);
    const std::array<OSSL_PARAM, 4> parameters{
        text(OSSL_KDF_PARAM_DIGEST, "SHA256"),
        octets(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
        octets(OSSL_KDF_PARAM_INFO, label.data(), label.size()), OSSL_PARAM_construct_end()};
    if (!context
        || EVP_KDF_derive(context.get(), bytes.data(), bytes.size(), parameters.data()) != 1)
        fail("ticket_secrets");
    tls_ticket_key key;
    const unsigned char* from = bytes.data();
    std::copy_n(from, key.name.size(), key.name.begin());
    std::copy_n(from + 16, key.cipher.size(), key.cipher.begin());
    std::copy_n(from + 48, key.mac.size(), key.mac.begin());
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return key;
}

bool fill(tls_ticket_key& key)
{
    return RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1
           && RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1
           && RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1;
}

bool prepare_mac(EVP_MAC_CTX* mac, const tls_ticket_key& key)
{
    const std::array<OSSL_PARAM, 3> parameters{
        octets(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
        text(OSSL_MAC_PARAM_DIGEST, "SHA256"), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

int seal(tls_ticket_keys& keys, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
         EVP_MAC_CTX* mac)
{
    const tls_ticket_key key = keys.sealing(tls_ticket_keys::clock::now());
    std::copy(key.name.begin(), key.name.end(), name);
    const bool done =
        RAND_bytes(iv, EVP_CIPHER_get_iv_length(keys.cipher())) == 1
        && EVP_EncryptInit_ex(cipher, keys.cipher(), nullptr, key.cipher.data(), iv) == 1
        && prepare_mac(mac, key);
    return done ? 1 : -1;
}

int open(const tls_ticket_keys& keys, const unsigned char* name, const unsigned char* iv,
         EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac)
{
    std::size_t age = 0;
    const auto key = keys.opening(name, age);
    if (!key)
        return 0; // not one of ours: a full handshake
    const bool done =
        prepare_mac(mac, *key)
        && EVP_DecryptInit_ex(cipher, keys.cipher(), nullptr, key->cipher.data(), iv) == 1;
    if (!done)
        return -1;
    return age == 0 ? 1 : 2; // 2: give out a new ticket
}

/// SSL_CTX_set_tlsext_ticket_key_evp_cb(3)
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int sealing)
{
    auto& keys = *static_cast<tls_ticket_keys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    try {
        return sealing != 0 ? seal(keys, name, iv, cipher, mac) : open(keys, name, iv, cipher, mac);
    } catch (...) {
        return -1; // no memory, no randomness: this handshake fails, nothing throws through OpenSSL
    }
}

} // namespace

tls_ticket_key::~tls_ticket_key()
{
    OPENSSL_cleanse(cipher.data(), cipher.size());
    OPENSSL_cleanse(mac.data(), mac.size());
}

tls_ticket_keys::tls_ticket_keys(const std::vector<std::string>& secrets)
    : cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr))
    , own_(secrets.empty())
    , made_(clock::now())
{
    if (!cipher_)
        fail("a cipher for session tickets");
    for (const std::string& secret : secrets) {
        if (secret.size() < shortest_secret)
            throw error(errc::bad_configuration,
                        "ticket_secrets[" + std::to_string(&secret - secrets.data()) + "] has "
                            + std::to_string(secret.size()) + " bytes: at least "
                            + std::to_string(shortest_secret) + " random ones are needed");
        keys_.push_back(derive(secret));
    }
    if (own_ && !fill(keys_.emplace_back()))
        fail("a key for session tickets");
}

void tls_ticket_keys::use(SSL_CTX* ctx)
{
    SSL_CTX_set_app_data(ctx, this);
    if (SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1)
        fail("the session tickets");
}

tls_ticket_key tls_ticket_keys::sealing(clock::time_point now)
{
    const std::lock_guard lock(mutex_);
    if (own_ && now - made_ >= own_key_life) {
        tls_ticket_key fresh;
        if (fill(fresh)) { // else the old one goes on
            keys_.resize(1);
            keys_.insert(keys_.begin(), fresh);
            made_ = now;
        }
    }
    return keys_.front();
}

std::unique_ptr<tls_ticket_key> tls_ticket_keys::opening(const unsigned char* name,
                                                         std::size_t& age) const
{
    const std::lock_guard lock(mutex_);
    for (age = 0; age < keys_.size(); ++age)
        if (std::memcmp(keys_[age].name.data(), name, keys_[age].name.size()) == 0)
            return std::make_unique<tls_ticket_key>(keys_[age]);
    return nullptr;
}

} // namespace funcptr::detail
