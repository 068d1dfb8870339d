#include "http/receiver.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "http/timely.h"

namespace dyno::http {
namespace {

// Twice the largest read.
constexpr std::size_t smallestRing = 1u << 17;

DriverError systemError(const char* call) {
  return DriverError{call, errno, "SYSTEM", std::string(call) + ": " + std::strerror(errno) + ".", ""};
}

}  // namespace

bool Address::parse(const std::string& host, std::uint16_t port, Address& to) {
  sockaddr_in four{};
  if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&to.storage, &four, sizeof four);
    to.length = sizeof four;
    return true;
  }
  sockaddr_in6 six{};
  if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) return false;
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  std::memcpy(&to.storage, &six, sizeof six);
  to.length = sizeof six;
  return true;
}

void Socket::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

Result<std::unique_ptr<Receiver>> Receiver::start(const ReceiverOptions& options, std::function<void()> wake) {
  std::unique_ptr<Receiver> receiver(new Receiver(options, std::move(wake)));
  if (Status prepared = receiver->prepare(); !prepared.ok()) return prepared.error();
  Receiver* self = receiver.get();
  for (auto& lane : self->lanes_) lane->thread = std::thread([self, each = lane.get()] { self->runLane(*each); });
  self->sender_ = std::thread([self] { self->runSender(); });
  return receiver;
}

Receiver::Receiver(const ReceiverOptions& options, std::function<void()> wake)
    : options_(options), wake_(std::move(wake)) {}

Receiver::~Receiver() { stop(); }

Status Receiver::prepare() {
  commandEvent_.adopt(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!commandEvent_.open()) return systemError("eventfd");
  if (options_.kernelStamps) {
    stampKeeper_.adopt(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!stampKeeper_.open() || !askForStamps(stampKeeper_.get())) stampsRefused_ = true;
  }
  for (unsigned i = 0; i < std::max(1u, options_.threads); ++i) {
    auto lane = std::make_unique<Lane>(std::max(options_.ringBytes, smallestRing));
    lane->epoll.adopt(epoll_create1(EPOLL_CLOEXEC));
    lane->event.adopt(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!lane->epoll.open() || !lane->event.open()) return systemError("epoll_create1");
    epoll_event wakes{};
    wakes.events = EPOLLIN;
    wakes.data.ptr = nullptr;
    if (epoll_ctl(lane->epoll.get(), EPOLL_CTL_ADD, lane->event.get(), &wakes) != 0) return systemError("epoll_ctl");
    lanes_.push_back(std::move(lane));
  }
  return Nothing{};
}

void Receiver::stop() {
  if (stopping_.exchange(true)) return;
  signal(commandEvent_);
  for (auto& lane : lanes_) signal(lane->event);
  {
    std::lock_guard hold(roomLock_);
    room_.notify_all();
  }
  if (sender_.joinable()) sender_.join();
  for (auto& lane : lanes_)
    if (lane->thread.joinable()) lane->thread.join();
  std::lock_guard hold(registryLock_);
  registry_.clear();
}

// ---- The caller's side

Status Receiver::open(std::uint32_t id, const std::string& host, std::uint16_t port, std::vector<char> request,
                      std::int64_t due) {
  auto connection = std::make_shared<Connection>();
  connection->id = id;
  connection->thread = id % static_cast<unsigned>(lanes_.size());
  if (!Address::parse(host, port, connection->address))
    return DriverError{"", EINVAL, "BAD_ADDRESS", host + " is no numeric IPv4 or IPv6 address.", "Resolve the name first."};
  {
    std::lock_guard hold(registryLock_);
    registry_[id] = connection;
  }
  enqueue({due, 0, std::move(connection), std::move(request), true});
  return Nothing{};
}

void Receiver::send(std::uint32_t id, std::vector<char> request, std::int64_t due) {
  std::shared_ptr<Connection> connection;
  {
    std::lock_guard hold(registryLock_);
    if (const auto found = registry_.find(id); found != registry_.end()) connection = found->second;
  }
  if (connection == nullptr) {
    connection = std::make_shared<Connection>();
    connection->id = id;
    connection->closed = true;
  }
  enqueue({due, 0, std::move(connection), std::move(request), false});
}

void Receiver::enqueue(Command command) {
  {
    std::lock_guard hold(commandLock_);
    command.order = nextOrder_++;
    incoming_.push_back(std::move(command));
  }
  submitted_.fetch_add(1, std::memory_order_release);
  signal(commandEvent_);
}

void Receiver::drop(std::uint32_t id) {
  Lane& lane = *lanes_[id % lanes_.size()];
  {
    std::lock_guard hold(lane.dropLock);
    lane.drops.push_back(id);
  }
  signal(lane.event);
}

bool Receiver::waiting() const {
  if (!senderRing_.empty()) return true;
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return !lane->ring.empty(); });
}

ReceiverStatus Receiver::status() const {
  ReceiverStatus status;
  status.kernelStamps = options_.kernelStamps && !stampsRefused_;
  status.kernelReads = kernelReads_;
  status.clockReads = clockReads_;
  status.realtime = realtime_;
  status.stalls = stalls_;
  status.stalledNs = stalledNs_;
  status.clockError = clockError_;
  status.clockSteps = clockSteps_;
  status.cpuNs = senderCpu_;
  for (const auto& lane : lanes_) status.cpuNs += lane->cpu;
  std::lock_guard hold(registryLock_);
  status.open = registry_.size();
  return status;
}

void Receiver::wakeReader() {
  if (!wakePending_.exchange(true, std::memory_order_acq_rel)) wake_();
}

void Receiver::roomMade() {
  if (stalledThreads_.load(std::memory_order_acquire) == 0) return;
  std::lock_guard hold(roomLock_);
  room_.notify_all();
}

// ---- Both kinds of thread

bool Receiver::waitForRoom() {
  stalls_.fetch_add(1, std::memory_order_relaxed);
  const std::int64_t began = monotonicNow();
  stalledThreads_.fetch_add(1, std::memory_order_acq_rel);
  wakeReader();
  {
    // The time-out covers a reader that drained between the look at the ring and this wait.
    std::unique_lock hold(roomLock_);
    if (!stopping_) room_.wait_for(hold, std::chrono::milliseconds(1));
  }
  stalledThreads_.fetch_sub(1, std::memory_order_acq_rel);
  stalledNs_.fetch_add(monotonicNow() - began, std::memory_order_relaxed);
  return !stopping_;
}

void Receiver::put(RecordRing& ring, RecordKind kind, std::uint32_t id, int value) {
  RecordHead head;
  head.kind = kind;
  head.connection = id;
  head.time = monotonicNow();
  head.value = value;
  while (ring.reserve(0, 0).bytes == nullptr)
    if (!waitForRoom()) return;
  ring.commit(head);
}

void Receiver::forget(std::uint32_t id) {
  std::lock_guard hold(registryLock_);
  registry_.erase(id);
}

// Writes what the socket takes. True when the request is out; with the connection's lock held.
bool Receiver::write(Connection& connection, RecordRing& ring) {
  while (connection.sending()) {
    const ssize_t wrote = ::send(connection.socket.get(), connection.request.data() + connection.written,
                                 connection.request.size() - connection.written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    if (!connection.connected) {
      connection.connected = true;
      put(ring, RecordKind::connected, connection.id);
    }
    connection.written += static_cast<std::size_t>(wrote);
  }
  connection.request.clear();
  connection.request.shrink_to_fit();
  connection.written = 0;
  put(ring, RecordKind::sent, connection.id);
  return true;
}

}  // namespace dyno::http
