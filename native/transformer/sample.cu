// Sampling on the device, one launch for a batch: masks, greedy, temperature, top-k, top-p.
//
//   bytes  4·V per row, read once (+ V/8 of mask)     FLOPs  ≈ 30·V per row     roof: latency for few rows (≤ 20 µs); ≥ 40 % of
//                                                                              the copy rate from 64 rows on
//
// A cluster of eight blocks keeps a row's logits in its shared memory; sums and counts cross blocks through it.
//
//   distance d = (largest logit − logit), as q = ⌊d · 2²⁴⌋, saturated: order without sorting
//   top-k   the smallest q* below which k tokens lie      } found digit by digit (11 + 11 + 10 bits) from histograms;
//   top-p   the smallest q* whose tokens weigh ≥ p        } weights exp(−d/T) are integers of 2⁻³⁰: the sum is exact, so
//           of what top-k left                              neither the order of additions nor the batch changes a result
//   token   the largest −d/T − log E(token), E = −log(1 − u), u from Philox4x32-10 (key: seed; counter: token, position):
//           the exponential race, which draws token i with probability ∝ exp(−d/T) (the Gumbel-max trick)
//
// The same seed, position and logits give the same token in any batch. Tokens at equal distance to a threshold are all kept.
// Differences of 256 or more count as equal. Temperature 0 is greedy, ties to the lower token. Needs clusters: sm_90 and newer.
// Sources: Salmon et al. 2011 (Philox); Maddison et al. 2014 (Gumbel-max); radix selection: Alabi et al. 2012.
// Tolerance against float64: the kept set is that of some p within 1e-5 of the given one; the drawn token's score is within
// 1e-4 of the best; confidence 1e-4 relative.
#include "transformer/device.cuh"

// One row's parameters, as the host writes them.
struct RowSampling {
  float temperature;  // 0: greedy
  float topP;         // ≥ 1: off
  int topK;           // ≤ 0: off
  int mask;           // row of the masks, −1: none
  std::uint32_t seedLow, seedHigh;
  std::uint32_t position;
  int active;  // 0: the row is sampled elsewhere
};

#if __CUDA_ARCH__ >= 900
namespace {
constexpr int threads = 1024, blocks = 8, bins = 2048, sliceBins = bins / blocks;
constexpr std::uint32_t beyond = 0xFFFFFFFFu;

__device__ __forceinline__ void syncCluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// The same shared variable in block `rank` of the cluster.
__device__ __forceinline__ std::uint32_t addressIn(const void* mine, int rank) {
  std::uint32_t address;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(sharedAddress(mine)), "r"(rank));
  return address;
}
__device__ __forceinline__ std::uint32_t readWord(const std::uint32_t* mine, int rank) {
  std::uint32_t value;
  asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(value) : "r"(addressIn(mine, rank)) : "memory");
  return value;
}
__device__ __forceinline__ std::uint64_t readLong(const std::uint64_t* mine, int rank) {
  std::uint64_t value;
  asm volatile("ld.shared::cluster.u64 %0, [%1];" : "=l"(value) : "r"(addressIn(mine, rank)) : "memory");
  return value;
}


struct Words4 {
  std::uint32_t word[4];
};
__device__ __forceinline__ Words4 philox(std::uint32_t token, std::uint32_t position, std::uint32_t key0,
                                         std::uint32_t key1) {
  std::uint32_t c0 = token, c1 = position, c2 = 0, c3 = 0;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint32_t high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    const std::uint32_t high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ key0, c1 = low1, c2 = high0 ^ c3 ^ key1, c3 = low0;
    key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

struct Candidate {
  float value;
  int index;
};
__device__ __forceinline__ Candidate better(const Candidate& a, const Candidate& b) {
  return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a;
}

// What the blocks of a cluster show each other, and scratch of one block.
struct Shared {
  std::uint64_t candidate;            // value and index
  float sum;                          // Σ exp(logit − largest)
  std::uint64_t slice[sliceBins];     // amounts of this block's bins over the whole cluster
  std::uint64_t sliceTotal;
  std::uint32_t low[bins], high[bins];  // this block's histogram: low 15 bits and the rest of each amount
  Candidate perWarp[threads / 32];
  float sumPerWarp[threads / 32];
  std::uint64_t found[2];  // bin and amount before it
};

// The best candidate of all threads of the cluster.
__device__ __forceinline__ Candidate bestOfCluster(Candidate mine, Shared& shared) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1)
    mine = better(mine, Candidate{__shfl_xor_sync(0xFFFFFFFFu, mine.value, step),
                                  __shfl_xor_sync(0xFFFFFFFFu, mine.index, step)});
  if (threadIdx.x % 32 == 0) shared.perWarp[threadIdx.x / 32] = mine;
  __syncthreads();
  mine = shared.perWarp[threadIdx.x % 32];
