// The kernels under check, as their files define them.
#pragma once
#include <cuda_bf16.h>

#include <cstdint>

using bf16 = __nv_bfloat16;
struct alignas(64) TensorMap {
  std::uint64_t opaque[16];
};
struct RowSampling {
  float temperature, topP;
  int topK, mask;
  std::uint32_t seedLow, seedHigh, position;
  int active;
};

extern "C" {
__global__ void moeGate(const bf16* x, const bf16* weight, const int* slots, float* logits, unsigned* ticket,
                        int* pairExpert, float* pairWeight, int* sorted, int* offsets, int* active, int* counts,
                        int tokens, int experts, int hidden, int top, int normalise, int roundLogits);
__global__ void moeGateRows(const bf16* x, const bf16* weight, const int* slots, int* pairExpert, float* pairWeight,
                            int* pairRank, int* counts, int tokens, int experts, int hidden, int top, int normalise,
                            int roundLogits);
__global__ void moePermute(bf16* gathered, const bf16* x, const int* pairExpert, const int* pairRank, const int* counts,
                           int* sorted, int* offsets, int* active, int tokens, int experts, int hidden, int top);
__global__ void moeCombine(bf16* x, const bf16* y, const int* pairExpert, const bf16* shared, const bf16* input,
                           const bf16* sharedGate, const bf16* norm, bf16* normed, int hidden, int top, float epsilon);
__global__ void moeGateUpFew(bf16* h, const bf16* x, const bf16* weight, const int* sorted, const int* offsets,
                             const int* active, int experts, int hidden, int ffn, int top);
__global__ void moeDownFew(bf16* y, const bf16* h, const bf16* weight, const float* pairWeight, const int* sorted,
                           const int* offsets, const int* active, int experts, int hidden, int ffn);
__global__ void moeGateUpGrouped(const __grid_constant__ TensorMap xMap, const __grid_constant__ TensorMap weightMap,
                                 bf16* h, const int* offsets, int experts, int hidden, int ffn);
__global__ void moeDownGrouped(const __grid_constant__ TensorMap hMap, const __grid_constant__ TensorMap weightMap,
                               bf16* y, const float* pairWeight, const int* sorted, const int* offsets, int experts,
                               int hidden, int ffn);
__global__ void sampleRows(int* tokens, float* confidence, int* kept, const float* logits, const int* slots,
                           const RowSampling* sampling, const std::uint32_t* masks, int* lastTokens, int vocab);
__global__ void fp8Few(void* y, const std::uint8_t* weights, const float* scales, const bf16* x, int rows, int outputs,
                       int inner, int epilogue);
__global__ void fp8FewSwiglu(void* y, const std::uint8_t* weights, const float* scales, const bf16* x, int rows,
                             int outputs, int inner);
__global__ void quantiseRows(std::uint8_t* out, float* scales, const bf16* in, int width);
__global__ void widenRows(bf16* out, const std::uint8_t* in, const float* scales, int width);
}
