// SPDX-License-Identifier: MIT
//
// The dialects of cookie_dialects.h against the packages that they are named after: what those
// issue we verify, what we issue they verify, and what was tampered with, is too old, or was signed
// with another secret or for another name is refused by both.
//
// All is random, and by FUNCPTR_SEED=n the same again. 200 cookies each way for each dialect;
// FUNCPTR_FULL=1: twenty times as many. A package that is not installed is skipped, with the
// reason.
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <random>

#include "question.h"
#include "tests/support/process.h"

namespace {

using namespace interop;
using std::chrono::seconds;

std::size_t campaign()
{
    return test::variable("FUNCPTR_FULL") == "1" ? 4000 : 200;
}

std::uint64_t seed()
{
    static const std::uint64_t chosen = [] {
        const auto text = test::variable("FUNCPTR_SEED");
        const std::uint64_t made = text.empty() ? std::random_device()() : std::stoull(text);
        std::cout << "FUNCPTR_SEED=" << made << std::endl;
        return made;
    }();
    return chosen;
}

/// Each test has its own numbers, whichever others run.
std::uint64_t seed_of(const std::string& text)
{
    std::uint64_t hash = 14695981039346656037U; // FNV-1a
    for (const char each : text)
        hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211U;
    return hash ^ seed();
}

const std::vector<row>& all_rows()
{
    static const std::vector<row> all = [] {
        std::vector<row> made;
        for (const auto& rows : {python_rows(), node_rows(), go_rows(), ruby_rows()})
            made.insert(made.end(), rows.begin(), rows.end());
        for (auto& each : made) {
            if (each.variant.empty())
                each.variant = each.dialect;
        }
        return made;
    }();
    return all;
}

/// That the data of a verdict is what the question has.
void expect_content(const row& of, const json& question, const std::string& data)
{
    if (!question.contains("value")) {
        EXPECT_EQ(to_hex(data), question["data"].get<std::string>());
        return;
    }
    json found = json::parse(of.dialect == "express" ? data.substr(2) : data, nullptr, false);
    if (!of.added.empty() && found.is_object())
        found.erase(of.added);
    EXPECT_EQ(found, question["value"]) << data;
}

cookie cookie_of(const json& answer)
{
    return {.value = answer.at("cookie"), .signature = answer.value("signature", "")};
}

class Interop : public testing::TestWithParam<row> {
protected:
    void SetUp() override
    {
        static std::map<std::string, presence> known;
        auto& found = known[GetParam().dialect];
        if (found.what.empty())
            found = look_for(GetParam().peer, GetParam().dialect);
        if (!found.here)
            GTEST_SKIP() << found.what;
    }

    std::vector<json> questions(std::size_t count)
    {
        std::vector<json> made;
        for (std::size_t i = 0; i < count; ++i)
            made.push_back(question_about(GetParam(), random_));
        return made;
    }
    /// The cookies that the peer issues.
    std::vector<cookie> theirs(std::vector<json> questions) const
    {
        for (auto& each : questions)
            each = issue_of(each);
        std::vector<cookie> made;
        for (const auto& answer : ask(GetParam().peer, questions))
            made.push_back(cookie_of(answer));
        return made;
    }
    /// Ours, or theirs where we issue none.
    std::vector<cookie> some_cookies(const std::vector<json>& questions)
    {
        if (!GetParam().issues)
            return theirs(questions);
        std::vector<cookie> made;
        for (const auto& each : questions)
            made.push_back(sign(GetParam(), each, serialized(GetParam(), random_, each)));
        return made;
    }
    void expect_refused_by_both(const std::vector<json>& questions,
                                const std::vector<cookie>& cookies,
                                const std::vector<std::int64_t>& times) const
    {
        std::vector<json> asked;
        for (std::size_t i = 0; i < questions.size(); ++i) {
            asked.push_back(verify_of(questions[i], cookies[i], times[i]));
            const auto verdict = verify(GetParam(), questions[i], cookies[i], times[i]);
            EXPECT_FALSE(verdict) << "we take " << asked.back();
        }
        const auto answers = ask(GetParam().peer, asked);
        for (std::size_t i = 0; i < answers.size(); ++i)
            EXPECT_FALSE(answers[i].at("ok").get<bool>()) << "the peer takes " << asked[i];
    }

