// Opening CUPTI, and what its refusals mean.
#pragma once
#include <string>
#include <vector>

#include "cupti/cupti_api.h"
#include "driver/shared_library.h"

namespace dyno::cupti {

// `path` empty: libcupti of CUDA 13 or 12 as the loader finds it, then where the toolkit puts it.
inline Result<SharedLibrary> openCupti(const std::string& path, const std::string& hint) {
  return SharedLibrary::open(
      path.empty() ? std::vector<std::string>{"libcupti.so.13", "libcupti.so.12", "/usr/local/cuda/lib64/libcupti.so",
                                              "/usr/local/cuda/extras/CUPTI/lib64/libcupti.so"}
                   : std::vector<std::string>{path},
      hint);
}

inline DriverError cuptiError(Result_ (*resultString)(Result_, const char**), const char* call, Result_ code,
                              const std::string& hint) {
  const char* text = nullptr;
  if (resultString != nullptr) resultString(code, &text);
  const bool privileges = code == errorInsufficientPrivileges || code == errorVirtualInsufficientPrivileges;
  return DriverError{
      call, code,
      privileges        ? "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES"
      : text != nullptr ? text
                        : "CUPTI_ERROR",
      privileges ? "This user may not read hardware counters (ERR_NVGPUCTRPERM)."
                 : std::string(call) + " answered " + (text != nullptr ? text : "an error") + ".",
      privileges
          ? "Let everyone read them (module option NVreg_RestrictProfilingToAdminUsers=0, then reboot), or run as root."
          : hint};
}

}  // namespace dyno::cupti
