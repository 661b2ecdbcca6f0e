// SPDX-License-Identifier: MIT
//
// The vectors of every peer, in both directions: those of tests/vectors/cookies, which were made by
// running the real packages, and whatever stands in $FUNCPTR_VECTORS/cookies, or beside the
// sources, in the same shape.

#include "funcptr/cookie_dialects.h"

#include "support/cookie_vectors.h"
#include "support/process.h"
#include "support/source_tree.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#ifdef HAVE_JSON

namespace {

using nlohmann::json;

struct tally {
    std::size_t vectors = 0, verified = 0, issued = 0;
};

const char* verdict_of(const funcptr::dialect_verdict& verdict)
{
    return verdict ? "accept" : "reject";
}

/// By the value, which may be one that no browser sends: with a ";" in it, say.
funcptr::dialect_verdict verify(const funcptr::cookie_dialect& codec,
                                const test::vector_trial& trial)
{
    if (trial.header)
        return funcptr::verify_any(codec, *trial.header);
    return trial.signature ? codec.verify(trial.value, *trial.signature)
                           : codec.verify(trial.value);
}

void try_one(const test::vector_trial& trial, const json& vector, tally& done)
{
    const auto peers = vector.at("peer_verdict").get<std::string>();
    const bool says_strict = vector.contains("strict_verdict");
    const auto strict = vector.value("strict_verdict", peers);
    for (const bool as_peer : {true, false}) {
        const auto codec = trial.codec({as_peer, as_peer || !says_strict});
        const auto verdict = verify(codec, trial);
        EXPECT_STREQ(verdict_of(verdict), as_peer ? peers.c_str() : strict.c_str())
            << (as_peer ? "lenient: " : "strict: ") << verdict.reason;
        if (verdict) {
            EXPECT_EQ(verdict.data, trial.data.value_or(verdict.data));
            EXPECT_EQ(verdict.key_index, vector.value("key_index", verdict.key_index));
            EXPECT_EQ(verdict.reissue,
                      vector.contains("resigns") ? !vector["resigns"].empty() : verdict.reissue);
        }
        ++done.verified;
    }
    for (const auto& any_of : trial.issues) {
        std::set<std::string> made;
        for (const auto& issue : any_of)
            made.insert(issue.make());
        EXPECT_TRUE(made.count(any_of.front().expected) == 1)
            << "issued " << *made.begin() << "\nbut " << any_of.front().expected;
        ++done.issued;
    }
}

tally try_all(const std::filesystem::path& folder)
{
    tally done;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const auto file = json::parse(test::read_file(entry.path()));
        const auto peer = file.at("peer").get<std::string>();
        for (const auto& vector : file.at("vectors")) {
            SCOPED_TRACE(vector.at("id").get<std::string>());
            ++done.vectors;
            try {
                for (const auto& trial : test::trials_of(peer, vector))
                    try_one(trial, vector, done);
            } catch (const std::exception& failed) {
                ADD_FAILURE() << failed.what();
            }
        }
    }
    return done;
}

TEST(CookieVectors, OfEveryPeerVerifyAndAreIssued)
{
    const auto done = try_all(test::source_top() / "tests/vectors/cookies");
    EXPECT_GE(done.vectors, 80U);
    EXPECT_GE(done.issued, 30U);
    std::cout << done.vectors << " vectors, " << done.verified << " verified, " << done.issued
              << " issued\n";
}

std::filesystem::path beside(const char* folder)
{
    const auto shared = (test::source_top() / "../shared/vectors").string();
    return std::filesystem::path(test::variable("FUNCPTR_VECTORS", shared)) / folder;
}

TEST(CookieVectors, OfAnotherFolderVerifyAndAreIssued)
{
    if (!std::filesystem::exists(beside("cookies")))
        GTEST_SKIP() << "no other vectors; FUNCPTR_VECTORS says where they are";
    const auto done = try_all(beside("cookies"));
    EXPECT_GE(done.vectors, 1U);
    std::cout << done.vectors << " vectors, " << done.verified << " verified, " << done.issued
              << " issued\n";
}

// --- those of Fernet's specification ------------------------------------------------------------

class FernetSpecification : public testing::Test {
protected:
    void SetUp() override
    {
        if (!std::filesystem::exists(beside("fernet")))
            GTEST_SKIP() << "no vectors of Fernet; FUNCPTR_VECTORS says where they are";
    }
    static json read(const char* file)
    {
        return json::parse(test::read_file(beside("fernet") / file));
    }

    /// "1985-10-26T01:20:00-07:00"
    static std::chrono::system_clock::time_point time_of(const std::string& text)
    {
        int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zone = 0;
        EXPECT_EQ(std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d%d", &year, &month, &day, &hour,
                              &minute, &second, &zone),
                  7);
        using namespace std::chrono;
        return sys_days(std::chrono::year(year) / month / day) + hours(hour - zone)
               + minutes(minute) + seconds(second);
    }
    static funcptr::cookie_dialect codec(const json& vector, bool lenient)
    {
        funcptr::dialect_options options;
        options.lenient = lenient;
        options.clock = [at = time_of(vector.at("now"))] { return at; };
        options.max_age = std::chrono::seconds(vector.value("ttl_sec", 0));
        if (vector.contains("iv"))
            options.random =
                [iv = vector["iv"].get<std::vector<unsigned char>>()](std::span<std::byte> out) {
                    std::transform(iv.begin(), iv.end(), out.begin(),
                                   [](unsigned char c) { return std::byte{c}; });
                };
        return funcptr::dialects::fernet(funcptr::dialect_secret(std::string_view(
                                             vector.at("secret").get_ref<const std::string&>())),
                                         options);
    }
};

TEST_F(FernetSpecification, IsIssued)
{
    for (const auto& vector : read("generate.json"))
        EXPECT_EQ(codec(vector, false).sign(vector.at("src").get<std::string>()),
                  vector.at("token").get<std::string>());
}

TEST_F(FernetSpecification, Verifies)
{
    for (const auto& vector : read("verify.json"))
        for (const bool lenient : {false, true}) {
            const auto verdict =
                codec(vector, lenient).verify(vector.at("token").get<std::string>());
            EXPECT_TRUE(verdict) << verdict.reason;
            EXPECT_EQ(verdict.data, vector.at("src").get<std::string>());
        }
}

TEST_F(FernetSpecification, RefusesWhatIsInvalid)
{
    for (const auto& vector : read("invalid.json"))
        for (const bool lenient : {false, true})
            EXPECT_FALSE(codec(vector, lenient).verify(vector.at("token").get<std::string>()))
                << vector.at("desc");
}

} // namespace

#endif
