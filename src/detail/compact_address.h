// SPDX-License-Identifier: MIT
//
// compact_address.h: an address kept for long: 40 bytes instead of the 120 that a unix path may
// need, which a connection has twice.
#pragma once

#include <funcptr/address.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace funcptr::detail {

class compact_address {
public:
    explicit compact_address(const address& of)
    {
        if (of.size() <= raw_.size()) {
            size_ = static_cast<std::uint8_t>(of.size());
            std::memcpy(raw_.data(), of.data(), size_);
        } else {
            long_ = std::make_unique<const address>(of);
        }
    }
    address get() const noexcept
    {
        if (long_)
            return *long_;
        sockaddr_storage raw{};
        std::memcpy(&raw, raw_.data(), size_);
        return address::from(reinterpret_cast<const sockaddr*>(&raw), size_);
    }

private:
    std::array<std::byte, sizeof(sockaddr_in6)> raw_{};
    std::uint8_t size_ = 0;
    std::unique_ptr<const address> long_;
};

} // namespace funcptr::detail
