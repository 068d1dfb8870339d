// What Dyno uses of the CUDA driver API, declared here so that no toolkit is needed. Names and numbers follow cuda.h of
// CUDA 13; the `_v2` symbols are the ones that cuda.h's macros choose.
#pragma once
#include <cstddef>
#include <cstdint>

namespace dyno::cuda {

using Code = int;  // CUresult
using DeviceId = int;
using DevicePointer = std::uint64_t;
using ContextHandle = struct ContextTag*;
using StreamHandle = struct StreamTag*;
using EventHandle = struct EventTag*;
using ModuleHandle = struct ModuleTag*;
using FunctionHandle = struct FunctionTag*;
using GraphHandle = struct GraphTag*;
using GraphExecHandle = struct GraphExecTag*;

constexpr Code success = 0, errorInvalidValue = 1, errorOutOfMemory = 2, errorNoDevice = 100, errorInvalidDevice = 101,
               errorInvalidImage = 200, errorNoBinaryForGpu = 209, errorUnsupportedPtx = 222, errorNotFound = 500,
               errorNotReady = 600, errorIllegalAddress = 700, errorPeerAlreadyEnabled = 704, errorLaunchFailed = 719;

namespace attribute {
constexpr int clockRateKHz = 13, multiprocessors = 16, pciBus = 33, pciDevice = 34, memoryClockRateKHz = 36,
              memoryBusBits = 37, l2Bytes = 38, maxThreadsPerMultiprocessor = 39, asyncEngines = 40, pciDomain = 50,
              capabilityMajor = 75, capabilityMinor = 76, sharedPerMultiprocessor = 81, sharedPerBlockOptIn = 97;
}
constexpr unsigned streamNonBlocking = 1, eventBlockingSync = 1, eventDisableTiming = 2;

// CUlaunchAttribute and CUlaunchConfig: the launch order of Hopper is the one attribute in use.
struct LaunchAttribute {
  int id = 0;
  int padding = 0;
  union {
    char size[64];
    int number;
  } value = {};
};
constexpr int attributeProgrammaticOrder = 6;  // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
struct LaunchConfig {
  unsigned gridX = 1, gridY = 1, gridZ = 1, blockX = 1, blockY = 1, blockZ = 1, sharedBytes = 0;
  StreamHandle stream = nullptr;
  LaunchAttribute* attributes = nullptr;
  unsigned attributeCount = 0;
};
static_assert(sizeof(LaunchAttribute) == 72 && sizeof(LaunchConfig) == 56);
// CUtensorMap: what the bulk tensor copy engine reads of a tensor; passed to kernels by value.
struct alignas(64) TensorMap {
  std::uint64_t opaque[16] = {};
};
namespace tensorMap {
constexpr int bfloat16 = 9, noInterleave = 0, swizzle128 = 3, promote256 = 3, fillZeros = 0;
}
constexpr int captureThreadLocal = 1;
constexpr int functionMaxDynamicShared = 8;

// X(member, result-and-arguments, symbols newest first; of eventElapsed the older, which does the same: profilers older
// than the driver end their recording at a call that they do not know, seen with Nsight Systems 2022.4 on a driver of
// CUDA 13)
#define DYNO_CUDA_FUNCTIONS(X)                                                                                   \
  X(init, (unsigned), "cuInit")                                                                                  \
  X(driverVersion, (int*), "cuDriverGetVersion")                                                                 \
  X(errorName, (Code, const char**), "cuGetErrorName")                                                           \
  X(errorString, (Code, const char**), "cuGetErrorString")                                                       \
  X(deviceCount, (int*), "cuDeviceGetCount")                                                                     \
  X(deviceGet, (DeviceId*, int), "cuDeviceGet")                                                                  \
  X(deviceName, (char*, int, DeviceId), "cuDeviceGetName")                                                       \
  X(deviceTotalMemory, (std::size_t*, DeviceId), "cuDeviceTotalMem_v2")                                          \
  X(deviceAttribute, (int*, int, DeviceId), "cuDeviceGetAttribute")                                              \
  X(deviceUuid, (char(*)[16], DeviceId), "cuDeviceGetUuid_v2", "cuDeviceGetUuid")                                \
  X(canAccessPeer, (int*, DeviceId, DeviceId), "cuDeviceCanAccessPeer")                                          \
  X(enablePeer, (ContextHandle, unsigned), "cuCtxEnablePeerAccess")                                              \
  X(retainPrimary, (ContextHandle*, DeviceId), "cuDevicePrimaryCtxRetain")                                       \
  X(releasePrimary, (DeviceId), "cuDevicePrimaryCtxRelease_v2", "cuDevicePrimaryCtxRelease")                     \
  X(setCurrent, (ContextHandle), "cuCtxSetCurrent")                                                              \
  X(synchronizeContext, (), "cuCtxSynchronize")                                                                  \
  X(memoryInfo, (std::size_t*, std::size_t*), "cuMemGetInfo_v2")                                                 \
  X(allocate, (DevicePointer*, std::size_t), "cuMemAlloc_v2")                                                    \
  X(free, (DevicePointer), "cuMemFree_v2")                                                                       \
  X(allocateHost, (void**, std::size_t, unsigned), "cuMemHostAlloc")                                             \
  X(freeHost, (void*), "cuMemFreeHost")                                                                          \
  X(copyToDevice, (DevicePointer, const void*, std::size_t), "cuMemcpyHtoD_v2")                                  \
  X(copyToHost, (void*, DevicePointer, std::size_t), "cuMemcpyDtoH_v2")                                          \
  X(copyToDeviceAsync, (DevicePointer, const void*, std::size_t, StreamHandle), "cuMemcpyHtoDAsync_v2")          \
  X(copyToHostAsync, (void*, DevicePointer, std::size_t, StreamHandle), "cuMemcpyDtoHAsync_v2")                  \
  X(copyOnDeviceAsync, (DevicePointer, DevicePointer, std::size_t, StreamHandle), "cuMemcpyDtoDAsync_v2")        \
  X(copyPeerAsync, (DevicePointer, ContextHandle, DevicePointer, ContextHandle, std::size_t, StreamHandle),      \
    "cuMemcpyPeerAsync")                                                                                         \
  X(fillAsync, (DevicePointer, unsigned char, std::size_t, StreamHandle), "cuMemsetD8Async")                     \
  X(streamCreate, (StreamHandle*, unsigned), "cuStreamCreate")                                                   \
  X(streamCreateWithPriority, (StreamHandle*, unsigned, int), "cuStreamCreateWithPriority")                      \
  X(priorityRange, (int*, int*), "cuCtxGetStreamPriorityRange")                                                  \
  X(streamDestroy, (StreamHandle), "cuStreamDestroy_v2")                                                         \
  X(streamSynchronize, (StreamHandle), "cuStreamSynchronize")                                                    \
  X(streamQuery, (StreamHandle), "cuStreamQuery")                                                                \
  X(streamWaitEvent, (StreamHandle, EventHandle, unsigned), "cuStreamWaitEvent")                                 \
  X(beginCapture, (StreamHandle, int), "cuStreamBeginCapture_v2")                                                \
  X(endCapture, (StreamHandle, GraphHandle*), "cuStreamEndCapture")                                              \
  X(graphInstantiate, (GraphExecHandle*, GraphHandle, unsigned long long), "cuGraphInstantiateWithFlags")        \
  X(graphLaunch, (GraphExecHandle, StreamHandle), "cuGraphLaunch")                                               \
  X(graphDestroy, (GraphHandle), "cuGraphDestroy")                                                               \
  X(graphExecDestroy, (GraphExecHandle), "cuGraphExecDestroy")                                                   \
  X(eventCreate, (EventHandle*, unsigned), "cuEventCreate")                                                      \
  X(eventDestroy, (EventHandle), "cuEventDestroy_v2")                                                            \
  X(eventRecord, (EventHandle, StreamHandle), "cuEventRecord")                                                   \
  X(eventQuery, (EventHandle), "cuEventQuery")                                                                   \
  X(eventSynchronize, (EventHandle), "cuEventSynchronize")                                                       \
  X(eventElapsed, (float*, EventHandle, EventHandle), "cuEventElapsedTime", "cuEventElapsedTime_v2")             \
  X(moduleLoadData, (ModuleHandle*, const void*), "cuModuleLoadData")                                            \
  X(moduleUnload, (ModuleHandle), "cuModuleUnload")                                                              \
  X(moduleGetFunction, (FunctionHandle*, ModuleHandle, const char*), "cuModuleGetFunction")                      \
  X(functionSetAttribute, (FunctionHandle, int, int), "cuFuncSetAttribute")                                      \
  X(tensorMapEncode,                                                                                             \
    (TensorMap*, int, unsigned, void*, const std::uint64_t*, const std::uint64_t*, const std::uint32_t*,         \
     const std::uint32_t*, int, int, int, int),                                                                  \
    "cuTensorMapEncodeTiled")                                                                                    \
  X(occupancy, (int*, FunctionHandle, int, std::size_t), "cuOccupancyMaxActiveBlocksPerMultiprocessor")          \
  X(launch,                                                                                                      \
    (FunctionHandle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, StreamHandle, void**, \
     void**),                                                                                                    \
    "cuLaunchKernel")                                                                                            \
  X(launchWith, (const LaunchConfig*, FunctionHandle, void**, void**), "cuLaunchKernelEx")

struct Api {
#define DYNO_DECLARE(member, arguments, ...) Code(*member) arguments;
  DYNO_CUDA_FUNCTIONS(DYNO_DECLARE)
#undef DYNO_DECLARE
};

}  // namespace dyno::cuda
