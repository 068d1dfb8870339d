// Decode attention over a paged KV cache, split over the keys (flash-decoding): one query token per row, the G query heads
// of a KV head share its loads.
//
//   bytes  4·D per cached token and KV head (K and V, read once)      FLOPs  4·G·D per cached token and KV head
//   roof: device memory; ≥ 85 % of the copy rate from some 64 MiB of KV on, latency (≈ 5 µs) below
//
// The host cuts each row's tokens into items (token ranges); grid (KV heads, items). Each of a block's four warps takes
// every fourth group of 16 tokens of its item and keeps a running softmax of its own:
//
//   S^T [16 tokens × 8 queries] = K [16 × D] · Q^T          mma.sync m16n8k16, D/16 steps
//   O^T [D × 8 queries]        += V^T [D × 16] · P^T         P^T is S^T's fragment transposed in registers (movmatrix)
//
// Groups are prefetched by cp.async into the warp's own ring, three stages deep. The last block of a row to arrive merges
// the row's items. Sources: FlashAttention-2 (Dao 2023), Flash-Decoding (Dao et al. 2023), PagedAttention (Kwon et al. 2023).
#include "transformer/device.cuh"

namespace {

constexpr int warps = 4, stages = 3, group = 16;

// What the host says of a row: {token index in q and out, cached tokens with this one, first entry of its blocks, first
// item, items, -, -, -}.
struct Row {
  int token, length, blocks, firstItem, items, unused[3];
};

template <int D, int TILES>  // TILES·8 ≥ query heads per KV head
__device__ __forceinline__ void attend(bf16* out, const bf16* qkv, const bf16* cache, const Row* rows, const int4* items,
                                       const int* counts, const int* blocks, float* parts, int* arrived, int heads,
                                       int kvHeads, int blockTokens, float scaleLog2) {
  constexpr int steps = D / 16;
  extern __shared__ char shared[];
  waitForPrevious();
  letNextStart();
  if (static_cast<int>(blockIdx.y) >= counts[0]) return;
  const int4 item = items[blockIdx.y];  // row, first token, end token, index among the row's items
  const Row row = rows[item.x];
  const int kvHead = blockIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int queries = heads / kvHeads;
  const std::size_t headBytes = static_cast<std::size_t>(blockTokens) * D;  // elements of one head of a block

  // Q^T fragments: b0 holds k = 2·(lane % 4), +1 and b1 the same + 8, of query lane / 4.
  std::uint32_t query[TILES][steps][2];
  const bf16* q = qkv + static_cast<std::size_t>(row.token) * (heads + 2 * kvHeads) * D + static_cast<std::size_t>(kvHead) * queries * D;
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) {
    const int n = tile * 8 + lane / 4;
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      const bf16* at = q + static_cast<std::size_t>(n) * D + step * 16 + lane % 4 * 2;
      query[tile][step][0] = n < queries ? *reinterpret_cast<const std::uint32_t*>(at) : 0u;
      query[tile][step][1] = n < queries ? *reinterpret_cast<const std::uint32_t*>(at + 8) : 0u;
    }
  }

  constexpr int tileBytes = group * D * 2;  // K of a group; V follows
  char* ring = shared + warp * stages * 2 * tileBytes;
  const std::uint32_t ringAddress = sharedAddress(ring);
  const int firstGroup = item.y / group, endGroup = (item.z + group - 1) / group;
  const int groupsPerBlock = blockTokens / group;
  constexpr int chunksPerRow = D / 8;  // of 16 bytes
  const auto fetch = [&](int g, int stage) {
    if (g < endGroup) {
      const int block = blocks[row.blocks + g / groupsPerBlock];
      const bf16* k = cache + (static_cast<std::size_t>(block) * 2 * kvHeads + kvHead) * headBytes +
                      static_cast<std::size_t>(g % groupsPerBlock) * group * D;
      const bf16* v = k + static_cast<std::size_t>(kvHeads) * headBytes;
      const std::uint32_t to = ringAddress + stage * 2 * tileBytes;
#pragma unroll
      for (int i = 0; i < group * chunksPerRow / 32; ++i) {
        const int at = i * 32 + lane, r = at / chunksPerRow, c = at % chunksPerRow;
        const bool valid = g * group + r < item.z;
        const std::uint32_t offset = static_cast<std::uint32_t>(r * D * 2 + ((c ^ (r & 7)) * 16));
        copyAsync(to + offset, k + r * D + c * 8, valid ? 16 : 0);
        copyAsync(to + tileBytes + offset, v + r * D + c * 8, valid ? 16 : 0);
      }
    }
    commitCopies();
  };

  float maximum[TILES][2], sum[TILES][2], output[TILES][steps][4];
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) {
    maximum[tile][0] = maximum[tile][1] = -INFINITY;
    sum[tile][0] = sum[tile][1] = 0;
#pragma unroll
    for (int step = 0; step < steps; ++step) output[tile][step][0] = output[tile][step][1] = output[tile][step][2] = output[tile][step][3] = 0;
  }
