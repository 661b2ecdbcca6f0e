// SPDX-License-Identifier: MIT
//
// The contract of filter.h, over the filter that does nothing and over TLS: the same user code.

#include "funcptr/filter.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "funcptr/ssl_filter.h"
#include "funcptr/testing/pump.h"
#include "support/tls_pair.h"

namespace {

using namespace funcptr;
using namespace funcptr::testing;

static_assert(!std::is_copy_constructible_v<plain_filter>);
static_assert(std::is_nothrow_move_constructible_v<plain_filter>);
static_assert(std::is_nothrow_move_assignable_v<plain_filter>);

// -- plain_filter alone
// --------------------------------------------------------------------------------

TEST(PlainFilter, IsOpenFromTheStartAndCopiesNothing)
{
    plain_filter filter;
    EXPECT_EQ(filter.state(), filter_state::open);
    EXPECT_EQ(&filter.nread(), &filter.aread());
    EXPECT_EQ(&filter.nwrite(), &filter.awrite());
    EXPECT_NE(&filter.nread(), &filter.nwrite());
    EXPECT_FALSE(filter.cause());
    EXPECT_EQ(filter.memory(), 0U); // an idle one costs nothing
}

TEST(PlainFilter, ClosesWhenBothSidesEndedAndTheLastByteHasLeft)
{
    plain_filter filter;
    filter.awrite().append("bye");
    filter.close_write();
    filter.update();
    EXPECT_TRUE(filter.write_closed());
    EXPECT_FALSE(filter.read_closed());
    filter.input_eof();
    filter.update();
    EXPECT_TRUE(filter.read_closed());
    EXPECT_FALSE(filter.closed()); // three bytes are still to be sent
    filter.nwrite().consume(3);
    filter.update();
    EXPECT_TRUE(filter.closed());
    EXPECT_EQ(filter.cause().kind, close_kind::clean);
}

TEST(PlainFilter, HoldsNoMoreThanItsLimits)
{
    plain_filter filter({.read = 4, .write = 8});
    EXPECT_FALSE(filter.nread().append("12345"));
    EXPECT_TRUE(filter.nread().append("1234"));
    EXPECT_TRUE(filter.awrite().append("12345678"));
    EXPECT_FALSE(filter.awrite().append("9"));
}

TEST(PlainFilter, TrimGivesBackWhatIsEmptyAndKeepsWhatIsNot)
{
    plain_filter filter;
    filter.nread().append("held");
    filter.awrite().append(std::string(10'000, 'x'));
    filter.nwrite().clear();
    filter.trim();
    EXPECT_LT(filter.memory(), 10'000U);
    EXPECT_EQ(filter.aread().view(), "held");
}

TEST(CloseKind, EveryKindHasAName)
{
    std::set<std::string> names;
    for (int kind = 0; kind <= static_cast<int>(close_kind::internal); ++kind)
        names.insert(to_string(static_cast<close_kind>(kind)));
    EXPECT_EQ(names.size(), 8U);
    EXPECT_EQ(names.count("unknown"), 0U);
}

// -- the contract, over both
// -----------------------------------------------------------------------------

struct plain_ends {
    static plain_filter client() { return plain_filter(); }
    static plain_filter server() { return plain_filter(); }
};
struct tls_ends {
    static SSLFilter client() { return SSLFilter(tls_context(client_config())); }
    static SSLFilter server() { return SSLFilter(tls_context(server_config())); }
};

template <class Ends>
class FilterContract : public ::testing::Test {
protected:
    void each_cut(const std::function<void(filter&, filter&, pump&)>& body)
    {
        for (const auto& cut :
             {fragmentation::whole(), fragmentation::bytes(1), fragmentation::bytes(7),
              fragmentation::random(1), fragmentation::random(2, 100)}) {
            SCOPED_TRACE(cut.name());
            auto client = Ends::client();
            auto server = Ends::server();
            pump network(client, server, cut);
            body(client, server, network);
        }
    }
};

using engines = ::testing::Types<plain_ends, tls_ends>;
TYPED_TEST_SUITE(FilterContract, engines);

TYPED_TEST(FilterContract, CarriesBytesInOrderBothWays)
{
    this->each_cut([](filter& client, filter& server, pump& network) {
        client.awrite().append("one ");
        client.awrite().append("two");
        server.awrite().append("three");
        ASSERT_TRUE(network.run());
        EXPECT_EQ(server.aread().view(), "one two");
        EXPECT_EQ(client.aread().view(), "three");
        EXPECT_EQ(client.state(), filter_state::open);
        EXPECT_TRUE(client.nwrite().empty());
        EXPECT_FALSE(client.pending());
    });
}

TYPED_TEST(FilterContract, AHalfClosedSideStillReceives)
{
    this->each_cut([](filter& client, filter& server, pump& network) {
        client.awrite().append("question");
        client.close_write();
        ASSERT_TRUE(network.run());
        EXPECT_TRUE(client.write_closed());
        EXPECT_TRUE(server.read_closed());
        EXPECT_FALSE(client.closed() || server.closed());
        server.awrite().append("answer");
        server.close_write();
        ASSERT_TRUE(network.run());
        EXPECT_EQ(server.aread().view(), "question");
        EXPECT_EQ(client.aread().view(), "answer");
        for (const filter* each : {&client, &server}) {
            EXPECT_TRUE(each->closed());
            EXPECT_TRUE(each->read_closed());
            EXPECT_TRUE(each->write_closed());
            EXPECT_EQ(each->cause().kind, close_kind::clean);
            EXPECT_EQ(each->cause().text, "clean");
        }
    });
}

TYPED_TEST(FilterContract, UpdateWithoutNewsChangesNothing)
{
    this->each_cut([](filter& client, filter& server, pump& network) {
        ASSERT_TRUE(network.run());
        server.awrite().append("kept");
        ASSERT_TRUE(network.run());
        for (int i = 0; i < 100; ++i)
            client.update();
        EXPECT_EQ(client.aread().view(), "kept");
        EXPECT_TRUE(client.nwrite().empty());
        EXPECT_EQ(client.state(), filter_state::open);
    });
}

TYPED_TEST(FilterContract, AnIdleFilterHoldsNothingAfterTrimAndGoesOn)
{
    this->each_cut([](filter& client, filter& server, pump& network) {
        for (int i = 0; i < 3; ++i) {
            client.awrite().append(std::string(3000, 'x'));
            ASSERT_TRUE(network.run());
            EXPECT_EQ(server.aread().size(), 3000U);
            server.aread().clear();
            client.trim();
            server.trim();
            EXPECT_EQ(client.memory(), 0U);
            EXPECT_EQ(server.memory(), 0U);
        }
    });
}

TYPED_TEST(FilterContract, AMovedFilterKeepsItsBuffersAndItsState)
{
    auto client = TypeParam::client();
    auto server = TypeParam::server();
    {
        pump network(client, server);
        server.awrite().append("before ");
        ASSERT_TRUE(network.run());
    }
    const buffer* address = &client.aread();
    auto moved = std::make_unique<decltype(client)>(std::move(client));
    EXPECT_EQ(&moved->aread(), address);
    pump network(*moved, server);
    server.awrite().append("after");
    ASSERT_TRUE(network.run());
    EXPECT_EQ(moved->aread().view(), "before after");
    *moved = TypeParam::client();
    EXPECT_TRUE(moved->aread().empty());
}

} // namespace
