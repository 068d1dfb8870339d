#include <atomic>
#include <cstdint>
#include <vector>

#include "cuda/runtime.h"
#include "engine/ceilings.h"
#include "tests/check.h"
#include "tests/fake_driver.h"

using namespace dyno;
using namespace dyno::cuda;
using dyno::test::FakeDriver;

namespace {

struct Opened {
  FakeDriver fake{"fake_cuda"};
  std::shared_ptr<Library> library;
  explicit Opened(const std::string& script = "") {
    if (!script.empty()) fake.script(script);
    auto opened = Library::open(fake.path());
    CHECK(opened.ok());
    if (opened.ok()) library = opened.value();
  }
  int alive() const {
    const auto opened = SharedLibrary::open({fake.path()}, "");
    return opened.value().symbol<int (*)()>({"fakeCudaAlive"})();
  }
};

template <typename T>
T must(const Result<T>& result) {
  CHECK(result.ok());
  return result.ok() ? result.value() : T{};
}

std::string image(const Opened& opened) {
  const std::string path = opened.fake.home() + "/test.fatbin";
  std::ofstream(path) << "fake";
  return path;
}

}  // namespace

TEST("no driver and no device are errors that say what to do") {
  CHECK(!Library::open("/nowhere/libcuda.so.1").ok());
  const FakeDriver fake("fake_cuda");
  fake.script("fail cuInit 100\n");
  const auto opened = Library::open(fake.path());
  CHECK(!opened.ok() && opened.error().call == "cuInit" && opened.error().code == errorNoDevice &&
        opened.error().name == "CUDA_ERROR_NO_DEVICE" && !opened.error().hint.empty());
}

TEST("bytes go to the device and come back, through a copy on the device and pinned memory") {
  const Opened opened;
  {
    Runtime runtime(opened.library);
    const Handle context = must(runtime.openContext(0)), stream = must(runtime.createStream(context));
    const Handle a = must(runtime.allocate(context, 64)), b = must(runtime.allocate(context, 64)),
                 pinned = must(runtime.allocatePinned(context, 64));
    std::vector<std::uint8_t> in(64), out(64);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint8_t>(i * 3);
    CHECK(runtime.writeBytes(a, 0, in.data(), 64).ok());
    CHECK(runtime.copy(stream, b, 0, a, 0, 64).ok());
    CHECK(runtime.copy(stream, pinned, 0, b, 0, 64).ok());
    CHECK(must(runtime.waiter(stream))().ok());
    CHECK(runtime.readBytes(pinned, 0, out.data(), 64).ok());
    CHECK(in == out);
    CHECK(runtime.fill(stream, b, 8, 0xEE, 8).ok() && runtime.readBytes(b, 0, out.data(), 64).ok());
    CHECK(out[7] == in[7] && out[8] == 0xEE && out[15] == 0xEE && out[16] == in[16]);
  }
  CHECK(opened.alive() == 0);
}

TEST("bytes that were written are there for a kernel launched right after, though the driver stages them") {
  const Opened opened;
  Runtime runtime(opened.library);
  const Handle context = must(runtime.openContext(0)), stream = must(runtime.createStream(context));
  const Handle kernel = must(runtime.findKernel(must(runtime.loadModule(context, image(opened))), "saxpy"));
  const Handle y = must(runtime.allocate(context, 4)), x = must(runtime.allocate(context, 4)),
               pinned = must(runtime.allocatePinned(context, 4));
  const float zero = 0, seven = 7;
  CHECK(runtime.writeBytes(y, 0, &zero, 4).ok() && runtime.writeBytes(x, 0, &seven, 4).ok());
  const double arguments[] = {y, 0, x, 0, 1.0, 1};
  CHECK(runtime.launch(stream, kernel, {1, 1, 1, 32, 1, 1}, 0, "ppfu", arguments, 6).ok());
  CHECK(runtime.copy(stream, pinned, 0, y, 0, 4).ok());
  float found = 0;
  CHECK(runtime.readBytes(pinned, 0, &found, 4).ok() && found == 7);
}

TEST("a freed handle refuses every use, even after its slot is used again") {
  const Opened opened;
  Runtime runtime(opened.library);
  const Handle context = must(runtime.openContext(0));
  const Handle old = must(runtime.allocate(context, 64));
  CHECK(runtime.release(old).ok());
  const Handle next = must(runtime.allocate(context, 64));  // the same slot, another generation
  std::uint8_t byte = 0;
  const Status read = runtime.readBytes(old, 0, &byte, 1);
  CHECK(!read.ok() && read.error().name == "HANDLE_FREED");
  CHECK(!runtime.release(old).ok());
  CHECK(runtime.release(next).ok());
  CHECK(runtime.readBytes(12345, 0, &byte, 1).error().name == "HANDLE_UNKNOWN");
  CHECK(runtime.createStream(must(runtime.createStream(context))).error().name == "HANDLE_KIND");
}

TEST("copies outside a buffer are refused before the driver sees them") {
  const Opened opened;
  Runtime runtime(opened.library);
  const Handle context = must(runtime.openContext(0)), stream = must(runtime.createStream(context));
  const Handle small = must(runtime.allocate(context, 16)), large = must(runtime.allocate(context, 64));
  CHECK(runtime.copy(stream, small, 0, large, 0, 17).error().name == "OUT_OF_RANGE");
  CHECK(runtime.copy(stream, small, 8, large, 0, 9).error().name == "OUT_OF_RANGE");
  CHECK(runtime.copy(stream, small, ~std::size_t{0}, large, 0, 8).error().name == "OUT_OF_RANGE");
  CHECK(runtime.copy(stream, small, 8, large, 56, 8).ok());
}

