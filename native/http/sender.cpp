// The sender: one thread that connects and writes each request at its due time.
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "http/receiver.h"
#include "http/timely.h"

namespace dyno::http {
namespace {

// How soon the sender tries again for commands that another thread is just adding.
constexpr std::int64_t retryLock = 20'000;

}  // namespace

void Receiver::runSender() {
  prepareThread();
  realtime_ = askForRealtime();
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

}  // namespace dyno::http
