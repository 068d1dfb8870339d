// Typed kernel launches: arguments are passed as their own types, so a kernel's signature is what the call reads like.
#pragma once
#include <memory>
#include <string>

#include "cuda/resources.h"

// Tensor maps are passed by value with their 64-byte alignment; GCC notes at each call that GCC 4.5 did it otherwise.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dyno::transformer {

struct Grid {
  unsigned x = 1, y = 1, z = 1;
};
enum class Order { stream, programmatic };  // programmatic: may start while the kernel before it drains (Hopper)

template <typename... Arguments>
Status launchOrdered(const cuda::Context& context, Order order, cuda::FunctionHandle kernel, Grid grid, Grid block,
                     unsigned sharedBytes, cuda::StreamHandle stream, Arguments... arguments) {
  void* pointers[] = {static_cast<void*>(&arguments)...};
  cuda::LaunchAttribute attribute;
  attribute.id = cuda::attributeProgrammaticOrder;
  attribute.value.number = 1;
  cuda::LaunchConfig config;
  config.gridX = grid.x, config.gridY = grid.y, config.gridZ = grid.z;
  config.blockX = block.x, config.blockY = block.y, config.blockZ = block.z;
  config.sharedBytes = sharedBytes;
  config.stream = stream;
  config.attributes = &attribute;
  config.attributeCount = order == Order::programmatic ? 1 : 0;
  DYNO_CUDA_TRY(context.library(), launchWith, &config, kernel, pointers, nullptr);
  return Nothing{};
}
template <typename... Arguments>
Status launch(const cuda::Context& context, cuda::FunctionHandle kernel, Grid grid, Grid block, unsigned sharedBytes,
              cuda::StreamHandle stream, Arguments... arguments) {
  return launchOrdered(context, Order::stream, kernel, grid, block, sharedBytes, stream, arguments...);
}

// Out of memory says what for, the bytes asked for and free.
inline Result<std::shared_ptr<cuda::DeviceMemory>> allocateDevice(const std::shared_ptr<cuda::Context>& context,
                                                                  std::size_t bytes, const std::string& what) {
  auto made = cuda::DeviceMemory::allocate(context, bytes);
  if (made.ok() || made.error().code != cuda::errorOutOfMemory) return made;
  DriverError error = made.error();
  std::size_t available = 0, total = 0;
  const bool known = context->api().memoryInfo(&available, &total) == cuda::success;
  error.message = "Out of GPU memory: " + what + " needs " + std::to_string(bytes) + " bytes" +
                  (known ? ", " + std::to_string(available) + " of " + std::to_string(total) + " are free." : ".");
  return error;
}

}  // namespace dyno::transformer
