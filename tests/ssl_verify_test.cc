// SPDX-License-Identifier: MIT
//
// Whom one talks to: chains, names, client certificates, revocation, resumption.

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <utility>

#include "funcptr/error.h"
#include "funcptr/ssl_filter.h"
#include "support/tls_pair.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

bool holds(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

// -- the client looks at the server's certificate
// ----------------------------------------------------

TEST(SSLFilter, AClientThatTrustsNobodyInParticularRefusesAnUnknownIssuer)
{
    tls_config client = client_config();
    client.trust_pem.clear(); // the system's roots
    tls_pair pair(client, server_config());
    pair.network.run();
    EXPECT_EQ(pair.client.cause().kind, close_kind::verify) << pair.client.cause().text;
    EXPECT_TRUE(pair.client.aread().empty());
}

struct refused {
    const char* name; // what the client asks for
    const issued& identity;
    int reason;
    const char* words;
};

TEST(SSLFilter, AClientRefusesAServersCertificateAndSaysWhy)
{
    const certificate_set& all = certificates();
    const refused cases[] = {
        {"wrong.example", all.server, X509_V_ERR_HOSTNAME_MISMATCH,
         "for localhost, 127.0.0.1, ::1, not for wrong.example"},
        {"server", all.server, X509_V_ERR_HOSTNAME_MISMATCH, "not for server"}, // the CN is no name
        {"127.0.0.2", all.server, X509_V_ERR_IP_ADDRESS_MISMATCH, "not for 127.0.0.2"},
        {"wild.example", all.elsewhere, X509_V_ERR_HOSTNAME_MISMATCH, "*.wild.example"},
        {"a.b.wild.example", all.elsewhere, X509_V_ERR_HOSTNAME_MISMATCH, "*.wild.example"},
        {"localhost", all.expired, X509_V_ERR_CERT_HAS_EXPIRED, "expired on 20"},
        {"localhost", all.future, X509_V_ERR_CERT_NOT_YET_VALID, "not valid before 20"},
        {"localhost", all.self_signed, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "trust_file"},
        {"localhost", all.foreign, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "issuer"},
        {"localhost", all.client_only, X509_V_ERR_INVALID_PURPOSE, "not made for this role"},
    };
    for (const refused& each : cases)
        for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
            tls_pair pair(with_versions(client_config(each.name), version),
                          server_config(each.identity));
            pair.client.awrite().append("secret");
            EXPECT_FALSE(pair.connect());
            const close_cause& cause = pair.client.cause();
            EXPECT_EQ(cause.kind, close_kind::verify) << cause.text;
            EXPECT_EQ(cause.code, each.reason) << cause.text;
            EXPECT_EQ(cause.depth, 0);
            EXPECT_TRUE(holds(cause.text, each.words)) << cause.text;
            EXPECT_EQ(cause.text.find('\n'), std::string::npos);
            EXPECT_TRUE(pair.server.aread().empty()); // nothing of ours reached it
            // The server is told: an alert was waiting in nwrite, and the pump took it over.
            EXPECT_EQ(pair.server.cause().kind, close_kind::peer_alert) << pair.server.cause().text;
        }
}

// RFC 9525, 2 and 6.3.
TEST(SSLFilter, NeitherTheSubjectNorAPartOfALabelIsAName)
{
    const issued* by = &certificates().authority;
    const issued common_name = make_certificate({.common_name = "localhost"}, by);
    const issued partial = make_certificate({.names = {"w*.example", "*w.example"}}, by);
    for (const auto& [name, identity] :
         {std::pair{"localhost", &common_name}, {"www.example", &partial}}) {
        tls_pair pair(client_config(name), server_config(*identity));
        EXPECT_FALSE(pair.connect());
        EXPECT_EQ(pair.client.cause().code, X509_V_ERR_HOSTNAME_MISMATCH) << name;
    }
}

TEST(SSLFilter, ADeeperCertificatesRefusalTellsItsDepth)
{
    const issued expired = make_certificate({.common_name = "Old Intermediate",
                                             .authority = true,
                                             .valid_from_days = -30,
                                             .valid_to_days = -1},
                                            &certificates().authority);
    issued leaf = make_certificate({.common_name = "leaf", .names = {"localhost"}}, &expired);
    leaf.certificate_pem += expired.certificate_pem;
    tls_pair pair(client_config(), server_config(leaf));
    pair.network.run();
    EXPECT_EQ(pair.client.cause().code, X509_V_ERR_CERT_HAS_EXPIRED);
    EXPECT_EQ(pair.client.cause().depth, 1);
    EXPECT_TRUE(holds(pair.client.cause().text, "CN=Old Intermediate"));
}

