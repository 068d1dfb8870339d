// The receive threads: each watches its share of the connections and puts what arrives, stamped, into its ring.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "http/receiver.h"
#include "http/timely.h"

namespace dyno::http {
namespace {

constexpr std::size_t largestRead = 1u << 16;
constexpr std::size_t smallestRead = 1u << 11;
// A reader that was just woken is not woken again for this long: it takes what came meanwhile in one turn.
constexpr std::int64_t wakeEvery = 1'000'000;

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

}  // namespace

void Receiver::runLane(Lane& lane) {
  prepareThread();
  askForRealtime();
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
