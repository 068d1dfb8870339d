#include "transformer/copier.h"

#include <algorithm>

#include "cuda/nvtx.h"
#include "transformer/launch.h"

namespace dyno::transformer {

Result<std::unique_ptr<Copier>> Copier::create(const std::shared_ptr<Model>& model) {
  std::unique_ptr<Copier> self(new Copier());
  self->model_ = model;
  auto stream = cuda::Stream::create(model->context(), -1);
  if (!stream.ok()) return stream.error();
  self->stream_ = stream.value();
  const auto layers = static_cast<std::size_t>(model->shape().layers);
  auto stamps = cuda::PinnedMemory::allocate(model->context(), (layers + 1) * 8);
  if (!stamps.ok()) return stamps.error();
  self->stamps_ = stamps.value();
  for (std::size_t i = 0; i < layers; ++i) {
    auto event = cuda::Event::create(model->context(), false, true);
    if (!event.ok()) return event.error();
    self->arrived_.push_back(event.value());
  }
  self->thread_ = std::thread([raw = self.get()] { raw->loop(); });
  return self;
}

Copier::~Copier() { close(); }

void Copier::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Copier::submit(std::shared_ptr<KvPool> from, std::shared_ptr<KvPool> to, std::vector<std::int32_t> pairs,
                    int firstLayer, int endLayer, bool eachLayer, Told told) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closing_) {
      waiting_.push_back({std::move(from), std::move(to), std::move(pairs), firstLayer, endLayer, eachLayer, std::move(told)});
      changed_.notify_all();
      return;
    }
  }
  CopyOutcome outcome;
  outcome.error = DriverError{"", 0, "CLOSED", "This transformer is closed.", ""};
  told(std::move(outcome));
}

void Copier::loop() {
  while (true) {
    Job job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return !waiting_.empty() || closing_; });
      if (waiting_.empty()) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
    }
    CopyOutcome outcome;
    if (const Status done = run(job, outcome); !done.ok()) {
      outcome.error = done.error();
      (void)stream_->synchronize().ok();
    }
    outcome.layer = -1;
    job.from.reset();
    job.to.reset();
    job.told(std::move(outcome));
  }
}

Status Copier::copyLayer(const Job& job, int layer) {
  cuda::Library& library = model_->context()->library();
  const cuda::StreamHandle stream = stream_->handle();
  const std::size_t bytes = job.from->blockBytes();
  const cuda::DevicePointer from = job.from->layer(layer), to = job.to->layer(layer);
  const bool sameDevice = job.from->model()->context()->device() == job.to->model()->context()->device();
  const std::size_t count = job.pairs.size() / 2;
  if (!job.from->onHost() && !job.to->onHost() && sameDevice) {
    const auto vectors = static_cast<int>(bytes / 16);
    const unsigned each = static_cast<unsigned>(std::min(vectors / 256 + 1, 4));
    return launch(*model_->context(), model_->kernels().copyKvBlocks, Grid{each, static_cast<unsigned>(count)}, Grid{256},
                  0, stream, to, from, pairs_->pointer(), vectors);
  }
  for (std::size_t i = 0; i < count;) {
    std::size_t run = 1;
    while (i + run < count && job.pairs[2 * (i + run)] == job.pairs[2 * i] + static_cast<int>(run) &&
           job.pairs[2 * (i + run) + 1] == job.pairs[2 * i + 1] + static_cast<int>(run))
      ++run;
    const cuda::DevicePointer source = from + static_cast<std::size_t>(job.pairs[2 * i]) * bytes,
                              target = to + static_cast<std::size_t>(job.pairs[2 * i + 1]) * bytes;
    if (job.from->onHost()) {
      DYNO_CUDA_TRY(library, copyToDeviceAsync, target, reinterpret_cast<const void*>(source), run * bytes, stream);
    } else if (job.to->onHost()) {
      DYNO_CUDA_TRY(library, copyToHostAsync, reinterpret_cast<void*>(target), source, run * bytes, stream);
    } else {
      DYNO_CUDA_TRY(library, copyPeerAsync, target, job.to->model()->context()->handle(), source,
                    job.from->model()->context()->handle(), run * bytes, stream);
    }
    i += run;
  }
  return Nothing{};
}

