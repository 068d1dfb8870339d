#include "transformer/model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "engine/timing.h"
#include "transformer/experts.h"
#include "transformer/sampling.h"
#include "transformer/launch.h"

namespace dyno::transformer {

std::vector<float> ropeTable(const Shape& shape) {
  const int pairs = shape.headDim / 2;
  const double d = shape.headDim;
  std::vector<double> frequency(static_cast<std::size_t>(pairs));
  double magnitude = 1;
  for (int i = 0; i < pairs; ++i) {
    const double plain = std::pow(shape.ropeTheta, -2.0 * i / d);
    double& f = frequency[static_cast<std::size_t>(i)];
    f = plain;
    switch (shape.scaling) {
      case Scaling::none: break;
      case Scaling::linear: f = plain / shape.scaleFactor; break;
      case Scaling::llama3: {
        const double wavelength = 2 * std::numbers::pi / plain;
        const double lowWavelength = shape.originalPositions / shape.scaleLow,
                     highWavelength = shape.originalPositions / shape.scaleHigh;
        if (wavelength > lowWavelength) {
          f = plain / shape.scaleFactor;
        } else if (wavelength >= highWavelength) {
          const double smooth =
              (shape.originalPositions / wavelength - shape.scaleLow) / (shape.scaleHigh - shape.scaleLow);
          f = (1 - smooth) * plain / shape.scaleFactor + smooth * plain;
        }
        break;
      }
      case Scaling::yarn: {
        const auto correction = [&](double rotations) {
          return d * std::log(shape.originalPositions / (rotations * 2 * std::numbers::pi)) /
                 (2 * std::log(shape.ropeTheta));
        };
        const double low = std::max(std::floor(correction(shape.scaleHigh)), 0.0);
        double high = std::min(std::ceil(correction(shape.scaleLow)), d - 1);
        if (high == low) high += 0.001;
        const double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
        f = plain / shape.scaleFactor * ramp + plain * (1 - ramp);
        magnitude = shape.attentionFactor > 0 ? shape.attentionFactor
                    : shape.scaleFactor > 1   ? 0.1 * std::log(shape.scaleFactor) + 1
                                              : 1;
        break;
      }
    }
  }
  std::vector<float> table(static_cast<std::size_t>(shape.maxPositions) * static_cast<std::size_t>(pairs) * 2);
  for (int position = 0; position < shape.maxPositions; ++position) {
    for (int i = 0; i < pairs; ++i) {
      const double angle = position * frequency[static_cast<std::size_t>(i)];
      const std::size_t at = (static_cast<std::size_t>(position) * static_cast<std::size_t>(pairs) + static_cast<std::size_t>(i)) * 2;
      table[at] = static_cast<float>(std::cos(angle) * magnitude);
      table[at + 1] = static_cast<float>(std::sin(angle) * magnitude);
    }
  }
  return table;
}

Status Model::loadKernels(const std::string& folder) {
  std::map<std::string, std::shared_ptr<cuda::Module>> modules;
  const auto find = [&](const char* name, const char* module) -> Result<cuda::FunctionHandle> {
    auto& loaded = modules[module];
    if (loaded == nullptr) {
      auto made = cuda::Module::loadFile(context_, folder + "/transformer/" + module + ".fatbin");
      if (!made.ok()) return made.error();
      loaded = made.value();
      modules_.push_back(loaded);
    }
    return loaded->function(name);
  };
#define DYNO_FIND_KERNEL(name, module)                       \
  if (auto found = find(#name, #module); found.ok())         \
    kernels_.name = found.value();                           \
  else                                                       \
    return found.error();
  DYNO_TRANSFORMER_KERNELS(DYNO_FIND_KERNEL)
#undef DYNO_FIND_KERNEL
  const auto allow = [&](cuda::FunctionHandle kernel, int bytes) {
    return context_->library().check("cuFuncSetAttribute",
                                     context_->api().functionSetAttribute(kernel, cuda::functionMaxDynamicShared, bytes));
  };
  constexpr int most = 200 << 10;
  for (const auto kernel : {kernels_.decodeAttention64x1, kernels_.decodeAttention64x2, kernels_.decodeAttention128x1,
                            kernels_.decodeAttention128x2, kernels_.prefillAttention64, kernels_.prefillAttention128})
    DYNO_TRY(allow(kernel, std::min(most, context_->attribute(cuda::attribute::sharedPerBlockOptIn))));
  if (context_->attribute(cuda::attribute::capabilityMajor) >= 9) {
    DYNO_TRY(allow(kernels_.sampleRows, static_cast<int>(sampleSharedBytes(shape_.vocab))));
    if (shape_.experts > 0) {
      DYNO_TRY(allow(kernels_.moeGateUpGrouped, groupedSharedBytes));
      DYNO_TRY(allow(kernels_.moeDownGrouped, groupedSharedBytes));
    }
  }
  if (hopper_) DYNO_TRY(allow(kernels_.prefillAttentionHopper128, most));
  for (int b = 0; b < 3; ++b) {
    for (int c = 0; c < 6; ++c) {
      if (b == 2 && gemvChunks[c] > 4) continue;  // four slices of so long an x do not fit the registers
      const std::string name = "gemv" + std::to_string(1 << b) + "x" + std::to_string(gemvChunks[c]);
      auto found = find(name.c_str(), "gemv");
      if (!found.ok()) return found.error();
      kernels_.gemv[b][c] = found.value();
      DYNO_TRY(allow(found.value(), 64 << 10));
      int blocks = 0;
      DYNO_CUDA_TRY(context_->library(), occupancy, &blocks, found.value(), 256, std::size_t{8} << 10);
      kernels_.gemvBlocks[b][c] = static_cast<unsigned>(std::max(blocks, 1));
    }
  }
  return Nothing{};
}

Result<std::shared_ptr<Model>> Model::open(const std::shared_ptr<cuda::Library>& library, const OpenOptions& options) {
  const double begin = engine::secondsNow();
  DYNO_TRY(checkShape(options.shape));
  std::shared_ptr<Model> self(new Model());
  self->shape_ = options.shape;
  auto context = cuda::Context::open(library, options.device);
  if (!context.ok()) return context.error();
  self->context_ = context.value();
  DYNO_TRY(self->context_->makeCurrent());
  self->multiprocessors_ = self->context_->attribute(cuda::attribute::multiprocessors);
  self->programmaticOrder_ = self->context_->attribute(cuda::attribute::capabilityMajor) >= 9;
  self->hopper_ = self->context_->attribute(cuda::attribute::capabilityMajor) == 9;
  if (self->context_->attribute(cuda::attribute::capabilityMajor) < 8)
    return DriverError{"", 0, "UNSUPPORTED_GPU", "This GPU has no BF16 tensor cores (compute capability below 8.0).",
                       "Serve on an Ampere GPU or newer."};
  DYNO_TRY(self->loadKernels(options.kernelFolder));
  auto blas = engine::CublasLt::open(options.cublasLtPath);
  if (!blas.ok()) return blas.error();
  self->linears_ = std::make_unique<Linears>(blas.value(), self->context_);

  const std::vector<float> table = transformer::ropeTable(self->shape_);
  auto rope = allocateDevice(self->context_, table.size() * sizeof(float), "the RoPE table");
  if (!rope.ok()) return rope.error();
  self->rope_ = rope.value();
  DYNO_CUDA_TRY(*library, copyToDevice, self->rope_->pointer(), table.data(), table.size() * sizeof(float));
  DYNO_CUDA_TRY(*library, streamSynchronize, nullptr);

  std::shared_ptr<cuda::Module> drawing;
  auto module = cuda::Module::loadFile(self->context_, options.kernelFolder + "/transformer/weights.fatbin");
  if (!module.ok()) return module.error();
  auto weights = Weights::load(self->context_, self->shape_, module.value(), options.weights, options.progress);
  if (!weights.ok()) return weights.error();
  self->weights_ = std::move(weights.value());
  auto clock = ClockMap::open(self->context_, self->kernels_.answerClock);
  if (!clock.ok()) return clock.error();
  self->clock_ = std::move(clock.value());
  self->loadSeconds_ = engine::secondsNow() - begin;
  return self;
}

Result<std::shared_ptr<KvPool>> KvPool::create(const std::shared_ptr<Model>& model, int blocks, int blockTokens,
                                               bool onHost) {
  if (blocks < 1 || blockTokens < 16 || blockTokens % 16 != 0)
    return DriverError{"", 0, "KV_POOL",
                       "A KV pool of " + std::to_string(blocks) + " blocks of " + std::to_string(blockTokens) +
                           " tokens: expected at least one block, of a multiple of 16 tokens.",
                       "Change the block size or the number of blocks."};
  std::shared_ptr<KvPool> self(new KvPool());
  self->model_ = model;
  self->blocks_ = blocks;
  self->blockTokens_ = blockTokens;
  self->layers_ = model->shape().layers;
  self->blockBytes_ = model->shape().kvBytesPerToken() / static_cast<std::size_t>(self->layers_) *
                      static_cast<std::size_t>(blockTokens);
  if (onHost) {
    auto pinned = cuda::PinnedMemory::allocate(model->context(), self->bytes());
    if (!pinned.ok()) {
      DriverError error = pinned.error();
      error.message = "Pinned host memory for " + std::to_string(blocks) + " KV blocks (" +
                      std::to_string(self->bytes()) + " bytes) was refused.";
      return error;
    }
    self->pinned_ = pinned.value();
    self->base_ = reinterpret_cast<cuda::DevicePointer>(self->pinned_->pointer());
  } else {
    auto memory = allocateDevice(model->context(), self->bytes(), "a KV pool of " + std::to_string(blocks) + " blocks");
    if (!memory.ok()) return memory.error();
    self->memory_ = memory.value();
    self->base_ = self->memory_->pointer();
    // Numbers everywhere: a tile that reaches past a sequence's end multiplies what lies there by zero.
    DYNO_CUDA_TRY(model->context()->library(), fillAsync, self->base_, 0, self->bytes(), nullptr);
    DYNO_CUDA_TRY(model->context()->library(), streamSynchronize, nullptr);
    const Shape& shape = model->shape();
    if (model->hopper() && shape.headDim == 128) {
      const auto wide = [](int n) { return static_cast<std::uint64_t>(n); };
      const std::uint64_t sizes[4] = {128, wide(blockTokens), wide(2 * shape.kvHeads), wide(self->allBlocks())};
      const std::uint64_t strides[3] = {256, wide(blockTokens) * 256, self->blockBytes_};
      const std::uint32_t box[4] = {64, 16, 1, 1}, steps[4] = {1, 1, 1, 1};
      DYNO_CUDA_TRY(model->context()->library(), tensorMapEncode, &self->map_, cuda::tensorMap::bfloat16, 4,
                    reinterpret_cast<void*>(self->base_), sizes, strides, box, steps, cuda::tensorMap::noInterleave,
                    cuda::tensorMap::swizzle128, cuda::tensorMap::promote256, cuda::tensorMap::fillZeros);
    }
  }
  return self;
}

}  // namespace dyno::transformer
