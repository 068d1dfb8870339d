#include "cuda/resources.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>

#include "cuda/nvrtc.h"

namespace dyno::cuda {
namespace {

std::optional<std::string> contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// kernels/workloads.fatbin -> kernels/source/workloads.cu
std::string sourceBeside(const std::string& path) {
  const std::filesystem::path built(path);
  return (built.parent_path() / "source" / built.stem()).string() + ".cu";
}

// Compiled once per process, file and architecture: seconds, where loading a built file takes milliseconds.
Result<std::string> compiled(const std::string& source, const std::string& text, int capability) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, int>, std::string> images;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto key = std::make_pair(source, capability);
  if (const auto found = images.find(key); found != images.end()) return found->second;
  auto compiler = Nvrtc::open("");
  if (!compiler.ok()) return compiler.error();
  auto image = compiler.value()->compile(text, std::filesystem::path(source).filename().string(), capability);
  if (!image.ok()) return image.error();
  return images[key] = image.value().bytes;
}

}  // namespace

Result<std::shared_ptr<Module>> Module::loadFile(const std::shared_ptr<Context>& context, const std::string& path) {
  const char* how = std::getenv("DYNO_KERNELS");  // "nvrtc": compile even where the built file is there
  const bool wantsSource = how != nullptr && std::string(how) == "nvrtc";
  auto image = wantsSource ? std::nullopt : contentOf(path);
  if (!image) {
    const std::string source = sourceBeside(path);
    const auto text = contentOf(source);
    if (!text)
      return DriverError{"", 0, "KERNELS_MISSING", path + " is missing, and so is its source " + source + ".",
                         "Build the kernels: `node native/build.mjs`."};
    const int capability =
        context->attribute(attribute::capabilityMajor) * 10 + context->attribute(attribute::capabilityMinor);
    auto made = compiled(source, *text, capability);
    if (!made.ok()) {
      DriverError error = made.error();
      if (!wantsSource) error.message = path + " was not built, and compiling it here failed: " + error.message;
      return error;
    }
    image = made.value();
  }
  image->push_back('\0');  // PTX text must end in a zero; a fatbin does not mind
  return load(context, image->data());
}

}  // namespace dyno::cuda
