// One TCP connection that the receiver opened itself. The sender thread connects and writes; a receive thread reads, finishes
// a write that did not fit, and closes. The lock guards the socket against a write of the one while the other closes: it is
// taken per request, never per event.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace dyno::http {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  // A numeric IPv4 or IPv6 address; names are resolved before, once per run.
  static bool parse(const std::string& host, std::uint16_t port, Address& to);
};

class Socket {
 public:
  Socket() = default;
  ~Socket() { close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }
  void adopt(int descriptor) {
    close();
    descriptor_ = descriptor;
  }
  void close();

 private:
  int descriptor_ = -1;
};

struct Connection {
  std::uint32_t id = 0;
  unsigned thread = 0;
  Address address;

  std::mutex lock;
  Socket socket;               // guarded by lock
  bool closed = false;         // guarded by lock; never opened again
  bool connected = false;      // guarded by lock
  std::vector<char> request;   // guarded by lock: what is being sent
  std::size_t written = 0;     // guarded by lock
  bool sending() const { return written < request.size(); }

  // Written by the sender before it hands the connection over, read by the receive thread after.
  Connection* nextAdopted = nullptr;
  bool wantsToWrite = false;

  std::int64_t lastStamp = 0;  // the receive thread's own
};

}  // namespace dyno::http
