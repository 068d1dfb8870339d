// High-resolution sampling of one GPU through CUPTI's PM sampler: 1 to 100 kHz, all processes, needs access to hardware
// counters. It stands in for GPM while it runs: the two read the same hardware, so never both at once.
//
//   GPU ─ hardware buffer ─ decode thread ─ ring ─► drain
//
// A sample's time: CUPTI stamps it in nanoseconds of the card's clock; the first one is tied to the run's clock by the
// moment at which sampling was started (known to `anchorUncertainty`). Counting samples instead would drift: the card
// leaves some out (2 to 5 % seen at 10 kHz), and each of those is a gap, which `coverage` tells.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cupti/cupti_api.h"
#include "driver/shared_library.h"
#include "nvml/sample_ring.h"
#include "nvml/sampler.h"

namespace dyno::cupti {

struct PmOptions {
  std::string libraryPath;      // empty: libcupti of CUDA 13 or 12 as the loader finds it
  int cudaDevice = 0;           // CUDA's number of the GPU
  unsigned gpu = 0;             // the number that samples carry (NVML's)
  nvml::Ns interval = 100'000;  // 10 kHz
  nvml::Ns origin = 0;          // CLOCK_MONOTONIC at the run's time zero
  std::size_t ringCapacity = 1 << 20;
};

class PmSampling {
 public:
  // The last owner stops it. A sampler whose thread hangs inside the driver stays in memory, which that thread uses.
  static Result<std::shared_ptr<PmSampling>> start(const PmOptions& options);
  ~PmSampling();
  PmSampling(const PmSampling&) = delete;
  PmSampling& operator=(const PmSampling&) = delete;

  SampleRing<nvml::Sample>& ring() { return ring_; }
  unsigned gpu() const { return options_.gpu; }
  // Metrics that this card's counters give in one pass, and those that it refused with the reason.
  const std::vector<nvml::Metric>& metrics() const { return metrics_; }
  const std::vector<std::pair<nvml::Metric, std::string>>& refused() const { return refused_; }
  bool overflowed() const { return overflowed_.load(std::memory_order_relaxed); }
  std::uint64_t decoded() const { return decoded_.load(std::memory_order_relaxed); }
  std::uint64_t cpuTime() const { return cpuTime_.load(std::memory_order_relaxed); }
  // Samples decoded over the samples due in the time that they span: below 1 there are gaps.
  double coverage() const { return coverage_.load(std::memory_order_relaxed); }
  nvml::Ns anchorUncertainty() const { return anchorUncertainty_; }
  // Waits at most `patience` for the decoding thread; later calls return at once. Any thread.
  void stop(nvml::Ns patience = 2'000'000'000);
  // The thread did not come back from the driver.
  bool hung() const { return hung_.load(std::memory_order_acquire); }
  // It has ended, perhaps long after a stop that gave up.
  bool ended() const { return finished_.load(std::memory_order_acquire); }

 private:
  explicit PmSampling(const PmOptions& options) : options_(options), ring_(options.ringCapacity) {}
  Status configure();
  DriverError error(const char* call, Result_ code) const;
  bool decodeOnce();  // true when the image was full: there is more
  void run();
  static void keepForever(PmSampling* hung);

  PmOptions options_;
  SharedLibrary library_;
  Api api_{};
  void *host_ = nullptr, *sampling_ = nullptr;
  std::vector<std::uint8_t> availability_, config_, image_;
  std::vector<nvml::Metric> metrics_;
  std::vector<const char*> names_;
  std::vector<double> scales_;
  std::vector<double> values_;
  std::vector<std::pair<nvml::Metric, std::string>> refused_;
  SampleRing<nvml::Sample> ring_;
  std::thread thread_;
  std::mutex stopOnce_;
  bool stopped_ = false;
  std::atomic<bool> stopping_{false}, finished_{false}, hung_{false};
  std::atomic<bool> overflowed_{false};
  std::atomic<std::uint64_t> decoded_{0}, cpuTime_{0};
  std::atomic<double> coverage_{1};
  std::size_t cursor_ = 0;  // samples of the image that were taken already
  nvml::Ns startTime_ = 0, anchorUncertainty_ = 0;
  std::uint64_t firstStamp_ = 0;
  bool running_ = false;
};

}  // namespace dyno::cupti
