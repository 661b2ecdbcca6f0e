// SPDX-License-Identifier: MIT
//
// compact_address.h: an address kept for long: 29 bytes instead of the 120 that a unix path may
// need, which a connection has twice.
#pragma once

#include <funcptr/address.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace funcptr::detail {

class compact_address {
public:
    explicit compact_address(const address& of)
    {
        if (of.size() <= raw_.size()) {
            size_ = static_cast<std::uint8_t>(of.size());
            std::memcpy(raw_.data(), of.data(), size_);
        } else {
            const auto* const kept = new address(of);
            std::memcpy(raw_.data(), &kept, sizeof kept);
            size_ = is_long;
        }
    }
    compact_address(const compact_address&) = delete;
    compact_address& operator=(const compact_address&) = delete;
    ~compact_address()
    {
        if (size_ == is_long)
            delete kept();
    }
    address get() const noexcept
    {
        if (size_ == is_long)
            return *kept();
        sockaddr_storage raw{};
        std::memcpy(&raw, raw_.data(), size_);
        return address::from(reinterpret_cast<const sockaddr*>(&raw), size_);
    }

private:
    static constexpr std::uint8_t is_long = 0xff;

    const address* kept() const noexcept
    {
        const address* at = nullptr;
        std::memcpy(&at, raw_.data(), sizeof at);
        return at;
    }

    // The bytes of the address, or those of a pointer to it.
    std::array<std::byte, sizeof(sockaddr_in6)> raw_{};
    std::uint8_t size_ = 0;
};

} // namespace funcptr::detail
