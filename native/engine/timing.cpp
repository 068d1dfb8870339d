#include "engine/timing.h"

#include <time.h>

namespace dyno::engine {

double secondsNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Result<Timing> timeOnStream(const cuda::Stream& stream, const TimingPlan& plan, const std::function<Status()>& body) {
  const std::shared_ptr<cuda::Context>& context = stream.context();
  cuda::Library& library = context->library();
  DYNO_TRY(context->makeCurrent());
  // Warm up in doubling bursts, so that a fast body does not spend the time in synchronising.
  const double until = secondsNow() + plan.warmUpSeconds;
  for (unsigned burst = 1; secondsNow() < until; burst = std::min(burst * 2, 1024u)) {
    const double before = secondsNow();
    for (unsigned i = 0; i < burst; ++i) DYNO_TRY(body());
    DYNO_TRY(stream.synchronize());
    if (secondsNow() - before > plan.warmUpSeconds / 4) burst = std::max(burst / 4, 1u);
  }
  std::vector<std::shared_ptr<cuda::Event>> marks;
  for (unsigned i = 0; i <= plan.repetitions; ++i) {
    auto mark = cuda::Event::create(context);
    if (!mark.ok()) return mark.error();
    marks.push_back(std::move(mark.value()));
  }
  DYNO_CUDA_TRY(library, eventRecord, marks[0]->handle(), stream.handle());
  for (unsigned i = 1; i <= plan.repetitions; ++i) {
    for (unsigned j = 0; j < plan.group; ++j) DYNO_TRY(body());
    DYNO_CUDA_TRY(library, eventRecord, marks[i]->handle(), stream.handle());
  }
  DYNO_TRY(stream.synchronize());
  std::vector<double> seconds;
  for (unsigned i = 1; i <= plan.repetitions; ++i) {
    auto ms = marks[i]->since(*marks[i - 1]);
    if (!ms.ok()) return ms.error();
    seconds.push_back(static_cast<double>(ms.value()) * 1e-3 / plan.group);
  }
  return summarise(std::move(seconds));
}

}  // namespace dyno::engine