Status Copier::run(const Job& job, CopyOutcome& outcome) {
  const auto refused = [](const std::string& what) { return DriverError{"", 0, "COPY", what, ""}; };
  if (job.from->blockBytes() != job.to->blockBytes())
    return refused("The pools' blocks differ in size: " + std::to_string(job.from->blockBytes()) + " and " +
                   std::to_string(job.to->blockBytes()) + " bytes a layer.");
  if (job.from->onHost() && job.to->onHost()) return refused("Both pools lie in host memory.");
  if (job.first < 0 || job.end > model_->shape().layers || job.first > job.end)
    return refused("Layers " + std::to_string(job.first) + " to " + std::to_string(job.end) + ", the model has " +
                   std::to_string(model_->shape().layers) + ".");
  if (job.pairs.size() % 2 != 0) return refused("A list of pairs has an odd length.");
  for (std::size_t i = 0; i < job.pairs.size(); ++i) {
    const int blocks = i % 2 == 0 ? job.from->blocks() : job.to->blocks();
    if (job.pairs[i] < 0 || job.pairs[i] >= blocks)
      return refused("Block " + std::to_string(job.pairs[i]) + ", the pool has " + std::to_string(blocks) + ".");
  }
  DYNO_TRY(model_->context()->makeCurrent());
  if (job.pairs.empty()) return Nothing{};
  cuda::Library& library = model_->context()->library();
  cuda::pushRange(("copy " + std::to_string(job.pairs.size() / 2) + " blocks").c_str());
  const auto queued = [&]() -> Status {
    if (pairs_ == nullptr || pairs_->bytes() < job.pairs.size() * 4) {
      auto made = allocateDevice(model_->context(), job.pairs.size() * 8, "a list of KV blocks");
      if (!made.ok()) return made.error();
      pairs_ = made.value();
    }
    DYNO_CUDA_TRY(library, copyToDevice, pairs_->pointer(), job.pairs.data(), job.pairs.size() * 4);
    DYNO_CUDA_TRY(library, streamSynchronize, nullptr);
    const auto stamp = [&](int index) {
      return launch(*model_->context(), model_->kernels().stampEnd, Grid{1}, Grid{1}, 0, stream_->handle(),
                    reinterpret_cast<cuda::DevicePointer>(stamps_->pointer()) + static_cast<std::size_t>(index) * 8);
    };
    DYNO_TRY(stamp(0));
    for (int l = job.first; l < job.end; ++l) {
      DYNO_TRY(copyLayer(job, l));
      if (job.eachLayer || l + 1 == job.end) DYNO_TRY(stamp(l - job.first + 1));
      DYNO_CUDA_TRY(library, eventRecord, arrived_[static_cast<std::size_t>(l)]->handle(), stream_->handle());
    }
    return Nothing{};
  };
  const Status all = queued();
  cuda::popRange();
  DYNO_TRY(all);
  const auto* stamps = reinterpret_cast<const volatile std::uint64_t*>(stamps_->pointer());
  const ClockMap::Mapping mapping = model_->clock().mapping();
  const auto host = [&](std::uint64_t device) { return static_cast<std::int64_t>(device) - mapping.offsetNs; };
  outcome.clockErrorNs = mapping.errorNs;
  for (int l = job.first; l < job.end; ++l) {
    if (!job.eachLayer && l + 1 < job.end) continue;
    DYNO_CUDA_TRY(library, eventSynchronize, arrived_[static_cast<std::size_t>(l)]->handle());
    outcome.startNs = host(stamps[0]);
    outcome.endNs = host(stamps[l - job.first + 1]);
    if (job.eachLayer) {
      CopyOutcome layer = outcome;
      layer.layer = l;
      job.told(std::move(layer));
    }
  }
  outcome.bytes = job.pairs.size() / 2 * job.from->blockBytes() * static_cast<std::size_t>(job.end - job.first);
  return Nothing{};
}

}  // namespace dyno::transformer
