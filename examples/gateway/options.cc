// SPDX-License-Identifier: MIT
#include "options.h"

#include <functional>
#include <map>
#include <stdexcept>

namespace gateway {

const char* const usage =
    R"(usage: gateway [options]

A browser-facing edge of a ZeroMQ system: HTTPS (HTTP/2), a live feed, signed-in publishing.

  --listen SPEC          where to listen (default [::]:7020,0.0.0.0:7020)
  --sub ENDPOINT         a ZeroMQ publisher to subscribe to; may be given several times
                         (default: a publisher of its own, for show)
  --publish ENDPOINT     where POST /publish sends to (default: to its own publisher)
  --publish-type TYPE    push (default) or pub
  --certificate FILE     PEM chain, leaf first (default: self-signed, made in memory)
  --key FILE             its key
  --cookie-keys FILE     keys for the session cookie (default: made in memory)
  --version
  --help
)";

options parse_options(int argc, char** argv)
{
    options result;
    const std::map<std::string, std::function<void(const std::string&)>> with_value{
        {"--listen", [&](const std::string& v) { result.listen = v; }},
        {"--sub", [&](const std::string& v) { result.subscribe.push_back(v); }},
        {"--publish", [&](const std::string& v) { result.publish = v; }},
        {"--publish-type",
         [&](const std::string& v) {
             if (v != "push" && v != "pub")
                 throw std::invalid_argument("--publish-type is push or pub, not " + v);
             result.publish_by_pub = v == "pub";
         }},
        {"--certificate", [&](const std::string& v) { result.certificate_file = v; }},
        {"--key", [&](const std::string& v) { result.key_file = v; }},
        {"--cookie-keys", [&](const std::string& v) { result.cookie_keys_file = v; }},
    };
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--help")
            result.help = true;
        else if (name == "--version")
            result.version = true;
        else if (const auto found = with_value.find(name); found == with_value.end())
            throw std::invalid_argument("there is no option " + name + "; see --help");
        else if (++i == argc)
            throw std::invalid_argument(name + " needs a value; see --help");
        else
            found->second(argv[i]);
    }
    if (result.certificate_file.empty() != result.key_file.empty())
        throw std::invalid_argument("--certificate and --key go together");
    return result;
}

} // namespace gateway
