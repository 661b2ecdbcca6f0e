// SPDX-License-Identifier: MIT
#include "arguments.h"

#include <charconv>
#include <iostream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>

namespace {

const std::set<std::string> flags{"--header",         "--hex",           "--lenient",
                                  "--legacy-sha1",    "--trailing-junk", "--unescaped",
                                  "--unsafe-marshal", "--url-safe"};

} // namespace

arguments::arguments(const std::vector<std::string>& words)
    : verb_(words.at(0))
{
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (!word.starts_with("--")) {
            if (text_)
                refuse("one text at most; quote one that has spaces");
            text_ = word;
            continue;
        }
        const bool is_flag = flags.contains(word);
        if (!is_flag && i + 1 == words.size())
            refuse(word + " needs a value");
        if (!options_.emplace(word, is_flag ? "" : words[++i]).second)
            refuse(word + " is there twice");
    }
}

std::string arguments::text() const
{
    return text_ ? *text_ : std::string(std::istreambuf_iterator<char>(std::cin), {});
}

std::optional<std::string> arguments::take(const std::string& option)
{
    const auto found = options_.find(option);
    if (found == options_.end())
        return std::nullopt;
    std::string value = found->second;
    options_.erase(found);
    return value;
}

std::string arguments::take(const std::string& option, const std::string& otherwise)
{
    return take(option).value_or(otherwise);
}

bool arguments::take_flag(const std::string& option)
{
    return take(option).has_value();
}

std::optional<long long> arguments::take_number(const std::string& option)
{
    const auto text = take(option);
    if (!text)
        return std::nullopt;
    long long number = 0;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), number);
    // Below 2^33: a time that a clock of nanoseconds can hold, which ends 20 years later, in 2262.
    if (end.ec != std::errc() || end.ptr != text->data() + text->size() || number < 0
        || number >= 1LL << 33)
        refuse(option + ": '" + *text + "' is not a number below 2^33");
    return number;
}

std::optional<std::chrono::seconds> arguments::take_seconds(const std::string& option)
{
    const auto number = take_number(option);
    return number ? std::optional(std::chrono::seconds(*number)) : std::nullopt;
}

std::vector<std::string> arguments::take_list(const std::string& option)
{
    std::vector<std::string> all;
    std::istringstream text(take(option, ""));
    for (std::string each; std::getline(text, each, ',');)
        all.push_back(each);
    return all;
}

void arguments::nothing_left(const std::string& for_what) const
{
    if (!options_.empty())
        refuse(options_.begin()->first + " is not an option of " + for_what);
}

void arguments::refuse(const std::string& why)
{
    throw std::invalid_argument(why);
}
