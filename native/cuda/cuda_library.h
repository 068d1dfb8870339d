// The CUDA driver, opened and initialised, and the meaning of its errors.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "cuda/cuda_api.h"
#include "driver/shared_library.h"

namespace dyno::cuda {

class Library {
 public:
  static Result<std::shared_ptr<Library>> open(const std::string& path);
  const Api& api() const { return api_; }
  const std::string& path() const { return library_.path(); }
  int deviceCount() const { return deviceCount_; }
  int version() const { return version_; }  // 13000 is CUDA 13.0

  DriverError error(const char* call, Code code) const;
  Status check(const char* call, Code code) const {
    if (code == success) return Nothing{};
    return error(call, code);
  }
  // A destructor cannot return an error: it is counted here and reported with the leaks.
  void noteFailedRelease(Code code) {
    if (code != success) failedReleases_.fetch_add(1, std::memory_order_relaxed);
  }
  unsigned failedReleases() const { return failedReleases_.load(std::memory_order_relaxed); }

 private:
  Library() = default;
  SharedLibrary library_;
  Api api_{};
  int deviceCount_ = 0;
  int version_ = 0;
  std::atomic<unsigned> failedReleases_{0};
};

}  // namespace dyno::cuda

// Calls a driver function and returns its error from the enclosing function.
#define DYNO_CUDA_TRY(library, member, ...)                                                                         \
  do {                                                                                                              \
    if (const ::dyno::cuda::Code dynoCode = (library).api().member(__VA_ARGS__); dynoCode != ::dyno::cuda::success) \
      return (library).error(::dyno::cuda::symbolOf(&::dyno::cuda::Api::member), dynoCode);                         \
  } while (false)

namespace dyno::cuda {

// The driver's symbol behind an Api member, for error messages.
#define DYNO_SYMBOL_FIRST(first, ...) first
#define DYNO_SYMBOL(member_, arguments, ...)                                                      \
  if constexpr (true) {                                                                           \
    if (static_cast<const void*>(&(probe.member_)) == static_cast<const void*>(&(probe.*member))) \
      return DYNO_SYMBOL_FIRST(__VA_ARGS__, "");                                                  \
  }
template <typename Function>
const char* symbolOf(Function Api::*member) {
  static const Api probe{};
  DYNO_CUDA_FUNCTIONS(DYNO_SYMBOL)
  return "cuda";
}
#undef DYNO_SYMBOL

}  // namespace dyno::cuda
