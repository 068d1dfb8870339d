// A ring of samples between one sampling thread and one reader: no lock, no allocation after construction.
//
//      read ▼              ▼ written
//   [ . . . s s s s s s s s . . . . ]      full: the new sample is dropped and counted, what is recorded stays whole
//
// `Sample` must be trivially copyable; the capacity is a power of two.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dyno {

template <typename Sample>
class SampleRing {
 public:
  explicit SampleRing(std::size_t capacity) : slots_(roundUp(capacity)), mask_(slots_.size() - 1) {}

  // Called by the sampling thread only.
  void push(const Sample& sample) {
    const std::uint64_t written = written_.load(std::memory_order_relaxed);
    if (written - read_.load(std::memory_order_acquire) > mask_) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    slots_[written & mask_] = sample;
    written_.store(written + 1, std::memory_order_release);
  }

  // Called by the reader only. Takes at most `limit`, oldest first, and returns how many.
  template <typename Take>
  std::size_t drain(std::size_t limit, Take take) {
    std::uint64_t read = read_.load(std::memory_order_relaxed);
    const std::uint64_t written = written_.load(std::memory_order_acquire);
    std::size_t taken = 0;
    for (; read != written && taken < limit; ++read, ++taken) take(slots_[read & mask_]);
    read_.store(read, std::memory_order_release);
    return taken;
  }

  std::size_t waiting() const {
    return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_acquire);
  }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static std::size_t roundUp(std::size_t capacity) {
    std::size_t size = 1;
    while (size < capacity) size *= 2;
    return size;
  }
  std::vector<Sample> slots_;
  std::size_t mask_;
  alignas(64) std::atomic<std::uint64_t> written_{0};
  alignas(64) std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace dyno
