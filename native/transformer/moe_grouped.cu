// Experts of many tokens (prefill): one persistent kernel runs the products of all experts on Hopper's tensor cores.
//
//   kernel            FLOPs (P pairs)   bytes at best (A active experts, hidden H, expert size F)   expected share of the roof
//   moeGateUpGrouped  4·P·F·H           4·A·F·H + 2·P·(H + F)                                       ≥ 75 % of BF16 GEMM from
//   moeDownGrouped    2·P·F·H           2·A·F·H + 2·P·(H + F)                                       256 tokens per expert on;
//                                                                                                   ≥ 75 % of copy below 64
//
//   rows of one expert, 128 per tile          a block: warp group 0 copies (TMA, 4 stages of 48 KiB),
//   ┌────────────┐                            groups 1 and 2 multiply 64 rows × 256 columns each.
//   │ 64: group 1│ × 256 weight rows          moeGateUp: 128 gate rows and the 128 up rows that belong to
//   │ 64: group 2│   of this expert           them, so that silu(gate)·up happens in registers.
//   └────────────┘
//   Tiles are counted expert by expert from the counts on the device; block b takes tiles b, b + grid, … A group whose 64
//   rows are all beyond the expert's last one multiplies nothing. A tile reads rows of the next expert where its own end:
//   they are not written. Source: own, after CUTLASS's warp-specialised persistent kernels and DeepGEMM's grouped layout.
// Tolerance against float64: one BF16 rounding of the output plus 1e-5 of Σ|x·w|.
#include "transformer/hopper.cuh"

constexpr int groupedThreads = 384;

#ifdef DYNO_HOPPER
namespace {
constexpr int stages = 4, tileRows = 128, tileColumns = 256, depth = 64;
constexpr unsigned rowBytes = tileRows * depth * 2, columnBytes = tileColumns * depth * 2,
                   stageBytes = rowBytes + columnBytes;
constexpr int mostExperts = 256;

// Which tile a number means.
struct Tile {
  int expert, firstRow, rows, column;  // rows: of this expert from firstRow on; column: tile of columns
};

// Walks tiles in ascending order.
class Tiles {
 public:
  __device__ Tiles(const int* offsets, int experts, int columnTiles)
      : offsets_(offsets), experts_(experts), columnTiles_(columnTiles) {}
  // False when `number` is beyond the last tile. Column tiles of the same rows lie apart, row tiles side by side: blocks
  // that run at the same time share a tile of weights.
  __device__ bool find(int number, Tile& tile) {
    while (expert_ < experts_) {
      const int begin = offsets_[expert_], count = offsets_[expert_ + 1] - begin;
      const int rowTiles = (count + tileRows - 1) / tileRows, here = rowTiles * columnTiles_;
      if (number - before_ < here) {
        const int within = number - before_, row = within % rowTiles;
        tile = {expert_, begin + row * tileRows, count - row * tileRows, within / rowTiles};
        return true;
      }
      before_ += here;
      ++expert_;
    }
    return false;
  }

