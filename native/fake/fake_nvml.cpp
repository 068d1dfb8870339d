// A scriptable NVML for tests. Each copy of this library reads `<its own path>.script` again whenever that file
// changes:
//
//   gpus 2                      number of GPUs
//   text 0 name Fake H100       answers of the text calls: name, uuid, pci
//   set 0 power 350000          a value that GPU 0 offers (the driver's own unit); without the line it answers
//   NOT_SUPPORTED set 0 gpm.2 81.5            GPM metric 2; "nan" is allowed; without any gpm line the GPU has no GPM
//   set 0 link.3.remote 1       NVLink 3 goes to GPU 1 (switch: -1)
//   fail 0 nvmlDeviceGetClockInfo 4     one call answers this code
//   fail init 9                 nvmlInit_v2 answers this code
//   lost 0                      every call on GPU 0 answers GPU_IS_LOST
//   hang 0                      every call on GPU 0 blocks until the line goes
//   set 0 mig 2                 GPU 0 is in MIG mode with instances 0 and 1; instance 1 is scripted as GPU 1001 (1000 +
//                               16 · GPU + number): `set 1001 memoryTotal …`, `text 1001 name …`
//   event 0 8 79                one event (type, data) for GPU 0, once per change of the file
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "nvml/nvml_api.h"

using namespace dyno::nvml;

namespace {

struct Gpu {
  std::map<std::string, double> values;
  std::map<std::string, std::string> texts;
  std::map<std::string, int> failures;
  bool lost = false;
  bool hung = false;
};
struct Script {
  unsigned gpus = 0;
  std::map<unsigned, Gpu> gpu;
  int initFailure = 0;
  std::vector<EventData> events;
};

std::mutex mutex;
Script script;
struct timespec read = {0, 0};
off_t readSize = -1;
ino_t readInode = 0;
std::uint64_t counterTicks = 0;
std::atomic<int> initialised{0};

std::string scriptPath() {
  Dl_info here{};
  dladdr(reinterpret_cast<void*>(&scriptPath), &here);
  return std::string(here.dli_fname) + ".script";
}

constexpr unsigned migBase = 1000;
Device deviceOf(unsigned index) { return reinterpret_cast<Device>(static_cast<std::uintptr_t>(index + 1)); }
unsigned indexOf(Device device) { return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(device)) - 1; }

void refresh() {
  static const std::string path = scriptPath();
  struct stat now {};
  if (stat(path.c_str(), &now) != 0) return;
  if (now.st_mtim.tv_sec == read.tv_sec && now.st_mtim.tv_nsec == read.tv_nsec && now.st_size == readSize &&
      now.st_ino == readInode)
    return;
  read = now.st_mtim;
  readSize = now.st_size;
  readInode = now.st_ino;
  Script next;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string verb, who, key;
    words >> verb >> who;
    if (verb == "gpus") {
      next.gpus = static_cast<unsigned>(std::stoul(who));
    } else if (verb == "fail" && who == "init") {
      words >> next.initFailure;
    } else if (!verb.empty() && verb[0] != '#') {
      const auto index = static_cast<unsigned>(std::stoul(who));
      Gpu& gpu = next.gpu[index];
      if (verb == "lost") gpu.lost = true;
      if (verb == "hang") gpu.hung = true;
      if (verb == "set") {
        std::string number;
        words >> key >> number;
        gpu.values[key] = number == "nan" ? std::nan("") : std::stod(number);
      }
      if (verb == "text") {
        std::string rest;
        words >> key;
        std::getline(words, rest);
        gpu.texts[key] = rest.empty() ? "" : rest.substr(1);
      }
      if (verb == "fail") {
        int code = 0;
        words >> key >> code;
        gpu.failures[key] = code;
      }
      if (verb == "event") {
        EventData event{};
        event.device = deviceOf(index);
        words >> event.type >> event.data;
        next.events.push_back(event);
      }
    }
  }
  script = next;
}

// Every call on a GPU begins here: the script's failures, or success.
Return enter(Device device, const char* call) {
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      refresh();
      if (initialised.load() == 0) return errorUninitialized;
      const auto found = script.gpu.find(indexOf(device));
      if (indexOf(device) >= script.gpus && indexOf(device) < migBase) return errorInvalidArgument;
      if (found == script.gpu.end()) return success;
      if (!found->second.hung) {
        if (found->second.lost) return errorGpuIsLost;
        const auto failure = found->second.failures.find(call);
        return failure == found->second.failures.end() ? success : failure->second;
      }
    }
    usleep(1000);
  }
}

