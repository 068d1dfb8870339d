// Experts of few tokens (decode): each active expert's weights are read once, and a token's row comes from L2.
//
//   kernel          bytes (A active experts, hidden H, expert size F)   FLOPs (P pairs)   expected share of the copy roof
//   moeGateUpFew    4·A·F·H                                             4·P·F·H           ≥ 85 % (≥ 75 % at one token)
//   moeDownFew      2·A·F·H                                             2·P·F·H           ≥ 85 % (≥ 70 % at one token)
//
// A block computes 32 weight rows (16 of gate and the 16 of up that belong to them; 32 of down) for all tokens of one
// expert, 16 tokens at a time: an expert with more tokens reads its rows again from L2. Weights: [expert][2·F][H] (gate
// rows first) and [expert][H][F], as transformers stacks them. Products: stream.cuh. Source: own.
// Tolerance against float64: one BF16 rounding of h and of y plus 1e-5 of Σ|x·w|.
#include "transformer/stream.cuh"

namespace {
constexpr int warps = 4, tokensAtOnce = 16;

// Adds up the warps' shares: total(tile, weight row, token) of this thread's elements, element = threadIdx.x + 128·i.
struct Partial {
  float at[warps][2][16][tokensAtOnce];
};
template <int NT>
__device__ __forceinline__ void storePartial(Partial& partial, const float (&sum)[2][NT][4]) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int m = 0; m < 2; ++m)
#pragma unroll
    for (int n = 0; n < NT; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) partial.at[warp][m][g + (i / 2) * 8][8 * n + 2 * t + i % 2] = sum[m][n][i];
}
__device__ __forceinline__ float totalOf(const Partial& partial, int m, int row, int token) {
  float total = 0;
#pragma unroll
  for (int w = 0; w < warps; ++w) total += partial.at[w][m][row][token];
  return total;
}
}  // namespace

// h[place] = silu(gate · x) · (up · x) for each sorted place. F is a multiple of 16. grid (F/16, min(experts, pairs)), 128 threads.
extern "C" __global__ void __launch_bounds__(128, 4)
    moeGateUpFew(bf16* h, const bf16* x, const bf16* weight, const int* sorted, const int* offsets, const int* active,
                 int experts, int hidden, int ffn, int top) {
  __shared__ Partial partial;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4;
  const int firstRow = blockIdx.x * 16;
  waitForPrevious();
  letNextStart();
  if (static_cast<int>(blockIdx.y) >= __ldcg(active + experts)) return;
  const int expert = __ldcg(active + blockIdx.y);
  const StreamRows rows = {
      weight + (static_cast<std::size_t>(expert) * 2 * ffn + firstRow + g) * hidden + streamBegin(),
      static_cast<std::size_t>(8) * hidden, static_cast<std::size_t>(ffn) * hidden};
  const int begin = __ldcg(offsets + expert), count = __ldcg(offsets + expert + 1) - begin;
  for (int from = 0; from < count; from += tokensAtOnce) {
    StreamWeights<2> first;
    loadWeights<2>(first, rows, warp * streamChunk, hidden - streamBegin());
    const bf16* xRows[2];
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const int place = begin + min(from + 8 * n + g, count - 1);
      xRows[n] = x + static_cast<std::size_t>(__ldcg(sorted + place) / top) * hidden + streamBegin();
    }
    if (count - from > 8) {
      float sum[2][2][4] = {};
      streamProduct<2, 2>(sum, first, rows, xRows, hidden, warp, warps);
      storePartial<2>(partial, sum);
    } else {
      float sum[2][1][4] = {};
      const bf16* one[1] = {xRows[0]};
      streamProduct<2, 1>(sum, first, rows, one, hidden, warp, warps);
      storePartial<1>(partial, sum);
    }
    __syncthreads();
    const int here = min(tokensAtOnce, count - from);
    for (int i = threadIdx.x; i < 16 * here; i += 128) {
      const int row = i % 16, token = i / 16;
      const float gate = totalOf(partial, 0, row, token), up = totalOf(partial, 1, row, token);
      h[static_cast<std::size_t>(begin + from + token) * ffn + firstRow + row] =
          __float2bfloat16_rn(gate / (1.0f + __expf(-gate)) * up);
    }
    __syncthreads();
  }
}

// y[pair] = weight of the pair · (down · h[place]). H is a multiple of 32. grid (H/32, min(experts, pairs)), 128 threads.
extern "C" __global__ void __launch_bounds__(128, 4)
    moeDownFew(bf16* y, const bf16* h, const bf16* weight, const float* pairWeight, const int* sorted, const int* offsets,
               const int* active, int experts, int hidden, int ffn) {
  __shared__ Partial partial;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4;
  const int firstRow = blockIdx.x * 32;
  // The routing is two launches old and complete; h is the previous launch's. So the first weights are on their way
  // before h is there.
  if (static_cast<int>(blockIdx.y) >= __ldcg(active + experts)) {
    waitForPrevious();
    letNextStart();
    return;
  }
  const int expert = __ldcg(active + blockIdx.y);
  const StreamRows rows = {
      weight + (static_cast<std::size_t>(expert) * hidden + firstRow + g) * ffn + streamBegin(),
      static_cast<std::size_t>(8) * ffn, static_cast<std::size_t>(16) * ffn};
  StreamWeights<2> first;
  loadWeights<2>(first, rows, warp * streamChunk, ffn - streamBegin());
  const int begin = __ldcg(offsets + expert), count = __ldcg(offsets + expert + 1) - begin;
  waitForPrevious();
  letNextStart();
  for (int from = 0; from < count; from += tokensAtOnce) {
    if (from > 0) loadWeights<2>(first, rows, warp * streamChunk, ffn - streamBegin());
    const bf16* xRows[2];
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      xRows[n] = h + static_cast<std::size_t>(begin + min(from + 8 * n + g, count - 1)) * ffn + streamBegin();
    }
    if (count - from > 8) {
      float sum[2][2][4] = {};
      streamProduct<2, 2>(sum, first, rows, xRows, ffn, warp, warps);
      storePartial<2>(partial, sum);
    } else {
      float sum[2][1][4] = {};
      const bf16* one[1] = {xRows[0]};
      streamProduct<2, 1>(sum, first, rows, one, ffn, warp, warps);
      storePartial<1>(partial, sum);
    }
    __syncthreads();
    const int here = min(tokensAtOnce, count - from);
    for (int i = threadIdx.x; i < 32 * here; i += 128) {
      const int row = i % 32, token = i / 32;
      const int pair = __ldcg(sorted + begin + from + token);
      y[static_cast<std::size_t>(pair) * hidden + firstRow + row] =
          __float2bfloat16_rn(totalOf(partial, row / 16, row % 16, token) * __ldcg(pairWeight + pair));
    }
    __syncthreads();
  }
}
