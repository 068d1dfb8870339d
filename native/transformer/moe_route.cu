// Routing of a mixture of experts: gate, top-k, counting sort by expert, gathering and combining of rows. No count comes
// back to the host: grids follow from the number of tokens, so that a pass can be captured in a graph.
//
//   token t, choice j → pair t·top + j      sorted: pairs ordered by expert, offsets[e] … offsets[e + 1] are expert e's
//
//   kernel         bytes (T tokens, hidden H, E experts, top k)     FLOPs        expected share of the roof
//   moeGate        2·E·H + 2·T·H                                    2·T·E·H      latency (T ≤ 64): ≤ 5 µs
//   moeGateRows    L2: (2·E·H + 64·H) per 32 tokens                 2·T·E·H      ≥ 25 % of the L2 rate
//   moePermute     2·T·H·(1 + k)                                    0            ≥ 70 % of the copy roof
//   moeCombine     2·T·H·(2 + k)                                    T·H·k        ≥ 70 % of the copy roof
//
// The rules are those of transformers' modeling_mixtral.py and modeling_qwen3_moe.py: softmax in FP32 over all experts,
// top-k, weights normalised to sum 1 when asked. `roundLogits` 1 rounds the gate's product to BF16 first, as a BF16 model
// there does; ties go to the lower expert. At most 256 experts and 32 choices.
// Tolerance against float64: logits 1e-5 of |x|·|w| before rounding; weights 1e-5; rows combined 2 BF16 roundings.
#include "transformer/stream.cuh"

namespace {
constexpr int mostExperts = 256, lanes = 32;

// One warp chooses a token's experts. Logits in device memory are other blocks' writes of this launch: they come from L2.
template <bool inShared>
__device__ __forceinline__ void chooseExperts(const float* logits, int experts, int top, bool normalise, bool rounded,
                                              int* chosen, float* weights) {
  const int lane = threadIdx.x % lanes;
  float value[mostExperts / lanes];
  float highest = -INFINITY;
#pragma unroll
  for (int i = 0; i < mostExperts / lanes; ++i) {
    const int e = i * lanes + lane;
    float v = e >= experts ? -INFINITY : inShared ? logits[e] : __ldcg(logits + e);
    if (rounded) v = roundToBf16(v);
    if (e < experts && !(v > -1e38f)) v = -1e38f;  // not a number: some expert is chosen all the same
    value[i] = v;
    highest = fmaxf(highest, v);
  }
  highest = warpMax(highest);
  float total = 0;
#pragma unroll
  for (int i = 0; i < mostExperts / lanes; ++i) total += __expf(value[i] - highest);
  total = warpSum(total);
  float mine = 0;
  int mineAt = 0;
  for (int j = 0; j < top; ++j) {
    float best = -INFINITY;
    int at = mostExperts;
#pragma unroll
    for (int i = 0; i < mostExperts / lanes; ++i)
      if (value[i] > best) best = value[i], at = i * lanes + lane;
#pragma unroll
    for (int step = 16; step > 0; step >>= 1) {
      const float other = __shfl_xor_sync(0xFFFFFFFFu, best, step);
      const int otherAt = __shfl_xor_sync(0xFFFFFFFFu, at, step);
      if (other > best || (other == best && otherAt < at)) best = other, at = otherAt;
    }
    if (lane == j) mine = __expf(best - highest) / total, mineAt = at;
#pragma unroll
    for (int i = 0; i < mostExperts / lanes; ++i)
      if (i * lanes + lane == at) value[i] = -INFINITY;
  }
  if (normalise) mine /= warpSum(lane < top ? mine : 0.0f);
  if (lane < top) chosen[lane] = mineAt, weights[lane] = mine;
}

// The gate's rows `expert` and `expert` + 8; beyond the last expert the last one's again, whose product nothing reads.
__device__ __forceinline__ StreamRows expertRows(const bf16* weight, int expert, int experts, int hidden) {
  const int row = min(expert, experts - 1), eighth = min(expert + 8, experts - 1);
  return {weight + static_cast<std::size_t>(row) * hidden + streamBegin(),
          static_cast<std::size_t>(eighth - row) * hidden, 0};
}

// In one block: offsets[0 … experts] from counts.
__device__ __forceinline__ void prefixCounts(const int* counts, int experts, int* offsets) {
  if (threadIdx.x < lanes) {
    int before = 0;
    for (int first = 0; first < experts; first += lanes) {
      const int e = first + threadIdx.x;
      const int count = e < experts ? counts[e] : 0;
      int upTo = count;
#pragma unroll
      for (int step = 1; step < lanes; step <<= 1) {
        const int left = __shfl_up_sync(0xFFFFFFFFu, upTo, step);
        if (threadIdx.x >= static_cast<unsigned>(step)) upTo += left;
      }
      if (e < experts) offsets[e] = before + upTo - count;
      before += __shfl_sync(0xFFFFFFFFu, upTo, lanes - 1);
    }
    if (threadIdx.x == 0) offsets[experts] = before;
  }
}
}  // namespace

