// SPDX-License-Identifier: MIT
//
// What verifying costs, and what is left behind of a key: counted in allocations, ours by operator
// new, OpenSSL's by its own hook. OpenSSL allocates for each MAC, so a text that costs it no
// allocation has cost no MAC.

#include "funcptr/cookie_header.h"
#include "funcptr/sealed_cookie.h"
#include "funcptr/signed_cookie.h"

#include "support/process.h"

#include <gtest/gtest.h>

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <memory>
#include <new>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace {

long ours = 0, openssls = 0; // one thread: this program starts no other

/// What freed memory must not hold.
std::array<unsigned char, 32> sought{};
bool seeking = false;
int found = 0;

void look_at(void* memory)
{
    if (!seeking || memory == nullptr)
        return;
    const auto* const begin = static_cast<const unsigned char*>(memory);
    const auto* const end = begin + ::malloc_usable_size(memory);
    found += std::search(begin, end, sought.begin(), sought.end()) != end;
}

void* count_malloc(std::size_t size, const char*, int)
{
    ++openssls;
    return std::malloc(size);
}
void* count_realloc(void* memory, std::size_t size, const char*, int)
{
    ++openssls;
    look_at(memory);
    return std::realloc(memory, size);
}
void check_free(void* memory, const char*, int)
{
    look_at(memory);
    std::free(memory);
}
// Before OpenSSL allocates anything.
const bool hooked = CRYPTO_set_mem_functions(count_malloc, count_realloc, check_free) == 1;

} // namespace

