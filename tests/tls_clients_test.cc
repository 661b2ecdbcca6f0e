// SPDX-License-Identifier: MIT
//
// SSLFilter as a server for other people's clients: openssl s_client, gnutls-cli, curl and Node.
// What they see, and the cause that our end tells. Their servers: tls_servers_test.cc.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/tls_conversation.h"
#include "support/tls_files.h"
#include "support/tls_pair.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

const std::string response = "HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\nhello from SSLFilter";
const std::string request = "GET / HTTP/1.0\r\n\r\n";

/// What the client is told.
struct wishes {
    tls_version version = tls_version::tls1_3;
    std::string name = "localhost"; ///< SNI, and the name to verify
    std::string trust = "authority";
    std::string identity = {}; ///< a client certificate
    std::string alpn = {};
    bool revocation = false; ///< heed the list on which our certificates stand
};

using arguments = std::vector<std::string>;

arguments s_client(const wishes& want, const std::string& port)
{
    arguments all{"openssl",
                  "s_client",
                  "-quiet",
                  "-connect",
                  "127.0.0.1:" + port,
                  "-servername",
                  want.name,
                  "-verify_hostname",
                  want.name,
                  "-verify_return_error",
                  "-CAfile",
                  files().certificate(want.trust),
                  want.version == tls_version::tls1_2 ? "-tls1_2" : "-tls1_3"};
    const auto add = [&](const arguments& more) {
        all.insert(all.end(), more.begin(), more.end());
    };
    if (!want.identity.empty())
        add({"-cert", files().certificate(want.identity), "-key", files().key(want.identity)});
    if (!want.alpn.empty())
        add({"-alpn", want.alpn});
    if (want.revocation)
        add({"-crl_check", "-CRL", files().path("revoking.crl")});
    return all;
}

arguments gnutls_cli(const wishes& want, const std::string& port)
{
    const std::string version = want.version == tls_version::tls1_2 ? "1.2" : "1.3";
    arguments all{"gnutls-cli",
                  "--logfile=/dev/null",
                  "--port=" + port,
                  "--sni-hostname=" + want.name,
                  "--verify-hostname=" + want.name,
                  "--x509cafile=" + files().certificate(want.trust),
                  "--priority=NORMAL:-VERS-ALL:+VERS-TLS" + version};
    if (!want.identity.empty()) {
        all.push_back("--x509certfile=" + files().certificate(want.identity));
        all.push_back("--x509keyfile=" + files().key(want.identity));
    }
    if (!want.alpn.empty())
        all.push_back("--alpn=" + want.alpn);
    if (want.revocation)
        all.push_back("--x509crlfile=" + files().path("revoking.crl"));
    all.emplace_back("127.0.0.1");
    return all;
}

arguments curl(const wishes& want, const std::string& port)
{
    const bool old = want.version == tls_version::tls1_2;
    arguments all{"curl",
                  "-sS",
                  "--http1.0",
                  "--noproxy",
                  "*",
                  "--max-time",
                  "60",
                  "--resolve",
                  want.name + ":" + port + ":127.0.0.1",
                  "--cacert",
                  files().certificate(want.trust),
                  old ? "--tlsv1.2" : "--tlsv1.3",
                  "--tls-max",
                  old ? "1.2" : "1.3"};
    const auto add = [&](const arguments& more) {
        all.insert(all.end(), more.begin(), more.end());
    };
    if (!want.identity.empty())
        add({"--cert", files().certificate(want.identity), "--key", files().key(want.identity)});
    if (!want.alpn.empty())
        all[2] = want.alpn == "h2" ? "--http2" : "--http1.1";
    if (want.revocation)
        add({"--crlfile", files().path("revoking.crl")});
    all.push_back("https://" + want.name + ":" + port + "/");
    return all;
}

arguments node(const wishes& want, const std::string& port)
{
    const auto quoted = [](const std::string& text) { return "'" + text + "'"; };
    const auto file = [&](const std::string& path) { return "fs.readFileSync('" + path + "')"; };
    const bool old = want.version == tls_version::tls1_2;
    std::string script = "const tls = require('tls'), fs = require('fs');\n"
                         "const s = tls.connect({host: '127.0.0.1', port: "
                         + port + ", servername: " + quoted(want.name)
                         + ", ca: " + file(files().certificate(want.trust))
                         + ", minVersion: " + quoted(old ? "TLSv1.2" : "TLSv1.3")
                         + ", maxVersion: " + quoted(old ? "TLSv1.2" : "TLSv1.3");
    if (!want.identity.empty())
        script += ", cert: " + file(files().certificate(want.identity))
                  + ", key: " + file(files().key(want.identity));
    if (!want.alpn.empty())
        script += ", ALPNProtocols: [" + quoted(want.alpn) + "]";
    if (want.revocation)
        script += ", crl: " + file(files().path("revoking.crl"));
    script +=
        "}, () => s.write('GET / HTTP/1.0\\r\\n\\r\\n'));\n"
        "s.on('data', d => process.stdout.write(d));\n"
        "s.on('error', e => { console.error(e.code || e.message); process.exitCode = 1; });\n";
    return {"node", "-e", script};
}

