// The random weights on the CPU: the same values that `drawWeights` (weights.cu) and `randomWeight` (randomWeights.ts) draw.
#pragma once
#include <cstdint>
#include <string_view>

namespace dyno::transformer {

// FNV-1a of the tensor's name, mixed with the seed: one key per tensor.
std::uint32_t weightKey(std::uint32_t seed, std::string_view name);
// Element `index` of a tensor: centre + scale · u, u uniform in (−1, 1), rounded to BF16.
float randomWeight(std::uint32_t key, std::uint32_t index, float centre, float scale);
float roundToBf16(float value);

}  // namespace dyno::transformer