    draw random_{seed_of(testing::UnitTest::GetInstance()->current_test_info()->name())};
};

TEST_P(Interop, WeVerifyWhatThePeerIssues)
{
    const auto& of = GetParam();
    const auto asked = questions(campaign());
    const auto cookies = theirs(asked);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        SCOPED_TRACE(asked[i].dump() + "\n" + cookies[i].value);
        const auto at = now_of(asked[i]) + allowed_age(of, asked[i], random_);
        const auto verdict = verify(of, asked[i], cookies[i], at);
        ASSERT_TRUE(verdict) << verdict.reason;
        expect_content(of, asked[i], verdict.data);
        EXPECT_EQ(verdict.key_index, 0U);
        EXPECT_EQ(verdict.created, created_of(asked[i]));
        if (of.limit == row::time::age) {
            EXPECT_EQ(verdict.issued, time_point(seconds(now_of(asked[i]))));
        }
        if (of.deterministic && of.issues) {
            const auto again = sign(of, asked[i], verdict.data);
            EXPECT_EQ(again.value, cookies[i].value);
            EXPECT_EQ(again.signature, cookies[i].signature);
        }
    }
}

class InteropIssued : public Interop {};

TEST_P(InteropIssued, ThePeerVerifiesWhatWeIssue)
{
    const auto& of = GetParam();
    const auto asked = questions(campaign());
    std::vector<json> to_verify;
    for (const auto& each : asked) {
        const auto at = now_of(each) + allowed_age(of, each, random_);
        to_verify.push_back(verify_of(each, sign(of, each, serialized(of, random_, each)), at));
    }
    const auto answers = ask(of.peer, to_verify);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        SCOPED_TRACE(asked[i].dump() + "\n" + to_verify[i].dump());
        ASSERT_TRUE(answers[i].at("ok").get<bool>()) << answers[i];
        json found = answers[i];
        if (!of.added.empty() && found.contains("value"))
            found["value"].erase(of.added);
        const char* const member = asked[i].contains("value") ? "value" : "data";
        EXPECT_EQ(found[member], asked[i][member]);
        if (asked[i].contains("created")) {
            EXPECT_EQ(found["created"], asked[i]["created"]);
        }
    }
}

TEST_P(Interop, RetiredKeysVerifyAndAskForAReissue)
{
    const auto& of = GetParam();
    auto asked = questions(campaign());
    std::vector<json> old;
    std::vector<std::size_t> indexes;
    std::vector<json> signed_by_us;
    for (auto& each : asked) {
        if (of.most_secrets == 1) { // then the peer knows one, and we know two
            const auto secrets = each["secrets"];
            const json other = question_about(of, random_)["secrets"][0];
            old.push_back(each);
            each["secrets"] = json::array({other, secrets[0]});
            indexes.push_back(1);
            continue;
        }
        indexes.push_back(random_.size(0, each["secrets"].size() - 1));
        old.push_back(with_one_key(each, indexes.back()));
        if (of.issues)
            signed_by_us.push_back(
                verify_of(each, sign(of, old.back(), serialized(of, random_, each)), now_of(each)));
    }
    const auto cookies = theirs(old);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        SCOPED_TRACE(asked[i].dump() + "\n" + cookies[i].value);
        const auto verdict = verify(of, asked[i], cookies[i], now_of(asked[i]));
        ASSERT_TRUE(verdict) << verdict.reason;
        EXPECT_EQ(verdict.key_index, indexes[i]);
        EXPECT_TRUE(verdict.reissue || indexes[i] == 0);
        expect_content(of, old[i], verdict.data);
    }
    const auto answers = ask(of.peer, signed_by_us);
    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_TRUE(answers[i].at("ok").get<bool>()) << signed_by_us[i];
}

