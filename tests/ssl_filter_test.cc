// SPDX-License-Identifier: MIT
//
// How bytes move and connections end. Whom one talks to: ssl_verify_test.cc. The bounds and
// OpenSSL's traps: ssl_limits_test.cc.

#include "funcptr/ssl_filter.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <random>
#include <utility>

#include "funcptr/error.h"
#include "support/tls_pair.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

std::string random_text(std::size_t size, std::uint32_t seed)
{
    std::mt19937 engine(seed);
    std::string text(size, '\0');
    for (char& c : text)
        c = static_cast<char>(engine());
    return text;
}

/// Sends text from one filter to another, taking it away as it comes.
std::string transfer(pump& network, filter& from, filter& to, const std::string& text)
{
    std::string got;
    EXPECT_TRUE(from.awrite().append(text));
    do {
        EXPECT_TRUE(network.run());
        got += to.aread().view();
        to.aread().clear();
    } while (from.pending() || to.pending());
    return got;
}

// -- both versions, both kinds of key, every way of cutting the bytes ---------------------------

struct variant {
    tls_version version;
    bool rsa;
    fragmentation cut;
};

class EveryVariant : public ::testing::TestWithParam<variant> {
protected:
    tls_config client() const { return with_versions(client_config(), GetParam().version); }
    tls_config server() const
    {
        const auto& all = certificates();
        return with_versions(server_config(GetParam().rsa ? all.server_rsa : all.server),
                             GetParam().version);
    }
};

std::vector<variant> variants()
{
    std::vector<variant> all;
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3})
        for (const bool rsa : {false, true})
            for (const auto& cut : {fragmentation::whole(), fragmentation::bytes(1),
                                    fragmentation::bytes(5), fragmentation::random(1),
                                    fragmentation::random(2, 64), fragmentation::random(3, 20000)})
                all.push_back({version, rsa, cut});
    return all;
}

INSTANTIATE_TEST_SUITE_P(SSLFilter, EveryVariant, ::testing::ValuesIn(variants()));

