// As much of cuBLASLt as the checks need, through dlopen: y[T][N] = x[T][K] · w[N][K]ᵀ in BF16, or in e4m3 with a scale per
// row of x and of w. Numbers follow cublasLt.h.
#pragma once
#include <dlfcn.h>

#include "transformer/check/check.h"

namespace check {

class Blas {
 public:
  Blas() {
    const char* chosen = std::getenv("DYNO_CUBLASLT");
    for (const char* name : {chosen != nullptr && *chosen != 0 ? chosen : "libcublasLt.so.13", "libcublasLt.so.13", "libcublasLt.so.12"})
      if (library_ == nullptr) library_ = dlopen(name, RTLD_NOW);
    if (library_ == nullptr) return;
    find(create_, "cublasLtCreate"), find(descCreate_, "cublasLtMatmulDescCreate"), find(descSet_, "cublasLtMatmulDescSetAttribute");
    find(layout_, "cublasLtMatrixLayoutCreate"), find(preference_, "cublasLtMatmulPreferenceCreate");
    find(preferenceSet_, "cublasLtMatmulPreferenceSetAttribute"), find(heuristic_, "cublasLtMatmulAlgoGetHeuristic");
    find(matmul_, "cublasLtMatmul");
    if (create_(&handle_) != 0) library_ = nullptr;
    if (library_ != nullptr) require(cudaMalloc(&workspace_, workspaceBytes), "cudaMalloc");
  }
  bool there() const { return library_ != nullptr; }

  struct Plan {
    void *operation = nullptr, *a = nullptr, *b = nullptr, *d = nullptr;
    std::uint64_t algorithms[8][8];
    int count = 0, chosen = 0;
  };
  // False: the library has no such product. `fp8` with scales per row: they are set per run.
  bool plan(Plan& p, int rows, int outputs, int inner, bool fp8) {
    const int type = fp8 ? 28 : 14, transpose = 1, none = 0, outerVector = 3;
    descCreate_(&p.operation, 68, 0);
    descSet_(p.operation, 3, &transpose, 4);
    descSet_(p.operation, 4, &none, 4);
    if (fp8) {
      const void* scale = workspace_;
      if (descSet_(p.operation, 31, &outerVector, 4) != 0 || descSet_(p.operation, 32, &outerVector, 4) != 0) return false;
      descSet_(p.operation, 17, &scale, 8);
      descSet_(p.operation, 18, &scale, 8);
    }
    layout_(&p.a, type, inner, outputs, inner);
    layout_(&p.b, type, inner, rows, inner);
    layout_(&p.d, 14, outputs, rows, outputs);
    void* preference = nullptr;
    preference_(&preference);
    preferenceSet_(preference, 1, &workspaceBytes, sizeof workspaceBytes);
    Heuristic found[8] = {};
    int count = 0;
    if (heuristic_(handle_, p.operation, p.a, p.b, p.d, p.d, preference, 8, found, &count) != 0) return false;
    for (int i = 0; i < count; ++i)
      if (found[i].status == 0) std::memcpy(p.algorithms[p.count++], found[i].algorithm, sizeof found[i].algorithm);
    return p.count > 0;
  }
  bool run(Plan& p, void* y, const void* x, const void* w, const float* xScales, const float* wScales, cudaStream_t stream) {
    if (wScales != nullptr) descSet_(p.operation, 17, &wScales, 8), descSet_(p.operation, 18, &xScales, 8);
    const float one = 1, zero = 0;
    return matmul_(handle_, p.operation, &one, w, p.a, x, p.b, &zero, y, p.d, y, p.d, p.algorithms[p.chosen], workspace_,
                   workspaceBytes, stream) == 0;
  }

 private:
  struct Heuristic {
    std::uint64_t algorithm[8];
    std::size_t workspace;
    int status;
    float waves;
    int reserved[4];
  };
  template <typename F>
  void find(F& function, const char* name) { function = reinterpret_cast<F>(dlsym(library_, name)); }

  void *library_ = nullptr, *handle_ = nullptr, *workspace_ = nullptr;
  std::size_t workspaceBytes = 32u << 20;
  int (*create_)(void**) = nullptr;
  int (*descCreate_)(void**, int, int) = nullptr;
  int (*descSet_)(void*, int, const void*, std::size_t) = nullptr;
  int (*layout_)(void**, int, std::uint64_t, std::uint64_t, std::int64_t) = nullptr;
  int (*preference_)(void**) = nullptr;
  int (*preferenceSet_)(void*, int, const void*, std::size_t) = nullptr;
  int (*heuristic_)(void*, void*, void*, void*, void*, void*, void*, int, Heuristic*, int*) = nullptr;
  int (*matmul_)(void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*, void*, void*,
                 void*, const void*, void*, std::size_t, cudaStream_t) = nullptr;
};

inline Blas& blas() {
  static Blas shared;
  return shared;
}

}  // namespace check
