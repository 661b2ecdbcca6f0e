// SPDX-License-Identifier: MIT
//
// The bounds of a connection, what happens at them, and OpenSSL's traps.

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>
#include <utility>
#include <vector>

#include "funcptr/ssl_filter.h"
#include "support/tls_pair.h"

namespace {

/// Allocations of this thread that still succeed; below zero: all of them.
thread_local long allocations_left = -1;

bool allocation_fails()
{
    return allocations_left >= 0 && allocations_left-- == 0;
}

} // namespace

// The whole program's heap, so that a test can make any one allocation fail. Not inlined: g++ would
// see free() called on what it thinks the library's own operator new returned, and warn.
[[gnu::noinline]] void* operator new(std::size_t size)
{
    void* const block = allocation_fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
    if (block == nullptr)
        throw std::bad_alloc();
    return block;
}
// The array forms too: a sanitizer's own would not call the ones above.
[[gnu::noinline]] void* operator new[](std::size_t size)
{
    return operator new(size);
}
[[gnu::noinline]] void operator delete(void* block) noexcept
{
    std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept
{
    std::free(block);
}
[[gnu::noinline]] void operator delete[](void* block) noexcept
{
    std::free(block);
}
[[gnu::noinline]] void operator delete[](void* block, std::size_t) noexcept
{
    std::free(block);
}

namespace {

using namespace funcptr;
using namespace funcptr::testing;

constexpr std::size_t kib = 1024;

std::string pattern(std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>('a' + i % 23);
    return text;
}

/// The lengths of the records that stand in nwrite (RFC 8446, 5.1: the length is bytes 3 and 4).
std::vector<std::size_t> record_sizes(const buffer& records)
{
    std::vector<std::size_t> sizes;
    const std::string_view all = records.view();
    for (std::size_t at = 0; at + 5 <= all.size(); at += 5 + sizes.back())
        sizes.push_back(static_cast<unsigned char>(all[at + 3]) * 256U
                        + static_cast<unsigned char>(all[at + 4]));
    return sizes;
}

// -- what our own user puts
// ------------------------------------------------------------------------

TEST(SSLFilter, ALargeWriteWaitsInAwriteUntilTheNetworkTakesIt)
{
    tls_config config = client_config();
    config.limits.nwrite = 64 * kib;
    config.limits.nwrite_hard = 128 * kib;
    tls_pair pair(config, server_config());
    ASSERT_TRUE(pair.connect());
    const std::string text = pattern(1024 * kib);
    ASSERT_TRUE(pair.client.awrite().append(text));

    std::string got;
    pair.client.update();
    while (!pair.client.nwrite().empty()) {
        EXPECT_EQ(pair.client.pending(), !pair.client.awrite().empty());
        EXPECT_LT(pair.client.nwrite().size(), 64 * kib + 17 * kib);
        pair.server.nread().append(pair.client.nwrite().data());
        pair.client.nwrite().clear();
        pair.server.update();
        got += pair.server.aread().view();
        pair.server.aread().clear();
        pair.client.update();
    }
    EXPECT_EQ(got, text);
    EXPECT_FALSE(pair.client.pending());
}

// Trap 6: what stands in awrite may grow and move while part of it is on its way.
TEST(SSLFilter, AwriteMayGrowAndMoveBetweenUpdates)
{
    tls_config config = client_config();
    config.limits.nwrite = 1;
    tls_pair pair(config, server_config());
    ASSERT_TRUE(pair.connect());
    std::string sent;
    std::string got;
    for (std::size_t size = 1; size < 200 * kib; size = size * 2 + 1) {
        const std::string text = pattern(size);
        sent += text;
        ASSERT_TRUE(pair.client.awrite().append(text));
        pair.client.update(); // one record, then the soft bound
        pair.client.awrite().append("+");
        sent += "+";
        pair.network.run();
        got += pair.server.aread().view();
        pair.server.aread().clear();
    }
    while (pair.network.run() && !pair.server.aread().empty()) {
        got += pair.server.aread().view();
        pair.server.aread().clear();
    }
    EXPECT_EQ(got, sent);
}

TEST(SSLFilter, AnEmptyWriteMakesNoRecord) // trap 13
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append(std::string_view());
    pair.client.update();
    EXPECT_TRUE(pair.client.nwrite().empty());
    EXPECT_EQ(pair.client.state(), filter_state::open);
}

TEST(SSLFilter, RecordsStartSmallGrowAndAreSmallAgainAfterTrim)
{
    tls_config config = client_config();
    config.small_records = 10;
    config.limits.nwrite = 64 * kib; // all of it at once
    tls_pair pair(config, server_config());
    ASSERT_TRUE(pair.connect());
    for (int round = 0; round < 2; ++round) {
        pair.client.awrite().append(pattern(13'000 + 40'000));
        pair.client.update();
        const auto sizes = record_sizes(pair.client.nwrite());
        ASSERT_EQ(sizes.size(), 10U + 3U);
        for (std::size_t i = 0; i < 10; ++i)
            EXPECT_LT(sizes[i] + 5, 1360U); // within one segment
        EXPECT_GT(sizes[10], 16U * kib);
        pair.client.nwrite().clear();
        pair.client.trim();
    }
}

TEST(SSLFilter, SmallRecordsCanBeTurnedOff)
{
    tls_config config = client_config();
    config.small_records = 0;
    tls_pair pair(config, server_config());
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append(pattern(32 * kib));
    pair.client.update();
    EXPECT_EQ(record_sizes(pair.client.nwrite()).size(), 2U);
}

// -- what a peer can make us hold
// --------------------------------------------------------------------

TEST(SSLFilter, AUserWhoDoesNotReadHoldsThePeerBackAndLosesNothing)
{
    tls_config config = server_config();
    config.limits.aread = 20'000; // not a multiple of a record
    config.limits.nread = 30'000;
    tls_pair pair(client_config(), config);
    ASSERT_TRUE(pair.connect());
    const std::string text = pattern(500 * kib);
    ASSERT_TRUE(pair.client.awrite().append(text));
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.aread().size(), 20'000U);
    EXPECT_LE(pair.server.nread().size(), 30'000U);
    EXPECT_TRUE(pair.server.pending());

    std::string got;
    while (got.size() < text.size()) {
        ASSERT_FALSE(pair.server.aread().empty()) << "stuck at " << got.size();
        got += pair.server.aread().view().substr(0, 7777); // takes a part of it
        pair.server.aread().consume(std::min<std::size_t>(7777, pair.server.aread().size()));
        ASSERT_TRUE(pair.network.run());
    }
    EXPECT_EQ(got, text);
    EXPECT_FALSE(pair.server.pending());
}

TEST(SSLFilter, ARecordLargerThanAreadComesInParts)
{
    tls_config config = server_config();
    config.limits.aread = 1;
    tls_pair pair(client_config(), config);
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append("abc");
    std::string got;
    pair.network.run();
    // All of it is inside by now: no event of any socket would come for the rest.
    for (int i = 0; i < 3; ++i) {
        pair.server.update();
        EXPECT_EQ(pair.server.pending(), i < 2);
        got += pair.server.aread().view();
        pair.server.aread().clear();
    }
    EXPECT_EQ(got, "abc");
}

TEST(SSLFilter, TwoEndsThatBothHaveMuchToSayDoNotBlockEachOther)
{
    tls_config client = client_config();
    tls_config server = server_config();
    for (tls_config* each : {&client, &server}) {
        each->limits.nread = 4 * kib;
        each->limits.nwrite = 4 * kib;
        each->limits.nwrite_hard = 68 * kib;
    }
    tls_pair pair(client, server, fragmentation::random(11));
    ASSERT_TRUE(pair.connect());
    const std::string text = pattern(2048 * kib);
    ASSERT_TRUE(pair.client.awrite().append(text));
    ASSERT_TRUE(pair.server.awrite().append(text));
    std::string to_server;
    std::string to_client;
    while (to_server.size() < text.size() || to_client.size() < text.size()) {
        ASSERT_TRUE(pair.network.run());
        ASSERT_FALSE(pair.server.aread().empty() && pair.client.aread().empty()) << "blocked";
        to_server += pair.server.aread().view();
        to_client += pair.client.aread().view();
        pair.server.aread().clear();
        pair.client.aread().clear();
    }
    EXPECT_TRUE(to_server == text && to_client == text);
}

TEST(SSLFilter, AHandshakeThatNeverEndsIsCutOff)
{
    tls_config client = client_config();
    for (int i = 0; i < 100; ++i)
        client.alpn.push_back(std::to_string(i) + std::string(200, 'x'));
    tls_config server = server_config();
    server.limits.handshake = 4 * kib;
    tls_pair pair(client, server);
    pair.network.run();
    EXPECT_EQ(pair.server.cause().kind, close_kind::limit);
    EXPECT_NE(pair.server.cause().text.find("4096"), std::string::npos) << pair.server.cause().text;
}

TEST(SSLFilter, AChainTooLongForNwriteIsALimitAndNotAnEndlessBuffer)
{
    issued longest = certificates().chained;
    for (int i = 0; i < 300; ++i)
        longest.certificate_pem += certificates().intermediate.certificate_pem;
    tls_config server = server_config(longest);
    server.limits.nwrite = 1 * kib;
    server.limits.nwrite_hard = 65 * kib;
    tls_pair pair(client_config(), server);
    pair.client.update();
    pair.server.nread().append(pair.client.nwrite().data());
    pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, close_kind::limit) << pair.server.cause().text;
    EXPECT_LE(pair.server.nwrite().size(), 65 * kib);
}

// What is parsed of a chain takes ten times its size, and stays.
TEST(SSLFilter, AChainOfMoreThanTwoFifthsOfTheHandshakeIsRefused)
{
    const tls_context client(client_config());
    for (const int more : {100, 300}) { // some 400 bytes each
        issued longest = certificates().chained;
        for (int i = 0; i < more; ++i)
            longest.certificate_pem += certificates().intermediate.certificate_pem;
        tls_pair pair(client, tls_context(server_config(longest)));
        EXPECT_EQ(pair.connect(), more == 100) << pair.client.cause().text;
        if (more == 300) {
            EXPECT_EQ(pair.client.cause().kind, close_kind::local_alert);
            EXPECT_EQ(pair.client.cause().text, "local_alert: excessive message size");
        }
    }
}

/// Makes the filter's peer ask for new keys, again and again; the requests stand in its nwrite.
void request_key_updates(SSLFilter& from, int count)
{
    SSL* ssl = from.native_handle();
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        ASSERT_EQ(SSL_do_handshake(ssl), 1);
    }
}

