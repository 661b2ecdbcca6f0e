// SPDX-License-Identifier: MIT
//
// What is gnutls_filter's own. What it shares with the other filters: filter_conformance_test.cc.

#include "funcptr/gnutls_filter.h"

#include <gnutls/gnutls.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>

#include "funcptr/error.h"
#include "support/tls_ends.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

/// What the constructor says about a configuration.
std::string refusal(const tls_config& config)
{
    try {
        gnutls_context context(config);
    } catch (const error& e) {
        return e.what();
    }
    return "nothing";
}

std::string refusal_of_server(const std::function<void(tls_config&)>& change)
{
    tls_config config = server_config();
    change(config);
    return refusal(config);
}

#define EXPECT_SAYS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

TEST(GnutlsFilter, WhatGnutlsCannotDoIsRefusedByName)
{
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.ciphers_tls12 = "ECDHE-RSA-AES128-GCM-SHA256"; }),
                "ciphers_tls12");
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.ciphers_tls13 = "TLS_AES_128_GCM_SHA256"; }),
                "ciphers_tls13");
    EXPECT_SAYS(refusal_of_server([](auto& c) {
                    c.ticket_secrets = {std::string(32, 'a'), std::string(32, 'b')};
                }),
                "ticket_secrets: GnuTLS seals and opens tickets with one key");
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.early_data = 1024; }), "early_data");
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.ticket_secrets = {"short"}; }),
                "ticket_secrets[0] has 5 bytes");
}

TEST(GnutlsFilter, AConfigurationThatCannotHoldIsAnErrorThatSaysWhere)
{
    const auto& all = certificates();
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.certificate_pem = "no PEM at all"; }),
                "certificate_pem: holds no certificate (it is not PEM at all)");
    EXPECT_SAYS(refusal_of_server([&](auto& c) { c.certificate_pem = all.server.key_pem; }),
                "(it holds a private key)");
    EXPECT_SAYS(refusal_of_server([&](auto& c) { c.key_pem = all.client.key_pem; }),
                "key_pem: the key does not belong to the first certificate of certificate_pem");
    EXPECT_SAYS(refusal_of_server([&](auto& c) {
                    c.certificate_pem = "# a comment\n\n" + all.server.certificate_pem;
                    c.certificate_pem[200] = '!';
                }),
                "certificate_pem: line 3: ");
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.key_pem.clear(); }), "comes without a key");
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.certificate_file = "/nowhere/cert.pem"; }),
                "are both given");
    EXPECT_SAYS(refusal({.role = tls_role::server, .certificate_file = "/nowhere/cert.pem"}),
                "cannot read certificate_file \"/nowhere/cert.pem\": No such file");
    EXPECT_SAYS(
        refusal_of_server([&](auto& c) { c.key_pem = encrypt_key(all.server.key_pem, "secret"); }),
        "the key is encrypted: key_password is missing");
    EXPECT_SAYS(refusal_of_server([&](auto& c) {
                    c.key_pem = encrypt_key(all.server.key_pem, "secret");
                    c.key_password = "wrong";
                }),
                "key_password does not open the key");
    EXPECT_EQ(refusal_of_server([&](auto& c) {
                  c.key_pem = encrypt_key(all.server.key_pem, "secret");
                  c.key_password = "secret";
              }),
              "nothing");
    const issued weak = make_certificate({.names = {"localhost"}, .key = key_kind::rsa_1024});
    EXPECT_SAYS(refusal(server_config(weak)), "its key is too small (1024 bits)");
    EXPECT_SAYS(refusal_of_server([](auto& c) { c.limits.aread = 0; }), "a limit of tls_limits");
    EXPECT_SAYS(
        refusal({.trust_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                 .server_name = "localhost"}),
        "trust_pem: line 1: ");
}

TEST(GnutlsFilter, AClientWithoutANameIsNotBuilt)
{
    tls_config config = client_config("");
    const gnutls_context context(config);
    EXPECT_THROW(gnutls_filter{context}, error);
    EXPECT_THROW((gnutls_filter{context, ".example"}), error);
    EXPECT_NO_THROW((gnutls_filter{context, "localhost"}));
    const gnutls_context server(server_config());
    EXPECT_THROW((gnutls_filter{server, "localhost"}), error);
}

TEST(GnutlsFilter, TheKeyMayStandBesideTheCertificates)
{
    tls_config config = server_config();
    config.certificate_pem = config.key_pem + config.certificate_pem;
    config.key_pem.clear();
    end_pair pair(engine::openssl, engine::gnutls, client_config(), config);
    EXPECT_TRUE(pair.connect()) << pair.server.cause().text;
}

