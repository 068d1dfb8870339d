#include "transformer/instance.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/nvtx.h"

namespace dyno::transformer {
namespace {

std::int64_t threadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}
unsigned dividedUp(std::size_t a, std::size_t b) { return static_cast<unsigned>((a + b - 1) / b); }

class Range {
 public:
  explicit Range(const std::string& name) { cuda::pushRange(name.c_str()); }
  ~Range() { cuda::popRange(); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

constexpr int epiloguePlain = 0, epilogueResidual = 1, epilogueSwiglu = 2, epilogueLogits = 3;
constexpr int mostLogitRows = 256;
// Queries, two stages of keys and values, and room to align them.
constexpr unsigned hopperPrefillBytes = (128 + 4 * 128) * 256 + 1024;
unsigned greedySplits(int rows) { return rows <= 8 ? 16 : rows <= 64 ? 4 : 2; }

}  // namespace

int Instance::bucketOf(int rows) {
  const auto up = [rows](int step) { return (rows + step - 1) / step * step; };
  if (rows <= 2) return rows;
  if (rows <= 4) return 4;
  if (rows <= 32) return up(8);
  if (rows <= 128) return up(16);
  if (rows <= 256) return up(32);
  return up(64);
}

Result<std::shared_ptr<Instance>> Instance::create(const std::shared_ptr<Model>& model,
                                                   const std::shared_ptr<KvPool>& pool,
                                                   const InstanceOptions& options) {
  const Shape& shape = model->shape();
  if (options.maxSequences < 1 || options.maxTokens < 1 || options.maxContext < 1)
    return DriverError{"", 0, "INSTANCE", "An instance needs at least one sequence, one token and one position.", ""};
  if (options.smShare != 1)
    return DriverError{"", 0, "UNSUPPORTED",
                       "An instance of a share of the multiprocessors (smShare " + std::to_string(options.smShare) +
                           ") is not supported yet.",
                       "Leave smShare out and order the instances by priority."};
  if (pool->onHost())
    return DriverError{"", 0, "INSTANCE", "An instance's KV pool must be on the device.", "Give it a pool of place 'device'."};
  if (pool->model()->context()->device() != model->context()->device())
    return DriverError{"", 0, "INSTANCE", "The KV pool lies on another device.", ""};
  std::shared_ptr<Instance> self(new Instance());
  self->model_ = model;
  self->pool_ = pool;
  self->options_ = options;
  self->options_.maxTokens = std::max(options.maxTokens, options.maxSequences);
  self->limits_ = {options.maxSequences, self->options_.maxTokens, std::min(options.maxContext, shape.maxPositions),
                   pool->blocks(), pool->blockTokens()};
  self->multiprocessors_ = model->multiprocessors();
  self->splitTarget_ = self->multiprocessors_ * 4;
  const int sequences = bucketOf(options.maxSequences);
  self->paddedTokens_ = std::max(paddedRows(self->options_.maxTokens), sequences);
  self->logitRows_ = std::min(paddedRows(options.maxSequences), mostLogitRows);

  const auto wide = [](auto n) { return static_cast<std::size_t>(n); };
  const std::size_t tokens = wide(self->paddedTokens_), hidden = wide(shape.hidden);
  const std::size_t contextBlocks = wide(dividedUp(wide(self->limits_.maxContext), wide(pool->blockTokens())));
  const std::size_t maxItems = wide(sequences) + wide(self->splitTarget_) + 1;
  // Tiles: each row of a pass adds at most one that is not full.
  const std::size_t tiles = wide(dividedUp(tokens * wide(shape.queriesPerKv()), tileRows)) + wide(options.maxSequences);
  self->inputIntegers_ = tokens * 3 + wide(sequences) * 8 + maxItems * 4 + tiles * 2 + tokens * 2 + wide(sequences) * 2 +
                         wide(options.maxSequences) * contextBlocks + 64;
  self->outputBytes_ = 16 + tokens * 8 + wide(shape.layers) * wide(shape.experts) * 4;

  std::size_t total = 0;
  std::vector<std::pair<cuda::DevicePointer*, std::size_t>> parts;
  const auto want = [&](cuda::DevicePointer& address, std::size_t bytes) {
    parts.emplace_back(&address, total);
    total += (bytes + 255) / 256 * 256;
  };
  Addresses& at = self->at_;
  const std::size_t ffn = wide(std::max(shape.ffn, shape.sharedFfn));
  want(at.input, self->inputIntegers_ * 4);
  want(at.output, self->outputBytes_);
  want(at.x, tokens * hidden * 2);
  want(at.normed, tokens * hidden * 2);
  want(at.qkv, tokens * wide(shape.qkvWidth()) * 2);
  want(at.attention, tokens * wide(shape.attentionWidth()) * 2);
  want(at.gateUp, tokens * ffn * 4);
  want(at.activation, tokens * ffn * 2);
  want(at.logits, wide(self->logitRows_) * wide(shape.vocab) * 4);
  want(at.sampled, wide(self->logitRows_) * hidden * 2);
  want(at.parts, maxItems * wide(shape.heads) * wide(shape.headDim + 2) * 4);
  want(at.arrived, wide(sequences) * wide(shape.kvHeads) * 4);
  want(at.lastTokens, wide(options.maxSequences + 1) * 4);
  want(at.hidden, wide(options.maxSequences + 1) * hidden * 2);
  want(at.workspace, linearWorkspaceBytes);
  want(at.greedyParts, wide(self->logitRows_) * 16 * 16);
  want(at.greedyArrived, wide(self->logitRows_) * 4);
  const std::size_t mostSamples = std::max(wide(self->logitRows_), tokens);
  const std::size_t samplingBytes = mostSamples * sizeof(RowSampling), maskBytes = wide(options.maxSequences) * maskWords(shape.vocab) * 4;
  want(at.sampling, samplingBytes);
  want(at.masks, maskBytes);
  if (shape.experts > 0) wantExperts(self->experts_, shape, tokens, want);
  auto memory = allocateDevice(model->context(), total, "an instance of " + std::to_string(options.maxSequences) +
                                                            " sequences and " + std::to_string(self->options_.maxTokens) +
                                                            " tokens");
  if (!memory.ok()) return memory.error();
  self->memory_ = memory.value();
  self->bytes_ = total;
  for (const auto& [address, offset] : parts) *address = self->memory_->pointer() + offset;

  auto stream = cuda::Stream::create(model->context(), options.priority);
  if (!stream.ok()) return stream.error();
  self->stream_ = stream.value();
  // Zeros: padding rows compute on what lies here, and must stay numbers; the arrival counters start at 0.
  DYNO_CUDA_TRY(model->context()->library(), fillAsync, self->memory_->pointer(), 0, total, self->stream_->handle());
  DYNO_TRY(self->stream_->synchronize());
  for (Staging& staging : self->ring_) {
    auto input = cuda::PinnedMemory::allocate(model->context(), self->inputIntegers_ * 4);
    if (!input.ok()) return input.error();
    staging.input = input.value();
    auto output = cuda::PinnedMemory::allocate(model->context(), self->outputBytes_);
    if (!output.ok()) return output.error();
    staging.output = output.value();
    auto sampling = cuda::PinnedMemory::allocate(model->context(), samplingBytes + maskBytes);
    if (!sampling.ok()) return sampling.error();
    staging.sampling = sampling.value();
    auto finished = cuda::Event::create(model->context(), false, true);
    if (!finished.ok()) return finished.error();
    staging.finished = finished.value();
  }
  if (shape.experts > 0) DYNO_TRY(describeExperts(self->experts_, *model, self->paddedTokens_));
  self->submitter_ = std::thread([raw = self.get()] { raw->submitLoop(); });
  self->finisher_ = std::thread([raw = self.get()] { raw->finishLoop(); });
  return self;
}

Instance::~Instance() { close(); }

void Instance::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (submitter_.joinable()) submitter_.join();
  if (finisher_.joinable()) finisher_.join();
}

std::vector<int> Instance::graphBuckets() const {
  std::vector<int> buckets;
  for (int rows = 1; rows <= bucketOf(options_.maxSequences); rows = bucketOf(rows + 1)) buckets.push_back(rows);
  return buckets;
}

void Instance::submit(PassPlan plan, Done done) {
  auto job = std::make_unique<Job>();
  job->plan = std::move(plan);
  job->done = std::move(done);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closing_) {
      waiting_.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  job->outcome.error = DriverError{"", 0, "CLOSED", "This instance is closed.", ""};
  job->done(std::move(job->outcome));
}

void Instance::submitLoop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return (!waiting_.empty() && busy_ < ringSize - 1 && !paused_) || (closing_ && waiting_.empty()); });
    if (waiting_.empty()) break;
    std::unique_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    job->ring = passNumber_++ % ringSize;
    ++busy_;
    std::optional<DriverError> lost = lost_;
    lock.unlock();
    const std::int64_t begin = threadCpuNs();
    Status queued = lost ? Status(*lost) : queue(*job);
    if (!queued.ok()) job->outcome.error = queued.error();
    job->outcome.hostCpuNs += threadCpuNs() - begin;
    lock.lock();
    running_.push_back(std::move(job));
    changed_.notify_all();
  }
  changed_.notify_all();
}

