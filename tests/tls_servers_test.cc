// SPDX-License-Identifier: MIT
//
// SSLFilter as a client of other people's servers: openssl s_server, gnutls-serv and Node. Their
// clients: tls_clients_test.cc.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/tls_conversation.h"
#include "support/tls_files.h"
#include "support/tls_pair.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

/// What the server is told.
struct setting {
    tls_version version = tls_version::tls1_3;
    std::string identity = "server";
    std::string other = "elsewhere"; ///< the identity for another name, of the same kind of key
    bool asks = false;               ///< requires a client certificate of our authority
    std::string alpn = {};
};
using arguments = std::vector<std::string>;

/// A server of one program, ready.
class their_server {
public:
    virtual ~their_server() = default;
    const std::string& port() const { return port_; }

protected:
    /// For a program that is told its port, in its last argument where PORT stands. One that was
    /// free just now may be somebody else's when the program binds it: then others are tried.
    /// (gnutls-serv would go on with IPv6 alone.)
    void start_on_free_port(arguments command, const std::string& ready)
    {
        const std::string taken = "Address already in use";
        const std::string last = command.back();
        for (int attempt = 1;; ++attempt) {
            port_ = listening().port();
            command.back() = std::string(last).replace(last.find("PORT"), 4, port_);
            process_ = std::make_unique<test::process>(test::command{.arguments = command});
            if (process_->wait_for(ready + "|" + taken).at(0) != taken)
                return;
            if (attempt == 10)
                throw std::runtime_error("each of ten ports was taken: " + process_->printed());
        }
    }
    /// For one that chooses its port and prints it, the first group of `ready`.
    void start(const arguments& command, const std::string& ready)
    {
        process_ = std::make_unique<test::process>(test::command{.arguments = command});
        port_ = process_->wait_for(ready).at(1);
    }

private:
    std::string port_;
    std::unique_ptr<test::process> process_;
};

struct s_server : their_server {
    explicit s_server(const setting& want)
    {
        arguments all{"openssl",
                      "s_server",
                      "-www",
                      "-cert",
                      files().certificate(want.identity),
                      "-key",
                      files().key(want.identity),
                      "-servername",
                      "other.example",
                      "-cert2",
                      files().certificate(want.other),
                      "-key2",
                      files().key(want.other),
                      want.version == tls_version::tls1_2 ? "-tls1_2" : "-tls1_3"};
        if (want.asks)
            all.insert(all.end(), {"-Verify", "3", "-verify_return_error", "-CAfile",
                                   files().certificate("authority")});
        if (!want.alpn.empty())
            all.insert(all.end(), {"-alpn", want.alpn});
        all.insert(all.end(), {"-accept", "127.0.0.1:PORT"});
        start_on_free_port(all, "^ACCEPT");
    }
};

struct gnutls_serv : their_server {
    explicit gnutls_serv(const setting& want)
    {
        const std::string version = want.version == tls_version::tls1_2 ? "1.2" : "1.3";
        arguments all{"gnutls-serv",
                      "--http",
                      "--x509certfile=" + files().certificate(want.identity),
                      "--x509keyfile=" + files().key(want.identity),
                      "--x509certfile=" + files().certificate(want.other),
                      "--x509keyfile=" + files().key(want.other),
                      "--priority=NORMAL:-VERS-ALL:+VERS-TLS" + version};
        if (want.asks)
            all.insert(all.end(), {"--require-client-cert", "--verify-client-cert",
                                   "--x509cafile=" + files().certificate("authority")});
        else
            all.emplace_back("--disable-client-cert");
        if (!want.alpn.empty())
            all.insert(all.end(), {"--alpn=" + want.alpn, "--alpn-fatal"});
        all.emplace_back("--port=PORT");
        start_on_free_port(all, "istening on IPv4 .*done");
    }
};

