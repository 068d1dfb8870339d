#include "engine/ceilings.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>
#include <vector>

#include "driver/json.h"
#include "engine/cublaslt.h"
#include "engine/nccl.h"
#include "engine/timing.h"
#include "nvml/nvml_library.h"

namespace dyno::engine {
namespace {

using cuda::Context;
using cuda::DeviceMemory;
using cuda::DevicePointer;
using cuda::Kernel;
using cuda::PinnedMemory;
using cuda::Stream;

constexpr std::size_t mebibyte = 1u << 20;
constexpr std::uint64_t matrixSize = 8192;

struct Measured {
  double value, least, most;  // in the ceiling's unit
  unsigned repetitions;
};
// More per second from fewer seconds: the least time is the most bandwidth.
Measured rate(double amount, const Timing& time) {
  return {amount / time.median, amount / time.most, amount / time.least, time.repetitions};
}

struct Bench {
  std::shared_ptr<Context> context;
  std::shared_ptr<Stream> stream;
  std::shared_ptr<cuda::Module> module;
  std::shared_ptr<CublasLt> blas;
  std::optional<DriverError> noModule, noBlas;
  CeilingOptions options;

  std::size_t scaled(std::size_t bytes) const {
    return std::max<std::size_t>(static_cast<std::size_t>(static_cast<double>(bytes) * options.scale) / 4096 * 4096,
                                 65536);
  }
  unsigned blocks(unsigned perMultiprocessor) const {
    return static_cast<unsigned>(std::max(context->attribute(cuda::attribute::multiprocessors), 1)) * perMultiprocessor;
  }

