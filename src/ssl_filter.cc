// SPDX-License-Identifier: MIT
//
// SSLFilter's outside: what a user asks. How the bytes move stands in tls_engine.cc.

#include "funcptr/ssl_filter.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <new>
#include <optional>
#include <utility>

#include "detail/tls_engine.h"
#include "detail/tls_errors.h"
#include "detail/tls_words.h"

namespace funcptr {

using namespace detail;

SSLFilter::SSLFilter(std::unique_ptr<tls_engine> engine) noexcept
    : filter(engine->nread, engine->nwrite, engine->aread, engine->awrite)
    , engine_(std::move(engine))
{
}

SSLFilter::SSLFilter(const tls_context& context)
    : SSLFilter(std::make_unique<tls_engine>(context.slot_->current(), std::nullopt))
{
}

SSLFilter::SSLFilter(const tls_context& context, std::string_view server_name)
    : SSLFilter(std::make_unique<tls_engine>(context.slot_->current(), server_name))
{
}

SSLFilter::SSLFilter(SSLFilter&&) noexcept = default;
SSLFilter& SSLFilter::operator=(SSLFilter&&) noexcept = default;
SSLFilter::~SSLFilter() = default;

void SSLFilter::update() noexcept
{
    engine_->update();
}
void SSLFilter::input_eof() noexcept
{
    engine_->link.eof = true;
}
void SSLFilter::close_write() noexcept
{
    engine_->close_wanted = true;
}
filter_state SSLFilter::state() const noexcept
{
    return engine_->stage;
}
bool SSLFilter::read_closed() const noexcept
{
    return closed() || engine_->read_closed;
}
bool SSLFilter::write_closed() const noexcept
{
    return closed() || engine_->write_closed;
}
bool SSLFilter::pending() const noexcept
{
    return engine_->pending;
}
const close_cause& SSLFilter::cause() const noexcept
{
    return engine_->cause;
}
void SSLFilter::trim() noexcept
{
    engine_->trim();
}

std::size_t SSLFilter::memory() const noexcept
{
    return engine_->memory();
}

bool SSLFilter::adopt(buffer& plain)
{
    return engine_->adopt(plain);
}

std::string_view SSLFilter::leftover() const noexcept
{
    return engine_->leftover();
}

bool SSLFilter::resume(const tls_session& session) noexcept
{
    if (!session || engine_->started || engine_->state->role == tls_role::server)
        return false;
    if (session.state_->state != engine_->state || session.state_->name != engine_->name.text)
        return false;
    const error_queue_guard guard;
    // A copy: OpenSSL marks a session as used up when a connection of it fails.
    const ssl_session_ptr copy(SSL_SESSION_dup(session.state_->session.get()));
    return copy && SSL_set_session(engine_->ssl.get(), copy.get()) == 1;
}

tls_session SSLFilter::session() const
{
    const error_queue_guard guard;
    tls_session result;
    const SSL_SESSION* present = SSL_get0_session(engine_->ssl.get());
    if (engine_->state->role == tls_role::server || !engine_->state->resumes
        || !engine_->link.established || present == nullptr
        || SSL_SESSION_is_resumable(present) == 0)
        return result;
    auto state = std::make_shared<tls_session_state>();
    state->session.reset(SSL_SESSION_dup(present));
    if (!state->session)
        throw std::bad_alloc();
    state->name = engine_->name.text;
    state->state = engine_->state;
    result.state_ = std::move(state);
    return result;
}

bool SSLFilter::send_early(std::span<const std::byte> bytes)
{
    return engine_->send_early(bytes);
}
std::size_t SSLFilter::early_bytes() const noexcept
{
    return engine_->early_bytes;
}

namespace {

tls_certificate describe_certificate(X509* certificate)
{
    tls_certificate result;
    result.subject = name_text(X509_get_subject_name(certificate));
    const bio_ptr pem(BIO_new(BIO_s_mem()));
    const int size = i2d_X509(certificate, nullptr);
    if (!pem || size < 0 || PEM_write_bio_X509(pem.get(), certificate) != 1)
        throw std::bad_alloc();
    result.pem = bio_text(pem.get());
    result.der.resize(static_cast<std::size_t>(size));
    auto* to = reinterpret_cast<unsigned char*>(result.der.data());
    i2d_X509(certificate, &to);
    return result;
}

/// Leaf first. OpenSSL's chain holds the leaf on a client and leaves it out on a server.
std::vector<tls_certificate> describe_chain(SSL* ssl)
{
    std::vector<tls_certificate> all;
    const x509_ptr leaf(SSL_get1_peer_certificate(ssl));
    if (!leaf)
        return all;
    all.push_back(describe_certificate(leaf.get()));
    STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
    for (int i = SSL_is_server(ssl) == 1 ? 0 : 1; i < sk_X509_num(chain); ++i)
        all.push_back(describe_certificate(sk_X509_value(chain, i)));
    return all;
}

} // namespace

tls_peer SSLFilter::peer() const
{
    tls_peer facts;
    if (!engine_->link.established)
        return facts;
    const error_queue_guard guard;
    SSL* ssl = engine_->ssl.get();
    facts.version = SSL_get_version(ssl);
    facts.cipher = SSL_get_cipher_name(ssl);
    const unsigned char* alpn = nullptr;
    unsigned alpn_size = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
    if (alpn != nullptr)
        facts.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
    if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))
        facts.server_name = printable(name, longest_sni);
    facts.resumed = SSL_session_reused(ssl) == 1;
    facts.chain = describe_chain(ssl);
    facts.verified = !facts.chain.empty() && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE
                     && SSL_get_verify_result(ssl) == X509_V_OK;
    return facts;
}

bool SSLFilter::update_keys() noexcept
{
    return engine_->update_keys();
}

std::vector<std::byte> SSLFilter::export_key(std::string_view label,
                                             std::span<const std::byte> context,
                                             std::size_t length) const
{
    std::vector<std::byte> key;
    if (!engine_->link.established || length == 0 || length > longest_export)
        return key;
    const error_queue_guard guard;
    key.resize(length);
    const int result = SSL_export_keying_material(
        engine_->ssl.get(), reinterpret_cast<unsigned char*>(key.data()), length, label.data(),
        label.size(), reinterpret_cast<const unsigned char*>(context.data()), context.size(), 1);
    if (result != 1)
        key.clear();
    return key;
}

std::uint64_t SSLFilter::generation() const noexcept
{
    return engine_->state->generation;
}

ssl_st* SSLFilter::native_handle() const noexcept
{
    return engine_->ssl.get();
}

} // namespace funcptr
