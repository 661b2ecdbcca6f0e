// SPDX-License-Identifier: MIT

#include "funcptr/keyring.h"

#include "support/process.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace {

using funcptr::keyring;

/// The 32 bytes 0 to 31, and the 64 that follow: as text, and with the ids that a Python program
/// of ten lines gave for them.
const std::string key_0 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const std::string id_0 = "oPU6FDJr";
const std::string key_1 = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9AQUJDREVGR0hJSktMTU5PUFFSU1RV"
                          "VldYWVpbXF1eXw";
const std::string id_1 = "RFfUUsgh";

std::vector<std::byte> counted(std::size_t size, int first = 0)
{
    std::vector<std::byte> key;
    for (std::size_t i = 0; i < size; ++i)
        key.push_back(static_cast<std::byte>(first + static_cast<int>(i)));
    return key;
}

/// What a refusal says; empty when there was none.
std::string refusal(const std::function<void()>& action)
{
    try {
        action();
    } catch (const funcptr::error& failed) {
        EXPECT_NE(std::string(failed.what()), "");
        return failed.what();
    }
    return {};
}

class key_file {
public:
    explicit key_file(const std::string& text, mode_t mode = 0600)
        : path_(dir_.path() / "keys")
    {
        test::write_file(path_, text);
        EXPECT_EQ(::chmod(path_.c_str(), mode), 0);
    }
    std::string path() const { return path_; }
    std::string refusal() const
    {
        return ::refusal([this] { keyring::from_file(path()); });
    }

private:
    test::temp_dir dir_;
    std::filesystem::path path_;
};

TEST(Keyring, KeepsKeysInTheirOrder)
{
    const auto first = counted(32), second = counted(64, 32);
    const auto keys = keyring::from_bytes({first, second});
    ASSERT_EQ(keys.size(), 2U);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), keys.key(0).begin(), keys.key(0).end()));
    EXPECT_TRUE(std::equal(second.begin(), second.end(), keys.key(1).begin(), keys.key(1).end()));
}

TEST(Keyring, IdFollowsFromTheKey)
{
    const auto keys = keyring::from_bytes({counted(32), counted(64, 32)});
    EXPECT_EQ(keys.id(0), id_0);
    EXPECT_EQ(keys.id(1), id_1);
    EXPECT_EQ(keys.find(id_0), 0U);
    EXPECT_EQ(keys.find(id_1), 1U);
    EXPECT_EQ(keys.find("oPU6FDJs"), keys.size());
    EXPECT_EQ(keys.find(""), keys.size());
}

TEST(Keyring, RefusesKeysThatAreTooShortAndSaysWhich)
{
    const auto good = counted(32), bad = counted(31, 1);
    EXPECT_EQ(refusal([&] {
                  keyring::from_bytes({good, bad});
              }),
              "keyring: key 2 has 31 bytes; it needs 32 or more, from a random source");
    EXPECT_NE(refusal([] { keyring::from_bytes({std::span<const std::byte>()}); }), "");
}

TEST(Keyring, RefusesNoneTooManyTooLongAndTwice)
{
    const auto key = counted(32);
    EXPECT_EQ(refusal([] { keyring::from_bytes({}); }), "keyring: there is no key");
    EXPECT_EQ(refusal([&] { keyring::from_bytes({key, key}); }), "keyring: key 2 is there twice");
    const auto huge = counted(keyring::longest + 1);
    EXPECT_NE(refusal([&] { keyring::from_bytes({huge}); }).find("no more than 1024"),
              std::string::npos);

    std::vector<std::vector<std::byte>> all;
    for (std::size_t i = 0; i <= keyring::most; ++i)
        all.push_back(counted(32, static_cast<int>(i)));
    std::vector<std::span<const std::byte>> views(all.begin(), all.end());
    EXPECT_EQ(refusal([&] { keyring::from_bytes(views); }), "keyring: there are more than 64 keys");
    views.pop_back();
    EXPECT_EQ(keyring::from_bytes(views).size(), keyring::most);
}

TEST(Keyring, TellsProgramsThatItIsTheKey)
{
    try {
        keyring::from_bytes({});
        FAIL();
    } catch (const funcptr::error& failed) {
        EXPECT_EQ(failed.code(), funcptr::errc::bad_key);
    }
}

TEST(Keyring, ReadsAFileWithCommentsAndEmptyLines)
{
    const key_file file("# the current one\n" + key_0 + "\n\n  # retired in May\r\n\t" + key_1
                        + " \r\n");
    const auto keys = keyring::from_file(file.path());
    ASSERT_EQ(keys.size(), 2U);
    EXPECT_EQ(keys.id(0), id_0);
    EXPECT_EQ(keys.id(1), id_1);
}

TEST(Keyring, ReadsAFileWithoutALastLineEnd)
{
    EXPECT_EQ(keyring::from_file(key_file(key_0).path()).id(0), id_0);
}

