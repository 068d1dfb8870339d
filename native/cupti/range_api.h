// What Dyno uses of CUPTI's range profiler (CUDA 12.6 and newer). Layouts follow cupti_range_profiler.h of CUDA 13; the
// host half (metrics to a configuration, counters to values) is the one that PM sampling uses too.
#pragma once
#include "cupti/cupti_api.h"

namespace dyno::cupti {

constexpr int profilerTypeRange = 0;
constexpr int autoRange = 1, userRange = 2;      // a range per kernel, or as pushed
constexpr int kernelReplay = 2, userReplay = 3;  // CUPTI repeats each kernel, or the caller repeats its work

struct ContextAvailability {
  std::size_t structSize;
  void* priv;
  void* context;
  std::size_t imageSize;
  std::uint8_t* image;
};
struct RangeEnable {
  std::size_t structSize;
  void* priv;
  void* context;
  void* profiler;
};
struct OnRange {  // Disable, Start and PopRange
  std::size_t structSize;
  void* priv;
  void* profiler;
};
struct RangeSetConfig {
  std::size_t structSize;
  void* priv;
  void* profiler;
  std::size_t configSize;
  const std::uint8_t* config;
  std::size_t imageSize;
  std::uint8_t* image;
  int range;
  int replay;
  std::size_t maxRanges;
  std::uint16_t nestingLevels, leastNestingLevel;
  std::size_t pass;
  std::uint16_t targetNestingLevel;
};
struct RangeStop {
  std::size_t structSize;
  void* priv;
  void* profiler;
  std::size_t pass, targetNestingLevel;
  std::uint8_t allSubmitted;
};
struct RangePush {
  std::size_t structSize;
  void* priv;
  void* profiler;
  const char* name;
};
struct RangeDecode {
  std::size_t structSize;
  void* priv;
  void* profiler;
  std::size_t dropped;
};
struct RangeDataSize {
  std::size_t structSize;
  void* priv;
  void* profiler;
  const char** names;
  std::size_t count, maxRanges;
  std::uint32_t maxNodes;
  std::size_t size;
};
struct RangeDataInitialize {
  std::size_t structSize;
  void* priv;
  void* profiler;
  std::size_t size;
  std::uint8_t* image;
};
struct RangeDataInfo {
  std::size_t structSize;
  void* priv;
  const std::uint8_t* image;
  std::size_t size, ranges;
};
struct RangeInfo {
  std::size_t structSize;
  void* priv;
  const std::uint8_t* image;
  std::size_t size, index;
  const char* delimiter;
  const char* name;
};

// X(member, struct, symbol)
#define DYNO_CUPTI_RANGE_FUNCTIONS(X)                                                    \
  X(initialize, Initialize, "cuptiProfilerInitialize")                                   \
  X(chipName, ChipName, "cuptiDeviceGetChipName")                                        \
  X(availability, ContextAvailability, "cuptiProfilerGetCounterAvailability")            \
  X(hostInitialize, HostInitialize, "cuptiProfilerHostInitialize")                       \
  X(hostDeinitialize, HostDeinitialize, "cuptiProfilerHostDeinitialize")                 \
  X(addMetrics, AddMetrics, "cuptiProfilerHostConfigAddMetrics")                         \
  X(configSize, ConfigSize, "cuptiProfilerHostGetConfigImageSize")                       \
  X(configImage, ConfigImage, "cuptiProfilerHostGetConfigImage")                         \
  X(passes, Passes, "cuptiProfilerHostGetNumOfPasses")                                   \
  X(evaluate, Evaluate, "cuptiProfilerHostEvaluateToGpuValues")                          \
  X(enable, RangeEnable, "cuptiRangeProfilerEnable")                                     \
  X(disable, OnRange, "cuptiRangeProfilerDisable")                                       \
  X(setConfig, RangeSetConfig, "cuptiRangeProfilerSetConfig")                            \
  X(start, OnRange, "cuptiRangeProfilerStart")                                           \
  X(stop, RangeStop, "cuptiRangeProfilerStop")                                           \
  X(push, RangePush, "cuptiRangeProfilerPushRange")                                      \
  X(pop, OnRange, "cuptiRangeProfilerPopRange")                                          \
  X(decode, RangeDecode, "cuptiRangeProfilerDecodeData")                                 \
  X(dataSize, RangeDataSize, "cuptiRangeProfilerGetCounterDataSize")                     \
  X(dataInitialize, RangeDataInitialize, "cuptiRangeProfilerCounterDataImageInitialize") \
  X(dataInfo, RangeDataInfo, "cuptiRangeProfilerGetCounterDataInfo")                     \
  X(rangeInfo, RangeInfo, "cuptiRangeProfilerCounterDataGetRangeInfo")

struct RangeApi {
#define DYNO_DECLARE(member, Struct, symbol) Result_ (*member)(Struct*);
  DYNO_CUPTI_RANGE_FUNCTIONS(DYNO_DECLARE)
#undef DYNO_DECLARE
  Result_ (*resultString)(Result_, const char**);
};

}  // namespace dyno::cupti
