// One dlopen handle. Optional drivers are opened by name, newest symbol first, so that an older driver still serves
// what it has.
#pragma once
#include <dlfcn.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "driver/driver_error.h"

namespace dyno {

class SharedLibrary {
 public:
  SharedLibrary() = default;
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;
  SharedLibrary(SharedLibrary&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}
  SharedLibrary& operator=(SharedLibrary&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(path_, other.path_);
    return *this;
  }
  ~SharedLibrary() {
    if (handle_ != nullptr) dlclose(handle_);
  }

  // Tries each name in turn; the error is the first name's, the one a reader expects to be told about.
  static Result<SharedLibrary> open(const std::vector<std::string>& names, const std::string& hint) {
    std::string first;
    for (const std::string& name : names) {
      dlerror();
      if (void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        SharedLibrary library;
        library.handle_ = handle;
        library.path_ = name;
        return library;
      }
      const char* why = dlerror();
      if (first.empty() && why != nullptr) first = why;
    }
    return DriverError{
        "dlopen", 0, "LIBRARY_NOT_FOUND",
        (names.empty() ? std::string("no library named") : names.front() + " could not be opened: " + first), hint};
  }

  // The first of `names` that the library has, or null: callers keep null as "this driver cannot tell".
  template <typename Function>
  Function symbol(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (void* found = dlsym(handle_, name)) return reinterpret_cast<Function>(found);
    }
    return nullptr;
  }

  // Keeps the library mapped for the life of the process: for a driver that may still have a thread inside it.
  void abandon() { handle_ = nullptr; }
  const std::string& path() const { return path_; }
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  void* handle_ = nullptr;
  std::string path_;
};

}  // namespace dyno