#pragma unroll
  for (int s = 0; s < stages - 1; ++s) fetch(firstGroup + warp + s * warps, s);

  int stage = 0;
  for (int g = firstGroup + warp; g < endGroup; g += warps) {
    waitCopies<stages - 2>();
    __syncwarp();
    fetch(g + (stages - 1) * warps, (stage + stages - 1) % stages);
    const std::uint32_t k = ringAddress + stage * 2 * tileBytes, v = k + tileBytes;
    stage = stage + 1 == stages ? 0 : stage + 1;

    float score[TILES][4];
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) score[tile][0] = score[tile][1] = score[tile][2] = score[tile][3] = 0;
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      std::uint32_t a[4];
      const int r = lane % 16, c = step * 2 + lane / 16;
      loadMatrix4(a, k + r * D * 2 + ((c ^ (r & 7)) * 16));
#pragma unroll
      for (int tile = 0; tile < TILES; ++tile) multiply(score[tile], a, query[tile][step][0], query[tile][step][1]);
    }
    // Rows of the fragment are tokens lane / 4 and lane / 4 + 8, columns are queries 2·(lane % 4) and the next.
    const bool low = g * group + lane / 4 < item.z, high = g * group + lane / 4 + 8 < item.z;
    std::uint32_t weights[TILES][2];
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      float p[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) p[i] = (i < 2 ? low : high) ? score[tile][i] * scaleLog2 : -INFINITY;
#pragma unroll
      for (int column = 0; column < 2; ++column) {
        float top = fmaxf(p[column], p[2 + column]);
#pragma unroll
        for (int step = 4; step < 32; step <<= 1) top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFFu, top, step));
        const float next = fmaxf(maximum[tile][column], top);
        const float fade = powerOfTwo(maximum[tile][column] - next);
        maximum[tile][column] = next;
        p[column] = powerOfTwo(p[column] - next);
        p[2 + column] = powerOfTwo(p[2 + column] - next);
        sum[tile][column] = sum[tile][column] * fade + p[column] + p[2 + column];
#pragma unroll
        for (int step = 0; step < steps; ++step) {
          output[tile][step][column] *= fade;
          output[tile][step][2 + column] *= fade;
        }
      }
      weights[tile][0] = transposeMatrix(packPair(p[0], p[1]));
      weights[tile][1] = transposeMatrix(packPair(p[2], p[3]));
    }
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      // V^T: rows are dimensions step·16 …, columns are tokens; stored token by token, so loaded transposed.
      std::uint32_t a[4];
      const int r = lane % 8 + lane / 16 * 8, c = step * 2 + lane / 8 % 2;
      loadMatrix4Transposed(a, v + r * D * 2 + ((c ^ (r & 7)) * 16));
