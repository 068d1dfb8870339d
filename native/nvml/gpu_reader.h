// Reads one GPU through NVML and GPM: which metrics it offers (probed once, off the sampling thread), then the readings
// themselves. A reading goes to `sink(metric, value)`; a metric that the GPU lacks is never given to it. Nothing here
// allocates after construction.
#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>

#include "nvml/metric.h"
#include "nvml/nvml_library.h"

namespace dyno::nvml {

enum class Source : std::uint8_t { none, nvml, nvmlField, nvmlSlow, gpm, nvmlBlocking };
const char* sourceName(Source source);

using MetricSet = std::bitset<metricCount>;

class GpuReader {
 public:
  using Sink = void (*)(void* context, Metric metric, double value);

  GpuReader(std::shared_ptr<Library> library, unsigned index);
  ~GpuReader();
  GpuReader(const GpuReader&) = delete;
  GpuReader& operator=(const GpuReader&) = delete;

  // Asks for each metric once. `gpmFirst` takes GPM's first sample; at least 110 ms later `gpmSecond` learns which of
  // its metrics answer.
  void probe();
  Return gpmFirst();
  void gpmSecond();

  Source source(Metric metric) const { return sources_[indexOf(metric)]; }
  Return refusal(Metric metric) const {
    return refusals_[indexOf(metric)];
  }  // why a metric with Source::none is absent
  Return gpmRefusal() const { return gpmRefusal_; }
  unsigned index() const { return index_; }

  // Drops what `wanted` does not name. `blockingPcie` admits the 20 ms PCIe call for a GPU that offers nothing cheaper.
  void select(const MetricSet& wanted, bool blockingPcie);
  bool reads(Source source) const;
  // Gives GPM's metrics up, because another source reads the same counters now.
  void withoutGpm();

  // Each returns success, or the code that ends the series (lost, reset required, driver gone).
  Return readFast(Sink sink, void* context);      // ~10 Hz: what NVML refreshes
  Return readSlow(Sink sink, void* context);      // ~1 Hz: counters that seldom move
  Return readGpm(Sink sink, void* context);       // ≥ 110 ms apart: means since the last call
  Return readBlocking(Sink sink, void* context);  // 2 × 20 ms inside the driver
  static bool endsSeries(Return code);
  void restartDifferences();  // after a gap: the next difference would span it

 private:
  struct Counter {
    bool seen = false;
    std::uint64_t value = 0;
    std::int64_t atUsec = 0;
  };
  bool wants(Metric metric, Source source) const { return sources_[indexOf(metric)] == source; }
  void offer(Metric metric, Source source, Return code);
  Return readFields(Sink sink, void* context);
  void readCounter(Metric metric, const FieldValue& field, double bytesPerUnit, Counter& counter, Sink sink,
                   void* context);

  std::shared_ptr<Library> library_;
  const Api& api_;
  Device device_;
  unsigned index_;
  std::array<Source, metricCount> sources_{};
  std::array<Return, metricCount> refusals_{};
  std::array<FieldValue, 9> fields_{};
  int fieldCount_ = 0;
  Counter pcieTx_, pcieRx_, nvlinkTx_, nvlinkRx_;
  GpmSample gpmEarlier_ = nullptr, gpmLater_ = nullptr;
  bool gpmHasEarlier_ = false;
  bool noNvlink_ =
      false;  // the driver says that no link is active: then there is no NVLink traffic to show, not zero traffic
  Return gpmRefusal_ = errorNotSupported;
  std::unique_ptr<GpmMetricsGet> gpmQuery_;
};

}  // namespace dyno::nvml