void Instance::finishLoop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !running_.empty() || (closing_ && waiting_.empty() && busy_ == 0); });
    if (running_.empty()) break;
    std::unique_ptr<Job> job = std::move(running_.front());
    running_.pop_front();
    lock.unlock();
    finish(*job);
    lock.lock();
    // A fault of the device stays: each later pass is answered with it.
    if (job->outcome.error && job->outcome.error->code != 0 && !lost_) lost_ = job->outcome.error;
    --busy_;
    changed_.notify_all();
    lock.unlock();
    job->done(std::move(job->outcome));
    job.reset();
    lock.lock();
  }
}

Status Instance::runLinear(const LinearShape& shape, int rows, cuda::DevicePointer y, cuda::DevicePointer x,
                           cuda::DevicePointer w, int* launches) {
  ++*launches;
  return model_->linears().run(shape, rows, y, x, w, at_.workspace, stream_->handle());
}

Result<bool> Instance::runGemv(int epilogue, int rows, cuda::DevicePointer y, cuda::DevicePointer x,
                               cuda::DevicePointer w, cuda::DevicePointer norm, int outputs, int inner, int* launches) {
  if (rows > 4 || inner % 8 != 0) return false;
  const int batch = rows == 1 ? 0 : rows == 2 ? 1 : 2;
  int chunk = 0;
  while (chunk < 6 && gemvChunks[chunk] * gemvChunkElements < inner) ++chunk;
  if (chunk == 6 || model_->kernels().gemv[batch][chunk] == nullptr) return false;
  const int results = epilogue == epilogueSwiglu ? outputs / 2 : outputs;
  const unsigned blocks = std::min(static_cast<unsigned>(multiprocessors_) * model_->kernels().gemvBlocks[batch][chunk],
                                   static_cast<unsigned>(results));
  const unsigned each = dividedUp(static_cast<std::size_t>(results), blocks) * (epilogue == epilogueSwiglu ? 2 : 1);
  const unsigned shared = (1u << batch) * 8 * ((each + 3) / 4 * 4) * 4;
  if (shared > 64u << 10) return false;
  DYNO_TRY(start(model_->kernels().gemv[batch][chunk], Grid{blocks}, 256, shared, launches, y, w, x, norm, outputs,
                 inner, epilogue, model_->shape().normEps));
  return true;
}

