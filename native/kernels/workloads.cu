// Kernels of the first CUDA workloads. Each has a float64 reference (engine/reference.cpp, workloads/*.ts) and a stated
// tolerance. Matrices are row-major; a layer's weights are [out][in], as PyTorch's Linear has them: both operands are
// contiguous in `in`.
#include <cuda_fp16.h>

#include <cstdint>

enum Activation : unsigned { none = 0, relu = 1, gelu = 2 };

__device__ float activate(float value, unsigned activation) {
  if (activation == relu) return fmaxf(value, 0.0f);
  if (activation == gelu)
    return 0.5f * value * (1.0f + erff(value * 0.70710678118654752f));  // the exact form, as the reference
  return value;
}

// y[rows][out] = activation(x[rows][in] · w[out][in]ᵀ + b[out]), fp32, for many rows.
//   FLOPs: 2·rows·in·out   bytes at best: 4·(rows·in + out·in + rows·out)   expected: 30–50 % of the fp32 GEMM roof
//   `in` must be a multiple of 16. Tolerance against float64: 1e-5 of the row's root mean square, times √in.
//   Source: the textbook tile. One block makes 64×64 outputs; 256 threads make 4×4 each from two tiles 16 deep:
//
//        w tile 64 ►
//      ┌───────────┐      each thread: 4 rows (ty) × 4 columns (tx); per k-step 8 shared loads feed 16 FMAs.
//   x  │ 4×4 │     │      Tiles are stored k-major with a pad of 4, so that neither the stores nor the float4 loads
//   conflict. 64 │─────┘     │ ▼  └───────────┘
extern "C" __global__ void __launch_bounds__(256)
    linearTile(float* __restrict__ y, const float* __restrict__ x, const float* __restrict__ w,
               const float* __restrict__ b, unsigned rows, unsigned in, unsigned out, unsigned activation) {
  constexpr unsigned side = 64, depth = 16, pad = 4;
  __shared__ float xTile[depth][side + pad], wTile[depth][side + pad];
  const unsigned thread = threadIdx.x, tx = thread % 16, ty = thread / 16;
  const unsigned rowBase = blockIdx.y * side, columnBase = blockIdx.x * side;
  const unsigned loadLine = thread / 4, loadDepth = thread % 4 * 4;
  float sum[4][4] = {};
  for (unsigned k = 0; k < in; k += depth) {
    const unsigned row = rowBase + loadLine, column = columnBase + loadLine;
    const float4 zero = make_float4(0, 0, 0, 0);
    const float4 fromX =
        row < rows ? *reinterpret_cast<const float4*>(x + std::size_t(row) * in + k + loadDepth) : zero;
    const float4 fromW =
        column < out ? *reinterpret_cast<const float4*>(w + std::size_t(column) * in + k + loadDepth) : zero;
    xTile[loadDepth][loadLine] = fromX.x, xTile[loadDepth + 1][loadLine] = fromX.y,
    xTile[loadDepth + 2][loadLine] = fromX.z, xTile[loadDepth + 3][loadLine] = fromX.w;
    wTile[loadDepth][loadLine] = fromW.x, wTile[loadDepth + 1][loadLine] = fromW.y,
    wTile[loadDepth + 2][loadLine] = fromW.z, wTile[loadDepth + 3][loadLine] = fromW.w;
    __syncthreads();
#pragma unroll
    for (unsigned d = 0; d < depth; ++d) {
      const float4 a = *reinterpret_cast<const float4*>(&xTile[d][ty * 4]),
                   c = *reinterpret_cast<const float4*>(&wTile[d][tx * 4]);
      const float left[4] = {a.x, a.y, a.z, a.w}, top[4] = {c.x, c.y, c.z, c.w};
#pragma unroll
      for (unsigned i = 0; i < 4; ++i)
#pragma unroll
        for (unsigned j = 0; j < 4; ++j) sum[i][j] = fmaf(left[i], top[j], sum[i][j]);
    }
    __syncthreads();
  }
  for (unsigned i = 0; i < 4; ++i) {
    for (unsigned j = 0; j < 4; ++j) {
      const unsigned row = rowBase + ty * 4 + i, column = columnBase + tx * 4 + j;
      if (row < rows && column < out) y[std::size_t(row) * out + column] = activate(sum[i][j] + b[column], activation);
    }
  }
}

