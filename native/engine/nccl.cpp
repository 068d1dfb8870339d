#include "engine/nccl.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace dyno::engine {
namespace {

using Communicator = struct CommunicatorTag*;
constexpr int success = 0;
constexpr int typeFloat = 7, sum = 0;  // ncclFloat32, ncclSum

}  // namespace

const char* collectiveName(Collective collective) {
  switch (collective) {
    case Collective::allReduce: return "allReduce";
    case Collective::allToAll: return "allToAll";
    case Collective::sendReceive: return "sendReceive";
  }
  return "";
}

struct Nccl::Api {
  int (*version)(int*);
  const char* (*errorString)(int);
  int (*initAll)(Communicator*, int, const int*);
  int (*destroy)(Communicator);
  int (*allReduce)(const void*, void*, std::size_t, int, int, Communicator, cuda::StreamHandle);
  int (*send)(const void*, std::size_t, int, int, Communicator, cuda::StreamHandle);
  int (*receive)(void*, std::size_t, int, int, Communicator, cuda::StreamHandle);
  int (*groupStart)();
  int (*groupEnd)();
};

Nccl::~Nccl() { library_.abandon(); }  // it starts threads: never unmap it

Result<std::shared_ptr<Nccl>> Nccl::open(const std::string& path) {
  const char* given = std::getenv("DYNO_NCCL");
  std::vector<std::string> names = {"libnccl.so.2", "libnccl.so"};
  if (!path.empty())
    names = {path};
  else if (given != nullptr)
    names = {given};
  auto opened = SharedLibrary::open(names, "Install NCCL (libnccl2), or name it by DYNO_NCCL.");
  if (!opened.ok()) return opened.error();
  std::shared_ptr<Nccl> self(new Nccl());
  self->library_ = std::move(opened.value());
  self->api_ = std::make_unique<Api>();
  Api& api = *self->api_;
  const SharedLibrary& lib = self->library_;
  const auto find = [&lib](auto& function, const char* symbol) {
    function = lib.symbol<std::remove_reference_t<decltype(function)>>({symbol});
    return function != nullptr;
  };
  const bool complete = find(api.version, "ncclGetVersion") && find(api.errorString, "ncclGetErrorString") &&
                        find(api.initAll, "ncclCommInitAll") && find(api.destroy, "ncclCommDestroy") &&
                        find(api.allReduce, "ncclAllReduce") && find(api.send, "ncclSend") &&
                        find(api.receive, "ncclRecv") && find(api.groupStart, "ncclGroupStart") &&
                        find(api.groupEnd, "ncclGroupEnd");
  if (!complete)
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", self->path() + " lacks functions of NCCL 2.7.",
                       "Install NCCL 2.7 or newer."};
  return self;
}

std::string Nccl::version() const {
  int code = 0;  // 22803 is 2.28.3; before 2.9 it was 2708
  if (api_->version(&code) != success) return "unknown";
  const int major = code >= 10000 ? code / 10000 : code / 1000,
            minor = code >= 10000 ? code / 100 % 100 : code / 100 % 10;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(code % 100);
}

DriverError Nccl::error(const char* call, int code) const {
  const char* text = api_->errorString(code);
  return DriverError{call, code, "NCCL_ERROR",
                     std::string(call) + " answered " + (text != nullptr ? text : "an error") + ".",
                     "NCCL_DEBUG=WARN makes it say more."};
}

#define DYNO_NCCL_TRY(call, symbol)                                                       \
  do {                                                                                    \
    if (const int ncclCode = (call); ncclCode != success) return error(symbol, ncclCode); \
  } while (false)
