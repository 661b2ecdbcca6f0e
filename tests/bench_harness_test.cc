// SPDX-License-Identifier: MIT
//
// The bench harness: its statistics, its goals, a suite with recorded times instead of a clock, and
// the runner (waf_tools/bench.py) on programs that are shell scripts.
#include "bench/support/bench.h"

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// --- statistics ---------------------------------------------------------------------------------

TEST(Median, IsTheMiddleOrTheMeanOfTheTwoInTheMiddle)
{
    EXPECT_DOUBLE_EQ(bench::median({3, 1, 2}), 2);
    EXPECT_DOUBLE_EQ(bench::median({4, 1, 3, 2}), 2.5);
    EXPECT_DOUBLE_EQ(bench::median({7}), 7);
    EXPECT_TRUE(std::isnan(bench::median({})));
}

TEST(MedianInterval, HasTheRanksOfTheBinomialTable)
{
    // With binomial(n, 1/2): P(<= 1 of 9) = 0.020, P(<= 2 of 9) = 0.090; P(<= 5 of 20) = 0.021,
    // P(<= 6 of 20) = 0.058; P(<= 13 of 40) = 0.019, P(<= 14 of 40) = 0.040. Wanted: 0.025.
    EXPECT_EQ(bench::interval_rank(5, 0.95), 0U);
    EXPECT_EQ(bench::interval_rank(6, 0.95), 1U);
    EXPECT_EQ(bench::interval_rank(8, 0.95), 1U);
    EXPECT_EQ(bench::interval_rank(9, 0.95), 2U);
    EXPECT_EQ(bench::interval_rank(20, 0.95), 6U);
    EXPECT_EQ(bench::interval_rank(40, 0.95), 14U);
    EXPECT_EQ(bench::interval_rank(0, 0.95), 0U);
}

TEST(MedianInterval, IsUnknownForTooFewSamples)
{
    const auto range = bench::median_interval({1, 1, 1, 1, 1});
    EXPECT_TRUE(std::isinf(range.low) && std::isinf(range.high));
    EXPECT_FALSE(bench::within(range, 1, 0.03));
}

TEST(MedianInterval, IgnoresHowFarOutliersLie)
{
    std::vector<double> samples{1, 2, 3, 4, 5, 6, 7, 8, 9};
    const auto before = bench::median_interval(samples);
    samples.back() = 1e9;
    const auto after = bench::median_interval(samples);
    EXPECT_DOUBLE_EQ(before.low, 2);
    EXPECT_DOUBLE_EQ(before.high, 8);
    EXPECT_DOUBLE_EQ(after.high, before.high);
}

/// How often, of 4,000 samples of a skewed distribution, the interval holds the true median.
double coverage(std::size_t count, std::mt19937& random)
{
    std::lognormal_distribution<double> skewed(0, 1); // its median is 1
    int hits = 0;
    for (int i = 0; i < 4000; ++i) {
        std::vector<double> samples(count);
        std::generate(samples.begin(), samples.end(), [&] { return skewed(random); });
        const auto range = bench::median_interval(samples);
        hits += range.low <= 1 && 1 <= range.high;
    }
    return hits / 4000.;
}

TEST(MedianInterval, CoversTheTrueMedianAsOftenAsItPromises)
{
    std::mt19937 random(20); // a fixed seed: the test cannot fail by chance
    for (const std::size_t count : {6U, 9U, 20U, 40U}) {
        const double share = coverage(count, random);
        EXPECT_GE(share, 0.94) << count << " samples"; // 95 % less three standard errors
        EXPECT_LE(share, 0.995) << count << " samples: wider than it need be";
    }
}

TEST(HalfWidth, IsAShareOfTheMiddle)
{
    EXPECT_DOUBLE_EQ(bench::half_width({90, 105}, 100), 0.1);
    EXPECT_DOUBLE_EQ(bench::half_width({0, 0}, 0), 0);
    EXPECT_TRUE(bench::within({97.5, 102.5}, 100, 0.03));
    EXPECT_FALSE(bench::within({96, 101}, 100, 0.03));
}

// --- goals --------------------------------------------------------------------------------------

