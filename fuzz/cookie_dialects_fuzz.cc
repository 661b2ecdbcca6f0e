// SPDX-License-Identifier: MIT
//
// What a stranger can send to the codec of another framework's cookie, and what a peer may have
// signed. The first byte chooses the dialect, the second what the rest is:
//   0  a cookie (and after a NUL its signature);  1  changes of a genuine one;  2  data to sign;
//   3  a content that a peer signed: what stands behind the signature is parsed.
// Its top bit makes the codec lenient. Nothing but what sign() made may verify, and nothing of ours
// is allocated before that.

#include <funcptr/cookie_dialects.h>

#include "tests/support/every_dialect.h"

#include <openssl/crypto.h>
#include <sanitizer/allocator_interface.h>

#include <cstdlib>
#include <stdexcept>

namespace {

namespace dialects = funcptr::dialects;
using test::issued_cookie;
using test::some_dialect;

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

const some_dialect& chosen(unsigned char index, bool lenient)
{
    static const auto strict = test::every_dialect();
    static const auto loose =
        test::every_dialect([](funcptr::dialect_options& options) { options.lenient = true; });
    const auto& all = lenient ? loose : strict;
    return all[index % all.size()];
}

/// What holds for every verdict.
funcptr::dialect_verdict check_and_verify(const funcptr::cookie_dialect& codec,
                                          const issued_cookie& cookie)
{
    auto verdict = test::verify(codec, cookie);
    require(!verdict.reason.empty() && (verdict || verdict.data.empty()));
    return verdict;
}

/// The same by a codec whose secrets are nobody's: whatever is inside, the signature cannot hold,
/// and nothing is allocated.
void verify_as_stranger(unsigned char index, bool lenient, const issued_cookie& cookie)
{
    static const auto strict = test::every_dialect([](funcptr::dialect_options&) {}, 'q');
    static const auto loose =
        test::every_dialect([](funcptr::dialect_options& options) { options.lenient = true; }, 'q');
    const auto& codec = (lenient ? loose : strict)[index % strict.size()].codec;
    allocations = 0;
    const auto verdict = test::verify(codec, cookie);
    require(!verdict.authentic() && allocations <= 0);
}

void sign_again(const funcptr::cookie_dialect& codec, const std::string& data)
{
    issued_cookie again;
    try {
        again.value = codec.sign(data);
    } catch (const funcptr::error&) { // too long
        return;
    } catch (const std::invalid_argument&) { // the format cannot hold them
        return;
    }
    require(codec.name().size() + again.value.size() <= 4096);
    if (!codec.signature_name().empty())
        again.signature = codec.signature_of(again.value);
    const auto verdict = check_and_verify(codec, again);
    require(verdict && verdict.data == data);
    require(!codec.explain(again.value).empty());
    auto header = codec.name() + "=x; " + codec.name() + "=" + again.value;
    if (!codec.signature_name().empty())
        header += "; " + codec.signature_name() + "=" + again.signature;
    if (again.value.find_first_of(" ;\t\"") == std::string::npos)
        require(funcptr::verify_any(codec, header).data == data);
}

void fuzz_text(unsigned char index, bool lenient, const std::string& text)
{
    const auto& one = chosen(index, lenient);
    const auto end = text.find('\0');
    issued_cookie cookie{text.substr(0, end), {}};
    if (end != text.npos)
        cookie.signature = text.substr(end + 1);
    verify_as_stranger(index, lenient, cookie);
    const auto verdict = check_and_verify(one.codec, cookie);
    if (verdict && one.codec.issues())
        sign_again(one.codec, verdict.data);
    one.codec.explain(text);
    funcptr::verify_any(one.codec, text, {.bytes = 1 << 20});
}

void fuzz_change(unsigned char index, bool lenient, const std::string& changes)
{
    const auto& one = chosen(index, lenient);
    const auto genuine = test::issue(one);
    auto cookie = genuine;
    for (std::size_t i = 0; i + 1 < changes.size(); i += 2) {
        const auto at = static_cast<unsigned char>(changes[i]);
        auto& text = (at & 1) != 0 && !cookie.signature.empty() ? cookie.signature : cookie.value;
        text[at * text.size() / 256] = changes[i + 1];
    }
    verify_as_stranger(index, lenient, cookie);
    const auto verdict = check_and_verify(one.codec, cookie);
    const bool same = cookie.value == genuine.value && cookie.signature == genuine.signature;
    require(!verdict || same || lenient);
    require(verdict || !same);
    require(!verdict || verdict.data == one.data); // another text, but no other data
}

/// Contents that only those who have the key can make: by a codec that asks nothing of its data.
void fuzz_content(unsigned char which, const std::string& content, bool lenient)
{
    auto options = test::dialect_options_at_start();
    options.lenient = lenient;
    options.max_size = 8192;
    const funcptr::dialect_secret secret("a-32-byte-or-longer-secret-key-0123456789");
    using format = dialects::itsdangerous_format;
    const auto check = [&](const funcptr::cookie_dialect& maker,
                           const funcptr::cookie_dialect& reader) {
        const auto cookie = maker.sign(content);
        const auto verdict = reader.verify(cookie);
        require(verdict.status != funcptr::cookie_status::bad_signature);
        require(verdict.data.size() <= options.max_inflated);
        reader.explain(cookie);
    };
    try {
        if (which % 3 == 0)
            check(dialects::webob(secret, "pyramid.session.", options),
                  dialects::pyramid(secret, options));
        else if (which % 3 == 1)
            check(
                dialects::rack_legacy_sha1(secret, options,
                                           {.hash = funcptr::cookie_hash::sha256,
                                            .unsafe_marshal = true,
                                            .escaped = false}),
                dialects::rails_verifier(secret, {.purpose = which % 2 == 0 ? "a" : ""}, options));
        else
            check(dialects::itsdangerous(secret,
                                         {.how = format::form::timestamp,
                                          .salt = "cookie-session",
                                          .key = format::derivation::hmac},
                                         options),
                  dialects::flask(secret, options));
    } catch (const funcptr::error&) {        // too long
    } catch (const std::invalid_argument&) { // nothing at all
    }
}

/// Before OpenSSL allocates anything.
const bool hooked = CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1
                    && __sanitizer_install_malloc_and_free_hooks(count, ignore) != 0;

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    require(hooked);
    if (size < 2)
        return 0;
    const bool lenient = (data[1] & 0x80) != 0;
    const std::string rest(reinterpret_cast<const char*>(data) + 2, size - 2);
    switch (data[1] % 4) {
    case 0:
        fuzz_text(data[0], lenient, rest);
        break;
    case 1:
        fuzz_change(data[0], lenient, rest);
        break;
    case 2:
        if (const auto& one = chosen(data[0], lenient); one.codec.issues())
            sign_again(one.codec, rest);
        break;
    default:
        fuzz_content(data[0], rest, lenient);
    }
    return 0;
}
