#include "nvml/sampler.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace dyno::nvml {
namespace {

constexpr Ns nsPerSecond = 1'000'000'000;

Ns clockNow(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<Ns>(now.tv_sec) * nsPerSecond + now.tv_nsec;
}

EndReason reasonOf(Return code) {
  switch (code) {
    case errorGpuIsLost:
    case errorGpuNotFound: return EndReason::lost;
    case errorResetRequired: return EndReason::resetRequired;
    default: return EndReason::driverGone;
  }
}

}  // namespace

Ns monotonicNow() { return clockNow(CLOCK_MONOTONIC); }

const char* endReasonName(EndReason reason) {
  switch (reason) {
    case EndReason::none: return "none";
    case EndReason::lost: return "lost";
    case EndReason::resetRequired: return "resetRequired";
    case EndReason::driverGone: return "driverGone";
    case EndReason::hung: return "hung";
  }
  return "none";
}

// What one sampling thread and the reader share. The thread owns it too, so an abandoned thread never touches freed
// memory.
struct Sampler::Lane {
  Lane(std::shared_ptr<GpuReader> ownReader, const SamplerOptions& opts)
      : reader(std::move(ownReader)),
        options(opts),
        ring(opts.ringCapacity),
        wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Lane() {
    if (wake >= 0) close(wake);
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  std::shared_ptr<GpuReader> reader;
  SamplerOptions options;
  SampleRing<Sample> ring;
  int wake;  // written once, at stop
  std::atomic<bool> stopping{false};
  std::atomic<bool> finished{false};
  std::atomic<Ns> insideSince{0};  // when the driver call now in progress began; 0 between calls
  std::atomic<int> endReason{0};
  std::atomic<Return> endCode{success};
  std::atomic<Ns> endTime{0};
  std::atomic<std::uint64_t> cpuTime{0};
  Ns readingTime = 0;    // the stamp of the reading in progress: when its driver call group began
  bool endTold = false;  // reader's side only
};

struct Sampler::EventLane {
  std::shared_ptr<Library> library;
  std::vector<Device> devices;
  std::vector<unsigned> gpus;
  Ns origin = 0;
  SampleRing<EventNotice> ring{1024};
  std::atomic<bool> stopping{false};
  std::atomic<bool> finished{false};
};

void Sampler::runLane(std::shared_ptr<Lane> lane) {
  pthread_setname_np(pthread_self(), "dyno-telemetry");
  GpuReader& reader = *lane->reader;
  const SamplerOptions& options = lane->options;
  const auto sink = [](void* context, Metric metric, double value) {
    Lane& self = *static_cast<Lane*>(context);
    // Stamped as it is read: a slow call before it must not make it look older than it is.
    self.ring.push(
        Sample{monotonicNow() - self.options.origin, value, static_cast<std::uint16_t>(self.reader->index()), metric});
  };

  struct Turn {
    Ns period;
    Ns due;
    Return (GpuReader::*read)(GpuReader::Sink, void*);
  };
  const Ns start = monotonicNow();
  Turn turns[4];
  std::size_t turnCount = 0;
  if (reader.reads(Source::nvml) || reader.reads(Source::nvmlField))
    turns[turnCount++] = {options.fastPeriod, start, &GpuReader::readFast};
  if (reader.reads(Source::gpm)) turns[turnCount++] = {options.gpmPeriod, start, &GpuReader::readGpm};
  if (reader.reads(Source::nvmlSlow)) turns[turnCount++] = {options.slowPeriod, start, &GpuReader::readSlow};
  if (reader.reads(Source::nvmlBlocking)) turns[turnCount++] = {options.slowPeriod, start, &GpuReader::readBlocking};

  reader.restartDifferences();
  while (turnCount > 0 && !lane->stopping.load(std::memory_order_acquire)) {
    Turn* next = &turns[0];
    for (std::size_t i = 1; i < turnCount; ++i) {
      if (turns[i].due < next->due) next = &turns[i];
    }
    const Ns wait = next->due - monotonicNow();
    if (wait > 0) {
      pollfd wake{lane->wake, POLLIN, 0};
      const timespec timeout{wait / nsPerSecond, wait % nsPerSecond};
      ppoll(&wake, 1, &timeout, nullptr);
      continue;  // woken early or on time: look again
    }
    lane->insideSince.store(monotonicNow(), std::memory_order_release);
    const Return code = (reader.*(next->read))(sink, lane.get());
    lane->insideSince.store(0, std::memory_order_release);
    lane->cpuTime.store(static_cast<std::uint64_t>(clockNow(CLOCK_THREAD_CPUTIME_ID)), std::memory_order_relaxed);
    // The watchdog may have given this lane up meanwhile: what it says stands.
    if (lane->endReason.load(std::memory_order_acquire) != 0) break;
    if (GpuReader::endsSeries(code)) {
      lane->endCode.store(code, std::memory_order_relaxed);
      lane->endTime.store(monotonicNow() - options.origin, std::memory_order_relaxed);
      int none = 0;
      lane->endReason.compare_exchange_strong(none, static_cast<int>(reasonOf(code)), std::memory_order_release);
      break;
    }
    // A turn that was missed is a gap, not a burst: stay on the grid, skip what has passed.
    const Ns now = monotonicNow();
    next->due += next->period;
    if (next->due < now) next->due += ((now - next->due) / next->period + 1) * next->period;
  }
  lane->finished.store(true, std::memory_order_release);
}

void Sampler::runEvents(std::shared_ptr<EventLane> lane) {
  pthread_setname_np(pthread_self(), "dyno-gpu-events");
  const Api& api = lane->library->api();
  EventSet set = nullptr;
  bool registered = false;
  if (api.eventSetCreate(&set) == success) {
    for (const Device device : lane->devices) {
      std::uint64_t supported = 0;
      if (device == nullptr || !api.supportedEvents || api.supportedEvents(device, &supported) != success) continue;
      const std::uint64_t asked =
          supported & (event::singleBitEcc | event::doubleBitEcc | event::xidCritical | event::recoveryAction);
      if (asked != 0 && api.registerEvents(device, asked, set) == success) registered = true;
    }
    while (registered && !lane->stopping.load(std::memory_order_acquire)) {
      EventData data{};
      // A bounded wait, so that stopping never waits for an event.
      const Return code = api.eventSetWait(set, &data, 200);
      if (code == errorTimeout) continue;
      if (code != success) break;
      const auto found = std::find(lane->devices.begin(), lane->devices.end(), data.device);
      if (found != lane->devices.end()) {
        lane->ring.push(
            EventNotice{monotonicNow() - lane->origin,
                        static_cast<std::uint16_t>(lane->gpus[static_cast<std::size_t>(found - lane->devices.begin())]),
                        data.type, data.data});
      }
    }
    api.eventSetFree(set);
  }
  lane->finished.store(true, std::memory_order_release);
}

Sampler::Sampler(std::shared_ptr<Library> library, std::vector<std::shared_ptr<GpuReader>> readers,
                 const SamplerOptions& options)
    : library_(std::move(library)), options_(options) {
  for (auto& reader : readers) {
    reader->select(options.wanted, options.blockingPcie);
    lanes_.push_back(std::make_shared<Lane>(reader, options));
  }
  for (const auto& lane : lanes_) threads_.emplace_back(runLane, lane);

  const Api& api = library_->api();
  if (api.eventSetCreate && api.eventSetFree && api.eventSetWait && api.registerEvents) {
    events_ = std::make_shared<EventLane>();
    events_->library = library_;
    events_->origin = options.origin;
    for (const auto& lane : lanes_) {
      events_->devices.push_back(library_->series(lane->reader->index()));
      events_->gpus.push_back(lane->reader->index());
    }
    eventThread_ = std::thread(runEvents, events_);
  }
}

Sampler::~Sampler() { stop(); }

std::size_t Sampler::drain(double* time, std::uint16_t* gpu, std::uint16_t* metric, double* value,
                           std::size_t capacity) {
  std::size_t written = 0;
  // Start with another GPU each time, so that small columns starve none.
  for (std::size_t turn = 0; turn < lanes_.size() && written < capacity; ++turn) {
    Lane& lane = *lanes_[(nextLane_ + turn) % lanes_.size()];
    lane.ring.drain(capacity - written, [&](const Sample& sample) {
      time[written] = static_cast<double>(sample.time);
      gpu[written] = sample.gpu;
      metric[written] = static_cast<std::uint16_t>(sample.metric);
      value[written] = sample.value;
      ++written;
    });
  }
  if (!lanes_.empty()) nextLane_ = (nextLane_ + 1) % lanes_.size();
  return written;
}

std::size_t Sampler::waiting() const {
  std::size_t total = 0;
  for (const auto& lane : lanes_) total += lane->ring.waiting();
  return total;
}

std::uint64_t Sampler::dropped() const {
  std::uint64_t total = 0;
  for (const auto& lane : lanes_) total += lane->ring.dropped();
  return total;
}

std::uint64_t Sampler::cpuTime() const {
  std::uint64_t total = 0;
  for (const auto& lane : lanes_) total += lane->cpuTime.load(std::memory_order_relaxed);
  return total;
}

std::vector<EndNotice> Sampler::takeEnded() {
  std::vector<EndNotice> ended;
  for (const auto& lane : lanes_) {
    const Ns since = lane->insideSince.load(std::memory_order_acquire);
    if (since != 0 && monotonicNow() - since > options_.hangAfter) {
      int none = 0;
      if (lane->endReason.compare_exchange_strong(none, static_cast<int>(EndReason::hung), std::memory_order_acq_rel))
        lane->endTime.store(since - options_.origin, std::memory_order_relaxed);
    }
    const auto reason = static_cast<EndReason>(lane->endReason.load(std::memory_order_acquire));
    if (reason == EndReason::none || lane->endTold) continue;
    lane->endTold = true;
    ended.push_back({lane->reader->index(), lane->endTime.load(std::memory_order_relaxed), reason,
                     lane->endCode.load(std::memory_order_relaxed)});
  }
  return ended;
}

std::vector<EventNotice> Sampler::takeEvents() {
  std::vector<EventNotice> notices;
  if (events_) events_->ring.drain(1024, [&](const EventNotice& notice) { notices.push_back(notice); });
  return notices;
}

void Sampler::stop(Ns patience) {
  if (stopped_.exchange(true, std::memory_order_acq_rel)) return;
  for (const auto& lane : lanes_) {
    lane->stopping.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    if (write(lane->wake, &one, sizeof one) < 0) { /* the thread then stops at its next turn */
    }
  }
  if (events_) events_->stopping.store(true, std::memory_order_release);

  const Ns giveUp = monotonicNow() + patience;
  const auto join = [&](std::thread& thread, const std::atomic<bool>& finished) {
    while (!finished.load(std::memory_order_acquire) && monotonicNow() < giveUp) {
      const timespec pause{0, 500'000};
      nanosleep(&pause, nullptr);
    }
    if (finished.load(std::memory_order_acquire)) {
      thread.join();
    } else {
      thread.detach();
      library_->abandon();
    }
  };
  for (std::size_t i = 0; i < threads_.size(); ++i) join(threads_[i], lanes_[i]->finished);
  if (eventThread_.joinable()) join(eventThread_, events_->finished);
}

}  // namespace dyno::nvml
