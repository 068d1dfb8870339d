// A mixture-of-experts layer against a float64 reference that follows transformers' modeling_mixtral.py, and its times.
#include <cudaTypedefs.h>

#include "transformer/check/check.h"
#include "transformer/check/kernels.h"
#include "transformer/check/sections.h"

namespace check {
namespace {

struct MoeShape {
  int hidden, experts, ffn, top;
  bool normalise;
};

// A matrix [rows][columns] of BF16 for the copy engine: boxes of 64 columns × 128 rows, swizzled by 128 bytes.
TensorMap describe(const bf16* matrix, std::uint64_t rows, std::uint64_t columns) {
  static PFN_cuTensorMapEncodeTiled_v12000 encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found;
    require(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found),
            "cuTensorMapEncodeTiled");
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function);
  }();
  CUtensorMap map;
  const cuuint64_t sizes[2] = {columns, rows}, strides[1] = {columns * 2};
  const cuuint32_t box[2] = {64, 128}, steps[2] = {1, 1};
  const CUresult code =
      encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<bf16*>(matrix), sizes, strides, box, steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (code != CUDA_SUCCESS) std::printf("cuTensorMapEncodeTiled answered %d\n", code), std::exit(1);
  TensorMap result;
  static_assert(sizeof result == sizeof map);
  std::memcpy(&result, &map, sizeof map);
  return result;
}

int multiprocessors() {
  int count = 0;
  require(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, 0), "cudaDeviceGetAttribute");
  return count;
}
constexpr std::size_t groupedShared = 4 * 48 * 1024 + 1024;

// Buffers of one layer's pass.
struct Scratch {
  Scratch(const MoeShape& s, int tokens)
      : logits(std::size_t(tokens) * s.experts), ticket(1), pairExpert(std::size_t(tokens) * s.top),
        pairWeight(pairExpert.size()), pairRank(pairExpert.size()), sorted(pairExpert.size()), offsets(s.experts + 1),
        active(s.experts + 1), counts(s.experts), gathered(pairExpert.size() * s.hidden),
        h(pairExpert.size() * s.ffn), y(pairExpert.size() * s.hidden) {
    ticket.zero();
    counts.zero();
  }
  Device<float> logits;
  Device<unsigned> ticket;
  Device<int> pairExpert;
  Device<float> pairWeight;
  Device<int> pairRank, sorted, offsets, active, counts;
  Device<bf16> gathered, h, y;
};

struct Matrices {
  const bf16 *gate, *gateUp, *down;
};

