#include "cupti/activity_trace.h"

#include <cxxabi.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "cupti/cupti_library.h"

namespace dyno::cupti {
namespace {

// The trace that CUPTI's callbacks serve. Cleared before a trace goes: a later callback finds none and gives nothing.
std::atomic<ActivityTrace*> current{nullptr};
// Callbacks that run now. A trace that goes waits for those that found it. Both are sequentially consistent: a callback
// counts itself before it looks, the trace clears `current` before it counts.
std::atomic<int> callbacksInside{0};
struct Inside {
  Inside() { callbacksInside.fetch_add(1); }
  ~Inside() { callbacksInside.fetch_sub(1); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
};

std::uint64_t monotonic() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

constexpr int copyKinds[] = {activity::memcpy, activity::memset};
constexpr int hostKinds[] = {activity::driver, activity::runtime, activity::marker};
const char* const installHint =
    "A kernel timeline without Nsight needs CUPTI: install the toolkit's CUPTI package, or "
    "set DYNO_CUPTI to the library's path.";

// Calls that Dyno's own bookkeeping makes by the thousand and that say nothing of the workload.
constexpr const char* bookkeeping[] = {"cuCtxSetCurrent", "cuCtxGetCurrent", "cuGetProcAddress"};

std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
  std::free(text);
  return result;
}

}  // namespace

DriverError ActivityTrace::error(const char* call, Result_ code) const {
  return cuptiError(api_.resultString, call, code,
                    "Close other profilers of this process: CUPTI serves one at a time (nsys, ncu, PyTorch's).");
}

void ActivityTrace::requested(std::uint8_t** buffer, std::size_t* size, std::size_t* maxRecords) {
  *buffer = nullptr;
  *size = 0;
  *maxRecords = 0;
  const Inside inside;
  ActivityTrace* self = current.load();
  if (self == nullptr) return;
  for (Buffer& each : self->pool_) {
    State expected = State::free;
    if (!each.state.compare_exchange_strong(expected, State::given, std::memory_order_acq_rel)) continue;
    *buffer = reinterpret_cast<std::uint8_t*>(each.memory.get());
    *size = self->options_.bufferBytes;
    return;
  }
  self->refused_.fetch_add(1, std::memory_order_relaxed);
}

void ActivityTrace::completed(void*, std::uint32_t, std::uint8_t* buffer, std::size_t, std::size_t valid) {
  const Inside inside;
  ActivityTrace* self = current.load();
  if (self == nullptr) return;
  for (Buffer& each : self->pool_) {
    if (reinterpret_cast<std::uint8_t*>(each.memory.get()) != buffer) continue;
    each.valid = valid;
    each.cursor = nullptr;
    each.state.store(valid == 0 ? State::free : State::full, std::memory_order_release);
    return;
  }
}

Result<std::unique_ptr<ActivityTrace>> ActivityTrace::start(const ActivityOptions& options) {
  std::unique_ptr<ActivityTrace> self(new ActivityTrace(options));
  auto opened = openCupti(options.libraryPath, installHint);
  if (!opened.ok()) return opened.error();
  self->library_ = std::move(opened.value());
  ActivityApi& api = self->api_;
  bool complete = true;
#define DYNO_FIND(member, arguments, name)                          \
  api.member = self->library_.symbol<Result_(*) arguments>({name}); \
  complete = complete && api.member != nullptr;
  DYNO_CUPTI_ACTIVITY_FUNCTIONS(DYNO_FIND)
#undef DYNO_FIND
  api.resultString = self->library_.symbol<Result_ (*)(Result_, const char**)>({"cuptiGetResultString"});
  api.registerTimestamp =
      self->library_.symbol<Result_ (*)(TimestampCallback)>({"cuptiActivityRegisterTimestampCallback"});
  api.threadIds = self->library_.symbol<Result_ (*)(int)>({"cuptiSetThreadIdType"});
  if (!complete)
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", self->library_.path() + " has no activity records.",
                       installHint};
  // NVTX looks for its listener at its first call: CUPTI is one. A profiler around us has set its own, which stays.
  if (options.calls) setenv("NVTX_INJECTION64_PATH", self->library_.path().c_str(), 0);
  self->pool_ = std::vector<Buffer>(std::max<std::size_t>(options.buffers, 1));
  for (Buffer& each : self->pool_) each.memory = std::make_unique<std::uint64_t[]>(options.bufferBytes / 8);
  api.version(&self->version_);