TEST(SSLFilter, AHostilesSubjectCannotBreakALogLine)
{
    const issued evil = make_certificate(
        {.common_name = "evil\n\x1b[31mroot logged in\xc3\xa9", .names = {"localhost"}});
    tls_pair pair(client_config(), server_config(evil));
    pair.network.run();
    ASSERT_EQ(pair.client.cause().kind, close_kind::verify);
    for (const char c : pair.client.cause().text)
        EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
}

TEST(SSLFilter, AClientAcceptsEveryNameOfTheCertificate)
{
    for (const char* name :
         {"localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1", "[::1]", "0:0:0:0:0:0:0:1"}) {
        tls_pair pair(client_config(name));
        EXPECT_TRUE(pair.connect()) << name << ": " << pair.client.cause().text;
    }
    tls_pair wild(client_config("a.wild.example"), server_config(certificates().elsewhere));
    EXPECT_TRUE(wild.connect());
}

TEST(SSLFilter, NoSniIsSentForAnAddress)
{
    tls_pair by_address(client_config("127.0.0.1"));
    ASSERT_TRUE(by_address.connect());
    EXPECT_EQ(by_address.server.peer().server_name, "");
    tls_pair by_name(client_config("localhost."));
    ASSERT_TRUE(by_name.connect());
    EXPECT_EQ(by_name.server.peer().server_name, "localhost"); // RFC 6066: without the dot
}

TEST(SSLFilter, ANameForEachConnectionOverridesTheContexts)
{
    const tls_context client(client_config("wrong.example"));
    const tls_context server{server_config()};
    SSLFilter left(client, "localhost");
    SSLFilter right(server);
    pump network(left, right);
    network.run();
    EXPECT_EQ(left.state(), filter_state::open) << left.cause().text;
}

TEST(SSLFilter, AClientWithoutANameIsNotBuilt)
{
    const tls_context context(client_config(""));
    EXPECT_THROW(SSLFilter{context}, error);
    EXPECT_NO_THROW(SSLFilter(context, "localhost"));
    // What OpenSSL would take for "any name" or "any subdomain", and what no host is called:
    for (const std::string bad :
         {"", ".example", "two words", "a..b", "10.0.0", "1.2.3.4.5", "fe80::1%eth0",
          "b\xc3\xbc"
          "cher.example"})
        EXPECT_THROW(SSLFilter(context, bad), error) << bad;
    EXPECT_THROW(SSLFilter(context, std::string_view("localhost\0.evil", 15)), error);
    EXPECT_THROW(SSLFilter(tls_context(server_config()), "localhost"), error);
}

TEST(SSLFilter, OnlyTheOptionNamedForItTurnsVerificationOff)
{
    tls_config client{.insecure_skip_verification = true};
    tls_pair pair(client, server_config(certificates().self_signed));
    ASSERT_TRUE(pair.connect());
    EXPECT_FALSE(pair.client.peer().verified); // and nobody is told otherwise
    EXPECT_EQ(pair.client.peer().chain.at(0).subject, "CN=self");
}

TEST(SSLFilter, ASelfSignedCertificateMayBeItsOwnTrustAnchor)
{
    tls_config client = client_config();
    client.trust_pem = certificates().self_signed.certificate_pem;
    tls_pair pair(client, server_config(certificates().self_signed));
    EXPECT_TRUE(pair.connect()) << pair.client.cause().text;
    tls_pair other(client, server_config(certificates().server));
    EXPECT_FALSE(other.connect());
}

TEST(SSLFilter, AnIntermediateIsTakenFromTheServerOrTrustedByItself)
{
    tls_pair pair(client_config(), server_config(certificates().chained));
    ASSERT_TRUE(pair.connect()) << pair.client.cause().text;
    EXPECT_EQ(pair.client.peer().chain.size(), 2U);

    issued alone = certificates().chained;
    alone.certificate_pem.resize(alone.certificate_pem.find("-----END") + 26);
    tls_pair incomplete(client_config(), server_config(alone));
    EXPECT_FALSE(incomplete.connect());
    EXPECT_TRUE(holds(incomplete.client.cause().text, "left an intermediate out"));

    tls_config client = client_config();
    client.trust_pem = certificates().intermediate.certificate_pem;
    tls_pair pinned(client, server_config(alone));
    EXPECT_TRUE(pinned.connect()) << pinned.client.cause().text;
}

