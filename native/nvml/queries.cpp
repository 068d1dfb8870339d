#include "nvml/queries.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "driver/json.h"

namespace dyno::nvml {
namespace {

std::optional<std::string> readLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<std::string> askText(Return (*call)(Device, char*, unsigned), Device device) {
  char text[96] = "";
  if (call == nullptr || call(device, text, sizeof text) != success) return std::nullopt;
  return std::string(text);
}

std::optional<double> askNumber(Return (*call)(Device, unsigned*), Device device) {
  unsigned number = 0;
  if (call == nullptr || call(device, &number) != success) return std::nullopt;
  return number;
}

std::optional<std::string> busIdOf(const Api& api, Device device) {
  PciInfo pci{};
  if (api.pciInfo == nullptr || api.pciInfo(device, &pci) != success) return std::nullopt;
  return std::string(pci.busId, strnlen(pci.busId, sizeof pci.busId));
}

std::optional<double> speedOf(const Api& api, Device device, unsigned link) {
  if (api.fieldValues == nullptr) return std::nullopt;
  FieldValue asked[2]{};
  asked[0].fieldId = field::nvlinkSpeed;
  asked[0].scopeId = link;
  asked[1].fieldId = field::nvlinkSpeedCommon;
  if (api.fieldValues(device, 2, asked) != success) return std::nullopt;
  for (const FieldValue& value : asked) {
    if (value.status == success && value.value.ui > 0) return value.value.ui * 1e6;  // MB/s per direction
  }
  return std::nullopt;
}

const char* ancestorName(int level) {
  switch (level) {
    case 0: return "board";
    case 10: return "pcieSwitch";
    case 20: return "pcieSwitches";
    case 30: return "hostBridge";
    case 40: return "numaNode";
    case 50: return "system";
    default: return "unknown";
  }
}

const char* p2pName(int status) {
  switch (status) {
    case 0: return "ok";
    case 1: return "chipsetNotSupported";
    case 2: return "gpuNotSupported";
    case 3: return "ioTopologyNotSupported";
    case 4: return "disabledByDriver";
    case 5: return "notSupported";
    default: return "unknown";
  }
}

// NVML numbers NVLink versions in the order in which they appeared.
const char* nvlinkVersionName(unsigned version) {
  switch (version) {
    case 1: return "1.0";
    case 2: return "2.0";
    case 3: return "2.2";
    case 4: return "3.0";
    case 5: return "3.1";
    case 6: return "4.0";
    case 7: return "5.0";
    default: return nullptr;
  }
}

const char* remoteTypeName(int type) {
  switch (type) {
    case 0: return "gpu";
    case 1: return "cpu";
    case 2: return "switch";
    default: return "unknown";
  }
}

struct Nvlink {
  unsigned link;
  std::optional<std::string> version;
  std::optional<double> bytesPerSecond;
  std::optional<std::string> remoteAddress;
  std::string remote = "unknown";
};

std::vector<Nvlink> nvlinksOf(const Api& api, Device device) {
  std::vector<Nvlink> links;
  for (unsigned link = 0; link < maxNvlinks && api.nvlinkState != nullptr; ++link) {
    int active = 0;
    if (api.nvlinkState(device, link, &active) != success) continue;
    if (active == 0) continue;
    Nvlink found{link, std::nullopt, speedOf(api, device, link), std::nullopt};
    unsigned version = 0;
    if (api.nvlinkVersion && api.nvlinkVersion(device, link, &version) == success &&
        nvlinkVersionName(version) != nullptr)
      found.version = nvlinkVersionName(version);
    PciInfo pci{};
    if (api.nvlinkRemotePci && api.nvlinkRemotePci(device, link, &pci) == success && pci.bus <= 0xFF)
      found.remoteAddress = sysfsPciAddress(std::string(pci.busId, strnlen(pci.busId, sizeof pci.busId)));
    int type = 0xFF;
    if (api.nvlinkRemoteType && api.nvlinkRemoteType(device, link, &type) == success)
      found.remote = remoteTypeName(type);
    links.push_back(found);
  }
  return links;
}

}  // namespace

std::string sysfsPciAddress(const std::string& nvmlBusId) {
  unsigned domain = 0, bus = 0, device = 0, function = 0;
  if (std::sscanf(nvmlBusId.c_str(), "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4) return nvmlBusId;
  char text[32];
  std::snprintf(text, sizeof text, "%04x:%02x:%02x.%x", domain, bus, device, function);
  return text;
}

std::string cpuList(const std::vector<unsigned long>& words) {
  constexpr std::size_t bits = sizeof(unsigned long) * 8;
  const auto has = [&](std::size_t cpu) {
    return cpu / bits < words.size() && ((words[cpu / bits] >> (cpu % bits)) & 1u) != 0;
  };
  std::string text;
  for (std::size_t cpu = 0; cpu < words.size() * bits; ++cpu) {
    if (!has(cpu)) continue;
    std::size_t last = cpu;
    while (has(last + 1)) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(cpu);
    if (last > cpu) text += '-' + std::to_string(last);
    cpu = last;
  }
  return text;
}

std::string listGpus(const Library& library) {
  const Api& api = library.api();
  Json json;
  json.beginObject();
  char text[96] = "";
  if (api.driverVersion && api.driverVersion(text, sizeof text) == success) json.field("driver", text);
  if (api.nvmlVersion && api.nvmlVersion(text, sizeof text) == success) json.field("nvml", text);
  int cuda = 0;
  // 13000 -> "13.0": 1000·major + 10·minor
  if (api.cudaDriverVersion && api.cudaDriverVersion(&cuda) == success)
    json.field("cuda", std::to_string(cuda / 1000) + "." + std::to_string(cuda % 1000 / 10));
  json.key("gpus").beginArray();
  for (unsigned index = 0; index < library.devices().size(); ++index) {
    const Device device = library.devices()[index];
    json.beginObject().field("index", index);
    if (device == nullptr) {
      json.field("refused", "The driver lists this GPU but does not let this user open it.").endObject();
      continue;
    }
    json.field("name", askText(api.name, device)).field("uuid", askText(api.uuid, device));
    if (const auto busId = busIdOf(api, device)) json.field("pciAddress", sysfsPciAddress(*busId));
    int major = 0, minor = 0;
    if (api.computeCapability && api.computeCapability(device, &major, &minor) == success)
      json.field("computeCapability", std::to_string(major) + "." + std::to_string(minor));
    MemoryV2 memory{};
    memory.version = versionOf<MemoryV2>(2);
    if (api.memoryV2 && api.memoryV2(device, &memory) == success) {
      json.field("memoryBytes", memory.total);
    } else if (MemoryV1 old{}; api.memoryV1 && api.memoryV1(device, &old) == success) {
      json.field("memoryBytes", old.total);
    }
    json.field("cores", askNumber(api.numGpuCores, device))
        .field("memoryBusBits", askNumber(api.memoryBusWidth, device));
    unsigned clock = 0;
    if (api.maxClock && api.maxClock(device, clockSm, &clock) == success) json.field("maxSmClockMHz", clock);
    if (api.maxClock && api.maxClock(device, clockMemory, &clock) == success) json.field("maxMemoryClockMHz", clock);
    unsigned milliwatts = 0;
    if (api.enforcedPowerLimit && api.enforcedPowerLimit(device, &milliwatts) == success)
      json.field("powerLimitWatts", milliwatts / 1e3);
    json.field("pcieGeneration", askNumber(api.pcieGeneration, device))
        .field("pcieWidth", askNumber(api.pcieWidth, device));
    json.field("pcieMaxGeneration", askNumber(api.pcieMaxGeneration, device))
        .field("pcieMaxWidth", askNumber(api.pcieMaxWidth, device));
    unsigned current = 0, pending = 0;
    if (api.migMode && api.migMode(device, &current, &pending) == success) json.field("mig", current != 0);
    if (current != 0) {
      json.key("instances").beginArray();
      for (std::size_t i = 0; i < library.instances().size(); ++i) {
        const MigInstance& instance = library.instances()[i];
        if (instance.gpu != index) continue;
        json.beginObject()
            .field("series", static_cast<unsigned>(library.devices().size() + i))
            .field("number", instance.number)
            .field("name", askText(api.name, instance.device))
            .field("uuid", askText(api.uuid, instance.device));
        MemoryV2 own{};
        own.version = versionOf<MemoryV2>(2);
        if (api.memoryV2 && api.memoryV2(instance.device, &own) == success) json.field("memoryBytes", own.total);
        json.field("gpuInstance", askNumber(api.gpuInstanceId, instance.device))
            .field("computeInstance", askNumber(api.computeInstanceId, instance.device))
            .endObject();
      }
      json.endArray();
    }
    json.endObject();
  }
  json.endArray().endObject();
  return json.text();
}

std::string describeTopology(const Library& library, const std::string& sysfsRoot) {
  const Api& api = library.api();
  const std::vector<Device>& devices = library.devices();
  std::vector<std::string> addresses(devices.size());
  std::vector<std::vector<Nvlink>> links(devices.size());
  Json json;
  json.beginObject().key("gpus").beginArray();
  for (unsigned index = 0; index < devices.size(); ++index) {
    const Device device = devices[index];
    if (device == nullptr) continue;
    json.beginObject()
        .field("index", index)
        .field("name", askText(api.name, device))
        .field("uuid", askText(api.uuid, device));
    std::string folder;
    if (const auto busId = busIdOf(api, device)) {
      addresses[index] = sysfsPciAddress(*busId);
      folder = sysfsRoot + "/bus/pci/devices/" + addresses[index];
      json.field("pciAddress", addresses[index]);
    }
    // The NUMA node near the GPU is the system's to tell. NVML's NumaNodeId is another thing: the node that the GPU's
    // own memory is, on machines where it is one (Grace).
    if (const auto node = readLine(folder + "/numa_node"); node && !node->empty() && (*node)[0] != '-')
      json.field("numaNode", std::atoi(node->c_str()));
    json.field("memoryNumaNode", askNumber(api.memoryNumaNode, device));
    std::vector<unsigned long> words(16, 0);  // 1024 processors
    if (api.cpuAffinity && api.cpuAffinity(device, static_cast<unsigned>(words.size()), words.data()) == success) {
      json.field("cpuAffinity", cpuList(words)).field("cpuAffinitySource", "nvml");
    } else if (const auto list = readLine(folder + "/local_cpulist"); list && !list->empty()) {
      json.field("cpuAffinity", *list).field("cpuAffinitySource", "sysfs");
    }
    json.field("pcieGeneration", askNumber(api.pcieGeneration, device))
        .field("pcieWidth", askNumber(api.pcieWidth, device));
    json.field("pcieMaxGeneration", askNumber(api.pcieMaxGeneration, device))
        .field("pcieMaxWidth", askNumber(api.pcieMaxWidth, device));
    links[index] = nvlinksOf(api, device);
    json.key("nvlinks").beginArray();
    for (const Nvlink& link : links[index]) {
      json.beginObject()
          .field("link", link.link)
          .field("version", link.version)
          .field("remote", link.remote)
          .field("remotePciAddress", link.remoteAddress);
      json.field("bytesPerSecond", link.bytesPerSecond).endObject();
    }
    json.endArray().endObject();
  }
  json.endArray().key("pairs").beginArray();
  for (unsigned from = 0; from < devices.size(); ++from) {
    for (unsigned to = 0; to < devices.size(); ++to) {
      if (from == to || devices[from] == nullptr || devices[to] == nullptr) continue;
      json.beginObject().field("from", from).field("to", to);
      int level = -1;
      if (api.commonAncestor && api.commonAncestor(devices[from], devices[to], &level) == success)
        json.field("path", ancestorName(level));
      const std::pair<const char*, int> abilities[] = {
          {"read", p2pRead}, {"write", p2pWrite}, {"nvlink", p2pNvlink}, {"atomics", p2pAtomics}, {"pcie", p2pPci}};
      json.key("p2p").beginObject();
      for (const auto& [name, ability] : abilities) {
        int status = -1;
        if (api.p2pStatus && api.p2pStatus(devices[from], devices[to], ability, &status) == success)
          json.field(name, p2pName(status));
      }
      json.endObject();
      // Direct links end at the other GPU; through an NVSwitch each GPU reaches every other with all of its links.
      double direct = 0, switchedFrom = 0, switchedTo = 0, speed = 0;
      for (const Nvlink& link : links[from]) {
        if (link.remote == "switch") ++switchedFrom;
        const bool here = !addresses[to].empty() && link.remoteAddress == addresses[to];
        if (here) ++direct;
        if (here || link.remote == "switch") speed = link.bytesPerSecond.value_or(speed);
      }
      for (const Nvlink& link : links[to]) switchedTo += link.remote == "switch" ? 1 : 0;
      const double count = direct > 0 ? direct : std::min(switchedFrom, switchedTo);
      json.field("nvlinks", count);
      if (count > 0 && speed > 0) json.field("nvlinkBytesPerSecond", count * speed);
      json.endObject();
    }
  }
  json.endArray().key("numa").beginArray();
  // Rows of the firmware's distance table: 10 is the node itself.
  for (unsigned node = 0; node < 1024; ++node) {
    const auto row = readLine(sysfsRoot + "/devices/system/node/node" + std::to_string(node) + "/distance");
    if (!row) continue;
    json.beginObject().field("node", node).key("distances").beginArray();
    std::istringstream words(*row);
    for (unsigned distance = 0; words >> distance;) json.value(distance);
    json.endArray().endObject();
  }
  json.endArray().endObject();
  return json.text();
}

std::string listProcesses(const Library& library) {
  const Api& api = library.api();
  Json json;
  json.beginObject().key("processes").beginArray();
  for (unsigned index = 0; index < library.devices().size(); ++index) {
    const Device device = library.devices()[index];
    if (device == nullptr || api.computeProcesses == nullptr) continue;
    std::vector<ProcessInfo> infos(64);
    auto count = static_cast<unsigned>(infos.size());
    Return code = api.computeProcesses(device, &count, infos.data());
    if (code == errorInsufficientSize) {
      infos.resize(count + 64);
      count = static_cast<unsigned>(infos.size());
      code = api.computeProcesses(device, &count, infos.data());
    }
    if (code != success) continue;
    std::map<unsigned, ProcessUtilization> busy;
    if (api.processUtilization != nullptr) {
      std::vector<ProcessUtilization> samples(256);
      auto sampleCount = static_cast<unsigned>(samples.size());
      if (api.processUtilization(device, samples.data(), &sampleCount, 0) == success) {
        for (unsigned i = 0; i < sampleCount && i < samples.size(); ++i) busy[samples[i].pid] = samples[i];
      }
    }
    for (unsigned i = 0; i < count && i < infos.size(); ++i) {
      json.beginObject().field("gpu", index).field("pid", infos[i].pid);
      char name[256] = "";
      // Inside a container the PID may be one that this process cannot see: the name is then absent.
      if (api.processName && api.processName(infos[i].pid, name, sizeof name) == success && name[0] != '\0')
        json.field("name", name);
      if (infos[i].usedGpuMemory != ~std::uint64_t{0}) json.field("memoryBytes", infos[i].usedGpuMemory);
      if (const auto found = busy.find(infos[i].pid); found != busy.end() && found->second.sm <= 100)
        json.field("kernelResident", found->second.sm);
      json.endObject();
    }
  }
  json.endArray().endObject();
  return json.text();
}

std::vector<std::shared_ptr<GpuReader>> probeReaders(const std::shared_ptr<Library>& library,
                                                     const std::vector<unsigned>& gpus) {
  std::vector<std::shared_ptr<GpuReader>> readers;
  bool anyGpm = false;
  const auto count = static_cast<unsigned>(library->devices().size());
  for (unsigned index = 0; index < count + library->instances().size(); ++index) {
    if (library->series(index) == nullptr) continue;
    // An instance goes with the GPU that it is a slice of.
    const unsigned gpu = index < count ? index : library->instances()[index - count].gpu;
    if (!gpus.empty() && std::find(gpus.begin(), gpus.end(), gpu) == gpus.end()) continue;
    readers.push_back(std::make_shared<GpuReader>(library, index));
    readers.back()->probe();
    if (readers.back()->gpmFirst() == success) anyGpm = true;
  }
  if (anyGpm) std::this_thread::sleep_for(std::chrono::milliseconds(120));  // GPM refreshes every 100 ms
  for (const auto& reader : readers) reader->gpmSecond();
  return readers;
}

std::string describeMetrics(const Library& library, const std::vector<std::shared_ptr<GpuReader>>& readers) {
  Json json;
  json.beginObject().key("gpus").beginArray();
  for (const auto& reader : readers) {
    json.beginObject().field("index", reader->index());
    if (reader->index() >= library.devices().size()) {
      const MigInstance& instance = library.instances()[reader->index() - library.devices().size()];
      json.field("gpu", instance.gpu).field("instance", instance.number);
    }
    json.key("metrics").beginArray();
    for (std::size_t metric = 0; metric < metricCount; ++metric) {
      const Source source = reader->source(static_cast<Metric>(metric));
      if (source == Source::none) continue;
      json.beginObject().field("metric", metricIds[metric]).field("source", sourceName(source)).endObject();
    }
    json.endArray().key("absent").beginArray();
    for (std::size_t metric = 0; metric < metricCount; ++metric) {
      const auto which = static_cast<Metric>(metric);
      if (reader->source(which) != Source::none) continue;
      const bool unlinked =
          reader->refusal(which) == errorNotFound && (which == Metric::nvlinkTx || which == Metric::nvlinkRx);
      json.beginObject().field("metric", metricIds[metric]);
      const bool onlyCounters = which == Metric::dramRead || which == Metric::dramWrite || which == Metric::l2Traffic ||
                                which == Metric::instructionIssue;
      json.field("reason", onlyCounters ? "Only high-resolution sampling gives it."
                           : unlinked   ? "No NVLink of this GPU is active."
                                        : library.error("NVML", reader->refusal(which)).message)
          .endObject();
    }
    json.endArray();
    if (reader->gpmRefusal() != success) json.key("gpm").error(library.error("GPM", reader->gpmRefusal()));
    json.endObject();
  }
  json.endArray().endObject();
  return json.text();
}

}  // namespace dyno::nvml