// Trap 5: each request makes an answer, all of them inside one read.
TEST(SSLFilter, AFloodOfKeyUpdatesIsCutOff)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    request_key_updates(pair.client, 3000);
    pair.server.nread().append(pair.client.nwrite().data());
    pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, close_kind::limit) << pair.server.cause().text;
    EXPECT_LT(pair.server.nwrite().size(), 40 * kib);
}

TEST(SSLFilter, AnswersWaitWhenThePeerDoesNotTakeThem)
{
    tls_config config = server_config();
    config.limits.key_updates = 1'000'000;
    config.limits.nwrite = 1 * kib;
    config.limits.nwrite_hard = 65 * kib;
    tls_config patient = client_config();
    patient.limits.key_updates = 1'000'000;
    tls_pair pair(patient, config);
    ASSERT_TRUE(pair.connect());
    request_key_updates(pair.client, 5000);
    pair.server.nread().append(pair.client.nwrite().data());
    pair.client.nwrite().clear();
    pair.server.update();
    EXPECT_EQ(pair.server.state(), filter_state::open);
    EXPECT_TRUE(pair.server.pending());
    EXPECT_LE(pair.server.nwrite().size(), 33 * kib + 100); // half-way between the two bounds

    pair.client.awrite().append("done");
    ASSERT_TRUE(pair.network.run()); // taken away, it goes on
    EXPECT_EQ(pair.server.aread().view(), "done");
    EXPECT_EQ(pair.client.state(), filter_state::open);
}

