// Sends requests at their due times and reads the answers of many TCP connections, for a load generator that must not be
// late itself.
//
//   submit ─► sender thread ── connect(), write() at due ──► socket ──► receive threads (epoll) ──► rings ─► drain
//                                                              ▲ the kernel stamps each arriving segment
//
// - Each read carries the kernel's receive stamp (SO_TIMESTAMPING): a receive thread that comes late delays nothing but its
//   own work. Segments that wait unread in one socket are merged by the kernel under the last one's stamp.
// - Nothing is parsed here: bytes go to the reader as they came. Nothing is allocated per read.
// - A full ring stops its thread until the reader has drained: bytes stay in the socket (the server feels it as any slow
//   client's), the wait is counted. No record is ever dropped.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "driver/driver_error.h"
#include "http/clocks.h"
#include "http/connection.h"
#include "http/record_ring.h"

namespace dyno::http {

struct ReceiverOptions {
  unsigned threads = 1;
  std::size_t ringBytes = 8u << 20;  // per receive thread
  bool kernelStamps = true;          // false: the clock after read(), to measure what the kernel's stamps gain
  std::int64_t spinNs = 60'000;      // the sender waits for its due time in a loop from here on
};

struct ReceiverStatus {
  bool kernelStamps = false;         // every socket took the option
  bool realtime = false;             // the threads run at a real-time priority
  std::uint64_t kernelReads = 0;
  std::uint64_t clockReads = 0;      // reads without a kernel stamp
  std::uint64_t stalls = 0;          // times a receive thread found its ring full
  std::int64_t stalledNs = 0;
  std::int64_t clockError = 0;       // ns, of a kernel stamp on the monotonic clock
  std::uint32_t clockSteps = 0;
  std::int64_t cpuNs = 0;            // of all threads
  std::uint64_t open = 0;            // connections
};

class Receiver {
 public:
  // `wake` is called from any thread when records wait; at most once until the next drain().
  static Result<std::unique_ptr<Receiver>> start(const ReceiverOptions& options, std::function<void()> wake);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // Opens connection `id` at `due` (CLOCK_MONOTONIC ns; now when past) and writes the request. Ids are the caller's, used once.
  Status open(std::uint32_t id, const std::string& host, std::uint16_t port, std::vector<char> request, std::int64_t due);
  // Writes another request on a connection that is still open. A connection that closed meanwhile answers with `failed`.
  void send(std::uint32_t id, std::vector<char> request, std::int64_t due);
  // Closes at once, without a record. What the ring already holds is still drained.
  void drop(std::uint32_t id);

  // Reader's side, one thread only: take(head, payload) returns false when it has no room.
  template <typename Take>
  void drain(Take take) {
    wakePending_.store(false, std::memory_order_release);
    senderRing_.drain(take);
    for (auto& lane : lanes_) lane->ring.drain(take);
    roomMade();
  }
  bool waiting() const;
  ReceiverStatus status() const;
  // Ends the threads and closes every connection; what the rings hold can still be drained.
  void stop();

 private:
  // A receive thread and what it owns.
  struct Lane {
    explicit Lane(std::size_t ringBytes) : ring(ringBytes) {}
    RecordRing ring;
    Socket epoll, event;
    RealtimeMap clocks;  // the thread's own
    std::mutex dropLock;
    std::vector<std::uint32_t> drops;  // guarded by dropLock
    std::atomic<Connection*> adopted{nullptr};  // opened by the sender, not yet watched; a list through nextAdopted
    std::atomic<std::int64_t> cpu{0};
    std::thread thread;
  };
  struct Command {
    std::int64_t due = 0;
    std::uint64_t order = 0;
    std::shared_ptr<Connection> connection;
    std::vector<char> request;
    bool opens = false;
  };
  static bool later(const Command& a, const Command& b) { return a.due != b.due ? a.due > b.due : a.order > b.order; }

  Receiver(const ReceiverOptions& options, std::function<void()> wake);
  Status prepare();
  void enqueue(Command command);
  void runSender();
  void perform(Command& command);
  int openSocket(Connection& connection);
  void runLane(Lane& lane);
  void readFrom(Lane& lane, Connection& connection);
  void continueWriting(Lane& lane, Connection& connection);
  bool write(Connection& connection, RecordRing& ring);
  void closeIn(Lane& lane, Connection& connection);
  void adoptNew(Lane& lane);
  void dropWaiting(Lane& lane);
  void forget(std::uint32_t id);
  void put(RecordRing& ring, RecordKind kind, std::uint32_t id, int value = 0);
  // False when the receiver stops while it waits.
  bool waitForRoom();
  void wakeReader();
  void roomMade();

  ReceiverOptions options_;
  std::function<void()> wake_;
  std::atomic<bool> wakePending_{false};
  std::atomic<bool> stopping_{false};

  RecordRing senderRing_{1u << 20};
  std::mutex commandLock_;
  std::vector<Command> incoming_;  // guarded by commandLock_
  std::uint64_t nextOrder_ = 0;    // guarded by commandLock_
  std::atomic<std::uint64_t> submitted_{0};
  Socket commandEvent_;
  std::atomic<std::int64_t> senderCpu_{0};
  std::thread sender_;

  std::vector<std::unique_ptr<Lane>> lanes_;
  mutable std::mutex registryLock_;
  std::unordered_map<std::uint32_t, std::shared_ptr<Connection>> registry_;  // guarded by registryLock_

  // Threads that found their ring full wait here; drain() makes room.
  std::mutex roomLock_;
  std::condition_variable room_;
  std::atomic<int> stalledThreads_{0};

  std::atomic<std::uint64_t> kernelReads_{0}, clockReads_{0}, stalls_{0};
  std::atomic<std::int64_t> stalledNs_{0}, clockError_{0};
  std::atomic<std::uint32_t> clockSteps_{0};
  std::atomic<bool> stampsRefused_{false}, realtime_{false};
  Socket stampKeeper_;  // keeps the kernel's receive stamps switched on between connections
};

}  // namespace dyno::http
