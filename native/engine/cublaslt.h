// cuBLASLt through dlopen: one matrix product, planned once and run many times. Numbers follow cublasLt.h (11.4 and
// newer).
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cuda/resources.h"

namespace dyno::engine {

enum class Precision { fp32, tf32, fp16, bf16, fp8, int8 };
const char* precisionName(Precision precision);
std::size_t bytesPerElement(Precision precision);

class CublasLt {
 public:
  // `path` empty: libcublasLt.so.13, .12, .11 as the loader finds them.
  static Result<std::shared_ptr<CublasLt>> open(const std::string& path);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;
  const std::string& path() const { return library_.path(); }
  std::size_t version() const;

 public:
  struct Api;  // cublaslt_api.h
  const Api& api() const { return *api_; }
  void* handle() const { return handle_; }

 private:
  friend class Gemm;
  CublasLt() = default;
  SharedLibrary library_;
  std::unique_ptr<Api> api_;
  void* handle_ = nullptr;
};

// D[m×n] = A[m×k] · B[k×n], column-major, fp32 accumulation; the output is of the inputs' type, bf16 for fp8, and int32
// (sums too) for int8. fp8 and int8 want A transposed, the only layout that Hopper's tensor cores take for them.
class Gemm {
 public:
  static Result<std::unique_ptr<Gemm>> plan(std::shared_ptr<CublasLt> blas,
                                            const std::shared_ptr<cuda::Context>& context, Precision precision,
                                            std::uint64_t m, std::uint64_t n, std::uint64_t k);
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;
  std::size_t candidates() const { return candidates_.size(); }
  void choose(std::size_t candidate) { chosen_ = candidate; }
  Status run(cuda::DevicePointer a, cuda::DevicePointer b, cuda::DevicePointer d, cuda::StreamHandle stream);

 private:
  Gemm() = default;
  std::shared_ptr<CublasLt> blas_;
  std::shared_ptr<cuda::DeviceMemory> workspace_;
  std::shared_ptr<cuda::DeviceMemory> one_;  // fp8 scales
  void *operation_ = nullptr, *layoutA_ = nullptr, *layoutB_ = nullptr, *layoutD_ = nullptr;
  std::vector<std::array<std::uint64_t, 8>> candidates_;  // the library's first choices, best guess first
  std::size_t chosen_ = 0;
  bool integers_ = false;
};

}  // namespace dyno::engine