void gateFew(const MoeShape& s, int tokens, const bf16* x, const int* slots, const Matrices& w, Scratch& b, int round,
             cudaStream_t stream) {
  launch(moeGate, dim3((s.experts + 15) / 16, (tokens + 7) / 8), 256, 0, stream, x, w.gate, slots, b.logits.get(),
         b.ticket.get(), b.pairExpert.get(), b.pairWeight.get(), b.sorted.get(), b.offsets.get(), b.active.get(),
         b.counts.get(), tokens, s.experts, s.hidden, s.top, int(s.normalise), round);
}
void gateUpFew(const MoeShape& s, int tokens, const bf16* x, const Matrices& w, Scratch& b, cudaStream_t stream) {
  launch(moeGateUpFew, dim3(s.ffn / 16, std::min(s.experts, tokens * s.top)), 128, 0, stream, b.h.get(), x, w.gateUp,
         b.sorted.get(), b.offsets.get(), b.active.get(), s.experts, s.hidden, s.ffn, s.top);
}
void downFew(const MoeShape& s, int tokens, const Matrices& w, Scratch& b, cudaStream_t stream) {
  launch(moeDownFew, dim3(s.hidden / 32, std::min(s.experts, tokens * s.top)), 128, 0, stream, b.y.get(), b.h.get(),
         w.down, b.pairWeight.get(), b.sorted.get(), b.offsets.get(), b.active.get(), s.experts, s.hidden, s.ffn);
}
std::size_t gateRowsShared(const MoeShape& s) {
  const int tiles = (s.experts + 15) / 16;
  return std::size_t(4) * 32 * s.experts * (tiles < 8 ? 8 / tiles : 1);
}
void gateMany(const MoeShape& s, int tokens, const bf16* x, const int* slots, const Matrices& w, Scratch& b, int round,
              cudaStream_t stream) {
  require(cudaMemsetAsync(b.counts.get(), 0, 4 * s.experts, stream), "cudaMemsetAsync");
  launch(moeGateRows, dim3((tokens + 31) / 32), 256, gateRowsShared(s), stream, x, w.gate, slots, b.pairExpert.get(),
         b.pairWeight.get(), b.pairRank.get(), b.counts.get(), tokens, s.experts, s.hidden, s.top, int(s.normalise),
         round);
}
void permute(const MoeShape& s, int tokens, const bf16* x, Scratch& b, cudaStream_t stream) {
  launch(moePermute, dim3((tokens + 7) / 8), 256, 0, stream, b.gathered.get(), x, b.pairExpert.get(), b.pairRank.get(),
         b.counts.get(), b.sorted.get(), b.offsets.get(), b.active.get(), tokens, s.experts, s.hidden, s.top);
}
void gateUpGrouped(const MoeShape& s, int tokens, const TensorMap& xMap, const TensorMap& wMap, Scratch& b,
                   cudaStream_t stream) {
  launch(moeGateUpGrouped, dim3(multiprocessors()), 384, groupedShared, stream, xMap, wMap, b.h.get(), b.offsets.get(),
         s.experts, s.hidden, s.ffn);
}
void downGrouped(const MoeShape& s, int tokens, const TensorMap& hMap, const TensorMap& wMap, Scratch& b,
                 cudaStream_t stream) {
  launch(moeDownGrouped, dim3(multiprocessors()), 384, groupedShared, stream, hMap, wMap, b.y.get(),
         b.pairWeight.get(), b.sorted.get(), b.offsets.get(), s.experts, s.hidden, s.ffn);
}
void combine(const MoeShape& s, int tokens, bf16* x, const bf16* shared, const bf16* input, const bf16* sharedGate,
             const bf16* norm, bf16* normed, Scratch& b, cudaStream_t stream) {
  launch(moeCombine, dim3(tokens), 256, 0, stream, x, b.y.get(), b.pairExpert.get(), shared, input, sharedGate, norm,
         normed, s.hidden, s.top, 1e-6f);
}

std::vector<double> wideAll(const std::vector<bf16>& values) {
  std::vector<double> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = wide(values[i]);
  return result;
}
double dot(const double* a, const bf16* b, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * wide(b[i]);
  return sum;
}

