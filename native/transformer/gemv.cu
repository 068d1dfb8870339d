// Matrix times few vectors, for decode at batch 1 to 4: y[b, n] = Σ_k W[n, k] · x[b, k], with what stands before and after
// it fused: RMSNorm of x before; SwiGLU, or the residual's addition, after.
//
//   bytes  2·N·K (weights, read once; x comes from L2)      FLOPs  2·B·N·K      roof: device memory, ≥ 90 % of the copy rate
//
// A block takes a contiguous range of rows; its eight warps split K, so each thread keeps its slice of x in registers for
// all rows, and each row costs a thread CHUNKS loads of 16 bytes with no index arithmetic. Rows are loaded `AHEAD` at a time
// into registers before any is used. The first rows' weights are loaded before the wait for the kernel before this one:
// while that one drains, this one's loads fill the memory pipeline.
// Source: the split-K GEMV of FasterTransformer and TensorRT-LLM (weights streamed, x in registers); launch order: CUDA
// Programming Guide, Programmatic Dependent Launch.
#include "transformer/device.cuh"

namespace {

constexpr int threads = 256, warps = 8;
enum Epilogue { plain = 0, addResidual = 1, swigluPair = 2, logits = 3 };

template <int B, int CHUNKS, int AHEAD>
__device__ __forceinline__ void gemvOf(void* y, const bf16* weights, const bf16* x, const bf16* norm, int rows, int inner,
                                       int epilogue, float epsilon) {
  extern __shared__ float sums[];  // [B][warps][padded rows of this block]
  const int thread = threadIdx.x, warp = thread / 32;
  const int outputs = epilogue == swigluPair ? rows / 2 : rows;
  const int first = static_cast<int>(static_cast<long long>(blockIdx.x) * outputs / gridDim.x);
  const int end = static_cast<int>(static_cast<long long>(blockIdx.x + 1) * outputs / gridDim.x);
  // Local row i is first + i, or, in pairs, gate row first + i / 2 and up row outputs + first + i / 2.
  const int count = epilogue == swigluPair ? 2 * (end - first) : end - first;
  const auto rowOf = [&](int i) {
    return epilogue == swigluPair ? first + i / 2 + (i % 2 == 0 ? 0 : outputs) : first + i;
  };
  Vector8 ahead[AHEAD][CHUNKS];
  const auto load = [&](int i, Vector8(&into)[CHUNKS]) {
    const bf16* row = weights + static_cast<std::size_t>(rowOf(i)) * inner;
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) {
      const int k = (c * threads + thread) * 8;
      if (k < inner && i < count)
        into[c] = loadStreaming(row + k);
      else
        into[c] = Vector8{};
    }
  };
#pragma unroll
  for (int a = 0; a < AHEAD; ++a) load(a, ahead[a]);
  waitForPrevious();
  letNextStart();

