// What Dyno uses of CUPTI's activity API (CUDA 11 and newer), declared here so that no toolkit is needed. A record is
// read by the offset of each field: the leading fields of these records have stood still from CUDA 9
// (CUpti_ActivityKernel4) to CUDA 13 (CUpti_ActivityKernel10), while their ends grew.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cupti/cupti_api.h"

namespace dyno::cupti {

namespace activity {
constexpr int memcpy = 1, memset = 2, kernel = 3, driver = 4, runtime = 5, concurrentKernel = 10, marker = 12;
}
constexpr Result_ errorMaxLimitReached = 12;
constexpr std::uint32_t markerStart = 2, markerEnd = 4;
constexpr int domainDriver = 1, domainRuntime = 2;
constexpr std::uint32_t flushForced = 1;
constexpr int threadIdSystem = 1;

// CUpti_ActivityKernel4 … 10
namespace kernelAt {
constexpr std::size_t registers = 6, start = 16, end = 24, device = 40, stream = 48, grid = 52, block = 64,
                      staticShared = 76, dynamicShared = 80, correlation = 92, name = 104;
}
// CUpti_ActivityMemcpy … 6 and CUpti_ActivityMemset … 4
namespace copyAt {
constexpr std::size_t copyKind = 4, bytes = 8, start = 16, end = 24, device = 32, stream = 40, correlation = 44;
}
// CUpti_ActivityAPI
namespace callAt {
constexpr std::size_t callback = 4, start = 8, end = 16, thread = 28, correlation = 32;
}
// CUpti_ActivityMarker2
namespace markerAt {
constexpr std::size_t flags = 4, timestamp = 8, id = 16, process = 24, thread = 28, name = 40;
}

// Records are packed: a field may lie anywhere.
template <typename T>
T fieldAt(const std::uint8_t* record, std::size_t offset) {
  T value;
  std::memcpy(&value, record + offset, sizeof value);
  return value;
}

using BufferRequested = void (*)(std::uint8_t** buffer, std::size_t* size, std::size_t* maxRecords);
using BufferCompleted = void (*)(void* context, std::uint32_t stream, std::uint8_t* buffer, std::size_t size,
                                 std::size_t validSize);
using TimestampCallback = std::uint64_t (*)();

// X(member, arguments, symbol)
#define DYNO_CUPTI_ACTIVITY_FUNCTIONS(X)                                                       \
  X(registerCallbacks, (BufferRequested, BufferCompleted), "cuptiActivityRegisterCallbacks")   \
  X(enable, (int), "cuptiActivityEnable")                                                      \
  X(disable, (int), "cuptiActivityDisable")                                                    \
  X(flushAll, (std::uint32_t), "cuptiActivityFlushAll")                                        \
  X(nextRecord, (std::uint8_t*, std::size_t, std::uint8_t**), "cuptiActivityGetNextRecord")    \
  X(droppedRecords, (void*, std::uint32_t, std::size_t*), "cuptiActivityGetNumDroppedRecords") \
  X(timestamp, (std::uint64_t*), "cuptiGetTimestamp")                                          \
  X(callbackName, (int, std::uint32_t, const char**), "cuptiGetCallbackName")                  \
  X(version, (std::uint32_t*), "cuptiGetVersion")

struct ActivityApi {
#define DYNO_DECLARE(member, arguments, symbol) Result_(*member) arguments;
  DYNO_CUPTI_ACTIVITY_FUNCTIONS(DYNO_DECLARE)
#undef DYNO_DECLARE
  Result_ (*resultString)(Result_, const char**);
  // CUDA 11.6 and newer; without it CUPTI stamps with CLOCK_REALTIME.
  Result_ (*registerTimestamp)(TimestampCallback);
  // CUDA 10.1 and newer; without it a thread is the low half of its pthread_t.
  Result_ (*threadIds)(int);
};

}  // namespace dyno::cupti
