// SPDX-License-Identifier: MIT
//
// tls_files.h: the test certificates as files, for other people's programs.
#pragma once

#include <string>

#include "certificates.h"
#include "process.h"

namespace funcptr::testing {

/// Written once for each process, removed at its end.
class tls_files {
public:
    tls_files()
    {
        const auto& all = certificates();
        put("authority", all.authority);
        put("stranger", all.stranger);
        put("client", all.client);
        put("server", all.server);
        put("server_rsa", all.server_rsa);
        put("elsewhere", all.elsewhere);
        put("elsewhere_rsa",
            make_certificate(
                {.common_name = "elsewhere-rsa", .names = {"other.example"}, .key = key_kind::rsa},
                &all.authority));
        put("expired", all.expired);
        put("self_signed", all.self_signed);
        put("foreign", all.foreign);
        write("revoking.crl", make_revocation_list(all.authority, {all.server, all.server_rsa}));
    }

    /// The certificate's path, the key's, and any other's.
    std::string certificate(const std::string& name) const { return path(name + ".crt"); }
    std::string key(const std::string& name) const { return path(name + ".key"); }
    std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

private:
    void put(const std::string& name, const issued& one)
    {
        write(name + ".crt", one.certificate_pem);
        write(name + ".key", one.key_pem);
    }
    void write(const std::string& name, const std::string& text)
    {
        test::write_file(folder_.path() / name, text);
    }

    test::temp_dir folder_;
};

inline const tls_files& files()
{
    static const tls_files all;
    return all;
}

/// Is that program to be had?
inline bool installed(const std::string& program)
{
    return test::run({.arguments = {"/bin/sh", "-c", "command -v " + program}}).status == 0;
}

} // namespace funcptr::testing