TEST_P(EveryVariant, CarriesBytesBothWaysAndClosesClean)
{
    tls_pair pair(client(), server(), GetParam().cut);
    const std::string question = random_text(40'000, 1);
    const std::string answer = random_text(70'000, 2);

    EXPECT_EQ(transfer(pair.network, pair.client, pair.server, question), question);
    EXPECT_EQ(transfer(pair.network, pair.server, pair.client, answer), answer);
    pair.client.close_write();
    pair.server.close_write();
    ASSERT_TRUE(pair.network.run());

    for (const SSLFilter* each : {&pair.client, &pair.server}) {
        EXPECT_TRUE(each->closed()) << GetParam().cut.name();
        EXPECT_EQ(each->cause().kind, close_kind::clean) << each->cause().text;
    }
}

TEST_P(EveryVariant, BytesPutBeforeTheHandshakeWaitForIt)
{
    tls_pair pair(client(), server(), GetParam().cut);
    pair.client.awrite().append("early");
    pair.server.awrite().append("bird");
    pair.client.close_write();
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.aread().view(), "early");
    EXPECT_EQ(pair.client.aread().view(), "bird");
    EXPECT_TRUE(pair.server.read_closed());
    EXPECT_FALSE(pair.server.closed());
}

TEST_P(EveryVariant, AConnectionCutAnywhereEndsWithAValue)
{
    tls_pair whole(client(), server(), GetParam().cut);
    ASSERT_TRUE(whole.connect());
    const auto length = static_cast<std::size_t>(whole.network.passed(side::left));
    // A prime step: every place within a record's header comes up over the variants.
    for (std::size_t at = 0; at < length + 40; at += 17) {
        tls_pair pair(client(), server(), GetParam().cut);
        pair.client.awrite().append("lost, perhaps");
        pair.network.cut_after(side::left, at);
        ASSERT_TRUE(pair.network.run());
        ASSERT_TRUE(pair.server.closed()) << at;
        EXPECT_EQ(pair.server.cause().kind, close_kind::truncated) << pair.server.cause().text;
        EXPECT_TRUE(pair.client.closed()) << at; // the server's end of output reaches it
    }
}

// -- how it begins -------------------------------------------------------------------------------

TEST(SSLFilter, TellsTheFactsOfTheHandshake)
{
    tls_config client = client_config();
    tls_config server = server_config();
    client.alpn = {"h2", "http/1.1"};
    server.alpn = {"http/1.1", "h2"};
    tls_pair pair(client, server);
    EXPECT_EQ(pair.client.peer().version, ""); // nothing is known before
    ASSERT_TRUE(pair.connect());

    const tls_peer seen = pair.client.peer();
    EXPECT_EQ(seen.version, "TLSv1.3");
    EXPECT_EQ(seen.cipher, "TLS_AES_128_GCM_SHA256");
    EXPECT_EQ(seen.alpn, "http/1.1"); // the server's first choice
    EXPECT_EQ(seen.server_name, "localhost");
    EXPECT_FALSE(seen.resumed);
    EXPECT_TRUE(seen.verified);
    ASSERT_EQ(seen.chain.size(), 1U);
    EXPECT_EQ(seen.chain[0].subject, "CN=server");
    EXPECT_EQ(seen.chain[0].pem, certificates().server.certificate_pem);
    EXPECT_FALSE(seen.chain[0].der.empty());

    const tls_peer from_server = pair.server.peer();
    EXPECT_EQ(from_server.server_name, "localhost");
    EXPECT_EQ(from_server.alpn, "http/1.1");
    EXPECT_FALSE(from_server.verified); // it asked for no certificate
    EXPECT_TRUE(from_server.chain.empty());
}

TEST(SSLFilter, Tls12UsesAForwardSecretAeadCipher)
{
    tls_pair pair(with_versions(client_config(), tls_version::tls1_2), server_config());
    ASSERT_TRUE(pair.connect());
    EXPECT_EQ(pair.client.peer().version, "TLSv1.2");
    EXPECT_EQ(pair.client.peer().cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

TEST(SSLFilter, AServerWithoutAClientThatSpeaksItsAlpnRefuses)
{
    tls_config client = client_config();
    tls_config server = server_config();
    client.alpn = {"smtp"};
    server.alpn = {"h2"};
    tls_pair pair(client, server);
    pair.network.run();
    EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert);
    EXPECT_EQ(pair.server.cause().code, 120); // no_application_protocol, RFC 7301
    EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert);
    EXPECT_EQ(pair.client.cause().code, 120);
}

TEST(SSLFilter, AClientThatOffersNoAlpnIsServed)
{
    tls_config server = server_config();
    server.alpn = {"h2"};
    tls_pair pair(client_config(), server);
    ASSERT_TRUE(pair.connect());
    EXPECT_EQ(pair.server.peer().alpn, "");
}

TEST(SSLFilter, WithoutAVersionInCommonBothEndsSaySo)
{
    tls_pair pair(with_versions(client_config(), tls_version::tls1_2),
                  with_versions(server_config(), tls_version::tls1_3));
    pair.network.run();
    EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert);
    EXPECT_EQ(pair.server.cause().code, 70); // protocol_version
    EXPECT_NE(pair.server.cause().text.find("no TLS version"), std::string::npos);
    EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert);
    EXPECT_EQ(pair.client.cause().code, 70);
}

TEST(SSLFilter, TheCertificateFitsTheNameAskedFor)
{
    tls_config server = server_config(certificates().elsewhere);
    server.more_identities = {{.certificate_pem = certificates().server.certificate_pem,
                               .key_pem = certificates().server.key_pem},
                              {.certificate_pem = certificates().server_rsa.certificate_pem,
                               .key_pem = certificates().server_rsa.key_pem}};
    const std::pair<const char*, const char*> asked[] = {{"localhost", "CN=server"},
                                                         {"other.example", "CN=elsewhere"},
                                                         {"a.wild.example", "CN=elsewhere"},
                                                         {"LOCALHOST", "CN=server"}};
    for (const auto& [name, subject] : asked) {
        tls_pair pair(client_config(name), server);
        ASSERT_TRUE(pair.connect()) << name << ": " << pair.client.cause().text;
        EXPECT_EQ(pair.client.peer().chain.at(0).subject, subject) << name;
    }
    // No SNI goes with an address, so the first identity answers, and does not fit.
    tls_pair pair(client_config("127.0.0.1"), server);
    EXPECT_FALSE(pair.connect());
    EXPECT_EQ(pair.client.cause().kind, close_kind::verify);
    // A client that cannot do ECDSA gets the RSA one of that name.
    tls_config rsa_only = with_versions(client_config(), tls_version::tls1_2);
    rsa_only.ciphers_tls12 = "ECDHE-RSA-AES128-GCM-SHA256";
    tls_pair other(rsa_only, server);
    ASSERT_TRUE(other.connect()) << other.client.cause().text;
    EXPECT_EQ(other.client.peer().chain.at(0).subject, "CN=server-rsa");
}

