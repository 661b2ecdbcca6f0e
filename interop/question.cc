// SPDX-License-Identifier: MIT
#include "question.h"

#include <algorithm>
#include <cmath>

namespace interop {

using std::chrono::seconds;

namespace {

std::string secret_of(const row& of, draw& random)
{
    const auto length = random.size(of.shortest_secret, of.longest_secret);
    switch (of.keys) {
    case row::secret::bytes:
        return random.bytes(length);
    case row::secret::text:
        return random.text(length);
    case row::secret::ascii:
        return random.ascii(length);
    }
    return {};
}

/// JSON that is not too long, even when all its characters are escaped.
template <typename Make>
json not_longer(std::size_t most, const Make& make)
{
    for (;;) {
        json made = make();
        if (made.dump(-1, ' ', true).size() <= most)
            return made;
    }
}

void add_content(const row& of, draw& random, json& question)
{
    constexpr std::string_view octets =
        "!#$&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`"
        "abcdefghijklmnopqrstuvwxyz{|}~";
    const auto length = random.once_in(8) ? 0 : random.size(0, of.most_content);
    switch (of.holds) {
    case row::content::object:
        question["value"] =
            not_longer(of.most_content, [&] { return random.object(3, random.size(1, 6)); });
        break;
    case row::content::any:
        question["value"] = not_longer(of.most_content, [&] { return random.value(4); });
        break;
    case row::content::bytes:
        question["data"] = to_hex(random.bytes(length));
        break;
    case row::content::text:
        question["data"] = to_hex(random.text(length / 5));
        break;
    case row::content::octets:
        question["data"] = to_hex(random.of(octets, std::max<std::size_t>(1, length)));
        break;
    case row::content::decided:
        break;
    }
    if (of.compresses && random.once_in(3)) {
        std::string repeated;
        const auto piece = random.text(random.size(1, 20));
        for (auto left = random.number(2, 300); left > 0; --left)
            repeated += piece;
        question["value"] = {{"x", repeated}};
    }
}

void drop_null(json& session)
{
    for (auto each = session.begin(); each != session.end();)
        each = each->is_null() ? session.erase(each) : std::next(each);
    session["x"] = 1; // or nothing may be left
}

funcptr::cookie_dialect codec_at(const row& of, const json& question, std::int64_t now)
{
    funcptr::dialect_options options;
    options.name = question["name"];
    if (of.limit == row::time::age)
        options.max_age =
            seconds(question["max_age"].is_null() ? 0 : question["max_age"].get<std::int64_t>());
    options.skew = seconds(0);
    options.clock = [now] { return time_point(seconds(now)); };
    return of.ours(question, options);
}

/// What JSON can carry to the peer.
bool is_utf8(const std::string& text)
try {
    return !json(text).dump().empty();
} catch (const json::exception&) {
    return false;
}

} // namespace

json question_about(const row& of, draw& random)
{
    json made{{"dialect", of.dialect}, {"secrets", json::array()}};
    for (auto left = random.size(1, of.most_secrets); left > 0;) {
        const json secret = to_hex(secret_of(of, random));
        const auto& all = made["secrets"];
        if (std::find(all.begin(), all.end(), secret) != all.end())
            continue;
        made["secrets"].push_back(secret);
        --left;
    }
    // Not "path" or "expires": Python takes those for attributes.
    made["name"] =
        "n_" + random.of("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_", random.size(0, 20));
    made["now"] = random.once_in(4) ? random.number(1 << 21, std::int64_t{1} << 33)
                                    : random.number(1000000000, 2000000000);
    const char* const member = of.limit == row::time::lifetime ? "lifetime" : "max_age";
    if (of.may_last && random.once_in(8))
        made[member] = nullptr;
    else
        made[member] = of.age_unit
                       * (random.once_in(4) ? random.number(2, 60 * 86400 / of.age_unit)
                                            : random.number(2, 20));
    of.draw_more(random, made);
    add_content(of, random, made);
    if (of.drops_null)
        drop_null(made["value"]);
    return made;
}

json with_one_key(json question, std::size_t index)
{
    for (const char* const list : {"secrets", "key_versions", "password_ids", "block_keys"}) {
        if (question.contains(list))
            question[list] = json::array({question[list][index]});
    }
    return question;
}

std::int64_t allowed_age(const row& of, const json& question, draw& random)
{
    const auto& limit = question[of.limit == row::time::lifetime ? "lifetime" : "max_age"];
    if (of.limit == row::time::none || limit.is_null())
        return random.number(0, 100 * 86400);
    return random.once_in(3) ? limit.get<std::int64_t>() + of.grace
                             : random.number(0, limit.get<std::int64_t>() + of.grace);
}

json issue_of(json question)
{
    question["do"] = "issue";
    return question;
}

json verify_of(json question, const cookie& given, std::int64_t at)
{
    question["do"] = "verify";
    question["cookie"] = given.value;
    if (!given.signature.empty())
        question["signature"] = given.signature;
    question["now"] = at;
    for (const char* const member : {"value", "data"})
        question.erase(member);
    return question;
}

// --- ours ----------------------------------------------------------------------------------------

std::int64_t now_of(const json& question)
{
    return question["now"];
}

std::optional<time_point> created_of(const json& question)
{
    if (!question.contains("created"))
        return std::nullopt;
    const double since = question["created"];
    const double whole = std::floor(since);
    const std::chrono::nanoseconds rest(std::llround((since - whole) * 1e9));
    return time_point(seconds(static_cast<std::int64_t>(whole)) + rest);
}

cookie sign(const row& of, const json& question, std::string_view data)
{
    const auto codec = codec_at(of, question, now_of(question));
    funcptr::issue_facts facts{.created = created_of(question)};
    if (of.limit == row::time::lifetime && !question["lifetime"].is_null())
        facts.lifetime = seconds(question["lifetime"].get<std::int64_t>());
    cookie made{.value = codec.sign(data, facts)};
    if (!codec.signature_name().empty())
        made.signature = codec.signature_of(made.value);
    return made;
}

funcptr::dialect_verdict verify(const row& of, const json& question, const cookie& given,
                                std::int64_t at)
{
    const auto codec = codec_at(of, question, at);
    return codec.signature_name().empty() ? codec.verify(given.value)
                                          : codec.verify(given.value, given.signature);
}

std::string serialized(const row& of, draw& random, const json& question)
{
    if (of.serialized)
        return of.serialized(random, question);
    return question.contains("value")
               ? question["value"].dump(-1, ' ', of.ascii_json || random.once_in(2))
               : from_hex(question["data"].get<std::string>());
}

// --- tampering -----------------------------------------------------------------------------------

std::string tampered(std::string text, draw& random)
{
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/|:*~!%";
    const std::string before = text;
    while (text == before || text.empty() || !is_utf8(text)) {
        text = before;
        const auto at = random.size(0, text.size() - 1);
        switch (random.number(0, 6)) {
        case 0:
            text.erase(at, 1);
            break;
        case 1:
            text.insert(at, random.of(alphabet, 1));
            break;
        case 2:
            text.resize(at);
            break;
        case 3:
            text += random.of(alphabet, random.size(1, 4));
            break;
        case 4:
            std::swap(text[at], text[random.size(0, text.size() - 1)]);
            break;
        default:
            text[at] = random.of(alphabet, 1)[0];
        }
    }
    return text;
}

} // namespace interop
