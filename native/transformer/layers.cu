// The transformer's row-wise kernels: embedding, RMSNorm, QK-norm with RoPE and KV write, SwiGLU. All are bound by memory.
//
//   kernel         bytes per token (hidden H, heads h, KV heads k, head size D, feed-forward F)   share of the copy roof
//   embedTokens    4·H                                                                            latency only
//   rmsNorm        4·H (+ the weight, from L2)                                                    ≥ 80 % from 1,024 rows on
//   ropeKv         4·D·(h + k) + 4·D·k                                                            ≥ 75 %
//   swiglu         6·F                                                                            ≥ 85 %
//
// FLOPs are below 1 per byte everywhere. Sources: Llama (Touvron et al. 2023), RoFormer (Su et al. 2021), Qwen3 (QK-norm);
// rounding follows transformers' modeling_llama.py: sums in FP32, one rounding to BF16 per output.
#include "transformer/device.cuh"

// x[t] = table[token]; a negative token −1 − s stands for the token that slot s sampled last on the device. Block 0 stamps
// the pass's start.
extern "C" __global__ void embedTokens(bf16* x, const bf16* table, const int* tokens, const int* lastTokens, int hidden,
                                       unsigned long long* started) {
  waitForPrevious();
  letNextStart();
  if (blockIdx.x == 0 && threadIdx.x == 0 && started != nullptr) {
    unsigned long long now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
    *started = now;
  }
  int token = tokens[blockIdx.x];
  if (token < 0) token = lastTokens[-1 - token];
  const bf16* from = table + static_cast<std::size_t>(token) * hidden;
  bf16* to = x + static_cast<std::size_t>(blockIdx.x) * hidden;
  for (int i = threadIdx.x * 8; i < hidden; i += blockDim.x * 8) storeVector(to + i, loadVector(from + i));
}

// Hidden states of sequences between two passes (early exit, pipeline stages): store[slots[i]] = x[rows[i]], or back.
extern "C" __global__ void storeHidden(bf16* store, const bf16* x, const int* slots, const int* rows, int hidden) {
  waitForPrevious();
  letNextStart();
  const bf16* from = x + static_cast<std::size_t>(rows[blockIdx.x]) * hidden;
  bf16* to = store + static_cast<std::size_t>(slots[blockIdx.x]) * hidden;
  for (int i = threadIdx.x * 8; i < hidden; i += blockDim.x * 8) storeVector(to + i, loadVector(from + i));
}
extern "C" __global__ void loadHidden(bf16* x, const bf16* store, const int* slots, const int* rows, int hidden,
                                      unsigned long long* started) {
  waitForPrevious();
  letNextStart();
  if (blockIdx.x == 0 && threadIdx.x == 0 && started != nullptr) {
    unsigned long long now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
    *started = now;
  }
  const bf16* from = store + static_cast<std::size_t>(slots[blockIdx.x]) * hidden;
  bf16* to = x + static_cast<std::size_t>(rows[blockIdx.x]) * hidden;
  for (int i = threadIdx.x * 8; i < hidden; i += blockDim.x * 8) storeVector(to + i, loadVector(from + i));
}

// out[r] = x[rows ? rows[r] : r] / rms · weight. One block of 256 threads per row.
extern "C" __global__ void __launch_bounds__(256) rmsNorm(bf16* out, const bf16* x, const bf16* weight, const int* rows,
                                                          int hidden, float epsilon) {
  waitForPrevious();
  letNextStart();
  const std::size_t row = rows != nullptr ? rows[blockIdx.x] : blockIdx.x;
  const bf16* from = x + row * hidden;
  float squares = 0;
  for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
    const Vector8 v = loadVector(from + i);
#pragma unroll
    for (int w = 0; w < 4; ++w)
      squares += lowOf(v.word[w]) * lowOf(v.word[w]) + highOf(v.word[w]) * highOf(v.word[w]);
  }
  __shared__ float partial[8];
  squares = warpSum(squares);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = squares;
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int w = 0; w < 8; ++w) total += partial[w];
  const float scale = rsqrtf(total / static_cast<float>(hidden) + epsilon);
  bf16* to = out + static_cast<std::size_t>(blockIdx.x) * hidden;
  for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
    const Vector8 v = loadVector(from + i), g = loadVector(weight + i);
    Vector8 result;
#pragma unroll
    for (int w = 0; w < 4; ++w)
      result.word[w] = packPair(roundToBf16(lowOf(v.word[w]) * scale) * lowOf(g.word[w]),
                                roundToBf16(highOf(v.word[w]) * scale) * highOf(g.word[w]));
    storeVector(to + i, result);
  }
}