TEST(Goal, ComparesAsItSays)
{
    EXPECT_TRUE(bench::goal::parse(">= 0.95").met(0.95));
    EXPECT_FALSE(bench::goal::parse(">= 0.95").met(0.949));
    EXPECT_TRUE(bench::goal::parse("<= 16384").met(16384));
    EXPECT_FALSE(bench::goal::parse("<= 16384").met(16385));
    EXPECT_TRUE(bench::goal::parse("== 0").met(0));
    EXPECT_FALSE(bench::goal::parse("== 0").met(0.001));
    EXPECT_TRUE(bench::goal::parse("").met(-5));
}

TEST(Goal, IsNeverMetByWhatWasNotMeasured)
{
    for (const char* text : {"", ">= 0", "<= 5", "== 0"})
        EXPECT_FALSE(bench::goal::parse(text).met(bench::nan)) << text;
    EXPECT_FALSE(bench::goal::parse(">= 0").met(INFINITY));
}

const std::vector<std::string> bad_goals{"0.95",    ">=0.95",   ">= ",      ">= x",
                                         "> 1",     ">= 0.95 ", ">=  0.95", ">= nan",
                                         "<= 1 MB", "<= inf",   ">= 1e999", ">= +1"};

TEST(Goal, RefusesWhatItCannotReadAndQuotesIt)
{
    for (const auto& text : bad_goals)
        try {
            bench::goal::parse(text);
            ADD_FAILURE() << text;
        } catch (const std::invalid_argument& wrong) {
            EXPECT_NE(std::string(wrong.what()).find("'" + text + "'"), std::string::npos);
        }
}

// --- rounds -------------------------------------------------------------------------------------

TEST(Round, DividesTimesByWorkAndLeavesOtherFiguresAlone)
{
    const auto sample = bench::round::run([](bench::round& round) {
        round.record("wall", 6);
        round.record("cpu", 3);
        round.record("p99", 0.5);
        round.work(3);
    });
    EXPECT_DOUBLE_EQ(sample.figure("wall"), 2);
    EXPECT_DOUBLE_EQ(sample.figure("cpu"), 1);
    EXPECT_DOUBLE_EQ(sample.figure("p99"), 0.5);
    EXPECT_TRUE(std::isnan(sample.figure("p50")));
}

void spin(double cpu_seconds)
{
    const double end = bench::thread_cpu_seconds() + cpu_seconds;
    while (bench::thread_cpu_seconds() < end)
        ;
}

TEST(Round, CountsOnlyWhatIsInsideTime)
{
    const auto sample = bench::round::run([](bench::round& round) {
        spin(0.02);
        round.time([] { spin(0.001); });
        round.time([] { spin(0.001); });
    });
    EXPECT_GE(sample.figure("cpu"), 0.002);
    EXPECT_LT(sample.figure("cpu"), 0.02);
    EXPECT_GE(sample.figure("wall"), sample.figure("cpu") * 0.9);
}

TEST(Round, CountsTheWholeBodyWhenItDoesNotCallTime)
{
    EXPECT_GE(bench::round::run([](bench::round&) { spin(0.002); }).figure("cpu"), 0.002);
}

TEST(Round, RefusesWorkThatIsNotAboveZero)
{
    EXPECT_THROW(bench::round().work(0), std::invalid_argument);
    EXPECT_THROW(bench::round().work(bench::nan), std::invalid_argument);
}

TEST(CallsFor, EndsWithAFunctionThatDoesNothing)
{
    EXPECT_EQ(bench::calls_for([] {}, std::chrono::hours(1), 1024), 1024U);
}

// --- comparisons --------------------------------------------------------------------------------

const auto everything = [](const std::string&) { return true; };
const auto silence = [](const std::string&) {};

/// A contender whose rounds take these times in turn.
bench::comparison::body takes(std::vector<double> seconds, std::string* log = nullptr,
                              char name = '?')
{
    return [=, next = std::size_t{0}](bench::round& round) mutable {
        round.record("wall", seconds[next++ % seconds.size()]);
        if (log != nullptr)
            *log += name;
    };
}

TEST(RunningOrder, AlternatesTwo)
{
    std::string order;
    for (std::size_t round = 0; round < 4; ++round)
        for (const std::size_t place : bench::running_order(round, 2))
            order += place == 0 ? 'A' : 'B';
    EXPECT_EQ(order, "ABBABAAB");
}

