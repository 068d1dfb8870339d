// A scriptable NCCL for tests, over the fake CUDA driver's memory (which is host memory). A group's sends and receives
// are matched and done at its end.
//
//   fail ncclCommInitAll 3    that call answers this code
//   wrong ncclAllReduce       its first element is off by one
#include <dlfcn.h>

#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {
struct Script {
  std::map<std::string, int> failures;
  std::set<std::string> wrong;
};
Script script() {
  Script found;
  Dl_info here{};
  dladdr(reinterpret_cast<void*>(&script), &here);
  std::ifstream file(std::string(here.dli_fname) + ".script");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string verb, name;
    words >> verb >> name;
    if (verb == "fail") words >> found.failures[name];
    if (verb == "wrong") found.wrong.insert(name);
  }
  return found;
}
int refusal(const char* call) {
  const Script now = script();
  const auto found = now.failures.find(call);
  return found == now.failures.end() ? 0 : found->second;
}
struct Communicator {
  int rank, size;
};
struct Transfer {
  int from, to;
  const void* source;
  void* target;
  std::size_t bytes;
};
struct Reduction {
  const float* source;
  float* target;
  std::size_t count;
};
std::vector<Transfer> sends, receives;
std::vector<Reduction> reductions;
int alive = 0;

int finish() {
  for (const Transfer& send : sends) {
    bool matched = false;
    for (Transfer& receive : receives) {
      if (receive.source != nullptr || receive.from != send.from || receive.to != send.to ||
          receive.bytes != send.bytes)
        continue;
      std::memcpy(receive.target, send.source, send.bytes);
      receive.source = send.source;
      matched = true;
      break;
    }
    if (!matched) return 5;  // an unmatched send would hang
  }
  for (const Reduction& each : reductions) {
    for (std::size_t i = 0; i < each.count; ++i) {
      float total = 0;
      for (const Reduction& other : reductions) total += other.source[i];
      each.target[i] = total;
    }
    if (script().wrong.count("ncclAllReduce") != 0) each.target[0] += 1;
  }
  sends.clear();
  receives.clear();
  reductions.clear();
  return 0;
}
}  // namespace

extern "C" {
int fakeNcclAlive() { return alive; }
const char* ncclGetErrorString(int code) { return code == 3 ? "internal error" : "fake error"; }
int ncclGetVersion(int* version) { return *version = 22803, 0; }
int ncclCommInitAll(Communicator** all, int count, const int*) {
  if (const int code = refusal("ncclCommInitAll"); code != 0) return code;
  for (int rank = 0; rank < count; ++rank) all[rank] = new Communicator{rank, count};
  alive += count;
  return 0;
}
int ncclCommDestroy(Communicator* one) {
  --alive;
  return delete one, 0;
}
int ncclGroupStart() { return 0; }
int ncclGroupEnd() { return finish(); }
int ncclAllReduce(const void* from, void* to, std::size_t count, int type, int, Communicator*, void*) {
  if (type != 7) return 4;
  reductions.push_back({static_cast<const float*>(from), static_cast<float*>(to), count});
  return refusal("ncclAllReduce");
}
int ncclSend(const void* from, std::size_t count, int, int peer, Communicator* own, void*) {
  sends.push_back({own->rank, peer, from, nullptr, count * 4});
  return refusal("ncclSend");
}
int ncclRecv(void* to, std::size_t count, int, int peer, Communicator* own, void*) {
  receives.push_back({peer, own->rank, nullptr, to, count * 4});
  return refusal("ncclRecv");
}
}
