#include "transformer/weights.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "transformer/launch.h"
#include "transformer/random_weights.h"

namespace dyno::transformer {
namespace {

constexpr std::size_t alignment = 256;
constexpr float matrixScale = 0.02f * 1.7320508f;  // uniform in ±scale has an RMS of scale / √3

class Mapped {
 public:
  static Result<std::unique_ptr<Mapped>> open(const std::string& path) {
    const auto refused = [&](const char* call) {
      return DriverError{call, errno, "WEIGHT_FILE", path + ": " + std::strerror(errno) + ".",
                         "Give the folder of a complete model (--model FOLDER)."};
    };
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return refused("open");
    struct stat about {};
    if (fstat(file, &about) != 0) {
      const DriverError error = refused("fstat");
      ::close(file);
      return error;
    }
    const auto bytes = static_cast<std::size_t>(about.st_size);
    void* at = bytes == 0 ? nullptr : mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    if (at == MAP_FAILED) return refused("mmap");
    std::unique_ptr<Mapped> self(new Mapped());
    self->data_ = static_cast<const char*>(at);
    self->bytes_ = bytes;
    return self;
  }
  ~Mapped() {
    if (data_ != nullptr) munmap(const_cast<char*>(data_), bytes_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  const char* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Mapped() = default;
  const char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

std::size_t bytesOf(Dtype dtype) { return dtype == Dtype::f32 ? 4 : dtype == Dtype::fp8 ? 1 : 2; }

}  // namespace

WeightLayout layOut(const Shape& s) {
  WeightLayout layout;
  std::size_t at = 0;
  const auto begin = [&] { return at = (at + alignment - 1) / alignment * alignment; };
  const auto put = [&](const std::string& name, std::size_t elements, float centre, float scale) {
    layout.placements.push_back({name, at, elements, centre, scale});
    layout.parameters += elements;
    at += elements * 2;
  };
  const auto matrix = [&](const std::string& name, std::size_t rows, std::size_t columns) {
    put(name, rows * columns, 0.0f, matrixScale);
  };
  const auto norm = [&](const std::string& name, std::size_t size) { put(name, size, 1.0f, 0.125f); };
  const auto hidden = static_cast<std::size_t>(s.hidden), q = static_cast<std::size_t>(s.heads * s.headDim),
             kv = static_cast<std::size_t>(s.kvHeads * s.headDim);

  layout.embedding = begin();
  matrix("model.embed_tokens.weight", static_cast<std::size_t>(s.vocab), hidden);
  for (int l = 0; l < s.layers; ++l) {
    const std::string prefix = "model.layers." + std::to_string(l) + ".";
    LayerWeights w;  // offsets + 1, so that 0 says "none"
    w.norm1 = begin() + 1;
    norm(prefix + "input_layernorm.weight", hidden);
    w.qkv = begin() + 1;
    matrix(prefix + "self_attn.q_proj.weight", q, hidden);
    matrix(prefix + "self_attn.k_proj.weight", kv, hidden);
    matrix(prefix + "self_attn.v_proj.weight", kv, hidden);
    if (s.attentionBias) {
      w.qkvBias = begin() + 1;
      put(prefix + "self_attn.q_proj.bias", q, 0.0f, matrixScale);
      put(prefix + "self_attn.k_proj.bias", kv, 0.0f, matrixScale);
      put(prefix + "self_attn.v_proj.bias", kv, 0.0f, matrixScale);
    }
    if (s.qkNorm) {
      w.qNorm = begin() + 1;
      norm(prefix + "self_attn.q_norm.weight", static_cast<std::size_t>(s.headDim));
      w.kNorm = begin() + 1;
      norm(prefix + "self_attn.k_norm.weight", static_cast<std::size_t>(s.headDim));
    }
    w.output = begin() + 1;
    matrix(prefix + "self_attn.o_proj.weight", hidden, q);
    w.norm2 = begin() + 1;
    norm(prefix + "post_attention_layernorm.weight", hidden);
    if (s.experts == 0) {
      const auto ffn = static_cast<std::size_t>(s.ffn);
      w.gateUp = begin() + 1;
      matrix(prefix + "mlp.gate_proj.weight", ffn, hidden);
      matrix(prefix + "mlp.up_proj.weight", ffn, hidden);
      w.down = begin() + 1;
      matrix(prefix + "mlp.down_proj.weight", hidden, ffn);
    } else {
      const bool mixtral = s.family == Family::mixtral;
      const std::string block = prefix + (mixtral ? "block_sparse_moe." : "mlp.");
      const auto ffn = static_cast<std::size_t>(s.expertFfn);
      w.router = begin() + 1;
      matrix(block + "gate.weight", static_cast<std::size_t>(s.experts), hidden);
      w.expertGateUp = begin() + 1;
      for (int e = 0; e < s.experts; ++e) {
        const std::string expert = block + "experts." + std::to_string(e) + ".";
        matrix(expert + (mixtral ? "w1.weight" : "gate_proj.weight"), ffn, hidden);
        matrix(expert + (mixtral ? "w3.weight" : "up_proj.weight"), ffn, hidden);
      }
      w.expertDown = begin() + 1;
      for (int e = 0; e < s.experts; ++e)
        matrix(block + "experts." + std::to_string(e) + (mixtral ? ".w2.weight" : ".down_proj.weight"), hidden, ffn);
      if (s.sharedFfn > 0) {
        const auto shared = static_cast<std::size_t>(s.sharedFfn);
        w.sharedGateUp = begin() + 1;
        matrix(block + "shared_expert.gate_proj.weight", shared, hidden);
        matrix(block + "shared_expert.up_proj.weight", shared, hidden);
        w.sharedDown = begin() + 1;
        matrix(block + "shared_expert.down_proj.weight", hidden, shared);
        w.sharedRouter = begin() + 1;
        matrix(block + "shared_expert_gate.weight", 1, hidden);
      }
    }
    layout.layers.push_back(w);
  }
  layout.finalNorm = begin();
  norm("model.norm.weight", hidden);
  if (s.tiedEmbeddings) {
    layout.head = layout.embedding;
  } else {
    layout.head = begin();
    matrix("lm_head.weight", static_cast<std::size_t>(s.vocab), hidden);
  }
  layout.bytes = begin();
  return layout;
}

Result<std::unique_ptr<Weights>> Weights::load(const std::shared_ptr<cuda::Context>& context, const Shape& shape,
                                               const std::shared_ptr<cuda::Module>& drawOrConvert, const Source& source,
                                               double* progress) {
  std::unique_ptr<Weights> self(new Weights());
  self->context_ = context;
  self->layout_ = layOut(shape);
  if (progress != nullptr) progress[1] = static_cast<double>(self->layout_.bytes);
  auto memory = allocateDevice(context, self->layout_.bytes, "weights");
  if (!memory.ok()) return memory.error();
  self->memory_ = memory.value();
  self->base_ = self->memory_->pointer();
  self->layers_ = self->layout_.layers;
  for (LayerWeights& w : self->layers_) {
    for (DevicePointer* each :
         {&w.norm1, &w.qkv, &w.qkvBias, &w.qNorm, &w.kNorm, &w.output, &w.norm2, &w.gateUp, &w.down, &w.router,
          &w.expertGateUp, &w.expertDown, &w.sharedGateUp, &w.sharedDown, &w.sharedRouter}) {
      if (*each != 0) *each += self->base_ - 1;
    }
  }
  DYNO_TRY(source.seed >= 0 ? self->draw(*drawOrConvert, static_cast<std::uint32_t>(source.seed), progress)
                            : self->read(*drawOrConvert, source, progress));
  return self;
}

Status Weights::draw(const cuda::Module& module, std::uint32_t seed, double* progress) {
  auto kernel = module.function("drawWeights");
  if (!kernel.ok()) return kernel.error();
  auto stream = cuda::Stream::create(context_);
  if (!stream.ok()) return stream.error();
  for (const Placement& each : layout_.placements) {
    const auto count = static_cast<std::uint32_t>(each.elements);
    DYNO_TRY(launch(*context_, kernel.value(), Grid{std::min(count / 1024 + 1, 4096u)}, Grid{256}, 0,
                    stream.value()->handle(), base_ + each.offset, weightKey(seed, each.name), count, each.centre,
                    each.scale));
    if (progress != nullptr) progress[0] = static_cast<double>(each.offset);
  }
  DYNO_TRY(stream.value()->synchronize());
  if (progress != nullptr) progress[0] = progress[1];
  return Nothing{};
}

Status Weights::read(const cuda::Module& module, const Source& source, double* progress) {
  std::map<std::string, const TensorSource*> byName;
  for (const TensorSource& each : source.tensors) byName[each.name] = &each;
  std::vector<std::unique_ptr<Mapped>> files;
  for (const std::string& path : source.files) {
    auto file = Mapped::open(path);
    if (!file.ok()) return file.error();
    files.push_back(std::move(file.value()));
  }
  // All names and sizes before the first byte moves.
  const auto refused = [](const std::string& what) {
    return DriverError{"", 0, "WEIGHTS", what, "Give the folder of a complete model of this shape (--model FOLDER)."};
  };
  for (const Placement& each : layout_.placements) {
    const auto found = byName.find(each.name);
    if (found == byName.end()) return refused("The tensor " + each.name + " is missing.");
    const TensorSource& tensor = *found->second;
    if (tensor.elements != each.elements)
      return refused("The tensor " + each.name + " has " + std::to_string(tensor.elements) + " elements, expected " +
                     std::to_string(each.elements) + ".");
    if (tensor.dtype == Dtype::fp8) return refused("The tensor " + each.name + " is FP8, expected BF16, F16 or F32.");
    if (tensor.bytes != tensor.elements * bytesOf(tensor.dtype))
      return refused("The tensor " + each.name + " has " + std::to_string(tensor.bytes) + " bytes, expected " +
                     std::to_string(tensor.elements * bytesOf(tensor.dtype)) + ".");
    if (tensor.file >= files.size() || tensor.offset + tensor.bytes > files[tensor.file]->bytes())
      return refused("The tensor " + each.name + " ends at byte " + std::to_string(tensor.offset + tensor.bytes) +
                     ", past the end of its file: the file is truncated.");
  }

  // A tensor that this forward would leave out changes what the model computes.
  std::set<std::string> known;
  for (const Placement& each : layout_.placements) known.insert(each.name);
  for (const TensorSource& each : source.tensors) {
    const bool harmless = each.name == "lm_head.weight" || each.name.find("rotary_emb.inv_freq") != std::string::npos;
    if (known.count(each.name) == 0 && !harmless)
      return refused("The tensor " + each.name + " is not one that this architecture has here.");
  }

  // Two halves of pinned memory in turn: the disk fills one while the other travels.
  constexpr std::size_t half = 32u << 20;
  auto pinned = cuda::PinnedMemory::allocate(context_, 2 * half);
  if (!pinned.ok()) return pinned.error();
  auto staged = allocateDevice(context_, 2 * half, "staging of weights");
  if (!staged.ok()) return staged.error();
  auto stream = cuda::Stream::create(context_);
  if (!stream.ok()) return stream.error();
  std::shared_ptr<cuda::Event> arrived[2];
  for (auto& each : arrived) {
    auto event = cuda::Event::create(context_, false);
    if (!event.ok()) return event.error();
    each = event.value();
  }
  auto fromHalf = module.function("convertHalf"), fromFloat = module.function("convertFloat");
  if (!fromHalf.ok()) return fromHalf.error();
  if (!fromFloat.ok()) return fromFloat.error();
  cuda::Library& library = context_->library();
  const cuda::StreamHandle handle = stream.value()->handle();
  bool used[2] = {false, false};
  int turn = 0;
  for (const Placement& each : layout_.placements) {
    const TensorSource& tensor = *byName[each.name];
    const std::size_t size = bytesOf(tensor.dtype);
    const char* from = files[tensor.file]->data() + tensor.offset;
    for (std::size_t done = 0; done < tensor.bytes; turn ^= 1) {
      const std::size_t bytes = std::min(half, tensor.bytes - done), elements = bytes / size;
      if (used[turn]) DYNO_CUDA_TRY(library, eventSynchronize, arrived[turn]->handle());
      char* host = pinned.value()->pointer() + static_cast<std::size_t>(turn) * half;
      std::memcpy(host, from + done, bytes);
      const DevicePointer to = base_ + each.offset + done / size * 2;
      if (tensor.dtype == Dtype::bf16) {
        DYNO_CUDA_TRY(library, copyToDeviceAsync, to, host, bytes, handle);
      } else {
        const DevicePointer raw = staged.value()->pointer() + static_cast<std::size_t>(turn) * half;
        DYNO_CUDA_TRY(library, copyToDeviceAsync, raw, host, bytes, handle);
        DYNO_TRY(launch(*context_, (tensor.dtype == Dtype::f16 ? fromHalf : fromFloat).value(), Grid{1024}, Grid{256}, 0,
                        handle, to, raw, static_cast<unsigned long long>(elements)));
      }
      DYNO_CUDA_TRY(library, eventRecord, arrived[turn]->handle(), handle);
      used[turn] = true;
      done += bytes;
      if (progress != nullptr) progress[0] = static_cast<double>(each.offset + done / size * 2);
    }
  }
  DYNO_TRY(stream.value()->synchronize());
  if (progress != nullptr) progress[0] = progress[1];
  return Nothing{};
}

}  // namespace dyno::transformer