std::optional<double> valueOf(Device device, const std::string& key) {
  const std::lock_guard<std::mutex> lock(mutex);
  const Gpu& gpu = script.gpu[indexOf(device)];
  const auto found = gpu.values.find(key);
  if (found == gpu.values.end()) return std::nullopt;
  return found->second;
}

template <typename Number>
Return answer(Device device, const char* call, const std::string& key, Number* out) {
  if (const Return code = enter(device, call); code != success) return code;
  const auto value = valueOf(device, key);
  if (!value) return errorNotSupported;
  *out = static_cast<Number>(*value);
  return success;
}

Return answerText(Device device, const char* call, const char* key, char* out, unsigned length) {
  if (const Return code = enter(device, call); code != success) return code;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto& texts = script.gpu[indexOf(device)].texts;
  const auto found = texts.find(key);
  if (found == texts.end()) return errorNotSupported;
  std::snprintf(out, length, "%s", found->second.c_str());
  return success;
}

Return pciOf(unsigned index, PciInfo* pci) {
  std::memset(pci, 0, sizeof *pci);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto& texts = script.gpu[index].texts;
  const auto found = texts.find("pci");
  std::snprintf(pci->busId, sizeof pci->busId, "%s", found == texts.end() ? "00000000:01:00.0" : found->second.c_str());
  std::sscanf(pci->busId, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
  return success;
}

}  // namespace

