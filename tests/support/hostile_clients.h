// SPDX-License-Identifier: MIT
//
// hostile_clients.h: clients of a TLS server that mean ill, and one that does not, each in a
// process of its own, so that the descriptors and the memory that a server counts are the server's.
// Used by hostile_clients_test.cc and by the net bench.
//
// Threads: none; fork before there are any. Lifetime: a process ends before its client_process.
//
//     client_process hostile([&] { hostile_client one(where); one.wave(250); return 0; });
//     serve_until([&] { return !hostile.running(); });
#pragma once

#include <funcptr/socket.h>

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace funcptr::testing {

/// A process; its exit status is what its function returned, at most 100: how many of its requests
/// were not answered.
class client_process {
public:
    explicit client_process(const std::function<int()>& run)
    {
        child_ = ::fork();
        if (child_ == 0)
            ::_exit(std::min(run(), 100));
    }
    client_process(const client_process&) = delete;
    client_process& operator=(const client_process&) = delete;
    ~client_process()
    {
        if (child_ > 0)
            (void)wait();
    }
    bool running()
    {
        if (child_ > 0 && ::waitpid(child_, &status_, WNOHANG) == child_)
            child_ = -1;
        return child_ > 0;
    }
    int wait()
    {
        if (child_ > 0)
            ::waitpid(std::exchange(child_, -1), &status_, 0);
        return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
    }

private:
    pid_t child_;
    int status_ = -1;
};

/// From another address each time: the ports of one would be used up by TIME_WAIT. And hostile ones
/// from another network: Linux remembers round trip times by address (tcp_metrics), and would pace
/// the well-behaved by those of the others.
inline unique_fd connect_from(const char* network, unsigned number, const address& where)
{
    unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto from = *address::parse(network + std::to_string(1 + number % 250) + ":0").value;
    if (::bind(fd.get(), from.data(), from.size()) != 0
        || ::connect(fd.get(), where.data(), where.size()) != 0)
        return {};
    return fd;
}

/// One that says "x" over TLS and gets it back, on a new connection each time.
class good_client {
public:
    explicit good_client(const address& server)
        : server_(server)
        , ctx_(::SSL_CTX_new(::TLS_client_method()))
    {
    }
    bool ask(unsigned number)
    {
        const auto fd = connect_from("127.0.1.", number, server_);
        const std::unique_ptr<SSL, freed> ssl(::SSL_new(ctx_.get()));
        if (!fd || ::SSL_set_fd(ssl.get(), fd.get()) != 1 || ::SSL_connect(ssl.get()) != 1)
            return false;
        char answer = 0;
        const bool answered = ::SSL_write(ssl.get(), "x", 1) == 1
                              && ::SSL_read(ssl.get(), &answer, 1) == 1 && answer == 'x';
        ::SSL_shutdown(ssl.get());
        return answered;
    }

private:
    struct freed {
        void operator()(SSL* ssl) const { ::SSL_free(ssl); }
        void operator()(SSL_CTX* ctx) const { ::SSL_CTX_free(ctx); }
    };

    address server_;
    std::unique_ptr<SSL_CTX, freed> ctx_;
};

/// Opens connections in waves, and treats each in another way; all of a wave are there at once.
class hostile_client {
public:
    explicit hostile_client(const address& server)
        : server_(server)
    {
    }
    /// How many of the connections came about: all of them, or the server was not attacked. pause:
    /// after each ten; without one they come as fast as the machine can make them.
    unsigned wave(unsigned size, std::chrono::microseconds pause = {})
    {
        std::vector<unique_fd> all;
        for (unsigned i = 0; i < size; ++i) {
            if (i % 10 == 9)
                std::this_thread::sleep_for(pause);
            if (auto fd = connect_from("127.0.2.", i, server_)) {
                begin(i % kinds, fd.get());
                all.push_back(std::move(fd));
            }
        }
        dribble(all);
        for (unsigned i = 0; i < all.size(); ++i)
            end(i, all[i].get());
        return static_cast<unsigned>(all.size());
    }

private:
    // The beginning of a record that claims to hold a ClientHello of 500 bytes.
    static constexpr std::string_view hello_start = "\x16\x03\x01\x01\xf4\x01";
    static constexpr unsigned kinds = 6;
    static constexpr unsigned slow = 5;

    void begin(unsigned kind, int fd)
    {
        switch (kind) {
        case 0: // silent
            break;
        case 1: // half a hello
            send(fd, hello_start);
            break;
        case 2: // half open: it will say no more
            send(fd, hello_start);
            ::shutdown(fd, SHUT_WR);
            break;
        case 3: // garbage
        case 4:
            send(fd, garbage(kind == 3 ? 64 : 40'000));
            break;
        default: // slow: dribble()
            break;
        }
    }
    /// The slow ones send a byte each, and then the next.
    static void dribble(const std::vector<unique_fd>& all)
    {
        for (const char& each : hello_start)
            for (unsigned i = slow; i < all.size(); i += kinds)
                send(all[i].get(), {&each, 1});
    }
    /// Half of each kind is closed (which is a reset when something is unread), half is reset.
    static void end(unsigned number, int fd)
    {
        if (number / kinds % 2 == 0)
            return;
        const linger reset{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    /// What the server has reset by now does not matter.
    static void send(int fd, std::string_view text)
    {
        while (!text.empty()) {
            const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    std::string garbage(std::size_t size)
    {
        std::string text(size, '\0');
        std::generate(text.begin(), text.end(), [this] { return static_cast<char>(random_()); });
        return text;
    }

    address server_;
    std::minstd_rand random_{42};
};

} // namespace funcptr::testing
