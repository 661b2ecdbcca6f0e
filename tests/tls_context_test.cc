// SPDX-License-Identifier: MIT
//
// What a tls_config may say, and how it is refused.

#include <gtest/gtest.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "funcptr/error.h"
#include "funcptr/ssl_filter.h"
#include "support/tls_pair.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

/// A folder that is gone at the end of the test.
class folder {
public:
    folder()
    {
        if (::mkdtemp(path_.data()) == nullptr)
            throw std::runtime_error("mkdtemp");
    }
    ~folder()
    {
        for (const std::string& file : files_)
            ::unlink(file.c_str());
        ::rmdir(path_.c_str());
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    std::string put(const std::string& name, const std::string& text)
    {
        files_.push_back(path_ + "/" + name);
        std::ofstream(files_.back(), std::ios::binary) << text;
        return files_.back();
    }
    const std::string& path() const { return path_; }

private:
    std::string path_ = ::testing::TempDir() + "/funcptr_tls_XXXXXX";
    std::vector<std::string> files_;
};

/// Expects that config is refused, by a sentence that holds all of the words.
std::error_code refused(const tls_config& config, const std::vector<std::string>& words)
{
    try {
        const tls_context context(config);
        ADD_FAILURE() << "accepted";
    } catch (const error& failed) {
        for (const std::string& word : words)
            EXPECT_NE(std::string(failed.what()).find(word), std::string::npos)
                << "\"" << word << "\" is not in: " << failed.what();
        EXPECT_EQ(std::string(failed.what()).find('\n'), std::string::npos);
        EXPECT_EQ(ERR_peek_error(), 0U);
        return failed.code();
    }
    return {};
}

const issued& good()
{
    return certificates().server;
}

// -- files
// ---------------------------------------------------------------------------------------------

TEST(TlsContext, TakesCertificateKeyAndTrustFromFiles)
{
    folder dir;
    const tls_context server({.role = tls_role::server,
                              .certificate_file = dir.put("cert.pem", good().certificate_pem),
                              .key_file = dir.put("key.pem", good().key_pem)});
    const tls_context client(
        {.trust_file = dir.put("ca.pem", certificates().authority.certificate_pem),
         .server_name = "localhost"});
    tls_pair pair(client, server);
    EXPECT_TRUE(pair.connect());
    EXPECT_EQ(server.role(), tls_role::server);
    EXPECT_EQ(client.role(), tls_role::client);
}

TEST(TlsContext, TheKeyMayStandBesideTheCertificate)
{
    for (const std::string& both :
         {good().certificate_pem + good().key_pem, good().key_pem + good().certificate_pem}) {
        tls_pair pair(client_config(), {.role = tls_role::server, .certificate_pem = both});
        EXPECT_TRUE(pair.connect());
    }
}

TEST(TlsContext, AnEncryptedKeyOpensWithItsPasswordAndNeverAsks)
{
    tls_config config = server_config();
    config.key_pem = encrypt_key(good().key_pem, "correct horse");
    EXPECT_EQ(refused(config, {"key_pem", "encrypted", "key_password"}), errc::bad_certificate);
    config.key_password = "wrong horse";
    EXPECT_EQ(refused(config, {"key_password does not open"}), errc::bad_certificate);
    config.key_password = std::string(5000, 'x');
    refused(config, {"key_password"});
    config.key_password = "correct horse";
    EXPECT_NO_THROW(tls_context{config});
}

// OpenSSL reads a password from the terminal for any block that says it is encrypted.
TEST(TlsContext, AnEncryptedBlockOfAnyKindNeverAsks)
{
    const auto encrypted = [](const std::string& kind) {
        return "-----BEGIN " + kind + "-----\nProc-Type: 4,ENCRYPTED\n"
               + "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END " + kind
               + "-----\n";
    };
    tls_config server = server_config();
    server.certificate_pem = encrypted("CERTIFICATE");
    refused(server, {"certificate_pem: line 1: ", "password"});
    tls_config client = client_config();
    client.trust_pem = encrypted("CERTIFICATE");
    refused(client, {"trust_pem: line 1: ", "password"});
    client = client_config();
    client.crl_pem = encrypted("X509 CRL");
    refused(client, {"crl_pem: line 1: ", "password"});
}

TEST(TlsContext, AFileThatCannotBeReadIsNamedWithTheReason)
{
    folder dir;
    tls_config config{.role = tls_role::server, .certificate_file = dir.path() + "/none.pem"};
    EXPECT_EQ(refused(config, {"certificate_file \"", "/none.pem\"", "No such file"}),
              std::errc::no_such_file_or_directory);
    config.certificate_file = dir.path();
    EXPECT_EQ(refused(config, {"certificate_file", "Is a directory"}), std::errc::is_a_directory);
    config.certificate_file = dir.put("empty.pem", "");
    EXPECT_EQ(refused(config, {"empty.pem", "is empty"}), errc::bad_certificate);
    if (::geteuid() != 0) { // root reads everything
        config.certificate_file = dir.put("secret.pem", good().certificate_pem);
        ::chmod(config.certificate_file.c_str(), 0);
        EXPECT_EQ(refused(config, {"secret.pem", "Permission denied"}),
                  std::errc::permission_denied);
    }
}

TEST(TlsContext, ABrokenPemIsToldWithItsLine)
{
    folder dir;
    std::string broken = good().certificate_pem; // 27 characters are its first line
    broken[60] = '*';
    const std::string text = "# a comment\n" + good().certificate_pem + broken;
    const auto line = 1 + std::count(text.begin(), text.end() - 30, '\n')
                      - (std::count(broken.begin(), broken.end() - 30, '\n'));
    const tls_config config{.role = tls_role::server,
                            .certificate_file = dir.put("chain.pem", text),
                            .key_pem = good().key_pem};
    EXPECT_EQ(refused(config, {"chain.pem", "line " + std::to_string(line) + ":"}),
              errc::bad_certificate);

    tls_config cut = server_config();
    cut.certificate_pem.resize(cut.certificate_pem.size() / 2);
    refused(cut, {"certificate_pem", "line 1:"});

    tls_config key = server_config();
    key.key_pem = "\n\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    refused(key, {"key_pem", "line 3:"});
    // Beside its certificate, the line is the key's own.
    const auto lines = std::count(key.certificate_pem.begin(), key.certificate_pem.end(), '\n');
    key.certificate_pem += std::exchange(key.key_pem, {});
    refused(key, {"certificate_pem", "line " + std::to_string(lines + 3) + ": the key"});
}

TEST(TlsContext, AWrongKindOfFileIsRecognised)
{
    folder dir;
    tls_config config = server_config();
    config.certificate_pem = good().key_pem;
    refused(config, {"certificate_pem", "holds no certificate", "private key"});
    config.certificate_pem = "hello";
    refused(config, {"not PEM"});
    config.certificate_pem = std::string("\x30\x82\x01\x0a\x02\x82", 6);
    refused(config, {"DER", "openssl x509"});
    config = server_config();
    config.key_pem = good().certificate_pem;
    refused(config, {"key_pem", "holds no private key", "holds a certificate"});
    tls_config client = client_config();
    client.crl_pem = certificates().authority.certificate_pem;
    refused(client, {"crl_pem", "holds no revocation list"});
    client = client_config();
    client.trust_pem = "# nothing but a comment\n";
    refused(client, {"trust_pem", "holds no certificate"});
}

TEST(TlsContext, AKeyOfAnotherCertificateIsRefused)
{
    tls_config config = server_config();
    config.key_pem = certificates().elsewhere.key_pem;
    EXPECT_EQ(refused(config, {"key_pem", "does not belong", "CN=server"}), errc::bad_certificate);
    config.key_pem = certificates().server_rsa.key_pem;
    refused(config, {"does not belong"});
}

TEST(TlsContext, AWeakKeyIsRefusedAtOnce)
{
    const issued weak = make_certificate(
        {.common_name = "weak", .names = {"localhost"}, .key = key_kind::rsa_1024});
    EXPECT_EQ(refused(server_config(weak), {"CN=weak", "too small"}), errc::bad_certificate);
    tls_config second = server_config();
    second.more_identities = {{.certificate_pem = weak.certificate_pem, .key_pem = weak.key_pem}};
    EXPECT_EQ(refused(second, {"CN=weak", "too small"}), errc::bad_certificate);
}

// -- options that contradict one another
// ----------------------------------------------------------------

TEST(TlsContext, RefusesWhatCannotHold)
{
    struct contradiction {
        const char* words;
        std::function<void(tls_config& server, tls_config& client)> make;
        bool server;
    };
    const std::vector<contradiction> all = {
        {"needs a certificate", [](auto& s, auto&) { s = {.role = tls_role::server}; }, true},
        {"both given", [](auto& s, auto&) { s.certificate_file = "x.pem"; }, true},
        {"key_file and key_pem are both given", [](auto& s, auto&) { s.key_file = "x.pem"; }, true},
        {"without a key", [](auto& s, auto&) { s.key_pem.clear(); }, true},
        {"without its certificate", [](auto&, auto& c) { c.key_pem = good().key_pem; }, false},
        {"min_version",
         [](auto& s, auto&) {
             s.min_version = tls_version::tls1_3;
             s.max_version = tls_version::tls1_2;
         },
         true},
        {"needs trust_file",
         [](auto& s, auto&) { s.client_certificates = tls_client_certificates::optional; }, true},
        {"server_name", [](auto& s, auto&) { s.server_name = "localhost"; }, true},
        {"insecure_skip_verification", [](auto& s, auto&) { s.insecure_skip_verification = true; },
         true},
        {"insecure_skip_verification",
         [](auto&, auto& c) {
             c.insecure_skip_verification = true; // beside trust_pem
         },
         false},
        {"for servers",
         [](auto&, auto& c) { c.client_certificates = tls_client_certificates::required; }, false},
        {"for servers", [](auto&, auto& c) { c.more_identities.emplace_back(); }, false},
        {"no certificate", [](auto& s, auto&) { s.more_identities.emplace_back(); }, true},
        {"begins with a dot", [](auto&, auto& c) { c.server_name = ".example"; }, false},
        {"alpn",
         [](auto& s, auto&) {
             s.alpn = {"h2", ""};
         },
         true},
        {"alpn", [](auto& s, auto&) { s.alpn = {std::string(256, 'x')}; }, true},
        {"65535", [](auto& s, auto&) { s.alpn.assign(300, std::string(255, 'x')); }, true},
        {"ciphers_tls12", [](auto& s, auto&) { s.ciphers_tls12 = "NO-SUCH-CIPHER"; }, true},
        {"no cipher suite that may be used", [](auto& s, auto&) { s.ciphers_tls12 = "NULL"; },
         true},
        {"no cipher suite that may be used", [](auto&, auto& c) { c.ciphers_tls12 = "aNULL"; },
         false},
        // Anonymous suites: a client would believe anybody.
        {"@SECLEVEL", [](auto&, auto& c) { c.ciphers_tls12 = "ALL:@SECLEVEL=0"; }, false},
        {"client_certificates is none",
         [](auto& s, auto&) { s.trust_pem = good().certificate_pem; }, true},
        {"client_certificates is none", [](auto& s, auto&) { s.crl_file = "x.crl"; }, true},
        {"insecure_skip_verification",
         [](auto&, auto& c) { c = {.crl_file = "x.crl", .insecure_skip_verification = true}; },
         false},
        {"key_password", [](auto&, auto& c) { c.key_password = "secret"; }, false},
        {"records_per_key", [](auto& s, auto&) { s.limits.records_per_key = 0; }, true},
        {"cannot be used: it holds a character",
         [](auto&, auto& c) { c.server_name = std::string("a\0b", 3); }, false},
        {"ciphers_tls13", [](auto& s, auto&) { s.ciphers_tls13 = "NO_SUCH_CIPHER"; }, true},
        {"is 0", [](auto& s, auto&) { s.limits.aread = 0; }, true},
        {"nwrite_hard", [](auto& s, auto&) { s.limits.nwrite_hard = s.limits.nwrite; }, true},
        {"nwrite_hard", [](auto& s, auto&) { s.limits.nwrite_hard = 0; }, true},
    };
    for (const contradiction& each : all) {
        tls_config server = server_config();
        tls_config client = client_config();
        each.make(server, client);
        EXPECT_EQ(refused(each.server ? server : client, {each.words}), errc::bad_configuration)
            << each.words;
    }
}

TEST(TlsContext, AnEmptyConfigurationIsAVerifyingClient)
{
    const tls_context context(tls_config{});
    EXPECT_EQ(context.role(), tls_role::client);
    EXPECT_THROW(SSLFilter{context}, error); // whom should it verify?
}

// -- what is set whatever the system's openssl.cnf says
// -----------------------------------------------------

TEST(TlsContext, ThePolicyIsOursAndNotTheSystems)
{
    SSLFilter server{tls_context(server_config())};
    SSL_CTX* ctx = SSL_get_SSL_CTX(server.native_handle());
    EXPECT_EQ(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
    EXPECT_EQ(SSL_CTX_get_max_proto_version(ctx), TLS1_3_VERSION);
    EXPECT_EQ(SSL_CTX_get_security_level(ctx), 2);
    EXPECT_EQ(SSL_CTX_get_read_ahead(ctx), 0); // trap 7
    EXPECT_EQ(SSL_CTX_get_max_early_data(ctx), 0U);
    const auto options = SSL_CTX_get_options(ctx);
    EXPECT_NE(options & SSL_OP_NO_RENEGOTIATION, 0U);
    EXPECT_NE(options & SSL_OP_NO_COMPRESSION, 0U);
    EXPECT_EQ(options & SSL_OP_IGNORE_UNEXPECTED_EOF, 0U); // truncation must be seen
    EXPECT_EQ(options & SSL_OP_LEGACY_SERVER_CONNECT, 0U);
    const auto mode = SSL_CTX_get_mode(ctx);
    EXPECT_NE(mode & SSL_MODE_ENABLE_PARTIAL_WRITE, 0); // trap 6
    EXPECT_NE(mode & SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, 0);
    STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(ctx);
    ASSERT_EQ(sk_SSL_CIPHER_num(ciphers), 9);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
        const SSL_CIPHER* one = sk_SSL_CIPHER_value(ciphers, i);
        EXPECT_EQ(SSL_CIPHER_is_aead(one), 1) << SSL_CIPHER_get_name(one);
    }
}

/// Has OpenSSL read that as its openssl.cnf, for as long as it lives.
class openssl_cnf {
public:
    explicit openssl_cnf(const std::string& ssl_settings)
    {
        const std::string path =
            dir_.put("openssl.cnf", "openssl_conf = a\n[a]\nssl_conf = b\n[b]\n"
                                    "system_default = c\n[c]\n"
                                        + ssl_settings);
        EXPECT_EQ(CONF_modules_load_file(path.c_str(), nullptr, 0), 1);
    }
    ~openssl_cnf() { CONF_modules_finish(); }
    openssl_cnf(const openssl_cnf&) = delete;
    openssl_cnf& operator=(const openssl_cnf&) = delete;

private:
    folder dir_;
};

// Trap 12: every SSL_CTX begins with the system's settings, in silence.
TEST(TlsContext, AHostileOpensslCnfChangesNothing)
{
    const openssl_cnf hostile("MinProtocol = TLSv1\n"
                              "MaxProtocol = TLSv1.2\n"
                              "CipherString = ALL:@SECLEVEL=0\n"
                              "Ciphersuites = TLS_CHACHA20_POLY1305_SHA256\n"
                              "Options = UnsafeLegacyRenegotiation, -EncryptThenMac, Compression, "
                              "-SessionTicket\n"
                              "VerifyMode = Request\n"
                              "Groups = P-521\n"
                              "SignatureAlgorithms = RSA+SHA512\n"
                              "ClientSignatureAlgorithms = RSA+SHA512\n"
                              "NumTickets = 7\n"
                              "RecordPadding = 4096\n");
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> plain(SSL_CTX_new(TLS_server_method()),
                                                                  &SSL_CTX_free);
    ASSERT_EQ(SSL_CTX_get_num_tickets(plain.get()), 7U); // it is in force
    ASSERT_EQ(SSL_CTX_get_security_level(plain.get()), 0);

    tls_config asking = server_config();
    asking.trust_pem = certificates().authority.certificate_pem;
    asking.client_certificates = tls_client_certificates::required;
    tls_config alice = client_config();
    alice.certificate_pem = certificates().client.certificate_pem; // ECDSA, SHA-256
    alice.key_pem = certificates().client.key_pem;
    tls_pair pair(alice, asking);
    ASSERT_TRUE(pair.connect()) << pair.client.cause().text << pair.server.cause().text;
    EXPECT_EQ(pair.client.peer().version, "TLSv1.3");
    EXPECT_EQ(pair.client.peer().cipher, "TLS_AES_128_GCM_SHA256");
    EXPECT_TRUE(pair.client.session());
    EXPECT_TRUE(pair.server.peer().verified);
    SSL* const server = pair.server.native_handle();
    EXPECT_EQ(SSL_get_num_tickets(server), 2U);
    EXPECT_EQ(SSL_get_security_level(server), 2);
    EXPECT_EQ(SSL_get_min_proto_version(server), TLS1_2_VERSION);
    EXPECT_EQ(SSL_get_options(server)
                  & (SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF),
              0U);
    pair.server.awrite().append("not padded");
    pair.server.update();
    EXPECT_LT(pair.server.nwrite().size(), 64U);

    tls_pair none(client_config(), server_config()); // VerifyMode would have asked
    ASSERT_TRUE(none.connect());
    EXPECT_TRUE(none.server.peer().chain.empty());
}

TEST(TlsContext, AChosenCipherIsUsed)
{
    tls_config client = client_config();
    client.ciphers_tls13 = "TLS_CHACHA20_POLY1305_SHA256";
    tls_pair pair(client);
    ASSERT_TRUE(pair.connect());
    EXPECT_EQ(pair.server.peer().cipher, "TLS_CHACHA20_POLY1305_SHA256");
}

// -- reload
// -----------------------------------------------------------------------------------------------

TEST(TlsContext, ReloadChangesNewConnectionsAndLeavesThoseInFlight)
{
    tls_context server{server_config(certificates().server)};
    const tls_context copy = server; // the same context, as a listener would hold it
    const tls_context client(client_config());
    tls_pair before(client, copy);
    server.reload(server_config(certificates().server_rsa));
    tls_pair after(client, copy);
    ASSERT_TRUE(before.connect());
    ASSERT_TRUE(after.connect());
    EXPECT_EQ(before.client.peer().chain.at(0).subject, "CN=server");
    EXPECT_EQ(after.client.peer().chain.at(0).subject, "CN=server-rsa");
    EXPECT_EQ(before.server.generation(), 1U);
    EXPECT_EQ(after.server.generation(), 2U);
    EXPECT_EQ(copy.generation(), 2U);
}

TEST(TlsContext, AReloadThatFailsLeavesTheOldInForce)
{
    tls_context server{server_config()};
    EXPECT_THROW(server.reload({.role = tls_role::server}), error);
    EXPECT_THROW(server.reload(client_config()), error);
    EXPECT_EQ(server.generation(), 1U);
    tls_pair pair(tls_context(client_config()), server);
    EXPECT_TRUE(pair.connect());
}

TEST(TlsContext, TicketsSurviveAReload)
{
    tls_context server{server_config()};
    const tls_context client(client_config());
    tls_session session;
    {
        tls_pair pair(client, server);
        ASSERT_TRUE(pair.connect());
        session = pair.client.session();
    }
    server.reload(server_config(certificates().server_rsa));
    tls_pair again(client, server);
    ASSERT_TRUE(again.client.resume(session));
    ASSERT_TRUE(again.connect());
    EXPECT_TRUE(again.client.peer().resumed);
}

/// A full handshake with one server, then an attempt to resume it with another.
bool resumes(const tls_context& first, const tls_context& second,
             tls_version only = tls_version::tls1_3)
{
    const tls_context client(with_versions(client_config(), only));
    tls_session session;
    {
        tls_pair pair(client, first);
        EXPECT_TRUE(pair.connect()) << pair.client.cause().text;
        session = pair.client.session();
    }
    tls_pair again(client, second);
    EXPECT_TRUE(again.client.resume(session));
    EXPECT_TRUE(again.connect()) << again.client.cause().text;
    return again.server.peer().resumed && again.client.peer().resumed;
}

tls_config with_secrets(std::vector<std::string> secrets)
{
    auto config = server_config();
    config.ticket_secrets = std::move(secrets);
    return config;
}

const std::string secret_a(32, 'a');
const std::string secret_b(32, 'b');

TEST(TlsContext, ServersThatShareASecretResumeOneAnothersSessions)
{
    for (const auto only : {tls_version::tls1_2, tls_version::tls1_3}) {
        EXPECT_TRUE(resumes(tls_context(with_secrets({secret_a})),
                            tls_context(with_secrets({secret_a})), only));
        EXPECT_FALSE(resumes(tls_context(with_secrets({secret_a})),
                             tls_context(with_secrets({secret_b})), only));
        EXPECT_FALSE(resumes(tls_context(server_config()), tls_context(server_config()), only));
    }
}

TEST(TlsContext, ARetiredTicketSecretStillOpensAndADroppedOneDoesNot)
{
    tls_context server(with_secrets({secret_a}));
    const tls_context old = tls_context(with_secrets({secret_a}));
    server.reload(with_secrets({secret_b, secret_a}));
    EXPECT_TRUE(resumes(old, server));
    EXPECT_TRUE(resumes(server, tls_context(with_secrets({secret_b})))) << "the first one seals";
    server.reload(with_secrets({secret_b}));
    EXPECT_FALSE(resumes(old, server));
}

TEST(TlsContext, ATicketOpenedByARetiredSecretIsRenewed)
{
    const tls_context client(with_versions(client_config(), tls_version::tls1_2));
    tls_session session;
    {
        tls_pair pair(client, tls_context(with_secrets({secret_a})));
        ASSERT_TRUE(pair.connect());
        session = pair.client.session();
    }
    const tls_context rotated(with_secrets({secret_b, secret_a}));
    tls_pair again(client, rotated);
    ASSERT_TRUE(again.client.resume(session));
    ASSERT_TRUE(again.connect());
    ASSERT_TRUE(again.client.peer().resumed);
    const tls_session renewed = again.client.session();
    tls_pair last(client, tls_context(with_secrets({secret_b}))); // knows the new secret alone
    ASSERT_TRUE(last.client.resume(renewed));
    ASSERT_TRUE(last.connect());
    EXPECT_TRUE(last.client.peer().resumed);
}

TEST(TlsContext, ATicketSecretThatIsTooShortOrUselessIsRefused)
{
    try {
        const tls_context server(with_secrets({secret_a, "short"}));
        FAIL() << "31 bytes can be guessed";
    } catch (const error& refused) {
        EXPECT_EQ(refused.code(), errc::bad_configuration);
        EXPECT_NE(std::string(refused.what()).find("ticket_secrets[1] has 5 bytes"),
                  std::string::npos)
            << refused.what();
    }
    auto client = client_config();
    client.ticket_secrets = {secret_a};
    EXPECT_THROW(tls_context{client}, error);
    auto silent = with_secrets({secret_a});
    silent.session_tickets = false;
    EXPECT_THROW(tls_context{silent}, error);
}

TEST(TlsContext, ReloadsAndConnectionsFromSeveralThreadsDoNotDisturbOneAnother)
{
    tls_context server{server_config()};
    const tls_context client(client_config());
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i) {
                tls_pair pair(client, server);
                EXPECT_TRUE(pair.connect()) << pair.client.cause().text;
            }
        });
    for (int i = 0; i < 20; ++i)
        server.reload(server_config());
    for (std::thread& each : threads)
        each.join();
    EXPECT_EQ(server.generation(), 21U);
}

} // namespace
