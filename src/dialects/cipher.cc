// SPDX-License-Identifier: MIT
#include "detail/dialect_cipher.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <new>

namespace funcptr::detail {

namespace {

using bytes = std::span<const std::byte>;

const EVP_CIPHER* cipher_of(block_mode mode, std::size_t key_size) noexcept
{
    const bool cbc = mode == block_mode::cbc;
    switch (key_size) {
    case 16:
        return cbc ? EVP_aes_128_cbc() : EVP_aes_128_ctr();
    case 24:
        return cbc ? EVP_aes_192_cbc() : EVP_aes_192_ctr();
    case 32:
        return cbc ? EVP_aes_256_cbc() : EVP_aes_256_ctr();
    default:
        return nullptr;
    }
}

const unsigned char* octets(bytes from) noexcept
{
    return reinterpret_cast<const unsigned char*>(from.data());
}

struct free_context {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};

/// False when the last block's padding is wrong, or the sizes are.
bool run(bool encrypt, block_mode mode, bytes key, bytes iv, bytes in, std::string& out)
{
    const std::unique_ptr<EVP_CIPHER_CTX, free_context> context(EVP_CIPHER_CTX_new());
    const auto* const cipher = cipher_of(mode, key.size());
    if (!context || cipher == nullptr || iv.size() != 16
        || EVP_CipherInit_ex2(context.get(), cipher, octets(key), octets(iv), encrypt ? 1 : 0,
                              nullptr)
               != 1)
        throw std::bad_alloc();
    out.resize(in.size() + 16);
    auto* const to = reinterpret_cast<unsigned char*>(out.data());
    int first = 0, last = 0;
    ERR_set_mark();
    const bool good =
        EVP_CipherUpdate(context.get(), to, &first, octets(in), static_cast<int>(in.size())) == 1
        && EVP_CipherFinal_ex(context.get(), to + first, &last) == 1;
    ERR_pop_to_mark(); // a wrong padding is an answer, and no error of this thread
    out.resize(good ? static_cast<std::size_t>(first + last) : 0);
    return good;
}

} // namespace

std::string aes_encrypt(block_mode mode, bytes key, bytes iv, bytes plain)
{
    std::string sealed;
    if (!run(true, mode, key, iv, plain, sealed))
        throw std::bad_alloc();
    return sealed;
}

bool aes_decrypt(block_mode mode, bytes key, bytes iv, bytes sealed, std::string& plain)
{
    return run(false, mode, key, iv, sealed, plain);
}

} // namespace funcptr::detail
