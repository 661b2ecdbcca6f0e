// SPDX-License-Identifier: MIT
#include <zlib.h>

#include <new>

#include "detail/dialect_codec.h"

namespace funcptr::detail {

namespace {

Bytef* octets(const char* text) noexcept
{
    // zlib reads only, whatever its type says.
    return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

} // namespace

std::string deflate(std::string_view data)
{
    std::string out(compressBound(static_cast<uLong>(data.size())), '\0');
    auto size = static_cast<uLongf>(out.size());
    if (compress2(octets(out.data()), &size, octets(data.data()), static_cast<uLong>(data.size()),
                  Z_DEFAULT_COMPRESSION)
        != Z_OK)
        throw std::bad_alloc();
    out.resize(size);
    return out;
}

cookie_status inflate(byte_span data, std::string& out, std::size_t most)
{
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK)
        throw std::bad_alloc();
    struct ending {
        z_stream& stream;
        ~ending() { inflateEnd(&stream); }
    } const end{stream};
    stream.next_in = octets(reinterpret_cast<const char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    out.clear();
    for (int how = Z_OK; how == Z_OK;) {
        const auto filled = out.size();
        if (filled > most)
            return out.clear(), cookie_status::too_long;
        // One byte more than may be, so that what is too long shows.
        out.resize(std::min(most + 1, std::max(filled * 2, data.size() * 4)));
        stream.next_out = octets(out.data() + filled);
        stream.avail_out = static_cast<uInt>(out.size() - filled);
        how = ::inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
        if (how == Z_STREAM_END && out.size() <= most && stream.avail_in == 0)
            return cookie_status::ok;
        if (how == Z_OK && stream.avail_in == 0 && stream.avail_out != 0)
            break; // cut short
    }
    const bool too_long = out.size() > most;
    out.clear();
    return too_long ? cookie_status::too_long : cookie_status::malformed;
}

} // namespace funcptr::detail
