// SPDX-License-Identifier: MIT
//
// gnutls_filter's outside: what a user asks. How the bytes move stands in gnutls_engine.cc.

#include "funcptr/gnutls_filter.h"

#include <optional>
#include <utility>

#include "detail/tls_words.h"
#include "gnutls_engine.h"

namespace funcptr {

using namespace detail;

gnutls_filter::gnutls_filter(std::unique_ptr<gnutls_engine> engine) noexcept
    : filter(engine->nread, engine->nwrite, engine->aread, engine->awrite)
    , engine_(std::move(engine))
{
}

gnutls_filter::gnutls_filter(const gnutls_context& context)
    : gnutls_filter(std::make_unique<gnutls_engine>(context.slot_->current(), std::nullopt))
{
}

gnutls_filter::gnutls_filter(const gnutls_context& context, std::string_view server_name)
    : gnutls_filter(std::make_unique<gnutls_engine>(context.slot_->current(), server_name))
{
}

gnutls_filter::gnutls_filter(gnutls_filter&&) noexcept = default;
gnutls_filter& gnutls_filter::operator=(gnutls_filter&&) noexcept = default;
gnutls_filter::~gnutls_filter() = default;

void gnutls_filter::update() noexcept
{
    engine_->update();
}
void gnutls_filter::input_eof() noexcept
{
    engine_->link.eof = true;
}
void gnutls_filter::close_write() noexcept
{
    engine_->close_wanted = true;
}
filter_state gnutls_filter::state() const noexcept
{
    return engine_->stage;
}
bool gnutls_filter::read_closed() const noexcept
{
    return closed() || engine_->read_closed;
}
bool gnutls_filter::write_closed() const noexcept
{
    return closed() || engine_->write_closed;
}
bool gnutls_filter::pending() const noexcept
{
    return engine_->pending;
}
const close_cause& gnutls_filter::cause() const noexcept
{
    return engine_->cause;
}
void gnutls_filter::trim() noexcept
{
    engine_->trim();
}
std::size_t gnutls_filter::memory() const noexcept
{
    return engine_->memory();
}

bool gnutls_filter::adopt(buffer& plain)
{
    return engine_->adopt(plain);
}

std::string_view gnutls_filter::leftover() const noexcept
{
    return engine_->leftover();
}

namespace {

tls_certificate describe_certificate(const gnutls_datum_t& der)
{
    tls_certificate result;
    const auto* bytes = reinterpret_cast<const std::byte*>(der.data);
    result.der.assign(bytes, bytes + der.size);
    const auto certificate = make_gnutls<gnutls_certificate_ptr>(gnutls_x509_crt_init);
    owned_datum subject;
    owned_datum pem;
    if (gnutls_x509_crt_import(certificate.get(), &der, GNUTLS_X509_FMT_DER) < 0)
        return result;
    if (gnutls_x509_crt_get_dn3(certificate.get(), subject.out(), 0) >= 0)
        result.subject = printable(subject.bytes(), subject.bytes().size());
    if (gnutls_x509_crt_export2(certificate.get(), GNUTLS_X509_FMT_PEM, pem.out()) >= 0)
        result.pem = pem.bytes();
    return result;
}

std::string asked_name(gnutls_session_t session)
{
    std::array<char, 256> name{}; // a DNS name has 253 characters at most
    std::size_t size = name.size();
    unsigned type = 0;
    if (gnutls_server_name_get(session, name.data(), &size, &type, 0) < 0
        || type != GNUTLS_NAME_DNS)
        return {};
    return printable(name.data(), longest_sni);
}

} // namespace

tls_peer gnutls_filter::peer() const
{
    tls_peer facts;
    if (!engine_->link.established)
        return facts;
    gnutls_session_t session = engine_->session.get();
    const gnutls_state& state = *engine_->state;
    const bool server = state.role == tls_role::server;
    facts.version = gnutls_protocol_get_version(session) == GNUTLS_TLS1_2 ? "TLSv1.2" : "TLSv1.3";
    if (const char* cipher = gnutls_ciphersuite_get(session))
        facts.cipher = cipher;
    gnutls_datum_t alpn{};
    if (gnutls_alpn_get_selected_protocol(session, &alpn) >= 0)
        facts.alpn = bytes_of(alpn);
    facts.server_name = server                ? asked_name(session)
                        : engine_->name.is_ip ? std::string()
                                              : engine_->name.text;
    facts.resumed = gnutls_session_is_resumed(session) != 0;
    unsigned count = 0;
    const gnutls_datum_t* chain = gnutls_certificate_get_peers(session, &count);
    for (unsigned i = 0; chain != nullptr && i < count; ++i)
        facts.chain.push_back(describe_certificate(chain[i]));
    const bool asked =
        server ? state.client_certificates != tls_client_certificates::none : state.verify;
    facts.verified = asked && !facts.chain.empty(); // or the handshake would not be done
    return facts;
}

bool gnutls_filter::update_keys() noexcept
{
    return engine_->update_keys();
}

std::vector<std::byte> gnutls_filter::export_key(std::string_view label,
                                                 std::span<const std::byte> context,
                                                 std::size_t length) const
{
    std::vector<std::byte> key;
    if (!engine_->link.established || length == 0 || length > longest_export)
        return key;
    key.resize(length);
    // An empty context is not none (RFC 5705, 4): a null pointer would mean none.
    const std::string_view given(reinterpret_cast<const char*>(context.data()), context.size());
    const int result = gnutls_prf_rfc5705(engine_->session.get(), label.size(), label.data(),
                                          given.size(), given.empty() ? "" : given.data(), length,
                                          reinterpret_cast<char*>(key.data()));
    if (result < 0)
        key.clear();
    return key;
}

std::uint64_t gnutls_filter::generation() const noexcept
{
    return engine_->state->generation;
}

gnutls_session_int* gnutls_filter::native_handle() const noexcept
{
    return engine_->session.get();
}

} // namespace funcptr
