// SPDX-License-Identifier: MIT
//
// What a stranger can send to sealed_cookie::open(). The first byte chooses:
//   0  the bytes are a cookie; 1  they are a change of a genuine one's characters; 2  they are a
//   change of its bytes, written canonically; 3  they are data to seal.
// Nothing but what seal() made may open, nothing of ours is allocated before that, and nothing that
// was decrypted is left where it does not.

#include <funcptr/cookie_header.h>
#include <funcptr/sealed_cookie.h>

#include "src/detail/base64.h"

#include <openssl/crypto.h>
#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <array>
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

/// One for each cipher, the second with cookies that are opened in several pieces.
const funcptr::sealed_cookie& codec(bool second)
{
    static const std::array<funcptr::sealed_cookie, 2> all{
        funcptr::sealed_cookie("session", make_keys(), {.clock = [] { return now; }}),
        funcptr::sealed_cookie("session", make_keys(),
                               {.max_size = 20'000,
                                .clock = [] { return now; },
                                .cipher = funcptr::sealed_cipher::chacha20_poly1305,
                                .pad_to = 1})};
    return all[second ? 1 : 0];
}

/// Both ways to open agree, and the first of them allocates for a genuine cookie alone.
funcptr::cookie_verdict open(bool second, std::string_view text)
{
    static std::array<char, 20'000> out;
    const auto& one = codec(second); // made once
    allocations = 0;
    auto verdict = one.open(text);
    require(verdict.authentic() || allocations <= 0);
    out.fill('\0');
    const auto facts = one.open(text, out);
    require(facts.status == verdict.status && facts.size == verdict.size);
    require(verdict.data == std::string_view(out.data(), facts.size));
    require(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(facts.size), out.end(),
                        [](char c) { return c == '\0'; }));
    require(!verdict.reason.empty() && (verdict || verdict.data.empty()));
    return verdict;
}

void fuzz_text(const std::string& text)
{
    for (const bool second : {false, true}) {
        const auto verdict = open(second, text);
        const auto any = funcptr::verify_any(codec(second), "session=" + text, {.bytes = 1 << 20});
        require(!any || any.data == verdict.data || text.find(';') != text.npos);
    }
}

const std::string& genuine(bool second)
{
    static const std::array<std::string, 2> all{codec(false).seal("user=42&role=reader"),
                                                codec(true).seal(std::string(5000, 'x'))};
    return all[second ? 1 : 0];
}

void fuzz_change(const std::string& changes)
{
    for (const bool second : {false, true}) {
        auto text = genuine(second);
        for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
            const auto at = static_cast<std::size_t>(static_cast<unsigned char>(changes[i])) << 8
                            | static_cast<unsigned char>(changes[i + 1]);
            text[at % text.size()] = changes[i + 2];
        }
        require(open(second, text).authentic() == (text == genuine(second)));
    }
}

void fuzz_bytes(const std::string& changes)
{
    for (const bool second : {false, true}) {
        constexpr std::size_t head = 17;
        auto text = genuine(second);
        const auto body = std::string_view(text).substr(head);
        std::vector<std::byte> bytes(funcptr::detail::base64url_bytes(body.size()));
        require(funcptr::detail::decode_base64url(body, bytes) == funcptr::detail::decoded::ok);
        for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
            const auto at = static_cast<std::size_t>(static_cast<unsigned char>(changes[i])) << 8
                            | static_cast<unsigned char>(changes[i + 1]);
            bytes[at % bytes.size()] ^= static_cast<std::byte>(changes[i + 2]);
        }
        text.resize(head);
        funcptr::detail::append_base64url(text, bytes);
        const auto verdict = open(second, text);
        require(verdict.authentic() == (text == genuine(second)));
        require(verdict.authentic() || verdict.status == funcptr::cookie_status::bad_signature);
    }
}

void fuzz_data(const std::string& data)
{
    for (const bool second : {false, true}) {
        const auto& one = codec(second);
        if (data.size() > one.max_data())
            continue;
        const auto text = one.seal(data);
        require(text.size() + one.name().size() <= one.options().max_size);
        const auto verdict = open(second, text);
        require(verdict && verdict.data == data && verdict.issued == now);
        require(funcptr::verify_any(one, "session=x; session=" + text, {.bytes = 1 << 20}).data
                == data);
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
    switch (data[0] % 4) {
    case 0:
        fuzz_text(rest);
        break;
    case 1:
        fuzz_change(rest);
        break;
    case 2:
        fuzz_bytes(rest);
        break;
    default:
        fuzz_data(rest);
    }
    return 0;
}
