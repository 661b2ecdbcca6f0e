// SPDX-License-Identifier: MIT
//
// The contract of filter.h, line by line, over every filter and every pair of TLS engines, both
// versions of TLS, and every way of cutting the bytes. What is one engine's own stands in its
// tests.

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <random>

#include "support/tls_ends.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

struct cut_kind {
    const char* name;
    fragmentation cut;
};
const std::vector<cut_kind>& cuts()
{
    static const std::vector<cut_kind> all{
        {"Whole", fragmentation::whole()},         {"Bytewise", fragmentation::bytes(1)},
        {"Fives", fragmentation::bytes(5)},        {"Random1", fragmentation::random(1)},
        {"Random2", fragmentation::random(2, 64)}, {"Random3", fragmentation::random(3, 20000)}};
    return all;
}

struct variant {
    engine client;
    engine server;
    tls_version version;
    cut_kind cut;
};

std::string text_of(const variant& v)
{
    const bool plain = v.client == engine::plain;
    const std::string version = v.version == tls_version::tls1_2 ? "_Tls12_" : "_Tls13_";
    return std::string(name_of(v.client)) + "To" + name_of(v.server) + (plain ? "_" : version)
           + v.cut.name;
}
std::string name_of_variant(const ::testing::TestParamInfo<variant>& info)
{
    return text_of(info.param);
}
void PrintTo(const variant& v, std::ostream* out)
{
    *out << text_of(v);
}

/// every: all ways of cutting; else one of each kind.
std::vector<variant> variants(bool plain, bool every)
{
    std::vector<variant> all;
    for (const cut_kind& cut : cuts()) {
        if (!every && std::string_view(cut.name).starts_with("Random"))
            continue;
        if (plain)
            all.push_back({engine::plain, engine::plain, tls_version::tls1_3, cut});
        for (const auto version : {tls_version::tls1_2, tls_version::tls1_3})
            for (const engine client : {engine::openssl, engine::gnutls})
                for (const engine server : {engine::openssl, engine::gnutls})
                    all.push_back({client, server, version, cut});
    }
    return all;
}

std::string random_text(std::size_t size, std::uint32_t seed)
{
    std::mt19937 draw(seed);
    std::string text(size, '\0');
    for (char& c : text)
        c = static_cast<char>(draw());
    return text;
}

class Conformance : public ::testing::TestWithParam<variant> {
protected:
    static bool plain() { return GetParam().client == engine::plain; }
    static bool bytewise() { return GetParam().cut.name == std::string_view("Bytewise"); }
    static tls_config client_side() { return with_versions(client_config(), GetParam().version); }
    static tls_config server_side() { return with_versions(server_config(), GetParam().version); }
    static end_pair make(const tls_config& client = client_side(),
                         const tls_config& server = server_side())
    {
        return {GetParam().client, GetParam().server, client, server, GetParam().cut.cut};
    }

    /// Sends text from one end to the other, taking it away as it comes.
    static std::string transfer(pump& network, filter& from, filter& to, std::string_view text)
    {
        std::string got;
        bool waiting = true;
        while (waiting && !from.closed() && !to.closed()) {
            const std::size_t part = std::min(text.size(), from.awrite().room());
            EXPECT_TRUE(from.awrite().append(text.substr(0, part)));
            text.remove_prefix(part);
            EXPECT_TRUE(network.run());
            waiting = !text.empty() || from.pending() || to.pending() || !to.aread().empty();
            got += to.aread().view();
            to.aread().clear();
        }
        return got;
    }

    static void expect_clean(const end_pair& pair)
    {
        for (const filter* each : {&pair.client, &pair.server}) {
            EXPECT_EQ(each->state(), filter_state::closed);
            EXPECT_EQ(each->cause().kind, close_kind::clean) << each->cause().text;
            EXPECT_TRUE(each->read_closed());
            EXPECT_TRUE(each->write_closed());
            EXPECT_FALSE(each->pending());
        }
    }
};

INSTANTIATE_TEST_SUITE_P(Filters, Conformance, ::testing::ValuesIn(variants(true, true)),
                         name_of_variant);

