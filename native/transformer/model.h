// One transformer on one device: weights, kernels, matrix products, RoPE table and the device's clock. Instances and pools
// share it and keep it alive.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "transformer/clock_map.h"
#include "transformer/linear.h"
#include "transformer/weights.h"

namespace dyno::transformer {

// X(kernel, module): each is a function of a fatbin of that name.
#define DYNO_TRANSFORMER_KERNELS(X)                                                                               \
  X(embedTokens, layers)                                                                                          \
  X(storeHidden, layers)                                                                                          \
  X(loadHidden, layers)                                                                                           \
  X(rmsNorm, layers)                                                                                              \
  X(ropeKv64, layers)                                                                                             \
  X(ropeKv128, layers)                                                                                            \
  X(swiglu, layers)                                                                                               \
  X(greedySample, greedy)                                                                                         \
  X(stampEnd, greedy)                                                                                             \
  X(answerClock, greedy)                                                                                          \
  X(moeGate, moe_route)                                                                                           \
  X(moeGateRows, moe_route)                                                                                       \
  X(moePermute, moe_route)                                                                                        \
  X(moeCombine, moe_route)                                                                                        \
  X(moeGateUpFew, moe_decode)                                                                                     \
  X(moeDownFew, moe_decode)                                                                                       \
  X(moeGateUpGrouped, moe_grouped)                                                                                \
  X(moeDownGrouped, moe_grouped)                                                                                  \
  X(sampleRows, sample)                                                                                           \
  X(drawWeights, weights)                                                                                         \
  X(copyKvBlocks, weights)                                                                                        \
  X(decodeAttention64x1, attention_decode)                                                                        \
  X(decodeAttention64x2, attention_decode)                                                                        \
  X(decodeAttention128x1, attention_decode)                                                                       \
  X(decodeAttention128x2, attention_decode)                                                                       \
  X(prefillAttention64, attention_prefill)                                                                        \
  X(prefillAttention128, attention_prefill)                                                                       \
  X(prefillAttentionHopper128, attention_hopper)

struct Kernels {
#define DYNO_DECLARE_KERNEL(name, module) cuda::FunctionHandle name = nullptr;
  DYNO_TRANSFORMER_KERNELS(DYNO_DECLARE_KERNEL)
#undef DYNO_DECLARE_KERNEL
  // gemv[log2(batch)][index of chunks in gemvChunks]; null where there is none.
  cuda::FunctionHandle gemv[3][6] = {};
  unsigned gemvBlocks[3][6] = {};  // resident blocks per multiprocessor
};
constexpr int gemvChunks[6] = {1, 2, 3, 4, 7, 8};
constexpr int gemvChunkElements = 2048;

struct OpenOptions {
  std::string cublasLtPath, kernelFolder;
  int device = 0;
  Shape shape;
  Weights::Source weights;
  double* progress = nullptr;
};

class Model {
 public:
  static Result<std::shared_ptr<Model>> open(const std::shared_ptr<cuda::Library>& library, const OpenOptions& options);
  const Shape& shape() const { return shape_; }
  const std::shared_ptr<cuda::Context>& context() const { return context_; }
  const Weights& weights() const { return *weights_; }
  const Kernels& kernels() const { return kernels_; }
  Linears& linears() const { return *linears_; }
  ClockMap& clock() const { return *clock_; }
  cuda::DevicePointer ropeTable() const { return rope_->pointer(); }
  int multiprocessors() const { return multiprocessors_; }
  // Kernels may start before the kernel before them has ended.
  bool programmaticOrder() const { return programmaticOrder_; }
  // wgmma and the bulk tensor copy engine (compute capability 9.0).
  bool hopper() const { return hopper_; }
  double loadSeconds() const { return loadSeconds_; }

 private:
  Model() = default;
  Status loadKernels(const std::string& folder);
  Shape shape_;
  std::shared_ptr<cuda::Context> context_;
  std::vector<std::shared_ptr<cuda::Module>> modules_;
  Kernels kernels_;
  std::unique_ptr<Weights> weights_;
  std::unique_ptr<Linears> linears_;
  std::unique_ptr<ClockMap> clock_;
  std::shared_ptr<cuda::DeviceMemory> rope_;
  int multiprocessors_ = 0;
  bool programmaticOrder_ = false, hopper_ = false;
  double loadSeconds_ = 0;
};

// cos and sin of every position and pair, [position][pair][2], with the shape's published scaling; as transformers'
// modeling_rope_utils computes them, in double.
std::vector<float> ropeTable(const Shape& shape);

// Physical blocks of all layers: [layer][block][K or V][KV head][token of the block][head size], BF16.
class KvPool {
 public:
  static Result<std::shared_ptr<KvPool>> create(const std::shared_ptr<Model>& model, int blocks, int blockTokens,
                                                bool onHost);
  int blocks() const { return blocks_; }
  int blockTokens() const { return blockTokens_; }
  bool onHost() const { return pinned_ != nullptr; }
  std::size_t blockBytes() const { return blockBytes_; }
  std::size_t bytes() const { return blockBytes_ * static_cast<std::size_t>(blocks_) * static_cast<std::size_t>(layers_); }
  // Host memory has a device address too (unified addressing).
  cuda::DevicePointer layer(int index) const {
    return base_ + blockBytes_ * static_cast<std::size_t>(blocks_) * static_cast<std::size_t>(index);
  }
  const std::shared_ptr<Model>& model() const { return model_; }
  // The pool as a tensor of [layer · blocks + block][2 · KV heads][token][head size], read 16 tokens × 64 dimensions at a time.
  const cuda::TensorMap& tensorMap() const { return map_; }
  int allBlocks() const { return blocks_ * layers_; }

 private:
  KvPool() = default;
  std::shared_ptr<Model> model_;
  std::shared_ptr<cuda::DeviceMemory> memory_;
  std::shared_ptr<cuda::PinnedMemory> pinned_;
  cuda::DevicePointer base_ = 0;
  int blocks_ = 0, blockTokens_ = 0, layers_ = 0;
  std::size_t blockBytes_ = 0;
  cuda::TensorMap map_;
};

}  // namespace dyno::transformer