 private:
  const int* offsets_;
  int experts_, columnTiles_, expert_ = 0, before_ = 0;
};

// Four lanes hold word t of four blocks each; afterwards lane t holds block t's four words.
__device__ __forceinline__ void transposeQuad(std::uint32_t (&v)[4]) {
  const bool odd = threadIdx.x & 1, high = threadIdx.x & 2;
  std::uint32_t a = __shfl_xor_sync(0xFFFFFFFFu, odd ? v[0] : v[1], 1);
  std::uint32_t b = __shfl_xor_sync(0xFFFFFFFFu, odd ? v[2] : v[3], 1);
  if (odd) v[0] = a, v[2] = b;
  else v[1] = a, v[3] = b;
  a = __shfl_xor_sync(0xFFFFFFFFu, high ? v[0] : v[2], 2);
  b = __shfl_xor_sync(0xFFFFFFFFu, high ? v[1] : v[3], 2);
  if (high) v[0] = a, v[1] = b;
  else v[2] = a, v[3] = b;
}

// Runs all tiles. `weightRow(tile, half)` is the first of the 128 weight rows of either half of the columns;
// `finish(tile, first row of this group, sums)` writes 64 rows.
template <class WeightRow, class Finish>
__device__ __forceinline__ void runTiles(const TensorMap& xMap, const TensorMap& weightMap, const int* offsets,
                                         int experts, int columnTiles, int K, WeightRow weightRow, Finish finish) {
  extern __shared__ unsigned char raw[];
  __shared__ int offset[mostExperts + 1];
  __shared__ alignas(8) std::uint64_t barriers[2 * stages];
  const std::uint32_t buffers = (sharedAddress(raw) + 1023u) & ~1023u;
  const std::uint32_t full = sharedAddress(barriers), empty = full + 8 * stages;
  // Broadcast, so that the compiler sees that a warp takes one way: products in divergent code would wait for each other.
  const int group = __shfl_sync(0xFFFFFFFFu, threadIdx.x / 128, 0);
  if (threadIdx.x == 0) {
    prefetchMap(&xMap);
    prefetchMap(&weightMap);
    for (int s = 0; s < stages; ++s) {
      initBarrier(full + 8 * s, 1);
      initBarrier(empty + 8 * s, 8);  // each consuming warp: none may fall a phase behind, also where it only watches
    }
    publishBarriers();
  }
  waitForPrevious();
  letNextStart();
  for (int i = threadIdx.x; i <= experts; i += groupedThreads) offset[i] = __ldcg(offsets + i);
  __syncthreads();
  const int steps = (K + depth - 1) / depth;
  Tiles tiles(offset, experts, columnTiles);
  Tile tile;
  int stage = 0;
  unsigned parity = 0;
  if (group == 0) {
    shrinkRegisters<40>();
    if (threadIdx.x == 0) {
      for (int number = blockIdx.x; tiles.find(number, tile); number += gridDim.x) {
        const int row0 = weightRow(tile, 0), row1 = weightRow(tile, 1);
        for (int step = 0; step < steps; ++step) {
          waitBarrier(empty + 8 * stage, parity ^ 1);
          const std::uint32_t to = buffers + stage * stageBytes, barrier = full + 8 * stage;
          arriveExpecting(barrier, stageBytes);
          copyBox(to, &xMap, barrier, step * depth, tile.firstRow);
          copyBox(to + rowBytes, &weightMap, barrier, step * depth, row0);
          copyBox(to + rowBytes + columnBytes / 2, &weightMap, barrier, step * depth, row1);
          if (++stage == stages) stage = 0, parity ^= 1;
        }
      }
    }
    return;
  }
  growRegisters<232>();
  const int firstOfGroup = (group - 1) * 64;
  const bool signals = threadIdx.x % 32 == 0;
  float sum[128];
  for (int number = blockIdx.x; tiles.find(number, tile); number += gridDim.x) {
    const bool multiplies = __shfl_sync(0xFFFFFFFFu, tile.rows > firstOfGroup, 0) != 0;
    int previous = -1;
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
      waitBarrier(full + 8 * stage, parity);
      if (multiplies) {
        const std::uint32_t a = buffers + stage * stageBytes + firstOfGroup * depth * 2,
                            b = buffers + stage * stageBytes + rowBytes;
        beginGroup();
#pragma unroll
        for (int k = 0; k < depth / 16; ++k)
          multiplyGroup256(sum, describeOperand(a + 32 * k), describeOperand(b + 32 * k), step > 0 || k > 0);
        commitGroup();
        waitGroup<1>();  // the step before has read its buffers
      }
      if (previous >= 0 && signals) arrive(empty + 8 * previous);
      previous = stage;
      if (++stage == stages) stage = 0, parity ^= 1;
    }
    if (multiplies) {
      waitGroup<0>();
      pinRegisters(sum);
      if (signals) arrive(empty + 8 * previous);
      finish(tile, firstOfGroup, sum);
    } else if (signals) {
      arrive(empty + 8 * previous);
    }
  }
}
}  // namespace
#endif

