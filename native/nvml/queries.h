// The cold questions: which GPUs, how they are wired, who is using them, which metrics they offer. Each answers JSON
// text in the shape that `telemetry.ts` declares; a field that the driver or the system cannot tell is left out.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "nvml/gpu_reader.h"
#include "nvml/nvml_library.h"

namespace dyno::nvml {

// "00000000:3B:00.0" (NVML) -> "0000:3b:00.0" (sysfs). A domain above ffff keeps all its digits, as the kernel prints
// it.
std::string sysfsPciAddress(const std::string& nvmlBusId);
// Bits to a Linux cpulist: {0,1,2,3,32} -> "0-3,32".
std::string cpuList(const std::vector<unsigned long>& words);

std::string listGpus(const Library& library);
std::string describeTopology(const Library& library, const std::string& sysfsRoot);
std::string listProcesses(const Library& library);

// Probed readers for `gpus` (all visible ones when empty). Takes about 120 ms where a GPU has GPM.
std::vector<std::shared_ptr<GpuReader>> probeReaders(const std::shared_ptr<Library>& library,
                                                     const std::vector<unsigned>& gpus);
std::string describeMetrics(const Library& library, const std::vector<std::shared_ptr<GpuReader>>& readers);

}  // namespace dyno::nvml