TEST("a kernel and a graph of it do the arithmetic that their arguments say") {
  const Opened opened;
  Runtime runtime(opened.library);
  const Handle context = must(runtime.openContext(0)), stream = must(runtime.createStream(context));
  const Handle kernel = must(runtime.findKernel(must(runtime.loadModule(context, image(opened))), "saxpy"));
  const Handle y = must(runtime.allocate(context, 16)), x = must(runtime.allocate(context, 16));
  float values[4] = {1, 2, 3, 4};
  CHECK(runtime.writeBytes(y, 0, values, 16).ok() && runtime.writeBytes(x, 0, values, 16).ok());
  const double arguments[] = {y, 0, x, 0, 2.0, 4};
  const auto launch = [&] { return runtime.launch(stream, kernel, {1, 1, 1, 128, 1, 1}, 0, "ppfu", arguments, 6); };
  CHECK(launch().ok());
  CHECK(runtime.beginCapture(stream).ok() && launch().ok());
  const Handle graph = must(runtime.endCapture(stream));
  CHECK(runtime.launchGraph(graph, stream).ok() && runtime.launchGraph(graph, stream).ok());
  CHECK(runtime.readBytes(y, 0, values, 16).ok());
  CHECK(values[3] == 4 + 3 * 8);  // three times y += 2·x
  CHECK(runtime.launch(stream, kernel, {1, 1, 1, 128, 1, 1}, 0, "ppfu", arguments, 5).error().name == "ARGUMENTS");
  CHECK(runtime.launch(stream, kernel, {0, 1, 1, 128, 1, 1}, 0, "ppfu", arguments, 6).error().code ==
        errorInvalidValue);
}

TEST("out of memory names the call, the code and the way out, and leaks nothing") {
  const Opened opened;
  {
    Runtime runtime(opened.library);
    const Handle context = must(runtime.openContext(0));
    opened.fake.script("fail cuMemAlloc_v2 2\n");
    const auto refused = runtime.allocate(context, 1 << 20);
    CHECK(!refused.ok() && refused.error().call == "cuMemAlloc_v2" &&
          refused.error().name == "CUDA_ERROR_OUT_OF_MEMORY" && !refused.error().hint.empty());
  }
  CHECK(opened.alive() == 0);
}

TEST("what is still alive is counted by kind, and freed in any order") {
  const Opened opened;
  {
    Runtime runtime(opened.library);
    const Handle context = must(runtime.openContext(0));
    must(runtime.allocate(context, 100));
    must(runtime.createStream(context));
    CHECK(runtime.describeAlive() ==
          "{\"handles\":3,\"bytes\":100,\"byKind\":{\"context\":1,\"stream\":1,\"buffer\":1},\"failedReleases\":0}");
    CHECK(runtime.release(context).ok());  // its buffer and stream keep it until they go
  }
  CHECK(opened.alive() == 0);
}

TEST("a stream that is waited on cannot be freed meanwhile") {
  const Opened opened;
  Runtime runtime(opened.library);
  const Handle stream = must(runtime.createStream(must(runtime.openContext(0))));
  auto waiting = must(runtime.waiter(stream));
  CHECK(runtime.release(stream).error().name == "HANDLE_BUSY");
  waiting = nullptr;
  CHECK(runtime.release(stream).ok());
}

TEST(
    "ceilings: every memory and launch roof is measured, matrix roofs are waived with a reason where cuBLASLt is "
    "missing") {
  const Opened opened("devices 2\n");
  std::ofstream(opened.fake.home() + "/ceilings.fatbin") << "fake";
  engine::CeilingOptions options;
  options.kernelFolder = opened.fake.home();
  options.cublasLtPath = "/nowhere/libcublasLt.so";
  options.nvmlPath = "/nowhere/libnvidia-ml.so";
  options.scale = 1e-4;
  unsigned steps = 0;
  const std::atomic<bool> cancelled{false};
  const std::string json = engine::measureCeilings(
      opened.library, options, [&](const engine::CeilingProgress&) { ++steps; }, cancelled);
  for (const char* id : {"deviceCopy", "hbmRead", "hbmCopy", "l2Read", "sharedRead", "hostToDevicePinned",
                         "deviceToHostPageable", "peerCopy:0>1", "launchLatency", "graphNode"}) {
    CHECK(json.find(std::string("{\"id\":\"") + id + "\",\"name\"") != std::string::npos);
  }
  CHECK(json.find("{\"id\":\"gemm:bf16\",\"reason\":\"/nowhere/libcublasLt.so could not be opened") !=
        std::string::npos);
  CHECK(steps > 15);
  CHECK(opened.alive() == 0);
}

TEST("cancelled ceilings stop before the next measurement") {
  const Opened opened;
  engine::CeilingOptions options;
  options.scale = 1e-4;
  std::atomic<bool> cancelled{false};
  const std::string json = engine::measureCeilings(
      opened.library, options, [&](const engine::CeilingProgress& progress) { cancelled = progress.done >= 1; },
      cancelled);
  CHECK(json.find("\"reason\":\"Cancelled.\"") != std::string::npos &&
        json.find("\"id\":\"deviceCopy\",\"name\"") != std::string::npos);
  CHECK(opened.alive() == 0);
}
