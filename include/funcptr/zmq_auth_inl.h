// SPDX-License-Identifier: MIT
//
// zmq_auth_inl.h: the bodies of zmq_auth.h; include that. The protocol is RFC 27 (ZAP),
// https://rfc.zeromq.org/spec/27/.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "zmq_auth.h"

namespace funcptr {

namespace detail {

inline constexpr std::size_t zap_longest_field = 255; // PLAIN's own bound (RFC 24)

inline std::string z85(const std::string& key)
{
    std::array<char, 41> text{};
    zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(key.data()), 32);
    return text.data();
}

/// Takes as long for any two texts of those lengths, wherever they differ.
inline bool same_secret(std::string_view a, std::string_view b) noexcept
{
    const volatile char* const left = a.data();
    const volatile char* const right = b.data();
    unsigned difference = a.size() != b.size() ? 1 : 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const char other = b.empty() ? '\0' : right[i % b.size()];
        difference |= static_cast<unsigned char>(left[i])
                      ^ static_cast<unsigned>(static_cast<unsigned char>(other));
    }
    return difference == 0;
}

inline void check_zap_field(const std::string& what, const std::string& text)
{
    if (text.empty() || text.size() > zap_longest_field)
        throw error(errc::bad_spec, "the " + what + " has " + std::to_string(text.size())
                                        + " bytes: 1 to 255 are allowed");
}

/// What a peer sent, fit for a log line.
inline std::string printable(const std::string& text)
{
    std::string shown;
    for (const char c : text.substr(0, zap_longest_field))
        shown += c >= ' ' && c != '\x7f' ? c : '?';
    return shown;
}

/// The next word of a line, and at which column it begins.
struct allow_list_words {
    std::string_view line;
    std::size_t at = 0;
    std::size_t column = 1;

    std::string next()
    {
        const auto begin = line.find_first_not_of(" \t\r", at);
        if (begin == line.npos || line[begin] == '#') {
            column = at + 1;
            at = line.size();
            return {};
        }
        at = std::min(line.find_first_of(" \t\r", begin), line.size());
        column = begin + 1;
        return std::string(line.substr(begin, at - begin));
    }
};

} // namespace detail

// --- the list ---------------------------------------------------------------------------------

