// Greedy sampling: the index of the largest logit of each row, and its softmax probability. Ties go to the lower index.
//
//   bytes  4·V per row (read once)      FLOPs  ≈ 6·V per row      roof: latency for few rows, ≥ 70 % of the copy rate from 64 on
//
// `splits` blocks share a row; the last of them to arrive merges their parts, so one launch does. Source: the last-block
// reduction of CUDA's threadFenceReduction sample; running maximum and sum: Milakov and Gimelshein 2018.
#include "transformer/device.cuh"

namespace {
struct Best {
  float value;
  int index;
  float sum;  // Σ exp(logit − value)
};
__device__ __forceinline__ Best merge(const Best& a, const Best& b) {
  const bool second = b.value > a.value || (b.value == a.value && b.index < a.index);
  const float top = second ? b.value : a.value;
  const float sum = (a.sum > 0 ? a.sum * __expf(a.value - top) : 0.0f) + (b.sum > 0 ? b.sum * __expf(b.value - top) : 0.0f);
  return {top, second ? b.index : a.index, sum};
}
__device__ __forceinline__ Best shuffled(const Best& a, int step) {
  return {__shfl_xor_sync(0xFFFFFFFFu, a.value, step), __shfl_xor_sync(0xFFFFFFFFu, a.index, step),
          __shfl_xor_sync(0xFFFFFFFFu, a.sum, step)};
}
}  // namespace

// Grid (splits, rows). `lastTokens[slots[row]]` remembers the token for the next pass; `arrived` starts as zeros and is
// zero again at the end. A row whose slot is −1 (padding) is skipped, a row whose `skip` is set too (sampled elsewhere).
extern "C" __global__ void __launch_bounds__(256)
    greedySample(int* tokens, float* confidence, const float* logits, const int* slots, const int* skip, int* lastTokens,
                 float4* parts, int* arrived, int vocab) {
  waitForPrevious();
  letNextStart();
  const int row = blockIdx.y, splits = gridDim.x;
  if (slots[row] < 0 || (skip != nullptr && skip[row] != 0)) return;
  const float* from = logits + static_cast<std::size_t>(row) * vocab;
  const int begin = static_cast<int>(static_cast<long long>(blockIdx.x) * vocab / splits);
  const int end = static_cast<int>(static_cast<long long>(blockIdx.x + 1) * vocab / splits);
  Best best{-INFINITY, 0x7FFFFFFF, 0};
  for (int base = begin; base < end; base += 256 * 4) {
    float value[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = base + i * 256 + threadIdx.x;
      value[i] = at < end ? from[at] : -INFINITY;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = base + i * 256 + threadIdx.x;
      if (at < end && value[i] > -INFINITY) best = merge(best, Best{value[i], at, 1});
    }
  }
  __shared__ Best shared[8];
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) best = merge(best, shuffled(best, step));
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = best;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < 8; ++w) best = merge(best, shared[w]);
  parts[row * splits + blockIdx.x] = make_float4(best.value, __int_as_float(best.index), best.sum, 0);
  __threadfence();
  if (atomicAdd(&arrived[row], 1) != splits - 1) return;
  __threadfence();
  arrived[row] = 0;
  best = Best{-INFINITY, 0x7FFFFFFF, 0};
  for (int s = 0; s < splits; ++s) {
    const float4 part = __ldcg(&parts[row * splits + s]);
    best = merge(best, Best{part.x, __float_as_int(part.y), part.z});
  }
  if (best.index == 0x7FFFFFFF) best.index = 0;  // all masked or not a number
  tokens[row] = best.index;
  confidence[row] = best.sum > 0 ? 1.0f / best.sum : 0.0f;
  lastTokens[slots[row]] = best.index;
}

// The pass's end on the device's clock.
extern "C" __global__ void stampEnd(unsigned long long* ended) {
  waitForPrevious();
  unsigned long long now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  *ended = now;
}

// Clock readings between which the host waits: for each i, waits until the host wrote asked = i + 1, then answers with the
// device's clock. Gives up after `limitNs` of silence. Both cells are pinned host memory.
extern "C" __global__ void answerClock(volatile unsigned* asked, volatile unsigned long long* answers, unsigned count,
                                       unsigned long long limitNs) {
  for (unsigned i = 0; i < count; ++i) {
    unsigned long long begin, now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(begin));
    do {
      asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
      if (now - begin > limitNs) return;
    } while (*asked < i + 1);
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
    answers[i] = now;
    __threadfence_system();
  }
}
