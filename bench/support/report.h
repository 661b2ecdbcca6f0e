// SPDX-License-Identifier: MIT
//
// report.h: what a bench program says: rows as text for people, rows as JSON for the runner. It
// does not judge: ok is decided before.
//
// The JSON file has one object a line, written and flushed as each row comes, so that a crash
// loses only what did not run. (waf_tools/bench.py makes one array of all programs' lines.) A
// terminal gets a progress line that is overwritten; a pipe or a file gets plain lines only.
//
// Threads: one at a time. Lifetime: the FILE is the caller's and must outlive the report.
//
//     bench::report report(stdout, isatty(1) != 0, "rows.json", 40);
//     report.setting("chunk", "4 KiB");
//     report.progress("round 3 of 40");
//     report.add({.name = "buffer/x_vs_y", .unit = "ratio", .goal = ">= 1", .value = 1.2,
//                 .ok = true});
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "statistics.h"

namespace bench {

/// One line of the result.
struct row {
    std::string name{}; // "buffer/append_consume_vs_string"
    std::string unit{};
    std::string goal{};     // see goal.h
    double value = nan;     // NaN: it did not run
    interval range{};       // of the median; infinite: unknown
    std::size_t rounds = 0; // that the value is the median of
    bool ok = false;
    std::string note{}; // why it did not run, or what a reader should know
};

/// Text between double quotes, as JSON wants it.
std::string quoted(std::string_view text);
/// The shortest text that reads back as the same number; null for what is not finite.
std::string json_number(double value);
/// One object on one line, without the line's end.
std::string json(const row& each);

class report {
public:
    /// json_path: "" for none. name_width: of the longest row's name, in characters.
    /// Throws std::runtime_error that names the file when it cannot be written.
    report(std::FILE* out, bool terminal, const std::string& json_path, std::size_t name_width);

    /// A line about the circumstances: buffers, ciphers, socket options, versions.
    void setting(const std::string& name, const std::string& value);
    /// Replaces the progress line; only on a terminal.
    void progress(const std::string& text);
    /// Throws std::runtime_error when the file takes no more.
    void add(const row& each);

private:
    void line(const std::string& text);

    std::FILE* out_;
    bool terminal_;
    std::string path_;
    std::ofstream file_;
    std::size_t width_;
};

// --- bodies -------------------------------------------------------------------------------------

inline std::string quoted(std::string_view text)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char each : text) {
        const auto code = static_cast<unsigned char>(each);
        if (each == '"' || each == '\\')
            out += '\\';
        if (code >= 0x20)
            out += each;
        else
            out.append("\\u00").append({digits[code >> 4], digits[code & 15]});
    }
    return out + '"';
}

inline std::string json_number(double value)
{
    if (!std::isfinite(value))
        return "null";
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

inline std::string json(const row& each)
{
    return "{\"name\": " + bench::quoted(each.name) + ", \"value\": " + json_number(each.value)
           + ", \"unit\": " + bench::quoted(each.unit) + ", \"goal\": " + bench::quoted(each.goal)
           + ", \"ok\": " + (each.ok ? "true" : "false") + ", \"low\": "
           + json_number(each.range.low) + ", \"high\": " + json_number(each.range.high)
           + ", \"rounds\": " + std::to_string(each.rounds)
           + ", \"note\": " + bench::quoted(each.note) + "}";
}

inline std::string short_number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
}

inline std::string padded(std::string text, std::size_t width)
{
    text.resize(std::max(text.size(), width), ' ');
    return text;
}

inline report::report(std::FILE* out, bool terminal, const std::string& json_path,
                      std::size_t name_width)
    : out_(out)
    , terminal_(terminal)
    , path_(json_path)
    , width_(name_width)
{
    if (path_.empty())
        return;
    file_.open(path_, std::ios::trunc);
    if (!file_)
        throw std::runtime_error("cannot write " + path_);
}

inline void report::line(const std::string& text)
{
    // The first sequence drops what progress() left on this line.
    std::fprintf(out_, "%s%s\n", terminal_ ? "\r\033[K" : "", text.c_str());
    std::fflush(out_);
}

inline void report::setting(const std::string& name, const std::string& value)
{
    line("# " + name + ": " + value);
}

inline void report::progress(const std::string& text)
{
    if (!terminal_)
        return;
    std::fprintf(out_, "\r\033[K%s", text.c_str());
    std::fflush(out_);
}

inline void report::add(const row& each)
{
    std::string text = (each.ok ? "ok    " : "MISS  ") + padded(each.name, width_) + "  ";
    if (std::isfinite(each.value))
        text += padded(short_number(each.value) + " " + each.unit, 16);
    else
        text += padded("-", 16);
    text += " " + padded(each.goal, 10);
    if (std::isfinite(each.range.low) && std::isfinite(each.range.high))
        text += " [" + short_number(each.range.low) + ", " + short_number(each.range.high) + "] in "
                + std::to_string(each.rounds) + " rounds";
    line(each.note.empty() ? text : text + "  " + each.note);
    if (path_.empty())
        return;
    file_ << json(each) << std::endl; // flushed: the next row may crash
    if (!file_)
        throw std::runtime_error("cannot write " + path_);
}

} // namespace bench
