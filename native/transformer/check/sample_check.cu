// Sampling against a float64 reference, its statistics, and its times.
#include "transformer/check/check.h"
#include "transformer/check/kernels.h"
#include "transformer/check/sections.h"

namespace check {
namespace {

std::size_t sampleShared(int vocab) { return std::size_t(4) * (((vocab + 7) / 8 + 31) / 32 * 32); }

struct Drawn {
  std::vector<int> tokens, kept, last;
  std::vector<float> confidence;
};
Drawn sample(const std::vector<float>& logits, const std::vector<RowSampling>& how, const std::vector<std::uint32_t>& masks,
             int vocab) {
  const int rows = static_cast<int>(how.size());
  std::vector<int> slots(rows);
  for (int i = 0; i < rows; ++i) slots[i] = rows - 1 - i;
  Device<float> logitsHere(logits);
  Device<RowSampling> howHere(how);
  Device<std::uint32_t> masksHere(masks);
  Device<int> tokens(rows), kept(rows), last(rows), slotsHere(slots);
  Device<float> confidence(rows);
  launch(sampleRows, dim3(8, rows), 1024, sampleShared(vocab), nullptr, tokens.get(), confidence.get(), kept.get(),
         logitsHere.get(), slotsHere.get(), howHere.get(), masks.empty() ? nullptr : masksHere.get(), last.get(), vocab);
  require(cudaDeviceSynchronize(), "sampleRows");
  return {tokens.read(), kept.read(), last.read(), confidence.read()};
}

void philox(std::uint32_t (&c)[4], std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    const std::uint32_t next[4] = {std::uint32_t(b >> 32) ^ c[1] ^ k0, std::uint32_t(b), std::uint32_t(a >> 32) ^ c[3] ^ k1,
                                   std::uint32_t(a)};
    std::memcpy(c, next, sizeof next);
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
}

struct Reference {
  int keptLow = 0, keptHigh = 0;  // with top-p 1e-5 smaller and larger
  std::vector<char> may;          // in the larger set
  std::vector<double> score;      // of every token
  double largest = -INFINITY, total = 0;
};
Reference reference(const float* logits, const std::uint32_t* mask, const RowSampling& how, int vocab) {
  Reference r;
  std::vector<int> order;
  for (int i = 0; i < vocab; ++i)
    if (std::isfinite(logits[i]) && (mask == nullptr || (mask[i / 32] >> (i % 32) & 1u) != 0)) order.push_back(i);
  r.may.assign(vocab, 0);
  r.score.assign(vocab, -INFINITY);
  if (order.empty()) return r;
  std::sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  r.largest = logits[order[0]];
  for (int i : order) r.total += std::exp(logits[i] - r.largest);
  std::size_t left = order.size();
  const auto withTies = [&](std::size_t count) {
    while (count < left && logits[order[count]] == logits[order[count - 1]]) ++count;
    return count;
  };
  if (how.topK > 0) left = withTies(std::min<std::size_t>(left, how.topK));
  double weights = 0;
  for (std::size_t i = 0; i < left; ++i) weights += std::exp((logits[order[i]] - r.largest) / how.temperature);
  const auto nucleus = [&](double share) {
    if (how.topP >= 1) return left;
    double sum = 0;
    for (std::size_t i = 0; i < left; ++i) {
      sum += std::exp((logits[order[i]] - r.largest) / how.temperature);
      if (sum >= share * weights) return withTies(i + 1);
    }
    return left;
  };
  r.keptLow = int(nucleus(how.topP - 1e-5)), r.keptHigh = int(nucleus(how.topP + 1e-5));
  for (int i = 0; i < r.keptHigh; ++i) {
    const int token = order[i];
    std::uint32_t c[4] = {std::uint32_t(token / 4), how.position, 0, 0};
    philox(c, how.seedLow, how.seedHigh);
    r.may[token] = 1;
    r.score[token] = (logits[token] - r.largest) / how.temperature -
                     std::log(-std::log1p(-(c[token % 4] + 0.5) / 4294967296.0));
  }
  return r;
}

void checkVocabulary(int vocab, int rows, double spread, std::uint64_t seed) {
  const int words = (vocab + 31) / 32;
  std::vector<float> logits(std::size_t(rows) * vocab);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = float(spread * normal(seed, i));
  // BF16 logits have ties; a row of infinities and one of not-a-numbers are masks of a kind.
  for (int i = 0; i < vocab; ++i) logits[i] = float(rounded(logits[i]));
  if (rows > 2)
    for (int i = 0; i < vocab; i += 3) logits[2 * std::size_t(vocab) + i] = i % 2 ? -INFINITY : NAN;
  std::vector<std::uint32_t> masks(std::size_t(3) * words);
  for (int i = 0; i < words; ++i) masks[i] = mix(seed + 1, i), masks[words + i] = 0;
  masks[words + words / 2] = 1u << (7 % std::min(32, vocab));  // one token
  std::vector<RowSampling> how(rows);
  for (int r = 0; r < rows; ++r) {
    how[r] = {0.7f + 0.1f * (r % 8), 1.0f, 0, -1, mix(seed + 2, r), mix(seed + 3, r), mix(seed + 4, r), 1};
    switch (r % 8) {
      case 0: how[r].temperature = 0; break;
      case 1: how[r].topP = 0.9f; break;
      case 2: how[r].topK = 40; break;
      case 3: how[r].topK = 50, how[r].topP = 0.5f; break;
      case 4: break;
      case 5: how[r].mask = 0, how[r].topP = 0.95f; break;
      case 6: how[r].mask = r % 16 == 6 ? 1 : 2; break;
      case 7: how[r].temperature = 3, how[r].topP = 0.999f; break;
    }
    if (r == rows - 1 && rows > 8) how[r].active = 0;
  }
  const Drawn got = sample(logits, how, masks, vocab), again = sample(logits, how, masks, vocab);
  const std::string name = "sampling, vocabulary " + std::to_string(vocab);
  bool kept = true, tokens = true, confidence = true, last = true;
  for (int r = 0; r < rows; ++r) {
    if (how[r].active == 0) {
      tokens = tokens && got.tokens[r] == -1;
      continue;
    }
    const std::uint32_t* mask = how[r].mask >= 0 ? &masks[std::size_t(how[r].mask) * words] : nullptr;
    const float* from = &logits[std::size_t(r) * vocab];
    last = last && got.last[rows - 1 - r] == got.tokens[r];
    const Reference want = reference(from, mask, how[r].temperature > 0 ? how[r] : RowSampling{1, 1, 0, -1, 0, 0, 0, 1}, vocab);
    if (want.total == 0) {
      tokens = tokens && got.tokens[r] == 0 && got.confidence[r] == 0 && got.kept[r] == 0;
      continue;
    }
    const int token = got.tokens[r];
    if (token < 0 || token >= vocab) {
      tokens = false;
      continue;
    }
    confidence = confidence &&
                 std::abs(got.confidence[r] / (std::exp(from[token] - want.largest) / want.total) - 1) < 1e-4;
    if (how[r].temperature == 0) {
      int best = -1;
      for (int i = 0; i < vocab; ++i)
        if (want.may[i] && (best < 0 || from[i] > from[best])) best = i;
      tokens = tokens && token == best;
      continue;
    }
    if (got.kept[r] < want.keptLow || got.kept[r] > want.keptHigh)
      std::printf("row %d keeps %d, expected %d to %d\n", r, got.kept[r], want.keptLow, want.keptHigh), kept = false;
    const double best = *std::max_element(want.score.begin(), want.score.end());
    // A token at the very edge of the nucleus may be in one set and not in the other.
    const bool close = want.may[token] && (want.score[token] > best - 1e-4 || want.keptLow != want.keptHigh);
    if (!close) std::printf("row %d draws %d with score %g, best %g\n", r, token, want.score[token], best);
    tokens = tokens && close;
  }
  expect(kept, name + ": the kept set");
  expect(tokens, name + ": the drawn token");
  expect(confidence, name + ": confidence");
  expect(last, name + ": remembered per slot");
  expect(got.tokens == again.tokens && got.kept == again.kept, name + ": the same again");
  // A row alone draws what it drew in the batch.
  const int alone = std::min(1, rows - 1);
  const Drawn single = sample({logits.begin() + std::size_t(alone) * vocab, logits.begin() + std::size_t(alone + 1) * vocab},
                              {how[alone]}, masks, vocab);
  expect(single.tokens[0] == got.tokens[alone], name + ": the same alone");
  if (kept && tokens && confidence) std::printf("ok      %s, %d rows\n", name.c_str(), rows);
}

// χ² of 65,536 draws from 40 tokens; 99.9 % of right samplers stay below 73 at 39 degrees of freedom.
void checkDistribution() {
  constexpr int vocab = 40, rows = 256, rounds = 256;
  std::vector<float> logits(vocab);
  std::vector<double> expected(vocab);
  double total = 0;
  for (int i = 0; i < vocab; ++i) logits[i] = float(normal(9, i)), total += expected[i] = std::exp(logits[i] / 0.8);
  std::vector<float> all;
  for (int r = 0; r < rows; ++r) all.insert(all.end(), logits.begin(), logits.end());
  std::vector<double> seen(vocab, 0);
  for (int round = 0; round < rounds; ++round) {
    std::vector<RowSampling> how(rows);
    for (int r = 0; r < rows; ++r) how[r] = {0.8f, 1, 0, -1, 1234, 5, std::uint32_t(round * rows + r), 1};
    for (int token : sample(all, how, {}, vocab).tokens) ++seen[std::clamp(token, 0, vocab - 1)];
  }
  double chi = 0;
  for (int i = 0; i < vocab; ++i) {
    const double want = expected[i] / total * rows * rounds;
    chi += (seen[i] - want) * (seen[i] - want) / want;
  }
  std::printf("%s sampling's distribution: χ² %.1f at 39 degrees of freedom\n", chi < 73 ? "ok     " : "FAILED ", chi);
  expect(chi < 73, "sampling's distribution");
}

}  // namespace

void checkSampling() {
  checkVocabulary(100, 24, 2, 11);
  checkVocabulary(1000, 17, 1, 12);
  checkVocabulary(32000, 16, 3, 13);
  checkVocabulary(151936, 9, 2, 14);
  checkVocabulary(262144, 9, 1, 15);
  checkDistribution();
}

void timeSampling(const Roofs& roofs) {
  for (int vocab : {128256, 151936, 262144}) {
    for (int rows : {1, 64}) {
      constexpr int sets = 4;
      std::vector<float> values(std::size_t(vocab) * rows);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = i < std::size_t(vocab) ? float(2 * normal(21, i)) : values[i - vocab];
      std::vector<std::uint32_t> all((vocab + 31) / 32, 0xFFFFFFFFu);
      Device<float> logits(values.size() * sets);
      for (int i = 0; i < sets; ++i)
        require(cudaMemcpy(logits.get() + i * values.size(), values.data(), 4 * values.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
      Device<std::uint32_t> masks(all);
      Device<int> tokens(rows), last(rows), slots(std::vector<int>(rows, 0));
      Device<float> confidence(rows);
      for (int kind = 0; kind < 4; ++kind) {
        const char* names[4] = {"greedy", "temperature", "top-p 0.9", "top-k 50, top-p 0.9, mask"};
        const RowSampling one{kind == 0 ? 0.0f : 0.8f, kind >= 2 ? 0.9f : 1.0f, kind == 3 ? 50 : 0, kind == 3 ? 0 : -1, 1, 2, 3, 1};
        Device<RowSampling> how(std::vector<RowSampling>(rows, one));
        row("sampling, " + std::string(names[kind]) + ", " + std::to_string(rows) + " × " + std::to_string(vocab),
            graphMicroseconds([&](cudaStream_t stream) {
              for (int i = 0; i < sets; ++i)
                launch(sampleRows, dim3(8, rows), 1024, sampleShared(vocab), stream, tokens.get(), confidence.get(),
                       static_cast<int*>(nullptr), logits.get() + i * values.size(), slots.get(), how.get(), masks.get(), last.get(),
                       vocab);
            }) / sets,
            4.0 * vocab * rows / roofs.copyBytesPerUs, "");
      }
    }
  }
}

}  // namespace check
