// How everything here is timed: CUDA events around each repetition, after a warm-up that lasts long enough for the
// clocks to settle; the median is reported, with the spread beside it. A repetition shorter than about 20 µs is timed
// in groups.
#pragma once
#include <algorithm>
#include <functional>
#include <vector>

#include "cuda/resources.h"

namespace dyno::engine {

struct Timing {
  double median = 0, least = 0, most = 0;  // seconds per repetition
  unsigned repetitions = 0;                // timed intervals, not counting the warm-up
};

struct TimingPlan {
  double warmUpSeconds = 0.15;
  unsigned repetitions = 20;
  unsigned group = 1;  // launches per timed interval
};

inline Timing summarise(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const std::size_t n = seconds.size();
  if (n == 0) return {};
  return {n % 2 == 1 ? seconds[n / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2, seconds.front(), seconds.back(),
          static_cast<unsigned>(n)};
}

double secondsNow();

// `body` queues one repetition on `stream`.
Result<Timing> timeOnStream(const cuda::Stream& stream, const TimingPlan& plan, const std::function<Status()>& body);

}  // namespace dyno::engine