extern "C" {

Return nvmlInit_v2() {
  const std::lock_guard<std::mutex> lock(mutex);
  refresh();
  if (script.initFailure != 0) return script.initFailure;
  ++initialised;
  return success;
}
Return nvmlShutdown() {
  --initialised;
  return success;
}
// How often nvmlInit was not matched by nvmlShutdown: the tests look for 0.
int fakeNvmlInitialised() { return initialised.load(); }

const char* nvmlErrorString(Return code) {
  switch (code) {
    case errorNotSupported: return "Not Supported";
    case errorGpuIsLost: return "GPU is lost";
    case errorDriverNotLoaded: return "Driver Not Loaded";
    default: return "Fake error";
  }
}
Return nvmlSystemGetDriverVersion(char* out, unsigned length) {
  return std::snprintf(out, length, "580.00.fake"), success;
}
Return nvmlSystemGetNVMLVersion(char* out, unsigned length) {
  return std::snprintf(out, length, "13.580.00.fake"), success;
}
Return nvmlSystemGetCudaDriverVersion_v2(int* version) { return *version = 13000, success; }
Return nvmlSystemGetProcessName(unsigned pid, char* out, unsigned length) {
  return std::snprintf(out, length, "process-%u", pid), success;
}
Return nvmlDeviceGetCount_v2(unsigned* count) {
  const std::lock_guard<std::mutex> lock(mutex);
  refresh();
  return *count = script.gpus, success;
}
Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) { return *device = deviceOf(index), success; }
Return nvmlDeviceGetName(Device d, char* out, unsigned length) {
  return answerText(d, "nvmlDeviceGetName", "name", out, length);
}
Return nvmlDeviceGetUUID(Device d, char* out, unsigned length) {
  return answerText(d, "nvmlDeviceGetUUID", "uuid", out, length);
}
Return nvmlDeviceGetPciInfo_v3(Device d, PciInfo* pci) {
  const Return code = enter(d, "nvmlDeviceGetPciInfo_v3");
  return code != success ? code : pciOf(indexOf(d), pci);
}
Return nvmlDeviceGetCudaComputeCapability(Device d, int* major, int* minor) {
  *minor = 0;
  return answer(d, "nvmlDeviceGetCudaComputeCapability", "computeCapability", major);
}
Return nvmlDeviceGetMemoryInfo_v2(Device d, MemoryV2* memory) {
  if (memory->version != versionOf<MemoryV2>(2)) return 25;
  Return code = answer(d, "nvmlDeviceGetMemoryInfo_v2", "memoryTotal", &memory->total);
  if (code == success) code = answer(d, "nvmlDeviceGetMemoryInfo_v2", "memoryUsed", &memory->used);
  memory->reserved = 1 << 20;
  memory->free = memory->total - memory->used - memory->reserved;
  return code;
}
Return nvmlDeviceGetUtilizationRates(Device d, Utilization* u) {
  u->memory = 0;
  return answer(d, "nvmlDeviceGetUtilizationRates", "utilisation", &u->gpu);
}
Return nvmlDeviceGetPowerUsage(Device d, unsigned* mw) { return answer(d, "nvmlDeviceGetPowerUsage", "power", mw); }
Return nvmlDeviceGetEnforcedPowerLimit(Device d, unsigned* mw) {
  return answer(d, "nvmlDeviceGetEnforcedPowerLimit", "powerLimit", mw);
}
Return nvmlDeviceGetTotalEnergyConsumption(Device d, std::uint64_t* mj) {
  return answer(d, "nvmlDeviceGetTotalEnergyConsumption", "energy", mj);
}
Return nvmlDeviceGetTemperatureV(Device d, TemperatureV1* t) {
  if (t->version != versionOf<TemperatureV1>(1)) return 25;
  return answer(d, "nvmlDeviceGetTemperatureV", "temperature", &t->celsius);
}
Return nvmlDeviceGetClockInfo(Device d, int type, unsigned* mhz) {
  return answer(d, "nvmlDeviceGetClockInfo", type == clockSm ? "smClock" : "memoryClock", mhz);
}
Return nvmlDeviceGetMaxClockInfo(Device d, int, unsigned* mhz) {
  return answer(d, "nvmlDeviceGetMaxClockInfo", "maxClock", mhz);
}
Return nvmlDeviceGetCurrentClocksEventReasons(Device d, std::uint64_t* bits) {
  return answer(d, "nvmlDeviceGetCurrentClocksEventReasons", "throttle", bits);
}
Return nvmlDeviceGetTotalEccErrors(Device d, int kind, int, std::uint64_t* count) {
  return answer(d, "nvmlDeviceGetTotalEccErrors", kind == 0 ? "eccCorrected" : "eccUncorrected", count);
}
Return nvmlDeviceGetNumaNodeId(Device d, unsigned* node) {
  return answer(d, "nvmlDeviceGetNumaNodeId", "memoryNumaNode", node);
}
Return nvmlDeviceGetCpuAffinity(Device d, unsigned size, unsigned long* words) {
  std::memset(words, 0, size * sizeof *words);
  return answer(d, "nvmlDeviceGetCpuAffinity", "cpuAffinity", &words[0]);
}
Return nvmlDeviceGetFieldValues(Device d, int count, FieldValue* values) {
  if (const Return code = enter(d, "nvmlDeviceGetFieldValues"); code != success) return code;
  std::int64_t now = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    now = static_cast<std::int64_t>(++counterTicks) *
          100'000;  // each read is 100 ms after the one before, by the fake's clock
  }
  for (int i = 0; i < count; ++i) {
    FieldValue& value = values[i];
    const auto scripted = valueOf(d, "field." + std::to_string(value.fieldId));
    // "counter.N r": a counter that grows by r a second of the fake's clock, 32 bits wide when "wide.N" is not set
    const auto rate = valueOf(d, "counter." + std::to_string(value.fieldId));
    value.timestampUsec = now;
    value.status = scripted || rate ? success : errorNotSupported;
    value.valueType = ValueType::UnsignedLongLong;
    if (scripted) value.value.ull = static_cast<std::uint64_t>(*scripted);
    if (rate) {
      value.value.ull = 0xFFFF'0000u + static_cast<std::uint64_t>(*rate * static_cast<double>(now) / 1e6);
      if (!valueOf(d, "wide." + std::to_string(value.fieldId))) {
        value.valueType = ValueType::UnsignedInt;
        value.value.ui = static_cast<unsigned>(value.value.ull);
      }
    }
  }
  return success;
}
Return nvmlDeviceGetComputeRunningProcesses_v3(Device d, unsigned* count, ProcessInfo* infos) {
  if (const Return code = enter(d, "nvmlDeviceGetComputeRunningProcesses_v3"); code != success) return code;
  const auto pid = valueOf(d, "process");
  const unsigned found = pid ? 1 : 0;
  if (*count < found) return *count = found, errorInsufficientSize;
  *count = found;
  if (found == 1) infos[0] = ProcessInfo{static_cast<unsigned>(*pid), 5u << 20, ~0u, ~0u};
  return success;
}
Return nvmlDeviceGetTopologyCommonAncestor(Device a, Device, int* level) {
  return answer(a, "nvmlDeviceGetTopologyCommonAncestor", "ancestor", level);
}
Return nvmlDeviceGetP2PStatus(Device a, Device, int ability, int* status) {
  return answer(a, "nvmlDeviceGetP2PStatus", "p2p." + std::to_string(ability), status);
}
Return nvmlDeviceGetNvLinkState(Device d, unsigned link, int* active) {
  if (const Return code = enter(d, "nvmlDeviceGetNvLinkState"); code != success) return code;
  *active = valueOf(d, "link." + std::to_string(link) + ".remote") ? 1 : 0;
  return success;
}
Return nvmlDeviceGetNvLinkVersion(Device, unsigned, unsigned* version) { return *version = 4, success; }
Return nvmlDeviceGetNvLinkRemotePciInfo_v2(Device d, unsigned link, PciInfo* pci) {
  const auto remote = valueOf(d, "link." + std::to_string(link) + ".remote");
  if (!remote || *remote < 0) return errorNotSupported;
  return pciOf(static_cast<unsigned>(*remote), pci);
}
Return nvmlDeviceGetNvLinkRemoteDeviceType(Device d, unsigned link, int* type) {
  const auto remote = valueOf(d, "link." + std::to_string(link) + ".remote");
  *type = remote && *remote >= 0 ? 0 : 2;
  return success;
}

