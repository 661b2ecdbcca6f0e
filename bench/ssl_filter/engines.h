// SPDX-License-Identifier: MIT
//
// engines.h: who turns a write into TLS records and back, in memory, in one thread: funcptr's
// filter, the article's, the BIO-pair engine that Asio's ssl::stream is made of, and bare AES-GCM.
//
// Each is a client joined to a server, connected by its constructor. transfer(text) writes it at
// once on one end and returns when the other end has seen as many bytes of plaintext. All join the
// ends by one copy of each byte, as a socket would.
//
// Threads: one. Lifetime: the text only for the call.
#pragma once

#include <funcptr/ssl_filter.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../support/peers.h"
#include "article.h"
#include "material.h"

namespace bench {

class our_engine {
public:
    our_engine()
        : client_(tls::our_client())
        , server_(tls::our_server())
    {
        while (client_.state() != funcptr::filter_state::open
               || server_.state() != funcptr::filter_state::open) {
            join(client_, server_);
            join(server_, client_);
            if (client_.closed() || server_.closed())
                throw std::runtime_error(client_.cause().text + server_.cause().text);
        }
    }

    void transfer(std::string_view text) { carry(client_, server_, text); }
    void transfer_back(std::string_view text) { carry(server_, client_, text); }

private:
    static void carry(funcptr::SSLFilter& from, funcptr::SSLFilter& to, std::string_view text)
    {
        from.awrite().append(text);
        for (std::size_t left = text.size(); left != 0;) {
            join(from, to);
            to.update();
            if (to.closed())
                throw std::runtime_error(to.cause().text);
            left -= to.aread().size();
            to.aread().clear();
        }
    }
    static void join(funcptr::SSLFilter& from, funcptr::SSLFilter& to)
    {
        from.update();
        if (!to.nread().append(std::move(from.nwrite())))
            throw std::runtime_error("two records do not fit into nread");
    }

    funcptr::SSLFilter client_;
    funcptr::SSLFilter server_;
};

class article_engine {
public:
    article_engine()
        : client_(tls::client_ctx(), &in_[0], &out_[0], &read_[0], &write_[0], true)
        , server_(tls::server_ctx(), &in_[1], &out_[1], &read_[1], &write_[1], false)
    {
        // The first byte goes through once the handshake is done.
        write_[0] = "x";
        for (int i = 0; i < 100 && read_[1].empty(); ++i) {
            step();
            in_[0] += out_[1];
            out_[1].clear();
        }
        if (read_[1] != "x")
            throw std::runtime_error("the article's filter did not connect");
        read_[1].clear();
    }

    void transfer(std::string_view text)
    {
        write_[0] = text;
        for (std::size_t left = text.size(); left != 0;) {
            step();
            left -= read_[1].size();
            read_[1].clear();
        }
    }

private:
    void step()
    {
        client_.update();
        in_[1] += out_[0];
        out_[0].clear();
        server_.update();
    }

    std::array<std::string, 2> in_;
    std::array<std::string, 2> out_;
    std::array<std::string, 2> read_;
    std::array<std::string, 2> write_;
    article::SSLFilter client_;
    article::SSLFilter server_;
};

#ifdef FUNCPTR_BENCH_ASIO
/// As asio/ssl/detail/io.hpp drives it, with its buffers of 17 KiB, less the socket.
class bio_pair_engine {
public:
    using engine = asio::ssl::detail::engine;

    bio_pair_engine()
        : client_(tls::client_ctx())
        , server_(tls::server_ctx())
    {
        for (int i = 0; i < 10; ++i) {
            const bool client = handshake(client_, asio::ssl::stream_base::client, server_);
            const bool server = handshake(server_, asio::ssl::stream_base::server, client_);
            if (client && server) {
                transfer("x"); // the tickets
                return;
            }
        }
        throw std::runtime_error("the BIO pair did not connect");
    }

