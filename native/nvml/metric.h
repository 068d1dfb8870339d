// The metrics that a sampler can produce. The order is the number in the sample columns, and it is `metrics.ts`'s
// order: a test holds the two lists together. Units and definitions are written there, once.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dyno::nvml {

enum class Metric : std::uint16_t {
  kernelResident,
  memoryBusy,
  smUtilisation,
  smOccupancy,
  tensorActivity,
  hmmaActivity,
  immaActivity,
  dfmaActivity,
  fp64Activity,
  fp32Activity,
  fp16Activity,
  integerActivity,
  dramBandwidth,
  graphicsActivity,
  memoryUsed,
  memoryFree,
  memoryReserved,
  pcieTx,
  pcieRx,
  nvlinkTx,
  nvlinkRx,
  power,
  powerAverage,
  powerLimit,
  energy,
  temperature,
  memoryTemperature,
  smClock,
  memoryClock,
  throttleReasons,
  eccCorrected,
  eccUncorrected,
  remappedRows,
  dramRead,
  dramWrite,
  l2Traffic,
  instructionIssue,
  count
};
constexpr std::size_t metricCount = static_cast<std::size_t>(Metric::count);

constexpr std::array<std::string_view, metricCount> metricIds = {
    "kernelResident",  "memoryBusy",       "smUtilisation",     "smOccupancy",  "tensorActivity", "hmmaActivity",
    "immaActivity",    "dfmaActivity",     "fp64Activity",      "fp32Activity", "fp16Activity",   "integerActivity",
    "dramBandwidth",   "graphicsActivity", "memoryUsed",        "memoryFree",   "memoryReserved", "pcieTx",
    "pcieRx",          "nvlinkTx",         "nvlinkRx",          "power",        "powerAverage",   "powerLimit",
    "energy",          "temperature",      "memoryTemperature", "smClock",      "memoryClock",    "throttleReasons",
    "eccCorrected",    "eccUncorrected",   "remappedRows",      "dramRead",     "dramWrite",      "l2Traffic",
    "instructionIssue"};

constexpr std::size_t indexOf(Metric metric) { return static_cast<std::size_t>(metric); }

}  // namespace dyno::nvml
