// SPDX-License-Identifier: MIT
//
// net_unix_path.h: a unix socket's path, taken over from a dead process and removed at the end.
//
// A path outlives its process, and bind(2) then says EADDRINUSE in spite of SO_REUSEADDR. To remove
// it is right only when nobody listens there, and two who find that out at the same time must not
// both act on it. So whoever binds first holds an flock(2) on "<path>.lock" for as long as the
// socket lives; that file itself stays, since removing it would let two hold "it" at once. A
// process that does not know the lock is asked by connect(2).
#pragma once

#include <funcptr/socket.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace funcptr::detail {

class unix_path {
public:
    /// Makes the path of the address free for bind(2). False, and errno says why, when it is not.
    /// An abstract name needs nothing.
    bool claim(const address& where)
    {
        if (where.family() != address_family::local || where.size() == sizeof(sa_family_t))
            return true;
        const auto* raw = reinterpret_cast<const sockaddr_un*>(where.data());
        if (raw->sun_path[0] == '\0')
            return true;
        path_.assign(raw->sun_path, ::strnlen(raw->sun_path, sizeof raw->sun_path));
        lock_.reset(::open((path_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                           S_IRUSR | S_IWUSR));
        if (!lock_)
            return false;
        if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
            errno = EADDRINUSE;
            return false;
        }
        return !is_stale(where) || ::unlink(path_.c_str()) == 0;
    }

    /// bind() has made the path: it will be removed with this object, if it is still the same.
    /// False, and errno says why, when it cannot get its permissions; 0 leaves them.
    bool bound(mode_t mode)
    {
        made_ = ::lstat(path_.c_str(), &made_as_) == 0;
        return mode == 0 || !made_ || ::chmod(path_.c_str(), mode) == 0;
    }

    unix_path() = default;
    unix_path(const unix_path&) = delete;
    unix_path& operator=(const unix_path&) = delete;
    ~unix_path()
    {
        struct stat now {};
        // Somebody who does not know the lock may have put his own there.
        if (made_ && ::lstat(path_.c_str(), &now) == 0 && now.st_ino == made_as_.st_ino
            && now.st_dev == made_as_.st_dev)
            ::unlink(path_.c_str());
    }

private:
    bool is_stale(const address& where) const
    {
        const unique_fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        // Anything else may be alive: a full queue (EAGAIN), a datagram socket (EPROTOTYPE), a
        // file that is no socket at all (ECONNREFUSED too, so look).
        if (!probe || ::connect(probe.get(), where.data(), where.size()) == 0
            || errno != ECONNREFUSED)
            return false;
        struct stat file {};
        return ::lstat(path_.c_str(), &file) == 0 && S_ISSOCK(file.st_mode);
    }

    unique_fd lock_; // closed, and so given up, after the path is removed
    std::string path_;
    struct stat made_as_ {};
    bool made_ = false;
};

} // namespace funcptr::detail
