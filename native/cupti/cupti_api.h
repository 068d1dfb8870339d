// What Dyno uses of CUPTI's PM sampling (CUDA 12.6 and newer), declared here so that no toolkit is needed. Layouts
// follow cupti_pmsampling.h and cupti_profiler_host.h of CUDA 13. Each struct tells its own size; the rule is "up to
// its last field".
#pragma once
#include <cstddef>
#include <cstdint>

namespace dyno::cupti {

using Result_ = int;  // CUptiResult
constexpr Result_ success = 0, errorInsufficientPrivileges = 35, errorVirtualInsufficientPrivileges = 40;
constexpr int profilerTypePmSampling = 1;
constexpr int triggerGpuTimeInterval = 1;
constexpr int appendKeepLatest = 1;
constexpr int decodeStoppedFull = 1;

struct Initialize {
  std::size_t structSize;
  void* priv;
};
struct ChipName {
  std::size_t structSize;
  void* priv;
  std::size_t deviceIndex;
  const char* name;
};
struct CounterAvailability {
  std::size_t structSize;
  void* priv;
  std::size_t deviceIndex, imageSize;
  std::uint8_t* image;
};
struct HostInitialize {
  std::size_t structSize;
  void* priv;
  int profilerType;
  const char* chipName;
  const std::uint8_t* counterAvailability;
  void* host;
};
struct HostDeinitialize {
  std::size_t structSize;
  void* priv;
  void* host;
};
struct AddMetrics {
  std::size_t structSize;
  void* priv;
  void* host;
  const char** names;
  std::size_t count;
};
struct ConfigSize {
  std::size_t structSize;
  void* priv;
  void* host;
  std::size_t size;
};
struct ConfigImage {
  std::size_t structSize;
  void* priv;
  void* host;
  std::size_t size;
  std::uint8_t* image;
};
struct Passes {
  std::size_t structSize;
  void* priv;
  std::size_t size;
  std::uint8_t* image;
  std::size_t passes;
};
struct Enable {
  std::size_t structSize;
  void* priv;
  std::size_t deviceIndex;
  void* sampling;
};
struct OnSampling {  // Disable, Start and Stop
  std::size_t structSize;
  void* priv;
  void* sampling;
};
struct SetConfig {
  std::size_t structSize;
  void* priv;
  void* sampling;
  std::size_t configSize;
  const std::uint8_t* config;
  std::size_t hardwareBufferBytes;
  std::uint64_t interval;
  int triggerMode;
  int appendMode;
};
struct CounterDataSize {
  std::size_t structSize;
  void* priv;
  void* sampling;
  const char** names;
  std::size_t count;
  std::uint32_t maxSamples;
  std::size_t size;
};
struct CounterDataInitialize {
  std::size_t structSize;
  void* priv;
  void* sampling;
  std::size_t size;
  std::uint8_t* image;
};
struct Decode {
  std::size_t structSize;
  void* priv;
  void* sampling;
  std::uint8_t* image;
  std::size_t size;
  int stopReason;
  std::uint8_t overflow;
};
struct CounterDataInfo {
  std::size_t structSize;
  void* priv;
  const std::uint8_t* image;
  std::size_t size;
  std::size_t total, populated, completed;
};
struct SampleInfo {
  std::size_t structSize;
  void* priv;
  void* sampling;
  const std::uint8_t* image;
  std::size_t size, index;
  std::uint64_t start, end;
};
struct Evaluate {
  std::size_t structSize;
  void* priv;
  void* host;
  const std::uint8_t* image;
  std::size_t size, index;
  const char** names;
  std::size_t count;
  double* values;
};
#define DYNO_CUPTI_SIZE(Struct, last) (offsetof(Struct, last) + sizeof(Struct::last))

// X(member, struct, symbol)
#define DYNO_CUPTI_FUNCTIONS(X)                                                                \
  X(initialize, Initialize, "cuptiProfilerInitialize")                                         \
  X(chipName, ChipName, "cuptiDeviceGetChipName")                                              \
  X(availability, CounterAvailability, "cuptiPmSamplingGetCounterAvailability")                \
  X(hostInitialize, HostInitialize, "cuptiProfilerHostInitialize")                             \
  X(hostDeinitialize, HostDeinitialize, "cuptiProfilerHostDeinitialize")                       \
  X(addMetrics, AddMetrics, "cuptiProfilerHostConfigAddMetrics")                               \
  X(configSize, ConfigSize, "cuptiProfilerHostGetConfigImageSize")                             \
  X(configImage, ConfigImage, "cuptiProfilerHostGetConfigImage")                               \
  X(passes, Passes, "cuptiProfilerHostGetNumOfPasses")                                         \
  X(enable, Enable, "cuptiPmSamplingEnable")                                                   \
  X(disable, OnSampling, "cuptiPmSamplingDisable")                                             \
  X(setConfig, SetConfig, "cuptiPmSamplingSetConfig")                                          \
  X(start, OnSampling, "cuptiPmSamplingStart")                                                 \
  X(stop, OnSampling, "cuptiPmSamplingStop")                                                   \
  X(counterDataSize, CounterDataSize, "cuptiPmSamplingGetCounterDataSize")                     \
  X(counterDataInitialize, CounterDataInitialize, "cuptiPmSamplingCounterDataImageInitialize") \
  X(decode, Decode, "cuptiPmSamplingDecodeData")                                               \
  X(counterDataInfo, CounterDataInfo, "cuptiPmSamplingGetCounterDataInfo")                     \
  X(sampleInfo, SampleInfo, "cuptiPmSamplingCounterDataGetSampleInfo")                         \
  X(evaluate, Evaluate, "cuptiProfilerHostEvaluateToGpuValues")

struct Api {
#define DYNO_DECLARE(member, Struct, symbol) Result_ (*member)(Struct*);
  DYNO_CUPTI_FUNCTIONS(DYNO_DECLARE)
#undef DYNO_DECLARE
  Result_ (*resultString)(Result_, const char**);
};

}  // namespace dyno::cupti
