// SPDX-License-Identifier: MIT
//
// cookie_tool.cc: signs and verifies cookies on the command line, and makes keys for them.
//
// Build: c++ -std=c++20 -O2 cookie_tool.cc $(pkg-config --cflags --libs funcptr) -o cookie_tool
// Run:   (umask 077; ./cookie_tool generate-key > keys)
//        ./cookie_tool sign --keys keys --name session user=42
//        ./cookie_tool verify --keys keys --name session VALUE
//
// Production adds: keys from where it keeps its secrets, and a new one in front from time to time.
#include <funcptr/signed_cookie.h>
#include <funcptr/version.h>

#include <charconv>
#include <iostream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace {

constexpr const char* usage =
    "usage: cookie_tool generate-key\n"
    "       cookie_tool sign   KEYS --name NAME [--max-age SECONDS] [DATA]\n"
    "       cookie_tool verify KEYS --name NAME [--max-age SECONDS] [VALUE]\n"
    "       cookie_tool --help | --version\n"
    "KEYS is --keys FILE or --keys-env VARIABLE: one key on a line, the current one first.\n"
    "Without DATA or VALUE, standard input is read to its end (of VALUE without the line's).\n"
    "sign: prints the value; --max-age gives it an expiry of its own.\n"
    "verify: prints the data; --max-age (default 43200, 0: no limit) is how old it may be.\n"
    "exit status: 0 good, 1 wrong usage or trouble, 2 the cookie did not verify\n";

struct arguments {
    std::string command;
    std::map<std::string, std::string> options = {};
    std::string text = {};
};

arguments parse(const std::vector<std::string>& words)
{
    arguments parsed{.command = words.at(0)};
    bool has_text = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].starts_with("--")) {
            const bool known = words[i] == "--keys" || words[i] == "--keys-env"
                               || words[i] == "--name" || words[i] == "--max-age";
            if (!known || i + 1 == words.size())
                throw std::invalid_argument(words[i]
                                            + (known ? " needs a value" : ": unknown option"));
            if (!parsed.options.emplace(words[i], words[i + 1]).second)
                throw std::invalid_argument(words[i] + " is there twice");
            ++i;
            continue;
        }
        if (has_text)
            throw std::invalid_argument("one text at most; quote one that has spaces");
        parsed.text = words[i];
        has_text = true;
    }
    if (!has_text && parsed.command != "generate-key")
        parsed.text.assign(std::istreambuf_iterator<char>(std::cin), {});
    return parsed;
}

funcptr::keyring keys_of(const arguments& from)
{
    const auto file = from.options.find("--keys"), variable = from.options.find("--keys-env");
    if ((file == from.options.end()) == (variable == from.options.end()))
        throw std::invalid_argument("one of --keys and --keys-env is needed");
    return file != from.options.end()
               ? funcptr::keyring::from_file(file->second)
               : funcptr::keyring::from_environment(variable->second.c_str());
}

std::optional<std::chrono::seconds> max_age_of(const arguments& from)
{
    const auto option = from.options.find("--max-age");
    if (option == from.options.end())
        return std::nullopt;
    const auto& text = option->second;
    long long seconds = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (end.ec != std::errc() || end.ptr != text.data() + text.size() || seconds < 0)
        throw std::invalid_argument("--max-age: not a number of seconds");
    return std::chrono::seconds(seconds);
}

int run(arguments given)
{
    if (given.command == "generate-key")
        return std::cout << funcptr::keyring::generate_text() << '\n', 0;
    const auto name = given.options.find("--name");
    if (name == given.options.end())
        throw std::invalid_argument("--name is needed: it is bound into the signature");
    const auto max_age = max_age_of(given);
    funcptr::cookie_options options;
    if (max_age && given.command == "verify")
        options.max_age = *max_age;
    const funcptr::signed_cookie codec(name->second, keys_of(given), options);
    if (given.command == "sign")
        return std::cout << codec.sign(given.text, max_age) << '\n', 0;

    while (given.text.ends_with('\n') || given.text.ends_with('\r'))
        given.text.pop_back();
    const auto verdict = codec.verify(given.text);
    if (!verdict)
        return std::cerr << "cookie_tool: " << verdict.reason << '\n', 2;
    if (verdict.reissue)
        std::cerr << "cookie_tool: " << verdict.advice << '\n';
    return std::cout << verdict.data << '\n', 0;
}

} // namespace

int main(int argc, char** argv)
try {
    const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    const std::string command = words.empty() ? "" : words[0];
    if (command == "--help")
        return std::cout << usage, 0;
    if (command == "--version")
        return std::cout << "cookie_tool (funcptr " << funcptr::version() << ")\n", 0;
    if (command != "generate-key" && command != "sign" && command != "verify")
        return std::cerr << usage, 1;
    const int status = run(parse(words));
    if (!std::cout.flush())
        throw std::runtime_error("cannot write the output");
    return status;
} catch (const std::exception& failed) {
    std::cerr << "cookie_tool: " << failed.what() << '\n';
    return 1;
}