TEST(SSLFilter, ARevokedCertificateIsRefused)
{
    const certificate_set& all = certificates();
    tls_config client = client_config();
    client.crl_pem = make_revocation_list(all.authority, {all.server_rsa});
    tls_pair good(client, server_config(all.server));
    EXPECT_TRUE(good.connect()) << good.client.cause().text;
    tls_pair bad(client, server_config(all.server_rsa));
    EXPECT_FALSE(bad.connect());
    EXPECT_EQ(bad.client.cause().code, X509_V_ERR_CERT_REVOKED);

    client.crl_pem = make_revocation_list(all.stranger, {});
    tls_pair uncovered(client, server_config(all.server));
    EXPECT_FALSE(uncovered.connect());
    EXPECT_EQ(uncovered.client.cause().code, X509_V_ERR_UNABLE_TO_GET_CRL);
}

// A list speaks of the CAs above the peer's own certificate, too, where there is one.
TEST(SSLFilter, ARevokedIntermediateIsRefused)
{
    const certificate_set& all = certificates();
    const std::string of_the_leaf = make_revocation_list(all.intermediate, {});
    const auto visit = [&](const std::string& lists, const std::string& trust) {
        tls_config client = client_config();
        client.crl_pem = lists;
        client.trust_pem = trust;
        tls_pair pair(client, server_config(all.chained));
        pair.network.run();
        return pair.client.cause();
    };
    const std::string& root = all.authority.certificate_pem;
    const close_cause refused =
        visit(of_the_leaf + make_revocation_list(all.authority, {all.intermediate}), root);
    EXPECT_EQ(refused.code, X509_V_ERR_CERT_REVOKED) << refused.text;
    EXPECT_EQ(refused.depth, 1);
    EXPECT_TRUE(holds(refused.text, "CN=Test Intermediate")) << refused.text;

    EXPECT_FALSE(visit(of_the_leaf + make_revocation_list(all.authority, {}), root));
    EXPECT_FALSE(visit(of_the_leaf, root)); // nobody speaks of the intermediate: as it is
    EXPECT_EQ(visit(make_revocation_list(all.authority, {}), root).code,
              X509_V_ERR_UNABLE_TO_GET_CRL); // but the leaf must be covered

    // An intermediate trusted by itself, whose issuer is not there to vouch for the root's list.
    const std::string& pinned = all.intermediate.certificate_pem;
    EXPECT_FALSE(visit(of_the_leaf, pinned));
    EXPECT_FALSE(visit(of_the_leaf + make_revocation_list(all.authority, {}), pinned));
    // A list that its issuer did not sign is no list, for the leaf as for those above it.
    issued forger = make_certificate({.common_name = "Test Intermediate", .authority = true});
    EXPECT_TRUE(visit(make_revocation_list(forger, {}), root));
}

// -- the server looks at the client's
// ------------------------------------------------------------------

tls_config asking(tls_client_certificates how)
{
    tls_config config = server_config();
    if (how != tls_client_certificates::none)
        config.trust_pem = certificates().authority.certificate_pem;
    config.client_certificates = how;
    return config;
}

tls_config with_certificate(const issued& identity)
{
    tls_config config = client_config();
    config.certificate_pem = identity.certificate_pem;
    config.key_pem = identity.key_pem;
    return config;
}

TEST(SSLFilter, AServerKnowsItsClientByItsCertificate)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        tls_pair pair(with_versions(with_certificate(certificates().client), version),
                      asking(tls_client_certificates::required));
        ASSERT_TRUE(pair.connect()) << pair.server.cause().text;
        EXPECT_TRUE(pair.server.peer().verified);
        ASSERT_EQ(pair.server.peer().chain.size(), 1U);
        EXPECT_EQ(pair.server.peer().chain[0].subject, "CN=alice");
    }
}

