// SPDX-License-Identifier: MIT
//
// base64url by 32 characters at once, where the processor can (AVX2): the MAC over a cookie of 1
// KiB takes 0.9 us, and decoding it by table half of that again. What remains, and everything on
// other processors, is done by the loops in base64.h. The method is that of Mula and Lemire,
// "Faster Base64 Encoding and Decoding using AVX2 Instructions" (2018).
#include "detail/base64.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#    define FUNCPTR_BASE64_AVX2 1
#    include <immintrin.h>
#endif

namespace funcptr::detail {

#ifdef FUNCPTR_BASE64_AVX2

namespace {

#    define FUNCPTR_AVX2 __attribute__((target("avx2")))

constexpr std::size_t block_text = 32;
constexpr std::size_t block_bytes = 24;

bool has_avx2() noexcept
{
    return __builtin_cpu_supports("avx2") != 0;
}

/// Instructions work on two halves of sixteen bytes: the same table for both.
FUNCPTR_AVX2 __m256i twice(__m128i table) noexcept
{
    return _mm256_broadcastsi128_si256(table);
}

FUNCPTR_AVX2 void encode_block(const std::byte* bytes, char* out) noexcept
{
    // Twelve bytes for each half: the first of the lower one's sixteen, the last of the upper
    // one's.
    const auto both = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 8)), 1);
    // Each 32 bits get the three bytes of one group, in an order for two multiplications that move
    // each six bits to the foot of a byte of their own.
    const auto groups = _mm256_shuffle_epi8(
        both, _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 5, 4, 6, 5, 8, 7,
                               9, 8, 11, 10, 12, 11, 14, 13, 15, 14));
    const auto odd = _mm256_mulhi_epu16(_mm256_and_si256(groups, _mm256_set1_epi32(0x0fc0fc00)),
                                        _mm256_set1_epi32(0x04000040));
    const auto even = _mm256_mullo_epi16(_mm256_and_si256(groups, _mm256_set1_epi32(0x003f03f0)),
                                         _mm256_set1_epi32(0x01000010));
    const auto values = _mm256_or_si256(odd, even);
    // What to add to a value: by its range, 0: small letters, 1-10: digits, 11: '-', 12: '_',
    // 13: capitals.
    const auto capital =
        _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), values), _mm256_set1_epi8(13));
    const auto range = _mm256_or_si256(_mm256_subs_epu8(values, _mm256_set1_epi8(51)), capital);
    const auto add =
        twice(_mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                            '0' - 52, '0' - 52, '0' - 52, '0' - 52, '-' - 62, '_' - 63, 'A', 0, 0));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm256_add_epi8(values, _mm256_shuffle_epi8(add, range)));
}

/// Whether all are of the alphabet; the values of those that are.
FUNCPTR_AVX2 bool look_up(__m256i text, __m256i& values) noexcept
{
    const auto nibble = _mm256_set1_epi8(15);
    const auto low = _mm256_and_si256(text, nibble);
    const auto high = _mm256_and_si256(_mm256_srli_epi32(text, 4), nibble);
    // A bit for each row of the ASCII table (its columns are sixteen), set in `not_there` where the
    // row may not have that column: '-' in 2; digits in 3; letters from column 1 on in 4 and 6; to
    // column 10, and '_', in 5; to column 10 in 7; nothing in the others.
    const auto row = twice(_mm_setr_epi8(0x20, 0x20, 1, 2, 4, 8, 4, 0x10, 0x20, 0x20, 0x20, 0x20,
                                         0x20, 0x20, 0x20, 0x20));
    const auto not_there = twice(_mm_setr_epi8(0x25, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21,
                                               0x21, 0x23, 0x3b, 0x3b, 0x3a, 0x3b, 0x33));
    const auto strange =
        _mm256_and_si256(_mm256_shuffle_epi8(row, high), _mm256_shuffle_epi8(not_there, low));
    const auto add = twice(_mm_setr_epi8(0, 0, 62 - '-', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a',
                                         0, 0, 0, 0, 0, 0, 0, 0));
    const auto underscore = _mm256_and_si256(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('_')),
                                             _mm256_set1_epi8(63 - '_' + 'A'));
    values = _mm256_add_epi8(_mm256_add_epi8(text, _mm256_shuffle_epi8(add, high)), underscore);
    return _mm256_testz_si256(strange, strange) != 0;
}

FUNCPTR_AVX2 bool decode_block(const char* text, std::byte* out) noexcept
{
    __m256i values;
    if (!look_up(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text)), values))
        return false;
    // Four values become 24 bits in two steps, and of each 32 bits three bytes are taken.
    const auto pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    const auto groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
    const auto order = twice(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    const auto bytes = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(groups, order),
                                                   _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(bytes));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(bytes, 1));
    return true;
}

// The last block of both ends where the whole groups end, and does over what the one before it did.

FUNCPTR_AVX2 std::size_t encode_blocks(std::span<const std::byte> bytes, char* out) noexcept
{
    const auto whole = bytes.size() - bytes.size() % 3;
    if (whole < block_bytes)
        return 0;
    for (std::size_t done = 0; done + block_bytes < whole; done += block_bytes)
        encode_block(bytes.data() + done, out + done / 3 * 4);
    const auto last = whole - block_bytes;
    encode_block(bytes.data() + last, out + last / 3 * 4);
    return whole;
}

FUNCPTR_AVX2 std::size_t decode_blocks(std::string_view text, std::byte* out) noexcept
{
    const auto whole = text.size() - text.size() % 4;
    if (whole < block_text)
        return 0;
    std::size_t done = 0;
    for (; done + block_text < whole; done += block_text)
        if (!decode_block(text.data() + done, out + done / 4 * 3))
            return done;
    const auto last = whole - block_text;
    return decode_block(text.data() + last, out + last / 4 * 3) ? whole : done;
}

} // namespace

std::size_t encode_base64url_blocks(std::span<const std::byte> bytes, char* out) noexcept
{
    return has_avx2() ? encode_blocks(bytes, out) : 0;
}

std::size_t decode_base64url_blocks(std::string_view text, std::span<std::byte> out) noexcept
{
    return has_avx2() ? decode_blocks(text, out.data()) : 0;
}

#else

std::size_t encode_base64url_blocks(std::span<const std::byte>, char*) noexcept
{
    return 0;
}

std::size_t decode_base64url_blocks(std::string_view, std::span<std::byte>) noexcept
{
    return 0;
}

#endif

} // namespace funcptr::detail
