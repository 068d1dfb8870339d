#include "nvml/gpu_reader.h"

#include <cmath>
#include <cstring>

namespace dyno::nvml {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

struct GpmEntry {
  unsigned id;
  Metric metric;
  double scale;  // to the registry's unit
};
// GPM percentages come as 0..100; rates as MiB/s.
constexpr GpmEntry gpmEntries[] = {
    {gpm::graphicsUtil, Metric::graphicsActivity, 1},
    {gpm::smUtil, Metric::smUtilisation, 1},
    {gpm::smOccupancy, Metric::smOccupancy, 1},
    {gpm::integer, Metric::integerActivity, 1},
    {gpm::anyTensor, Metric::tensorActivity, 1},
    {gpm::dfma, Metric::dfmaActivity, 1},
    {gpm::hmma, Metric::hmmaActivity, 1},
    {gpm::imma, Metric::immaActivity, 1},
    {gpm::dramBandwidth, Metric::dramBandwidth, 1},
    {gpm::fp64, Metric::fp64Activity, 1},
    {gpm::fp32, Metric::fp32Activity, 1},
    {gpm::fp16, Metric::fp16Activity, 1},
    {gpm::pcieTxMiB, Metric::pcieTx, mebibyte},
    {gpm::pcieRxMiB, Metric::pcieRx, mebibyte},
    {gpm::nvlinkRxMiB, Metric::nvlinkRx, mebibyte},
    {gpm::nvlinkTxMiB, Metric::nvlinkTx, mebibyte},
};
constexpr unsigned gpmEntryCount = sizeof gpmEntries / sizeof gpmEntries[0];

std::uint64_t unsignedOf(const FieldValue& field) {
  switch (field.valueType) {
    case ValueType::Double: return field.value.d < 0 ? 0 : static_cast<std::uint64_t>(field.value.d);
    case ValueType::UnsignedInt: return field.value.ui;
    case ValueType::UnsignedShort: return field.value.us;
    case ValueType::SignedInt: return field.value.si < 0 ? 0 : static_cast<std::uint64_t>(field.value.si);
    case ValueType::SignedLongLong: return field.value.sll < 0 ? 0 : static_cast<std::uint64_t>(field.value.sll);
    case ValueType::UnsignedLong:
    case ValueType::UnsignedLongLong: return field.value.ull;
  }
  return 0;
}

Metric metricOfField(unsigned id) {
  switch (id) {
    case field::powerInstant: return Metric::power;
    case field::powerAverage: return Metric::powerAverage;
    case field::memoryTemperature: return Metric::memoryTemperature;
    case field::pcieTxBytes: return Metric::pcieTx;
    case field::pcieRxBytes: return Metric::pcieRx;
    case field::nvlinkRxKiB:
    case field::nvlink5RxBytes: return Metric::nvlinkRx;
    default: return Metric::nvlinkTx;
  }
}

}  // namespace

const char* sourceName(Source source) {
  switch (source) {
    case Source::none: return "none";
    case Source::nvml: return "nvml";
    case Source::nvmlField: return "nvml-field";
    case Source::nvmlSlow: return "nvml-slow";
    case Source::gpm: return "gpm";
    case Source::nvmlBlocking: return "nvml-blocking";
  }
  return "none";
}

GpuReader::GpuReader(std::shared_ptr<Library> library, unsigned index)
    : library_(std::move(library)),
      api_(library_->api()),
      device_(library_->series(index)),
      index_(index),
      gpmQuery_(new GpmMetricsGet{}) {
  refusals_.fill(errorNotSupported);
}

GpuReader::~GpuReader() {
  if (gpmEarlier_ != nullptr) api_.gpmSampleFree(gpmEarlier_);
  if (gpmLater_ != nullptr) api_.gpmSampleFree(gpmLater_);
}

// The first source to answer keeps the metric, so probe in order of preference.
void GpuReader::offer(Metric metric, Source source, Return code) {
  const std::size_t at = indexOf(metric);
  if (sources_[at] != Source::none) return;
  if (code == success) sources_[at] = source;
  refusals_[at] = code;
}