Return nvmlDeviceGetMigMode(Device d, unsigned* current, unsigned* pending) {
  if (const Return code = enter(d, "nvmlDeviceGetMigMode"); code != success) return code;
  *current = *pending = valueOf(d, "mig") ? 1 : 0;
  return success;
}
Return nvmlDeviceGetMaxMigDeviceCount(Device d, unsigned* count) {
  if (const Return code = enter(d, "nvmlDeviceGetMaxMigDeviceCount"); code != success) return code;
  return *count = 7, success;
}
Return nvmlDeviceGetMigDeviceHandleByIndex(Device d, unsigned number, Device* instance) {
  if (const Return code = enter(d, "nvmlDeviceGetMigDeviceHandleByIndex"); code != success) return code;
  if (number >= valueOf(d, "mig").value_or(0)) return errorNotFound;
  return *instance = deviceOf(migBase + 16 * indexOf(d) + number), success;
}
Return nvmlDeviceGetGpuInstanceId(Device d, unsigned* id) {
  return answer(d, "nvmlDeviceGetGpuInstanceId", "gpuInstance", id);
}
Return nvmlDeviceGetComputeInstanceId(Device d, unsigned* id) {
  return answer(d, "nvmlDeviceGetComputeInstanceId", "computeInstance", id);
}

// GPM: a sample remembers nothing; the metrics come from the script when they are asked for.
Return nvmlGpmQueryDeviceSupport(Device d, GpmSupport* support) {
  if (const Return code = enter(d, "nvmlGpmQueryDeviceSupport"); code != success) return code;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto& values = script.gpu[indexOf(d)].values;
  const auto first = values.lower_bound("gpm.");
  support->supported = first != values.end() && first->first.rfind("gpm.", 0) == 0 ? 1 : 0;
  return success;
}
Return nvmlGpmSampleAlloc(GpmSample* sample) {
  return *sample = reinterpret_cast<GpmSample>(new Device(nullptr)), success;
}
Return nvmlGpmSampleFree(GpmSample sample) { return delete reinterpret_cast<Device*>(sample), success; }
Return nvmlGpmSampleGet(Device d, GpmSample sample) {
  if (const Return code = enter(d, "nvmlGpmSampleGet"); code != success) return code;
  *reinterpret_cast<Device*>(sample) = d;
  return success;
}
Return nvmlGpmMetricsGet(GpmMetricsGet* query) {
  if (query->version != 1) return 25;
  const Device device = *reinterpret_cast<Device*>(query->later);
  if (const Return code = enter(device, "nvmlGpmMetricsGet"); code != success) return code;
  for (unsigned i = 0; i < query->count; ++i) {
    const auto value = valueOf(device, "gpm." + std::to_string(query->metrics[i].metricId));
    query->metrics[i].status = value ? success : errorNotSupported;
    query->metrics[i].value = value.value_or(0);
  }
  return success;
}

Return nvmlEventSetCreate(EventSet* set) { return *set = reinterpret_cast<EventSet>(&mutex), success; }
Return nvmlEventSetFree(EventSet) { return success; }
Return nvmlDeviceGetSupportedEventTypes(Device, std::uint64_t* types) { return *types = 0x801F, success; }
Return nvmlDeviceRegisterEvents(Device, std::uint64_t, EventSet) { return success; }
Return nvmlEventSetWait_v2(EventSet, EventData* data, unsigned timeoutMs) {
  for (unsigned waited = 0; waited < timeoutMs; waited += 5) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      refresh();
      if (!script.events.empty()) {
        *data = script.events.front();
        script.events.erase(script.events.begin());
        return success;
      }
    }
    usleep(5000);
  }
  return errorTimeout;
}

}  // extern "C"
