// Kernels compiled on the user's machine: NVRTC, opened with dlopen, for a build that was made without nvcc. The
// sources travel beside the addon (kernels/source/*.cu), and the few types that they take from CUDA's headers are
// declared here, so that neither a toolkit nor its headers are needed.
#pragma once
#include <memory>
#include <string>

#include "driver/shared_library.h"

namespace dyno::cuda {

class Nvrtc {
 public:
  struct Image {
    std::string bytes;   // a cubin, or PTX that ends in a zero
    std::string target;  // sm_90, compute_80
    std::string log;     // the compiler's warnings
  };

  // Empty: DYNO_NVRTC, else as the loader finds it.
  static Result<std::shared_ptr<Nvrtc>> open(const std::string& path);
  // `capability` is 90 for compute capability 9.0. An architecture that this NVRTC does not know yet gets PTX, which
  // the driver compiles on.
  Result<Image> compile(const std::string& source, const std::string& name, int capability) const;
  const std::string& path() const { return library_.path(); }
  std::string version() const;  // "13.0"
  ~Nvrtc();

 private:
  struct Api;
  Nvrtc() = default;
  DriverError error(const char* call, int code, const std::string& log) const;
  SharedLibrary library_;
  std::unique_ptr<Api> api_;
};

}  // namespace dyno::cuda