#define DYNO_GEMV_OR(call, ...)                     \
  if (auto done = call; !done.ok()) {               \
    return done.error();                            \
  } else if (!done.value()) {                       \
    __VA_ARGS__                                     \
  }

Status Instance::runLayers(const PassLayout& layout, int from, int to, int* launches) {
  const Shape& shape = model_->shape();
  const Kernels& k = model_->kernels();
  const int tokens = layout.tokens;
  const auto grid = static_cast<unsigned>(tokens);
  const auto input = [&](std::size_t offset) { return at_.input + offset * 4; };
  const cuda::DevicePointer none = 0;
  const bool wide = shape.headDim == 128;
  const int tiles = (shape.queriesPerKv() + 7) / 8;
  const cuda::FunctionHandle decode = wide ? (tiles == 1 ? k.decodeAttention128x1 : k.decodeAttention128x2)
                                           : (tiles == 1 ? k.decodeAttention64x1 : k.decodeAttention64x2);
  const unsigned ringBytes = 4 * 3 * 2 * 16 * static_cast<unsigned>(shape.headDim) * 2;
  const unsigned mergeBytes = 4 * static_cast<unsigned>(tiles) * 8 * static_cast<unsigned>(shape.headDim + 2) * 4;
  const float scale = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(shape.headDim)));
  for (int l = from; l < to; ++l) {
    const LayerWeights& w = model_->weights().layer(l);
    const cuda::DevicePointer cache = pool_->layer(l);
    DYNO_GEMV_OR(runGemv(epiloguePlain, tokens, at_.qkv, at_.x, w.qkv, w.norm1, shape.qkvWidth(), shape.hidden, launches), {
      DYNO_TRY(start(k.rmsNorm, Grid{grid}, 256, 0, launches, at_.normed, at_.x, w.norm1, none, shape.hidden,
                     shape.normEps));
      DYNO_TRY(runLinear({shape.qkvWidth(), shape.hidden, false, false}, tokens, at_.qkv, at_.normed, w.qkv, launches));
    })
    DYNO_TRY(start(wide ? k.ropeKv128 : k.ropeKv64,
                   Grid{grid, dividedUp(static_cast<std::size_t>(shape.heads + 2 * shape.kvHeads), 8)}, 256, 0, launches,
                   at_.qkv, cache, w.qkvBias, w.qNorm, w.kNorm, input(layout.positionAt), input(layout.kvSlotAt),
                   model_->ropeTable(), shape.heads, shape.kvHeads, pool_->blockTokens(), shape.normEps));
    if (layout.prefillRows > 0 && wide && model_->hopper())
      DYNO_TRY(start(k.prefillAttentionHopper128,
                     Grid{static_cast<unsigned>(shape.kvHeads), static_cast<unsigned>(layout.tiles)}, 384,
                     hopperPrefillBytes, launches, at_.attention, at_.qkv, pool_->tensorMap(), l * pool_->blocks(),
                     pool_->allBlocks(), input(layout.rowAt), input(layout.tileAt), input(layout.blockAt), shape.heads,
                     shape.kvHeads, pool_->blockTokens(), scale));
    else if (layout.prefillRows > 0)
      DYNO_TRY(start(wide ? k.prefillAttention128 : k.prefillAttention64,
                     Grid{static_cast<unsigned>(shape.kvHeads), static_cast<unsigned>(layout.tiles)}, 256,
                     static_cast<unsigned>((tileRows + 4 * 64) * shape.headDim * 2), launches, at_.attention, at_.qkv,
                     cache, input(layout.rowAt), input(layout.tileAt), input(layout.blockAt), shape.heads,
                     shape.kvHeads, pool_->blockTokens(), scale));
    if (layout.decodeRows > 0)
      DYNO_TRY(start(decode, Grid{static_cast<unsigned>(shape.kvHeads), static_cast<unsigned>(layout.maxItems)}, 128,
                     std::max(ringBytes, mergeBytes), launches, at_.attention, at_.qkv, cache, input(layout.rowAt),
                     input(layout.itemAt), input(layout.itemCountAt), input(layout.blockAt), at_.parts, at_.arrived,
                     shape.heads, shape.kvHeads, pool_->blockTokens(), scale));
    DYNO_GEMV_OR(runGemv(epilogueResidual, tokens, at_.x, at_.attention, w.output, 0, shape.hidden,
                         shape.attentionWidth(), launches), {
      DYNO_TRY(runLinear({shape.hidden, shape.attentionWidth(), true, false}, tokens, at_.x, at_.attention, w.output,
                         launches));
    })
    if (shape.experts > 0) {
      DYNO_TRY(runExperts(layout, w, l, launches));
      continue;
    }
    DYNO_GEMV_OR(runGemv(epilogueSwiglu, tokens, at_.activation, at_.x, w.gateUp, w.norm2, 2 * shape.ffn, shape.hidden,
                         launches), {
      DYNO_TRY(start(k.rmsNorm, Grid{grid}, 256, 0, launches, at_.normed, at_.x, w.norm2, none, shape.hidden,
                     shape.normEps));
      DYNO_TRY(runLinear({2 * shape.ffn, shape.hidden, false, false}, tokens, at_.gateUp, at_.normed, w.gateUp, launches));
      const auto vectors = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(shape.ffn) / 8;
      DYNO_TRY(start(k.swiglu, Grid{std::min(dividedUp(vectors, 256), 132u * 64)}, 256, 0, launches, at_.activation,
                     at_.gateUp, tokens, shape.ffn));
    })
    DYNO_GEMV_OR(runGemv(epilogueResidual, tokens, at_.x, at_.activation, w.down, 0, shape.hidden, shape.ffn, launches), {
      DYNO_TRY(runLinear({shape.hidden, shape.ffn, true, false}, tokens, at_.x, at_.activation, w.down, launches));
    })
  }
  return Nothing{};
}

