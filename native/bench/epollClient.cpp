// epollClient STREAMS GAP_US TOKENS burst|stagger PORT SKIP: the floor for a client of this machine. One thread, one epoll,
// read(), then the clock: no kernel stamps, no HTTP library. Prints the lateness of what it read as JSON (milliseconds).
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "http/clocks.h"

namespace {

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return NAN;
  std::sort(values.begin(), values.end());
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const double upper = values[std::min(below + 1, values.size() - 1)];
  return values[below] + (upper - values[below]) * (rank - static_cast<double>(below));
}

struct Stream {
  int socket = -1;
  int seen = 0;
  double last = 0;
  char held[1024];  // an event that the last read cut
  std::size_t heldSize = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) return 2;
  const int streams = std::atoi(arguments[1]), skip = std::atoi(arguments[6]);
  const int epoll = epoll_create1(0);
  std::vector<Stream> all(static_cast<std::size_t>(streams));
  std::vector<double> late, first, gaps;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(arguments[5])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < streams; ++i) {
    Stream& stream = all[static_cast<std::size_t>(i)];
    stream.socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(stream.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      std::perror("connect");
      return 1;
    }
    char request[300];
    const int size = std::snprintf(request, sizeof request,
                                   "POST /v1/completions?k=%s&gap=%s&mode=%s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
                                   arguments[3], arguments[2], arguments[4]);
    if (write(stream.socket, request, static_cast<std::size_t>(size)) != size) return 1;
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u32 = static_cast<std::uint32_t>(i);
    epoll_ctl(epoll, EPOLL_CTL_ADD, stream.socket, &wanted);
  }
  long events = 0;
  static char buffer[65536 + 1024 + 1];
  for (int open = streams; open > 0;) {
    epoll_event ready[1024];
    const int number = epoll_wait(epoll, ready, 1024, -1);
    for (int j = 0; j < number; ++j) {
      Stream& stream = all[ready[j].data.u32];
      std::memcpy(buffer, stream.held, stream.heldSize);
      const ssize_t got = read(stream.socket, buffer + stream.heldSize, 65536);
      if (got <= 0) {
        close(stream.socket);
        --open;
        continue;
      }
      const double now = static_cast<double>(dyno::http::monotonicNow());
      const std::size_t size = stream.heldSize + static_cast<std::size_t>(got);
      buffer[size] = 0;
      char* end = buffer;
      for (char* line; (line = std::strstr(end, "\n\n")) != nullptr;) {
        *line = 0;
        if (const char* stamp = std::strstr(end, "\"ns\":")) {
          const double lateness = (now - std::atof(stamp + 5)) / 1e6;
          ++events;
          if (stream.seen == 0) first.push_back(lateness);
          if (stream.seen >= skip) {
            late.push_back(lateness);
            if (stream.seen > 0) gaps.push_back(std::fabs(lateness - stream.last));
          }
          stream.last = lateness;
          ++stream.seen;
        }
        end = line + 2;
      }
      stream.heldSize = std::min(sizeof stream.held, static_cast<std::size_t>(buffer + size - end));
      std::memmove(stream.held, end, stream.heldSize);
    }
  }
  timespec cpu{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  std::printf(
      "{\"events\":%ld,\"late50\":%.4f,\"late99\":%.4f,\"first99\":%.4f,\"gap50\":%.4f,\"gap99\":%.4f,\"gap999\":%.4f,\"cpu\":%.3f}\n",
      events, quantile(late, .5), quantile(late, .99), quantile(first, .99), quantile(gaps, .5), quantile(gaps, .99),
      quantile(gaps, .999), static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9);
}
