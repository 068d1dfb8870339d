#include "transformer/clock_map.h"

#include <time.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "transformer/launch.h"

namespace dyno::transformer {
namespace {
constexpr unsigned questions = 24;
constexpr unsigned long long kernelLimitNs = 5'000'000;
constexpr std::int64_t hostLimitNs = 20'000'000;
}  // namespace

std::int64_t monotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

Result<std::unique_ptr<ClockMap>> ClockMap::open(const std::shared_ptr<cuda::Context>& context,
                                                 cuda::FunctionHandle answerClock) {
  std::unique_ptr<ClockMap> self(new ClockMap());
  self->context_ = context;
  self->kernel_ = answerClock;
  auto stream = cuda::Stream::create(context, -5);
  if (!stream.ok()) return stream.error();
  self->stream_ = stream.value();
  auto cells = cuda::PinnedMemory::allocate(context, (questions + 1) * 8);
  if (!cells.ok()) return cells.error();
  self->cells_ = cells.value();
  DYNO_TRY(self->ask());  // the first loads the kernel
  DYNO_TRY(self->ask());
  return self;
}

ClockMap::Mapping ClockMap::mapping() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return mapping_;
}

Status ClockMap::refresh(std::int64_t ageNs) {
  const std::unique_lock<std::mutex> asking(asking_, std::try_to_lock);
  if (!asking.owns_lock() || monotonicNs() - askedAt_ < ageNs) return Nothing{};
  return ask();
}

Status ClockMap::ask() {
  DYNO_TRY(context_->makeCurrent());
  std::memset(cells_->pointer(), 0, cells_->bytes());
  auto* asked = reinterpret_cast<std::atomic<unsigned>*>(cells_->pointer());
  auto* answers = reinterpret_cast<std::atomic<std::uint64_t>*>(cells_->pointer() + 8);
  const auto address = reinterpret_cast<cuda::DevicePointer>(cells_->pointer());
  DYNO_TRY(launch(*context_, kernel_, Grid{1}, Grid{1}, 0, stream_->handle(), address, address + 8, questions,
                  kernelLimitNs));
  std::int64_t best = hostLimitNs, offset = 0;
  for (unsigned i = 0; i < questions; ++i) {
    const std::int64_t before = monotonicNs();
    asked->store(i + 1, std::memory_order_release);
    std::uint64_t device = 0;
    std::int64_t after = before;
    while ((device = answers[i].load(std::memory_order_acquire)) == 0) {
      after = monotonicNs();
      if (after - before > hostLimitNs) break;
    }
    if (device == 0) break;
    after = monotonicNs();
    if (after - before < best) {
      best = after - before;
      offset = static_cast<std::int64_t>(device) - (before + after) / 2;
    }
  }
  DYNO_TRY(stream_->synchronize());
  if (best == hostLimitNs)
    return DriverError{"", 0, "CLOCK", "The device's clock did not answer in 20 ms.",
                       "The GPU is busy with other processes: try again when it is not."};
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::int64_t drift = askedAt_ == 0 ? 0 : std::llabs(offset - mapping_.offsetNs);
  mapping_ = {offset, best / 2 + (drift < 1'000'000 ? drift : 0)};
  askedAt_ = monotonicNs();
  return Nothing{};
}

}  // namespace dyno::transformer
