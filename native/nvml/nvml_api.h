// What Dyno uses of NVML, declared here so that no SDK is needed. Layouts and numbers follow nvml.h of CUDA 13;
// each function is looked up newest name first and may be null: an older driver tells less, it does not fail.
#pragma once
#include <cstdint>

namespace dyno::nvml {

using Return = int;
using Device = struct DeviceTag*;
using EventSet = struct EventSetTag*;
using GpmSample = struct GpmSampleTag*;

constexpr Return success = 0, errorUninitialized = 1, errorInvalidArgument = 2, errorNotSupported = 3,
                 errorNoPermission = 4, errorNotFound = 6, errorInsufficientSize = 7, errorDriverNotLoaded = 9,
                 errorTimeout = 10, errorFunctionNotFound = 13, errorGpuIsLost = 15, errorResetRequired = 16, errorInUse = 19,
                 errorLibRmVersionMismatch = 18, errorNoData = 21, errorGpuNotFound = 28;

struct PciInfo {
  char busIdLegacy[16];
  unsigned domain, bus, device, pciDeviceId, pciSubSystemId;
  char busId[32];  // "00000000:3B:00.0": eight digits of domain, where sysfs has four
};
struct MemoryV2 {
  unsigned version;  // versionOf<MemoryV2>(2)
  std::uint64_t total, reserved, free, used;
};
struct MemoryV1 {
  std::uint64_t total, free, used;  // trap: v1 counts the driver's reserve as used
};
struct Utilization {
  unsigned gpu, memory;
};
struct TemperatureV1 {
  unsigned version;  // versionOf<TemperatureV1>(1)
  int sensor;
  int celsius;
};
union Value {
  double d;
  int si;
  unsigned ui;
  std::uint64_t ull;
  std::int64_t sll;
  std::uint16_t us;
};
enum class ValueType : int {
  Double = 0,
  UnsignedInt = 1,
  UnsignedLong = 2,
  UnsignedLongLong = 3,
  SignedLongLong = 4,
  SignedInt = 5,
  UnsignedShort = 6
};
struct FieldValue {
  unsigned fieldId, scopeId;
  std::int64_t timestampUsec, latencyUsec;  // wall clock of the read, by the driver
  ValueType valueType;
  Return status;  // each field answers for itself
  Value value;
};
struct ProcessInfo {
  unsigned pid;
  std::uint64_t usedGpuMemory;  // all ones: not available (some drivers, MIG)
  unsigned gpuInstanceId, computeInstanceId;
};
struct ProcessUtilization {
  unsigned pid;
  std::uint64_t timestampUsec;
  unsigned sm, memory, encoder, decoder;
};
struct EventData {
  Device device;
  std::uint64_t type, data;
  unsigned gpuInstanceId, computeInstanceId;
};
struct GpmSupport {
  unsigned version;  // 1
  unsigned supported;
};
struct GpmMetric {
  unsigned metricId;
  Return status;
  double value;
  const char *shortName, *longName, *unit;
};
// ABI trap: NVML_GPM_METRIC_MAX was 98, then 210, then 333, while the version number stayed 1. Declare the largest.
constexpr unsigned gpmMetricCapacity = 333;
struct GpmMetricsGet {
  unsigned version;  // 1
  unsigned count;
  GpmSample earlier, later;
  GpmMetric metrics[gpmMetricCapacity];
};

static_assert(sizeof(PciInfo) == 68 && sizeof(MemoryV2) == 40 && sizeof(FieldValue) == 40 &&
              sizeof(ProcessInfo) == 24 && sizeof(EventData) == 32 && sizeof(GpmMetric) == 40);

template <typename Struct>
constexpr unsigned versionOf(unsigned version) {
  return static_cast<unsigned>(sizeof(Struct)) | (version << 24);
}

constexpr int clockSm = 1, clockMemory = 2;
constexpr int p2pRead = 0, p2pWrite = 1, p2pNvlink = 2, p2pAtomics = 3, p2pPci = 4;
constexpr unsigned maxNvlinks = 36;
constexpr unsigned allLinks = 0xFFFFFFFFu;  // FieldValue::scopeId: the sum over links

namespace field {
constexpr unsigned memoryTemperature = 82, nvlinkSpeedCommon = 90, nvlinkTxKiB = 138, nvlinkRxKiB = 139,
                   nvlinkSpeed = 164, powerAverage = 185, powerInstant = 186, pcieTxBytes = 197, pcieRxBytes = 198,
                   nvlink5TxBytes = 202, nvlink5RxBytes = 204;
}
namespace event {
constexpr std::uint64_t singleBitEcc = 0x1, doubleBitEcc = 0x2, xidCritical = 0x8, clock = 0x10,
                        recoveryAction = 0x8000;
}
namespace gpm {
constexpr unsigned graphicsUtil = 1, smUtil = 2, smOccupancy = 3, integer = 4, anyTensor = 5, dfma = 6, hmma = 7,
                   imma = 9, dramBandwidth = 10, fp64 = 11, fp32 = 12, fp16 = 13, pcieTxMiB = 20, pcieRxMiB = 21,
                   nvlinkRxMiB = 60, nvlinkTxMiB = 61;
}

struct Api {
  Return (*init)();
  Return (*shutdown)();
  const char* (*errorString)(Return);
  Return (*driverVersion)(char*, unsigned);
  Return (*nvmlVersion)(char*, unsigned);
  Return (*cudaDriverVersion)(int*);
  Return (*processName)(unsigned, char*, unsigned);
  Return (*deviceCount)(unsigned*);
  Return (*deviceByIndex)(unsigned, Device*);
  Return (*name)(Device, char*, unsigned);
  Return (*uuid)(Device, char*, unsigned);
  Return (*pciInfo)(Device, PciInfo*);
  Return (*computeCapability)(Device, int*, int*);
  Return (*numGpuCores)(Device, unsigned*);
  Return (*memoryBusWidth)(Device, unsigned*);
  Return (*memoryV2)(Device, MemoryV2*);
  Return (*memoryV1)(Device, MemoryV1*);
  Return (*utilization)(Device, Utilization*);
  Return (*powerUsage)(Device, unsigned*);
  Return (*enforcedPowerLimit)(Device, unsigned*);
  Return (*totalEnergy)(Device, std::uint64_t*);
  Return (*temperatureV)(Device, TemperatureV1*);
  Return (*temperatureOld)(Device, int, unsigned*);
  Return (*clock)(Device, int, unsigned*);
  Return (*maxClock)(Device, int, unsigned*);
  Return (*clocksEventReasons)(Device, std::uint64_t*);
  Return (*fieldValues)(Device, int, FieldValue*);
  Return (*pcieThroughput)(Device, int, unsigned*);
  Return (*pcieGeneration)(Device, unsigned*);
  Return (*pcieWidth)(Device, unsigned*);
  Return (*pcieMaxGeneration)(Device, unsigned*);
  Return (*pcieMaxWidth)(Device, unsigned*);
  Return (*totalEccErrors)(Device, int, int, std::uint64_t*);
  Return (*remappedRows)(Device, unsigned*, unsigned*, unsigned*, unsigned*);
  Return (*computeProcesses)(Device, unsigned*, ProcessInfo*);
  Return (*processUtilization)(Device, ProcessUtilization*, unsigned*, std::uint64_t);
  Return (*commonAncestor)(Device, Device, int*);
  Return (*p2pStatus)(Device, Device, int, int*);
  Return (*memoryNumaNode)(Device, unsigned*);
  Return (*cpuAffinity)(Device, unsigned, unsigned long*);
  Return (*nvlinkState)(Device, unsigned, int*);
  Return (*nvlinkVersion)(Device, unsigned, unsigned*);
  Return (*nvlinkRemotePci)(Device, unsigned, PciInfo*);
  Return (*nvlinkRemoteType)(Device, unsigned, int*);
  Return (*migMode)(Device, unsigned*, unsigned*);
  Return (*maxMigDevices)(Device, unsigned*);
  Return (*migDeviceByIndex)(Device, unsigned, Device*);
  Return (*gpuInstanceId)(Device, unsigned*);
  Return (*computeInstanceId)(Device, unsigned*);
  Return (*eventSetCreate)(EventSet*);
  Return (*eventSetFree)(EventSet);
  Return (*eventSetWait)(EventSet, EventData*, unsigned);
  Return (*registerEvents)(Device, std::uint64_t, EventSet);
  Return (*supportedEvents)(Device, std::uint64_t*);
  Return (*gpmQuerySupport)(Device, GpmSupport*);
  Return (*gpmSampleAlloc)(GpmSample*);
  Return (*gpmSampleFree)(GpmSample);
  Return (*gpmSampleGet)(Device, GpmSample);
  Return (*gpmMetricsGet)(GpmMetricsGet*);
};

}  // namespace dyno::nvml