void GpuReader::probe() {
  Utilization utilization{};
  const Return busy = api_.utilization ? api_.utilization(device_, &utilization) : errorFunctionNotFound;
  offer(Metric::kernelResident, Source::nvml, busy);
  offer(Metric::memoryBusy, Source::nvml, busy);

  MemoryV2 v2{};
  v2.version = versionOf<MemoryV2>(2);
  Return memory = api_.memoryV2 ? api_.memoryV2(device_, &v2) : errorFunctionNotFound;
  offer(Metric::memoryReserved, Source::nvml, memory);
  MemoryV1 v1{};
  if (memory != success && api_.memoryV1) memory = api_.memoryV1(device_, &v1);
  offer(Metric::memoryUsed, Source::nvml, memory);
  offer(Metric::memoryFree, Source::nvml, memory);

  unsigned number = 0;
  std::uint64_t wide = 0;
  offer(Metric::smClock, Source::nvml, api_.clock ? api_.clock(device_, clockSm, &number) : errorFunctionNotFound);
  offer(Metric::memoryClock, Source::nvml,
        api_.clock ? api_.clock(device_, clockMemory, &number) : errorFunctionNotFound);
  offer(Metric::throttleReasons, Source::nvml,
        api_.clocksEventReasons ? api_.clocksEventReasons(device_, &wide) : errorFunctionNotFound);

  TemperatureV1 degrees{versionOf<TemperatureV1>(1), 0, 0};
  Return warm = api_.temperatureV ? api_.temperatureV(device_, &degrees) : errorFunctionNotFound;
  if (warm != success && api_.temperatureOld) warm = api_.temperatureOld(device_, 0, &number);
  offer(Metric::temperature, Source::nvml, warm);

  if (api_.nvlinkState != nullptr) {
    noNvlink_ = true;
    for (unsigned link = 0; link < maxNvlinks && noNvlink_; ++link) {
      int active = 0;
      if (api_.nvlinkState(device_, link, &active) == success && active != 0) noNvlink_ = false;
    }
  }

  // One batch; each field answers for itself. NVLink 5 has its own counters.
  const auto field = [](unsigned id, unsigned scope = 0) {
    FieldValue value{};
    value.fieldId = id;
    value.scopeId = scope;
    return value;
  };
  FieldValue asked[] = {field(field::powerInstant),
                        field(field::powerAverage),
                        field(field::memoryTemperature),
                        field(field::pcieTxBytes),
                        field(field::pcieRxBytes),
                        field(field::nvlinkTxKiB, allLinks),
                        field(field::nvlinkRxKiB, allLinks),
                        field(field::nvlink5TxBytes, allLinks),
                        field(field::nvlink5RxBytes, allLinks)};
  constexpr Metric askedFor[] = {Metric::power,    Metric::powerAverage, Metric::memoryTemperature,
                                 Metric::pcieTx,   Metric::pcieRx,       Metric::nvlinkTx,
                                 Metric::nvlinkRx, Metric::nvlinkTx,     Metric::nvlinkRx};
  constexpr int count = sizeof asked / sizeof asked[0];
  const Return batch = api_.fieldValues ? api_.fieldValues(device_, count, asked) : errorFunctionNotFound;
  for (int i = 0; i < count; ++i) {
    const bool unlinked = noNvlink_ && (askedFor[i] == Metric::nvlinkTx || askedFor[i] == Metric::nvlinkRx);
    const Return code = unlinked ? errorNotFound : batch == success ? asked[i].status : batch;
    const bool taken = sources_[indexOf(askedFor[i])] != Source::none;
    offer(askedFor[i], Source::nvmlField, code);
    if (!taken && code == success) fields_[fieldCount_++] = asked[i];
  }
  offer(Metric::power, Source::nvml, api_.powerUsage ? api_.powerUsage(device_, &number) : errorFunctionNotFound);
  // Milliseconds of processor time per call (seen on an H100 and an H200): once a second is enough for a counter.
  offer(Metric::energy, Source::nvmlSlow, api_.totalEnergy ? api_.totalEnergy(device_, &wide) : errorFunctionNotFound);

  offer(Metric::powerLimit, Source::nvmlSlow,
        api_.enforcedPowerLimit ? api_.enforcedPowerLimit(device_, &number) : errorFunctionNotFound);
  offer(Metric::eccCorrected, Source::nvmlSlow,
        api_.totalEccErrors ? api_.totalEccErrors(device_, 0, 0, &wide) : errorFunctionNotFound);
  offer(Metric::eccUncorrected, Source::nvmlSlow,
        api_.totalEccErrors ? api_.totalEccErrors(device_, 1, 0, &wide) : errorFunctionNotFound);
  unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
  offer(Metric::remappedRows, Source::nvmlSlow,
        api_.remappedRows ? api_.remappedRows(device_, &corrected, &uncorrected, &pending, &failed)
                          : errorFunctionNotFound);
}

