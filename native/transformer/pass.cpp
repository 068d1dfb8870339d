#include "transformer/pass.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace dyno::transformer {
namespace {

DriverError refused(std::size_t row, const std::string& what) {
  return DriverError{"", 0, "PLAN", "Row " + std::to_string(row) + " of the pass: " + what, ""};
}
DriverError refused(const std::string& what) { return DriverError{"", 0, "PLAN", what, ""}; }

int dividedUp(int a, int b) { return (a + b - 1) / b; }
// Every section starts on 16 bytes: items and rows are read as vectors.
std::size_t section(std::size_t& at, std::size_t integers) {
  const std::size_t begin = at;
  at += (integers + 3) / 4 * 4;
  return begin;
}

}  // namespace

Status checkPlan(const PassPlan& plan, const Shape& shape, const PassLimits& limits) {
  const std::size_t rows = plan.slots.size();
  const auto number = [](auto value) { return std::to_string(value); };
  if (rows == 0) return refused("The pass has no rows.");
  if (plan.starts.size() != rows || plan.counts.size() != rows || plan.flags.size() != rows ||
      plan.blockOffsets.size() != rows + 1)
    return refused("The pass's columns differ in length: " + number(rows) + " slots, " + number(plan.starts.size()) +
                   " starts, " + number(plan.counts.size()) + " counts, " + number(plan.flags.size()) + " flags, " +
                   number(plan.blockOffsets.size()) + " block offsets (expected one more).");
  if (rows > static_cast<std::size_t>(limits.maxSequences))
    return refused("The pass has " + number(rows) + " rows, the instance takes " + number(limits.maxSequences) + ".");
  if (plan.fromLayer < 0 || plan.toLayer > shape.layers || plan.fromLayer > plan.toLayer)
    return refused("The pass runs layers " + number(plan.fromLayer) + " to " + number(plan.toLayer) +
                   ", the model has " + number(shape.layers) + ".");
  if (!plan.temperature.empty() &&
      (plan.temperature.size() != rows || plan.topP.size() != rows || plan.draws.size() != 2 * rows))
    return refused("The sampling columns do not have one entry per row (two draws).");
  std::vector<bool> used(static_cast<std::size_t>(limits.maxSequences));
  long long total = 0, brought = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const int slot = plan.slots[i], start = plan.starts[i], count = plan.counts[i];
    if (slot < 0 || slot >= limits.maxSequences)
      return refused(i, "slot " + number(slot) + ", expected 0 to " + number(limits.maxSequences - 1) + ".");
    if (used[static_cast<std::size_t>(slot)]) return refused(i, "slot " + number(slot) + " appears twice.");
    used[static_cast<std::size_t>(slot)] = true;
    if (count < 1) return refused(i, number(count) + " tokens, expected at least one.");
    if (start < 0 || start + count > std::min(limits.maxContext, shape.maxPositions))
      return refused(i, "positions " + number(start) + " to " + number(start + count - 1) + ", the longest context is " +
                            number(std::min(limits.maxContext, shape.maxPositions)) + ".");
    const bool prefill = (plan.flags[i] & rowPrefill) != 0, fromDevice = (plan.flags[i] & rowFromDevice) != 0;
    if ((!prefill || fromDevice) && count != 1)
      return refused(i, number(count) + " tokens in a decode row, expected 1.");
    total += count;
    brought += fromDevice ? 0 : count;
    const int begin = plan.blockOffsets[i], end = plan.blockOffsets[i + 1];
    if (begin < 0 || end < begin || static_cast<std::size_t>(end) > plan.blocks.size())
      return refused(i, "block offsets " + number(begin) + " to " + number(end) + " of " + number(plan.blocks.size()) +
                            " blocks.");
    const int needed = dividedUp(start + count, limits.blockTokens);
    if (end - begin < needed)
      return refused(i, number(end - begin) + " blocks, " + number(start + count) + " tokens need " + number(needed) +
                            ".");
    for (int b = begin; b < begin + needed; ++b) {
      const int block = plan.blocks[static_cast<std::size_t>(b)];
      if (block < 0 || block >= limits.poolBlocks)
        return refused(i, "block " + number(block) + ", the pool has " + number(limits.poolBlocks) + ".");
    }
  }
  if (total > limits.maxTokens)
    return refused("The pass has " + number(total) + " tokens, the instance takes " + number(limits.maxTokens) + ".");
  if (static_cast<std::size_t>(brought) != plan.tokens.size())
    return refused("The pass brings " + number(plan.tokens.size()) + " tokens, its rows need " + number(brought) + ".");
  for (std::size_t i = 0; i < plan.tokens.size(); ++i) {
    if (plan.tokens[i] < 0 || plan.tokens[i] >= shape.vocab)
      return refused("Input token " + number(i) + " is " + number(plan.tokens[i]) + ", the vocabulary has " +
                     number(shape.vocab) + ".");
  }
  return Nothing{};
}