TEST(RunningOrder, PutsEachOfManyInEachPlaceEquallyOften)
{
    for (const std::size_t count : {3U, 4U, 5U}) {
        std::vector<std::vector<int>> times(count, std::vector<int>(count));
        for (std::size_t round = 0; round < 2 * count; ++round) {
            const auto order = bench::running_order(round, count);
            for (std::size_t place = 0; place < count; ++place)
                ++times[order[place]][place];
        }
        EXPECT_EQ(times, std::vector(count, std::vector<int>(count, 2)));
    }
}

TEST(Comparison, RunsContendersInTurnAndStopsWhenTheIntervalIsNarrow)
{
    std::string log;
    bench::comparison each("x/", "x", {.warm_up = 1, .least = 8, .most = 40});
    each.contender("a", takes({1}, &log, 'A')).contender("b", takes({2}, &log, 'B'));
    each.speed("speed", ">= 2", "a", {"b"}).cost("cost", "<= 0.5", "a", {"b"});
    const auto rows = each.run(everything, false, silence);
    EXPECT_EQ(log, "AB"
                   "ABBABAABABBABAAB"); // the warm-up, then eight rounds
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].name, "x/speed");
    EXPECT_DOUBLE_EQ(rows[0].value, 2);
    EXPECT_DOUBLE_EQ(rows[1].value, 0.5);
    EXPECT_EQ(rows[0].rounds, 8U);
    EXPECT_TRUE(rows[0].ok && rows[1].ok);
}

TEST(Comparison, GoesOnToTheLastRoundWhenTheIntervalStaysWideAndSaysSo)
{
    bench::comparison each("x/", "x");
    each.contender("a", takes({1})).contender("b", takes({1, 2, 3, 1.5, 2.5}));
    each.speed("speed", ">= 1", "a", {"b"});
    const auto row = each.run(everything, false, silence).at(0);
    EXPECT_EQ(row.rounds, 40U);
    EXPECT_TRUE(row.ok);
    EXPECT_NE(row.note.find("wider than wanted"), std::string::npos) << row.note;
}

TEST(Comparison, TakesTheRatioWithinTheRoundSoThatDriftCancels)
{
    bench::comparison each("x/", "x", {.warm_up = 0});
    each.contender("a", takes({1, 2, 4, 8})).contender("b", takes({3, 6, 12, 24}));
    each.speed("speed", "", "a", {"b"});
    const auto row = each.run(everything, false, silence).at(0);
    EXPECT_DOUBLE_EQ(row.range.low, 3);
    EXPECT_DOUBLE_EQ(row.range.high, 3);
}

TEST(Comparison, IsJudgedAgainstTheBestOfSeveralPeers)
{
    bench::comparison each("x/", "x");
    each.contender("us", takes({1})).contender("slow", takes({4})).contender("fast", takes({0.5}));
    each.speed("speed", ">= 1", "us", {"slow", "fast"})
        .cost("cost", "<= 1", "us", {"fast", "slow"});
    for (const auto& row : each.run(everything, false, silence)) {
        EXPECT_DOUBLE_EQ(row.value, row.name == "x/speed" ? 0.5 : 2);
        EXPECT_FALSE(row.ok);
        EXPECT_EQ(row.note, "best peer: fast");
    }
}

TEST(Comparison, LetsAMissingOrThrowingPeerSpoilOnlyItsOwnRows)
{
    std::string log;
    bench::comparison each("x/", "x", {.warm_up = 0, .least = 8, .most = 8});
    each.contender("us", takes({1})).contender("peer", takes({1}));
    each.missing("gone", "gone is not installed");
    each.contender("bad", [&](bench::round&) {
        log += 'x';
        throw std::runtime_error("no socket");
    });
    each.speed("good", ">= 1", "us", {"peer"}).speed("gone", "", "us", {"peer", "gone"});
    each.speed("bad", ">= 1", "us", {"bad"});
    const auto rows = each.run(everything, false, silence);
    EXPECT_TRUE(rows[0].ok);
    EXPECT_FALSE(rows[1].ok || rows[2].ok);
    EXPECT_EQ(rows[1].note, "gone is not installed");
    EXPECT_EQ(rows[2].note, "bad: no socket");
    EXPECT_TRUE(std::isnan(rows[1].value) && std::isnan(rows[2].value));
    EXPECT_EQ(log, "x"); // and is not tried again
}

