// SPDX-License-Identifier: MIT
//
// in_memory.h: the rows that no socket disturbs: encryption and decryption of one write after the
// other.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "../support/bench.h"
#include "engines.h"

namespace bench {

struct write_size {
    std::size_t bytes;
    std::string name;
};

/// An engine of each round's own; what is timed begins when records have grown to their full size.
template <class Engine>
comparison::body transfers(std::size_t size)
{
    return [text = std::string(size, 'x'), calls = std::size_t{0}](round& round) mutable {
        Engine engine;
        engine.transfer(std::string(256 * 1024, 'w'));
        const auto once = [&] { engine.transfer(text); };
        if (calls == 0)
            calls = calls_for(once);
        once();
        round.time([&] {
            for (std::size_t i = 0; i < calls; ++i)
                once();
        });
        round.work(static_cast<double>(calls * text.size()));
    };
}

inline void add_in_memory(suite& suite, const write_size& size, const std::string& vs_article,
                          const std::string& vs_aead)
{
    auto& each = suite.compare("in memory, writes of " + size.name);
    each.contender("filter", transfers<our_engine>(size.bytes));
    each.contender("article", transfers<article_engine>(size.bytes));
#ifdef FUNCPTR_BENCH_ASIO
    each.contender("bio_pair", transfers<bio_pair_engine>(size.bytes));
#else
    each.missing("bio_pair", "Asio is not installed");
#endif
    each.speed("in_memory_vs_article/" + size.name, vs_article, "filter", {"article"});
    each.speed("in_memory_vs_bio_pair/" + size.name, ">= 1", "filter", {"bio_pair"});
    if (!vs_aead.empty()) {
        each.contender("aead", transfers<bare_aead>(size.bytes));
        each.speed("in_memory_vs_aead/" + size.name, vs_aead, "filter", {"aead"});
    }
    each.figure("in_memory_rate/" + size.name, "MB/s", "", "filter",
                [](const sample& one) { return 1e-6 / one.figure("wall"); });
}

/// What a byte costs must not depend on the size of the write. But for the caches: awrite is filled
/// before update() sees it, so that of 64 MiB each byte comes back from memory, of 4 MiB from a
/// cache; 16 MiB tells the one from the other.
inline void add_linearity(suite& suite)
{
    auto& each = suite.compare("in memory, one write of 64, 16 and 4 MiB",
                               {.warm_up = 1, .least = 6, .most = 16});
    each.contender("4m", transfers<our_engine>(4 << 20));
    each.contender("16m", transfers<our_engine>(16 << 20));
    each.contender("64m", transfers<our_engine>(64 << 20));
    each.cost("byte_cost/64m_vs_4m", "<= 1.25", "64m", {"4m"});
    each.cost("byte_cost/64m_vs_16m", "<= 1.1", "64m", {"16m"});
}

inline void add_in_memory(suite& suite)
{
    add_in_memory(suite, {64, "64"}, "", "");
    add_in_memory(suite, {1024, "1k"}, "", "");
    add_in_memory(suite, {16 * 1024, "16k"}, ">= 1.25", ">= 0.7");
    add_in_memory(suite, {256 * 1024, "256k"}, "", "");
    add_in_memory(suite, {4 * 1024 * 1024, "4m"}, ">= 1.25", "");
    add_linearity(suite);
}

} // namespace bench