Return GpuReader::gpmFirst() {
  if (!api_.gpmQuerySupport || !api_.gpmSampleAlloc || !api_.gpmSampleFree || !api_.gpmSampleGet || !api_.gpmMetricsGet)
    return gpmRefusal_ = errorFunctionNotFound;
  GpmSupport support{1, 0};
  Return code = api_.gpmQuerySupport(device_, &support);
  if (code == success && support.supported == 0) code = errorNotSupported;
  if (code == success) code = api_.gpmSampleAlloc(&gpmEarlier_);
  if (code == success) code = api_.gpmSampleAlloc(&gpmLater_);
  if (code == success) code = api_.gpmSampleGet(device_, gpmEarlier_);
  gpmHasEarlier_ = code == success;
  return gpmRefusal_ = code;
}

void GpuReader::gpmSecond() {
  if (!gpmHasEarlier_) return;
  gpmRefusal_ = api_.gpmSampleGet(device_, gpmLater_);
  if (gpmRefusal_ != success) return;
  GpmMetricsGet& query = *gpmQuery_;
  query.version = 1;
  query.count = gpmEntryCount;
  query.earlier = gpmEarlier_;
  query.later = gpmLater_;
  for (unsigned i = 0; i < gpmEntryCount; ++i) query.metrics[i].metricId = gpmEntries[i].id;
  gpmRefusal_ = api_.gpmMetricsGet(&query);
  for (unsigned i = 0; i < gpmEntryCount && gpmRefusal_ == success; ++i) {
    const bool unlinked =
        noNvlink_ && (gpmEntries[i].metric == Metric::nvlinkTx || gpmEntries[i].metric == Metric::nvlinkRx);
    const Return code = unlinked ? errorNotFound : query.metrics[i].status;
    if (code != success) {
      if (sources_[indexOf(gpmEntries[i].metric)] == Source::none) refusals_[indexOf(gpmEntries[i].metric)] = code;
      continue;
    }
    // GPM is preferred where a field counter answered too: it is read against the GPU's own clock.
    sources_[indexOf(gpmEntries[i].metric)] = Source::gpm;
    refusals_[indexOf(gpmEntries[i].metric)] = success;
  }
  std::swap(gpmEarlier_, gpmLater_);
}

void GpuReader::select(const MetricSet& wanted, bool blockingPcie) {
  for (const Metric metric : {Metric::pcieTx, Metric::pcieRx}) {
    if (blockingPcie && sources_[indexOf(metric)] == Source::none && api_.pcieThroughput != nullptr)
      sources_[indexOf(metric)] = Source::nvmlBlocking;
  }
  for (std::size_t metric = 0; metric < metricCount; ++metric) {
    if (!wanted[metric]) sources_[metric] = Source::none;
  }
  // A field costs processor time each time it is asked for (some of them milliseconds): ask only for those that are
  // shown.
  int kept = 0;
  for (int i = 0; i < fieldCount_; ++i) {
    if (wants(metricOfField(fields_[i].fieldId), Source::nvmlField)) fields_[kept++] = fields_[i];
  }
  fieldCount_ = kept;
}

bool GpuReader::reads(Source source) const {
  for (const Source each : sources_) {
    if (each == source) return true;
  }
  return false;
}

void GpuReader::withoutGpm() {
  for (Source& source : sources_) {
    if (source == Source::gpm) source = Source::none;
  }
}

bool GpuReader::endsSeries(Return code) {
  return code == errorGpuIsLost || code == errorResetRequired || code == errorGpuNotFound ||
         code == errorUninitialized || code == errorDriverNotLoaded || code == errorInvalidArgument;
}

void GpuReader::restartDifferences() {
  pcieTx_.seen = pcieRx_.seen = nvlinkTx_.seen = nvlinkRx_.seen = false;
  gpmHasEarlier_ = false;
}