TEST(Comparison, DoesNotPassARowOfWhichARoundMeasuredNothing)
{
    bench::comparison each("x/", "x", {.warm_up = 0});
    each.contender("us", takes({0})).contender("peer", takes({1}));
    each.speed("speed", ">= 1", "us", {"peer"}).cost("p99", "<= 1", "us", {"peer"}, "p99");
    for (const auto& row : each.run(everything, false, silence)) {
        EXPECT_FALSE(row.ok) << row.name;
        EXPECT_NE(row.note.find("measured nothing"), std::string::npos);
    }
}

TEST(Comparison, RunsOnlyWhatTheChosenRowsNeed)
{
    std::string log;
    bench::comparison each("x/", "x", {.warm_up = 0, .least = 2, .most = 2});
    each.contender("a", takes({1}, &log, 'A')).contender("b", takes({1}, &log, 'B'));
    each.contender("c", takes({1}, &log, 'C'));
    each.speed("b", "", "a", {"b"}).speed("c", "", "a", {"c"});
    const auto only_c = [](const std::string& name) { return name == "x/c"; };
    EXPECT_EQ(each.run(only_c, false, silence).size(), 1U);
    EXPECT_EQ(log, "ACCA");
}

TEST(Comparison, RefusesWhatCannotBeMeant)
{
    bench::comparison each("x/", "x");
    each.contender("a", takes({1})).contender("b", takes({1})).speed("row", "", "a", {"b"});
    EXPECT_THROW(each.contender("a", takes({1})), std::invalid_argument);
    EXPECT_THROW(each.speed("row", "", "a", {"b"}), std::invalid_argument);
    EXPECT_THROW(each.speed("other", "", "a", {"nobody"}), std::invalid_argument);
    EXPECT_THROW(each.speed("other", "", "a", {}), std::invalid_argument);
    EXPECT_THROW(each.speed("other", "at least 1", "a", {"b"}), std::invalid_argument);
    EXPECT_THROW(bench::comparison("x/", "x", {.least = 9, .most = 8}), std::invalid_argument);
}

// --- a suite ------------------------------------------------------------------------------------

class scratch {
public:
    scratch()
    {
        std::string name = (std::filesystem::temp_directory_path() / "bench_XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("mkdtemp failed");
        path_ = name;
    }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    ~scratch()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

std::string text_of(const std::string& path)
{
    std::ifstream file(path);
    return (std::stringstream() << file.rdbuf()).str();
}

void write_text(const std::string& path, const std::string& text)
{
    std::ofstream(path) << text;
}

bool holds(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

struct outcome {
    int status = 0;
    std::string output{};
};

outcome run_suite(bench::suite& suite, std::vector<const char*> arguments)
{
    arguments.insert(arguments.begin(), "x_bench");
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::tmpfile(), &std::fclose);
    const int count = static_cast<int>(arguments.size());
    outcome result{.status = suite.run(count, arguments.data(), out.get())};
    std::rewind(out.get());
    for (int each = std::fgetc(out.get()); each != EOF; each = std::fgetc(out.get()))
        result.output += static_cast<char>(each);
    return result;
}

void fill(bench::suite& suite)
{
    suite.setting("cipher", "none");
    suite.compare("first")
        .contender("a", takes({1}))
        .contender("b", takes({2}))
        .speed("speed", ">= 1", "a", {"b"});
    suite.measure("turns", "turns", "== 0", [] { return 3.; });
    suite.measure("calls", "calls", "<= 1",
                  []() -> double { throw std::runtime_error("no \"strace\""); });
}

TEST(Suite, WritesEachRowAsALineOfJson)
{
    const scratch folder;
    const std::string file = folder / "rows";
    bench::suite suite("x");
    fill(suite);
    EXPECT_EQ(run_suite(suite, {"--json", file.c_str()}).status, 0);
    EXPECT_EQ(text_of(file),
              R"({"name": "x/speed", "value": 2, "unit": "ratio", "goal": ">= 1", "ok": true, )"
              R"("low": 2, "high": 2, "rounds": 8, "note": ""})"
              "\n"
              R"({"name": "x/turns", "value": 3, "unit": "turns", "goal": "== 0", "ok": false, )"
              R"("low": null, "high": null, "rounds": 1, "note": ""})"
              "\n"
              R"({"name": "x/calls", "value": null, "unit": "calls", "goal": "<= 1", "ok": false, )"
              R"("low": null, "high": null, "rounds": 0, "note": "calls: no \"strace\""})"
              "\n");
}

