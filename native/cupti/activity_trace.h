// Every kernel, copy, CUDA call and NVTX range of this process through CUPTI's activity records: a timeline without a
// profiler around the run.
//
//   CUPTI ─ request ─► pool of buffers ─ complete ─► drain (the runner's thread, between iterations) ─► rows
//
// The two callbacks come on threads of CUPTI and of the driver. They take and give buffers of a fixed pool by one
// atomic exchange: no allocation, no lock, nothing per record. A request that finds no free buffer is refused and
// counted, and so is what CUPTI says it dropped. Records are decoded where they are drained.
//
// Times: where CUPTI takes a timestamp callback (11.6 and newer) every time is CLOCK_MONOTONIC; else CUPTI's clock is
// tied to it at each drain.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cupti/activity_api.h"
#include "driver/shared_library.h"

namespace dyno::cupti {

// A drained row is `rowWidth` doubles. -1 is none.
namespace row {
enum Column : std::size_t {
  kind,  // what: a Kind below
  name,  // index into names(); of a copy its CUpti_ActivityMemcpyKind
  start,
  end,  // ns since `origin`
  device,
  lane,  // stream of device work, thread of host work
  correlation,
  threads,
  blockThreads,
  registers,
  sharedBytes,
  bytes,
  width
};
enum Kind { kernel = 1, copy = 2, set = 3, driverCall = 4, runtimeCall = 5, range = 6 };
}  // namespace row

struct ActivityOptions {
  std::string libraryPath;  // empty: as openCupti finds it
  std::int64_t origin = 0;  // CLOCK_MONOTONIC at time zero of the rows
  bool calls = true;        // CUDA calls and NVTX ranges beside device work
  // Kernels one after another: CUPTI then times them from outside. Side by side it times them from within, which a kernel of
  // a million blocks pays for.
  bool oneByOne = false;
  std::size_t buffers = 64;
  std::size_t bufferBytes = 512u << 10;
};

class ActivityTrace {
 public:
  // One per process: CUPTI's callbacks know no owner. A second one is refused.
  static Result<std::unique_ptr<ActivityTrace>> start(const ActivityOptions& options);
  ~ActivityTrace();
  ActivityTrace(const ActivityTrace&) = delete;
  ActivityTrace& operator=(const ActivityTrace&) = delete;

  // Records from now on, or not: for telling what recording costs.
  Status resume();
  void pause();
  // Hands over what CUPTI still holds. Call it when the device is idle, then drain.
  Status flush();
  // Writes up to `capacity` rows; fewer means that nothing waits.
  std::size_t drain(double* rows, std::size_t capacity);
  // Names of rows, in order of their index; grows while draining.
  const std::vector<std::string>& names() const { return names_; }

  std::uint64_t records() const { return records_; }
  // Records that CUPTI says it had no room for, and buffers that it asked for in vain.
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t refusedBuffers() const { return refused_.load(std::memory_order_relaxed); }
  bool ownClock() const { return ownClock_; }
  const std::string& path() const { return library_.path(); }
  unsigned version() const { return version_; }

 private:
  int kernelKind() const { return options_.oneByOne ? activity::kernel : activity::concurrentKernel; }
  explicit ActivityTrace(const ActivityOptions& options) : options_(options) {}
  enum class State : int { free, given, full };
  struct Buffer {
    std::unique_ptr<std::uint64_t[]> memory;  // CUPTI wants 8-byte alignment
    std::atomic<State> state{State::free};
    std::size_t valid = 0;
    std::uint8_t* cursor = nullptr;  // the record that was decoded last
  };
  static void requested(std::uint8_t** buffer, std::size_t* size, std::size_t* maxRecords);
  static void completed(void* context, std::uint32_t stream, std::uint8_t* buffer, std::size_t size, std::size_t valid);
  DriverError error(const char* call, Result_ code) const;
  bool decode(const std::uint8_t* record, double* out);
  double nameOf(const char* name);
  double callName(int domain, std::uint32_t callback);
  double at(std::uint64_t stamp) const { return static_cast<double>(static_cast<std::int64_t>(stamp) - shift_); }
  void tieClocks();

  ActivityOptions options_;
  SharedLibrary library_;
  ActivityApi api_{};
  std::vector<Buffer> pool_;  // never resized: CUPTI holds addresses into it
  std::atomic<std::uint64_t> refused_{0};
  std::uint64_t records_ = 0, dropped_ = 0;
  std::int64_t shift_ = 0;  // CUPTI's clock at the rows' time zero
  unsigned version_ = 0;
  bool ownClock_ = false, recording_ = false;
  std::vector<std::string> names_;
  std::unordered_map<const char*, double> byPointer_;
  std::unordered_map<std::string, double> byText_;
  std::unordered_map<std::uint64_t, double> byCallback_;
  struct OpenRange {
    double name, start, thread;
  };
  std::unordered_map<std::uint32_t, OpenRange> openRanges_;
};

}  // namespace dyno::cupti
