// SPDX-License-Identifier: MIT
#include <funcptr/cookie_migrator.h>

#include <stdexcept>

namespace funcptr {

namespace {

constexpr std::size_t most_dialects = 16;

} // namespace

cookie_migrator::cookie_migrator(std::vector<cookie_dialect> issuer_first)
    : all_(std::move(issuer_first))
{
    if (all_.empty())
        throw std::invalid_argument("cookie_migrator: there is no dialect");
    if (all_.size() > most_dialects)
        throw std::invalid_argument("cookie_migrator: " + std::to_string(all_.size())
                                    + " dialects are more than " + std::to_string(most_dialects));
    if (!all_.front().issues())
        throw std::invalid_argument("cookie_migrator: the first dialect is to issue, and "
                                    + all_.front().dialect() + " is only read");
}

cookie_migrator::verdict cookie_migrator::verify(std::string_view header,
                                                 const cookie_limits& limits) const
{
    verdict best;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        auto found = verify_any(all_[i], header, limits);
        // The first that is genuine; without one, the first that was there at all.
        if (i != 0 && !found && (best.authentic() || !found.authentic())
            && best.status != cookie_status::missing)
            continue;
        static_cast<dialect_verdict&>(best) = std::move(found);
        best.index = i;
        if (!best)
            continue;
        if (i != 0) {
            best.reissue = true;
            best.advice = "of another format: send a fresh one";
        }
        return best;
    }
    return best;
}

std::string cookie_migrator::sign(std::string_view data, const issue_facts& facts) const
{
    return all_.front().sign(data, facts);
}

} // namespace funcptr
