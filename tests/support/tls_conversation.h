// SPDX-License-Identifier: MIT
//
// tls_conversation.h: one request and one answer over a real TCP connection through a filter, with
// a blocking loop of a few lines: what somebody would write who uses the filter without a loop.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "funcptr/ssl_filter.h"
#include "sockets.h"

namespace funcptr::testing {

/// How a conversation went, as our end saw it.
struct outcome {
    close_cause cause;
    tls_peer peer;
    std::string received;
    tls_session session; ///< a client's
};

class conversation {
public:
    /// The descriptor is made non-blocking.
    conversation(SSLFilter& filter, int fd)
        : filter_(filter)
        , fd_(fd)
    {
        make_nonblocking(fd);
    }

    /// A client: says it, and reads until the server ends.
    outcome ask(std::string_view request)
    {
        filter_.awrite().append(request);
        do {
            move();
            if (filter_.read_closed())
                filter_.close_write();
            move();
        } while (wait());
        return finish();
    }

    /// A server: answers once a whole request (an empty line) has come, and ends its side.
    outcome answer(std::string_view response)
    {
        bool answered = false;
        do {
            move();
            if (!answered && received_.find("\r\n\r\n") != std::string::npos) {
                filter_.awrite().append(response);
                answered = true;
            }
            if (answered || filter_.read_closed())
                filter_.close_write();
            move();
        } while (wait());
        return finish();
    }

private:
    /// All that can be done without waiting.
    void move()
    {
        do {
            filter_.update();
            received_ += filter_.aread().view();
            filter_.aread().clear();
            note_facts();
        } while (send() || filter_.pending());
    }

    void note_facts()
    {
        if (filter_.state() != filter_state::open)
            return;
        peer_ = filter_.peer();
        if (const tls_session session = filter_.session())
            session_ = session;
    }

    /// True when the socket took something.
    bool send()
    {
        buffer& out = filter_.nwrite();
        const auto sent =
            out.empty() ? 0 : ::send(fd_, out.view().data(), out.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            out.clear(); // nobody is there to hear it
        out.consume(sent > 0 ? static_cast<std::size_t>(sent) : 0);
        if (out.empty() && filter_.write_closed() && !shut_)
            shut_ = ::shutdown(fd_, SHUT_WR) == 0 || errno == ENOTCONN;
        return sent > 0;
    }

    /// For the socket, a minute at most; false when it is over.
    bool wait()
    {
        const bool sending = !filter_.nwrite().empty();
        if (filter_.closed() && !sending)
            return false;
        pollfd one{fd_, static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), 0};
        if (::poll(&one, 1, 60'000) != 1) {
            ADD_FAILURE() << "nothing came for a minute";
            return false;
        }
        if ((one.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            read();
        return true;
    }

    void read()
    {
        std::array<char, 16384> block{};
        const auto got = ::recv(fd_, block.data(), block.size(), 0);
        if (got > 0)
            filter_.nread().append(std::string_view(block.data(), static_cast<std::size_t>(got)));
        else if (got == 0 || errno != EAGAIN)
            filter_.input_eof();
    }

    outcome finish() { return {filter_.cause(), peer_, received_, session_}; }

    SSLFilter& filter_;
    int fd_;
    bool shut_ = false;
    std::string received_;
    tls_peer peer_;
    tls_session session_;
};

/// A socket that listens on a port of the kernel's choice on 127.0.0.1.
class listening {
public:
    listening()
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const auto where = *address::parse("127.0.0.1:0").value;
        if (::bind(fd_.get(), where.data(), where.size()) != 0 || ::listen(fd_.get(), 8) != 0)
            throw std::runtime_error("cannot listen on 127.0.0.1");
        sockaddr_storage got{};
        socklen_t size = sizeof got;
        auto* const raw = reinterpret_cast<sockaddr*>(&got);
        ::getsockname(fd_.get(), raw, &size);
        port_ = std::to_string(address::from(raw, size).port());
    }

    const std::string& port() const { return port_; }

    /// Waits a minute for a client.
    unique_fd accept()
    {
        pollfd wait{fd_.get(), POLLIN, 0};
        if (::poll(&wait, 1, 60'000) != 1)
            return {};
        return unique_fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }

private:
    unique_fd fd_;
    std::string port_;
};

/// Our server, in a thread of its own, for so many connections one after the other.
class answering_server {
public:
    answering_server(const tls_context& context, std::string_view response, int connections = 1)
        : thread_([this, context, response = std::string(response), connections] {
            for (int i = 0; i < connections; ++i) {
                const unique_fd fd = socket_.accept();
                if (!fd)
                    return;
                SSLFilter filter(context);
                outcomes_.push_back(conversation(filter, fd.get()).answer(response));
            }
        })
    {
    }
    answering_server(const answering_server&) = delete;
    answering_server& operator=(const answering_server&) = delete;
    ~answering_server()
    {
        if (thread_.joinable())
            thread_.join();
    }

    const std::string& port() const { return socket_.port(); }

    /// Waits for the last connection's end.
    const std::vector<outcome>& outcomes()
    {
        if (thread_.joinable())
            thread_.join();
        return outcomes_;
    }

private:
    listening socket_;
    std::vector<outcome> outcomes_;
    std::thread thread_; // last: it starts when the rest is there
};

} // namespace funcptr::testing
