#include "cupti/pm_sampling.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "cupti/cupti_library.h"

namespace dyno::cupti {
namespace {

using nvml::Metric;
using nvml::Ns;

struct Counter {
  Metric metric;
  const char* name;
  bool perSecond;  // a sum over the interval, shown as a rate
};
// One pass together on Hopper. The `_realtime` names: the others would take two passes.
constexpr Counter counters[] = {
    {Metric::smUtilisation, "sm__cycles_active.avg.pct_of_peak_sustained_elapsed", false},
    {Metric::tensorActivity, "sm__pipe_tensor_cycles_active_realtime.avg.pct_of_peak_sustained_elapsed", false},
    {Metric::smOccupancy, "sm__warps_active_realtime.avg.pct_of_peak_sustained_elapsed", false},
    {Metric::instructionIssue, "sm__inst_executed_realtime.avg.pct_of_peak_sustained_elapsed", false},
    {Metric::graphicsActivity, "gr__cycles_active.avg.pct_of_peak_sustained_elapsed", false},
    {Metric::dramRead, "dram__bytes_read.sum", true},
    {Metric::dramWrite, "dram__bytes_write.sum", true},
    {Metric::l2Traffic, "lts__t_bytes.sum", true},
    {Metric::pcieRx, "pcie__read_bytes.sum", true},
    {Metric::pcieTx, "pcie__write_bytes.sum", true},
};
constexpr std::uint32_t samplesPerImage = 4096;
constexpr std::size_t hardwareBufferBytes = 64u << 20;
constexpr int decodePeriodMs = 20;

}  // namespace

DriverError PmSampling::error(const char* call, Result_ code) const {
  return cuptiError(api_.resultString, call, code,
                    "Close other profilers of this GPU; high-resolution sampling needs CUPTI of CUDA 12.6 or newer.");
}

#define DYNO_CUPTI_TRY(member, symbol, params)                                                    \
  do {                                                                                            \
    if (const Result_ code = api_.member(&(params)); code != success) return error(symbol, code); \
  } while (false)

Status PmSampling::configure() {
  Initialize initialize{DYNO_CUPTI_SIZE(Initialize, priv), nullptr};
  DYNO_CUPTI_TRY(initialize, "cuptiProfilerInitialize", initialize);
  const auto device = static_cast<std::size_t>(options_.cudaDevice);
  ChipName chip{DYNO_CUPTI_SIZE(ChipName, name), nullptr, device, nullptr};
  DYNO_CUPTI_TRY(chipName, "cuptiDeviceGetChipName", chip);
  CounterAvailability available{DYNO_CUPTI_SIZE(CounterAvailability, image), nullptr, device, 0, nullptr};
  DYNO_CUPTI_TRY(availability, "cuptiPmSamplingGetCounterAvailability", available);
  availability_.resize(available.imageSize);
  available.image = availability_.data();
  DYNO_CUPTI_TRY(availability, "cuptiPmSamplingGetCounterAvailability", available);

  const auto newHost = [&](void*& host) -> Status {
    HostInitialize params{DYNO_CUPTI_SIZE(HostInitialize, host),
                          nullptr,
                          profilerTypePmSampling,
                          chip.name,
                          availability_.data(),
                          nullptr};
    DYNO_CUPTI_TRY(hostInitialize, "cuptiProfilerHostInitialize", params);
    host = params.host;
    return Nothing{};
  };
  const auto freeHost = [&](void* host) {
    HostDeinitialize params{DYNO_CUPTI_SIZE(HostDeinitialize, host), nullptr, host};
    api_.hostDeinitialize(&params);
  };
  // A card may refuse a single counter and with it the whole set: ask for each alone, in a host of its own.
  for (const Counter& counter : counters) {
    void* alone = nullptr;
    DYNO_TRY(newHost(alone));
    const char* name = counter.name;
    AddMetrics params{DYNO_CUPTI_SIZE(AddMetrics, count), nullptr, alone, &name, 1};
    const Result_ code = api_.addMetrics(&params);
    freeHost(alone);
    if (code != success) {
      refused_.emplace_back(counter.metric, error("cuptiProfilerHostConfigAddMetrics", code).message);
      continue;
    }
    metrics_.push_back(counter.metric);
    names_.push_back(counter.name);
    scales_.push_back(counter.perSecond ? 1e9 / static_cast<double>(options_.interval) : 1.0);
  }
  if (names_.empty())
    return DriverError{"cuptiProfilerHostConfigAddMetrics", 0, "NO_COUNTERS",
                       "This GPU offers none of the high-resolution counters.", ""};
  // The set must fit one pass: leave the last counters out until it does.
  for (;;) {
    DYNO_TRY(newHost(host_));
    AddMetrics add{DYNO_CUPTI_SIZE(AddMetrics, count), nullptr, host_, names_.data(), names_.size()};
    DYNO_CUPTI_TRY(addMetrics, "cuptiProfilerHostConfigAddMetrics", add);
    ConfigSize size{DYNO_CUPTI_SIZE(ConfigSize, size), nullptr, host_, 0};
    DYNO_CUPTI_TRY(configSize, "cuptiProfilerHostGetConfigImageSize", size);
    config_.resize(size.size);
    ConfigImage image{DYNO_CUPTI_SIZE(ConfigImage, image), nullptr, host_, config_.size(), config_.data()};
    DYNO_CUPTI_TRY(configImage, "cuptiProfilerHostGetConfigImage", image);
    Passes count{DYNO_CUPTI_SIZE(Passes, passes), nullptr, config_.size(), config_.data(), 0};
    DYNO_CUPTI_TRY(passes, "cuptiProfilerHostGetNumOfPasses", count);
    if (count.passes == 1) break;
    if (names_.size() == 1)
      return DriverError{"cuptiProfilerHostGetNumOfPasses", 0, "TOO_MANY_PASSES",
                         "This GPU cannot sample its counters in one pass.", ""};
    refused_.emplace_back(metrics_.back(), "It does not fit one pass with the others.");
    metrics_.pop_back();
    names_.pop_back();
    scales_.pop_back();
    freeHost(host_);
    host_ = nullptr;
  }
  values_.resize(names_.size());

  Enable enable{DYNO_CUPTI_SIZE(Enable, sampling), nullptr, device, nullptr};
  DYNO_CUPTI_TRY(enable, "cuptiPmSamplingEnable", enable);
  sampling_ = enable.sampling;
  SetConfig set{DYNO_CUPTI_SIZE(SetConfig, appendMode),
                nullptr,
                sampling_,
                config_.size(),
                config_.data(),
                hardwareBufferBytes,
                static_cast<std::uint64_t>(options_.interval),
                triggerGpuTimeInterval,
                appendKeepLatest};
  DYNO_CUPTI_TRY(setConfig, "cuptiPmSamplingSetConfig", set);
  CounterDataSize dataSize{
      DYNO_CUPTI_SIZE(CounterDataSize, size), nullptr, sampling_, names_.data(), names_.size(), samplesPerImage, 0};
  DYNO_CUPTI_TRY(counterDataSize, "cuptiPmSamplingGetCounterDataSize", dataSize);
  image_.resize(dataSize.size);
  CounterDataInitialize clear{DYNO_CUPTI_SIZE(CounterDataInitialize, image), nullptr, sampling_, image_.size(),
                              image_.data()};
  DYNO_CUPTI_TRY(counterDataInitialize, "cuptiPmSamplingCounterDataImageInitialize", clear);

  OnSampling begin{DYNO_CUPTI_SIZE(OnSampling, sampling), nullptr, sampling_};
  const Ns before = nvml::monotonicNow();
  DYNO_CUPTI_TRY(start, "cuptiPmSamplingStart", begin);
  const Ns after = nvml::monotonicNow();
  running_ = true;
  startTime_ = before + (after - before) / 2 - options_.origin;
  anchorUncertainty_ = (after - before) / 2;
  return Nothing{};
}

Result<std::shared_ptr<PmSampling>> PmSampling::start(const PmOptions& options) {
  auto opened =
      openCupti(options.libraryPath,
                "High-resolution sampling needs CUPTI of CUDA 12.6 or newer: install the toolkit's CUPTI package.");
  if (!opened.ok()) return opened.error();
  std::unique_ptr<PmSampling> self(new PmSampling(options));
  self->library_ = std::move(opened.value());
  bool complete = true;
#define DYNO_FIND(member, Struct, name)                                    \
  self->api_.member = self->library_.symbol<Result_ (*)(Struct*)>({name}); \
  complete = complete && self->api_.member != nullptr;
  DYNO_CUPTI_FUNCTIONS(DYNO_FIND)
#undef DYNO_FIND
  self->api_.resultString = self->library_.symbol<Result_ (*)(Result_, const char**)>({"cuptiGetResultString"});
  if (!complete)
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", self->library_.path() + " has no PM sampling.",
                       "Install CUPTI of CUDA 12.6 or newer."};
  DYNO_TRY(self->configure());
  self->thread_ = std::thread([raw = self.get()] { raw->run(); });
  return std::shared_ptr<PmSampling>(self.release(), [](PmSampling* each) {
    each->stop();
    if (each->hung())
      keepForever(each);
    else
      delete each;
  });
}

