// NCCL, opened with dlopen: collectives over the GPUs of this machine, from one process with one communicator per GPU.
// Nothing of its environment is set or changed here: what the user chose for NCCL holds.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cuda/resources.h"
#include "engine/timing.h"

namespace dyno::engine {

enum class Collective { allReduce, allToAll, sendReceive };
const char* collectiveName(Collective collective);

class Nccl {
 public:
  // Empty: DYNO_NCCL, else as the loader finds it. One sentence where it is missing.
  static Result<std::shared_ptr<Nccl>> open(const std::string& path);
  std::string version() const;  // "2.28.3"
  const std::string& path() const { return library_.path(); }
  ~Nccl();

  struct Measured {
    Timing time;            // of one collective, the slowest GPU
    std::size_t bytes = 0;  // that each GPU holds
    // Bytes over the busiest link per second and direction, as nccl-tests count them ("bus bandwidth"): it is compared
    // with the link's own rate, whatever the number of GPUs.
    double busFactor = 1;
  };
  // All GPUs of `library`, or its first `gpus`. The result is verified over all elements before it is timed.
  Result<Measured> measure(const std::shared_ptr<cuda::Library>& library, int gpus, Collective collective,
                           std::size_t bytes, unsigned repetitions) const;

 private:
  struct Api;
  Nccl() = default;
  DriverError error(const char* call, int code) const;
  SharedLibrary library_;
  std::unique_ptr<Api> api_;
};

}  // namespace dyno::engine