TEST(SSLFilter, AClientWithoutACertificateIsRefusedWhereOneIsRequired)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        tls_pair pair(with_versions(client_config(), version),
                      asking(tls_client_certificates::required));
        pair.network.run();
        EXPECT_EQ(pair.server.cause().kind, close_kind::local_alert);
        EXPECT_EQ(pair.server.cause().code, version == tls_version::tls1_3 ? 116 : 40);
        EXPECT_TRUE(holds(pair.server.cause().text, "sent no certificate"));
        EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert);
        EXPECT_TRUE(holds(pair.client.cause().text, "certificate of ours"));
    }
}

TEST(SSLFilter, AnOptionalCertificateMayBeLeftOutButMustBeGood)
{
    tls_pair none(client_config(), asking(tls_client_certificates::optional));
    ASSERT_TRUE(none.connect());
    EXPECT_FALSE(none.server.peer().verified);

    tls_pair bad(with_certificate(certificates().foreign),
                 asking(tls_client_certificates::optional));
    bad.network.run();
    EXPECT_EQ(bad.server.cause().kind, close_kind::verify) << bad.server.cause().text;
    EXPECT_EQ(bad.client.cause().kind, close_kind::peer_alert);
    EXPECT_EQ(bad.client.cause().code, 48); // unknown_ca
}

TEST(SSLFilter, AServerRefusesAClientsCertificateAndSaysWhy)
{
    const certificate_set& all = certificates();
    const issued server_only =
        make_certificate({.common_name = "bob", .usage = "serverAuth"}, &all.authority);
    tls_config config = asking(tls_client_certificates::required);
    config.crl_pem = make_revocation_list(all.authority, {all.client});
    struct {
        const issued& identity;
        int reason;
        int alert;
    } const cases[] = {
        {all.expired, X509_V_ERR_CERT_HAS_EXPIRED, 45},
        {all.future, X509_V_ERR_CERT_NOT_YET_VALID, 42},
        {all.self_signed, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 48},
        {all.foreign, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 48},
        {all.client, X509_V_ERR_CERT_REVOKED, 44},
        {server_only, X509_V_ERR_INVALID_PURPOSE, 43},
    };
    for (const auto& each : cases)
        for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
            tls_pair pair(with_versions(with_certificate(each.identity), version), config);
            pair.client.awrite().append("secret");
            pair.network.run();
            EXPECT_EQ(pair.server.cause().kind, close_kind::verify) << pair.server.cause().text;
            EXPECT_EQ(pair.server.cause().code, each.reason) << pair.server.cause().text;
            EXPECT_EQ(pair.server.cause().depth, 0);
            EXPECT_TRUE(pair.server.aread().empty());
            EXPECT_EQ(pair.client.cause().kind, close_kind::peer_alert);
            EXPECT_EQ(pair.client.cause().code, each.alert) << pair.client.cause().text;
        }
}

// More names than the handshake has room to tell: none is told, and the client offers what it has.
TEST(SSLFilter, AServerMayTrustMoreClientsThanItCanName)
{
    tls_config config = asking(tls_client_certificates::required);
    const issued long_name = make_certificate({.common_name = "0" + std::string(60, 'x')});
    config.trust_pem += long_name.certificate_pem;
    const tls_context few(config);
    for (int i = 1; i < 900; ++i) // 75 bytes each
        config.trust_pem +=
            make_certificate({.common_name = std::to_string(i) + std::string(60, 'x')})
                .certificate_pem;
    const tls_context many(config);
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3})
        for (const bool told : {true, false}) {
            const tls_context client(
                with_versions(with_certificate(certificates().client), version));
            tls_pair pair(client, told ? few : many);
            EXPECT_TRUE(pair.connect()) << pair.server.cause().text;
            EXPECT_TRUE(pair.server.peer().verified);
            EXPECT_EQ(sk_X509_NAME_num(SSL_get0_peer_CA_list(pair.client.native_handle())),
                      told                             ? 2
                      : version == tls_version::tls1_2 ? 0
                                                       : -1);
        }
}

// Trap 10: "established" is not "accepted".
TEST(SSLFilter, InTls13AClientIsOpenBeforeItsCertificateIsRefused)
{
    SSLFilter client{tls_context(client_config())};
    SSLFilter server{tls_context(asking(tls_client_certificates::required))};
    client.update();
    server.nread().append(client.nwrite().data());
    client.nwrite().clear();
    server.update();
    client.nread().append(server.nwrite().data());
    server.nwrite().clear();
    client.update();
    EXPECT_EQ(client.state(), filter_state::open); // as far as it can know

    pump network(client, server);
    network.run();
    EXPECT_EQ(client.cause().kind, close_kind::peer_alert);
    EXPECT_EQ(client.cause().code, 116); // certificate_required
}

