// One pass: what the scheduler asks (columns, one entry per row), what it is answered, and how its numbers lie in the one
// block of integers that is copied to the device before it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cuda/cuda_api.h"
#include "driver/driver_error.h"
#include "transformer/shape.h"

namespace dyno::transformer {

constexpr unsigned rowPrefill = 1, rowSamples = 2, rowFromDevice = 4;

struct PassPlan {
  std::vector<std::int32_t> slots, starts, counts, tokens, blockOffsets, blocks;
  std::vector<std::uint8_t> flags;
  int fromLayer = 0, toLayer = 0;
  bool head = true, confidence = false, sampleAll = false;
  int logits = 0;  // 0 none, 1 of sampled rows (all positions with sampleAll)
  // Sampling; empty: greedy.
  std::vector<float> temperature, topP;
  std::vector<std::uint32_t> draws, masks;
  std::vector<std::int32_t> mask;
  std::string label;
};

struct PassOutcome {
  std::optional<DriverError> error;
  std::int64_t startNs = 0, endNs = 0, clockErrorNs = 0;
  int launches = 0;
  bool graph = false;
  std::int64_t hostCpuNs = 0;
  std::vector<std::int32_t> tokens, expertTokens;
  std::vector<float> confidence, logits;
};

// What a plan is checked against.
struct PassLimits {
  int maxSequences = 0, maxTokens = 0, maxContext = 0, poolBlocks = 0, blockTokens = 0;
};
Status checkPlan(const PassPlan& plan, const Shape& shape, const PassLimits& limits);

// A row as the attention kernels read it: 8 integers.
struct DeviceRow {
  std::int32_t token, length, blocks, firstItem, items, start, count, unused;
};

// Sections of the block of integers, as offsets in integers from its start. A decode graph's offsets depend on its bucket
// only: the block list, whose length varies, is last.
struct PassLayout {
  int tokens = 0;        // padded token count
  int rows = 0;          // rows with padding (decode graphs)
  int decodeRows = 0, prefillRows = 0, items = 0, tiles = 0, samples = 0;
  int maxItems = 0, maxSamples = 0;
  std::size_t tokenAt = 0, positionAt = 0, kvSlotAt = 0, rowAt = 0, itemCountAt = 0, itemAt = 0, tileAt = 0,
              sampleRowAt = 0, sampleSlotAt = 0, hiddenSlotAt = 0, hiddenRowAt = 0, blockAt = 0, total = 0;
};

// Rows that a matrix product of `tokens` rows is run with: few distinct counts, little waste.
int paddedRows(int tokens);
// Packed query rows of one prefill tile.
constexpr int tileRows = 128;

// Fills `into` (its capacity is at least what `layoutOf` says) and returns the layout. `bucket` > 0: a decode graph of that
// many rows. `splitTarget` is the number of KV-head blocks that fill the card.
PassLayout layoutOf(const PassPlan& plan, const Shape& shape, int bucket, int splitTarget);
void fillPass(const PassPlan& plan, const Shape& shape, const PassLimits& limits, int splitTarget, PassLayout& layout,
              std::int32_t* into);
// The sampled positions of a plan: rows with rowSamples, or every position with sampleAll.
int sampledCount(const PassPlan& plan);

}  // namespace dyno::transformer
