// The ruler for a client's lateness: a stand-in for an engine, on loopback, one thread. It streams server-sent events at an
// exact pace; each event carries the CLOCK_MONOTONIC nanosecond taken just before its write().
//
//   POST /v1/completions?k=150&gap=20000&mode=stagger
//     k     tokens per stream          gap   µs between two tokens of a stream
//     mode  burst: all streams get their token in the same step, as an engine's batch does; stagger: each at its own phase
//     m     tokens per event (1)       wait  µs from the request to the first token (200,000)
//
//   data: {"id":…,"choices":[{"index":0,"text":" tok00007",…}],"seq":7,"ns":1234567890123}
//
// A client on the same machine subtracts: arrival − ns is how late it is, without knowing the server's pace.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "driver/driver_error.h"

namespace dyno::http {

class StampedServer {
 public:
  // `port` 0 takes a free one.
  static Result<std::unique_ptr<StampedServer>> start(std::uint16_t port);
  ~StampedServer();
  StampedServer(const StampedServer&) = delete;
  StampedServer& operator=(const StampedServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::uint64_t events() const { return events_; }
  // Writes that the socket did not take at once: the client does not keep up.
  std::uint64_t blocked() const { return blocked_; }
  void stop();

 private:
  StampedServer() = default;
  void run();

  int listener_ = -1, wake_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> events_{0}, blocked_{0};
  std::thread thread_;
};

}  // namespace dyno::http
