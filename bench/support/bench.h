// SPDX-License-Identifier: MIT
//
// bench.h: what a bench program is made of: a suite of comparisons, its command line, its output.
// Start here. It does not choose peers or goals: those are the program's, and the goals stand in
// bench/goals.json as well, where waf_tools/bench.py looks for them.
//
// The program is run by `./waf bench`, as `x_bench --json FILE [--only ROWPREFIX] [--quick]`, or by
// hand without arguments. Row names begin with the suite's name: `buffer/append_consume_vs_string`.
//
// Threads: one at a time. Lifetime: what bodies refer to must outlive run().
//
//     int main(int argc, char** argv)
//     {
//         bench::suite suite("buffer");
//         suite.setting("chunk", "4 KiB");
//         auto& each = suite.compare("64 KiB of backlog");
//         each.contender("buffer", [](bench::round& round) { … });
//         each.contender("string", [](bench::round& round) { … });
//         each.speed("append_consume_vs_string", ">= 1", "buffer", {"string"});
//         suite.measure("heap_when_empty", "bytes", "<= 0", [] { return heap_bytes(); });
//         return suite.run(argc, argv);
//     }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include "comparison.h"

namespace bench {

class suite {
public:
    /// name: of the program without `_bench`. bounds: for its comparisons.
    explicit suite(std::string name, limits bounds = {})
        : name_(std::move(name))
        , limits_(bounds)
    {
    }

    /// Something that a reader must know to judge the figures; printed first.
    void setting(const std::string& name, const std::string& value)
    {
        settings_.emplace_back(name, value);
    }

    /// A new comparison; valid as long as the suite. title: for the progress line.
    comparison& compare(const std::string& title) { return compare(title, limits_); }
    comparison& compare(const std::string& title, limits bounds)
    {
        return comparisons_.emplace_back(name_ + "/", title, bounds);
    }

    /// A row that is measured once. What the function throws becomes the row's note.
    void measure(const std::string& row_name, const std::string& unit, const std::string& goal_text,
                 std::function<double()> value);

    /// Runs what the arguments ask for and writes each comparison's rows as they come. Returns the
    /// exit status: 0 when every chosen row was written, missed or not; 1 when that failed; 2 for
    /// arguments that are wrong. Does not throw what bodies throw.
    int run(int argc, const char* const* argv, std::FILE* out = stdout);

private:
    struct arguments {
        std::string json{};
        std::string only{};
        bool quick = false;
        bool list = false;
        bool help = false;
    };
    static arguments parse(int argc, const char* const* argv);
    void run(const arguments& wanted, std::FILE* out);
    void check_names() const;
    void list(std::FILE* out) const;
    void help(std::FILE* out) const;

    std::string name_;
    limits limits_;
    std::vector<std::pair<std::string, std::string>> settings_;
    std::deque<comparison> comparisons_; // a deque, because references are handed out
};

/// How this program was compiled, and for what it is then good.
std::string build_text();
/// The processor's name and how many threads it runs.
std::string machine_text();

// --- bodies -------------------------------------------------------------------------------------

inline std::string build_text()
{
#ifdef __clang__
    std::string text = __VERSION__; // begins with the compiler's name
#else
    std::string text = "g++ " __VERSION__;
#endif
#ifndef __OPTIMIZE__
    text += ", NOT OPTIMISED: the figures mean little";
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    text += ", SANITIZED: the figures mean little";
#endif
    return text;
}

inline std::string machine_text()
{
    std::ifstream file("/proc/cpuinfo"); // not everywhere: then the number has to do
    std::string model = "unknown processor";
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
            model = line.substr(line.find(": ") + 2);
            break;
        }
    return model + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads";
}

inline void suite::measure(const std::string& row_name, const std::string& unit,
                           const std::string& goal_text, std::function<double()> value)
{
    const auto body = [value = std::move(value)](round& each) { each.record("value", value()); };
    compare(row_name, {.warm_up = 0, .least = 1, .most = 1})
        .contender(row_name, body)
        .figure(row_name, unit, goal_text, row_name,
                [](const sample& each) { return each.figure("value"); });
}

inline int suite::run(int argc, const char* const* argv, std::FILE* out)
{
    const std::string program = name_ + "_bench: ";
    arguments wanted;
    try {
        wanted = parse(argc, argv);
    } catch (const std::invalid_argument& wrong) {
        std::fprintf(stderr, "%s%s\n", program.c_str(), wrong.what());
        return 2;
    }
    try {
        run(wanted, out);
        return 0;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "%s%s\n", program.c_str(), failure.what());
        return 1;
    }
}

inline suite::arguments suite::parse(int argc, const char* const* argv)
{
    arguments wanted;
    for (int i = 1; i < argc; ++i) {
        const std::string_view each = argv[i];
        if (each == "--quick")
            wanted.quick = true;
        else if (each == "--list")
            wanted.list = true;
        else if (each == "--help")
            wanted.help = true;
        else if (each != "--json" && each != "--only")
            throw std::invalid_argument("unknown argument '" + std::string(each) + "', see --help");
        else if (i + 1 == argc)
            throw std::invalid_argument(std::string(each) + " needs a value, see --help");
        else
            (each == "--json" ? wanted.json : wanted.only) = argv[++i];
    }
    return wanted;
}

inline void suite::run(const arguments& wanted, std::FILE* out)
{
    check_names();
    if (wanted.help)
        return help(out);
    if (wanted.list)
        return list(out);
    const auto chosen = [&](const std::string& name) { return name.starts_with(wanted.only); };
    std::size_t width = 0;
    for (const auto& each : comparisons_)
        for (const auto& known : each.rows())
            width = std::max(width, chosen(known.name) ? known.name.size() : 0);
    if (width == 0)
        throw std::invalid_argument("no row begins with '" + wanted.only + "'");

    report printer(out, isatty(fileno(out)) != 0, wanted.json, width);
    printer.setting("build", build_text());
    printer.setting("machine", machine_text());
    for (const auto& [name, value] : settings_)
        printer.setting(name, value);
    const auto progress = [&](const std::string& text) { printer.progress(text); };
    for (auto& each : comparisons_)
        for (const auto& outcome : each.run(chosen, wanted.quick, progress))
            printer.add(outcome);
}

/// One comparison refuses a name twice by itself; this is for two of them.
inline void suite::check_names() const
{
    std::set<std::string> names;
    for (const auto& each : comparisons_)
        for (const auto& known : each.rows())
            if (!names.insert(known.name).second)
                throw std::invalid_argument("two rows named '" + known.name + "'");
}

inline void suite::list(std::FILE* out) const
{
    std::string text;
    for (const auto& each : comparisons_)
        for (const auto& known : each.rows())
            text += (text.empty() ? "  " : ",\n  ") + std::string("{\"name\": ")
                    + bench::quoted(known.name) + ", \"unit\": " + bench::quoted(known.unit)
                    + ", \"goal\": " + bench::quoted(known.goal) + "}";
    std::fprintf(out, "[\n%s\n]\n", text.c_str());
}

inline void suite::help(std::FILE* out) const
{
    std::fprintf(out,
                 "usage: %s_bench [--json FILE] [--only ROWPREFIX] [--quick]\n"
                 "  --json FILE   also writes each row there, one JSON object a line\n"
                 "  --only TEXT   only rows whose name begins so\n"
                 "  --quick       two rounds, to see that it runs\n"
                 "  --list        prints the rows as bench/goals.json holds them\n",
                 name_.c_str());
}

} // namespace bench