#pragma unroll
  for (int step = 16; step > 0; step >>= 1)
    mine = better(mine, Candidate{__shfl_xor_sync(0xFFFFFFFFu, mine.value, step),
                                  __shfl_xor_sync(0xFFFFFFFFu, mine.index, step)});
  if (threadIdx.x == 0)
    shared.candidate = static_cast<std::uint64_t>(__float_as_uint(mine.value)) << 32 |
                       static_cast<std::uint32_t>(mine.index);
  syncCluster();
  const std::uint64_t word = readLong(&shared.candidate, threadIdx.x % blocks);
  mine = {__uint_as_float(static_cast<std::uint32_t>(word >> 32)), static_cast<int>(static_cast<std::uint32_t>(word))};
#pragma unroll
  for (int step = 1; step < blocks; step <<= 1)
    mine = better(mine, Candidate{__shfl_xor_sync(0xFFFFFFFFu, mine.value, step),
                                  __shfl_xor_sync(0xFFFFFFFFu, mine.index, step)});
  syncCluster();  // all have read before anyone writes again or ends
  return mine;
}

__device__ __forceinline__ std::uint32_t distanceOf(float largest, float value) {
  return __float2uint_rz((largest - value) * 16777216.0f);  // saturates
}
__device__ __forceinline__ std::uint32_t weightOf(float largest, float value, float inverseTemperature) {
  return __float2uint_rn(__expf((value - largest) * inverseTemperature) * 1073741824.0f);
}

