// SPDX-License-Identifier: MIT
#include <stdexcept>

#include "detail/dialect_json.h"
#include "detail/dialect_rails.h"

namespace funcptr::detail {

namespace {

using envelope_kind = dialects::rails_format::envelope;

constexpr base64_form form{.url = false, .padded = true};
/// A hash of Marshal's that begins with the key "_rails": 7.1's envelope in Marshal. What it says
/// of expiry and purpose cannot be read here, so it is never taken.
constexpr std::string_view marshal_envelope = "\x04\x08{\x06I\"\x0b_rails";

/// What stands in an envelope, as raw JSON; empty: it is not there.
struct envelope {
    std::string_view message, data, expiry, purpose;
};

constexpr bool is_absent(std::string_view json) noexcept
{
    return json.empty() || json == "null";
}

/// The members of an object to visit(name, value). False when it is not an object.
template <class Visit>
bool each_member(std::string_view object, Visit visit)
{
    json_reader json(object);
    if (!json.take('{'))
        return false;
    if (json.take('}'))
        return json.done();
    do {
        const auto name = json.string();
        if (!name || !json.take(':'))
            return false;
        const auto value = json.value();
        if (!value)
            return false;
        visit(*name, *value);
    } while (json.take(','));
    return json.take('}') && json.done();
}

/// Nothing when the message has none.
std::optional<envelope> find_envelope(std::string_view message)
{
    std::string_view inside;
    const bool object = each_member(message, [&](const std::string& name, std::string_view value) {
        if (name == "_rails")
            inside = value;
    });
    if (!object || inside.empty())
        return std::nullopt;
    envelope found;
    each_member(inside, [&](const std::string& name, std::string_view value) {
        if (name == "message")
            found.message = value;
        else if (name == "data")
            found.data = value;
        else if (name == "exp")
            found.expiry = value;
        else if (name == "pur")
            found.purpose = value;
    });
    return found;
}

/// Whether Rails may take bare data for an envelope. Ruby's parser also takes comments, and escapes
/// that are none: what it could take for an object must be one to our reader, and have no "_rails".
bool may_be_envelope(std::string_view data)
{
    const auto start = std::min(data.find_first_not_of(" \t\r\n"), data.size());
    const auto rest = data.substr(start);
    if (rest.starts_with("/*") || rest.starts_with("//"))
        return true;
    const bool object = each_member(data, [](const std::string&, std::string_view) {});
    return rest.starts_with('{') && (!object || find_envelope(data));
}

/// False when it is neither absent nor a string.
bool read_text(std::string_view json, std::string& out)
{
    out.clear();
    if (is_absent(json))
        return true;
    auto text = json_unquote(json);
    if (text)
        out = std::move(*text);
    return text.has_value();
}

cookie_status read_data(const envelope& in, std::string& data)
{
    if (in.message.empty()) {
        data = in.data;
        return in.data.empty() ? cookie_status::malformed : cookie_status::ok;
    }
    const auto encoded = json_unquote(in.message);
    return encoded ? to_status(decode_base64(*encoded, data, form, false))
                   : cookie_status::malformed;
}

cookie_status check(const envelope& in, const rails_rules& rules, time_point now,
                    dialect_verdict& out)
{
    std::string expiry, purpose;
    if (!read_text(in.expiry, expiry) || !read_text(in.purpose, purpose))
        return cookie_status::malformed;
    if (purpose != rules.purpose.value_or("") && !(purpose.empty() && rules.purpose_optional))
        return cookie_status::wrong_name;
    if (expiry.empty())
        return cookie_status::ok;
    const auto at = parse_iso8601_ms(expiry);
    if (!at)
        return cookie_status::malformed;
    const auto most = last_second * 1000;
    out.expires = time_point(std::chrono::milliseconds(std::clamp(*at, -most, most)));
    return now < *out.expires ? cookie_status::ok : cookie_status::expired;
}

} // namespace

void unwrap_rails(std::string_view message, const rails_rules& rules, time_point now,
                  dialect_verdict& out)
{
    out.status = cookie_status::ok;
    if (const auto found = find_envelope(message)) {
        out.status = check(*found, rules, now, out);
        if (out)
            out.status = read_data(*found, out.data);
    } else if (!rules.purpose.value_or("").empty() && !rules.purpose_optional) {
        out.status = cookie_status::wrong_name; // it says none
    } else {
        out.data = message;
    }
    if (out && is_marshal(out.data)
        && (!rules.unsafe_marshal || out.data.starts_with(marshal_envelope)))
        out.status = cookie_status::malformed;
}

std::string wrap_rails(std::string_view data, const rails_rules& rules,
                       std::optional<time_point> expires)
{
    const bool marshal = is_marshal(data);
    const auto refuse = [](const char* why) {
        throw std::invalid_argument(std::string("dialects::rails: ") + why);
    };
    if (data.empty())
        refuse("Rails takes no empty message");
    if (marshal && !rules.unsafe_marshal)
        refuse("the data begin as Ruby's Marshal's do, which is unsafe_marshal's");
    const bool wraps = rules.purpose || expires;
    if (!wraps) {
        if (may_be_envelope(data))
            refuse("the data look like an envelope of Rails");
        return std::string(data);
    }
    const bool as_data = rules.wrap == envelope_kind::data && !marshal;
    std::string text = as_data ? R"({"_rails":{"data":)" : R"({"_rails":{"message":")";
    if (as_data) {
        if (!is_json_value(data))
            refuse("the data are not JSON, which this envelope needs");
        text += data;
    } else {
        append_base64(text, bytes_of(data), form);
        text += '"';
    }
    if (expires) {
        const auto ms = std::chrono::floor<std::chrono::milliseconds>(*expires);
        text += ",\"exp\":\"" + iso8601_ms(ms.time_since_epoch().count()) + '"';
    } else if (!as_data) {
        text += ",\"exp\":null";
    }
    if (rules.purpose)
        append_json_string(text += ",\"pur\":", *rules.purpose);
    else if (!as_data)
        text += ",\"pur\":null";
    return text + "}}";
}

void lay_open_rails(std::string_view message, cookie_fields& out)
{
    const auto found = find_envelope(message);
    if (!found) {
        out.add("data", message);
        return;
    }
    std::string data;
    if (read_data(*found, data) == cookie_status::ok)
        out.add("data", data);
    out.add("envelope", found->message.empty() ? "data" : "message");
    out.add("expires", is_absent(found->expiry) ? "never" : found->expiry);
    out.add("purpose", is_absent(found->purpose) ? "none" : found->purpose);
}

} // namespace funcptr::detail