// One layer, few or many path. `skew` makes all tokens alike, so that few experts take all of them; every fifth token is
// padding when `padding`.
void checkLayer(const std::string& name, const MoeShape& s, int tokens, bool few, bool skew, bool padding, int round,
                std::uint64_t seed) {
  const std::size_t H = s.hidden, F = s.ffn;
  auto xHost = randomBf16(tokens * H, seed, 1);
  if (skew)
    for (int t = 1; t < tokens; ++t)
      for (std::size_t i = 0; i < H; ++i)
        xHost[t * H + i] = __float2bfloat16_rn(wide(xHost[i]) + 0.02f * wide(xHost[t * H + i]));
  const auto gateHost = randomBf16(s.experts * H, seed + 1, 2 / std::sqrt(double(H)));
  std::vector<int> slotsHost(tokens, 0);
  if (padding)
    for (int t = 4; t < tokens; t += 5) slotsHost[t] = -1;
  Device<bf16> x(xHost), gate(gateHost), gateUp(2 * s.experts * F * H), down(s.experts * H * F);
  fillNormal(gateUp.get(), gateUp.size(), seed + 2, 1 / std::sqrt(float(H)));
  fillNormal(down.get(), down.size(), seed + 3, 1 / std::sqrt(float(F)));
  const auto ups = gateUp.read(), downs = down.read();
  Device<int> slots(slotsHost);
  Scratch b(s, tokens);
  const Matrices w{gate.get(), gateUp.get(), down.get()};
  const std::size_t pairs = std::size_t(tokens) * s.top;
  if (few) {
    gateFew(s, tokens, x.get(), slots.get(), w, b, round, nullptr);
    gateUpFew(s, tokens, x.get(), w, b, nullptr);
    downFew(s, tokens, w, b, nullptr);
  } else {
    const TensorMap xMap = describe(b.gathered.get(), pairs, H), hMap = describe(b.h.get(), pairs, F),
                    upMap = describe(gateUp.get(), 2ull * s.experts * F, H),
                    downMap = describe(down.get(), std::uint64_t(s.experts) * H, F);
    gateMany(s, tokens, x.get(), slots.get(), w, b, round, nullptr);
    permute(s, tokens, x.get(), b, nullptr);
    gateUpGrouped(s, tokens, xMap, upMap, b, nullptr);
    downGrouped(s, tokens, hMap, downMap, b, nullptr);
  }
  require(cudaDeviceSynchronize(), name.c_str());

  // Routing: each live token's choices are its highest logits (within rounding), their weights the softmax.
  const auto xs = wideAll(xHost);
  const auto expertOf = b.pairExpert.read();
  const auto weightOf = b.pairWeight.read();
  const auto sorted = b.sorted.read(), offsets = b.offsets.read(), counts = b.counts.read();
  std::vector<double> weightsGot, weightsWant;
  bool chosenRight = true;
  std::vector<int> countWant(s.experts, 0);
  int live = 0;
  for (int t = 0; t < tokens; ++t) {
    if (slotsHost[t] < 0) {
      for (int j = 0; j < s.top; ++j) chosenRight = chosenRight && expertOf[t * s.top + j] == -1;
      continue;
    }
    ++live;
    std::vector<double> logit(s.experts);
    for (int e = 0; e < s.experts; ++e) {
      logit[e] = dot(&xs[t * H], &gateHost[e * H], s.hidden);
      if (round) logit[e] = rounded(logit[e]);
    }
    double highest = *std::max_element(logit.begin(), logit.end()), total = 0, chosen = 0;
    for (double l : logit) total += std::exp(l - highest);
    auto order = logit;
    std::sort(order.rbegin(), order.rend());
    const double slack = (round ? 1.0 / 128 : 1e-5) * (1 + std::abs(order[s.top - 1]));
    std::vector<bool> seen(s.experts, false);
    for (int j = 0; j < s.top; ++j) {
      const int e = expertOf[t * s.top + j];
      if (e < 0 || e >= s.experts || seen[e] || logit[e] < order[s.top - 1] - slack) {
        chosenRight = false;
        continue;
      }
      seen[e] = true;
      ++countWant[e];
      chosen += std::exp(logit[e] - highest) / total;
    }
    for (int j = 0; j < s.top; ++j) {
      const int e = std::max(0, expertOf[t * s.top + j]);
      weightsWant.push_back(std::exp(logit[e] - highest) / total / (s.normalise ? chosen : 1));
      weightsGot.push_back(weightOf[t * s.top + j]);
    }
  }
  expect(chosenRight, name + ": the chosen experts are the highest logits, padding chooses none");
  expectClose(errorOf(weightsGot, weightsWant), round ? 2e-2 : 1e-4, round ? 1e-1 : 1e-3, name + ", routing weights");
  if (!chosenRight) return;
  expect(counts == countWant, name + ": counts per expert");
  bool order = offsets[0] == 0 && offsets[s.experts] == live * s.top;
  std::vector<int> seenPair(pairs, 0);
  for (int e = 0; e < s.experts && order; ++e) {
    order = order && offsets[e + 1] - offsets[e] == countWant[e];
    for (int i = offsets[e]; order && i < offsets[e + 1]; ++i)
      order = sorted[i] >= 0 && sorted[i] < int(pairs) && expertOf[sorted[i]] == e && seenPair[sorted[i]]++ == 0;
  }
  expect(order, name + ": pairs are sorted by expert, each once");
  if (!order) return;

  // Experts, from the kernel's own routing.
  const auto ys = wideAll(b.y.read());
  std::vector<double> got, want, sums(tokens * H, 0);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    const int e = expertOf[pair];
    if (e < 0) continue;
    const double* token = &xs[pair / s.top * H];
    std::vector<double> h(F);
    for (std::size_t f = 0; f < F; ++f) {
      const double g = dot(token, &ups[(2 * e * F + f) * H], s.hidden),
                   u = dot(token, &ups[((2 * e + 1) * F + f) * H], s.hidden);
      h[f] = rounded(g / (1 + std::exp(-g)) * u);
    }
    for (std::size_t i = 0; i < H; ++i) {
      want.push_back(dot(h.data(), &downs[(e * H + i) * F], s.ffn) * weightOf[pair]);
      got.push_back(ys[pair * H + i]);
      sums[pair / s.top * H + i] += got.back();
    }
  }
  expectClose(errorOf(got, want), 3e-3, 1e-1, name + ", rows of the experts");

  // Combination with residual, shared expert and norm.
  const auto residualHost = randomBf16(tokens * H, seed + 4, 1), sharedHost = randomBf16(tokens * H, seed + 5, 1),
             sharedGateHost = randomBf16(H, seed + 6, 1 / std::sqrt(double(H)));
  auto normHost = randomBf16(H, seed + 7, 0.2);
  for (auto& n : normHost) n = __float2bfloat16_rn(1 + wide(n));
  Device<bf16> residual(residualHost), shared(sharedHost), sharedGate(sharedGateHost), norm(normHost), normed(tokens * H);
  combine(s, tokens, residual.get(), shared.get(), x.get(), sharedGate.get(), norm.get(), normed.get(), b, nullptr);
  require(cudaDeviceSynchronize(), "moeCombine");
  std::vector<double> sumWant, normWant;
  for (int t = 0; t < tokens; ++t) {
    const double share = 1 / (1 + std::exp(-dot(&xs[t * H], sharedGateHost.data(), s.hidden)));
    double squares = 0;
    for (std::size_t i = 0; i < H; ++i) {
      sumWant.push_back(rounded(wide(residualHost[t * H + i]) + sums[t * H + i] + share * wide(sharedHost[t * H + i])));
      squares += sumWant.back() * sumWant.back();
    }
    for (std::size_t i = 0; i < H; ++i)
      normWant.push_back(sumWant[t * H + i] / std::sqrt(squares / H + 1e-6) * wide(normHost[i]));
  }
  expectClose(errorOf(wideAll(residual.read()), sumWant), 4e-3, 6e-2, name + ", combined");
  expectClose(errorOf(wideAll(normed.read()), normWant), 6e-3, 8e-2, name + ", combined and normed");
}