TEST_P(Interop, BothRefuseWhatWasTamperedWith)
{
    const auto& of = GetParam();
    const auto asked = questions(campaign());
    const auto whole = some_cookies(asked);
    std::vector<json> to_verify;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        auto given = whole[i];
        const bool second = !given.signature.empty() && random_.once_in(2);
        auto& text = second ? given.signature : given.value;
        text = tampered(text, random_);
        to_verify.push_back(verify_of(asked[i], given, now_of(asked[i])));
        const auto verdict = verify(of, asked[i], given, now_of(asked[i]));
        EXPECT_FALSE(verdict) << "of " << whole[i].value << " we take " << to_verify.back();
    }
    // Not all of them are strict: some take another text for the very same bytes.
    const auto answers = ask(of.peer, to_verify);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!answers[i].at("ok").get<bool>())
            continue;
        json found = answers[i];
        if (!of.added.empty() && found.contains("value"))
            found["value"].erase(of.added);
        const char* const member = asked[i].contains("value") ? "value" : "data";
        EXPECT_EQ(found[member], asked[i][member])
            << "of " << whole[i].value << " the peer takes " << to_verify[i];
    }
}

class InteropTimed : public Interop {};

TEST_P(InteropTimed, BothRefuseWhatIsTooOld)
{
    const auto& of = GetParam();
    std::vector<json> asked;
    std::vector<std::int64_t> times;
    for (const auto& each : questions(campaign())) {
        const auto& limit = each[of.limit == row::time::lifetime ? "lifetime" : "max_age"];
        if (limit.is_null())
            continue;
        asked.push_back(each);
        times.push_back(now_of(each) + limit.get<std::int64_t>() + of.grace
                        + (random_.once_in(2) ? 1 : random_.number(1, 100 * 86400)));
    }
    const auto cookies = some_cookies(asked);
    expect_refused_by_both(asked, cookies, times);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        const auto verdict = verify(of, asked[i], cookies[i], times[i]);
        EXPECT_STREQ(to_string(verdict.status), "expired") << asked[i];
    }
}

TEST_P(Interop, BothRefuseAnotherSecret)
{
    auto asked = questions(campaign());
    const auto cookies = some_cookies(asked);
    std::vector<std::int64_t> times;
    for (auto& each : asked) {
        for (auto& secret : each["secrets"]) {
            for (const json old = secret; secret == old;)
                secret = question_about(GetParam(), random_)["secrets"][0];
        }
        times.push_back(now_of(each));
    }
    expect_refused_by_both(asked, cookies, times);
}

class InteropNamed : public Interop {};

TEST_P(InteropNamed, BothRefuseTheCookieOfAnotherName)
{
    auto asked = questions(campaign());
    const auto cookies = some_cookies(asked);
    std::vector<std::int64_t> times;
    for (auto& each : asked) {
        each["name"] = each["name"].get<std::string>() + "x";
        times.push_back(now_of(each));
    }
    expect_refused_by_both(asked, cookies, times);
}

// --- which of them are for which dialect ---------------------------------------------------------

std::vector<row> rows_if(bool (*fits)(const row&))
{
    std::vector<row> some;
    for (const auto& each : all_rows()) {
        if (fits(each))
            some.push_back(each);
    }
    return some;
}

std::string name_of(const testing::TestParamInfo<row>& which)
{
    return which.param.variant;
}

INSTANTIATE_TEST_SUITE_P(All, Interop, testing::ValuesIn(all_rows()), name_of);
INSTANTIATE_TEST_SUITE_P(All, InteropIssued,
                         testing::ValuesIn(rows_if([](const row& of) { return of.issues; })),
                         name_of);
INSTANTIATE_TEST_SUITE_P(All, InteropTimed, testing::ValuesIn(rows_if([](const row& of) {
                             return of.limit != row::time::none;
                         })),
                         name_of);
INSTANTIATE_TEST_SUITE_P(All, InteropNamed,
                         testing::ValuesIn(rows_if([](const row& of) { return of.binds_name; })),
                         name_of);

} // namespace