// h[place] = silu(gate · x) · (up · x). xMap: gathered rows [pairs][H], boxes of 64 × 128; weightMap: [experts·2·F][H],
// likewise; both swizzled by 128 bytes. F: a multiple of 8. grid: any number of blocks, best one per multiprocessor;
// 384 threads; shared bytes 4·48 KiB + 1 KiB.
extern "C" __global__ void __launch_bounds__(groupedThreads, 1)
    moeGateUpGrouped(const __grid_constant__ TensorMap xMap, const __grid_constant__ TensorMap weightMap, bf16* h,
                     const int* offsets, int experts, int hidden, int ffn) {
#ifdef DYNO_HOPPER
  runTiles(
      xMap, weightMap, offsets, experts, (ffn + 127) / 128, hidden,
      [&](const Tile& tile, int half) { return (tile.expert * 2 + half) * ffn + tile.column * 128; },
      [&](const Tile& tile, int first, float (&sum)[128]) {
        const int lane = threadIdx.x % 32, t = lane % 4;
        const int row = first + threadIdx.x / 32 % 4 * 16 + lane / 4;
#pragma unroll
        for (int four = 0; four < 4; ++four)
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            std::uint32_t word[4];
#pragma unroll
            for (int j = 0; j < 4; ++j) {
              const int at = 4 * (4 * four + j) + 2 * half;
              const float g0 = sum[at], g1 = sum[at + 1];
              word[j] = packPair(g0 / (1.0f + __expf(-g0)) * sum[64 + at], g1 / (1.0f + __expf(-g1)) * sum[64 + at + 1]);
            }
            transposeQuad(word);
            const int column = tile.column * 128 + (4 * four + t) * 8, here = row + 8 * half;
            if (here < tile.rows && column < ffn)
              storeVector(h + static_cast<std::size_t>(tile.firstRow + here) * ffn + column,
                          Vector8{{word[0], word[1], word[2], word[3]}});
          }
      });
#endif
}

// y[pair] = weight of the pair · (down · h[place]). hMap: [pairs][F]; weightMap: [experts·H][F]; else as above. H: a
// multiple of 8.
extern "C" __global__ void __launch_bounds__(groupedThreads, 1)
    moeDownGrouped(const __grid_constant__ TensorMap hMap, const __grid_constant__ TensorMap weightMap, bf16* y,
                   const float* pairWeight, const int* sorted, const int* offsets, int experts, int hidden, int ffn) {
#ifdef DYNO_HOPPER
  runTiles(
      hMap, weightMap, offsets, experts, (hidden + 255) / 256, ffn,
      [&](const Tile& tile, int half) { return tile.expert * hidden + tile.column * 256 + half * 128; },
      [&](const Tile& tile, int first, float (&sum)[128]) {
        const int lane = threadIdx.x % 32, t = lane % 4;
        const int row = first + threadIdx.x / 32 % 4 * 16 + lane / 4;
        int pair[2];
        float weight[2];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const bool valid = row + 8 * half < tile.rows;
          pair[half] = valid ? __ldcg(sorted + tile.firstRow + row + 8 * half) : -1;
          weight[half] = valid ? __ldcg(pairWeight + pair[half]) : 0.0f;
        }
#pragma unroll
        for (int four = 0; four < 8; ++four)
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            std::uint32_t word[4];
#pragma unroll
            for (int j = 0; j < 4; ++j) {
              const int at = 4 * (4 * four + j) + 2 * half;
              word[j] = packPair(sum[at] * weight[half], sum[at + 1] * weight[half]);
            }
            transposeQuad(word);
            const int column = tile.column * 256 + (4 * four + t) * 8;
            if (pair[half] >= 0 && column < hidden)
              storeVector(y + static_cast<std::size_t>(pair[half]) * hidden + column,
                          Vector8{{word[0], word[1], word[2], word[3]}});
          }
      });
#endif
}
