#include <poll.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "nvml/queries.h"
#include "nvml/sampler.h"
#include "tests/check.h"
#include "tests/fake_driver.h"

using namespace dyno;
using namespace dyno::nvml;
using dyno::test::FakeDriver;

namespace {

const char* busyGpu =
    "gpus 1\ntext 0 name Fake H100\ntext 0 pci 00000000:3B:00.0\nset 0 utilisation 100\nset 0 memoryTotal "
    "85899345920\nset 0 memoryUsed 1073741824\n"
    "set 0 temperature 41\nset 0 smClock 1980\nset 0 field.186 350000\nset 0 energy 5000\nset 0 gpm.2 81.5\nset 0 "
    "gpm.10 nan\nset 0 gpm.20 2\nset 0 gpm.60 0\nset 0 gpm.61 0\n";

std::shared_ptr<Library> openFake(const FakeDriver& fake) {
  auto opened = Library::open(fake.path());
  CHECK(opened.ok());
  return opened.ok() ? opened.value() : nullptr;
}

struct Series {
  std::map<std::pair<unsigned, Metric>, std::vector<Sample>> byMetric;
  std::vector<EndNotice> ended;
  std::vector<EventNotice> events;
};

SamplerOptions quick() {
  SamplerOptions options;
  options.wanted.set();
  options.origin = monotonicNow();
  options.fastPeriod = 5'000'000;
  options.gpmPeriod = 10'000'000;
  options.slowPeriod = 20'000'000;
  options.hangAfter = 60'000'000;
  return options;
}

// Drains until `enough` or five seconds: a condition, never a fixed sleep.
void drainUntil(Sampler& sampler, Series& series, const std::function<bool()>& enough) {
  double t[256], value[256];
  std::uint16_t gpu[256], metric[256];
  const Ns giveUp = monotonicNow() + 5'000'000'000;
  while (!enough() && monotonicNow() < giveUp) {
    const std::size_t count = sampler.drain(t, gpu, metric, value, 256);
    for (std::size_t i = 0; i < count; ++i) {
      const auto which = static_cast<Metric>(metric[i]);
      series.byMetric[{gpu[i], which}].push_back(Sample{static_cast<Ns>(t[i]), value[i], gpu[i], which});
    }
    for (const EndNotice& end : sampler.takeEnded()) series.ended.push_back(end);
    for (const EventNotice& event : sampler.takeEvents()) series.events.push_back(event);
    if (count == 0) poll(nullptr, 0, 1);
  }
  CHECK(enough());
}

}  // namespace

TEST("the PCI domain is shortened as sysfs writes it, and kept whole when it is longer") {
  CHECK(sysfsPciAddress("00000000:3B:00.0") == "0000:3b:00.0");
  CHECK(sysfsPciAddress("00010000:01:00.0") == "10000:01:00.0");
  CHECK(sysfsPciAddress("nonsense") == "nonsense");
}

TEST("bits become a cpulist") {
  CHECK(cpuList({0x10000000Ful, 0x3ul}) == "0-3,32,64-65");
  CHECK(cpuList({0, 0}).empty());
}

TEST("a ring gives back what went in, and counts what it had no room for") {
  SampleRing<int> ring(4);
  for (int i = 0; i < 6; ++i) ring.push(i);
  std::vector<int> out;
  CHECK(ring.drain(100, [&](int i) { out.push_back(i); }) == 4);
  CHECK((out == std::vector<int>{0, 1, 2, 3}));
  CHECK(ring.dropped() == 2);
  ring.push(6);
  CHECK(ring.drain(100, [&](int i) { out.push_back(i); }) == 1);
  CHECK(out.back() == 6);
}

TEST("one writer, one reader, a million samples: all in order, none twice") {
  SampleRing<int> ring(1024);
  constexpr int total = 1'000'000;
  std::thread writer([&] {
    for (int i = 0; i < total; ++i) {
      while (ring.waiting() >= 1024) std::this_thread::yield();
      ring.push(i);
    }
  });
  int expected = 0;
  bool inOrder = true;
  while (expected < total) {
    if (ring.drain(256, [&](int i) { inOrder = inOrder && i == expected++; }) == 0) std::this_thread::yield();
  }
  writer.join();
  CHECK(inOrder && ring.dropped() == 0);
}