TEST(GnutlsFilter, TheCertificateFitsTheNameAskedFor)
{
    const issued other =
        make_certificate({.common_name = "other", .names = {"other.example", "third.example"}},
                         &certificates().authority);
    const tls_identity more{.certificate_pem = other.certificate_pem, .key_pem = other.key_pem};
    tls_config server = server_config();
    server.more_identities = {more};
    for (const char* name : {"localhost", "other.example", "third.example"}) {
        end_pair pair(engine::gnutls, engine::gnutls, client_config(name), server);
        EXPECT_TRUE(pair.connect()) << name << ": " << pair.client.cause().text;
        EXPECT_EQ(pair.server_end->peer().server_name, name);
    }
    const issued& wild = certificates().elsewhere;
    server.more_identities = {more,
                              {.certificate_pem = wild.certificate_pem, .key_pem = wild.key_pem}};
    EXPECT_SAYS(refusal(server), "more_identities: GnuTLS chooses by exact names, and "
                                 "*.wild.example of CN=");
}

TEST(GnutlsFilter, OnlyTheOptionNamedForItTurnsVerificationOff)
{
    tls_config client;
    client.insecure_skip_verification = true;
    end_pair pair(engine::gnutls, engine::openssl, client,
                  server_config(certificates().self_signed));
    EXPECT_TRUE(pair.connect()) << pair.client.cause().text;
    EXPECT_FALSE(pair.client_end->peer().verified);
}

TEST(GnutlsFilter, ACommonNameIsNoNameOfAHost)
{
    const issued old = make_certificate({.common_name = "localhost"}, &certificates().authority);
    end_pair pair(engine::gnutls, engine::openssl, client_config(), server_config(old));
    EXPECT_FALSE(pair.connect());
    EXPECT_SAYS(pair.client.cause().text, "the certificate is for no name, not for localhost");
}

TEST(GnutlsFilter, AServerMayTrustMoreClientsThanItCanName)
{
    tls_config config = server_config();
    config.client_certificates = tls_client_certificates::required;
    config.trust_pem = certificates().authority.certificate_pem;
    for (int i = 0; i < 900; ++i) // 75 bytes each, of 64 KiB
        config.trust_pem +=
            make_certificate({.common_name = std::to_string(i) + std::string(60, 'x')})
                .certificate_pem;
    const gnutls_context many(config);
    tls_config alice = client_config();
    alice.certificate_pem = certificates().client.certificate_pem;
    alice.key_pem = certificates().client.key_pem;
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        SSLFilter client{tls_context(with_versions(alice, version))};
        gnutls_filter server(many);
        EXPECT_TRUE(pump(client, server).run());
        EXPECT_EQ(server.state(), filter_state::open) << server.cause().text;
        EXPECT_TRUE(server.peer().verified);
    }
}

TEST(GnutlsFilter, ReloadServesNewConnectionsAndLeavesTheOldAlone)
{
    gnutls_context context(server_config());
    gnutls_filter before(context);
    EXPECT_EQ(context.generation(), 1U);
    context.reload(server_config(certificates().elsewhere));
    EXPECT_EQ(context.generation(), 2U);
    EXPECT_EQ(before.generation(), 1U);
    EXPECT_EQ(gnutls_filter(context).generation(), 2U);
    EXPECT_THROW(context.reload(client_config()), error);
    EXPECT_EQ(context.generation(), 2U);
    EXPECT_EQ(context.role(), tls_role::server);

    SSLFilter client{tls_context(client_config())};
    pump network(client, before);
    EXPECT_TRUE(network.run());
    EXPECT_EQ(client.state(), filter_state::open) << client.cause().text;
}

/// A full handshake with the one server, and whether its session is resumed by the other.
bool resumes(tls_version version, const gnutls_context& first, const gnutls_context& second)
{
    const tls_context client(with_versions(client_config(), version));
    SSLFilter begin(client);
    gnutls_filter server(first);
    pump network(begin, server);
    EXPECT_TRUE(network.run());
    EXPECT_EQ(begin.state(), filter_state::open) << begin.cause().text;
    SSLFilter again(client);
    gnutls_filter other(second);
    EXPECT_TRUE(again.resume(begin.session()));
    pump more(again, other);
    EXPECT_TRUE(more.run());
    EXPECT_EQ(again.state(), filter_state::open) << again.cause().text;
    EXPECT_EQ(again.peer().resumed, other.peer().resumed);
    return other.peer().resumed;
}

