#include <algorithm>
#include <atomic>
#include <thread>

#include "cupti/activity_trace.h"
#include "cupti/range_profiler.h"
#include "tests/check.h"
#include "tests/fake_driver.h"

using namespace dyno;
namespace row = cupti::row;

namespace {

struct Told {  // as in fake_cupti_activity.inc
  int kind;
  std::string name;
  std::uint64_t start, end, bytes;
  std::uint32_t stream, correlation, threads, block;
};

// The fake, told by the test what ran.
class Story {
 public:
  explicit Story(const std::string& path) : library_(std::move(SharedLibrary::open({path}, "").value())) {
    note_ = library_.symbol<void (*)(const Told*)>({"fakeCuptiNote"});
    marker_ = library_.symbol<void (*)(std::uint32_t, const char*, std::uint64_t)>({"fakeCuptiMarker"});
  }
  void kernel(const char* name, std::uint64_t start, std::uint64_t end, std::uint32_t correlation = 1) const {
    const Told told{10, name, start, end, 0, 7, correlation, 1024, 256};
    note_(&told);
  }
  void copy(std::uint64_t start, std::uint64_t end, std::uint64_t bytes) const {
    const Told told{1, "1", start, end, bytes, 7, 2, 0, 1};
    note_(&told);
  }
  void range(std::uint32_t id, const char* name, std::uint64_t at) const { marker_(id, name, at); }
  void endRange(std::uint32_t id, std::uint64_t at) const { marker_(id, nullptr, at); }

 private:
  SharedLibrary library_;
  void (*note_)(const Told*);
  void (*marker_)(std::uint32_t, const char*, std::uint64_t);
};

std::vector<std::vector<double>> drained(cupti::ActivityTrace& trace, std::size_t capacity = 4096) {
  CHECK(trace.flush().ok());
  std::vector<std::vector<double>> all;
  std::vector<double> rows(capacity * row::width);
  for (;;) {
    const std::size_t count = trace.drain(rows.data(), capacity);
    for (std::size_t i = 0; i < count; ++i)
      all.emplace_back(rows.begin() + static_cast<long>(i * row::width),
                       rows.begin() + static_cast<long>((i + 1) * row::width));
    if (count < capacity) return all;
  }
}

}  // namespace

TEST("records become rows: kernels with their shape, copies with bytes, calls by name, ranges from their two markers") {
  const test::FakeDriver fake("fake_cupti");
  cupti::ActivityOptions options;
  options.libraryPath = fake.path();
  options.origin = 1000;
  auto started = cupti::ActivityTrace::start(options);
  CHECK(started.ok());
  if (!started.ok()) return;
  cupti::ActivityTrace& trace = *started.value();
  const Story story(fake.path());
  //   range   |1500 ............. 9000|
  //   kernel        |2000 .. 5000|
  //   copy                         |6000 . 7000|
  story.range(1, "decode step", 1500);
  story.kernel("_Z6decodePf", 2000, 5000);
  story.copy(6000, 7000, 4096);
  story.endRange(1, 9000);
  const auto rows = drained(trace);
  const auto find = [&](int kind) {
    return *std::find_if(rows.begin(), rows.end(), [&](const auto& each) { return each[row::kind] == kind; });
  };
  const auto name = [&](const std::vector<double>& each) {
    return trace.names()[static_cast<std::size_t>(each[row::name])];
  };
  CHECK(trace.ownClock() && rows.size() == 5);
  const auto kernel = find(row::kernel);
  CHECK(name(kernel) == "decode(float*)" && kernel[row::start] == 1000 && kernel[row::end] == 4000);
  CHECK(kernel[row::threads] == 1024 && kernel[row::blockThreads] == 256 && kernel[row::lane] == 7);
  const auto copy = find(row::copy);
  CHECK(copy[row::bytes] == 4096 && copy[row::name] == 1 && copy[row::end] - copy[row::start] == 1000);
  const auto call = find(row::driverCall);
  CHECK(name(call) == "cuLaunchKernel" && call[row::correlation] == kernel[row::correlation]);
  const auto range = find(row::range);
  CHECK(name(range) == "decode step" && range[row::start] == 500 && range[row::end] == 8000 && range[row::lane] == 77);
  CHECK(trace.dropped() == 0 && trace.refusedBuffers() == 0);
}

TEST("a pool that runs out refuses buffers, and what is lost is counted; a drain makes room again") {
  const test::FakeDriver fake("fake_cupti");
  cupti::ActivityOptions options;
  options.libraryPath = fake.path();
  options.calls = false;
  options.buffers = 2;
  options.bufferBytes = 216 * 4;  // four kernels each
  auto started = cupti::ActivityTrace::start(options);
  CHECK(started.ok());
  if (!started.ok()) return;
  cupti::ActivityTrace& trace = *started.value();
  const Story story(fake.path());
  for (std::uint64_t i = 0; i < 12; ++i) story.kernel("k", i * 10, i * 10 + 5);
  CHECK(drained(trace, 3).size() == 8);  // in turns of three rows
  CHECK(trace.dropped() == 4 && trace.refusedBuffers() >= 1);
  story.kernel("k", 500, 505);
  CHECK(drained(trace).size() == 1);
  // Paused, nothing is recorded; resumed, it is.
  trace.pause();
  story.kernel("k", 600, 605);
  CHECK(trace.resume().ok());
  story.kernel("k", 700, 705);
  const auto rows = drained(trace);
  CHECK(rows.size() == 1 && rows[0][row::start] == 700);
}