struct tool {
    const char* name;
    const char* program;
    arguments (*command)(const wishes&, const std::string& port);
};
constexpr tool tools[] = {{"SClient", "openssl", s_client},
                          {"GnutlsCli", "gnutls-cli", gnutls_cli},
                          {"Curl", "curl", curl},
                          {"Node", "node", node}};

struct variant {
    tool with;
    tls_version version;
    bool rsa;
};

class TheirClients : public ::testing::TestWithParam<variant> {
protected:
    void SetUp() override
    {
        if (!installed(GetParam().with.program))
            GTEST_SKIP() << GetParam().with.program << " is not installed";
    }

    static bool is(const char* name) { return GetParam().with.name == std::string_view(name); }
    static bool tls13() { return GetParam().version == tls_version::tls1_3; }
    static wishes want() { return {.version = GetParam().version}; }
    static tls_config server()
    {
        return server_config(GetParam().rsa ? certificates().server_rsa : certificates().server);
    }
    static std::string cipher_end() { return GetParam().rsa ? "RSA" : "ECDSA"; }

    /// One run of the program against one connection of ours.
    test::result speak(const tls_config& config, const wishes& want)
    {
        answering_server ours(tls_context(config), response);
        const auto done = test::run({.arguments = GetParam().with.command(want, ours.port()),
                                     .input = request,
                                     .limit = std::chrono::seconds(60)});
        const auto& all = ours.outcomes();
        EXPECT_EQ(all.size(), 1U) << done.err;
        ours_ = all.empty() ? outcome() : all[0];
        return done;
    }

    void expect_served(const test::result& done) const
    {
        EXPECT_NE(done.out.find("hello from SSLFilter"), std::string::npos) << done.out << done.err;
        EXPECT_NE(ours_.received.find("GET / HTTP/1."), std::string::npos);
        // Some of them just leave once they have what they wanted.
        const bool leaves = ours_.cause.kind == close_kind::truncated;
        EXPECT_TRUE(ours_.cause.kind == close_kind::clean || (leaves && may_just_leave()))
            << ours_.cause.text;
    }
    static bool may_just_leave() { return is("SClient") || is("GnutlsCli"); }

    /// The client does not accept our certificate: it says so by an alert, where it is one that
    /// does. alert: what OpenSSL's own verification sends.
    void expect_refused(const test::result& done, int alert) const
    {
        EXPECT_NE(done.status, 0);
        EXPECT_EQ(done.out.find("hello from SSLFilter"), std::string::npos);
        if (is("SClient") || (is("Curl") && alert != no_alert)) {
            EXPECT_EQ(ours_.cause.kind, close_kind::peer_alert) << ours_.cause.text;
            EXPECT_EQ(ours_.cause.code, alert == no_alert ? 42 : alert) << ours_.cause.text;
        } else if (is("GnutlsCli")) {
            EXPECT_EQ(ours_.cause.kind, close_kind::peer_alert) << ours_.cause.text;
            EXPECT_EQ(ours_.cause.code, 42) << ours_.cause.text;
        } else { // curl compares names, and Node everything, when the handshake is done
            EXPECT_TRUE(ours_.cause.kind == close_kind::truncated
                        || ours_.cause.kind == close_kind::clean)
                << ours_.cause.text;
        }
        EXPECT_TRUE(ours_.received.empty());
    }
    static constexpr int no_alert = -1;

    outcome ours_;
};

std::vector<variant> variants()
{
    std::vector<variant> all;
    for (const tool& each : tools)
        for (const auto version : {tls_version::tls1_2, tls_version::tls1_3})
            for (const bool rsa : {false, true})
                all.push_back({each, version, rsa});
    return all;
}
std::string text_of(const variant& v)
{
    return std::string(v.with.name) + (v.version == tls_version::tls1_2 ? "_Tls12" : "_Tls13")
           + (v.rsa ? "_Rsa" : "_Ecdsa");
}
void PrintTo(const variant& v, std::ostream* out)
{
    *out << text_of(v);
}
INSTANTIATE_TEST_SUITE_P(Interop, TheirClients, ::testing::ValuesIn(variants()),
                         [](const auto& each) { return text_of(each.param); });

