// SPDX-License-Identifier: MIT

#include "../src/detail/aead.h"

#include <gtest/gtest.h>

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace {

using namespace funcptr::detail;
using bytes = std::vector<std::byte>;

bytes of(std::string_view text)
{
    const auto all = std::as_bytes(std::span(text));
    return {all.begin(), all.end()};
}

bytes unhex(std::string_view text)
{
    bytes out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), {}, 16)));
    return out;
}

bytes counted(std::size_t size, int first = 0)
{
    bytes out;
    for (std::size_t i = 0; i < size; ++i)
        out.push_back(static_cast<std::byte>(first + static_cast<int>(i)));
    return out;
}

struct message {
    aead_cipher cipher;
    bytes key, nonce, aad, plain, sealed, tag; // tag: 16 bytes
};

/// An input, and what another implementation made of it.
message answer(aead_cipher cipher, const char* sealed, const char* tag)
{
    return {cipher,
            counted(aead_key_size(cipher)),
            counted(12, 100),
            of("the name"),
            of("forty-two is the answer, and some more"),
            unhex(sealed),
            unhex(tag)};
}

/// Made with Python's cryptography; the last two are of the standards.
const std::vector<message>& answers()
{
    static const std::vector<message> all = {
        answer(aead_cipher::aes_128_gcm,
               "7c0d3cd1a22fcc8df41e3e63a6be438910e9168ce5ccaf76d40edff39c81989edfdc3f4bf97d",
               "7cc92f025d838e9d548064d689b18e54"),
        answer(aead_cipher::aes_192_gcm,
               "8f07c9082b827a4fbcf18b72da86f3dbfd3830b98dec03c3a12226ae961df72d3f746af02a70",
               "8119bfeb7d4f76fdf136770190a5c7f2"),
        answer(aead_cipher::aes_256_gcm,
               "2e74ac1200c422e95142369bfa11029862a36879fc09815e87b0c22cdbd0ca25f1c92daf3e77",
               "801f9ab87d17960a35e9614aad724c97"),
        answer(aead_cipher::chacha20_poly1305,
               "527ec9bee188022594fe7c0cd2fdb0f650a7fc47e8359981e65e98d6da41a39eaf99df8fdd5f",
               "266113d40a66c8ae3010d8d6b8b717d3"),
        // RFC 8439, 2.8.2
        {aead_cipher::chacha20_poly1305, counted(32, 0x80), unhex("070000004041424344454647"),
         unhex("50515253c0c1c2c3c4c5c6c7"),
         of("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
            "future, sunscreen would be it."),
         unhex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca967128"
               "2fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fa"
               "b324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"),
         unhex("1ae10b594f09e26a7e902ecbd0600691")},
        // The GCM paper of McGrew and Viega, test case 16
        {aead_cipher::aes_256_gcm,
         unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
         unhex("cafebabefacedbaddecaf888"), unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
         unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532f"
               "cf0e2449a6b525b16aedf5aa0de657ba637b39"),
         unhex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7"
               "b08b1056828838c5f61e6393ba7a0abcc9f662"),
         unhex("76fc6ece0f4e1768cddf8853bb2d551b")},
    };
    return all;
}

bool open(const message& m, bytes& plain)
{
    plain.assign(m.sealed.size(), std::byte{0xaa});
    return aead_open(m.cipher, m.key, m.nonce, m.aad, m.sealed,
                     std::span(m.tag).first<aead_tag_size>(), plain);
}
bool opens(const message& m)
{
    bytes plain;
    const bool good = open(m, plain);
    EXPECT_TRUE(good || plain == bytes(plain.size())); // zeros
    return good;
}