TEST("buffers change hands on several threads without loss") {
  const test::FakeDriver fake("fake_cupti");
  cupti::ActivityOptions options;
  options.libraryPath = fake.path();
  options.calls = false;
  options.bufferBytes = 216 * 16;
  auto started = cupti::ActivityTrace::start(options);
  CHECK(started.ok());
  if (!started.ok()) return;
  cupti::ActivityTrace& trace = *started.value();
  const Story story(fake.path());
  // CUPTI fills on one thread while the runner drains on another; at most 64 buffers of 16 kernels wait.
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < 900; ++i) story.kernel("k", i, i + 1);
  });
  std::vector<double> rows(256 * row::width);
  std::size_t seen = 0;
  for (int turn = 0; turn < 1000; ++turn) seen += trace.drain(rows.data(), 256);
  writer.join();
  CHECK(seen + drained(trace).size() == 900);
}

TEST("CUPTI's thread may ask for buffers while the recorder goes") {
  const test::FakeDriver fake("fake_cupti");
  auto library = std::move(SharedLibrary::open({fake.path()}, "").value());
  const auto ask = library.symbol<void (*)()>({"fakeCuptiAskBuffer"});
  cupti::ActivityOptions options;
  options.libraryPath = fake.path();
  options.buffers = 4;
  std::atomic<bool> done{false};
  std::atomic<int> asked{0};
  std::thread thread;
  for (int round = 0; round < 50; ++round) {
    auto started = cupti::ActivityTrace::start(options);
    CHECK(started.ok());
    if (!started.ok()) break;
    if (round == 0)
      thread = std::thread([&] {
        while (!done.load()) {
          ask();
          asked.fetch_add(1);
        }
      });
    const int before = asked.load();
    while (asked.load() < before + 20) std::this_thread::yield();
  }
  done.store(true);
  if (thread.joinable()) thread.join();
  CHECK(asked.load() >= 50 * 20);
}

TEST("one recorder a process; without CUPTI, or with another profiler, it says what to do") {
  const test::FakeDriver fake("fake_cupti");
  cupti::ActivityOptions options;
  options.libraryPath = "/nowhere/libcupti.so";
  const auto missing = cupti::ActivityTrace::start(options);
  CHECK(!missing.ok() && missing.error().hint.find("DYNO_CUPTI") != std::string::npos);
  options.libraryPath = fake.path();
  fake.script("fail cuptiActivityEnable 39\n");
  const auto refused = cupti::ActivityTrace::start(options);
  CHECK(!refused.ok() && refused.error().hint.find("profilers") != std::string::npos);
  fake.script("");
  const auto first = cupti::ActivityTrace::start(options);
  CHECK(first.ok());
  const auto second = cupti::ActivityTrace::start(options);
  CHECK(!second.ok() && second.error().name == "ALREADY_TRACING");
}

TEST("counters by kernel and by range: each range its values, refused metrics named, passes repeated until done") {
  const test::FakeDriver driver("fake_cuda");
  const test::FakeDriver fake("fake_cupti");
  auto library = cuda::Library::open(driver.path());
  auto context = cuda::Context::open(library.value(), 0);
  const Story story(fake.path());
  cupti::RangeOptions options;
  options.libraryPath = fake.path();
  options.metrics = {"dram__bytes_read.sum", "pcie__read_bytes.sum", "gpu__time_duration.sum"};
  {
    auto opened = cupti::RangeProfiler::open(context.value(), options);
    CHECK(opened.ok());
    if (!opened.ok()) return;
    cupti::RangeProfiler& counters = *opened.value();
    CHECK(counters.metrics().size() == 2 && counters.refused().size() == 1 && counters.chip() == "GH100");
    CHECK(counters.begin().ok());
    story.kernel("a", 0, 1);
    story.kernel("b", 2, 3);
    auto done = counters.end();
    CHECK(done.ok() && done.value());
    const auto read = counters.read();
    CHECK(read.ok() && read.value().size() == 2 && read.value()[1].name == "1" && read.value()[0].values[0] == 1000.0);
  }
  {
    options.perKernel = false;
    options.maxRanges = 1;
    auto opened = cupti::RangeProfiler::open(context.value(), options);
    CHECK(opened.ok());
    if (!opened.ok()) return;
    cupti::RangeProfiler& counters = *opened.value();
    int turns = 0;
    for (bool done = false; !done && turns < 5; ++turns) {
      CHECK(counters.begin().ok() && counters.push("decode").ok() && counters.pop().ok() &&
            counters.push("one too many").ok() && counters.pop().ok());
      done = counters.end().value();
    }
    CHECK(turns == 2);
    const auto read = counters.read();
    CHECK(read.ok() && read.value().size() == 1 && read.value()[0].name == "decode" && counters.dropped() == 1);
  }
  fake.script("fail cuptiRangeProfilerEnable 35\n");
  const auto refused = cupti::RangeProfiler::open(context.value(), options);
  CHECK(!refused.ok() && refused.error().name == "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES" &&
        refused.error().hint.find("NVreg_RestrictProfilingToAdminUsers") != std::string::npos);
  auto opened = SharedLibrary::open({fake.path()}, "");
  CHECK(opened.value().symbol<int (*)()>({"fakeCuptiAlive"})() == 0);
}