// One warp per head of one token: adds the bias, normalises (Qwen3), rotates by position, and leaves the query in place or
// writes key and value into their block. `table` is cos and sin per position and pair. A token whose kvSlots entry is −1
// (padding) writes nothing.
//
//   block of one layer: [K or V][KV head][token of the block][head size]
template <int D>
__device__ __forceinline__ void ropeKvOf(bf16* qkv, bf16* cache, const bf16* bias, const bf16* qNorm, const bf16* kNorm,
                                         const int* positions, const int* kvSlots, const float2* table, int heads,
                                         int kvHeads, int blockTokens, float epsilon) {
  const int token = blockIdx.x, lane = threadIdx.x % 32;
  const int head = blockIdx.y * (blockDim.x / 32) + threadIdx.x / 32;
  waitForPrevious();
  letNextStart();
  const int slot = kvSlots[token];
  if (head >= heads + 2 * kvHeads || slot < 0) return;
  bf16* at = qkv + (static_cast<std::size_t>(token) * (heads + 2 * kvHeads) + head) * D;
  const bool isValue = head >= heads + kvHeads, isQuery = head < heads;
  float first[D / 64], second[D / 64];
  constexpr int each = D / 64;  // elements of each half per lane: 2 for 128, 1 for 64
#pragma unroll
  for (int i = 0; i < each; ++i) {
    first[i] = __bfloat162float(at[lane * each + i]);
    second[i] = __bfloat162float(at[D / 2 + lane * each + i]);
    if (bias != nullptr) {
      first[i] = roundToBf16(first[i] + __bfloat162float(bias[head * D + lane * each + i]));
      second[i] = roundToBf16(second[i] + __bfloat162float(bias[head * D + D / 2 + lane * each + i]));
    }
  }
  if (!isValue) {
    if (const bf16* norm = isQuery ? qNorm : kNorm; norm != nullptr) {
      float squares = 0;
#pragma unroll
      for (int i = 0; i < each; ++i) squares += first[i] * first[i] + second[i] * second[i];
      const float scale = rsqrtf(warpSum(squares) / static_cast<float>(D) + epsilon);
#pragma unroll
      for (int i = 0; i < each; ++i) {
        first[i] = roundToBf16(roundToBf16(first[i] * scale) * __bfloat162float(norm[lane * each + i]));
        second[i] = roundToBf16(roundToBf16(second[i] * scale) * __bfloat162float(norm[D / 2 + lane * each + i]));
      }
    }
    const float2* turn = table + static_cast<std::size_t>(positions[token]) * (D / 2) + lane * each;
#pragma unroll
    for (int i = 0; i < each; ++i) {
      const float2 angle = turn[i];
      const float a = first[i], b = second[i];
      first[i] = a * angle.x - b * angle.y;
      second[i] = b * angle.x + a * angle.y;
    }
  }
  bf16* to = at;
  if (!isQuery) {
    const int kv = isValue ? 1 : 0, kvHead = head - heads - kv * kvHeads;
    const std::size_t block = slot / blockTokens, within = slot % blockTokens;
    to = cache + (((block * 2 + kv) * kvHeads + kvHead) * blockTokens + within) * D;
  }
  if constexpr (each == 2) {
    *reinterpret_cast<std::uint32_t*>(to + lane * 2) = packPair(first[0], first[1]);
    *reinterpret_cast<std::uint32_t*>(to + D / 2 + lane * 2) = packPair(second[0], second[1]);
  } else {
    to[lane] = __float2bfloat16_rn(first[0]);
    to[D / 2 + lane] = __float2bfloat16_rn(second[0]);
  }
}
#define DYNO_ROPE(D)                                                                                                  \
  extern "C" __global__ void __launch_bounds__(256)                                                                   \
      ropeKv##D(bf16* qkv, bf16* cache, const bf16* bias, const bf16* qNorm, const bf16* kNorm, const int* positions, \
                const int* kvSlots, const float2* table, int heads, int kvHeads, int blockTokens, float epsilon) {    \
    ropeKvOf<D>(qkv, cache, bias, qNorm, kNorm, positions, kvSlots, table, heads, kvHeads, blockTokens, epsilon);     \
  }
DYNO_ROPE(64)
DYNO_ROPE(128)

// out[t, f] = silu(gateUp[t, f]) · gateUp[t, F + f]; one thread per eight outputs.
extern "C" __global__ void __launch_bounds__(256) swiglu(bf16* out, const bf16* gateUp, int rows, int ffn) {
  waitForPrevious();
  letNextStart();
  const std::size_t each = static_cast<std::size_t>(ffn) / 8, total = each * rows;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * 256 + threadIdx.x; i < total;
       i += static_cast<std::size_t>(gridDim.x) * 256) {
    const std::size_t row = i / each, column = (i - row * each) * 8;
    const Vector8 gate = loadVector(gateUp + row * 2 * ffn + column);
    const Vector8 up = loadVector(gateUp + row * 2 * ffn + ffn + column);
    Vector8 result;
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      const float a = lowOf(gate.word[w]), b = highOf(gate.word[w]);
      result.word[w] =
          packPair(a / (1.0f + __expf(-a)) * lowOf(up.word[w]), b / (1.0f + __expf(-b)) * highOf(up.word[w]));
    }
    storeVector(out + row * ffn + column, result);
  }
}
