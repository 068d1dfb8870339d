// stampedServer [PORT]: the stamped server as a program of its own. Prints its port, ends when standard input does.
#include <cstdio>
#include <cstdlib>

#include "http/stamped_server.h"

int main(int count, char** arguments) {
  auto server = dyno::http::StampedServer::start(static_cast<std::uint16_t>(count > 1 ? std::atoi(arguments[1]) : 0));
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  std::printf("%u\n", static_cast<unsigned>(server.value()->port()));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.value()->stop();
  std::fprintf(stderr, "events %llu, blocked writes %llu\n", static_cast<unsigned long long>(server.value()->events()),
               static_cast<unsigned long long>(server.value()->blocked()));
}