inline zmq_allow_list zmq_allow_list::from_file(const std::string& path, std::size_t limit)
{
    std::ifstream file(path, std::ios::binary);
    // An entry takes half of this; the rest is for comments.
    const std::size_t most = 1024 * (std::min<std::size_t>(limit, 1'000'000'000) + 1024);
    std::string text;
    std::array<char, 4096> block{};
    while (file.read(block.data(), block.size()), file.gcount() != 0) {
        text.append(block.data(), static_cast<std::size_t>(file.gcount()));
        if (text.size() > most)
            throw error(errc::limit, path + ": more than " + std::to_string(most) + " bytes for "
                                         + std::to_string(limit) + " entries");
    }
    if (!file.eof()) // it could not be opened, or not be read: a directory
        throw error(errno_code(errno),
                    "cannot read " + path + ": " + std::generic_category().message(errno));
    return parse(text, path, limit);
}

inline zmq_allow_list zmq_allow_list::parse(std::string_view text, const std::string& name,
                                            std::size_t limit)
{
    zmq_allow_list list(limit);
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        detail::allow_list_words words{line};
        try {
            list.add_words(words);
        } catch (const error& wrong) {
            throw error(wrong.code(), name + ":" + std::to_string(number) + ":"
                                          + std::to_string(words.column) + ": " + wrong.what());
        }
    }
    return list;
}

inline void zmq_allow_list::add_words(detail::allow_list_words& words)
{
    const auto kind = words.next();
    if (kind.empty())
        return;
    const bool curve = kind == "curve";
    const bool plain = kind == "plain";
    if (!curve && !plain && kind != "null")
        throw error(errc::bad_spec,
                    "'" + detail::printable(kind) + "' is none of curve, plain, null");
    const auto first = words.next();
    if (first.empty())
        throw error(errc::bad_spec, curve   ? "a public key in Z85 is missing"
                                    : plain ? "a name is missing"
                                            : "a domain is missing");
    if (!curve && !plain)
        allow_null(first);
    else if (curve)
        allow_curve_words(first, words);
    else
        allow_plain(first, words.next());
    const auto end = words.next();
    if (!end.empty())
        throw error(errc::bad_spec, "'" + detail::printable(end) + "' is one word too many");
}

inline void zmq_allow_list::allow_curve_words(const std::string& key,
                                              detail::allow_list_words& words)
{
    if (key.size() != 40)
        return allow_curve(key); // tells what is wrong, at the key's column
    allow_curve(key, words.next());
}

inline void zmq_allow_list::check_room(bool replaces) const
{
    if (!replaces && size() >= limit_)
        throw error(errc::limit, "more than " + std::to_string(limit_) + " entries");
}

inline void zmq_allow_list::allow_curve(const std::string& public_key, const std::string& user_id)
{
    std::string key(32, '\0');
    if (public_key.size() != 40
        || zmq_z85_decode(reinterpret_cast<std::uint8_t*>(key.data()), public_key.c_str())
               == nullptr)
        throw error(errc::bad_key, "'" + detail::printable(public_key)
                                       + "' is not a public key: 40 characters of Z85");
    if (!user_id.empty())
        detail::check_zap_field("user id", user_id);
    check_room(curve_.count(key) != 0);
    curve_[std::move(key)] = user_id.empty() ? public_key : user_id;
}

inline void zmq_allow_list::allow_plain(const std::string& name, const std::string& password)
{
    detail::check_zap_field("name", name);
    detail::check_zap_field("password of " + detail::printable(name), password);
    check_room(plain_.count(name) != 0);
    plain_[name] = password;
}

inline void zmq_allow_list::allow_null(const std::string& domain)
{
    detail::check_zap_field("domain", domain);
    check_room(null_.count(domain) != 0);
    null_.insert(domain);
}

// --- the handler ------------------------------------------------------------------------------

inline zmq_auth::zmq_auth(ev::loop_ref loop, zmq::context_t& context, zmq_allow_list list)
    : zmq_event(loop, context, zmq::socket_type::rep)
    , list_(std::move(list))
{
    set(zmq::sockopt::linger, 0); // an answer that nobody takes is for nobody
    bind("inproc://zeromq.zap.01");
}

inline void zmq_auth::read()
{
    // Of the request: version, request id, domain, address, identity, mechanism, credentials.
    constexpr std::size_t most_frames = 9; // PLAIN has two credentials; one more shows too many
    std::vector<std::string> request;
    zmq::message_t frame;
    do {
        if (!recv(frame))
            return; // the context ends
        if (request.size() < most_frames)
            request.push_back(
                std::string(frame.data<char>(), std::min<std::size_t>(frame.size(), 4096)));
    } while (more());

    const auto answer = decide(request);
    ++(answer.allowed ? allowed_ : denied_);
    const auto id = request.size() > 1 ? request[1] : std::string();
    const std::array<std::string_view, 6> reply{"1.0",
                                                id,
                                                answer.status,
                                                answer.reason,
                                                answer.allowed ? std::string_view(answer.user)
                                                               : std::string_view(),
                                                ""};
    for (std::size_t i = 0; i < reply.size(); ++i)
        if (!send(reply[i], i + 1 < reply.size()))
            break; // who asked has gone
    on_decision_(answer);
}

inline zmq_auth_decision zmq_auth::decide(const std::vector<std::string>& request) const
{
    zmq_auth_decision answer;
    answer.status = "500";
    if (request.empty() || request[0] != "1.0") {
        answer.reason = "not a ZAP request of version 1.0";
        return answer;
    }
    if (request.size() < 6) {
        answer.reason = "a ZAP request with too few frames";
        return answer;
    }
    answer.domain = request[2];
    answer.address = request[3];
    answer.mechanism = request[5];
    const auto credentials = request.size() - 6;
    answer.status = "400";
    if (answer.mechanism == "CURVE" && credentials == 1 && request[6].size() == 32) {
        decide_curve(request[6], answer);
    } else if (answer.mechanism == "PLAIN" && credentials == 2) {
        decide_plain(request[6], request[7], answer);
    } else if (answer.mechanism == "NULL" && credentials == 0) {
        answer.allowed = list_.null_.count(answer.domain) != 0;
        answer.reason = answer.allowed ? "" : "the domain is not on the list";
    } else {
        answer.status = "500";
        answer.reason = "a mechanism or credentials that are not known";
    }
    if (answer.allowed)
        answer.status = "200";
    return answer;
}

inline void zmq_auth::decide_curve(const std::string& key, zmq_auth_decision& answer) const
{
    const auto found = list_.curve_.find(key);
    answer.allowed = found != list_.curve_.end();
    answer.user = answer.allowed ? found->second : detail::z85(key);
    if (!answer.allowed)
        answer.reason = "the key is not on the list";
}

inline void zmq_auth::decide_plain(const std::string& name, const std::string& password,
                                   zmq_auth_decision& answer) const
{
    const auto found = list_.plain_.find(name);
    // Compared also when nobody has the name, so that the time does not tell who has.
    const auto& known = found != list_.plain_.end() ? found->second : name;
    const bool same = detail::same_secret(password, known);
    answer.allowed = same && found != list_.plain_.end();
    answer.user = name;
    if (!answer.allowed)
        answer.reason = "the name or the password is wrong";
}

inline std::string zmq_auth_decision::text() const
{
    std::string line =
        "zap: " + status + " " + (mechanism.empty() ? "?" : detail::printable(mechanism));
    for (const auto& [what, value] : {std::pair{" user ", &user}, std::pair{" from ", &address},
                                      std::pair{" domain ", &domain}})
        if (!value->empty())
            line += what + detail::printable(*value);
    return reason.empty() ? line : line + ": " + reason;
}

} // namespace funcptr
