// SPDX-License-Identifier: MIT
//
// name_server.h: a DNS server on the test's own loop, which answers when the test says so. UDP, one
// question a message, A and AAAA (RFC 1035, RFC 3596).
//
//     name_server dns(loop);
//     … connect to "some.example:80" with .name_servers = dns.address() …
//     dns.answer(name_server::aaaa, {"::1"});     // now, or as soon as it is asked
#pragma once

#include <funcptr/socket.h>

#include <arpa/inet.h>
#include <ev++.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

namespace funcptr::testing {

class name_server {
public:
    enum type : unsigned { a = 1, aaaa = 28 };

    explicit name_server(ev::loop_ref loop)
        : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
        , io_(loop)
    {
        const auto where = *funcptr::address::parse("127.0.0.1:0").value;
        EXPECT_EQ(::bind(socket_.get(), where.data(), where.size()), 0);
        io_.set<name_server, &name_server::on_question>(this);
        io_.start(socket_.get(), ev::READ);
    }

    std::string address() const
    {
        sockaddr_storage raw{};
        socklen_t size = sizeof raw;
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&raw), &size);
        return funcptr::address::from(reinterpret_cast<sockaddr*>(&raw), size).to_string();
    }

    /// No addresses: the name does not exist.
    void answer(type of, const std::vector<std::string>& addresses)
    {
        answers_[of] = addresses;
        for (const auto& each : questions_)
            if (each.kind == of)
                reply(each);
    }
    bool was_asked(type of) const
    {
        for (const auto& each : questions_)
            if (each.kind == of)
                return true;
        return false;
    }

private:
    struct question {
        std::string bytes; // header and question
        unsigned kind = 0;
        sockaddr_in from{};
    };

    void on_question(ev::io&, int)
    {
        std::array<char, 1500> room;
        question one;
        socklen_t size = sizeof one.from;
        const auto got = ::recvfrom(socket_.get(), room.data(), room.size(), 0,
                                    reinterpret_cast<sockaddr*>(&one.from), &size);
        if (got < 17)
            return;
        one.bytes.assign(room.data(), static_cast<std::size_t>(got));
        std::size_t end = 12; // of the name
        while (end < one.bytes.size() && one.bytes[end] != 0)
            end += 1U + static_cast<unsigned char>(one.bytes[end]);
        one.bytes.resize(end + 5);
        one.kind = static_cast<unsigned char>(one.bytes[end + 2]);
        questions_.push_back(one);
        if (answers_.contains(one.kind))
            reply(one);
    }

    void reply(const question& to)
    {
        const auto& found = answers_[to.kind];
        std::string text = to.bytes;
        text[2] = '\x81';
        text[3] = found.empty() ? '\x83' : '\x80'; // NXDOMAIN, or no error
        text[7] = static_cast<char>(found.size());
        text[11] = 0; // no additional records
        for (const auto& each : found) {
            std::array<char, 16> raw{};
            const bool six = to.kind == aaaa;
            EXPECT_EQ(::inet_pton(six ? AF_INET6 : AF_INET, each.c_str(), raw.data()), 1);
            text += std::string("\xC0\x0C\0", 3) + static_cast<char>(to.kind)
                    + std::string("\0\1\0\0\0\0\0", 7) + static_cast<char>(six ? 16 : 4);
            text.append(raw.data(), six ? 16 : 4);
        }
        ::sendto(socket_.get(), text.data(), text.size(), 0,
                 reinterpret_cast<const sockaddr*>(&to.from), sizeof to.from);
    }

    unique_fd socket_;
    ev::io io_;
    std::map<unsigned, std::vector<std::string>> answers_;
    std::vector<question> questions_;
};

} // namespace funcptr::testing
