// SPDX-License-Identifier: MIT
//
// The built examples/cookie_tool, as a script uses it.

#include "support/process.h"
#include "support/source_tree.h"

#include <algorithm>
#include <funcptr/keyring.h>
#include <gtest/gtest.h>
#include <map>
#include <memory>

#include <sys/stat.h>

namespace {

namespace fs = std::filesystem;

/// Signed in November 2023, with the key of the fixture.
const std::string old = "f1.oPU6FDJr.Pzrx.AGVT8QAAAAAAADQy.HhMGhWQVC8EQy41sUQqsST5BDW4raeHT-"
                        "ix0emcLNmw";
const std::string then = "1700000000";
/// Of the vectors of Flask, and its secret.
const std::string flask_cookie = "eyJ1c2VyX2lkIjo0Mn0.ZVPxAA.EL4lKpb8DSKeNCmmBBw-K3j4QK0";
const std::string flask_secret = "a-32-byte-or-longer-secret-key-0123456789";

class CookieTool : public testing::Test {
protected:
    void SetUp() override
    {
        write_private(keys_, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n");
        write_private(secrets_, flask_secret + "\n");
    }
    static void write_private(const std::string& path, const std::string& text)
    {
        test::write_file(path, text);
        ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    }
    test::command command(std::vector<std::string> arguments, const std::string& input = {}) const
    {
        arguments.insert(arguments.begin(), test::variable("FUNCPTR_BUILD", "build/debug")
                                                + "/examples/cookie_tool/cookie_tool");
        return {.arguments = arguments,
                .environment = {{"COOKIE_KEYS", test::read_file(keys_)},
                                {"COOKIE_SECRETS", flask_secret}},
                .input = input};
    }
    test::result run(std::vector<std::string> arguments, const std::string& input = {}) const
    {
        return test::run(command(std::move(arguments), input));
    }
    /// With the key file, and the name "session".
    test::result native(const std::string& verb, std::vector<std::string> more) const
    {
        more.insert(more.begin(), {verb, "--keys", keys_, "--name", "session"});
        return run(more);
    }
    test::result sign(const std::string& data) const { return native("sign", {data}); }

    test::temp_dir dir_;
    const std::string keys_ = (dir_.path() / "keys").string();
    const std::string secrets_ = (dir_.path() / "secrets").string();
};

TEST_F(CookieTool, VerifiesWhatItSigned)
{
    const auto value = sign("user=42");
    ASSERT_EQ(value.status, 0) << value.err;
    EXPECT_TRUE(value.out.starts_with("f1.oPU6FDJr.Pzrx.")) << value.out;
    const auto line = value.out.substr(0, value.out.size() - 1);
    for (const auto& verified :
         {native("verify", {line}),
          run({"verify", "--keys-env", "COOKIE_KEYS", "--name", "session", line}),
          run({"verify", "--keys", keys_, "--name", "session"}, value.out),
          native("verify", {"--header", "a=1; session=x; session=" + line})}) {
        EXPECT_EQ(verified.status, 0) << verified.err;
        EXPECT_EQ(verified.out, "user=42\n");
        EXPECT_EQ(verified.err, "");
    }
}

TEST_F(CookieTool, HasAnExitStatusForEachVerdict)
{
    auto forged = old;
    forged[60] = forged[60] == 'A' ? 'B' : 'A';
    auto other_text = old;
    other_text.back() = 'x'; // 'w' with an unused bit set
    auto unknown = old;
    unknown[3] = 'p';
    struct {
        int status;
        std::vector<std::string> arguments;
        std::string says;
    } const all[] = {
        {2, {"--at", then, forged}, "bad signature"},
        {3, {old}, "expired "},
        {4, {"--at", "1699999000", old}, "issued 16 min in the future"},
        {6, {std::string(5000, 'x')}, "too long"},
        {7, {"x"}, "malformed"},
        {8, {"--at", then, other_text}, "non-canonical"},
        {9, {"--at", then, unknown}, "unknown key"},
        {10, {"--header", "other=1"}, "no such cookie"},
    };
    for (const auto& each : all) {
        const auto done = native("verify", each.arguments);
        EXPECT_EQ(done.status, each.status) << done.err;
        EXPECT_TRUE(done.err.starts_with("cookie_tool: " + each.says)) << done.err;
        EXPECT_EQ(done.out, "");
        if (each.status == 10)
            continue;
        auto explained = each.arguments;
        explained.insert(explained.begin(), {"--dialect", "native"});
        EXPECT_EQ(native("explain", explained).status, each.status);
    }
    const auto other = run({"verify", "--keys", keys_, "--name", "other", "--at", then, old});
    EXPECT_EQ(other.status, 5);
    EXPECT_EQ(other.err, "cookie_tool: wrong name\n");
}

TEST_F(CookieTool, TakesTimesFromItsOptions)
{
    for (const auto& arguments : {std::vector<std::string>{"--at", "1700043200", old},
                                  {"--max-age", "0", old},
                                  {"--at", "1699999000", "--skew", "1000", old}}) {
        const auto done = native("verify", arguments);
        EXPECT_EQ(done.status, 0) << done.err;
        EXPECT_EQ(done.out, "42\n");
    }
    const auto brief = native("sign", {"--at", then, "--lifetime", "60", "42"}).out;
    const auto line = brief.substr(0, brief.size() - 1);
    EXPECT_EQ(native("verify", {"--at", "1700000060", line}).status, 0);
    EXPECT_EQ(native("verify", {"--at", "1700000121", line}).status, 3);
}

TEST_F(CookieTool, SaysOneAndWhyForWrongUsage)
{
    const std::vector<std::vector<std::string>> all = {
        {},
        {"--no-such-option"},
        {"no-such-verb"},
        {"sign", "--name", "a", "x"},
        {"sign", "--keys", keys_, "x"},
        {"sign", "--keys", keys_, "--keys-env", "COOKIE_KEYS", "--name", "a", "x"},
        {"sign", "--keys", keys_ + "-not", "--name", "a", "x"},
        {"sign", "--keys-env", "NO_SUCH_VARIABLE", "--name", "a", "x"},
        {"sign", "--keys", keys_, "--name", "a b", "x"},
        {"sign", "--keys", keys_, "--name", "a", "--lifetime", "1h", "x"},
        {"sign", "--keys", keys_, "--name", "a", "--at", "8589934592", "x"},
        {"sign", "--keys", keys_, "--name", "a", "--key", "x"},
        {"sign", "--keys", keys_, "--name", "a", "--salt", "x", "x"},
        {"sign", "--keys", keys_, "--name", "a", "x", "y"},
        {"sign", "--keys", keys_, "--name", "a", "--name", "a", "x"},
        {"sign", "--keys", keys_, "--name", "a", std::string(5000, 'x')},
        {"sign", "--dialect", "no_such", "--keys", secrets_, "x"},
        {"sign", "--dialect", "flask", "--keys", secrets_, "--lifetime", "60", "{}"},
        {"sign", "--dialect", "flask", "--keys-env", "NO_SUCH_VARIABLE", "{}"},
        {"sign", "--dialect", "flask", "--keys", secrets_, "--encoding", "hex", "{}"},
        {"sign", "--dialect", "flask", "--keys", secrets_, "--encoding", "morse", "{}"},
        {"sign", "--dialect", "tornado", "--keys", secrets_, "x"},
        {"sign", "--dialect", "tornado", "--keys", secrets_, "--name", "a", "--key-ids", "1,2",
         "x"},
        {"verify", "--dialect", "keygrip", "--keys", secrets_, "x"},
        {"verify", "--keys", keys_, "--name", "a", "--signature", "x", "x"},
        {"verify", "--keys", keys_, "--name"},
        {"explain", "--salt", "x", "x"},
        {"explain", "--dialect", "flask", "--salt", "x", "x"},
        {"generate-key", "--keep", "2"},
        {"rotate"},
        {"rotate", "--keys", keys_, "--keep", "0"},
        {"rotate", "--keys", keys_, "--keep", "few"},
        {"rotate", "--keys", keys_, "--name", "a"},
    };
    const auto before = test::read_file(keys_);
    for (const auto& arguments : all) {
        const auto done = run(arguments);
        EXPECT_EQ(done.status, 1) << testing::PrintToString(arguments) << done.err;
        EXPECT_EQ(done.out, "") << testing::PrintToString(arguments);
        EXPECT_NE(done.err.find("cookie_tool"), std::string::npos) << done.err;
    }
    EXPECT_EQ(test::read_file(keys_), before);
}

// --- keys ----------------------------------------------------------------------------------------

TEST_F(CookieTool, GeneratesAKeyThatItTakes)
{
    const auto key = run({"generate-key"});
    ASSERT_EQ(key.status, 0) << key.err;
    EXPECT_EQ(key.out.size(), 44U);
    EXPECT_NE(key.out, run({"generate-key"}).out);
    write_private(keys_, key.out);
    EXPECT_EQ(sign("user=42").status, 0);
}

TEST_F(CookieTool, RotatesAndStillVerifiesWhatTheOldKeySigned)
{
    const auto value = sign("user=42").out;
    const auto done = run({"rotate", "--keys", keys_});
    ASSERT_EQ(done.status, 0) << done.err;
    const auto keys = funcptr::keyring::from_file(keys_);
    ASSERT_EQ(keys.size(), 2U);
    EXPECT_EQ(keys.id(1), "oPU6FDJr");
    EXPECT_EQ(done.out, "added " + std::string(keys.id(0)) + ", 2 keys\n");
    const auto verified = run({"verify", "--keys", keys_, "--name", "session"}, value);
    EXPECT_EQ(verified.status, 0);
    EXPECT_EQ(verified.out, "user=42\n");
    EXPECT_NE(verified.err.find("retired key"), std::string::npos) << verified.err;
    EXPECT_FALSE(sign("user=42").out.starts_with("f1.oPU6FDJr."));
}

TEST_F(CookieTool, KeepsAsManyKeysAsItIsTold)
{
    for (int i = 0; i < 4; ++i)
        ASSERT_EQ(run({"rotate", "--keys", keys_}).status, 0);
    const auto before = funcptr::keyring::from_file(keys_);
    const auto done = run({"rotate", "--keys", keys_, "--keep", "3"});
    ASSERT_EQ(done.status, 0) << done.err;
    const auto after = funcptr::keyring::from_file(keys_);
    ASSERT_EQ(after.size(), 3U);
    EXPECT_EQ(after.id(1), before.id(0));
    EXPECT_EQ(after.id(2), before.id(1));
    EXPECT_EQ(done.out, "added " + std::string(after.id(0)) + ", 3 keys, dropped "
                            + std::string(before.id(2)) + ", dropped " + std::string(before.id(3))
                            + ", dropped oPU6FDJr\n");
    ASSERT_EQ(run({"rotate", "--keys", keys_, "--keep", "1"}).status, 0);
    EXPECT_EQ(funcptr::keyring::from_file(keys_).size(), 1U);
}

TEST_F(CookieTool, LeavesModeAndCommentsOfAKeyFileAlone)
{
    for (const mode_t mode : {0600U, 0640U, 0400U}) {
        write_private(keys_, "# the site's\n\n"
                             "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n# the end\n");
        ASSERT_EQ(::chmod(keys_.c_str(), mode), 0);
        const auto done = run({"rotate", "--keys", keys_});
        ASSERT_EQ(done.status, 0) << done.err;
        struct stat status = {};
        ASSERT_EQ(::stat(keys_.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777, mode);
        const auto lines = test::lines_of(test::read_file(keys_));
        ASSERT_EQ(lines.size(), 5U);
        EXPECT_EQ(lines[0], "# the site's");
        EXPECT_EQ(lines[2].size(), 43U);
        EXPECT_EQ(lines[3], "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        EXPECT_EQ(lines[4], "# the end");
    }
}

TEST_F(CookieTool, FollowsALinkToTheKeyFile)
{
    const auto link = (dir_.path() / "link").string();
    fs::create_symlink("keys", link);
    ASSERT_EQ(run({"rotate", "--keys", link}).status, 0);
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_EQ(funcptr::keyring::from_file(keys_).size(), 2U);
}

TEST_F(CookieTool, LeavesAFileThatItCannotRotateAsItWas)
{
    std::string full;
    for (std::size_t i = 0; i < funcptr::keyring::most; ++i)
        full += funcptr::keyring::generate_text() + '\n';
    for (const auto& text : {std::string("not a key\n"), std::string(), full}) {
        write_private(keys_, text);
        const auto done = run({"rotate", "--keys", keys_});
        EXPECT_EQ(done.status, 1) << done.out;
        EXPECT_NE(done.err.find(keys_), std::string::npos) << done.err;
        EXPECT_EQ(test::read_file(keys_), text);
        EXPECT_FALSE(fs::exists(keys_ + ".new"));
    }
    EXPECT_EQ(run({"rotate", "--keys", keys_, "--keep", "64"}).status, 0) << "one goes for it";

    SetUp();
    ASSERT_EQ(::chmod(keys_.c_str(), 0644), 0);
    const auto open = run({"rotate", "--keys", keys_});
    EXPECT_EQ(open.status, 1);
    EXPECT_EQ(funcptr::keyring::from_file(keys_, funcptr::key_file_access::any).size(), 1U);
    EXPECT_EQ(run({"rotate", "--keys", keys_ + "-not"}).status, 1);
}

TEST_F(CookieTool, NeverLosesAKeyToAnotherRotation)
{
    test::write_file(keys_ + ".new", "");
    const auto busy = run({"rotate", "--keys", keys_});
    EXPECT_EQ(busy.status, 1);
    EXPECT_NE(busy.err.find("another rotation"), std::string::npos) << busy.err;
    EXPECT_TRUE(fs::exists(keys_ + ".new")) << "it is not ours";
    fs::remove(keys_ + ".new");

    std::vector<std::unique_ptr<test::process>> all;
    for (int i = 0; i < 8; ++i)
        all.push_back(std::make_unique<test::process>(command({"rotate", "--keys", keys_})));
    std::size_t rotated = 0;
    for (const auto& each : all)
        rotated += each->wait().status == 0;
    EXPECT_GE(rotated, 1U);
    EXPECT_EQ(funcptr::keyring::from_file(keys_).size(), 1 + rotated);
    EXPECT_FALSE(fs::exists(keys_ + ".new"));
}

TEST_F(CookieTool, RefusesSecretsThatOthersMayRead)
{
    const std::vector<std::string> arguments{"verify", "--dialect", "flask", "--keys",
                                             secrets_, "--at",      then,    flask_cookie};
    EXPECT_EQ(run(arguments).status, 0);
    ASSERT_EQ(::chmod(secrets_.c_str(), 0644), 0);
    const auto done = run(arguments);
    EXPECT_EQ(done.status, 1);
    EXPECT_NE(done.err.find("chmod"), std::string::npos) << done.err;
    EXPECT_EQ(done.err.find("a-32-byte"), std::string::npos) << done.err;
}

TEST_F(CookieTool, TakesSecretsInSeveralEncodings)
{
    const std::vector<std::pair<std::string, std::string>> all = {
        {"text", flask_secret},
        {"hex",
         "612d33322d627974652d6f722d6c6f6e6765722d7365637265742d6b65792D30313233343536373839"},
        {"base64", "YS0zMi1ieXRlLW9yLWxvbmdlci1zZWNyZXQta2V5LTAxMjM0NTY3ODk="},
    };
    for (const auto& [encoding, secret] : all) {
        write_private(secrets_, "some-other-secret-that-is-newer!\n");
        if (encoding != "text")
            write_private(secrets_, encoding == "hex" ? "00ff\n" : "AP8\n");
        std::string text = test::read_file(secrets_);
        write_private(secrets_, text.append(secret).append("\r\n"));
        const auto done = run({"verify", "--dialect", "flask", "--keys", secrets_, "--encoding",
                               encoding, "--at", then, flask_cookie});
        EXPECT_EQ(done.status, 0) << done.err;
        EXPECT_EQ(done.out, "{\"user_id\":42}\n");
        EXPECT_NE(done.err, "") << "a retired key signed it";
    }
    const auto variable = run({"verify", "--dialect", "flask", "--keys-env", "COOKIE_SECRETS",
                               "--at", then, flask_cookie});
    EXPECT_EQ(variable.status, 0) << variable.err;
}

// --- dialects ------------------------------------------------------------------------------------

std::vector<std::string> listed(const std::string& out)
{
    std::vector<std::string> names;
    for (const auto& line : test::lines_of(out))
        names.push_back(line.substr(0, line.find(' ')));
    return names;
}

TEST_F(CookieTool, SignsVerifiesAndExplainsInEveryDialectThatItLists)
{
    const std::string read_only = "tornado_v1_unsafe";
    const auto list = run({"--list-dialects"});
    ASSERT_EQ(list.status, 0);
    const auto names = listed(list.out);
    EXPECT_GE(names.size(), 26U);
    for (const auto& name : names) {
        SCOPED_TRACE(name);
        write_private(secrets_, name == "fernet"            ? std::string(42, 'B') + "A=\n"
                                : name == "rails_encryptor" ? std::string(32, 's') + '\n'
                                                            : std::string(64, 's') + '\n');
        const bool ring = name == "native" || name == "sealed";
        const std::vector<std::string> common{"--dialect", name,     "--name",
                                              "n",         "--keys", ring ? keys_ : secrets_};
        const auto with = [&](std::vector<std::string> words,
                              const std::vector<std::string>& more) {
            words.insert(words.end(), common.begin(), common.end());
            words.insert(words.end(), more.begin(), more.end());
            return run(words);
        };
        const std::string data = name == "keygrip" ? "a-value" : R"({"a":"b"})";
        const auto made = with({"sign"}, {data});
        if (name == read_only) {
            EXPECT_EQ(made.status, 1) << made.out;
            continue;
        }
        ASSERT_EQ(made.status, 0) << made.err;
        const auto lines = test::lines_of(made.out);
        const bool two = name == "keygrip" || name == "cookie_session";
        ASSERT_EQ(lines.size(), two ? 2U : 1U) << made.out;
        const std::vector<std::string> signature =
            two ? std::vector<std::string>{"--signature", lines[1]} : std::vector<std::string>{};
        auto arguments = signature;
        arguments.push_back(lines[0]);

        const auto verified = with({"verify"}, arguments);
        EXPECT_EQ(verified.status, 0) << verified.err;
        EXPECT_EQ(verified.out, data + "\n");
        const auto explained = with({"explain"}, arguments);
        EXPECT_EQ(explained.status, 0) << explained.out << explained.err;
        EXPECT_NE(explained.out.find("verdict     ok"), std::string::npos) << explained.out;
        EXPECT_GE(test::lines_of(explained.out).size(), 4U) << explained.out;
        auto alone = arguments;
        alone.insert(alone.begin(), "explain");
        const auto guessed = run(alone);
        EXPECT_EQ(guessed.status, 0) << guessed.err;
        EXPECT_NE(guessed.out.find("dialect     " + name + "\n"), std::string::npos) << guessed.out;

        arguments.back().back() = arguments.back().back() == 'A' ? 'B' : 'A';
        const auto forged = with({"verify"}, arguments);
        EXPECT_GE(forged.status, 2) << forged.err;
        EXPECT_EQ(forged.out, "");
    }
}

TEST_F(CookieTool, ExplainsACookieThatItCannotVerify)
{
    const auto done = run({"explain", "--dialect", "flask", flask_cookie});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_NE(done.out.find(R"({"user_id":42})"), std::string::npos) << done.out;
    EXPECT_EQ(done.out.find("verdict"), std::string::npos) << "there is no key";
    EXPECT_NE(done.out.find("2023-11-14"), std::string::npos) << done.out;

    const auto expired = run({"explain", "--dialect", "flask", "--keys", secrets_, flask_cookie});
    EXPECT_EQ(expired.status, 3);
    EXPECT_NE(expired.out.find("verdict     expired"), std::string::npos) << expired.out;
    EXPECT_NE(expired.out.find("issued      2023-11-14T22:13:20Z"), std::string::npos)
        << expired.out;

    const auto other = run({"explain", "--dialect", "iron_session", flask_cookie});
    EXPECT_EQ(other.status, 7);
    const auto nothing = run({"explain", "no cookie at all;"});
    EXPECT_EQ(nothing.status, 7) << nothing.out;
}

TEST_F(CookieTool, FindsTheDialectThatVerifies)
{
    const auto done = run({"explain", "--keys", secrets_, "--at", then, flask_cookie});
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    const auto lines = test::lines_of(done.out);
    std::string dialect;
    std::vector<std::string> good;
    for (const auto& line : lines) {
        if (line.starts_with("dialect     "))
            dialect = line.substr(12);
        if (line == "verdict     ok")
            good.push_back(dialect);
    }
    EXPECT_EQ(good, std::vector<std::string>{"flask"}) << done.out;
}

TEST_F(CookieTool, PrintsNothingThatATerminalWouldObey)
{
    const auto value = native("sign", {"\033[2Jred"}).out;
    const auto done = native("explain", {value.substr(0, value.size() - 1)});
    EXPECT_EQ(done.out.find('\033'), std::string::npos);
    EXPECT_NE(done.out.find("data        \\x1b[2Jred"), std::string::npos) << done.out;
}

} // namespace