// Samples `count` positions from the `first`: their hidden states are gathered, normalised, multiplied with the head.
Status Instance::runHead(const PassLayout& layout, int first, int count, const PassPlan* plan, int* launches) {
  const Shape& shape = model_->shape();
  const Kernels& k = model_->kernels();
  const auto input = [&](std::size_t offset) { return at_.input + offset * 4; };
  const cuda::DevicePointer none = 0;
  const auto begin = static_cast<std::size_t>(first);
  DYNO_TRY(start(k.rmsNorm, Grid{static_cast<unsigned>(count)}, 256, 0, launches, at_.sampled, at_.x,
                 model_->weights().finalNorm(), input(layout.sampleRowAt + begin), shape.hidden, shape.normEps));
  DYNO_GEMV_OR(runGemv(epilogueLogits, count, at_.logits, at_.sampled, model_->weights().head(), 0, shape.vocab,
                       shape.hidden, launches), {
    DYNO_TRY(runLinear({shape.vocab, shape.hidden, false, true}, count, at_.logits, at_.sampled,
                       model_->weights().head(), launches));
  })
  const cuda::DevicePointer tokens = at_.output + 16 + begin * 4,
                            confidence = at_.output + 16 + (static_cast<std::size_t>(paddedTokens_) + begin) * 4;
  if (plan != nullptr && samples(*plan))
    return start(k.sampleRows, Grid{sampleBlocks, static_cast<unsigned>(count)}, 1024, sampleSharedBytes(shape.vocab),
                 launches, tokens, confidence, none, at_.logits, input(layout.sampleSlotAt + begin),
                 at_.sampling + begin * sizeof(RowSampling), at_.masks, at_.lastTokens, shape.vocab);
  return start(k.greedySample, Grid{greedySplits(count), static_cast<unsigned>(count)}, 256, 0, launches, tokens,
               confidence, at_.logits, input(layout.sampleSlotAt + begin), none, at_.lastTokens, at_.greedyParts,
               at_.greedyArrived, shape.vocab);
}

