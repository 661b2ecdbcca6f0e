// SPDX-License-Identifier: MIT
//
// zmq_event_bench: funcptr::zmq_event against a blocking zmq_msg_recv loop ("raw"), zmq_poll,
// czmq's zloop, and the design of the article that it came from. Each idea has a header in
// bench/zmq_event, which says how it measures.
#include <zmq.hpp>

#include <string>

#include "support/bench.h"
#include "zmq_event/allocations.h"
#include "zmq_event/collecting.h"
#include "zmq_event/fairness.h"
#include "zmq_event/lateness.h"
#include "zmq_event/quiet.h"
#include "zmq_event/round_trips.h"
#include "zmq_event/system_calls.h"
#include "zmq_event/throughput.h"

namespace {

std::string libzmq_version()
{
    int major = 0;
    int minor = 0;
    int patch = 0;
    zmq_version(&major, &minor, &patch);
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

void add_settings(bench::suite& suite)
{
    suite.setting("libzmq", libzmq_version() + ", one io thread for each context");
    suite.setting("messages", "PUSH to PULL, bound by the receiver, not looked at");
    suite.setting("drain", "1,000,000 in the receiver's pipe at HWM 0, the sender gone");
    suite.setting("live", "HWM 1000; live_busy below 1: not the receiver limits, but libzmq's io "
                          "threads or the sender");
#ifdef FUNCPTR_BENCH_ZLOOP
    suite.setting("zloop", "czmq " + std::to_string(CZMQ_VERSION_MAJOR) + "."
                               + std::to_string(CZMQ_VERSION_MINOR) + "."
                               + std::to_string(CZMQ_VERSION_PATCH) + ", zloop_reader");
#endif
}

} // namespace

int main(int argc, char** argv)
{
    if (bench::is_traced(argc, argv))
        return bench::traced_main(argv);
    bench::suite suite("zmq_event");
    add_settings(suite);
    bench::add_throughput(suite);
    bench::add_round_trips(suite);
    bench::add_fairness(suite);
    bench::add_lateness(suite);
    bench::add_quiet(suite);
    bench::add_system_calls(suite);
    bench::add_collecting(suite);
    bench::add_allocations(suite);
    return suite.run(argc, argv);
}