#define DYNO_LET(name, expression)                     \
  auto name##Result = expression;                      \
  if (!name##Result.ok()) return name##Result.error(); \
  auto& name = name##Result.value()

Result<Nccl::Measured> Nccl::measure(const std::shared_ptr<cuda::Library>& library, int gpus, Collective collective,
                                     std::size_t bytes, unsigned repetitions) const {
  const int n = std::min(gpus, library->deviceCount());
  if (n < 2) return DriverError{"", 0, "ONE_GPU", "One GPU is visible: there is nobody to exchange with.", ""};
  struct Rank {
    std::shared_ptr<cuda::Context> context;
    std::shared_ptr<cuda::Stream> stream;
    std::shared_ptr<cuda::DeviceMemory> from, to;
    std::shared_ptr<cuda::Event> start, end;
  };
  const std::size_t block = std::max<std::size_t>(bytes / sizeof(float) / static_cast<std::size_t>(n), 1);
  const std::size_t count = block * static_cast<std::size_t>(n);  // floats on each GPU, one block for every GPU
  std::vector<Rank> ranks;
  std::vector<int> devices;
  for (int device = 0; device < n; ++device) {
    DYNO_LET(context, cuda::Context::open(library, device));
    DYNO_LET(stream, cuda::Stream::create(context));
    DYNO_LET(from, cuda::DeviceMemory::allocate(context, count * sizeof(float)));
    DYNO_LET(to, cuda::DeviceMemory::allocate(context, count * sizeof(float)));
    DYNO_LET(start, cuda::Event::create(context));
    DYNO_LET(end, cuda::Event::create(context));
    // Element i of GPU d is d + 1 + (i mod 97): each block and each GPU can be told apart, and sums are exact in fp32.
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(device + 1) + static_cast<float>(i % 97);
    DYNO_TRY(context->makeCurrent());
    DYNO_CUDA_TRY(*library, copyToDevice, from->pointer(), values.data(), count * sizeof(float));
    DYNO_CUDA_TRY(*library, synchronizeContext);
    ranks.push_back({context, stream, from, to, start, end});
    devices.push_back(device);
  }
  struct Communicators {
    const Api& api;
    std::vector<Communicator> all;
    ~Communicators() {
      for (const Communicator each : all)
        if (each != nullptr) api.destroy(each);
    }
  } communicators{*api_, std::vector<Communicator>(static_cast<std::size_t>(n), nullptr)};
  DYNO_NCCL_TRY(api_->initAll(communicators.all.data(), n, devices.data()), "ncclCommInitAll");

  const auto address = [](const std::shared_ptr<cuda::DeviceMemory>& memory, std::size_t element) {
    return reinterpret_cast<void*>(memory->pointer() + element * sizeof(float));
  };
  const auto queue = [&]() -> Status {
    DYNO_NCCL_TRY(api_->groupStart(), "ncclGroupStart");
    for (int rank = 0; rank < n; ++rank) {
      const Rank& own = ranks[static_cast<std::size_t>(rank)];
      const Communicator communicator = communicators.all[static_cast<std::size_t>(rank)];
      const cuda::StreamHandle stream = own.stream->handle();
      switch (collective) {
        case Collective::allReduce:
          DYNO_NCCL_TRY(
              api_->allReduce(address(own.from, 0), address(own.to, 0), count, typeFloat, sum, communicator, stream),
              "ncclAllReduce");
          break;
        case Collective::allToAll:
          for (int peer = 0; peer < n; ++peer) {
            const std::size_t at = static_cast<std::size_t>(peer) * block;
            DYNO_NCCL_TRY(api_->send(address(own.from, at), block, typeFloat, peer, communicator, stream), "ncclSend");
            DYNO_NCCL_TRY(api_->receive(address(own.to, at), block, typeFloat, peer, communicator, stream), "ncclRecv");
          }
          break;
        case Collective::sendReceive:
          DYNO_NCCL_TRY(api_->send(address(own.from, 0), count, typeFloat, (rank + 1) % n, communicator, stream),
                        "ncclSend");
          DYNO_NCCL_TRY(api_->receive(address(own.to, 0), count, typeFloat, (rank + n - 1) % n, communicator, stream),
                        "ncclRecv");
          break;
      }
    }
    DYNO_NCCL_TRY(api_->groupEnd(), "ncclGroupEnd");
    return Nothing{};
  };
  const auto waitForAll = [&]() -> Status {
    for (const Rank& each : ranks) DYNO_TRY(each.stream->synchronize());
    return Nothing{};
  };

  DYNO_TRY(queue());
  DYNO_TRY(waitForAll());
  // What each element must be, by what it is: a wrong one is no bandwidth.
  std::vector<float> found(count);
  for (int rank = 0; rank < n; ++rank) {
    const Rank& own = ranks[static_cast<std::size_t>(rank)];
    DYNO_TRY(own.context->makeCurrent());
    DYNO_CUDA_TRY(*library, copyToHost, found.data(), own.to->pointer(), count * sizeof(float));
    for (std::size_t i = 0; i < count; ++i) {
      float expected = 0;
      switch (collective) {
        case Collective::allReduce:
          expected = static_cast<float>(n * (n + 1) / 2) + static_cast<float>(n) * static_cast<float>(i % 97);
          break;
        case Collective::allToAll: {
          // Block b here came from GPU b, where it was the block meant for this GPU.
          const std::size_t source = i / block, there = static_cast<std::size_t>(rank) * block + i % block;
          expected = static_cast<float>(source + 1) + static_cast<float>(there % 97);
          break;
        }
        case Collective::sendReceive:
          expected = static_cast<float>((rank + n - 1) % n + 1) + static_cast<float>(i % 97);
          break;
      }
      if (found[i] != expected)
        return DriverError{
            collectiveName(collective), 0, "WRONG_RESULT",
            std::string(collectiveName(collective)) + " gave a wrong element on GPU " + std::to_string(rank) + ".",
            "Look at the kernel log for link errors."};
    }
  }

  for (int warm = 0; warm < 5; ++warm) DYNO_TRY(queue());
  DYNO_TRY(waitForAll());
  std::vector<double> seconds;
  for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
    for (const Rank& each : ranks) {
      DYNO_TRY(each.context->makeCurrent());
      DYNO_CUDA_TRY(*library, eventRecord, each.start->handle(), each.stream->handle());
    }
    DYNO_TRY(queue());
    for (const Rank& each : ranks) {
      DYNO_TRY(each.context->makeCurrent());
      DYNO_CUDA_TRY(*library, eventRecord, each.end->handle(), each.stream->handle());
    }
    DYNO_TRY(waitForAll());
    double slowest = 0;
    for (const Rank& each : ranks) {
      auto ms = each.end->since(*each.start);
      if (!ms.ok()) return ms.error();
      slowest = std::max(slowest, static_cast<double>(ms.value()) * 1e-3);
    }
    seconds.push_back(slowest);
  }
  Measured measured;
  measured.time = summarise(std::move(seconds));
  measured.bytes = count * sizeof(float);
  const double others = static_cast<double>(n - 1) / n;
  measured.busFactor = collective == Collective::allReduce  ? 2 * others
                       : collective == Collective::allToAll ? others
                                                            : 1;
  return measured;
}

}  // namespace dyno::engine