TEST_P(Conformance, CarriesBytesUnalteredBothWaysAndClosesClean)
{
    end_pair pair = make();
    const std::string question = random_text(40'000, 1);
    const std::string answer = random_text(70'000, 2);
    EXPECT_EQ(transfer(pair.network, pair.client, pair.server, question), question);
    EXPECT_EQ(transfer(pair.network, pair.server, pair.client, answer), answer);
    pair.client.close_write();
    pair.server.close_write();
    ASSERT_TRUE(pair.network.run());
    expect_clean(pair);
}

TEST_P(Conformance, BytesPutBeforeTheHandshakeWaitForItAndCloseWriteSendsThemFirst)
{
    end_pair pair = make();
    pair.client.awrite().append("early");
    pair.server.awrite().append("bird");
    pair.client.close_write();
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.aread().view(), "early");
    EXPECT_EQ(pair.client.aread().view(), "bird");
    EXPECT_TRUE(pair.server.read_closed());
    EXPECT_FALSE(pair.server.closed());
    EXPECT_FALSE(pair.client.closed());
}

TEST_P(Conformance, AHalfClosedConnectionCarriesTheOtherDirection)
{
    end_pair pair = make();
    pair.client.awrite().append("all that I say");
    pair.client.close_write();
    ASSERT_TRUE(pair.network.run());
    EXPECT_TRUE(pair.client.write_closed());
    EXPECT_FALSE(pair.client.read_closed());

    const std::string answer = random_text(50'000, 3);
    EXPECT_EQ(transfer(pair.network, pair.server, pair.client, answer), answer);
    pair.server.close_write();
    ASSERT_TRUE(pair.network.run());
    expect_clean(pair);
    EXPECT_EQ(pair.server.aread().view(), "all that I say");
}

TEST_P(Conformance, ALargeWriteGoesThroughSmallBuffersWithinTheirBounds)
{
    tls_config client = client_side();
    tls_config server = server_side();
    for (tls_config* each : {&client, &server}) {
        each->limits.nread = 3000;
        each->limits.aread = 5000;
        each->limits.awrite = 20'000;
        each->limits.nwrite = 4000;
        each->limits.nwrite_hard = 4000 + 64 * 1024;
    }
    end_pair pair = make(client, server);
    const std::string text = random_text(bytewise() ? 60'000 : 1'000'000, 4);
    EXPECT_EQ(transfer(pair.network, pair.client, pair.server, text), text);
    EXPECT_EQ(transfer(pair.network, pair.server, pair.client, text), text);
}

TEST_P(Conformance, ItStopsAtTheBoundOfAreadAndGoesOnWithoutANewByte)
{
    tls_config server = server_side();
    server.limits.aread = 5000;
    end_pair pair = make(client_side(), server);
    const std::string text = random_text(50'000, 5);
    pair.client.awrite().append(text);
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.aread().size(), 5000U);
    EXPECT_EQ(pair.server.pending(), !plain()); // a plain one holds nothing behind its aread
    std::string got;
    while (got.size() < text.size()) {
        ASSERT_FALSE(pair.server.aread().empty());
        got += pair.server.aread().view();
        pair.server.aread().clear();
        ASSERT_TRUE(pair.network.run());
    }
    EXPECT_EQ(got, text);
    EXPECT_FALSE(pair.server.pending());
}

TEST_P(Conformance, ItStopsAtTheBoundOfNwriteAndLosesNothing)
{
    tls_config client = client_side();
    client.limits.nwrite = 8000;
    client.limits.nwrite_hard = 8000 + 64 * 1024;
    end_pair pair = make(client, server_side());
    ASSERT_TRUE(pair.connect());
    const std::string text = random_text(60'000, 6);
    pair.network.hold(side::left);
    ASSERT_TRUE(pair.client.awrite().append(text));
    ASSERT_TRUE(pair.network.run());
    if (!plain()) {
        EXPECT_TRUE(pair.client.pending());
        EXPECT_LE(pair.client.nwrite().size(), 8000U + 17'000U);
        EXPECT_FALSE(pair.client.awrite().empty());
    }
    pair.network.hold(side::left, false);
    EXPECT_EQ(transfer(pair.network, pair.client, pair.server, {}), text);
}

TEST_P(Conformance, TrimAtAnyMomentLosesNothing)
{
    end_pair pair = make();
    const std::string text = random_text(30'000, 7);
    ASSERT_TRUE(pair.client.awrite().append(text));
    std::string got;
    for (int i = 0; i < 1'000'000 && pair.network.step(); ++i) {
        pair.client.trim();
        pair.server.trim();
        got += pair.server.aread().view();
        pair.server.aread().clear();
    }
    EXPECT_EQ(got, text);
    pair.client.trim();
    pair.server.trim();
    EXPECT_EQ(pair.client.memory() + pair.server.memory(), 0U);
}

TEST_P(Conformance, WhatWasReadBeforeTheEndIsDelivered)
{
    end_pair pair = make();
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append("the last words");
    pair.client.update();
    const std::string record(pair.client.nwrite().view());
    ASSERT_TRUE(pair.server.nread().append(record));
    pair.server.input_eof();
    pair.server.update();
    EXPECT_EQ(pair.server.aread().view(), "the last words");
    EXPECT_TRUE(pair.server.read_closed());
}

// -- TLS alone: for every plain test above, what TLS adds
// ------------------------------------------

class TlsConformance : public Conformance {};
INSTANTIATE_TEST_SUITE_P(Filters, TlsConformance, ::testing::ValuesIn(variants(false, false)),
                         name_of_variant);

TEST_P(TlsConformance, AConnectionCutAnywhereEndsWithAValueAtBothEnds)
{
    end_pair whole = make();
    ASSERT_TRUE(whole.connect());
    for (const side from : {side::left, side::right}) {
        const auto length = static_cast<std::size_t>(whole.network.passed(from));
        // A prime step: every place within a record's header comes up over the variants.
        for (std::size_t at = 0; at < length + 40; at += bytewise() ? 61U : 17U) {
            end_pair pair = make();
            // Longer than the step behind the handshake, whose length differs with its signatures.
            pair.client.awrite().append(std::string(100, 'c'));
            pair.server.awrite().append(std::string(100, 's'));
            pair.network.cut_after(from, at);
            ASSERT_TRUE(pair.network.run());
            filter& reader = from == side::left ? pair.server : pair.client;
            ASSERT_TRUE(reader.closed()) << at;
            EXPECT_EQ(reader.cause().kind, close_kind::truncated)
                << at << ": " << reader.cause().text;
            const filter& other = from == side::left ? pair.client : pair.server;
            EXPECT_TRUE(other.closed()) << at; // the reader's end of output reaches it
        }
    }
}

TEST_P(TlsConformance, HangingUpWithoutAGoodbyeIsTruncation)
{
    end_pair pair = make();
    ASSERT_TRUE(pair.connect());
    pair.network.cut_after(side::left, 0);
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.cause().kind, close_kind::truncated);
    EXPECT_EQ(pair.server.cause().text, "truncated: the peer hung up without close_notify");
}

TEST_P(TlsConformance, EofBeforeAnyByteIsToldFromEofWithinTheHandshake)
{
    end_pair pair = make();
    pair.server.input_eof();
    pair.server.update();
    EXPECT_EQ(pair.server.cause().text,
              "truncated: the client hung up without sending a byte (a health check?)");
    end_pair other = make();
    other.client.update();
    ASSERT_TRUE(other.server.nread().append(other.client.nwrite().view().substr(0, 20)));
    other.server.input_eof();
    other.server.update();
    EXPECT_EQ(other.server.cause().text, "truncated: the peer hung up during the handshake");
}

TEST_P(TlsConformance, GarbageAtEveryMomentEndsWithAValueAndWithinTheBounds)
{
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        std::mt19937 draw(seed);
        end_pair pair = make();
        pair.client.awrite().append("something to say");
        const auto steps = draw() % 12;
        for (std::uint32_t i = 0; i < steps; ++i)
            pair.network.step();
        filter& victim = seed % 2 == 0 ? pair.server : pair.client;
        const std::string garbage = random_text(1 + draw() % 40'000, seed);
        if (victim.closed())
            continue;
        victim.nread().append(std::string_view(garbage).substr(0, victim.nread().room()));
        victim.update();
        victim.input_eof();
        victim.update();
        ASSERT_TRUE(victim.closed()) << "seed " << seed;
        EXPECT_NE(victim.cause().kind, close_kind::clean) << "seed " << seed;
        EXPECT_NE(victim.cause().kind, close_kind::internal)
            << "seed " << seed << ": " << victim.cause().text;
        EXPECT_LE(victim.nwrite().size(), 16'000U);
        ASSERT_TRUE(pair.network.run());
    }
}

TEST_P(TlsConformance, ACorruptedRecordIsALocalAlertAndReachesThePeerAsItsOwn)
{
    end_pair pair = make();
    ASSERT_TRUE(pair.connect());
    pair.client.awrite().append("to be corrupted");
    pair.client.update();
    std::string record(pair.client.nwrite().view());
    pair.client.nwrite().clear();
    record.back() = static_cast<char>(record.back() ^ 1);
    ASSERT_TRUE(pair.server.nread().append(record));
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert) << pair.server.cause().text;
    EXPECT_EQ(pair.server.cause().code, 20); // bad_record_mac
    EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert) << pair.client.cause().text;
    EXPECT_EQ(pair.client.cause().code, 20);
    EXPECT_TRUE(pair.server.aread().empty());
}

TEST_P(TlsConformance, TheCauseNeverChangesAndNothingMovesAfterIt)
{
    end_pair pair = make();
    ASSERT_TRUE(pair.connect());
    pair.server.input_eof();
    pair.server.update();
    ASSERT_TRUE(pair.server.closed());
    const close_cause before = pair.server.cause();
    const std::size_t waiting = pair.server.nwrite().size();
    pair.server.awrite().append("more");
    pair.server.nread().append("more");
    pair.server.close_write();
    for (int i = 0; i < 3; ++i)
        pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, before.kind);
    EXPECT_EQ(pair.server.cause().text, before.text);
    EXPECT_EQ(pair.server.nwrite().size(), waiting);
    EXPECT_EQ(pair.server.awrite().view(), "more");
    EXPECT_TRUE(pair.server.aread().empty());
}

TEST_P(TlsConformance, BothEndsTellTheSameFactsAndDeriveTheSameKeys)
{
    tls_config client = client_side();
    tls_config server = server_side();
    client.alpn = {"h2", "http/1.1"};
    server.alpn = {"http/1.1", "h2"};
    end_pair pair = make(client, server);
    EXPECT_EQ(pair.client_end->peer().version, ""); // nothing is known before
    EXPECT_TRUE(pair.client_end->export_key("a label").empty());
    ASSERT_TRUE(pair.connect());
    const tls_peer seen = pair.client_end->peer();
    const tls_peer here = pair.server_end->peer();
    const auto* const version = GetParam().version == tls_version::tls1_2 ? "TLSv1.2" : "TLSv1.3";
    EXPECT_EQ(seen.version, version);
    EXPECT_EQ(here.version, version);
    EXPECT_EQ(seen.alpn, "http/1.1"); // the server's first choice
    EXPECT_EQ(here.alpn, "http/1.1");
    EXPECT_EQ(here.server_name, "localhost");
    EXPECT_TRUE(seen.verified);
    EXPECT_FALSE(here.verified);
    EXPECT_FALSE(seen.resumed);
    ASSERT_FALSE(seen.chain.empty());
    EXPECT_NE(seen.chain[0].subject.find("CN="), std::string::npos) << seen.chain[0].subject;
    EXPECT_TRUE(seen.chain[0].pem.starts_with("-----BEGIN CERTIFICATE-----"));
    const auto key = pair.client_end->export_key("EXPERIMENTAL funcptr");
    EXPECT_EQ(key.size(), 32U);
    EXPECT_EQ(key, pair.server_end->export_key("EXPERIMENTAL funcptr"));
}

TEST_P(TlsConformance, KeysAreRenewedOnDemandInTls13)
{
    end_pair pair = make();
    EXPECT_FALSE(pair.client_end->update_keys()); // not open yet
    ASSERT_TRUE(pair.connect());
    const bool can = GetParam().version == tls_version::tls1_3;
    EXPECT_EQ(pair.client_end->update_keys(), can);
    EXPECT_EQ(transfer(pair.network, pair.client, pair.server, "under new keys"), "under new keys");
    // The answer comes with the next record; GnuTLS bears no request that crosses its own.
    EXPECT_EQ(transfer(pair.network, pair.server, pair.client, "and back"), "and back");
    EXPECT_EQ(pair.server_end->update_keys(), can);
    EXPECT_EQ(transfer(pair.network, pair.server, pair.client, "on demand"), "on demand");
    EXPECT_EQ(transfer(pair.network, pair.client, pair.server, "again"), "again");
}

TEST_P(TlsConformance, KeysAreRenewedByThemselvesAfterSoManyRecords)
{
    tls_config client = client_side();
    client.limits.records_per_key = 3;
    end_pair pair = make(client, server_side());
    const std::string text = random_text(12'000, 8); // ten small records
    EXPECT_EQ(transfer(pair.network, pair.client, pair.server, text), text);
}

TEST_P(TlsConformance, AConnectionComesFromPlainTextAndGoesBackToIt)
{
    end_pair pair = make();
    pair.client.update();
    buffer plain;
    ASSERT_TRUE(plain.append(pair.client.nwrite().view()));
    pair.client.nwrite().clear();
    EXPECT_TRUE(pair.server_end->adopt(plain));
    EXPECT_TRUE(plain.empty());
    pair.network.hang_up(false); // the transport goes on
    ASSERT_TRUE(pair.connect());
    EXPECT_FALSE(pair.server_end->adopt(plain)); // too late

    pair.client.close_write();
    ASSERT_TRUE(pair.network.run());
    ASSERT_TRUE(pair.server.nread().append("in the clear"));
    pair.server.close_write();
    ASSERT_TRUE(pair.network.run());
    EXPECT_EQ(pair.server.cause().kind, close_kind::clean) << pair.server.cause().text;
    EXPECT_EQ(pair.server_end->leftover(), "in the clear");
}

TEST_P(TlsConformance, ACloseBeforeTheHandshakeIsDoneIsNoCleanEnd)
{
    end_pair pair = make();
    pair.client.update();
    // An alert record in the clear: warning, close_notify.
    const std::string alert("\x15\x03\x03\x00\x02\x01\x00", 7);
    ASSERT_TRUE(pair.server.nread().append(alert));
    pair.server.update();
    pair.server.input_eof();
    pair.server.update();
    ASSERT_TRUE(pair.server.closed());
    EXPECT_NE(pair.server.cause().kind, close_kind::clean) << pair.server.cause().text;
    EXPECT_NE(pair.server.cause().kind, close_kind::internal) << pair.server.cause().text;
}

// -- who is believed, by every pair
// ------------------------------------------------------------------

class TlsRefusals : public TlsConformance {
protected:
    static constexpr auto npos = std::string::npos;

    /// OpenSSL's TLS 1.3 clients send this alert in the clear, and GnuTLS expects it encrypted.
    static bool alert_is_unreadable()
    {
        return GetParam().version == tls_version::tls1_3 && GetParam().client == engine::openssl
               && GetParam().server == engine::gnutls;
    }

    /// The client refuses the server, and the server hears of it.
    static void expect_refused(const tls_config& client, const tls_config& server,
                               const std::string& words, int alert)
    {
        end_pair pair = make(with_versions(client, GetParam().version),
                             with_versions(server, GetParam().version));
        EXPECT_FALSE(pair.connect());
        EXPECT_EQ(pair.client.cause().kind, close_kind::verify) << pair.client.cause().text;
        EXPECT_NE(pair.client.cause().code, 0);
        EXPECT_NE(pair.client.cause().text.find(words), npos) << pair.client.cause().text;
        if (alert_is_unreadable()) {
            EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert);
            EXPECT_NE(pair.server.cause().text.find("does not accept our certificate"), npos)
                << pair.server.cause().text;
            return;
        }
        EXPECT_EQ(pair.server.cause().kind, close_kind::peer_alert) << pair.server.cause().text;
        EXPECT_EQ(pair.server.cause().code, alert) << pair.server.cause().text;
    }
};
INSTANTIATE_TEST_SUITE_P(Filters, TlsRefusals, ::testing::ValuesIn([] {
                             auto all = variants(false, false);
                             std::erase_if(all, [](const variant& v) {
                                 return v.cut.name != std::string_view("Whole");
                             });
                             return all;
                         }()),
                         name_of_variant);

TEST_P(TlsRefusals, AServersCertificateIsRefusedInTheSameWordsByEveryEngine)
{
    const auto& all = certificates();
    expect_refused(client_config(), server_config(all.elsewhere),
                   "the certificate is for other.example, *.wild.example, not for localhost", 42);
    expect_refused(client_config(), server_config(all.expired), "the certificate expired on 20",
                   45);
    expect_refused(client_config(), server_config(all.future),
                   "the certificate is not valid before 20", 42);
    expect_refused(client_config(), server_config(all.self_signed),
                   "the certificate is self-signed (to believe it, give it as trust_file)", 48);
    expect_refused(client_config(), server_config(all.foreign),
                   "the certificate's issuer is not one that we trust", 48);
    expect_refused(client_config(), server_config(all.client_only),
                   "the certificate is not made for this role", 43);
    expect_refused(client_config("10.9.8.7"), server_config(all.server), "not for 10.9.8.7", 42);
}

TEST_P(TlsRefusals, RevocationListsAreHeeded)
{
    const auto& all = certificates();
    tls_config client = client_config();
    client.crl_pem = make_revocation_list(all.authority, {all.server});
    expect_refused(client, server_config(all.server), "the certificate was revoked", 44);
    client.crl_pem = make_revocation_list(all.stranger, {});
    expect_refused(client, server_config(all.server), "no revocation list covers the certificate",
                   GetParam().client == engine::openssl ? 48 : 42);
    client.crl_pem = make_revocation_list(all.authority, {});
    end_pair pair = make(with_versions(client, GetParam().version), server_side());
    EXPECT_TRUE(pair.connect()) << pair.client.cause().text;

    // What stands above the peer's own certificate is looked up where there is a list.
    client.crl_pem = make_revocation_list(all.intermediate, {});
    end_pair unlisted = make(with_versions(client, GetParam().version),
                             with_versions(server_config(all.chained), GetParam().version));
    EXPECT_TRUE(unlisted.connect()) << unlisted.client.cause().text;
    client.crl_pem += make_revocation_list(all.authority, {all.intermediate});
    expect_refused(client, server_config(all.chained), "the certificate was revoked", 44);
}

TEST_P(TlsRefusals, NamesAndAddressesOfTheCertificateAreAccepted)
{
    const auto& all = certificates();
    for (const char* name : {"localhost", "127.0.0.1", "::1"}) {
        end_pair pair = make(with_versions(client_config(name), GetParam().version), server_side());
        EXPECT_TRUE(pair.connect()) << name << ": " << pair.client.cause().text;
    }
    const tls_config elsewhere = with_versions(server_config(all.elsewhere), GetParam().version);
    end_pair wild =
        make(with_versions(client_config("a.wild.example"), GetParam().version), elsewhere);
    EXPECT_TRUE(wild.connect()) << wild.client.cause().text;
    end_pair deeper =
        make(with_versions(client_config("a.b.wild.example"), GetParam().version), elsewhere);
    EXPECT_FALSE(deeper.connect());
}

TEST_P(TlsRefusals, AChainAndAnRsaKeyAreAccepted)
{
    const auto& all = certificates();
    for (const issued* each : {&all.chained, &all.server_rsa}) {
        end_pair pair =
            make(client_side(), with_versions(server_config(*each), GetParam().version));
        EXPECT_TRUE(pair.connect()) << pair.client.cause().text;
    }
    tls_config itself = client_side();
    itself.trust_pem = all.self_signed.certificate_pem;
    end_pair anchored =
        make(itself, with_versions(server_config(all.self_signed), GetParam().version));
    EXPECT_TRUE(anchored.connect()) << anchored.client.cause().text;
}

TEST_P(TlsRefusals, AClientsCertificateIsAskedForAndVerified)
{
    const auto& all = certificates();
    tls_config server = server_side();
    server.client_certificates = tls_client_certificates::required;
    server.trust_pem = all.authority.certificate_pem;
    const auto with = [](const issued& identity) {
        tls_config client = client_side();
        client.certificate_pem = identity.certificate_pem;
        client.key_pem = identity.key_pem;
        return client;
    };

    end_pair good = make(with(all.client), server);
    ASSERT_TRUE(good.connect()) << good.server.cause().text;
    EXPECT_TRUE(good.server_end->peer().verified);
    ASSERT_FALSE(good.server_end->peer().chain.empty());
    EXPECT_EQ(good.server_end->peer().chain[0].subject.find("CN=alice"), 0U);

    end_pair none = make(client_side(), server);
    none.connect();
    EXPECT_EQ(none.server.cause().kind, close_kind::local_alert) << none.server.cause().text;
    EXPECT_EQ(none.server.cause().text,
              "local_alert: the client sent no certificate, and one is required");
    EXPECT_EQ(none.client.cause().kind, close_kind::peer_alert) << none.client.cause().text;

    end_pair foreign = make(with(all.self_signed), server);
    foreign.connect();
    EXPECT_NE(foreign.server.cause().kind, close_kind::none);
    EXPECT_FALSE(foreign.server.state() == filter_state::open);
    EXPECT_TRUE(foreign.client.closed());

    struct {
        const issued& identity;
        const char* words;
        int alert;
    } const refused[] = {{all.expired, "verify: the certificate expired on 20", 45},
                         {all.client, "verify: the certificate was revoked", 44}};
    tls_config careful = server;
    careful.crl_pem = make_revocation_list(all.authority, {all.client});
    for (const auto& each : refused) {
        end_pair pair = make(with(each.identity), careful);
        pair.connect();
        EXPECT_EQ(pair.server.cause().kind, close_kind::verify) << pair.server.cause().text;
        EXPECT_EQ(pair.server.cause().text.find(each.words), 0U) << pair.server.cause().text;
        EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert) << pair.client.cause().text;
        EXPECT_EQ(pair.client.cause().code, each.alert) << pair.client.cause().text;
    }

    server.client_certificates = tls_client_certificates::optional;
    end_pair left_out = make(client_side(), server);
    EXPECT_TRUE(left_out.connect()) << left_out.server.cause().text;
    EXPECT_FALSE(left_out.server_end->peer().verified);
}

TEST_P(TlsRefusals, WithoutAnythingInCommonBothEndsSaySo)
{
    tls_config client = client_side();
    tls_config server = server_side();
    client.alpn = {"spdy"};
    server.alpn = {"h2"};
    end_pair alpn = make(client, server);
    EXPECT_FALSE(alpn.connect());
    EXPECT_EQ(alpn.server.cause().text,
              "local_alert: the client offers no application protocol (ALPN) that we speak");
    EXPECT_EQ(alpn.client.cause().code, 120) << alpn.client.cause().text;

    const bool old = GetParam().version == tls_version::tls1_2;
    end_pair version =
        make(client_side(),
             with_versions(server_config(), old ? tls_version::tls1_3 : tls_version::tls1_2));
    EXPECT_FALSE(version.connect());
    // GnuTLS goes by the cipher suites, which are different ones in TLS 1.3.
    const bool gnutls = GetParam().server == engine::gnutls;
    EXPECT_EQ(version.server.cause().kind, close_kind::local_alert);
    EXPECT_NE(version.server.cause().text.find(" offers no TLS version "), npos)
        << version.server.cause().text;
    EXPECT_EQ(version.client.cause().code, gnutls ? 40 : 70) << version.client.cause().text;
}

TEST_P(TlsRefusals, TheProtocolThatWasSpokenInsteadIsNamed)
{
    end_pair pair = make();
    pair.server.nread().append("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    pair.server.update();
    EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert) << pair.server.cause().text;
    EXPECT_EQ(pair.server.cause().text, "local_alert: the client spoke plain HTTP");
    pair.client.update();
    pair.client.nread().append("HTTP/1.1 400 Bad Request\r\n\r\n");
    pair.client.update();
    EXPECT_EQ(pair.client.cause().text, "local_alert: the server speaks plain HTTP on this port");
}

// -- moves: the concrete types
// -------------------------------------------------------------------------

template <class Filter>
struct maker;
template <>
struct maker<plain_filter> {
    static plain_filter make() { return plain_filter(); }
};
template <>
struct maker<SSLFilter> {
    static SSLFilter make() { return SSLFilter(tls_context(client_config())); }
};
template <>
struct maker<gnutls_filter> {
    static gnutls_filter make() { return gnutls_filter(gnutls_context(client_config())); }
};

template <class Filter>
class Moves : public ::testing::Test {
};
using every_filter = ::testing::Types<plain_filter, SSLFilter, gnutls_filter>;
TYPED_TEST_SUITE(Moves, every_filter, );

TYPED_TEST(Moves, LeaveTheBuffersWhereTheyAre)
{
    TypeParam first = maker<TypeParam>::make();
    first.update(); // a TLS client has begun its handshake
    ASSERT_TRUE(first.awrite().append("kept"));
    const buffer* const write = &first.awrite();
    const buffer* const read = &first.nread();
    const std::size_t waiting = first.nwrite().size();
    TypeParam second = std::move(first);
    EXPECT_EQ(&second.awrite(), write);
    EXPECT_EQ(&second.nread(), read);
    EXPECT_EQ(second.nwrite().size(), waiting);
    TypeParam third = maker<TypeParam>::make();
    third = std::move(second);
    EXPECT_EQ(&third.awrite(), write);
    third.input_eof();
    third.update();
    EXPECT_TRUE(third.read_closed());
}

} // namespace
