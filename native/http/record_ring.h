// A ring of records of different lengths between one writing thread and one reader: no lock, no allocation after
// construction, nothing is dropped. A writer without room waits (`Stall` in receiver.cpp) and the socket keeps the bytes.
//
//     read ▼                        ▼ written
//   [ . . . |head|bytes..|head|head|bytes....| . . . ]     a record never wraps: the rest of the ring is padded instead
//
// Heads and payloads are aligned to 32 bytes, so the rest of the ring always holds at least one head or nothing.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace dyno::http {

enum class RecordKind : std::uint16_t {
  padding = 0,
  started = 1,      // the sender turned to this request: connect() or write() follows at once
  connected = 2,    // the TCP connection is established
  sent = 3,         // the last byte of the request is in the kernel
  kernelBytes = 4,  // bytes, stamped by the kernel when their last segment arrived
  clockBytes = 5,   // bytes, stamped by the clock after read(): the kernel gave no stamp
  ended = 6,        // the server closed its side
  failed = 7,       // value is errno
};

struct RecordHead {
  RecordKind kind = RecordKind::padding;
  std::uint16_t reserved = 0;
  std::uint32_t connection = 0;
  std::int64_t time = 0;     // CLOCK_MONOTONIC, ns
  std::uint32_t length = 0;  // bytes of payload
  std::int32_t value = 0;
  std::int64_t spare = 0;
};
static_assert(sizeof(RecordHead) == 32);

class RecordRing {
 public:
  static constexpr std::size_t unit = sizeof(RecordHead);

  // `capacity` in bytes is rounded up to a power of two of at least 4 KiB.
  explicit RecordRing(std::size_t capacity) {
    std::size_t size = 4096;
    while (size < capacity) size *= 2;
    size_ = size;
    store_ = std::make_unique<unsigned char[]>(size);
  }

  struct Room {
    unsigned char* bytes = nullptr;
    std::size_t size = 0;
  };

  // Writer only. A contiguous stretch for a payload of `least` to `most` bytes; null when the reader has to make room.
  Room reserve(std::size_t least, std::size_t most) {
    std::uint64_t written = written_.load(std::memory_order_relaxed);
    const std::uint64_t read = read_.load(std::memory_order_acquire);
    std::size_t free = size_ - static_cast<std::size_t>(written - read);
    std::size_t rest = size_ - static_cast<std::size_t>(written & (size_ - 1));
    if (rest < unit + rounded(least)) {
      if (free < rest) return {};
      RecordHead head;
      head.length = static_cast<std::uint32_t>(rest - unit);
      std::memcpy(at(written), &head, unit);
      written += rest;
      written_.store(written, std::memory_order_release);
      free -= rest;
      rest = size_;
    }
    const std::size_t contiguous = free < rest ? free : rest;
    if (contiguous < unit + rounded(least)) return {};
    const std::size_t size = contiguous - unit;
    return {at(written) + unit, size < most ? size : most};
  }

  // Writer only, after reserve(): `head.length` bytes of the room become readable.
  void commit(const RecordHead& head) {
    const std::uint64_t written = written_.load(std::memory_order_relaxed);
    std::memcpy(at(written), &head, unit);
    written_.store(written + unit + rounded(head.length), std::memory_order_release);
  }

  // Reader only. `take(head, payload)` returns false to leave the record for the next time.
  template <typename Take>
  void drain(Take take) {
    std::uint64_t read = read_.load(std::memory_order_relaxed);
    const std::uint64_t written = written_.load(std::memory_order_acquire);
    while (read != written) {
      RecordHead head;
      std::memcpy(&head, at(read), unit);
      if (head.kind != RecordKind::padding && !take(head, at(read) + unit)) break;
      read += unit + rounded(head.length);
    }
    read_.store(read, std::memory_order_release);
  }

  bool empty() const { return written_.load(std::memory_order_acquire) == read_.load(std::memory_order_acquire); }
  std::size_t capacity() const { return size_; }

 private:
  static std::size_t rounded(std::size_t bytes) { return (bytes + unit - 1) / unit * unit; }
  unsigned char* at(std::uint64_t position) { return store_.get() + (position & (size_ - 1)); }

  std::size_t size_ = 0;
  std::unique_ptr<unsigned char[]> store_;
  alignas(64) std::atomic<std::uint64_t> written_{0};
  alignas(64) std::atomic<std::uint64_t> read_{0};
};

}  // namespace dyno::http
