// The float64 forward of a dense transformer with random weights, for tests: plain loops, no rounding of activations.
#pragma once
#include <cstdint>
#include <vector>

#include "transformer/shape.h"

namespace dyno::transformer {

// Logits of every position, tokens × vocab. `layers` < shape.layers: the head after that many layers (early exit).
std::vector<double> referenceLogits(const Shape& shape, std::uint32_t seed, const std::vector<std::int32_t>& tokens,
                                    int layers = -1);

}  // namespace dyno::transformer