void* operator new(std::size_t size)
{
    ++ours;
    if (void* const memory = std::malloc(size == 0 ? 1 : size))
        return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept
{
    look_at(memory);
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    look_at(memory);
    std::free(memory);
}

namespace {

using funcptr::cookie_status;
using funcptr::keyring;
using funcptr::signed_cookie;

struct cost {
    long ours, openssls;
    bool operator==(const cost&) const = default;
};
std::ostream& operator<<(std::ostream& out, const cost& c)
{
    return out << c.ours << " of ours, " << c.openssls << " of OpenSSL's";
}

template <class Action>
cost cost_of(Action action)
{
    const cost before{ours, openssls};
    action();
    return {ours - before.ours, openssls - before.openssls};
}

const cost nothing{0, 0};

std::vector<std::byte> key_of(int number)
{
    std::vector<std::byte> key;
    for (int i = 0; i < 32; ++i)
        key.push_back(static_cast<std::byte>(number + 7 * i));
    return key;
}

keyring ring_of(int keys)
{
    std::vector<std::vector<std::byte>> all;
    for (int i = 0; i < keys; ++i)
        all.push_back(key_of(i));
    return keyring::from_bytes({all.begin(), all.end()});
}

class CookieCost : public testing::Test {
protected:
    void SetUp() override
    {
        ASSERT_TRUE(hooked);
        // This thread's work digest, made once.
        EXPECT_TRUE(codec.verify(value));
        ASSERT_GT(one_mac.openssls, 0);
    }
    cost verify(const signed_cookie& with, std::string_view text)
    {
        return cost_of([&] { last = with.verify(text, out).status; });
    }

    const signed_cookie codec{"session", ring_of(1)};
    const std::string value = codec.sign(std::string(100, 'x'));
    char out[4096];
    cookie_status last = cookie_status::ok;
    const cost one_mac = (verify(codec, value), verify(codec, value));
};

TEST_F(CookieCost, VerifyingIntoACallersBufferAllocatesNothingOfOurs)
{
    EXPECT_EQ(verify(codec, value), one_mac);
    EXPECT_EQ(last, cookie_status::ok);
    EXPECT_EQ(one_mac.ours, 0);
}

TEST_F(CookieCost, AForgedCookieCostsOneMacHoweverManyKeysAreRetired)
{
    const signed_cookie many("session", ring_of(11));
    const auto own = many.sign("42");
    for (int signer = 0; signer < 11; ++signer) {
        // Of each key in turn, so that it is the first to be tried in none but one.
        auto forged = signed_cookie("session", keyring::from_bytes({key_of(signer)})).sign("42");
        forged[20] = forged[20] == 'A' ? 'B' : 'A';
        EXPECT_EQ(verify(many, forged), one_mac) << signer;
        EXPECT_EQ(last, cookie_status::bad_signature);
    }
}

TEST_F(CookieCost, NoMacForWhatIsTooLongMalformedOfAnUnknownKeyOrAnotherName)
{
    const auto check = [&](const std::string& text, cookie_status expected) {
        EXPECT_EQ(verify(codec, text), nothing) << text.substr(0, 100);
        EXPECT_EQ(last, expected);
    };
    check(value + std::string(4096, 'A'), cookie_status::too_long);
    check("42", cookie_status::malformed);
    check(signed_cookie("session", keyring::generate()).sign("42"), cookie_status::unknown_key);
    check(signed_cookie("admin", ring_of(1)).sign("42"), cookie_status::wrong_name);
    check(value.substr(0, value.size() - 1) + '=', cookie_status::non_canonical);
    check(value.substr(0, value.size() - 1) + ' ', cookie_status::malformed);
}

TEST_F(CookieCost, NothingOfOursIsAllocatedBeforeTheSignatureHasHeld)
{
    auto forged = value;
    forged[20] = forged[20] == 'A' ? 'B' : 'A';
    const std::string texts[] = {forged, value + std::string(4096, 'A'), std::string(3000, 'A'),
                                 signed_cookie("session", keyring::generate()).sign("42"),
                                 signed_cookie("admin", ring_of(1)).sign("42")};
    for (const auto& text : texts) {
        const auto spent = cost_of([&] { EXPECT_FALSE(codec.verify(text)); });
        EXPECT_EQ(spent.ours, 0) << text.substr(0, 100);
        const auto header = "a=b; session=" + text + "; c=d";
        const auto any = cost_of([&] { EXPECT_FALSE(funcptr::verify_any(codec, header)); });
        EXPECT_EQ(any.ours, 0) << text.substr(0, 100);
    }
    const auto held = cost_of([&] { EXPECT_TRUE(codec.verify(value)); });
    EXPECT_EQ(held.ours, 1); // the data
}

TEST_F(CookieCost, NothingOfOursIsAllocatedForASealedCookieThatWasNotSealedByUs)
{
    const funcptr::sealed_cookie sealed("session", ring_of(1), {.max_size = 20000});
    for (const std::size_t size : {10U, 3000U, 9000U}) {
        const auto good = sealed.seal(std::string(size, 'x'));
        EXPECT_TRUE(sealed.open(good));
        auto forged = good;
        forged[20] = forged[20] == 'A' ? 'B' : 'A';
        for (const auto& text : {forged, good + "A", std::string(3000, 'A'),
                                 std::string(30000, 'A'), "f1" + good.substr(2)}) {
            EXPECT_EQ(cost_of([&] { EXPECT_FALSE(sealed.open(text)); }).ours, 0);
            const auto header = "a=b; session=" + text;
            EXPECT_EQ(cost_of([&] { EXPECT_FALSE(verify_any(sealed, header)); }).ours, 0);
        }
        std::vector<char> room(size);
        EXPECT_EQ(cost_of([&] { EXPECT_TRUE(sealed.open(good, room)); }).ours, 0);
    }
    const auto stranger = funcptr::sealed_cookie("session", keyring::generate()).seal("42");
    EXPECT_EQ(cost_of([&] { EXPECT_FALSE(sealed.open(stranger)); }), nothing);
    const auto other = funcptr::sealed_cookie("admin", ring_of(1)).seal("42");
    EXPECT_EQ(cost_of([&] { EXPECT_FALSE(sealed.open(other)); }), nothing);
}

TEST_F(CookieCost, NothingOfOursIsAllocatedForAForgedArticleCookie)
{
    const funcptr::article_cookie article(funcptr::dialect_secret("SEEKRIT"));
    auto cookie = article.sign("Hello World");
    EXPECT_TRUE(article.verify(cookie));
    cookie[0] = '0';
    const auto spent = cost_of([&] { EXPECT_FALSE(article.verify(cookie)); });
    EXPECT_EQ(spent.ours, 0);
    EXPECT_EQ(spent.openssls, one_mac.openssls);
}

/// What is left in freed memory of a key while `action` runs.
template <class Action>
int traces_of(const std::vector<std::byte>& key, Action action)
{
    std::memcpy(sought.data(), key.data(), sought.size());
    found = 0;
    seeking = true;
    action();
    seeking = false;
    return found;
}

TEST(KeyringMemory, TheSearchFindsAKeyThatIsNotWiped)
{
    const auto key = key_of(1);
    EXPECT_GT(traces_of(key, [&] { std::make_unique<std::vector<std::byte>>(key).reset(); }), 0);
}

TEST(KeyringMemory, HoldsNothingOfAKeyOnceItIsFreed)
{
    const auto key = key_of(1), other = key_of(2);
    EXPECT_EQ(traces_of(key,
                        [&] {
                            auto keys = keyring::from_bytes({other, key});
                            const auto copy = keys;
                            keys = keyring::generate();
                            const signed_cookie codec("session", copy);
                            EXPECT_TRUE(codec.verify(codec.sign("42")));
                            const funcptr::sealed_cookie sealed("session", copy);
                            EXPECT_TRUE(sealed.open(sealed.seal("42")));
                        }),
              0);
}

TEST(KeyringMemory, HoldsNothingOfAKeyThatIsRefused)
{
    const auto key = key_of(1);
    EXPECT_EQ(traces_of(key,
                        [&] {
                            EXPECT_THROW(keyring::from_bytes({key, key}), funcptr::error);
                            const auto brief = std::span(key).first(31);
                            EXPECT_THROW(keyring::from_bytes({key, brief}), funcptr::error);
                        }),
              0);
}

TEST(KeyringMemory, HoldsNothingOfAKeyFile)
{
    const test::temp_dir dir;
    const auto path = (dir.path() / "keys").string();
    const auto line = keyring::generate_text();
    test::write_file(path, line + "\n");
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    const auto text = std::as_bytes(std::span(line));
    std::vector<std::byte> key;
    EXPECT_EQ(traces_of({text.begin(), text.end()},
                        [&] {
                            const auto keys = keyring::from_file(path);
                            key.assign(keys.key(0).begin(), keys.key(0).end());
                        }),
              0);
    EXPECT_EQ(traces_of(key, [&] { EXPECT_EQ(keyring::from_file(path).size(), 1U); }), 0);
    test::write_file(path, line + "\n" + line + "\n");
    EXPECT_EQ(traces_of(key, [&] { EXPECT_THROW(keyring::from_file(path), funcptr::error); }), 0);
}

TEST(KeyringMemory, HoldsNothingOfADialectsSecret)
{
    const auto key = key_of(1);
    EXPECT_EQ(traces_of(key,
                        [&] {
                            const funcptr::dialect_secret secret(key);
                            const funcptr::article_cookie codec(secret);
                            EXPECT_TRUE(codec.verify(codec.sign("42")));
                        }),
              0);
}

} // namespace