TEST(SSLFilter, DataInBetweenExcusesKeyUpdates)
{
    tls_config config = server_config();
    config.limits.key_updates = 4;
    tls_pair pair(client_config(), config);
    ASSERT_TRUE(pair.connect());
    const std::string mebibyte = pattern(1024 * kib);
    for (int i = 0; i < 10; ++i) {
        request_key_updates(pair.client, 3);
        ASSERT_TRUE(pair.client.awrite().append(mebibyte));
        std::size_t got = 0;
        while (got < mebibyte.size()) {
            ASSERT_TRUE(pair.network.run());
            ASSERT_FALSE(pair.server.aread().empty()) << pair.server.cause().text;
            got += pair.server.aread().size();
            pair.server.aread().clear();
        }
    }
    EXPECT_EQ(pair.server.state(), filter_state::open);
}

TEST(SSLFilter, AFloodOfTicketsIsCutOff)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    SSL* ssl = pair.server.native_handle();
    for (int i = 0; i < 1200 && !pair.client.closed(); ++i) {
        ASSERT_EQ(SSL_new_session_ticket(ssl), 1);
        ASSERT_EQ(SSL_do_handshake(ssl), 1);
        pair.client.nread().append(pair.server.nwrite().data());
        pair.server.nwrite().clear();
        pair.client.update();
    }
    EXPECT_EQ(pair.client.cause().kind, close_kind::limit) << pair.client.cause().text;
}

