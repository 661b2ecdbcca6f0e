// SPDX-License-Identifier: MIT
//
// The built examples/cookie_tool, as a script uses it.

#include "support/process.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace {

class CookieTool : public testing::Test {
protected:
    void SetUp() override
    {
        test::write_file(keys_, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n");
        ASSERT_EQ(::chmod(keys_.c_str(), 0600), 0);
    }
    test::result run(std::vector<std::string> arguments, const std::string& input = {}) const
    {
        arguments.insert(arguments.begin(),
                         test::variable("FUNCPTR_BUILD", "build/debug") + "/examples/cookie_tool");
        return test::run({.arguments = arguments,
                          .environment = {{"COOKIE_KEYS", test::read_file(keys_)}},
                          .input = input});
    }
    test::result sign(const std::string& data)
    {
        return run({"sign", "--keys", keys_, "--name", "session", data});
    }

    test::temp_dir dir_;
    const std::string keys_ = (dir_.path() / "keys").string();
};

TEST_F(CookieTool, VerifiesWhatItSigned)
{
    const auto value = sign("user=42");
    ASSERT_EQ(value.status, 0) << value.err;
    EXPECT_TRUE(value.out.starts_with("f1.oPU6FDJr.Pzrx.")) << value.out;
    const auto line = value.out.substr(0, value.out.size() - 1);
    for (const auto& verified :
         {run({"verify", "--keys", keys_, "--name", "session", line}),
          run({"verify", "--keys-env", "COOKIE_KEYS", "--name", "session", line}),
          run({"verify", "--keys", keys_, "--name", "session"}, value.out)}) {
        EXPECT_EQ(verified.status, 0) << verified.err;
        EXPECT_EQ(verified.out, "user=42\n");
        EXPECT_EQ(verified.err, "");
    }
}

TEST_F(CookieTool, SaysTwoAndWhyForACookieThatDoesNotVerify)
{
    const auto value = sign("user=42").out;
    const auto other = run({"verify", "--keys", keys_, "--name", "other"}, value);
    EXPECT_EQ(other.status, 2);
    EXPECT_EQ(other.err, "cookie_tool: wrong name\n");
    EXPECT_EQ(other.out, "");
    // Signed in November 2023.
    const std::string old = "f1.oPU6FDJr.Pzrx.AGVT8QAAAAAAADQy.HhMGhWQVC8EQy41sUQqsST5BDW4raeHT-"
                            "ix0emcLNmw";
    const auto expired = run({"verify", "--keys", keys_, "--name", "session", old});
    EXPECT_EQ(expired.status, 2);
    EXPECT_TRUE(expired.err.starts_with("cookie_tool: expired ")) << expired.err;
    const auto unlimited =
        run({"verify", "--keys", keys_, "--name", "session", "--max-age", "0", old});
    EXPECT_EQ(unlimited.status, 0) << unlimited.err;
    EXPECT_EQ(unlimited.out, "42\n");
}

TEST_F(CookieTool, SaysOneAndWhyForWrongUsage)
{
    const std::vector<std::vector<std::string>> all = {
        {},
        {"--no-such-option"},
        {"sign", "--name", "a", "x"},
        {"sign", "--keys", keys_, "x"},
        {"sign", "--keys", keys_, "--keys-env", "COOKIE_KEYS", "--name", "a", "x"},
        {"sign", "--keys", keys_ + "-not", "--name", "a", "x"},
        {"sign", "--keys-env", "NO_SUCH_VARIABLE", "--name", "a", "x"},
        {"sign", "--keys", keys_, "--name", "a b", "x"},
        {"sign", "--keys", keys_, "--name", "a", "--max-age", "1h", "x"},
        {"sign", "--keys", keys_, "--name", "a", "--key", "x"},
        {"sign", "--keys", keys_, "--name", "a", "x", "y"},
        {"verify", "--keys", keys_, "--name"},
    };
    for (const auto& arguments : all) {
        const auto done = run(arguments);
        EXPECT_EQ(done.status, 1) << testing::PrintToString(arguments);
        EXPECT_EQ(done.out, "");
        EXPECT_NE(done.err.find("cookie_tool"), std::string::npos) << done.err;
    }
}

TEST_F(CookieTool, GeneratesAKeyThatItTakes)
{
    const auto key = run({"generate-key"});
    ASSERT_EQ(key.status, 0) << key.err;
    EXPECT_EQ(key.out.size(), 44U);
    EXPECT_NE(key.out, run({"generate-key"}).out);
    // In front of the old one: that one's cookies still hold, with advice.
    const auto value = sign("user=42").out;
    test::write_file(keys_, key.out + test::read_file(keys_));
    const auto verified = run({"verify", "--keys", keys_, "--name", "session"}, value);
    EXPECT_EQ(verified.status, 0);
    EXPECT_EQ(verified.out, "user=42\n");
    EXPECT_NE(verified.err.find("retired key"), std::string::npos) << verified.err;
    EXPECT_FALSE(sign("user=42").out.starts_with("f1.oPU6FDJr."));
}

} // namespace
