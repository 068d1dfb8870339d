// Prefill attention by Hopper's own instructions: the same work and the same arguments as attention_prefill.cu (causal, grouped
// queries packed, chunked, paged), by wgmma on tiles that the bulk tensor copy engine brings.
//
//   FLOPs, bytes  as attention_prefill.cu      roof: tensor cores; 65 % of the BF16 GEMM rate expected from 8,192 tokens on
//
// A block of three warpgroups takes 128 packed rows. The first issues the copies (16 tokens × 64 dimensions each, placed with
// the 128-byte swizzle that wgmma reads; groups past the end read a block that does not exist, which fills zeros). The other
// two own 64 rows each and overlap the softmax of tile j + 1 with the product P·V of tile j:
//
//   S₀ = Q·K₀ᵀ, softmax;   for j: [S_{j+1} = Q·K_{j+1}ᵀ] and [O += P_j·V_j] in flight; softmax of S_{j+1}; O fades
//
// Shared memory: Q 32 KiB, two stages of K and V of 128 tokens, 32 KiB each.
// Source: FlashAttention-3 (Shah et al. 2024); descriptors: PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions".
#include "transformer/device.cuh"

struct alignas(64) TensorMap {
  unsigned long long opaque[16];
};

namespace {

constexpr int tileRows = 128, tileTokens = 128, stages = 2, D = 128;

struct Row {
  int token, length, blocks, firstItem, items, start, count, unused;
};

}  // namespace

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

namespace {

constexpr int halfBytes = tileTokens * 128;    // 64 dimensions of a tile's tokens
constexpr int tileBytes = 2 * halfBytes;       // 32 KiB
constexpr int queryHalf = tileRows * 128;

__device__ __forceinline__ void initBarrier(std::uint32_t barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count));
}
__device__ __forceinline__ void expectBytes(std::uint32_t barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ __forceinline__ void arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
__device__ __forceinline__ void waitBarrier(std::uint32_t barrier, int phase) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}\n" ::"r"(barrier),
      "r"(phase)
      : "memory");
}
__device__ __forceinline__ void copyTile(std::uint32_t to, const TensorMap* map, int dimension, int token, int head, int block,
                                         std::uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(
          to),
      "l"(map), "r"(dimension), "r"(token), "r"(head), "r"(block), "r"(barrier)
      : "memory");
}

// Named barriers of the two consumer warpgroups: one waits, the other arrives.
__device__ __forceinline__ void waitTurn(int barrier) { asm volatile("bar.sync %0, 256;" ::"r"(barrier) : "memory"); }
__device__ __forceinline__ void arriveTurn(int barrier) { asm volatile("bar.arrive %0, 256;" ::"r"(barrier) : "memory"); }

// Matrix descriptors with the 128-byte swizzle: strides in bytes.
__device__ __forceinline__ std::uint64_t descriptor(std::uint32_t address, std::uint32_t leading, std::uint32_t stride) {
  return static_cast<std::uint64_t>((address & 0x3FFFF) >> 4) | static_cast<std::uint64_t>(leading >> 4) << 16 |
         static_cast<std::uint64_t>(stride >> 4) << 32 | std::uint64_t{1} << 62;
}

__device__ __forceinline__ void fenceProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commitProducts() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending>
__device__ __forceinline__ void waitProducts() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}

#define DYNO_ACC4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define DYNO_ACC16(d, i) DYNO_ACC4(d, i), DYNO_ACC4(d, i + 4), DYNO_ACC4(d, i + 8), DYNO_ACC4(d, i + 12)
#define DYNO_ACC64(d) DYNO_ACC16(d, 0), DYNO_ACC16(d, 16), DYNO_ACC16(d, 32), DYNO_ACC16(d, 48)
#define DYNO_ACC_NAMES                                                                                               \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "  \
  "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, "   \
  "%46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"

// d[64×128] (+)= A[64×16] · B[128×16]ᵀ, both in shared memory, K-major.
__device__ __forceinline__ void multiplyShared(float (&d)[64], std::uint64_t a, std::uint64_t b, int add) {
  asm volatile(
      "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " DYNO_ACC_NAMES ", %64, %65, p, 1, 1, 0, 0;\n}\n"
      : DYNO_ACC64(d)
      : "l"(a), "l"(b), "r"(add));
}
// d[64×128] += A[64×16] · B[16×128], A in registers, B in shared memory with its 128 contiguous.
__device__ __forceinline__ void multiplyRegisters(float (&d)[64], const std::uint32_t* a, std::uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " DYNO_ACC_NAMES
               ", {%64, %65, %66, %67}, %68, 1, 1, 1, 1;\n"
               : DYNO_ACC64(d)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

}  // namespace