TEST(SSLFilter, RenegotiationIsRefused)
{
    tls_pair pair(with_versions(client_config(), tls_version::tls1_2), server_config());
    ASSERT_TRUE(pair.connect());
    SSL* ssl = pair.client.native_handle();
    EXPECT_EQ(SSL_renegotiate(ssl), 0); // ours does not even ask
    SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
    EXPECT_EQ(SSL_renegotiate(ssl), 1);
    SSL_do_handshake(ssl);
    ERR_clear_error();
    pair.network.run();
    // The server answers with the warning no_renegotiation, at which OpenSSL's client gives up.
    EXPECT_EQ(pair.client.cause().text, "local_alert: no renegotiation");
    EXPECT_EQ(pair.server.cause().kind, close_kind::peer_alert) << pair.server.cause().text;
    EXPECT_EQ(pair.server.cause().code, SSL_AD_HANDSHAKE_FAILURE);
    EXPECT_EQ(SSL_num_renegotiations(pair.server.native_handle()), 0);
}

// -- memory
// ------------------------------------------------------------------------------------------

TEST(SSLFilter, TrimGivesBackAllThatAnIdleConnectionDoesNotNeed)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    const std::string burst = pattern(16 * kib);
    for (int i = 0; i < 3; ++i) {
        pair.client.awrite().append(burst);
        pair.server.awrite().append(burst);
        ASSERT_TRUE(pair.network.run());
        EXPECT_EQ(pair.server.aread().view(), burst);
        pair.server.aread().clear();
        pair.client.aread().clear();
        EXPECT_GT(pair.server.memory(), 16 * kib);
        pair.server.trim();
        pair.client.trim();
        EXPECT_EQ(pair.server.memory(), 0U);
    }
}

