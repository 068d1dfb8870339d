#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "http/receiver.h"
#include "http/stamped_server.h"
#include "tests/check.h"

using namespace dyno;
using namespace dyno::http;

namespace {

// What one connection told, in order.
struct Told {
  std::vector<RecordKind> kinds;
  std::string bytes;
  std::vector<std::int64_t> stamps, late;  // of each event: when it was read, and that minus the server's own stamp
  int error = 0;
  std::size_t parsed = 0;
  bool over = false;

  void add(const RecordHead& head, const unsigned char* payload) {
    if (head.kind == RecordKind::kernelBytes || head.kind == RecordKind::clockBytes) {
      bytes.append(reinterpret_cast<const char*>(payload), head.length);
      for (std::size_t at; (at = bytes.find("\"ns\":", parsed)) != std::string::npos; parsed = at + 5) {
        stamps.push_back(head.time);
        late.push_back(head.time - std::atoll(bytes.c_str() + at + 5));
      }
    } else {
      kinds.push_back(head.kind);
    }
    if (head.kind == RecordKind::failed) error = head.value;
    if (head.kind == RecordKind::failed || head.kind == RecordKind::ended) over = true;
  }
};

struct Client {
  std::map<std::uint32_t, Told> told;
  std::unique_ptr<Receiver> receiver;

  explicit Client(ReceiverOptions options = {}) {
    auto started = Receiver::start(options, [] {});
    CHECK(started.ok());
    if (started.ok()) receiver = std::move(started.value());
  }
  void drainUntil(const std::function<bool()>& enough) {
    const std::int64_t giveUp = monotonicNow() + 20'000'000'000;
    while (!enough() && monotonicNow() < giveUp) {
      receiver->drain([this](const RecordHead& head, const unsigned char* payload) {
        told[head.connection].add(head, payload);
        return true;
      });
      poll(nullptr, 0, 1);
    }
    CHECK(enough());
  }
  bool allOver(std::size_t count) const {
    std::size_t over = 0;
    for (const auto& [id, each] : told) over += each.over ? 1 : 0;
    return over == count;
  }
};

std::vector<char> request(const std::string& query) {
  const std::string text = "POST /v1/completions?" + query + " HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
  return {text.begin(), text.end()};
}

std::unique_ptr<StampedServer> stampedServer() {
  auto started = StampedServer::start(0);
  CHECK(started.ok());
  return started.ok() ? std::move(started.value()) : nullptr;
}

// A listener whose connections are handled by hand.
struct Peer {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  std::uint16_t port = 0;
  Peer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener, 8);
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
  }
  ~Peer() { close(listener); }
  int accept() const { return ::accept(listener, nullptr, nullptr); }
};

void say(int socket, const char* text) { CHECK(write(socket, text, std::strlen(text)) > 0); }
std::string hear(int socket, std::size_t bytes) {
  std::string all;
  char part[65536];
  while (all.size() < bytes) {
    const ssize_t got = read(socket, part, sizeof part);
    if (got <= 0) break;
    all.append(part, static_cast<std::size_t>(got));
  }
  return all;
}

}  // namespace

TEST("a ring gives back every record in order, padded at its end") {
  RecordRing ring(4096);
  std::uint32_t written = 0, read = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t size = static_cast<std::size_t>(round * 37 % 700);
    const auto room = ring.reserve(size, size);
    if (room.bytes != nullptr) {
      std::memset(room.bytes, static_cast<int>(written & 0xff), size);
      RecordHead head;
      head.kind = RecordKind::clockBytes;
      head.connection = written++;
      head.length = static_cast<std::uint32_t>(size);
      ring.commit(head);
    }
    if (room.bytes != nullptr && round % 3 != 0) continue;
    ring.drain([&](const RecordHead& head, const unsigned char* payload) {
      CHECK(head.connection == read);
      for (std::uint32_t i = 0; i < head.length; ++i) CHECK(payload[i] == (read & 0xff));
      ++read;
      return true;
    });
  }
  CHECK(written > 1000);
  CHECK(read > written - 10);
}

TEST("64 streams: each event arrives once, stamped by the kernel soon after it was written") {
  auto server = stampedServer();
  for (const bool kernel : {true, false}) {
    ReceiverOptions options;
    options.threads = 2;
    options.kernelStamps = kernel;
    Client client(options);
    for (std::uint32_t i = 0; i < 64; ++i)
      CHECK(client.receiver->open(i, "127.0.0.1", server->port(), request("k=30&gap=5000&mode=stagger&wait=5000"), 0).ok());
    client.drainUntil([&] { return client.allOver(64); });
    std::size_t events = 0;
    for (const auto& [id, told] : client.told) {
      events += told.late.size();
      CHECK((told.kinds == std::vector{RecordKind::started, RecordKind::connected, RecordKind::sent, RecordKind::ended}));
      for (std::size_t i = 0; i < told.late.size(); ++i) {
        CHECK(told.late[i] > -1'000'000);
        CHECK(i == 0 || told.stamps[i] >= told.stamps[i - 1]);
      }
    }
    CHECK(events == 64 * 30);
    const ReceiverStatus status = client.receiver->status();
    CHECK(status.kernelStamps == kernel);
    CHECK(kernel ? status.kernelReads > 0 : status.kernelReads == 0);
    CHECK(status.clockError < 1'000'000);
    CHECK(status.open == 0);
  }
}

