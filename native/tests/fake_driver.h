// A private copy of a fake driver with its own script, in a folder that goes when the test ends.
#pragma once
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/check.h"

namespace dyno::test {

class FakeDriver {
 public:
  explicit FakeDriver(const std::string& name) {
    char pattern[] = "/tmp/dyno-fake-XXXXXX";
    folder_ = mkdtemp(pattern);
    path_ = folder_ + "/lib" + name + ".so";
    std::filesystem::copy_file(folder + "/lib" + name + ".so", path_);
  }
  ~FakeDriver() { std::filesystem::remove_all(folder_); }
  FakeDriver(const FakeDriver&) = delete;
  FakeDriver& operator=(const FakeDriver&) = delete;

  void script(const std::string& text) const {
    std::ofstream(path_ + ".next") << text;
    std::filesystem::rename(path_ + ".next", path_ + ".script");
  }
  const std::string& path() const { return path_; }
  const std::string& home() const { return folder_; }

 private:
  std::string folder_, path_;
};

}  // namespace dyno::test