TEST_P(TheirClients, AreServed)
{
    expect_served(speak(server(), want()));
    EXPECT_EQ(ours_.peer.version, tls13() ? "TLSv1.3" : "TLSv1.2");
    EXPECT_EQ(ours_.peer.server_name, "localhost");
    EXPECT_FALSE(ours_.peer.resumed);
    EXPECT_FALSE(ours_.peer.verified);
    if (!tls13()) {
        EXPECT_NE(ours_.peer.cipher.find(cipher_end()), std::string::npos) << ours_.peer.cipher;
    }
}

TEST_P(TheirClients, GetTheCertificateOfTheNameTheyAskFor)
{
    tls_config config = server();
    const auto& other = certificates().elsewhere;
    config.more_identities = {{.certificate_pem = other.certificate_pem, .key_pem = other.key_pem}};
    wishes there = want();
    there.name = "other.example";
    expect_served(speak(config, there));
    EXPECT_EQ(ours_.peer.server_name, "other.example");
}

TEST_P(TheirClients, RefuseACertificateOfAnotherName)
{
    expect_refused(speak(server_config(certificates().elsewhere), want()), no_alert);
}

TEST_P(TheirClients, RefuseAnExpiredCertificate)
{
    expect_refused(speak(server_config(certificates().expired), want()), 45);
}

TEST_P(TheirClients, RefuseASelfSignedCertificate)
{
    expect_refused(speak(server_config(certificates().self_signed), want()), 48);
}

TEST_P(TheirClients, RefuseACertificateOfAnIssuerTheyDoNotTrust)
{
    wishes stranger = want();
    stranger.trust = "stranger";
    expect_refused(speak(server(), stranger), 48);
}

TEST_P(TheirClients, RefuseARevokedCertificate)
{
    wishes careful = want();
    careful.revocation = true;
    expect_refused(speak(server(), careful), 44);
}

tls_config asking(tls_config config)
{
    config.client_certificates = tls_client_certificates::required;
    config.trust_pem = certificates().authority.certificate_pem;
    return config;
}

TEST_P(TheirClients, AreKnownByTheirCertificates)
{
    wishes alice = want();
    alice.identity = "client";
    expect_served(speak(asking(server()), alice));
    EXPECT_TRUE(ours_.peer.verified);
    ASSERT_FALSE(ours_.peer.chain.empty());
    EXPECT_EQ(ours_.peer.chain[0].subject, "CN=alice");
}

TEST_P(TheirClients, AreRefusedWithoutACertificateWhereOneIsRequired)
{
    const auto done = speak(asking(server()), want());
    EXPECT_EQ(done.out.find("hello from SSLFilter"), std::string::npos);
    EXPECT_EQ(ours_.cause.kind, close_kind::local_alert) << ours_.cause.text;
    EXPECT_EQ(ours_.cause.code, tls13() ? 116 : 40);
    EXPECT_EQ(ours_.cause.text, "local_alert: the client sent no certificate, and one is required");
}

TEST_P(TheirClients, AreRefusedWithACertificateThatIsNotGood)
{
    const struct {
        const char* identity;
        const char* words;
    } cases[] = {
        {"self_signed",
         "verify: the certificate is self-signed (to believe it, give it as trust_file) [CN=self]"},
        {"foreign", "verify: the certificate's issuer is not one that we trust"},
        {"expired", "verify: the certificate expired on 20"},
        {"client", "verify: the certificate was revoked [CN=alice]"},
    };
    tls_config config = asking(server());
    config.crl_pem = make_revocation_list(certificates().authority, {certificates().client});
    for (const auto& each : cases) {
        wishes bad = want();
        bad.identity = each.identity;
        const auto done = speak(config, bad);
        EXPECT_EQ(done.out.find("hello from SSLFilter"), std::string::npos) << each.identity;
        EXPECT_EQ(ours_.cause.kind, close_kind::verify) << ours_.cause.text;
        EXPECT_EQ(ours_.cause.depth, 0);
        EXPECT_EQ(ours_.cause.text.find(each.words), 0U) << ours_.cause.text;
    }
}