Return GpuReader::readFast(Sink sink, void* context) {
  Return code = success;
  if (wants(Metric::kernelResident, Source::nvml) || wants(Metric::memoryBusy, Source::nvml)) {
    Utilization utilization{};
    code = api_.utilization(device_, &utilization);
    if (endsSeries(code)) return code;
    if (code == success) {
      if (wants(Metric::kernelResident, Source::nvml)) sink(context, Metric::kernelResident, utilization.gpu);
      if (wants(Metric::memoryBusy, Source::nvml)) sink(context, Metric::memoryBusy, utilization.memory);
    }
  }
  if (wants(Metric::memoryUsed, Source::nvml) || wants(Metric::memoryFree, Source::nvml) ||
      wants(Metric::memoryReserved, Source::nvml)) {
    MemoryV2 v2{};
    v2.version = versionOf<MemoryV2>(2);
    code = api_.memoryV2 ? api_.memoryV2(device_, &v2) : errorFunctionNotFound;
    MemoryV1 v1{};
    if (code != success && !endsSeries(code) && api_.memoryV1) {
      code = api_.memoryV1(device_, &v1);
      v2.used = v1.used;
      v2.free = v1.free;
    }
    if (endsSeries(code)) return code;
    if (code == success) {
      if (wants(Metric::memoryUsed, Source::nvml)) sink(context, Metric::memoryUsed, static_cast<double>(v2.used));
      if (wants(Metric::memoryFree, Source::nvml)) sink(context, Metric::memoryFree, static_cast<double>(v2.free));
      if (wants(Metric::memoryReserved, Source::nvml))
        sink(context, Metric::memoryReserved, static_cast<double>(v2.reserved));
    }
  }
  const std::pair<Metric, int> clocks[] = {{Metric::smClock, clockSm}, {Metric::memoryClock, clockMemory}};
  for (const auto& [metric, type] : clocks) {
    if (!wants(metric, Source::nvml)) continue;
    unsigned megahertz = 0;
    code = api_.clock(device_, type, &megahertz);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, metric, megahertz);
  }
  if (wants(Metric::throttleReasons, Source::nvml)) {
    std::uint64_t reasons = 0;
    code = api_.clocksEventReasons(device_, &reasons);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, Metric::throttleReasons, static_cast<double>(reasons));
  }
  if (wants(Metric::temperature, Source::nvml)) {
    TemperatureV1 degrees{versionOf<TemperatureV1>(1), 0, 0};
    code = api_.temperatureV ? api_.temperatureV(device_, &degrees) : errorFunctionNotFound;
    if (code != success && !endsSeries(code) && api_.temperatureOld) {
      unsigned celsius = 0;
      code = api_.temperatureOld(device_, 0, &celsius);
      degrees.celsius = static_cast<int>(celsius);
    }
    if (endsSeries(code)) return code;
    if (code == success) sink(context, Metric::temperature, degrees.celsius);
  }
  if (wants(Metric::power, Source::nvml)) {
    unsigned milliwatts = 0;
    code = api_.powerUsage(device_, &milliwatts);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, Metric::power, milliwatts / 1e3);
  }
  return readFields(sink, context);
}

Return GpuReader::readFields(Sink sink, void* context) {
  if (fieldCount_ == 0 || !reads(Source::nvmlField)) return success;
  const Return code = api_.fieldValues(device_, fieldCount_, fields_.data());
  if (code != success) return endsSeries(code) ? code : success;
  for (int i = 0; i < fieldCount_; ++i) {
    const FieldValue& field = fields_[i];
    if (endsSeries(field.status) && field.status != errorInvalidArgument) return field.status;
    if (field.status != success) continue;
    const double raw = static_cast<double>(unsignedOf(field));
    switch (field.fieldId) {
      case field::powerInstant:
        if (wants(Metric::power, Source::nvmlField)) sink(context, Metric::power, raw / 1e3);
        break;
      case field::powerAverage:
        if (wants(Metric::powerAverage, Source::nvmlField)) sink(context, Metric::powerAverage, raw / 1e3);
        break;
      case field::memoryTemperature:
        if (wants(Metric::memoryTemperature, Source::nvmlField)) sink(context, Metric::memoryTemperature, raw);
        break;
      case field::pcieTxBytes: readCounter(Metric::pcieTx, field, 1, pcieTx_, sink, context); break;
      case field::pcieRxBytes: readCounter(Metric::pcieRx, field, 1, pcieRx_, sink, context); break;
      case field::nvlinkTxKiB: readCounter(Metric::nvlinkTx, field, 1024, nvlinkTx_, sink, context); break;
      case field::nvlinkRxKiB: readCounter(Metric::nvlinkRx, field, 1024, nvlinkRx_, sink, context); break;
      case field::nvlink5TxBytes: readCounter(Metric::nvlinkTx, field, 1, nvlinkTx_, sink, context); break;
      case field::nvlink5RxBytes: readCounter(Metric::nvlinkRx, field, 1, nvlinkRx_, sink, context); break;
      default: break;
    }
  }
  return success;
}