TEST("without a driver the error says which library and what to do") {
  const auto opened = Library::open("/nowhere/libnvidia-ml.so.1");
  CHECK(!opened.ok() && opened.error().name == "LIBRARY_NOT_FOUND" &&
        opened.error().hint.find("driver") != std::string::npos);
}

TEST("a driver that does not initialise is an error with the driver's code") {
  const FakeDriver fake("fake_nvml");
  fake.script("gpus 1\nfail init 9\n");
  const auto opened = Library::open(fake.path());
  CHECK(!opened.ok() && opened.error().code == errorDriverNotLoaded && opened.error().call == "nvmlInit_v2");
}

TEST("metrics that a GPU lacks are absent, never zero; NaN is a gap") {
  const FakeDriver fake("fake_nvml");
  fake.script(busyGpu);
  const auto library = openFake(fake);
  Sampler sampler(library, probeReaders(library, {}), quick());
  Series series;
  drainUntil(sampler, series, [&] { return series.byMetric[{0, Metric::smUtilisation}].size() >= 3; });
  sampler.stop();
  CHECK((series.byMetric[{0, Metric::smUtilisation}].front().value == 81.5));
  CHECK((series.byMetric[{0, Metric::power}].front().value == 350.0));
  CHECK((series.byMetric[{0, Metric::energy}].front().value == 5.0));
  CHECK((series.byMetric[{0, Metric::pcieTx}].front().value == 2 * 1024.0 * 1024.0));
  CHECK((series.byMetric[{0, Metric::memoryUsed}].front().value == 1073741824.0));
  for (const Metric lacking : {Metric::dramBandwidth, Metric::smOccupancy, Metric::memoryClock, Metric::nvlinkTx,
                               Metric::eccCorrected, Metric::powerAverage}) {
    CHECK((series.byMetric.count({0, lacking}) == 0 || series.byMetric[{0, lacking}].empty()));
  }
}

TEST("times run on the given origin and never backwards within a GPU's metric") {
  const FakeDriver fake("fake_nvml");
  fake.script(busyGpu);
  const auto library = openFake(fake);
  const SamplerOptions options = quick();
  Sampler sampler(library, probeReaders(library, {}), options);
  Series series;
  drainUntil(sampler, series, [&] { return series.byMetric[{0, Metric::smClock}].size() >= 10; });
  Ns last = 0;
  for (const Sample& sample : series.byMetric[{0, Metric::smClock}]) {
    CHECK(sample.time >= last && sample.time < monotonicNow() - options.origin);
    last = sample.time;
  }
}

TEST("a 32-bit byte counter that wraps still gives the true rate") {
  const FakeDriver fake("fake_nvml");
  fake.script("gpus 1\nset 0 counter.197 1000000\nset 0 counter.138 2000\nset 0 wide.138 1\nset 0 link.0.remote -1\n");
  const auto library = openFake(fake);
  Sampler sampler(library, probeReaders(library, {}), quick());
  Series series;
  drainUntil(sampler, series, [&] { return series.byMetric[{0, Metric::pcieTx}].size() >= 5; });
  // The fake starts 65,536 bytes before 2^32: the wrap lies within the first interval.
  for (const Sample& sample : series.byMetric[{0, Metric::pcieTx}]) CHECK(std::fabs(sample.value - 1e6) < 50);
  for (const Sample& sample : series.byMetric[{0, Metric::nvlinkTx}])
    CHECK(std::fabs(sample.value - 2000 * 1024.0) < 1024 * 20);
}

TEST("an unplugged GPU ends its own series with a reason; the other one goes on") {
  const FakeDriver fake("fake_nvml");
  fake.script("gpus 2\nset 0 smClock 1000\nset 1 smClock 2000\n");
  const auto library = openFake(fake);
  Sampler sampler(library, probeReaders(library, {}), quick());
  Series series;
  drainUntil(sampler, series, [&] {
    return !series.byMetric[{0, Metric::smClock}].empty() && !series.byMetric[{1, Metric::smClock}].empty();
  });
  fake.script("gpus 2\nset 0 smClock 1000\nset 1 smClock 2000\nlost 0\n");
  drainUntil(sampler, series, [&] { return !series.ended.empty(); });
  CHECK(series.ended.front().gpu == 0 && series.ended.front().reason == EndReason::lost &&
        series.ended.front().code == errorGpuIsLost);
  const std::size_t before = series.byMetric[{1, Metric::smClock}].size();
  drainUntil(sampler, series, [&] { return series.byMetric[{1, Metric::smClock}].size() > before + 3; });
  CHECK(series.ended.size() == 1);
}