TEST(GnutlsFilter, AServersTicketsResumeItsSessions)
{
    const std::string trust = certificates().authority.certificate_pem;
    for (const auto version : {tls_version::tls1_2, tls_version::tls1_3}) {
        gnutls_context server(server_config());
        EXPECT_TRUE(resumes(version, server, server));
        gnutls_context other(server_config());
        EXPECT_FALSE(resumes(version, server, other)); // a key of its own

        tls_config shared = server_config();
        shared.ticket_secrets = {std::string(32, 's')};
        EXPECT_TRUE(resumes(version, gnutls_context(shared), gnutls_context(shared)));
        tls_config stricter = shared;
        stricter.client_certificates = tls_client_certificates::optional;
        stricter.trust_pem = trust;
        EXPECT_FALSE(resumes(version, gnutls_context(shared), gnutls_context(stricter)));

        const gnutls_context old = server;
        server.reload(server_config());
        EXPECT_TRUE(resumes(version, old, server));
    }
}

TEST(GnutlsFilter, WithoutTicketsEveryHandshakeIsAFullOne)
{
    tls_config config = server_config();
    config.session_tickets = false;
    const gnutls_context server(config);
    EXPECT_FALSE(resumes(tls_version::tls1_2, server, server));
    SSLFilter client{tls_context(client_config())};
    gnutls_filter end(server);
    pump network(client, end);
    ASSERT_TRUE(network.run());
    EXPECT_FALSE(client.session()); // TLS 1.3: there is nothing to resume
}

TEST(GnutlsFilter, AHandshakeThatNeverEndsIsCutOff)
{
    tls_config config = server_config();
    config.limits.handshake = 4096;
    gnutls_filter server{gnutls_context(config)};
    // Records of a client hello that says it is 65,535 bytes long and keeps coming.
    std::string record("\x16\x03\x01\x04\x04\x01\x00\xff\xff", 9);
    record.resize(5 + 0x0404, 'x');
    const std::string more = std::string("\x16\x03\x01\x04\x00", 5) + std::string(0x0400, 'x');
    server.nread().append(record);
    for (int i = 0; i < 8 && !server.closed(); ++i) {
        server.nread().append(more);
        server.update();
    }
    EXPECT_EQ(server.cause().kind, close_kind::limit) << server.cause().text;
    EXPECT_EQ(server.cause().text, "limit: the peer's handshake is longer than 4096 bytes");
}

TEST(GnutlsFilter, AFloodOfKeyUpdatesIsCutOff)
{
    tls_config config = server_config();
    config.limits.key_updates = 5;
    end_pair pair(engine::openssl, engine::gnutls, client_config(), config);
    ASSERT_TRUE(pair.connect());
    for (int i = 0; i < 20 && !pair.server.closed(); ++i) {
        pair.client_end->update_keys();
        ASSERT_TRUE(pair.network.run());
        pair.client.aread().clear();
    }
    EXPECT_EQ(pair.server.cause().kind, close_kind::limit) << pair.server.cause().text;
}

TEST(GnutlsFilter, RenegotiationIsRefused)
{
    const tls_config old = with_versions(client_config(), tls_version::tls1_2);
    SSLFilter client{tls_context(old)};
    gnutls_filter server{gnutls_context(server_config())};
    pump network(client, server);
    ASSERT_TRUE(network.run());
    SSL_clear_options(client.native_handle(), SSL_OP_NO_RENEGOTIATION);
    ASSERT_EQ(SSL_renegotiate(client.native_handle()), 1);
    SSL_do_handshake(client.native_handle());
    ASSERT_TRUE(network.run());
    EXPECT_EQ(server.cause().kind, close_kind::local_alert) << server.cause().text;
    EXPECT_EQ(server.cause().text, "local_alert: the peer asked for a renegotiation");
    EXPECT_TRUE(client.closed());
}

TEST(GnutlsFilter, AFilterOutlivesItsContext)
{
    auto context = std::make_unique<gnutls_context>(server_config());
    gnutls_filter server(*context);
    context.reset();
    SSLFilter client{tls_context(client_config())};
    pump network(client, server);
    ASSERT_TRUE(network.run());
    EXPECT_EQ(server.state(), filter_state::open);
    EXPECT_NE(server.native_handle(), nullptr);
    EXPECT_EQ(gnutls_protocol_get_version(server.native_handle()), GNUTLS_TLS1_3);
}

} // namespace