// A rate is the difference of a counter over the driver's own time of its reads. A counter that went back has wrapped
// or was reset: a 32-bit one wraps exactly, any other leaves a gap rather than a made-up rate.
void GpuReader::readCounter(Metric metric, const FieldValue& field, double bytesPerUnit, Counter& counter, Sink sink,
                            void* context) {
  if (!wants(metric, Source::nvmlField)) return;
  const Counter now{true, unsignedOf(field), field.timestampUsec};
  const Counter before = counter;
  counter = now;
  if (!before.seen || now.atUsec <= before.atUsec) return;
  std::uint64_t moved = now.value - before.value;
  if (now.value < before.value) {
    if (field.valueType != ValueType::UnsignedInt) return;
    moved = (now.value + (std::uint64_t{1} << 32)) - before.value;
  }
  sink(context, metric,
       static_cast<double>(moved) * bytesPerUnit * 1e6 / static_cast<double>(now.atUsec - before.atUsec));
}

Return GpuReader::readSlow(Sink sink, void* context) {
  if (wants(Metric::energy, Source::nvmlSlow)) {
    std::uint64_t millijoules = 0;
    const Return code = api_.totalEnergy(device_, &millijoules);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, Metric::energy, static_cast<double>(millijoules) / 1e3);
  }
  if (wants(Metric::powerLimit, Source::nvmlSlow)) {
    unsigned milliwatts = 0;
    const Return code = api_.enforcedPowerLimit(device_, &milliwatts);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, Metric::powerLimit, milliwatts / 1e3);
  }
  const std::pair<Metric, int> errors[] = {{Metric::eccCorrected, 0}, {Metric::eccUncorrected, 1}};
  for (const auto& [metric, kind] : errors) {
    if (!wants(metric, Source::nvmlSlow)) continue;
    std::uint64_t count = 0;
    const Return code = api_.totalEccErrors(device_, kind, 0, &count);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, metric, static_cast<double>(count));
  }
  if (wants(Metric::remappedRows, Source::nvmlSlow)) {
    unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
    const Return code = api_.remappedRows(device_, &corrected, &uncorrected, &pending, &failed);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, Metric::remappedRows, corrected + uncorrected);
  }
  return success;
}

Return GpuReader::readGpm(Sink sink, void* context) {
  if (gpmLater_ == nullptr || !reads(Source::gpm)) return success;
  const Return got = api_.gpmSampleGet(device_, gpmLater_);
  if (got != success) {
    gpmHasEarlier_ = false;
    return endsSeries(got) ? got : success;
  }
  if (gpmHasEarlier_) {
    GpmMetricsGet& query = *gpmQuery_;
    query.version = 1;
    query.count = gpmEntryCount;
    query.earlier = gpmEarlier_;
    query.later = gpmLater_;
    for (unsigned i = 0; i < gpmEntryCount; ++i) query.metrics[i].metricId = gpmEntries[i].id;
    const Return code = api_.gpmMetricsGet(&query);
    if (endsSeries(code)) return code;
    for (unsigned i = 0; i < gpmEntryCount && code == success; ++i) {
      const GpmMetric& metric = query.metrics[i];
      // NaN is GPM's word for "no value in this interval".
      if (metric.status == success && std::isfinite(metric.value) && wants(gpmEntries[i].metric, Source::gpm)) {
        sink(context, gpmEntries[i].metric, metric.value * gpmEntries[i].scale);
      }
    }
  }
  std::swap(gpmEarlier_, gpmLater_);
  gpmHasEarlier_ = true;
  return success;
}

Return GpuReader::readBlocking(Sink sink, void* context) {
  const std::pair<Metric, int> directions[] = {{Metric::pcieTx, 0}, {Metric::pcieRx, 1}};
  for (const auto& [metric, direction] : directions) {
    if (!wants(metric, Source::nvmlBlocking)) continue;
    unsigned kibPerSecond = 0;
    const Return code = api_.pcieThroughput(device_, direction, &kibPerSecond);
    if (endsSeries(code)) return code;
    if (code == success) sink(context, metric, kibPerSecond * 1024.0);
  }
  return success;
}

}  // namespace dyno::nvml
