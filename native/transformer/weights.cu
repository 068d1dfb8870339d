// Weights on the device: random ones, and conversion of the types that checkpoints hold. One pass over the tensor, bound by
// memory (2 bytes written per element); loading is bound by the host link long before.
#include <cuda_fp16.h>

#include "transformer/device.cuh"

namespace {
// The finaliser of MurmurHash3 (Appleby): each input bit changes each output bit with probability one half.
__device__ __forceinline__ std::uint32_t mixed(std::uint32_t h) {
  h ^= h >> 16;
  h *= 0x85EBCA6Bu;
  h ^= h >> 13;
  h *= 0xC2B2AE35u;
  return h ^ h >> 16;
}
}  // namespace

// out[i] = centre + scale · u_i with u_i uniform over the odd multiples of 2⁻²⁴ in (−1, 1), from (key, i) alone;
// `randomWeight` in randomWeights.ts and in reference.cpp draw the same values.
extern "C" __global__ void __launch_bounds__(256) drawWeights(bf16* out, std::uint32_t key, std::uint32_t count,
                                                              float centre, float scale) {
  for (std::uint32_t i = blockIdx.x * 256u + threadIdx.x; i < count; i += gridDim.x * 256u) {
    const std::uint32_t h = mixed(mixed(i * 0x9E3779B1u + key) ^ key);
    const int whole = static_cast<int>(h >> 8) * 2 - 0xFFFFFF;  // odd, |whole| < 2^24: exact as float
    out[i] = __float2bfloat16_rn(__fadd_rn(centre, __fmul_rn(scale, static_cast<float>(whole) * 0x1p-24f)));
  }
}

extern "C" __global__ void __launch_bounds__(256) convertHalf(bf16* out, const __half* in, unsigned long long count) {
  for (unsigned long long i = blockIdx.x * 256ull + threadIdx.x; i < count; i += gridDim.x * 256ull)
    out[i] = __float2bfloat16_rn(__half2float(in[i]));
}
extern "C" __global__ void __launch_bounds__(256) convertFloat(bf16* out, const float* in, unsigned long long count) {
  for (unsigned long long i = blockIdx.x * 256ull + threadIdx.x; i < count; i += gridDim.x * 256ull)
    out[i] = __float2bfloat16_rn(in[i]);
}

// Copies one layer's blocks: pairs[2i] of `from` to pairs[2i + 1] of `to`, also between GPUs. `vectors` is 16-byte words of a
// block; grid (blocks of 256 threads per pair, pairs).
extern "C" __global__ void __launch_bounds__(256) copyKvBlocks(Vector8* to, const Vector8* from, const int* pairs, int vectors) {
  const std::size_t source = static_cast<std::size_t>(pairs[2 * blockIdx.y]) * vectors,
                    target = static_cast<std::size_t>(pairs[2 * blockIdx.y + 1]) * vectors;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < vectors; i += gridDim.x * 256) to[target + i] = from[source + i];
}
