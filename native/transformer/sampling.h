// Sampling other than greedy: parameters and masks of a pass as sample.cu reads them.
#pragma once
#include <cstdint>
#include <vector>

#include "transformer/pass.h"

namespace dyno::transformer {

// sample.cu's struct of the same name.
struct RowSampling {
  float temperature = 0, topP = 1;
  std::int32_t topK = 0, mask = -1;
  std::uint32_t seedLow = 0, seedHigh = 0, position = 0;
  std::int32_t active = 1;
};
static_assert(sizeof(RowSampling) == 32);

constexpr int sampleBlocks = 8;
inline std::size_t maskWords(int vocab) { return (static_cast<std::size_t>(vocab) + 31) / 32; }
// Shared memory of one of the eight blocks that hold a row's logits.
inline unsigned sampleSharedBytes(int vocab) {
  const int each = (vocab + sampleBlocks - 1) / sampleBlocks;
  return 4u * static_cast<unsigned>((each + 31) / 32 * 32);
}

// Whether a plan asks for more than the largest logit of each row.
inline bool samples(const PassPlan& plan) { return !plan.temperature.empty() || !plan.masks.empty(); }
// Parameters in range, masks of whole rows, mask numbers that exist.
Status checkSampling(const PassPlan& plan, const Shape& shape, const PassLimits& limits);
// One entry per sampled position, in the order of fillPass. `draws` is a row's seed and step; a later position of the same
// row (sampleAll) takes the following steps.
std::vector<RowSampling> samplingOf(const PassPlan& plan);

}  // namespace dyno::transformer
