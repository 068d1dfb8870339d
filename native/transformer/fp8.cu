// FP8 weights (e4m3, one FP32 scale per output channel): quantising, and products of few rows that read the weights as they
// are and multiply in BF16.
//
//   kernel           bytes (N outputs, K inputs, T rows)     FLOPs      expected share of the roof
//   quantiseRows     3·N·K                                   2·N·K      ≥ 70 % of the copy roof from 64 MB on
//   fp8Few           N·K + 2·T·(N + K)                       2·T·N·K    ≥ 80 % of the copy roof at T ≤ 16
//   fp8FewSwiglu     N·K + 2·T·(N + K), N counts both        2·T·N·K    ≥ 80 % of the copy roof at T ≤ 16
//
//   e4m3 s eeee mmm → BF16 s 0000eeee mmm0000: the bits move, and a product with 2^120 sets the exponent right; it is exact,
//   for subnormal numbers too. 16 rows of x at a time: more rows read the weights again from L2.
//
// Scale of a row: max |w| / 448, so that the largest value is representable; a row of zeros has scale 1. Source: own;
// e4m3: Micikevicius et al. 2022. Tolerance against float64 on the dequantised weights: 1e-5 of Σ|x·w| plus one BF16
// rounding; quantisation itself: half a step of e4m3, at most 2⁻⁴ of each weight (2⁻¹⁰ of scale near zero).
#include <cuda_fp8.h>

#include "transformer/stream.cuh"

namespace {
constexpr int warps = 8, chunk = 128, rowsAtOnce = 16;
enum Epilogue { plain = 0, addResidual = 1, swigluPair = 2, logits = 3 };

// Four e4m3 to four BF16, times 2^120 afterwards.
__device__ __forceinline__ void widen(std::uint32_t four, std::uint32_t& first, std::uint32_t& second) {
  const std::uint32_t low = __byte_perm(four, 0, 0x1404), high = __byte_perm(four, 0, 0x3424);
  const std::uint32_t power = 0x7B807B80u;  // 2^120, twice
  const std::uint32_t a = (low & 0x80008000u) | (low & 0x7F007F00u) >> 4,
                      b = (high & 0x80008000u) | (high & 0x7F007F00u) >> 4;
  asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(first) : "r"(a), "r"(power));
  asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(second) : "r"(b), "r"(power));
}

// As stream.cuh, with 16 weights per load: lane t holds k = 16·t … 16·t + 15 of each 64.
template <int MT>
struct Fp8Weights {
  Vector8 at[MT][2][2];
};
template <int MT>
__device__ __forceinline__ void loadFp8(Fp8Weights<MT>& into, const std::uint8_t* at, std::size_t toEighth,
                                        std::size_t toTile, int k, int left) {
#pragma unroll
  for (int m = 0; m < MT; ++m)
#pragma unroll
    for (int r = 0; r < 2; ++r)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        into.at[m][r][half] =
            k + 64 * half < left ? loadStreaming(at + m * toTile + r * toEighth + k + 64 * half) : noVector();
}

template <int MT, int NT>
__device__ __forceinline__ void fp8Product(float (&sum)[MT][NT][4], Fp8Weights<MT>& now, const std::uint8_t* at,
                                           std::size_t toEighth, std::size_t toTile, const bf16* const (&x)[NT], int K,
                                           int warp) {
  const int left = K - 16 * (threadIdx.x % 4);
#pragma unroll 2
  for (int k = warp * chunk; k < K; k += warps * chunk) {
    Fp8Weights<MT> next;
    loadFp8<MT>(next, at, toEighth, toTile, k + warps * chunk, left);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Vector8 rows[NT][2];
#pragma unroll
      for (int n = 0; n < NT; ++n)
#pragma unroll
        for (int i = 0; i < 2; ++i)
          rows[n][i] = k + 64 * half < left ? loadVector(x[n] + k + 64 * half + 8 * i) : noVector();
#pragma unroll
      for (int word = 0; word < 4; ++word)
#pragma unroll
        for (int m = 0; m < MT; ++m) {
          std::uint32_t a[4];
          widen(now.at[m][0][half].word[word], a[0], a[2]);
          widen(now.at[m][1][half].word[word], a[1], a[3]);
#pragma unroll
          for (int n = 0; n < NT; ++n)
            multiply(sum[m][n], a, rows[n][word / 2].word[word % 2 * 2], rows[n][word / 2].word[word % 2 * 2 + 1]);
        }
    }
    now = next;
  }
}

