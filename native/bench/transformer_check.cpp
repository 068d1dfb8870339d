// Correctness and speed of the transformer on a real GPU, without Node: `transformer_check KERNELS CUBLASLT STEP…`
// Steps: correct (tiny models against float64), speed (Llama-3.1-8B shape, random weights), small (for compute-sanitizer).
// Exit status 1 when a check fails.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <future>
#include <random>

#include "transformer/instance.h"
#include "transformer/reference.h"

using namespace dyno;
using namespace dyno::transformer;

namespace {

int failures = 0;
std::shared_ptr<cuda::Library> library;
std::string kernelFolder, cublasLt;

template <typename T>
T must(Result<T> result, const char* what) {
  if (!result.ok()) {
    std::printf("FAILED %s: %s %s (%s)\n", what, result.error().name.c_str(), result.error().message.c_str(),
                result.error().call.c_str());
    std::exit(1);
  }
  return std::move(result.value());
}

void expect(bool truth, const std::string& what) {
  if (!truth) ++failures;
  std::printf("%s %s\n", truth ? "ok    " : "FAILED", what.c_str());
}

PassOutcome run(Instance& instance, PassPlan plan) {
  std::promise<PassOutcome> promise;
  instance.submit(std::move(plan), [&](PassOutcome&& outcome) { promise.set_value(std::move(outcome)); });
  PassOutcome outcome = promise.get_future().get();
  if (outcome.error) {
    std::printf("FAILED pass: %s %s (%s)\n", outcome.error->name.c_str(), outcome.error->message.c_str(),
                outcome.error->call.c_str());
    std::exit(1);
  }
  return outcome;
}

// Rows of a pass, with blocks handed out from a shuffled pool.
struct Sequence {
  int slot = 0;
  std::vector<std::int32_t> blocks;
};
struct Builder {
  PassPlan plan;
  int blockTokens;
  Builder(const Shape& shape, int tokens) : blockTokens(tokens) {
    plan.toLayer = shape.layers;
    plan.blockOffsets = {0};
  }
  Builder& row(const Sequence& sequence, int start, const std::vector<std::int32_t>& tokens, unsigned flags) {
    plan.slots.push_back(sequence.slot);
    plan.starts.push_back(start);
    const bool device = (flags & rowFromDevice) != 0;
    plan.counts.push_back(device ? 1 : static_cast<int>(tokens.size()));
    plan.flags.push_back(static_cast<std::uint8_t>(flags));
    if (!device) plan.tokens.insert(plan.tokens.end(), tokens.begin(), tokens.end());
    const int needed = (start + plan.counts.back() + blockTokens - 1) / blockTokens;
    plan.blocks.insert(plan.blocks.end(), sequence.blocks.begin(), sequence.blocks.begin() + needed);
    plan.blockOffsets.push_back(static_cast<int>(plan.blocks.size()));
    return *this;
  }
};

std::shared_ptr<Model> openModel(const Shape& shape, int seed) {
  OpenOptions options;
  options.cublasLtPath = cublasLt;
  options.kernelFolder = kernelFolder;
  options.shape = shape;
  options.weights.seed = seed;
  return must(Model::open(library, options), "open");
}

std::vector<Sequence> sequencesOf(int count, int blocksEach, int poolBlocks, unsigned seed) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(poolBlocks));
  for (int i = 0; i < poolBlocks; ++i) all[static_cast<std::size_t>(i)] = i;
  std::mt19937 random(seed);
  std::shuffle(all.begin(), all.end(), random);
  std::vector<Sequence> sequences;
  for (int i = 0; i < count; ++i)
    sequences.push_back({i, {all.begin() + i * blocksEach, all.begin() + (i + 1) * blocksEach}});
  return sequences;
}

double relativeError(const std::vector<float>& got, const double* expected, std::size_t count) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double e = static_cast<double>(got[i]) - expected[i];
    difference += e * e;
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / norm);
}

Shape tiny(const char* name) {
  Shape s;
  s.layers = 2, s.hidden = 256, s.heads = 8, s.kvHeads = 2, s.headDim = 64, s.ffn = 512, s.vocab = 1000;
  s.maxPositions = 1024;
  s.normEps = 1e-5f;
  s.ropeTheta = 10000;
  if (std::strcmp(name, "llama3") == 0) {
    s.scaling = Scaling::llama3, s.scaleFactor = 8, s.scaleLow = 1, s.scaleHigh = 4, s.originalPositions = 64;
    s.ropeTheta = 500000;
    s.tiedEmbeddings = true;
  }
  if (std::strcmp(name, "qwen3") == 0) {
    s.family = Family::qwen3, s.headDim = 128, s.heads = 16, s.kvHeads = 2, s.qkNorm = true, s.normEps = 1e-6f;
    s.ropeTheta = 1e6;
  }
  if (std::strcmp(name, "bias") == 0) s.attentionBias = true, s.heads = 10, s.kvHeads = 1, s.headDim = 128, s.hidden = 1280, s.ffn = 2560;
  if (std::strcmp(name, "mha") == 0) s.kvHeads = 8;
  return s;
}

