// The feed-forward of a mixture of experts within a pass: x += Σ weight · expert(norm(x)) (+ the shared expert).
//
//   few tokens     rmsNorm → moeGate ─────────────────→ moeGateUpFew → moeDownFew → moeCombine
//   many tokens    rmsNorm → moeGateRows → moePermute → moeGateUpGrouped → moeDownGrouped → moeCombine
#include "transformer/instance.h"

namespace dyno::transformer {
namespace {
unsigned dividedUp(int a, int b) { return static_cast<unsigned>((a + b - 1) / b); }
constexpr int epiloguePlain = 0, epilogueSwiglu = 2;
}  // namespace

Status Instance::runExperts(const PassLayout& layout, const LayerWeights& w, int layer, int* launches) {
  const Shape& s = model_->shape();
  const Kernels& k = model_->kernels();
  const ExpertScratch& e = experts_;
  const int tokens = layout.tokens, pairs = tokens * s.topK, normalise = s.normTopK ? 1 : 0, roundLogits = 1;
  const auto at = static_cast<std::size_t>(layer);
  const cuda::DevicePointer none = 0, slots = at_.input + layout.kvSlotAt * 4,
                            counts = e.counts + at * static_cast<std::size_t>(s.experts) * 4;
  DYNO_TRY(start(k.rmsNorm, Grid{static_cast<unsigned>(tokens)}, 256, 0, launches, at_.normed, at_.x, w.norm2, none,
                 s.hidden, s.normEps));
  const bool few = isFew(s, tokens);
  if (few) {
    DYNO_TRY(start(k.moeGate, Grid{dividedUp(s.experts, 16), dividedUp(tokens, 8)}, 256, 0, launches, at_.normed, w.router,
                   slots, e.logits, e.ticket, e.pairExpert, e.pairWeight, e.sorted, e.offsets, e.active, counts, tokens,
                   s.experts, s.hidden, s.topK, normalise, roundLogits));
  } else {
    const int tiles = (s.experts + 15) / 16, splits = tiles < 8 ? 8 / tiles : 1;
    DYNO_TRY(start(k.moeGateRows, Grid{dividedUp(tokens, 32)}, 256, static_cast<unsigned>(4 * 32 * s.experts * splits),
                   launches, at_.normed, w.router, slots, e.pairExpert, e.pairWeight, e.pairRank, counts, tokens, s.experts,
                   s.hidden, s.topK, normalise, roundLogits));
    DYNO_TRY(start(k.moePermute, Grid{dividedUp(tokens, 8)}, 256, 0, launches, e.gathered, at_.normed, e.pairExpert,
                   e.pairRank, counts, e.sorted, e.offsets, e.active, tokens, s.experts, s.hidden, s.topK));
  }
  if (few || !e.grouped) {
    const unsigned most = static_cast<unsigned>(std::min(s.experts, pairs));
    DYNO_TRY(start(k.moeGateUpFew, Grid{dividedUp(s.expertFfn, 16), most}, 128, 0, launches, e.h, at_.normed,
                   w.expertGateUp, e.sorted, e.offsets, e.active, s.experts, s.hidden, s.expertFfn, s.topK));
    DYNO_TRY(start(k.moeDownFew, Grid{dividedUp(s.hidden, 32), most}, 128, 0, launches, e.y, e.h, w.expertDown,
                   e.pairWeight, e.sorted, e.offsets, e.active, s.experts, s.hidden, s.expertFfn));
  } else {
    const Grid all{static_cast<unsigned>(multiprocessors_)};
    DYNO_TRY(start(k.moeGateUpGrouped, all, 384, groupedSharedBytes, launches, e.gatheredMap, e.gateUpMaps[at], e.h,
                   e.offsets, s.experts, s.hidden, s.expertFfn));
    DYNO_TRY(start(k.moeDownGrouped, all, 384, groupedSharedBytes, launches, e.hMap, e.downMaps[at], e.y, e.pairWeight,
                   e.sorted, e.offsets, s.experts, s.hidden, s.expertFfn));
  }
  if (s.sharedFfn > 0) DYNO_TRY(runSharedExpert(tokens, w, launches));
  return start(k.moeCombine, Grid{static_cast<unsigned>(tokens)}, 256, 0, launches, at_.x, e.y, e.pairExpert, e.shared,
               at_.normed, w.sharedRouter, none, none, s.hidden, s.topK, s.normEps);
}

// A dense SwiGLU of the normed rows into a buffer of its own; moeCombine weighs and adds it.
Status Instance::runSharedExpert(int tokens, const LayerWeights& w, int* launches) {
  const Shape& s = model_->shape();
  auto gated = runGemv(epilogueSwiglu, tokens, at_.activation, at_.normed, w.sharedGateUp, 0, 2 * s.sharedFfn, s.hidden,
                       launches);
  if (!gated.ok()) return gated.error();
  if (!gated.value()) {
    DYNO_TRY(runLinear({2 * s.sharedFfn, s.hidden, false, false}, tokens, at_.gateUp, at_.normed, w.sharedGateUp, launches));
    const std::size_t vectors = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(s.sharedFfn) / 8;
    const unsigned blocks = static_cast<unsigned>(std::min<std::size_t>((vectors + 255) / 256, 132 * 64));
    DYNO_TRY(start(model_->kernels().swiglu, Grid{blocks}, 256, 0, launches, at_.activation, at_.gateUp, tokens,
                   s.sharedFfn));
  }
  auto down = runGemv(epiloguePlain, tokens, experts_.shared, at_.activation, w.sharedDown, 0, s.hidden, s.sharedFfn,
                      launches);
  if (!down.ok()) return down.error();
  if (down.value()) return Nothing{};
  return runLinear({s.hidden, s.sharedFfn, false, false}, tokens, experts_.shared, at_.activation, w.sharedDown, launches);
}

}  // namespace dyno::transformer
