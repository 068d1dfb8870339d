#include "http/receiver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace dyno::http {
namespace {

constexpr std::size_t largestRead = 1u << 16;
constexpr std::size_t smallestRead = 1u << 11;
// A reader that was just woken is not woken again for this long: it takes what came meanwhile in one turn.
constexpr std::int64_t wakeEvery = 1'000'000;
// How soon the sender tries again for commands that another thread is just adding.
constexpr std::int64_t retryLock = 20'000;

// The scheduler serves a thread with a short slice sooner when it wakes (EEVDF, Linux 6.12 and newer): no privilege needed.
// Older kernels ignore the field. Timers fire at their time instead of up to 50 µs later.
void prepareThread() {
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } attributes{sizeof attributes, 0 /* SCHED_OTHER */, 0x08 /* keep policy */ | 0x10 /* keep nice */, 0, 0, 100'000, 0, 0};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

// First in line for the processor, where the user may (root, CAP_SYS_NICE, an rtprio limit): a sender beside busy cores is
// else late by a scheduler's slice. It sleeps between requests and turns round for at most `spinNs` before one.
bool askForRealtime() {
  const sched_param first{sched_get_priority_min(SCHED_FIFO)};
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0;
}

bool askForStamps(int socket) {
  const int wanted = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  return setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPING, &wanted, sizeof wanted) == 0;
}

// The kernel's stamp of a read in CLOCK_REALTIME ns, 0 where it gave none.
std::int64_t stampOf(msghdr& message) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPING) continue;
    timespec software{};
    std::memcpy(&software, CMSG_DATA(control), sizeof software);
    return static_cast<std::int64_t>(software.tv_sec) * 1'000'000'000 + software.tv_nsec;
  }
  return 0;
}

void signal(const Socket& event) {
  const std::uint64_t one = 1;
  if (::write(event.get(), &one, sizeof one) < 0) return;  // full: the thread is being woken already
}
void swallow(const Socket& event) {
  std::uint64_t count = 0;
  if (::read(event.get(), &count, sizeof count) < 0) return;
}

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
    auto lane = std::make_unique<Lane>(std::max(options_.ringBytes, 2 * largestRead));
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
  status.realtimeSender = realtimeSender_;
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

// ---- The sender

void Receiver::runSender() {
  prepareThread();
  realtimeSender_ = askForRealtime();
  std::vector<Command> heap;  // earliest due first
  std::uint64_t taken = 0;
  while (!stopping_) {
    // A caller that lost the processor inside enqueue() must not hold up what is due: the lock is tried, never waited for.
    bool missed = false;
    if (const std::uint64_t seen = submitted_.load(std::memory_order_acquire); seen != taken) {
      std::unique_lock hold(commandLock_, std::try_to_lock);
      missed = !hold.owns_lock();
      if (!missed) {
        taken = seen;
        for (Command& command : incoming_) {
          heap.push_back(std::move(command));
          std::push_heap(heap.begin(), heap.end(), later);
        }
        incoming_.clear();
      }
    }
    const std::int64_t due = heap.empty() ? INT64_MAX : heap.front().due;
    if (due <= monotonicNow()) {
      std::pop_heap(heap.begin(), heap.end(), later);
      Command next = std::move(heap.back());
      heap.pop_back();
      perform(next);
      continue;
    }
    const std::int64_t left = due == INT64_MAX ? INT64_MAX : due - monotonicNow();
    if (left > options_.spinNs) {
      if (!senderRing_.empty()) wakeReader();
      senderCpu_ = clockNow(CLOCK_THREAD_CPUTIME_ID);
      std::int64_t sleep = left == INT64_MAX ? INT64_MAX : left - options_.spinNs;
      if (missed) sleep = std::min(sleep, retryLock);
      timespec timeout{static_cast<time_t>(sleep / 1'000'000'000), static_cast<long>(sleep % 1'000'000'000)};
      pollfd event{commandEvent_.get(), POLLIN, 0};
      if (ppoll(&event, 1, sleep == INT64_MAX ? nullptr : &timeout, nullptr) > 0) swallow(commandEvent_);
    } else {
      while (monotonicNow() < due && submitted_.load(std::memory_order_relaxed) == taken) {
      }
    }
  }
}

