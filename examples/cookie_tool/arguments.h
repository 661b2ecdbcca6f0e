// SPDX-License-Identifier: MIT
//
// arguments.h: a command line of a verb, options and at most one text.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

class arguments {
public:
    /// Throws std::invalid_argument for an option without its value, one that is there twice, and a
    /// second text.
    explicit arguments(const std::vector<std::string>& words);

    const std::string& verb() const { return verb_; }
    /// The text, or all of standard input.
    std::string text() const;

    /// An option's value; each is asked for once. Throws std::invalid_argument for what is not a
    /// number, or not one of those that are allowed, and names the option.
    std::optional<std::string> take(const std::string& option);
    std::string take(const std::string& option, const std::string& otherwise);
    bool take_flag(const std::string& option);
    std::optional<long long> take_number(const std::string& option);
    std::optional<std::chrono::seconds> take_seconds(const std::string& option);
    std::vector<std::string> take_list(const std::string& option); ///< "a,b"
    template <typename Value>
    Value take_one_of(const std::string& option, const std::map<std::string, Value>& all,
                      Value otherwise)
    {
        const auto given = take(option);
        if (!given)
            return otherwise;
        const auto found = all.find(*given);
        if (found != all.end())
            return found->second;
        std::string names;
        for (const auto& [name, value] : all)
            names += " " + name;
        refuse(option + " is one of" + names);
    }

    /// Throws std::invalid_argument for an option that nobody asked for.
    void nothing_left(const std::string& for_what) const;

private:
    [[noreturn]] static void refuse(const std::string& why);

    std::string verb_;
    std::map<std::string, std::string> options_;
    std::optional<std::string> text_;
};