// MT 1: a block's 16 outputs. MT 2: 16 gate rows and the 16 up rows `outputs` further on.
template <int MT>
__device__ __forceinline__ void fp8FewOf(void* y, const std::uint8_t* weights, const float* scales, const bf16* x,
                                         int rows, int outputs, int inner, int epilogue) {
  __shared__ float partial[warps][MT][16][rowsAtOnce];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int first = blockIdx.x * 16;
  const std::uint8_t* at = weights + static_cast<std::size_t>(first + g) * inner + 16 * t;
  const std::size_t toEighth = static_cast<std::size_t>(8) * inner, toTile = static_cast<std::size_t>(outputs) * inner;
  const int left = inner - 16 * t;
  Fp8Weights<MT> ahead;
  loadFp8<MT>(ahead, at, toEighth, toTile, warp * chunk, left);
  waitForPrevious();
  letNextStart();
  for (int from = 0; from < rows; from += rowsAtOnce) {
    if (from > 0) loadFp8<MT>(ahead, at, toEighth, toTile, warp * chunk, left);
    const bf16* xRows[2];
#pragma unroll
    for (int n = 0; n < 2; ++n)
      xRows[n] = x + static_cast<std::size_t>(min(from + 8 * n + g, rows - 1)) * inner + 16 * t;
    const auto store = [&](const float(&sum)[4], int m, int n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) partial[warp][m][g + (i / 2) * 8][8 * n + 2 * t + i % 2] = sum[i];
    };
    if (rows - from > 8) {
      float sum[MT][2][4] = {};
      fp8Product<MT, 2>(sum, ahead, at, toEighth, toTile, xRows, inner, warp);
#pragma unroll
      for (int m = 0; m < MT; ++m) store(sum[m][0], m, 0), store(sum[m][1], m, 1);
    } else {
      float sum[MT][1][4] = {};
      const bf16* one[1] = {xRows[0]};
      fp8Product<MT, 1>(sum, ahead, at, toEighth, toTile, one, inner, warp);
#pragma unroll
      for (int m = 0; m < MT; ++m) store(sum[m][0], m, 0);
    }
    __syncthreads();
    const int here = min(rowsAtOnce, rows - from);
    for (int i = threadIdx.x; i < 16 * here; i += 256) {
      const int row = i % 16, token = i / 16, output = first + row;
      float total[MT];
#pragma unroll
      for (int m = 0; m < MT; ++m) {
        total[m] = 0;
#pragma unroll
        for (int w = 0; w < warps; ++w) total[m] += partial[w][m][row][token];
        total[m] *= scales[m * outputs + output];
      }
      const std::size_t to = static_cast<std::size_t>(from + token) * outputs + output;
      if constexpr (MT == 2) {
        const float gate = roundToBf16(total[0]), up = roundToBf16(total[1]);
        static_cast<bf16*>(y)[to] = __float2bfloat16_rn(gate / (1.0f + __expf(-gate)) * up);
      } else if (epilogue == addResidual) {
        bf16* value = static_cast<bf16*>(y) + to;
        *value = __float2bfloat16_rn(__bfloat162float(*value) + roundToBf16(total[0]));
      } else if (epilogue == logits) {
        static_cast<float*>(y)[to] = total[0];
      } else {
        static_cast<bf16*>(y)[to] = __float2bfloat16_rn(total[0]);
      }
    }
    __syncthreads();
  }
}
}  // namespace

