// SPDX-License-Identifier: MIT
//
// Two threads serve each program: one reads what it prints, so that a full pipe never stops it and
// wait_for() can wait on a condition; one waits for its end, since waitpid() knows no time limit.
// The second leaves the zombie in place (WNOWAIT): the pid stays the program's until we collect it,
// and no signal of ours can hit a stranger.
#include "process.h"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <mutex>
#include <poll.h>
#include <regex>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ; // POSIX; not every system's unistd.h declares it

namespace test {
namespace {

[[noreturn]] void fail(const std::string& what, int error)
{
    throw std::runtime_error(what + ": " + std::strerror(error));
}

class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd)
        : fd_(fd)
    {
    }
    descriptor(descriptor&& other) noexcept
        : fd_(std::exchange(other.fd_, -1))
    {
    }
    descriptor& operator=(descriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor() { close(); }
    void close()
    {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }
    int get() const { return fd_; }

private:
    int fd_ = -1;
};

struct pipe_ends {
    descriptor read;
    descriptor write;
};

pipe_ends open_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0)
        fail("pipe", errno);
    pipe_ends both{descriptor(ends[0]), descriptor(ends[1])};
    for (const int end : ends)
        ::fcntl(end, F_SETFD, FD_CLOEXEC); // or a later program holds it open
    return both;
}

// A file instead of a pipe: nobody has to feed it while the program runs.
descriptor input_file(const std::string& text)
{
    std::string name = (std::filesystem::temp_directory_path() / "input-XXXXXX").string();
    descriptor file(::mkstemp(name.data()));
    if (file.get() < 0)
        fail(name, errno);
    ::unlink(name.c_str());
    ::fcntl(file.get(), F_SETFD, FD_CLOEXEC);
    for (std::size_t done = 0; done < text.size();) {
        const auto count = ::write(file.get(), text.data() + done, text.size() - done);
        if (count < 0)
            fail(name, errno);
        done += static_cast<std::size_t>(count);
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

std::vector<std::string> environment_of(const command& what)
{
    std::map<std::string, std::string> variables;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string line = *each;
        const auto equals = line.find('=');
        if (equals != std::string::npos)
            variables[line.substr(0, equals)] = line.substr(equals + 1);
    }
    for (const auto& [name, value] : what.environment) {
        variables.erase(name);
        if (value)
            variables[name] = *value;
    }
    std::vector<std::string> lines;
    for (const auto& [name, value] : variables)
        lines.push_back(name + "=" + value);
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& words)
{
    std::vector<char*> found;
    for (auto& word : words)
        found.push_back(word.data());
    found.push_back(nullptr);
    return found;
}

pid_t spawn(command what, const descriptor& in, const descriptor& out, const descriptor& err)
{
    auto environment = environment_of(what);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, err.get(), STDERR_FILENO);
    if (!what.directory.empty())
        posix_spawn_file_actions_addchdir_np(&files, what.directory.c_str());

    // A group of its own, to be killed with all that it starts; signals as in a new terminal.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none;
    sigset_t defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK
                                              | POSIX_SPAWN_SETSIGDEF);

    pid_t pid = -1;
    const int error = ::posix_spawnp(&pid, what.arguments.at(0).c_str(), &files, &attributes,
                                     pointers(what.arguments).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0)
        fail(what.arguments[0], error);
    return pid;
}

int shell_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

struct process::state {
    std::chrono::seconds limit{};
    pid_t pid = -1;
    std::optional<int> status; // once it is collected

    descriptor out;
    descriptor err;
    pipe_ends stop; // closed for writing: read what is there and end
    std::thread reader;
    std::future<void> ended;

    std::mutex mutex; // guards what follows
    std::condition_variable changed;
    result collected;
    std::string all;
    bool closed = false;
    std::size_t seen = 0; // the part of `all` that wait_for() is done with