TEST(Suite, HasWrittenTheRowsThatCameBeforeACrash)
{
    const scratch folder;
    const std::string file = folder / "rows";
    std::string seen;
    bench::suite suite("x");
    suite.measure("first", "", "", [] { return 1.; });
    suite.measure("second", "", "", [&] { return seen = text_of(file), 2.; });
    run_suite(suite, {"--json", file.c_str()});
    EXPECT_TRUE(holds(seen, "x/first"));
    EXPECT_FALSE(holds(seen, "x/second"));
}

TEST(Suite, PrintsSettingsIntervalsAndMissesAsPlainLines)
{
    bench::suite suite("x");
    fill(suite);
    const auto result = run_suite(suite, {});
    EXPECT_TRUE(holds(result.output, "# cipher: none\n"));
    EXPECT_TRUE(holds(result.output, "[2, 2] in 8 rounds"));
    EXPECT_TRUE(holds(result.output, "ok    x/speed"));
    EXPECT_TRUE(holds(result.output, "MISS  x/turns"));
    EXPECT_FALSE(holds(result.output, "\r") || holds(result.output, "\033")); // no terminal
}

TEST(Suite, RunsOnlyRowsThatBeginSo)
{
    bench::suite suite("x");
    fill(suite);
    const auto result = run_suite(suite, {"--only", "x/tu"});
    EXPECT_EQ(result.status, 0);
    EXPECT_TRUE(holds(result.output, "x/turns"));
    EXPECT_FALSE(holds(result.output, "x/speed"));
    EXPECT_EQ(run_suite(suite, {"--only", "y"}).status, 1);
}

TEST(Suite, RunsTwoRoundsWhenQuick)
{
    bench::suite suite("x");
    std::string log;
    suite.compare("c")
        .contender("a", takes({1}, &log, 'A'))
        .contender("b", takes({1}, &log, 'B'))
        .speed("speed", "", "a", {"b"});
    EXPECT_EQ(run_suite(suite, {"--quick"}).status, 0);
    EXPECT_EQ(log, "ABBA");
}

TEST(Suite, RefusesWrongArgumentsAndTwoRowsOfOneName)
{
    bench::suite suite("x");
    fill(suite);
    EXPECT_EQ(run_suite(suite, {"--fast"}).status, 2);
    EXPECT_EQ(run_suite(suite, {"--json"}).status, 2);
    EXPECT_EQ(run_suite(suite, {"--json", "/nonexistent/rows"}).status, 1);
    suite.measure("turns", "", "", [] { return 0.; });
    EXPECT_EQ(run_suite(suite, {}).status, 1);
}

// --- the runner ---------------------------------------------------------------------------------

/// Runs waf_tools/bench.py on programs that are shell scripts.
class Runner : public ::testing::Test {
protected:
    void SetUp() override
    {
        const char* top = std::getenv("FUNCPTR_TOP");
        script_ = std::string(top == nullptr ? "." : top) + "/waf_tools/bench.py";
        ASSERT_TRUE(std::filesystem::exists(script_)) << script_ << ": set FUNCPTR_TOP";
        goals(R"([{"name": "a/one", "unit": "ratio", "goal": ">= 1"}])");
    }

    void goals(const std::string& text) { write_text(folder_ / "goals.json", text); }

