// The device's clock (%globaltimer) on the host's CLOCK_MONOTONIC. A kernel answers the host's questions through pinned memory:
//
//   host   before ── asks ────────────── sees the answer ── after
//   device              reads its clock ↗                              offset = device − (before + after) / 2, error ≤ (after − before) / 2
//
// The shortest of some dozen round trips counts. Both clocks drift apart by parts per million: `refresh` asks again.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>

#include "cuda/resources.h"

namespace dyno::transformer {

std::int64_t monotonicNs();

class ClockMap {
 public:
  static Result<std::unique_ptr<ClockMap>> open(const std::shared_ptr<cuda::Context>& context,
                                                cuda::FunctionHandle answerClock);
  // Asks again when the last answer is older than `ageNs`. Takes some 50 µs of the calling thread then.
  Status refresh(std::int64_t ageNs);
  struct Mapping {
    std::int64_t offsetNs = 0;  // device − host
    std::int64_t errorNs = 0;   // of the round trip, and of the drift seen until the refresh
  };
  Mapping mapping() const;
  std::int64_t hostNs(std::uint64_t deviceNs) const {
    return static_cast<std::int64_t>(deviceNs) - mapping().offsetNs;
  }

 private:
  ClockMap() = default;
  Status ask();
  std::shared_ptr<cuda::Context> context_;
  std::shared_ptr<cuda::Stream> stream_;
  std::shared_ptr<cuda::PinnedMemory> cells_;
  cuda::FunctionHandle kernel_ = nullptr;
  mutable std::mutex mutex_;
  std::mutex asking_;
  Mapping mapping_;
  std::int64_t askedAt_ = 0;
};

}  // namespace dyno::transformer