struct node_server : their_server {
    explicit node_server(const setting& want)
    {
        const auto file = [](const std::string& path) { return "fs.readFileSync('" + path + "')"; };
        const std::string version = want.version == tls_version::tls1_2 ? "TLSv1.2" : "TLSv1.3";
        std::string script =
            "const tls = require('tls'), fs = require('fs');\n"
            "const other = tls.createSecureContext({cert: "
            + file(files().certificate(want.other)) + ", key: " + file(files().key(want.other))
            + "});\nconst server = tls.createServer({cert: "
            + file(files().certificate(want.identity))
            + ", key: " + file(files().key(want.identity)) + ", minVersion: '" + version
            + "', maxVersion: '" + version + "'"
            + ", SNICallback: (name, done) => done(null, name == 'other.example' ? other : null)";
        if (want.asks)
            script += ", requestCert: true, rejectUnauthorized: true, ca: "
                      + file(files().certificate("authority"));
        if (!want.alpn.empty())
            script += ", ALPNProtocols: ['" + want.alpn + "']";
        script +=
            "}, s => { s.on('error', () => {});\n"
            "  s.on('data', () => s.end('HTTP/1.0 200 ok\\r\\n\\r\\nhello from Node')); });\n"
            "server.on('tlsClientError', () => {});\n"
            "server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));";
        start({"node", "-e", script}, "^port ([0-9]+)$");
    }
};

struct tool {
    const char* name;
    const char* program;
    std::unique_ptr<their_server> (*start)(const setting&);
    const char* page; ///< what its answer holds
};
template <class Server>
std::unique_ptr<their_server> make(const setting& want)
{
    return std::make_unique<Server>(want);
}
constexpr tool tools[] = {{"SServer", "openssl", make<s_server>, "s_server"},
                          {"GnutlsServ", "gnutls-serv", make<gnutls_serv>, "GnuTLS"},
                          {"Node", "node", make<node_server>, "hello from Node"}};

struct variant {
    tool with;
    tls_version version;
    bool rsa;
};

class TheirServers : public ::testing::TestWithParam<variant> {
protected:
    void SetUp() override
    {
        if (!installed(GetParam().with.program))
            GTEST_SKIP() << GetParam().with.program << " is not installed";
    }

    static bool is(const char* name) { return GetParam().with.name == std::string_view(name); }
    static bool tls13() { return GetParam().version == tls_version::tls1_3; }
    static setting normal()
    {
        return {.version = GetParam().version,
                .identity = GetParam().rsa ? "server_rsa" : "server",
                .other = GetParam().rsa ? "elsewhere_rsa" : "elsewhere"};
    }
    static setting with(const std::string& identity)
    {
        return {.version = GetParam().version, .identity = identity};
    }

    static outcome ask(const their_server& server, SSLFilter& filter)
    {
        const auto port = static_cast<std::uint16_t>(std::stoi(server.port()));
        const unique_fd fd = connect_to(address::parse("127.0.0.1").value->with_port(port));
        EXPECT_TRUE(fd);
        return conversation(filter, fd.get()).ask("GET / HTTP/1.0\r\n\r\n");
    }
    static outcome ask(const setting& there, const tls_config& here)
    {
        const auto server = GetParam().with.start(there);
        SSLFilter filter{tls_context(here)};
        return ask(*server, filter);
    }