// Everything of a pass up to the head: embedding or kept hidden states, layers, keeping.
Status Instance::runPass(const PassLayout& layout, const PassPlan& plan, int* launches) {
  const Shape& shape = model_->shape();
  const Kernels& k = model_->kernels();
  const auto input = [&](std::size_t offset) { return at_.input + offset * 4; };
  // The gate of few tokens writes all counts of its layer; the gate of many adds to zeros. Layers outside the pass count 0.
  if (shape.experts > 0 && (!isFew(shape, layout.tokens) || plan.fromLayer > 0 || plan.toLayer < shape.layers))
    DYNO_CUDA_TRY(model_->context()->library(), fillAsync, experts_.counts, 0, expertBytes(), stream_->handle());
  if (plan.fromLayer == 0)
    DYNO_TRY(start(k.embedTokens, Grid{static_cast<unsigned>(layout.tokens)}, 128, 0, launches, at_.x,
                   model_->weights().embedding(), input(layout.tokenAt), at_.lastTokens, shape.hidden, at_.output));
  else
    DYNO_TRY(start(k.loadHidden, Grid{static_cast<unsigned>(layout.rows)}, 128, 0, launches, at_.x, at_.hidden,
                   input(layout.hiddenSlotAt), input(layout.hiddenRowAt), shape.hidden, at_.output));
  DYNO_TRY(runLayers(layout, plan.fromLayer, plan.toLayer, launches));
  if (plan.toLayer < shape.layers)
    DYNO_TRY(start(k.storeHidden, Grid{static_cast<unsigned>(layout.rows)}, 128, 0, launches, at_.hidden, at_.x,
                   input(layout.hiddenSlotAt), input(layout.hiddenRowAt), shape.hidden));
  return Nothing{};
}