    void read_outputs()
    {
        std::array<pollfd, 3> polled{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0},
                                     pollfd{stop.read.get(), POLLIN, 0}};
        bool stopping = false;
        while (polled[0].fd >= 0 || polled[1].fd >= 0) {
            // Once it ended only what is in the pipes is taken: a grandchild may hold them open.
            const int ready = ::poll(polled.data(), polled.size(), stopping ? 0 : -1);
            if (ready == 0 || (ready < 0 && errno != EINTR))
                break;
            take(polled[0], collected.out);
            take(polled[1], collected.err);
            if (polled[2].revents != 0) {
                stopping = true;
                polled[2].fd = -1;
            }
        }
        const std::lock_guard lock(mutex);
        closed = true;
        changed.notify_all();
    }

    void take(pollfd& polled, std::string& where)
    {
        if (polled.fd < 0 || polled.revents == 0)
            return;
        std::array<char, 16384> bytes;
        const auto count = ::read(polled.fd, bytes.data(), bytes.size());
        if (count <= 0) {
            if (count == 0 || errno != EINTR)
                polled.fd = -1;
            return;
        }
        const std::lock_guard lock(mutex);
        where.append(bytes.data(), static_cast<std::size_t>(count));
        all.append(bytes.data(), static_cast<std::size_t>(count));
        changed.notify_all();
    }

    // The next whole line behind `seen`; at the end of the output the rest counts as one.
    std::optional<std::string> next_line()
    {
        const auto end = all.find('\n', seen);
        if (end == std::string::npos && (!closed || seen >= all.size()))
            return std::nullopt;
        const auto line = all.substr(seen, end == std::string::npos ? end : end - seen);
        seen = end == std::string::npos ? all.size() : end + 1;
        return line;
    }

    void collect()
    {
        int raw = 0;
        while (::waitpid(pid, &raw, 0) < 0 && errno == EINTR) {
        }
        status = shell_status(raw);
        ::kill(-pid, SIGKILL); // what it left behind in its group
        stop.write.close();
        reader.join();
    }
};

process::process(command what)
    : state_(std::make_unique<state>())
{
    auto in = input_file(what.input);
    auto out = open_pipe();
    auto err = open_pipe();
    state_->stop = open_pipe();
    state_->limit = what.limit;
    state_->pid = spawn(std::move(what), in, out.write, err.write);
    state_->out = std::move(out.read);
    state_->err = std::move(err.read);
    state_->reader = std::thread([state = state_.get()] { state->read_outputs(); });
    state_->ended = std::async(std::launch::async, [pid = state_->pid] {
        siginfo_t info{};
        while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0
               && errno == EINTR) {
        }
    });
}

process::~process()
{
    if (!state_->status) {
        ::kill(-state_->pid, SIGKILL);
        state_->ended.wait();
        state_->collect();
    }
}

std::vector<std::string> process::wait_for(const std::string& pattern)
{
    const std::regex regex(pattern);
    const auto deadline = std::chrono::steady_clock::now() + state_->limit;
    std::unique_lock lock(state_->mutex);
    for (;;) {
        while (const auto line = state_->next_line()) {
            std::smatch match;
            if (std::regex_search(*line, match, regex))
                return {match.begin(), match.end()};
        }
        const bool over =
            state_->closed || state_->changed.wait_until(lock, deadline) == std::cv_status::timeout;
        if (over)
            throw std::runtime_error("no line matches '" + pattern + "' in:\n" + state_->all);
    }
}

void process::signal(int number)
{
    if (!state_->status)
        ::kill(state_->pid, number);
}

result process::wait()
{
    if (!state_->status) {
        const bool late = state_->ended.wait_for(state_->limit) != std::future_status::ready;
        if (late) {
            ::kill(-state_->pid, SIGKILL);
            state_->ended.wait();
        }
        state_->collect();
        state_->collected.status = late ? -1 : *state_->status;
    }
    return state_->collected;
}

std::string process::printed() const
{
    const std::lock_guard lock(state_->mutex);
    return state_->all;
}

int process::pid() const
{
    return state_->pid;
}

result run(command what)
{
    return process(std::move(what)).wait();
}

temp_dir::temp_dir()
{
    std::string name = (std::filesystem::temp_directory_path() / "funcptr-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        fail(name, errno);
    path_ = name;
}

temp_dir::~temp_dir()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        fail(path.string(), errno);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::filesystem::path& path, const std::string& text)
{
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush())
        fail(path.string(), errno);
}

std::string variable(const char* name, const std::string& otherwise)
{
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : value;
}

} // namespace test
