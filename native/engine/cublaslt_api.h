// What Dyno uses of cuBLASLt, declared here so that no toolkit is needed. Numbers follow cublasLt.h (11.4 and newer).
#pragma once
#include "engine/cublaslt.h"

namespace dyno::engine {

constexpr int computeFloat = 68, computeFloatTf32 = 77, computeInt32 = 72;
constexpr int typeFloat = 0, typeHalf = 2, typeInt8 = 3, typeInt32 = 10, typeBfloat = 14, typeFp8E4M3 = 28;
constexpr int operationNone = 0, operationTranspose = 1;
constexpr int descTransA = 3, descTransB = 4, descAScale = 17, descBScale = 18;
constexpr int preferenceWorkspace = 1;

struct Heuristic {  // cublasLtMatmulHeuristicResult_t
  std::uint64_t algorithm[8];
  std::size_t workspace;
  int status;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Heuristic) == 96);

struct CublasLt::Api {
  int (*create)(void**);
  int (*destroy)(void*);
  std::size_t (*version)();
  int (*descCreate)(void**, int, int);
  int (*descDestroy)(void*);
  int (*descSet)(void*, int, const void*, std::size_t);
  int (*layoutCreate)(void**, int, std::uint64_t, std::uint64_t, std::int64_t);
  int (*layoutDestroy)(void*);
  int (*preferenceCreate)(void**);
  int (*preferenceDestroy)(void*);
  int (*preferenceSet)(void*, int, const void*, std::size_t);
  int (*heuristic)(void*, void*, void*, void*, void*, void*, void*, int, Heuristic*, int*);
  int (*check)(void*, void*, void*, void*, void*, void*, const void*, Heuristic*);
  int (*matmul)(void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*, void*,
                void*, void*, const void*, void*, std::size_t, cuda::StreamHandle);
};

inline const char* statusName(int status) {
  switch (status) {
    case 1: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
    case 7: return "CUBLAS_STATUS_INVALID_VALUE";
    case 8: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case 13: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case 14: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case 15: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "CUBLAS_STATUS";
  }
}
inline DriverError blasError(const char* call, int status) {
  return DriverError{call, status, statusName(status), std::string(call) + " answered " + statusName(status) + ".",
                     status == 15 || status == 8 ? "This GPU does not offer this precision."
                                                 : "Use the cuBLASLt of the driver's CUDA version."};
}
#define DYNO_BLAS_TRY(call, symbol)                                                           \
  do {                                                                                        \
    if (const int blasStatus = (call); blasStatus != 0) return blasError(symbol, blasStatus); \
  } while (false)

}  // namespace dyno::engine