TEST(SSLFilter, TrimKeepsWhatIsHeld)
{
    tls_pair pair;
    pair.client.update();
    pair.client.trim(); // within the handshake
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append(pattern(40'000));
    pair.client.update();
    const std::string all(pair.client.nwrite().view());
    // All but the last byte: a part of a record is inside OpenSSL.
    pair.server.nread().append(std::string_view(all).substr(0, all.size() - 1));
    pair.client.nwrite().consume(all.size() - 1);
    pair.server.update();
    pair.client.trim();
    pair.server.trim();
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.aread().view(), pattern(40'000));
}

TEST(SSLFilter, EveryFailingAllocationEndsInAValue)
{
    // All that update() itself allocates, over a whole connection, fails once.
    const tls_context client_side(client_config());
    const tls_context server_side{server_config()};
    int failures = 0;
    for (long at = 0; at < 60; ++at) {
        tls_pair pair(client_side, server_side);
        pair.client.awrite().append(pattern(50'000));
        allocations_left = at;
        const auto step = [&] {
            pair.client.update();
            pair.server.update();
        };
        for (int i = 0; i < 10; ++i) {
            step();
            const long left = std::exchange(allocations_left, -1);
            pair.server.nread().append(pair.client.nwrite().data());
            pair.client.nread().append(pair.server.nwrite().data());
            pair.client.nwrite().clear();
            pair.server.nwrite().clear();
            allocations_left = left;
        }
        allocations_left = -1;
        for (const SSLFilter* each : {&pair.client, &pair.server})
            if (each->closed()) {
                ++failures;
                EXPECT_EQ(each->cause().kind, close_kind::internal) << each->cause().text;
                EXPECT_EQ(each->cause().text, "out of memory");
            }
    }
    EXPECT_GE(failures, 5); // it did fail, at several places
}

// -- OpenSSL's traps
// -----------------------------------------------------------------------------------

// Trap 2: one stale entry would turn "nothing to read" into SSL_ERROR_SSL.
TEST(SSLFilter, AStaleErrorOfAnotherConnectionDoesNoHarm)
{
    tls_pair pair;
    const auto soil = [] { ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); };
    soil();
    pair.client.update();
    EXPECT_EQ(pair.client.state(), filter_state::handshaking);
    EXPECT_EQ(ERR_peek_error(), 0U); // and none is left for others
    ASSERT_TRUE(pair.connect());
    pair.server.nread().append(
        std::string_view("\x17", 1)); // a fragment: there is something to try
    soil();
    pair.server.update();
    EXPECT_EQ(pair.server.state(), filter_state::open) << pair.server.cause().text;
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(SSLFilter, AFailureLeavesTheErrorQueueEmpty)
{
    SSLFilter server{tls_context(server_config())};
    server.nread().append("not TLS at all");
    server.update();
    EXPECT_TRUE(server.closed());
    EXPECT_EQ(ERR_peek_error(), 0U);
    EXPECT_THROW(tls_context({.role = tls_role::server}), std::system_error);
    EXPECT_EQ(ERR_peek_error(), 0U);
}

// Traps 3 and 4: what OpenSSL asks of a BIO.
TEST(SSLFilter, ItsBioAnswersFlushAndEndOfFileAndForgetsOldRetries)
{
    SSLFilter server{tls_context(server_config())};
    BIO* bio = SSL_get_rbio(server.native_handle());
    char byte = 0;
    std::size_t got = 0;
    EXPECT_EQ(BIO_flush(bio), 1);
    EXPECT_EQ(BIO_eof(bio), 0);
    EXPECT_EQ(BIO_read_ex(bio, &byte, 1, &got), 0);
    EXPECT_TRUE(BIO_should_retry(bio));

    server.nread().append("x");
    server.input_eof();
    EXPECT_EQ(BIO_eof(bio), 0); // a byte is still there
    EXPECT_EQ(BIO_read_ex(bio, &byte, 1, &got), 1);
    EXPECT_FALSE(BIO_should_retry(bio));
    EXPECT_EQ(BIO_eof(bio), 1);
    EXPECT_EQ(BIO_read_ex(bio, &byte, 1, &got), 0);
    EXPECT_FALSE(BIO_should_retry(bio));
}

// Trap 8: reading makes bytes to send: the alert is there when the failure is.
TEST(SSLFilter, TheAlertForThePeerWaitsInNwriteWhenTheConnectionFails)
{
    SSLFilter client{tls_context(client_config("wrong.example"))};
    SSLFilter server{tls_context(server_config())};
    client.update();
    server.nread().append(client.nwrite().data());
    client.nwrite().clear();
    server.update();
    client.nread().append(server.nwrite().data());
    client.update();
    ASSERT_EQ(client.cause().kind, close_kind::verify);
    EXPECT_FALSE(client.nwrite().empty());
    EXPECT_EQ(client.nwrite().view()[0], '\x15'); // an alert record
}

// Trap 9: a second SSL_shutdown with data in flight fails; ours is called once.
TEST(SSLFilter, DataInFlightDoesNotDisturbTheClose)
{
    tls_pair pair;
    pair.network.hang_up(false);
    ASSERT_TRUE(pair.connect());
    pair.client.close_write();
    for (int i = 0; i < 20; ++i) {
        pair.server.awrite().append("still talking ");
        pair.client.close_write(); // again and again
        ASSERT_TRUE(pair.network.run());
        EXPECT_FALSE(pair.client.closed()) << pair.client.cause().text;
    }
    EXPECT_EQ(pair.client.aread().size(), 20U * 14U);
    ASSERT_TRUE(pair.server.update_keys());
    pair.server.update(); // asks an end for new keys that cannot answer any more
    pair.server.close_write();
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.client.cause().kind, close_kind::clean) << pair.client.cause().text;
    EXPECT_EQ(pair.server.cause().kind, close_kind::clean);
}

// In TLS 1.2 OpenSSL has an internal error of its own for a record that is too short for its tag.
TEST(SSLFilter, ARecordTooShortToBeOneIsThePeersFault)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3})
        for (const char* cipher : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
                                   "ECDHE-ECDSA-AES128-CCM"})
            for (const char type : {'\x14', '\x15', '\x16', '\x17'})
                for (const char size : {'\0', '\1', '\2', '\x0f', '\x17', '\x18'}) {
                    tls_config config = with_versions(client_config(), version);
                    tls_config server = server_config();
                    config.ciphers_tls12 = server.ciphers_tls12 = cipher;
                    tls_pair pair(config, server);
                    ASSERT_TRUE(pair.connect());
                    const std::string header{type, 3, 3, 0, size};
                    pair.server.nread().append(header
                                               + std::string(static_cast<std::size_t>(size), 'x'));
                    pair.network.run();
                    EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert)
                        << pair.server.cause().text;
                    EXPECT_GT(pair.server.cause().code, 0);
                    EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert);
                    EXPECT_EQ(pair.client.cause().code, pair.server.cause().code);
                }
}

