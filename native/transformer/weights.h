// Weights of one transformer on one device: one allocation, laid out so that products that share their input are one matrix
// (Q, K and V; gate and up). Filled from safetensors by file offset, or at random.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/resources.h"
#include "transformer/shape.h"

namespace dyno::transformer {

using cuda::DevicePointer;

// Addresses; 0: the model has none.
struct LayerWeights {
  DevicePointer norm1 = 0, qkv = 0, qkvBias = 0, qNorm = 0, kNorm = 0, output = 0, norm2 = 0;
  DevicePointer gateUp = 0, down = 0;                                // dense: [2F, H], [H, F]
  DevicePointer router = 0, expertGateUp = 0, expertDown = 0;        // [E, H], [E, 2F, H], [E, H, F]
  DevicePointer sharedGateUp = 0, sharedDown = 0, sharedRouter = 0;  // [2S, H], [H, S], [1, H]
};

// One tensor by its Hugging Face name, where it lies in the allocation, and how random values are drawn.
struct Placement {
  std::string name;
  std::size_t offset = 0, elements = 0;
  float centre = 0, scale = 0;
};

struct WeightLayout {
  std::vector<Placement> placements;
  std::size_t bytes = 0;
  std::vector<LayerWeights> layers;  // offsets + 1 (0: none)
  std::size_t embedding = 0, finalNorm = 0, head = 0;
  std::uint64_t parameters = 0;
};
// RMS of random matrices: 0.02, as the families' initializer_range.
WeightLayout layOut(const Shape& shape);

enum class Dtype { bf16, f16, f32, fp8 };
struct TensorSource {
  std::string name;
  std::size_t file = 0, offset = 0, bytes = 0, elements = 0;
  Dtype dtype = Dtype::bf16;
};

class Weights {
 public:
  struct Source {
    std::int64_t seed = -1;  // < 0: from tensors
    std::vector<std::string> files;
    std::vector<TensorSource> tensors;
  };
  // `drawOrConvert` is the module of weights.cu. `progress[0]` bytes of `progress[1]` are there; may be null.
  static Result<std::unique_ptr<Weights>> load(const std::shared_ptr<cuda::Context>& context, const Shape& shape,
                                               const std::shared_ptr<cuda::Module>& drawOrConvert, const Source& source,
                                               double* progress);
  const LayerWeights& layer(int index) const { return layers_[static_cast<std::size_t>(index)]; }
  DevicePointer embedding() const { return base_ + layout_.embedding; }
  DevicePointer finalNorm() const { return base_ + layout_.finalNorm; }
  DevicePointer head() const { return base_ + layout_.head; }
  std::size_t bytes() const { return layout_.bytes; }
  std::uint64_t parameters() const { return layout_.parameters; }
  const WeightLayout& layout() const { return layout_; }

 private:
  Status draw(const cuda::Module& module, std::uint32_t seed, double* progress);
  Status read(const cuda::Module& module, const Source& source, double* progress);

  std::shared_ptr<cuda::Context> context_;
  std::shared_ptr<cuda::DeviceMemory> memory_;
  WeightLayout layout_;
  std::vector<LayerWeights> layers_;
  DevicePointer base_ = 0;
};

}  // namespace dyno::transformer