#pragma unroll
      for (int tile = 0; tile < TILES; ++tile) multiply(output[tile][step], a, weights[tile][0], weights[tile][1]);
    }
  }
  waitCopies<0>();
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
    for (int column = 0; column < 2; ++column) {
#pragma unroll
      for (int step = 4; step < 32; step <<= 1) sum[tile][column] += __shfl_xor_sync(0xFFFFFFFFu, sum[tile][column], step);
    }
  }

  // The warps' parts, [warp][query][D + 2], then merged by all threads. The ring is free now.
  __syncthreads();
  float* own = reinterpret_cast<float*>(shared);
  constexpr int stride = D + 2;
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
    for (int column = 0; column < 2; ++column) {
      const int n = tile * 8 + lane % 4 * 2 + column;
      float* to = own + (warp * TILES * 8 + n) * stride;
      if (lane / 4 == 0) {
        to[D] = maximum[tile][column];
        to[D + 1] = sum[tile][column];
      }
#pragma unroll
      for (int step = 0; step < steps; ++step) {
        to[step * 16 + lane / 4] = output[tile][step][column];
        to[step * 16 + lane / 4 + 8] = output[tile][step][2 + column];
      }
    }
  }
  __syncthreads();
  bf16* result = out + (static_cast<std::size_t>(row.token) * heads + static_cast<std::size_t>(kvHead) * queries) * D;
  const bool alone = row.items == 1;
  float* part = parts + (static_cast<std::size_t>(row.firstItem + item.w) * kvHeads + kvHead) * queries * stride;
  for (int at = threadIdx.x; at < queries * D; at += warps * 32) {
    const int n = at / D, d = at % D;
    float top = -INFINITY;
#pragma unroll
    for (int w = 0; w < warps; ++w) top = fmaxf(top, own[(w * TILES * 8 + n) * stride + D]);
    float value = 0, total = 0;
#pragma unroll
    for (int w = 0; w < warps; ++w) {
      const float* from = own + (w * TILES * 8 + n) * stride;
      const float share = from[D] == -INFINITY ? 0.0f : powerOfTwo(from[D] - top);
      value += from[d] * share;
      total += from[D + 1] * share;
    }
    if (alone) {
      result[at] = __float2bfloat16_rn(value / total);
    } else {
      part[n * stride + d] = value;
      if (d == 0) {
        part[n * stride + D] = top;
        part[n * stride + D + 1] = total;
      }
    }
  }
  if (alone) return;
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(&arrived[item.x * kvHeads + kvHead], 1) == row.items - 1;
  __syncthreads();
  if (!last) return;
  __threadfence();
  if (threadIdx.x == 0) arrived[item.x * kvHeads + kvHead] = 0;
  // The row's items: their maxima and sums first, as shares in shared memory; then the outputs, eight loads in flight.
  const float* all = parts + (static_cast<std::size_t>(row.firstItem) * kvHeads + kvHead) * queries * stride;
  const std::size_t next = static_cast<std::size_t>(kvHeads) * queries * stride;
  float* shares = own;  // [query][item], then [query]: 1 / Σ
  const int cuts = row.items;
  for (int n = warp; n < queries; n += warps) {
    float top = -INFINITY, total = 0;
    for (int i = lane; i < cuts; i += 32) top = fmaxf(top, __ldcg(all + i * next + n * stride + D));
    top = warpMax(top);
    for (int i = lane; i < cuts; i += 32) {
      const float share = powerOfTwo(__ldcg(all + i * next + n * stride + D) - top);
      shares[n * cuts + i] = share;
      total += share * __ldcg(all + i * next + n * stride + D + 1);
    }
    total = warpSum(total);
    if (lane == 0) shares[queries * cuts + n] = 1.0f / total;
  }
  __syncthreads();
  for (int at = threadIdx.x; at < queries * D; at += warps * 32) {
    const int n = at / D, d = at % D;
    const float* from = all + n * stride + d;
    float value = 0;
    int i = 0;
    for (; i + 8 <= cuts; i += 8) {
      float o[8];
#pragma unroll
      for (int j = 0; j < 8; ++j) o[j] = __ldcg(from + (i + j) * next);
#pragma unroll
      for (int j = 0; j < 8; ++j) value += o[j] * shares[n * cuts + i + j];
    }
    for (; i < cuts; ++i) value += __ldcg(from + i * next) * shares[n * cuts + i];
    result[at] = __float2bfloat16_rn(value * shares[queries * cuts + n]);
  }
}

}  // namespace

#define DYNO_DECODE(D, TILES)                                                                                           \
  extern "C" __global__ void __launch_bounds__(128)                                                                     \
      decodeAttention##D##x##TILES(bf16* out, const bf16* qkv, const bf16* cache, const Row* rows, const int4* items,   \
                                   const int* counts, const int* blocks, float* parts, int* arrived, int heads,         \
                                   int kvHeads, int blockTokens, float scaleLog2) {                                     \
    attend<D, TILES>(out, qkv, cache, rows, items, counts, blocks, parts, arrived, heads, kvHeads, blockTokens,         \
                     scaleLog2);                                                                                        \
  }
DYNO_DECODE(64, 1)
DYNO_DECODE(64, 2)
DYNO_DECODE(128, 1)
DYNO_DECODE(128, 2)