    void transfer(std::string_view text)
    {
        std::size_t left = text.size();
        while (!text.empty() || left != 0) {
            std::size_t taken = 0;
            asio::error_code failure;
            const auto want = client_.write(asio::buffer(text.data(), text.size()), failure, taken);
            check(failure);
            text.remove_prefix(taken);
            if (want == engine::want_output || want == engine::want_output_and_retry)
                left -= deliver(client_.get_output(asio::buffer(output_)));
        }
    }

private:
    static void check(const asio::error_code& failure)
    {
        if (failure)
            throw std::runtime_error("the BIO pair: " + failure.message());
    }

    /// To the server, which reads all it can; how much plaintext that was.
    std::size_t deliver(asio::mutable_buffer output)
    {
        std::size_t got = 0;
        asio::const_buffer input(copy_.data(), asio::buffer_copy(asio::buffer(copy_), output));
        while (true) {
            std::size_t read = 0;
            asio::error_code failure;
            const auto want = server_.read(asio::buffer(plain_), failure, read);
            check(failure);
            got += read;
            if (want == engine::want_nothing)
                continue;
            if (input.size() == 0)
                return got;
            input = server_.put_input(input);
        }
    }

    /// True when it is done.
    bool handshake(engine& one, asio::ssl::stream_base::handshake_type type, engine& other)
    {
        asio::error_code failure;
        const auto want = one.handshake(type, failure);
        check(failure);
        if (want == engine::want_output || want == engine::want_output_and_retry)
            other.put_input(one.get_output(asio::buffer(output_)));
        return want == engine::want_nothing || want == engine::want_output;
    }

    engine client_;
    engine server_;
    std::array<char, 17 * 1024> output_{};
    std::array<char, 17 * 1024> copy_{};
    std::array<char, 64 * 1024> plain_{};
};
#endif

/// AES-128-GCM over records of 16 KiB, sealed and opened: the limit of them all.
class bare_aead {
public:
    bare_aead()
    {
        const std::array<unsigned char, 16> key{1, 2, 3};
        for (const int sealing : {0, 1})
            if (EVP_CipherInit_ex(contexts_[sealing], EVP_aes_128_gcm(), nullptr, key.data(),
                                  nullptr, sealing)
                != 1)
                throw std::runtime_error("EVP_CipherInit_ex");
    }
    bare_aead(const bare_aead&) = delete;
    bare_aead& operator=(const bare_aead&) = delete;
    ~bare_aead()
    {
        for (EVP_CIPHER_CTX* each : contexts_)
            EVP_CIPHER_CTX_free(each);
    }

    void transfer(std::string_view text)
    {
        constexpr std::size_t record = 16 * 1024;
        for (; !text.empty(); text.remove_prefix(std::min(record, text.size()))) {
            const std::string_view one = text.substr(0, record);
            ++nonce_[0];
            std::array<unsigned char, 16> tag{};
            pass(true, reinterpret_cast<const unsigned char*>(one.data()), one.size(), tag.data());
            pass(false, cipher_.data(), one.size(), tag.data());
        }
    }

private:
    void pass(bool sealing, const unsigned char* from, std::size_t size, unsigned char* tag)
    {
        EVP_CIPHER_CTX* const ctx = contexts_[sealing ? 1 : 0];
        unsigned char* const to = sealing ? cipher_.data() : plain_.data();
        int done = 0;
        bool ok = EVP_CipherInit_ex(ctx, nullptr, nullptr, nullptr, nonce_.data(), -1) == 1
                  && EVP_CipherUpdate(ctx, nullptr, &done, header_.data(), 5) == 1;
        if (!sealing)
            ok = ok && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1;
        ok = ok && EVP_CipherUpdate(ctx, to, &done, from, static_cast<int>(size)) == 1
             && EVP_CipherFinal_ex(ctx, to + done, &done) == 1;
        if (sealing)
            ok = ok && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
        if (!ok)
            throw std::runtime_error("AES-GCM");
    }

    std::array<EVP_CIPHER_CTX*, 2> contexts_{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_new()};
    std::array<unsigned char, 12> nonce_{};
    std::array<unsigned char, 5> header_{23, 3, 3, 0x40, 0x11};
    std::vector<unsigned char> cipher_ = std::vector<unsigned char>(16 * 1024 + 16);
    std::vector<unsigned char> plain_ = std::vector<unsigned char>(16 * 1024 + 16);
};

} // namespace bench