int Receiver::openSocket(Connection& connection) {
  const int descriptor = ::socket(connection.address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return errno;
  connection.socket.adopt(descriptor);
  const int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (options_.kernelStamps && !askForStamps(descriptor)) stampsRefused_ = true;
  const int outcome = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&connection.address.storage),
                                connection.address.length);
  return outcome == 0 || errno == EINPROGRESS ? 0 : errno;
}

void Receiver::perform(Command& command) {
  Connection& connection = *command.connection;
  Lane& lane = *lanes_[connection.thread];
  std::unique_lock hold(connection.lock);
  if (connection.closed) {
    // Dropped before its time, or closed by the server since its last answer.
    if (!command.opens) put(senderRing_, RecordKind::failed, connection.id, EPIPE);
    return;
  }
  put(senderRing_, RecordKind::started, connection.id);
  connection.request = std::move(command.request);
  connection.written = 0;
  int error = command.opens ? openSocket(connection) : 0;
  bool out = false;
  // On loopback the handshake is over when connect() returns; elsewhere the receive thread writes once it is.
  if (error == 0) {
    out = write(connection, senderRing_);
    if (!out && errno != EAGAIN && errno != ENOTCONN) error = errno;
  }
  if (error == 0 && command.opens) {
    // Not epoll_ctl(): the kernel's own lock of the epoll set may be with a receive thread that lost the processor.
    connection.wantsToWrite = !out;
    connection.nextAdopted = lane.adopted.load(std::memory_order_relaxed);
    while (!lane.adopted.compare_exchange_weak(connection.nextAdopted, &connection, std::memory_order_release,
                                               std::memory_order_relaxed)) {
    }
    hold.unlock();
    signal(lane.event);
    return;
  }
  if (error == 0 && !out) {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT;
    wanted.data.ptr = &connection;
    if (epoll_ctl(lane.epoll.get(), EPOLL_CTL_MOD, connection.socket.get(), &wanted) != 0) error = errno;
  }
  if (error == 0) return;
  put(senderRing_, RecordKind::failed, connection.id, error);
  connection.closed = true;
  if (!command.opens) {
    // The receive thread owns the socket by now: it closes it.
    hold.unlock();
    drop(connection.id);
    return;
  }
  connection.socket.close();
  hold.unlock();
  forget(connection.id);
}

// ---- The receive threads

void Receiver::runLane(Lane& lane) {
  prepareThread();
  epoll_event events[256];
  std::int64_t woken = 0;
  std::int64_t accounted = 0;
  bool owed = false;
  while (!stopping_) {
    const int count = epoll_wait(lane.epoll.get(), events, 256, owed ? 1 : -1);
    const std::int64_t now = monotonicNow();
    lane.clocks.refresh(now);
    bool told = false;
    for (int i = 0; i < count && !stopping_; ++i) {
      if (events[i].data.ptr == nullptr) {
        told = true;
        continue;
      }
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) readFrom(lane, connection);
      else if ((events[i].events & EPOLLOUT) != 0) continueWriting(lane, connection);
    }
    // After the batch: a connection that this closes may have had an event in it.
    if (told) {
      swallow(lane.event);
      adoptNew(lane);
      dropWaiting(lane);
    }
    owed = !lane.ring.empty();
    if (owed && (now - woken >= wakeEvery || count == 0)) {
      woken = now;
      owed = false;
      wakeReader();
    }
    if (now - accounted >= RealtimeMap::refreshEvery) {
      accounted = now;
      lane.cpu = clockNow(CLOCK_THREAD_CPUTIME_ID);
      std::int64_t error = clockError_;
      if (lane.clocks.error() > error) clockError_ = lane.clocks.error();
      if (lane.clocks.steps() > clockSteps_) clockSteps_ = lane.clocks.steps();
    }
  }
}

