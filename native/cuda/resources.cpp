#include "cuda/resources.h"

#include <fstream>
#include <iterator>

namespace dyno::cuda {

Result<std::shared_ptr<Module>> Module::loadFile(const std::shared_ptr<Context>& context, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return DriverError{"", 0, "KERNELS_MISSING", path + " is missing.",
                       "Build the kernels: `node native/build.mjs` where nvcc is installed."};
  std::string image((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  image.push_back('\0');  // PTX text must end in a zero; a fatbin does not mind
  return load(context, image.data());
}

}  // namespace dyno::cuda