TEST(SSLFilter, GarbageAtAnyMomentEndsWithAValueAndWithinTheBounds)
{
    const tls_context client_side(client_config());
    const tls_context server_side{server_config()};
    std::mt19937 engine(5);
    for (int round = 0; round < 200; ++round) {
        tls_pair pair(client_side, server_side,
                      fragmentation::random(static_cast<std::uint32_t>(round), 300));
        for (auto steps = engine() % 40; steps > 0; --steps)
            pair.network.step();
        SSLFilter& victim = engine() % 2 == 0 ? pair.client : pair.server;
        std::string garbage(1 + engine() % 600, '\0');
        for (char& c : garbage)
            c = static_cast<char>(engine());
        if (engine() % 2 == 0)
            garbage.replace(0, 3, "\x16\x03\x03");
        victim.nread().append(garbage);
        victim.update();
        victim.input_eof();
        victim.update();
        ASSERT_TRUE(victim.closed());
        EXPECT_NE(victim.cause().kind, close_kind::clean);
        EXPECT_NE(victim.cause().kind, close_kind::internal) << victim.cause().text;
        EXPECT_LE(victim.nwrite().size(), tls_limits().nwrite_hard);
        EXPECT_EQ(ERR_peek_error(), 0U);
    }
}

} // namespace
