// SPDX-License-Identifier: MIT
//
// dialect_rails.h: what Rails puts around a message that has a purpose or an expiry. From
// ActiveSupport's messages/metadata.rb, of 6.1 and of 7.1:
//
//     {"_rails":{"message":base64(data),"exp":date or null,"pur":purpose or null}}
//     {"_rails":{"data":data,"exp":date,"pur":purpose}}          ; absent ones are left out
//
// Without both, the message is the data.
#pragma once

#include <funcptr/cookie_dialects.h>

#include "dialect_codec.h"

namespace funcptr::detail {

struct rails_rules {
    std::optional<std::string> purpose = {}; ///< of rails_format
    bool purpose_optional = false;           ///< takes a message without a purpose, too
    bool unsafe_marshal = false;
    dialects::rails_format::envelope wrap = dialects::rails_format::envelope::message;
};

/// Sets the data, the expiry and the status of a genuine message.
void unwrap_rails(std::string_view message, const rails_rules& rules, time_point now,
                  dialect_verdict& out);
/// Throws std::invalid_argument for data that it could not give back.
std::string wrap_rails(std::string_view data, const rails_rules& rules,
                       std::optional<time_point> expires);
/// The fields of a message, wrapped or not.
void lay_open_rails(std::string_view message, cookie_fields& out);

} // namespace funcptr::detail
