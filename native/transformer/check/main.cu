// Checks the transformer's kernels against float64 references and times them beside their floors.
//
//   kernels_check                                 everything, a table last
//   kernels_check small                           only the small checks (for compute-sanitizer)
//   kernels_check correct speed-moe speed-sampling speed-fp8   any of the parts
//
// Exit status 1 when a check fails.
#include "transformer/check/check.h"
#include "transformer/check/sections.h"

namespace check {

__global__ void fill(__nv_bfloat16* to, std::size_t count, std::uint64_t seed, float scale) {
  for (std::size_t i = blockIdx.x * std::size_t(256) + threadIdx.x; i < count; i += gridDim.x * std::size_t(256)) {
    std::uint64_t z = seed * 0xD1342543DE82EF95ull + (i + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    const float u = (float(std::uint32_t(z)) + 0.5f) * 0x1p-32f, v = (float(std::uint32_t(z >> 32)) + 0.5f) * 0x1p-32f;
    to[i] = __float2bfloat16_rn(scale * sqrtf(-2 * logf(fmaxf(u, 1e-10f))) * cospif(2 * v));
  }
}
void fillNormal(__nv_bfloat16* to, std::size_t count, std::uint64_t seed, float scale) {
  fill<<<1024, 256>>>(to, count, seed, scale);
  require(cudaDeviceSynchronize(), "fill");
}

double graphMicroseconds(const std::function<void(cudaStream_t)>& work, int rounds) {
  cudaStream_t stream;
  require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  work(stream);
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  require(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  require(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
  cudaEvent_t begin, end;
  require(cudaEventCreate(&begin), "cudaEventCreate");
  require(cudaEventCreate(&end), "cudaEventCreate");
  std::vector<float> times;
  for (int i = 0; i < rounds + 2; ++i) {
    require(cudaEventRecord(begin, stream), "cudaEventRecord");
    require(cudaGraphLaunch(ready, stream), "cudaGraphLaunch");
    require(cudaEventRecord(end, stream), "cudaEventRecord");
    require(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    float ms = 0;
    require(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
    if (i >= 2) times.push_back(ms * 1000);
  }
  cudaEventDestroy(begin), cudaEventDestroy(end);
  cudaGraphExecDestroy(ready), cudaGraphDestroy(graph), cudaStreamDestroy(stream);
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

// One line as soon as it is measured: a later part that hangs or fails takes nothing with it.
void row(const std::string& name, double us, double floor, const std::string& note) {
  std::printf("%-58s %10.2f µs", name.c_str(), us);
  if (floor > 0) std::printf("  floor %10.2f µs %6.1f %%", floor, 100 * floor / us);
  std::printf("  %s\n", note.c_str());
}

}  // namespace check

int main(int count, char** words) {
  using namespace check;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto has = [&](const char* word) {
    for (int i = 1; i < count; ++i)
      if (std::strcmp(words[i], word) == 0) return true;
    return count == 1;
  };
  if (has("small") || has("correct")) {
    checkMoe();
    checkSampling();
    checkFp8();
  }
  if (has("correct")) checkMoeFull();
  if (has("speed-moe") || has("speed-sampling") || has("speed-fp8")) {
    const Roofs roofs = measureRoofs();
    std::printf("copy %.2f TB/s, BF16 GEMM %.0f TFLOP/s\n", roofs.copyBytesPerUs / 1e6, roofs.gemmFlopPerUs / 1e6);
    if (has("speed-moe")) timeMoe(roofs);
    if (has("speed-sampling")) timeSampling(roofs);
    if (has("speed-fp8")) timeFp8(roofs);
  }
  std::printf(failures == 0 ? "all checks passed\n" : "%d checks FAILED\n", failures);
  return failures == 0 ? 0 : 1;
}