Result<std::shared_ptr<cuda::Graph>> Instance::capture(const GraphKey& key) {
  const auto [bucket, from, to, head] = key;
  PassPlan plan;
  plan.fromLayer = from;
  plan.toLayer = to;
  plan.head = head;
  plan.blockOffsets = {0};
  PassLayout layout = layoutOf(plan, model_->shape(), bucket, splitTarget_);
  layout.decodeRows = bucket;
  DYNO_TRY(stream_->synchronize());
  // Once without a graph: the libraries load their kernels, which a capture does not allow. Its rows are all padding.
  std::vector<std::int32_t> numbers(layout.total);
  fillPass(plan, model_->shape(), limits_, splitTarget_, layout, numbers.data());
  cuda::Library& library = model_->context()->library();
  DYNO_CUDA_TRY(library, copyToDevice, at_.input, numbers.data(), numbers.size() * 4);
  DYNO_CUDA_TRY(library, streamSynchronize, nullptr);
  const auto body = [&](int* launches) -> Status {
    DYNO_TRY(runPass(layout, plan, launches));
    for (int first = 0; head && first < bucket; first += logitRows_)
      DYNO_TRY(runHead(layout, first, std::min(logitRows_, bucket - first), nullptr, launches));
    return start(model_->kernels().stampEnd, Grid{1}, 1, 0, launches, at_.output + 8);
  };
  int launches = 0;
  DYNO_TRY(body(&launches));
  DYNO_TRY(stream_->synchronize());
  launches = 0;
  DYNO_CUDA_TRY(library, beginCapture, stream_->handle(), cuda::captureThreadLocal);
  const Status captured = body(&launches);
  auto graph = cuda::Graph::fromCapture(*stream_);
  if (!captured.ok()) return captured.error();
  if (graph.ok()) {
    graphs_[key] = graph.value();
    graphLaunches_[key] = launches;
  }
  return graph;
}

Status Instance::queue(Job& job) {
  const PassPlan& plan = job.plan;
  const Shape& shape = model_->shape();
  DYNO_TRY(checkPlan(plan, shape, limits_));
  DYNO_TRY(checkSampling(plan, shape, limits_));
  DYNO_TRY(model_->context()->makeCurrent());
  cuda::Library& library = model_->context()->library();
  const bool decodeOnly =
      std::none_of(plan.flags.begin(), plan.flags.end(), [](std::uint8_t flags) { return (flags & rowPrefill) != 0; });
  if (plan.fromLayer > 0 && !decodeOnly)
    return DriverError{"", 0, "PLAN", "A pass that starts after layer 0 takes decode rows only.", ""};
  const int rows = static_cast<int>(plan.slots.size());
  job.samples = plan.head ? sampledCount(plan) : 0;
  if (job.samples > paddedTokens_)
    return DriverError{"", 0, "PLAN", "The pass samples more positions than the instance takes tokens.", ""};
  // Sampling's parameters differ from pass to pass: the graph ends before the head, which is queued behind it.
  const bool draws = plan.head && samples(plan);
  if (draws && !model_->programmaticOrder())
    return DriverError{"", 0, "UNSUPPORTED_GPU", "Sampling other than greedy needs compute capability 9.0 or newer.",
                       "Sample greedily on this GPU."};
  const bool graph = decodeOnly && plan.logits == 0 && (job.samples == rows || !plan.head);
  const int bucket = graph ? bucketOf(rows) : 0;
  const Range range((plan.label.empty() ? "" : plan.label + " ") +
                    (decodeOnly ? "decode " + std::to_string(rows)
                                : "prefill " + std::to_string(plan.tokens.size()) + " in " + std::to_string(rows)));
  const GraphKey key{bucket, plan.fromLayer, plan.toLayer, plan.head && !draws};
  if (graph && graphs_.count(key) == 0) {
    auto made = capture(key);
    if (!made.ok()) return made.error();
  }
  PassLayout layout = layoutOf(plan, shape, bucket, splitTarget_);
  if (layout.total > inputIntegers_)
    return DriverError{"", 0, "PLAN", "The pass's block lists are longer than the instance's sequences need.", ""};
  Staging& staging = ring_[static_cast<std::size_t>(job.ring)];
  auto* numbers = reinterpret_cast<std::int32_t*>(staging.input->pointer());
  fillPass(plan, shape, limits_, splitTarget_, layout, numbers);
  const cuda::StreamHandle stream = stream_->handle();
  DYNO_CUDA_TRY(library, copyToDeviceAsync, at_.input, numbers, layout.total * 4, stream);
  if (draws) DYNO_TRY(copySampling(plan, staging));
  int launches = 0;
  if (graph) {
    DYNO_CUDA_TRY(library, graphLaunch, graphs_[key]->handle(), stream);
    launches = 1;
  }
  if (!graph || draws) {
    if (!graph) {
      const Range phase("layers");
      DYNO_TRY(runPass(layout, plan, &launches));
    }
    const Range phase("head and sampling");
    if (plan.logits != 0 && job.samples > 0) {
      auto pinned = cuda::PinnedMemory::allocate(
          model_->context(), static_cast<std::size_t>(job.samples) * static_cast<std::size_t>(shape.vocab) * 4);
      if (!pinned.ok()) return pinned.error();
      job.logits = pinned.value();
    }
    for (int first = 0; first < job.samples; first += logitRows_) {
      const int valid = std::min(logitRows_, job.samples - first);
      DYNO_TRY(runHead(layout, first, std::min(paddedRows(valid), logitRows_), &plan, &launches));
      if (job.logits != nullptr) {
        const std::size_t row = static_cast<std::size_t>(shape.vocab) * 4;
        DYNO_CUDA_TRY(library, copyToHostAsync, job.logits->pointer() + static_cast<std::size_t>(first) * row, at_.logits,
                      static_cast<std::size_t>(valid) * row, stream);
      }
    }
    DYNO_TRY(start(model_->kernels().stampEnd, Grid{1}, 1, 0, &launches, at_.output + 8));
  }
  const auto sampled = static_cast<std::size_t>(job.samples);
  DYNO_CUDA_TRY(library, copyToHostAsync, staging.output->pointer(), at_.output, 16 + sampled * 4, stream);
  if (plan.confidence && sampled > 0) {
    const std::size_t offset = 16 + static_cast<std::size_t>(paddedTokens_) * 4;
    DYNO_CUDA_TRY(library, copyToHostAsync, staging.output->pointer() + offset, at_.output + offset, sampled * 4, stream);
  }
  if (shape.experts > 0)
    DYNO_CUDA_TRY(library, copyToHostAsync, staging.output->pointer() + outputBytes_ - expertBytes(), experts_.counts,
                  expertBytes(), stream);
  DYNO_CUDA_TRY(library, eventRecord, staging.finished->handle(), stream);
  job.outcome.launches = launches;
  job.outcome.graph = graph;
  return Nothing{};
}