// The same product for at most 16 rows per block, one warp per output column: the shape of decode, where the weights
// are the traffic.
//   FLOPs: 2·rows·in·out   bytes: the weights once, 4·in·out (2·in·out for the half version)   expected: L2 or HBM read
//   roof `xRows`/`yRows` (may be null) choose the row to read and to write: gather and scatter cost no kernel of their
//   own. `in` must be a multiple of 128. Source: our own.
template <typename Number>
__device__ void linearRowsBody(Number* y, const int* yRows, const Number* x, const int* xRows, const Number* w,
                               const Number* b, unsigned rows, unsigned in, unsigned out, unsigned activation) {
  constexpr unsigned rowsPerBlock = 16;
  const unsigned lane = threadIdx.x % 32, column = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32,
                 firstRow = blockIdx.y * rowsPerBlock;
  if (column >= out) return;
  const unsigned here = min(rowsPerBlock, rows - firstRow);
  float sum[rowsPerBlock] = {};
  const Number* weights = w + std::size_t(column) * in;
  for (unsigned k = lane * 4; k < in; k += 128) {
    float wide[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) wide[i] = float(weights[k + i]);
#pragma unroll
    for (unsigned r = 0; r < rowsPerBlock; ++r) {
      if (r >= here) continue;
      const unsigned row = xRows != nullptr ? unsigned(xRows[firstRow + r]) : firstRow + r;
      const Number* from = x + std::size_t(row) * in + k;
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[r] = fmaf(wide[i], float(from[i]), sum[r]);
    }
  }
#pragma unroll
  for (unsigned r = 0; r < rowsPerBlock; ++r) {
    float total = sum[r];
    for (int step = 16; step > 0; step /= 2) total += __shfl_down_sync(0xFFFFFFFFu, total, step);
    if (lane == 0 && r < here) {
      const unsigned row = yRows != nullptr ? unsigned(yRows[firstRow + r]) : firstRow + r;
      y[std::size_t(row) * out + column] = Number(activate(total + float(b[column]), activation));
    }
  }
}
extern "C" __global__ void __launch_bounds__(256)
    linearRows(float* y, const int* yRows, const float* x, const int* xRows, const float* w, const float* b,
               unsigned rows, unsigned in, unsigned out, unsigned activation) {
  linearRowsBody<float>(y, yRows, x, xRows, w, b, rows, in, out, activation);
}
extern "C" __global__ void __launch_bounds__(256)
    linearRowsHalf(__half* y, const int* yRows, const __half* x, const int* xRows, const __half* w, const __half* b,
                   unsigned rows, unsigned in, unsigned out, unsigned activation) {
  linearRowsBody<__half>(y, yRows, x, xRows, w, b, rows, in, out, activation);
}

// y = tanh((x / 255 − 0.5) · 2) from bytes, or from floats that hold bytes.   bytes: 5·n, or 8·n   expected: HBM or L2
// roof
extern "C" __global__ void normaliseBytes(float* y, const std::uint8_t* x, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = tanhf((float(x[i]) / 255.0f - 0.5f) * 2.0f);
}
extern "C" __global__ void normaliseFloats(float* y, const float* x, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = tanhf((x[i] / 255.0f - 0.5f) * 2.0f);
}

// Writes next[row] back to state[first + row] for the rows whose request is not finished: step < length.   bytes: ≤
// 8·rows·width
extern "C" __global__ void keepActive(float* state, const float* next, const int* lengths, unsigned first,
                                      unsigned rows, unsigned width, int step) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= rows * width) return;
  const unsigned row = i / width;
  if (step < lengths[first + row]) state[std::size_t(first) * width + i] = next[i];
}

// best[row] = index of the largest score of each row, the lowest one on a tie. One block per row, from `firstRow`.
//   bytes: 2·columns per row   expected: far from any roof when launched row by row, which is the lesson
extern "C" __global__ void __launch_bounds__(256)
    argmaxRows(int* best, const __half* scores, unsigned columns, unsigned firstRow) {
  const unsigned row = firstRow + blockIdx.x;
  float top = -INFINITY;
  int at = 0;
  for (unsigned c = threadIdx.x; c < columns; c += blockDim.x) {
    const float score = __half2float(scores[std::size_t(row) * columns + c]);
    if (score > top) top = score, at = int(c);
  }
  __shared__ float tops[256];
  __shared__ int ats[256];
  tops[threadIdx.x] = top;
  ats[threadIdx.x] = at;
  __syncthreads();
  for (unsigned half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      const unsigned other = threadIdx.x + half;
      if (tops[other] > tops[threadIdx.x] || (tops[other] == tops[threadIdx.x] && ats[other] < ats[threadIdx.x]))
        tops[threadIdx.x] = tops[other], ats[threadIdx.x] = ats[other];
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) best[row] = ats[0];
}

// y = x after `steps` of v ← 0.999·v + 0.001: arithmetic of chosen length beside a copy.   FLOPs: 2·steps·n   bytes:
// 8·n
extern "C" __global__ void relaxTowardsOne(float* y, const float* x, unsigned n, unsigned steps) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v = x[i];
  for (unsigned s = 0; s < steps; ++s) v = fmaf(v, 0.999f, 0.001f);
  y[i] = v;
}