void PmSampling::keepForever(PmSampling* hung) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<PmSampling*>();
  const std::lock_guard<std::mutex> lock(mutex);
  kept.push_back(hung);
}

bool PmSampling::decodeOnce() {
  Decode decode{DYNO_CUPTI_SIZE(Decode, overflow), nullptr, sampling_, image_.data(), image_.size(), 0, 0};
  if (api_.decode(&decode) != success) return false;
  if (decode.overflow != 0) overflowed_.store(true, std::memory_order_relaxed);
  CounterDataInfo info{DYNO_CUPTI_SIZE(CounterDataInfo, completed), nullptr, image_.data(), image_.size(), 0, 0, 0};
  if (api_.counterDataInfo(&info) != success) return false;
  std::uint64_t done = decoded_.load(std::memory_order_relaxed);
  const bool any = info.completed > cursor_;
  for (; cursor_ < info.completed; ++cursor_) {
    SampleInfo when{DYNO_CUPTI_SIZE(SampleInfo, end), nullptr, sampling_, image_.data(), image_.size(), cursor_, 0, 0};
    Evaluate evaluate{DYNO_CUPTI_SIZE(Evaluate, values),
                      nullptr,
                      host_,
                      image_.data(),
                      image_.size(),
                      cursor_,
                      names_.data(),
                      names_.size(),
                      values_.data()};
    if (api_.sampleInfo(&when) != success || api_.evaluate(&evaluate) != success) continue;
    if (done == 0) firstStamp_ = when.start;
    ++done;
    const Ns time = startTime_ + static_cast<Ns>(when.end - firstStamp_);
    // A sample of no length says nothing about gaps.
    if (when.end > firstStamp_)
      coverage_.store(static_cast<double>(done) * static_cast<double>(options_.interval) /
                          static_cast<double>(when.end - firstStamp_),
                      std::memory_order_relaxed);
    for (std::size_t i = 0; i < metrics_.size(); ++i)
      ring_.push(nvml::Sample{time, values_[i] * scales_[i], static_cast<std::uint16_t>(options_.gpu), metrics_[i]});
  }
  decoded_.store(done, std::memory_order_relaxed);
  // Clearing the image loses samples that are half decoded: do it only when it runs full.
  if (decode.stopReason == decodeStoppedFull || info.populated >= samplesPerImage * 3 / 4) {
    CounterDataInitialize clear{DYNO_CUPTI_SIZE(CounterDataInitialize, image), nullptr, sampling_, image_.size(),
                                image_.data()};
    if (api_.counterDataInitialize(&clear) != success) return false;
    cursor_ = 0;
  }
  return decode.stopReason == decodeStoppedFull && any;
}

