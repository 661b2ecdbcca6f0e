// SPDX-License-Identifier: MIT

#include "funcptr/self_signed.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <set>

#include "funcptr/error.h"
#include "funcptr/ssl_filter.h"
#include "funcptr/testing/pump.h"

namespace {

using namespace std::chrono_literals;
using funcptr::self_signed;

struct x509_free {
    void operator()(X509* one) const { X509_free(one); }
};
using x509 = std::unique_ptr<X509, x509_free>;

x509 parse(const std::string& pem)
{
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    x509 one(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
    BIO_free(bio);
    return one;
}

/// A handshake with it, by a client that trusts it alone and expects that name.
funcptr::close_cause shake_hands(const funcptr::self_signed_certificate& made,
                                 const std::string& name)
{
    const funcptr::tls_context server({.role = funcptr::tls_role::server,
                                       .certificate_pem = made.certificate_pem,
                                       .key_pem = made.key_pem});
    const funcptr::tls_context client({.trust_pem = made.certificate_pem, .server_name = name});
    funcptr::SSLFilter left(client);
    funcptr::SSLFilter right(server);
    funcptr::testing::pump network(left, right);
    left.close_write();
    right.close_write();
    EXPECT_TRUE(network.run());
    EXPECT_TRUE(left.closed());
    return left.cause();
}

TEST(SelfSigned, IsAcceptedByAClientThatTrustsItForEachOfItsNames)
{
    const auto made = self_signed({"localhost", "127.0.0.1", "::1"});
    for (const char* name : {"localhost", "127.0.0.1", "::1", "[::1]", "localhost."})
        EXPECT_EQ(shake_hands(made, name).kind, funcptr::close_kind::clean) << name;
}

TEST(SelfSigned, IsRefusedForAnyOtherName)
{
    const auto made = self_signed({"localhost"});
    const auto cause = shake_hands(made, "127.0.0.1");
    EXPECT_EQ(cause.kind, funcptr::close_kind::verify);
    EXPECT_EQ(shake_hands(made, "other.localhost").kind, funcptr::close_kind::verify);
}

TEST(SelfSigned, IsAnEcdsaP256ServerCertificateAndNoAuthority)
{
    const x509 made = parse(self_signed({"localhost"}).certificate_pem);
    ASSERT_NE(made, nullptr);
    EXPECT_EQ(X509_get_version(made.get()), X509_VERSION_3);
    EXPECT_EQ(EVP_PKEY_get_bits(X509_get0_pubkey(made.get())), 256);
    EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(made.get())), EVP_PKEY_EC);
    EXPECT_EQ(X509_check_ca(made.get()), 0);
    EXPECT_EQ(X509_check_purpose(made.get(), X509_PURPOSE_SSL_SERVER, 0), 1);
    EXPECT_EQ(X509_check_purpose(made.get(), X509_PURPOSE_SSL_CLIENT, 0), 0);
}

TEST(SelfSigned, IsValidFromAnHourAgoForAsLongAsAsked)
{
    const x509 made = parse(self_signed({"localhost"}, 48h).certificate_pem);
    ASSERT_NE(made, nullptr);
    int days = 0;
    int seconds = 0;
    ASSERT_EQ(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(made.get()),
                             X509_get0_notAfter(made.get())),
              1);
    EXPECT_NEAR(days * 86400.0 + seconds, 49 * 3600.0, 2);
    EXPECT_LT(X509_cmp_current_time(X509_get0_notBefore(made.get())), 0);
}

TEST(SelfSigned, TwoAreNeverAlike)
{
    std::set<std::string> seen;
    for (int i = 0; i < 8; ++i) {
        const auto made = self_signed({"localhost"});
        EXPECT_TRUE(seen.insert(made.certificate_pem).second);
        EXPECT_TRUE(seen.insert(made.key_pem).second);
    }
}

TEST(SelfSigned, RefusesWhatIsNoName)
{
    EXPECT_THROW(self_signed({}), funcptr::error);
    EXPECT_THROW(self_signed({""}), funcptr::error);
    EXPECT_THROW(self_signed({"localhost", "two words"}), funcptr::error);
    EXPECT_THROW(self_signed({"localhost,IP:10.0.0.1"}), funcptr::error); // no way in for more
    EXPECT_THROW(self_signed(std::vector<std::string>(101, "localhost")), funcptr::error);
    EXPECT_THROW(self_signed({"localhost"}, 0s), funcptr::error);
    try {
        self_signed({"localhost", "10.0.0"});
        FAIL();
    } catch (const funcptr::error& failed) {
        EXPECT_NE(std::string(failed.what()).find("10.0.0"), std::string::npos) << failed.what();
    }
}

TEST(SelfSigned, LongNamesAreCutInTheCommonNameAlone)
{
    const std::string name = std::string(60, 'a') + "." + std::string(60, 'b') + ".example";
    EXPECT_EQ(shake_hands(self_signed({name}), name).kind, funcptr::close_kind::clean);
}

TEST(SelfSigned, LeavesTheErrorQueueEmpty)
{
    self_signed({"localhost"});
    EXPECT_EQ(ERR_peek_error(), 0U);
}

} // namespace
