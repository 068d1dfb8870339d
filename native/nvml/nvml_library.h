// NVML, opened and initialised: the owner of the library handle and of nvmlInit/nvmlShutdown.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "driver/shared_library.h"
#include "nvml/nvml_api.h"

namespace dyno::nvml {

// A slice of a GPU in MIG mode, with memory and SMs of its own.
struct MigInstance {
  Device device;
  unsigned gpu;     // its parent's index
  unsigned number;  // the driver's number of it within the parent
};

class Library {
 public:
  // `path` empty: the system's libnvidia-ml.so.1. May take seconds on an idle card, and never return on a hung one.
  static Result<std::shared_ptr<Library>> open(const std::string& path);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  const Api& api() const { return api_; }
  const std::string& path() const { return library_.path(); }
  const std::vector<Device>& devices() const { return devices_; }
  const std::vector<MigInstance>& instances() const { return instances_; }
  // Series are numbered: the GPUs first, then the MIG instances. Null for a number that neither has.
  Device series(unsigned index) const {
    if (index < devices_.size()) return devices_[index];
    const std::size_t instance = index - devices_.size();
    return instance < instances_.size() ? instances_[instance].device : nullptr;
  }
  DriverError error(const char* call, Return code) const;
  // A thread is stuck inside the driver: never shut down or unmap beneath it.
  void abandon() { abandoned_ = true; }

 private:
  Library() = default;
  SharedLibrary library_;
  Api api_{};
  std::vector<Device> devices_;
  std::vector<MigInstance> instances_;
  bool initialised_ = false;
  bool abandoned_ = false;
};

}  // namespace dyno::nvml
