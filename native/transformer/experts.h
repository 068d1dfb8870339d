// What an instance needs for mixtures of experts: scratch memory, and the matrices as the copy engine reads them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "transformer/model.h"

namespace dyno::transformer {

constexpr int groupedSharedBytes = 4 * (48 << 10) + 1024;

struct ExpertScratch {
  cuda::DevicePointer logits = 0, ticket = 0, pairExpert = 0, pairWeight = 0, pairRank = 0, sorted = 0, offsets = 0,
                      active = 0, counts = 0, gathered = 0, h = 0, y = 0, shared = 0;
  // Of Hopper's grouped products; without them the products of few rows serve any number of tokens, reading the weights
  // again for each 16 of an expert.
  bool grouped = false;
  cuda::TensorMap gatheredMap, hMap;
  std::vector<cuda::TensorMap> gateUpMaps, downMaps;  // per layer
};

// Few tokens: the products that stream each active expert's weights are faster than the grouped ones.
constexpr int fewTokens = 64;
inline bool isFew(const Shape& shape, int tokens) { return tokens <= fewTokens && tokens * shape.topK <= 1024; }

template <class Want>
void wantExperts(ExpertScratch& scratch, const Shape& shape, std::size_t tokens, Want want) {
  const auto wide = [](int n) { return static_cast<std::size_t>(n); };
  const std::size_t pairs = tokens * wide(shape.topK);
  want(scratch.logits, fewTokens * wide(shape.experts) * 4);
  want(scratch.ticket, 4);
  want(scratch.pairExpert, pairs * 4);
  want(scratch.pairWeight, pairs * 4);
  want(scratch.pairRank, pairs * 4);
  want(scratch.sorted, pairs * 4);
  want(scratch.offsets, (wide(shape.experts) + 1) * 4);
  want(scratch.active, (wide(shape.experts) + 1) * 4);
  want(scratch.counts, wide(shape.layers) * wide(shape.experts) * 4);
  want(scratch.gathered, pairs * wide(shape.hidden) * 2);
  want(scratch.h, pairs * wide(shape.expertFfn) * 2);
  want(scratch.y, pairs * wide(shape.hidden) * 2);
  if (shape.sharedFfn > 0) want(scratch.shared, tokens * wide(shape.hidden) * 2);
}
// Describes gathered rows, intermediate rows and all layers' weights, on Hopper.
Status describeExperts(ExpertScratch& scratch, const Model& model, int tokens);

}  // namespace dyno::transformer
