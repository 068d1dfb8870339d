// Copies on the device: the kernels whose bytes are known exactly, which is what a memory roof is checked with.
#include <cstdint>

// to[i] = from[i], a 4-byte word per thread.
//   bytes: 8 · count   FLOPs: 0   expected: less than copyVectors: one load in flight per thread, four times the
//   instructions. Source: our own; coalesced, so the bytes are the same.
extern "C" __global__ void __launch_bounds__(256)
    copyScalars(std::uint32_t* __restrict__ to, const std::uint32_t* __restrict__ from, std::uint64_t count) {
  const std::uint64_t i = std::uint64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) to[i] = from[i];
}

// to[i] = from[i], 16-byte words, four loads in flight per thread before the first store, grid-stride.
//   bytes: 32 · count   FLOPs: 0   expected: about the driver's own device copy (> 85 % of the data sheet).   Source:
//   our own.
extern "C" __global__ void __launch_bounds__(512)
    copyVectors(uint4* __restrict__ to, const uint4* __restrict__ from, std::uint64_t count) {
  const std::uint64_t stride = std::uint64_t(gridDim.x) * blockDim.x;
  std::uint64_t i = std::uint64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i + 3 * stride < count; i += 4 * stride) {
    const uint4 w0 = __ldcs(from + i), w1 = __ldcs(from + i + stride), w2 = __ldcs(from + i + 2 * stride),
                w3 = __ldcs(from + i + 3 * stride);
    __stcs(to + i, w0);
    __stcs(to + i + stride, w1);
    __stcs(to + i + 2 * stride, w2);
    __stcs(to + i + 3 * stride, w3);
  }
  for (; i < count; i += stride) __stcs(to + i, __ldcs(from + i));
}