  ActivityTrace* nobody = nullptr;
  if (!current.compare_exchange_strong(nobody, self.get()))
    return DriverError{"", 0, "ALREADY_TRACING", "This process records its kernels already.",
                       "Stop the other one first."};
  if (const Result_ code = api.registerCallbacks(&requested, &completed); code != success)
    return self->error("cuptiActivityRegisterCallbacks", code);
  // As the operating system, and so nsys, numbers them.
  if (api.threadIds != nullptr) api.threadIds(threadIdSystem);
  self->ownClock_ = api.registerTimestamp != nullptr && api.registerTimestamp(&monotonic) == success;
  self->shift_ = options.origin;
  if (!self->ownClock_) self->tieClocks();
  DYNO_TRY(self->resume());
  return self;
}

void ActivityTrace::tieClocks() {
  std::uint64_t stamp = 0;
  const std::uint64_t before = monotonic();
  if (api_.timestamp(&stamp) != success) return;
  const std::uint64_t middle = before + (monotonic() - before) / 2;
  shift_ = options_.origin + static_cast<std::int64_t>(stamp - middle);
}

Status ActivityTrace::resume() {
  if (recording_) return Nothing{};
  const auto enable = [&](int kind) -> Status {
    if (const Result_ code = api_.enable(kind); code != success) return error("cuptiActivityEnable", code);
    return Nothing{};
  };
  DYNO_TRY(enable(kernelKind()));
  for (const int kind : copyKinds) DYNO_TRY(enable(kind));
  if (options_.calls) {
    for (const int kind : hostKinds) DYNO_TRY(enable(kind));
  }
  recording_ = true;
  return Nothing{};
}

void ActivityTrace::pause() {
  if (!recording_) return;
  api_.disable(kernelKind());
  for (const int kind : copyKinds) api_.disable(kind);
  if (options_.calls) {
    for (const int kind : hostKinds) api_.disable(kind);
  }
  recording_ = false;
}

Status ActivityTrace::flush() {
  if (!ownClock_) tieClocks();
  if (const Result_ code = api_.flushAll(flushForced); code != success) return error("cuptiActivityFlushAll", code);
  std::size_t dropped = 0;
  if (api_.droppedRecords(nullptr, 0, &dropped) == success) dropped_ += dropped;
  return Nothing{};
}

double ActivityTrace::nameOf(const char* name) {
  if (name == nullptr) return -1;
  // The pointer alone is no key for ranges, whose texts come and go; kernels' and calls' stay.
  const auto [found, isNew] = byText_.try_emplace(name, static_cast<double>(names_.size()));
  if (isNew) names_.push_back(demangled(name));
  return found->second;
}

double ActivityTrace::callName(int domain, std::uint32_t callback) {
  const std::uint64_t key = static_cast<std::uint64_t>(domain) << 32 | callback;
  if (const auto known = byCallback_.find(key); known != byCallback_.end()) return known->second;
  const char* text = nullptr;
  double index = -1;
  if (api_.callbackName(domain, callback, &text) == success && text != nullptr) {
    const bool isOurs = std::any_of(std::begin(bookkeeping), std::end(bookkeeping),
                                    [&](const char* each) { return std::strncmp(text, each, std::strlen(each)) == 0; });
    index = isOurs ? -2 : nameOf(text);
  }
  byCallback_[key] = index;
  return index;
}