TEST(Keyring, NamesFileAndLineOfABadKeyAndNeverQuotesIt)
{
    const key_file padded(key_0 + "\n# x\n" + key_1 + "==\n");
    EXPECT_EQ(padded.refusal(), padded.path() + ": line 3 is not base64url without padding");
    const key_file two_on_a_line(key_0 + " " + key_1);
    EXPECT_EQ(two_on_a_line.refusal(),
              two_on_a_line.path() + ": line 1 is not base64url without padding");
    const key_file word("\ntoo-short\n");
    EXPECT_EQ(word.refusal().find("too-short"), std::string::npos);
    EXPECT_NE(word.refusal().find("line 2"), std::string::npos) << word.refusal();
    for (const auto* empty : {"", "\n", "# nothing\n"}) {
        const key_file file(empty);
        EXPECT_EQ(file.refusal(), file.path() + ": there is no key");
    }
}

TEST(Keyring, RefusesAFileThatOthersMayRead)
{
    for (const mode_t good : {0600U, 0400U, 0640U, 0440U})
        EXPECT_EQ(key_file(key_0, good).refusal(), "") << good;
    for (const mode_t bad : {0644U, 0444U, 0660U, 0602U, 0606U})
        EXPECT_NE(key_file(key_0, bad).refusal(), "") << bad;
    const key_file open(key_0, 0644);
    EXPECT_EQ(open.refusal(), open.path() + ": everybody may read it; chmod 600 (or 640)");
}

TEST(Keyring, ReadsAMountedSecretThatAllMayReadWhenTold)
{
    using funcptr::key_file_access;
    EXPECT_EQ(keyring::from_file(key_file(key_0, 0444).path(), key_file_access::any).id(0), id_0);
    const key_file writable(key_0, 0666);
    EXPECT_NE(refusal([&] { keyring::from_file(writable.path(), key_file_access::any); }), "");
}

TEST(Keyring, NamesAFileThatIsNotThereOrNotAFile)
{
    const test::temp_dir dir;
    const auto none = dir.path() / "none";
    try {
        keyring::from_file(none);
        FAIL();
    } catch (const funcptr::error& failed) {
        EXPECT_EQ(failed.code(), std::errc::no_such_file_or_directory);
        EXPECT_EQ(failed.what(), none.string() + ": No such file or directory");
    }
    EXPECT_NE(refusal([&] { keyring::from_file(dir.path()); }).find("not a plain file"),
              std::string::npos);
    const auto fifo = (dir.path() / "fifo").string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_NE(refusal([&] { keyring::from_file(fifo); }).find("not a plain file"),
              std::string::npos); // at once, though nobody writes
}

TEST(Keyring, RefusesAFileWithoutAnEnd)
{
    EXPECT_NE(key_file(std::string(200 * 1024, '#')).refusal().find("larger than"),
              std::string::npos);
}

TEST(Keyring, ReadsTheEnvironment)
{
    ASSERT_EQ(::setenv("FUNCPTR_TEST_KEYS", (key_0 + ", " + key_1).c_str(), 1), 0);
    EXPECT_EQ(keyring::from_environment("FUNCPTR_TEST_KEYS").id(1), id_1);
    ASSERT_EQ(::setenv("FUNCPTR_TEST_KEYS", (key_0 + ",oops").c_str(), 1), 0);
    EXPECT_EQ(refusal([] { keyring::from_environment("FUNCPTR_TEST_KEYS"); }),
              "$FUNCPTR_TEST_KEYS: key 2 has 3 bytes; it needs 32 or more, from a random source");
    ASSERT_EQ(::unsetenv("FUNCPTR_TEST_KEYS"), 0);
    EXPECT_EQ(refusal([] { keyring::from_environment("FUNCPTR_TEST_KEYS"); }),
              "$FUNCPTR_TEST_KEYS: it is not set");
}

TEST(Keyring, GeneratesAKeyThatIsNew)
{
    std::set<std::string> seen;
    for (int i = 0; i < 50; ++i) {
        const auto keys = keyring::generate();
        EXPECT_EQ(keys.size(), 1U);
        EXPECT_EQ(keys.key(0).size(), keyring::shortest);
        seen.insert(std::string(keys.id(0)));
        const auto text = keyring::generate_text();
        seen.insert(std::string(keyring::from_file(key_file(text + "\n").path()).id(0)));
    }
    EXPECT_EQ(seen.size(), 100U);
}

TEST(Keyring, ACopyOutlivesItsOriginal)
{
    auto original = std::make_unique<keyring>(keyring::from_bytes({counted(32)}));
    const auto copy = *original;
    original.reset();
    EXPECT_EQ(copy.id(0), id_0);
    EXPECT_EQ(copy.key(0)[31], std::byte{31});
}

TEST(DialectSecret, TakesAnyLengthButZeroAndSaysWhenItIsShort)
{
    EXPECT_TRUE(funcptr::dialect_secret("x").is_short());
    EXPECT_TRUE(funcptr::dialect_secret(std::string(31, 'x')).is_short());
    EXPECT_FALSE(funcptr::dialect_secret(std::string(32, 'x')).is_short());
    EXPECT_EQ(funcptr::dialect_secret(counted(5)).bytes().size(), 5U);
    EXPECT_NE(refusal([] { funcptr::dialect_secret(""); }), "");
    EXPECT_NE(refusal([] { funcptr::dialect_secret(std::span<const std::byte>()); }), "");
}

} // namespace