TEST("a GPU that hangs inside the driver is given up; stopping does not wait for it") {
  const FakeDriver fake("fake_nvml");
  fake.script("gpus 2\nset 0 smClock 1000\nset 1 smClock 2000\n");
  const auto library = openFake(fake);
  Sampler sampler(library, probeReaders(library, {}), quick());
  Series series;
  drainUntil(sampler, series, [&] { return !series.byMetric[{0, Metric::smClock}].empty(); });
  fake.script("gpus 2\nset 0 smClock 1000\nset 1 smClock 2000\nhang 0\n");
  drainUntil(sampler, series, [&] { return !series.ended.empty(); });
  CHECK(series.ended.front().gpu == 0 && series.ended.front().reason == EndReason::hung);
  const Ns before = monotonicNow();
  sampler.stop(30'000'000);
  CHECK(monotonicNow() - before < 1'000'000'000);
  fake.script("gpus 2\n");  // the call comes back after all: its thread must find everything still there
  poll(nullptr, 0, 20);
}

TEST("samples that nobody drains are dropped and counted") {
  const FakeDriver fake("fake_nvml");
  fake.script("gpus 1\nset 0 smClock 1000\n");
  const auto library = openFake(fake);
  SamplerOptions options = quick();
  options.fastPeriod = 1'000'000;
  options.ringCapacity = 8;
  Sampler sampler(library, probeReaders(library, {}), options);
  const Ns giveUp = monotonicNow() + 5'000'000'000;
  while (sampler.dropped() == 0 && monotonicNow() < giveUp) poll(nullptr, 0, 1);
  CHECK(sampler.dropped() > 0 && sampler.waiting() == 8);
}

TEST("an XID reaches the event list with its number") {
  const FakeDriver fake("fake_nvml");
  fake.script("gpus 1\nset 0 smClock 1000\n");
  const auto library = openFake(fake);
  Sampler sampler(library, probeReaders(library, {}), quick());
  fake.script("gpus 1\nset 0 smClock 1000\nevent 0 8 79\n");
  Series series;
  drainUntil(sampler, series, [&] { return !series.events.empty(); });
  CHECK(series.events.front().gpu == 0 && series.events.front().type == event::xidCritical &&
        series.events.front().data == 79);
}

TEST("topology: NVLinks between two GPUs are counted, sysfs answers what NVML cannot") {
  const FakeDriver fake("fake_nvml");
  fake.script(
      "gpus 2\ntext 0 pci 00000000:3B:00.0\ntext 1 pci 00000000:86:00.0\nset 0 ancestor 50\nset 1 ancestor 50\nset 0 "
      "p2p.0 0\nset 0 p2p.2 0\n"
      "set 0 link.0.remote 1\nset 0 link.1.remote 1\nset 1 link.0.remote 0\nset 1 link.1.remote 0\nset 0 field.164 "
      "26562\n");
  const std::string device = fake.home() + "/sys/bus/pci/devices/0000:3b:00.0";
  std::filesystem::create_directories(device);
  std::ofstream(device + "/numa_node") << "1\n";
  std::ofstream(device + "/local_cpulist") << "16-31\n";
  const auto library = openFake(fake);
  const std::string json = describeTopology(*library, fake.home() + "/sys");
  CHECK(json.find("\"numaNode\":1") != std::string::npos);
  CHECK(json.find("\"cpuAffinity\":\"16-31\",\"cpuAffinitySource\":\"sysfs\"") != std::string::npos);
  CHECK(json.find("{\"from\":0,\"to\":1,\"path\":\"system\",\"p2p\":{\"read\":\"ok\",\"nvlink\":\"ok\"},\"nvlinks\":2,"
                  "\"nvlinkBytesPerSecond\":53124000000}") != std::string::npos);
  // GPU 1's links have no scripted speed and its P2P none either: both are absent, not zero.
  CHECK(json.find("{\"from\":1,\"to\":0,\"path\":\"system\",\"p2p\":{},\"nvlinks\":2}") != std::string::npos);
}
