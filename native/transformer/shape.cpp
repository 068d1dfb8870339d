#include "transformer/shape.h"

#include <algorithm>

namespace dyno::transformer {

Shape shapeFrom(const double* n) {
  Shape s;
  const auto whole = [n](int i) { return static_cast<int>(n[i]); };
  s.family = static_cast<Family>(whole(0));
  s.layers = whole(1), s.hidden = whole(2), s.heads = whole(3), s.kvHeads = whole(4), s.headDim = whole(5);
  s.ffn = whole(6), s.vocab = whole(7), s.maxPositions = whole(8);
  s.normEps = static_cast<float>(n[9]);
  s.ropeTheta = n[10];
  s.scaling = static_cast<Scaling>(whole(11));
  s.scaleFactor = n[12], s.scaleLow = n[13], s.scaleHigh = n[14], s.originalPositions = n[15], s.attentionFactor = n[16];
  s.qkNorm = n[17] != 0, s.tiedEmbeddings = n[18] != 0, s.attentionBias = n[19] != 0;
  s.experts = whole(20), s.topK = whole(21), s.expertFfn = whole(22);
  s.normTopK = n[23] != 0;
  s.sharedFfn = whole(24);
  s.fp8 = n[25] != 0;
  return s;
}

Status checkShape(const Shape& s) {
  const auto refused = [](const std::string& what) {
    return DriverError{"", 0, "UNSUPPORTED_SHAPE", what, "Take a model whose sizes the kernels support."};
  };
  const auto number = [](int value) { return std::to_string(value); };
  if (s.layers < 1 || s.hidden < 8 || s.vocab < 1 || s.maxPositions < 1)
    return refused("layers, hidden, vocab and maxPositions must be positive, got " + number(s.layers) + ", " +
                   number(s.hidden) + ", " + number(s.vocab) + ", " + number(s.maxPositions) + ".");
  if (s.headDim != 64 && s.headDim != 128) return refused("headDim is " + number(s.headDim) + ", expected 64 or 128.");
  if (s.kvHeads < 1 || s.heads % s.kvHeads != 0)
    return refused("heads is " + number(s.heads) + ", expected a multiple of kvHeads, " + number(s.kvHeads) + ".");
  if (s.heads / s.kvHeads > 16)
    return refused("heads / kvHeads is " + number(s.heads / s.kvHeads) + ", expected at most 16.");
  if (s.hidden % 8 != 0 || (s.experts == 0 && (s.ffn < 8 || s.ffn % 8 != 0)))
    return refused("hidden and ffn are " + number(s.hidden) + " and " + number(s.ffn) + ", expected multiples of 8.");
  if (s.experts > 0 && (s.experts > 256 || s.topK < 1 || s.topK > std::min(s.experts, 32) || s.expertFfn < 16 ||
                        s.expertFfn % 16 != 0 || s.hidden % 32 != 0 || s.sharedFfn % 8 != 0))
    return refused("experts.count, experts.topK, experts.ffn, experts.sharedFfn and hidden are " + number(s.experts) + ", " +
                   number(s.topK) + ", " + number(s.expertFfn) + ", " + number(s.sharedFfn) + " and " + number(s.hidden) +
                   ", expected at most 256, at most 32, and multiples of 16, 8 and 32.");
  if (s.fp8)
    return DriverError{"", 0, "UNSUPPORTED_SHAPE", "FP8 weights are not served yet: the kernels are there, the passes do not use them.",
                       "Leave out dense 'fp8': BF16."};
  return Nothing{};
}

}  // namespace dyno::transformer