  // x, normalised when a norm weight is given. Packed: CHUNKS·4 registers per vector.
  Vector8 mine[B][CHUNKS];
#pragma unroll
  for (int b = 0; b < B; ++b) {
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) {
      const int k = (c * threads + thread) * 8;
      mine[b][c] = k < inner ? loadVector(x + static_cast<std::size_t>(b) * inner + k) : Vector8{};
    }
  }
  if (norm != nullptr) {
    __shared__ float squares[B][warps];
#pragma unroll
    for (int b = 0; b < B; ++b) {
      float sum = 0;
#pragma unroll
      for (int c = 0; c < CHUNKS; ++c) {
#pragma unroll
        for (int w = 0; w < 4; ++w) {
          const float low = lowOf(mine[b][c].word[w]), high = highOf(mine[b][c].word[w]);
          sum += low * low + high * high;
        }
      }
      sum = warpSum(sum);
      if (thread % 32 == 0) squares[b][warp] = sum;
    }
    __syncthreads();
#pragma unroll
    for (int b = 0; b < B; ++b) {
      float total = 0;
#pragma unroll
      for (int w = 0; w < warps; ++w) total += squares[b][w];
      const float scale = rsqrtf(total / static_cast<float>(inner) + epsilon);
#pragma unroll
      for (int c = 0; c < CHUNKS; ++c) {
        const int k = (c * threads + thread) * 8;
        const Vector8 g = k < inner ? loadVector(norm + k) : Vector8{};
#pragma unroll
        for (int w = 0; w < 4; ++w) {
          const std::uint32_t v = mine[b][c].word[w];
          mine[b][c].word[w] = packPair(roundToBf16(lowOf(v) * scale) * lowOf(g.word[w]),
                                        roundToBf16(highOf(v) * scale) * highOf(g.word[w]));
        }
      }
    }
  }

  const int padded = (count + 3) / 4 * 4;
  for (int i = 0; i < count; i += AHEAD) {
#pragma unroll
    for (int a = 0; a < AHEAD; ++a) {
      float sum[B];
#pragma unroll
      for (int b = 0; b < B; ++b) sum[b] = 0;
#pragma unroll
      for (int c = 0; c < CHUNKS; ++c) {
#pragma unroll
        for (int w = 0; w < 4; ++w) {
          const float low = lowOf(ahead[a][c].word[w]), high = highOf(ahead[a][c].word[w]);
#pragma unroll
          for (int b = 0; b < B; ++b)
            sum[b] = fmaf(high, highOf(mine[b][c].word[w]), fmaf(low, lowOf(mine[b][c].word[w]), sum[b]));
        }
      }
      load(i + AHEAD + a, ahead[a]);
#pragma unroll
      for (int b = 0; b < B; ++b) {
        const float all = warpSum(sum[b]);
        if (thread % 32 == 0 && i + a < count) sums[(b * warps + warp) * padded + i + a] = all;
      }
    }
  }
  __syncthreads();
  const int mineCount = end - first;
  for (int j = thread; j < mineCount * B; j += threads) {
    const int b = j / mineCount, i = j - b * mineCount;
    const auto total = [&](int local) {
      float sum = 0;
#pragma unroll
      for (int w = 0; w < warps; ++w) sum += sums[(b * warps + w) * padded + local];
      return sum;
    };
    const std::size_t at = static_cast<std::size_t>(b) * outputs + first + i;
    if (epilogue == swigluPair) {
      const float gate = roundToBf16(total(2 * i)), up = roundToBf16(total(2 * i + 1));
      static_cast<bf16*>(y)[at] = __float2bfloat16_rn(gate / (1.0f + __expf(-gate)) * up);
    } else if (epilogue == addResidual) {
      bf16* to = static_cast<bf16*>(y) + at;
      *to = __float2bfloat16_rn(__bfloat162float(*to) + total(i));
    } else if (epilogue == logits) {
      static_cast<float*>(y)[at] = total(i);
    } else {
      static_cast<bf16*>(y)[at] = __float2bfloat16_rn(total(i));
    }
  }
}

}  // namespace

#define DYNO_GEMV(B, CHUNKS, AHEAD)                                                                                \
  extern "C" __global__ void __launch_bounds__(256) gemv##B##x##CHUNKS(                                            \
      void* y, const bf16* weights, const bf16* x, const bf16* norm, int rows, int inner, int epilogue, float epsilon) { \
    gemvOf<B, CHUNKS, AHEAD>(y, weights, x, norm, rows, inner, epilogue, epsilon);                                 \
  }
// CHUNKS·2,048 is the largest inner size.
DYNO_GEMV(1, 1, 8)
DYNO_GEMV(1, 2, 4)
DYNO_GEMV(1, 3, 3)
DYNO_GEMV(1, 4, 2)
DYNO_GEMV(1, 7, 2)
DYNO_GEMV(1, 8, 1)
DYNO_GEMV(2, 1, 8)
DYNO_GEMV(2, 2, 4)
DYNO_GEMV(2, 3, 3)
DYNO_GEMV(2, 4, 2)
DYNO_GEMV(2, 7, 1)
DYNO_GEMV(2, 8, 1)
DYNO_GEMV(4, 1, 8)
DYNO_GEMV(4, 2, 4)
DYNO_GEMV(4, 3, 2)
DYNO_GEMV(4, 4, 1)
