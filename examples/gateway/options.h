// SPDX-License-Identifier: MIT
//
// options.h: what the gateway is told on its command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gateway {

struct options {
    std::string listen = "[::]:7020,0.0.0.0:7020";
    std::vector<std::string> subscribe; ///< ZeroMQ endpoints of publishers
    std::string publish;                ///< where /publish sends
    bool publish_by_pub = false;        ///< with a PUB instead of a PUSH
    std::string certificate_file;
    std::string key_file;
    std::string cookie_keys_file;
    bool help = false;
    bool version = false;
};

/// Throws std::invalid_argument naming the option that is wrong.
options parse_options(int argc, char** argv);

extern const char* const usage;

} // namespace gateway
