// The transformer's runtime on the fake driver, whose kernels compute: logits against float64, passes from two threads, an
// end with passes still queued.
#include "transformer/copier.h"
#include "transformer/instance.h"
#include "transformer/reference.h"

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "tests/check.h"
#include "tests/fake_driver.h"

using namespace dyno;
using namespace dyno::transformer;

namespace {

Shape tiny() {
  Shape s;
  s.layers = 2, s.hidden = 32, s.heads = 4, s.kvHeads = 2, s.headDim = 64, s.ffn = 48, s.vocab = 40, s.maxPositions = 128;
  s.qkNorm = true;
  return s;
}

struct Opened {
  test::FakeDriver driver{"fake_cuda"};
  std::shared_ptr<cuda::Library> library;
  std::shared_ptr<Model> model;
  std::shared_ptr<KvPool> pool;
  std::shared_ptr<Instance> instance;
  Opened() {
    const std::string kernels = driver.home() + "/kernels";
    std::filesystem::create_directories(kernels + "/transformer");
    for (const char* name : {"layers", "greedy", "weights", "gemv", "attention_decode", "attention_prefill", "attention_hopper",
                             "sample", "moe_route", "moe_decode", "moe_grouped", "fp8"})
      std::ofstream(kernels + "/transformer/" + name + ".fatbin") << "fake";
    auto opened = cuda::Library::open(driver.path());
    CHECK(opened.ok());
    library = opened.value();
    OpenOptions options;
    options.cublasLtPath = test::folder + "/libfake_cublaslt.so";
    options.kernelFolder = kernels;
    options.shape = tiny();
    options.weights.seed = 5;
    auto made = Model::open(library, options);
    CHECK(made.ok());
    if (!made.ok()) return;
    model = made.value();
    pool = KvPool::create(model, 24, 16, false).value();
    instance = Instance::create(model, pool, {4, 64, 128, 0, 1}).value();
  }
};

PassPlan one(int slot, int start, std::vector<std::int32_t> tokens, std::vector<std::int32_t> blocks, unsigned flags) {
  PassPlan plan;
  plan.toLayer = tiny().layers;
  plan.slots = {slot};
  plan.starts = {start};
  plan.counts = {(flags & rowFromDevice) != 0 ? 1 : static_cast<int>(tokens.size())};
  plan.flags = {static_cast<std::uint8_t>(flags)};
  plan.tokens = std::move(tokens);
  plan.blockOffsets = {0, static_cast<int>(blocks.size())};
  plan.blocks = std::move(blocks);
  return plan;
}

PassOutcome run(Instance& instance, PassPlan plan) {
  std::promise<PassOutcome> promise;
  instance.submit(std::move(plan), [&](PassOutcome&& outcome) { promise.set_value(std::move(outcome)); });
  return promise.get_future().get();
}

}  // namespace

TEST("the transformer's logits are the float64 reference's, in prefill and in decode") {
  Opened opened;
  if (!opened.instance) return;
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < 37; ++i) tokens.push_back((i * 11 + 3) % 40);
  const std::vector<double> expected = referenceLogits(tiny(), 5, tokens);
  PassPlan prefill = one(0, 0, {tokens.begin(), tokens.begin() + 36}, {4, 9, 2}, rowPrefill | rowSamples);
  prefill.logits = 1;
  prefill.sampleAll = true;
  PassOutcome all = run(*opened.instance, std::move(prefill));
  CHECK(!all.error);
  PassPlan decode = one(0, 36, {tokens[36]}, {4, 9, 2}, rowSamples);
  decode.logits = 1;
  const PassOutcome last = run(*opened.instance, std::move(decode));
  CHECK(!last.error);
  all.logits.insert(all.logits.end(), last.logits.begin(), last.logits.end());
  CHECK(all.logits.size() == expected.size());
  double apart = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double e = static_cast<double>(all.logits[i]) - expected[i];
    apart += e * e;
    norm += expected[i] * expected[i];
  }
  CHECK(std::sqrt(apart / norm) < 2e-2);
}

TEST("passes of two threads are each answered once, in order, and the end waits for what was queued") {
  Opened opened;
  if (!opened.instance) return;
  std::atomic<int> answered{0}, wrong{0};
  const auto feed = [&](int slot, std::int32_t block) {
    auto last = std::make_shared<std::atomic<int>>(-1);
    opened.instance->submit(one(slot, 0, {1, 2, 3}, {block, block + 1}, rowPrefill | rowSamples), [&](PassOutcome&& o) {
      if (o.error || o.tokens.size() != 1) wrong.fetch_add(1);
      answered.fetch_add(1);
    });
    for (int step = 0; step < 20; ++step) {
      opened.instance->submit(one(slot, 3 + step, {}, {block, block + 1}, rowSamples | rowFromDevice),
                              [&, last, step](PassOutcome&& o) {
                                if (o.error || !o.graph || last->exchange(step) != step - 1) wrong.fetch_add(1);
                                answered.fetch_add(1);
                              });
    }
  };
  std::thread other([&] { feed(1, 10); });
  feed(0, 0);
  other.join();
  opened.instance->close();
  CHECK(answered.load() == 42 && wrong.load() == 0);
  const PassOutcome late = run(*opened.instance, one(0, 0, {1}, {0}, rowPrefill));
  CHECK(late.error && late.error->name == "CLOSED");
}

TEST("blocks go to the host and back while passes run") {
  Opened opened;
  if (!opened.instance) return;
  auto copier = Copier::create(opened.model);
  auto host = KvPool::create(opened.model, 8, 16, true);
  CHECK(copier.ok() && host.ok());
  if (!copier.ok() || !host.ok()) return;
  const std::vector<std::int32_t> prompt{7, 8, 9, 10};
  const PassOutcome before = run(*opened.instance, one(0, 0, prompt, {3}, rowPrefill | rowSamples));
  const PassOutcome next = run(*opened.instance, one(0, 4, {before.tokens[0]}, {3}, rowSamples));
  for (int step = 0; step < 10; ++step)
    opened.instance->submit(one(1, step, {5}, {20}, rowPrefill | rowSamples), [](PassOutcome&&) {});
  const auto copy = [&](const std::shared_ptr<KvPool>& from, const std::shared_ptr<KvPool>& to, std::vector<std::int32_t> pairs) {
    std::promise<CopyOutcome> promise;
    copier.value()->submit(from, to, std::move(pairs), 0, 2, false, [&](CopyOutcome&& o) { promise.set_value(std::move(o)); });
    return promise.get_future().get();
  };
  CHECK(!copy(opened.pool, host.value(), {3, 6}).error);
  CHECK(!copy(host.value(), opened.pool, {6, 15}).error);
  CHECK(copy(opened.pool, host.value(), {3, 8}).error.has_value());
  const PassOutcome after = run(*opened.instance, one(2, 4, {before.tokens[0]}, {15}, rowSamples));
  CHECK(after.tokens == next.tokens);
}
