// Prefill attention on tensor cores: causal, grouped queries, chunked, over a paged KV cache that holds the chunk's own keys
// too (they are written before).
//
//   FLOPs  4·D·h·Σ_t (t + 1) over a sequence's tokens t      bytes  2·D·(2·h + 2·k) per token, and K and V again per 128-row tile
//   (from L2)      roof: tensor cores; mma.sync reaches some 45 % of Hopper's BF16 GEMM rate, see attention_hopper.cu for wgmma
//
// A block takes 128 rows, where a row is one query head of one token: the G heads of a KV head are packed, token by token, so
// that K and V are read once for all of them and the diagonal spans few tokens. Eight warps hold 16 rows each:
//
//   for each 64 tokens of K, V (cp.async, two stages):   S = Q·K^T;  running softmax;  O += P·V
//
// Sources: FlashAttention-2 (Dao 2023); packing of heads: FlashDecoding and FA3's pack_gqa (Shah et al. 2024).
#include "transformer/device.cuh"

namespace {

constexpr int tileRows = 128, tileTokens = 64, warps = 8;

struct Row {
  int token, length, blocks, firstItem, items, start, count, unused;
};

template <int D>
__device__ __forceinline__ void prefill(bf16* out, const bf16* qkv, const bf16* cache, const Row* rows, const int2* tiles,
                                        const int* blocks, int heads, int kvHeads, int blockTokens, float scaleLog2) {
  constexpr int steps = D / 16, chunksPerRow = D / 8;
  extern __shared__ char shared[];
  waitForPrevious();
  letNextStart();
  const int2 tile = tiles[blockIdx.y];
  const Row row = rows[tile.x];
  const int kvHead = blockIdx.x, thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
  const int group = heads / kvHeads;
  const std::size_t headSize = static_cast<std::size_t>(blockTokens) * D;
  const std::uint32_t queryAt = sharedAddress(shared), keysAt = queryAt + tileRows * D * 2;
  constexpr int stageBytes = 2 * tileTokens * D * 2;
  const auto place = [](int r, int c) { return static_cast<std::uint32_t>(r * D * 2 + ((c ^ (r & 7)) * 16)); };

  for (int at = thread; at < tileRows * chunksPerRow; at += warps * 32) {
    const int r = at / chunksPerRow, c = at % chunksPerRow, packed = tile.y * tileRows + r;
    const int token = packed / group, head = packed % group;
    const bool valid = token < row.count;
    const bf16* from = qkv + (static_cast<std::size_t>(row.token + (valid ? token : 0)) * (heads + 2 * kvHeads) + kvHead * group + head) * D + c * 8;
    copyAsync(queryAt + place(r, c), from, valid ? 16 : 0);
  }
  const int lastToken = min((tile.y * tileRows + tileRows - 1) / group, row.count - 1);
  const int length = row.start + lastToken + 1;
  const int fetches = (length + tileTokens - 1) / tileTokens;
  const int groupsPerBlock = blockTokens / 16;
  const auto fetch = [&](int n) {
    if (n < fetches) {
      const std::uint32_t to = keysAt + (n & 1) * stageBytes;
#pragma unroll
      for (int i = 0; i < tileTokens * chunksPerRow / (warps * 32); ++i) {
        const int at = i * warps * 32 + thread, r = at / chunksPerRow, c = at % chunksPerRow;
        const int token = n * tileTokens + r;
        const bool valid = token < length;
        const int g = (valid ? token : 0) / 16, block = blocks[row.blocks + g / groupsPerBlock];
        const bf16* k = cache + (static_cast<std::size_t>(block) * 2 * kvHeads + kvHead) * headSize +
                        static_cast<std::size_t>(g % groupsPerBlock * 16 + token % 16) * D + c * 8;
        copyAsync(to + place(r, c), k, valid ? 16 : 0);
        copyAsync(to + tileTokens * D * 2 + place(r, c), k + kvHeads * headSize, valid ? 16 : 0);
      }
    }
    commitCopies();
  };
  fetch(0);
  fetch(1);

  // Packed rows of this thread's fragments, as positions.
  const int low = tile.y * tileRows + warp * 16 + lane / 4;
  const int positionLow = row.start + low / group, positionHigh = row.start + (low + 8) / group;
  const int warpFirst = row.start + (tile.y * tileRows + warp * 16) / group;
  std::uint32_t query[steps][4];
  float output[D / 8][4], maximum[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < D / 8; ++i) output[i][0] = output[i][1] = output[i][2] = output[i][3] = 0;

  for (int n = 0; n < fetches; ++n) {
    waitCopies<1>();
    __syncthreads();
    if (n == 0) {
#pragma unroll
      for (int s = 0; s < steps; ++s) loadMatrix4(query[s], queryAt + place(warp * 16 + lane % 16, s * 2 + lane / 16));
    }
    const std::uint32_t k = keysAt + (n & 1) * stageBytes, v = k + tileTokens * D * 2;
    float score[tileTokens / 8][4];
#pragma unroll
    for (int i = 0; i < tileTokens / 8; ++i) score[i][0] = score[i][1] = score[i][2] = score[i][3] = 0;
#pragma unroll
    for (int s = 0; s < steps; ++s) {
#pragma unroll
      for (int i = 0; i < tileTokens / 16; ++i) {
        std::uint32_t b[4];  // tokens 0–7 and 8–15 of the 16, each k 0–7 and 8–15
        loadMatrix4(b, k + place(i * 16 + lane % 8 + lane / 16 * 8, s * 2 + lane / 8 % 2));
        multiply(score[2 * i], query[s], b[0], b[1]);
        multiply(score[2 * i + 1], query[s], b[2], b[3]);
      }
    }
    const bool masked = (n + 1) * tileTokens - 1 > warpFirst;
    float top[2] = {maximum[0], maximum[1]};
#pragma unroll
    for (int i = 0; i < tileTokens / 8; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int token = n * tileTokens + i * 8 + lane % 4 * 2 + j % 2;
        score[i][j] *= scaleLog2;
        if (masked && token > (j < 2 ? positionLow : positionHigh)) score[i][j] = -INFINITY;
        top[j / 2] = fmaxf(top[j / 2], score[i][j]);
      }
    }
    float fade[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      top[h] = fmaxf(top[h], __shfl_xor_sync(0xFFFFFFFFu, top[h], 1));
      top[h] = fmaxf(top[h], __shfl_xor_sync(0xFFFFFFFFu, top[h], 2));
      fade[h] = powerOfTwo(maximum[h] - top[h]);
      maximum[h] = top[h];
      sum[h] *= fade[h];
    }
#pragma unroll
    for (int i = 0; i < D / 8; ++i) {
      output[i][0] *= fade[0];
      output[i][1] *= fade[0];
      output[i][2] *= fade[1];
      output[i][3] *= fade[1];
    }
#pragma unroll
    for (int i = 0; i < tileTokens / 8; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        score[i][j] = powerOfTwo(score[i][j] - maximum[j / 2]);
        sum[j / 2] += score[i][j];
      }
    }
#pragma unroll
    for (int t = 0; t < tileTokens / 16; ++t) {
      const std::uint32_t p[4] = {packPair(score[2 * t][0], score[2 * t][1]), packPair(score[2 * t][2], score[2 * t][3]),
                                  packPair(score[2 * t + 1][0], score[2 * t + 1][1]),
                                  packPair(score[2 * t + 1][2], score[2 * t + 1][3])};
#pragma unroll
      for (int d = 0; d < D / 16; ++d) {
        std::uint32_t b[4];  // dimensions 0–7 and 8–15 of the 16, each tokens 0–7 and 8–15
        loadMatrix4Transposed(b, v + place(t * 16 + lane % 8 + lane / 8 % 2 * 8, d * 2 + lane / 16));
        multiply(output[2 * d], p, b[0], b[1]);
        multiply(output[2 * d + 1], p, b[2], b[3]);
      }
    }
    __syncthreads();
    fetch(n + 2);
  }
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    sum[h] += __shfl_xor_sync(0xFFFFFFFFu, sum[h], 1);
    sum[h] += __shfl_xor_sync(0xFFFFFFFFu, sum[h], 2);
    const int packed = low + h * 8, token = packed / group, head = packed % group;
    if (token >= row.count) continue;
    const float scale = 1.0f / sum[h];
    bf16* to = out + (static_cast<std::size_t>(row.token + token) * heads + kvHead * group + head) * D + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < D / 8; ++i)
      *reinterpret_cast<std::uint32_t*>(to + i * 8) = packPair(output[i][2 * h] * scale, output[i][2 * h + 1] * scale);
  }
}

}  // namespace

#define DYNO_PREFILL(D)                                                                                                 \
  extern "C" __global__ void __launch_bounds__(256, 1)                                                                  \
      prefillAttention##D(bf16* out, const bf16* qkv, const bf16* cache, const Row* rows, const int2* tiles,            \
                          const int* blocks, int heads, int kvHeads, int blockTokens, float scaleLog2) {                \
    prefill<D>(out, qkv, cache, rows, tiles, blocks, heads, kvHeads, blockTokens, scaleLog2);                           \
  }
DYNO_PREFILL(64)
DYNO_PREFILL(128)
