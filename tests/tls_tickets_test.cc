// SPDX-License-Identifier: MIT
//
// The ring of ticket keys by itself, with the clock in the test's hand; tls_context_test.cc shows
// it in handshakes.
#include "../src/detail/tls_tickets.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using funcptr::detail::tls_ticket_keys;
using clock_type = tls_ticket_keys::clock;

TEST(TlsTickets, AKeyOfItsOwnIsReplacedWhenItIsOldAndTheOneBeforeStillOpens)
{
    tls_ticket_keys keys({});
    const auto start = clock_type::now();
    const auto first = keys.sealing(start);
    const auto early = keys.sealing(start + tls_ticket_keys::own_key_life / 2);
    EXPECT_EQ(first.name, early.name);

    const auto second = keys.sealing(start + tls_ticket_keys::own_key_life * 3 / 2);
    EXPECT_NE(first.name, second.name);
    EXPECT_NE(first.cipher, second.cipher);
    std::size_t age = 9;
    ASSERT_NE(keys.opening(first.name.data(), age), nullptr);
    EXPECT_EQ(age, 1u);
    ASSERT_NE(keys.opening(second.name.data(), age), nullptr);
    EXPECT_EQ(age, 0u);

    (void)keys.sealing(start + tls_ticket_keys::own_key_life * 3);
    EXPECT_EQ(keys.opening(first.name.data(), age), nullptr) << "two keys are kept, not three";
}

TEST(TlsTickets, KeysFromASecretAreTheSameEverywhereAndStay)
{
    const std::string secret(32, 's');
    tls_ticket_keys here({secret});
    tls_ticket_keys there({secret});
    const auto now = clock_type::now();
    EXPECT_EQ(here.sealing(now).cipher, there.sealing(now).cipher);
    EXPECT_EQ(here.sealing(now).name, here.sealing(now + tls_ticket_keys::own_key_life * 10).name);
    EXPECT_NE(here.sealing(now).cipher, here.sealing(now).mac);
}

} // namespace