extern "C" __global__ void __launch_bounds__(384, 1)
    prefillAttentionHopper128(bf16* out, const bf16* qkv, const __grid_constant__ TensorMap map, int firstBlock,
                              int noBlock, const Row* rows, const int2* tiles, const int* blocks, int heads, int kvHeads,
                              int blockTokens, float scaleLog2) {
  extern __shared__ char unaligned[];
  const std::uint32_t base = (sharedAddress(unaligned) + 1023) / 1024 * 1024;
  char* const shared = unaligned + (base - sharedAddress(unaligned));
  __shared__ alignas(8) unsigned long long barriers[4 * stages];
  const std::uint32_t queryAt = base, keysAt = base + 2 * queryHalf, valuesAt = keysAt + stages * tileBytes;
  const auto fullKey = [&](int s) { return sharedAddress(&barriers[s]); };
  const auto fullValue = [&](int s) { return sharedAddress(&barriers[stages + s]); };
  const auto freeKey = [&](int s) { return sharedAddress(&barriers[2 * stages + s]); };
  const auto freeValue = [&](int s) { return sharedAddress(&barriers[3 * stages + s]); };
  const int thread = threadIdx.x, warpgroup = thread / 128, lane = thread % 32;
  if (thread == 0) {
    for (int s = 0; s < stages; ++s) {
      initBarrier(fullKey(s), 1);
      initBarrier(fullValue(s), 1);
      initBarrier(freeKey(s), 8);
      initBarrier(freeValue(s), 8);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  waitForPrevious();
  letNextStart();
  const int2 tile = tiles[blockIdx.y];
  const Row row = rows[tile.x];
  const int kvHead = blockIdx.x, group = heads / kvHeads;
  const int lastToken = min((tile.y * tileRows + tileRows - 1) / group, row.count - 1);
  const int length = row.start + lastToken + 1;
  const int fetches = (length + tileTokens - 1) / tileTokens;

  // The packed queries, by all threads, into the swizzled places that wgmma reads.
  for (int at = thread; at < tileRows * 16; at += 384) {
    const int r = at / 16, c = at % 16, packed = tile.y * tileRows + r;
    const int token = packed / group, head = packed % group;
    Vector8 value{};
    if (token < row.count)
      value = loadVector(qkv + (static_cast<std::size_t>(row.token + token) * (heads + 2 * kvHeads) + kvHead * group + head) * D + c * 8);
    storeVector(shared + (c / 8) * queryHalf + r * 128 + ((c % 8) ^ (r & 7)) * 16, value);
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();

  if (warpgroup == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (thread < 32) {
      const int groupsPerBlock = blockTokens / 16;
      for (int n = 0; n < fetches; ++n) {
        const int s = n % stages, phase = n / stages % 2;
        // Lane i brings group i of the tile's eight.
        const int g = n * (tileTokens / 16) + lane;
        int block = noBlock, within = 0;
        if (lane < 8 && g * 16 < length) {
          block = firstBlock + blocks[row.blocks + g / groupsPerBlock];
          within = g % groupsPerBlock * 16;
        }
        waitBarrier(freeKey(s), phase ^ 1);
        if (lane == 0) expectBytes(fullKey(s), tileBytes);
        __syncwarp();
        if (lane < 8) {
          const std::uint32_t to = keysAt + s * tileBytes + lane * 2048;
          copyTile(to, &map, 0, within, kvHead, block, fullKey(s));
          copyTile(to + halfBytes, &map, 64, within, kvHead, block, fullKey(s));
        }
        waitBarrier(freeValue(s), phase ^ 1);
        if (lane == 0) expectBytes(fullValue(s), tileBytes);
        __syncwarp();
        if (lane < 8) {
          const std::uint32_t to = valuesAt + s * tileBytes + lane * 2048;
          copyTile(to, &map, 0, within, kvHeads + kvHead, block, fullValue(s));
          copyTile(to + halfBytes, &map, 64, within, kvHeads + kvHead, block, fullValue(s));
        }
      }
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    const int own = warpgroup - 1, warp = thread / 32 % 4;
    const int low = tile.y * tileRows + own * 64 + warp * 16 + lane / 4;
    const int positionLow = row.start + low / group, positionHigh = row.start + (low + 8) / group;
    const int firstPosition = row.start + (tile.y * tileRows + own * 64) / group;
    const std::uint32_t query = queryAt + own * 64 * 128;
    float output[64], score[64], maximum[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
    std::uint32_t weights[32];
#pragma unroll
    for (int i = 0; i < 64; ++i) output[i] = 0;

    const auto scores = [&](int n) {
      const std::uint32_t keys = keysAt + n % stages * tileBytes;
      fenceProducts();
#pragma unroll
      for (int k = 0; k < 8; ++k)
        multiplyShared(score, descriptor(query + k / 4 * queryHalf + k % 4 * 32, 16, 1024),
                       descriptor(keys + k / 4 * halfBytes + k % 4 * 32, 16, 1024), k > 0);
      commitProducts();
    };
    float fade[2];
    const auto softmax = [&](int n) {
      float top[2] = {maximum[0], maximum[1]};
      if ((n + 1) * tileTokens - 1 > firstPosition) {
#pragma unroll
        for (int i = 0; i < 64; ++i) {
          const int token = n * tileTokens + i / 4 * 8 + lane % 4 * 2 + i % 2;
          if (token > (i % 4 < 2 ? positionLow : positionHigh)) score[i] = -INFINITY;
        }
      }
#pragma unroll
      for (int i = 0; i < 64; ++i) top[i % 4 / 2] = fmaxf(top[i % 4 / 2], score[i]);
      float shift[2];
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        top[h] = fmaxf(top[h], __shfl_xor_sync(0xFFFFFFFFu, top[h], 1));
        top[h] = fmaxf(top[h], __shfl_xor_sync(0xFFFFFFFFu, top[h], 2));
        fade[h] = powerOfTwo((maximum[h] - top[h]) * scaleLog2);
        maximum[h] = top[h];
        shift[h] = top[h] * scaleLog2;
        sum[h] *= fade[h];
      }
#pragma unroll
      for (int i = 0; i < 64; ++i) {
        score[i] = powerOfTwo(fmaf(score[i], scaleLog2, -shift[i % 4 / 2]));
        sum[i % 4 / 2] += score[i];
      }
    };
    const auto pack = [&] {
#pragma unroll
      for (int i = 0; i < 32; ++i) weights[i] = packPair(score[2 * i], score[2 * i + 1]);
    };

    waitBarrier(fullKey(0), 0);
    scores(0);
    waitProducts<0>();
    if (lane == 0) arrive(freeKey(0));
    softmax(0);
    pack();
    const auto outputs = [&](int n) {
      const int s = n % stages;
      waitBarrier(fullValue(s), n / stages % 2);
      const std::uint32_t values = valuesAt + s * tileBytes;
      fenceProducts();
#pragma unroll
      for (int k = 0; k < 8; ++k)
        multiplyRegisters(output, weights + 4 * k, descriptor(values + k * 2048, halfBytes, 1024));
      commitProducts();
    };
    // The two warpgroups take turns at the tensor cores: one's softmax runs under the other's products.
    if (own == 1) arriveTurn(1);
    for (int n = 0; n + 1 < fetches; ++n) {
      const int next = (n + 1) % stages;
      waitBarrier(fullKey(next), (n + 1) / stages % 2);
      waitTurn(1 + own);
      scores(n + 1);
      outputs(n);
      arriveTurn(2 - own);
      waitProducts<1>();
      if (lane == 0) arrive(freeKey(next));
      softmax(n + 1);
      waitProducts<0>();
      if (lane == 0) arrive(freeValue(n % stages));
      pack();
#pragma unroll
      for (int i = 0; i < 64; ++i) output[i] *= fade[i % 4 / 2];
    }
    outputs(fetches - 1);
    waitProducts<0>();
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      sum[h] += __shfl_xor_sync(0xFFFFFFFFu, sum[h], 1);
      sum[h] += __shfl_xor_sync(0xFFFFFFFFu, sum[h], 2);
      const int packed = low + h * 8, token = packed / group, head = packed % group;
      if (token >= row.count) continue;
      const float scale = 1.0f / sum[h];
      bf16* to = out + (static_cast<std::size_t>(row.token + token) * heads + kvHead * group + head) * D + lane % 4 * 2;
#pragma unroll
      for (int i = 0; i < 16; ++i)
        *reinterpret_cast<std::uint32_t*>(to + i * 8) = packPair(output[i * 4 + 2 * h] * scale, output[i * 4 + 2 * h + 1] * scale);
    }
  }
}

#else

// Other cards take attention_prefill.cu.
extern "C" __global__ void prefillAttentionHopper128(bf16*, const bf16*, const __grid_constant__ TensorMap, int, int, const Row*,
                                                     const int2*, const int*, int, int, int, float) {}

#endif
