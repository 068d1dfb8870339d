// A fake cuBLASLt: plain loops over host memory, for fp32, tf32 (which it does not round) and bf16. Other types
// answer CUBLAS_STATUS_NOT_SUPPORTED, as a card without them does.
#include <cstdint>
#include <cstring>

#include "fake/fake_stream.h"

namespace {

constexpr int notSupported = 15;
struct Layout {
  int type;
  std::uint64_t rows, columns;
  std::int64_t leading;
};

float bfloat(std::uint16_t bits) {
  const std::uint32_t word = static_cast<std::uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &word, 4);
  return value;
}
std::uint16_t toBfloat(float value) {
  std::uint32_t word = 0;
  std::memcpy(&word, &value, 4);
  return static_cast<std::uint16_t>((word + 0x7FFFu + (word >> 16 & 1u)) >> 16);
}
float at(const void* data, const Layout& layout, std::uint64_t row, std::uint64_t column) {
  const auto index = row + column * static_cast<std::uint64_t>(layout.leading);
  return layout.type == 0 ? static_cast<const float*>(data)[index]
                          : bfloat(static_cast<const std::uint16_t*>(data)[index]);
}

}  // namespace

extern "C" {

int cublasLtCreate(void** handle) { return *handle = new int(0), 0; }
int cublasLtDestroy(void* handle) { return delete static_cast<int*>(handle), 0; }
std::size_t cublasLtGetVersion() { return 130001; }
int cublasLtMatmulDescCreate(void** description, int, int) { return *description = new int(0), 0; }
int cublasLtMatmulDescDestroy(void* description) { return delete static_cast<int*>(description), 0; }
int cublasLtMatmulAlgoCheck(void*, void*, void*, void*, void*, void*, const void*, void* result) {
  return std::memset(result, 0, 96), 0;
}
// The description remembers whether A is transposed (attribute 3).
int cublasLtMatmulDescSetAttribute(void* description, int which, const void* value, std::size_t) {
  if (which == 3) std::memcpy(description, value, sizeof(int));
  return 0;
}
int cublasLtMatrixLayoutCreate(void** layout, int type, std::uint64_t rows, std::uint64_t columns,
                               std::int64_t leading) {
  return *layout = new Layout{type, rows, columns, leading}, 0;
}
int cublasLtMatrixLayoutDestroy(void* layout) { return delete static_cast<Layout*>(layout), 0; }
int cublasLtMatmulPreferenceCreate(void** preference) { return *preference = new int(0), 0; }
int cublasLtMatmulPreferenceDestroy(void* preference) { return delete static_cast<int*>(preference), 0; }
int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, std::size_t) { return 0; }
int cublasLtMatmulAlgoGetHeuristic(void*, void*, void* a, void*, void*, void*, void*, int most, void* results,
                                   int* count) {
  const int type = static_cast<Layout*>(a)->type;
  if (type != 0 && type != 14) return notSupported;
  *count = most < 2 ? most : 2;
  std::memset(results, 0, static_cast<std::size_t>(*count) * 96);
  return 0;
}
int cublasLtMatmul(void*, void* description, const void*, const void* a, void* layoutA, const void* b, void* layoutB,
                   const void* beta, const void*, void*, void* d, void* layoutD, const void*, void*, std::size_t,
                   void* stream) {
  const Layout la = *static_cast<Layout*>(layoutA), lb = *static_cast<Layout*>(layoutB),
               ld = *static_cast<Layout*>(layoutD);
  const bool transposed = *static_cast<int*>(description) == 1;
  float kept = 0;
  std::memcpy(&kept, beta, sizeof kept);
  const auto work = [=] {
    const std::uint64_t inner = transposed ? la.rows : la.columns;
    for (std::uint64_t column = 0; column < ld.columns; ++column) {
      for (std::uint64_t row = 0; row < ld.rows; ++row) {
        float sum = 0;
        for (std::uint64_t k = 0; k < inner; ++k)
          sum += (transposed ? at(a, la, k, row) : at(a, la, row, k)) * at(b, lb, k, column);
        const auto index = row + column * static_cast<std::uint64_t>(ld.leading);
        if (kept != 0) sum += kept * at(d, ld, row, column);
        if (ld.type == 0)
          static_cast<float*>(d)[index] = sum;
        else
          static_cast<std::uint16_t*>(d)[index] = toBfloat(sum);
      }
    }
  };
  if (stream != nullptr)
    static_cast<FakeStream*>(stream)->queue(work);
  else
    work();
  return 0;
}

}  // extern "C"