// Times of the Qwen3-30B-A3B layer. Different layers have different weights: no launch finds its weights in L2.
void timeLayers(const Roofs& roofs) {
  const MoeShape s{2048, 128, 768, 8, true};
  constexpr int layers = 12, most = 8192;
  const std::size_t H = s.hidden, F = s.ffn, upSize = 2 * s.experts * F * H, downSize = s.experts * H * F;
  Device<bf16> gate(layers * s.experts * H), gateUp(layers * upSize), down(layers * downSize), x(layers * most * H),
      residual(most * H), normed(most * H), norm(H);
  fillNormal(gate.get(), gate.size(), 1, 0.03f);
  fillNormal(gateUp.get(), gateUp.size(), 2, 0.02f);
  fillNormal(down.get(), down.size(), 3, 0.02f);
  fillNormal(x.get(), x.size(), 4, 1);
  fillNormal(residual.get(), residual.size(), 5, 1);
  fillNormal(norm.get(), norm.size(), 6, 1);
  Scratch b(s, most);
  const auto weights = [&](int layer) {
    return Matrices{gate.get() + layer * s.experts * H, gateUp.get() + layer * upSize, down.get() + layer * downSize};
  };
  const auto input = [&](int layer) { return x.get() + layer * most * H; };
  char note[120];
  for (int tokens : {1, 2, 4, 8, 16, 32, 64, 128, 256}) {
    double active = 0;
    for (int layer = 0; layer < layers; ++layer) {
      gateFew(s, std::min(tokens, 128), input(layer), nullptr, weights(layer), b, 1, nullptr);
      active += b.active.read()[s.experts] / double(layers);
    }
    if (tokens > 128) active = s.experts;
    const double up = active * 2 * F * H * 2 / roofs.copyBytesPerUs, downTime = up / 2;
    std::snprintf(note, sizeof note, "decode, %d tokens, %.1f experts: ", tokens, active);
    if (tokens <= 128) {
      const double whole = graphMicroseconds([&](cudaStream_t stream) {
        for (int layer = 0; layer < layers; ++layer) {
          gateFew(s, tokens, input(layer), nullptr, weights(layer), b, 1, stream);
          gateUpFew(s, tokens, input(layer), weights(layer), b, stream);
          downFew(s, tokens, weights(layer), b, stream);
          combine(s, tokens, residual.get(), nullptr, nullptr, nullptr, norm.get(), normed.get(), b, stream);
        }
      }) / layers;
      row(std::string(note) + "layer", whole, up + downTime, "weights of active experts at copy rate");
      const auto gates = graphMicroseconds([&](cudaStream_t stream) {
        for (int layer = 0; layer < layers; ++layer) gateFew(s, tokens, input(layer), nullptr, weights(layer), b, 1, stream);
      }) / layers;
      row(std::string(note) + "moeGate", gates, 0, "");
      row(std::string(note) + "moeGateUpFew", graphMicroseconds([&](cudaStream_t stream) {
        for (int layer = 0; layer < layers; ++layer) gateUpFew(s, tokens, input(layer), weights(layer), b, stream);
      }) / layers, up, "");
      row(std::string(note) + "moeDownFew", graphMicroseconds([&](cudaStream_t stream) {
        for (int layer = 0; layer < layers; ++layer) downFew(s, tokens, weights(layer), b, stream);
      }) / layers, downTime, "");
      row(std::string(note) + "moeCombine", graphMicroseconds([&](cudaStream_t stream) {
        for (int layer = 0; layer < layers; ++layer)
          combine(s, tokens, residual.get(), nullptr, nullptr, nullptr, norm.get(), normed.get(), b, stream);
      }) / layers, 0, "");
    }
  }
  for (int tokens : {64, 128, 256, 512, 2048, 8192}) {
    const std::size_t pairs = std::size_t(tokens) * s.top;
    const TensorMap xMap = describe(b.gathered.get(), pairs, H), hMap = describe(b.h.get(), pairs, F);
    std::vector<TensorMap> upMaps, downMaps;
    for (int layer = 0; layer < layers; ++layer) {
      upMaps.push_back(describe(weights(layer).gateUp, 2ull * s.experts * F, H));
      downMaps.push_back(describe(weights(layer).down, std::uint64_t(s.experts) * H, F));
    }
    const double upFlop = 4.0 * pairs * F * H, upBytes = upSize * 2.0 + 2.0 * pairs * (H + F);
    const double upFloor = std::max(upFlop / roofs.gemmFlopPerUs, upBytes / roofs.copyBytesPerUs),
                 downFloor = std::max(upFlop / 2 / roofs.gemmFlopPerUs,
                                      (downSize * 2.0 + 2.0 * pairs * (H + F)) / roofs.copyBytesPerUs);
    const std::string name = "prefill, " + std::to_string(tokens) + " tokens: ";
    const auto time = [&](const std::function<void(int, cudaStream_t)>& work) {
      return graphMicroseconds([&](cudaStream_t stream) {
        for (int layer = 0; layer < layers; ++layer) work(layer, stream);
      }, 5) / layers;
    };
    const double whole = time([&](int layer, cudaStream_t stream) {
      gateMany(s, tokens, input(layer), nullptr, weights(layer), b, 1, stream);
      permute(s, tokens, input(layer), b, stream);
      gateUpGrouped(s, tokens, xMap, upMaps[layer], b, stream);
      downGrouped(s, tokens, hMap, downMaps[layer], b, stream);
      combine(s, tokens, residual.get(), nullptr, nullptr, nullptr, norm.get(), normed.get(), b, stream);
    });
    row(name + "layer", whole, upFloor + downFloor, "GEMM or copy rate, experts only");
    std::snprintf(note, sizeof note, "%.0f TFLOP/s", upFlop / 1e6);
    row(name + "moeGateRows", time([&](int layer, cudaStream_t stream) {
      gateMany(s, tokens, input(layer), nullptr, weights(layer), b, 1, stream);
    }), 2.0 * (tokens + s.experts) * H / roofs.copyBytesPerUs, "");
    row(name + "moePermute", time([&](int layer, cudaStream_t stream) { permute(s, tokens, input(layer), b, stream); }),
        2.0 * tokens * H * (1 + s.top) / roofs.copyBytesPerUs, "");
    row(name + "moeGateUpGrouped", time([&](int layer, cudaStream_t stream) {
      gateUpGrouped(s, tokens, xMap, upMaps[layer], b, stream);
    }), upFloor, upFlop / roofs.gemmFlopPerUs > upBytes / roofs.copyBytesPerUs ? "arithmetic" : "memory");
    row(name + "moeDownGrouped", time([&](int layer, cudaStream_t stream) {
      downGrouped(s, tokens, hMap, downMaps[layer], b, stream);
    }), downFloor, "");
    row(name + "moeCombine", time([&](int, cudaStream_t stream) {
      combine(s, tokens, residual.get(), nullptr, nullptr, nullptr, norm.get(), normed.get(), b, stream);
    }), 2.0 * tokens * H * (3 + s.top) / roofs.copyBytesPerUs, "");
  }
}

}  // namespace

