// A scriptable CUDA driver for tests. Device memory is host memory, streams run at once, kernels are written here by
// name (those that the tests verify) or do nothing. Each copy reads `<its own path>.script` whenever that file changes:
//
//   devices 2                number of devices (default 1)
//   fail cuMemAlloc_v2 2     that call answers this code
//   fail cuLaunchKernel 719 20   the same, but only after 20 calls that went well: a device that is lost on the way
//   crash cuLaunchKernel 20  after 20 calls the process dies inside the driver
//   wrong cuMemcpyPeerAsync  the last byte arrives changed
//   wrong saxpy              that kernel writes a wrong value: verification must notice
#include <dlfcn.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cuda/cuda_api.h"
#include "fake/fake_stream.h"

using namespace dyno::cuda;

namespace {

struct Failure {
  int code = success;
  int after = 0;
  bool crashes = false;
};
struct Script {
  int devices = 1;
  std::map<std::string, Failure> failures;
  std::set<std::string> wrong;
};
struct FakeEvent {
  double ms = -1;
};
struct FakeGraph {
  std::vector<std::function<void()>> work;
};
struct FakeFunction {
  std::string name;
};
struct FakeModule {
  std::map<std::string, FakeFunction> functions;
};

std::recursive_mutex mutex;
Script script;
std::map<std::uintptr_t, std::size_t> allocations;  // device memory: address, size
std::atomic<int> alive{0};                          // every object that must be destroyed
std::atomic<int> retained{0};
int contexts[16];

std::string scriptPath() {
  Dl_info here{};
  dladdr(reinterpret_cast<void*>(&scriptPath), &here);
  return std::string(here.dli_fname) + ".script";
}

void refresh() {
  static const std::string path = scriptPath();
  static struct timespec seen = {-1, 0};
  struct stat now {};
  if (stat(path.c_str(), &now) != 0 || (now.st_mtim.tv_sec == seen.tv_sec && now.st_mtim.tv_nsec == seen.tv_nsec))
    return;
  seen = now.st_mtim;
  script = Script{};
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string verb, name;
    words >> verb;
    if (verb == "devices") words >> script.devices;
    if (verb == "fail" && words >> name) words >> script.failures[name].code >> script.failures[name].after;
    if (verb == "crash" && words >> name) {
      script.failures[name].crashes = true;
      words >> script.failures[name].after;
    }
    if (verb == "wrong" && words >> name) script.wrong.insert(name);
  }
}

Code enter(const char* call) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  refresh();
  const auto found = script.failures.find(call);
  if (found == script.failures.end() || found->second.after-- > 0) return success;
  if (found->second.crashes) raise(SIGKILL);
  return found->second.code;
}
#define ENTER(call) \
  if (const Code refused = enter(call); refused != success) return refused

double nowMs() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

// What a fake CUPTI is told of each piece of work (fake_cupti_activity.inc has the same struct).
struct Told {
  int kind;
  std::string name;
  std::uint64_t start, end, bytes;
  std::uint32_t stream, correlation, threads, block;
};
std::atomic<std::uint32_t> correlation{0};

std::function<void()> watched(Told told, StreamHandle stream, std::function<void()> work) {
  return [told, stream, work = std::move(work)]() mutable {
    const char* address = std::getenv("FAKE_CUPTI_NOTE");
    told.start = static_cast<std::uint64_t>(nowMs() * 1e6);
    work();
    if (address == nullptr) return;
    told.end = static_cast<std::uint64_t>(nowMs() * 1e6);
    told.stream = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(stream) >> 4 & 0xFFFu);
    told.correlation = ++correlation;
    void* note = nullptr;
    if (std::sscanf(address, "%p", &note) == 1) reinterpret_cast<void (*)(const Told*)>(note)(&told);
  };
}

// Work of a stream: at once, or into the graph that is being captured.
Code queue(StreamHandle handle, std::function<void()> work) {
  auto* stream = reinterpret_cast<FakeStream*>(handle);
  if (stream != nullptr)
    stream->queue(std::move(work));
  else
    work();
  return success;
}
// CUpti_ActivityMemcpyKind: 1 host to device, 2 back, 8 on the device.
Code queueCopy(StreamHandle stream, const char* kind, std::size_t bytes, std::function<void()> work) {
  return queue(stream, watched({1, kind, 0, 0, bytes, 0, 0, 0, 1}, stream, std::move(work)));
}