TEST_P(TheirClients, AgreeOnAnApplicationProtocol)
{
    tls_config config = server();
    config.alpn = {"h2", "http/1.1"};
    wishes web = want();
    web.alpn = "http/1.1";
    expect_served(speak(config, web));
    EXPECT_EQ(ours_.peer.alpn, "http/1.1");
}

TEST_P(TheirClients, AreRefusedWithoutAnApplicationProtocolInCommon)
{
    tls_config config = server();
    config.alpn = {"mqtt"};
    wishes web = want();
    web.alpn = "h2";
    const auto done = speak(config, web);
    EXPECT_EQ(done.out.find("hello from SSLFilter"), std::string::npos);
    EXPECT_EQ(ours_.cause.kind, close_kind::local_alert) << ours_.cause.text;
    EXPECT_EQ(ours_.cause.code, 120);
    EXPECT_EQ(ours_.cause.text,
              "local_alert: the client offers no application protocol (ALPN) that we speak");
}

// -- resumption: each in its own way
// ---------------------------------------------------------------

TEST_P(TheirClients, Resume)
{
    const bool twice_in_one_run = !is("SClient");
    const auto version = GetParam().version;
    const tls_context context(with_versions(server(), version));
    answering_server ours(context, response, 2);
    arguments command = GetParam().with.command(want(), ours.port());
    std::vector<arguments> runs;
    const test::temp_dir folder;
    const std::string kept = (folder.path() / "session").string();
    if (is("SClient")) {
        arguments second = command;
        command.insert(command.end(), {"-sess_out", kept});
        second.insert(second.end(), {"-sess_in", kept});
        runs = {command, second};
    } else if (is("GnutlsCli")) {
        command.insert(command.begin() + 1, "--resume");
        runs = {command};
    } else if (is("Curl")) {
        command.push_back(command.back());
        runs = {command};
    } else {
        // The ticket of TLS 1.3 comes after the handshake: at the latest with the answer.
        const std::string script =
            "const tls = require('tls'), fs = require('fs');\n"
            "const go = (session, then) => { let kept;\n"
            "  const s = tls.connect({host: '127.0.0.1', port: "
            + ours.port() + ", servername: 'localhost', ca: fs.readFileSync('"
            + files().certificate("authority")
            + "'), session}, () => s.write('GET / HTTP/1.0\\r\\n\\r\\n'));\n"
              "  s.on('session', x => kept = x); s.on('data', d => process.stdout.write(d));\n"
              "  s.on('close', () => then(kept)); };\n"
              "go(undefined, kept => go(kept, () => {}));\n";
        runs = {{"node", "-e", script}};
    }
    for (const arguments& each : runs) {
        const auto done =
            test::run({.arguments = each, .input = request, .limit = std::chrono::seconds(60)});
        EXPECT_EQ(done.status, 0) << done.err;
    }
    const auto& all = ours.outcomes();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(runs.size(), twice_in_one_run ? 1U : 2U);
    EXPECT_FALSE(all[0].peer.resumed);
    // curl asks for no tickets in TLS 1.2, and a server without a memory has nothing else.
    EXPECT_EQ(all[1].peer.resumed, !is("Curl") || tls13());
}

// -- not TLS at all
// ---------------------------------------------------------------------------------

TEST(InteropClients, CurlThatSpeaksPlainHttpIsToldFromTls)
{
    if (!installed("curl"))
        GTEST_SKIP() << "curl is not installed";
    answering_server ours(tls_context(server_config()), response);
    const auto done = test::run({.arguments = {"curl", "-sS", "--noproxy", "*", "--max-time", "60",
                                               "http://127.0.0.1:" + ours.port() + "/"}});
    EXPECT_NE(done.status, 0);
    ASSERT_EQ(ours.outcomes().size(), 1U);
    EXPECT_EQ(ours.outcomes()[0].cause.text, "local_alert: the client spoke plain HTTP");
}

TEST(InteropClients, AnOldTlsOfSClientIsRefused)
{
    if (!installed("openssl"))
        GTEST_SKIP() << "openssl is not installed";
    answering_server ours(tls_context(server_config()), response);
    const auto done =
        test::run({.arguments = {"openssl", "s_client", "-connect", "127.0.0.1:" + ours.port(),
                                 "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"},
                   .input = request});
    EXPECT_NE(done.status, 0);
    ASSERT_EQ(ours.outcomes().size(), 1U);
    EXPECT_EQ(ours.outcomes()[0].cause.text,
              "local_alert: the peer offers no TLS version that we accept");
    EXPECT_EQ(ours.outcomes()[0].cause.code, 70);
}

} // namespace