TEST("a full ring stops reading and loses nothing") {
  auto server = stampedServer();
  ReceiverOptions options;
  options.ringBytes = 1;  // the smallest there is: 128 KiB
  Client client(options);
  for (std::uint32_t i = 0; i < 8; ++i)
    CHECK(client.receiver->open(i, "127.0.0.1", server->port(), request("k=2000&gap=20&mode=stagger&wait=0"), 0).ok());
  // Nothing is drained until the receive thread has met its full ring.
  const std::int64_t giveUp = monotonicNow() + 10'000'000'000;
  while (client.receiver->status().stalls == 0 && monotonicNow() < giveUp) poll(nullptr, 0, 1);
  CHECK(client.receiver->status().stalls > 0);
  client.drainUntil([&] { return client.allOver(8); });
  std::size_t events = 0;
  for (const auto& [id, told] : client.told) events += told.late.size();
  CHECK(events == 8 * 2000);
}

TEST("a request that exceeds the socket's buffer goes out in parts") {
  Peer peer;
  Client client;
  std::vector<char> big(8u << 20, 'x');
  CHECK(client.receiver->open(1, "127.0.0.1", peer.port, big, 0).ok());
  const int socket = peer.accept();
  CHECK(hear(socket, big.size()).size() == big.size());
  client.drainUntil([&] { return client.told[1].kinds.size() == 3; });
  CHECK(client.told[1].kinds.back() == RecordKind::sent);
  close(socket);
  client.drainUntil([&] { return client.told[1].over; });
}

TEST("a second request goes over the same connection; after its end it fails with EPIPE") {
  Peer peer;
  Client client;
  CHECK(client.receiver->open(1, "127.0.0.1", peer.port, {'a'}, 0).ok());
  const int socket = peer.accept();
  CHECK(hear(socket, 1) == "a");
  client.receiver->send(1, {'b'}, monotonicNow() + 2'000'000);
  CHECK(hear(socket, 1) == "b");
  say(socket, "answer");
  client.drainUntil([&] { return client.told[1].bytes == "answer"; });
  close(socket);
  client.drainUntil([&] { return client.told[1].over; });
  client.told.clear();
  client.receiver->send(1, {'c'}, 0);
  client.drainUntil([&] { return client.told[1].over; });
  CHECK(client.told[1].error == EPIPE);
}

TEST("refused, reset and dropped connections") {
  Client client;
  std::uint16_t nowhere = 0;
  {
    Peer gone;
    nowhere = gone.port;
  }
  CHECK(client.receiver->open(1, "127.0.0.1", nowhere, {'a'}, 0).ok());
  client.drainUntil([&] { return client.told[1].over; });
  CHECK(client.told[1].error == ECONNREFUSED);

  Peer peer;
  CHECK(client.receiver->open(2, "127.0.0.1", peer.port, {'a'}, 0).ok());
  const int reset = peer.accept();
  hear(reset, 1);
  const linger hard{1, 0};
  setsockopt(reset, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(reset);
  client.drainUntil([&] { return client.told[2].over; });
  CHECK(client.told[2].error == ECONNRESET);

  CHECK(client.receiver->open(3, "127.0.0.1", peer.port, {'a'}, 0).ok());
  const int dropped = peer.accept();
  hear(dropped, 1);
  client.receiver->drop(3);
  CHECK(hear(dropped, 1).empty());  // the peer sees the end
  close(dropped);
  client.drainUntil([&] { return client.receiver->status().open == 0; });
  CHECK(!client.told[3].over);

  // Dropped before its due time: never opened.
  CHECK(client.receiver->open(4, "127.0.0.1", peer.port, {'a'}, monotonicNow() + 100'000'000'000).ok());
  client.receiver->drop(4);
  client.drainUntil([&] { return client.receiver->status().open == 0; });
  CHECK(client.told.count(4) == 0);

  CHECK(!client.receiver->open(5, "localhost", 80, {'a'}, 0).ok());
}

TEST("requests start at their due times, whatever the order of submission") {
  Peer peer;
  Client client;
  const std::int64_t base = monotonicNow() + 20'000'000;
  std::vector<std::int64_t> due;
  for (std::uint32_t i = 0; i < 5; ++i) due.push_back(base + (5 - i) * 3'000'000);
  std::map<std::uint32_t, std::int64_t> started;
  for (std::uint32_t i = 0; i < 5; ++i) CHECK(client.receiver->open(i, "127.0.0.1", peer.port, {'a'}, due[i]).ok());
  const std::int64_t giveUp = monotonicNow() + 10'000'000'000;
  while (started.size() < 5 && monotonicNow() < giveUp)
    client.receiver->drain([&](const RecordHead& head, const unsigned char*) {
      if (head.kind == RecordKind::started) started[head.connection] = head.time;
      return true;
    });
  CHECK(started.size() == 5);
  for (const auto& [id, time] : started) CHECK(time >= due[id]);
}
