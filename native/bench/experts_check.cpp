// Mixtures of experts and sampling through the whole runtime on a real GPU, without Node:
// `experts_check KERNELS CUBLASLT STEP…`
//   correct            tiny models of both families against float64; sampling's rules
//   speed              the Qwen3-30B-A3B shape with random weights
//   dump LIST OUT      the model and tokens that LIST names (bench/experts_reference.py): its logits to OUT as FP32
// Exit status 1 when a check fails.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <future>
#include <random>
#include <set>

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

constexpr int blockTokens = 16;
using Tokens = std::vector<std::int32_t>;

// Rows of a pass; sequence i holds blocks i·each … of the pool.
struct Builder {
  PassPlan plan;
  int each;
  Builder(const Shape& shape, int blocksEach) : each(blocksEach) {
    plan.toLayer = shape.layers;
    plan.blockOffsets = {0};
  }
  Builder& row(int slot, int start, const Tokens& tokens, unsigned flags) {
    plan.slots.push_back(slot);
    plan.starts.push_back(start);
    const bool device = (flags & rowFromDevice) != 0;
    plan.counts.push_back(device ? 1 : static_cast<int>(tokens.size()));
    plan.flags.push_back(static_cast<std::uint8_t>(flags));
    if (!device) plan.tokens.insert(plan.tokens.end(), tokens.begin(), tokens.end());
    const int needed = (start + plan.counts.back() + blockTokens - 1) / blockTokens;
    for (int b = 0; b < needed; ++b) plan.blocks.push_back(slot * each + b);
    plan.blockOffsets.push_back(static_cast<int>(plan.blocks.size()));
    return *this;
  }
};

std::shared_ptr<Model> openModel(const Shape& shape, const Weights::Source& source) {
  OpenOptions options;
  options.cublasLtPath = cublasLt;
  options.kernelFolder = kernelFolder;
  options.shape = shape;
  options.weights = source;
  return must(Model::open(library, options), "open");
}
Weights::Source randomWeights(int seed) {
  Weights::Source source;
  source.seed = seed;
  return source;
}

Tokens randomTokens(int count, int vocab, unsigned seed) {
  std::mt19937 random(seed);
  Tokens tokens(static_cast<std::size_t>(count));
  for (auto& token : tokens) token = static_cast<std::int32_t>(random() % static_cast<unsigned>(vocab));
  return tokens;
}
Tokens slice(const Tokens& tokens, int from, int to) { return Tokens(tokens.begin() + from, tokens.begin() + to); }

Shape tiny(const std::string& name) {
  Shape s;
  s.layers = 2, s.hidden = 256, s.heads = 8, s.kvHeads = 2, s.headDim = 64, s.vocab = 1000, s.maxPositions = 1024;
  s.normTopK = true;
  if (name == "mixtral") s.family = Family::mixtral, s.experts = 8, s.topK = 2, s.expertFfn = 448;
  if (name == "qwen3-moe") s.family = Family::qwen3Moe, s.qkNorm = true, s.experts = 48, s.topK = 6, s.expertFfn = 160, s.normEps = 1e-6f;
  if (name == "shared") s.family = Family::qwen3Moe, s.experts = 16, s.topK = 4, s.expertFfn = 96, s.sharedFfn = 256, s.normTopK = false;
  return s;
}

// Error of each position's logits; a position whose experts differ from float64's (near ties) stands apart from the rest.
struct Positions {
  double median = 0, apart = 0;  // share of positions above 3 %
};
Positions positionsOf(const std::vector<float>& got, const std::vector<double>& want, std::size_t vocab) {
  std::vector<double> errors;
  for (std::size_t at = 0; at < want.size(); at += vocab) {
    double difference = 0, norm = 0;
    for (std::size_t i = at; i < at + vocab; ++i) {
      difference += (static_cast<double>(got[i]) - want[i]) * (static_cast<double>(got[i]) - want[i]);
      norm += want[i] * want[i];
    }
    const double error = std::sqrt(difference / norm);
    errors.push_back(error >= 0 ? error : INFINITY);
  }
  Positions result;
  for (const double e : errors) result.apart += e > 0.03 ? 1.0 / static_cast<double>(errors.size()) : 0;
  std::sort(errors.begin(), errors.end());
  result.median = errors[errors.size() / 2];
  return result;
}