// The smallest q* with Σ amount(v) over distances ≤ q* reaching the goal, among values with distance ≤ limit. `byWeight`:
// amounts are weights and the goal is share · their sum; else each counts one and the goal is `count`. When all together do
// not reach it: limit.
__device__ __forceinline__ std::uint32_t threshold(const float* values, int here, float largest, float inverseTemperature,
                                                   bool byWeight, float share, std::uint64_t count, std::uint32_t limit,
                                                   int rank, Shared& shared) {
  std::uint32_t prefix = 0;
  std::uint64_t before = 0, goal = count;
#pragma unroll 1
  for (int level = 0; level < 3; ++level) {
    const int shift = level == 0 ? 21 : level == 1 ? 10 : 0, width = level == 2 ? 10 : 11;
    for (int i = threadIdx.x; i < bins; i += threads) shared.low[i] = 0, shared.high[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < here; i += threads) {
      const float value = values[i];
      const std::uint32_t q = distanceOf(largest, value);
      if (q > limit || q == beyond || (level > 0 && q >> (shift + width) != prefix)) continue;
      const int bin = q >> shift & ((1u << width) - 1);
      if (byWeight) {
        const std::uint32_t weight = weightOf(largest, value, inverseTemperature);
        if (weight == 0) continue;
        atomicAdd(&shared.low[bin], weight & 0x7FFFu);
        atomicAdd(&shared.high[bin], weight >> 15);
      } else {
        atomicAdd(&shared.low[bin], 1u);
      }
    }
    syncCluster();
    // Each block adds up its slice of the bins over the cluster.
    if (threadIdx.x < sliceBins) {
      std::uint64_t amount = 0;
#pragma unroll
      for (int r = 0; r < blocks; ++r)
        amount += readWord(&shared.low[rank * sliceBins + threadIdx.x], r) +
                  (static_cast<std::uint64_t>(readWord(&shared.high[rank * sliceBins + threadIdx.x], r)) << 15);
      shared.slice[threadIdx.x] = amount;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      std::uint64_t total = 0;
      for (int i = threadIdx.x; i < sliceBins; i += 32) total += shared.slice[i];
#pragma unroll
      for (int step = 16; step > 0; step >>= 1) total += __shfl_xor_sync(0xFFFFFFFFu, total, step);
      if (threadIdx.x == 0) shared.sliceTotal = total;
    }
    syncCluster();
    // Every block finds the bin in which the goal is reached.
    if (threadIdx.x < 32) {
      const int lane = threadIdx.x;
      const std::uint64_t sliceTotal = readLong(&shared.sliceTotal, lane % blocks);
      std::uint64_t all = sliceTotal;
#pragma unroll
      for (int step = 1; step < blocks; step <<= 1) all += __shfl_xor_sync(0xFFFFFFFFu, all, step);
      if (level == 0 && byWeight) goal = static_cast<std::uint64_t>(ceil(static_cast<double>(share) * static_cast<double>(all)));
      if (goal < 1) goal = 1;
      std::uint64_t upTo = before;
      int slice = -1;
#pragma unroll
      for (int r = 0; r < blocks; ++r) {
        const std::uint64_t amount = __shfl_sync(0xFFFFFFFFu, sliceTotal, r);
        if (slice < 0) {
          if (upTo + amount >= goal) slice = r;
          else upTo += amount;
        }
      }
      if (slice < 0) {
        if (lane == 0) shared.found[0] = ~0ull;
      } else {
        std::uint64_t amounts[sliceBins / 32], sum = 0;
#pragma unroll
        for (int i = 0; i < sliceBins / 32; ++i) {
          amounts[i] = readLong(&shared.slice[lane * (sliceBins / 32) + i], slice);
          sum += amounts[i];
        }
        std::uint64_t scan = sum;
#pragma unroll
        for (int step = 1; step < 32; step <<= 1) {
          const std::uint64_t left = __shfl_up_sync(0xFFFFFFFFu, scan, step);
          if (lane >= step) scan += left;
        }
        std::uint64_t running = upTo + scan - sum;
        if (running < goal && running + sum >= goal) {
#pragma unroll
          for (int i = 0; i < sliceBins / 32; ++i) {
            if (running + amounts[i] >= goal) {
              shared.found[0] = static_cast<std::uint64_t>(slice * sliceBins + lane * (sliceBins / 32) + i);
              shared.found[1] = running;
              break;
            }
            running += amounts[i];
          }
        }
      }
      goal = __shfl_sync(0xFFFFFFFFu, goal, 0);
    }
    __syncthreads();
    if (shared.found[0] == ~0ull) {
      syncCluster();
      return limit;
    }
    prefix = level == 0 ? static_cast<std::uint32_t>(shared.found[0])
                        : prefix << width | static_cast<std::uint32_t>(shared.found[0]);
    before = shared.found[1];
    __syncthreads();
  }
  syncCluster();
  return prefix;
}
}  // namespace
#endif