void Receiver::readFrom(Lane& lane, Connection& connection) {
  RecordRing::Room room = lane.ring.reserve(smallestRead, largestRead);
  while (room.bytes == nullptr) {
    if (!waitForRoom()) return;
    room = lane.ring.reserve(smallestRead, largestRead);
  }
  alignas(cmsghdr) char control[256];
  iovec into{room.bytes, room.size};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(connection.socket.get(), &message, MSG_DONTWAIT);
  const int error = errno;
  const std::int64_t now = monotonicNow();
  if (got < 0 && (error == EAGAIN || error == EINTR)) return;
  if (got <= 0) {
    bool told = false;
    {
      std::lock_guard hold(connection.lock);
      told = connection.closed;  // the sender reported a failed write already
      connection.closed = true;
    }
    if (!told) put(lane.ring, got == 0 ? RecordKind::ended : RecordKind::failed, connection.id, got == 0 ? 0 : error);
    closeIn(lane, connection);
    return;
  }
  RecordHead head;
  head.connection = connection.id;
  head.length = static_cast<std::uint32_t>(got);
  const std::int64_t stamp = options_.kernelStamps ? stampOf(message) : 0;
  // A stamp from the future, or older than the one before it, means that the system clock was set: not believed.
  const std::int64_t mapped = stamp == 0 ? 0 : lane.clocks.monotonic(stamp);
  const bool believed = stamp != 0 && mapped <= now + RealtimeMap::stepAbove && mapped >= connection.lastStamp;
  head.kind = believed ? RecordKind::kernelBytes : RecordKind::clockBytes;
  head.time = believed ? std::min(mapped, now) : now;
  connection.lastStamp = head.time;
  lane.ring.commit(head);
  (believed ? kernelReads_ : clockReads_).fetch_add(1, std::memory_order_relaxed);
}

void Receiver::continueWriting(Lane& lane, Connection& connection) {
  std::unique_lock hold(connection.lock);
  if (connection.closed) return;
  if (!write(connection, lane.ring)) {
    const int error = errno;
    if (error == EAGAIN || error == ENOTCONN) return;
    connection.closed = true;
    hold.unlock();
    put(lane.ring, RecordKind::failed, connection.id, error);
    closeIn(lane, connection);
    return;
  }
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.ptr = &connection;
  epoll_ctl(lane.epoll.get(), EPOLL_CTL_MOD, connection.socket.get(), &wanted);
}

void Receiver::closeIn(Lane& lane, Connection& connection) {
  epoll_ctl(lane.epoll.get(), EPOLL_CTL_DEL, connection.socket.get(), nullptr);
  {
    std::lock_guard hold(connection.lock);
    connection.closed = true;
    connection.socket.close();
  }
  forget(connection.id);  // the last line: it may free the connection
}

// Connections that the sender opened since the last time are watched from now on; what arrived before is reported at once.
void Receiver::adoptNew(Lane& lane) {
  for (Connection* each = lane.adopted.exchange(nullptr, std::memory_order_acquire); each != nullptr;) {
    Connection& connection = *each;
    each = connection.nextAdopted;
    epoll_event wanted{};
    wanted.events = EPOLLIN | (connection.wantsToWrite ? static_cast<unsigned>(EPOLLOUT) : 0u);
    wanted.data.ptr = &connection;
    if (epoll_ctl(lane.epoll.get(), EPOLL_CTL_ADD, connection.socket.get(), &wanted) == 0) continue;
    put(lane.ring, RecordKind::failed, connection.id, errno);
    closeIn(lane, connection);
  }
}

void Receiver::dropWaiting(Lane& lane) {
  std::vector<std::uint32_t> drops;
  {
    std::lock_guard hold(lane.dropLock);
    drops.swap(lane.drops);
  }
  for (const std::uint32_t id : drops) {
    std::shared_ptr<Connection> connection;
    {
      std::lock_guard hold(registryLock_);
      if (const auto found = registry_.find(id); found != registry_.end()) connection = found->second;
    }
    if (connection == nullptr) continue;
    bool open = false;
    {
      std::lock_guard hold(connection->lock);
      connection->closed = true;
      open = connection->socket.open();
    }
    if (!open) {
      forget(id);
      continue;
    }
    // The sender may have opened it just now: it must not lie in the list when it goes.
    adoptNew(lane);
    closeIn(lane, *connection);
  }
}

}  // namespace dyno::http