    static std::string row(const std::string& name, const std::string& value = "2",
                           const std::string& goal = ">= 1", const std::string& unit = "ratio")
    {
        return R"({"name": ")" + name + R"(", "value": )" + value + R"(, "unit": ")" + unit
               + R"(", "goal": ")" + goal + R"(", "ok": true})";
    }
    /// A program that writes these lines and ends with that command. $2 is the file.
    void program(const std::string& name, const std::vector<std::string>& lines,
                 const std::string& last = "exit 0")
    {
        std::string text = "#!/bin/sh\n";
        for (const auto& line : lines)
            text += "printf '%s\\n' '" + line + "' >> \"$2\"\n";
        write_text(folder_ / name, text + last + "\n");
        std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
    }

    outcome run(const std::string& programs, const std::string& arguments = "")
    {
        std::string command = "python3 '" + script_ + "' --out '" + (folder_ / "out.json")
                              + "' --goals '" + (folder_ / "goals.json") + "' " + arguments;
        std::istringstream names(programs);
        for (std::string name; names >> name;)
            command += " '" + (folder_ / name) + "'";
        std::FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
        outcome result;
        for (int each = std::fgetc(pipe); each != EOF; each = std::fgetc(pipe))
            result.output += static_cast<char>(each);
        const int status = pclose(pipe);
        result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return result;
    }
    std::string rows() { return text_of(folder_ / "out.json"); }
    /// The line of the result that has that row.
    std::string line_of(const std::string& name)
    {
        std::istringstream lines(rows());
        for (std::string line; std::getline(lines, line);)
            if (holds(line, "\"name\": \"" + name + "\""))
                return line;
        return "no row " + name;
    }
    void expect_ok(const std::string& name)
    {
        EXPECT_TRUE(holds(line_of(name), "\"ok\": true")) << line_of(name);
    }
    void expect_miss(const std::string& name, const std::string& note)
    {
        EXPECT_TRUE(holds(line_of(name), "\"ok\": false")) << line_of(name);
        EXPECT_TRUE(holds(line_of(name), note)) << line_of(name);
    }

    scratch folder_;
    std::string script_;
};

TEST_F(Runner, KeepsTheRowsAndIsContentWhenAllGoalsAreMet)
{
    program("a_bench", {row("a/one")});
    const auto result = run("a_bench", "--strict");
    EXPECT_EQ(result.status, 0) << result.output;
    expect_ok("a/one");
    EXPECT_TRUE(holds(result.output, "1 rows, 0 missed"));
    EXPECT_EQ(rows().substr(0, 2), "[\n");
}

TEST_F(Runner, ReportsARowThatVanished)
{
    program("a_bench", {row("a/two", "1", "")});
    EXPECT_EQ(run("a_bench").status, 0);
    expect_miss("a/one", "did not run");
    expect_ok("a/two"); // asks nothing, so it need not be listed
    EXPECT_EQ(run("a_bench", "--strict").status, 1);
}

TEST_F(Runner, ReportsAGoalOrUnitThatWasChanged)
{
    program("a_bench", {row("a/one", "2", ">= 0.5")});
    EXPECT_EQ(run("a_bench", "--strict").status, 1);
    expect_miss("a/one", "its goal is '>= 0.5' and on the list '>= 1'");
    program("a_bench", {row("a/one", "2", "")});
    EXPECT_EQ(run("a_bench", "--strict").status, 1);
    expect_miss("a/one", "its goal is '' and on the list '>= 1'");
    program("a_bench", {row("a/one", "2", ">= 1", "percent")});
    EXPECT_EQ(run("a_bench", "--strict").status, 1);
    expect_miss("a/one", "its unit is 'percent'");
}

TEST_F(Runner, ReportsARowWithAGoalThatIsNotListed)
{
    program("a_bench", {row("a/one"), row("a/new")});
    EXPECT_EQ(run("a_bench", "--strict").status, 1);
    expect_miss("a/new", "not on the list");
}

TEST_F(Runner, DoesNotBelieveARowThatCallsItselfOk)
{
    program("a_bench", {row("a/one", "0.5")});
    const auto result = run("a_bench", "--strict");
    EXPECT_EQ(result.status, 1);
    EXPECT_TRUE(holds(result.output, "MISS  a/one")) << result.output;
    expect_miss("a/one", "0.5");
    program("a_bench", {row("a/one", "null")});
    EXPECT_EQ(run("a_bench", "--strict").status, 1);
}

TEST_F(Runner, ExitsZeroOnAMissUnlessStrict)
{
    program("a_bench", {row("a/one", "0.5")});
    EXPECT_EQ(run("a_bench").status, 0);
    EXPECT_EQ(run("a_bench", "--strict").status, 1);
}