// tokens, confidence (the token's softmax probability, before temperature), lastTokens[slots[row]]: as greedySample. kept[row]
// (may be null): how many tokens were left to draw from. masks[m][word]: bit i of word w allows token 32·w + i; words per
// row: ⌈vocab/32⌉. A row whose mask allows nothing yields token 0 with confidence 0.
//   grid (8, rows), 1,024 threads, shared bytes 4·chunk with chunk = ⌈⌈vocab/8⌉/32⌉·32.
extern "C" __global__ void
#if __CUDA_ARCH__ >= 900
__cluster_dims__(8, 1, 1)
#endif
    __launch_bounds__(1024) sampleRows(int* tokens, float* confidence, int* kept, const float* logits, const int* slots,
                                       const RowSampling* sampling, const std::uint32_t* masks, int* lastTokens,
                                       int vocab) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(16) float values[];
  __shared__ Shared shared;
  waitForPrevious();
  letNextStart();
  const int row = blockIdx.y, rank = blockIdx.x;
  const RowSampling how = sampling[row];
  if (slots[row] < 0 || how.active == 0) return;  // the whole cluster
  const int chunk = ((vocab + blocks - 1) / blocks + 31) / 32 * 32;
  const int first = rank * chunk, here = max(0, min(chunk, vocab - first)), padded = (here + 3) / 4 * 4;
  const float* from = logits + static_cast<std::size_t>(row) * vocab + first;
  const std::uint32_t* allowed =
      how.mask >= 0 && masks != nullptr ? masks + static_cast<std::size_t>(how.mask) * ((vocab + 31) / 32) + first / 32
                                        : nullptr;
  Candidate best{-INFINITY, 0x7FFFFFFF};
  for (int i = threadIdx.x; i < padded; i += threads) {
    float value = i < here ? __ldcs(from + i) : -INFINITY;
    if (i < here && allowed != nullptr && (allowed[i / 32] >> (i % 32) & 1u) == 0) value = -INFINITY;
    if (!(value >= -INFINITY)) value = -INFINITY;  // not a number
    values[i] = value;
    if (value > -INFINITY) best = better(best, Candidate{value, first + i});
  }
  best = bestOfCluster(best, shared);
  const float largest = best.value;
  float sum = 0;
  for (int i = threadIdx.x; i < padded; i += threads) sum += __expf(values[i] - largest);
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) shared.sumPerWarp[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = warpSum(shared.sumPerWarp[threadIdx.x % 32]);
  if (threadIdx.x == 0) shared.sum = sum;
  float drawn = largest;
  std::uint32_t limit = beyond - 1;
  if (how.temperature > 0 && best.index != 0x7FFFFFFF) {
    const float inverse = 1.0f / how.temperature;
    if (how.topK > 0)
      limit = threshold(values, here, largest, inverse, false, 0, static_cast<std::uint64_t>(how.topK), limit, rank,
                        shared);
    if (how.topP < 1)
      limit = threshold(values, here, largest, inverse, true, how.topP, 0, limit, rank, shared);
    Candidate chosen{-INFINITY, 0x7FFFFFFF};
    for (int i = threadIdx.x * 4; i < here; i += threads * 4) {
      const float4 four = *reinterpret_cast<const float4*>(values + i);
      const float value[4] = {four.x, four.y, four.z, four.w};
      bool any = false;
#pragma unroll
      for (int j = 0; j < 4; ++j) any = any || distanceOf(largest, value[j]) <= limit;
      if (!any) continue;
      const Words4 random = philox(static_cast<std::uint32_t>(first + i) / 4, how.position, how.seedLow, how.seedHigh);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (distanceOf(largest, value[j]) > limit) continue;
        const float u = (static_cast<float>(random.word[j]) + 0.5f) * 0x1p-32f;
        const float score = (value[j] - largest) * inverse - logf(-log1pf(-u));
        chosen = better(chosen, Candidate{score, first + i + j});
      }
    }
    chosen = bestOfCluster(chosen, shared);
    if (chosen.index != 0x7FFFFFFF) best.index = chosen.index;
    if (rank == 0 && threadIdx.x == 0)
      drawn = best.index >= first && best.index < first + here
                  ? values[best.index - first]
                  : logits[static_cast<std::size_t>(row) * vocab + best.index];
  }
  if (kept != nullptr) {
    int within = 0;
    for (int i = threadIdx.x; i < here; i += threads)
      within += how.temperature > 0 && distanceOf(largest, values[i]) <= limit;
    within = __reduce_add_sync(0xFFFFFFFFu, within);
    if (threadIdx.x == 0) shared.low[0] = 0;
    __syncthreads();
    if (threadIdx.x % 32 == 0) atomicAdd(&shared.low[0], static_cast<std::uint32_t>(within));
  }
  syncCluster();
  if (rank == 0 && threadIdx.x == 0) {
    float total = 0;
    std::uint32_t left = 0;
    for (int r = 0; r < blocks; ++r) {
      total += __uint_as_float(readWord(reinterpret_cast<const std::uint32_t*>(&shared.sum), r));
      if (kept != nullptr) left += readWord(&shared.low[0], r);
    }
    const bool none = best.index == 0x7FFFFFFF;
    const int token = none ? 0 : best.index;
    tokens[row] = token;
    confidence[row] = none ? 0.0f : __expf(drawn - largest) / total;
    lastTokens[slots[row]] = token;
    if (kept != nullptr) kept[row] = none ? 0 : how.temperature > 0 ? static_cast<int>(left) : 1;
  }
  syncCluster();  // no block ends while another still reads its shared memory
#endif
}
