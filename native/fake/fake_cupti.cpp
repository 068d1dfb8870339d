// A fake CUPTI PM sampler: one chip, a sample every interval of the caller's clock, whose metric values are known.
//   sm__cycles_active → 75 %, dram__bytes_read.sum → 1000 bytes a sample, any other → 1. nvl… and pcie__… are refused,
//   as on a card without that counter. Every 50th sample is left out, as cards do.
// Activity records and the range profiler are in fake_cupti_activity.inc. `<its own path>.script` holds lines like
//   fail cuptiRangeProfilerEnable 35     that call answers this code
//   still                                every sample begins and ends at the first one's start
//   hang cuptiPmSamplingDecodeData       that call does not return while the line is there
#include <dlfcn.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cupti/activity_api.h"
#include "cupti/cupti_api.h"
#include "cupti/range_api.h"

using namespace dyno::cupti;

namespace {

std::uint64_t interval = 1, started = 0, taken = 0;
std::vector<std::uint64_t> image;  // numbers of the samples that were decoded
int objects = 0;
bool still = false;

std::uint64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

}  // namespace

#include "fake/fake_cupti_activity.inc"

extern "C" {

int fakeCuptiAlive() { return objects; }
Result_ cuptiGetResultString(Result_, const char** text) { return *text = "CUPTI_ERROR_FAKE", success; }
Result_ cuptiProfilerInitialize(Initialize*) { return success; }
Result_ cuptiDeviceGetChipName(ChipName* p) { return p->name = "GH100", success; }
Result_ cuptiPmSamplingGetCounterAvailability(CounterAvailability* p) {
  if (p->image == nullptr) p->imageSize = 16;
  return success;
}
Result_ cuptiProfilerHostInitialize(HostInitialize* p) {
  ++objects;
  return p->host = new int(0), success;
}
Result_ cuptiProfilerHostDeinitialize(HostDeinitialize* p) {
  --objects;
  return delete static_cast<int*>(p->host), success;
}
Result_ cuptiProfilerHostConfigAddMetrics(AddMetrics* p) {
  for (std::size_t i = 0; i < p->count; ++i) {
    if (std::strncmp(p->names[i], "pcie", 4) == 0) return 999;
  }
  *static_cast<int*>(p->host) = static_cast<int>(p->count);
  return success;
}
Result_ cuptiProfilerHostGetConfigImageSize(ConfigSize* p) { return p->size = 8, success; }
Result_ cuptiProfilerHostGetConfigImage(ConfigImage* p) {
  p->image[0] = static_cast<std::uint8_t>(*static_cast<int*>(p->host));
  return success;
}
// Seven counters fit one pass: the eighth is one too many.
Result_ cuptiProfilerHostGetNumOfPasses(Passes* p) { return p->passes = p->image[0] > 7 ? 2 : 1, success; }
Result_ cuptiPmSamplingEnable(Enable* p) {
  ++objects;
  return p->sampling = &objects, success;
}
Result_ cuptiPmSamplingDisable(OnSampling*) {
  --objects;
  return success;
}
Result_ cuptiPmSamplingSetConfig(SetConfig* p) { return interval = p->interval, success; }
Result_ cuptiPmSamplingStart(OnSampling*) { return started = now(), taken = 0, success; }
Result_ cuptiPmSamplingStop(OnSampling*) { return success; }
Result_ cuptiPmSamplingGetCounterDataSize(CounterDataSize* p) { return p->size = 64, success; }
Result_ cuptiPmSamplingCounterDataImageInitialize(CounterDataInitialize*) { return image.clear(), success; }
Result_ cuptiPmSamplingDecodeData(Decode* p) {
  while (hangs("cuptiPmSamplingDecodeData")) {
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
  // Once per decoding: a file opened for each sample would be slower than the samples come.
  still = scriptText().find("still") != std::string::npos;
  const std::uint64_t due = (now() - started) / interval;
  p->stopReason = 2;
  for (; taken < due; ++taken) {
    if (taken % 50 == 49) continue;
    if (image.size() == 4096) {
      p->stopReason = decodeStoppedFull;
      break;
    }
    image.push_back(taken);
  }
  return success;
}
Result_ cuptiPmSamplingGetCounterDataInfo(CounterDataInfo* p) {
  return p->total = 4096, p->populated = p->completed = image.size(), success;
}
Result_ cuptiPmSamplingCounterDataGetSampleInfo(SampleInfo* p) {
  p->start = started + (still ? 0 : image[p->index] * interval);
  p->end = p->start + (still ? 0 : interval);
  return success;
}
Result_ cuptiProfilerHostEvaluateToGpuValues(Evaluate* p) {
  for (std::size_t i = 0; i < p->count; ++i) {
    p->values[i] = std::strncmp(p->names[i], "sm__cycles", 10) == 0        ? 75.0
                   : std::strcmp(p->names[i], "dram__bytes_read.sum") == 0 ? 1000.0
                                                                           : 1.0;
  }
  return success;
}

}  // extern "C"