void checkTiny(const char* name, int length) {
  const Shape shape = tiny(name);
  const auto model = openModel(shape, 7);
  constexpr int blockTokens = 16;
  const auto pool = must(KvPool::create(model, 400, blockTokens, false), "pool");
  const auto instance = must(Instance::create(model, pool, {24, 2048, 1024, 0, 1}), "instance");
  std::mt19937 random(11);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(length));
  for (auto& token : tokens) token = static_cast<std::int32_t>(random() % static_cast<unsigned>(shape.vocab));
  const auto sequences = sequencesOf(12, 24, 400, 3);
  const auto slice = [&](int from, int to) { return std::vector<std::int32_t>(tokens.begin() + from, tokens.begin() + to); };
  const auto vocab = static_cast<std::size_t>(shape.vocab);
  const std::string title = std::string(name) + ", " + std::to_string(length) + " tokens: ";
  char text[200];

  const std::vector<double> expected = referenceLogits(shape, 7, tokens);
  Builder whole(shape, blockTokens);
  whole.row(sequences[0], 0, tokens, rowPrefill | rowSamples);
  whole.plan.logits = 1;
  whole.plan.sampleAll = true;
  const PassOutcome all = run(*instance, whole.plan);
  const double error = relativeError(all.logits, expected.data(), expected.size());
  std::snprintf(text, sizeof text, "prefill logits against float64: %.2e (tolerance 2e-2)", error);
  expect(error < 2e-2, title + text);

  // In chunks, the last of one token.
  std::vector<float> last;
  for (int at = 0; at < length;) {
    const int chunk = std::min(at == 0 ? 37 : 64, length - at);
    Builder part(shape, blockTokens);
    part.row(sequences[1], at, slice(at, at + chunk), rowPrefill | (at + chunk == length ? rowSamples : 0u));
    part.plan.logits = 1;
    last = run(*instance, part.plan).logits;
    at += chunk;
  }
  const double chunked = relativeError(last, expected.data() + (static_cast<std::size_t>(length) - 1) * vocab, vocab);
  std::snprintf(text, sizeof text, "chunked prefill's last logits: %.2e", chunked);
  expect(chunked < 2e-2, title + text);

  // Decode of the given tokens, without graph (logits) at batch 1 and 3, from a prefill of half.
  const int half = length / 2;
  for (const int batch : {1, 3, 9}) {
    Builder begin(shape, blockTokens);
    for (int i = 0; i < batch; ++i) begin.row(sequences[static_cast<std::size_t>(i)], 0, slice(0, half - i), rowPrefill);
    run(*instance, begin.plan);
    double worst = 0;
    for (int step = 0; step < 12; ++step) {
      Builder decode(shape, blockTokens);
      for (int i = 0; i < batch; ++i) {
        const int at = half - i + step;
        decode.row(sequences[static_cast<std::size_t>(i)], at, slice(at, at + 1), rowSamples);
      }
      decode.plan.logits = 1;
      const PassOutcome outcome = run(*instance, decode.plan);
      for (int i = 0; i < batch; ++i) {
        const auto at = static_cast<std::size_t>(half - i + step);
        const std::vector<float> row(outcome.logits.begin() + static_cast<long>(static_cast<std::size_t>(i) * vocab),
                                     outcome.logits.begin() + static_cast<long>(static_cast<std::size_t>(i + 1) * vocab));
        worst = std::max(worst, relativeError(row, expected.data() + at * vocab, vocab));
      }
    }
    std::snprintf(text, sizeof text, "decode logits at batch %d: %.2e", batch, worst);
    expect(worst < 2e-2, title + text);
  }

  // Greedy from the device, by graph, at several batch sizes: the same tokens as batch 1's eager ones.
  const auto greedy = [&](int batch, bool logits) {
    std::vector<std::int32_t> produced;
    Builder begin(shape, blockTokens);
    for (int i = 0; i < batch; ++i) begin.row(sequences[static_cast<std::size_t>(i)], 0, slice(0, half), rowPrefill | rowSamples);
    produced.push_back(run(*instance, begin.plan).tokens.back());
    for (int step = 0; step < 16; ++step) {
      Builder decode(shape, blockTokens);
      for (int i = 0; i < batch; ++i)
        decode.row(sequences[static_cast<std::size_t>(i)], half + step, {}, rowSamples | rowFromDevice);
      if (logits) decode.plan.logits = 1;
      const PassOutcome outcome = run(*instance, decode.plan);
      if (outcome.graph == logits) ++failures;
      produced.push_back(outcome.tokens.back());
    }
    return produced;
  };
  const auto one = greedy(1, true);
  for (const int batch : {1, 2, 3, 7, 12}) {
    const auto other = greedy(batch, false);
    std::size_t same = 0;
    while (same < one.size() && same < other.size() && one[same] == other[same]) ++same;
    std::snprintf(text, sizeof text, "greedy by graph at batch %d: %zu of %zu tokens as eager at batch 1", batch, same, one.size());
    expect(same == one.size() || batch > 2, title + text);
  }
  // A mixed pass: a decode row beside a prefill chunk.
  {
    Builder begin(shape, blockTokens);
    begin.row(sequences[0], 0, slice(0, half), rowPrefill);
    run(*instance, begin.plan);
    Builder mixed(shape, blockTokens);
    mixed.row(sequences[0], half, slice(half, half + 1), rowSamples).row(sequences[1], 0, tokens, rowPrefill | rowSamples);
    mixed.plan.logits = 1;
    const PassOutcome outcome = run(*instance, mixed.plan);
    const double first = relativeError(outcome.logits, expected.data() + static_cast<std::size_t>(half) * vocab, vocab);
    const std::vector<float> second(outcome.logits.begin() + static_cast<long>(vocab), outcome.logits.end());
    const double next = relativeError(second, expected.data() + (static_cast<std::size_t>(length) - 1) * vocab, vocab);
    std::snprintf(text, sizeof text, "mixed pass: decode %.2e, prefill %.2e", first, next);
    expect(first < 2e-2 && next < 2e-2, title + text);
  }
  const ClockMap::Mapping clock = model->clock().mapping();
  std::snprintf(text, sizeof text, "clock error %.1f us", static_cast<double>(clock.errorNs) * 1e-3);
  expect(clock.errorNs < 20000, title + text);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void speed() {
  Shape s;
  s.layers = 32, s.hidden = 4096, s.heads = 32, s.kvHeads = 8, s.headDim = 128, s.ffn = 14336, s.vocab = 128256;
  s.maxPositions = 40960;
  s.ropeTheta = 500000;
  const auto model = openModel(s, 1);
  std::printf("8B shape: %.2f G parameters in %.1f s\n", static_cast<double>(model->weights().parameters()) * 1e-9, model->loadSeconds());
  const auto pool = must(KvPool::create(model, 6144, 16, false), "pool");
  const auto instance = must(Instance::create(model, pool, {128, 32768, 34000, 0, 1}), "instance");
  const double begin = static_cast<double>(monotonicNs());
  must(instance->warm(64, {512, 2048, 8192, 32768}), "warm");
  std::printf("warm %.1f s\n", (static_cast<double>(monotonicNs()) - begin) * 1e-9);
  for (const auto& m : model->linears().measured()) {
    const double flops = 2.0 * m.rows * m.shape.outputs * m.shape.inner;
    const double bytes = 2.0 * m.shape.outputs * m.shape.inner;
    if (m.rows == 1 || m.rows == 8 || m.rows == 64 || m.rows >= 512)
      std::printf("linear %6d x %6d, rows %5d: %8.1f us, %6.1f TFLOP/s, %5.2f TB/s, choice %zu of %u\n", m.shape.outputs,
                  m.shape.inner, m.rows, m.seconds * 1e6, flops / m.seconds * 1e-12, bytes / m.seconds * 1e-12, m.chosen,
                  m.candidates);
  }
  std::mt19937 random(5);
  const auto randomTokens = [&](int count) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
    for (auto& t : tokens) t = static_cast<std::int32_t>(random() % 128256u);
    return tokens;
  };
  for (const int length : {512, 2048, 8192, 32768}) {
    const auto sequence = sequencesOf(1, 2048, 6144, 1)[0];
    std::vector<double> ms;
    const int rounds = length <= 2048 ? 9 : length == 8192 ? 5 : 3;
    for (int i = -1; i < rounds; ++i) {
      Builder b(s, 16);
      b.row(sequence, 0, randomTokens(length), rowPrefill | rowSamples);
      const PassOutcome o = run(*instance, b.plan);
      if (i >= 0) ms.push_back(static_cast<double>(o.endNs - o.startNs) * 1e-6);
    }
    const double linearFlops = 2.0 * length * (6.98e9), attention = 2.0 * length * length * 4096.0 * 32;
    std::printf("prefill %5d: %8.2f ms, %.0f TFLOP/s\n", length, median(ms), (linearFlops + attention) / median(ms) * 1e-9);
  }
  for (const int batch : {1, 2, 4, 8, 16, 32, 64}) {
    const auto sequences = sequencesOf(batch, 68, 6144, 2);
    for (int i = 0; i < batch; ++i) {
      Builder b(s, 16);
      b.row(sequences[static_cast<std::size_t>(i)], 0, randomTokens(1024), rowPrefill | rowSamples);
      run(*instance, b.plan);
    }
    std::vector<double> ms, host, between;
    std::int64_t last = 0;
    for (int step = 0; step < 40; ++step) {
      Builder b(s, 16);
      for (int i = 0; i < batch; ++i)
        b.row(sequences[static_cast<std::size_t>(i)], 1024 + step, {}, rowSamples | rowFromDevice);
      const PassOutcome o = run(*instance, b.plan);
      if (step >= 8) {
        ms.push_back(static_cast<double>(o.endNs - o.startNs) * 1e-6);
        host.push_back(static_cast<double>(o.hostCpuNs) * 1e-3);
        between.push_back(static_cast<double>(o.startNs - last) * 1e-3);
      }
      last = o.endNs;
    }
    // Two passes queued ahead, as a scheduler that knows the next pass does.
    std::vector<std::promise<PassOutcome>> promises(33);
    std::vector<std::future<PassOutcome>> answers;
    for (auto& each : promises) answers.push_back(each.get_future());
    const auto submit = [&](int step) {
      Builder b(s, 16);
      for (int i = 0; i < batch; ++i)
        b.row(sequences[static_cast<std::size_t>(i)], 1064 - 32 + step - 1, {}, rowSamples | rowFromDevice);
      instance->submit(b.plan, [&promises, step](PassOutcome&& o) { promises[static_cast<std::size_t>(step)].set_value(std::move(o)); });
    };
    submit(0);
    submit(1);
    std::int64_t firstEnd = 0, lastEnd = 0;
    for (int step = 0; step < 33; ++step) {
      const PassOutcome o = answers[static_cast<std::size_t>(step)].get();
      if (step == 0) firstEnd = o.endNs;
      lastEnd = o.endNs;
      if (step + 2 < 33) submit(step + 2);
    }
    std::printf("decode batch %3d: %7.3f ms a pass in a row of 32, two queued\n", batch, static_cast<double>(lastEnd - firstEnd) / 32e6);
    std::printf("decode batch %3d context 1024: %7.3f ms, host CPU %5.1f us per pass, %5.1f us between passes one at a time\n",
                batch, median(ms), median(host), median(between));
  }
  const ClockMap::Mapping clock = model->clock().mapping();
  std::printf("clock error %.1f us\n", static_cast<double>(clock.errorNs) * 1e-3);
}