    static void expect_answer(const outcome& seen)
    {
        EXPECT_NE(seen.received.find(GetParam().with.page), std::string::npos) << seen.received;
        EXPECT_EQ(seen.cause.kind, close_kind::clean) << seen.cause.text;
        EXPECT_TRUE(seen.peer.verified);
    }
    static void expect_refusal(const outcome& seen, const std::string& words)
    {
        EXPECT_EQ(seen.cause.kind, close_kind::verify) << seen.cause.text;
        EXPECT_NE(seen.cause.text.find(words), std::string::npos) << seen.cause.text;
        EXPECT_EQ(seen.cause.depth, 0);
        EXPECT_TRUE(seen.received.empty());
    }
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
INSTANTIATE_TEST_SUITE_P(Interop, TheirServers, ::testing::ValuesIn(variants()),
                         [](const auto& each) { return text_of(each.param); });

TEST_P(TheirServers, Answer)
{
    const outcome seen = ask(normal(), client_config());
    expect_answer(seen);
    EXPECT_EQ(seen.peer.version, tls13() ? "TLSv1.3" : "TLSv1.2");
    EXPECT_EQ(seen.peer.server_name, "localhost");
    ASSERT_FALSE(seen.peer.chain.empty());
    if (!tls13()) {
        EXPECT_NE(seen.peer.cipher.find(GetParam().rsa ? "RSA" : "ECDSA"), std::string::npos)
            << seen.peer.cipher;
    }
}

TEST_P(TheirServers, ShowTheCertificateOfTheNameWeAskFor)
{
    const outcome seen = ask(normal(), client_config("other.example"));
    expect_answer(seen);
    EXPECT_EQ(seen.peer.chain.at(0).subject.find("CN=elsewhere"), 0U) << seen.peer.chain[0].subject;
}

TEST_P(TheirServers, AreVerifiedByAddressToo)
{
    const outcome seen = ask(normal(), client_config("127.0.0.1"));
    expect_answer(seen);
    EXPECT_EQ(seen.peer.server_name, "");
}

TEST_P(TheirServers, OfAnotherNameAreRefused)
{
    expect_refusal(ask(with("elsewhere"), client_config()),
                   "the certificate is for other.example, *.wild.example, not for localhost");
}

TEST_P(TheirServers, WithAnExpiredCertificateAreRefused)
{
    expect_refusal(ask(with("expired"), client_config()), "the certificate expired on 20");
}

TEST_P(TheirServers, WithASelfSignedCertificateAreRefused)
{
    expect_refusal(ask(with("self_signed"), client_config()), "the certificate is self-signed");
}

TEST_P(TheirServers, OfAnIssuerWeDoNotTrustAreRefused)
{
    expect_refusal(ask(with("foreign"), client_config()),
                   "the certificate's issuer is not one that we trust");
}

TEST_P(TheirServers, WithARevokedCertificateAreRefused)
{
    tls_config careful = client_config();
    careful.crl_file = files().path("revoking.crl");
    expect_refusal(ask(normal(), careful), "the certificate was revoked");
}

TEST_P(TheirServers, KnowUsByOurCertificate)
{
    setting asking = normal();
    asking.asks = true;
    tls_config alice = client_config();
    alice.certificate_file = files().certificate("client");
    alice.key_file = files().key("client");
    expect_answer(ask(asking, alice));
}

TEST_P(TheirServers, RefuseUsWithoutACertificate)
{
    setting asking = normal();
    asking.asks = true;
    const outcome seen = ask(asking, client_config());
    EXPECT_EQ(seen.received.find(GetParam().with.page), std::string::npos);
    if (is("Node") && !tls13()) // it hangs up instead of telling us
        EXPECT_TRUE(seen.cause.kind == close_kind::peer_alert
                    || seen.cause.kind == close_kind::truncated
                    || seen.cause.kind == close_kind::clean)
            << seen.cause.text;
    else
        EXPECT_EQ(seen.cause.kind, close_kind::peer_alert) << seen.cause.text;
}

TEST_P(TheirServers, AgreeOnAnApplicationProtocol)
{
    setting web = normal();
    web.alpn = "http/1.1";
    tls_config client = client_config();
    client.alpn = {"h2", "http/1.1"};
    const outcome seen = ask(web, client);
    expect_answer(seen);
    EXPECT_EQ(seen.peer.alpn, "http/1.1");
}

TEST_P(TheirServers, RefuseUsWithoutAnApplicationProtocolInCommon)
{
    setting web = normal();
    web.alpn = "http/1.1";
    tls_config client = client_config();
    client.alpn = {"mqtt"};
    const outcome seen = ask(web, client);
    EXPECT_EQ(seen.received, "");
    EXPECT_EQ(seen.cause.kind, close_kind::peer_alert) << seen.cause.text;
    EXPECT_EQ(seen.cause.code, 120) << seen.cause.text;
}

TEST_P(TheirServers, ResumeOurSessions)
{
    const auto server = GetParam().with.start(normal());
    const tls_context context(client_config());
    SSLFilter first(context);
    const outcome before = ask(*server, first);
    expect_answer(before);
    EXPECT_FALSE(before.peer.resumed);
    SSLFilter second(context);
    ASSERT_TRUE(second.resume(before.session));
    const outcome after = ask(*server, second);
    expect_answer(after);
    EXPECT_TRUE(after.peer.resumed);
}

TEST(InteropServers, OneThatSpeaksPlainHttpIsToldFromTls)
{
    if (!installed("python3"))
        GTEST_SKIP() << "python3 is not installed";
    const test::temp_dir empty;
    test::process server({.arguments = {"python3", "-u", "-m", "http.server", "--bind", "127.0.0.1",
                                        "--directory", empty.path().string(), "0"}});
    const auto port = server.wait_for("port ([0-9]+)").at(1);
    SSLFilter filter{tls_context(client_config())};
    const unique_fd fd = connect_to(
        address::parse("127.0.0.1").value->with_port(static_cast<std::uint16_t>(std::stoi(port))));
    ASSERT_TRUE(fd);
    const outcome seen = conversation(filter, fd.get()).ask("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(seen.cause.kind, close_kind::local_alert);
    EXPECT_EQ(seen.cause.text, "local_alert: the server does not speak TLS on this port");
}

} // namespace
