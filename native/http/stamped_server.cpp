#include "http/stamped_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "http/clocks.h"

namespace dyno::http {
namespace {

constexpr char responseHead[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";
constexpr char lastChunks[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
constexpr std::size_t longestRequest = 1u << 20;

struct Stream {
  int socket = -1;
  std::string request, unsent;
  long left = 0, sent = 0, tokensPerEvent = 1;
  std::int64_t gap = 0;
  bool streaming = false;
};
struct Due {
  std::int64_t at = 0;
  int socket = -1;
};
bool later(const Due& a, const Due& b) { return a.at > b.at; }

long parameter(const std::string& request, const char* name, long otherwise) {
  const std::size_t found = request.find(name);
  return found == std::string::npos || found > request.find("\r\n") ? otherwise : std::atol(request.c_str() + found + std::strlen(name));
}

class Streams {
 public:
  Streams(int listener, int wake, std::atomic<std::uint64_t>& events, std::atomic<std::uint64_t>& blocked)
      : listener_(listener), epoll_(epoll_create1(EPOLL_CLOEXEC)), events_(events), blocked_(blocked) {
    watch(listener, EPOLLIN, EPOLL_CTL_ADD);
    watch(wake, EPOLLIN, EPOLL_CTL_ADD);
  }
  ~Streams() {
    for (auto& [socket, stream] : streams_) ::close(socket);
    ::close(epoll_);
  }

  void turn() {
    std::int64_t now = monotonicNow();
    while (!due_.empty() && due_.front().at <= now) {
      std::pop_heap(due_.begin(), due_.end(), later);
      const Due next = due_.back();
      due_.pop_back();
      if (const auto found = streams_.find(next.socket); found != streams_.end()) step(found->second, next.at);
      now = monotonicNow();
    }
    const std::int64_t left = due_.empty() ? 100'000'000 : std::max<std::int64_t>(0, due_.front().at - now);
    const timespec timeout{static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
    pollfd ready{epoll_, POLLIN, 0};
    if (ppoll(&ready, 1, &timeout, nullptr) <= 0) return;
    epoll_event events[128];
    const int count = epoll_wait(epoll_, events, 128, 0);
    for (int i = 0; i < count; ++i) {
      const int socket = events[i].data.fd;
      if (socket == listener_) accept();
      else if (const auto found = streams_.find(socket); found != streams_.end()) serve(found->second, events[i].events);
    }
  }

 private:
  void watch(int socket, unsigned events, int operation) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.fd = socket;
    epoll_ctl(epoll_, operation, socket, &wanted);
  }

  void accept() {
    for (;;) {
      const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) return;
      const int one = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      streams_[socket].socket = socket;
      watch(socket, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void end(Stream& stream) {
    const int socket = stream.socket;
    streams_.erase(socket);
    ::close(socket);
  }

  void serve(Stream& stream, unsigned events) {
    if ((events & EPOLLOUT) != 0 && !flush(stream)) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    char bytes[16384];
    const ssize_t got = ::read(stream.socket, bytes, sizeof bytes);
    if (got <= 0) {
      if (got == 0 || (errno != EAGAIN && errno != EINTR)) end(stream);
      return;
    }
    if (stream.streaming) return;
    stream.request.append(bytes, static_cast<std::size_t>(got));
    if (stream.request.size() > longestRequest) return end(stream);
    const std::size_t head = stream.request.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const char* length = strcasestr(stream.request.c_str(), "\r\ncontent-length:");
    const std::size_t body = length == nullptr ? 0 : static_cast<std::size_t>(std::atol(length + 17));
    if (stream.request.size() >= head + 4 + body) begin(stream);
  }

  void begin(Stream& stream) {
    stream.left = parameter(stream.request, "k=", 100);
    stream.gap = std::max(1L, parameter(stream.request, "gap=", 20'000)) * 1000;
    stream.tokensPerEvent = std::max(1L, parameter(stream.request, "m=", 1));
    const bool stagger = stream.request.find("mode=stagger") < stream.request.find("\r\n");
    const std::int64_t base = monotonicNow() + parameter(stream.request, "wait=", 200'000) * 1000;
    phase_ = phase_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::int64_t first = stagger ? base + static_cast<std::int64_t>(phase_ >> 33) % stream.gap
                                       : (base / stream.gap + 1) * stream.gap;
    stream.streaming = true;
    stream.request.clear();
    if (write(stream, responseHead, sizeof responseHead - 1)) schedule(stream, first);
  }

  void schedule(const Stream& stream, std::int64_t at) {
    due_.push_back({at, stream.socket});
    std::push_heap(due_.begin(), due_.end(), later);
  }

  void step(Stream& stream, std::int64_t at) {
    if (stream.left <= 0) {
      if (write(stream, lastChunks, sizeof lastChunks - 1) && stream.unsent.empty()) end(stream);
      return;
    }
    char chunk[800], event[700], text[160];
    int length = 0;
    for (long i = 0; i < std::min(stream.tokensPerEvent, 8L); ++i)
      length += std::snprintf(text + length, sizeof text - static_cast<std::size_t>(length), " tok%05ld",
                              (stream.sent * stream.tokensPerEvent + i) % 100'000);
    const char* finish = stream.left == 1 ? "\"length\"" : "null";
    const int size = std::snprintf(
        event, sizeof event,
        "data: {\"id\":\"cmpl-00000000000000000000000000000000\",\"object\":\"text_completion\",\"created\":1796082575,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":\"%s\",\"logprobs\":null,\"finish_reason\":%s,\"stop_reason\":"
        "null}],\"seq\":%ld,\"ns\":%lld}\n\n",
        text, finish, stream.sent, static_cast<long long>(monotonicNow()));
    const int total = std::snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", size, event);
    ++stream.sent;
    --stream.left;
    events_.fetch_add(1, std::memory_order_relaxed);
    if (write(stream, chunk, static_cast<std::size_t>(total))) schedule(stream, at + stream.gap);
  }

  // False when the stream is gone.
  bool write(Stream& stream, const char* bytes, std::size_t size) {
    std::size_t done = 0;
    if (stream.unsent.empty()) {
      const ssize_t wrote = ::send(stream.socket, bytes, size, MSG_NOSIGNAL);
      if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
        end(stream);
        return false;
      }
      done = wrote < 0 ? 0 : static_cast<std::size_t>(wrote);
      if (done == size) return true;
      blocked_.fetch_add(1, std::memory_order_relaxed);
      watch(stream.socket, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    stream.unsent.append(bytes + done, size - done);
    return true;
  }

  bool flush(Stream& stream) {
    const ssize_t wrote = ::send(stream.socket, stream.unsent.data(), stream.unsent.size(), MSG_NOSIGNAL);
    if (wrote < 0) {
      if (errno == EAGAIN || errno == EINTR) return true;
      end(stream);
      return false;
    }
    stream.unsent.erase(0, static_cast<std::size_t>(wrote));
    if (!stream.unsent.empty()) return true;
    watch(stream.socket, EPOLLIN, EPOLL_CTL_MOD);
    if (stream.streaming && stream.left <= 0) {
      end(stream);
      return false;
    }
    return true;
  }

  int listener_, epoll_;
  std::atomic<std::uint64_t>&events_, &blocked_;
  std::unordered_map<int, Stream> streams_;
  std::vector<Due> due_;
  std::uint64_t phase_ = 88172645463325252ULL;
};

}  // namespace

Result<std::unique_ptr<StampedServer>> StampedServer::start(std::uint16_t port) {
  std::unique_ptr<StampedServer> server(new StampedServer());
  const auto refused = [](const char* call) {
    return DriverError{call, errno, "SYSTEM", std::string("stamped server: ") + call + ": " + std::strerror(errno) + ".", ""};
  };
  server->listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  server->wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (server->listener_ < 0 || server->wake_ < 0) return refused("socket");
  const int one = 1;
  setsockopt(server->listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(server->listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return refused("bind");
  if (listen(server->listener_, 4096) != 0) return refused("listen");
  getsockname(server->listener_, reinterpret_cast<sockaddr*>(&address), &length);
  server->port_ = ntohs(address.sin_port);
  server->thread_ = std::thread([self = server.get()] { self->run(); });
  return server;
}

void StampedServer::run() {
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  Streams streams(listener_, wake_, events_, blocked_);
  while (!stopping_) streams.turn();
}

void StampedServer::stop() {
  if (stopping_.exchange(true)) return;
  const std::uint64_t one = 1;
  if (wake_ >= 0 && ::write(wake_, &one, sizeof one) < 0) stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

StampedServer::~StampedServer() {
  stop();
  if (listener_ >= 0) ::close(listener_);
  if (wake_ >= 0) ::close(wake_);
}

}  // namespace dyno::http