int paddedRows(int tokens) {
  const auto up = [tokens](int step) { return dividedUp(tokens, step) * step; };
  if (tokens <= 2) return tokens;
  if (tokens <= 4) return 4;
  if (tokens <= 32) return up(8);
  if (tokens <= 256) return up(16);
  if (tokens <= 1024) return up(64);
  return up(128);
}

int sampledCount(const PassPlan& plan) {
  int count = 0;
  for (std::size_t i = 0; i < plan.slots.size(); ++i) {
    if ((plan.flags[i] & rowSamples) != 0) count += plan.sampleAll ? plan.counts[i] : 1;
  }
  return count;
}

PassLayout layoutOf(const PassPlan& plan, const Shape& shape, int bucket, int splitTarget) {
  PassLayout layout;
  const int rows = static_cast<int>(plan.slots.size());
  int tokens = 0;
  for (int i = 0; i < rows; ++i) {
    const auto at = static_cast<std::size_t>(i);
    tokens += plan.counts[at];
    if ((plan.flags[at] & rowPrefill) != 0) {
      ++layout.prefillRows;
      layout.tiles += dividedUp(plan.counts[at] * shape.queriesPerKv(), tileRows);
    } else {
      ++layout.decodeRows;
    }
  }
  layout.tokens = bucket > 0 ? bucket : paddedRows(tokens);
  layout.rows = bucket > 0 ? bucket : rows;
  // Each row has one item, and the rest of the card's blocks are shared out.
  layout.maxItems = (bucket > 0 ? bucket : layout.decodeRows) + dividedUp(splitTarget, shape.kvHeads) + 1;
  layout.samples = sampledCount(plan);
  layout.maxSamples = bucket > 0 ? bucket : paddedRows(std::max(layout.samples, 1));
  const auto wide = [](int n) { return static_cast<std::size_t>(n); };
  std::size_t at = 0;
  layout.tokenAt = section(at, wide(layout.tokens));
  layout.positionAt = section(at, wide(layout.tokens));
  layout.kvSlotAt = section(at, wide(layout.tokens));
  layout.rowAt = section(at, wide(layout.rows) * 8);
  layout.itemCountAt = section(at, 1);
  layout.itemAt = section(at, wide(layout.maxItems) * 4);
  layout.tileAt = section(at, wide(layout.tiles) * 2);
  layout.sampleRowAt = section(at, wide(layout.maxSamples));
  layout.sampleSlotAt = section(at, wide(layout.maxSamples));
  layout.hiddenSlotAt = section(at, wide(layout.rows));
  layout.hiddenRowAt = section(at, wide(layout.rows));
  layout.blockAt = section(at, plan.blocks.size());
  layout.total = at;
  return layout;
}

