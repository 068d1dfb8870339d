// Kernels that measure the memory roofs, and the random data that GEMM roofs are measured on.
// Every kernel is extern "C": its name is how the addon finds it in the fatbin.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

// Reads `count` 16-byte words once per pass and adds them up.
//   bytes: 16 · count · passes   FLOPs: ignored   expected: > 90 % of the HBM data sheet when the buffer is much larger
//   than L2; with a buffer well inside L2 and many passes it is the L2 roof. Check: the sum is written, and equals the
//   CPU's. Source: our own; four independent 16-byte loads in flight per thread, grid-stride.
extern "C" __global__ void __launch_bounds__(512)
    readWords(const uint4* __restrict__ words, std::uint64_t count, unsigned passes, std::uint32_t* sum) {
  const std::uint64_t stride = std::uint64_t(gridDim.x) * blockDim.x;
  const std::uint64_t first = std::uint64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  for (unsigned pass = 0; pass < passes; ++pass) {
    std::uint64_t i = first;
    for (; i + 3 * stride < count; i += 4 * stride) {
      uint4 w0, w1, w2, w3;
      // volatile asm: a compiler may not keep a word from the pass before; .cg: past L1, whose hits are no L2 roof
      asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
                   : "=r"(w0.x), "=r"(w0.y), "=r"(w0.z), "=r"(w0.w)
                   : "l"(words + i));
      asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
                   : "=r"(w1.x), "=r"(w1.y), "=r"(w1.z), "=r"(w1.w)
                   : "l"(words + i + stride));
      asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
                   : "=r"(w2.x), "=r"(w2.y), "=r"(w2.z), "=r"(w2.w)
                   : "l"(words + i + 2 * stride));
      asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
                   : "=r"(w3.x), "=r"(w3.y), "=r"(w3.z), "=r"(w3.w)
                   : "l"(words + i + 3 * stride));
      a += w0.x + w0.y + w0.z + w0.w;
      b += w1.x + w1.y + w1.z + w1.w;
      c += w2.x + w2.y + w2.z + w2.w;
      d += w3.x + w3.y + w3.z + w3.w;
    }
    for (; i < count; i += stride) {
      uint4 w;
      asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
                   : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w)
                   : "l"(words + i));
      a += w.x + w.y + w.z + w.w;
    }
  }
  std::uint32_t total = a + b + c + d;
  for (int lane = 16; lane > 0; lane /= 2) total += __shfl_down_sync(0xFFFFFFFFu, total, lane);
  if ((threadIdx.x & 31) == 0) atomicAdd(sum, total);
}

// Copies `count` 16-byte words.
//   bytes: 32 · count (read and written)   expected: about the driver's own device copy.   Source: our own.
extern "C" __global__ void __launch_bounds__(512)
    copyWords(uint4* __restrict__ to, const uint4* __restrict__ from, std::uint64_t count) {
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

// Reads shared memory, 16 bytes per thread and step, without bank conflicts.
//   bytes: 16 · threads · steps   expected: 128 bytes per cycle and SM.   Source: our own.
//   Each thread walks its own column of a tile; the address depends on the step, so the loads cannot be hoisted.
extern "C" __global__ void __launch_bounds__(1024) readShared(unsigned steps, std::uint32_t* sum) {
  __shared__ uint4 tile[2048];  // 32 KiB
  for (unsigned i = threadIdx.x; i < 2048; i += blockDim.x) tile[i] = make_uint4(i, i, i, i);
  __syncthreads();
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  const auto base = static_cast<std::uint32_t>(__cvta_generic_to_shared(tile));
  for (unsigned step = 0; step < steps; step += 4) {
#pragma unroll
    for (unsigned k = 0; k < 4; ++k) {
      uint4 w;
      const std::uint32_t address = base + 16u * ((threadIdx.x + (step + k) * 32u) & 2047u);
      asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w) : "r"(address));
      a ^= w.x;
      b ^= w.y;
      c ^= w.z;
      d ^= w.w;
    }
  }
  if ((a ^ b ^ c ^ d) == 0x5bd1e995u) atomicAdd(sum, 1u);  // practically never: keeps the loads alive
}

// Does nothing: what is left is the launch itself.
extern "C" __global__ void empty() {}

// Standard normal numbers, the same for the same (seed, index) on every card. GEMM power, and so its clock, depends on
// the data: zeros run about 13 % faster than this, which is why roofs are measured on random data.
//   bytes: size of the type · count written   Source: splitmix64 and Box–Muller.
__device__ float normalAt(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  const float u = (float(std::uint32_t(z)) + 0.5f) * (1.0f / 4294967296.0f);
  const float v = (float(std::uint32_t(z >> 32)) + 0.5f) * (1.0f / 4294967296.0f);
  return sqrtf(-2.0f * logf(fmaxf(u, 1e-12f))) * cospif(2.0f * v);
}

#define DYNO_NORMAL(name, Type, convert)                                                    \
  extern "C" __global__ void name(Type* out, std::uint64_t count, std::uint64_t seed) {     \
    for (std::uint64_t i = std::uint64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; \
         i += std::uint64_t(gridDim.x) * blockDim.x)                                        \
      out[i] = convert(normalAt(seed, i));                                                  \
  }
DYNO_NORMAL(normalFloat, float, float)
DYNO_NORMAL(normalHalf, __half, __float2half)
DYNO_NORMAL(normalBfloat, __nv_bfloat16, __float2bfloat16)
DYNO_NORMAL(normalFp8, __nv_fp8_e4m3, __nv_fp8_e4m3)
// Rounded, with a spread of a quarter of the range: int8 products are measured on the same kind of data.
__device__ std::int8_t toInt8(float value) {
  return static_cast<std::int8_t>(rintf(fminf(fmaxf(32.0f * value, -127.0f), 127.0f)));
}
DYNO_NORMAL(normalInt8, std::int8_t, toInt8)
