// SPDX-License-Identifier: MIT
//
// gnutls_objects.h: GnuTLS's objects' owners, and its errors.
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>

#include "funcptr/error.h"

namespace funcptr::detail {

template <auto Free>
struct gnutls_freed_by {
    template <class T>
    void operator()(T* object) const noexcept
    {
        Free(object);
    }
};

template <class Handle, auto Free>
using gnutls_owner = std::unique_ptr<std::remove_pointer_t<Handle>, gnutls_freed_by<Free>>;

using gnutls_session_ptr = gnutls_owner<gnutls_session_t, gnutls_deinit>;
using gnutls_credentials_ptr =
    gnutls_owner<gnutls_certificate_credentials_t, gnutls_certificate_free_credentials>;
using gnutls_priority_ptr = gnutls_owner<gnutls_priority_t, gnutls_priority_deinit>;
using gnutls_certificate_ptr = gnutls_owner<gnutls_x509_crt_t, gnutls_x509_crt_deinit>;
using gnutls_crl_ptr = gnutls_owner<gnutls_x509_crl_t, gnutls_x509_crl_deinit>;
using gnutls_key_ptr = gnutls_owner<gnutls_x509_privkey_t, gnutls_x509_privkey_deinit>;

/// Makes an object by its init function. Throws std::bad_alloc, the one thing they fail by.
template <class Owner, class Init>
Owner make_gnutls(Init init)
{
    typename Owner::pointer made = nullptr;
    if (init(&made) != GNUTLS_E_SUCCESS)
        throw std::bad_alloc();
    return Owner(made);
}

/// GnuTLS reads from it and takes no const.
inline gnutls_datum_t datum(std::string_view bytes)
{
    return {reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())),
            static_cast<unsigned>(bytes.size())};
}
inline std::string_view bytes_of(const gnutls_datum_t& datum)
{
    return {reinterpret_cast<const char*>(datum.data), datum.size};
}

/// A datum that GnuTLS allocated.
struct owned_datum {
    owned_datum() = default;
    owned_datum(const owned_datum&) = delete;
    owned_datum& operator=(const owned_datum&) = delete;
    ~owned_datum() { gnutls_free(value.data); }

    gnutls_datum_t* out() noexcept { return &value; }
    std::string_view bytes() const { return bytes_of(value); }

    gnutls_datum_t value{};
};

/// result: what a GnuTLS call returned; step: what it was to do.
inline void require_gnutls(int result, const std::string& step, errc code = errc::bad_configuration)
{
    if (result == GNUTLS_E_MEMORY_ERROR)
        throw std::bad_alloc();
    if (result < 0)
        throw error(code, step + ": " + gnutls_strerror(result));
}

} // namespace funcptr::detail