/// What OpenSSL would be asked for is set right first, so that only `change` can be the reason.
template <class Change>
void refuses_every_bit(const message& good, bytes message::*part, Change each)
{
    for (std::size_t bit = 0; bit < (good.*part).size() * 8; ++bit) {
        auto bad = good;
        (bad.*part)[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
        EXPECT_FALSE(opens(bad)) << each << " bit " << bit;
    }
}

TEST(Aead, GivesTheKnownAnswers)
{
    for (const auto& m : answers()) {
        bytes sealed(m.plain.size()), plain;
        std::array<std::byte, aead_tag_size> tag{};
        ASSERT_TRUE(aead_seal(m.cipher, m.key, m.nonce, m.aad, m.plain, sealed, tag));
        EXPECT_EQ(sealed, m.sealed);
        EXPECT_TRUE(std::equal(tag.begin(), tag.end(), m.tag.begin(), m.tag.end()));
        EXPECT_TRUE(open(m, plain));
        EXPECT_EQ(plain, m.plain);
    }
}

TEST(Aead, SealsNothingAtAllToo)
{
    std::array<std::byte, aead_tag_size> tag{};
    const auto nonce = counted(12, 100);
    ASSERT_TRUE(aead_seal(aead_cipher::aes_256_gcm, counted(32), nonce, {}, {}, {}, tag));
    EXPECT_EQ(bytes(tag.begin(), tag.end()), unhex("609bd50f6ad76df665f048ba8c5fd706"));
    EXPECT_TRUE(aead_open(aead_cipher::aes_256_gcm, counted(32), nonce, {}, {}, tag, {}));
    ASSERT_TRUE(aead_seal(aead_cipher::chacha20_poly1305, counted(32), nonce, {}, {}, {}, tag));
    EXPECT_EQ(bytes(tag.begin(), tag.end()), unhex("a33126986fcb1312c2476c125059ffe4"));
    tag[0] ^= std::byte{1};
    EXPECT_FALSE(aead_open(aead_cipher::chacha20_poly1305, counted(32), nonce, {}, {}, tag, {}));
}

TEST(Aead, RefusesEveryChangedBitAndLeavesZeros)
{
    for (const auto& m : answers()) {
        refuses_every_bit(m, &message::sealed, "ciphertext");
        refuses_every_bit(m, &message::tag, "tag");
        refuses_every_bit(m, &message::nonce, "nonce");
        refuses_every_bit(m, &message::aad, "aad");
        refuses_every_bit(m, &message::key, "key");
    }
}

TEST(Aead, RefusesAnotherCiphersMessage)
{
    auto m = answers()[2];
    m.cipher = aead_cipher::chacha20_poly1305;
    EXPECT_FALSE(opens(m));
}

TEST(Aead, RefusesSizesThatDoNotFit)
{
    std::array<std::byte, aead_tag_size> tag{};
    for (const auto& m : answers()) {
        bytes out(m.plain.size(), std::byte{0xaa});
        const auto seal = [&](const bytes& key, const bytes& nonce) {
            return aead_seal(m.cipher, key, nonce, m.aad, m.plain, out, tag);
        };
        EXPECT_FALSE(seal(bytes(m.key.begin(), m.key.end() - 1), m.nonce));
        EXPECT_EQ(out, bytes(out.size()));
        EXPECT_FALSE(seal(m.key, bytes(11)));
        EXPECT_FALSE(seal(m.key, bytes(16)));
        EXPECT_FALSE(seal({}, m.nonce));
        out.pop_back();
        EXPECT_FALSE(seal(m.key, m.nonce));
        auto bad = m;
        bad.nonce.push_back({});
        EXPECT_FALSE(opens(bad));
        bad = m;
        bad.key.push_back({});
        EXPECT_FALSE(opens(bad));
    }
}

TEST(Aead, WorksInPlace)
{
    for (const auto& m : answers()) {
        auto text = m.plain;
        std::array<std::byte, aead_tag_size> tag{};
        ASSERT_TRUE(aead_seal(m.cipher, m.key, m.nonce, m.aad, text, text, tag));
        EXPECT_EQ(text, m.sealed);
        ASSERT_TRUE(aead_open(m.cipher, m.key, m.nonce, m.aad, text, tag, text));
        EXPECT_EQ(text, m.plain);
    }
}

TEST(Aead, OpensInPiecesCutAnywhere)
{
    for (const auto& m : answers())
        for (std::size_t cut = 0; cut <= m.sealed.size(); ++cut) {
            const auto tag = std::span(m.tag).first<aead_tag_size>();
            aead_opening opening(m.cipher, m.key, m.nonce, m.aad, tag);
            bytes plain(m.sealed.size());
            const auto in = std::span(m.sealed);
            const auto out = std::span(plain);
            opening.update(in.first(cut), out.first(cut));
            opening.update(in.subspan(cut), out.subspan(cut));
            EXPECT_TRUE(opening.finish());
            EXPECT_EQ(plain, m.plain);
            EXPECT_FALSE(opening.finish()); // once
        }
}

TEST(Aead, AMissingPieceIsRefused)
{
    for (const auto& m : answers()) {
        aead_opening opening(m.cipher, m.key, m.nonce, m.aad,
                             std::span(m.tag).first<aead_tag_size>());
        bytes plain(m.sealed.size() - 1);
        opening.update(std::span(m.sealed).first(plain.size()), plain);
        EXPECT_FALSE(opening.finish());
    }
}

TEST(Aead, ARefusalLeavesTheErrorQueueAsItWas)
{
    ERR_clear_error();
    auto m = answers()[2];
    m.tag[0] ^= std::byte{1};
    EXPECT_FALSE(opens(m));
    m.nonce.push_back({});
    EXPECT_FALSE(opens(m));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Aead, SaysWhichCiphersThereAre)
{
    EXPECT_TRUE(aead_has(aead_cipher::aes_128_gcm));
    EXPECT_TRUE(aead_has(aead_cipher::aes_192_gcm));
    EXPECT_TRUE(aead_has(aead_cipher::aes_256_gcm));
    EXPECT_TRUE(aead_has(aead_cipher::chacha20_poly1305)); // OpenSSL's default provider
}

} // namespace