void fillPass(const PassPlan& plan, const Shape& shape, const PassLimits& limits, int splitTarget, PassLayout& layout,
              std::int32_t* into) {
  const std::size_t rows = plan.slots.size();
  const int blockTokens = limits.blockTokens;
  std::int32_t *token = into + layout.tokenAt, *position = into + layout.positionAt, *kvSlot = into + layout.kvSlotAt;
  auto* row = reinterpret_cast<DeviceRow*>(into + layout.rowAt);
  std::int32_t *item = into + layout.itemAt, *tile = into + layout.tileAt;
  std::int32_t *sampleRow = into + layout.sampleRowAt, *sampleSlot = into + layout.sampleSlotAt;
  std::memset(into, 0, layout.blockAt * sizeof(std::int32_t));
  std::copy(plan.blocks.begin(), plan.blocks.end(), into + layout.blockAt);
  std::fill(kvSlot, kvSlot + layout.tokens, -1);
  std::fill(sampleSlot, sampleSlot + layout.maxSamples, -1);
  // Padding rows keep their hidden states in a cell of no sequence.
  std::fill(into + layout.hiddenSlotAt, into + layout.hiddenSlotAt + layout.rows, limits.maxSequences);

  // Cached tokens of all decode rows decide how long an item is: about `splitTarget` blocks in all.
  long long cached = 0;
  for (std::size_t i = 0; i < rows; ++i) cached += (plan.flags[i] & rowPrefill) != 0 ? 0 : plan.starts[i] + 1;
  const long long splits = dividedUp(splitTarget, shape.kvHeads);
  const int span = static_cast<int>(std::max((cached / splits + 63) / 64 * 64, 64LL));

  int next = 0, samples = 0, items = 0;
  std::size_t brought = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const int start = plan.starts[i], count = plan.counts[i], first = plan.blockOffsets[i];
    const std::int32_t* blocks = plan.blocks.data() + first;
    for (int t = 0; t < count; ++t) {
      const int at = start + t;
      token[next + t] = (plan.flags[i] & rowFromDevice) != 0 ? -1 - plan.slots[i] : plan.tokens[brought++];
      position[next + t] = at;
      kvSlot[next + t] = blocks[at / blockTokens] * blockTokens + at % blockTokens;
    }
    row[i] = DeviceRow{next, start + count, first, 0, 0, start, count, 0};
    if ((plan.flags[i] & rowPrefill) == 0) {
      row[i].firstItem = items;
      // Even cuts, to the nearest count: a row just over a span is not cut for its last few tokens.
      const int length = start + count, wanted = std::max((length + span / 2) / span, 1);
      const int each = dividedUp(dividedUp(length, wanted), 16) * 16, cuts = dividedUp(length, each);
      row[i].items = cuts;
      for (int c = 0; c < cuts; ++c, ++items) {
        std::int32_t* to = item + static_cast<std::size_t>(items) * 4;
        to[0] = static_cast<std::int32_t>(i);
        to[1] = c * each;
        to[2] = std::min(length, (c + 1) * each);
        to[3] = c;
      }
    }
    if ((plan.flags[i] & rowSamples) != 0) {
      for (int t = plan.sampleAll ? 0 : count - 1; t < count; ++t, ++samples) {
        sampleRow[samples] = next + t;
        // Only the last position's token is the sequence's next; the others go to a cell of no sequence.
        sampleSlot[samples] = t == count - 1 ? plan.slots[i] : limits.maxSequences;
      }
    }
    into[layout.hiddenSlotAt + i] = plan.slots[i];
    into[layout.hiddenRowAt + i] = next + count - 1;
    next += count;
  }
  layout.items = items;
  into[layout.itemCountAt] = items;
  // Tiles with the longest context first: the short ones fill the end.
  struct Tile {
    std::int32_t row, index;
    int length;
  };
  std::vector<Tile> tiles;
  tiles.reserve(static_cast<std::size_t>(layout.tiles));
  for (std::size_t i = 0; i < rows; ++i) {
    if ((plan.flags[i] & rowPrefill) == 0) continue;
    const int count = dividedUp(plan.counts[i] * shape.queriesPerKv(), tileRows);
    for (int t = 0; t < count; ++t)
      tiles.push_back({static_cast<std::int32_t>(i), t, plan.starts[i] + (t + 1) * tileRows / shape.queriesPerKv()});
  }
  std::sort(tiles.begin(), tiles.end(), [](const Tile& a, const Tile& b) { return a.length > b.length; });
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    tile[2 * i] = tiles[i].row;
    tile[2 * i + 1] = tiles[i].index;
  }
}

}  // namespace dyno::transformer
