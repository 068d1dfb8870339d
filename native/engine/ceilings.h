// The roofs of the card at hand, measured: memory, links, matrix products, launches. One class of measurement per
// entry; an entry that this machine cannot run is waived with a reason, which is not a failure.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/resources.h"

namespace dyno::engine {

struct CeilingOptions {
  int device = 0;
  std::string kernelFolder;  // where ceilings.fatbin lies
  std::string cublasLtPath;  // empty: as the loader finds it
  std::string nvmlPath;      // empty: the system's; used for clocks under load only
  std::string ncclPath;      // empty: as the loader finds it
  double scale = 1.0;        // of buffers and matrices; tests make it small
  std::vector<std::string> only;  // beginnings of ids; empty: all
};

struct CeilingProgress {
  unsigned done, total;
  std::string id;  // the measurement that begins
};

// JSON:
// {"device":{…},"ceilings":[{"id","name","value","unit","least","most","repetitions","definition"}],"waived":[{"id","reason"}],"seconds"}
// Stops between two measurements once `cancelled` is set; what was measured stays in the answer.
std::string measureCeilings(const std::shared_ptr<cuda::Library>& library, const CeilingOptions& options,
                            const std::function<void(const CeilingProgress&)>& progress,
                            const std::atomic<bool>& cancelled);

}  // namespace dyno::engine
