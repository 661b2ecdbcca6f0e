// SPDX-License-Identifier: MIT
//
// A TLS 1.3 server or client after the handshake, against a peer that holds the keys and sends
// whatever it likes: records of any type and content, truly sealed (record_sealer.h).
//
//     bit 0 of the first byte   the victim is the client
//     bits 1-2                  it gets them whole, or 1, 7 or 61 bytes at a time
//     then, over and over       type, length (two bytes, little endian), content
//     type 0xff                 KeyUpdate as it should be, and new keys
#include "record_sealer.h"
#include "tls_fuzz.h"

namespace {

using funcptr::SSLFilter;

/// The key log's line of the secret that the victim's peer sends with.
struct key_log {
    static inline std::string client_secret{};
    static inline std::string server_secret{};

    static void note(const SSL*, const char* line)
    {
        if (auto secret = fuzz::secret_of(line, "CLIENT_TRAFFIC_SECRET_0"); !secret.empty())
            client_secret = secret;
        if (auto secret = fuzz::secret_of(line, "SERVER_TRAFFIC_SECRET_0"); !secret.empty())
            server_secret = secret;
    }
};

funcptr::tls_config only_aes_128(funcptr::tls_config config)
{
    config.min_version = funcptr::tls_version::tls1_3;
    config.ciphers_tls13 = "TLS_AES_128_GCM_SHA256";
    config.session_tickets = false; // the server's first record is then number 0
    config.limits = fuzz::small_limits();
    return config;
}

std::string sealed(std::string secret, std::span<const std::uint8_t> input)
{
    fuzz::record_sealer sealer(secret);
    std::string wire;
    for (std::size_t at = 0; at + 3 <= input.size() && wire.size() < 60'000;) {
        const std::uint8_t type = input[at];
        const std::size_t wanted = (input[at + 1] + input[at + 2] * std::size_t{256}) % 16'385;
        const std::size_t size = std::min(wanted, input.size() - at - 3);
        const std::string content(input.begin() + static_cast<std::ptrdiff_t>(at + 3),
                                  input.begin() + static_cast<std::ptrdiff_t>(at + 3 + size));
        at += 3 + size;
        if (type != 0xff) {
            wire += sealer.seal(type, content);
            continue;
        }
        const char asks = size != 0 ? static_cast<char>(content[0] & 1) : '\0';
        wire += sealer.seal(22, std::string{24, 0, 0, 1, asks});
        secret = fuzz::expand_label(secret, "traffic upd", 32);
        sealer = fuzz::record_sealer(secret);
    }
    return wire;
}

void deliver(SSLFilter& victim, const std::string& wire, std::size_t piece)
{
    for (std::size_t at = 0; at < wire.size();) {
        const std::size_t size = std::min({piece, wire.size() - at, victim.nread().room()});
        if (size == 0)
            break;
        victim.nread().append(std::string_view(wire).substr(at, size));
        at += size;
        fuzz::update(victim);
        victim.aread().clear();
        victim.nwrite().clear();
    }
    victim.input_eof();
    for (int i = 0; i < 100 && !victim.closed(); ++i) {
        fuzz::update(victim);
        victim.aread().clear();
        victim.nwrite().clear();
        victim.close_write();
    }
    fuzz::require(victim.closed());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const auto identity = funcptr::self_signed({"localhost"});
    static const funcptr::tls_context server(
        only_aes_128({.role = funcptr::tls_role::server,
                      .certificate_pem = identity.certificate_pem,
                      .key_pem = identity.key_pem}));
    static const funcptr::tls_context client(
        only_aes_128({.trust_pem = identity.certificate_pem, .server_name = "localhost"}));
    if (size == 0)
        return 0;
    SSLFilter near(server);
    SSLFilter far(client);
    SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(near.native_handle()), &key_log::note);
    funcptr::testing::pump(near, far).run();
    const bool client_is_victim = (data[0] & 1U) != 0;
    SSLFilter& victim = client_is_victim ? far : near;
    fuzz::require(victim.state() == funcptr::filter_state::open);

    constexpr std::array<std::size_t, 4> pieces{static_cast<std::size_t>(-1), 1, 7, 61};
    const auto& secret = client_is_victim ? key_log::server_secret : key_log::client_secret;
    deliver(victim, sealed(secret, {data + 1, size - 1}), pieces[(data[0] >> 1U) & 3U]);
    return 0;
}
