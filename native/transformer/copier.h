// Moves KV blocks between two pools of one shape on a stream and a thread of its own, layer by layer: one GPU, two GPUs, or a
// GPU and pinned host memory. Between pools of one GPU a kernel gathers and scatters; other ways are copies by the copy
// engines, adjacent blocks in one.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "transformer/model.h"

namespace dyno::transformer {

struct CopyOutcome {
  std::optional<DriverError> error;
  int layer = -1;  // ≥ 0: this layer has arrived; −1: all have
  std::int64_t startNs = 0, endNs = 0, clockErrorNs = 0;
  std::size_t bytes = 0;
};

class Copier {
 public:
  using Told = std::function<void(CopyOutcome&&)>;
  static Result<std::unique_ptr<Copier>> create(const std::shared_ptr<Model>& model);
  ~Copier();
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;
  // `pairs`: from, to, from, to, … `told` is called on the copier's thread: per layer when `eachLayer`, and once at the end.
  void submit(std::shared_ptr<KvPool> from, std::shared_ptr<KvPool> to, std::vector<std::int32_t> pairs, int firstLayer,
              int endLayer, bool eachLayer, Told told);
  void close();

 private:
  struct Job {
    std::shared_ptr<KvPool> from, to;
    std::vector<std::int32_t> pairs;
    int first = 0, end = 0;
    bool eachLayer = false;
    Told told;
  };
  Copier() = default;
  void loop();
  Status run(const Job& job, CopyOutcome& outcome);
  Status copyLayer(const Job& job, int layer);
  std::shared_ptr<Model> model_;
  std::shared_ptr<cuda::Stream> stream_;
  std::shared_ptr<cuda::DeviceMemory> pairs_;
  std::shared_ptr<cuda::PinnedMemory> stamps_;  // start, then one per layer
  std::vector<std::shared_ptr<cuda::Event>> arrived_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace dyno::transformer