void checkFamily(const std::string& name, int length) {
  const Shape shape = tiny(name);
  const auto model = openModel(shape, randomWeights(7));
  const auto pool = must(KvPool::create(model, 24 * 24, blockTokens, false), "pool");
  const auto instance = must(Instance::create(model, pool, {24, 640, 384, 0, 1}), "instance");
  const Tokens tokens = randomTokens(length, shape.vocab, 11);
  const auto vocab = static_cast<std::size_t>(shape.vocab);
  const std::vector<double> want = referenceLogits(shape, 7, tokens);
  const std::string title = name + ", " + std::to_string(length) + " tokens: ";
  char text[200];
  const auto report = [&](const char* what, const Positions& p) {
    std::snprintf(text, sizeof text, "%s: median position %.2e (at most 2e-2), %.1f %% of positions above 3e-2 (at most 20 %%)",
                  what, p.median, 100 * p.apart);
    expect(p.median < 2e-2 && p.apart < 0.2, title + text);
  };
  Builder whole(shape, 24);
  whole.row(0, 0, tokens, rowPrefill | rowSamples);
  whole.plan.logits = 1, whole.plan.sampleAll = true;
  const PassOutcome all = run(*instance, whole.plan);
  report("prefill against float64", positionsOf(all.logits, want, vocab));
  long long routed = 0;
  for (const int count : all.expertTokens) routed += count;
  expect(routed == static_cast<long long>(length) * shape.topK * shape.layers &&
             all.expertTokens.size() == static_cast<std::size_t>(shape.layers * shape.experts),
         title + "expert loads add up to tokens × top-k × layers");
  // Decode of given tokens at several batch sizes.
  const int half = length / 2;
  for (const int batch : {1, 3, 20}) {
    Builder begin(shape, 24);
    for (int i = 0; i < batch; ++i) begin.row(i, 0, slice(tokens, 0, half - i), rowPrefill);
    if (begin.plan.tokens.size() > 640) {
      for (int i = 0; i < batch; ++i) {
        Builder one(shape, 24);
        one.row(i, 0, slice(tokens, 0, half - i), rowPrefill);
        run(*instance, one.plan);
      }
    } else {
      run(*instance, begin.plan);
    }
    std::vector<float> got;
    std::vector<double> expected;
    for (int step = 0; step < 10; ++step) {
      Builder decode(shape, 24);
      for (int i = 0; i < batch; ++i) decode.row(i, half - i + step, slice(tokens, half - i + step, half - i + step + 1), rowSamples);
      decode.plan.logits = 1;
      const PassOutcome outcome = run(*instance, decode.plan);
      got.insert(got.end(), outcome.logits.begin(), outcome.logits.end());
      for (int i = 0; i < batch; ++i) {
        const auto at = static_cast<long>(static_cast<std::size_t>(half - i + step) * vocab);
        expected.insert(expected.end(), want.begin() + at, want.begin() + at + static_cast<long>(vocab));
      }
    }
    report(("decode at batch " + std::to_string(batch)).c_str(), positionsOf(got, expected, vocab));
  }
  // By graph the same greedy tokens as eagerly, and loads of live tokens only.
  const auto greedy = [&](bool logits) {
    Builder begin(shape, 24);
    for (int i = 0; i < 3; ++i) begin.row(i, 0, slice(tokens, 0, half), rowPrefill | rowSamples);
    Tokens produced = run(*instance, begin.plan).tokens;
    for (int step = 0; step < 8; ++step) {
      Builder decode(shape, 24);
      for (int i = 0; i < 3; ++i) decode.row(i, half + step, {}, rowSamples | rowFromDevice);
      decode.plan.logits = logits ? 1 : 0;
      const PassOutcome outcome = run(*instance, decode.plan);
      long long live = 0;
      for (const int count : outcome.expertTokens) live += count;
      if (outcome.graph == logits || live != 3LL * shape.topK * shape.layers) ++failures, std::printf("FAILED graph or loads\n");
      produced.insert(produced.end(), outcome.tokens.begin(), outcome.tokens.end());
    }
    return produced;
  };
  expect(greedy(true) == greedy(false), title + "greedy by graph as eagerly");
}