TEST_F(Runner, KeepsWhatRanBeforeACrashAndFails)
{
    goals(R"([{"name": "a/one", "unit": "ratio", "goal": ">= 1"},
              {"name": "a/two", "unit": "ratio", "goal": ">= 1"}])");
    program("a_bench", {row("a/one")}, "kill -SEGV $$");
    const auto result = run("a_bench");
    EXPECT_EQ(result.status, 1); // even without --strict
    expect_ok("a/one");
    expect_miss("a/two", "did not run: a_bench was ended by signal 11");
    EXPECT_TRUE(holds(result.output, "bench: a_bench was ended by signal 11")) << result.output;
}

TEST_F(Runner, FailsForACrashAfterTheLastRow)
{
    program("a_bench", {row("a/one")}, "exit 3");
    const auto result = run("a_bench");
    EXPECT_EQ(result.status, 1);
    EXPECT_TRUE(holds(result.output, "ended with status 3"));
}

TEST_F(Runner, KillsAProgramThatHangs)
{
    program("a_bench", {}, "sleep 600");
    const auto result = run("a_bench", "--watchdog 1");
    EXPECT_EQ(result.status, 1);
    expect_miss("a/one", "killed after 1 seconds");
}

TEST_F(Runner, FailsForAProgramThatCannotStartOrWritesNothing)
{
    EXPECT_EQ(run("a_bench").status, 1);
    expect_miss("a/one", "cannot be started");
    program("a_bench", {});
    EXPECT_EQ(run("a_bench").status, 1);
    expect_miss("a/one", "wrote no rows");
}

TEST_F(Runner, FailsForLinesThatAreNoRows)
{
    const std::vector<std::string> bad{"{\"name\": \"a/o",   "[]",         row("a/one", "NaN"),
                                       row("a/one", "true"), row("b/one"), row("a/one", "1e999")};
    for (const auto& line : bad) {
        program("a_bench", {line});
        const auto result = run("a_bench");
        EXPECT_EQ(result.status, 1) << line;
        EXPECT_TRUE(holds(result.output, "what is not a row, line 1")) << result.output;
        EXPECT_FALSE(holds(result.output, "Traceback")) << result.output;
    }
    program("a_bench", {row("a/one"), row("a/one")});
    EXPECT_EQ(run("a_bench").status, 1);
    expect_miss("a/one", "written twice");
}

TEST_F(Runner, ReplacesTheChosenRowsAndKeepsTheOthers)
{
    goals(R"([{"name": "a/one", "unit": "ratio", "goal": ">= 1"},
              {"name": "b/one", "unit": "ratio", "goal": ">= 1"}])");
    program("a_bench", {row("a/one", "2"), row("a/old", "2", "")});
    program("b_bench", {row("b/one", "3")});
    EXPECT_EQ(run("a_bench b_bench", "--strict").status, 0);
    program("a_bench", {row("a/one", "5")});
    program("b_bench", {}, "exit 1"); // would show if it ran
    const auto result = run("a_bench b_bench", "--strict --only a");
    EXPECT_EQ(result.status, 0) << result.output;
    EXPECT_TRUE(holds(line_of("a/one"), "\"value\": 5"));
    EXPECT_TRUE(holds(line_of("b/one"), "\"value\": 3"));
    EXPECT_TRUE(holds(line_of("a/old"), "no row")); // replaced means: the old ones are gone
}

TEST_F(Runner, GivesOnlyAndQuickToTheProgram)
{
    program("a_bench", {row("a/one")}, R"([ "$*" = "--json $2 --only a/o --quick" ])");
    EXPECT_EQ(run("a_bench", "--only a/o --quick").status, 0);
    EXPECT_TRUE(holds(line_of("a/one"), "\"quick\": true"));
}

TEST_F(Runner, DoesNotBlameOneBenchForTheOthersNotRunYet)
{
    goals(R"([{"name": "a/one", "unit": "ratio", "goal": ">= 1"},
              {"name": "b/one", "unit": "ratio", "goal": ">= 1"}])");
    program("a_bench", {row("a/one")});
    program("b_bench", {row("b/one")});
    EXPECT_EQ(run("a_bench b_bench", "--strict --only a").status, 0);
    expect_miss("b/one", "did not run"); // but it is in the file
    EXPECT_EQ(run("a_bench b_bench", "--strict --only b").status, 0);
    expect_ok("a/one");
    expect_ok("b/one");
}