void checkMoe() {
  const MoeShape qwen{256, 32, 96, 4, true}, mixtral{128, 8, 224, 2, true}, wide{192, 160, 48, 6, false};
  for (int tokens : {1, 3, 8, 17, 64}) {
    const std::string count = std::to_string(tokens) + " tokens";
    checkLayer("few, Qwen3-MoE kind, " + count, qwen, tokens, true, false, tokens > 4, 0, 100 + tokens);
    checkLayer("few, Mixtral kind, " + count, mixtral, tokens, true, tokens == 64, false, 1, 200 + tokens);
    checkLayer("few, 160 experts, " + count, wide, tokens, true, tokens == 17, false, 0, 300 + tokens);
  }
  for (int tokens : {5, 40, 130, 300}) {
    const std::string count = std::to_string(tokens) + " tokens";
    checkLayer("many, Qwen3-MoE kind, " + count, qwen, tokens, false, false, tokens == 40, 0, 400 + tokens);
    checkLayer("many, Mixtral kind, " + count, mixtral, tokens, false, tokens == 300, false, 1, 500 + tokens);
    checkLayer("many, 160 experts, " + count, wide, tokens, false, tokens == 130, false, 0, 600 + tokens);
  }
}
void checkMoeFull() {
  const MoeShape full{2048, 128, 768, 8, true};
  checkLayer("few, Qwen3-30B-A3B layer, 6 tokens", full, 6, true, false, false, 1, 700);
  checkLayer("many, Qwen3-30B-A3B layer, 24 tokens", full, 24, false, false, false, 1, 701);
}
void timeMoe(const Roofs& roofs) { timeLayers(roofs); }

}  // namespace check