  Result<std::shared_ptr<Kernel>> kernel(const char* name) const {
    if (!module) return *noModule;
    return Kernel::find(module, name);
  }
  Status launch(const Kernel& kernel, unsigned grid, unsigned block,
                std::initializer_list<const void*> arguments) const {
    std::vector<void*> pointers;
    for (const void* argument : arguments) pointers.push_back(const_cast<void*>(argument));
    DYNO_CUDA_TRY(context->library(), launch, kernel.handle(), grid, 1, 1, block, 1, 1, 0, stream->handle(),
                  pointers.data(), nullptr);
    return Nothing{};
  }
};

#define DYNO_LET(name, expression)                     \
  auto name##Result = expression;                      \
  if (!name##Result.ok()) return name##Result.error(); \
  auto& name = name##Result.value()

// ---- Memory

Result<Measured> deviceCopy(Bench& bench) {
  const std::size_t bytes = bench.scaled(4096 * mebibyte);
  DYNO_LET(from, DeviceMemory::allocate(bench.context, bytes));
  DYNO_LET(to, DeviceMemory::allocate(bench.context, bytes));
  DYNO_CUDA_TRY(bench.context->library(), fillAsync, from->pointer(), 0x5A, bytes, bench.stream->handle());
  DYNO_LET(time, timeOnStream(*bench.stream, {}, [&]() -> Status {
             DYNO_CUDA_TRY(bench.context->library(), copyOnDeviceAsync, to->pointer(), from->pointer(), bytes,
                           bench.stream->handle());
             return Nothing{};
           }));
  return rate(2.0 * static_cast<double>(bytes), time);
}

Result<Measured> readBandwidth(Bench& bench, std::size_t bytes, unsigned passes) {
  DYNO_LET(kernel, bench.kernel("readWords"));
  DYNO_LET(memory, DeviceMemory::allocate(bench.context, bytes));
  DYNO_LET(sum, DeviceMemory::allocate(bench.context, 16));
  DYNO_CUDA_TRY(bench.context->library(), fillAsync, memory->pointer(), 0x5A, bytes, bench.stream->handle());
  const DevicePointer words = memory->pointer(), total = sum->pointer();
  const std::uint64_t count = bytes / 16;
  DYNO_LET(time, timeOnStream(*bench.stream, {}, [&] {
             return bench.launch(*kernel, bench.blocks(4), 512, {&words, &count, &passes, &total});
           }));
  return rate(static_cast<double>(bytes) * passes, time);
}
Result<Measured> hbmRead(Bench& bench) { return readBandwidth(bench, bench.scaled(4096 * mebibyte), 1); }
Result<Measured> l2Read(Bench& bench) {
  // A quarter of L2: on a cache in two halves each half can hold its copy of everything.
  const auto l2 = static_cast<std::size_t>(std::max(bench.context->attribute(cuda::attribute::l2Bytes), 1 << 20));
  return readBandwidth(bench, l2 / 4 / 65536 * 65536, 64);
}

Result<Measured> hbmCopy(Bench& bench) {
  DYNO_LET(kernel, bench.kernel("copyWords"));
  const std::size_t bytes = bench.scaled(4096 * mebibyte);
  DYNO_LET(from, DeviceMemory::allocate(bench.context, bytes));
  DYNO_LET(to, DeviceMemory::allocate(bench.context, bytes));
  DYNO_CUDA_TRY(bench.context->library(), fillAsync, from->pointer(), 0x5A, bytes, bench.stream->handle());
  const DevicePointer target = to->pointer(), source = from->pointer();
  const std::uint64_t count = bytes / 16;
  DYNO_LET(time, timeOnStream(*bench.stream, {}, [&] {
             return bench.launch(*kernel, bench.blocks(4), 512, {&target, &source, &count});
           }));
  return rate(2.0 * static_cast<double>(bytes), time);
}

Result<Measured> sharedRead(Bench& bench) {
  DYNO_LET(kernel, bench.kernel("readShared"));
  DYNO_LET(sum, DeviceMemory::allocate(bench.context, 16));
  const DevicePointer total = sum->pointer();
  const unsigned steps = 16384, grid = bench.blocks(2), block = 1024;
  DYNO_LET(time, timeOnStream(*bench.stream, {}, [&] { return bench.launch(*kernel, grid, block, {&steps, &total}); }));
  return rate(16.0 * steps * grid * block, time);
}

// ---- Host links

Result<Measured> pinnedCopy(Bench& bench, bool toDevice) {
  const std::size_t bytes = bench.scaled(256 * mebibyte);
  DYNO_LET(device, DeviceMemory::allocate(bench.context, bytes));
  DYNO_LET(host, PinnedMemory::allocate(bench.context, bytes));
  std::memset(host->pointer(), 0x5A, bytes);
  DYNO_LET(time, timeOnStream(*bench.stream, {0.1, 10, 1}, [&]() -> Status {
             if (toDevice) {
               DYNO_CUDA_TRY(bench.context->library(), copyToDeviceAsync, device->pointer(), host->pointer(), bytes,
                             bench.stream->handle());
             } else {
               DYNO_CUDA_TRY(bench.context->library(), copyToHostAsync, host->pointer(), device->pointer(), bytes,
                             bench.stream->handle());
             }
             return Nothing{};
           }));
  return rate(static_cast<double>(bytes), time);
}

Result<Measured> pageableCopy(Bench& bench, bool toDevice) {
  const std::size_t bytes = bench.scaled(256 * mebibyte);
  DYNO_LET(device, DeviceMemory::allocate(bench.context, bytes));
  std::vector<char> host(bytes, 0x5A);
  std::vector<double> seconds;
  // Blocking calls: the host's clock is the right one. Two to warm up.
  for (int i = 0; i < 22; ++i) {
    const double before = secondsNow();
    if (toDevice) {
      DYNO_CUDA_TRY(bench.context->library(), copyToDevice, device->pointer(), host.data(), bytes);
      DYNO_CUDA_TRY(bench.context->library(), synchronizeContext);
    } else {
      DYNO_CUDA_TRY(bench.context->library(), copyToHost, host.data(), device->pointer(), bytes);
    }
    if (i >= 2) seconds.push_back(secondsNow() - before);
  }
  return rate(static_cast<double>(bytes), summarise(std::move(seconds)));
}

Result<Measured> peerCopy(Bench& bench, int to) {
  DYNO_LET(other, Context::open(bench.context->libraryPointer(), to));
  DYNO_TRY(bench.context->makeCurrent());
  // Without direct access the driver stages the copy through the host: that is then the truth of this pair.
  const cuda::Code enabled = bench.context->api().enablePeer(other->handle(), 0);
  if (enabled != cuda::success && enabled != cuda::errorPeerAlreadyEnabled && enabled != 217)
    return bench.context->library().error("cuCtxEnablePeerAccess", enabled);
  const std::size_t bytes = bench.scaled(512 * mebibyte);
  DYNO_LET(source, DeviceMemory::allocate(bench.context, bytes));
  DYNO_LET(target, DeviceMemory::allocate(other, bytes));
  DYNO_TRY(bench.context->makeCurrent());
  DYNO_LET(time, timeOnStream(*bench.stream, {0.1, 10, 1}, [&]() -> Status {
             DYNO_CUDA_TRY(bench.context->library(), copyPeerAsync, target->pointer(), other->handle(),
                           source->pointer(), bench.context->handle(), bytes, bench.stream->handle());
             return Nothing{};
           }));
  return rate(static_cast<double>(bytes), time);
}

// ---- Collectives over all GPUs

Result<Measured> collective(Bench& bench, Collective which, std::size_t bytes) {
  const std::shared_ptr<cuda::Library>& library = bench.context->libraryPointer();
  if (library->deviceCount() < 2)
    return DriverError{"", 0, "ONE_GPU", "One GPU is visible: there is nobody to exchange with.", ""};
  DYNO_LET(nccl, Nccl::open(bench.options.ncclPath));
  const unsigned repetitions = bench.options.scale < 1 ? 5 : 30;
  DYNO_LET(found, nccl->measure(library, library->deviceCount(), which, bench.scaled(bytes), repetitions));
  DYNO_TRY(bench.context->makeCurrent());
  return rate(static_cast<double>(found.bytes) * found.busFactor, found.time);
}
Result<Measured> smallAllReduce(Bench& bench) {
  const std::shared_ptr<cuda::Library>& library = bench.context->libraryPointer();
  if (library->deviceCount() < 2)
    return DriverError{"", 0, "ONE_GPU", "One GPU is visible: there is nobody to exchange with.", ""};
  DYNO_LET(nccl, Nccl::open(bench.options.ncclPath));
  DYNO_LET(found, nccl->measure(library, library->deviceCount(), Collective::allReduce, 1024, 200));
  DYNO_TRY(bench.context->makeCurrent());
  return Measured{found.time.median, found.time.least, found.time.most, found.time.repetitions};
}

// ---- Matrix products

const char* normalKernel(Precision precision) {
  switch (precision) {
    case Precision::fp32:
    case Precision::tf32: return "normalFloat";
    case Precision::fp16: return "normalHalf";
    case Precision::bf16: return "normalBfloat";
    case Precision::fp8: return "normalFp8";
    case Precision::int8: return "normalInt8";
  }
  return "normalFloat";
}

struct GemmRun {
  std::shared_ptr<DeviceMemory> a, b, d;
  std::unique_ptr<Gemm> gemm;
  std::uint64_t size = 0;
  double flops() const {
    return 2.0 * static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
  }
};

Result<std::unique_ptr<GemmRun>> prepareGemm(Bench& bench, Precision precision) {
  if (!bench.blas) return *bench.noBlas;
  auto run = std::make_unique<GemmRun>();
  run->size = std::max<std::uint64_t>(
      static_cast<std::uint64_t>(static_cast<double>(matrixSize) * bench.options.scale) / 64 * 64, 64);
  const std::uint64_t count = run->size * run->size;
  const std::size_t bytes = count * bytesPerElement(precision),
                    outBytes = count * (precision == Precision::int8  ? 4
                                        : precision == Precision::fp8 ? 2
                                                                      : bytesPerElement(precision));
  DYNO_LET(a, DeviceMemory::allocate(bench.context, bytes));
  DYNO_LET(b, DeviceMemory::allocate(bench.context, bytes));
  DYNO_LET(d, DeviceMemory::allocate(bench.context, outBytes));
  run->a = a;
  run->b = b;
  run->d = d;
  DYNO_LET(kernel, bench.kernel(normalKernel(precision)));
  std::uint64_t seed = 1;
  for (const DevicePointer pointer : {a->pointer(), b->pointer()}) {
    DYNO_TRY(bench.launch(*kernel, bench.blocks(8), 256, {&pointer, &count, &seed}));
    ++seed;
  }
  DYNO_LET(gemm, Gemm::plan(bench.blas, bench.context, precision, run->size, run->size, run->size));
  run->gemm = std::move(gemm);
  return run;
}

// FLOP/s of the order that a data-centre card gives: only decides how often to repeat.
double expectedRate(Precision precision) {
  switch (precision) {
    case Precision::fp32: return 50e12;
    case Precision::tf32: return 350e12;
    case Precision::fp16:
    case Precision::bf16: return 700e12;
    case Precision::fp8:
    case Precision::int8: return 1300e12;
  }
  return 50e12;
}

Result<Measured> matrixProduct(Bench& bench, Precision precision) {
  DYNO_LET(run, prepareGemm(bench, precision));
  // The library's guess is not always its fastest: try its first choices for a moment each, then measure the best.
  double best = 0;
  std::size_t fastest = 0;
  const double moment = bench.options.scale < 1 ? 0.001 : 0.08;
  for (std::size_t candidate = 0; candidate < run->gemm->candidates(); ++candidate) {
    run->gemm->choose(candidate);
    const auto trials = static_cast<unsigned>(std::clamp(moment * expectedRate(precision) / run->flops(), 3.0, 100.0));
    auto time = timeOnStream(*bench.stream, {moment, trials, 1}, [&] {
      return run->gemm->run(run->a->pointer(), run->b->pointer(), run->d->pointer(), bench.stream->handle());
    });
    if (time.ok() && (best == 0 || time.value().median < best)) best = time.value().median, fastest = candidate;
  }
  run->gemm->choose(fastest);
  // At the power limit the clock takes about a second to settle: warm up for as long, then time about 0.6 s of it.
  const auto repetitions = static_cast<unsigned>(std::clamp(0.6 * expectedRate(precision) / run->flops(), 20.0, 800.0));
  DYNO_LET(time, timeOnStream(*bench.stream, {bench.options.scale < 1 ? 0.05 : 1.0, repetitions, 1}, [&] {
             return run->gemm->run(run->a->pointer(), run->b->pointer(), run->d->pointer(), bench.stream->handle());
           }));
  return rate(run->flops(), time);
}

// ---- Launches

Result<Measured> launchThroughput(Bench& bench) {
  DYNO_LET(kernel, bench.kernel("empty"));
  DYNO_LET(time, timeOnStream(*bench.stream, {0.05, 20, 500}, [&] { return bench.launch(*kernel, 1, 32, {}); }));
  return Measured{time.median, time.least, time.most, time.repetitions};
}

Result<Measured> launchLatency(Bench& bench) {
  DYNO_LET(kernel, bench.kernel("empty"));
  std::vector<double> seconds;
  for (int i = 0; i < 300; ++i) {
    const double before = secondsNow();
    DYNO_TRY(bench.launch(*kernel, 1, 32, {}));
    DYNO_TRY(bench.stream->synchronize());
    if (i >= 100) seconds.push_back(secondsNow() - before);
  }
  const Timing time = summarise(std::move(seconds));
  return Measured{time.median, time.least, time.most, time.repetitions};
}

Result<Measured> graphNode(Bench& bench) {
  DYNO_LET(kernel, bench.kernel("empty"));
  constexpr unsigned nodes = 500;
  DYNO_CUDA_TRY(bench.context->library(), beginCapture, bench.stream->handle(), cuda::captureThreadLocal);
  for (unsigned i = 0; i < nodes; ++i) DYNO_TRY(bench.launch(*kernel, 1, 32, {}));
  DYNO_LET(graph, cuda::Graph::fromCapture(*bench.stream));
  DYNO_LET(time, timeOnStream(*bench.stream, {0.05, 20, 1}, [&]() -> Status {
             DYNO_CUDA_TRY(bench.context->library(), graphLaunch, graph->handle(), bench.stream->handle());
             return Nothing{};
           }));
  return Measured{time.median / nodes, time.least / nodes, time.most / nodes, time.repetitions};
}

// ---- Clocks under load: NVML read while bf16 products run

struct UnderLoad {
  std::vector<double> smMHz, memoryMHz, watts;
};

Result<Measured> underLoad(Bench& bench, const char* which) {
  auto opened = nvml::Library::open(bench.options.nvmlPath);
  if (!opened.ok()) return opened.error();
  const nvml::Library& library = *opened.value();
  const nvml::Api& api = library.api();
  // CUDA and NVML number GPUs differently: the PCI address ties them.
  nvml::Device device = nullptr;
  for (const nvml::Device each : library.devices()) {
    nvml::PciInfo pci{};
    if (each != nullptr && api.pciInfo && api.pciInfo(each, &pci) == nvml::success &&
        static_cast<int>(pci.bus) == bench.context->attribute(cuda::attribute::pciBus) &&
        static_cast<int>(pci.device) == bench.context->attribute(cuda::attribute::pciDevice) &&
        static_cast<int>(pci.domain) == bench.context->attribute(cuda::attribute::pciDomain)) {
      device = each;
    }
  }
  if (device == nullptr) return DriverError{"", 0, "GPU_NOT_MATCHED", "NVML does not list this CUDA device.", ""};
  DYNO_LET(run, prepareGemm(bench, Precision::bf16));
  std::vector<double> readings;
  const double until = secondsNow() + 0.8;
  while (secondsNow() < until) {
    for (int i = 0; i < 20; ++i)
      DYNO_TRY(run->gemm->run(run->a->pointer(), run->b->pointer(), run->d->pointer(), bench.stream->handle()));
    unsigned reading = 0;
    nvml::Return code = nvml::errorNotSupported;
    if (std::strcmp(which, "sm") == 0 && api.clock) code = api.clock(device, nvml::clockSm, &reading);
    if (std::strcmp(which, "memory") == 0 && api.clock) code = api.clock(device, nvml::clockMemory, &reading);
    if (code != nvml::success) return library.error("nvmlDeviceGetClockInfo", code);
    if (secondsNow() > until - 0.5) readings.push_back(reading);  // the first part is the ramp
    DYNO_TRY(bench.stream->synchronize());
  }
  const Timing spread = summarise(std::move(readings));
  return Measured{spread.median, spread.least, spread.most, spread.repetitions};
}

struct Ceiling {
  std::string id, name, unit, definition;
  std::function<Result<Measured>(Bench&)> measure;
};

std::vector<Ceiling> ceilingsFor(const cuda::Library& library, int device) {
  std::vector<Ceiling> list = {
      {"deviceCopy", "Device copy", "bytes/s", "cuMemcpyDtoDAsync of 4 GiB, bytes read and written both counted.",
       deviceCopy},
      {"hbmRead", "HBM read", "bytes/s", "A kernel that reads 4 GiB once, 16 bytes a load.", hbmRead},
      {"hbmCopy", "HBM copy by a kernel", "bytes/s", "A kernel that copies 4 GiB, bytes read and written both counted.",
       hbmCopy},
      {"l2Read", "L2 read", "bytes/s", "A kernel that reads a quarter of L2 64 times, past L1.", l2Read},
      {"sharedRead", "Shared memory read", "bytes/s",
       "A kernel that reads shared memory, 16 bytes a load without conflicts, on all SMs.", sharedRead},
      {"hostToDevicePinned", "Host to device, pinned", "bytes/s", "cuMemcpyHtoDAsync of 256 MiB of page-locked memory.",
       [](Bench& b) { return pinnedCopy(b, true); }},
      {"deviceToHostPinned", "Device to host, pinned", "bytes/s", "cuMemcpyDtoHAsync of 256 MiB to page-locked memory.",
       [](Bench& b) { return pinnedCopy(b, false); }},
      {"hostToDevicePageable", "Host to device, pageable", "bytes/s",
       "cuMemcpyHtoD of 256 MiB of ordinary memory, host clock.", [](Bench& b) { return pageableCopy(b, true); }},
      {"deviceToHostPageable", "Device to host, pageable", "bytes/s",
       "cuMemcpyDtoH of 256 MiB to ordinary memory, host clock.", [](Bench& b) { return pageableCopy(b, false); }},
  };
  for (int peer = 0; peer < library.deviceCount(); ++peer) {
    if (peer == device) continue;
    list.push_back({"peerCopy:" + std::to_string(device) + ">" + std::to_string(peer),
                    "GPU " + std::to_string(device) + " to GPU " + std::to_string(peer), "bytes/s",
                    "cuMemcpyPeerAsync of 512 MiB; staged through the host where peer access is refused.",
                    [peer](Bench& b) { return peerCopy(b, peer); }});
  }
  if (library.deviceCount() > 1) {
    const std::string all = "all " + std::to_string(library.deviceCount()) + " GPUs";
    list.push_back(
        {"nccl:allReduce", "NCCL all-reduce, " + all, "bytes/s",
         "ncclAllReduce of 256 MiB of fp32 on each GPU, one process; bus bandwidth: bytes · 2(n−1)/n over the "
         "slowest GPU's time. Every element is verified first.",
         [](Bench& b) { return collective(b, Collective::allReduce, 256 * mebibyte); }});
    list.push_back(
        {"nccl:allToAll", "NCCL all-to-all, " + all, "bytes/s",
         "ncclSend and ncclRecv of each GPU's 256 MiB in equal blocks to every GPU, grouped; bytes · (n−1)/n "
         "over the slowest GPU's time. Every element is verified first.",
         [](Bench& b) { return collective(b, Collective::allToAll, 256 * mebibyte); }});
    list.push_back({"nccl:sendReceive", "NCCL send and receive, ring of " + all, "bytes/s",
                    "Each GPU sends 256 MiB to the next and receives as much; bytes of one direction over the slowest "
                    "GPU's time. Every element is verified first.",
                    [](Bench& b) { return collective(b, Collective::sendReceive, 256 * mebibyte); }});
    list.push_back(
        {"nccl:allReduceLatency", "NCCL all-reduce of 1 KiB, " + all, "s",
         "Time of one ncclAllReduce of 1 KiB on the slowest GPU: what a decode step of tensor parallelism pays.",
         smallAllReduce});
  }
  for (const Precision precision :
       {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16, Precision::fp8, Precision::int8}) {
    std::string name = precisionName(precision);
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    list.push_back({std::string("gemm:") + precisionName(precision), name + " matrix product", "FLOP/s",
                    std::string("cuBLASLt, 8192×8192×8192, normally distributed random data, ") +
                        (precision == Precision::int8 ? "int32" : "fp32") +
                        " accumulation, the fastest of the library's first four choices, sustained: after 1 s of the "
                        "same work.",
                    [precision](Bench& b) { return matrixProduct(b, precision); }});
  }
  list.push_back({"launchThroughput", "Launch, back to back", "s", "Time per launch of an empty kernel, 500 in a row.",
                  launchThroughput});
  list.push_back({"launchLatency", "Launch and wait", "s",
                  "Host time from launching one empty kernel to knowing that it is done.", launchLatency});
  list.push_back({"graphNode", "Graph node", "s", "Time per empty kernel in a replayed graph of 500.", graphNode});
  list.push_back({"smClockUnderLoad", "SM clock under load", "MHz", "NVML, while bf16 products run, after the ramp.",
                  [](Bench& b) { return underLoad(b, "sm"); }});
  list.push_back({"memoryClockUnderLoad", "Memory clock under load", "MHz",
                  "NVML, while bf16 products run, after the ramp.", [](Bench& b) { return underLoad(b, "memory"); }});
  return list;
}

}  // namespace

std::string measureCeilings(const std::shared_ptr<cuda::Library>& library, const CeilingOptions& options,
                            const std::function<void(const CeilingProgress&)>& progress,
                            const std::atomic<bool>& cancelled) {
  const double began = secondsNow();
  Bench bench;
  bench.options = options;
  auto context = Context::open(library, options.device);
  if (!context.ok()) return errorAnswer(context.error());
  bench.context = context.value();
  auto stream = Stream::create(bench.context);
  if (!stream.ok()) return errorAnswer(stream.error());
  bench.stream = stream.value();
  if (auto module = cuda::Module::loadFile(bench.context, options.kernelFolder + "/ceilings.fatbin"); module.ok()) {
    bench.module = module.value();
  } else {
    bench.noModule = module.error();
  }
  if (auto blas = CublasLt::open(options.cublasLtPath); blas.ok()) {
    bench.blas = blas.value();
  } else {
    bench.noBlas = blas.error();
  }

  std::vector<Ceiling> list = ceilingsFor(*library, options.device);
  if (!options.only.empty()) {
    std::erase_if(list, [&](const Ceiling& ceiling) {
      return std::none_of(options.only.begin(), options.only.end(),
                          [&](const std::string& begin) { return ceiling.id.rfind(begin, 0) == 0; });
    });
  }
  char name[128] = "";
  library->api().deviceName(name, sizeof name, bench.context->id());
  Json json, waived;
  json.beginObject()
      .field("device", options.device)
      .field("name", name)
      .field("cudaDriver",
             std::to_string(library->version() / 1000) + "." + std::to_string(library->version() % 1000 / 10));
  if (library->deviceCount() > 1) {
    if (auto nccl = Nccl::open(options.ncclPath); nccl.ok()) json.field("nccl", nccl.value()->version());
  }
  if (bench.blas) json.field("cublasLt", static_cast<std::uint64_t>(bench.blas->version()));
  json.key("ceilings").beginArray();
  waived.beginArray();
  unsigned done = 0;
  for (const Ceiling& ceiling : list) {
    if (cancelled.load()) {
      waived.beginObject().field("id", ceiling.id).field("reason", "Cancelled.").endObject();
      continue;
    }
    progress({done++, static_cast<unsigned>(list.size()), ceiling.id});
    auto measured = ceiling.measure(bench);
    if (!measured.ok()) {
      waived.beginObject().field("id", ceiling.id).field("reason", measured.error().message).endObject();
      continue;
    }
    const Measured& m = measured.value();
    json.beginObject()
        .field("id", ceiling.id)
        .field("name", ceiling.name)
        .field("value", m.value)
        .field("unit", ceiling.unit)
        .field("least", m.least)
        .field("most", m.most);
    json.field("repetitions", m.repetitions).field("definition", ceiling.definition).endObject();
  }
  progress({static_cast<unsigned>(list.size()), static_cast<unsigned>(list.size()), ""});
  waived.endArray();
  // The waived list was written apart, because both lists grow in one pass.
  std::string text = json.endArray().field("seconds", secondsNow() - began).text();
  text += ",\"waived\":" + waived.text() + "}";
  return text;
}

}  // namespace dyno::engine
