// What the kernel checks share: device buffers, random numbers, comparison with a float64 reference, timing, a table.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace check {

inline void require(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  std::printf("%s: %s\n", what, cudaGetErrorString(code));
  std::exit(1);
}

inline std::uint32_t mix(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return static_cast<std::uint32_t>((z ^ (z >> 31)) >> 16);
}
inline double uniform(std::uint64_t seed, std::uint64_t index) { return (mix(seed, index) + 0.5) / 4294967296.0; }
inline double normal(std::uint64_t seed, std::uint64_t index) {
  return std::sqrt(-2 * std::log(uniform(seed, 2 * index))) * std::cos(6.283185307179586 * uniform(seed, 2 * index + 1));
}

inline float wide(__nv_bfloat16 value) { return __bfloat162float(value); }
inline double rounded(double value) { return wide(__float2bfloat16_rn(static_cast<float>(value))); }

// Device memory of n T, poisoned with 0xFF (not a number) so that an element that nothing writes shows.
template <typename T>
class Device {
 public:
  explicit Device(std::size_t count) : count_(count) {
    require(cudaMalloc(&pointer_, std::max<std::size_t>(1, count) * sizeof(T)), "cudaMalloc");
    poison();
  }
  explicit Device(const std::vector<T>& values) : Device(values.size()) { write(values); }
  ~Device() { cudaFree(pointer_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  void poison() { require(cudaMemset(pointer_, 0xFF, count_ * sizeof(T)), "cudaMemset"); }
  void zero() { require(cudaMemset(pointer_, 0, count_ * sizeof(T)), "cudaMemset"); }
  void write(const std::vector<T>& values) {
    require(cudaMemcpy(pointer_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    require(cudaMemcpy(values.data(), pointer_, count_ * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }
  T* get() const { return pointer_; }
  std::size_t size() const { return count_; }

 private:
  T* pointer_ = nullptr;
  std::size_t count_;
};

inline std::vector<__nv_bfloat16> randomBf16(std::size_t count, std::uint64_t seed, double scale) {
  std::vector<__nv_bfloat16> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = __float2bfloat16_rn(static_cast<float>(scale * normal(seed, i)));
  return values;
}
// The same kind of values, drawn on the device: for matrices too large for the host.
void fillNormal(__nv_bfloat16* to, std::size_t count, std::uint64_t seed, float scale);

inline int failures = 0;
inline void expect(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::printf("FAILED  %s\n", what.c_str());
}

// ‖got − want‖ / ‖want‖ and the largest element's error against √mean(want²); not a number never passes.
struct Error {
  double norm = 0, worst = 0;
};
inline Error errorOf(const std::vector<double>& got, const std::vector<double>& want) {
  double difference = 0, size = 0, worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double d = got[i] - want[i];
    difference += d * d, size += want[i] * want[i];
    if (!(std::abs(d) <= worst)) worst = std::abs(d);
  }
  const double rms = std::sqrt(size / std::max<std::size_t>(1, want.size()));
  return {std::sqrt(difference) / std::max(1e-300, std::sqrt(size)), worst / std::max(1e-300, rms)};
}
inline void expectClose(const Error& error, double norm, double worst, const std::string& what) {
  char text[160];
  std::snprintf(text, sizeof text, "%s: error %.2e of the norm (at most %.0e), worst element %.2e of rms (at most %.0e)",
                what.c_str(), error.norm, norm, error.worst, worst);
  if (error.norm <= norm && error.worst <= worst) std::printf("ok      %s\n", text);
  expect(error.norm <= norm && error.worst <= worst, text);
}

// Kernel launch as the transformer's passes do it: in programmatic order, the next may start while this one drains.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, int threads, std::size_t shared, cudaStream_t stream,
            Arguments... arguments) {
  if (shared > 48 * 1024 - 20000)
    require(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
            "cudaFuncSetAttribute");
  cudaLaunchConfig_t config{};
  config.gridDim = grid, config.blockDim = dim3(threads), config.dynamicSmemBytes = shared, config.stream = stream;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute, config.numAttrs = 1;
  require(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), "launch");
}

// Median over `rounds` replays of a graph of what `work` launches, in µs.
double graphMicroseconds(const std::function<void(cudaStream_t)>& work, int rounds = 9);

struct Roofs {
  double copyBytesPerUs = 0, gemmFlopPerUs = 0;
};
Roofs measureRoofs();

// Prints name, time, floor (µs; 0: none) and its share, and what the floor is.
void row(const std::string& name, double us, double floor, const std::string& note);

}  // namespace check