// -- the other protocol's first bytes
// --------------------------------------------------------------

TEST(SSLFilter, NamesTheProtocolThatAClientSpokeInsteadOfTls)
{
    const std::pair<const char*, const char*> openings[] = {
        {"GET / HTTP/1.1\r\n\r\n", "the client spoke plain HTTP"},
        {"DELETE /x HTTP/1.1\r\n\r\n", "the client spoke plain HTTP"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plain HTTP/2"},
        {"CONNECT a:443 HTTP/1.1\r\n\r\n", "HTTP proxy"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "SSH"},
        {"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "load balancer"},
        {"\x01\x02\x03\x04\x05\x06", "does not speak TLS"}};
    const tls_context context(server_config());
    for (const auto& [bytes, words] : openings) {
        SSLFilter server(context);
        server.nread().append(std::string_view(bytes));
        server.update();
        ASSERT_TRUE(server.closed()) << bytes;
        EXPECT_EQ(server.cause().kind, close_kind::local_alert);
        EXPECT_NE(server.cause().text.find(words), std::string::npos) << server.cause().text;
    }
}

TEST(SSLFilter, NamesTheProtocolThatAServerSpokeInsteadOfTls)
{
    const std::pair<const char*, const char*> openings[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "plain HTTP"},
        {"220 mail.example ESMTP\r\n", "STARTTLS"},
        {"* OK IMAP4rev1 ready\r\n", "IMAP"},
        {"+OK POP3\r\n", "POP3"}};
    const tls_context context(client_config());
    for (const auto& [bytes, words] : openings) {
        SSLFilter client(context);
        client.update();
        client.nread().append(std::string_view(bytes));
        client.update();
        ASSERT_TRUE(client.closed()) << bytes;
        EXPECT_NE(client.cause().text.find(words), std::string::npos) << client.cause().text;
    }
}

// -- how it ends
// -------------------------------------------------------------------------------------

TEST(SSLFilter, HangingUpWithoutCloseNotifyIsTruncation)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append("last words");
    pair.network.run();
    pair.server.input_eof();
    pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, close_kind::truncated);
    EXPECT_EQ(pair.server.cause().text, "truncated: the peer hung up without close_notify");
    EXPECT_EQ(pair.server.aread().view(), "last words"); // what came stays
}

TEST(SSLFilter, EofBeforeAnyByteIsToldFromEofWithinTheHandshake)
{
    const tls_context context(server_config());
    SSLFilter silent(context);
    silent.input_eof();
    silent.update();
    EXPECT_EQ(silent.cause().kind, close_kind::truncated);
    EXPECT_NE(silent.cause().text.find("without sending a byte"), std::string::npos);

    SSLFilter rude(context);
    rude.nread().append(std::string_view("\x16\x03\x01", 3));
    rude.input_eof();
    rude.update();
    EXPECT_EQ(rude.cause().kind, close_kind::truncated);
    EXPECT_NE(rude.cause().text.find("during the handshake"), std::string::npos);
}

TEST(SSLFilter, DataBehindAnEofStillComesOut)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append("first and last");
    pair.client.close_write();
    pair.client.update();
    pair.server.nread().append(pair.client.nwrite().data());
    pair.server.input_eof(); // known together with the bytes, as after a read(2) of both
    pair.server.update();
    EXPECT_EQ(pair.server.aread().view(), "first and last");
    EXPECT_TRUE(pair.server.read_closed());
    EXPECT_FALSE(pair.server.closed()) << pair.server.cause().text;
    pair.server.close_write();
    pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, close_kind::clean);
}

TEST(SSLFilter, AHalfClosedConnectionCarriesTheOtherDirection)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        tls_pair pair(with_versions(client_config(), version), server_config());
        pair.network.hang_up(false); // the transport stays whole: TLS alone says who is done
        ASSERT_TRUE(pair.connect());
        pair.client.close_write();
        ASSERT_TRUE(pair.network.run());
        EXPECT_TRUE(pair.client.write_closed());
        EXPECT_TRUE(pair.server.read_closed());
        EXPECT_FALSE(pair.client.closed());
        EXPECT_FALSE(pair.server.closed());

        const std::string answer = random_text(300'000, 3);
        EXPECT_EQ(transfer(pair.network, pair.server, pair.client, answer), answer);
        pair.server.close_write();
        ASSERT_TRUE(pair.network.run());
        EXPECT_EQ(pair.client.cause().kind, close_kind::clean);
        EXPECT_EQ(pair.server.cause().kind, close_kind::clean);
    }
}