void PmSampling::run() {
  pthread_setname_np(pthread_self(), "dyno-pm-decode");
  while (!stopping_.load(std::memory_order_acquire)) {
    while (decodeOnce() && !stopping_.load(std::memory_order_acquire)) {
    }
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    cpuTime_.store(static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(used.tv_nsec),
                   std::memory_order_relaxed);
    poll(nullptr, 0, decodePeriodMs);
  }
  finished_.store(true, std::memory_order_release);
}

void PmSampling::stop(Ns patience) {
  const std::lock_guard<std::mutex> lock(stopOnce_);
  if (stopped_) return;
  stopped_ = true;
  stopping_.store(true, std::memory_order_release);
  if (thread_.joinable()) {
    const Ns giveUp = nvml::monotonicNow() + patience;
    while (!finished_.load(std::memory_order_acquire) && nvml::monotonicNow() < giveUp) poll(nullptr, 0, 1);
    if (!finished_.load(std::memory_order_acquire)) {
      thread_.detach();
      hung_.store(true, std::memory_order_release);
      return;
    }
    thread_.join();
  }
  if (running_) {
    OnSampling params{DYNO_CUPTI_SIZE(OnSampling, sampling), nullptr, sampling_};
    api_.stop(&params);
    while (decodeOnce()) {
    }
    running_ = false;
  }
}

PmSampling::~PmSampling() {
  stop();
  if (sampling_ != nullptr) {
    OnSampling params{DYNO_CUPTI_SIZE(OnSampling, sampling), nullptr, sampling_};
    api_.disable(&params);
  }
  if (host_ != nullptr) {
    HostDeinitialize params{DYNO_CUPTI_SIZE(HostDeinitialize, host), nullptr, host_};
    api_.hostDeinitialize(&params);
  }
  library_.abandon();  // CUPTI keeps threads and exit handlers of its own
}

}  // namespace dyno::cupti
