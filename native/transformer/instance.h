// A serving instance: one stream, its workspaces and decode graphs, and two threads. The first lays passes out and queues
// them, the second waits for each on the card and answers. Up to two passes are queued at a time.
#pragma once
#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <tuple>
#include <vector>

#include "transformer/experts.h"
#include "transformer/launch.h"
#include "transformer/model.h"
#include "transformer/pass.h"
#include "transformer/sampling.h"

namespace dyno::transformer {

struct InstanceOptions {
  int maxSequences = 0, maxTokens = 0, maxContext = 0, priority = 0;
  double smShare = 1;
};

class Instance {
 public:
  using Done = std::function<void(PassOutcome&&)>;
  static Result<std::shared_ptr<Instance>> create(const std::shared_ptr<Model>& model,
                                                  const std::shared_ptr<KvPool>& pool, const InstanceOptions& options);
  // Ends the threads after the passes that were submitted.
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Any thread; `done` is called once, on the instance's second thread.
  void submit(PassPlan plan, Done done);
  // Measures matrix products and captures decode graphs up to `batch` rows, and products for prefills of these sizes. Waits
  // for queued passes; blocking.
  Status warm(int batch, const std::vector<int>& prefillTokens);
  void close();

  std::size_t bytes() const { return bytes_; }
  int multiprocessors() const { return multiprocessors_; }
  std::vector<int> graphBuckets() const;
  static int bucketOf(int rows);

 private:
  Instance() = default;
  struct Job {
    PassPlan plan;
    Done done;
    PassOutcome outcome;
    int ring = 0, samples = 0;
    std::shared_ptr<cuda::PinnedMemory> logits;
  };
  struct Staging {
    std::shared_ptr<cuda::PinnedMemory> input, output, sampling;
    std::shared_ptr<cuda::Event> finished;
  };
  // What a captured graph depends on.
  using GraphKey = std::tuple<int, int, int, bool>;  // bucket, from layer, to layer, head

  void submitLoop();
  void finishLoop();
  Status queue(Job& job);
  void finish(Job& job);
  Status runPass(const PassLayout& layout, const PassPlan& plan, int* launches);
  Status runLayers(const PassLayout& layout, int from, int to, int* launches);
  Status runHead(const PassLayout& layout, int first, int count, const PassPlan* plan, int* launches);
  Status runLinear(const LinearShape& shape, int rows, cuda::DevicePointer y, cuda::DevicePointer x,
                   cuda::DevicePointer w, int* launches);
  // The mixture of experts of one layer, added to x. instance_experts.cpp.
  Status runExperts(const PassLayout& layout, const LayerWeights& w, int layer, int* launches);
  Status runSharedExpert(int tokens, const LayerWeights& w, int* launches);
  // A product for few rows by our own kernel; false where there is none for the shape.
  Result<bool> runGemv(int epilogue, int rows, cuda::DevicePointer y, cuda::DevicePointer x, cuda::DevicePointer w,
                       cuda::DevicePointer norm, int outputs, int inner, int* launches);
  std::size_t expertBytes() const;  // counts of all layers
  Status copySampling(const PassPlan& plan, const Staging& staging);
  Status measureProducts(int rows);
  Result<std::shared_ptr<cuda::Graph>> capture(const GraphKey& key);
  template <typename... Arguments>
  Status start(cuda::FunctionHandle kernel, Grid grid, unsigned block, unsigned shared, int* launches,
               Arguments... arguments);

  std::shared_ptr<Model> model_;
  std::shared_ptr<KvPool> pool_;
  InstanceOptions options_;
  PassLimits limits_;
  int multiprocessors_ = 0, splitTarget_ = 0, paddedTokens_ = 0, logitRows_ = 0;
  std::size_t bytes_ = 0, inputIntegers_ = 0, outputBytes_ = 0;

  std::shared_ptr<cuda::Stream> stream_;
  std::shared_ptr<cuda::DeviceMemory> memory_;
  struct Addresses {
    cuda::DevicePointer input, output, x, normed, qkv, attention, gateUp, activation, logits, sampled, parts, arrived,
        lastTokens, hidden, workspace, greedyParts, greedyArrived, sampling, masks;
  } at_{};
  ExpertScratch experts_;
  static constexpr int ringSize = 3;
  std::array<Staging, ringSize> ring_;
  std::map<GraphKey, std::shared_ptr<cuda::Graph>> graphs_;
  std::map<GraphKey, int> graphLaunches_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> waiting_, running_;
  int passNumber_ = 0, busy_ = 0;
  bool closing_ = false, paused_ = false;
  std::optional<DriverError> lost_;
  std::thread submitter_, finisher_;
};

template <typename... Arguments>
Status Instance::start(cuda::FunctionHandle kernel, Grid grid, unsigned block, unsigned shared, int* launches,
                       Arguments... arguments) {
  ++*launches;
  return launchOrdered(*model_->context(), model_->programmaticOrder() ? Order::programmatic : Order::stream, kernel,
                       grid, Grid{block}, shared, stream_->handle(), arguments...);
}

}  // namespace dyno::transformer
