#include <poll.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cupti/pm_sampling.h"
#include "tests/check.h"
#include "tests/fake_driver.h"

using namespace dyno;
using nvml::Metric;
using nvml::Ns;

TEST("high-resolution samples lie on the run's clock, gaps included, sums become rates, refused counters are named") {
  const test::FakeDriver fake("fake_cupti");
  cupti::PmOptions options;
  options.libraryPath = fake.path();
  options.gpu = 3;
  options.interval = 100'000;
  options.origin = nvml::monotonicNow();
  {
    auto started = cupti::PmSampling::start(options);
    CHECK(started.ok());
    if (!started.ok()) return;
    cupti::PmSampling& sampling = *started.value();
    std::map<Metric, std::vector<nvml::Sample>> series;
    const Ns giveUp = nvml::monotonicNow() + 5'000'000'000;
    while (series[Metric::smUtilisation].size() < 1000 && nvml::monotonicNow() < giveUp) {
      sampling.ring().drain(10'000, [&](const nvml::Sample& sample) { series[sample.metric].push_back(sample); });
      poll(nullptr, 0, 1);
    }
    sampling.stop();
    const auto& busy = series[Metric::smUtilisation];
    CHECK(busy.size() >= 1000 && busy[0].value == 75.0 && busy[0].gpu == 3);
    // Every 50th sample is missing on this card: a gap of two intervals, not a shift of all that follow.
    for (std::size_t i = 1; i < busy.size(); ++i)
      CHECK(busy[i].time - busy[i - 1].time == (i % 49 == 0 ? 2 : 1) * options.interval);
    CHECK(busy.front().time >= options.interval && busy.back().time <= nvml::monotonicNow() - options.origin);
    CHECK(series[Metric::dramRead][0].value == 1000.0 * 1e4);
    CHECK(sampling.coverage() > 0.97 && sampling.coverage() < 0.99);
    // Ten counters: PCIe's two are not on the card, the last of the other eight does not fit the pass.
    CHECK(sampling.metrics().size() == 7 && sampling.refused().size() == 3);
  }
  auto opened = SharedLibrary::open({fake.path()}, "");
  CHECK(opened.value().symbol<int (*)()>({"fakeCuptiAlive"})() == 0);
}

TEST("without CUPTI the high-resolution source says what to install") {
  const auto started = cupti::PmSampling::start({"/nowhere/libcupti.so", 0, 0, 100'000, 0, 1024});
  CHECK(!started.ok() && started.error().hint.find("CUPTI") != std::string::npos);
}

TEST("a decoder that hangs inside the driver does not hold up the stop, and what it uses stays") {
  const test::FakeDriver fake("fake_cupti");
  cupti::PmOptions options;
  options.libraryPath = fake.path();
  options.origin = nvml::monotonicNow();
  auto started = cupti::PmSampling::start(options);
  CHECK(started.ok());
  if (!started.ok()) return;
  fake.script("hang cuptiPmSamplingDecodeData\n");
  const Ns settle = nvml::monotonicNow() + 5'000'000'000;
  // The thread is inside once its count of decoded samples stands still over many periods.
  for (std::uint64_t last = ~0ull; last != started.value()->decoded() && nvml::monotonicNow() < settle;) {
    last = started.value()->decoded();
    poll(nullptr, 0, 50);
  }
  const Ns before = nvml::monotonicNow();
  started.value()->stop(100'000'000);
  CHECK(started.value()->hung());
  CHECK(nvml::monotonicNow() - before < 1'000'000'000);
  const cupti::PmSampling* left = started.value().get();
  started.value().reset();
  fake.script("\n");  // the thread comes back, finds its memory, and ends
  const Ns giveUp = nvml::monotonicNow() + 5'000'000'000;
  while (!left->ended() && nvml::monotonicNow() < giveUp) poll(nullptr, 0, 1);
  CHECK(left->ended());
}

TEST("a sample without a length leaves the coverage finite") {
  const test::FakeDriver fake("fake_cupti");
  fake.script("still\n");
  cupti::PmOptions options;
  options.libraryPath = fake.path();
  options.origin = nvml::monotonicNow();
  auto started = cupti::PmSampling::start(options);
  CHECK(started.ok());
  if (!started.ok()) return;
  const Ns giveUp = nvml::monotonicNow() + 5'000'000'000;
  while (started.value()->decoded() == 0 && nvml::monotonicNow() < giveUp) poll(nullptr, 0, 1);
  started.value()->stop();
  CHECK(started.value()->decoded() > 0);
  CHECK(std::isfinite(started.value()->coverage()));
}