std::size_t Instance::expertBytes() const {
  return static_cast<std::size_t>(model_->shape().layers) * static_cast<std::size_t>(model_->shape().experts) * 4;
}

Status Instance::copySampling(const PassPlan& plan, const Staging& staging) {
  cuda::Library& library = model_->context()->library();
  const std::vector<RowSampling> rows = samplingOf(plan);
  const std::size_t bytes = rows.size() * sizeof(RowSampling);
  char* host = staging.sampling->pointer();
  std::memcpy(host, rows.data(), bytes);
  DYNO_CUDA_TRY(library, copyToDeviceAsync, at_.sampling, host, bytes, stream_->handle());
  if (plan.masks.empty()) return Nothing{};
  std::memcpy(host + bytes, plan.masks.data(), plan.masks.size() * 4);
  DYNO_CUDA_TRY(library, copyToDeviceAsync, at_.masks, host + bytes, plan.masks.size() * 4, stream_->handle());
  return Nothing{};
}

void Instance::finish(Job& job) {
  const std::int64_t begin = threadCpuNs();
  const auto wait = [&]() -> Status {
    DYNO_TRY(model_->context()->makeCurrent());
    const Staging& staging = ring_[static_cast<std::size_t>(job.ring)];
    DYNO_CUDA_TRY(model_->context()->library(), eventSynchronize, staging.finished->handle());
    const auto* stamps = reinterpret_cast<const std::uint64_t*>(staging.output->pointer());
    const ClockMap::Mapping mapping = model_->clock().mapping();
    job.outcome.startNs = static_cast<std::int64_t>(stamps[0]) - mapping.offsetNs;
    job.outcome.endNs = static_cast<std::int64_t>(stamps[1]) - mapping.offsetNs;
    job.outcome.clockErrorNs = mapping.errorNs;
    const auto samples = static_cast<std::size_t>(job.samples);
    const auto* tokens = reinterpret_cast<const std::int32_t*>(staging.output->pointer() + 16);
    job.outcome.tokens.assign(tokens, tokens + samples);
    if (job.plan.confidence) {
      const auto* values = reinterpret_cast<const float*>(staging.output->pointer() + 16) + paddedTokens_;
      job.outcome.confidence.assign(values, values + samples);
    }
    if (expertBytes() > 0) {
      const auto* counts = reinterpret_cast<const std::int32_t*>(staging.output->pointer() + outputBytes_ - expertBytes());
      job.outcome.expertTokens.assign(counts, counts + expertBytes() / 4);
    }
    if (job.logits != nullptr) {
      const auto* values = reinterpret_cast<const float*>(job.logits->pointer());
      job.outcome.logits.assign(values, values + samples * static_cast<std::size_t>(model_->shape().vocab));
    }
    return Nothing{};
  };
  if (!job.outcome.error) {
    if (const Status waited = wait(); !waited.ok()) job.outcome.error = waited.error();
  }
  job.outcome.hostCpuNs += threadCpuNs() - begin;
}