// Device addresses must lie within one allocation: an overrun is the fake's own illegal address.
bool inside(DevicePointer pointer, std::size_t bytes) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  auto after = allocations.upper_bound(pointer);
  if (after == allocations.begin()) return false;
  --after;
  return pointer + bytes <= after->first + after->second;
}
/** What of the card's 70 GiB no allocation holds; all fake GPUs share it. The caller holds `mutex`. */
std::size_t freeBytes() {
  std::size_t held = 0;
  for (const auto& [address, bytes] : allocations) held += bytes;
  const std::size_t room = std::size_t{70} << 30;
  return held < room ? room - held : 0;
}
void* host(DevicePointer pointer) { return reinterpret_cast<void*>(pointer); }

std::vector<std::function<void()>> staged;  // copies from pageable memory that have not arrived
std::mutex staging;
void arrive() {
  const std::lock_guard<std::mutex> lock(staging);
  for (const auto& copy : staged) copy();
  staged.clear();
}
// A kernel of the transformer that was told to reach outside an allocation: every later wait answers an illegal address.
std::atomic<bool> illegal{false};

template <typename T>
T argument(void** arguments, int index) {
  T value;
  std::memcpy(&value, arguments[index], sizeof value);
  return value;
}

#include "fake/fake_transformer.inc"

#include "fake/fake_kernels.inc"

}  // namespace