// One pass of the 8B shape without a graph, for ncu: the kernels of layer 1 and the head stand for all.
void profile(const std::string& which) {
  Shape s;
  s.layers = 4, s.hidden = 4096, s.heads = 32, s.kvHeads = 8, s.headDim = 128, s.ffn = 14336, s.vocab = 128256;
  s.maxPositions = 40960;
  s.ropeTheta = 500000;
  const auto model = openModel(s, 1);
  const auto pool = must(KvPool::create(model, 6144, 16, false), "pool");
  const auto instance = must(Instance::create(model, pool, {128, 8192, 34000, 0, 1}), "instance");
  const int batch = which == "profile64" ? 64 : 1, length = which == "profile8192" ? 8192 : 1024;
  must(instance->warm(0, {which == "profile8192" ? 8192 : batch}), "warm");
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(length));
  std::mt19937 random(5);
  for (auto& t : tokens) t = static_cast<std::int32_t>(random() % 128256u);
  const auto sequences = sequencesOf(batch, length / 16 + 2, 6144, 2);
  for (int i = 0; i < batch; ++i) {
    Builder b(s, 16);
    b.row(sequences[static_cast<std::size_t>(i)], 0, tokens, rowPrefill | rowSamples);
    run(*instance, b.plan);
  }
  if (which == "profile8192") return;
  for (int step = 0; step < 3; ++step) {
    Builder b(s, 16);
    for (int i = 0; i < batch; ++i) b.row(sequences[static_cast<std::size_t>(i)], length + step, {}, rowSamples | rowFromDevice);
    b.plan.logits = 1;
    run(*instance, b.plan);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::printf("usage: transformer_check KERNELS CUBLASLT correct|small|speed …\n");
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  kernelFolder = arguments[1];
  cublasLt = arguments[2];
  library = must(cuda::Library::open(""), "driver");
  for (int i = 3; i < count; ++i) {
    const std::string step = arguments[i];
    if (step == "correct") {
      for (const char* name : {"plain", "llama3", "qwen3", "bias", "mha"}) checkTiny(name, 150);
      checkTiny("qwen3", 333);
    }
    if (step == "profile8192" || step == "profile1" || step == "profile64") profile(step);
    if (step == "small") checkTiny("qwen3", 90);
    if (step == "speed") speed();
  }
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
