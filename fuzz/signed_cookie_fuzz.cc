// SPDX-License-Identifier: MIT
//
// What a stranger can send to verify(), native and the article's. The first byte chooses:
//   0  the bytes are a cookie; 1  they are a change of a genuine one; 2  they are data to sign;
//   3  an article's cookie;    4  base64url.
// Nothing but what sign() made may verify, and nothing of ours is allocated before that.

#include <funcptr/cookie_header.h>
#include <funcptr/signed_cookie.h>

#include "src/detail/base64.h"

#include <openssl/crypto.h>
#include <sanitizer/allocator_interface.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

/// Allocations of this thread that are not OpenSSL's.
thread_local long allocations = 0;

void count(const volatile void*, std::size_t)
{
    ++allocations;
}
void ignore(const volatile void*) {}

void* openssl_malloc(std::size_t size, const char*, int)
{
    --allocations;
    return std::malloc(size);
}
void* openssl_realloc(void* memory, std::size_t size, const char*, int)
{
    --allocations;
    return std::realloc(memory, size);
}
void openssl_free(void* memory, const char*, int)
{
    std::free(memory);
}

void require(bool holds)
{
    if (!holds)
        std::abort();
}

funcptr::keyring make_keys()
{
    std::vector<std::byte> first(32, std::byte{1}), second(64, std::byte{2});
    return funcptr::keyring::from_bytes({first, second});
}

const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));

const funcptr::signed_cookie& codec()
{
    static const funcptr::signed_cookie one("session", make_keys(), {.clock = [] { return now; }});
    return one;
}

/// Both ways to verify agree, and the first of them allocates for a genuine cookie alone.
funcptr::cookie_verdict verify(std::string_view text)
{
    static char out[8192];
    codec(); // made once
    allocations = 0;
    auto verdict = codec().verify(text);
    require(verdict.authentic() || allocations <= 0);
    const auto facts = codec().verify(text, out);
    require(facts.status == verdict.status && facts.size == verdict.size);
    require(verdict.data == std::string_view(out, facts.size));
    require(!verdict.reason.empty() && (verdict || verdict.data.empty()));
    return verdict;
}

void fuzz_text(const std::string& text)
{
    const auto verdict = verify(text);
    if (verdict && !verdict.expires && verdict.issued == now && verdict.key_index == 0)
        require(codec().sign(verdict.data) == text); // one text for each cookie
    const auto any = funcptr::verify_any(codec(), "session=" + text, {.bytes = 1 << 20});
    require(!any || any.data.size() < text.size());
}

void fuzz_change(const std::string& changes)
{
    static const std::string genuine = codec().sign("user=42&role=reader");
    auto text = genuine;
    for (std::size_t i = 0; i + 1 < changes.size(); i += 2)
        text[static_cast<unsigned char>(changes[i]) % text.size()] = changes[i + 1];
    require(verify(text).authentic() == (text == genuine));
}

void fuzz_data(const std::string& data)
{
    if (data.size() > codec().max_data())
        return;
    const auto text = codec().sign(data);
    require(text.size() + codec().name().size() <= codec().options().max_size);
    const auto verdict = verify(text);
    require(verdict && verdict.data == data && verdict.issued == now);
    require(funcptr::verify_any(codec(), "session=x; session=" + text).data == data);
}

void fuzz_article(const std::string& text)
{
    static const funcptr::article_cookie article(funcptr::dialect_secret("SEEKRIT"), 8192);
    allocations = 0;
    const auto verdict = article.verify(text);
    require(verdict || (allocations <= 0 && verdict.data.empty()));
    require(!verdict || article.sign(verdict.data) == text);
    if (text.size() < 8000)
        require(article.verify(article.sign(text)).data == text);
}

void fuzz_base64(const std::string& text)
{
    std::vector<std::byte> bytes(funcptr::detail::base64url_bytes(text.size()));
    std::string again;
    if (funcptr::detail::decode_base64url(text, bytes) == funcptr::detail::decoded::ok) {
        funcptr::detail::append_base64url(again, bytes);
        require(again == text);
    }
}

/// Before OpenSSL allocates anything.
const bool hooked = CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1
                    && __sanitizer_install_malloc_and_free_hooks(count, ignore) != 0;

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    require(hooked);
    if (size == 0)
        return 0;
    const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        fuzz_text(rest);
        break;
    case 1:
        fuzz_change(rest);
        break;
    case 2:
        fuzz_data(rest);
        break;
    case 3:
        fuzz_article(rest);
        break;
    default:
        fuzz_base64(rest);
    }
    return 0;
}