TEST(SSLFilter, CloseWriteSendsAllOfAwriteFirst)
{
    tls_pair pair;
    const std::string text = random_text(1'000'000, 4);
    ASSERT_TRUE(pair.client.awrite().append(text));
    pair.client.close_write();
    std::string got;
    while (!pair.server.read_closed()) {
        ASSERT_TRUE(pair.network.run());
        got += pair.server.aread().view();
        pair.server.aread().clear();
    }
    EXPECT_EQ(got, text);
}

TEST(SSLFilter, CloseNotifyBeforeTheHandshakeIsDoneIsNoCleanEnd)
{
    SSLFilter client{tls_context(client_config())};
    client.update();
    client.nread().append(std::string_view("\x15\x03\x03\x00\x02\x01\x00", 7));
    client.update();
    EXPECT_EQ(client.cause().kind, close_kind::peer_alert) << client.cause().text;
    EXPECT_EQ(client.cause().code, 0);
}

TEST(SSLFilter, ACorruptedRecordIsALocalAlertAndReachesThePeerAsItsOwn)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        tls_pair pair(with_versions(client_config(), version), server_config());
        ASSERT_TRUE(pair.connect());
        pair.client.awrite().append("to be spoilt");
        pair.client.update();
        std::string record(pair.client.nwrite().view());
        pair.client.nwrite().clear();
        record.back() = static_cast<char>(record.back() ^ 1);
        pair.server.nread().append(record);
        pair.server.update();
        EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert);
        EXPECT_EQ(pair.server.cause().code, 20); // bad_record_mac
        EXPECT_TRUE(pair.server.aread().empty());
        pair.network.run();
        EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert);
        EXPECT_EQ(pair.client.cause().code, 20);
    }
}

TEST(SSLFilter, TheCauseNeverChangesAndNothingMovesAfterIt)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    pair.server.input_eof();
    pair.server.update();
    ASSERT_EQ(pair.server.cause().kind, close_kind::truncated);
    const std::string text = pair.server.cause().text;
    const std::size_t out = pair.server.nwrite().size();

    pair.server.nread().append("garbage");
    pair.server.awrite().append("never sent");
    pair.server.close_write();
    pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, close_kind::truncated);
    EXPECT_EQ(pair.server.cause().text, text);
    EXPECT_EQ(pair.server.nwrite().size(), out);
    EXPECT_FALSE(pair.server.update_keys());
    EXPECT_TRUE(pair.server.read_closed());
    EXPECT_TRUE(pair.server.write_closed());
}

// -- life with it
// ----------------------------------------------------------------------------------------

TEST(SSLFilter, MovesLeaveTheBuffersWhereTheyAre)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    const buffer* address = &pair.client.aread();
    SSLFilter moved(std::move(pair.client));
    EXPECT_EQ(&moved.aread(), address);
    pump network(moved, pair.server);
    EXPECT_EQ(transfer(network, pair.server, moved, "still here"), "still here");
    moved = SSLFilter(tls_context(client_config())); // the old connection goes, a new one comes
    EXPECT_EQ(moved.state(), filter_state::handshaking);
}

TEST(SSLFilter, AFilterOutlivesItsContext)
{
    auto context = std::make_unique<tls_context>(server_config());
    SSLFilter server(*context);
    context.reset();
    SSLFilter client{tls_context(client_config())};
    pump network(client, server);
    EXPECT_EQ(transfer(network, client, server, "orphan"), "orphan");
}

TEST(SSLFilter, AConnectionGoesOverToPlainTextWithoutLosingAByte)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append("secret");
    pair.client.close_write();
    pair.client.update();
    pair.client.nwrite().append("and now in the clear"); // what the application sends afterwards
    pair.server.nread().append(pair.client.nwrite().data());
    pair.server.close_write();
    pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, close_kind::clean);
    EXPECT_EQ(pair.server.aread().view(), "secret");
    EXPECT_EQ(pair.server.leftover(), "and now in the clear");
}

TEST(SSLFilter, NothingIsLeftOverBeforeTheEndNorAfterABadOne)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    pair.server.nread().append(std::string_view("\x17\x03\x03", 3)); // half a record
    EXPECT_EQ(pair.server.leftover(), "");
    pair.server.nread().append(std::string(64, 'x'));
    pair.server.update();
    ASSERT_TRUE(pair.server.closed());
    EXPECT_NE(pair.server.cause().kind, close_kind::clean);
    EXPECT_EQ(pair.server.leftover(), "");
}