extern "C" {

int fakeCudaAlive() { return alive.load() + retained.load(); }

Code cuInit(unsigned) { return enter("cuInit"); }
Code cuDriverGetVersion(int* version) { return *version = 13000, success; }
Code cuGetErrorName(Code code, const char** name) {
  *name = code == errorOutOfMemory      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : code == errorIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : code == errorNoDevice       ? "CUDA_ERROR_NO_DEVICE"
          : code == errorLaunchFailed   ? "CUDA_ERROR_LAUNCH_FAILED"
                                        : "CUDA_ERROR_FAKE";
  return success;
}
Code cuGetErrorString(Code code, const char** text) {
  *text = code == errorOutOfMemory ? "out of memory" : "a fake error";
  return success;
}
Code cuDeviceGetCount(int* count) {
  ENTER("cuDeviceGetCount");
  return *count = script.devices, success;
}
Code cuDeviceGet(DeviceId* id, int ordinal) {
  ENTER("cuDeviceGet");
  if (ordinal < 0 || ordinal >= script.devices) return errorInvalidDevice;
  return *id = ordinal, success;
}
Code cuDeviceGetName(char* name, int length, DeviceId id) {
  return std::snprintf(name, static_cast<std::size_t>(length), "Fake GPU %d", id), success;
}
Code cuDeviceTotalMem_v2(std::size_t* bytes, DeviceId) { return *bytes = std::size_t{80} << 30, success; }
Code cuDeviceGetAttribute(int* value, int which, DeviceId id) {
  switch (which) {
    case attribute::multiprocessors: *value = 2; break;
    case attribute::l2Bytes: *value = 1 << 20; break;
    case attribute::capabilityMajor: *value = 9; break;
    case attribute::pciBus: *value = 0x10 + id; break;
    case attribute::sharedPerBlockOptIn: *value = 227 << 10; break;
    default: *value = 0;
  }
  return success;
}
Code cuDeviceGetUuid_v2(char (*uuid)[16], DeviceId id) {
  for (int i = 0; i < 16; ++i) (*uuid)[i] = static_cast<char>(id * 16 + i);
  return success;
}
Code cuDeviceCanAccessPeer(int* can, DeviceId, DeviceId) { return *can = 1, success; }
Code cuCtxEnablePeerAccess(ContextHandle, unsigned) { return enter("cuCtxEnablePeerAccess"); }
Code cuDevicePrimaryCtxRetain(ContextHandle* context, DeviceId id) {
  ENTER("cuDevicePrimaryCtxRetain");
  ++retained;
  return *context = reinterpret_cast<ContextHandle>(&contexts[id]), success;
}
Code cuDevicePrimaryCtxRelease_v2(DeviceId) {
  --retained;
  return success;
}
Code cuCtxSetCurrent(ContextHandle) { return enter("cuCtxSetCurrent"); }
Code cuCtxSynchronize() {
  arrive();
  return success;
}
Code cuMemGetInfo_v2(std::size_t* available, std::size_t* total) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  return *available = freeBytes(), *total = std::size_t{80} << 30, success;
}
Code cuMemAlloc_v2(DevicePointer* pointer, std::size_t bytes) {
  ENTER("cuMemAlloc_v2");
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  void* const block = bytes > freeBytes() ? nullptr : std::malloc(bytes);
  if (block == nullptr) return errorOutOfMemory;
  *pointer = reinterpret_cast<DevicePointer>(block);
  allocations[*pointer] = bytes;
  ++alive;
  return success;
}
Code cuMemFree_v2(DevicePointer pointer) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  if (allocations.erase(pointer) == 0) return errorInvalidValue;
  std::free(host(pointer));
  --alive;
  return enter("cuMemFree_v2");
}
Code cuMemHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  ENTER("cuMemHostAlloc");
  *pointer = std::malloc(bytes);
  if (*pointer == nullptr) return errorOutOfMemory;
  ++alive;
  return success;
}
Code cuMemFreeHost(void* pointer) {
  --alive;
  return std::free(pointer), success;
}
Code cuMemcpyHtoD_v2(DevicePointer to, const void* from, std::size_t bytes) {
  ENTER("cuMemcpyHtoD_v2");
  if (!inside(to, bytes)) return errorIllegalAddress;
  // As the real driver: the bytes are staged, and arrive when the default stream is waited for.
  const auto* first = static_cast<const char*>(from);
  const std::lock_guard<std::mutex> lock(staging);
  staged.push_back(
      [to, copy = std::vector<char>(first, first + bytes)] { std::memcpy(host(to), copy.data(), copy.size()); });
  return success;
}
Code cuMemcpyDtoH_v2(void* to, DevicePointer from, std::size_t bytes) {
  ENTER("cuMemcpyDtoH_v2");
  arrive();
  if (!inside(from, bytes)) return errorIllegalAddress;
  return std::memcpy(to, host(from), bytes), success;
}
Code cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, std::size_t bytes, StreamHandle stream) {
  if (!inside(to, bytes)) return errorIllegalAddress;
  return queueCopy(stream, "1", bytes, [=] { std::memcpy(host(to), from, bytes); });
}
Code cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, std::size_t bytes, StreamHandle stream) {
  if (!inside(from, bytes)) return errorIllegalAddress;
  return queueCopy(stream, "2", bytes, [=] { std::memcpy(to, host(from), bytes); });
}
Code cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, std::size_t bytes, StreamHandle stream) {
  if (!inside(to, bytes) || !inside(from, bytes)) return errorIllegalAddress;
  return queueCopy(stream, "8", bytes, [=] { std::memmove(host(to), host(from), bytes); });
}
Code cuMemcpyPeerAsync(DevicePointer to, ContextHandle, DevicePointer from, ContextHandle, std::size_t bytes,
                       StreamHandle stream) {
  const Code code = cuMemcpyDtoDAsync_v2(to, from, bytes, stream);
  if (script.wrong.count("cuMemcpyPeerAsync") != 0) static_cast<char*>(host(to))[bytes - 1] ^= 1;
  return code;
}
Code cuMemsetD8Async(DevicePointer to, unsigned char byte, std::size_t bytes, StreamHandle stream) {
  if (!inside(to, bytes)) return errorIllegalAddress;
  return queue(stream, [=] { std::memset(host(to), byte, bytes); });
}
Code cuStreamCreate(StreamHandle* stream, unsigned) {
  ENTER("cuStreamCreate");
  ++alive;
  return *stream = reinterpret_cast<StreamHandle>(new FakeStream()), success;
}
Code cuStreamCreateWithPriority(StreamHandle* stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }
Code cuCtxGetStreamPriorityRange(int* least, int* greatest) { return *least = 0, *greatest = -5, success; }
Code cuStreamDestroy_v2(StreamHandle stream) {
  --alive;
  return delete reinterpret_cast<FakeStream*>(stream), success;
}
Code cuStreamSynchronize(StreamHandle stream) {
  ENTER("cuStreamSynchronize");
  if (stream == nullptr) arrive();
  return illegal ? errorIllegalAddress : success;
}
Code cuStreamQuery(StreamHandle) { return enter("cuStreamQuery"); }
Code cuStreamWaitEvent(StreamHandle, EventHandle, unsigned) { return enter("cuStreamWaitEvent"); }
Code cuStreamBeginCapture_v2(StreamHandle stream, int) {
  ENTER("cuStreamBeginCapture_v2");
  return reinterpret_cast<FakeStream*>(stream)->capturing = true, success;
}
Code cuStreamEndCapture(StreamHandle handle, GraphHandle* graph) {
  auto* stream = reinterpret_cast<FakeStream*>(handle);
  stream->capturing = false;
  ++alive;
  *graph = reinterpret_cast<GraphHandle>(new FakeGraph{std::move(stream->captured)});
  stream->captured.clear();
  return success;
}
Code cuGraphInstantiateWithFlags(GraphExecHandle* exec, GraphHandle graph, unsigned long long) {
  ENTER("cuGraphInstantiateWithFlags");
  ++alive;
  return *exec = reinterpret_cast<GraphExecHandle>(new FakeGraph(*reinterpret_cast<FakeGraph*>(graph))), success;
}
Code cuGraphLaunch(GraphExecHandle graph, StreamHandle) {
  ENTER("cuGraphLaunch");
  for (const auto& work : reinterpret_cast<FakeGraph*>(graph)->work) work();
  return success;
}
Code cuGraphDestroy(GraphHandle graph) {
  --alive;
  return delete reinterpret_cast<FakeGraph*>(graph), success;
}
Code cuGraphExecDestroy(GraphExecHandle graph) {
  --alive;
  return delete reinterpret_cast<FakeGraph*>(graph), success;
}
Code cuEventCreate(EventHandle* event, unsigned) {
  ++alive;
  return *event = reinterpret_cast<EventHandle>(new FakeEvent()), success;
}
Code cuEventDestroy_v2(EventHandle event) {
  --alive;
  return delete reinterpret_cast<FakeEvent*>(event), success;
}
Code cuEventRecord(EventHandle event, StreamHandle) {
  return reinterpret_cast<FakeEvent*>(event)->ms = nowMs(), success;
}
Code cuEventQuery(EventHandle) { return enter("cuEventQuery"); }
Code cuEventSynchronize(EventHandle) {
  ENTER("cuEventSynchronize");
  return illegal ? errorIllegalAddress : success;
}
Code cuEventElapsedTime_v2(float* ms, EventHandle start, EventHandle end) {
  const double from = reinterpret_cast<FakeEvent*>(start)->ms, to = reinterpret_cast<FakeEvent*>(end)->ms;
  if (from < 0 || to < 0) return 400;
  return *ms = static_cast<float>(to - from), success;
}
Code cuModuleLoadData(ModuleHandle* module, const void*) {
  ENTER("cuModuleLoadData");
  ++alive;
  return *module = reinterpret_cast<ModuleHandle>(new FakeModule()), success;
}
Code cuModuleUnload(ModuleHandle module) {
  --alive;
  return delete reinterpret_cast<FakeModule*>(module), success;
}
Code cuModuleGetFunction(FunctionHandle* function, ModuleHandle module, const char* name) {
  ENTER("cuModuleGetFunction");
  if (kernels().count(name) == 0) return errorNotFound;
  FakeFunction& made = reinterpret_cast<FakeModule*>(module)->functions[name];
  made.name = name;
  return *function = reinterpret_cast<FunctionHandle>(&made), success;
}
Code cuFuncSetAttribute(FunctionHandle, int, int) { return success; }
Code cuLaunchKernel(FunctionHandle function, unsigned gx, unsigned gy, unsigned, unsigned bx, unsigned, unsigned,
                    unsigned, StreamHandle stream, void** arguments, void**) {
  ENTER("cuLaunchKernel");
  if (gx == 0 || bx == 0 || bx > 1024) return errorInvalidValue;
  const std::string& name = reinterpret_cast<FakeFunction*>(function)->name;
  const FakeKernel& kernel = kernels().at(name);
  // Arguments are read at launch, as the real driver does: a graph replays their values.
  auto work = kernel(arguments, gx, gy);
  const bool wrong = script.wrong.count(name) != 0;
  const DevicePointer spoiled = wrong ? argument<DevicePointer>(arguments, 0) : 0;
  return queue(stream, watched({10, name, 0, 0, 0, 0, 0, gx * gy * bx, bx}, stream, [work, spoiled] {
                 work();
                 if (spoiled != 0) static_cast<float*>(host(spoiled))[0] += 1000.0f;
               }));
}
Code cuLaunchKernelEx(const LaunchConfig* c, FunctionHandle function, void** arguments, void** extra) {
  ENTER("cuLaunchKernelEx");
  return cuLaunchKernel(function, c->gridX, c->gridY, c->gridZ, c->blockX, c->blockY, c->blockZ, c->sharedBytes, c->stream,
                        arguments, extra);
}
Code cuTensorMapEncodeTiled(TensorMap* map, int, unsigned, void* address, const std::uint64_t*, const std::uint64_t*,
                            const std::uint32_t*, const std::uint32_t*, int, int, int, int) {
  map->opaque[0] = reinterpret_cast<std::uint64_t>(address);
  return success;
}
Code cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, FunctionHandle, int, std::size_t) {
  return *blocks = 2, success;
}

}  // extern "C"
