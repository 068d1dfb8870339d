// Samples every GPU: one thread per GPU, so that a card that hangs inside the driver ends its own series and no
// other's.
//
//   thread of GPU 0 ─ reader ─► ring 0 ─┐
//   thread of GPU 1 ─ reader ─► ring 1 ─┼─► drain(), called by JavaScript: columns
//   event thread (XID, ECC) ─► ring e  ─┘
//
// Times are nanoseconds of CLOCK_MONOTONIC less the origin that the run gave. The watchdog is drain() itself: a thread
// that has been inside one driver call for longer than `hangAfter` has its series ended, and it is abandoned, never
// joined.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nvml/gpu_reader.h"
#include "nvml/sample_ring.h"

namespace dyno::nvml {

using Ns = std::int64_t;
Ns monotonicNow();

struct Sample {
  Ns time;  // since the run's origin
  double value;
  std::uint16_t gpu;
  Metric metric;
};

struct EventNotice {
  Ns time;
  std::uint16_t gpu;
  std::uint64_t type;  // NVML's event mask
  std::uint64_t data;  // the XID for xidCritical
};

enum class EndReason : int { none = 0, lost, resetRequired, driverGone, hung };
const char* endReasonName(EndReason reason);

struct SamplerOptions {
  std::vector<unsigned> gpus;
  MetricSet wanted;
  Ns origin = 0;                // CLOCK_MONOTONIC at the run's time zero
  Ns fastPeriod = 100'000'000;  // NVML refreshes at about 10 Hz
  Ns gpmPeriod = 200'000'000;   // GPM needs more than 100 ms between two samples
  Ns slowPeriod = 1'000'000'000;
  Ns hangAfter = 3'000'000'000;
  std::size_t ringCapacity = 1 << 15;  // samples per GPU: two minutes at the default rates
  bool blockingPcie = false;
};

struct EndNotice {
  unsigned gpu;
  Ns time;
  EndReason reason;
  Return code;
};

class Sampler {
 public:
  // `readers` were probed already, one per wanted GPU.
  Sampler(std::shared_ptr<Library> library, std::vector<std::shared_ptr<GpuReader>> readers,
          const SamplerOptions& options);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // Oldest first within each GPU. Returns the number written to the columns.
  std::size_t drain(double* time, std::uint16_t* gpu, std::uint16_t* metric, double* value, std::size_t capacity);
  std::size_t waiting() const;
  std::uint64_t dropped() const;
  // Series that ended since the last call, and events since the last call.
  std::vector<EndNotice> takeEnded();
  std::vector<EventNotice> takeEvents();
  std::uint64_t cpuTime() const;  // ns of processor time that the sampling threads have used

  // Waits for each thread at most `patience`; a thread still inside the driver is left there.
  void stop(Ns patience = 500'000'000);
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

 private:
  struct Lane;
  struct EventLane;
  static void runLane(std::shared_ptr<Lane> lane);
  static void runEvents(std::shared_ptr<EventLane> lane);

  std::shared_ptr<Library> library_;
  SamplerOptions options_;
  std::vector<std::shared_ptr<Lane>> lanes_;
  std::vector<std::thread> threads_;
  std::shared_ptr<EventLane> events_;
  std::thread eventThread_;
  std::size_t nextLane_ = 0;
  std::atomic<bool> stopped_{false};
};

}  // namespace dyno::nvml