TEST_F(Runner, JudgesKeptRowsByTodaysGoals)
{
    program("a_bench", {row("a/one")});
    program("b_bench", {row("b/x", "1", "")});
    run("a_bench b_bench");
    expect_ok("a/one");
    goals(R"([{"name": "a/one", "unit": "ratio", "goal": ">= 3"}])");
    run("a_bench b_bench", "--only b");
    expect_miss("a/one", "on the list '>= 3'");
}

TEST_F(Runner, StandsInForARowThatDidNotRunWithTodaysGoal)
{
    program("b_bench", {row("b/x", "1", "")});
    run("b_bench");
    expect_miss("a/one", "\"goal\": \">= 1\"");
    goals(R"([{"name": "a/one", "unit": "ratio", "goal": ">= 3"}])");
    run("b_bench", "--only b");
    expect_miss("a/one", "\"goal\": \">= 3\"");
}

TEST_F(Runner, FailsWhenNothingIsChosen)
{
    program("a_bench", {row("a/one")});
    const auto result = run("a_bench", "--only zz");
    EXPECT_EQ(result.status, 1);
    EXPECT_TRUE(holds(result.output, "no row begins with 'zz'")) << result.output;
}

TEST_F(Runner, ReportsAGoalWhoseProgramIsGone)
{
    program("b_bench", {row("b/x", "1", "")});
    EXPECT_EQ(run("b_bench", "--strict").status, 1);
    expect_miss("a/one", "there is no program a_bench");
}

TEST_F(Runner, RefusesAListOfGoalsThatItCannotRead)
{
    program("a_bench", {row("a/one")});
    for (const std::string text :
         {"", "[", "{}", R"([{"name": "a/one"}])",
          R"([{"name": "a", "unit": "", "goal": ""}, {"name": "a", "unit": "", "goal": ""}])"}) {
        goals(text);
        const auto result = run("a_bench");
        EXPECT_EQ(result.status, 1) << text;
        EXPECT_TRUE(holds(result.output, "goals.json: ")) << result.output;
        EXPECT_FALSE(holds(result.output, "Traceback")) << result.output;
    }
}

TEST_F(Runner, ReadsGoalsByTheSameGrammarAsTheSuite)
{
    for (const auto& text : bad_goals) {
        goals(R"([{"name": "a/one", "unit": "", "goal": ")" + text + R"("}])");
        EXPECT_TRUE(holds(run("a_bench").output, "cannot be read")) << text;
    }
    for (const char* const text : {">= 0.95", "<= 16384", "== 0", ">= -1.5e-3", "<= .5", ">= 2."}) {
        EXPECT_NO_THROW(bench::goal::parse(text)) << text;
        goals(R"([{"name": "a/one", "unit": "", "goal": ")" + std::string(text) + R"("}])");
        EXPECT_FALSE(holds(run("a_bench").output, "cannot be read")) << text;
    }
}

TEST_F(Runner, DropsAnOldResultThatItCannotReadAndSaysSo)
{
    write_text(folder_ / "out.json", "[{\"name\"");
    program("a_bench", {row("a/one")});
    const auto result = run("a_bench", "--strict --only a");
    EXPECT_EQ(result.status, 0) << result.output;
    EXPECT_TRUE(holds(result.output, "its rows are dropped"));
    expect_ok("a/one");
}

TEST_F(Runner, ReadsWhatASuiteWrites)
{
    goals(R"([{"name": "x/speed", "unit": "ratio", "goal": ">= 1"},
              {"name": "x/turns", "unit": "turns", "goal": "== 0"},
              {"name": "x/calls", "unit": "calls", "goal": "<= 1"}])");
    const std::string file = folder_ / "rows";
    bench::suite suite("x");
    fill(suite);
    ASSERT_EQ(run_suite(suite, {"--json", file.c_str()}).status, 0);
    program("x_bench", {}, "cp '" + file + "' \"$2\"");
    EXPECT_EQ(run("x_bench").status, 0);
    expect_ok("x/speed");
    EXPECT_TRUE(holds(line_of("x/speed"), "\"low\": 2"));
    expect_miss("x/turns", "");
    expect_miss("x/calls", "strace");
}

} // namespace