Status Instance::measureProducts(int rows) {
  const Shape& shape = model_->shape();
  std::vector<cuda::DevicePointer> qkv, output, gateUp, down;
  for (int l = 0; l < shape.layers; ++l) {
    const LayerWeights& w = model_->weights().layer(l);
    qkv.push_back(w.qkv), output.push_back(w.output), gateUp.push_back(w.gateUp), down.push_back(w.down);
  }
  Linears& linears = model_->linears();
  // Random activations: products of zeros run faster than real ones, and would choose for them.
  for (const auto& [address, width] : {std::pair{at_.normed, shape.hidden}, std::pair{at_.attention, shape.attentionWidth()},
                                       std::pair{at_.activation, shape.ffn}}) {
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(
        static_cast<std::size_t>(rows) * static_cast<std::size_t>(width), 0xFFFFFFFFu));
    DYNO_TRY(launch(*model_->context(), model_->kernels().drawWeights, Grid{1024}, Grid{256}, 0, stream_->handle(), address,
                    count, count, 0.0f, 1.0f));
  }
  DYNO_TRY(linears.measure({shape.qkvWidth(), shape.hidden, false, false}, rows, at_.qkv, at_.normed, qkv,
                           at_.workspace, *stream_));
  DYNO_TRY(linears.measure({shape.hidden, shape.attentionWidth(), true, false}, rows, at_.x, at_.attention, output,
                           at_.workspace, *stream_));
  if (shape.experts == 0) {
    DYNO_TRY(linears.measure({2 * shape.ffn, shape.hidden, false, false}, rows, at_.gateUp, at_.normed, gateUp,
                             at_.workspace, *stream_));
    DYNO_TRY(linears.measure({shape.hidden, shape.ffn, true, false}, rows, at_.x, at_.activation, down, at_.workspace,
                             *stream_));
  } else if (shape.sharedFfn > 0) {
    std::vector<cuda::DevicePointer> sharedGateUp, sharedDown;
    for (int l = 0; l < shape.layers; ++l) {
      sharedGateUp.push_back(model_->weights().layer(l).sharedGateUp);
      sharedDown.push_back(model_->weights().layer(l).sharedDown);
    }
    DYNO_TRY(linears.measure({2 * shape.sharedFfn, shape.hidden, false, false}, rows, at_.gateUp, at_.normed, sharedGateUp,
                             at_.workspace, *stream_));
    DYNO_TRY(linears.measure({shape.hidden, shape.sharedFfn, false, false}, rows, experts_.shared, at_.activation,
                             sharedDown, at_.workspace, *stream_));
  }
  if (rows <= logitRows_)
    DYNO_TRY(linears.measure({shape.vocab, shape.hidden, false, true}, rows, at_.logits, at_.sampled,
                             {model_->weights().head()}, at_.workspace, *stream_));
  return Nothing{};
}

Status Instance::warm(int batch, const std::vector<int>& prefillTokens) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (closing_) return DriverError{"", 0, "CLOSED", "This instance is closed.", ""};
    paused_ = true;
    changed_.wait(lock, [&] { return busy_ == 0; });
  }
  const auto all = [&]() -> Status {
    DYNO_TRY(model_->context()->makeCurrent());
    const Range range("warm");
    for (const int rows : graphBuckets()) {
      if (rows > bucketOf(std::max(batch, 1)) || batch < 1) break;
      DYNO_TRY(measureProducts(rows));
      const GraphKey key{rows, 0, model_->shape().layers, true};
      if (graphs_.count(key) != 0) continue;
      auto made = capture(key);
      if (!made.ok()) return made.error();
    }
    for (const int tokens : prefillTokens) {
      if (tokens > 0 && tokens <= paddedTokens_) DYNO_TRY(measureProducts(std::min(paddedRows(tokens), paddedTokens_)));
    }
    return Nothing{};
  };
  Status done = all();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    paused_ = false;
  }
  changed_.notify_all();
  return done;
}

}  // namespace dyno::transformer