TEST(SSLFilter, AConnectionComesFromPlainTextWithBytesAlreadyRead)
{
    SSLFilter client{tls_context(client_config())};
    client.update();
    plain_filter before;
    before.nread().append("STARTTLS\r\n");
    before.nread().append(client.nwrite().data()); // came in the same packet
    client.nwrite().clear();
    before.aread().consume(10);

    SSLFilter server{tls_context(server_config())};
    ASSERT_TRUE(server.adopt(before.aread()));
    EXPECT_TRUE(before.aread().empty()) << "else they would be taken for the application's";
    pump network(client, server);
    EXPECT_EQ(transfer(network, client, server, "upgraded"), "upgraded");
    before.nread().append("too late");
    EXPECT_FALSE(server.adopt(before.aread()));
    EXPECT_EQ(before.aread().view(), "too late");
}

TEST(SSLFilter, AdoptsNoMoreThanItMayHold)
{
    tls_config small = server_config();
    small.limits.nread = 16;
    SSLFilter server{tls_context(small)};
    funcptr::buffer plain;
    plain.append(std::string(17, 'x'));
    EXPECT_FALSE(server.adopt(plain));
    EXPECT_EQ(plain.size(), 17U);
}

TEST(SSLFilter, BothEndsDeriveTheSameKeyingMaterial)
{
    tls_pair pair;
    EXPECT_TRUE(pair.client.export_key("EXPORTER-test", {}, 32).empty()); // not yet
    ASSERT_TRUE(pair.connect());
    const auto here = pair.client.export_key("EXPORTER-test", {}, 32);
    EXPECT_EQ(here.size(), 32U);
    EXPECT_EQ(here, pair.server.export_key("EXPORTER-test", {}, 32));
    EXPECT_NE(here, pair.server.export_key("EXPORTER-other", {}, 32));
}

TEST(SSLFilter, AKeyOfAbsurdLengthIsNotExported)
{
    tls_pair pair;
    ASSERT_TRUE(pair.connect());
    EXPECT_EQ(pair.client.export_key("EXPERIMENTAL x", {}, 1000).size(), 1000U);
    for (const std::size_t length : {std::size_t{0}, std::size_t{0x10000}, ~std::size_t{0}})
        EXPECT_TRUE(pair.client.export_key("EXPERIMENTAL x", {}, length).empty());
}

// Whatever a client asks for, it cannot write lines into the server's log.
TEST(SSLFilter, TheNameAskedForIsPrintable)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        tls_pair pair(with_versions(client_config(), version));
        SSL_set_tlsext_host_name(pair.client.native_handle(), "evil\n\x1b[31mroot\xc3\xa9");
        ASSERT_TRUE(pair.connect());
        EXPECT_EQ(pair.server.peer().server_name, "evil??[31mroot??");
    }
}

TEST(SSLFilter, KeysAreRenewedOnDemandInTls13)
{
    tls_pair pair;
    EXPECT_FALSE(pair.client.update_keys()); // not open yet
    ASSERT_TRUE(pair.connect());
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE((i % 2 == 0 ? pair.client : pair.server).update_keys());
        const std::string text = random_text(20'000, 5);
        EXPECT_EQ(transfer(pair.network, pair.client, pair.server, text), text);
        EXPECT_EQ(transfer(pair.network, pair.server, pair.client, text), text);
    }
    tls_pair old(with_versions(client_config(), tls_version::tls1_2), server_config());
    ASSERT_TRUE(old.connect());
    EXPECT_FALSE(old.client.update_keys());
}

TEST(SSLFilter, KeysAreRenewedByThemselvesAfterSoManyRecords)
{
    tls_config client = client_config();
    client.limits.records_per_key = 3;
    tls_config server = server_config();
    server.limits.key_updates = 10;
    tls_pair pair(client, server);
    ASSERT_TRUE(pair.connect());
    for (int i = 0; i < 30; ++i) // 30 records make 10 renewals, the last one still to be sent
        EXPECT_EQ(transfer(pair.network, pair.client, pair.server, "a"), "a");
    EXPECT_FALSE(pair.server.closed());
    // The server counts them: three more records bring the eleventh, one more than it bears.
    for (int i = 0; i < 4; ++i) {
        pair.client.awrite().append("a");
        pair.network.run();
    }
    EXPECT_EQ(pair.server.cause().kind, close_kind::limit) << pair.server.cause().text;
}

} // namespace
