// The sizes of a decoder-only transformer, from the addon's numbers; `shapeNumbers` in transformer.ts writes the same order.
#pragma once
#include <cstdint>
#include <cstddef>
#include <string>

#include "driver/driver_error.h"

namespace dyno::transformer {

enum class Family { llama, qwen3, mixtral, qwen3Moe };
enum class Scaling { none, linear, llama3, yarn };

struct Shape {
  Family family = Family::llama;
  int layers = 0, hidden = 0, heads = 0, kvHeads = 0, headDim = 0, ffn = 0, vocab = 0, maxPositions = 0;
  float normEps = 1e-5f;
  double ropeTheta = 10000;
  Scaling scaling = Scaling::none;
  double scaleFactor = 1, scaleLow = 0, scaleHigh = 0, originalPositions = 0, attentionFactor = 0;
  bool qkNorm = false, tiedEmbeddings = false, attentionBias = false;
  int experts = 0, topK = 0, expertFfn = 0, sharedFfn = 0;
  bool normTopK = false, fp8 = false;

  int qkvWidth() const { return (heads + 2 * kvHeads) * headDim; }
  int attentionWidth() const { return heads * headDim; }
  int queriesPerKv() const { return heads / kvHeads; }
  std::size_t kvBytesPerToken() const { return std::size_t{4} * layers * kvHeads * headDim; }
};

constexpr std::size_t shapeNumberCount = 26;
Shape shapeFrom(const double* numbers);
// What the kernels ask of a shape; the error names size, found, expected.
Status checkShape(const Shape& shape);

}  // namespace dyno::transformer
