#include "cupti/range_profiler.h"

#include "cupti/cupti_library.h"

namespace dyno::cupti {
namespace {

const char* const installHint =
    "Counters of single kernels need CUPTI of CUDA 12.6 or newer: install the toolkit's CUPTI "
    "package, or set DYNO_CUPTI to the library's path.";

}  // namespace

DriverError RangeProfiler::error(const char* call, Result_ code) const {
  return cuptiError(api_.resultString, call, code,
                    "Close other profilers of this GPU (ncu, DCGM): one counter client at a time.");
}

#define DYNO_RANGE_TRY(member, symbol, params)                                                    \
  do {                                                                                            \
    if (const Result_ code = api_.member(&(params)); code != success) return error(symbol, code); \
  } while (false)

Status RangeProfiler::newHost(void*& host) {
  HostInitialize params{DYNO_CUPTI_SIZE(HostInitialize, host),
                        nullptr,
                        profilerTypeRange,
                        chip_.c_str(),
                        availability_.empty() ? nullptr : availability_.data(),
                        nullptr};
  DYNO_RANGE_TRY(hostInitialize, "cuptiProfilerHostInitialize", params);
  host = params.host;
  return Nothing{};
}

void RangeProfiler::freeHost(void* host) {
  HostDeinitialize params{DYNO_CUPTI_SIZE(HostDeinitialize, host), nullptr, host};
  api_.hostDeinitialize(&params);
}

Status RangeProfiler::configure() {
  Initialize initialize{DYNO_CUPTI_SIZE(Initialize, priv), nullptr};
  DYNO_RANGE_TRY(initialize, "cuptiProfilerInitialize", initialize);
  ChipName chip{DYNO_CUPTI_SIZE(ChipName, name), nullptr, static_cast<std::size_t>(context_->device()), nullptr};
  DYNO_RANGE_TRY(chipName, "cuptiDeviceGetChipName", chip);
  chip_ = chip.name;
  DYNO_TRY(context_->makeCurrent());
  ContextAvailability available{DYNO_CUPTI_SIZE(ContextAvailability, image), nullptr, context_->handle(), 0, nullptr};
  DYNO_RANGE_TRY(availability, "cuptiProfilerGetCounterAvailability", available);
  availability_.resize(available.imageSize);
  available.image = availability_.data();
  DYNO_RANGE_TRY(availability, "cuptiProfilerGetCounterAvailability", available);

  // A card may refuse one metric and with it the whole set: ask for each alone.
  for (const std::string& metric : options_.metrics) {
    void* alone = nullptr;
    DYNO_TRY(newHost(alone));
    const char* name = metric.c_str();
    AddMetrics params{DYNO_CUPTI_SIZE(AddMetrics, count), nullptr, alone, &name, 1};
    const Result_ code = api_.addMetrics(&params);
    freeHost(alone);
    if (code == success)
      names_.push_back(metric);
    else
      refused_.emplace_back(metric, chip_ + " does not count it.");
  }
  if (names_.empty())
    return DriverError{"cuptiProfilerHostConfigAddMetrics", 0, "NO_COUNTERS", chip_ + " counts none of these metrics.",
                       ""};
  for (const std::string& name : names_) namePointers_.push_back(name.c_str());

  DYNO_TRY(newHost(host_));
  AddMetrics add{DYNO_CUPTI_SIZE(AddMetrics, count), nullptr, host_, namePointers_.data(), namePointers_.size()};
  DYNO_RANGE_TRY(addMetrics, "cuptiProfilerHostConfigAddMetrics", add);
  ConfigSize size{DYNO_CUPTI_SIZE(ConfigSize, size), nullptr, host_, 0};
  DYNO_RANGE_TRY(configSize, "cuptiProfilerHostGetConfigImageSize", size);
  config_.resize(size.size);
  ConfigImage image{DYNO_CUPTI_SIZE(ConfigImage, image), nullptr, host_, config_.size(), config_.data()};
  DYNO_RANGE_TRY(configImage, "cuptiProfilerHostGetConfigImage", image);
  Passes count{DYNO_CUPTI_SIZE(Passes, passes), nullptr, config_.size(), config_.data(), 0};
  DYNO_RANGE_TRY(passes, "cuptiProfilerHostGetNumOfPasses", count);
  passes_ = count.passes;

  RangeEnable enable{DYNO_CUPTI_SIZE(RangeEnable, profiler), nullptr, context_->handle(), nullptr};
  DYNO_RANGE_TRY(enable, "cuptiRangeProfilerEnable", enable);
  profiler_ = enable.profiler;
  RangeDataSize dataSize{DYNO_CUPTI_SIZE(RangeDataSize, size),
                         nullptr,
                         profiler_,
                         namePointers_.data(),
                         namePointers_.size(),
                         options_.maxRanges,
                         static_cast<std::uint32_t>(options_.maxRanges),
                         0};
  DYNO_RANGE_TRY(dataSize, "cuptiRangeProfilerGetCounterDataSize", dataSize);
  image_.resize(dataSize.size);
  RangeDataInitialize clear{DYNO_CUPTI_SIZE(RangeDataInitialize, image), nullptr, profiler_, image_.size(),
                            image_.data()};
  DYNO_RANGE_TRY(dataInitialize, "cuptiRangeProfilerCounterDataImageInitialize", clear);
  RangeSetConfig set{DYNO_CUPTI_SIZE(RangeSetConfig, targetNestingLevel),
                     nullptr,
                     profiler_,
                     config_.size(),
                     config_.data(),
                     image_.size(),
                     image_.data(),
                     options_.perKernel ? autoRange : userRange,
                     options_.perKernel ? kernelReplay : userReplay,
                     options_.maxRanges,
                     1,
                     1,
                     0,
                     1};
  DYNO_RANGE_TRY(setConfig, "cuptiRangeProfilerSetConfig", set);
  return Nothing{};
}

Result<std::unique_ptr<RangeProfiler>> RangeProfiler::open(const std::shared_ptr<cuda::Context>& context,
                                                           const RangeOptions& options) {
  auto opened = openCupti(options.libraryPath, installHint);
  if (!opened.ok()) return opened.error();
  std::unique_ptr<RangeProfiler> self(new RangeProfiler(options));
  self->library_ = std::move(opened.value());
  self->context_ = context;
  bool complete = true;
#define DYNO_FIND(member, Struct, name)                                    \
  self->api_.member = self->library_.symbol<Result_ (*)(Struct*)>({name}); \
  complete = complete && self->api_.member != nullptr;
  DYNO_CUPTI_RANGE_FUNCTIONS(DYNO_FIND)
#undef DYNO_FIND
  self->api_.resultString = self->library_.symbol<Result_ (*)(Result_, const char**)>({"cuptiGetResultString"});
  if (!complete)
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", self->library_.path() + " has no range profiler.", installHint};
  DYNO_TRY(self->configure());
  return self;
}

Status RangeProfiler::begin() {
  DYNO_TRY(context_->makeCurrent());
  OnRange params{DYNO_CUPTI_SIZE(OnRange, profiler), nullptr, profiler_};
  DYNO_RANGE_TRY(start, "cuptiRangeProfilerStart", params);
  started_ = true;
  return Nothing{};
}

Status RangeProfiler::push(const std::string& name) {
  RangePush params{DYNO_CUPTI_SIZE(RangePush, name), nullptr, profiler_, name.c_str()};
  DYNO_RANGE_TRY(push, "cuptiRangeProfilerPushRange", params);
  return Nothing{};
}

Status RangeProfiler::pop() {
  OnRange params{DYNO_CUPTI_SIZE(OnRange, profiler), nullptr, profiler_};
  DYNO_RANGE_TRY(pop, "cuptiRangeProfilerPopRange", params);
  return Nothing{};
}

Result<bool> RangeProfiler::end() {
  RangeStop params{DYNO_CUPTI_SIZE(RangeStop, allSubmitted), nullptr, profiler_, 0, 0, 0};
  started_ = false;
  DYNO_RANGE_TRY(stop, "cuptiRangeProfilerStop", params);
  return params.allSubmitted != 0;
}

Result<std::vector<RangeValues>> RangeProfiler::read() {
  RangeDecode decode{DYNO_CUPTI_SIZE(RangeDecode, dropped), nullptr, profiler_, 0};
  DYNO_RANGE_TRY(decode, "cuptiRangeProfilerDecodeData", decode);
  dropped_ += decode.dropped;
  RangeDataInfo info{DYNO_CUPTI_SIZE(RangeDataInfo, ranges), nullptr, image_.data(), image_.size(), 0};
  DYNO_RANGE_TRY(dataInfo, "cuptiRangeProfilerGetCounterDataInfo", info);
  std::vector<RangeValues> all;
  for (std::size_t index = 0; index < info.ranges; ++index) {
    RangeInfo range{DYNO_CUPTI_SIZE(RangeInfo, name), nullptr, image_.data(), image_.size(), index, "/", nullptr};
    DYNO_RANGE_TRY(rangeInfo, "cuptiRangeProfilerCounterDataGetRangeInfo", range);
    RangeValues one;
    one.name = range.name == nullptr ? "" : range.name;
    one.values.resize(names_.size());
    Evaluate evaluate{DYNO_CUPTI_SIZE(Evaluate, values),
                      nullptr,
                      host_,
                      image_.data(),
                      image_.size(),
                      index,
                      namePointers_.data(),
                      namePointers_.size(),
                      one.values.data()};
    DYNO_RANGE_TRY(evaluate, "cuptiProfilerHostEvaluateToGpuValues", evaluate);
    all.push_back(std::move(one));
  }
  RangeDataInitialize clear{DYNO_CUPTI_SIZE(RangeDataInitialize, image), nullptr, profiler_, image_.size(),
                            image_.data()};
  DYNO_RANGE_TRY(dataInitialize, "cuptiRangeProfilerCounterDataImageInitialize", clear);
  return all;
}

RangeProfiler::~RangeProfiler() {
  if (context_ != nullptr && context_->makeCurrent().ok() && profiler_ != nullptr) {
    if (started_) {
      RangeStop params{DYNO_CUPTI_SIZE(RangeStop, allSubmitted), nullptr, profiler_, 0, 0, 0};
      api_.stop(&params);
    }
    OnRange params{DYNO_CUPTI_SIZE(OnRange, profiler), nullptr, profiler_};
    api_.disable(&params);
  }
  if (host_ != nullptr) freeHost(host_);
  library_.abandon();
}

}  // namespace dyno::cupti
