// Kernel receive stamps are CLOCK_REALTIME; everything else here is CLOCK_MONOTONIC. The offset between the two is measured
// by reading real time between two readings of monotonic time, three times, and keeping the tightest:
//
//     m0 ── r ── m1        offset = r − (m0+m1)/2, wrong by at most (m1−m0)/2
//
// NTP slews the offset by up to 500 ppm (5 µs in 10 ms), a step of the system clock moves it at once: both are measured,
// as the change between two refreshes, and are part of `error()`.
#pragma once
#include <time.h>

#include <cstdint>
#include <cstdlib>

namespace dyno::http {

inline std::int64_t clockNow(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}
inline std::int64_t monotonicNow() { return clockNow(CLOCK_MONOTONIC); }

class RealtimeMap {
 public:
  static constexpr std::int64_t refreshEvery = 10'000'000;
  // A larger change between two refreshes is a step of the clock, not a slew.
  static constexpr std::int64_t stepAbove = 100'000;

  RealtimeMap() { measure(); }

  void refresh(std::int64_t now) {
    if (now - measuredAt_ < refreshEvery) return;
    const std::int64_t before = offset_;
    measure();
    const std::int64_t change = std::llabs(offset_ - before);
    if (change > stepAbove) ++steps_;
    else if (change > largestChange_) largestChange_ = change;
  }

  std::int64_t monotonic(std::int64_t realtime) const { return realtime - offset_; }
  // ns by which a mapped stamp may be wrong: the widest bracket used, and the largest slew between two refreshes.
  std::int64_t error() const { return widest_ + largestChange_; }
  std::uint32_t steps() const { return steps_; }

 private:
  void measure() {
    std::int64_t tightest = INT64_MAX;
    for (int i = 0; i < 3; ++i) {
      const std::int64_t m0 = monotonicNow(), r = clockNow(CLOCK_REALTIME), m1 = monotonicNow();
      if (m1 - m0 >= tightest) continue;
      tightest = m1 - m0;
      offset_ = r - m0 - (m1 - m0) / 2;
    }
    measuredAt_ = monotonicNow();
    if (tightest / 2 > widest_) widest_ = tightest / 2;
  }

  std::int64_t offset_ = 0;
  std::int64_t measuredAt_ = 0;
  std::int64_t widest_ = 0;
  std::int64_t largestChange_ = 0;
  std::uint32_t steps_ = 0;
};

}  // namespace dyno::http
