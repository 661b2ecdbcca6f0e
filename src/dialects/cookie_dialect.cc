// SPDX-License-Identifier: MIT
//
// The public face of a codec, and the search for a cookie that verifies.
#include <funcptr/cookie_dialect.h>

#include "detail/cookie_reason.h"
#include "detail/cookie_walk.h"
#include "detail/dialect_codec.h"

namespace funcptr {

cookie_dialect::cookie_dialect(std::shared_ptr<const detail::dialect_codec> codec) noexcept
    : codec_(std::move(codec))
{
}

const std::string& cookie_dialect::dialect() const noexcept
{
    return codec_->dialect();
}

const std::string& cookie_dialect::name() const noexcept
{
    return codec_->name();
}

const std::string& cookie_dialect::signature_name() const noexcept
{
    return codec_->signature_name();
}

bool cookie_dialect::issues() const noexcept
{
    return codec_->issues();
}

dialect_verdict cookie_dialect::verify(std::string_view value) const
{
    return codec_->verify(value, {});
}

dialect_verdict cookie_dialect::verify(std::string_view value, std::string_view signature) const
{
    return codec_->verify(value, signature);
}

std::string cookie_dialect::sign(std::string_view data, const issue_facts& facts) const
{
    return codec_->sign(data, facts);
}

std::string cookie_dialect::signature_of(std::string_view value) const
{
    return codec_->signature_of(value);
}

std::vector<cookie_field> cookie_dialect::explain(std::string_view value) const
{
    return codec_->explain(value);
}

// --- verify_any ---------------------------------------------------------------------------------

namespace {

constexpr std::size_t most_of_two = 8; // values, and signatures: 64 MACs for each key

std::string_view unquote(std::string_view value) noexcept
{
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        return value.substr(1, value.size() - 2);
    return value;
}

/// The best verdict until now.
class search {
public:
    search(std::string_view header, const cookie_limits& limits)
    {
        best.status =
            header.size() > limits.bytes ? cookie_status::too_long : cookie_status::missing;
        best.reason = detail::words_for(best.status);
    }
    /// False when nothing better can come.
    bool take(dialect_verdict&& verdict)
    {
        if (verdict || !best.authentic())
            best = std::move(verdict);
        return !best;
    }
    dialect_verdict best;
};

/// The values of a name, at most most_of_two.
struct values {
    std::array<std::string_view, most_of_two> all{};
    std::size_t count = 0;

    void add(std::string_view value) noexcept
    {
        if (count < all.size())
            all[count++] = unquote(value);
    }
};

dialect_verdict verify_any_pair(const cookie_dialect& codec, std::string_view header,
                                const cookie_limits& limits)
{
    search found(header, limits);
    values data, signatures;
    detail::walk_cookies(header, limits, [&](const cookie_pair& pair) {
        if (pair.name == codec.name())
            data.add(pair.value);
        else if (pair.name == codec.signature_name())
            signatures.add(pair.value);
        return true;
    });
    for (std::size_t i = 0; i < data.count; ++i)
        for (std::size_t j = 0; j < signatures.count; ++j)
            if (!found.take(codec.verify(data.all[i], signatures.all[j])))
                return std::move(found.best);
    return std::move(found.best);
}

} // namespace

dialect_verdict verify_any(const cookie_dialect& codec, std::string_view header,
                           const cookie_limits& limits)
{
    if (!codec.signature_name().empty())
        return verify_any_pair(codec, header, limits);
    search found(header, limits);
    detail::walk_cookies(header, limits, [&](const cookie_pair& pair) {
        return pair.name != codec.name() || found.take(codec.verify(unquote(pair.value)));
    });
    return std::move(found.best);
}

} // namespace funcptr
