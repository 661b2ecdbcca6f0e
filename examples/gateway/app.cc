// SPDX-License-Identifier: MIT
#include "app.h"

#include <funcptr/cookie_header.h>
#include <funcptr/version.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <optional>

#include "page.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr auto session_age = 12h;
constexpr std::size_t publish_limit = 4096; // bytes of one message

const char* const plain_text = "text/plain; charset=utf-8";

header_list headers_for(const char* type)
{
    return {
        {"content-type", type},
        {"content-security-policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
         "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
        {"x-content-type-options", "nosniff"},
        {"referrer-policy", "no-referrer"},
        {"cache-control", "no-store"},
        // What is answered depends on the cookie: no cache in between may mix two users up.
        {"vary", "Cookie"},
    };
}

void answer(http2_stream& stream, int status, const char* sentence)
{
    stream.respond(status, headers_for(plain_text), std::string(sentence));
}

/// The request comes from a page of ours, and not from one that only uses the browser's cookie.
bool is_same_origin(const http_request& request)
{
    return request.header("origin") == "https://" + request.authority;
}

/// The value of one field of a form, undecoded: the names we accept need no escaping.
std::string_view form_field(std::string_view body, std::string_view name)
{
    while (!body.empty()) {
        const auto end = std::min(body.find('&'), body.size());
        const auto field = body.substr(0, end);
        if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '=')
            return field.substr(name.size() + 1);
        body.remove_prefix(std::min(end + 1, body.size()));
    }
    return {};
}

bool is_user_name(std::string_view name)
{
    return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
               || c == '_' || c == '-';
    });
}

} // namespace

app::app(feed& from, outlet& to, const funcptr::keyring& cookie_keys,
         std::function<counts()> connection_counts)
    : feed_(from)
    , outlet_(to)
    , session_("__Host-session", cookie_keys, {.max_age = session_age})
    , counts_(std::move(connection_counts))
{
}

void app::handle(http2_stream& stream)
{
    ++requests_;
    struct route {
        const char* method;
        const char* path;
        void (app::*show)(http2_stream&);
        const char* type;
        const char* body;
    };
    static const route routes[] = {
        {"GET", "/", nullptr, "text/html; charset=utf-8", page_html},
        {"GET", "/page.css", nullptr, "text/css; charset=utf-8", page_css},
        {"GET", "/page.js", nullptr, "text/javascript; charset=utf-8", page_js},
        {"GET", "/feed", &app::show_feed, nullptr, nullptr},
        {"GET", "/status", &app::show_status, nullptr, nullptr},
        {"POST", "/login", &app::log_in, nullptr, nullptr},
        {"POST", "/logout", &app::log_out, nullptr, nullptr},
        {"POST", "/publish", &app::publish, nullptr, nullptr},
    };
    const auto& request = stream.request();
    std::string_view method = request.method;
    if (method == "HEAD")
        method = "GET";
    bool known = false;
    for (const auto& each : routes) {
        if (request.path != each.path)
            continue;
        known = true;
        if (method != each.method)
            continue;
        if (method == "POST" && !is_same_origin(request))
            return answer(stream, 403, "the Origin is not this site's\n");
        if (each.show != nullptr)
            return (this->*each.show)(stream);
        return stream.respond(200, headers_for(each.type), std::string(each.body));
    }
    known ? answer(stream, 405, "not with this method\n") : answer(stream, 404, "no such page\n");
}

void app::show_feed(http2_stream& stream)
{
    if (feed_.full())
        return answer(stream, 503, "too many are watching already\n");
    // The stream owns its subscriber; both end together.
    const auto watching = std::make_shared<subscriber>(
        feed_, [&stream] { stream.resume(); }, [&stream] { stream.end(); });
    stream.on_close = [watching] {};
    stream.respond(
        200, headers_for("text/event-stream"),
        http2_stream::source([watching](std::span<char> room) { return watching->take(room); }));
}

std::string app::user_of(const http_request& request) const
{
    for (const auto& [name, value] : request.headers)
        if (name == "cookie") // HTTP/2 may split it into several (RFC 9113, 8.2.3)
            if (auto verdict = funcptr::verify_any(session_, value))
                return verdict.data;
    return {};
}

void app::log_in(http2_stream& stream)
{
    // For show: whoever comes gets the name that they ask for. A real one checks a password here.
    const auto user = form_field(stream.request().body, "user");
    if (!is_user_name(user))
        return answer(stream, 400, "user: 1 to 32 letters, digits, _ and - are needed\n");
    auto headers = headers_for(plain_text);
    headers.emplace_back("set-cookie", funcptr::make_set_cookie({.name = session_.name(),
                                                                 .value = session_.sign(user),
                                                                 .max_age = session_age}));
    stream.respond(200, headers, "welcome, " + std::string(user) + "\n");
}

void app::log_out(http2_stream& stream)
{
    auto headers = headers_for(plain_text);
    headers.emplace_back("set-cookie", funcptr::make_forget_cookie({.name = session_.name()}));
    stream.respond(200, headers, std::string("goodbye\n"));
}

void app::publish(http2_stream& stream)
{
    const auto& request = stream.request();
    const auto user = user_of(request);
    if (user.empty())
        return answer(stream, 401, "sign in first\n");
    if (request.body.empty() || request.body.size() > publish_limit)
        return answer(stream, request.body.empty() ? 400 : 413, "a message has 1 to 4096 bytes\n");
    // Two frames, who and what. A PUSH whose peer is gone or full refuses the first: nothing waits
    // here, the browser is told. (Once the first frame is taken, the second is.)
    if (!outlet_.send(user, true) || !outlet_.send(request.body))
        return answer(stream, 503, "nobody takes messages just now\n");
    ++published_;
    stream.respond(202, headers_for(plain_text), std::string("published\n"));
}

void app::show_status(http2_stream& stream)
{
    const auto& zmq = feed_.counters();
    const auto now = counts_();
    const auto up = std::chrono::steady_clock::now() - started_;
    nlohmann::json status = {
        {"version", funcptr::version()},
        {"commit_time", funcptr::version_time()},
        {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(up).count()},
        {"connections", now.connections},
        {"accepted", now.accepted},
        {"requests", requests_},
        {"published", published_},
        {"feed",
         {{"subscribers", feed_.subscribers()},
          {"messages", zmq.messages_received},
          {"bytes", zmq.bytes_received},
          {"missed", feed_.missed()},
          {"wakes", zmq.wakes},
          {"visits", zmq.visits}}},
    };
    const auto user = user_of(stream.request());
    status["user"] = user.empty() ? nlohmann::json() : nlohmann::json(user);
    stream.respond(200, headers_for("application/json"), status.dump(1) + "\n");
}

} // namespace gateway
