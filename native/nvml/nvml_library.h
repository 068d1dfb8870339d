// NVML, opened and initialised: the owner of the library handle and of nvmlInit/nvmlShutdown.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "driver/shared_library.h"
#include "nvml/nvml_api.h"

namespace dyno::nvml {

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
  DriverError error(const char* call, Return code) const;
  // A thread is stuck inside the driver: never shut down or unmap beneath it.
  void abandon() { abandoned_ = true; }

 private:
  Library() = default;
  SharedLibrary library_;
  Api api_{};
  std::vector<Device> devices_;
  bool initialised_ = false;
  bool abandoned_ = false;
};

}  // namespace dyno::nvml