// y[t][n] = scales[n] · Σ_k w[n][k] · x[t][k]: `epilogue` 0 stores BF16, 1 adds to the BF16 there, 3 stores FP32. N: a multiple
// of 16, K: of 16. grid N/16, 256 threads.
extern "C" __global__ void __launch_bounds__(256, 2)
    fp8Few(void* y, const std::uint8_t* weights, const float* scales, const bf16* x, int rows, int outputs, int inner,
           int epilogue) {
  fp8FewOf<1>(y, weights, scales, x, rows, outputs, inner, epilogue);
}
// y[t][f] = silu(gate) · up with the rows of gate first, then those of up. grid F/16, 256 threads.
extern "C" __global__ void __launch_bounds__(256, 2)
    fp8FewSwiglu(void* y, const std::uint8_t* weights, const float* scales, const bf16* x, int rows, int outputs,
                 int inner) {
  fp8FewOf<2>(y, weights, scales, x, rows, outputs, inner, swigluPair);
}

// Rows of BF16 to e4m3 with a scale each: weights once at load; rows of x per pass, for products in FP8 on both sides. One
// block of 256 threads per row; width: a multiple of 16.
extern "C" __global__ void __launch_bounds__(256)
    quantiseRows(std::uint8_t* out, float* scales, const bf16* in, int width) {
  __shared__ float partial[8];
  waitForPrevious();
  letNextStart();
  const bf16* from = in + static_cast<std::size_t>(blockIdx.x) * width;
  float largest = 0;
  for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
    const Vector8 v = loadVector(from + i);
#pragma unroll
    for (int w = 0; w < 4; ++w) largest = fmaxf(largest, fmaxf(fabsf(lowOf(v.word[w])), fabsf(highOf(v.word[w]))));
  }
  largest = warpMax(largest);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = largest;
  __syncthreads();
#pragma unroll
  for (int w = 0; w < 8; ++w) largest = fmaxf(largest, partial[w]);
  const float scale = largest > 0 ? largest / 448.0f : 1.0f, inverse = 1.0f / scale;
  if (threadIdx.x == 0) scales[blockIdx.x] = scale;
  for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
    const Vector8 v = loadVector(from + i);
    std::uint32_t word[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::uint32_t a = v.word[2 * half], b = v.word[2 * half + 1];
      word[half] = __nv_cvt_float2_to_fp8x2(make_float2(lowOf(a) * inverse, highOf(a) * inverse), __NV_SATFINITE, __NV_E4M3) |
                   static_cast<std::uint32_t>(__nv_cvt_float2_to_fp8x2(make_float2(lowOf(b) * inverse, highOf(b) * inverse),
                                                                       __NV_SATFINITE, __NV_E4M3))
                       << 16;
    }
    *reinterpret_cast<uint2*>(out + static_cast<std::size_t>(blockIdx.x) * width + i) = make_uint2(word[0], word[1]);
  }
}

// Rows of e4m3 with their scales back to BF16: for products that have no FP8 path. One block per row; width: a multiple of 16.
extern "C" __global__ void __launch_bounds__(256)
    widenRows(bf16* out, const std::uint8_t* in, const float* scales, int width) {
  waitForPrevious();
  letNextStart();
  const float scale = scales[blockIdx.x];
  for (int i = threadIdx.x * 16; i < width; i += 256 * 16) {
    const Vector8 v = loadVector(in + static_cast<std::size_t>(blockIdx.x) * width + i);
    bf16* to = out + static_cast<std::size_t>(blockIdx.x) * width + i;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Vector8 result;
#pragma unroll
      for (int w = 0; w < 2; ++w) {
        std::uint32_t pair[2];
        widen(v.word[2 * half + w], pair[0], pair[1]);
        result.word[2 * w] = packPair(lowOf(pair[0]) * scale, highOf(pair[0]) * scale);
        result.word[2 * w + 1] = packPair(lowOf(pair[1]) * scale, highOf(pair[1]) * scale);
      }
      storeVector(to + 8 * half, result);
    }
  }
}
