// SPDX-License-Identifier: MIT
//
// article.h: the filter of "OpenSSL as a filter (or non-blocking OpenSSL)" (funcptr.net,
// 2012-04-08), as a peer to measure against. It is not for use: ssl_filter.h is what became of it.
//
// Statement by statement as it was published, the header and then the source, but for its
// comments. What did not compile was changed, and each change says so; what compiles only with a
// warning was kept, and the warnings are off. (The formatter is off as well.)
//
// Threads: one at a time. Lifetime: the strings and the SSL_CTX must outlive it.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace bench::article { // changed: in a namespace, since funcptr's class has the same name

// clang-format off

class SSLFilter {
    public:
        SSLFilter(SSL_CTX* ctxt,
                  std::string* nread,
                  std::string* nwrite,
                  std::string* aread,
                  std::string* awrite,
                  bool client); // changed: there was no client's side to measure against
        virtual ~SSLFilter();

        void update();

    private:
        bool continue_ssl_(int function_return);

        SSL * ssl;
        BIO * rbio;
        BIO * wbio;

        std::string* nread;
        std::string* nwrite;
        std::string* aread;
        std::string* awrite;
};

inline SSLFilter::SSLFilter(SSL_CTX* ctxt,
                     std::string* nread,
                     std::string* nwrite,
                     std::string* aread,
                     std::string* awrite,
                     bool client)
                      :
                     nread(nread),
                     nwrite(nwrite),
                     aread(aread),
                     awrite(awrite)
{ // changed: the brace was missing
    rbio = BIO_new(BIO_s_mem());
    wbio = BIO_new(BIO_s_mem());

    ssl = SSL_new(ctxt);

    if (client) SSL_set_connect_state(ssl); else // changed: see above
    SSL_set_accept_state(ssl);
    SSL_set_bio(ssl, rbio, wbio);
}

inline SSLFilter::~SSLFilter() {
    SSL_free(ssl); // changed: was _ssl
}

inline void SSLFilter::update() { // changed: was update(Filter::FilterDirection)
    if (!nread->empty()) {
        int written = BIO_write(rbio, nread->c_str(), nread->length());
        if (written > 0) nread->erase(0, written);
    }

    if (!awrite->empty()) {
        int written = SSL_write(ssl, awrite->c_str(), awrite->length());

        if (!continue_ssl_(written)) { // changed: the argument was missing
            throw std::runtime_error("An SSL error occured.");
        }

        if (written > 0) awrite->erase(0, written);
    }

    while (1) {
        char *readto = new char[1024];
        int read = SSL_read(ssl, readto, 1024);

        if (!continue_ssl_(read)) { // changed: the argument was missing
            delete readto;
            throw std::runtime_error("An SSL error occured.");
        }

        if (read > 0) {
            size_t cur_size = aread->length();
            aread->resize(cur_size + read);
            std::copy(readto, readto + read, aread->begin() + cur_size);
        }

        delete readto;

        if (static_cast<size_t>(read) != 1024 || read == 0) break; // changed: was written == 0
    }

    while (1) {
        char *readto = new char[1024];
        int read = BIO_read(wbio, readto, 1024);

        if (read > 0) {
            size_t cur_size = nwrite->length();
            nwrite->resize(cur_size + read);
            std::copy(readto, readto + read, nwrite->begin() + cur_size);
        }

        delete readto;

        if (static_cast<size_t>(read) != 1024 || read == 0) break;
    }
}

inline bool SSLFilter::continue_ssl_(int function_return) {
    int err = SSL_get_error(ssl, function_return);

    if (err == SSL_ERROR_NONE || err == SSL_ERROR_WANT_READ) {
        return true;
    }

    if (err == SSL_ERROR_SYSCALL) {
        ERR_print_errors_fp(stderr);
        perror("syscall error: ");
        return false;
    }

    if (err == SSL_ERROR_SSL) {
        ERR_print_errors_fp(stderr);
        return false;
    }
    return true;
}

// clang-format on

} // namespace bench::article

#pragma GCC diagnostic pop
