// SPDX-License-Identifier: MIT
//
// tls_link.h: a filter's two network buffers as a TLS library's transport, with their bounds, and
// what the library's callbacks note about the connection. Knows no TLS library.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "funcptr/buffer.h"
#include "funcptr/tls_config.h"

namespace funcptr::detail {

/// Why pull(), push() or a callback stopped the TLS library.
enum class tls_fault : std::uint8_t { none, nwrite, handshake, key_updates, memory };

/// The certificate that was refused, noted when it is.
struct tls_refusal {
    int error = 0; ///< the library's number for the reason
    int depth = -1;
    std::string subject;
    std::string detail; ///< names, or dates
};

struct tls_link {
    buffer* in = nullptr;
    buffer* out = nullptr;
    const tls_limits* limits = nullptr;

    tls_fault fault = tls_fault::none;
    bool established = false;
    bool eof = false;            ///< nothing will come after what is in `in`
    int alert_sent = -1;         ///< the last one but close_notify; -1: none
    std::size_t handshake = 0;   ///< bytes read before established
    std::size_t key_updates = 0; ///< post-handshake messages since the last mebibyte of data
    std::array<char, 5> first{}; ///< what the peer said first, for a helpful text
    std::size_t first_size = 0;
    tls_refusal refusal;

    std::string_view first_bytes() const noexcept { return {first.data(), first_size}; }

    /// Moves up to `wanted` of the peer's bytes; 0: there are none, or a fault says why not.
    std::size_t pull(char* to, std::size_t wanted) noexcept
    {
        const std::size_t size = std::min(wanted, in->size());
        if (fault != tls_fault::none || size == 0)
            return 0;
        if (!established && (handshake += size) > limits->handshake) {
            fault = tls_fault::handshake;
            return 0;
        }
        const std::string_view bytes = in->view().substr(0, size);
        bytes.copy(to, size);
        if (first_size < first.size())
            first_size += bytes.copy(first.data() + first_size, first.size() - first_size);
        in->consume(size);
        return size;
    }

    /// All of the bytes, or a fault says why not.
    bool push(std::string_view bytes) noexcept
    {
        if (fault != tls_fault::none)
            return false;
        try {
            if (out->append(bytes))
                return true;
            fault = tls_fault::nwrite;
        } catch (const std::bad_alloc&) {
            fault = tls_fault::memory;
        }
        return false;
    }
};

} // namespace funcptr::detail
