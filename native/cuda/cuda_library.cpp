#include "cuda/cuda_library.h"

namespace dyno::cuda {
namespace {

const char* hintFor(Code code) {
  switch (code) {
    case errorOutOfMemory: return "Free device memory (dyno topology shows who holds it) or take a smaller size.";
    case errorNoDevice: return "No GPU is visible: look at nvidia-smi and at CUDA_VISIBLE_DEVICES.";
    case errorInvalidDevice: return "Use a device number that dyno topology lists.";
    case errorInvalidImage:
    case errorNoBinaryForGpu:
      return "The kernels were not built for this GPU: rebuild with `node native/build.mjs` where nvcc is installed.";
    case errorUnsupportedPtx: return "The driver is older than the kernels' PTX: install a newer driver.";
    case errorNotFound: return "The kernels and the addon are of different builds: run `node native/build.mjs`.";
    case errorIllegalAddress:
    case errorLaunchFailed:
      return "A kernel faulted and its context is lost: this run ends. Run it under compute-sanitizer to see where.";
    case 803: return "The driver is older than this CUDA library: update the driver.";
    case 999: return "The driver failed: look at the kernel log; a reboot may be needed.";
    default: return "Run `dyno doctor`; the kernel log may say more.";
  }
}

}  // namespace

DriverError Library::error(const char* call, Code code) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (api_.errorName != nullptr) api_.errorName(code, &name);
  if (api_.errorString != nullptr) api_.errorString(code, &text);
  return DriverError{call, code, name != nullptr ? name : "CUDA_ERROR",
                     std::string(call) + " answered " + (text != nullptr ? text : "an unknown error") + ".",
                     hintFor(code)};
}

Result<std::shared_ptr<Library>> Library::open(const std::string& path) {
  auto opened = SharedLibrary::open(
      path.empty() ? std::vector<std::string>{"libcuda.so.1", "libcuda.so"} : std::vector<std::string>{path},
      "Install the NVIDIA driver; no CUDA toolkit is needed.");
  if (!opened.ok()) return opened.error();
  std::shared_ptr<Library> self(new Library());
  self->library_ = std::move(opened.value());
  const char* missing = nullptr;
#define DYNO_FIND(member, arguments, ...)                                                \
  self->api_.member = self->library_.symbol<decltype(self->api_.member)>({__VA_ARGS__}); \
  if (self->api_.member == nullptr && missing == nullptr) missing = #member;
  DYNO_CUDA_FUNCTIONS(DYNO_FIND)
#undef DYNO_FIND
  if (missing != nullptr)
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", self->path() + " lacks the function behind '" + missing + "'.",
                       "Install an NVIDIA driver of version 525 (CUDA 12) or newer."};
  DYNO_CUDA_TRY(*self, init, 0);
  DYNO_CUDA_TRY(*self, driverVersion, &self->version_);
  DYNO_CUDA_TRY(*self, deviceCount, &self->deviceCount_);
  return self;
}

}  // namespace dyno::cuda
