#include "nvml/nvml_library.h"

namespace dyno::nvml {
namespace {

const char* codeName(Return code) {
  switch (code) {
    case errorUninitialized: return "NVML_ERROR_UNINITIALIZED";
    case errorInvalidArgument: return "NVML_ERROR_INVALID_ARGUMENT";
    case errorNotSupported: return "NVML_ERROR_NOT_SUPPORTED";
    case errorNoPermission: return "NVML_ERROR_NO_PERMISSION";
    case errorNotFound: return "NVML_ERROR_NOT_FOUND";
    case errorInsufficientSize: return "NVML_ERROR_INSUFFICIENT_SIZE";
    case errorDriverNotLoaded: return "NVML_ERROR_DRIVER_NOT_LOADED";
    case errorTimeout: return "NVML_ERROR_TIMEOUT";
    case errorFunctionNotFound: return "NVML_ERROR_FUNCTION_NOT_FOUND";
    case errorGpuIsLost: return "NVML_ERROR_GPU_IS_LOST";
    case errorResetRequired: return "NVML_ERROR_RESET_REQUIRED";
    case errorLibRmVersionMismatch: return "NVML_ERROR_LIB_RM_VERSION_MISMATCH";
    case errorInUse: return "NVML_ERROR_IN_USE";
    case errorNoData: return "NVML_ERROR_NO_DATA";
    case errorGpuNotFound: return "NVML_ERROR_GPU_NOT_FOUND";
    default: return "NVML_ERROR";
  }
}

const char* hintFor(Return code) {
  switch (code) {
    case errorDriverNotLoaded:
      return "Load the NVIDIA kernel module (nvidia-smi must work), or run in a container with the GPU passed through.";
    case errorNoPermission: return "Ask for access to /dev/nvidia* (group video or root).";
    case errorLibRmVersionMismatch:
      return "The driver was updated under a running kernel module: reboot or reload the nvidia module.";
    case errorGpuIsLost: return "The GPU fell off the bus: see the kernel log for XID 79, then reset or reboot.";
    case errorResetRequired: return "The GPU needs a reset before it answers again.";
    case errorInUse: return "Another process has it, and it serves one at a time.";
    case errorNotSupported: return "This GPU or driver does not offer it.";
    default: return "Run nvidia-smi: it shows whether the driver itself works.";
  }
}

}  // namespace

DriverError Library::error(const char* call, Return code) const {
  const char* said = api_.errorString != nullptr ? api_.errorString(code) : nullptr;
  return DriverError{call, code, codeName(code),
                     std::string(call) + " answered " + (said != nullptr ? said : "an error") + ".", hintFor(code)};
}

Result<std::shared_ptr<Library>> Library::open(const std::string& path) {
  const std::vector<std::string> names =
      path.empty() ? std::vector<std::string>{"libnvidia-ml.so.1", "libnvidia-ml.so"} : std::vector<std::string>{path};
  auto opened = SharedLibrary::open(names, "Install the NVIDIA driver; no CUDA toolkit is needed.");
  if (!opened.ok()) return opened.error();

  std::shared_ptr<Library> self(new Library());
  self->library_ = std::move(opened.value());
  const SharedLibrary& lib = self->library_;
  Api& api = self->api_;
  const auto find = [&lib](auto& function, std::initializer_list<const char*> symbols) {
    function = lib.symbol<std::remove_reference_t<decltype(function)>>(symbols);
  };
  find(api.init, {"nvmlInit_v2", "nvmlInit"});
  find(api.shutdown, {"nvmlShutdown"});
  find(api.errorString, {"nvmlErrorString"});
  find(api.driverVersion, {"nvmlSystemGetDriverVersion"});
  find(api.nvmlVersion, {"nvmlSystemGetNVMLVersion"});
  find(api.cudaDriverVersion, {"nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion"});
  find(api.processName, {"nvmlSystemGetProcessName"});
  find(api.deviceCount, {"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"});
  find(api.deviceByIndex, {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"});
  find(api.name, {"nvmlDeviceGetName"});
  find(api.uuid, {"nvmlDeviceGetUUID"});
  find(api.pciInfo, {"nvmlDeviceGetPciInfo_v3"});  // v2's struct is shorter: no fallback
  find(api.computeCapability, {"nvmlDeviceGetCudaComputeCapability"});
  find(api.numGpuCores, {"nvmlDeviceGetNumGpuCores"});
  find(api.memoryBusWidth, {"nvmlDeviceGetMemoryBusWidth"});
  find(api.memoryV2, {"nvmlDeviceGetMemoryInfo_v2"});
  find(api.memoryV1, {"nvmlDeviceGetMemoryInfo"});
  find(api.utilization, {"nvmlDeviceGetUtilizationRates"});
  find(api.powerUsage, {"nvmlDeviceGetPowerUsage"});
  find(api.enforcedPowerLimit, {"nvmlDeviceGetEnforcedPowerLimit"});
  find(api.totalEnergy, {"nvmlDeviceGetTotalEnergyConsumption"});
  find(api.temperatureV, {"nvmlDeviceGetTemperatureV"});
  find(api.temperatureOld, {"nvmlDeviceGetTemperature"});  // deprecated in 13.0
  find(api.clock, {"nvmlDeviceGetClockInfo"});
  find(api.maxClock, {"nvmlDeviceGetMaxClockInfo"});
  find(api.clocksEventReasons, {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
  find(api.fieldValues, {"nvmlDeviceGetFieldValues"});
  find(api.pcieThroughput, {"nvmlDeviceGetPcieThroughput"});
  find(api.pcieGeneration, {"nvmlDeviceGetCurrPcieLinkGeneration"});
  find(api.pcieWidth, {"nvmlDeviceGetCurrPcieLinkWidth"});
  find(api.pcieMaxGeneration, {"nvmlDeviceGetMaxPcieLinkGeneration"});
  find(api.pcieMaxWidth, {"nvmlDeviceGetMaxPcieLinkWidth"});
  find(api.totalEccErrors, {"nvmlDeviceGetTotalEccErrors"});
  find(api.remappedRows, {"nvmlDeviceGetRemappedRows"});
  find(api.computeProcesses,
       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"});  // v1's struct differs
  find(api.processUtilization, {"nvmlDeviceGetProcessUtilization"});
  find(api.commonAncestor, {"nvmlDeviceGetTopologyCommonAncestor"});
  find(api.p2pStatus, {"nvmlDeviceGetP2PStatus"});
  find(api.memoryNumaNode, {"nvmlDeviceGetNumaNodeId"});
  find(api.cpuAffinity, {"nvmlDeviceGetCpuAffinity"});
  find(api.nvlinkState, {"nvmlDeviceGetNvLinkState"});
  find(api.nvlinkVersion, {"nvmlDeviceGetNvLinkVersion"});
  find(api.nvlinkRemotePci, {"nvmlDeviceGetNvLinkRemotePciInfo_v2"});
  find(api.nvlinkRemoteType, {"nvmlDeviceGetNvLinkRemoteDeviceType"});
  find(api.migMode, {"nvmlDeviceGetMigMode"});
  find(api.maxMigDevices, {"nvmlDeviceGetMaxMigDeviceCount"});
  find(api.migDeviceByIndex, {"nvmlDeviceGetMigDeviceHandleByIndex"});
  find(api.gpuInstanceId, {"nvmlDeviceGetGpuInstanceId"});
  find(api.computeInstanceId, {"nvmlDeviceGetComputeInstanceId"});
  find(api.eventSetCreate, {"nvmlEventSetCreate"});
  find(api.eventSetFree, {"nvmlEventSetFree"});
  find(api.eventSetWait, {"nvmlEventSetWait_v2"});
  find(api.registerEvents, {"nvmlDeviceRegisterEvents"});
  find(api.supportedEvents, {"nvmlDeviceGetSupportedEventTypes"});
  find(api.gpmQuerySupport, {"nvmlGpmQueryDeviceSupport"});
  find(api.gpmSampleAlloc, {"nvmlGpmSampleAlloc"});
  find(api.gpmSampleFree, {"nvmlGpmSampleFree"});
  find(api.gpmSampleGet, {"nvmlGpmSampleGet"});
  find(api.gpmMetricsGet, {"nvmlGpmMetricsGet"});

  if (api.init == nullptr || api.shutdown == nullptr || api.deviceCount == nullptr || api.deviceByIndex == nullptr) {
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", lib.path() + " lacks NVML's basic functions.",
                       "Install an NVIDIA driver of version 450 or newer."};
  }
  if (const Return code = api.init(); code != success) return self->error("nvmlInit_v2", code);
  self->initialised_ = true;

  unsigned count = 0;
  if (const Return code = api.deviceCount(&count); code != success) return self->error("nvmlDeviceGetCount_v2", code);
  for (unsigned index = 0; index < count; ++index) {
    Device device = nullptr;
    // A GPU we may not see (cgroup, MIG parent) keeps its place as null: indices stay the driver's.
    if (api.deviceByIndex(index, &device) != success) device = nullptr;
    self->devices_.push_back(device);
  }
  for (unsigned index = 0; index < count; ++index) {
    const Device device = self->devices_[index];
    unsigned current = 0, pending = 0, most = 0;
    if (device == nullptr || api.migMode == nullptr || api.migMode(device, &current, &pending) != success ||
        current == 0 || api.maxMigDevices == nullptr || api.migDeviceByIndex == nullptr ||
        api.maxMigDevices(device, &most) != success)
      continue;
    // Numbers that no instance has answer NOT_FOUND: the others keep theirs.
    for (unsigned number = 0; number < most; ++number) {
      Device instance = nullptr;
      if (api.migDeviceByIndex(device, number, &instance) == success)
        self->instances_.push_back({instance, index, number});
    }
  }
  return self;
}

Library::~Library() {
  if (abandoned_) {
    library_.abandon();
    return;
  }
  if (initialised_) api_.shutdown();
}

}  // namespace dyno::nvml
