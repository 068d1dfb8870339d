// Hardware counters of this process's own kernels through CUPTI's range profiler: bytes by memory level, tensor and FMA
// operations, without ncu. Needs access to hardware counters.
//
//   kernels  every launch is a range of its own and CUPTI repeats it once per pass, with memory saved and put back
//   range    what lies between push and pop is one range; the caller repeats the work until `end` says that all passes
//   are
//            done. The work must be the same each time.
//
// While it is open the kernels run alone and several times: their times are no measurement of the workload.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cuda/resources.h"
#include "cupti/range_api.h"
#include "driver/shared_library.h"

namespace dyno::cupti {

struct RangeOptions {
  std::string libraryPath;
  std::vector<std::string> metrics;
  bool perKernel = true;
  std::size_t maxRanges = 1024;
};

struct RangeValues {
  std::string name;            // as pushed; the launch's number where ranges are kernels
  std::vector<double> values;  // in the order of metrics()
};

class RangeProfiler {
 public:
  static Result<std::unique_ptr<RangeProfiler>> open(const std::shared_ptr<cuda::Context>& context,
                                                     const RangeOptions& options);
  ~RangeProfiler();
  RangeProfiler(const RangeProfiler&) = delete;
  RangeProfiler& operator=(const RangeProfiler&) = delete;

  const std::vector<std::string>& metrics() const { return names_; }
  // Metrics that this card does not count, and why.
  const std::vector<std::pair<std::string, std::string>>& refused() const { return refused_; }
  // Times that each kernel (or range) runs.
  std::size_t passes() const { return passes_; }
  const std::string& chip() const { return chip_; }

  Status begin();
  Status push(const std::string& name);
  Status pop();
  Result<bool> end();  // true: every pass is done
  Result<std::vector<RangeValues>> read();
  std::size_t dropped() const { return dropped_; }

 private:
  explicit RangeProfiler(const RangeOptions& options) : options_(options) {}
  DriverError error(const char* call, Result_ code) const;
  Status configure();
  Status newHost(void*& host);
  void freeHost(void* host);

  RangeOptions options_;
  std::shared_ptr<cuda::Context> context_;
  SharedLibrary library_;
  RangeApi api_{};
  void *host_ = nullptr, *profiler_ = nullptr;
  std::string chip_;
  std::vector<std::uint8_t> availability_, config_, image_;
  std::vector<std::string> names_;
  std::vector<const char*> namePointers_;
  std::vector<std::pair<std::string, std::string>> refused_;
  std::size_t passes_ = 0, dropped_ = 0;
  bool started_ = false;
};

}  // namespace dyno::cupti