// Decode: the gate's product over blocks of 16 experts × 8 tokens; the block that ends last chooses the experts of all
// tokens and sorts the pairs (at most 1,024). Padding tokens (slots[t] < 0; slots may be null) choose nothing: their pairs
// have expert −1.
//   grid (⌈experts/16⌉, ⌈tokens/8⌉), 256 threads. `ticket` is 0 before and after.
//   active[0 … n − 1]: experts with tokens, ascending; active[experts] = n. counts[e]: pairs of expert e.
extern "C" __global__ void __launch_bounds__(256)
    moeGate(const bf16* x, const bf16* weight, const int* slots, float* logits, unsigned* ticket, int* pairExpert,
            float* pairWeight, int* sorted, int* offsets, int* active, int* counts, int tokens, int experts, int hidden,
            int top, int normalise, int roundLogits) {
  constexpr int warps = 8;
  __shared__ float partial[warps][16][8];
  __shared__ int expertOf[1024];
  __shared__ int count[mostExperts], offset[mostExperts + 1], isActive[mostExperts], activeAt[mostExperts + 1];
  __shared__ bool last;
  const int lane = threadIdx.x % lanes, warp = threadIdx.x / lanes, g = lane / 4, t = lane % 4;
  const int firstExpert = blockIdx.x * 16, firstToken = blockIdx.y * 8;
  const StreamRows rows = expertRows(weight, firstExpert + g, experts, hidden);
  StreamWeights<1> first;
  loadWeights<1>(first, rows, warp * streamChunk, hidden - streamBegin());
  waitForPrevious();
  letNextStart();
  const bf16* xRows[1] = {x + static_cast<std::size_t>(min(firstToken + g, tokens - 1)) * hidden + streamBegin()};
  float sum[1][1][4] = {};
  streamProduct<1, 1>(sum, first, rows, xRows, hidden, warp, warps);
  partial[warp][g][2 * t] = sum[0][0][0];
  partial[warp][g][2 * t + 1] = sum[0][0][1];
  partial[warp][g + 8][2 * t] = sum[0][0][2];
  partial[warp][g + 8][2 * t + 1] = sum[0][0][3];
  __syncthreads();
  if (threadIdx.x < 128) {
    const int token = threadIdx.x / 16, e = threadIdx.x % 16;
    float total = 0;
#pragma unroll
    for (int w = 0; w < warps; ++w) total += partial[w][e][token];
    if (firstToken + token < tokens && firstExpert + e < experts)
      logits[static_cast<std::size_t>(firstToken + token) * experts + firstExpert + e] = total;
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(ticket, 1u) == gridDim.x * gridDim.y - 1;
  __syncthreads();
  if (!last) return;
  __threadfence();
  if (threadIdx.x == 0) *ticket = 0;

  for (int token = warp; token < tokens; token += warps) {
    if (slots != nullptr && slots[token] < 0) {
      if (lane < top) expertOf[token * top + lane] = -1;
      continue;
    }
    chooseExperts<false>(logits + static_cast<std::size_t>(token) * experts, experts, top, normalise != 0,
                         roundLogits != 0, expertOf + token * top, pairWeight + static_cast<std::size_t>(token) * top);
  }
  __syncthreads();
  const int pairs = tokens * top, e = threadIdx.x;
  for (int pair = threadIdx.x; pair < pairs; pair += 256) pairExpert[pair] = expertOf[pair];
  if (e < experts) {
    int found = 0;
    for (int pair = 0; pair < pairs; ++pair) found += expertOf[pair] == e;
    count[e] = found;
    isActive[e] = found > 0;
    counts[e] = found;
  }
  __syncthreads();
  prefixCounts(count, experts, offset);
  __syncthreads();
  prefixCounts(isActive, experts, activeAt);
  __syncthreads();
  if (e < experts) {
    offsets[e] = offset[e];
    if (count[e] > 0) {
      active[activeAt[e]] = e;
      int at = offset[e];
      for (int pair = 0; pair < pairs; ++pair)
        if (expertOf[pair] == e) sorted[at++] = pair;
    }
  }
  if (threadIdx.x == 0) offsets[experts] = offset[experts], active[experts] = activeAt[experts];
}

// Prefill: gate and choice for 32 tokens per block, and each pair's rank within its expert. counts[e] is 0 before the
// launch; afterwards it is the number of expert e's pairs. Warps share out the tiles of 16 experts, and K where there are
// fewer tiles than warps.
//   grid ⌈tokens/32⌉, 256 threads, shared bytes 4·32·experts·splits with splits = max(1, ⌊8 / ⌈experts/16⌉⌋).
extern "C" __global__ void __launch_bounds__(256)
    moeGateRows(const bf16* x, const bf16* weight, const int* slots, int* pairExpert, float* pairWeight, int* pairRank,
                int* counts, int tokens, int experts, int hidden, int top, int normalise, int roundLogits) {
  constexpr int warps = 8, rowsHere = 32;
  extern __shared__ float sums[];  // [split][token][expert]
  __shared__ int expertOf[rowsHere * lanes];
  __shared__ int begin[mostExperts];
  const int lane = threadIdx.x % lanes, warp = threadIdx.x / lanes, g = lane / 4, t = lane % 4;
  const int firstToken = blockIdx.x * rowsHere, tiles = (experts + 15) / 16;
  const int splits = tiles < warps ? warps / tiles : 1;
  waitForPrevious();
  letNextStart();
  const bf16* xRows[4];
#pragma unroll
  for (int n = 0; n < 4; ++n) {
    xRows[n] = x + static_cast<std::size_t>(min(firstToken + 8 * n + g, tokens - 1)) * hidden + streamBegin();
  }
  for (int work = warp; work < tiles * splits; work += warps) {
    const int tile = work % tiles, split = work / tiles;
    const StreamRows rows = expertRows(weight, tile * 16 + g, experts, hidden);
    StreamWeights<1> first;
    loadWeights<1>(first, rows, split * streamChunk, hidden - streamBegin());
    float sum[1][4][4] = {};
    streamProduct<1, 4>(sum, first, rows, xRows, hidden, split, splits);
    float* to = sums + static_cast<std::size_t>(split) * rowsHere * experts;
#pragma unroll
    for (int n = 0; n < 4; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int e = tile * 16 + g + (i / 2) * 8, token = 8 * n + 2 * t + i % 2;
        if (e < experts) to[token * experts + e] = sum[0][n][i];
      }
  }
  __syncthreads();
  for (int i = threadIdx.x; splits > 1 && i < rowsHere * experts; i += 256) {
    float total = sums[i];
    for (int s = 1; s < splits; ++s) total += sums[s * rowsHere * experts + i];
    sums[i] = total;
  }
  __syncthreads();
  for (int here = warp; here < rowsHere; here += warps) {
    const int token = firstToken + here;
    if (token >= tokens || (slots != nullptr && slots[token] < 0)) {
      if (lane < top) expertOf[here * top + lane] = -1;
      continue;
    }
    chooseExperts<true>(sums + here * experts, experts, top, normalise != 0, roundLogits != 0, expertOf + here * top,
                  pairWeight + static_cast<std::size_t>(token) * top);
  }
  __syncthreads();
  const int e = threadIdx.x, pairs = rowsHere * top;
  if (e < experts) {
    int found = 0;
    for (int pair = 0; pair < pairs; ++pair) found += expertOf[pair] == e;
    begin[e] = found > 0 ? atomicAdd(counts + e, found) : 0;
    int rank = begin[e];
    if (found > 0)
      for (int pair = 0; pair < pairs; ++pair)
        if (expertOf[pair] == e) pairRank[firstToken * top + pair] = rank++;
  }
  __syncthreads();
  for (int pair = threadIdx.x; pair < pairs; pair += 256)
    if (firstToken * top + pair < tokens * top) pairExpert[firstToken * top + pair] = expertOf[pair];
}

// Prefill: copies each token's row to the places of its pairs, and writes sorted, offsets and active (as moeGate). One warp
// per token; grid ⌈tokens/8⌉, 256 threads.
extern "C" __global__ void __launch_bounds__(256)
    moePermute(bf16* gathered, const bf16* x, const int* pairExpert, const int* pairRank, const int* counts, int* sorted,
               int* offsets, int* active, int tokens, int experts, int hidden, int top) {
  __shared__ int offset[mostExperts + 1], isActive[mostExperts], activeAt[mostExperts + 1];
  waitForPrevious();
  letNextStart();
  prefixCounts(counts, experts, offset);
  __syncthreads();
  if (blockIdx.x == 0) {
    for (int e = threadIdx.x; e <= experts; e += 256) offsets[e] = offset[e];
    for (int e = threadIdx.x; e < experts; e += 256) isActive[e] = counts[e] > 0;
    __syncthreads();
    prefixCounts(isActive, experts, activeAt);
    __syncthreads();
    for (int e = threadIdx.x; e < experts; e += 256)
      if (isActive[e] != 0) active[activeAt[e]] = e;
    if (threadIdx.x == 0) active[experts] = activeAt[experts];
  }
  const int lane = threadIdx.x % lanes, token = blockIdx.x * 8 + threadIdx.x / lanes;
  if (token >= tokens) return;
  int place = -1;
  if (lane < top) {
    const int pair = token * top + lane, e = pairExpert[pair];
    if (e >= 0) {
      place = offset[e] + pairRank[pair];
      sorted[place] = pair;
    }
  }
  const bf16* from = x + static_cast<std::size_t>(token) * hidden;
  for (int i = lane * 8; i - lane * 8 < hidden; i += lanes * 8) {
    const Vector8 v = i < hidden ? loadVector(from + i) : noVector();
    for (int j = 0; j < top; ++j) {
      const int to = __shfl_sync(0xFFFFFFFFu, place, j);
      if (to >= 0 && i < hidden) storeVector(gathered + static_cast<std::size_t>(to) * hidden + i, v);
    }
  }
}

// x[t] += Σ_j y[t·top + j] (+ sigmoid(x' · sharedGate) · shared[t], the shared expert of Qwen's MoE models: `shared` and
// `sharedGate` may be null, and `input` is x', the row that the experts saw); then, where `norm` is not null,
// normed[t] = RMSNorm(x[t]) · norm: the next layer's first kernel. One block of 256 threads per token; a padding token's
// row (pairExpert −1) gets no expert's output.
extern "C" __global__ void __launch_bounds__(256)
    moeCombine(bf16* x, const bf16* y, const int* pairExpert, const bf16* shared, const bf16* input,
               const bf16* sharedGate, const bf16* norm, bf16* normed, int hidden, int top, float epsilon) {
  __shared__ float partial[8];
  const std::size_t token = blockIdx.x;
  const int lane = threadIdx.x % lanes, warp = threadIdx.x / lanes;
  waitForPrevious();
  letNextStart();
  float share = 1.0f;
  if (shared != nullptr && sharedGate != nullptr) {
    float dot = 0;
    for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
      const Vector8 a = loadVector(input + token * hidden + i), b = loadVector(sharedGate + i);
#pragma unroll
      for (int w = 0; w < 4; ++w)
        dot += lowOf(a.word[w]) * lowOf(b.word[w]) + highOf(a.word[w]) * highOf(b.word[w]);
    }
    dot = warpSum(dot);
    if (lane == 0) partial[warp] = dot;
    __syncthreads();
    dot = 0;
#pragma unroll
    for (int w = 0; w < 8; ++w) dot += partial[w];
    share = 1.0f / (1.0f + __expf(-dot));
    __syncthreads();
  }
  const bool routed = pairExpert[token * top] >= 0;
  float squares = 0;
  for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
    float total[8] = {};
    if (routed) {
      for (int j = 0; j < top; ++j) {
        const Vector8 v = loadVector(y + (token * top + j) * hidden + i);
#pragma unroll
        for (int w = 0; w < 4; ++w) total[2 * w] += lowOf(v.word[w]), total[2 * w + 1] += highOf(v.word[w]);
      }
    }
    if (shared != nullptr) {
      const Vector8 v = loadVector(shared + token * hidden + i);
#pragma unroll
      for (int w = 0; w < 4; ++w)
        total[2 * w] += share * lowOf(v.word[w]), total[2 * w + 1] += share * highOf(v.word[w]);
    }
    const Vector8 before = loadVector(x + token * hidden + i);
    Vector8 after;
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      after.word[w] = packPair(lowOf(before.word[w]) + roundToBf16(total[2 * w]),
                               highOf(before.word[w]) + roundToBf16(total[2 * w + 1]));
      squares += lowOf(after.word[w]) * lowOf(after.word[w]) + highOf(after.word[w]) * highOf(after.word[w]);
    }
    storeVector(x + token * hidden + i, after);
  }
  if (norm == nullptr) return;
  squares = warpSum(squares);
  if (lane == 0) partial[warp] = squares;
  __syncthreads();
  squares = 0;
#pragma unroll
  for (int w = 0; w < 8; ++w) squares += partial[w];
  const float scale = rsqrtf(squares / static_cast<float>(hidden) + epsilon);
  for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
    const Vector8 v = loadVector(x + token * hidden + i), weight = loadVector(norm + i);
    Vector8 result;
#pragma unroll
    for (int w = 0; w < 4; ++w)
      result.word[w] = packPair(roundToBf16(lowOf(v.word[w]) * scale) * lowOf(weight.word[w]),
                                roundToBf16(highOf(v.word[w]) * scale) * highOf(weight.word[w]));
    storeVector(normed + token * hidden + i, result);
  }
}
