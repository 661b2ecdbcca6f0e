// SPDX-License-Identifier: MIT
//
// draw.h: random names, secrets, texts and JSON values. The same seed draws the same on every
// machine: the engine's numbers are taken as they are, since the standard's distributions differ.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>

namespace interop {

using json = nlohmann::json;

class draw {
public:
    explicit draw(std::uint64_t seed)
        : engine_(seed)
    {
    }

    /// Both ends included.
    std::int64_t number(std::int64_t low, std::int64_t high)
    {
        return low
               + static_cast<std::int64_t>(engine_()
                                           % (static_cast<std::uint64_t>(high - low) + 1));
    }
    std::size_t size(std::size_t low, std::size_t high)
    {
        return static_cast<std::size_t>(
            number(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)));
    }
    bool once_in(std::int64_t times) { return number(1, times) == 1; }
    template <typename Each>
    Each one_of(std::initializer_list<Each> all)
    {
        return all.begin()[size(0, all.size() - 1)];
    }

    std::string bytes(std::size_t length)
    {
        std::string made(length, '\0');
        for (char& each : made)
            each = static_cast<char>(number(0, 255));
        return made;
    }
    /// Of the characters given.
    std::string of(std::string_view alphabet, std::size_t length)
    {
        std::string made(length, '\0');
        for (char& each : made)
            each = alphabet[size(0, alphabet.size() - 1)];
        return made;
    }
    std::string ascii(std::size_t length)
    {
        std::string made(length, '\0');
        for (char& each : made)
            each = static_cast<char>(number(0x21, 0x7E));
        return made;
    }
    /// UTF-8 of all lengths, controls and what HTML and JavaScript escape among it.
    std::string text(std::size_t characters)
    {
        std::string made;
        for (std::size_t i = 0; i < characters; ++i) {
            switch (number(0, 9)) {
            case 0:
                made +=
                    one_of({"\n", "\t", "\"", "\\", "/", "<", ">", "&", "\x7F", "%", "+", "\x01"});
                break;
            case 1:
                made += one_of(
                    {"é", "ß", "ñ", "日", "本", "€", "🍪", "𝄞", "\u2028", "\u00A0", "\uFFFD"});
                break;
            default:
                made += static_cast<char>(number(0x20, 0x7E));
            }
        }
        return made;
    }
    /// What survives every JSON library: no fractions, integers below 2^53.
    json value(int depth)
    {
        switch (number(0, depth > 0 ? 6 : 4)) {
        case 0:
            return nullptr;
        case 1:
            return once_in(2);
        case 2:
            return number(-9007199254740991, 9007199254740991);
        case 3:
            return number(-9, 99);
        case 4:
            return text(size(0, 24));
        case 5: {
            json made = json::array();
            for (auto left = number(0, 4); left > 0; --left)
                made.push_back(value(depth - 1));
            return made;
        }
        default:
            return object(depth, size(0, 4));
        }
    }
    /// Names as an application's: those that mean something to a framework begin with other
    /// characters ("_", " ") or are methods of its objects.
    json object(int depth, std::size_t members)
    {
        json made = json::object();
        for (std::size_t i = 0; i < members; ++i)
            made["x" + (once_in(4) ? text(size(0, 5)) : ascii(size(0, 9)))] = value(depth - 1);
        return made;
    }

private:
    std::mt19937_64 engine_;
};

inline std::string to_hex(std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char each : bytes) {
        const auto octet = static_cast<unsigned char>(each);
        text += {digits[octet >> 4], digits[octet & 15]};
    }
    return text;
}

inline std::string from_hex(std::string_view text)
{
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
    return bytes;
}

} // namespace interop