void checkSampling() {
  const Shape shape = tiny("mixtral");
  const auto model = openModel(shape, randomWeights(3));
  const auto pool = must(KvPool::create(model, 24 * 24, blockTokens, false), "pool");
  const auto instance = must(Instance::create(model, pool, {24, 640, 384, 0, 1}), "instance");
  const Tokens prompt = randomTokens(20, shape.vocab, 5);
  constexpr int rows = 6;
  const std::size_t words = maskWords(shape.vocab);
  const auto produce = [&](float temperature, float topP, unsigned seed, bool masked, int batch) {
    Builder begin(shape, 24);
    for (int i = 0; i < batch; ++i) begin.row(i, 0, prompt, rowPrefill | rowSamples);
    std::vector<Tokens> produced(static_cast<std::size_t>(batch));
    const auto sample = [&](PassPlan plan, unsigned step) {
      for (int i = 0; i < batch; ++i) {
        plan.temperature.push_back(temperature), plan.topP.push_back(topP);
        plan.draws.push_back(seed + static_cast<unsigned>(i)), plan.draws.push_back(step);
        if (masked) plan.mask.push_back(i % 2 == 0 ? 0 : -1);
      }
      if (masked) {
        plan.masks.assign(words, 0);
        plan.masks[3] = 0xF0F0F0F0u;  // of tokens 96 to 127
      }
      const PassOutcome outcome = run(*instance, plan);
      for (int i = 0; i < batch; ++i) produced[static_cast<std::size_t>(i)].push_back(outcome.tokens[static_cast<std::size_t>(i)]);
    };
    sample(begin.plan, 0);
    for (unsigned step = 1; step < 12; ++step) {
      Builder decode(shape, 24);
      for (int i = 0; i < batch; ++i) decode.row(i, 19 + static_cast<int>(step), {}, rowSamples | rowFromDevice);
      sample(decode.plan, step);
    }
    return produced;
  };
  const auto first = produce(1, 0.95f, 100, false, rows);
  expect(first == produce(1, 0.95f, 100, false, rows), "sampling: the same seeds draw the same tokens");
  expect(first != produce(1, 0.95f, 200, false, rows), "sampling: other seeds draw others");
  expect(first[0] != first[1], "sampling: rows of one prompt differ by their seeds");
  const auto cold = produce(0, 1, 0, false, rows);
  Tokens greedy;
  {
    Builder begin(shape, 24);
    for (int i = 0; i < rows; ++i) begin.row(i, 0, prompt, rowPrefill | rowSamples);
    greedy.push_back(run(*instance, begin.plan).tokens[0]);
    for (int step = 1; step < 12; ++step) {
      Builder decode(shape, 24);
      for (int i = 0; i < rows; ++i) decode.row(i, 19 + step, {}, rowSamples | rowFromDevice);
      greedy.push_back(run(*instance, decode.plan).tokens[0]);
    }
  }
  expect(cold[0] == greedy, "sampling: temperature 0 is greedy");
  const auto masked = produce(2, 1, 7, true, rows);
  bool inside = true;
  for (std::size_t i = 0; i < masked.size(); i += 2)
    for (const int token : masked[i]) inside = inside && token >= 96 && token < 128 && (token % 8) >= 4;
  expect(inside, "sampling: masked rows draw allowed tokens only");
  const std::set<int> seen(masked[1].begin(), masked[1].end());
  expect(std::any_of(seen.begin(), seen.end(), [](int token) { return token < 96 || token >= 128; }), "sampling: the others draw from all");
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void speed() {
  Shape s;
  s.family = Family::qwen3Moe, s.layers = 48, s.hidden = 2048, s.heads = 32, s.kvHeads = 4, s.headDim = 128, s.vocab = 151936;
  s.maxPositions = 40960, s.ropeTheta = 1e6, s.qkNorm = true, s.normEps = 1e-6f;
  s.experts = 128, s.topK = 8, s.expertFfn = 768, s.normTopK = true;
  const auto model = openModel(s, randomWeights(1));
  std::printf("Qwen3-30B-A3B shape: %.2f G parameters in %.1f s\n", static_cast<double>(model->weights().parameters()) * 1e-9, model->loadSeconds());
  const auto pool = must(KvPool::create(model, 64 * 68 + 600, blockTokens, false), "pool");
  const auto instance = must(Instance::create(model, pool, {64, 8192, 9000, 0, 1}), "instance");
  must(instance->warm(64, {512, 2048, 8192}), "warm");
  const double goalPrefill[] = {25, 40, 140};
  int which = 0;
  for (const int length : {512, 2048, 8192}) {
    std::vector<double> ms;
    for (int i = -1; i < 5; ++i) {
      Builder b(s, 563);
      b.row(0, 0, randomTokens(length, s.vocab, static_cast<unsigned>(i + 2)), rowPrefill | rowSamples);
      const PassOutcome o = run(*instance, b.plan);
      if (i >= 0) ms.push_back(static_cast<double>(o.endNs - o.startNs) * 1e-6);
    }
    std::printf("MoE prefill %5d: %8.2f ms (goal %.0f)\n", length, median(ms), goalPrefill[which++]);
  }
  for (const int batch : {1, 4, 16, 64}) {
    for (int i = 0; i < batch; ++i) {
      Builder b(s, 68);
      b.row(i, 0, randomTokens(1024, s.vocab, static_cast<unsigned>(100 + i)), rowPrefill | rowSamples);
      run(*instance, b.plan);
    }
    std::vector<double> ms, host, active;
    for (int step = 0; step < 30; ++step) {
      Builder b(s, 68);
      for (int i = 0; i < batch; ++i) b.row(i, 1024 + step, {}, rowSamples | rowFromDevice);
      const PassOutcome o = run(*instance, b.plan);
      if (step < 6) continue;
      ms.push_back(static_cast<double>(o.endNs - o.startNs) * 1e-6);
      host.push_back(static_cast<double>(o.hostCpuNs) * 1e-3);
      active.push_back(static_cast<double>(std::count_if(o.expertTokens.begin(), o.expertTokens.end(), [](int n) { return n > 0; })));
    }
    const double bytes = median(active) * 3 * 768 * 2048 * 2 + 48.0 * (5120 + 4096) * 2048 * 2 + 151936.0 * 2048 * 2 +
                         batch * 1024.0 * static_cast<double>(s.kvBytesPerToken());
    std::printf("MoE decode batch %3d context 1024: %7.3f ms, %.1f experts a layer, %.2f TB/s of what must move, host CPU %.1f us%s\n",
                batch, median(ms), median(active) / 48, bytes / median(ms) * 1e-9, median(host),
                batch == 1 ? " (goal 2.2 ms)" : batch == 64 ? " (goal 19 ms)" : "");
  }
}

// LIST: 26 numbers of the shape, then `tokens n t…`, then `file PATH` and `tensor NAME FILE OFFSET BYTES ELEMENTS DTYPE` lines.
void dump(const std::string& list, const std::string& out) {
  std::ifstream in(list);
  double numbers[shapeNumberCount];
  for (double& n : numbers) in >> n;
  const Shape shape = shapeFrom(numbers);
  Weights::Source source;
  Tokens tokens;
  std::string word;
  while (in >> word) {
    if (word == "tokens") {
      std::size_t count = 0;
      in >> count;
      tokens.resize(count);
      for (auto& t : tokens) in >> t;
    } else if (word == "file") {
      in >> word;
      source.files.push_back(word);
    } else {
      TensorSource t;
      int dtype = 0;
      in >> t.name >> t.file >> t.offset >> t.bytes >> t.elements >> dtype;
      t.dtype = static_cast<Dtype>(dtype);
      source.tensors.push_back(t);
    }
  }
  const auto model = openModel(shape, source);
  const auto pool = must(KvPool::create(model, 64, blockTokens, false), "pool");
  const auto instance = must(Instance::create(model, pool, {4, 512, 512, 0, 1}), "instance");
  Builder b(shape, 64);
  b.row(0, 0, tokens, rowPrefill | rowSamples);
  b.plan.logits = 1, b.plan.sampleAll = true;
  const PassOutcome all = run(*instance, b.plan);
  std::ofstream(out, std::ios::binary).write(reinterpret_cast<const char*>(all.logits.data()), static_cast<long>(all.logits.size() * 4));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::printf("usage: experts_check KERNELS CUBLASLT correct|speed|dump LIST OUT …\n");
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  kernelFolder = arguments[1];
  cublasLt = arguments[2];
  library = must(cuda::Library::open(""), "driver");
  for (int i = 3; i < count; ++i) {
    const std::string step = arguments[i];
    if (step == "correct") {
      for (const char* name : {"mixtral", "qwen3-moe", "shared"}) checkFamily(name, 150);
      checkSampling();
    }
    if (step == "speed") speed();
    if (step == "dump" && i + 2 < count) dump(arguments[i + 1], arguments[i + 2]), i += 2;
  }
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