bool ActivityTrace::decode(const std::uint8_t* record, double* out) {
  std::fill(out, out + row::width, -1.0);
  const auto number = [&](std::size_t offset) { return static_cast<double>(fieldAt<std::uint32_t>(record, offset)); };
  const auto time = [&](std::size_t offset) { return at(fieldAt<std::uint64_t>(record, offset)); };
  const int kind = fieldAt<int>(record, 0);
  switch (kind) {
    case activity::kernel:
    case activity::concurrentKernel: {
      const auto product = [&](std::size_t offset) { return number(offset) * number(offset + 4) * number(offset + 8); };
      out[row::kind] = row::kernel;
      const char* name = fieldAt<const char*>(record, kernelAt::name);
      const auto [known, isNew] = byPointer_.try_emplace(name, 0);
      if (isNew) known->second = nameOf(name);
      out[row::name] = known->second;
      out[row::start] = time(kernelAt::start);
      out[row::end] = time(kernelAt::end);
      out[row::device] = number(kernelAt::device);
      out[row::lane] = number(kernelAt::stream);
      out[row::correlation] = number(kernelAt::correlation);
      out[row::blockThreads] = product(kernelAt::block);
      out[row::threads] = product(kernelAt::grid) * out[row::blockThreads];
      out[row::registers] = fieldAt<std::uint16_t>(record, kernelAt::registers);
      out[row::sharedBytes] = number(kernelAt::staticShared) + number(kernelAt::dynamicShared);
      return true;
    }
    case activity::memcpy:
    case activity::memset:
      out[row::kind] = kind == activity::memcpy ? row::copy : row::set;
      if (kind == activity::memcpy) out[row::name] = fieldAt<std::uint8_t>(record, copyAt::copyKind);
      out[row::bytes] = static_cast<double>(fieldAt<std::uint64_t>(record, copyAt::bytes));
      out[row::start] = time(copyAt::start);
      out[row::end] = time(copyAt::end);
      out[row::device] = number(copyAt::device);
      out[row::lane] = number(copyAt::stream);
      out[row::correlation] = number(copyAt::correlation);
      return true;
    case activity::driver:
    case activity::runtime:
      out[row::kind] = kind == activity::driver ? row::driverCall : row::runtimeCall;
      out[row::name] = callName(kind == activity::driver ? domainDriver : domainRuntime,
                                fieldAt<std::uint32_t>(record, callAt::callback));
      out[row::start] = time(callAt::start);
      out[row::end] = time(callAt::end);
      out[row::lane] = number(callAt::thread);
      out[row::correlation] = number(callAt::correlation);
      return out[row::name] != -2;
    case activity::marker: {
      const auto flags = fieldAt<std::uint32_t>(record, markerAt::flags);
      const auto id = fieldAt<std::uint32_t>(record, markerAt::id);
      if ((flags & markerStart) != 0) {
        openRanges_[id] = {nameOf(fieldAt<const char*>(record, markerAt::name)), time(markerAt::timestamp),
                           number(markerAt::thread)};
        return false;
      }
      const auto open = openRanges_.find(id);
      if ((flags & markerEnd) == 0 || open == openRanges_.end()) return false;
      out[row::kind] = row::range;
      out[row::name] = open->second.name;
      out[row::start] = open->second.start;
      out[row::end] = time(markerAt::timestamp);
      out[row::lane] = open->second.thread;
      openRanges_.erase(open);
      return true;
    }
    default: return false;
  }
}

std::size_t ActivityTrace::drain(double* rows, std::size_t capacity) {
  std::size_t count = 0;
  for (Buffer& each : pool_) {
    if (each.state.load(std::memory_order_acquire) != State::full) continue;
    auto* memory = reinterpret_cast<std::uint8_t*>(each.memory.get());
    while (count < capacity) {
      if (api_.nextRecord(memory, each.valid, &each.cursor) != success) {
        each.state.store(State::free, std::memory_order_release);
        break;
      }
      ++records_;
      if (decode(each.cursor, rows + count * row::width)) ++count;
    }
    if (count == capacity) break;
  }
  return count;
}

ActivityTrace::~ActivityTrace() {
  ActivityTrace* self = this;
  if (current.load(std::memory_order_acquire) == this) {
    pause();
    if (api_.flushAll != nullptr) api_.flushAll(flushForced);
  }
  current.compare_exchange_strong(self, nullptr);
  // Callbacks are short: no lock, no driver call.
  while (callbacksInside.load() != 0) std::this_thread::yield();
  // A buffer that CUPTI still holds must outlive us: it may write into it yet.
  for (Buffer& each : pool_) {
    if (each.state.load(std::memory_order_acquire) == State::given) each.memory.release();
  }
  library_.abandon();  // CUPTI keeps threads and exit handlers of its own
}

}  // namespace dyno::cupti