// -- coming back
// -----------------------------------------------------------------------------------------

tls_session first_visit(const tls_context& client, const tls_context& server)
{
    tls_pair pair(client, server);
    EXPECT_FALSE(pair.client.session()); // none before the handshake
    EXPECT_TRUE(pair.connect()) << pair.client.cause().text << pair.server.cause().text;
    EXPECT_FALSE(pair.client.peer().resumed);
    return pair.client.session();
}

TEST(SSLFilter, ASessionIsResumedWithTheSameVerifiedPeer)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3})
        for (const auto how : {tls_client_certificates::none, tls_client_certificates::required}) {
            const tls_context client(
                with_versions(with_certificate(certificates().client), version));
            // Trap 11: a verifying server without a session id context fails every resumption.
            const tls_context server(asking(how));
            const tls_session session = first_visit(client, server);
            ASSERT_TRUE(session);

            tls_pair again(client, server);
            EXPECT_TRUE(again.client.resume(session));
            ASSERT_TRUE(again.connect()) << again.client.cause().text;
            EXPECT_TRUE(again.client.peer().resumed);
            EXPECT_TRUE(again.server.peer().resumed);
            EXPECT_TRUE(again.client.peer().verified);
            EXPECT_EQ(again.server.peer().verified, how == tls_client_certificates::required);
            EXPECT_EQ(again.client.peer().chain.at(0).subject, "CN=server");
        }
}

TEST(SSLFilter, ASessionSurvivesItsConnectionsBadEnd)
{
    const tls_context client(client_config());
    const tls_context server{server_config()};
    tls_session session;
    {
        tls_pair pair(client, server);
        ASSERT_TRUE(pair.connect());
        session = pair.client.session();
        pair.client.nread().append("garbage that kills it");
        pair.client.update();
        ASSERT_TRUE(pair.client.closed());
    }
    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    ASSERT_TRUE(again.connect());
    EXPECT_TRUE(again.client.peer().resumed);
}

TEST(SSLFilter, ASessionDoesNotWanderToAnotherNameOrConfiguration)
{
    const tls_context client(client_config());
    const tls_context server{server_config()};
    const tls_session session = first_visit(client, server);
    ASSERT_TRUE(session);

    SSLFilter other_name(client, "127.0.0.1");
    EXPECT_FALSE(other_name.resume(session));
    SSLFilter other_context{tls_context(client_config())};
    EXPECT_FALSE(other_context.resume(session));
    SSLFilter a_server(server);
    EXPECT_FALSE(a_server.resume(session));
    SSLFilter too_late(client);
    too_late.update();
    EXPECT_FALSE(too_late.resume(session));
    SSLFilter good(client);
    EXPECT_FALSE(good.resume(tls_session()));
    EXPECT_TRUE(good.resume(session));
}

TEST(SSLFilter, ATicketOfAServerThatAskedForNoCertificateOpensNoServerThatRequiresOne)
{
    const tls_context client(client_config());
    tls_context server(server_config());
    const tls_session session = first_visit(client, server);
    server.reload(asking(tls_client_certificates::required)); // same ticket keys, stricter
    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    again.network.run();
    EXPECT_EQ(again.server.cause().kind, close_kind::local_alert) << again.server.cause().text;
    EXPECT_TRUE(holds(again.server.cause().text, "sent no certificate"));
}

TEST(SSLFilter, AClientWithoutTicketsHasNoSessions)
{
    tls_config config = client_config();
    config.session_tickets = false;
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        const tls_context client(with_versions(config, version));
        EXPECT_FALSE(first_visit(client, tls_context(server_config())));
    }
}

TEST(SSLFilter, WithoutTicketsEveryHandshakeIsAFullOne)
{
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        tls_config config = server_config();
        config.session_tickets = false;
        const tls_context client(with_versions(client_config(), version));
        const tls_context server(config);
        const tls_session session = first_visit(client, server);
        tls_pair again(client, server);
        again.client.resume(session);
        ASSERT_TRUE(again.connect());
        EXPECT_FALSE(again.client.peer().resumed);
    }
}

} // namespace
