// CUDA objects by number for JavaScript. A number names one object for ever: after it is freed, or a wrong kind is
// used, every call answers HANDLE_FREED or HANDLE_KIND instead of touching memory. Called on one thread; only the waits
// run elsewhere, and an object that is waited on cannot be freed meanwhile.
//
//   number = generation · 2^24 + slot           a slot that is used again gets the next generation
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/resources.h"

namespace dyno::cuda {

using Handle = double;  // an integer below 2^53

enum class Kind : std::uint8_t { none, context, stream, event, buffer, pinned, module, kernel, graph };
const char* kindName(Kind kind);

class Runtime {
 public:
  explicit Runtime(std::shared_ptr<Library> library) : library_(std::move(library)) {}

  std::string describeDevices() const;  // JSON
  Result<Handle> openContext(int device);
  Result<Handle> createStream(Handle context);
  Result<Handle> createEvent(Handle context, bool timing);
  Result<Handle> allocate(Handle context, std::size_t bytes);
  Result<Handle> allocatePinned(Handle context, std::size_t bytes);
  Result<Handle> loadModule(Handle context, const std::string& path);
  Result<Handle> findKernel(Handle module, const std::string& name);
  Status release(Handle handle);

  // Host bytes: blocking for device buffers (pageable), a plain copy for pinned ones.
  Status writeBytes(Handle to, std::size_t offset, const void* from, std::size_t bytes);
  Status readBytes(Handle from, std::size_t offset, void* to, std::size_t bytes);
  // Between any two buffers, device or pinned, one device or two, in stream order.
  Status copy(Handle stream, Handle to, std::size_t toOffset, Handle from, std::size_t fromOffset, std::size_t bytes);
  Status fill(Handle stream, Handle to, std::size_t offset, std::uint8_t byte, std::size_t bytes);

  // `types` has one letter per argument: p buffer (two values: handle, byte offset), n null pointer (one value,
  // ignored), i int32, u uint32, l int64, f float, d double.
  Status launch(Handle stream, Handle kernel, const std::array<unsigned, 6>& shape, unsigned sharedBytes,
                std::string_view types, const double* values, std::size_t valueCount);
  Status record(Handle event, Handle stream);
  Status wait(Handle stream, Handle event);
  Result<float> elapsedMs(Handle start, Handle end);
  Result<bool> ready(Handle streamOrEvent);
  Status beginCapture(Handle stream);
  Result<Handle> endCapture(Handle stream);
  Status launchGraph(Handle graph, Handle stream);
  Status enablePeer(Handle from, Handle to);
  Result<std::pair<std::size_t, std::size_t>> memoryInfo(Handle context);  // free, total

  // A wait that may run on any thread; the object stays alive until the function is destroyed.
  Result<std::function<Status()>> waiter(Handle streamOrEventOrContext);

  std::shared_ptr<Library> library() const { return library_; }
  Result<std::shared_ptr<Context>> context(Handle handle) const;
  // For libraries that take plain addresses (cuBLASLt).
  Result<DevicePointer> deviceAddress(Handle buffer, std::size_t offset, std::size_t bytes) const;
  Result<std::shared_ptr<Stream>> stream(Handle handle) const;

  // Objects that are alive now, JSON: {"handles":n,"bytes":n,"byKind":{…},"failedReleases":n}. At the end of a run
  // these are leaks.
  std::string describeAlive() const;
  std::size_t alive() const;

 private:
  struct Slot {
    Kind kind = Kind::none;
    std::uint32_t generation = 0;
    std::shared_ptr<Resource> resource;
  };
  Handle keep(Kind kind, std::shared_ptr<Resource> resource);
  Result<const Slot*> slot(Handle handle) const;
  template <typename T>
  Result<std::shared_ptr<T>> get(Handle handle, Kind kind) const;
  struct Region {
    std::shared_ptr<Context> context;
    DevicePointer device = 0;  // 0: host memory
    char* host = nullptr;
  };
  Result<Region> region(Handle handle, std::size_t offset, std::size_t bytes) const;

  std::shared_ptr<Library> library_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace dyno::cuda
