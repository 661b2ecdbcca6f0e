// SPDX-License-Identifier: MIT
//
// cookie_tool: signs, verifies and explains cookies of this library and of other frameworks on the
// command line, and rotates keys.
//
// Build: c++ -std=c++20 -O2 *.cc $(pkg-config --cflags --libs funcptr) -o cookie_tool
// Run:   (umask 077; ./cookie_tool generate-key > keys)
//        ./cookie_tool sign --keys keys --name session user=42
//        ./cookie_tool verify --keys keys --name session VALUE
//        ./cookie_tool rotate --keys keys --keep 5
//        ./cookie_tool explain eyJ1c2VyX2lkIjo0Mn0.ZVPxAA.EL4lKpb8DSKeNCmmBBw-K3j4QK0
//
// main.cc has the verbs and the exit status, dialects.cc the table of formats, keys.cc the key
// files, arguments.cc the command line. Production adds: keys from where it keeps its secrets, and
// a timer that rotates them.
#include <funcptr/version.h>

#include <ctime>
#include <iostream>
#include <stdexcept>

#include "dialects.h"

namespace {

using funcptr::cookie_status;

constexpr const char* usage =
    R"(usage: cookie_tool sign    KEYS [OPTIONS] [--lifetime SECONDS] [DATA]
       cookie_tool verify  KEYS [OPTIONS] [--header | --signature TEXT] [VALUE]
       cookie_tool explain [KEYS] [OPTIONS] [--signature TEXT] [VALUE]
       cookie_tool generate-key
       cookie_tool rotate --keys FILE [--keep N]
       cookie_tool --list-dialects | --help | --version

sign      prints the cookie's value; a second line is the value of the cookie that has its
          signature, where the format has one. --lifetime gives it an expiry of its own.
verify    prints the data. --header: VALUE is a whole Cookie header, and any cookie of the name
          counts.
explain   prints the fields of the cookie and, with KEYS, the verdict. Without --dialect it prints
          each format that fits.
rotate    puts a new key in front, and keeps the first N (default: all).

KEYS      --keys FILE or --keys-env VARIABLE: one on a line, the current one first. FILE must be
          closed to others. For another framework the lines are its secrets, in
          --encoding text, hex or base64 (default: text).
OPTIONS   --dialect NAME (default: native), and of every format --name NAME, --max-age SECONDS,
          --skew SECONDS, --max-size BYTES, --lenient, and --at SECONDS: as if it were then, in
          seconds since 1970. --list-dialects tells what else each one has.

Without DATA or VALUE, standard input is read to its end (of VALUE without the line's).

exit status  0  good                5  wrong_name
             1  usage or trouble    6  too_long
             2  bad_signature       7  malformed (explain: no format fits)
             3  expired             8  non_canonical
             4  not_yet_valid       9  unknown_key        10  missing
)";

int exit_status(cookie_status status)
{
    switch (status) {
    case cookie_status::ok:
        return 0;
    case cookie_status::bad_signature:
        return 2;
    case cookie_status::expired:
        return 3;
    case cookie_status::not_yet_valid:
        return 4;
    case cookie_status::wrong_name:
        return 5;
    case cookie_status::too_long:
        return 6;
    case cookie_status::malformed:
        return 7;
    case cookie_status::non_canonical:
        return 8;
    case cookie_status::unknown_key:
        return 9;
    case cookie_status::missing:
        return 10;
    }
    return 1;
}

std::string value_of(const arguments& given)
{
    std::string value = given.text();
    while (value.ends_with('\n') || value.ends_with('\r'))
        value.pop_back();
    return value;
}

funcptr::dialect_verdict verify(const funcptr::cookie_dialect& codec, const std::string& value,
                                const std::optional<std::string>& signature)
{
    if (codec.signature_name().empty() != !signature)
        throw std::invalid_argument(signature ? "--signature: this format has it in the value"
                                              : "--signature is needed: the value of the cookie "
                                                    + codec.signature_name());
    return signature ? codec.verify(value, *signature) : codec.verify(value);
}

// --- sign, verify --------------------------------------------------------------------------------

funcptr::cookie_dialect codec_of(arguments& given)
{
    const std::string name = given.take("--dialect", "native");
    const key_source keys(given);
    if (!keys)
        throw std::invalid_argument("one of --keys and --keys-env is needed");
    auto codec = dialect_named(name).make(&keys, given, common_options(given));
    given.nothing_left(given.verb() + " with the dialect " + name);
    return codec;
}

int sign(arguments given)
{
    const funcptr::issue_facts facts{.lifetime = given.take_seconds("--lifetime")};
    const auto codec = codec_of(given);
    const std::string value = codec.sign(given.text(), facts);
    std::cout << value << '\n';
    if (!codec.signature_name().empty())
        std::cout << codec.signature_of(value) << '\n';
    return 0;
}

int verify(arguments given)
{
    const bool header = given.take_flag("--header");
    const auto signature = given.take("--signature");
    const auto codec = codec_of(given);
    const auto verdict = header ? funcptr::verify_any(codec, value_of(given))
                                : verify(codec, value_of(given), signature);
    if (!verdict)
        std::cerr << "cookie_tool: " << verdict.reason << '\n';
    else if (!verdict.advice.empty())
        std::cerr << "cookie_tool: " << verdict.advice << '\n';
    if (verdict)
        std::cout << verdict.data << '\n';
    return exit_status(verdict.status);
}

// --- explain -------------------------------------------------------------------------------------

/// Nothing that a terminal would obey.
std::string printable(std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string made;
    for (const char each : text) {
        const auto octet = static_cast<unsigned char>(each);
        if (octet >= 0x20 && octet < 0x7F && each != '\\')
            made += each;
        else
            made += {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
    }
    return made;
}

std::string date_of(std::chrono::system_clock::time_point when)
{
    const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
    std::tm parts = {};
    char text[32] = "?";
    if (::gmtime_r(&seconds, &parts) != nullptr)
        std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

void print(const std::string& name, const std::string& value)
{
    std::cout << name << std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') << value << '\n';
}

void print(const funcptr::dialect_verdict& verdict)
{
    print("verdict", to_string(verdict.status));
    if (!verdict)
        print("reason", verdict.reason);
    if (verdict.authentic()) {
        print("key", std::to_string(verdict.key_index)
                         + (verdict.key_index == 0 ? " (current)" : " (retired)"));
        if (verdict.issued != std::chrono::system_clock::time_point())
            print("issued", date_of(verdict.issued));
        if (verdict.expires)
            print("expires", date_of(*verdict.expires));
        if (verdict.created)
            print("created", date_of(*verdict.created));
    }
    if (verdict)
        print("data", printable(verdict.data));
    if (!verdict.advice.empty())
        print("advice", std::string(verdict.advice));
}

/// Nothing when it is not of this format. When the format was named, a verdict says why.
std::optional<cookie_status> explain(const named_dialect& dialect, const key_source* keys,
                                     arguments& given, const std::string& value,
                                     const std::optional<std::string>& signature, bool guessed)
{
    arguments spare = given; // what the format takes without keys it takes with them again
    const auto open = dialect.make(nullptr, spare, common_options(spare));
    if (guessed && open.signature_name().empty() != !signature)
        return std::nullopt; // of two cookies, or of one
    const auto fields = open.explain(value);
    if (fields.empty() && (guessed || keys == nullptr))
        return std::nullopt;
    print("dialect", dialect.name);
    for (const auto& field : fields)
        print(field.name, field.value); // printable already
    if (keys == nullptr)
        return cookie_status::ok;
    try {
        auto options = common_options(given);
        const auto codec = dialect.make(keys, given, options);
        const auto verdict = verify(codec, value, signature);
        print(verdict);
        return verdict.status;
    } catch (const std::exception& failed) {
        if (!guessed)
            throw;
        print("verdict", std::string("not tried: ") + failed.what());
        return cookie_status::bad_signature;
    }
}

int explain(arguments given)
{
    const auto name = given.take("--dialect");
    const auto signature = given.take("--signature");
    const key_source source(given);
    const key_source* const keys = source ? &source : nullptr;
    const std::string value = value_of(given);
    if (name) {
        const auto& dialect = dialect_named(*name);
        arguments checked = given;
        dialect.make(nullptr, checked, common_options(checked));
        checked.nothing_left("explain with the dialect " + *name);
        const auto status = explain(dialect, keys, given, value, signature, false);
        if (!status)
            std::cerr << "cookie_tool: it is not of the format " << *name << '\n';
        return exit_status(status.value_or(cookie_status::malformed));
    }
    arguments checked = given;
    common_options(checked);
    checked.nothing_left("explain without --dialect");
    std::optional<cookie_status> best;
    for (const auto& dialect : all_dialects()) {
        arguments own = given;
        const auto status = explain(dialect, keys, own, value, signature, true);
        if (status)
            std::cout << '\n';
        if (status && (!best || *status == cookie_status::ok))
            best = status;
    }
    if (!best)
        std::cerr << "cookie_tool: no format fits\n";
    return exit_status(best.value_or(cookie_status::malformed));
}

// --- the rest ------------------------------------------------------------------------------------

int rotate(arguments given)
{
    const auto file = given.take("--keys");
    const auto keep = given.take_number("--keep");
    given.nothing_left("rotate");
    if (!file)
        throw std::invalid_argument("--keys is needed: the file that gets a new key");
    if (keep == 0)
        throw std::invalid_argument("--keep: the new key stays in any case");
    std::cout << rotate_keys(*file, static_cast<std::size_t>(keep.value_or(0))) << '\n';
    return 0;
}

int generate_key(const arguments& given)
{
    given.nothing_left("generate-key");
    std::cout << funcptr::keyring::generate_text() << '\n';
    return 0;
}

int list_dialects()
{
    for (const auto& each : all_dialects())
        std::cout << each.name << std::string(24 - std::string_view(each.name).size(), ' ')
                  << each.about << '\n';
    return 0;
}

int run(const std::vector<std::string>& words)
{
    const std::string verb = words.empty() ? "" : words[0];
    if (verb == "--help")
        return std::cout << usage, 0;
    if (verb == "--version")
        return std::cout << "cookie_tool (funcptr " << funcptr::version() << ")\n", 0;
    if (verb == "--list-dialects")
        return list_dialects();
    if (verb == "sign")
        return sign(arguments(words));
    if (verb == "verify")
        return verify(arguments(words));
    if (verb == "explain")
        return explain(arguments(words));
    if (verb == "rotate")
        return rotate(arguments(words));
    if (verb == "generate-key")
        return generate_key(arguments(words));
    return std::cerr << usage, 1;
}

} // namespace

int main(int argc, char** argv)
try {
    const int status = run({argv + (argc > 0 ? 1 : 0), argv + argc});
    if (!std::cout.flush())
        throw std::runtime_error("cannot write the output");
    return status;
} catch (const std::exception& failed) {
    std::cerr << "cookie_tool: " << failed.what() << '\n';
    return 1;
}
