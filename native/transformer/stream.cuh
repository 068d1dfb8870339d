// Products of few rows (decode): out[row][column] = Σ_k x[row][k] · w[column][k]. The weights are the traffic, so each is
// read once, straight from device memory into tensor-core fragments, without shared memory:
//
//   k →   0 … 7    8 … 15   16 … 23  24 … 31 | 32 …          lane = 4·g + t holds, of weight rows g and g + 8, the eight
//        lane t=0   t=1       t=2      t=3   | t=0 …         values k = 8·t … 8·t + 7 of each 32: one 16-byte load
//
// A tensor-core product needs k = 2t, 2t + 1, 2t + 8, 2t + 9 in lane t; the order of k is free as long as both operands
// agree, so the eight loaded values feed two products as they are. The warps of a block share out K in chunks of 64 and
// add their sums in shared memory. Two chunks are in flight per warp. Source: own; the fragment layout is PTX ISA's
// mma.m16n8k16.
#pragma once
#include "transformer/device.cuh"

constexpr int streamChunk = 64;

__device__ __forceinline__ Vector8 noVector() { return Vector8{{0, 0, 0, 0}}; }

// The weight rows of one lane: row g of tile 0 from this lane's first k on, and the ways to rows g + 8 and to the next tile,
// in elements.
struct StreamRows {
  const bf16* at;
  std::size_t toEighth, toTile;
};

// One chunk of weights: MT tiles of 16 rows, rows g and g + 8 of each, two halves of 32 k.
template <int MT>
struct StreamWeights {
  Vector8 at[MT][2][2];
};

template <int MT>
__device__ __forceinline__ void loadWeights(StreamWeights<MT>& into, const StreamRows& rows, int k, int left) {
#pragma unroll
  for (int m = 0; m < MT; ++m)
#pragma unroll
    for (int r = 0; r < 2; ++r)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        into.at[m][r][half] =
            k + 32 * half < left ? loadStreaming(rows.at + m * rows.toTile + r * rows.toEighth + k + 32 * half)
                                 : noVector();
}

template <int NT>
__device__ __forceinline__ void loadRows(Vector8 (&into)[NT][2], const bf16* const (&x)[NT], int k, int left) {
#pragma unroll
  for (int n = 0; n < NT; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      into[n][half] = k + 32 * half < left ? loadVector(x[n] + k + 32 * half) : noVector();
}

template <int MT, int NT>
__device__ __forceinline__ void multiplyChunk(float (&sum)[MT][NT][4], const StreamWeights<MT>& w,
                                              const Vector8 (&x)[NT][2]) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int part = 0; part < 2; ++part)
#pragma unroll
      for (int m = 0; m < MT; ++m) {
        const std::uint32_t a[4] = {w.at[m][0][half].word[2 * part], w.at[m][1][half].word[2 * part],
                                    w.at[m][0][half].word[2 * part + 1], w.at[m][1][half].word[2 * part + 1]};
#pragma unroll
        for (int n = 0; n < NT; ++n)
          multiply(sum[m][n], a, x[n][half].word[2 * part], x[n][half].word[2 * part + 1]);
      }
}

// First k of this lane within a chunk: both operands' pointers start there.
__device__ __forceinline__ int streamBegin() { return 8 * (threadIdx.x % 4); }

// Adds this warp's share of K (chunks `warp`, `warp` + `warps`, …) to `sum`. `x`: this lane's row g of each tile of eight,
// from streamBegin() on; a lane without a row points at any other one, its column of `sum` is then meaningless. `first`
// holds the weights of chunk `warp`, loaded by the caller (before it knew the rows of x). K: a multiple of 8.
template <int MT, int NT>
__device__ __forceinline__ void streamProduct(float (&sum)[MT][NT][4], StreamWeights<MT>& first, const StreamRows& rows,
                                              const bf16* const (&x)[NT], int K, int warp, int warps) {
  constexpr bool ahead = MT == 1 || NT == 1;  // else registers are short, and x comes from L2 or L1
  const int left = K - streamBegin(), step = warps * streamChunk;
  Vector8 xNow[NT][2];
  if constexpr (ahead) loadRows<NT>(xNow, x, warp * streamChunk, left);
#pragma unroll 2
  for (int k = warp * streamChunk; k < K; k += step) {
    StreamWeights<MT> next;
    Vector8 xNext[NT][2];
    loadWeights<MT>(next, rows, k + step, left);
    if constexpr (ahead) loadRows<NT>(xNext, x, k + step, left);
    else loadRows<NT>(xNow, x, k, left);
    multiplyChunk<MT, NT>(sum, first, xNow);
    first = next;
    if constexpr (ahead) {
#pragma unroll
      for (int n = 0; n < NT; ++n) xNow[n][0] = xNext[n][0], xNow[n][1] = xNext[n][1];
    }
  }
}
